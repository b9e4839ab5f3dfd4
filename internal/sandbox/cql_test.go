package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// firstPage is what a client reads of a page of version 1.
type firstPage struct {
	Results []struct {
		ID      string
		Type    string
		Content struct{ ID, Type, Title string }
		Title   string
	}
	Start, Limit, Size int
	TotalSize          int64
	Links              struct{ Next string } `json:"_links"`
}

// findAll follows a search to its end and returns the ids.
func (x *exchanges) findAll(cql, more string) []string {
	x.t.Helper()
	var ids []string
	for to := "/wiki/rest/api/search?cql=" + url.QueryEscape(cql) + more; ; {
		var page firstPage
		if err := json.Unmarshal(x.get("/wiki/rest/api/search", to), &page); err != nil {
			x.t.Fatal(err)
		}
		for _, one := range page.Results {
			ids = append(ids, one.Content.ID)
		}
		if page.Links.Next == "" {
			if int64(len(ids)) != page.TotalSize {
				x.t.Errorf("%s: %d found, totalSize %d", cql, len(ids), page.TotalSize)
			}
			return ids
		}
		to = "/wiki" + page.Links.Next + more
	}
}

// What a search finds is what a walk through everything with the same test finds.
func TestSearchFindsAll(t *testing.T) {
	b := serveOAuth(t, Options{Pages: 300, Comments: 3})
	x := newExchanges(t, b.url+"/acme", "")
	w := b.sites[0].confluence.wiki
	someID := "1098304" // the page with the number 12
	var everything []found
	for n := range w.contents {
		c, _ := w.content(n)
		if c.status != statusCurrent {
			continue
		}
		everything = append(everything, found{content: c})
		for _, one := range w.commentsOf(n) {
			everything = append(everything, found{content: c, note: &one})
		}
	}
	noon, _ := time.Parse("2006-01-02 15:04", "2026-03-10 11:00") // noon in Berlin
	me := accountID(DefaultSeed, 0)
	live := func(f found) bool { return w.spaces[f.content.space].Status == statusCurrent }
	onDay := func(f found) bool { // in Berlin
		hour := time.Hour.Milliseconds()
		return f.created() >= noon.UnixMilli()-12*hour && f.created() < noon.UnixMilli()+12*hour
	}
	cases := []struct {
		cql, more string
		want      func(f found) bool
	}{
		{"type = page", "&limit=100", func(f found) bool { return live(f) && f.kind() == kindPage }},
		{"type in (page, comment) and space = ENG order by lastmodified", "&limit=50", func(f found) bool { return f.content.space == 0 && f.kind() != kindBlog }},
		{`lastmodified >= "2026-03-10 12:00" order by lastmodified asc`, "&limit=250", func(f found) bool { return live(f) && f.modified() >= noon.UnixMilli() }},
		{`created < "2026-03-10 12:00" and type != page order by created desc`, "", func(f found) bool { return live(f) && f.created() < noon.UnixMilli() && f.kind() != kindPage }},
		{`title ~ "runbook" and type = page`, "", func(f found) bool {
			return live(f) && f.kind() == kindPage && strings.HasPrefix(f.title(), "Runbook")
		}},
		{"not (type = comment or type = blogpost)", "&includeArchivedSpaces=true&limit=250", func(f found) bool { return f.kind() == kindPage }},
		{"space not in (ENG, HR, KB) and type = page", "", func(f found) bool { return live(f) && f.content.space > 2 && f.kind() == kindPage }},
		{"creator = currentUser() and type = comment", "", func(f found) bool { return live(f) && f.note != nil && w.world.accounts[f.author()].id == me }},
		{"id = " + someID, "", func(f found) bool { return f.note == nil && f.content.n == 12 }},
		{`text ~ "launch" and type = comment and space = HR`, "", func(f found) bool {
			p := &pen{world: w.world}
			text := f.title()
			if f.note != nil {
				text += w.commentBody(p, *f.note, "storage")
			}
			return f.note != nil && f.content.space == 1 && strings.Contains(strings.ToLower(text), "launch")
		}},
		{`created = "2026-03-10" and type = comment`, "", func(f found) bool { return live(f) && f.note != nil && onDay(f) }},
		{`created != "2026-03-10" and type = comment`, "&limit=250", func(f found) bool { return live(f) && f.note != nil && !onDay(f) }},
		{"label = x", "", func(found) bool { return false }},
		{`lastmodified > now("4w")`, "", func(found) bool { return false }},
	}
	for _, c := range cases {
		want := 0
		for _, f := range everything {
			if c.want(f) {
				want++
			}
		}
		got := x.findAll(c.cql, c.more)
		if distinct(t, got) != want || (want == 0) != (c.cql == "label = x" || strings.Contains(c.cql, "4w")) {
			t.Errorf("%s: found %d, want %d", c.cql, len(got), want)
		}
	}
	x.get("/wiki/rest/api/content/search", "/wiki/rest/api/content/search?cql=type%3Dpage&expand=body.storage,version,history,space,ancestors,container&limit=5")
	x.get("/wiki/rest/api/search", "/wiki/rest/api/search?cql=type%3Dcomment&expand=content.body.atlas_doc_format,content.version,content.container&limit=5&start=7")
	t.Logf("%d exchanges held against Atlassian's documents", x.count)
}

func TestSearchRefuses(t *testing.T) {
	site := serve(t, Options{})
	for _, cql := range []string{
		"", "type", "type = ", "nonsense = 1", "order by created", "type = page order by size", "lastmodified > yesterday", "title > x",
		"lastmodified ~ x", "created >= \"2026-01-01 10:00:30\"", "created >= now(\"soon\")", "type = page &", "creator = nobody()",
	} {
		response, body := get(t, site+"/wiki/rest/api/search?cql="+url.QueryEscape(cql))
		if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), `"message":"Could not parse cql : `) {
			t.Errorf("%q: %d %s", cql, response.StatusCode, body)
		}
	}
	if response, body := get(t, site+"/wiki/rest/api/search?cql=type%3Dpage&cursor=x"); response.StatusCode != http.StatusBadRequest {
		t.Errorf("a cursor of nothing: %d %s", response.StatusCode, body)
	}
	for _, path := range []string{"/content", "/content/1", "/space", "/space/ENG", "/content/1/child/comment"} {
		if response, body := get(t, site+"/wiki/rest/api"+path); response.StatusCode != http.StatusGone {
			t.Errorf("%s: %d %s", path, response.StatusCode, body)
		}
	}
}
