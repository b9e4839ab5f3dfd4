package oauth

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// hijack answers with raw bytes and closes the connection.
func hijack(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, raw)
	}
}

func answer(status int, header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if name, v, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, v)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestRefreshFailures(t *testing.T) {
	html := "<!DOCTYPE html><html><body>We are down</body></html>"
	for name, tt := range map[string]struct {
		provider *connectors.OAuthProvider
		handler  http.HandlerFunc
		kind     Failure
		code     connectors.Code
		message  string
	}{
		"dead at Atlassian": {atlassian(), answer(403, "", `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`), Refused, connectors.Reauthorize, "Atlassian refused the refresh token (HTTP 403 invalid_grant: Unknown or invalid refresh token.)"},
		"dead at Atlassian otherwise": {
			atlassian(), answer(403, "", `{"error":"unauthorized_client","error_description":"refresh_token is invalid"}`), Refused, connectors.Reauthorize, "refresh_token is invalid",
		},
		"dead at Salesforce":         {salesforce(), answer(400, "", `{"error":"invalid_grant","error_description":"expired access/refresh token"}`), Refused, connectors.Reauthorize, "expired access/refresh token"},
		"dead with status 200":       {atlassian(), answer(200, "", `{"error":"invalid_grant"}`), Refused, connectors.Reauthorize, "HTTP 200 invalid_grant"},
		"dead as a form":             {atlassian(), answer(400, "Content-Type: application/x-www-form-urlencoded", `error=invalid_grant`), Refused, connectors.Reauthorize, "invalid_grant"},
		"address refused":            {salesforce(), answer(400, "", `{"error":"invalid_grant","error_description":"ip restricted"}`), Misconfigured, connectors.ProviderError, "ip restricted"},
		"too many logins":            {salesforce(), answer(400, "", `{"error":"invalid_grant","error_description":"login rate exceeded"}`), Outage, connectors.RateLimited, "login rate exceeded"},
		"app may not refresh":        {atlassian(), answer(403, "", `{"error":"unauthorized_client","error_description":"Grant type refresh_token not allowed for the client."}`), Misconfigured, connectors.ProviderError, "ATLASSIAN_CLIENT_ID"},
		"wrong secret":               {salesforce(), answer(400, "", `{"error":"invalid_client","error_description":"invalid client credentials"}`), Misconfigured, connectors.ProviderError, "client secret of the OAuth app: check SALESFORCE_CLIENT_SECRET"},
		"wrong secret at Atlassian":  {atlassian(), answer(401, "", `{"error":"access_denied","error_description":"Unauthorized"}`), Misconfigured, connectors.ProviderError, "ATLASSIAN_CLIENT_SECRET"},
		"wrong secret without words": {atlassian(), answer(401, "", html), Misconfigured, connectors.ProviderError, "ATLASSIAN_CLIENT_SECRET"},
		"wrong client id":            {salesforce(), answer(400, "", `{"error":"invalid_client_id"}`), Misconfigured, connectors.ProviderError, "SALESFORCE_CLIENT_ID"},
		"no endpoint":                {atlassian(), answer(404, "", html), Misconfigured, connectors.ProviderError, "check ATLASSIAN_AUTH_URL"},
		"redirect":                   {atlassian(), answer(302, "Location: /elsewhere", ""), Misconfigured, connectors.ProviderError, "check ATLASSIAN_AUTH_URL"},
		"redirect that keeps method": {atlassian(), answer(307, "Location: /elsewhere", ""), Misconfigured, connectors.ProviderError, "check ATLASSIAN_AUTH_URL"},
		"busy":                       {atlassian(), answer(503, "Retry-After: 7", html), Outage, connectors.ProviderError, "try again later"},
		"too many":                   {atlassian(), answer(429, "Retry-After: 7", ""), Outage, connectors.RateLimited, "try again later"},
		"for a while":                {atlassian(), answer(400, "", `{"error":"temporarily_unavailable"}`), Outage, connectors.RateLimited, "temporarily_unavailable"},
		"server fault":               {atlassian(), answer(500, "", `{"error":"invalid_grant"}`), Ambiguous, connectors.ProviderError, "no sound answer (HTTP 500 invalid_grant)"},
		"gateway":                    {atlassian(), answer(502, "", html), Ambiguous, connectors.ProviderError, "HTTP 502"},
		"gateway timeout":            {atlassian(), answer(504, "", html), Ambiguous, connectors.ProviderError, "HTTP 504"},
		"unknown fault":              {salesforce(), answer(400, "", `{"error":"unknown_error","error_description":"retry your request"}`), Ambiguous, connectors.ProviderError, "retry your request"},
		"refused by nobody":          {atlassian(), answer(403, "", html), Ambiguous, connectors.ProviderError, "HTTP 403"},
		"HTML with 200":              {atlassian(), answer(200, "Content-Type: text/html", html), Ambiguous, connectors.ProviderError, "no sound answer (HTTP 200)"},
		"empty with 200":             {atlassian(), answer(200, "", ""), Ambiguous, connectors.ProviderError, "no sound answer"},
		"no token with 200":          {atlassian(), answer(200, "", `{"access_token":"","refresh_token":"r2"}`), Ambiguous, connectors.ProviderError, "no sound answer"},
		"a list with 200":            {atlassian(), answer(200, "", `[{"access_token":"a"}]`), Ambiguous, connectors.ProviderError, "no sound answer"},
		"more after the answer":      {atlassian(), answer(200, "", `{"access_token":"a"}{"access_token":"b"}`), Ambiguous, connectors.ProviderError, "no sound answer"},
		"huge":                       {atlassian(), answer(200, "", `{"access_token":"a","pad":"`+strings.Repeat("x", maxAnswer)+`"}`), Ambiguous, connectors.ProviderError, "no sound answer"},
		"huge after the answer":      {atlassian(), answer(200, "", `{"access_token":"a"}`+strings.Repeat(" ", maxAnswer)), Ambiguous, connectors.ProviderError, "no sound answer"},
		"huge refusal":               {atlassian(), answer(403, "", `{"error":"invalid_grant","pad":"`+strings.Repeat("x", maxAnswer)+`"}`), Ambiguous, connectors.ProviderError, "no sound answer"},
		"closed after the request":   {atlassian(), hijack(""), Ambiguous, connectors.ProviderError, "the connection broke"},
		"cut off in the headers":     {atlassian(), hijack("HTTP/1.1 200 OK\r\nContent-Le"), Ambiguous, connectors.ProviderError, "the connection broke"},
		"cut off in the body":        {atlassian(), hijack("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access_token\":\"a\"}"), Ambiguous, connectors.ProviderError, "no sound answer"},
		"not HTTP":                   {atlassian(), hijack("SSH-2.0-OpenSSH\r\n"), Ambiguous, connectors.ProviderError, "the connection broke"},
		"secrets echoed": {
			atlassian(), answer(400, "", `{"error":"`+canarySecret+`","error_description":"token `+canaryRefresh+` of client-1"}`), Ambiguous, connectors.ProviderError, "no sound answer (HTTP 400):",
		},
		"what looks like a token echoed": {
			atlassian(), answer(403, "", `{"error":"invalid_grant","error_description":"eyJraWQiOiJhYmMiLCJhbGciOiJSUzI1NiJ9.e30.sig is spent"}`), Refused, connectors.Reauthorize, "refused the refresh token (HTTP 403 invalid_grant)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			c := newTestClient(t, tt.provider, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				tt.handler(w, r)
			})
			_, err := c.Refresh(t.Context(), connectors.NewSecret(canaryRefresh))
			checkFailure(t, err, tt.kind, tt.code, tt.message)
			if calls.Load() != 1 {
				t.Errorf("%d calls, want 1", calls.Load())
			}
			if strings.HasPrefix(name, "busy") || strings.HasPrefix(name, "too many") && tt.provider.ID == "atlassian" {
				if got := connectors.AsError(err).RetryAfter; got != 7*time.Second {
					t.Errorf("got RetryAfter %s, want 7s", got)
				}
			}
		})
	}
}

