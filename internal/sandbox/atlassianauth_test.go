package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAtlassianTokenAnswer(t *testing.T) {
	b := serveOAuth(t, Options{TokenTTL: 90 * time.Second})
	got := b.connect(atlassianFlow)
	fields := got.fields(t)
	names := slices.Sorted(maps.Keys(fields))
	if want := []string{"access_token", "expires_in", "refresh_token", "scope", "token_type"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if fields["expires_in"] != float64(90) || fields["scope"] != everyScope || fields["token_type"] != "Bearer" {
		t.Errorf("got %s", got.body)
	}
	if got.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
		t.Errorf("headers %q", got.header)
	}
	online := b.connect(atlassianFlow, "scope", "read:me").fields(t)
	if _, has := online["refresh_token"]; has {
		t.Error("a refresh token without offline_access")
	}
	again := b.refresh(atlassianFlow, b.connect(atlassianFlow).text(t, "refresh_token")).fields(t)
	if names := slices.Sorted(maps.Keys(again)); len(names) != 5 || again["scope"] != everyScope {
		t.Errorf("refreshed: %q", names)
	}
}

func TestAtlassianTokenRefuses(t *testing.T) {
	b := serveOAuth(t, Options{})
	good := b.connect(atlassianFlow).text(t, "refresh_token")
	body := func(change func(map[string]string)) string {
		values := refreshValues(good)
		change(values)
		text, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	form := url.Values{}
	for name, value := range refreshValues(good) {
		form.Set(name, value)
	}
	set := func(name, value string) string { return body(func(v map[string]string) { v[name] = value }) }
	cases := []struct {
		name, media, body string
		status            int
		want              string
	}{
		{"form", mediaForm, form.Encode(), 400, "invalid_request"},
		{"no type", "", set("x", "y"), 400, "invalid_request"},
		{"wrong secret", mediaJSON, set("client_secret", "x"), 401, "invalid_client"},
		{"no secret", mediaJSON, set("client_secret", ""), 401, "invalid_client"},
		{"unknown client", mediaJSON, set("client_id", "x"), 401, "invalid_client"},
		{"unknown grant type", mediaJSON, set("grant_type", "password"), 400, "unsupported_grant_type"},
		{"no refresh token", mediaJSON, set("refresh_token", ""), 403, "invalid_grant"},
		{"not JSON", mediaJSON, "{", 400, "invalid_request"},
		{"empty", mediaJSON, "", 400, "invalid_request"},
		{"two objects", mediaJSON, set("x", "y") + "{}", 400, "invalid_request"},
		{"numbers", mediaJSON, `{"grant_type":1}`, 400, "invalid_request"},
		{"huge", mediaJSON, set("x", strings.Repeat("a", 2*maxTokenBody)), 400, "invalid_request"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			header := map[string]string{}
			if c.media != "" {
				header["Content-Type"] = c.media
			}
			got := b.send(http.MethodPost, "/auth/oauth/token", header, c.body)
			if got.status != c.status || got.text(t, "error") != c.want || got.text(t, "error_description") == "" {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, c.status, c.want)
			}
			if strings.Contains(string(got.body), good) || strings.Contains(string(got.body), DefaultClientSecret) {
				t.Error("the answer repeats a secret")
			}
		})
	}
	if got := b.send(http.MethodPost, "/auth/oauth/token", map[string]string{"Content-Type": "Application/JSON; charset=utf-8"}, set("x", "y")); got.status != 200 {
		t.Errorf("none of these was to spend the token: %d %s", got.status, got.body)
	}
	for path, want := range map[string]int{"/auth/oauth/token": 405, "/auth/oauth/revoke": 404, "/auth/": 404} {
		if got := b.get(path, ""); got.status != want || got.text(t, "error") == "" {
			t.Errorf("GET %s: %d %s", path, got.status, got.body)
		}
	}
}

// A refresh token belongs to the server that gave it.
func TestProvidersAreApart(t *testing.T) {
	b := serveOAuth(t, Options{})
	a, s := b.connect(atlassianFlow), b.connect(salesforceFlow)
	atlassianFlow.mustBeDead(t, b.refresh(atlassianFlow, s.text(t, "refresh_token")))
	salesforceFlow.mustBeDead(t, b.refresh(salesforceFlow, a.text(t, "refresh_token")))
	if got := b.get("/api/me", s.text(t, "access_token")); got.status != http.StatusUnauthorized {
		t.Errorf("Salesforce's at Atlassian: %d", got.status)
	}
	if got := b.get("/salesforce/services/data/v67.0/limits", a.text(t, "access_token")); got.status != http.StatusUnauthorized {
		t.Errorf("Atlassian's at Salesforce: %d", got.status)
	}
	code := b.approve(salesforceFlow).Get("code")
	if got := b.exchange(atlassianFlow, code); got.status != http.StatusForbidden {
		t.Errorf("a code of Salesforce's at Atlassian: %d %s", got.status, got.body)
	}
}
