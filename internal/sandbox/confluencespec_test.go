package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// exchanges holds what a sandbox answers against Atlassian's documents, and counts.
type exchanges struct {
	t     *testing.T
	base  string // of the site or the gateway
	token string // a bearer token; without one, the site's credentials
	v1    *openapi3.T
	v2    *openapi3.T
	count int
}

func newExchanges(t *testing.T, base, token string) *exchanges {
	t.Helper()
	openapi3.DefineStringFormatValidator("date-time", openapi3.NewRegexpFormatValidator(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:?\d\d)$`))
	x := &exchanges{t: t, base: base, token: token, v1: confluenceSpec(t, 1), v2: confluenceSpec(t, 2)}
	// Where the description says that a value may be null, the schema of version 2 often does not.
	for _, of := range x.v2.Components.Schemas {
		for name, property := range of.Value.Properties {
			if strings.Contains(strings.ToLower(property.Value.Description), "null") || name == "parentType" {
				property.Value.Nullable = true
			}
		}
	}
	return x
}

// ask sends a request and holds the answer against the document's schema for the path and status.
func (x *exchanges) ask(method, template, address string, status int, body any) []byte {
	x.t.Helper()
	spec, prefix := x.v2, "/wiki/api/v2"
	if strings.HasPrefix(template, "/wiki/") {
		spec, prefix = x.v1, ""
	}
	var sent bytes.Buffer
	if body != nil {
		_ = json.NewEncoder(&sent).Encode(body)
	}
	request, err := http.NewRequestWithContext(x.t.Context(), method, x.base+prefix+address, &sent)
	if err != nil {
		x.t.Fatal(err)
	}
	request.SetBasicAuth(DefaultEmail, DefaultToken)
	if x.token != "" {
		request.Header.Set("Authorization", "Bearer "+x.token)
	}
	response, got := do(x.t, request)
	if response.StatusCode != status {
		x.t.Fatalf("%s %s: status %d, want %d: %s", method, address, response.StatusCode, status, got)
	}
	x.count++
	item := spec.Paths.Value(template)
	if item == nil || item.GetOperation(method) == nil {
		x.t.Fatalf("the document has no %s %s", method, template)
	}
	answer := item.GetOperation(method).Responses.Status(status)
	var value any
	if err := json.Unmarshal(got, &value); err != nil {
		x.t.Fatalf("%s %s: %v", method, address, err)
	}
	if answer == nil || answer.Value.Content.Get("application/json") == nil {
		if status < http.StatusBadRequest {
			x.t.Fatalf("the document has no body for %s %s", method, template)
		}
		return got
	}
	schema := answer.Value.Content.Get("application/json").Schema.Value
	if err := schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsResponse()); err != nil {
		x.t.Errorf("%s %s: %v", method, address, err)
	}
	return got
}

func (x *exchanges) get(template, address string) []byte {
	x.t.Helper()
	return x.ask(http.MethodGet, template, address, http.StatusOK, nil)
}

// wikiPage is what a client reads of a page of version 2.
type wikiPage struct {
	Results []struct {
		ID, Status, Title, SpaceID, PageID, BlogPostID, ParentCommentID string
		Version                                                         struct{ Number int }
		Body                                                            map[string]struct{ Representation, Value string }
	}
	Links struct{ Next, Base string } `json:"_links"`
}

// walk follows a listing to its end by the cursor alone and returns the ids.
func (x *exchanges) walk(template, address string) []string {
	x.t.Helper()
	var ids []string
	for to := address; ; {
		var page wikiPage
		if err := json.Unmarshal(x.get(template, to), &page); err != nil {
			x.t.Fatal(err)
		}
		for _, one := range page.Results {
			ids = append(ids, one.ID)
		}
		if page.Links.Next == "" {
			return ids
		}
		next, err := url.Parse(page.Links.Next)
		if err != nil || !strings.HasPrefix(next.Path, "/wiki/api/v2/") {
			x.t.Fatalf("next %q", page.Links.Next)
		}
		joint := "?"
		if strings.Contains(address, "?") {
			joint = "&"
		}
		to = address + joint + "cursor=" + url.QueryEscape(next.Query().Get("cursor"))
	}
}

func distinct(t *testing.T, ids []string) int {
	t.Helper()
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("%s comes twice", id)
		}
		seen[id] = true
	}
	return len(seen)
}

// A thousand pages with their comments, read to the end in every way, are those that the sandbox counts.
func TestConfluenceIsReadWhole(t *testing.T) {
	b := serveOAuth(t, Options{Pages: 1000, Comments: 4})
	x := newExchanges(t, b.url+"/acme", "")
	want := b.Counts(0)
	for name, c := range map[string]struct {
		template, address string
		want              int64
	}{
		"spaces":          {"/spaces", "/spaces?limit=2", int64(want.Spaces)},
		"pages":           {"/pages", "/pages?limit=250&status=current", want.Pages},
		"archived":        {"/pages", "/pages?limit=100&status=archived", want.ArchivedPages},
		"trashed":         {"/pages", "/pages?limit=7&status=trashed&sort=-modified-date", want.TrashedPages},
		"default":         {"/pages", "/pages?limit=250&body-format=storage", want.Pages + want.ArchivedPages},
		"by title":        {"/pages", "/pages?limit=250&sort=-title&body-format=atlas_doc_format", want.Pages + want.ArchivedPages},
		"blog posts":      {"/blogposts", "/blogposts?limit=20&body-format=storage", want.BlogPosts},
		"trashed posts":   {"/blogposts", "/blogposts?status=trashed", want.TrashedBlogPosts},
		"footer comments": {"/footer-comments", "/footer-comments?limit=250&sort=-modified-date&body-format=storage", want.FooterComments},
		"inline comments": {"/inline-comments", "/inline-comments?limit=250&sort=created-date&body-format=atlas_doc_format", want.InlineComments},
	} {
		if got := distinct(t, x.walk(c.template, c.address)); int64(got) != c.want || c.want == 0 {
			t.Errorf("%s: %d, the sandbox counts %d", name, got, c.want)
		}
	}
	ids := x.walk("/pages", "/pages?limit=250")
	for _, id := range x.walk("/blogposts", "/blogposts?limit=250") {
		ids = append(ids, "b"+id)
	}
	perSpace := 0
	for _, space := range x.walk("/spaces", "/spaces") {
		perSpace += len(x.walk("/spaces/{id}/pages", "/spaces/"+space+"/pages?limit=250"))
		perSpace += len(x.walk("/spaces/{id}/blogposts", "/spaces/"+space+"/blogposts?limit=250"))
	}
	if perSpace != len(ids) {
		t.Errorf("%d in the spaces, %d in all", perSpace, len(ids))
	}
	notes := map[bool]int64{}
	for _, id := range ids {
		notes[false] += x.threads(id, "footer-comments")
		notes[true] += x.threads(id, "inline-comments")
	}
	if notes[false] != want.FooterComments || notes[true] != want.InlineComments {
		t.Errorf("threads have %v comments, the sandbox counts %+v", notes, want)
	}
	t.Logf("%d exchanges held against Atlassian's documents", x.count)
}

// threads counts the comments of a page, or with a b in front of a blog post, by walking down.
func (x *exchanges) threads(id, sort string) int64 {
	x.t.Helper()
	kind := "pages"
	if post, is := strings.CutPrefix(id, "b"); is {
		id, kind = post, "blogposts"
	}
	below := x.walk("/"+kind+"/{id}/"+sort, "/"+kind+"/"+id+"/"+sort)
	n := int64(0)
	for len(below) > 0 {
		n++
		below = append(below[1:], x.walk("/"+sort+"/{id}/children", "/"+sort+"/"+below[0]+"/children")...)
	}
	return n
}

func TestConfluenceSinglesMatchTheDocuments(t *testing.T) {
	b := serveOAuth(t, Options{})
	token := b.connect(atlassianFlow, "scope", wikiScopes).text(t, "access_token")
	direct := newExchanges(t, b.url+"/acme", "")
	through := newExchanges(t, b.url+"/api/ex/confluence/"+b.resources(token)[0].ID, token)
	for _, x := range []*exchanges{direct, through} {
		space := x.walk("/spaces", "/spaces?include-icon=true&description-format=plain")[0]
		x.get("/spaces/{id}", "/spaces/"+space+"?include-icon=true&description-format=view")
		x.ask(http.MethodGet, "/spaces/{id}", "/spaces/1", http.StatusNotFound, nil)
		x.ask(http.MethodGet, "/spaces/{id}", "/spaces/x", http.StatusBadRequest, nil)
		page := x.walk("/pages", "/pages?limit=250")[7]
		post := x.walk("/blogposts", "/blogposts?limit=250")[2]
		for _, format := range singleFormats {
			x.get("/pages/{id}", "/pages/"+page+"?body-format="+format)
			x.get("/blogposts/{id}", "/blogposts/"+post+"?body-format="+format)
		}
		x.get("/pages/{id}/children", "/pages/"+page+"/children")
		x.ask(http.MethodGet, "/pages/{id}", "/pages/"+post, http.StatusNotFound, nil)
		x.ask(http.MethodGet, "/pages", "/pages?sort=size", http.StatusBadRequest, nil)
		for _, sort := range []string{"footer-comments", "inline-comments"} {
			note := x.walk("/"+sort, "/"+sort+"?limit=250")[3]
			for _, format := range singleFormats {
				x.get("/"+sort+"/{comment-id}", "/"+sort+"/"+note+"?body-format="+format)
			}
			x.get("/blogposts/{id}/"+sort, "/blogposts/"+post+"/"+sort)
		}
		body := map[string]any{"representation": "storage", "value": "<p>made &amp; listed 支払い</p>"}
		var made struct{ ID string }
		_ = json.Unmarshal(x.ask(http.MethodPost, "/footer-comments", "/footer-comments", http.StatusCreated, map[string]any{"pageId": page, "body": body}), &made)
		answer := map[string]any{"parentCommentId": made.ID, "body": map[string]any{"atlas_doc_format": map[string]any{"representation": "atlas_doc_format", "value": paragraph("an answer")}}}
		x.ask(http.MethodPost, "/footer-comments", "/footer-comments", http.StatusCreated, answer)
		if got := x.walk("/footer-comments/{id}/children", "/footer-comments/"+made.ID+"/children"); len(got) != 1 {
			t.Errorf("the answer is not listed: %q", got)
		}
		if got := x.walk("/pages/{id}/footer-comments", "/pages/"+page+"/footer-comments?sort=-created-date"); got[0] != made.ID {
			t.Errorf("the comment %s is not the newest of %q", made.ID, got)
		}
		x.ask(http.MethodPost, "/footer-comments", "/footer-comments", http.StatusNotFound, map[string]any{"pageId": "1", "body": body})
		x.ask(http.MethodPost, "/footer-comments", "/footer-comments", http.StatusBadRequest, map[string]any{"pageId": page, "body": map[string]any{}})
		who := accountID(DefaultSeed, 3)
		x.ask(http.MethodPost, "/users-bulk", "/users-bulk", http.StatusOK, map[string]any{"accountIds": []string{who, "nobody"}})
		x.get("/wiki/rest/api/user", "/wiki/rest/api/user?accountId="+url.QueryEscape(who))
		x.get("/wiki/rest/api/user/bulk", "/wiki/rest/api/user/bulk?accountId="+url.QueryEscape(who)+"&accountId=nobody")
		x.get("/wiki/rest/api/user/current", "/wiki/rest/api/user/current")
	}
	t.Logf("%d exchanges held against Atlassian's documents", direct.count+through.count)
}

// wikiScopes are those of all that the sandbox has of Confluence.
const wikiScopes = "read:space:confluence read:page:confluence read:comment:confluence write:comment:confluence read:user:confluence " +
	"read:confluence-user search:confluence read:confluence-content.all read:confluence-space.summary offline_access"

// The addresses are those of the site also behind the gateway, and the Link header says the same as the body.
func TestWikiLinks(t *testing.T) {
	site := serve(t, Options{})
	_, body := get(t, site+"/wiki/api/v2/pages?limit=1&space-id=&title=")
	var page wikiPage
	_ = json.Unmarshal(body, &page)
	response, _ := get(t, site+"/wiki/api/v2/pages/"+page.Results[0].ID+"/inline-comments?limit=1")
	links := strings.Join(response.Header.Values("Link"), ", ")
	if !regexp.MustCompile(`^<https://[^>]*#CHANGE-1411>; rel="deprecation", <`).MatchString(links) {
		t.Errorf("Link %q", links)
	}
	response, body = get(t, site+"/wiki/api/v2/pages?limit=2")
	_ = json.Unmarshal(body, &page)
	if want := "<" + page.Links.Next + `>; rel="next", <` + site + `/wiki>; rel="base"`; response.Header.Get("Link") != want || page.Links.Next == "" {
		t.Errorf("Link %q, want %q", response.Header.Get("Link"), want)
	}
	_, other := get(t, site+"/wiki/api/v2/blogposts"+strings.TrimPrefix(page.Links.Next, "/wiki/api/v2/pages"))
	if !strings.Contains(string(other), "cursor is not valid") {
		t.Errorf("the cursor of another listing: %s", other)
	}
}

