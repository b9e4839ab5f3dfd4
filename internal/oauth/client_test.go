package oauth

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
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
		ID: "atlassian", Name: "Atlassian", Setting: "ATLASSIAN_AUTH_URL", AuthorizePath: "/authorize", TokenPath: "/oauth/token", JSON: true,
		Params:       map[string]string{"audience": "api.atlassian.com", "prompt": "consent"},
		RefreshScope: "offline_access", Dead: connectors.OAuthErrors{"invalid_grant", "unauthorized_client:refresh_token is invalid"},
		ReuseWindow: 10 * time.Minute, IdleLimit: 90 * 24 * time.Hour,
	}
}

func salesforce() *connectors.OAuthProvider {
	return &connectors.OAuthProvider{
		ID: "salesforce", Name: "Salesforce", Setting: "SALESFORCE_LOGIN_URL", AuthorizePath: "/services/oauth2/authorize", TokenPath: "/services/oauth2/token",
		RevokePath: "/services/oauth2/revoke", IntrospectPath: "/services/oauth2/introspect", PKCE: true,
		RefreshScope: "refresh_token", Dead: connectors.OAuthErrors{"invalid_grant"}, APIField: "instance_url",
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
		})
	}
}

func TestAuthorizeURLLeavesScopes(t *testing.T) {
	all := []string{"a", "b"}
	(&Client{App: App{Provider: atlassian()}}).AuthorizeURL(Consent{Scopes: all[:1]})
	if all[1] != "b" {
		t.Errorf("the caller's scopes became %v", all)
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
