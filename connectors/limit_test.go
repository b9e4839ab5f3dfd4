package connectors

import (
	"testing"
	"time"
)

func TestLimitFor(t *testing.T) {
	d := &Definition{Limits: []Limit{
		{Name: "points", Hosts: []string{"api.vendor.com"}, Methods: []string{"oauth2"}, Per: PerApp, Points: 5, Window: time.Hour},
		{Name: "burst", Hosts: []string{"api.vendor.com", ".vendor.net"}, Per: PerEndpoint, Points: 100, Window: time.Second},
	}}
	for _, tt := range []struct {
		per          Per
		method, host string
		want         string
	}{
		{PerApp, "oauth2", "api.vendor.com", "points"},
		{PerApp, "oauth2", "API.Vendor.COM", "points"},
		{PerApp, "api_key", "api.vendor.com", ""}, // traffic with API tokens is exempt
		{PerApp, "oauth2", "127.0.0.1", ""},       // a stand-in says itself what its limits are
		{PerEndpoint, "api_key", "acme.vendor.net", "burst"},
		{PerEndpoint, "api_key", "vendor.net", ""},
		{PerEndpoint, "api_key", "evilvendor.net", ""},
		{PerEndpoint, "api_key", "jira.acme.com", ""},
	} {
		if got, _ := d.LimitFor(tt.per, tt.method, tt.host); got.Name != tt.want {
			t.Errorf("%s %s at %s: got %q, want %q", tt.per, tt.method, tt.host, got.Name, tt.want)
		}
	}
}
