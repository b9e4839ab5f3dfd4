package app_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
)

// TestBrowserIsSentOn has browsers come back to ucf's own callback: it sends them on to the page of their flow and
// completes nothing.
func TestBrowserIsSentOn(t *testing.T) {
	const public, page = "http://127.0.0.1:1", "https://app.example.com/connected?from=ucf"
	d := newDesk(t, sandbox.Options{}, "PUBLIC_URL="+public, "OAUTH_REDIRECT_ALLOWLIST=https://app.example.com/connected")
	api := httptest.NewServer(d.app.Handler())
	t.Cleanup(api.Close)
	visit := func(method string, q url.Values, accept string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, api.URL+"/oauth/callback?"+q.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		for header, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
			if got := resp.Header.Get(header); got != want {
				t.Errorf("%s is %q, want %q", header, got, want)
			}
		}
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("policy %q", policy)
		}
		return resp, string(body)
	}
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"

	begun := d.begin("acme", "jira", func(in *service.ConnectIn) { in.Body.RedirectURI = page })
	if !strings.Contains(begun.AuthURL, url.QueryEscape(public+"/oauth/callback")) {
		t.Errorf("the vendor is given another address: %s", begun.AuthURL)
	}
	back := approve(t, begun.AuthURL)
	for range 2 { // a page that is loaded again
		resp, _ := visit(http.MethodGet, back, browser)
		to, err := resp.Location()
		if err != nil || resp.StatusCode != http.StatusSeeOther || to.Host != "app.example.com" || to.Path != "/connected" || to.Query().Get("from") != "ucf" ||
			to.Query().Get("code") != back.Get("code") || to.Query().Get("state") != back.Get("state") {
			t.Errorf("sent on with %d to %v, %v", resp.StatusCode, to, err)
		}
	}
	if len(d.connections("acme")) > 0 {
		t.Error("a callback completed a flow by itself")
	}
	denied := url.Values{"state": back["state"], "error": {"access_denied"}, "error_description": {"<script>"}}
	if to, err := first(visit(http.MethodGet, denied, browser)).Location(); err != nil || to.Query().Get("error") != "access_denied" || to.Query().Has("code") || to.Query().Has("error_description") {
		t.Errorf("a denial is sent on to %v, %v", to, err)
	}
	denied.Set("error", `x" onload="`)
	if to, err := first(visit(http.MethodGet, denied, browser)).Location(); err != nil || to.Query().Get("error") != "server_error" {
		t.Errorf("a strange error is sent on to %v, %v", to, err)
	}
	if resp, body := visit(http.MethodHead, back, browser); resp.StatusCode != http.StatusOK || resp.Header.Get("Location") != "" || body != "" {
		t.Errorf("HEAD is answered with %d", resp.StatusCode)
	}
	if _, err := d.complete("acme", "jira", back); err != nil {
		t.Fatal(err)
	}

	for name, q := range map[string]url.Values{
		"a used state": back, "no state": {"code": {"x"}}, "an invented state": {"state": {"x"}, "code": {"y"}}, "neither code nor error": {"state": {"x"}},
		"two codes": {"state": {"x"}, "code": {"y", "z"}}, "both code and error": {"state": {"x"}, "code": {"y"}, "error": {"z"}},
		"a code of a megabyte": {"state": {"x"}, "code": {strings.Repeat("y", 100_000)}},
	} {
		resp, body := visit(http.MethodGet, q, browser)
		if resp.StatusCode != http.StatusBadRequest || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || !strings.Contains(body, "Not connected") || resp.Header.Get("Location") != "" {
			t.Errorf("%s: %d %q", name, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		if resp, body = visit(http.MethodGet, q, "*/*"); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, string(connectors.InvalidRequest)) || !strings.HasPrefix(body, `{"ok":false`) {
			t.Errorf("%s, to a program: %d %s", name, resp.StatusCode, body)
		}
	}

	own := approve(t, d.begin("acme", "confluence", func(in *service.ConnectIn) { in.Body.RedirectURI = "" }).AuthURL)
	if resp, body := visit(http.MethodGet, own, browser); resp.StatusCode != http.StatusOK || !strings.Contains(body, "Almost done") || strings.Contains(body, own.Get("code")) {
		t.Errorf("a flow without a page: %d %s", resp.StatusCode, body)
	}
	if _, err := d.complete("acme", "confluence", own); err != nil {
		t.Errorf("a flow without a page is not completed: %v", err)
	}
}

func first[A, B any](a A, _ B) A { return a }
