package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "s3cret-Value"

// newClient returns a client for a server with that handler.
func newClient(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return &Client{
		HTTP: s.Client(), Base: s.URL + "/base", System: "Jira", AddressField: "base_url",
		Secrets: []connectors.Secret{connectors.NewSecret(secret), {}},
		Faults: func(body []byte) []string {
			var e struct{ Messages []string }
			_ = json.Unmarshal(body, &e)
			return e.Messages
		},
	}
}

func answer(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const jsonType = "application/json"

func TestGet(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.RequestURI != "/base/a%2Fb/c?q=1+2" || r.Header.Get("Accept") != jsonType {
			t.Errorf("asked %s %s %v", r.Method, r.RequestURI, r.Header)
		}
		w.Header().Set("X-Test", "yes")
		_, _ = io.WriteString(w, "\xef\xbb\xbf {\"raw\": { \"n\" : 1.10e1 }, \"n\": 12345678901234567890.10}\n")
	})
	var got struct {
		Raw json.RawMessage
		N   any
	}
	h, err := c.Get(t.Context(), Path("a/b", "c"), url.Values{"q": {"1 2"}}, &got)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Raw) != `{ "n" : 1.10e1 }` || got.N != json.Number("12345678901234567890.10") || h.Get("X-Test") != "yes" {
		t.Errorf("got %s, %v, %v", got.Raw, got.N, h)
	}
}

// roundTrip is a function as an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestQuery(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || string(body) != `{"a":"<"}` && string(body) != `{"a":"\u003c"}` || r.Header.Get("Content-Type") != jsonType {
			t.Errorf("asked %s with %s as %s", r.Method, body, r.Header.Get("Content-Type"))
		}
		_, _ = io.WriteString(w, `{}`)
	})
	inner := c.HTTP.Transport
	c.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if key, marked := r.Header["Idempotency-Key"]; !marked || len(key) != 0 || r.GetBody == nil {
			t.Errorf("cannot be repeated: %v", r.Header)
		}
		return inner.RoundTrip(r)
	})}
	if _, err := c.Query(t.Context(), "/x", map[string]string{"a": "<"}, &struct{}{}); err != nil {
		t.Error(err)
	}
	_, err := c.Query(t.Context(), "/x", make(chan int), nil)
	wantError(t, err, connectors.Internal, "could not be built")
}

