package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func (b *oauthBox) center(path string) reply {
	b.t.Helper()
	return b.get("/datacenter"+path, DefaultPersonalToken)
}

func TestDataCenterCredentials(t *testing.T) {
	b := serveOAuth(t, Options{})
	basic := map[string]string{"Authorization": "Basic eW91QGV4YW1wbGUuY29tOnNhbmRib3g="}
	cases := []struct {
		path, token string
		header      map[string]string
		want        int
		body        string
	}{
		{"/jira/rest/api/2/serverInfo", "", nil, 200, `"deploymentType":"Server"`},
		{"/jira/rest/api/2/myself", "", nil, 401, "not authenticated"},
		{"/jira/rest/api/2/myself", "wrong", nil, 401, "not authenticated"},
		{"/jira/rest/api/2/myself", "", basic, 401, "not authenticated"},
		{"/jira/rest/api/2/myself", "", map[string]string{"Authorization": "Token " + DefaultPersonalToken}, 401, "not authenticated"},
		{"/jira/rest/api/2/myself", DefaultPersonalToken, nil, 200, `"key":"JIRAUSER10000"`},
		{"/jira/rest/api/2/project", "", nil, 200, "[]"},
		{"/jira/rest/api/3/serverInfo", DefaultPersonalToken, nil, 404, "errorMessages"},
		{"/jira/rest/api/2/user?username=mia", DefaultPersonalToken, nil, 200, `"displayName":"Mia Krystof"`},
		{"/jira/rest/api/2/user?key=JIRAUSER10001", DefaultPersonalToken, nil, 200, `"name":"mia"`},
		{"/jira/rest/api/2/user?username=nobody", DefaultPersonalToken, nil, 404, "does not exist"},
		{"/confluence/rest/api/user/current", "", nil, 200, `"type":"anonymous"`},
		{"/confluence/rest/api/user/current", "wrong", nil, 401, `"statusCode":401`},
		{"/confluence/rest/api/user/current", DefaultPersonalToken, nil, 200, `"username":"you"`},
		{"/confluence/rest/api/user?key=jirauser10001", DefaultPersonalToken, nil, 200, `"username":"mia"`},
		{"/confluence/wiki/api/v2/spaces", DefaultPersonalToken, nil, 404, `"status":404`},
		{"/confluence/rest/api/space/NOPE", DefaultPersonalToken, nil, 404, `"statusCode":404`},
	}
	for _, c := range cases {
		header := c.header
		if c.token != "" {
			header = map[string]string{"Authorization": "Bearer " + c.token}
		}
		got := b.send(http.MethodGet, "/datacenter"+c.path, header, "")
		if got.status != c.want || !strings.Contains(string(got.body), c.body) {
			t.Errorf("%s with %q %v: %d %s", c.path, c.token, c.header, got.status, got.body)
		}
	}
}

// dcIssues is what a client reads of a page of issues.
type dcIssues struct {
	StartAt, MaxResults, Total int
	Issues                     []struct {
		ID, Key, Self string
		Fields        map[string]any
	}
}

// A page by offset is the same whether the site was changed or not.
func TestOffsetsInEveryOrder(t *testing.T) {
	w := testWorld(Options{Issues: 300, Projects: 3})
	for _, order := range []string{"id", "id DESC", "updated", "updated DESC", "key", "key DESC"} {
		pl := planOf(t, w, "created >= 0 ORDER BY "+order)
		all := runPlan(t, pl)
		for _, skip := range []int{0, 7, 295, 300, 400} {
			want := all[min(skip, len(all)):min(skip+10, len(all))]
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			if got := pl.slice(request, skip, 10); !slices.Equal(got, want) {
				t.Errorf("by %s after %d: %v, want %v", order, skip, got, want)
			}
		}
	}
}

