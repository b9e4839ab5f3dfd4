package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// talk is an issue's comments by the endpoint, and what the issue itself tells of them.
type talk struct {
	ids, bodies, updated []string
	total, embedded      int
	issue                string // when it was updated
}

func talkOf(t *testing.T, site, key string) (k talk) {
	t.Helper()
	var list struct {
		Total    int
		Comments []struct {
			ID, Updated string
			Body        json.RawMessage
		}
	}
	_, body := get(t, site+"/rest/api/3/issue/"+key+"/comment")
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Comments {
		k.ids, k.bodies, k.updated = append(k.ids, c.ID), append(k.bodies, string(c.Body)), append(k.updated, c.Updated)
	}
	var issue struct {
		Fields struct {
			Updated string
			Comment struct{ Total int }
		}
	}
	_, body = get(t, site+"/rest/api/3/issue/"+key+"?fields=updated,comment")
	if err := json.Unmarshal(body, &issue); err != nil {
		t.Fatal(err)
	}
	k.total, k.embedded, k.issue = list.Total, issue.Fields.Comment.Total, issue.Fields.Updated
	return k
}

// TestIssueComments makes, edits and deletes comments on an issue, each of which counts as an update of it.
func TestIssueComments(t *testing.T) {
	b := serveOAuth(t, Options{Issues: 60, Projects: 3})
	site := b.url + sitePrefix
	key := "PAY-1"
	for i := 2; len(talkOf(t, site, key).ids) < 3; i++ {
		key = "PAY-" + textOf(i)
	}
	before, counted := talkOf(t, site, key), b.Counts(0)
	first, second, last := before.ids[0], before.ids[1], ""
	for _, step := range []struct {
		change, id, to string
		want           func(k talk) bool
	}{
		{"issue comment", key, "new", func(k talk) bool {
			return len(k.ids) == len(before.ids)+1 && k.bodies[len(before.ids)] == paragraph("new")
		}},
		{"issue-comment edit", first, "better", func(k talk) bool {
			return k.bodies[0] == paragraph("better") && k.updated[0] == k.issue && k.bodies[1] == before.bodies[1]
		}},
		{"issue-comment edit", "last", "", func(k talk) bool {
			return k.bodies[len(before.ids)] == paragraph("edited") && k.updated[len(before.ids)] == k.issue
		}},
		{"issue-comment delete", second, "", func(k talk) bool {
			return !slices.Contains(k.ids, second) && k.ids[1] == before.ids[2] && k.bodies[1] == before.bodies[2] && k.updated[1] == before.updated[2]
		}},
		{"issue-comment delete", "last", "", func(k talk) bool { return len(k.ids) == len(before.ids)-1 }},
	} {
		was := talkOf(t, site, key)
		id := step.id
		if id == "last" {
			id = was.ids[len(was.ids)-1]
			last = id
		}
		mustChange(t, b.Server, step.change, id, step.to)
		got := talkOf(t, site, key)
		if !step.want(got) || got.total != len(got.ids) || got.embedded != len(got.ids) || got.issue <= was.issue {
			t.Errorf("%s %s: got %+v, was %+v", step.change, id, got, was)
		}
	}
	if got := b.Counts(0).IssueComments; got != counted.IssueComments-1 {
		t.Errorf("%d comments are counted, there were %d", got, counted.IssueComments)
	}
	for id, want := range map[string]int{first: 200, second: 404, last: 404} {
		if response, body := get(t, site+"/rest/api/3/issue/"+key+"/comment/"+id); response.StatusCode != want {
			t.Errorf("%s: %d %s", id, response.StatusCode, body)
		}
	}
	for _, id := range []string{second, last, "1", "x", textOf(firstPostedID + 77), textOf(firstCommentID + 60*commentStride)} {
		if _, err := b.Change(0, "issue-comment delete", id, ""); err == nil {
			t.Errorf("%s was deleted", id)
		}
	}
}

