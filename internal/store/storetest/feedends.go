package storetest

import (
	"fmt"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// buries makes tombstones of so many records, one a nanosecond.
func buries(t TB, s store.Store, f domain.Feed, n int) {
	t.Helper()
	for i := range n {
		putRecords(t, s, f, item(sortable(i), "a"))
	}
	for i := range n {
		r := gone(sortable(i))
		r.SyncedAt = changedAt.Add(time.Duration(i))
		putRecords(t, s, f, r)
	}
}

// sweepsOfTombstones holds that tombstones go when their time has come, nothing else does, and that a feed tells the highest
// number that went.
func sweepsOfTombstones(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	f := take(t, s, "w", long)
	buries(t, s, f, 5)
	old := item("living", "a")
	old.SyncedAt = changedAt.AddDate(-1, 0, 0)
	putRecords(t, s, f, old, item(sortable(4), "again"))
	foreign, err := s.TakeFeed(ctx, other, feedID, "w", long)
	must(t, err)
	buries(t, s, foreign, 1)
	graves := feedSince(t, s, 0)
	if all := idsOf(graves); all != "000000 000001 000002 000003 living 000004" {
		t.Fatalf("the records are %s", all)
	}
	sweep := func(before time.Time, limit, want int) {
		t.Helper()
		n, err := s.SweepTombstones(ctx, before, limit)
		must(t, err)
		same(t, "how many tombstones were swept", n, want)
	}
	wantOldest := func(tenant domain.Tenant, want int64) {
		t.Helper()
		f, err := s.Feed(ctx, tenant, feedID)
		must(t, err)
		same(t, "the highest number that was swept", f.Oldest, want)
	}
	sweep(changedAt, 10, 0)
	wantOldest(acme, 0)
	sweep(changedAt.Add(3), 2, 2) // of three of acme's and other's one
	sweep(changedAt.Add(3), 10, 2)
	sweep(changedAt.Add(3), 10, 0)
	same(t, "what is left", idsOf(feedSince(t, s, 0)), "000003 living 000004")
	wantOldest(acme, graves[2].Change)
	theirs := recordsOf(t, s, other, feedID)
	same(t, "what is left of another tenant's", len(theirs.Changes), 0)
	wantOldest(other, theirs.Feed.Published)

	wantPut(t, s, f, gone(sortable(0)), domain.Unchanged)
	back := wantPut(t, s, f, item(sortable(0), "a"), domain.Created)
	buried := wantPut(t, s, f, gone(sortable(0)), domain.Tombstone)
	if back.Change <= graves[3].Change || buried.Change <= back.Change {
		t.Errorf("numbers after a sweep: %d and %d, want above %d", back.Change, buried.Change, graves[3].Change)
	}
	sweep(changedAt.Add(1), 10, 1)
	wantOldest(acme, buried.Change)
	sweep(changedAt.Add(4), 10, 1) // one with a lower number
	wantOldest(acme, buried.Change)
	same(t, "what lives", idsOf(feedSince(t, s, 0)), "living 000004")
}

// oldestFirst holds that whoever misses a tombstone can know it: a feed tells of it before it vanishes.
func oldestFirst(t TB, open func() store.Store) {
	s, watcher := open(), open()
	const many = 60
	f := take(t, s, "w", long)
	buries(t, s, f, many)
	all := feedSince(t, s, 0)
	stop := reading(func() error {
		left, err := watcher.ListRecords(t.Context(), acme, feedID, store.RecordQuery{UpTo: 1 << 60, Limit: many})
		if err != nil {
			return err
		}
		there := map[int64]bool{}
		for _, r := range left {
			there[r.Change] = true
		}
		head, err := watcher.Feed(t.Context(), acme, feedID)
		for _, r := range all {
			if err == nil && !there[r.Change] && r.Change > head.Oldest {
				return fmt.Errorf("the tombstone %d is missing, and the feed says that none above %d is", r.Change, head.Oldest)
			}
		}
		return err
	})
	for i := range many {
		_, err := s.SweepTombstones(t.Context(), changedAt.Add(time.Duration(i+1)), 10)
		if err != nil {
			t.Errorf("sweep: %v", err)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("%v", err)
	}
	same(t, "what is left", len(feedSince(t, s, 0)), 0)
}

// reading calls read again and again until the function that it returns is called, or it fails.
func reading(read func() error) (stop func() error) {
	done, ended := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-done:
				ended <- read()
				return
			default:
			}
			if err := read(); err != nil {
				<-done
				ended <- err
				return
			}
		}
	}()
	return func() error {
		close(done)
		return <-ended
	}
}

