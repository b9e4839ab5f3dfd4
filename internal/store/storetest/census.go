package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// recordLister lists the items of a feed by their IDs.
func recordLister(q store.RecordFind) lister {
	held := func(ctx ctxt, s store.Store, t tenant, r domain.Record) error {
		f, err := s.TakeFeed(ctx, t, feedID, "w", long)
		if err == nil {
			_, err = s.PutRecords(ctx, f, []domain.Record{r})
		}
		return err
	}
	id := func(n int) string { return "itm_" + sortable(n) }
	return lister{
		name: fmt.Sprintf("records by %+v", q), id: id,
		create: func(ctx ctxt, s store.Store, t tenant, n int) error { return held(ctx, s, t, item(id(n), "a")) },
		remove: func(ctx ctxt, s store.Store, t tenant, n int) error { return held(ctx, s, t, gone(id(n))) },
		list: func(ctx ctxt, s store.Store, t tenant, l store.List) ([]string, error) {
			list, err := s.FindRecords(ctx, t, feedID, q, l)
			return ids(list, err, func(r domain.Record) string { return r.ID })
		},
	}
}

// wantFound checks what is found in pages of two, and that as many are counted.
func wantFound(t TB, what string, s store.Store, q store.RecordFind, want ...string) {
	t.Helper()
	got := walk(t, s, recordLister(q), 2, func([]string) {})
	same(t, what, strings.Join(got, " "), strings.Join(want, " "))
	n, err := s.CountRecords(t.Context(), acme, feedID, q)
	must(t, err)
	same(t, "the number of "+what, n, len(want))
}

// findingRecords holds how stored records are told, and what comes of them.
func findingRecords(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	f := take(t, s, "w", long)
	for i, id := range []string{"ü", "b", "a", "B", "$x", "10", "9"} {
		r := item(id, "a")
		r.ContainerID, r.Seen = []string{"PAY", "OPS"}[i%2], int64(i)
		note := r
		note.Kind, note.ID, note.ItemID = domain.CommentRecord, "note "+id, []string{"a", "b", "$x"}[i%3]
		putRecords(t, s, f, r, note)
	}
	buried := gone("B")
	buried.ContainerID = "OPS"
	putRecords(t, s, f, buried)
	items := store.RecordFind{Kind: domain.ItemRecord}
	wantFound(t, "items", s, items, "$x", "10", "9", "a", "b", "ü")
	items.ContainerID = "OPS"
	wantFound(t, "items of a container", s, items, "10", "b")
	items.SeenBelow = 2
	wantFound(t, "items of a container that were not seen", s, items, "b")
	wantFound(t, "items that were not seen", s, store.RecordFind{Kind: domain.ItemRecord, SeenBelow: 4}, "a", "b", "ü")
	wantFound(t, "comments of an item", s, store.RecordFind{Kind: domain.CommentRecord, ItemID: "a"}, "note 9", "note B", "note ü")
	wantFound(t, "comments of an item in a container", s, store.RecordFind{Kind: domain.CommentRecord, ItemID: "a", ContainerID: "OPS"}, "note B")
	wantFound(t, "comments of an item that were not seen", s, store.RecordFind{Kind: domain.CommentRecord, ItemID: "a", SeenBelow: 1}, "note ü")
	wantFound(t, "comments of no item", s, store.RecordFind{Kind: domain.CommentRecord, ItemID: "A"})
	wantFound(t, "containers", s, store.RecordFind{Kind: domain.ContainerRecord})

	found, err := s.FindRecords(ctx, acme, feedID, store.RecordFind{Kind: domain.CommentRecord}, store.List{After: "note a", Limit: 1})
	must(t, err)
	want := item("note b", "a")
	want.Kind, want.ItemID, want.ContainerID, want.Seen, want.Value, want.Raw = domain.CommentRecord, "b", "OPS", 1, nil, nil
	if len(found) == 1 {
		want.Change = found[0].Change
	}
	same(t, "a record that was found", found, []domain.Record{want})
	_, err = s.FindRecords(ctx, acme, feedID, store.RecordFind{Kind: domain.ItemRecord}, store.List{})
	wantCode(t, "a finding of none", err, connectors.Internal)
}

