package salesforce

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

func TestProbe(t *testing.T) {
	s := healthy()
	got, url, err := s.probe(t)
	want := connectors.ProbeResult{
		Instance: connectors.Instance{Name: "Acme", URL: url, Version: "68.0", Type: "Enterprise Edition"},
		Account:  connectors.Account{ID: "005x00000012Q9PAAU", Name: "Ann Lee"},
	}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v and error %v, want %+v", got, err, want)
	}
	if q := s.request(queryPath).URL.Query().Get("q"); !strings.HasPrefix(q, "SELECT Id, Name") || !strings.HasSuffix(q, "FROM Organization LIMIT 1") {
		t.Errorf("asked %q", q)
	}
}

func TestProbeOfRecordedOrg(t *testing.T) {
	s := healthy()
	delete(s.replies, queryPath)
	delete(s.replies, objectsPath)
	s.replies[versionsPath] = reply{200, fixture(t, "services_data_success"), ""}
	s.replies["/services/data/v20.0/query"] = reply{200, fixture(t, "org_query"), ""}
	s.replies["/services/data/v20.0/sobjects"] = reply{200, fixture(t, "list_sobjects_success"), ""}
	got, url, err := s.probe(t)
	if err != nil || got.Instance.Version != "100" || got.Instance.Name != strings.TrimPrefix(url, "https://") || codes(got.Warnings) != "api_version" {
		t.Errorf("got %+v and error %v", got, err)
	}
}

func TestProbeWarnings(t *testing.T) {
	const olderQuery = "/services/data/v66.0/query"
	tests := []struct {
		name   string
		change func(map[string]reply)
		want   string
	}{
		{"little used", func(r map[string]reply) { r[queryPath] = reply{200, acme, "api-usage=8000/10000"} }, ""},
		{"much used", func(r map[string]reply) {
			r[queryPath] = reply{200, acme, "api-bursts=1/750; api-usage=8001/10000; per-app-api-usage=17/250(appName=x)"}
		}, "limit_near"},
		{"an app much used", func(r map[string]reply) {
			r[queryPath] = reply{200, acme, "api-usage=1/10000; per-app-api-usage=249/250(appName=x)"}
		}, ""},
		{"no limit", func(r map[string]reply) { r[queryPath] = reply{200, acme, "api-usage=1/0"} }, ""},
		{"unreadable", func(r map[string]reply) { r[queryPath] = reply{200, acme, "api-usage=many/99999999999999999999"} }, ""},
		{"older", func(r map[string]reply) {
			delete(r, queryPath)
			delete(r, objectsPath)
			r["/services/data/v66.0/sobjects"] = reply{200, accounts, ""}
			r[versionsPath], r[olderQuery] = reply{200, older, ""}, reply{200, acme, ""}
		}, "api_version"},
		{"no right to the API", func(r map[string]reply) {
			r[queryPath] = reply{403, `[{"message":"The REST API is not enabled for this Organization.","errorCode":"API_DISABLED_FOR_ORG"}]`, ""}
		}, "api_denied"},
		{"no organization to read", func(r map[string]reply) { r[queryPath] = reply{404, `[{"errorCode":"NOT_FOUND","message":"no"}]`, ""} }, "api_denied"},
		{"a version that was removed", func(r map[string]reply) {
			r[queryPath] = reply{410, `[{"errorCode":"UNSUPPORTED_API_VERSION","message":"gone"}]`, ""}
		}, "removed_endpoint"},
		{"no right to the objects", func(r map[string]reply) {
			r[objectsPath] = reply{403, `[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]`, ""}
		}, "not_permitted"},
		{"no objects for the user", func(r map[string]reply) {
			r[objectsPath] = reply{404, `[{"errorCode":"NOT_FOUND","message":"no"}]`, ""}
		}, "not_permitted"},
		{"an announced end", func(r map[string]reply) {
			r[objectsPath] = reply{200, accounts, "deprecated"}
		}, "deprecated_endpoint"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := healthy()
			tt.change(s.replies)
			got, _, err := s.probe(t)
			if err != nil || codes(got.Warnings) != tt.want {
				t.Errorf("got %+v and error %v, want %q", got.Warnings, err, tt.want)
			}
		})
	}
}

