package jira

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

const (
	cloudInfo = `{"baseUrl":"https://acme.atlassian.net","version":"1001.0.0-SNAPSHOT","deploymentType":"Cloud","serverTitle":"Acme"}`
	oldInfo   = `{"baseUrl":"https://jira.example.com","version":"9.12.1","deploymentType":"Server","serverTitle":"Old"}`
	me        = `{"accountId":"5b10","displayName":"Ann Lee","active":true}`
	webPage   = `<!DOCTYPE html><html><body>Log in</body></html>`
	olderInfo = "/rest/api/2/serverInfo"
)

func TestProbe(t *testing.T) {
	s := newSite(t).on(serverInfoPath, ok(cloudInfo)).on(myselfPath, ok(me)).canaries("")
	got, err := s.driver().Probe(bg())
	if err != nil {
		t.Fatal(err)
	}
	want := connectors.ProbeResult{
		Instance: connectors.Instance{Name: "Acme", URL: "https://acme.atlassian.net", Version: "1001.0.0-SNAPSHOT", Type: "Cloud"},
		Account:  connectors.Account{ID: "5b10", Name: "Ann Lee"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestProbeOfRecordedSite(t *testing.T) {
	s := newSite(t).on(serverInfoPath, ok(fixture(t, "jiracli-serverinfo.json"))).on(myselfPath, ok(fixture(t, "goatl-get-myselft.json"))).canaries("")
	got, err := s.driver().Probe(bg())
	if err != nil {
		t.Fatal(err)
	}
	if got.Account.ID != "5b86be50b8e3cb5895860d6d" || got.Account.Name != "Carlos Treminio" || got.Instance.Type != "Cloud" || got.Instance.Name != "Jira" {
		t.Errorf("got %+v", got)
	}
}

func TestProbeOfRecordedAccountWithoutID(t *testing.T) {
	s := newSite(t).on(serverInfoPath, ok(cloudInfo)).on(myselfPath, ok(fixture(t, "jiracli-myself.json")))
	_, err := s.driver().Probe(bg())
	wantError(t, err, connectors.ProviderError, "an account without an id")
}

func TestProbeRefusals(t *testing.T) {
	refused := "Client must be authenticated to access this resource."
	tests := []struct {
		name  string
		site  func(*site)
		code  connectors.Code
		words string
	}{
		{"login page", func(s *site) { s.on(serverInfoPath, ok(webPage).with("Content-Type", "text/html")) }, connectors.ProviderError, "web page, not with Jira's API: check base_url"},
		{"login page that claims to be JSON", func(s *site) { s.on(serverInfoPath, ok("\n "+webPage)) }, connectors.ProviderError, "web page"},
		{"not found as a page", func(s *site) {
			s.on(serverInfoPath, status(404, webPage).with("Content-Type", "text/html")).on(olderInfo, status(404, webPage))
		}, connectors.NotFound, "not a Jira site: base_url must be"},
		{"not found", func(s *site) { s.on(serverInfoPath, status(404, `{}`)).on(olderInfo, status(404, `{}`)) }, connectors.NotFound, "not a Jira site"},
		{"Data Center", func(s *site) { s.on(serverInfoPath, status(404, ``)).on(olderInfo, ok(oldInfo)) }, connectors.InvalidRequest, "Server or Data Center 9.12.1: use personal_token"},
		{"Data Center with version 3", func(s *site) { s.on(serverInfoPath, ok(oldInfo)) }, connectors.InvalidRequest, "use personal_token"},
		{"another API", func(s *site) { s.on(serverInfoPath, ok(`{"hello":"world"}`)) }, connectors.ProviderError, "not a Jira site"},
		{"another JSON", func(s *site) { s.on(serverInfoPath, ok(`[1]`)) }, connectors.ProviderError, "another shape"},
		{"refused", func(s *site) {
			s.on(serverInfoPath, ok(cloudInfo)).on(myselfPath, status(401, refused).with("Content-Type", "text/html"))
		}, connectors.Reauthorize, "refused the credential: check that api_email"},
		{"refused at once", func(s *site) { s.on(serverInfoPath, status(401, refused)) }, connectors.Reauthorize, "api_token has not expired"},
		{"refused with 200", func(s *site) { s.on(serverInfoPath, ok(cloudInfo).with(loginReason, "AUTHENTICATED_FAILED")) }, connectors.Reauthorize, "refused"},
		{"captcha", func(s *site) {
			s.on(serverInfoPath, ok(cloudInfo)).on(myselfPath, status(403, `{}`).with(loginReason, "AUTHENTICATION_DENIED"))
		}, connectors.Reauthorize, "log in with a browser"},
		{"forbidden", func(s *site) {
			s.on(serverInfoPath, ok(cloudInfo)).on(myselfPath, status(403, `{"errorMessages":["IP address not allowed"]}`))
		}, connectors.Reauthorize, "(IP address not allowed). Give the account the permission"},
		{"down", func(s *site) { s.on(serverInfoPath, status(503, webPage)) }, connectors.ProviderError, "status 503"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			tt.site(s)
			_, err := s.driver().Probe(bg())
			wantError(t, err, tt.code, tt.words)
		})
	}
}

func TestProbeWarnings(t *testing.T) {
	codes := func(list []connectors.Warning) string {
		var out []string
		for _, w := range list {
			out = append(out, w.Code)
		}
		return strings.Join(out, " ")
	}
	late := func() time.Time { return time.Now().Add(-time.Hour) }
	tests := []struct {
		name, me string
		now      func() time.Time
		want     string
	}{
		{"none", me, time.Now, ""},
		{"inactive", `{"accountId":"5b10","active":false}`, time.Now, "account_inactive"},
		{"clock", me, late, "clock_skew"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t).on(serverInfoPath, ok(cloudInfo)).on(myselfPath, ok(tt.me)).canaries("")
			got, err := s.driverAt(s.url, tt.now).Probe(bg())
			if err != nil || codes(got.Warnings) != tt.want {
				t.Errorf("got %q, %v, want %q", codes(got.Warnings), err, tt.want)
			}
		})
	}
	d := newSite(t).driver()
	d.sent = "http://jira.example.com"
	if plain := codes(d.warnings(serverInfo{}, user{}, http.Header{})); plain != "plaintext" {
		t.Errorf("got %q, want plaintext", plain)
	}
}