func wantError(t *testing.T, err error, code connectors.Code, words string) *connectors.Error {
	t.Helper()
	var e *connectors.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %T %v, want %q", err, err, code)
	}
	if !strings.Contains(e.Message, words) {
		t.Errorf("message %q lacks %q", e.Message, words)
	}
	if text := fmt.Sprintf("%v %+v %#v %v", err, err, err, e.Err); strings.Contains(text, "q=") || strings.Contains(text, secret) {
		t.Errorf("query or secret in %s", text)
	}
	return e
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name       string
		status     int
		kind, body string
		code       connectors.Code
		words      string
	}{
		{"401", 401, jsonType, `{"messages":["no"]}`, connectors.Reauthorize, "Jira refused the credential: connect again (no)"},
		{"403", 403, jsonType, `{"messages":["no"]}`, connectors.Reauthorize, "forbids this to the account (no). Give the account the permission"},
		{"404", 404, jsonType, `{"messages":["no"]}`, connectors.NotFound, "nothing there, or the account may not see it (no)"},
		{"404 as a page", 404, "text/html", `<html>`, connectors.NotFound, "API is not at this address: check base_url"},
		{"408", 408, jsonType, ``, connectors.Timeout, "gave up waiting"},
		{"410", 410, jsonType, `{"messages":["The API has been removed."]}`, connectors.ProviderError, "removed the endpoint that this version of ucf uses; install a newer one (The API has been removed.)"},
		{"429", 429, jsonType, ``, connectors.RateLimited, "wait a little"},
		{"400", 400, jsonType, `{"messages":["a\n\u001b[31mb","","c","d","e"]}`, connectors.InvalidRequest, "status 400 (a [31mb; c; d)"},
		{"400 with secrets", 400, jsonType, `{"messages":["you sent ` + secret + ` and QWxhZGRpbjpvcGVuIHNlc2FtZTE2Nzg5"]}`, connectors.InvalidRequest, "(you sent [redacted] and [redacted])"},
		{"400 at length", 400, jsonType, `{"messages":["` + strings.Repeat("é", 9999) + `"]}`, connectors.InvalidRequest, strings.Repeat("é", 150) + "…)"},
		{"400 beyond reading", 400, jsonType, `{"messages":["no"],"pad":"` + strings.Repeat("a", maxFaultBody) + `"}`, connectors.InvalidRequest, "refused the request with status 400"},
		{"400 as a page", 400, "text/html", `<html>`, connectors.ProviderError, "web page"},
		{"400 without words", 400, jsonType, `nonsense`, connectors.InvalidRequest, "refused the request with status 400"},
		{"413", 413, jsonType, ``, connectors.InvalidRequest, "status 413"},
		{"418", 418, jsonType, ``, connectors.InvalidRequest, "status 418"},
		{"304", 304, jsonType, ``, connectors.ProviderError, "redirects elsewhere"},
		{"500", 500, jsonType, `{"messages":["stack trace"]}`, connectors.ProviderError, "failed with status 500: try again later"},
		{"503 as a page", 503, "text/html", `<html>`, connectors.ProviderError, "status 503"},
		{"page", 200, "text/html; charset=utf-8", `<!DOCTYPE html>`, connectors.ProviderError, "web page, not with Jira's API: check base_url"},
		{"page that claims to be JSON", 200, jsonType, "  \n<html>", connectors.ProviderError, "web page"},
		{"page without a type", 200, "", `hello`, connectors.ProviderError, "not JSON"},
		{"nothing", 200, jsonType, " \n", connectors.ProviderError, "an empty answer"},
		{"204", 204, jsonType, "", connectors.ProviderError, "an empty answer"},
		{"cut off", 200, jsonType, `{"a":[1,`, connectors.ProviderError, "cut off"},
		{"two values", 200, jsonType, `{} {}`, connectors.ProviderError, "more than one"},
		{"value and rubbish", 200, jsonType, `{} x`, connectors.ProviderError, "more than one"},
		{"another type", 200, jsonType, `{"a":{"b":"text"}}`, connectors.ProviderError, "another shape: a.b is of type string"},
		{"another type at the top", 200, jsonType, `["` + secret + `"]`, connectors.ProviderError, "another shape: the whole is of type array"},
		{"number that does not fit", 200, jsonType, `{"a":{"b":1.5}}`, connectors.ProviderError, "is of type number"},
		{"invalid UTF-8", 200, jsonType, "{\"a\":\"\xff\"}", connectors.ProviderError, "not valid UTF-8"},
		{"too deep", 200, jsonType, strings.Repeat(`[`, 20000) + strings.Repeat(`]`, 20000), connectors.ProviderError, "not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out struct {
				A struct {
					B int `json:"b"`
				} `json:"a"`
			}
			_, err := newClient(t, answer(tt.status, tt.kind, tt.body)).Get(t.Context(), "/x", url.Values{"q": {secret}}, &out)
			e := wantError(t, err, tt.code, tt.words)
			if tt.status >= 300 && e.Details["status"] != tt.status {
				t.Errorf("details %v", e.Details)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := strings.Repeat(" ", 1<<20)
		for range 100 {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	})
	_, err := c.Get(t.Context(), "/x", nil, nil)
	wantError(t, err, connectors.ProviderError, "more than 32 MiB")
}