func checkFailure(t *testing.T, err error, kind Failure, code connectors.Code, message string) {
	t.Helper()
	if FailureOf(err) != kind || connectors.CodeOf(err) != code || !strings.Contains(fmt.Sprint(err), message) {
		t.Errorf("got %q %q %v, want %q %q %q", FailureOf(err), connectors.CodeOf(err), err, kind, code, message)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "error", err)
	for _, canary := range []string{canaryCode, canaryVerifier, canaryRefresh, canarySecret, "eyJraWQ"} {
		if strings.Contains(err.Error(), canary) || strings.Contains(log.String(), canary) {
			t.Errorf("the error shows %q: %v, logged as %s", canary, err, log.String())
		}
	}
}

// An answer without end is not read without end.
func TestEndlessAnswer(t *testing.T) {
	var written atomic.Int64
	done := make(chan struct{})
	c := newTestClient(t, atlassian(), func(w http.ResponseWriter, _ *http.Request) {
		defer close(done)
		chunk := bytes.Repeat([]byte{' '}, 1<<16)
		for written.Load() < 256<<20 {
			n, err := w.Write(chunk)
			if written.Add(int64(n)); err != nil {
				return
			}
		}
	})
	_, err := c.Refresh(t.Context(), connectors.NewSecret(canaryRefresh))
	checkFailure(t, err, Ambiguous, connectors.ProviderError, "no sound answer")
	if <-done; written.Load() >= 256<<20 {
		t.Error("all of it was read")
	}
}