// Scopes are checked at the gateway, for each operation its own.
func TestWikiScopes(t *testing.T) {
	b := serveOAuth(t, Options{})
	token := b.connect(atlassianFlow, "scope", "read:space:confluence read:comment:confluence offline_access").text(t, "access_token")
	gate := "/api/ex/confluence/" + b.resources(token)[0].ID + "/wiki"
	for path, want := range map[string]int{
		"/api/v2/spaces": 200, "/api/v2/pages": 401, "/api/v2/blogposts": 401, "/api/v2/footer-comments": 200,
		"/rest/api/user/current": 401, "/rest/api/search?cql=type=page": 401, "/rest/api/space": 410,
	} {
		got := b.get(gate+path, token)
		if got.status != want || (want == 401 && !strings.Contains(string(got.body), "scope does not match")) {
			t.Errorf("%s: %d %s, want %d", path, got.status, got.body, want)
		}
	}
	if got := b.send(http.MethodPost, gate+"/api/v2/footer-comments", map[string]string{"Authorization": "Bearer " + token}, "{}"); got.status != 401 {
		t.Errorf("a comment without the scope: %d", got.status)
	}
}

func TestWikiFaults(t *testing.T) {
	cursorOf := func(site string) string {
		_, body := get(t, site+"/wiki/api/v2/pages?limit=1")
		var page wikiPage
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatal(err)
		}
		next, _ := url.Parse(page.Links.Next)
		return next.Query().Get("cursor")
	}
	for fault, want := range map[string]string{
		"expire-token": "cursor is not valid", "empty-page": `"results":[]`, "repeat-token": `"results":[{`,
	} {
		site := serveFaults(t, fault)
		cursor := cursorOf(site)
		_, body := get(t, site+"/wiki/api/v2/pages?limit=1&cursor="+url.QueryEscape(cursor))
		if !strings.Contains(string(body), want) {
			t.Errorf("%s: %s", fault, body)
		}
		if again := strings.Contains(string(body), url.QueryEscape(cursor)); again != (fault == "repeat-token") {
			t.Errorf("%s: names its own cursor: %v", fault, again)
		}
	}
	for path, want := range map[string]string{
		"/wiki/api/v2/spaces?limit=2": `"next":`, "/wiki/api/v2/footer-comments": `"next":`, "/wiki/rest/api/search?cql=type%3Dpage": `"next":`,
	} {
		if _, body := get(t, serveFaults(t, "empty-page")+path); !strings.Contains(string(body), `"results":[]`) || !strings.Contains(string(body), want) {
			t.Errorf("%s, empty page: %s", path, body)
		}
	}
	response, _ := get(t, serveFaults(t, "429")+"/wiki/api/v2/pages")
	if reason := response.Header.Get("RateLimit-Reason"); reason != "confluence-quota-tenant-based" {
		t.Errorf("429 with reason %q", reason)
	}
}

