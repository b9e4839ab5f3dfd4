package atlassian

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian/atlassiantest"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// bearer adds a token, as the layers below a connector do.
type bearer struct{ next http.RoundTripper }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+atlassiantest.Token)
	return b.next.RoundTrip(r)
}

// serve serves an API below /api and returns its address and a client that signs.
func serve(t *testing.T, h http.Handler) (string, *http.Client) {
	t.Helper()
	s := httptest.NewServer(http.StripPrefix("/api", h))
	t.Cleanup(s.Close)
	c := s.Client()
	c.Transport = bearer{c.Transport}
	return s.URL + "/api", c
}

func say(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	})
}

func discover(t *testing.T, p Product, h http.Handler) (connectors.Discovery, error) {
	t.Helper()
	api, client := serve(t, h)
	return p.OAuth("a:scope").Discover(t.Context(), connectors.Grant{HTTP: client, API: api})
}

const self = `{"accountId":"5b10","displayName":"Ann Lee"}`

func TestDiscover(t *testing.T) {
	two := []connectors.Site{
		{ID: atlassiantest.CloudID, URL: atlassiantest.SiteURL, Name: "acme"},
		{ID: atlassiantest.OtherCloudID, URL: atlassiantest.OtherURL, Name: "globex"},
	}
	site := func(scopes string) string {
		return `[{"id":"` + atlassiantest.CloudID + `","url":"https://acme.atlassian.net/wiki/","name":"","scopes":` + scopes + `}]`
	}
	one := func(p Product) []connectors.Site {
		address := map[string]string{"jira": "https://acme.atlassian.net/wiki", "confluence": "https://acme.atlassian.net"}[p.ID]
		return []connectors.Site{{ID: atlassiantest.CloudID, URL: address, Name: address}}
	}
	for name, tt := range map[string]struct {
		resources        string
		jira, confluence bool // whether the site is one of the product's
	}{
		"classic Jira":           {site(`["read:me","read:jira-work"]`), true, false},
		"users of Jira":          {site(`["read:jira-user"]`), true, false},
		"administration of Jira": {site(`["manage:jira-webhook"]`), true, false},
		"granular Jira":          {site(`["read:comment.property:jira"]`), true, false},
		"Jira Software":          {site(`["read:sprint:jira-software"]`), true, false},
		"service desk":           {site(`["read:servicedesk-request"]`), true, false},
		"classic Confluence":     {site(`["search:confluence"]`), false, true},
		"users of Confluence":    {site(`["read:confluence-user"]`), false, true},
		"granular Confluence":    {site(`["read:page:confluence"]`), false, true},
		"both in one":            {site(`["read:page:confluence","read:jira-work"]`), true, true},
		"neither":                {site(`["read:me","read:incident:compass","read:jiraffe"]`), false, false},
		"no scopes":              {site(`[]`), true, true},
		"no list of scopes":      {site(`null`), true, true},
		"no site":                {`[]`, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for p, has := range map[*Product]bool{&Jira: tt.jira, &Confluence: tt.confluence} {
				got, err := discover(t, *p, &atlassiantest.Gateway{Product: p.ID, Site: say(self), Resources: tt.resources})
				var want []connectors.Site
				if has {
					want = one(*p)
				}
				if err != nil || !slices.Equal(got.Sites, want) || got.Account.ID != "5b10" {
					t.Errorf("%s: got %+v and error %v, want %+v", p.ID, got, err, want)
				}
			}
		})
	}
	for _, p := range []Product{Jira, Confluence} {
		got, err := discover(t, p, &atlassiantest.Gateway{Product: p.ID, Site: say(self)})
		if err != nil || !slices.Equal(got.Sites, two) {
			t.Errorf("%s: got %+v and error %v, want each site once: %+v", p.ID, got, err, two)
		}
		bound := p.OAuth().Bind("https://api.example.com", two[0])
		if len(bound) != 2 || bound["base_url"] != atlassiantest.SiteURL || bound["cloud_id"] != atlassiantest.CloudID {
			t.Errorf("%s: bound to %v", p.ID, bound)
		}
	}
}

