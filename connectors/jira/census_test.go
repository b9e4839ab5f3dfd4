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
	bulkPath  = "/rest/api/3/issue/bulkfetch"
	countPath = "/rest/api/3/search/approximate-count"
)

func TestListIDs(t *testing.T) {
	s := newSite(t).on(searchPath, searchBody("t1", `{"id":"1"}`, `{"id":"2"}`), searchBody("", `{"id":"3"}`))
	d := s.driver()
	first, err := d.ListIDs(bg(), connectors.IDQuery{ContainerID: "PAY"})
	if err != nil || strings.Join(first.Items, " ") != "1 2" {
		t.Fatalf("got %v, %v", first, err)
	}
	last, err := d.ListIDs(bg(), connectors.IDQuery{ContainerID: "PAY", Cursor: first.Next})
	if err != nil || strings.Join(last.Items, " ") != "3" || last.Next != "" {
		t.Errorf("got %v, %v", last, err)
	}
	asked := s.requests(searchPath)[0].body
	if asked.JQL != `project = "PAY" ORDER BY created ASC, key ASC` || asked.MaxResults != 5000 || fmt.Sprint(asked.Fields) != "[id]" {
		t.Errorf("asked %+v", asked)
	}
	_, err = d.ListIDs(bg(), connectors.IDQuery{ContainerID: `X" OR "a`})
	wantError(t, err, connectors.NotFound, "no project")
	_, err = newSite(t).on(searchPath, searchBody("", `{"key":"PAY-1"}`)).driver().ListIDs(bg(), connectors.IDQuery{ContainerID: "PAY"})
	wantError(t, err, connectors.ProviderError, "without an id")
	// A stranger sees an empty project: that must not look as if everything was deleted.
	_, err = newSite(t).on(searchPath, searchBody("")).on(myselfPath, status(401, "{}")).driver().ListIDs(bg(), connectors.IDQuery{ContainerID: "PAY"})
	wantError(t, err, connectors.Reauthorize, "refused")
}

func TestResolveAbsences(t *testing.T) {
	project := func(key string) string { return `"project":{"key":"` + key + `"}` }
	issues := ok(`{"issues":[{"id":"1","key":"PAY-1","fields":{` + project("PAY") + `}},{"id":"2","key":"OPS-2","fields":{` + project("OPS") +
		`}},{"id":"3","key":"PAY-3","fields":{` + project("PAY") + `,"archiveddate":"2026-01-01T00:00:00.000+0000"}}],"issueErrors":[]}`)
	for name, tt := range map[string]struct {
		project string // what the search for archived and deleted projects finds
		want    string
	}{
		"a live project":      {"", "1 present, 2 moved OPS, 3 archived, 4 gone"},
		"an archived project": {`{"key":"PAY","archived":true}`, "1 present, 2 moved OPS, 3 archived, 4 archived"},
		"a deleted project":   {`{"key":"PAY","deleted":true}`, "1 present, 2 moved OPS, 3 archived, 4 deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t).on(bulkPath, issues).on(myselfPath, ok(me)).on(projectsPath, ok(`{"values":[`+tt.project+`],"startAt":0,"isLast":true}`))
			got, err := s.driver().ResolveAbsences(bg(), "PAY", []string{"1", "2", "3", "4"})
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, a := range got {
				out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", a.ID, a.Reason, a.ContainerID)))
			}
			if strings.Join(out, ", ") != tt.want {
				t.Errorf("got %s, want %s", strings.Join(out, ", "), tt.want)
			}
		})
	}
}

// TestResolveAbsencesNeverGuesses has the answers that must not become "gone".
func TestResolveAbsencesNeverGuesses(t *testing.T) {
	for name, tt := range map[string]struct {
		site func(*site)
		ids  []string
		code connectors.Code
	}{
		"a stranger": {func(s *site) {
			s.on(bulkPath, ok(`{"issues":[],"issueErrors":[]}`)).on(myselfPath, status(401, "{}"))
		}, []string{"1"}, connectors.Reauthorize},
		"an error in its place": {func(s *site) {
			s.on(bulkPath, ok(`{"issues":[],"issueErrors":[{"id":"1","errorMessage":"try again"}]}`))
		}, []string{"1"}, connectors.ProviderError},
		"no list":             {func(s *site) { s.on(bulkPath, ok(`{}`)) }, []string{"1"}, connectors.ProviderError},
		"down":                {func(s *site) { s.on(bulkPath, status(500, "")) }, []string{"1"}, connectors.ProviderError},
		"an issue of nowhere": {func(s *site) { s.on(bulkPath, ok(`{"issues":[{"id":"1","key":"PAY-1","fields":{}}]}`)) }, []string{"1"}, connectors.ProviderError},
		"a hostile id":        {func(*site) {}, []string{"1/../2"}, connectors.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			tt.site(s)
			got, err := s.driver().ResolveAbsences(bg(), "PAY", tt.ids)
			if connectors.CodeOf(err) != tt.code {
				t.Errorf("got %v, %v, want %s", got, err, tt.code)
			}
		})
	}
}

