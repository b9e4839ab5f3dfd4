package transport

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// lab is a client against servers on real sockets, with what it told of itself.
type lab struct {
	t      *testing.T
	client *http.Client
	guard  *Guard
	source *source
	mu     sync.Mutex
	seen   []Attempt
	log    bytes.Buffer
}

func (l *lab) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

// newLab returns a client for the system at base that is signed with a token and retries fast.
func newLab(t *testing.T, base string, change ...func(*Options)) *lab {
	t.Helper()
	l := &lab{t: t, source: &source{token: "tok-secret"}}
	l.guard = mustGuard(t, hostOf(base))
	o := Options{
		Scheme: connectors.SchemeBearer, Source: l.source, Host: base, Guard: l.guard, Connector: "jira", UserAgent: "ucf/test",
		Timeout: 5 * time.Second, Retry: RetryPolicy{Base: time.Millisecond},
		Log: slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: func(a Attempt) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.seen = append(l.seen, a)
		},
		RequestID: func(context.Context) string { return "req-1" },
	}
	for _, f := range change {
		f(&o)
	}
	var err error
	if l.client, err = NewClient(o); err != nil {
		t.Fatal(err)
	}
	l.guard = o.Guard
	t.Cleanup(l.client.CloseIdleConnections)
	return l
}

func hostOf(base string) string { return base[strings.Index(base, "://")+3:] }

// get returns the status, or the code of the error, and the body; whatever comes must keep its secrets.
func (l *lab) get(url string) (any, string, error) {
	l.t.Helper()
	return l.do(request(l.t, "GET", url+"?jql=query-secret", ""))
}

func (l *lab) do(req *http.Request) (any, string, error) {
	l.t.Helper()
	resp, err := l.client.Do(req)
	if err != nil {
		e := connectors.AsError(err)
		all := fmt.Sprintf("%v %+v %#v", e, e, e.Details)
		if strings.Contains(all, "query-secret") || strings.Contains(all, "tok-secret") {
			l.t.Errorf("the error tells secrets: %s", all)
		}
		return e.Code, "", e
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Errorf("the body failed after the answer was given: %v", err)
	}
	return resp.StatusCode, string(b), nil
}

func (l *lab) checkLog() {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.log.String(); strings.Contains(s, "secret") {
		l.t.Errorf("the log tells secrets: %s", s)
	}
}

func TestClientAgainstFailingServers(t *testing.T) {
	html := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
	abort := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "half")
	}
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	stall := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	code := func(n int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(n)
		}
	}
	tests := []struct {
		name  string
		steps []http.HandlerFunc // the last one is repeated
		want  any
		tries int
	}{
		{"ok", []http.HandlerFunc{html}, 200, 1},
		{"rate limited then ok", []http.HandlerFunc{code(429, "Retry-After", "0"), html}, 200, 2},
		{"503 then ok", []http.HandlerFunc{code(503), html}, 200, 2},
		{"503 for ever", []http.HandlerFunc{code(503)}, 503, 5},
		{"rate limited for long", []http.HandlerFunc{code(429, "Retry-After", "3600")}, connectors.RateLimited, 1},
		{"closed then ok", []http.HandlerFunc{abort, html}, 200, 2},
		{"closed for ever", []http.HandlerFunc{abort}, connectors.ProviderError, 5},
		{"reset then ok", []http.HandlerFunc{reset, html}, 200, 2},
		{"reset for ever", []http.HandlerFunc{reset}, connectors.ProviderError, 5},
		{"cut off then ok", []http.HandlerFunc{cut, html}, 200, 2},
		{"cut off for ever", []http.HandlerFunc{cut}, connectors.ProviderError, 5},
		{"hang then ok", []http.HandlerFunc{hang, html}, 200, 2},
		{"hang for ever", []http.HandlerFunc{hang}, connectors.Timeout, 2},
		{"stalled body then ok", []http.HandlerFunc{stall, html}, 200, 2},
		{"stalled body for ever", []http.HandlerFunc{stall}, connectors.Timeout, 2},
		{"refused credential", []http.HandlerFunc{code(401)}, 401, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				i := int(n.Add(1)) - 1
				tt.steps[min(i, len(tt.steps)-1)](w, r)
			}))
			defer srv.Close()
			l := newLab(t, srv.URL, func(o *Options) { o.Timeout = 600 * time.Millisecond })
			got, body, err := l.get(srv.URL + "/rest")
			if got != tt.want || int(n.Load()) != tt.tries {
				t.Errorf("got %v after %d tries, want %v after %d (%v)", got, n.Load(), tt.want, tt.tries, err)
			}
			if got == 200 && body != "ok" {
				t.Errorf("body %q", body)
			}
			if len(l.seen) != tt.tries || l.source.asked != tt.tries || l.seen[tt.tries-1].Try != tt.tries {
				t.Errorf("%d attempts recorded, %d signed, want %d: %+v", len(l.seen), l.source.asked, tt.tries, l.seen)
			}
			if strings.Count(l.log.String(), "\n") != tt.tries {
				t.Errorf("want a line a try, got %s", l.log.String())
			}
			l.checkLog()
		})
	}
}