func TestAccount(t *testing.T) {
	refused := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(atlassiantest.ScopeMismatch))
	})
	for name, tt := range map[string]struct {
		gateway *atlassiantest.Gateway
		want    string // "" for an error
		code    connectors.Code
	}{
		"profile":                        {&atlassiantest.Gateway{}, "{5b10 Ann Lee}", ""},
		"profile without name":           {&atlassiantest.Gateway{Me: `{"account_id":"7","nickname":"ann"}`}, "{7 ann}", ""},
		"profile without names":          {&atlassiantest.Gateway{Me: `{"account_id":"7"}`}, "{7 7}", ""},
		"profile without id":             {&atlassiantest.Gateway{Me: `{"name":"Ann"}`}, "", connectors.ProviderError},
		"no profile":                     {&atlassiantest.Gateway{NoProfile: true, Site: say(self)}, "{5b10 Ann Lee}", ""},
		"no profile, public name":        {&atlassiantest.Gateway{NoProfile: true, Site: say(`{"accountId":"7","publicName":"ann"}`)}, "{7 ann}", ""},
		"no profile, nobody":             {&atlassiantest.Gateway{NoProfile: true, Site: say(`{}`)}, "", connectors.ProviderError},
		"no profile, nor who is there":   {&atlassiantest.Gateway{NoProfile: true, Site: refused}, "", connectors.Reauthorize},
		"no profile and no site":         {&atlassiantest.Gateway{NoProfile: true, Resources: `[]`}, "", connectors.Reauthorize},
		"a site without an id":           {&atlassiantest.Gateway{Resources: `[{"url":"https://a"}]`}, "", connectors.ProviderError},
		"a site without an address":      {&atlassiantest.Gateway{Resources: `[{"id":"a"}]`}, "", connectors.ProviderError},
		"no list of sites":               {&atlassiantest.Gateway{Resources: `null`}, "", connectors.ProviderError},
		"an object in place of the list": {&atlassiantest.Gateway{Resources: `{}`}, "", connectors.ProviderError},
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range []Product{Jira, Confluence} {
				gateway := *tt.gateway
				gateway.Product = p.ID
				got, err := discover(t, p, &gateway)
				if tt.want == "" && connectors.CodeOf(err) != tt.code || tt.want != "" && fmt.Sprint(got.Account) != tt.want {
					t.Errorf("%s: got %v and error %v, want %s%s", p.ID, got.Account, err, tt.want, tt.code)
				}
			}
		})
	}
}

// TestFindOnce lets many look for a site at once, and expects one request.
func TestFindOnce(t *testing.T) {
	var asked atomic.Int64
	arrived, hold := make(chan struct{}, 10), make(chan struct{})
	gateway := &atlassiantest.Gateway{Product: "jira"}
	api, client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		arrived <- struct{}{}
		<-hold
		gateway.ServeHTTP(w, r)
	}))
	g := gatewayFor(t, api, client, map[string]any{"base_url": "https://Globex.atlassian.net/"})
	given, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if base, err := g.Find(t.Context()); err != nil || base != api+"/ex/jira/"+atlassiantest.OtherCloudID {
				t.Errorf("got %q and error %v", base, err)
			}
		})
	}
	<-arrived
	cancel()
	if _, err := g.Find(given); connectors.CodeOf(err) != connectors.Unavailable {
		t.Errorf("who gave up waiting: got %v", err)
	}
	close(hold)
	all.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

// TestFindAgain expects that a failure is not remembered.
func TestFindAgain(t *testing.T) {
	var asked atomic.Int64
	gateway := &atlassiantest.Gateway{Product: "jira"}
	api, client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		gateway.ServeHTTP(w, r)
	}))
	g := gatewayFor(t, api, client, map[string]any{"base_url": atlassiantest.SiteURL})
	if _, err := g.Find(t.Context()); connectors.CodeOf(err) != connectors.ProviderError {
		t.Errorf("got %v, want %s", err, connectors.ProviderError)
	}
	if base, err := g.Find(t.Context()); err != nil || !strings.HasSuffix(base, atlassiantest.CloudID) {
		t.Errorf("got %q and error %v", base, err)
	}
}

func TestFindGiven(t *testing.T) {
	api, client := serve(t, http.NotFoundHandler())
	g := gatewayFor(t, api, client, map[string]any{"base_url": atlassiantest.SiteURL, "cloud_id": "abc-1"})
	if base, err := g.Find(t.Context()); err != nil || base != api+"/ex/jira/abc-1" {
		t.Errorf("got %q and error %v", base, err)
	}
}

func TestUnreachedSite(t *testing.T) {
	api, client := serve(t, &atlassiantest.Gateway{Product: "jira"})
	g := gatewayFor(t, api, client, map[string]any{"base_url": "https://initech.atlassian.net"})
	_, err := g.Find(t.Context())
	e := connectors.AsError(err)
	if e.Code != connectors.NotFound || !strings.Contains(e.Message, "but acme (https://acme.atlassian.net), globex (https://globex.atlassian.net):") {
		t.Errorf("got %v", err)
	}
	data, _ := json.Marshal(e.Details["sites"])
	var sites []connectors.Site
	if json.Unmarshal(data, &sites) != nil || len(sites) != 2 || sites[1].ID != atlassiantest.OtherCloudID {
		t.Errorf("details %s", data)
	}
}

