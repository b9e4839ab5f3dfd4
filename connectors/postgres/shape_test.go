package postgres

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/unified-connector/ucf/connectors"
)

// TestRowsOfAnotherShape asks a server that announces one column and sends rows of none.
func TestRowsOfAnotherShape(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for c, err := ln.Accept(); err == nil; c, err = ln.Accept() {
			go serveShort(c)
		}
	}()
	d := openRaw(t, map[string]any{
		"host": "127.0.0.1", "port": ln.Addr().(*net.TCPAddr).Port, "user": "u", "password": "p", "database": "d", "sslmode": "disable",
	})
	for name, ask := range map[string]func(context.Context) error{
		"probe": func(ctx context.Context) error { _, err := d.Probe(ctx); return err },
		"containers": func(ctx context.Context) error {
			_, err := d.ListContainers(ctx, connectors.ContainerQuery{Limit: 5})
			return err
		},
		"items": func(ctx context.Context) error {
			_, err := d.ListItems(ctx, connectors.ItemQuery{ContainerID: "a.b", Limit: 5})
			return err
		},
	} {
		if e := wantCode(t, ask(t.Context()), connectors.ProviderError); !strings.Contains(e.Message, "another shape") {
			t.Errorf("%s: got %q", name, e.Message)
		}
	}
}

// serveShort speaks just enough of the protocol.
func serveShort(c net.Conn) {
	defer c.Close()
	b := pgproto3.NewBackend(c, c)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for b.Flush() == nil {
		m, err := b.Receive()
		if err != nil {
			return
		}
		switch m.(type) {
		case *pgproto3.Parse:
			b.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Bind:
			b.Send(&pgproto3.BindComplete{})
		case *pgproto3.Describe:
			b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("a"), DataTypeOID: oidText}}})
		case *pgproto3.Execute:
			b.Send(&pgproto3.DataRow{Values: [][]byte{}})
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
		case *pgproto3.Sync:
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		case *pgproto3.Terminate:
			return
		}
	}
}
