package storetest

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// feedID is the connection of the checks of records.
const feedID = "con_feed"

func item(id, text string) domain.Record {
	value, _ := json.Marshal(map[string]string{"text": text})
	return domain.Record{
		Kind: domain.ItemRecord, ID: id, ContainerID: "PAY", Hash: "h " + text, SyncedAt: changedAt, Value: value, Raw: json.RawMessage(`{"n":12345678901234567890.10}`),
	}
}

func gone(id string) domain.Record {
	return domain.Record{Kind: domain.ItemRecord, ID: id, ContainerID: "PAY", Deleted: true, Reason: "deleted", SyncedAt: changedAt}
}

func take(t TB, s store.Store, owner string, lease time.Duration) domain.Feed {
	t.Helper()
	f, err := s.TakeFeed(t.Context(), acme, feedID, owner, lease)
	must(t, err)
	return f
}

func putRecords(t TB, s store.Store, f domain.Feed, rs ...domain.Record) []domain.Outcome {
	t.Helper()
	out, err := s.PutRecords(t.Context(), f, rs)
	must(t, err)
	return out
}

// wantPut puts one record and checks what becomes of it, and that exactly a change has a number, the next one. It returns
// the record as it is stored.
func wantPut(t TB, s store.Store, f domain.Feed, r domain.Record, want domain.Outcome) domain.Record {
	t.Helper()
	before := published(t, s)
	same(t, "what became of "+r.ID, putRecords(t, s, f, r), []domain.Outcome{want})
	changes := feedSince(t, s, before)
	if want == domain.Unchanged {
		same(t, "changes by what is unchanged", len(changes), 0)
		return domain.Record{}
	}
	if len(changes) != 1 {
		t.Fatalf("the put of %s made the changes %+v, want one", r.ID, changes)
	}
	return changes[0]
}

func published(t TB, s store.Store) int64 {
	t.Helper()
	f, err := s.Feed(t.Context(), acme, feedID)
	must(t, err)
	return f.Published
}

// feedSince returns what follows a number, as a reader reads it: first how far it may read, then what there is.
func feedSince(t TB, s store.Store, after int64) []domain.Record {
	t.Helper()
	upTo := published(t, s)
	var all []domain.Record
	for {
		page, err := s.ListRecords(t.Context(), acme, feedID, store.RecordQuery{After: after, UpTo: upTo, Raw: true, Limit: 7})
		must(t, err)
		for _, r := range page {
			if r.Change <= after || r.Change > upTo {
				t.Fatalf("the record %s has the number %d, after %d and up to %d", r.ID, r.Change, after, upTo)
			}
			after = r.Change
		}
		all = append(all, page...)
		if len(page) < 7 {
			return all
		}
	}
}

func idsOf(rs []domain.Record) string {
	var out []string
	for _, r := range rs {
		out = append(out, r.ID)
	}
	return strings.Join(out, " ")
}

// oddJSON are values that are easily spoilt.
var oddJSON = []json.RawMessage{
	nil,
	json.RawMessage("null"),
	json.RawMessage("{ \"b\" : 1.0,\n\t\"a\":1e2, \"a\":\"\\u00e9\\/\" }"),
	json.RawMessage(`{"big":` + strings.Repeat("9", 400) + `,"exact":12345678901234567890.10,"min":-0}`),
	json.RawMessage(`{"text":"` + strings.Repeat("ü漢🧑‍🚀", 60_000) + `"}`),
	json.RawMessage("{\"latin\":\"gr\xf6\xdfe\",\"nul\":\"\\u0000\",\"$set\":{\"a.b\":1}}"),
	json.RawMessage(`"<b>&amp;` + "\u2028" + `"`),
}

func roundTripRecords(t TB, open func() store.Store) {
	s := open()
	f := take(t, s, odd, long)
	for i, at := range oddTimes {
		r := domain.Record{
			Kind: []domain.Kind{domain.ContainerRecord, domain.ItemRecord, domain.CommentRecord}[i%3], ID: odd + sortable(i), ContainerID: "c" + odd,
			ItemID: []string{"", "", "i" + odd}[i%3], SyncedAt: at, Hash: "h" + odd, Seen: int64(i), Value: oddJSON[i], Raw: oddJSON[len(oddJSON)-1-i],
		}
		given := r
		given.Change = 1 << 50 // is ignored
		got := wantPut(t, s, f, given, domain.Created)
		wantUTC(t, got.SyncedAt)
		r.Change, r.Seen, r.SyncedAt = got.Change, got.Seen, utc(at)
		same(t, "record", got, r)
		plain, err := s.ListRecords(t.Context(), acme, feedID, store.RecordQuery{After: got.Change - 1, UpTo: got.Change, Limit: 2})
		must(t, err)
		r.Raw = nil
		same(t, "record without raw", plain, []domain.Record{r})

		change := r
		change.Hash, change.ContainerID, change.ItemID, change.SyncedAt = "", "", "another", changedAt
		change.Value, change.Raw = oddJSON[len(oddJSON)-1-i], oddJSON[i]
		got = wantPut(t, s, f, change, domain.Updated)
		change.Change, change.Seen = got.Change, got.Seen
		same(t, "changed record", got, change)
	}
}

