package jira

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

func projectJSON(key string) string {
	return `{"id":"` + strconv.Itoa(int(key[0]-'A')+1) + `","key":"` + key + `","name":"The ` + key + `","projectTypeKey":"software","lead":{"displayName":"Ann"}}`
}

// projectPage returns a page of the project search; total below zero leaves it out, last "" too.
func projectPage(start, total int, last string, keys ...string) reply {
	body := `{"startAt":` + strconv.Itoa(start)
	if total >= 0 {
		body += `,"total":` + strconv.Itoa(total)
	}
	if last != "" {
		body += `,"isLast":` + last
	}
	for i, k := range keys {
		keys[i] = projectJSON(k)
	}
	return ok(body + `,"values":[` + strings.Join(keys, ",") + `]}`)
}

func containerIDs(list []connectors.Container) string {
	var ids []string
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return strings.Join(ids, " ")
}

func TestListContainersOfRecordedSite(t *testing.T) {
	body := fixture(t, "goatl-search-projects.json")
	d := newSite(t).on(projectsPath, ok(body)).driver()
	got, err := d.ListContainers(bg(), connectors.ContainerQuery{Limit: 2, Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	if containerIDs(got.Items) != "EX ABC" || got.Items[0].Label != "Example" || got.Items[0].Type != "project" || got.Next == "" {
		t.Errorf("got %+v", got)
	}
	for _, c := range got.Items {
		if !strings.Contains(body, string(c.Raw)) {
			t.Errorf("raw of %s is not what the site sent", c.ID)
		}
	}
}

func TestListContainersPages(t *testing.T) {
	tests := []struct {
		name    string
		replies []reply
		want    string
		starts  string
	}{
		{"one page", []reply{projectPage(0, 2, "true", "A", "B")}, "A B", "0"},
		{"two pages", []reply{projectPage(0, 3, "false", "A", "B"), projectPage(1, 3, "true", "B", "C")}, "A B C", "0 1"},
		{"no total", []reply{projectPage(0, -1, "false", "A", "B"), projectPage(1, -1, "true", "B", "C")}, "A B C", "0 1"},
		{"no isLast", []reply{projectPage(0, 3, "", "A", "B"), projectPage(1, 3, "", "B", "C")}, "A B C", "0 1"},
		{"isLast too early", []reply{projectPage(0, 3, "true", "A", "B"), projectPage(1, 3, "true", "B", "C")}, "A B C", "0 1"},
		{"isLast never", []reply{projectPage(0, 1, "false", "A"), projectPage(0, 1, "false", "A")}, "A", "0 0"},
		{"empty page between", []reply{projectPage(0, 2, "false", "A"), projectPage(0, 2, "false"), projectPage(0, 2, "true", "A", "B")}, "A B", "0 0 0"},
		{"one removed while reading", []reply{projectPage(0, 4, "false", "A", "B"), projectPage(1, 3, "true", "C", "D"), projectPage(0, 3, "false", "B", "C"), projectPage(1, 3, "true", "C", "D")}, "A B C D", "0 1 0 1"},
		{"one removed and one added while reading", []reply{projectPage(0, 4, "false", "A", "B"), projectPage(1, 4, "true", "C", "D", "E"), projectPage(0, 4, "false", "B", "C"), projectPage(1, 4, "true", "C", "D", "E")}, "A B C D E", "0 1 0 1"},
		{"one added while reading", []reply{projectPage(0, 3, "false", "B", "C"), projectPage(1, 4, "true", "B", "C", "D")}, "B C C D", "0 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t).on(projectsPath, tt.replies...)
			if tt.name == "isLast never" {
				s.on(myselfPath, ok(me)) // an end that is empty is asked about
			}
			var got []connectors.Container
			for page, err := range s.conn().AllContainers(bg(), connectors.ContainerQuery{Limit: 2}) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, page.Items...)
			}
			var starts []string
			for _, a := range s.requests(projectsPath) {
				starts = append(starts, a.query.Get("startAt"))
			}
			if containerIDs(got) != tt.want || strings.Join(starts, " ") != tt.starts {
				t.Errorf("got %s from %v, want %s from %s", containerIDs(got), starts, tt.want, tt.starts)
			}
		})
	}
}

