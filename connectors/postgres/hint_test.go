package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
)

// watching is a WatchHints under way.
type watching struct {
	hints chan connectors.Hint
	done  chan error
	stop  context.CancelFunc
}

func watch(t *testing.T, d *Driver) *watching {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := &watching{hints: make(chan connectors.Hint, 100), done: make(chan error, 1), stop: stop}
	t.Cleanup(stop)
	go func() { w.done <- d.WatchHints(ctx, func(h connectors.Hint) { w.hints <- h }) }()
	return w
}

func (w *watching) next(t *testing.T) connectors.Hint {
	t.Helper()
	select {
	case h := <-w.hints:
		return h
	case err := <-w.done:
		t.Fatalf("it ended: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("no hint came")
	}
	return connectors.Hint{}
}

func (w *watching) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("it did not end")
	}
	return nil
}

func TestHints(t *testing.T) {
	s, c := schema(t, `CREATE TABLE "T" (k int PRIMARY KEY)`,
		`CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
			PERFORM pg_notify('Odd "channel', json_build_object('schema', TG_TABLE_SCHEMA, 'table', TG_TABLE_NAME)::text); RETURN NULL; END $f$`,
		`CREATE TRIGGER tell AFTER INSERT ON "T" EXECUTE FUNCTION tell()`)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	d := open(t, map[string]any{"notify_channel": `Odd "channel`})
	d.keepAlive = 20 * time.Millisecond // so that notices come between and within its own questions
	w := watch(t, d)
	if h := w.next(t); h.ContainerID != "" {
		t.Errorf("the first hint names %s", h.ContainerID)
	}
	for payload, want := range map[string]string{
		"public.orders": "public.orders", ` "a.b".c `: `"a.b".c`, `{"table": "public.orders"}`: "public.orders",
		`{"schema": "a.b", "table": "C", "op": "INSERT"}`: `"a.b".C`, `{"table": "orders"}`: "", `{"table": 7}`: "", "{": "", "": "",
		"orders": "", "[]": "", "a.b.c": "", "public.orders; DROP TABLE x": "public.orders; DROP TABLE x",
	} {
		exec(t, c, "SELECT pg_notify('Odd \"channel', $1)", payload)
		if h := w.next(t); h.ContainerID != want {
			t.Errorf("%q: got %q, want %q", payload, h.ContainerID, want)
		}
	}
	exec(t, c, "NOTIFY other, 'public.x'")
	exec(t, c, `INSERT INTO "T" VALUES (1)`)
	if h := w.next(t); h.ContainerID != s+".T" {
		t.Errorf("got %q from the trigger", h.ContainerID)
	}
	exec(t, c, "BEGIN")
	for i := range 50 {
		exec(t, c, fmt.Sprintf(`NOTIFY "Odd ""channel", 'a.t%d'`, i))
	}
	exec(t, c, "COMMIT")
	for i := range 50 {
		if h := w.next(t); h.ContainerID != fmt.Sprintf("a.t%d", i) {
			t.Fatalf("got %q after %d notices at once", h.ContainerID, i)
		}
	}
	w.stop()
	wantCode(t, w.end(t), connectors.Unavailable)
	d.Close()
}

