package jira

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian/atlassiantest"
)

const (
	apiPath       = "/api"
	gatewayPrefix = apiPath + "/ex/jira/" + atlassiantest.CloudID
	resourcesPath = apiPath + "/oauth/token/accessible-resources"
)

// gatewaySite is a site behind the gateway; its paths are those of version 3 behind gatewayPrefix.
func gatewaySite(t *testing.T) *site {
	s := newSite(t)
	s.prefix = gatewayPrefix
	return s
}

// byOAuth returns the driver for a configuration by OAuth.
func (s *site) byOAuth(raw map[string]any) *connectors.Conn {
	s.t.Helper()
	raw["auth_method"], raw["access_token"] = "oauth2", atlassiantest.Token
	if raw["base_url"] == nil {
		raw["base_url"] = atlassiantest.SiteURL
	}
	config, err := Definition.ParseConfig(raw)
	if err != nil {
		s.t.Fatal(err)
	}
	env := connectors.Env{Config: config, HTTP: s.client, API: s.url + apiPath, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	c, err := connectors.Open(connectors.Options{Env: env, Sealer: plainSealer{}, Binding: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func TestByOAuth(t *testing.T) {
	for name, cloudID := range map[string]any{"site by id": atlassiantest.CloudID, "site by address": nil} {
		t.Run(name, func(t *testing.T) {
			s := gatewaySite(t).on(gatewayPrefix+serverInfoPath, ok(cloudInfo)).on(gatewayPrefix+myselfPath, ok(me)).
				on(gatewayPrefix+searchPath, searchBody("", issueJSON(7, april))).
				on(gatewayPrefix+projectsPath, ok(`{"values":[],"isLast":true,"total":0}`)).
				on(gatewayPrefix+"/rest/api/3/issue/7/comment", ok(noComments)).
				on(gatewayPrefix+"/rest/api/3/issue/PAY-7/comment", ok(noComments))
			if cloudID == nil {
				s.on(resourcesPath, ok(atlassiantest.Resources))
			}
			c := s.byOAuth(map[string]any{"cloud_id": cloudID})
			p, err := c.Probe(t.Context())
			if err != nil || p.Account.ID != "5b10" || p.Instance.URL != atlassiantest.SiteURL || len(p.Warnings) != 0 {
				t.Errorf("probe: got %+v and error %v", p, err)
			}
			items, err := c.Items(t.Context(), connectors.ItemQuery{Limit: 10})
			if err != nil || len(items.Items) != 1 || items.Items[0].URL != atlassiantest.SiteURL+"/browse/PAY-7" {
				t.Errorf("items: got %+v and error %v", items, err)
			}
			if _, err := c.Containers(t.Context(), connectors.ContainerQuery{Limit: 10}); err != nil {
				t.Error(err)
			}
			if _, err := c.Comments(t.Context(), connectors.CommentQuery{ItemID: "PAY-7", Limit: 10}); err != nil {
				t.Error(err)
			}
			if n := len(s.requests(resourcesPath)); n > 1 {
				t.Errorf("asked %d times for the sites", n)
			}
		})
	}
}

func TestByOAuthRefusals(t *testing.T) {
	narrow := status(http.StatusUnauthorized, atlassiantest.ScopeMismatch)
	unknown := status(404, `{"timestamp":"2026-11-22T08:00:00Z","status":404,"error":"Not Found","message":"No message available"}`)
	for name, tt := range map[string]struct {
		raw    map[string]any
		site   func(*site)
		code   connectors.Code
		denied bool
		words  string
	}{
		"site of another grant": {
			map[string]any{"cloud_id": atlassiantest.CloudID},
			func(s *site) { s.on(gatewayPrefix+serverInfoPath, unknown) },
			connectors.NotFound, false, "knows no Jira site with the id " + atlassiantest.CloudID,
		},
		"unreached address": {
			map[string]any{"base_url": "https://initech.atlassian.net"},
			func(s *site) { s.on(resourcesPath, ok(atlassiantest.Resources)) },
			connectors.NotFound, false, "does not reach the Jira site https://initech.atlassian.net, but acme (https://acme.atlassian.net)",
		},
		"no site": {
			map[string]any{},
			func(s *site) { s.on(resourcesPath, ok(`[]`)) },
			connectors.NotFound, false, "but none: set base_url",
		},
		"dead token": {
			map[string]any{"cloud_id": atlassiantest.CloudID},
			func(s *site) {
				s.on(gatewayPrefix+serverInfoPath, status(401, `{"code":401,"message":"Unauthorized"}`))
			},
			connectors.Reauthorize, false, "Jira refused the access token: connect again",
		},
		"narrow consent": {
			map[string]any{"cloud_id": atlassiantest.CloudID},
			func(s *site) {
				s.on(gatewayPrefix+serverInfoPath, ok(cloudInfo)).on(gatewayPrefix+myselfPath, narrow)
			},
			connectors.Reauthorize, true, "the scopes of the consent or token do not cover what Jira was asked for",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewaySite(t)
			tt.site(s)
			_, err := s.byOAuth(tt.raw).Probe(t.Context())
			wantError(t, err, tt.code, tt.words)
			if connectors.IsDenied(err) != tt.denied {
				t.Errorf("denied is %v", !tt.denied)
			}
		})
	}
}

// TestOtherSite expects a warning where the id and the address of a configuration name different sites.
func TestOtherSite(t *testing.T) {
	s := gatewaySite(t).on(gatewayPrefix+serverInfoPath, ok(cloudInfo)).on(gatewayPrefix+myselfPath, ok(me)).canaries(gatewayPrefix)
	p, err := s.byOAuth(map[string]any{"base_url": atlassiantest.OtherURL, "cloud_id": atlassiantest.CloudID}).Probe(t.Context())
	if err != nil || len(p.Warnings) != 1 || p.Warnings[0].Code != "other_site" || !strings.Contains(p.Warnings[0].Message, atlassiantest.SiteURL) {
		t.Errorf("got %+v and error %v", p.Warnings, err)
	}
}

func TestConfigByOAuth(t *testing.T) {
	base := map[string]any{"auth_method": "oauth2", "base_url": "https://acme.atlassian.net", "access_token": "x"}
	for name, tt := range map[string]struct {
		field string
		value any
		fault string
	}{
		"complete":      {"cloud_id", atlassiantest.CloudID, ""},
		"no address":    {"base_url", nil, "base_url: is required"},
		"no token":      {"access_token", nil, "access_token: is required"},
		"hostile id":    {"cloud_id", "../other", "cloud_id: is not of the form"},
		"with an email": {"api_email", "you@example.com", "api_email: is not used with auth_method oauth2"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := map[string]any{}
			for k, v := range base {
				raw[k] = v
			}
			raw[tt.field] = tt.value
			_, err := Definition.ParseConfig(raw)
			if tt.fault != "" {
				wantError(t, err, connectors.InvalidRequest, tt.fault)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
