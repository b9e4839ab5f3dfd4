package oauth

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Values that no message may show.
const (
	canaryCode     = "code-canary"
	canaryVerifier = "verifier-canary"
	canaryRefresh  = "refresh-canary"
	canarySecret   = "secret-canary"
)

func atlassian() *connectors.OAuthProvider {
	return &connectors.OAuthProvider{
		ID: "atlassian", Name: "Atlassian", AuthorizePath: "/authorize", TokenPath: "/oauth/token", JSON: true,
		Params:       map[string]string{"audience": "api.atlassian.com", "prompt": "consent"},
		RefreshScope: "offline_access", Dead: []string{"invalid_grant", "unauthorized_client"},
		ReuseWindow: 10 * time.Minute, IdleLimit: 90 * 24 * time.Hour,
	}
}

func salesforce() *connectors.OAuthProvider {
	return &connectors.OAuthProvider{
		ID: "salesforce", Name: "Salesforce", AuthorizePath: "/services/oauth2/authorize", TokenPath: "/services/oauth2/token",
		RevokePath: "/services/oauth2/revoke", IntrospectPath: "/services/oauth2/introspect", PKCE: true,
		RefreshScope: "refresh_token", Dead: []string{"invalid_grant"}, APIField: "instance_url",
	}
}

var testNow = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func newTestClient(t *testing.T, p *connectors.OAuthProvider, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	hc := srv.Client()
	t.Cleanup(hc.CloseIdleConnections)
	return &Client{
		App:  App{Provider: p, ClientID: "client-1", ClientSecret: connectors.NewSecret(canarySecret), AuthURL: srv.URL},
		HTTP: hc, Now: func() time.Time { return testNow },
	}
}

func TestAuthorizeURL(t *testing.T) {
	for name, tt := range map[string]struct {
		provider *connectors.OAuthProvider
		scopes   []string
		path     string
		want     map[string]string
	}{
		"atlassian has no PKCE": {atlassian(), []string{"read:jira-work"}, "/authorize", map[string]string{
			"audience": "api.atlassian.com", "prompt": "consent", "scope": "read:jira-work offline_access",
		}},
		"refresh scope asked for once": {atlassian(), []string{"offline_access", "read:me"}, "/authorize", map[string]string{
			"audience": "api.atlassian.com", "prompt": "consent", "scope": "offline_access read:me",
		}},
		"salesforce has PKCE": {salesforce(), []string{"api"}, "/services/oauth2/authorize", map[string]string{
			"scope": "api refresh_token", "code_challenge": "chall", "code_challenge_method": "S256",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Client{App: App{Provider: tt.provider, ClientID: "client-1", AuthURL: "https://auth.example.com/base"}}
			given := slices.Clone(tt.scopes)
			u, err := url.Parse(c.AuthorizeURL(Consent{State: "st", RedirectURI: "http://127.0.0.1:8976/callback", Scopes: tt.scopes, Challenge: "chall"}))
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(tt.want, map[string]string{"response_type": "code", "client_id": "client-1", "state": "st", "redirect_uri": "http://127.0.0.1:8976/callback"})
			got := map[string]string{}
			for k, v := range u.Query() {
				got[k] = strings.Join(v, "|")
			}
			if !maps.Equal(got, tt.want) || u.Host != "auth.example.com" || u.Path != "/base"+tt.path {
				t.Errorf("got %s, want path %s and %v", u, tt.path, tt.want)
			}
			if !slices.Equal(given, tt.scopes) {
				t.Errorf("the caller's scopes became %v", tt.scopes)
			}
		})
	}
}

// seenRequest is a request as the server read it.
type seenRequest struct {
	method, path, kind string
	params             map[string]string
}

func readRequest(t *testing.T, r *http.Request) seenRequest {
	t.Helper()
	s := seenRequest{method: r.Method, path: r.URL.RequestURI(), kind: r.Header.Get("Content-Type"), params: map[string]string{}}
	if s.kind == "application/json" {
		if err := json.NewDecoder(r.Body).Decode(&s.params); err != nil {
			t.Error(err)
		}
		return s
	}
	if err := r.ParseForm(); err != nil {
		t.Error(err)
	}
	for k, v := range r.PostForm {
		s.params[k] = strings.Join(v, "|")
	}
	return s
}

