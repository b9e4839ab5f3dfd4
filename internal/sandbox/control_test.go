package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// search reads a query to its end at the site and returns the keys.
func searchAll(t *testing.T, site, jql string, size int) []string {
	t.Helper()
	var keys []string
	for token := ""; ; {
		response, body := get(t, fmt.Sprintf("%s/rest/api/3/search/jql?fields=summary&maxResults=%d&jql=%s&nextPageToken=%s", site, size, url.QueryEscape(jql), token))
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", jql, response.StatusCode, body)
		}
		var page struct {
			Issues []struct{ Key string }
			Next   string `json:"nextPageToken"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatal(err)
		}
		for _, issue := range page.Issues {
			keys = append(keys, issue.Key)
		}
		if token = page.Next; token == "" {
			return keys
		}
	}
}

func mustChange(t *testing.T, s *Server, change, id, to string) string {
	t.Helper()
	got, err := s.Change(0, change, id, to)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestIssuesChange(t *testing.T) {
	b := serveOAuth(t, Options{Issues: 60, Projects: 3})
	site := b.url + sitePrefix
	before := b.Counts(0)
	since := b.sites[0].jira.now().UnixMilli()
	mustChange(t, b.Server, "issue edit", "PAY-2", "")
	moved := mustChange(t, b.Server, "issue move", "PAY-3", "OPS")
	mustChange(t, b.Server, "issue archive", "PAY-4", "")
	mustChange(t, b.Server, "issue delete", "PAY-5", "")
	mustChange(t, b.Server, "issue comment", "WEB-1", "late")
	if moved != "OPS-21" {
		t.Errorf("moved to %s", moved)
	}
	if got := b.Counts(0); got.Issues != before.Issues-2 {
		t.Errorf("%d issues, there were %d", got.Issues, before.Issues)
	}
	cases := []struct {
		jql  string
		want string
	}{
		{fmt.Sprintf("updated >= %d ORDER BY updated ASC, id ASC", since), "PAY-2 OPS-21 WEB-1"},
		{fmt.Sprintf("updated >= %d ORDER BY updated DESC", since), "WEB-1 OPS-21 PAY-2"},
		{"project = PAY AND key >= PAY-1 AND key <= PAY-7 ORDER BY key", "PAY-1 PAY-2 PAY-6 PAY-7"},
		{"project = OPS AND key > OPS-19 ORDER BY key DESC", "OPS-21 OPS-20"},
		{"key in (PAY-3, PAY-4, PAY-2) ORDER BY id", "PAY-2 OPS-21"},
		{`summary ~ "edit"`, "PAY-2"},
	}
	for _, c := range cases {
		for _, size := range []int{1, 2, 100} {
			if got := strings.Join(searchAll(t, site, c.jql, size), " "); got != c.want {
				t.Errorf("%s, %d at a time: %s, want %s", c.jql, size, got, c.want)
			}
		}
	}
	for _, order := range []string{"id", "id DESC", "updated", "updated DESC, key", "key", "key DESC"} {
		all := searchAll(t, site, "project in (PAY, OPS, WEB) ORDER BY "+order, 7)
		if len(all) != 58 || distinct(t, all) != 58 {
			t.Errorf("by %s: %d issues", order, len(all))
		}
	}
	for key, want := range map[string]int{"PAY-3": 200, "OPS-21": 200, "PAY-4": 200, "PAY-5": 404} {
		response, body := get(t, site+"/rest/api/3/issue/"+key+"?fields=archiveddate,project&expand=changelog")
		if response.StatusCode != want {
			t.Errorf("%s: %d %s", key, response.StatusCode, body)
		}
		if key == "PAY-3" && (!strings.Contains(string(body), `"key":"OPS-21"`) || !strings.Contains(string(body), `"toString":"OPS-21"`)) {
			t.Errorf("a moved issue: %s", body)
		}
		if archived := !strings.Contains(string(body), `"archiveddate":null`); want == 200 && archived != (key == "PAY-4") {
			t.Errorf("%s is in the archive: %v", key, archived)
		}
	}
	if _, err := b.Change(0, "issue delete", "PAY-5", ""); err == nil {
		t.Error("deleted twice")
	}
}

// The changelog of an issue is the same as a listing, the oldest change first, and as a member, the newest first.
func TestChangelogs(t *testing.T) {
	b := serveOAuth(t, Options{Issues: 60, Projects: 3})
	for range 3 {
		mustChange(t, b.Server, "issue edit", "PAY-2", "")
	}
	type change struct{ ID, Created string }
	for _, key := range []string{"PAY-1", "PAY-2", "WEB-7"} {
		var listed []change
		for last := false; !last; {
			var page struct {
				Values []change
				Total  int
				IsLast bool
			}
			_, body := get(t, fmt.Sprintf("%s/rest/api/3/issue/%s/changelog?maxResults=2&startAt=%d", b.url+sitePrefix, key, len(listed)))
			if err := json.Unmarshal(body, &page); err != nil {
				t.Fatal(err)
			}
			listed, last = append(listed, page.Values...), page.IsLast
			if last && page.Total != len(listed) {
				t.Errorf("%s: total %d of %d", key, page.Total, len(listed))
			}
		}
		var issue struct{ Changelog struct{ Histories []change } }
		_, body := get(t, b.url+sitePrefix+"/rest/api/3/issue/"+key+"?expand=changelog")
		if err := json.Unmarshal(body, &issue); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(listed)
		if !slices.Equal(issue.Changelog.Histories, listed) || (key == "PAY-2" && len(listed) < 3) {
			t.Errorf("%s: %v as a member, %v listed", key, issue.Changelog.Histories, listed)
		}
	}
}

// An issue that changes between two pages is given again, and none is lost.
func TestIssuesChangeBetweenPages(t *testing.T) {
	b := serveOAuth(t, Options{Issues: 40, Projects: 1})
	w := b.sites[0].jira.world
	pl := planOf(t, w, "project = PAY ORDER BY updated, id")
	var got []issueRef
	at, more := pl.start(), true
	for i := 0; more; i++ {
		var found []issueRef
		found, at, more = pl.page(t.Context(), &pen{world: w}, at, 3)
		got = append(got, found...)
		if i < 4 {
			mustChange(t, b.Server, "issue edit", w.key(got[len(got)-1]), "")
			mustChange(t, b.Server, "issue edit", fmt.Sprintf("PAY-%d", 20+i), "")
		}
	}
	seen := map[issueRef]bool{}
	for _, ref := range got {
		seen[ref] = true
	}
	if len(seen) != 40 {
		t.Errorf("%d of 40 issues seen", len(seen))
	}
}

func TestPagesChange(t *testing.T) {
	b := serveOAuth(t, Options{})
	x := newExchanges(t, b.url+sitePrefix, "")
	before := b.Counts(0)
	ids := x.walk("/pages", "/pages?limit=250&status=current")
	mustChange(t, b.Server, "page edit", ids[3], "")
	mustChange(t, b.Server, "page trash", ids[4], "")
	mustChange(t, b.Server, "page purge", ids[5], "")
	mustChange(t, b.Server, "page archive", ids[6], "")
	mustChange(t, b.Server, "page move", ids[7], "HR")
	made := mustChange(t, b.Server, "page add", "ENG", "Brand new <page>")
	note := mustChange(t, b.Server, "page comment", ids[3], "late & short")
	newest := x.walk("/pages", "/pages?limit=2&sort=-modified-date&status=current")
	if want := []string{made, ids[7], ids[3]}; !slices.Equal(newest[:3], want) {
		t.Errorf("newest are %q, want %q", newest[:3], want)
	}
	if got := x.walk("/footer-comments", "/footer-comments?limit=250&sort=-modified-date"); got[0] != note {
		t.Errorf("the newest comment is %s, want %s", got[0], note)
	}
	after := b.Counts(0)
	if after.Pages != before.Pages-2 || after.TrashedPages != before.TrashedPages+1 || after.ArchivedPages != before.ArchivedPages+1 {
		t.Errorf("%+v, before %+v", after, before)
	}
	if got := int64(len(x.walk("/pages", "/pages?status=current&limit=250"))); got != after.Pages {
		t.Errorf("%d pages, the sandbox counts %d", got, after.Pages)
	}
	if !slices.Contains(x.walk("/pages", "/pages?status=trashed"), ids[4]) {
		t.Error("a trashed page is not in the trash")
	}
	x.ask(http.MethodGet, "/pages/{id}", "/pages/"+ids[5], http.StatusNotFound, nil)
	x.get("/pages/{id}", "/pages/"+made+"?body-format=atlas_doc_format")
	for format, want := range map[string]string{"storage": "<p>late &amp; short</p>", "atlas_doc_format": paragraph("late & short")} {
		var one struct {
			Body map[string]struct{ Value string }
		}
		got := x.get("/footer-comments/{comment-id}", "/footer-comments/"+note+"?body-format="+format)
		if err := json.Unmarshal(got, &one); err != nil || one.Body[format].Value != want {
			t.Errorf("as %s: %v %s", format, err, got)
		}
	}
	mustChange(t, b.Server, "comment edit", note, "")
	mustChange(t, b.Server, "comment delete", note, "")
	x.ask(http.MethodGet, "/footer-comments/{comment-id}", "/footer-comments/"+note, http.StatusNotFound, nil)
}

// The control has no faults, and answers in JSON.
func TestControl(t *testing.T) {
	fault, err := ParseFault("503")
	if err != nil {
		t.Fatal(err)
	}
	b := serveOAuth(t, Options{Faults: []Fault{fault}})
	if got := b.send(http.MethodPost, "/control/acme/issue/PAY-1/move?to=OPS", nil, ""); got.text(t, "id") != "OPS-201" {
		t.Errorf("%d %s", got.status, got.body)
	}
	var counts Counts
	if got := b.get("/control/acme/counts", ""); json.Unmarshal(got.body, &counts) != nil || counts != b.Counts(0) || counts.Issues != DefaultIssues {
		t.Errorf("%d %s", got.status, got.body)
	}
	for path, want := range map[string]int{"/control/acme/issue/NO-1/move": 400, "/control/nowhere/issue/PAY-1/delete": 404, "/control/acme/issue/PAY-1/explode": 400} {
		if got := b.send(http.MethodPost, path, nil, ""); got.status != want {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

// Many clients write and read at once: nothing that was written is lost, and no two things have one id.
func TestManyWriteAtOnce(t *testing.T) {
	b := serveOAuth(t, Options{Issues: 50})
	before := b.Counts(0)
	const writers, each = 8, 12
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				issue, err := b.Change(0, "issue comment", fmt.Sprintf("PAY-%d", 1+i%3), "at once")
				_, moveErr := b.Change(0, "issue edit", "OPS-1", "")
				_, noteErr := b.Change(0, "page comment", strconv.Itoa(firstContentID), "at once")
				if err = errors.Join(err, moveErr, noteErr); err != nil || issue == "" {
					t.Error(err)
				}
				b.sites[0].confluence.wiki.everyComment(contentOrder{"modified-date", true}, func(comment) bool { return true }).page(t.Context(), 0, 10)
			}
		})
	}
	wg.Wait()
	after := b.Counts(0)
	if got := after.IssueComments - before.IssueComments; got != writers*each {
		t.Errorf("%d comments on issues were kept of %d", got, writers*each)
	}
	if got := after.FooterComments - before.FooterComments; got != writers*each {
		t.Errorf("%d comments on a page were kept of %d", got, writers*each)
	}
	ref, _ := b.sites[0].jira.world.lookup("OPS-1")
	if s, _ := b.sites[0].jira.world.state(ref); s.edits != writers*each || len(s.history) != s.edits {
		t.Errorf("%d edits, %d in the changelog", s.edits, len(s.history))
	}
	x := newExchanges(t, b.url+sitePrefix, "")
	distinct(t, x.walk("/footer-comments", "/footer-comments?limit=250&sort=-modified-date"))
}