// reset ends the connection with a TCP reset.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(interface{ SetLinger(int) error }).SetLinger(0)
	_ = conn.Close()
}

func TestClientDoesNotRepeatWrites(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"503": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "reset": reset,
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.Add(1); h(w, r) }))
			defer srv.Close()
			l := newLab(t, srv.URL)
			_, _, _ = l.do(request(t, "POST", srv.URL, "pay 5 EUR"))
			if n.Load() != 1 {
				t.Errorf("sent %d times", n.Load())
			}
		})
	}
}

func TestClientRepeatsAPostThatReads(t *testing.T) {
	var bodies []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(b))
		if _, sent := r.Header["Idempotency-Key"]; sent {
			t.Error("the mark was sent")
		}
		if len(bodies) < 3 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer srv.Close()
	l := newLab(t, srv.URL)
	req := request(t, "POST", srv.URL, `{"jql":"project = PAY"}`)
	req.Header["Idempotency-Key"] = []string{}
	got, _, err := l.do(req)
	if got != 200 || len(bodies) != 3 || slices.ContainsFunc(bodies, func(b string) bool { return b != bodies[0] || b == "" }) {
		t.Errorf("got %v (%v) with bodies %q", got, err, bodies)
	}
}

func TestClientRenewsTheCredentialOnce(t *testing.T) {
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		if len(got) == 1 {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer srv.Close()
	l := newLab(t, srv.URL)
	l.source.newer = []string{"tok-secret-2"}
	if status, _, err := l.get(srv.URL); status != 200 {
		t.Errorf("got %v, %v", status, err)
	}
	if want := []string{"Bearer tok-secret", "Bearer tok-secret-2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(l.seen) != 2 {
		t.Errorf("%d attempts recorded, want 2", len(l.seen))
	}
}

func TestClientHugeAnswers(t *testing.T) {
	packed := bomb(40 << 20)
	var wrote atomic.Int64
	tests := map[string]http.HandlerFunc{
		"declared": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(100<<20))
			n, _ := io.CopyN(w, &endless{}, 100<<20)
			wrote.Store(n)
		},
		"not declared": func(w http.ResponseWriter, _ *http.Request) {
			n, _ := io.CopyN(w, &endless{}, 100<<20)
			wrote.Store(n)
		},
		"gzip bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed)
		},
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 1000 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 1000))
			}
		},
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(h)
			defer srv.Close()
			l := newLab(t, srv.URL, func(o *Options) { o.Retry.Tries = 1; o.Timeout = 30 * time.Second })
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, _, err := l.get(srv.URL)
			runtime.ReadMemStats(&after)
			if got != connectors.ProviderError {
				t.Errorf("got %v (%v), want provider_error", got, err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 48<<20 {
				t.Errorf("took %d MiB", used>>20)
			}
			srv.Close()
			if n := wrote.Load(); n > 64<<20 {
				t.Errorf("the server could send %d MiB", n>>20)
			}
		})
	}
}

func TestClientUnpacks(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("accepts %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, "hello")
		_ = z.Close()
	}))
	defer srv.Close()
	l := newLab(t, srv.URL)
	if got, body, err := l.get(srv.URL); got != 200 || body != "hello" || l.seen[0].Bytes != 5 {
		t.Errorf("got %v %q %v, %+v", got, body, err, l.seen)
	}
}

func TestClientWrongAddresses(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	tests := []struct {
		name, base string
		allow      bool
		want       connectors.Code
		says       string
	}{
		{"nothing listens", gone.URL, true, connectors.ProviderError, "refused the connection"},
		{"unknown host", "https://nowhere.example", true, connectors.ProviderError, "not a host that can be found"},
		{"loopback", gone.URL, false, connectors.InvalidRequest, "base_url"},
		{"metadata", "https://169.254.169.254", false, connectors.InvalidRequest, "never called"},
		{"public without TLS", "http://acme.example", false, connectors.InvalidRequest, "use https"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, gone.URL, func(o *Options) {
				o.Host = tt.base
				if !tt.allow {
					o.Guard = mustGuard(t)
				}
			})
			got, _, err := l.get(tt.base + "/rest")
			if got != tt.want || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v (%v), want %v with %q", got, err, tt.want, tt.says)
			}
			if _, fields := connectors.AsError(err).Details["fields"]; fields != (tt.want == connectors.InvalidRequest) {
				t.Errorf("details %v", connectors.AsError(err).Details)
			}
		})
	}
}