func TestRequests(t *testing.T) {
	app := map[string]string{"client_id": "client-1", "client_secret": canarySecret}
	exchange := func(c *Client) error {
		_, err := c.Exchange(t.Context(), "a code/+&=", "veri", "http://127.0.0.1:1/cb?x=y")
		return err
	}
	refresh := func(c *Client) error {
		_, err := c.Refresh(t.Context(), connectors.NewSecret("r+/=&"))
		return err
	}
	for name, tt := range map[string]struct {
		provider   *connectors.OAuthProvider
		do         func(*Client) error
		path, kind string
		want       map[string]string
	}{
		"exchange JSON": {atlassian(), exchange, "/oauth/token", "application/json", map[string]string{
			"grant_type": "authorization_code", "code": "a code/+&=", "redirect_uri": "http://127.0.0.1:1/cb?x=y",
		}},
		"exchange form": {salesforce(), exchange, "/services/oauth2/token", "application/x-www-form-urlencoded", map[string]string{
			"grant_type": "authorization_code", "code": "a code/+&=", "redirect_uri": "http://127.0.0.1:1/cb?x=y", "code_verifier": "veri",
		}},
		"refresh JSON": {atlassian(), refresh, "/oauth/token", "application/json", map[string]string{"grant_type": "refresh_token", "refresh_token": "r+/=&"}},
		"refresh form": {salesforce(), refresh, "/services/oauth2/token", "application/x-www-form-urlencoded", map[string]string{
			"grant_type": "refresh_token", "refresh_token": "r+/=&",
		}},
		"revoke": {salesforce(), func(c *Client) error { return c.Revoke(t.Context(), connectors.NewSecret("tok")) }, "/services/oauth2/revoke", "application/x-www-form-urlencoded", map[string]string{
			"token": "tok",
		}},
		"introspect": {salesforce(), func(c *Client) error {
			_, err := c.Introspect(t.Context(), connectors.NewSecret("tok"))
			return err
		}, "/services/oauth2/introspect", "application/x-www-form-urlencoded", map[string]string{"token": "tok", "token_type_hint": "access_token"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got seenRequest
			c := newTestClient(t, tt.provider, func(w http.ResponseWriter, r *http.Request) {
				got = readRequest(t, r)
				fmt.Fprint(w, `{"access_token":"a","active":true}`)
			})
			if err := tt.do(c); err != nil {
				t.Fatal(err)
			}
			maps.Copy(tt.want, app)
			if got.method != "POST" || got.path != tt.path || got.kind != tt.kind || !maps.Equal(got.params, tt.want) {
				t.Errorf("got %+v, want %s %s %v", got, tt.path, tt.kind, tt.want)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	full := Answer{
		Access: connectors.NewSecret("acc"), Refresh: connectors.NewSecret("ref"), ExpiresAt: testNow.Add(time.Hour),
		Scopes: []string{"a", "b"}, API: "https://my.example.com",
	}
	for name, tt := range map[string]struct {
		kind, body string
		want       Answer
	}{
		"all": {"", `{"access_token":"acc","refresh_token":"ref","expires_in":3600,"scope":"a b","instance_url":"https://my.example.com/","token_type":"Bearer"}`, full},
		"text and fractions": {
			"", `{"access_token":"acc","refresh_token":"ref","expires_in":"3600.0","scope":["a","b"],"instance_url":"https://my.example.com"}`, full,
		},
		"form":                       {"application/x-www-form-urlencoded; charset=utf-8", "access_token=acc&refresh_token=ref&expires_in=3600&scope=a+b&instance_url=https%3A%2F%2Fmy.example.com", full},
		"silent":                     {"", `{"access_token":"acc"}`, Answer{Access: full.Access}},
		"nonsense beside the tokens": {"", `{"access_token":"acc","refresh_token":"ref","expires_in":{},"scope":7,"instance_url":"javascript:x"}`, Answer{Access: full.Access, Refresh: full.Refresh}},
		"a life of none":             {"", `{"access_token":"acc","expires_in":0}`, Answer{Access: full.Access}},
		"a life beyond numbers":      {"", `{"access_token":"acc","expires_in":1e300}`, Answer{Access: full.Access}},
		"credentials in the address": {"", `{"access_token":"acc","instance_url":"https://u:p@my.example.com"}`, Answer{Access: full.Access}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestClient(t, salesforce(), func(w http.ResponseWriter, _ *http.Request) {
				if tt.kind != "" {
					w.Header().Set("Content-Type", tt.kind)
				}
				fmt.Fprint(w, tt.body)
			})
			got, err := c.Refresh(t.Context(), connectors.NewSecret(canaryRefresh))
			if err != nil {
				t.Fatal(err)
			}
			if got.Access.Reveal() != tt.want.Access.Reveal() || got.Refresh.Reveal() != tt.want.Refresh.Reveal() ||
				!got.ExpiresAt.Equal(tt.want.ExpiresAt) || !slices.Equal(got.Scopes, tt.want.Scopes) || got.API != tt.want.API {
				t.Errorf("got %q %q %s %v %q", got.Access.Reveal(), got.Refresh.Reveal(), got.ExpiresAt, got.Scopes, got.API)
			}
		})
	}
}

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
		"address refused":            {salesforce(), answer(400, "", `{"error":"invalid_grant","error_description":"ip restricted"}`), Misconfigured, connectors.Unavailable, "ip restricted"},
		"too many logins":            {salesforce(), answer(400, "", `{"error":"invalid_grant","error_description":"login rate exceeded"}`), Outage, connectors.RateLimited, "login rate exceeded"},
		"app may not refresh":        {atlassian(), answer(403, "", `{"error":"unauthorized_client","error_description":"Grant type refresh_token not allowed for the client."}`), Misconfigured, connectors.Unavailable, "ATLASSIAN_CLIENT_ID"},
		"wrong secret":               {salesforce(), answer(400, "", `{"error":"invalid_client","error_description":"invalid client credentials"}`), Misconfigured, connectors.Unavailable, "client secret of the OAuth app: check SALESFORCE_CLIENT_SECRET"},
		"wrong secret at Atlassian":  {atlassian(), answer(401, "", `{"error":"access_denied","error_description":"Unauthorized"}`), Misconfigured, connectors.Unavailable, "ATLASSIAN_CLIENT_SECRET"},
		"wrong secret without words": {atlassian(), answer(401, "", html), Misconfigured, connectors.Unavailable, "ATLASSIAN_CLIENT_SECRET"},
		"wrong client id":            {salesforce(), answer(400, "", `{"error":"invalid_client_id"}`), Misconfigured, connectors.Unavailable, "SALESFORCE_CLIENT_ID"},
		"no endpoint":                {atlassian(), answer(404, "", html), Misconfigured, connectors.Unavailable, "check ATLASSIAN_AUTH_URL"},
		"redirect":                   {atlassian(), answer(302, "Location: /elsewhere", ""), Misconfigured, connectors.Unavailable, "check ATLASSIAN_AUTH_URL"},
		"redirect that keeps method": {atlassian(), answer(307, "Location: /elsewhere", ""), Misconfigured, connectors.Unavailable, "check ATLASSIAN_AUTH_URL"},
		"busy":                       {atlassian(), answer(503, "Retry-After: 7", html), Outage, connectors.Unavailable, "try again later"},
		"too many":                   {atlassian(), answer(429, "Retry-After: 7", ""), Outage, connectors.RateLimited, "try again later"},
		"for a while":                {atlassian(), answer(400, "", `{"error":"temporarily_unavailable"}`), Outage, connectors.RateLimited, "temporarily_unavailable"},
		"server fault":               {atlassian(), answer(500, "", `{"error":"invalid_grant"}`), Ambiguous, connectors.Unavailable, "no sound answer (HTTP 500 invalid_grant)"},
		"gateway":                    {atlassian(), answer(502, "", html), Ambiguous, connectors.Unavailable, "HTTP 502"},
		"gateway timeout":            {atlassian(), answer(504, "", html), Ambiguous, connectors.Unavailable, "HTTP 504"},
		"unknown fault":              {salesforce(), answer(400, "", `{"error":"unknown_error","error_description":"retry your request"}`), Ambiguous, connectors.Unavailable, "retry your request"},
		"refused by nobody":          {atlassian(), answer(403, "", html), Ambiguous, connectors.Unavailable, "HTTP 403"},
		"HTML with 200":              {atlassian(), answer(200, "Content-Type: text/html", html), Ambiguous, connectors.Unavailable, "no sound answer (HTTP 200)"},
		"empty with 200":             {atlassian(), answer(200, "", ""), Ambiguous, connectors.Unavailable, "no sound answer"},
		"no token with 200":          {atlassian(), answer(200, "", `{"access_token":"","refresh_token":"r2"}`), Ambiguous, connectors.Unavailable, "no sound answer"},
		"a list with 200":            {atlassian(), answer(200, "", `[{"access_token":"a"}]`), Ambiguous, connectors.Unavailable, "no sound answer"},
		"more after the answer":      {atlassian(), answer(200, "", `{"access_token":"a"}{"access_token":"b"}`), Ambiguous, connectors.Unavailable, "no sound answer"},
		"huge":                       {atlassian(), answer(200, "", `{"access_token":"a","pad":"`+strings.Repeat("x", maxAnswer)+`"}`), Ambiguous, connectors.Unavailable, "no sound answer"},
		"huge refusal":               {atlassian(), answer(403, "", `{"error":"invalid_grant","pad":"`+strings.Repeat("x", maxAnswer)+`"}`), Ambiguous, connectors.Unavailable, "no sound answer"},
		"closed after the request":   {atlassian(), hijack(""), Ambiguous, connectors.Unavailable, "the connection broke"},
		"cut off in the headers":     {atlassian(), hijack("HTTP/1.1 200 OK\r\nContent-Le"), Ambiguous, connectors.Unavailable, "the connection broke"},
		"cut off in the body":        {atlassian(), hijack("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access_token\":\"a\"}"), Ambiguous, connectors.Unavailable, "no sound answer"},
		"not HTTP":                   {atlassian(), hijack("SSH-2.0-OpenSSH\r\n"), Ambiguous, connectors.Unavailable, "the connection broke"},
		"secrets echoed": {
			atlassian(), answer(400, "", `{"error":"`+canarySecret+`","error_description":"token `+canaryRefresh+` of client-1"}`), Ambiguous, connectors.Unavailable, "no sound answer (HTTP 400):",
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
		checkFailure(t, ask(t.Context(), base()), Outage, connectors.Unavailable, "could not be asked")
	})
	t.Run("guard", func(t *testing.T) {
		c := base()
		c.HTTP.Transport = tripper(func(*http.Request) (*http.Response, error) {
			return nil, connectors.InvalidFields(connectors.Fault{Field: "ATLASSIAN_AUTH_URL", Message: "leads to a private address"})
		})
		checkFailure(t, ask(t.Context(), c), Outage, connectors.Unavailable, "ATLASSIAN_AUTH_URL: leads to a private address")
	})
	t.Run("limited before it is sent", func(t *testing.T) {
		c := base()
		c.HTTP.Transport = tripper(func(*http.Request) (*http.Response, error) {
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
		checkFailure(t, ask(ctx, c), Outage, connectors.Unavailable, "did not answer in time")
	})
	t.Run("TLS that fails", func(t *testing.T) {
		srv := httptest.NewUnstartedServer(http.NotFoundHandler())
		srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
		srv.StartTLS()
		defer srv.Close()
		c := base()
		c.App.AuthURL = srv.URL
		checkFailure(t, ask(t.Context(), c), Outage, connectors.Unavailable, "could not be asked")
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
		checkFailure(t, ask(t.Context(), c), Ambiguous, connectors.Unavailable, "the connection broke")
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
		checkFailure(t, ask(t.Context(), c), Outage, connectors.Unavailable, "could not be asked")
	})
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Body.Close()
	return f(r)
}

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
		"wrong verifier": {answer(400, "", `{"error":"invalid_request","error_description":"`+canaryVerifier+`"}`), Misconfigured, connectors.Unavailable, "(HTTP 400 invalid_request)"},
		"code echoed":    {answer(400, "", `{"error":"invalid_grant","error_description":"no `+canaryCode+`"}`), Refused, connectors.Reauthorize, "(HTTP 400 invalid_grant)"},
		"wrong secret":   {answer(400, "", `{"error":"invalid_client"}`), Misconfigured, connectors.Unavailable, "SALESFORCE_CLIENT_SECRET"},
		"lost":           {hijack(""), Ambiguous, connectors.Unavailable, "did not answer"},
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
		"wrong secret":  {salesforce(), answer(401, "", `{"error":"invalid_client"}`), connectors.Unavailable},
		"server fault":  {salesforce(), answer(500, "", ""), connectors.Unavailable},
		"redirect":      {salesforce(), answer(302, "Location: /login", ""), connectors.Unavailable},
		"another kind":  {salesforce(), answer(400, "", `{"error":"unsupported_token_type"}`), connectors.Unavailable},
		"no such call":  {atlassian(), answer(200, "", ""), connectors.Unsupported},
		"never answers": {salesforce(), hijack(""), connectors.Unavailable},
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
		"HTML":          {salesforce(), answer(200, "", `<html>`), time.Time{}, connectors.Unavailable},
		"fails":         {salesforce(), answer(500, "", `{"active":true}`), time.Time{}, connectors.Unavailable},
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
