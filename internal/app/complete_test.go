package app_test

import (
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
)

// box is a sandbox, and ucf beside it.
type box struct {
	*sandbox.Server
	url string
	app *app.App
}

func newBox(t *testing.T, o sandbox.Options) *box {
	t.Helper()
	s, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return &box{Server: s, url: srv.URL, app: build(t, t.TempDir(), true)}
}

// configOf returns the configuration of a connector for a sandbox.
func configOf(connector, url string) map[string]any {
	switch connector {
	case "salesforce":
		return map[string]any{"instance_url": url + "/salesforce", "access_token": "sandbox"}
	case "jira at a data center":
		return map[string]any{"base_url": url + "/datacenter/jira", "personal_token": "sandbox-pat"}
	case "confluence at a data center":
		return map[string]any{"base_url": url + "/datacenter/confluence", "personal_token": "sandbox-pat"}
	}
	return map[string]any{"base_url": url + "/acme", "api_email": "you@example.com", "api_token": "sandbox"}
}

func list(connector string, config map[string]any) service.ListIn {
	return service.ListIn{ConnectorID: connector, Limit: 200, Config: config}
}

// everyItem returns how often each item is listed.
func (b *box) everyItem(t *testing.T, in service.ItemsIn) map[string]int {
	t.Helper()
	seen := map[string]int{}
	err := b.app.Service.EachItemPage(t.Context(), "acme", in, true, func(p connectors.Page[connectors.Item]) error {
		for _, it := range p.Items {
			seen[it.ID]++
		}
		for _, gap := range p.Incomplete {
			t.Errorf("incomplete: %+v", gap)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// everyComment returns how often each comment on an item is listed.
func (b *box) everyComment(t *testing.T, in service.CommentsIn) map[string]int {
	t.Helper()
	seen := map[string]int{}
	err := b.app.Service.EachCommentPage(t.Context(), "acme", in, true, func(p connectors.Page[connectors.Comment]) error {
		for _, k := range p.Items {
			seen[k.ID]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func once(t *testing.T, what string, seen map[string]int) {
	t.Helper()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s %s came %d times", what, id, n)
		}
	}
}

// TestEverythingOnce lists whole sites and compares with what the sandbox counts itself: 1,000 pages with their comments
// and replies to every depth, and 300 issues with theirs.
func TestEverythingOnce(t *testing.T) {
	b := newBox(t, sandbox.Options{Pages: 1000, Issues: 300})
	counts := b.Counts(0)
	for name, want := range map[string]struct {
		connector       string
		items, comments int64
	}{
		"confluence":                  {"confluence", counts.Pages + counts.ArchivedPages + counts.BlogPosts, counts.FooterComments + counts.InlineComments},
		"confluence at a data center": {"confluence", counts.Pages + counts.ArchivedPages + counts.BlogPosts, counts.FooterComments + counts.InlineComments},
		"jira":                        {"jira", counts.Issues, counts.IssueComments},
		"jira at a data center":       {"jira", counts.Issues, counts.IssueComments},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := list(want.connector, configOf(name, b.url))
			items := b.everyItem(t, service.ItemsIn{ListIn: in})
			once(t, "item", items)
			if int64(len(items)) != want.items {
				t.Errorf("%d items, the sandbox has %d: %+v", len(items), want.items, counts)
			}
			comments := map[string]int{}
			for id := range items {
				maps.Copy(comments, b.everyComment(t, service.CommentsIn{ListIn: in, ItemID: id}))
			}
			once(t, "comment", comments)
			if int64(len(comments)) != want.comments {
				t.Errorf("%d comments, the sandbox has %d: %+v", len(comments), want.comments, counts)
			}
			t.Logf("%d items and %d comments", len(items), len(comments))
		})
	}
}

// TestChangedSince changes a few pages and issues, and expects a listing of changes to have those and nothing older.
func TestChangedSince(t *testing.T) {
	b := newBox(t, sandbox.Options{Pages: 300, Issues: 300})
	sites := []string{"confluence", "confluence at a data center", "jira", "jira at a data center"}
	before := map[string]time.Time{}
	for _, name := range sites {
		before[name] = b.lastChange(t, name)
	}
	changed := map[string][]string{}
	for kind, connector := range map[string]string{"page": "confluence", "issue": "jira"} {
		for id := range b.everyItem(t, service.ItemsIn{ListIn: list(connector, configOf(connector+" at a data center", b.url))}) {
			if len(changed[connector]) == 5 {
				break
			}
			if _, err := b.Change(0, kind+" edit", id, ""); err != nil {
				t.Fatal(err)
			}
			changed[connector] = append(changed[connector], id)
		}
	}
	for _, name := range sites {
		connector, _, _ := strings.Cut(name, " ")
		got := b.everyItem(t, service.ItemsIn{ListIn: list(connector, configOf(name, b.url)), UpdatedAfter: before[name].Add(time.Second)})
		want := map[string]int{}
		for _, id := range changed[connector] {
			want[id] = 1
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// lastChange returns when the site's items last changed.
func (b *box) lastChange(t *testing.T, name string) (last time.Time) {
	t.Helper()
	connector, _, _ := strings.Cut(name, " ")
	in := service.ItemsIn{ListIn: list(connector, configOf(name, b.url))}
	err := b.app.Service.EachItemPage(t.Context(), "acme", in, true, func(p connectors.Page[connectors.Item]) error {
		for _, it := range p.Items {
			if it.UpdatedAt.After(last) {
				last = *it.UpdatedAt
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// TestQueryUnderEmptyPages asks for pages by their ids where every other answer is an empty page with a next one.
func TestQueryUnderEmptyPages(t *testing.T) {
	fault, err := sandbox.ParseFault("empty-page=0.5,path=/wiki/api/v2/pages")
	if err != nil {
		t.Fatal(err)
	}
	o := sandbox.Options{Pages: 150, Seed: 7}
	in := service.ItemsIn{Query: "type = page"}
	quiet, faulty := newBox(t, o), func() *box { o.Faults = []sandbox.Fault{fault}; return newBox(t, o) }()
	in.ListIn = list("confluence", configOf("confluence", quiet.url))
	want := quiet.everyItem(t, in)
	in.ListIn = list("confluence", configOf("confluence", faulty.url))
	in.Limit = 20
	got := faulty.everyItem(t, in)
	once(t, "page", got)
	if len(got) != len(want) || len(got) < 100 {
		t.Errorf("%d pages, want %d", len(got), len(want))
	}
}

// TestRepliesThatAreNotFound has a site deny, now and then, that a comment has replies: a listing of comments ends with an
// error or with all of them.
func TestRepliesThatAreNotFound(t *testing.T) {
	fault, err := sandbox.ParseFault("404=0.2,path=/children")
	if err != nil {
		t.Fatal(err)
	}
	o := sandbox.Options{Pages: 60, Seed: 7}
	quiet := newBox(t, o)
	o.Faults = []sandbox.Fault{fault}
	faulty := newBox(t, o)
	in := list("confluence", configOf("confluence", quiet.url))
	failed, whole := 0, 0
	for id := range quiet.everyItem(t, service.ItemsIn{ListIn: in}) {
		want := quiet.everyComment(t, service.CommentsIn{ListIn: in, ItemID: id})
		got := map[string]bool{}
		bad := list("confluence", configOf("confluence", faulty.url))
		err := faulty.app.Service.EachCommentPage(t.Context(), "acme", service.CommentsIn{ListIn: bad, ItemID: id}, true, func(p connectors.Page[connectors.Comment]) error {
			for _, k := range p.Items {
				got[k.ID] = true
			}
			return nil
		})
		switch {
		case err != nil:
			failed++
		case len(got) != len(want):
			t.Errorf("%s: %d comments of %d, and no error", id, len(got), len(want))
		default:
			whole++
		}
	}
	if failed == 0 || whole == 0 {
		t.Errorf("%d failed, %d were whole: the fault did not bite", failed, whole)
	}
}