func TestCountsFollowTheOptions(t *testing.T) {
	for pages, want := range map[int][2]int64{200: {200, 20}, 9: {9, 0}, 10: {10, 1}, None: {0, 0}} {
		s, err := New(Options{Pages: pages})
		if err != nil {
			t.Fatal(err)
		}
		c := s.Counts(0)
		if got := [2]int64{c.Pages + c.ArchivedPages + c.TrashedPages, c.BlogPosts + c.TrashedBlogPosts}; got != want {
			t.Errorf("%s pages: %v, want %v", strconv.Itoa(pages), got, want)
		}
	}
}

// Each part of a listing's query chooses what it says.
func TestWikiFilters(t *testing.T) {
	b := serveOAuth(t, Options{})
	x := newExchanges(t, b.url+sitePrefix, "")
	w := b.sites[0].confluence.wiki
	some, _ := w.content(13)
	id := strconv.FormatInt(w.id(some.n), 10)
	inSpace := x.walk("/spaces/{id}/pages", "/spaces/"+w.spaces[some.space].ID+"/pages?limit=250")
	cases := []struct {
		address string
		want    int
	}{
		{"/pages?title=" + url.QueryEscape(some.title), 1},
		{"/pages?title=nothing", 0},
		{"/pages?id=" + id + ",1," + strconv.FormatInt(w.id(0), 10), 2},
		{"/pages?id=" + id + "&id=7&status=trashed", 0},
		{"/pages?limit=250&space-id=" + w.spaces[some.space].ID, len(inSpace)},
		{"/pages?space-id=1", 0},
		{"/spaces/" + w.spaces[some.space].ID + "/pages?depth=root", 1},
		{"/pages?status=deleted", 0},
		{"/blogposts?id=" + id, 0},
	}
	for _, c := range cases {
		template := "/pages"
		switch {
		case strings.HasPrefix(c.address, "/spaces"):
			template = "/spaces/{id}/pages"
		case strings.HasPrefix(c.address, "/blog"):
			template = "/blogposts"
		}
		if got := x.walk(template, c.address); distinct(t, got) != c.want {
			t.Errorf("%s: %q, want %d", c.address, got, c.want)
		}
	}
	crowded := strconv.FormatInt(w.id(pageAt(int64(crowdedRow*len(w.spaces)))), 10)
	sum := 0
	for _, state := range []string{"open", "resolved", "reopened", "dangling"} {
		n := len(x.walk("/pages/{id}/inline-comments", "/pages/"+crowded+"/inline-comments?resolution-status="+state))
		if sum += n; n == 0 {
			t.Errorf("no inline comment is %s", state)
		}
	}
	if all := len(x.walk("/pages/{id}/inline-comments", "/pages/"+crowded+"/inline-comments")); all != sum {
		t.Errorf("%d inline comments, %d by state", all, sum)
	}
	for _, bad := range []string{"/pages?id=x", "/pages?status=lost", "/pages?body-format=view", "/pages?limit=0", "/pages?cursor=x", "/blogposts?sort=title", "/footer-comments?sort=id"} {
		x.ask(http.MethodGet, strings.Split(bad, "?")[0], bad, http.StatusBadRequest, nil)
	}
}

// Faults of the connection and of whole answers reach Confluence as they reach Jira.
func TestWikiMeetsEveryFault(t *testing.T) {
	for fault, want := range map[string]string{
		"500": `"errors":[{`, "503": `"SERVER_UNAVAILABLE"`, "410": `"errors":[{`, "429": "429", "html": "<form", "truncate": "", "502": "<html>",
	} {
		site := serveFaults(t, fault)
		response, body := get(t, site+"/wiki/api/v2/pages")
		if fault == "truncate" && json.Valid(body) {
			t.Errorf("%s: %s", fault, body)
		}
		if !strings.Contains(string(body), want) || (fault[0] >= '4' && fault[0] <= '5' && strconv.Itoa(response.StatusCode) != fault) {
			t.Errorf("%s: %d %s", fault, response.StatusCode, body)
		}
	}
	for _, fault := range []string{"reset", "cut"} {
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, serveFaults(t, fault)+"/wiki/api/v2/pages", nil)
		request.SetBasicAuth(DefaultEmail, DefaultToken)
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the answer arrived", fault)
		}
	}
}
