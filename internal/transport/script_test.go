package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is the layer below the one under test: it answers with its steps in turn, and fails the test where one is
// missing or left over.
type script struct {
	t     *testing.T
	mu    sync.Mutex
	steps []step
	got   []*http.Request
	sent  []string    // the bodies
	at    []time.Time // when
	open  int         // answers whose body was not closed
}

type step func(*http.Request) (*http.Response, error)

func newScript(t *testing.T, steps ...step) *script {
	s := &script{t: t, steps: steps}
	t.Cleanup(func() {
		if len(s.steps) > 0 {
			t.Errorf("%d steps were not asked for", len(s.steps))
		}
	})
	return s
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body := ""
	if req.Body != nil {
		b, _ := io.ReadAll(req.Body)
		req.Body.Close()
		body = string(b)
	}
	s.got, s.sent, s.at = append(s.got, req), append(s.sent, body), append(s.at, time.Now())
	if len(s.steps) == 0 {
		s.t.Errorf("request %d was not expected: %s %s", len(s.got), req.Method, req.URL.Path)
		return nil, errors.New("unexpected request")
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	resp, err := next(req)
	if resp != nil {
		s.open++
		resp.Request = req
		resp.Body = &counted{ReadCloser: resp.Body, s: s}
	}
	return resp, err
}

type counted struct {
	io.ReadCloser
	s    *script
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.s.open-- })
	return c.ReadCloser.Close()
}

// status answers with a status and headers, given as name and value in turn.
func status(code int, header ...string) step {
	return func(*http.Request) (*http.Response, error) { return respond(code, "body", header...), nil }
}

func respond(code int, body string, header ...string) *http.Response {
	resp := &http.Response{
		StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

func fail(err error) step { return func(*http.Request) (*http.Response, error) { return nil, err } }

// broken is a failure that may pass.
func broken(code connectors.Code) step {
	return fail(connectors.Wrap(code, &transient{errors.New("connection reset")}, "broke off"))
}

func request(t *testing.T, method, rawURL, body string) *http.Request {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, rawURL, r)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// source is a TokenSource that counts.
type source struct {
	mu     sync.Mutex
	token  string
	newer  []string // what Newer gives, in turn
	err    error
	asked  int
	denied []string // what was said to be refused
	dead   bool     // whether it takes 403 and 404 for a refusal
}

func (s *source) Token(context.Context) (connectors.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return connectors.NewSecret(s.token), s.err
}

func (s *source) Newer(_ context.Context, refused connectors.Secret, status int) (connectors.Secret, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = append(s.denied, refused.Reveal())
	if len(s.newer) == 0 || status != http.StatusUnauthorized && !s.dead {
		return connectors.Secret{}, false, s.err
	}
	s.token, s.newer = s.newer[0], s.newer[1:]
	return connectors.NewSecret(s.token), true, nil
}