func TestServerAbsences(t *testing.T) {
	d := dcDriver(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/rest/api/2/issue/1":
			send(w, 200, `{"id":"1","key":"PAY-1","fields":{"project":{"key":"PAY"}}}`)
		case "/rest/api/2/issue/2":
			send(w, 200, `{"id":"2","key":"PAY-2","fields":{"project":{"key":"PAY"},"archiveddate":"2026-01-01T00:00:00.000+0000"}}`)
		case "/rest/api/2/myself":
			send(w, 200, serverMe)
		default:
			refuse(w, 404, "Issue Does Not Exist")
		}
	}))
	got, err := d.ResolveAbsences(bg(), "PAY", []string{"1", "2", "3"})
	if err != nil || fmt.Sprint(got) != "[{1 present } {2 archived } {3 gone }]" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEstimates(t *testing.T) {
	s := newSite(t).on(countPath, ok(`{"count":2501}`)).on(projectsPath, ok(`{"values":[],"startAt":0,"isLast":false,"total":7}`)).
		on("/rest/api/3/issue/PAY-1/comment", ok(`{"comments":[],"startAt":0,"maxResults":1,"total":301}`))
	d := s.driver()
	items, err := d.EstimateItems(bg(), connectors.ItemQuery{ContainerID: "PAY", Limit: 200, UpdatedAfter: time.UnixMilli(2_000_000_000)})
	if want := (connectors.Estimate{Entries: 2501, Requests: 26}); err != nil || items != want {
		t.Errorf("items: got %+v, %v", items, err)
	}
	projects, err := d.EstimateContainers(bg(), connectors.ContainerQuery{Limit: 5})
	if want := (connectors.Estimate{Entries: 7, Exact: true, Requests: 2}); err != nil || projects != want {
		t.Errorf("projects: got %+v, %v", projects, err)
	}
	comments, err := d.EstimateComments(bg(), connectors.CommentQuery{ItemID: "PAY-1", Limit: 100})
	if want := (connectors.Estimate{Entries: 301, Exact: true, Requests: 4}); err != nil || comments != want {
		t.Errorf("comments: got %+v, %v", comments, err)
	}
	d.metered = true
	if e := d.cost(2501, false, 100); e.Points != 2501+26 {
		t.Errorf("by OAuth: got %d points", e.Points)
	}
	_, err = d.EstimateItems(bg(), connectors.ItemQuery{Query: "a = 1)", Limit: 1})
	wantError(t, err, connectors.InvalidRequest, "bracket")
}

// TestChangesKnowAgain has a page of changes begin with what the last one ended with.
func TestChangesKnowAgain(t *testing.T) {
	later := "2026-04-28T16:00:00.000+0200"
	s := newSite(t).on(searchPath, searchBody("t1", issueJSON(1, april), issueJSON(2, april)), searchBody("t2", issueJSON(2, april), issueJSON(3, april), issueJSON(1, later)), searchBody("", issueJSON(1, later))).on(myselfPath, ok(me))
	var got []string
	for page, err := range s.conn().AllItems(bg(), connectors.ItemQuery{Limit: 5, UpdatedAfter: time.UnixMilli(2_000_000_000)}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, itemIDs(page.Items))
	}
	if strings.Join(got, "|") != "1 2|3 1|" {
		t.Errorf("got %v: what came again without a change is left out, a new version is not", got)
	}
}

func TestProbeNotices(t *testing.T) {
	gone := status(410, `{"errorMessages":["The requested API has been removed."],"errors":{}}`)
	for name, tt := range map[string]struct {
		site func(*site)
		want string
	}{
		"search removed": {func(s *site) {
			s.on(projectsPath, ok(`{"values":[],"isLast":true}`)).on(searchPath, gone)
		}, "removed_endpoint issues cannot be read"},
		"projects announced": {func(s *site) {
			s.on(projectsPath, ok(`{"values":[],"isLast":true}`).with("Link", `<https://developer.atlassian.com/changelog/#CHANGE-1>; rel="deprecation"`)).on(searchPath, searchBody(""))
		}, "deprecated_endpoint Jira will remove GET /rest/api/3/project/search"},
		"comments forbidden": {func(s *site) {
			s.on(projectsPath, ok(`{"values":[],"isLast":true}`)).on(searchPath, searchBody("", issueJSON(7, april))).
				on("/rest/api/3/issue/7/comment", status(403, "{}"))
		}, "not_permitted comments cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t).on(serverInfoPath, ok(cloudInfo)).on(myselfPath, ok(me))
			tt.site(s)
			got, err := s.driver().Probe(bg())
			if err != nil || len(got.Warnings) != 1 || !strings.HasPrefix(got.Warnings[0].Code+" "+got.Warnings[0].Message, tt.want) {
				t.Errorf("got %+v, %v, want %s", got.Warnings, err, tt.want)
			}
		})
	}
}
