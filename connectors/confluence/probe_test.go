package confluence

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian/atlassiantest"
)

func healthy() *site {
	s := &site{replies: map[string]reply{userPath: {200, me, nil}, spacesPath: {200, oneSpace, nil}}}
	return s.canaries()
}

var want = connectors.ProbeResult{
	Instance: connectors.Instance{Name: "acme.atlassian.net", URL: "https://acme.atlassian.net/wiki", Type: "Cloud"},
	Account:  connectors.Account{ID: "5b10", Name: "Ann Lee"},
}

func TestProbe(t *testing.T) {
	for _, path := range []string{"", "/", "/wiki", "/wiki/"} {
		t.Run("address with "+path, func(t *testing.T) {
			s := healthy()
			url, client := s.start(t, bare)
			got, err := driver(t, client, "", keyConfig(url+path)).Probe(t.Context())
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %+v and error %v, want %+v", got, err, want)
			}
			if wantSeen := []string{userPath, spacesPath + "?limit=1"}; !slices.Equal(s.seen[:2], wantSeen) || len(s.seen) != 2+len(canaryPaths) {
				t.Errorf("asked %v, want %v", s.seen, wantSeen)
			}
		})
	}
}

func TestProbeByOAuth(t *testing.T) {
	for name, tt := range map[string]struct {
		site, cloudID string
		warned        string
	}{
		"site by id":             {atlassiantest.SiteURL, atlassiantest.CloudID, ""},
		"site by address":        {atlassiantest.SiteURL, "", ""},
		"site by longer address": {"https://ACME.atlassian.net/wiki/", "", ""},
		"id of another site":     {atlassiantest.OtherURL, atlassiantest.CloudID, "other_site"},
	} {
		t.Run(name, func(t *testing.T) {
			s := healthy()
			url, client := s.start(t, func(h http.Handler) http.Handler {
				return http.StripPrefix("/api", &atlassiantest.Gateway{Product: "confluence", Site: h})
			})
			client.Transport = signed{client.Transport}
			raw := map[string]any{"auth_method": "oauth2", "base_url": tt.site, "access_token": atlassiantest.Token}
			if tt.cloudID != "" {
				raw["cloud_id"] = tt.cloudID
			}
			got, err := driver(t, client, url+"/api", raw).Probe(t.Context())
			if err != nil || got.Account != want.Account || got.Instance != want.Instance || codes(got.Warnings) != tt.warned {
				t.Errorf("got %+v and error %v, want %+v", got, err, want)
			}
		})
	}
}

func TestProbeOfUnreachedSite(t *testing.T) {
	for name, tt := range map[string]struct {
		raw   map[string]any
		words string
	}{
		"unknown id":      {map[string]any{"base_url": atlassiantest.SiteURL, "cloud_id": "no-such-site"}, "knows no Confluence site with the id no-such-site"},
		"unknown address": {map[string]any{"base_url": "https://initech.atlassian.net"}, "does not reach the Confluence site https://initech.atlassian.net, but acme (https://acme.atlassian.net), globex ("},
	} {
		t.Run(name, func(t *testing.T) {
			s := &site{}
			url, client := s.start(t, func(h http.Handler) http.Handler { return &atlassiantest.Gateway{Product: "confluence", Site: h} })
			client.Transport = signed{client.Transport}
			tt.raw["auth_method"], tt.raw["access_token"] = "oauth2", atlassiantest.Token
			_, err := driver(t, client, url, tt.raw).Probe(t.Context())
			wantError(t, err, connectors.NotFound, tt.words)
		})
	}
}

