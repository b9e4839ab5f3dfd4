package postgres

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// authority makes a certificate authority and a certificate of it for "localhost", and not for 127.0.0.1.
func authority(t *testing.T) (ca string, server tls.Certificate) {
	t.Helper()
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey, key := newKey(), newKey()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, root, root, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// sslRequest is what a client sends to ask for TLS.
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

// front is a server that stands before PostgreSQL, or before nothing, and answers requests for TLS.
type front struct {
	net.Listener
	cert    *tls.Certificate // nil: TLS is refused
	backend string           // empty: whoever comes is only listened to
	wg      sync.WaitGroup

	mu    sync.Mutex
	plain bytes.Buffer // what came in plaintext, requests for TLS aside
	conns []net.Conn
}

func newFront(t *testing.T, cert *tls.Certificate, backend string) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{Listener: l, cert: cert, backend: backend}
	f.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.keep(c)
			f.wg.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			c.Close()
		}
		f.mu.Unlock()
		f.wg.Wait()
	})
	return f
}

func (f *front) keep(c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, c)
}

func (f *front) port() int { return f.Addr().(*net.TCPAddr).Port }

func (f *front) serve(c net.Conn) {
	defer c.Close()
	head := make([]byte, 8)
	if _, err := io.ReadFull(c, head); err != nil {
		return
	}
	if !bytes.Equal(head, sslRequest) {
		f.mu.Lock()
		f.plain.Write(head)
		f.mu.Unlock()
	}
	if f.cert == nil {
		_, _ = c.Write([]byte("N"))
		rest, _ := io.ReadAll(c)
		f.mu.Lock()
		f.plain.Write(rest)
		f.mu.Unlock()
		return
	}
	_, _ = c.Write([]byte("S"))
	inner := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*f.cert}})
	if err := inner.Handshake(); err != nil {
		return
	}
	back, err := net.Dial("tcp", f.backend)
	if err != nil {
		return
	}
	f.keep(back)
	f.wg.Go(func() { _, _ = io.Copy(back, inner); back.Close() })
	_, _ = io.Copy(inner, back)
}

func backend() string {
	port := lab.admin["port"]
	if port == "" {
		port = "5432"
	}
	return net.JoinHostPort(lab.admin["host"], port)
}

func TestTLSModes(t *testing.T) {
	admin(t)
	ca, cert := authority(t)
	otherCA, _ := authority(t)
	good := newFront(t, &cert, backend())
	tests := map[string]struct {
		host, mode, ca string
		ok             bool
	}{
		"verify-full":                  {"localhost", "verify-full", ca, true},
		"verify-full, other name":      {"127.0.0.1", "verify-full", ca, false},
		"verify-full, other authority": {"localhost", "verify-full", otherCA, false},
		"verify-full, system":          {"localhost", "verify-full", "", false},
		"verify-ca, other name":        {"127.0.0.1", "verify-ca", ca, true},
		"verify-ca, other authority":   {"127.0.0.1", "verify-ca", otherCA, false},
		"verify-ca, system":            {"127.0.0.1", "verify-ca", "", false},
		"require":                      {"127.0.0.1", "require", "", true},
		"require, authority":           {"127.0.0.1", "require", ca, true},
		"require, other authority":     {"127.0.0.1", "require", otherCA, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := open(t, map[string]any{"host": tt.host, "port": good.port(), "sslmode": tt.mode, "ssl_root_cert": tt.ca})
			_, err := d.Probe(t.Context())
			if tt.ok {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := wantCode(t, err, connectors.ProviderError); !strings.Contains(e.Message, "certificate") {
				t.Errorf("got %q, want something about the certificate", e.Message)
			}
		})
	}
	good.mu.Lock()
	defer good.mu.Unlock()
	if good.plain.Len() > 0 {
		t.Errorf("%d bytes came unencrypted", good.plain.Len())
	}
}

// TestNoPlaintextFallback meets a server without TLS with every mode that wants it.
func TestNoPlaintextFallback(t *testing.T) {
	ca, _ := authority(t)
	for _, mode := range []string{"require", "verify-ca", "verify-full"} {
		t.Run(mode, func(t *testing.T) {
			f := newFront(t, nil, "")
			d := openRaw(t, map[string]any{
				"host": "localhost", "port": f.port(), "database": "d", "user": "u", "password": "hunter2", "sslmode": mode, "ssl_root_cert": ca,
			})
			_, err := d.Probe(t.Context())
			if e := wantCode(t, err, connectors.ProviderError); !strings.Contains(e.Message, "offers no TLS") {
				t.Errorf("got %q", e.Message)
			}
			d.Close()
			f.Close()
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.plain.Len() > 0 {
				t.Errorf("%q was sent unencrypted", f.plain.Bytes())
			}
		})
	}
}

// TestEnvironmentIgnored sets every variable that libpq knows to something that would break or redirect a connection.
func TestEnvironmentIgnored(t *testing.T) {
	for _, v := range []string{
		"PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGAPPNAME", "PGCONNECT_TIMEOUT", "PGSSLMODE",
		"PGSSLKEY", "PGSSLCERT", "PGSSLCERTMODE", "PGSSLSNI", "PGSSLROOTCERT", "PGSSLPASSWORD", "PGSSLNEGOTIATION", "PGTARGETSESSIONATTRS",
		"PGSERVICE", "PGSERVICEFILE", "PGTZ", "PGOPTIONS", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION", "PGCHANNELBINDING", "PGREQUIREAUTH",
	} {
		t.Setenv(v, "evil")
	}
	c, err := makeBaseConfig()
	if err != nil {
		t.Fatal(err)
	}
	if c.TLSConfig != nil || len(c.Fallbacks) > 0 || c.SSLNegotiation != "postgres" || c.ChannelBinding != "prefer" || c.RequireAuth != "" {
		t.Errorf("got %+v", c)
	}
	for k, v := range c.RuntimeParams {
		if strings.Contains(v, "evil") {
			t.Errorf("run-time parameter %s is %s", k, v)
		}
	}
	for _, v := range []string{c.Host, c.User, c.Database, c.Password, c.KerberosSrvName, c.KerberosSpn} {
		if strings.Contains(v, "evil") {
			t.Errorf("%q comes from the environment", v)
		}
	}
}

// TestDialsByName checks that the guard is asked with the name, and that its refusal comes through as it is.
func TestDialsByName(t *testing.T) {
	c, err := Definition.ParseConfig(map[string]any{"dsn": "postgres://u:hunter2@db.internal:6432/d"})
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 8)
	refusal := connectors.Errorf(connectors.InvalidRequest, "the address is forbidden")
	d, err := Definition.New(connectors.Env{Config: c, Dial: func(_ context.Context, network, address string) (net.Conn, error) {
		asked <- network + " " + address
		return nil, refusal
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.(*Driver).Close()
	if _, err = d.Probe(t.Context()); !errors.Is(err, refusal) {
		t.Errorf("got %v, want the guard's own error", err)
	}
	if len(asked) != 1 {
		t.Errorf("the guard was asked %d times, want once", len(asked))
	}
	if got := <-asked; got != "tcp db.internal:6432" {
		t.Errorf("the guard was asked for %q", got)
	}
}