func TestJudge(t *testing.T) {
	c := newClient(t, answer(200, jsonType, `{"limit":true}`))
	c.Judge = func(a Answer) *connectors.Error {
		if a.Status == 200 && strings.Contains(string(a.Body), "limit") && a.Header.Get("Content-Type") == jsonType {
			return connectors.Errorf(connectors.RateLimited, "judged")
		}
		return nil
	}
	_, err := c.Get(t.Context(), "/x", nil, &struct{}{})
	wantError(t, err, connectors.RateLimited, "judged")
	c.Judge = func(Answer) *connectors.Error { return nil }
	if _, err := c.Get(t.Context(), "/x", nil, &struct{}{}); err != nil {
		t.Error(err)
	}
}

func TestWaits(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	tests := []struct {
		name, header, value string
		want                time.Duration
	}{
		{"seconds", "Retry-After", "7", 7 * time.Second},
		{"date", "Retry-After", "Sun, 22 Nov 2026 08:01:30 GMT", 90 * time.Second},
		{"date that has passed", "Retry-After", "Sun, 22 Nov 2026 07:00:00 GMT", time.Second},
		{"none", "Retry-After", "0", time.Second},
		{"for ever", "Retry-After", "999999999", maxWait},
		{"rubbish", "Retry-After", "-1 soon", 0},
		{"reset", "X-RateLimit-Reset", "2026-11-22T08:00:30Z", 30 * time.Second},
		{"reset without seconds", "X-RateLimit-Reset", "2026-11-22T09:00Z", time.Hour},
		{"reset with an offset", "X-RateLimit-Reset", "2026-11-22T10:00:30.000+0200", 30 * time.Second},
		{"reset since 1970", "X-RateLimit-Reset", fmt.Sprint(now.Add(time.Minute).Unix()), time.Minute},
		{"nothing", "X-Other", "7", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set(tt.header, tt.value)
				w.WriteHeader(http.StatusTooManyRequests)
			})
			c.Now = func() time.Time { return now }
			_, err := c.Get(t.Context(), "/x", nil, nil)
			if e := wantError(t, err, connectors.RateLimited, "no more requests"); e.RetryAfter != tt.want {
				t.Errorf("got %v, want %v", e.RetryAfter, tt.want)
			}
		})
	}
}

func TestRedirect(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example.com/login?q="+secret, http.StatusFound)
	})
	c.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	_, err := c.Get(t.Context(), "/x", nil, nil)
	wantError(t, err, connectors.ProviderError, "redirects to https://elsewhere.example.com instead of answering as Jira's API: check base_url")
}

func TestNetworkErrors(t *testing.T) {
	release := make(chan struct{})
	hang := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"a":`)
	}
	reset := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}
	t.Cleanup(func() { close(release) })
	short := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	always := func(t *testing.T) context.Context { return t.Context() }
	refused := func(c *Client) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c.Base = "http://" + l.Addr().String()
		_ = l.Close()
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		change  func(*Client)
		ctx     func(*testing.T) context.Context
		code    connectors.Code
		words   string
	}{
		{"hang", hang, func(*Client) {}, short, connectors.Timeout, "did not answer in time"},
		{"client's own timeout", hang, func(c *Client) { c.HTTP.Timeout = 20 * time.Millisecond }, always, connectors.Timeout, "did not answer in time"},
		{"cut off", cut, func(*Client) {}, always, connectors.ProviderError, "the answer was cut off"},
		{"reset", reset, func(*Client) {}, always, connectors.ProviderError, "the connection broke"},
		{"refused", hang, refused, always, connectors.ProviderError, "nothing listens at its address: check base_url"},
		{"unknown host", hang, failing(&net.DNSError{Err: "no such host", IsNotFound: true}), always, connectors.ProviderError, "host name is not known"},
		{"plain behind https", hang, func(c *Client) { c.Base = strings.Replace(c.Base, "http:", "https:", 1) }, always, connectors.ProviderError, "check base_url"},
		{"coded below", hang, failing(connectors.Errorf(connectors.InvalidRequest, "forbidden address")), always, connectors.InvalidRequest, "forbidden address"},
		{"coded below within", hang, failing(fmt.Errorf("dial: %w", connectors.Errorf(connectors.RateLimited, "pause"))), always, connectors.RateLimited, "pause"},
		{"slow below", hang, failing(os.ErrDeadlineExceeded), always, connectors.Timeout, "in time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, tt.handler)
			tt.change(c)
			_, err := c.Get(tt.ctx(t), "/x", url.Values{"q": {secret}}, nil)
			wantError(t, err, tt.code, tt.words)
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := newClient(t, hang).Get(ctx, "/x", url.Values{"q": {"1"}}, nil)
		if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "q=") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("untrusted", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(hang))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		defer s.Close()
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		c := &Client{HTTP: &http.Client{Transport: transport}, Base: s.URL, System: "Jira", AddressField: "base_url"}
		_, err := c.Get(t.Context(), "/x", nil, nil)
		wantError(t, err, connectors.ProviderError, "certificate is not trusted")
	})
}

// failing makes a client fail with that error.
func failing(err error) func(*Client) {
	return func(c *Client) {
		c.HTTP = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })}
	}
}

// TestRefusalWithBrokenBody keeps the status where the words are cut off.
func TestRefusalWithBrokenBody(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"messages":`)
	})
	_, err := c.Get(t.Context(), "/x", nil, nil)
	wantError(t, err, connectors.Reauthorize, "refused the credential")
}