func TestConfig(t *testing.T) {
	tests := []struct {
		name, base, want, fault string
	}{
		{"plain", "https://acme.atlassian.net", "https://acme.atlassian.net", ""},
		{"slash", "https://acme.atlassian.net/", "https://acme.atlassian.net", ""},
		{"context path", "https://example.com/jira/", "https://example.com/jira", ""},
		{"credentials", "https://a:b@acme.atlassian.net", "", "base_url: must not hold a user name"},
		{"query", "https://acme.atlassian.net?x=1", "", "base_url: must not hold a query"},
		{"fragment", "https://acme.atlassian.net/#x", "", "base_url: must not hold a fragment"},
		{"no scheme", "acme.atlassian.net", "", "base_url: must begin with https://"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Definition.ParseConfig(map[string]any{"base_url": tt.base, "api_email": "a@example.com", "api_token": token})
			if tt.fault != "" {
				wantError(t, err, connectors.InvalidRequest, tt.fault)
				return
			}
			if err != nil || c.String("base_url") != tt.want {
				t.Errorf("got %q, %v, want %q", c.String("base_url"), err, tt.want)
			}
		})
	}
	for _, missing := range []string{"base_url", "api_email", "api_token"} {
		raw := map[string]any{"base_url": "https://acme.atlassian.net", "api_email": "a@example.com", "api_token": token}
		delete(raw, missing)
		_, err := Definition.ParseConfig(raw)
		wantError(t, err, connectors.InvalidRequest, missing+": is required")
	}
}

func TestContextPath(t *testing.T) {
	const prefix = "/jira/software"
	page := status(404, webPage).with("Content-Type", "text/html")
	s := newSite(t).on(prefix+serverInfoPath, page).on(prefix+olderInfo, page)
	s.prefix = prefix
	_, err := s.driverAt(s.url+prefix, time.Now).Probe(bg())
	wantError(t, err, connectors.NotFound, "without the path of a page such as /jira/software/…")
}