// TestCommentsAreEditedWhileTheyAreRead has readers meet comments of the start and of now in mid-change.
func TestCommentsAreEditedWhileTheyAreRead(t *testing.T) {
	b := serveOAuth(t, Options{Issues: 60, Projects: 3})
	site, key := b.url+sitePrefix, "PAY-1"
	for i := 2; len(talkOf(t, site, key).ids) == 0; i++ {
		key = "PAY-" + textOf(i)
	}
	mustChange(t, b.Server, "issue comment", key, "new")
	ids := talkOf(t, site, key).ids
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			if _, err := b.Change(0, "issue-comment edit", ids[n%2*(len(ids)-1)], textOf(n)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 50 {
		if got := talkOf(t, site, key).ids; !slices.Equal(got, ids) {
			t.Errorf("got the comments %v, want %v", got, ids)
		}
	}
	close(done)
	all.Wait()
}

// TestPageComments makes, edits and deletes comments on a page, which do not change it.
func TestPageComments(t *testing.T) {
	b := serveOAuth(t, Options{})
	x := newExchanges(t, b.url+sitePrefix, "")
	page := x.walk("/pages", "/pages?limit=250&status=current")[3]
	look := func() string { return string(x.get("/pages/{id}", "/pages/"+page)) }
	before := look()
	note := mustChange(t, b.Server, "page comment", page, "late")
	mustChange(t, b.Server, "comment edit", note, "")
	if got := look(); got != before {
		t.Errorf("the page changed from %s to %s", before, got)
	}
	mustChange(t, b.Server, "comment delete", note, "")
	if got := look(); got != before {
		t.Errorf("the page changed from %s to %s", before, got)
	}
}

// TestRecordComments makes, edits and deletes comments of every kind over the control, which do not change their records.
func TestRecordComments(t *testing.T) {
	clock := newFakeClock()
	b := serveOrg(t, Options{Records: 300, Now: clock.Now})
	control := func(id, change, to string) string {
		t.Helper()
		clock.add(time.Minute)
		got := b.send(http.MethodPost, "/control/salesforce/record/"+id+"/"+change+"?to="+to, nil, "")
		if got.status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", id, change, got.status, got.body)
		}
		return got.text(t, "id")
	}
	record := b.all("query", "SELECT Id, SystemModstamp FROM Case LIMIT 1")[0]
	parent := record["Id"].(string)
	post := control(parent, "post", "first")
	made := map[string]string{"FeedItem": post, "CaseComment": control(parent, "comment", "first"), "FeedComment": control(post, "comment", "first")}
	for object, id := range map[string]string{"CaseComment": made["CaseComment"], "FeedComment": made["FeedComment"], "FeedItem": post} {
		column := map[string]string{"FeedItem": "Body"}[object]
		if column == "" {
			column = "CommentBody"
		}
		if got := control(id, "edit", "second"); got != id {
			t.Errorf("%s: edited %s", id, got)
		}
		since := " WHERE ParentId = '" + parent + "' AND SystemModstamp >= " + clock.Now().Format(time.RFC3339)
		if got := b.all("query", "SELECT Id, "+column+" FROM "+object+since); len(got) != 1 || got[0]["Id"] != id || got[0][column] != "second" {
			t.Errorf("%s: an edited comment is %v", object, got)
		}
		control(id, "delete", "")
		since = " WHERE ParentId = '" + parent + "' AND SystemModstamp >= " + clock.Now().Format(time.RFC3339)
		if live, all := b.all("query", "SELECT Id FROM "+object+since), b.all("queryAll", "SELECT Id FROM "+object+since); len(live) != 0 || len(all) != 1 {
			t.Errorf("%s: a deleted comment is %v, %v", object, live, all)
		}
	}
	if got := b.all("query", "SELECT Id, SystemModstamp FROM Case WHERE Id = '"+parent+"'")[0]["SystemModstamp"]; got != record["SystemModstamp"] {
		t.Errorf("the case changed from %v to %v", record["SystemModstamp"], got)
	}
	control(parent, "edit", "")
	if got := b.all("query", "SELECT Description FROM Case WHERE Id = '"+parent+"'")[0]["Description"]; got != "said" {
		t.Errorf("a case that was edited without a text says %v", got)
	}
	for path, want := range map[string]string{
		"500000000000000/comment": "no record", b.org.users[0] + "/comment": "not known", parent + "/explode": "not known", made["FeedComment"] + "/delete": "ENTITY_IS_DELETED",
	} {
		if got := b.send(http.MethodPost, "/control/salesforce/record/"+path, nil, ""); got.status != http.StatusBadRequest || !strings.Contains(string(got.body), want) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