func TestProbeRefusals(t *testing.T) {
	expired := func(t *testing.T) string { return fixture(t, "expired_session") }
	text := func(s string) func(*testing.T) string { return func(*testing.T) string { return s } }
	tests := []struct {
		name, path string
		status     int
		body       func(*testing.T) string
		code       connectors.Code
		words      string
	}{
		{"session expired", queryPath, 401, expired, connectors.Reauthorize, "refused the access token: connect again"},
		{"session expired behind 403", queryPath, 403, expired, connectors.Reauthorize, "refused the access token"},
		{"bad token", userPath, 403, text("Bad_OAuth_Token"), connectors.Reauthorize, "refused the access token"},
		{"no token", userPath, 403, text("Missing_OAuth_Token\n"), connectors.Reauthorize, "refused the access token"},
		{"denied", userPath, 403, text(`{"error":"insufficient_scope","error_description":"no openid"}`), connectors.Reauthorize, "(insufficient_scope: no openid). Give the user"},
		{"used up", queryPath, 403, text(`[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]`), connectors.RateLimited, "used up its API requests"},
		{"busy", queryPath, 503, text(``), connectors.ProviderError, "status 503"},
		{"bad query", queryPath, 400, text(`[{"errorCode":"MALFORMED_QUERY","message":"unexpected token: x"}]`), connectors.ProviderError, "(MALFORMED_QUERY: unexpected token: x)"},
		{"no versions", versionsPath, 200, text(`[]`), connectors.ProviderError, "no list of versions"},
		{"versions without numbers", versionsPath, 200, text(`[{"version":"new"}]`), connectors.ProviderError, "without numbers"},
		{"another system", versionsPath, 404, text(`<html>`), connectors.NotFound, "check instance_url"},
		{"nobody", userPath, 200, text(`{}`), connectors.ProviderError, "a user without an id"},
		{"no objects", objectsPath, 200, text(`{"sobjects":[]}`), connectors.ProviderError, "a list of objects without any"},
		{"an object twice", objectsPath, 200, text(`{"sobjects":[{"name":"A"},{"name":"A"}]}`), connectors.ProviderError, "the object A twice"},
		{"an object without a name", objectsPath, 200, text(`{"sobjects":[{"name":"A/../B"}]}`), connectors.ProviderError, "without an API name"},
		{"only newer versions", versionsPath, 200, text(`[{"version":"90.0"}]`), connectors.Unsupported, "no longer has version 67.0"},
		{"too slow", queryPath, 400, text(`[{"errorCode":"QUERY_TIMEOUT","message":"x"}]`), connectors.Timeout, "gave up on the query"},
		{"no organization", queryPath, 200, text(`{"totalSize":0,"records":[]}`), connectors.ProviderError, "no organization"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := healthy()
			body := tt.body(t)
			for _, after := range map[string][]string{
				versionsPath: {userPath, queryPath, objectsPath}, userPath: {queryPath, objectsPath}, queryPath: {objectsPath},
			}[tt.path] {
				delete(s.replies, after)
			}
			s.replies[tt.path] = reply{tt.status, body, ""}
			_, _, err := s.probe(t)
			wantError(t, err, tt.code, tt.words)
		})
	}
}

// TestDenied tells a right that the user lacks from a token that is refused.
func TestDenied(t *testing.T) {
	for body, want := range map[string]bool{
		"Bad_OAuth_Token": false,
		`[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]`: false,
		`[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]`:                        true,
		"Bad_OAuth_Token or something else":                                           true,
	} {
		s := &orgServer{replies: map[string]reply{versionsPath: {200, versions, ""}, userPath: {403, body, ""}}}
		_, _, err := s.probe(t)
		if got := connectors.IsDenied(err); got != want || connectors.CodeOf(err) != connectors.Reauthorize {
			t.Errorf("%s: denied is %v (%v), want %v", body, got, err, want)
		}
	}
}