// The line between what was surely not sent and what may have been.
func TestSentOrNot(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	base := func() *Client {
		return &Client{App: App{Provider: atlassian(), ClientSecret: connectors.NewSecret(canarySecret), AuthURL: closed.URL}, HTTP: &http.Client{Transport: &http.Transport{}}}
	}
	ask := func(ctx context.Context, c *Client) error {
		defer c.HTTP.CloseIdleConnections()
		_, err := c.Refresh(ctx, connectors.NewSecret(canaryRefresh))
		return err
	}
	t.Run("refused connection", func(t *testing.T) {
		checkFailure(t, ask(t.Context(), base()), Outage, connectors.ProviderError, "could not be asked")
	})
	t.Run("guard", func(t *testing.T) {
		c := base()
		c.HTTP.Transport = tripper(func(r *http.Request) (*http.Response, error) {
			r.Body.Close()
			return nil, connectors.InvalidFields(connectors.Fault{Field: "ATLASSIAN_AUTH_URL", Message: "leads to a private address"})
		})
		checkFailure(t, ask(t.Context(), c), Outage, connectors.ProviderError, "ATLASSIAN_AUTH_URL: leads to a private address")
	})
	t.Run("limited before it is sent", func(t *testing.T) {
		c := base()
		c.HTTP.Transport = tripper(func(r *http.Request) (*http.Response, error) {
			r.Body.Close()
			return nil, &connectors.Error{Code: connectors.RateLimited, Message: "later", RetryAfter: 9 * time.Second}
		})
		err := ask(t.Context(), c)
		checkFailure(t, err, Outage, connectors.RateLimited, "later")
		if got := connectors.AsError(err).RetryAfter; got != 9*time.Second {
			t.Errorf("got RetryAfter %s, want 9s", got)
		}
	})
	t.Run("time out before a connection", func(t *testing.T) {
		c := base()
		c.HTTP.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		checkFailure(t, ask(ctx, c), Outage, connectors.Timeout, "did not answer in time")
	})
	t.Run("TLS that fails", func(t *testing.T) {
		srv := httptest.NewUnstartedServer(http.NotFoundHandler())
		srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
		srv.StartTLS()
		defer srv.Close()
		c := base()
		c.App.AuthURL = srv.URL
		checkFailure(t, ask(t.Context(), c), Outage, connectors.ProviderError, "could not be asked")
	})
	t.Run("time out after the request", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		hung := make(chan struct{})
		c := newTestClient(t, atlassian(), func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cancel()
			<-hung
		})
		err := ask(ctx, c)
		close(hung)
		checkFailure(t, err, Ambiguous, connectors.Unavailable, "was not waited for")
	})
	t.Run("a request that is written in part", func(t *testing.T) {
		client, server := net.Pipe()
		go func() {
			_, _ = bufio.NewReaderSize(server, 16).Peek(16)
			server.Close()
		}()
		c := base()
		c.HTTP.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
		checkFailure(t, ask(t.Context(), c), Ambiguous, connectors.ProviderError, "the connection broke")
	})
	t.Run("an idle connection that died, then nobody there", func(t *testing.T) {
		// net/http sends anew what the dead connection took nothing of; the second connection is refused.
		srv := httptest.NewServer(answer(200, "", `{"access_token":"a"}`))
		c := base()
		c.App.AuthURL = srv.URL
		var dead atomic.Bool
		c.HTTP.Transport = &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &dying{conn, &dead}, err
		}}
		if _, err := c.Refresh(t.Context(), connectors.NewSecret(canaryRefresh)); err != nil {
			t.Fatal(err)
		}
		dead.Store(true)
		srv.Listener.Close()
		defer srv.Close()
		checkFailure(t, ask(t.Context(), c), Outage, connectors.ProviderError, "could not be asked")
	})
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// dying is a connection that takes nothing any more once it is dead.
type dying struct {
	net.Conn
	dead *atomic.Bool
}

func (d *dying) Write(b []byte) (int, error) {
	if d.dead.Load() {
		return 0, errors.New("broken pipe")
	}
	return d.Conn.Write(b)
}

func TestExchangeFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		kind    Failure
		code    connectors.Code
		message string
	}{
		"used code":      {answer(403, "", `{"error":"invalid_grant","error_description":"Invalid authorization code"}`), Refused, connectors.Reauthorize, "refused the code of this consent"},
		"wrong verifier": {answer(400, "", `{"error":"invalid_request","error_description":"`+canaryVerifier+`"}`), Misconfigured, connectors.ProviderError, "(HTTP 400 invalid_request)"},
		"code echoed":    {answer(400, "", `{"error":"invalid_grant","error_description":"no `+canaryCode+`"}`), Refused, connectors.Reauthorize, "(HTTP 400 invalid_grant)"},
		"wrong secret":   {answer(400, "", `{"error":"invalid_client"}`), Misconfigured, connectors.ProviderError, "SALESFORCE_CLIENT_SECRET"},
		"lost":           {hijack(""), Ambiguous, connectors.ProviderError, "did not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestClient(t, salesforce(), tt.handler)
			_, err := c.Exchange(t.Context(), canaryCode, canaryVerifier, "http://127.0.0.1:1/cb")
			checkFailure(t, err, tt.kind, tt.code, tt.message)
		})
	}
}

func TestRevoke(t *testing.T) {
	for name, tt := range map[string]struct {
		provider *connectors.OAuthProvider
		handler  http.HandlerFunc
		want     connectors.Code
	}{
		"gone":          {salesforce(), answer(200, "", ""), ""},
		"gone before":   {salesforce(), answer(400, "", `{"error":"invalid_token"}`), ""},
		"wrong secret":  {salesforce(), answer(401, "", `{"error":"invalid_client"}`), connectors.ProviderError},
		"server fault":  {salesforce(), answer(500, "", ""), connectors.ProviderError},
		"redirect":      {salesforce(), answer(302, "Location: /login", ""), connectors.ProviderError},
		"another kind":  {salesforce(), answer(400, "", `{"error":"unsupported_token_type"}`), connectors.ProviderError},
		"no such call":  {atlassian(), answer(200, "", ""), connectors.Unsupported},
		"never answers": {salesforce(), hijack(""), connectors.ProviderError},
	} {
		t.Run(name, func(t *testing.T) {
			err := newTestClient(t, tt.provider, tt.handler).Revoke(t.Context(), connectors.NewSecret(canaryRefresh))
			if got := connectors.CodeOf(err); got != tt.want {
				t.Errorf("got %q %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestIntrospect(t *testing.T) {
	at := time.Unix(1_795_000_000, 0)
	for name, tt := range map[string]struct {
		provider *connectors.OAuthProvider
		handler  http.HandlerFunc
		want     time.Time
		code     connectors.Code
	}{
		"tells":         {salesforce(), answer(200, "", `{"active":true,"exp":1795000000}`), at, ""},
		"tells as text": {salesforce(), answer(200, "", `{"active":true,"exp":"1795000000"}`), at, ""},
		"does not tell": {salesforce(), answer(200, "", `{"active":true}`), time.Time{}, ""},
		"not active":    {salesforce(), answer(200, "", `{"active":false,"exp":1795000000}`), time.Time{}, connectors.ProviderError},
		"HTML":          {salesforce(), answer(200, "", `<html>`), time.Time{}, connectors.ProviderError},
		"fails":         {salesforce(), answer(500, "", `{"active":true}`), time.Time{}, connectors.ProviderError},
		"no such call":  {atlassian(), answer(200, "", ""), time.Time{}, connectors.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newTestClient(t, tt.provider, tt.handler).Introspect(t.Context(), connectors.NewSecret(canaryRefresh))
			if connectors.CodeOf(err) != tt.code || !got.Equal(tt.want) {
				t.Errorf("got %s %v, want %s %q", got, err, tt.want, tt.code)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"": 0, "12": 12 * time.Second, "-3": 0, "x": 0, "99999999999": 0, "Mon, 23 Nov 2026 08:01:00 GMT": time.Minute,
		"Mon, 23 Nov 2026 07:00:00 GMT": 0,
	} {
		if got := retryAfter(in, testNow); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestFailureOf(t *testing.T) {
	for _, err := range []error{nil, errors.New("x"), connectors.Errorf(connectors.Reauthorize, "x")} {
		if got := FailureOf(err); got != "" {
			t.Errorf("%v: got %q", err, got)
		}
	}
	if got := FailureOf(connectors.Wrap(connectors.InvalidRequest, fail(Refused, nil, "x"), "y")); got != Refused {
		t.Errorf("wrapped: got %q", got)
	}
}