func TestSameSite(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"https://acme.atlassian.net", "https://ACME.atlassian.net/", true},
		{"https://acme.atlassian.net", "http://acme.atlassian.net", true},
		{"https://acme.atlassian.net", "https://acme.atlassian.net.evil.example.com", false},
		{"http://127.0.0.1:8090/acme", "http://127.0.0.1:8090/globex", false},
		{"http://127.0.0.1:8090/acme", "http://127.0.0.1:8091/acme", false},
		{"", "https://acme.atlassian.net", false},
	} {
		if got := SameSite(tt.a, tt.b); got != tt.want {
			t.Errorf("%s and %s: got %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

// gatewayFor returns the way to the site of a configuration by OAuth.
func gatewayFor(t *testing.T, api string, client *http.Client, raw map[string]any) *Gateway {
	t.Helper()
	def := &connectors.Definition{
		ID:     "sample",
		Fields: Jira.Fields(),
		Auth:   Jira.Auth(),
	}
	raw["auth_method"], raw["access_token"] = connectors.MethodOAuth, atlassiantest.Token
	config, err := def.ParseConfig(raw)
	if err != nil {
		t.Fatal(err)
	}
	return Jira.Gateway(connectors.Env{Config: config, HTTP: client, API: api})
}

// TestCloudIDIsOneSegment keeps an id from becoming a step to another path.
func TestCloudIDIsOneSegment(t *testing.T) {
	def := &connectors.Definition{ID: "sample", Fields: Jira.Fields(), Auth: Jira.Auth()}
	for _, id := range []string{"..", ".", "a/b", "a?b", "a%2fb", "", strings.Repeat("a", 65)} {
		_, err := def.ParseConfig(map[string]any{"auth_method": connectors.MethodOAuth, "base_url": "https://x", "access_token": "x", "cloud_id": id})
		if (err == nil) != (id == "") {
			t.Errorf("%q: got %v", id, err)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name, method string
		status       int
		reason, body string
		want         connectors.Code
		denied       bool
		words        string
	}{
		{"fine", MethodAPIKey, 200, "", "", "", false, ""},
		{"fine and said so", MethodAPIKey, 200, "OK", "", "", false, ""},
		{"token", MethodAPIKey, 401, "", "", connectors.Reauthorize, false, "api_email owns the token"},
		{"token with 200", MethodAPIKey, 200, "authenticated_failed", "", connectors.Reauthorize, false, "api_email"},
		{"token not allowed", MethodAPIKey, 200, "AUTHORISATION_FAILED", "", connectors.Reauthorize, false, "api_email"},
		{"captcha", MethodAPIKey, 403, "AUTHENTICATION_DENIED", "", connectors.Reauthorize, false, "log in with a browser"},
		{"token and scopes", MethodAPIKey, 401, "", atlassiantest.ScopeMismatch, connectors.Reauthorize, false, "api_email"},
		{"access token", connectors.MethodOAuth, 401, "", `{"code":401,"message":"Unauthorized"}`, connectors.Reauthorize, false, "refused the access token"},
		{"scopes", connectors.MethodOAuth, 401, "", atlassiantest.ScopeMismatch, connectors.Reauthorize, true, "do not cover"},
		{"scopes of a token", MethodScoped, 401, "", atlassiantest.ScopeMismatch, connectors.Reauthorize, true, "do not cover"},
		{"personal token", MethodPAT, 401, "", "", connectors.Reauthorize, false, "personal access token"},
		{"forbidden", connectors.MethodOAuth, 403, "", "", "", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := rest.Answer{Status: tt.status, Header: http.Header{}, Body: []byte(tt.body)}
			a.Header.Set(loginReason, tt.reason)
			err := Judge("Jira", tt.method)(a)
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || err.Code != tt.want || connectors.IsDenied(err) != tt.denied || !strings.Contains(err.Message, tt.words) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	for body, want := range map[string]string{
		`{"errorMessages":["a"],"errors":{"y":"c","x":"b"}}`:         "[a x: b y: c]",
		`{"errors":[{"title":"T","detail":"D"},{"title":"T"}]}`:      "[D T]",
		`{"code":401,"message":"Unauthorized"}`:                      "[Unauthorized]",
		`{"statusCode":403,"data":{"errors":[]},"message":"no"}`:     "[no]",
		`{"errorMessages":[],"errors":null}`:                         "[]",
		`{"errors":[1]}`:                                             "[]",
		`[]`:                                                         "[]",
		`nonsense`:                                                   "[]",
		`{"errorMessages":["a"],"errors":{"x":{"no":"text"}}}`:       "[a]",
		`{"errorMessages":["a"],"errors":{"x":"b"},"message":"m"}`:   "[a x: b m]",
		`{"errorMessages":["a","b"],"errors":{},"message":"","x":1}`: "[a b]",
	} {
		if got := fmt.Sprint(Faults([]byte(body))); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}