// TestDeniedStaysDenied expects that a 403 is told from a refused credential, with its status.
func TestDeniedStaysDenied(t *testing.T) {
	for status, want := range map[int]bool{401: false, 403: true, 404: false} {
		_, err := newClient(t, answer(status, jsonType, `{}`)).Get(t.Context(), "/x", nil, nil)
		e := connectors.AsError(err)
		if got := connectors.IsDenied(err); got != want || e.Details["status"] != status {
			t.Errorf("%d: denied is %v, details %v", status, got, e.Details)
		}
	}
}

func TestFind(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) { answer(200, jsonType, `"`+r.RequestURI+`"`)(w, r) })
	base, asked := c.Base, 0
	c.Base = "http://elsewhere.invalid"
	c.Find = func(context.Context) (string, error) { asked++; return base + "/found", nil }
	var path string
	if _, err := c.Get(t.Context(), "/x", url.Values{"a": {"b"}}, &path); err != nil || path != "/base/found/x?a=b" {
		t.Errorf("Get: got %q, %v", path, err)
	}
	if _, err := c.Query(t.Context(), "/y", nil, &path); err != nil || path != "/base/found/y" || asked != 2 {
		t.Errorf("Query: got %q, %v, asked %d times", path, err, asked)
	}
	c.Find = func(context.Context) (string, error) {
		return "", connectors.Errorf(connectors.NotFound, "no such site")
	}
	_, err := c.Get(t.Context(), "/x", nil, &path)
	wantError(t, err, connectors.NotFound, "no such site")
	_, err = c.Query(t.Context(), "/x", nil, &path)
	wantError(t, err, connectors.NotFound, "no such site")
}

func TestWarnings(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	c := &Client{System: "Jira", Now: func() time.Time { return now }}
	at := func(d time.Duration) http.Header { return http.Header{"Date": {now.Add(d).Format(http.TimeFormat)}} }
	for _, tt := range []struct {
		name, address string
		header        http.Header
		want          string
	}{
		{"none", "https://acme.example.com", at(0), "[]"},
		{"no date", "https://acme.example.com", nil, "[]"},
		{"nearly", "https://acme.example.com", at(5 * time.Minute), "[]"},
		{"behind", "https://acme.example.com", at(time.Hour), "[{clock_skew this machine's clock and Jira's are 1h0m0s apart: set the clock}]"},
		{"ahead", "https://acme.example.com", at(-time.Hour), "[{clock_skew this machine's clock and Jira's are 1h0m0s apart: set the clock}]"},
		{"plain", "http://acme.example.com", at(0), "[{plaintext the credential travels unencrypted: use an address that begins with https://}]"},
	} {
		if got := fmt.Sprint(c.Warnings(tt.address, tt.header)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