func TestListContainersQuery(t *testing.T) {
	s := newSite(t).on(projectsPath, projectPage(0, 1, "true", "A"))
	d := s.driver()
	wide, err := d.ListContainers(bg(), connectors.ContainerQuery{Limit: 200, Wide: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ListContainers(bg(), connectors.ContainerQuery{Limit: 7}); err != nil {
		t.Fatal(err)
	}
	asked := s.requests(projectsPath)
	for i, want := range []string{"expand=description%2Clead%2Curl&maxResults=100&orderBy=key&startAt=0", "expand=lead&maxResults=7&orderBy=key&startAt=0"} {
		if got := asked[i].query.Encode(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	got, _ := json.Marshal(wide.Items[0].Meta)
	want := `{"projectTypeKey":"software","lead":"Ann","id":"1","style":"","isPrivate":false,"category":null,"leadId":null,"description":"","url":""}`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestListContainersNonsense(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
		words string
	}{
		{"no entries", ok(`{"startAt":0,"total":0,"isLast":true}`), "without entries"},
		{"null entries", ok(`{"startAt":0,"total":0,"isLast":true,"values":null}`), "without entries"},
		{"another page", projectPage(7, 9, "false", "A"), "another page"},
		{"too many", projectPage(0, 3, "true", "A", "B", "C"), "more entries"},
		{"no end", projectPage(0, -1, "", "A"), "does not say whether"},
		{"no key", ok(`{"startAt":0,"total":1,"values":[{"id":"1"}]}`), "without a key"},
		{"no object", ok(`{"startAt":0,"total":1,"values":["A"]}`), "another shape"},
		{"empty answer", ok(""), "an empty answer"},
		{"cut off", ok(`{"startAt":0,"total":1,"values":[{"id":"1"`), "cut off"},
		{"invalid UTF-8", ok(`{"startAt":0,"total":1,"values":[{"key":"A","name":"` + "\xff" + `"}]}`), "not valid UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newSite(t).on(projectsPath, tt.reply).driver().ListContainers(bg(), connectors.ContainerQuery{Limit: 2})
			wantError(t, err, connectors.ProviderError, tt.words)
		})
	}
	t.Run("empty pages without end", func(t *testing.T) {
		s := newSite(t).on(projectsPath, projectPage(0, 2, "false", "A"), projectPage(0, 2, "false"))
		var last error
		for _, err := range s.conn().AllContainers(bg(), connectors.ContainerQuery{Limit: 1}) {
			last = err
		}
		wantError(t, last, connectors.ProviderError, "4 empty pages in a row")
	})
	t.Run("listing that shrinks without end", func(t *testing.T) {
		s := newSite(t)
		for _, from := range []int{8, 5, 2} {
			s.on(projectsPath, projectPage(from, 9, "false", "Y", "Z"))
		}
		s.on(projectsPath, projectPage(0, 9, "false", "M"))
		got, err := s.driver().ListContainers(bg(), connectors.ContainerQuery{Limit: 1, Cursor: "9.0/1,2,3"})
		if err != nil || containerIDs(got.Items) != "M" {
			t.Errorf("a listing whose last entries are gone begins anew: %+v, %v", got, err)
		}
	})
}

func TestBadOffsets(t *testing.T) {
	for _, cur := range []connectors.Cursor{"x", "1", "1/2", "-1.2/", "1.2", "1.-2/", "01.2/", "1.2/ ", "99999999999999999999.1/", "../2.1/", "1.0/..", "1.0/1,"} {
		_, err := newSite(t).driver().ListContainers(bg(), connectors.ContainerQuery{Limit: 1, Cursor: cur})
		wantError(t, err, connectors.InvalidRequest, "start without one")
	}
}

// TestEmptyListingsAreVouchedFor has Jira answer as it does to a token that has expired.
func TestEmptyListingsAreVouchedFor(t *testing.T) {
	lists := map[string]struct {
		path  string
		empty reply
		list  func(*Driver) error
	}{
		"containers": {projectsPath, projectPage(0, 0, "true"), func(d *Driver) error {
			_, err := d.ListContainers(bg(), connectors.ContainerQuery{Limit: 5})
			return err
		}},
		"items": {searchPath, ok(`{"issues":[],"isLast":true}`), func(d *Driver) error {
			_, err := d.ListItems(bg(), connectors.ItemQuery{Limit: 5})
			return err
		}},
	}
	for name, l := range lists {
		t.Run(name, func(t *testing.T) {
			d := newSite(t).on(l.path, l.empty).on(myselfPath, status(401, "")).driver()
			wantError(t, l.list(d), connectors.Reauthorize, "refused")
			wantError(t, l.list(d), connectors.Reauthorize, "refused")

			s := newSite(t).on(l.path, l.empty).on(myselfPath, ok(me))
			d = s.driver()
			for range 2 {
				if err := l.list(d); err != nil {
					t.Error(err)
				}
			}
			if n := len(s.requests(myselfPath)); n != 1 {
				t.Errorf("asked %d times", n)
			}

			d = newSite(t).on(l.path, l.empty.with(loginReason, "AUTHENTICATED_FAILED")).driver()
			wantError(t, l.list(d), connectors.Reauthorize, "refused")
		})
	}
}

// TestPublicRest has Jira show to a token that ended what anyone may see, which is not nothing.
func TestPublicRest(t *testing.T) {
	const public = `{"issues":[{"id":"1","key":"PAY-1","fields":{}}],"isLast":true}`
	for name, tt := range map[string]struct {
		path    string
		replies []reply
		list    func(*Driver) error
	}{
		"items": {searchPath, []reply{ok(public)}, func(d *Driver) error {
			_, err := d.ListItems(bg(), connectors.ItemQuery{Limit: 5})
			return err
		}},
		"later page": {searchPath, []reply{ok(`{"issues":[{"id":"2","key":"PAY-2","fields":{}}],"nextPageToken":"t1"}`), ok(public)}, func(d *Driver) error {
			d.vouched.Store(d.now().UnixNano()) // it was good a moment ago
			_, err := d.ListItems(bg(), connectors.ItemQuery{Limit: 5, Cursor: firstPage(t, d)})
			return err
		}},
		"ids": {searchPath, []reply{ok(public)}, func(d *Driver) error {
			d.vouched.Store(d.now().UnixNano())
			_, err := d.ListIDs(bg(), connectors.IDQuery{ContainerID: "PAY"})
			return err
		}},
		"containers": {projectsPath, []reply{projectPage(0, 1, "true", "PAY")}, func(d *Driver) error {
			_, err := d.ListContainers(bg(), connectors.ContainerQuery{Limit: 5})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newSite(t).on(tt.path, tt.replies...).on(myselfPath, status(401, "")).driver()
			wantError(t, tt.list(d), connectors.Reauthorize, "refused")
		})
	}
}

// firstPage returns the cursor behind the first page of issues.
func firstPage(t *testing.T, d *Driver) connectors.Cursor {
	t.Helper()
	page, err := d.ListItems(bg(), connectors.ItemQuery{Limit: 5})
	if err != nil || page.Next == "" {
		t.Fatalf("first page %+v, %v", page, err)
	}
	return page.Next
}

// TestTokenThatEndsBetweenPages has the credential die after the first page: what Jira shows then is no end.
func TestTokenThatEndsBetweenPages(t *testing.T) {
	s := newSite(t).on(searchPath, ok(`{"issues":[{"id":"1","key":"PAY-1","fields":{}}],"nextPageToken":"t1"}`), ok(`{"issues":[],"isLast":true}`)).
		on(projectsPath, projectPage(0, 5, "false", "A", "B"), projectPage(1, 0, "true"), projectPage(0, 0, "true")).
		on(myselfPath, status(401, ""))
	d := s.driver()
	d.vouched.Store(d.now().UnixNano()) // it was good a moment ago
	items, err := d.ListItems(bg(), connectors.ItemQuery{Limit: 1})
	if err != nil || items.Next == "" {
		t.Fatalf("first page %+v, %v", items, err)
	}
	_, err = d.ListItems(bg(), connectors.ItemQuery{Limit: 1, Cursor: items.Next})
	wantError(t, err, connectors.Reauthorize, "refused")
	projects, err := d.ListContainers(bg(), connectors.ContainerQuery{Limit: 2})
	if err != nil || projects.Next == "" {
		t.Fatalf("first page %+v, %v", projects, err)
	}
	_, err = d.ListContainers(bg(), connectors.ContainerQuery{Limit: 2, Cursor: projects.Next})
	wantError(t, err, connectors.Reauthorize, "refused")
}

const commentsPath = "/rest/api/3/issue/PAY-7/comment"

func commentsReply(start, total int, ids ...string) reply {
	for i, id := range ids {
		ids[i] = `{"id":"` + id + `","self":"https://x/rest/api/3/issue/10010/comment/` + id + `","body":"*wiki*","created":"` + april + `"}`
	}
	return ok(fmt.Sprintf(`{"startAt":%d,"maxResults":100,"total":%d,"comments":[%s]}`, start, total, strings.Join(ids, ",")))
}

func TestListComments(t *testing.T) {
	body := `{"startAt":0,"total":1,"comments":[{"id":"10000","self":"https://x/rest/api/2/issue/10010/comment/10000","author":{"accountId":"5b","displayName":"Ann"},` +
		`"updateAuthor":{"accountId":"6c","displayName":"Bob"},"body":{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"hi","marks":[{"type":"strong"}]}]}]},` +
		`"created":"2021-02-26T01:45:03.821+0000","updated":"2021-02-26T02:45:03.821+0000","visibility":{"type":"role","value":"Administrators","identifier":"x"},"jsdPublic":false}]}`
	s := newSite(t).on(commentsPath, ok(body))
	got, err := s.driver().ListComments(bg(), connectors.CommentQuery{ItemID: "PAY-7", Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	data, _ := json.Marshal(got.Items[0])
	want := `{"id":"10000","itemId":"10010","author":"Ann","text":"**hi**","createdAt":"2021-02-26T01:45:03.821Z","updatedAt":"2021-02-26T02:45:03.821Z",` +
		`"meta":{"authorId":"5b","updateAuthor":"Bob","updateAuthorId":"6c","visibility":{"type":"role","value":"Administrators"},"jsdPublic":false}}`
	if string(data) != want {
		t.Errorf("got\n%s\nwant\n%s", data, want)
	}
	if got := s.requests(commentsPath)[0].query.Encode(); got != "maxResults=100&orderBy=created&startAt=0" {
		t.Errorf("asked %s", got)
	}
}

func TestListCommentsPages(t *testing.T) {
	s := newSite(t).on(commentsPath, commentsReply(0, 3, "1", "2"), commentsReply(1, 3, "2", "3"))
	var got []string
	for page, err := range s.conn().AllComments(bg(), connectors.CommentQuery{ItemID: "PAY-7", Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Items {
			got = append(got, c.ID+" "+c.ItemID+" "+c.Text)
		}
	}
	if want := []string{"1 10010 **wiki**", "2 10010 **wiki**", "3 10010 **wiki**"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestListCommentsOfRecordedSite(t *testing.T) {
	body := fixture(t, "goatl-get-issue-comments.json")
	d := newSite(t).on(commentsPath, ok(body)).driver()
	got, err := d.ListComments(bg(), connectors.CommentQuery{ItemID: "PAY-7", Limit: 50, Raw: true})
	if err != nil || len(got.Items) != 14 || got.Next != "" {
		t.Fatalf("%d comments, next %q, %v", len(got.Items), got.Next, err)
	}
	for _, c := range got.Items {
		if c.ItemID != "10010" || c.Author != "Mia Krystof" || !strings.HasPrefix(c.Text, "Lorem ipsum") || !strings.Contains(body, string(c.Raw)) {
			t.Errorf("got %+v", c)
		}
	}
}

func TestListCommentsOddIssues(t *testing.T) {
	for _, id := range []string{"../../myself", "..", ".", "a/b", "a b", "a%2fb", "a?b", "a#b", strings.Repeat("A", 256), ""} {
		_, err := newSite(t).driver().ListComments(bg(), connectors.CommentQuery{ItemID: id, Limit: 5})
		wantError(t, err, connectors.NotFound, "no issue")
	}
	gone := newSite(t).on("/rest/api/3/issue/PAY-9/comment", status(404, `{"errorMessages":["Issue does not exist."]}`)).driver()
	_, err := gone.ListComments(bg(), connectors.CommentQuery{ItemID: "PAY-9", Limit: 5})
	wantError(t, err, connectors.NotFound, `no issue "PAY-9"`)
	if list, err := newSite(t).on("/rest/api/3/issue/%D0%9F-1/comment", commentsReply(0, 0)).driver().
		ListComments(bg(), connectors.CommentQuery{ItemID: "П-1", Limit: 5}); err != nil || len(list.Items) != 0 {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestConcurrentCallers(t *testing.T) {
	s := newSite(t).on(searchPath, searchBody("", issueJSON(1, april))).on(projectsPath, projectPage(0, 0, "true")).on(myselfPath, ok(me))
	c := s.conn()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := c.Items(bg(), connectors.ItemQuery{Limit: 5}); err != nil {
				t.Error(err)
			}
			if _, err := c.Containers(bg(), connectors.ContainerQuery{Limit: 5}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
