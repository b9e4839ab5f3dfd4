package storetest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
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

func take(t TB, s store.Store, owner string) domain.Feed {
	t.Helper()
	f, err := s.TakeFeed(t.Context(), acme, feedID, owner, time.Hour)
	must(t, err)
	return f
}

func putRecords(t TB, s store.Store, f domain.Feed, rs ...domain.Record) []domain.Outcome {
	t.Helper()
	out, err := s.PutRecords(t.Context(), f, rs)
	must(t, err)
	return out
}

// feedSince returns what follows a number, as a reader reads it: first how far it may read, then what there is.
func feedSince(t TB, s store.Store, after int64) ([]domain.Record, domain.Feed) {
	t.Helper()
	f, err := s.Feed(t.Context(), acme, feedID)
	must(t, err)
	var all []domain.Record
	for {
		page, err := s.ListRecords(t.Context(), acme, feedID, store.RecordQuery{After: after, UpTo: f.Published, Raw: true, Limit: 7})
		must(t, err)
		for _, r := range page {
			if r.Change <= after || r.Change > f.Published {
				t.Errorf("change %d after %d, published %d", r.Change, after, f.Published)
			}
			after = r.Change
		}
		all = append(all, page...)
		if len(page) < 7 {
			return all, f
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

// putsAndNumbers holds what a put does to a record, and that each change has the next number.
func putsAndNumbers(t TB, open func() store.Store) {
	s := open()
	none, err := s.Feed(t.Context(), acme, feedID)
	must(t, err)
	same(t, "a feed that never was", none, domain.Feed{Tenant: acme, ConnectionID: feedID})
	f := take(t, s, "w")
	if f.Epoch == "" || f.Fence != 1 || f.Published != 0 {
		t.Errorf("taken %+v", f)
	}
	hostile := item("$a.b/ü' --", "$x \x7f 漢字")
	hostile.Raw = json.RawMessage(`{"big":` + strings.Repeat("9", 400) + `,"text":"` + strings.Repeat("ü", 500_000) + `"}`)
	same(t, "new ones", putRecords(t, s, f, item("1", "a"), item("2", "a"), hostile), []domain.Outcome{domain.Created, domain.Created, domain.Created})
	all, f2 := feedSince(t, s, 0)
	same(t, "published", f2.Published, int64(3))
	want := hostile
	want.Change = all[len(all)-1].Change
	same(t, "a record as it was given", all[len(all)-1], want)
	same(t, "the same again", putRecords(t, s, f, item("1", "a"), gone("none")), []domain.Outcome{domain.Unchanged, domain.Unchanged})
	if all, _ = feedSince(t, s, 3); len(all) != 0 {
		t.Errorf("what did not change came as %+v", all)
	}
	changesAndTombstones(t, s, f)
}

// changesAndTombstones goes on with the three records of putsAndNumbers.
func changesAndTombstones(t TB, s store.Store, f domain.Feed) {
	t.Helper()
	moved := item("2", "b")
	moved.ContainerID = "OPS"
	elsewhere := gone("2")
	same(t, "changed", putRecords(t, s, f, moved), []domain.Outcome{domain.Updated})
	same(t, "missed in a container that it left", putRecords(t, s, f, elsewhere, gone("1")), []domain.Outcome{domain.Unchanged, domain.Tombstone})
	all, _ := feedSince(t, s, 3)
	same(t, "changes", idsOf(all), "2 1")
	if r := all[1]; !r.Deleted || r.Reason != "deleted" || r.Value != nil || r.Raw != nil || r.Hash != "" || r.ContainerID != "PAY" {
		t.Errorf("a tombstone: %+v", r)
	}
	same(t, "back to life, and dead twice", putRecords(t, s, f, item("1", "a")), []domain.Outcome{domain.Created})
	same(t, "dead", putRecords(t, s, f, gone("1")), []domain.Outcome{domain.Tombstone})
	same(t, "dead again", putRecords(t, s, f, gone("1")), []domain.Outcome{domain.Unchanged})
	plain, err := s.ListRecords(t.Context(), acme, feedID, store.RecordQuery{UpTo: 100, Kind: domain.ItemRecord, ContainerID: "OPS", Limit: 10})
	must(t, err)
	if len(plain) != 1 || plain[0].ID != "2" || plain[0].Raw != nil {
		t.Errorf("narrowed, without raw: %+v", plain)
	}
	foreign, err := s.ListRecords(t.Context(), other, feedID, store.RecordQuery{UpTo: 100, Limit: 10})
	must(t, err)
	same(t, "another tenant's", len(foreign), 0)
}

// leasesOfFeeds holds that one writes at a time, and that who lost the lease publishes nothing.
func leasesOfFeeds(t TB, open func() store.Store) {
	s, b := open(), open()
	f := take(t, s, "a")
	_, err := b.TakeFeed(t.Context(), acme, feedID, "b", time.Hour)
	wantCode(t, "a feed that is held", err, connectors.Conflict)
	again := take(t, b, "a")
	same(t, "the holder's next fence", again.Fence, f.Fence+1)
	_, err = s.PutRecords(t.Context(), f, []domain.Record{item("1", "a")})
	wantCode(t, "a put under a lost lease", err, connectors.Conflict)
	_, err = s.MarkRecords(t.Context(), f, domain.ItemRecord, []string{"1"}, 5)
	wantCode(t, "a mark under a lost lease", err, connectors.Conflict)
	wantCode(t, "keeping a lost lease", s.KeepFeed(t.Context(), f, time.Hour), connectors.Conflict)
	must(t, s.ReleaseFeed(t.Context(), f))
	if all, _ := feedSince(t, s, 0); len(all) > 0 {
		t.Errorf("a lost lease published %+v", all)
	}
	must(t, b.KeepFeed(t.Context(), again, term))
	_, err = s.TakeFeed(t.Context(), acme, feedID, "b", time.Hour)
	wantCode(t, "a feed that is still held", err, connectors.Conflict)
	begin := time.Now()
	for {
		if f, err = s.TakeFeed(t.Context(), acme, feedID, "b", time.Hour); err == nil {
			break
		}
		wantCode(t, "a feed that is still held", err, connectors.Conflict)
		if time.Since(begin) > 20*term {
			t.Fatalf("a lease never ended")
		}
		time.Sleep(term / 50)
	}
	putRecords(t, s, f, item("1", "a"))
	must(t, s.ReleaseFeed(t.Context(), f))
	_, err = s.PutRecords(t.Context(), f, []domain.Record{item("1", "b")})
	wantCode(t, "a put under a lease that was given back", err, connectors.Conflict)
	same(t, "the next holder's fence", take(t, b, "c").Fence, f.Fence+1)
}

// censusOfRecords holds the stamps of records, and what is found and counted by them.
func censusOfRecords(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	f := take(t, s, "w")
	for i := range 5 {
		putRecords(t, s, f, item(sortable(i), "a"))
	}
	note := domain.Record{Kind: domain.CommentRecord, ID: "c1", ItemID: sortable(1), ContainerID: "PAY", Hash: "x", SyncedAt: changedAt, Value: json.RawMessage("{}")}
	putRecords(t, s, f, note, gone(sortable(4)))
	missing, err := s.MarkRecords(ctx, f, domain.ItemRecord, []string{sortable(0), sortable(4), "none", "c1"}, 7)
	must(t, err)
	same(t, "missing", strings.Join(missing, " "), sortable(4)+" none c1")
	stamped := item(sortable(1), "a")
	stamped.Seen = 7
	same(t, "a put with a stamp", putRecords(t, s, f, stamped), []domain.Outcome{domain.Unchanged})
	changed := item(sortable(2), "b")
	changed.Seen = 6
	putRecords(t, s, f, changed)
	q := store.RecordFind{Kind: domain.ItemRecord, ContainerID: "PAY", SeenBelow: 7}
	found, err := s.FindRecords(ctx, acme, feedID, q, store.List{Limit: 10})
	must(t, err)
	same(t, "not seen", idsOf(found), sortable(2)+" "+sortable(3))
	n, err := s.CountRecords(ctx, acme, feedID, q)
	must(t, err)
	same(t, "how many were not seen", n, 2)
	found, err = s.FindRecords(ctx, acme, feedID, store.RecordFind{Kind: domain.ItemRecord}, store.List{After: sortable(1), Limit: 1})
	must(t, err)
	same(t, "after one", idsOf(found), sortable(2))
	if found[0].Value != nil || found[0].Hash != "h b" || found[0].Seen != 6 {
		t.Errorf("found %+v", found[0])
	}
	found, err = s.FindRecords(ctx, acme, feedID, store.RecordFind{Kind: domain.CommentRecord, ItemID: sortable(1)}, store.List{Limit: 10})
	must(t, err)
	same(t, "comments of an item", idsOf(found), "c1")
	stamped.Seen = 3
	putRecords(t, s, f, stamped)
	n, err = s.CountRecords(ctx, acme, feedID, q)
	must(t, err)
	same(t, "a lower stamp changes nothing", n, 2)
}

// endsOfFeeds holds what becomes of tombstones, of epochs, and of a feed that is dropped.
func endsOfFeeds(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	f := take(t, s, "w")
	putRecords(t, s, f, item("1", "a"), item("2", "a"), item("3", "a"))
	putRecords(t, s, f, gone("1"), gone("2"))
	late := gone("3")
	late.SyncedAt = changedAt.Add(time.Hour)
	putRecords(t, s, f, late)
	n, err := s.SweepTombstones(ctx, changedAt.Add(time.Minute), 1)
	must(t, err)
	same(t, "swept, one at a time", n, 1)
	n, err = s.SweepTombstones(ctx, changedAt.Add(time.Minute), 100)
	must(t, err)
	same(t, "swept", n, 1)
	all, f2 := feedSince(t, s, 0)
	same(t, "what is left", idsOf(all), "3")
	same(t, "the oldest", []int64{f2.Oldest, f2.Published}, []int64{5, 6})
	must(t, s.NewEpochs(ctx))
	_, f3 := feedSince(t, s, 0)
	if f3.Epoch == f2.Epoch || f3.Epoch == "" || f3.Published != 6 {
		t.Errorf("a new epoch: %+v", f3)
	}
	f = take(t, s, "w")
	putRecords(t, s, f, item("4", "a"), item("5", "a"))
	total := 0
	for {
		n, err := s.DropFeed(ctx, acme, feedID, 2)
		must(t, err)
		if total += n; n == 0 {
			break
		}
	}
	same(t, "dropped", total, 3)
	_, err = s.PutRecords(ctx, f, []domain.Record{item("6", "a")})
	wantCode(t, "a put into a feed that was dropped", err, connectors.Conflict)
	again := take(t, s, "x")
	if again.Epoch == f.Epoch || again.Published != 0 {
		t.Errorf("a feed that was dropped comes back as %+v", again)
	}
	_, err = s.PutRecords(ctx, f, []domain.Record{item("6", "a")})
	wantCode(t, "a put by the holder of a feed that was dropped", err, connectors.Conflict)
}

// reader pages through the feed by change, and keeps what it was given.
type reader struct {
	seen map[string]string
	at   int64
}

func (r *reader) follow(t TB, s store.Store) {
	f, err := s.Feed(t.Context(), acme, feedID)
	must(t, err)
	for {
		page, err := s.ListRecords(t.Context(), acme, feedID, store.RecordQuery{After: r.at, UpTo: f.Published, Limit: 5})
		must(t, err)
		for _, rec := range page {
			r.at = rec.Change
			if delete(r.seen, rec.ID); !rec.Deleted {
				r.seen[rec.ID] = string(rec.Value)
			}
		}
		if len(page) < 5 {
			return
		}
	}
}

// someRecords returns a few records of a writer's own ids, some of them tombstones.
func someRecords(r *rand.Rand, writer int) []domain.Record {
	var rs []domain.Record
	for range 1 + r.IntN(5) {
		id := fmt.Sprint(writer, "-", r.IntN(40))
		switch {
		case strings.Contains(idsOf(rs)+" ", id+" "):
		case r.IntN(6) > 0:
			rs = append(rs, item(id, fmt.Sprint(r.IntN(3))))
		default:
			rs = append(rs, gone(id))
		}
	}
	return rs
}

// nothingMissed is the promise of the feed: holders write, some die in the middle, others take over, and a reader that pages
// by change all the while ends with what is stored.
func nothingMissed(t TB, open func() store.Store) {
	const holders, putsOfEach = 6, 12
	r, watcher, done := &reader{seen: map[string]string{}}, open(), make(chan struct{})
	var following sync.WaitGroup
	following.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				r.follow(t, watcher)
			}
		}
	})
	var mu sync.Mutex
	want := map[string]string{}
	for h := range holders {
		s := open()
		f := take(t, s, "the job") // the same owner takes over at once, as the next worker of a job does
		var writers sync.WaitGroup
		for w := range 3 { // containers are read in parallel: each writer has ids of its own
			random := rand.New(rand.NewPCG(uint64(h), uint64(w)))
			writers.Go(func() {
				for range putsOfEach {
					rs := someRecords(random, w)
					if _, err := s.PutRecords(t.Context(), f, rs); err != nil {
						t.Errorf("put: %v", err)
						return
					}
					mu.Lock()
					for _, rec := range rs {
						if delete(want, rec.ID); !rec.Deleted {
							want[rec.ID] = string(rec.Value)
						}
					}
					mu.Unlock()
				}
			})
		}
		writers.Wait() // and then it dies: it gives nothing back
	}
	close(done)
	following.Wait()
	r.follow(t, watcher)
	same(t, "what a reader ends with", r.seen, want)
}