func TestProbeRefusals(t *testing.T) {
	page := map[string]string{"Content-Type": "text/html"}
	missing := reply{404, webPage, page}
	for name, tt := range map[string]struct {
		replies map[string]reply
		code    connectors.Code
		words   string
	}{
		"refused":            {map[string]reply{userPath: {401, "", nil}}, connectors.Reauthorize, "check that api_email owns the token"},
		"stranger":           {map[string]reply{userPath: {200, stranger, nil}}, connectors.Reauthorize, "answers as to a stranger"},
		"refused with 200":   {map[string]reply{userPath: {200, stranger, map[string]string{"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}}}, connectors.Reauthorize, "refused the credential"},
		"no Confluence":      {map[string]reply{userPath: {403, `{"statusCode":403,"message":"No access"}`, nil}}, connectors.Reauthorize, "(No access). Give the account access to Confluence"},
		"no right to spaces": {map[string]reply{userPath: {200, me, nil}, spacesPath: {403, `{"errors":[{"status":403,"code":"FORBIDDEN","title":"Not permitted","detail":null}]}`, nil}}, connectors.Reauthorize, "(Not permitted)"},
		"not found":          {map[string]reply{userPath: missing, olderPath: missing}, connectors.NotFound, "not a Confluence Cloud site: base_url must be"},
		"Data Center":        {map[string]reply{userPath: missing, olderPath: {200, `{"results":[],"start":0,"limit":1,"size":0}`, nil}}, connectors.InvalidRequest, "Server or Data Center: use personal_token"},
		"another API":        {map[string]reply{userPath: missing, olderPath: {200, `{}`, nil}}, connectors.NotFound, "not a Confluence Cloud site"},
		"login page":         {map[string]reply{userPath: {200, webPage, page}}, connectors.ProviderError, "web page"},
		"no account":         {map[string]reply{userPath: {200, `{}`, nil}}, connectors.ProviderError, "an account without an id"},
		"no spaces":          {map[string]reply{userPath: {200, me, nil}, spacesPath: {200, `{}`, nil}}, connectors.ProviderError, "a list without entries"},
		"down":               {map[string]reply{userPath: {503, webPage, page}}, connectors.ProviderError, "status 503"},
		"burst":              {map[string]reply{userPath: {429, "", map[string]string{"Retry-After": "7"}}}, connectors.RateLimited, "try again in 7s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &site{replies: tt.replies}
			url, client := s.start(t, bare)
			_, err := driver(t, client, "", keyConfig(url)).Probe(t.Context())
			wantError(t, err, tt.code, tt.words)
		})
	}
}

// TestPublicRest has Confluence show to a credential that ended what anyone may see, which is not nothing.
func TestPublicRest(t *testing.T) {
	s := &site{replies: map[string]reply{userPath: {200, stranger, nil}, spacesPath: {200, oneSpaceAlone, nil}}}
	url, client := s.start(t, bare)
	_, err := driver(t, client, "", keyConfig(url)).ListContainers(t.Context(), connectors.ContainerQuery{Limit: 5})
	wantError(t, err, connectors.Reauthorize, "answers as to a stranger")
}

func TestProbeWarnings(t *testing.T) {
	s := healthy()
	s.replies[spacesPath] = reply{200, `{"results":[],"_links":{}}`, nil}
	url, client := s.start(t, bare)
	got, err := driver(t, client, "", keyConfig(url)).Probe(t.Context())
	if err != nil || codes(got.Warnings) != "no_spaces" || got.Instance.URL != url+"/wiki" {
		t.Errorf("got %+v and error %v, want the warning no_spaces", got, err)
	}
}

// TestAPIDocuments keeps the validation of requests and answers from falling asleep.
func TestAPIDocuments(t *testing.T) {
	all, err := documents()
	if err != nil {
		t.Fatal(err)
	}
	if all["/wiki/rest/"] == nil {
		t.Skip("no API documents: set UCF_SHARED to the folder that holds fixtures and specs")
	}
	for name, tt := range map[string]struct{ uri, body string }{
		"limit":        {spacesPath + "?limit=251", oneSpace},
		"unknown path": {spacesPath + "x", oneSpace},
		"answer":       {spacesPath, `{"results":[{"id":1}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := http.NewRequest(http.MethodGet, "https://x"+tt.uri, nil)
			err := all["/wiki/api/v2/"].Check(r, r.URL.Path, 200, http.Header{"Content-Type": {"application/json"}}, []byte(tt.body))
			if err == nil {
				t.Error("it validates")
			}
		})
	}
}