// A Data Center has the same issues and comments as the Cloud, told in its own way.
func TestJiraDataCenter(t *testing.T) {
	b := serveOAuth(t, Options{Issues: 300, Projects: 3})
	mustChange(t, b.Server, "issue delete", "PAY-5", "")
	mustChange(t, b.Server, "issue edit", "PAY-6", "")
	want := b.Counts(0)
	var projects []struct{ Key, ID string }
	if got := b.center("/jira/rest/api/2/project"); json.Unmarshal(got.body, &projects) != nil || len(projects) != want.Projects {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for _, jql := range []string{"", "project in (PAY, OPS, WEB) ORDER BY updated DESC", `text !~ "zzzz" ORDER BY key`} {
		var ids []string
		for more := true; more; {
			var page dcIssues
			got := b.center(fmt.Sprintf("/jira/rest/api/2/search?fields=summary&startAt=%d&maxResults=70&jql=%s", len(ids), url.QueryEscape(jql)))
			if err := json.Unmarshal(got.body, &page); err != nil || got.status != 200 || page.StartAt != len(ids) || int64(page.Total) != want.Issues {
				t.Fatalf("%s: %d %v %.300s", jql, got.status, err, got.body)
			}
			for _, issue := range page.Issues {
				ids = append(ids, issue.ID)
			}
			more = len(page.Issues) > 0
		}
		if int64(distinct(t, ids)) != want.Issues {
			t.Errorf("%q: %d issues, want %d", jql, len(ids), want.Issues)
		}
	}
	var page dcIssues
	got := b.send(http.MethodPost, "/datacenter/jira/rest/api/2/search", map[string]string{"Authorization": "Bearer " + DefaultPersonalToken},
		`{"jql":"key = PAY-1","fields":["description","reporter","updated"],"maxResults":1}`)
	if err := json.Unmarshal(got.body, &page); err != nil || len(page.Issues) != 1 {
		t.Fatalf("%d %v %s", got.status, err, got.body)
	}
	text, _ := page.Issues[0].Fields["description"].(string)
	for _, part := range []string{"h2. ", "{code:go}", "{quote}", "----", "||", "[~", "* ", "{panel}"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in the description:\n%s", part, text)
		}
	}
	reporter, _ := page.Issues[0].Fields["reporter"].(map[string]any)
	if reporter["name"] == nil || reporter["accountId"] != nil || !strings.Contains(page.Issues[0].Self, "/datacenter/jira/rest/api/2/issue/") {
		t.Errorf("reporter %v, self %s", reporter, page.Issues[0].Self)
	}
	made := b.send(http.MethodPost, "/datacenter/jira/rest/api/2/issue/PAY-3/comment", map[string]string{"Authorization": "Bearer " + DefaultPersonalToken}, `{"body":"made *here*"}`)
	var notes struct {
		Total    int
		Comments []struct{ ID, Body string }
	}
	all := b.center("/jira/rest/api/2/issue/PAY-3/comment")
	if err := json.Unmarshal(all.body, &notes); err != nil || made.status != 201 || notes.Total != crowdedComments+1 || notes.Comments[notes.Total-1].Body != "made *here*" {
		t.Errorf("%d %v, %d comments of %d", made.status, err, len(notes.Comments), notes.Total)
	}
	for path, want := range map[string]int{
		"/search?jql=project%20%3D": 400, "/search?startAt=-1": 400, "/issue/NO-1": 404, "/issue/PAY-5": 404, "/issue/PAY-6?expand=changelog": 200,
		"/issue/PAY-1/comment?startAt=x": 400, "/project/PAY": 200, "/project/NO": 404, "/field": 200,
	} {
		if got := b.center("/jira/rest/api/2" + path); got.status != want {
			t.Errorf("%s: %d %.200s", path, got.status, got.body)
		}
	}
}