func TestClientCancelledByTheCaller(t *testing.T) {
	reached := make(chan struct{}, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-r.Context().Done()
	}))
	defer srv.Close()
	l := newLab(t, srv.URL)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-reached
		cancel()
	}()
	_, _, err := l.do(request(t, "GET", srv.URL+"?q=query-secret", "").WithContext(ctx))
	if !errors.Is(err, context.Canceled) || connectors.CodeOf(err) != connectors.Unavailable || len(l.seen) != 1 {
		t.Errorf("got %v after %d tries, want the context's error after 1", err, len(l.seen))
	}
}

func TestClientOrderOfLayers(t *testing.T) {
	l := newLab(t, "https://acme.example")
	var got []string
	for rt := reflect.ValueOf(l.client.Transport.(stack).RoundTripper); ; {
		got = append(got, rt.Type().Elem().Name())
		next := rt.Elem().FieldByName("next")
		if !next.IsValid() {
			break
		}
		rt = next.Elem()
	}
	if want := []string{"retry", "sign", "pace", "record", "exchange", "Guard"}; !slices.Equal(got, want) {
		t.Errorf("layers %v, want %v", got, want)
	}
}

func TestClientEveryTryTakesAPlaceInTheBudget(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer srv.Close()
	b := NewBudget()
	l := newLab(t, srv.URL, func(o *Options) { o.Budget, o.BudgetKey, o.Rate, o.Burst = b, "k", 0.001, 7 })
	if got, _, err := l.get(srv.URL); got != 503 {
		t.Errorf("got %v, %v", got, err)
	}
	if left := b.limiter("k GET ", 1, 1).Tokens(); left < 2 || left > 2.1 {
		t.Errorf("%v places left of 7 after 5 tries, want 2", left)
	}
	if got, _, _ := l.get(srv.URL); got != connectors.RateLimited {
		t.Errorf("without a place: got %v, want rate_limited", got)
	}
}

func TestClientManyCallersAtOnce(t *testing.T) {
	var n atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, r.URL.Path)
	}))
	defer srv.Close()
	l := newLab(t, srv.URL, func(o *Options) { o.Retry.Tries = 20 })
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 10 {
				path := fmt.Sprintf("/%d/%d", i, j)
				if got, body, err := l.get(srv.URL + path); got != 200 || body != path {
					t.Errorf("%s: got %v %q %v", path, got, body, err)
				}
			}
		})
	}
	wg.Wait()
	l.checkLog()
}

func TestNewClientFaults(t *testing.T) {
	g := mustGuard(t)
	src := Static(connectors.NewSecret("x"))
	tests := map[string]Options{
		"no guard":         {},
		"no host":          {Guard: g, Scheme: connectors.SchemeBearer, Source: src},
		"host not a URL":   {Guard: g, Scheme: connectors.SchemeBearer, Source: src, Host: "acme.example"},
		"host of no http":  {Guard: g, Scheme: connectors.SchemeBearer, Source: src, Host: "ftp://acme.example"},
		"unknown scheme":   {Guard: g, Scheme: "digest", Source: src, Host: "https://acme.example"},
		"no scheme at all": {Guard: g, Source: src, Host: "https://acme.example"},
	}
	for name, o := range tests {
		if _, err := NewClient(o); connectors.CodeOf(err) != connectors.Internal {
			t.Errorf("%s: got %v, want internal", name, err)
		}
	}
	for name, o := range map[string]Options{
		"no credential": {Guard: g}, "the driver's own": {Guard: g, Scheme: connectors.SchemeDriver, Source: src},
	} {
		if _, err := NewClient(o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingPrintsTheCredential(t *testing.T) {
	l := newLab(t, "https://acme.example", func(o *Options) { o.Source = Static(connectors.NewSecret("tok-secret")) })
	s := l.client.Transport.(stack).RoundTripper.(*retry).next.(*sign)
	for _, v := range []any{l.client, s, *s, s.source} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, "tok-secret") {
				t.Errorf("%s of %T tells the credential", verb, v)
			}
		}
	}
}