// droppedFeeds holds that a feed goes in slices, that its holder is out at once, and that what comes after it is new.
func droppedFeeds(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	f := take(t, s, "w", long)
	foreign, err := s.TakeFeed(ctx, other, feedID, "w", long)
	must(t, err)
	next, err := s.TakeFeed(ctx, acme, feedID+"_2", "w", long)
	must(t, err)
	putRecords(t, s, foreign, item("1", "a"))
	putRecords(t, s, next, item("1", "a"))
	theirs, ours := recordsOf(t, s, other, feedID), recordsOf(t, s, acme, feedID+"_2")
	note := item("1", "a")
	note.Kind = domain.CommentRecord
	putRecords(t, s, f, item("1", "a"), item("2", "a"), item("3", "a"), item("4", "a"), note)
	putRecords(t, s, f, gone("4"))
	mark(t, s, f, domain.ItemRecord, 7, "1", "2", "3")

	for _, want := range []int{2, 2, 1, 0, 0} {
		n, err := s.DropFeed(ctx, acme, feedID, 2)
		must(t, err)
		same(t, "how many records were dropped", n, want)
		_, err = s.PutRecords(ctx, f, []domain.Record{item("late", "a")})
		wantCode(t, "a put by the holder of a feed that is dropped", err, connectors.Conflict)
		_, err = s.MarkRecords(ctx, f, domain.ItemRecord, []string{"3"}, 9)
		wantCode(t, "a mark by the holder of a feed that is dropped", err, connectors.Conflict)
		wantCode(t, "keeping a feed that is dropped", s.KeepFeed(ctx, f, long), connectors.Conflict)
		must(t, s.ReleaseFeed(ctx, f))
	}
	same(t, "a feed that was dropped", recordsOf(t, s, acme, feedID), feedContents{Feed: domain.Feed{Tenant: acme, ConnectionID: feedID}})
	same(t, "another tenant's feed", recordsOf(t, s, other, feedID), theirs)
	same(t, "another connection's feed", recordsOf(t, s, acme, feedID+"_2"), ours)
	afterDrop(t, s, f)
}

// afterDrop holds that a feed that comes back is another one: with other numbers, marks and leases.
func afterDrop(t TB, s store.Store, old domain.Feed) {
	t.Helper()
	again := take(t, s, "w", long)
	for again.Fence < old.Fence {
		again = take(t, s, "w", long)
	}
	if again.Epoch == old.Epoch || again.Epoch == "" || again.Published != 0 || again.Oldest != 0 {
		t.Errorf("a feed that comes back: %+v, before it was %+v", again, old)
	}
	wantPut(t, s, again, item("1", "a"), domain.Created)
	old.Fence = again.Fence // the fences of a feed begin anew: the epoch tells them apart
	wantOut(t, "the holder of a feed that was dropped", s, old)
	wantFound(t, "what was never seen", s, store.RecordFind{Kind: domain.ItemRecord, SeenBelow: 1}, "1")
}

// epochs holds that a history keeps its name until it is given another one.
func epochs(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	none, err := s.Feed(ctx, empty, feedID)
	must(t, err)
	feeds := []struct {
		tenant     domain.Tenant
		connection string
	}{{acme, feedID}, {acme, feedID + "_2"}, {other, feedID}}
	used, now := map[string]bool{"": true}, make([]string, len(feeds))
	for i, of := range feeds {
		f, err := s.TakeFeed(ctx, of.tenant, of.connection, "a", long)
		must(t, err)
		putRecords(t, s, f, item("1", "a"), item("2", "a"))
		must(t, s.ReleaseFeed(ctx, f))
		f, err = s.TakeFeed(ctx, of.tenant, of.connection, "b", long)
		must(t, err)
		is, err := s.Feed(ctx, of.tenant, of.connection)
		must(t, err)
		same(t, "the epoch of the next holder", f.Epoch, is.Epoch)
		if now[i] = is.Epoch; used[now[i]] {
			t.Errorf("the epoch %q is none, or of two feeds", is.Epoch)
		}
		used[now[i]] = true
	}
	for range 2 {
		before := published(t, s)
		changes := feedSince(t, s, 0)
		must(t, s.NewEpochs(ctx))
		for i, of := range feeds {
			is, err := s.Feed(ctx, of.tenant, of.connection)
			must(t, err)
			if used[is.Epoch] {
				t.Errorf("the epoch %q is not new", is.Epoch)
			}
			used[is.Epoch], now[i] = true, is.Epoch
		}
		same(t, "up to the last change", published(t, s), before)
		same(t, "changes under a new epoch", feedSince(t, s, 0), changes)
	}
	is, err := s.Feed(ctx, empty, feedID)
	must(t, err)
	same(t, "a feed that never was", is, none)
	f := take(t, s, "b", long)
	same(t, "the epoch of who takes it again", f.Epoch, now[0])
	wantPut(t, s, f, item("3", "a"), domain.Created)
}
