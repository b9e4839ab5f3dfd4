package httpapi_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/httpapi"
)

// serving is a server under test that the test takes down.
type serving struct {
	addr string
	end  context.CancelFunc
	done chan error
}

func serve(t *testing.T, h http.Handler, down httpapi.Shutdown) serving {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := serving{ln.Addr().String(), cancel, make(chan error, 1)}
	go func() { s.done <- httpapi.Serve(ctx, ln, httpapi.Server("", h, nil), down) }()
	t.Cleanup(cancel)
	return s
}

func TestGracefulShutdown(t *testing.T) {
	l := newLab(t)
	s := serve(t, l.handler, httpapi.Shutdown{Notice: 300 * time.Millisecond, Grace: 20 * time.Second})
	l.addr = s.addr
	answered := make(chan reply, 1)
	go func() {
		answered <- l.do(call{method: "POST", path: "/api/connectors/toy/probe", body: config("slow")})
	}()
	<-l.gate.entered
	l.do(call{method: "GET", path: "/readyz"}).want(t, 200, "")
	s.end()
	deadline := time.Now().Add(250 * time.Millisecond)
	for l.do(call{method: "GET", path: "/readyz"}).status == 200 {
		if time.Now().After(deadline) {
			t.Fatal("/readyz stays 200")
		}
	}
	l.do(call{method: "GET", path: "/readyz"}).want(t, 503, connectors.Unavailable)
	l.do(call{method: "GET", path: "/healthz"}).want(t, 200, "")
	l.client.CloseIdleConnections()
	for {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(deadline.Add(10 * time.Second)) {
			t.Fatal("connections are still taken")
		}
	}
	select {
	case out := <-answered:
		t.Fatalf("the running request ended: %d %s", out.status, out.text)
	case err := <-s.done:
		t.Fatalf("Serve did not wait for the running request: %v", err)
	default:
	}
	close(l.gate.open)
	(<-answered).want(t, 200, "")
	if err := <-s.done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestShutdownIsBounded(t *testing.T) {
	l := newLab(t)
	s := serve(t, l.handler, httpapi.Shutdown{Notice: time.Millisecond, Grace: 50 * time.Millisecond})
	l.addr = s.addr
	failed := make(chan error, 1)
	go func() {
		res, err := l.client.Do(l.request(call{method: "POST", path: "/api/connectors/toy/probe", body: config("slow")}))
		if err == nil {
			res.Body.Close()
		}
		failed <- err
	}()
	<-l.gate.entered
	s.end()
	if err := <-s.done; connectors.CodeOf(err) != connectors.Timeout {
		t.Errorf("Serve returned %v, want timeout", err)
	}
	select {
	case err := <-failed:
		if err == nil {
			t.Error("a request that was cut off was answered")
		}
	case <-time.After(5 * time.Second):
		t.Error("the request was not cut off")
	}
}

func TestServeOnABrokenListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	err = httpapi.Serve(t.Context(), ln, httpapi.Server("", http.NotFoundHandler(), nil), httpapi.Shutdown{})
	if connectors.CodeOf(err) != connectors.Unavailable || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve returned %v", err)
	}
}

func TestReadyAsksTheStore(t *testing.T) {
	l := newLab(t)
	l.do(call{method: "GET", path: "/readyz"}).want(t, 200, "")
	l.closeStore()
	l.do(call{method: "GET", path: "/readyz"}).want(t, 503, connectors.Unavailable)
	l.do(call{method: "GET", path: "/healthz"}).want(t, 200, "")
	l.do(call{method: "GET", path: "/api/connections"}).want(t, 503, connectors.Unavailable)
	if out := l.do(call{method: "GET", path: "/"}); !strings.Contains(out.text, `"status":"degraded"`) {
		t.Errorf("%s", out.text)
	}
}

func TestServerBounds(t *testing.T) {
	s := httpapi.Server("x", http.NotFoundHandler(), nil)
	if s.ReadHeaderTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.Addr != "x" {
		t.Errorf("%+v", s)
	}
	l := newLab(t)
	r := l.request(call{method: "GET", path: "/healthz", header: map[string]string{"X-Large": strings.Repeat("x", 128<<10)}})
	res, err := l.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a huge head is %d", res.StatusCode)
	}
}
