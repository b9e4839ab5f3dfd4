package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The redirect address of the tests. Nobody listens there: a browser is not followed.
const callback = "http://127.0.0.1:8976/callback"

// everyScope is what both products need, a profile and a refresh token.
const everyScope = "read:jira-work read:jira-user read:space:confluence read:confluence-user read:me offline_access"

// oauthBox is a sandbox on a real socket, as an app sees it.
type oauthBox struct {
	*Server
	t   testing.TB
	url string
}

func serveOAuth(t testing.TB, o Options) *oauthBox {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &oauthBox{Server: s, t: t, url: server.URL}
}

// fakeClock stands still until it is moved.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// reply is an answer that is read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// fields reads a JSON object.
func (r reply) fields(t testing.TB) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(r.body, &fields); err != nil {
		t.Fatalf("%d: %v: %s", r.status, err, r.body)
	}
	return fields
}

func (r reply) text(t testing.TB, name string) string {
	t.Helper()
	text, _ := r.fields(t)[name].(string)
	return text
}

// browser follows no redirect.
var browser = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (b *oauthBox) send(method, path string, header map[string]string, body string) reply {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := browser.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, content}
}

func (b *oauthBox) get(path, token string) reply {
	b.t.Helper()
	header := map[string]string{}
	if token != "" {
		header["Authorization"] = "Bearer " + token
	}
	return b.send(http.MethodGet, path, header, "")
}

func (b *oauthBox) postJSON(path string, values map[string]string) reply {
	b.t.Helper()
	body, err := json.Marshal(values)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(http.MethodPost, path, map[string]string{"Content-Type": "application/json"}, string(body))
}

func (b *oauthBox) postForm(path string, values map[string]string) reply {
	b.t.Helper()
	form := url.Values{}
	for name, value := range values {
		form.Set(name, value)
	}
	return b.send(http.MethodPost, path, map[string]string{"Content-Type": mediaForm}, form.Encode())
}

// flow is how tests use one of the providers.
type flow struct {
	name      string
	authorize string
	token     string
	query     url.Values // of a request for consent
	dead      reply      // the status and body that refuse a refresh token
	post      func(b *oauthBox, values map[string]string) reply
}

var (
	atlassianFlow = flow{
		name: "atlassian", authorize: "/auth/authorize", token: "/auth/oauth/token",
		query: url.Values{
			"audience": {"api.atlassian.com"}, "client_id": {DefaultClientID}, "scope": {everyScope}, "redirect_uri": {callback},
			"state": {"st-1"}, "response_type": {"code"}, "prompt": {"consent"},
		},
		dead: reply{status: 403, body: []byte(`{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`)},
		post: func(b *oauthBox, values map[string]string) reply { return b.postJSON("/auth/oauth/token", values) },
	}
	salesforceFlow = flow{
		name: "salesforce", authorize: "/salesforce/services/oauth2/authorize", token: "/salesforce/services/oauth2/token",
		query: url.Values{
			"client_id": {DefaultClientID}, "scope": {"api refresh_token"}, "redirect_uri": {callback}, "state": {"st-1"}, "response_type": {"code"},
		},
		dead: reply{status: 400, body: []byte(`{"error":"invalid_grant","error_description":"expired access/refresh token"}`)},
		post: func(b *oauthBox, values map[string]string) reply {
			return b.postForm("/salesforce/services/oauth2/token", values)
		},
	}
	flows = []flow{atlassianFlow, salesforceFlow}
)

// with returns the query with other values; an empty value removes one.
func (f flow) with(pairs ...string) string {
	query := maps.Clone(f.query)
	for pair := range slices.Chunk(pairs, 2) {
		if query[pair[0]] = []string{pair[1]}; pair[1] == "" {
			query.Del(pair[0])
		}
	}
	return f.authorize + "?" + query.Encode()
}

// approve gives consent without the page and returns what the browser brings back.
func (b *oauthBox) approve(f flow, pairs ...string) url.Values {
	b.t.Helper()
	got := b.get(f.with(append(pairs, "approve", "auto")...), "")
	return b.redirected(got)
}

func (b *oauthBox) redirected(got reply) url.Values {
	b.t.Helper()
	to, err := url.Parse(got.header.Get("Location"))
	if err != nil || got.status != http.StatusFound || !strings.HasPrefix(to.String(), callback+"?") {
		b.t.Fatalf("got %d, to %q, %v: %s", got.status, to, err, got.body)
	}
	return to.Query()
}

func (b *oauthBox) exchange(f flow, code string, pairs ...string) reply {
	b.t.Helper()
	values := map[string]string{
		"grant_type": "authorization_code", "client_id": DefaultClientID, "client_secret": DefaultClientSecret,
		"code": code, "redirect_uri": callback,
	}
	for pair := range slices.Chunk(pairs, 2) {
		values[pair[0]] = pair[1]
	}
	return f.post(b, values)
}

// connect goes the whole way to the tokens.
func (b *oauthBox) connect(f flow, pairs ...string) reply {
	b.t.Helper()
	got := b.exchange(f, b.approve(f, pairs...).Get("code"))
	if got.status != http.StatusOK {
		b.t.Fatalf("exchange: %d %s", got.status, got.body)
	}
	return got
}

func refreshValues(token string) map[string]string {
	return map[string]string{
		"grant_type": "refresh_token", "client_id": DefaultClientID, "client_secret": DefaultClientSecret, "refresh_token": token,
	}
}

func (b *oauthBox) refresh(f flow, token string) reply {
	b.t.Helper()
	return f.post(b, refreshValues(token))
}

// mustRefresh returns the next refresh token.
func (b *oauthBox) mustRefresh(f flow, token string) string {
	b.t.Helper()
	got := b.refresh(f, token)
	next := got.text(b.t, "refresh_token")
	if got.status != http.StatusOK || next == "" || next == token {
		b.t.Fatalf("refresh: %d %s", got.status, got.body)
	}
	return next
}

// mustBeDead fails unless the answer refuses a refresh token as the provider does.
func (f flow) mustBeDead(t testing.TB, got reply) {
	t.Helper()
	if got.status != f.dead.status || !bytes.Equal(got.body, f.dead.body) {
		t.Fatalf("got %d %s, want %d %s", got.status, got.body, f.dead.status, f.dead.body)
	}
}