// TestHintsEnd ends the session that listens in every way that it can end, and looks what is said of it.
func TestHintsEnd(t *testing.T) {
	c := admin(t)
	start := func(t *testing.T, change func(*Driver)) (*Driver, *watching) {
		d := open(t, map[string]any{"notify_channel": "c"})
		d.keepAlive = time.Hour
		if change != nil {
			change(d)
		}
		w := watch(t, d)
		w.next(t)
		return d, w
	}
	t.Run("terminated", func(t *testing.T) {
		_, w := start(t, nil)
		endListeners(t, c)
		if e := wantCode(t, w.end(t), connectors.ProviderError); !strings.Contains(e.Message, "try again") {
			t.Errorf("got %q", e.Message)
		}
	})
	t.Run("driver closed", func(t *testing.T) {
		d, w := start(t, nil)
		d.Close()
		wantCode(t, w.end(t), connectors.Unavailable)
		wantCode(t, d.WatchHints(t.Context(), func(connectors.Hint) {}), connectors.Unavailable)
	})
	t.Run("not listening any more", func(t *testing.T) {
		_, w := start(t, func(d *Driver) { d.keepAlive = 10 * time.Millisecond; d.channel = strings.Repeat("c", 64) }) // cut to 63 by the server
		if e := wantCode(t, w.end(t), connectors.Unsupported); !strings.Contains(e.Message, "pooler") {
			t.Errorf("got %q", e.Message)
		}
	})
	t.Run("silence", func(t *testing.T) {
		p := startProxy(t)
		d := open(t, map[string]any{"notify_channel": "c", "host": "127.0.0.1", "port": p.port()})
		d.keepAlive, d.answerTime = 20*time.Millisecond, 100*time.Millisecond
		w := watch(t, d)
		w.next(t)
		p.set(fault{hang: true})
		if e := wantCode(t, w.end(t), connectors.Timeout); !strings.Contains(e.Message, "did not answer") {
			t.Errorf("got %q", e.Message)
		}
	})
	t.Run("replica", func(t *testing.T) {
		p := startProxy(t)
		p.set(fault{message: func(m message) ([]byte, ending) {
			if m.kind == 'C' {
				return errorMessage("ERROR", stateReadOnly, "cannot execute LISTEN during recovery"), goOn
			}
			return m.all, goOn
		}})
		d := open(t, map[string]any{"notify_channel": "c", "host": "127.0.0.1", "port": p.port()})
		err := d.WatchHints(t.Context(), func(connectors.Hint) { t.Error("a hint came") })
		if e := wantCode(t, err, connectors.Unsupported); !strings.Contains(e.Message, "primary") {
			t.Errorf("got %q", e.Message)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		d := open(t, map[string]any{"notify_channel": "c"})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		wantCode(t, d.WatchHints(ctx, func(connectors.Hint) {}), connectors.Timeout)
	})
	t.Run("no channel", func(t *testing.T) {
		wantCode(t, open(t, nil).WatchHints(t.Context(), func(connectors.Hint) {}), connectors.Unsupported)
	})
	t.Run("wrong password", func(t *testing.T) {
		d := open(t, map[string]any{"notify_channel": "c", "password": "hunter2-wrong"})
		err := d.WatchHints(t.Context(), func(connectors.Hint) {})
		wantCode(t, err, connectors.Reauthorize)
		noSecret(t, err)
	})
}

// endListeners ends every session that listens in the laboratory's database.
func endListeners(t *testing.T, c *pgx.Conn) {
	t.Helper()
	var ended int
	err := c.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'ucf' AND query LIKE 'LISTEN%'`).Scan(&ended)
	if err != nil || ended == 0 {
		t.Fatalf("%d sessions ended, %v", ended, err)
	}
}

// TestHintsOverTLS has a session stay quiet for a while: reading from it is given up and begun again, over TLS too.
func TestHintsOverTLS(t *testing.T) {
	c := admin(t)
	ca, cert := authority(t)
	d := open(t, map[string]any{
		"notify_channel": "tls", "host": "localhost", "port": newFront(t, &cert, backend()).port(), "sslmode": "verify-full", "ssl_root_cert": ca,
	})
	d.keepAlive = 5 * time.Millisecond
	w := watch(t, d)
	w.next(t)
	asked := map[time.Time]bool{}
	for deadline := time.Now().Add(20 * time.Second); len(asked) < 5 && time.Now().Before(deadline); {
		var at time.Time
		err := c.QueryRow(t.Context(), `SELECT max(query_start) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'ucf' AND query LIKE '%pg_listening_channels%'`).Scan(&at)
		if err == nil {
			asked[at] = true
		}
	}
	if len(asked) < 5 {
		t.Errorf("the session was asked %d times whether it listens", len(asked))
	}
	exec(t, c, "NOTIFY tls, 'a.b'")
	if h := w.next(t); h.ContainerID != "a.b" {
		t.Errorf("got %q", h.ContainerID)
	}
}