func mark(t TB, s store.Store, f domain.Feed, kind domain.Kind, seen int64, ids ...string) string {
	t.Helper()
	missing, err := s.MarkRecords(t.Context(), f, kind, ids, seen)
	must(t, err)
	slices.Sort(missing)
	return strings.Join(missing, " ")
}

// stamps holds that records are stamped by puts and marks, that a stamp only rises, and that it is no change.
func stamps(t TB, open func() store.Store) {
	s := open()
	f := take(t, s, "w", long)
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		putRecords(t, s, f, item(id, "a"))
	}
	note := item("1", "a")
	note.Kind, note.ItemID = domain.CommentRecord, "1"
	putRecords(t, s, f, note, gone("5"))
	before := feedSince(t, s, 0)
	notSeen := func(below int64) store.RecordFind { return store.RecordFind{Kind: domain.ItemRecord, SeenBelow: below} }
	wantFound(t, "what no census met", s, notSeen(1), "1", "2", "3", "4")

	same(t, "what a census met and nobody has", mark(t, s, f, domain.ItemRecord, 7, "none", "1", "5", odd, "2"), "5 none "+odd)
	same(t, "a census that met nothing", mark(t, s, f, domain.ItemRecord, 9), "")
	wantFound(t, "what a census did not meet", s, notSeen(7), "3", "4")
	wantFound(t, "comments that a census of items did not meet", s, store.RecordFind{Kind: domain.CommentRecord, SeenBelow: 7}, "1")
	same(t, "what a census of comments met and nobody has", mark(t, s, f, domain.CommentRecord, 7, "1", "2"), "2")
	wantFound(t, "comments that a census did not meet", s, store.RecordFind{Kind: domain.CommentRecord, SeenBelow: 7})
	same(t, "a lower stamp", mark(t, s, f, domain.ItemRecord, 6, "1", "3"), "")
	wantFound(t, "what a census did not meet, after a lower one", s, notSeen(7), "3", "4")
	wantFound(t, "what neither met", s, notSeen(6), "4")

	stamped := func(id, text string, seen int64) domain.Record {
		r := item(id, text)
		r.Seen = seen
		return r
	}
	same(t, "puts with stamps", putRecords(t, s, f, stamped("4", "a", 7), stamped("1", "a", 3), stamped("2", "a", 0)),
		[]domain.Outcome{domain.Unchanged, domain.Unchanged, domain.Unchanged})
	wantFound(t, "what a census did not meet, after puts", s, notSeen(7), "3")
	same(t, "changes by stamps", feedSince(t, s, 0), before)
	wantPut(t, s, f, stamped("2", "b", 3), domain.Updated)
	wantPut(t, s, f, stamped("3", "b", 9), domain.Updated)
	wantFound(t, "what no census met, after changes", s, notSeen(8), "1", "2", "4")
	wantFound(t, "what was met with the lowest stamp", s, notSeen(7))
	marksOfMany(t, s, f)
}

// marksOfMany stamps more records than fit into one statement of a store.
func marksOfMany(t TB, s store.Store, f domain.Feed) {
	t.Helper()
	var rs []domain.Record
	var ids, absent []string
	for i := range 1100 {
		r := item("many "+sortable(i), "a")
		r.ContainerID = "MANY"
		ids = append(ids, r.ID)
		if i%100 == 99 {
			absent = append(absent, r.ID)
			continue
		}
		rs = append(rs, r)
	}
	putRecords(t, s, f, rs...)
	same(t, "missing of many", mark(t, s, f, domain.ItemRecord, 3, ids...), strings.Join(absent, " "))
	for below, want := range map[int64]int{3: 0, 4: len(rs)} {
		n, err := s.CountRecords(t.Context(), acme, feedID, store.RecordFind{Kind: domain.ItemRecord, ContainerID: "MANY", SeenBelow: below})
		must(t, err)
		same(t, fmt.Sprintf("how many have a stamp below %d", below), n, want)
	}
}
