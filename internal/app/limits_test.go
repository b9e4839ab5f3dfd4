package app

import (
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/confluence"
	"github.com/unified-connector/ucf/connectors/jira"
	"github.com/unified-connector/ucf/connectors/salesforce"
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/transport"
)

// TestLimitsOfVendors sets what the providers document where their own hosts are called, and nothing elsewhere.
func TestLimitsOfVendors(t *testing.T) {
	b := newOutbound(&config.Config{OAuthApps: map[string]config.OAuthApp{"atlassian": {ClientID: "the-app"}}}, Options{}, nil)
	oauth := map[string]any{"auth_method": "oauth2", "base_url": "https://acme.atlassian.net", "access_token": "a"}
	own := map[string]any{"auth_method": "oauth2", "base_url": "https://acme.atlassian.net", "access_token": "a", "client_id": "their-app", "client_secret": "s"}
	key := map[string]any{"base_url": "https://acme.atlassian.net", "api_email": "you@example.com", "api_token": "t"}
	for name, tt := range map[string]struct {
		def   *connectors.Definition
		raw   map[string]any
		host  string
		quota string
		rate  bool
		usage bool
	}{
		"Jira by OAuth":                  {&jira.Definition, oauth, "https://api.atlassian.com", "atlassian/the-app", true, false},
		"Confluence shares the app":      {&confluence.Definition, oauth, "https://api.atlassian.com", "atlassian/the-app", true, false},
		"an app of the connection's own": {&jira.Definition, own, "https://api.atlassian.com", "atlassian/their-app", true, false},
		"an API token is exempt":         {&jira.Definition, key, "https://acme.atlassian.net", "", true, false},
		"a stand-in":                     {&jira.Definition, oauth, "http://127.0.0.1:8090/api", "", false, false},
		"Salesforce says itself": {
			&salesforce.Definition,
			map[string]any{"auth_method": "oauth2", "instance_url": "https://acme.my.salesforce.com", "access_token": "a"},
			"https://acme.my.salesforce.com", "", false, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := tt.def.ParseConfig(tt.raw)
			if err != nil {
				t.Fatal(err)
			}
			o := transport.Options{Host: tt.host}
			charge := b.limits(&o, service.Target{Tenant: "acme", Config: cfg, Stored: true})
			if (o.Quota != nil) != (tt.quota != "") || (charge != nil) != (tt.quota != "") || (o.Rate > 0) != tt.rate || (o.Usage != nil) != tt.usage {
				t.Fatalf("quota %+v, rate %v, usage %v", o.Quota, o.Rate, o.Usage != nil)
			}
			if tt.quota == "" {
				return
			}
			want := transport.Quota{Key: tt.quota, Tenant: "acme", Points: 65_000, Window: time.Hour}
			if *o.Quota != want || o.Rate != 100 {
				t.Errorf("got %+v at %v a second, want %+v", *o.Quota, o.Rate, want)
			}
		})
	}
}