// offsets reads a listing of version 1 to its end by start and limit, held against the document of the Cloud.
func (x *exchanges) offsets(template, address string) []string {
	x.t.Helper()
	var ids []string
	for next := address; next != ""; {
		var page firstPage
		if err := json.Unmarshal(x.get(template, next), &page); err != nil {
			x.t.Fatal(err)
		}
		if page.Start != len(ids) || page.Size != len(page.Results) {
			x.t.Fatalf("%s: %+v after %d", next, page, len(ids))
		}
		for _, one := range page.Results {
			ids = append(ids, one.ID+one.Content.ID)
		}
		next = page.Links.Next
	}
	return ids
}

func TestConfluenceDataCenter(t *testing.T) {
	b := serveOAuth(t, Options{Pages: 300})
	want := b.Counts(0)
	x := newExchanges(t, b.url+"/datacenter/confluence", DefaultPersonalToken)
	const list, search = "/wiki/rest/api/content/search", "/wiki/rest/api/search"
	pages := x.offsets(list, "/rest/api/content?limit=70&expand=body.storage,version,space,history,ancestors")
	posts := x.offsets(list, "/rest/api/content?type=blogpost&limit=7")
	if int64(distinct(t, pages)) != want.Pages+want.ArchivedPages || int64(distinct(t, posts)) != want.BlogPosts {
		t.Errorf("%d pages, %d posts, the sandbox counts %+v", len(pages), len(posts), want)
	}
	if got := len(x.offsets(list, "/rest/api/content?status=trashed")); int64(got) != want.TrashedPages {
		t.Errorf("%d in the trash", got)
	}
	deep, walked := int64(0), int64(0)
	for _, id := range append(pages, posts...) {
		deep += int64(len(x.offsets(list, "/rest/api/content/"+id+"/child/comment?depth=all&limit=100")))
		open := x.offsets(list, "/rest/api/content/"+id+"/child/comment?location=footer&expand=body.storage,version,ancestors,container")
		for ; len(open) > 0; open = open[1:] {
			walked++
			open = append(open, x.offsets(list, "/rest/api/content/"+open[0]+"/child/comment")...)
		}
	}
	if deep != want.FooterComments+want.InlineComments || walked != want.FooterComments {
		t.Errorf("%d comments, %d footer comments by walking, the sandbox counts %+v", deep, walked, want)
	}
	if got := x.offsets(list, "/rest/api/content/search?limit=90&cql="+url.QueryEscape("type = page order by lastmodified")); len(got) != len(pages) {
		t.Errorf("a search finds %d pages", len(got))
	}
	if got := x.offsets(search, "/rest/api/search?limit=100&cql="+url.QueryEscape("type = comment")); int64(distinct(t, got)) != deep {
		t.Errorf("a search finds %d comments", len(got))
	}
	var spaces struct {
		Size  int
		Links struct{ Next string } `json:"_links"`
	}
	if err := json.Unmarshal(b.center("/confluence/rest/api/space?limit=2&start=4").body, &spaces); err != nil || spaces.Size != 1 || spaces.Links.Next != "" {
		t.Errorf("%v %+v", err, spaces)
	}
	made := b.send(http.MethodPost, "/datacenter/confluence/rest/api/content", map[string]string{"Authorization": "Bearer " + DefaultPersonalToken},
		`{"type":"comment","container":{"id":"`+pages[0]+`","type":"page"},"body":{"storage":{"value":"<p>here</p>","representation":"storage"}}}`)
	id := made.text(t, "id")
	if got := x.offsets(list, "/rest/api/content/"+pages[0]+"/child/comment?limit=200"); got[len(got)-1] != id {
		t.Errorf("the new comment %s is not among %q", id, got)
	}
	for path, want := range map[string]int{"/content?type=comment": 400, "/content?status=lost": 400, "/content?spaceKey=NO": 404, "/content/1": 404, "/content/search?cql=x": 400, "/content/" + pages[1]: 200} {
		if got := b.center("/confluence/rest/api" + path); got.status != want {
			t.Errorf("%s: %d %.200s", path, got.status, got.body)
		}
	}
	t.Logf("%d exchanges held against Atlassian's document of version 1", x.count)
}
