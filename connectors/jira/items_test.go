package jira

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

func issueJSON(id int, updated string) string {
	return fmt.Sprintf(`{"id":"%d","key":"PAY-%d","fields":{"summary":"Issue %d","project":{"key":"PAY"},"status":{"name":"Done"},`+
		`"issuetype":{"name":"Bug"},"priority":{"name":"High"},"assignee":null,"reporter":{"displayName":"Ann","accountId":"5b"},`+
		`"created":"2026-04-01T10:00:00.000+0200","updated":"%s","customfield_1": 1.10e1 }}`, id, id, id, updated)
}

const april = "2026-04-28T15:33:15.492+0200"

func searchBody(next string, issues ...string) reply {
	tail := `"isLast":true}`
	if next != "" {
		tail = `"isLast":false,"nextPageToken":"` + next + `"}`
	}
	return ok(`{"issues":[` + strings.Join(issues, ",") + `],` + tail)
}

func itemIDs(list []connectors.Item) string {
	var ids []string
	for _, it := range list {
		ids = append(ids, it.ID)
	}
	return strings.Join(ids, " ")
}

func TestListItems(t *testing.T) {
	s := newSite(t).on(searchPath, searchBody("", issueJSON(7, april)))
	got, err := s.driver().ListItems(bg(), connectors.ItemQuery{Limit: 200, ContainerID: "PAY"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := got.Items[0].AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"7","name":"Issue 7","containerId":"PAY","type":"issue","url":"` + s.url + `/browse/PAY-7",` +
		`"createdAt":"2026-04-01T08:00:00Z","updatedAt":"2026-04-28T13:33:15.492Z","meta":{"key":"PAY-7","status":"Done",` +
		`"issueType":"Bug","priority":"High","assignee":null,"reporter":"Ann","created":"2026-04-01T08:00:00Z","updated":"2026-04-28T13:33:15.492Z"}}`
	if string(data) != want {
		t.Errorf("got\n%s\nwant\n%s", data, want)
	}
	asked := s.requests(searchPath)[0]
	wantAsked := searchRequest{JQL: `project = "PAY" ORDER BY created ASC, key ASC`, MaxResults: 100, Fields: fieldNames}
	if asked.method != http.MethodPost || !reflect.DeepEqual(asked.body, wantAsked) {
		t.Errorf("asked %+v, want %+v", asked, wantAsked)
	}
}

func TestListItemsPages(t *testing.T) {
	s := newSite(t).on(searchPath, searchBody("t1", issueJSON(1, april), issueJSON(2, april)), searchBody("t2"), searchBody("", issueJSON(3, april)))
	var got []connectors.Item
	for page, err := range s.conn().AllItems(bg(), connectors.ItemQuery{Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Items...)
	}
	if itemIDs(got) != "1 2 3" {
		t.Errorf("got %s", itemIDs(got))
	}
	var tokens []string
	for _, a := range s.requests(searchPath) {
		tokens = append(tokens, a.body.NextPageToken)
	}
	if want := []string{"", "t1", "t2"}; !slices.Equal(tokens, want) {
		t.Errorf("tokens %q, want %q", tokens, want)
	}
}

func TestListItemsRepeatedToken(t *testing.T) {
	s := newSite(t).on(searchPath, searchBody("t1", issueJSON(1, april)), searchBody("t1", issueJSON(1, april)))
	var last error
	for _, err := range s.conn().AllItems(bg(), connectors.ItemQuery{Limit: 2}) {
		last = err
	}
	wantError(t, last, connectors.ProviderError, "same page token twice")
}

// TestListItemsCycle has tokens that come again after others.
func TestListItemsCycle(t *testing.T) {
	s := newSite(t).on(searchPath, searchBody("t1", issueJSON(1, april)), searchBody("t2", issueJSON(2, april)), searchBody("t1", issueJSON(1, april)))
	var last error
	for _, err := range s.conn().AllItems(bg(), connectors.ItemQuery{Limit: 2}) {
		last = err
	}
	wantError(t, last, connectors.ProviderError, "same page token twice")
}

func TestListItemsEmptyPagesWithoutEnd(t *testing.T) {
	s := newSite(t)
	for i := range maxEmptySearches + 1 {
		s.on(searchPath, searchBody("t"+strconv.Itoa(i)))
	}
	var last error
	for _, err := range s.conn().AllItems(bg(), connectors.ItemQuery{Limit: 2}) {
		last = err
	}
	wantError(t, last, connectors.ProviderError, "101 empty pages in a row")
}

func TestListItemsSameTokenOnEmptyPage(t *testing.T) {
	s := newSite(t).on(searchPath, searchBody("t1"))
	_, err := s.driver().ListItems(bg(), connectors.ItemQuery{Limit: 2, Cursor: "0..t1"})
	wantError(t, err, connectors.ProviderError, "same page token twice")
}

func TestBadPlaces(t *testing.T) {
	for _, cur := range []connectors.Cursor{"t", ".t", "0.", "0", "0.t", "0..", "-1..t", "x..t", "99999..t", "0.*.t", "0.AAAA.t"} {
		_, err := newSite(t).driver().ListItems(bg(), connectors.ItemQuery{Limit: 1, Cursor: cur})
		wantError(t, err, connectors.InvalidRequest, "start without one")
	}
}

// TestListItemsLastPage has the ways in which Jira says that a page is the last.
func TestListItemsLastPage(t *testing.T) {
	for name, tail := range map[string]string{"isLast": `"isLast":true`, "isLast beside a token": `"isLast":true,"nextPageToken":"t"`, "no token": `"warnings":[]`, "null token": `"nextPageToken":null`} {
		t.Run(name, func(t *testing.T) {
			d := newSite(t).on(searchPath, ok(`{"issues":[`+issueJSON(1, april)+`],`+tail+`}`)).driver()
			got, err := d.ListItems(bg(), connectors.ItemQuery{Limit: 2})
			if err != nil || got.Next != "" || len(got.Items) != 1 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestListItemsRawAndWide(t *testing.T) {
	raw := issueJSON(1, april)
	s := newSite(t).on(searchPath, searchBody("", raw))
	d := s.driver()
	got, err := d.ListItems(bg(), connectors.ItemQuery{Limit: 2, Raw: true})
	if err != nil || string(got.Items[0].Raw) != raw {
		t.Errorf("got %s, %v, want %s", got.Items[0].Raw, err, raw)
	}
	got, err = d.ListItems(bg(), connectors.ItemQuery{Limit: 2, Wide: true})
	if err != nil || got.Items[0].Raw != nil || got.Items[0].Meta.Get("description") != "" || len(got.Items[0].Meta) != 18 {
		t.Errorf("got %+v, %v", got.Items[0], err)
	}
	asked := s.requests(searchPath)
	if !slices.Equal(asked[0].body.Fields, []string{"*all"}) || !slices.Contains(asked[1].body.Fields, "description") {
		t.Errorf("asked for %v and %v", asked[0].body.Fields, asked[1].body.Fields)
	}
}

func TestListItemsUpdatedAfter(t *testing.T) {
	after := time.Date(2026, 4, 28, 13, 33, 15, 492_700_000, time.UTC)
	s := newSite(t).on(searchPath, searchBody("t",
		issueJSON(1, "2026-04-28T15:33:15.491+0200"), issueJSON(2, "2026-04-28T15:33:15.492+0200"), issueJSON(3, "2026-04-28T13:34:00.000+0000"), issueJSON(4, "soon")))
	got, err := s.driver().ListItems(bg(), connectors.ItemQuery{Limit: 5, UpdatedAfter: after})
	if err != nil || itemIDs(got.Items) != "2 3 4" || !strings.HasSuffix(string(got.Next), ".t") {
		t.Errorf("got %s, next %q, %v", itemIDs(got.Items), got.Next, err)
	}
	want := fmt.Sprintf("updated >= %d ORDER BY updated ASC, key ASC", after.UnixMilli()-120_000)
	if jql := s.requests(searchPath)[0].body.JQL; jql != want {
		t.Errorf("asked %q, want %q", jql, want)
	}
}

func TestListItemsOfRecordedSite(t *testing.T) {
	var old struct{ Issues json.RawMessage }
	if err := json.Unmarshal([]byte(fixture(t, "goatl-search-issues.json")), &old); err != nil {
		t.Fatal(err)
	}
	d := newSite(t).on(searchPath, ok(`{"isLast":true,"issues":`+string(old.Issues)+`}`)).driver()
	got, err := d.ListItems(bg(), connectors.ItemQuery{Limit: 50, Raw: true, Wide: true})
	if err != nil || len(got.Items) != 18 {
		t.Fatalf("%d items, %v", len(got.Items), err)
	}
	for _, it := range got.Items {
		if !strings.Contains(string(old.Issues), string(it.Raw)) || it.ContainerID != "KP" || it.CreatedAt == nil || it.UpdatedAt == nil || it.Name == "" {
			t.Errorf("got %+v", it)
		}
	}
}

func TestListItemsNonsense(t *testing.T) {
	tests := []struct {
		name, fixture, body, words string
	}{
		{"removed search", "goatl-search-issues.json", "", "removed in 2025"},
		{"removed search of version 2", "goatl-issue-search-v2.json", "", "removed in 2025"},
		{"issues without ids", "jiracli-search.json", "", "without an id"},
		{"no issues", "", `{"isLast":true}`, "without issues"},
		{"null issues", "", `{"issues":null,"isLast":true}`, "without issues"},
		{"more and no token", "", `{"issues":[],"isLast":false}`, "names none"},
		{"too many", "", `{"issues":[` + strings.Repeat(issueJSON(1, april)+",", 50) + issueJSON(1, april) + `],"isLast":true}`, "more issues"},
		{"not an issue", "", `{"issues":[7],"isLast":true}`, "another shape"},
		{"summary of another type", "", `{"issues":[{"id":"1","key":"A-1","fields":{"summary":{}}}],"isLast":true}`, "another shape"},
		{"a list", "", `[]`, "another shape"},
		{"two values", "", `{"issues":[],"isLast":true}{}`, "more than one"},
		{"not JSON", "", `hello`, "not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := tt.body
			if tt.fixture != "" {
				body = fixture(t, tt.fixture)
			}
			_, err := newSite(t).on(searchPath, ok(body)).driver().ListItems(bg(), connectors.ItemQuery{Limit: 50})
			wantError(t, err, connectors.ProviderError, tt.words)
		})
	}
}

func TestListItemsRefusals(t *testing.T) {
	bad := status(400, `{"errorMessages":["Der Wert 'X' existiert nicht für das Feld 'project'. `+token+`"],"errors":{"jql":"bad\u001b[31m"}}`)
	tests := []struct {
		name  string
		query connectors.ItemQuery
		site  func(*site)
		code  connectors.Code
		words string
	}{
		{"bad query", connectors.ItemQuery{Query: "x = 1"}, func(s *site) { s.on(searchPath, bad) }, connectors.InvalidRequest, "existiert nicht für das Feld 'project'. [redacted]; jql: bad [31m"},
		{"cursor that expired", connectors.ItemQuery{Cursor: "0..t"}, func(s *site) { s.on(searchPath, bad) }, connectors.InvalidRequest, "no longer accepts the cursor"},
		{"unknown project", connectors.ItemQuery{ContainerID: "NOPE"}, func(s *site) {
			s.on(searchPath, bad).on("/rest/api/3/project/NOPE", status(404, `{"errorMessages":["No project"]}`))
		}, connectors.NotFound, `no project "NOPE"`},
		{"impossible project", connectors.ItemQuery{ContainerID: ".."}, func(*site) {}, connectors.NotFound, `no project ".."`},
		{"known project", connectors.ItemQuery{ContainerID: "PAY", Query: "x = 1"}, func(s *site) {
			s.on(searchPath, bad).on("/rest/api/3/project/PAY", ok(projectJSON("PAY")))
		}, connectors.InvalidRequest, "existiert nicht"},
		{"project that cannot be asked for", connectors.ItemQuery{ContainerID: "PAY"}, func(s *site) {
			s.on(searchPath, bad).on("/rest/api/3/project/PAY", status(500, ``))
		}, connectors.InvalidRequest, "existiert nicht"},
		{"unbalanced query", connectors.ItemQuery{Query: "a = 1) OR (b = 2"}, func(*site) {}, connectors.InvalidRequest, "query: a bracket is closed"},
		{"removed", connectors.ItemQuery{}, func(s *site) {
			s.on(searchPath, status(410, `{"errorMessages":["The requested API has been removed."]}`))
		}, connectors.ProviderError, "has been removed"},
		{"rate limited", connectors.ItemQuery{}, func(s *site) { s.on(searchPath, status(429, "").with("Retry-After", "7")) }, connectors.RateLimited, "try again in 7s"},
		{"refused with 200", connectors.ItemQuery{}, func(s *site) {
			s.on(searchPath, searchBody("", issueJSON(1, april)).with(loginReason, "AUTHENTICATED_FAILED"))
		}, connectors.Reauthorize, "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			tt.site(s)
			tt.query.Limit = 50
			_, err := s.driver().ListItems(bg(), tt.query)
			wantError(t, err, tt.code, tt.words)
		})
	}
}
