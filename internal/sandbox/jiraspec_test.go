package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// What clients read of Jira beside lists of issues, directly and through the gateway.
func TestJiraOperationsMatchTheDocument(t *testing.T) {
	spec := jiraSpec(t)
	// The document's clauses have no properties of their own and forbid all others, so that none could be valid.
	spec.Components.Schemas["JqlQueryClause"].Value.AdditionalProperties.Has = nil
	// The recorded changelogs have null where a value has no id; the document does not say so.
	for _, member := range []string{"from", "to"} {
		spec.Components.Schemas["ChangeDetails"].Value.Properties[member].Value.Nullable = true
	}
	b := serveOAuth(t, Options{})
	mustChange(t, b.Server, "issue edit", "PAY-2", "")
	mustChange(t, b.Server, "issue archive", "PAY-4", "")
	token := b.connect(atlassianFlow, "scope", "read:jira-work write:jira-work read:jira-user offline_access").text(t, "access_token")
	gate := b.url + "/api/ex/jira/" + b.resources(token)[0].ID
	body := map[string]any{"body": json.RawMessage(paragraph("made by a test 支払い"))}
	const issue = "/rest/api/3/issue/{issueIdOrKey}"
	cases := []struct {
		method, template, address string
		status                    int
		body                      any
	}{
		{"POST", issue + "/comment", "/rest/api/3/issue/PAY-2/comment", 201, body},
		{"POST", issue + "/comment", "/rest/api/3/issue/PAY-2/comment", 400, map[string]any{"body": "not a document"}},
		{"POST", issue + "/comment", "/rest/api/3/issue/NO-2/comment", 404, body},
		{"GET", issue + "/comment", "/rest/api/3/issue/PAY-2/comment", 200, nil},
		{"GET", issue + "/comment/{id}", "/rest/api/3/issue/PAY-3/comment/140962", 200, nil},
		{"GET", issue + "/comment/{id}", "/rest/api/3/issue/PAY-3/comment/1", 404, nil},
		{"GET", issue, "/rest/api/3/issue/PAY-2?expand=changelog,names", 200, nil},
		{"GET", issue, "/rest/api/3/issue/PAY-4?fields=*all", 200, nil},
		{"GET", issue + "/changelog", "/rest/api/3/issue/PAY-2/changelog?maxResults=1", 200, nil},
		{"GET", issue + "/changelog", "/rest/api/3/issue/PAY-2/changelog?startAt=2", 200, nil},
		{"GET", issue + "/worklog", "/rest/api/3/issue/PAY-3/worklog", 200, nil},
		{"POST", "/rest/api/3/search/approximate-count", "/rest/api/3/search/approximate-count", 200, map[string]any{"jql": "project = PAY"}},
		{"POST", "/rest/api/3/search/approximate-count", "/rest/api/3/search/approximate-count", 400, map[string]any{"jql": "order by id"}},
		{"POST", "/rest/api/3/issue/bulkfetch", "/rest/api/3/issue/bulkfetch", 200, map[string]any{"issueIdsOrKeys": []string{"PAY-3", "10001", "NO-1"}, "expand": []string{"changelog"}}},
		{"POST", "/rest/api/3/issue/bulkfetch", "/rest/api/3/issue/bulkfetch", 400, map[string]any{}},
		{"POST", "/rest/api/3/jql/parse", "/rest/api/3/jql/parse?validation=strict", 200, map[string]any{"queries": []string{
			"project = PAY AND (status in (Done, 'To Do') OR NOT assignee is EMPTY) AND reporter = currentUser() ORDER BY updated DESC", "project =", "x = 1",
		}}},
		{"GET", "/rest/api/3/field", "/rest/api/3/field", 200, nil},
		{"GET", "/rest/api/3/project", "/rest/api/3/project", 200, nil},
	}
	count := 0
	for _, base := range []string{b.url + "/acme", gate} {
		for _, c := range cases {
			var sent bytes.Buffer
			if c.body != nil {
				_ = json.NewEncoder(&sent).Encode(c.body)
			}
			request, _ := http.NewRequestWithContext(t.Context(), c.method, base+c.address, &sent)
			if request.SetBasicAuth(DefaultEmail, DefaultToken); base == gate {
				request.Header.Set("Authorization", "Bearer "+token)
			}
			response, got := do(t, request)
			if response.StatusCode != c.status {
				t.Fatalf("%s %s: %d %s, want %d", c.method, c.address, response.StatusCode, got, c.status)
			}
			if c.status == http.StatusCreated {
				response.StatusCode = http.StatusOK
				checkBody(t, spec, issue+"/comment/{id}", http.MethodGet, response, got)
			} else {
				checkBody(t, spec, c.template, c.method, response, got)
			}
			count++
		}
	}
	_, got := get(t, b.url+"/acme/rest/api/3/issue/PAY-2/comment?orderBy=-created&maxResults=1")
	if !strings.Contains(string(got), "made by a test 支払い") {
		t.Errorf("a comment that was made is not the newest: %s", got)
	}
	if got := b.get("/acme/_edge/tenant_info", ""); got.text(t, "cloudId") != b.resources(token)[0].ID {
		t.Errorf("%d %s", got.status, got.body)
	}
	t.Logf("%d exchanges held against Atlassian's document", count)
}
