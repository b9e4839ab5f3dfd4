package sandbox

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// testWiki is the wiki of a site.
func testWiki(t testing.TB, o Options) *wiki {
	t.Helper()
	o = o.withDefaults()
	zone, err := o.check()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(o, zone)
	still := epoch(o.Seed)
	return newWiki(o, w, newSpaces(o, w, w.accounts), func() time.Time { return still })
}

var wikiSizes = []Options{
	{Pages: None},
	{Pages: 1},
	{Pages: 7, Spaces: 9},
	{Pages: 29, Spaces: 3},
	{Pages: 1003, Spaces: 4, Seed: 9},
	{Pages: 1980, Spaces: 1, Seed: 1 << 63, Comments: 1},
}

// all reads a feed page by page with fresh feeds, as clients do.
func allOf[T any](t *testing.T, size int, feed func() *feed[T]) []T {
	t.Helper()
	var all []T
	pos, more := feed().start(), true
	for more {
		f := feed()
		if len(all) > 0 {
			f.after(all[len(all)-1])
		}
		var found []T
		found, pos, more = f.page(t.Context(), pos, size)
		all = append(all, found...)
	}
	return all
}

var everyStatus = map[string]bool{statusCurrent: true, statusArchived: true, statusTrashed: true}

// The arithmetic orders must be those that sorting gives, also after changes.
func TestWikiOrdersMatchSorting(t *testing.T) {
	for _, o := range wikiSizes {
		w := testWiki(t, o)
		for changed := range 2 {
			var want []content
			for n := range w.contents + 5 {
				if c, ok := w.content(n); ok {
					want = append(want, c)
				}
			}
			for _, by := range []string{"id", "created-date", "modified-date", "title"} {
				for _, descending := range []bool{false, true} {
					order := contentOrder{by, descending}
					slices.SortFunc(want, func(a, b content) int { return w.compare(order, a, b) })
					got := allOf(t, 37, func() *feed[content] { return w.list(&contentFilter{status: everyStatus}, order) })
					if !slices.Equal(got, want) {
						t.Errorf("%+v, changed %d, by %+v: %d contents in another order than sorting gives %d", o, changed, order, len(got), len(want))
					}
				}
			}
			for n := int64(0); n < w.contents; n += 7 {
				w.edit(w.base(n), func(c *content) { c.title = "edited " + c.title })
			}
			w.add(content{shape: shape{kind: kindPage, status: statusCurrent}, title: "new"})
		}
	}
}

func TestCommentOrdersMatchSorting(t *testing.T) {
	for _, o := range wikiSizes {
		w := testWiki(t, o)
		for changed := range 2 {
			var want []comment
			for n := range w.contents {
				c, _ := w.content(n)
				if c.status != statusTrashed {
					want = append(want, w.commentsOf(n)...)
				}
			}
			for _, by := range []string{"id", "created-date", "modified-date"} {
				for _, descending := range []bool{false, true} {
					order := contentOrder{by, descending}
					slices.SortFunc(want, func(a, b comment) int { return compareComments(order, a, b) })
					got := allOf(t, 41, func() *feed[comment] { return w.everyComment(order, func(comment) bool { return true }) })
					if !slices.Equal(got, want) {
						t.Errorf("%+v, changed %d, by %+v: %d comments in another order than sorting gives %d", o, changed, order, len(got), len(want))
					}
				}
			}
			for i, c := range want {
				switch i % 11 {
				case 3:
					w.editComment(c)
				case 7:
					w.deleteComment(c)
				}
			}
			if w.contents > 0 {
				w.post(comment{content: 0})
			}
		}
	}
}

// Comments answer others that exist and are older, several levels deep, and lie after what they are about.
func TestThreads(t *testing.T) {
	w := testWiki(t, Options{Pages: 300, Comments: 12})
	deepest, replies := 0, map[int64]int{}
	for n := range w.contents {
		of, _ := w.content(n)
		all := w.commentsOf(n)
		byID := map[int64]comment{}
		for _, c := range all {
			byID[c.id] = c
			if c.created <= of.created || c.modified < c.created || c.modified > w.editedUntil {
				t.Fatalf("comment %+v of %+v", c, of)
			}
			depth := 1
			for above := c; above.parent != 0; depth++ {
				parent, ok := byID[above.parent]
				if !ok || parent.inline != c.inline || parent.created > above.created {
					t.Fatalf("%+v answers %+v", above, parent)
				}
				above = parent
			}
			deepest = max(deepest, depth)
			replies[c.parent]++
			if got, ok := w.comment(c.id); !ok || got != c {
				t.Fatalf("comment %d by id: %+v, %v", c.id, got, ok)
			}
		}
	}
	delete(replies, 0)
	most := 0
	for _, n := range replies {
		most = max(most, n)
	}
	if deepest < 5 || most <= wikiPerPage {
		t.Errorf("threads are %d deep, at most %d answers to one", deepest, most)
	}
}

// With a comment go the answers to it, at any depth.
func TestDeletedThreads(t *testing.T) {
	w := testWiki(t, Options{})
	n := pageAt(int64(crowdedRow * len(w.spaces)))
	all := w.commentsOf(n)
	w.deleteComment(all[0])
	left := w.commentsOf(n)
	for _, c := range left {
		if c.parent == 0 {
			continue
		}
		if _, ok := w.comment(c.parent); !ok {
			t.Errorf("%d answers a comment that is deleted", c.id)
		}
	}
	if gone := len(all) - len(left); gone < crowdedAnswersTo-crowdedAnswersFrom || len(left) == 0 {
		t.Errorf("%d of %d are gone", gone, len(all))
	}
}

// A comment of a content that is purged is gone with it, and a changed content is found by its id.
func TestWikiChanges(t *testing.T) {
	w := testWiki(t, Options{})
	first, _ := w.content(1)
	edited := w.edit(first, func(c *content) { c.title = "again" })
	if edited.version != first.version+1 || edited.modified < epoch(w.seed).UnixMilli() {
		t.Errorf("edited %+v to %+v", first, edited)
	}
	next := w.edit(first, func(*content) {})
	if next.version != edited.version+1 || next.modified <= edited.modified || next.title != "again" {
		t.Errorf("edited again: %+v", next)
	}
	note := w.post(comment{content: 1})
	if got, ok := w.comment(note.id); !ok || got.created <= next.modified {
		t.Errorf("posted %+v, %v", got, ok)
	}
	w.edit(first, func(c *content) { c.status = statusDeleted })
	if _, ok := w.content(1); ok {
		t.Error("a purged page is found")
	}
	if _, ok := w.comment(note.id); ok {
		t.Error("the comment of a purged page is found")
	}
}

// A million pages cost no memory, and a page at any depth costs the page.
func TestAMillionPages(t *testing.T) {
	w := testWiki(t, Options{Pages: 1_000_000, Spaces: 20, Comments: 3})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f := w.list(&contentFilter{kind: kindPage, status: map[string]bool{statusCurrent: true}}, contentOrder{"modified-date", true})
	looked := 0
	at := f.at
	f.at = func(pos int64) (content, bool) {
		looked++
		return at(pos)
	}
	found, _, more := f.page(t.Context(), 600_000, 250)
	if len(found) != 250 || !more || looked > 400 {
		t.Errorf("%d pages, more %v, looked at %d", len(found), more, looked)
	}
	notes := w.everyComment(contentOrder{"modified-date", true}, func(comment) bool { return true })
	newest, _, _ := notes.page(t.Context(), notes.start(), 250)
	if len(newest) != 250 {
		t.Errorf("%d comments", len(newest))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}
