package connectortest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// marker is the header by which the system knows what came through Env.HTTP.
const marker = "X-Connectortest"

// lab is one running system and what connections to it are opened with.
type lab struct {
	tb     TB
	s      *Suite
	sys    system
	sealer connectors.Sealer
	log    *logBuffer
	path   string // of the system's address

	closing   sync.Once
	transport *http.Transport
	refuse    atomic.Bool
	dials     atomic.Int64
	clock     atomic.Int64 // how often the time was asked for
}

// newLab starts the healthy system.
func newLab(tb TB, s *Suite) *lab {
	tb.Helper()
	return newLabOf(tb, s, s.Handler, "")
}

// newLabOf starts a variant of an HTTP system below a path; a harness is started whatever the handler.
func newLabOf(tb TB, s *Suite, h http.Handler, path string) *lab {
	tb.Helper()
	l := &lab{tb: tb, s: s, sealer: s.sealer, log: &logBuffer{}, path: path}
	if l.sealer == nil {
		l.sealer = newSealer()
	}
	if s.Harness == nil {
		l.sys = startHTTP(h, path)
	} else {
		p, err := startProxy(s.Harness.Start(tb))
		if err != nil {
			tb.Fatalf("proxy: %v", err)
		}
		l.sys = p
	}
	l.transport = &http.Transport{DialContext: l.dial}
	tb.Cleanup(l.close)
	return l
}

func (l *lab) close() { l.closing.Do(l.shut) }

func (l *lab) shut() {
	l.transport.CloseIdleConnections()
	l.sys.close()
}

// dial is the way out of every connection; it can lead to a port where nothing listens. It leads nowhere but to the
// system.
func (l *lab) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.dials.Add(1)
	if address != l.host() {
		l.tb.Errorf("a connection to %s was asked for, the system is at %s", address, l.host())
		return nil, errors.New("this is not the system")
	}
	if l.refuse.Load() {
		address = closedPort
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// closedPort is a port below those that are handed out, where nothing listens.
const closedPort = "127.0.0.1:1"

// address returns the system's address with the path that it is served under.
func (l *lab) address() string { return l.sys.address() + l.path }

// host returns the system's host and port.
func (l *lab) host() string { return strings.TrimPrefix(l.sys.address(), "http://") }

// config returns the configuration for an auth method, checked.
func (l *lab) config(method string, change func(map[string]any)) connectors.Config {
	l.tb.Helper()
	raw := l.s.Config(method, l.address())
	if change != nil {
		change(raw)
	}
	c, err := l.s.Definition.ParseConfig(raw)
	if err != nil {
		l.tb.Fatalf("the configuration for %s is refused: %v", method, err)
	}
	return c
}

// env returns what a driver is built from.
func (l *lab) env(c connectors.Config) connectors.Env {
	return connectors.Env{
		Config: c, HTTP: l.client(c), Dial: l.dial, API: l.api(c),
		Log: slog.New(slog.NewJSONHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug - 4})),
		Now: func() time.Time {
			l.clock.Add(1)
			return time.Now()
		},
	}
}

// api returns the address of the provider's API, empty where the configuration's method has none.
func (l *lab) api(c connectors.Config) string {
	if c.AuthMethod().APIProvider() == nil {
		return ""
	}
	return l.address()
}

// open opens a connection with the suite's auth method; the caller releases it.
func (l *lab) open() *connectors.Conn {
	l.tb.Helper()
	return l.openWith(l.config(l.s.method(), nil), "tenant|connection")
}

func (l *lab) openWith(c connectors.Config, binding string) *connectors.Conn {
	l.tb.Helper()
	conn, err := connectors.Open(connectors.Options{Env: l.env(c), Sealer: l.sealer, Binding: binding})
	if err != nil {
		l.tb.Fatalf("open: %v", err)
	}
	return conn
}

// release closes a connection.
func (l *lab) release(c *connectors.Conn) {
	l.tb.Helper()
	if err := c.Close(); err != nil {
		l.tb.Errorf("Close: %v", err)
	}
}

// client returns an HTTP client that signs what goes to the configured origin, by OAuth to that of the API, follows no
// redirect and repeats nothing.
func (l *lab) client(c connectors.Config) *http.Client {
	_, destination := c.Destination()
	destination = cmp.Or(l.api(c), destination)
	u, err := url.Parse(destination)
	if err != nil {
		u = &url.URL{}
	}
	return &http.Client{
		Transport:     signer{next: l.transport, host: u.Host, config: c, log: l.log},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func authorization(c connectors.Config) string {
	m := c.AuthMethod()
	secret := c.Secret(m.Secret).Reveal()
	switch m.Scheme {
	case connectors.SchemeBasic:
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.String(m.User)+":"+secret))
	case connectors.SchemeBearer:
		return "Bearer " + secret
	}
	return ""
}

// signer adds the credential and the marker, and logs addresses as clients do.
type signer struct {
	next   http.RoundTripper
	host   string
	config connectors.Config
	log    *logBuffer
}

// RoundTrip implements [http.RoundTripper].
func (s signer) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = fmt.Fprintf(s.log, "%s %s\n", r.Method, r.URL)
	out := r.Clone(r.Context())
	out.Header.Set(marker, "1")
	if value := authorization(s.config); value != "" && r.URL.Host == s.host {
		out.Header.Set("Authorization", value)
	}
	resp, err := s.next.RoundTrip(out)
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

// CloseIdleConnections lets go of idle connections; [http.Client.CloseIdleConnections] calls it.
func (s signer) CloseIdleConnections() {
	if c, ok := s.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// logBuffer keeps what is logged by many goroutines at once.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns everything that was logged.
func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// healthyTime bounds an operation that meets no fault.
const healthyTime = time.Minute

// ask calls the operation under the test's own patience: an operation that does not return fails the test.
func (l *lab) ask(op operation, c *connectors.Conn, r request) (answer, error) {
	l.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), healthyTime)
	defer cancel()
	return op.ask(ctx, c, r)
}

// mustAsk calls an operation that meets no fault.
func (l *lab) mustAsk(op operation, c *connectors.Conn, r request) answer {
	l.tb.Helper()
	a, err := l.ask(op, c, r)
	if err != nil {
		l.tb.Fatalf("%s of the healthy system: %v", op.name, err)
	}
	return a
}

// outcome is what an operation returned.
type outcome struct {
	answer answer
	err    error
}

// start calls the operation in the background and tells what it returned, a panic included.
func start(ctx context.Context, op operation, c *connectors.Conn, r request) <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				out <- outcome{err: fmt.Errorf("panic: %v", p)}
			}
		}()
		a, err := op.ask(ctx, c, r)
		out <- outcome{a, err}
	}()
	return out
}

// await waits for an outcome after the operation's context has ended, or is about to.
func (l *lab) await(out <-chan outcome, what string) outcome {
	l.tb.Helper()
	select {
	case o := <-out:
		return o
	case <-time.After(l.s.patience):
		l.tb.Fatalf("%s did not return within %v of the end of its context", what, l.s.patience)
		return outcome{}
	}
}