// putsAndNumbers holds what a put does to a record, and that each change has a number that was never used.
func putsAndNumbers(t TB, open func() store.Store) {
	s := open()
	f := take(t, s, "w", long)
	same(t, "a put of nothing", len(putRecords(t, s, f)), 0)
	first := wantPut(t, s, f, item("1", "a"), domain.Created)
	wantPut(t, s, f, item("1", "a"), domain.Unchanged)
	unlike := item("1", "b")
	unlike.Hash, unlike.ContainerID, unlike.SyncedAt = first.Hash, "OPS", changedAt.Add(1)
	wantPut(t, s, f, unlike, domain.Unchanged)
	same(t, "a record after puts of its hash", feedSince(t, s, first.Change-1), []domain.Record{first})
	moved := item("1", "b")
	moved.ContainerID = "OPS"
	if second := wantPut(t, s, f, moved, domain.Updated); second.ContainerID != "OPS" {
		t.Errorf("a record that moved: %+v", second)
	}

	// An id is one of its kind. Of one call each record has its own outcome, and its own number.
	box, note := item("1", "a"), item("1", "a")
	box.Kind, note.Kind, note.ItemID = domain.ContainerRecord, domain.CommentRecord, "1"
	same(t, "outcomes of one call", putRecords(t, s, f, box, moved, note, item("2", "a"), gone("none")),
		[]domain.Outcome{domain.Created, domain.Unchanged, domain.Created, domain.Created, domain.Unchanged})
	wantPut(t, s, f, item("2", "b"), domain.Updated)
	wantPut(t, s, f, gone("2"), domain.Tombstone)
	all := feedSince(t, s, 0)
	if len(all) != 4 {
		t.Fatalf("the records are %+v, want 4", all)
	}
	same(t, "the last changes", idsOf(all[2:]), "1 2")
	same(t, "up to the last change", published(t, s) >= all[3].Change, true)
	manyNumbers(t, s, f)
}

// manyNumbers puts more records than a page, in several calls, and reads what each call did.
func manyNumbers(t TB, s store.Store, f domain.Feed) {
	t.Helper()
	used := map[int64]string{}
	last := published(t, s)
	for round := range 3 {
		var rs []domain.Record
		for i := range 300 {
			rs = append(rs, item("many "+sortable(i), fmt.Sprint(round, i%(round+2) == 0)))
		}
		putRecords(t, s, f, rs...)
		changes := feedSince(t, s, last)
		same(t, "how many changes", len(changes), len(rs))
		for _, r := range changes {
			if of, is := used[r.Change]; is {
				t.Errorf("the number %d is of %s and of %s", r.Change, of, r.ID)
			}
			used[r.Change], last = r.ID, r.Change
		}
	}
	same(t, "how many numbers", len(used), 900)
}

// tombstones holds what becomes of a record that is gone, and of one that comes back.
func tombstones(t TB, open func() store.Store) {
	s := open()
	f := take(t, s, "w", long)
	note := item("1", "a")
	note.Kind, note.ItemID, note.ContainerID = domain.CommentRecord, "item", "OPS"
	wantPut(t, s, f, note, domain.Created)
	bury := func(containerID string) domain.Record {
		return domain.Record{
			Kind: domain.CommentRecord, ID: "1", ContainerID: containerID, ItemID: "x", Deleted: true, Reason: odd, SyncedAt: changedAt.Add(1),
			Hash: "x", Value: json.RawMessage(`{"x":1}`), Raw: json.RawMessage(`{"x":1}`), Change: math.MaxInt64,
		}
	}
	wantPut(t, s, f, bury("PAY"), domain.Unchanged)
	wantPut(t, s, f, bury("ops"), domain.Unchanged)
	unlike := bury("OPS")
	unlike.Kind = domain.ItemRecord
	wantPut(t, s, f, unlike, domain.Unchanged)
	got := wantPut(t, s, f, bury("OPS"), domain.Tombstone)
	want := domain.Record{
		Kind: domain.CommentRecord, ID: "1", ContainerID: "OPS", ItemID: "item", Change: got.Change, Deleted: true, Reason: odd, SyncedAt: changedAt.Add(1), Seen: got.Seen,
	}
	same(t, "a tombstone", got, want)
	again := bury("OPS")
	again.Reason, again.SyncedAt = "moved", changedAt.Add(2)
	wantPut(t, s, f, again, domain.Unchanged)
	same(t, "a tombstone after another one", feedSince(t, s, got.Change-1), []domain.Record{want})
	note.Hash = "" // as the tombstone has it
	back := wantPut(t, s, f, note, domain.Created)
	note.Change, note.Seen = back.Change, back.Seen
	same(t, "a record that came back", back, note)
	wantPut(t, s, f, bury(""), domain.Tombstone) // it names no container

	q := store.RecordQuery{UpTo: published(t, s), ContainerID: "OPS", Kind: domain.CommentRecord, Limit: 10}
	listed, err := s.ListRecords(t.Context(), acme, feedID, q)
	must(t, err)
	same(t, "a tombstone of its container", idsOf(listed), "1")
}
