package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// awaitFeed takes a feed when it can be had.
func awaitFeed(t TB, s store.Store, owner string, lease time.Duration) domain.Feed {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(term / 50) {
		f, err := s.TakeFeed(t.Context(), acme, feedID, owner, lease)
		if err == nil {
			return f
		}
		wantCode(t, "a feed that is held", err, connectors.Conflict)
	}
	t.Fatalf("the lease of a feed never ended")
	return domain.Feed{}
}

// wantHeld checks that a feed is held as f says.
func wantHeld(t TB, what string, s store.Store, want domain.Feed) {
	t.Helper()
	got, err := s.Feed(t.Context(), acme, feedID)
	must(t, err)
	want.Published, want.Oldest = got.Published, got.Oldest
	same(t, what, got, want)
}

// wantOut checks that a lease lets its holder do nothing, and that nothing is changed by the attempt.
func wantOut(t TB, what string, s store.Store, f domain.Feed) {
	t.Helper()
	ctx := t.Context()
	before := recordsOf(t, s, acme, feedID)
	_, err := s.PutRecords(ctx, f, []domain.Record{item("1", "put by "+what), item("late", what), gone("2")})
	wantCode(t, "a put by "+what, err, connectors.Conflict)
	_, err = s.MarkRecords(ctx, f, domain.ItemRecord, []string{"1", "2"}, 1<<40)
	wantCode(t, "a mark by "+what, err, connectors.Conflict)
	wantCode(t, "keeping by "+what, s.KeepFeed(ctx, f, long), connectors.Conflict)
	must(t, s.ReleaseFeed(ctx, f))
	same(t, "the feed after attempts by "+what, recordsOf(t, s, acme, feedID), before)
}

// feedContents is what a store keeps of one connection's records.
type feedContents struct {
	Feed    domain.Feed
	Changes []domain.Record
	Found   []domain.Record
}

func recordsOf(t TB, s store.Store, tenant domain.Tenant, connection string) feedContents {
	t.Helper()
	var c feedContents
	var errs [4]error
	c.Feed, errs[0] = s.Feed(t.Context(), tenant, connection)
	c.Changes, errs[1] = s.ListRecords(t.Context(), tenant, connection, store.RecordQuery{UpTo: 1 << 60, Raw: true, Limit: 1000})
	for i, kind := range []domain.Kind{domain.ItemRecord, domain.CommentRecord} {
		found, err := s.FindRecords(t.Context(), tenant, connection, store.RecordFind{Kind: kind}, store.List{Limit: 1000})
		c.Found, errs[2+i] = append(c.Found, found...), err
	}
	must(t, errors.Join(errs[:]...))
	return c
}

// leasesOfFeeds holds that one writes at a time, and that who lost the lease changes nothing.
func leasesOfFeeds(t TB, open func() store.Store) {
	a, b := open(), open()
	ctx := t.Context()
	none, err := a.Feed(ctx, acme, feedID)
	must(t, err)
	same(t, "a feed that never was", none, domain.Feed{Tenant: acme, ConnectionID: feedID})
	wantOut(t, "one who never held it", a, none)

	first := take(t, a, odd, long)
	if first.Epoch == "" || first.Fence < 1 || first.Published != 0 || first.Oldest != 0 || first.Owner != odd {
		t.Errorf("a feed that was made: %+v", first)
	}
	wantHeld(t, "a feed that was taken", b, first)
	putRecords(t, a, first, item("1", "a"), item("2", "a"))
	_, err = b.TakeFeed(ctx, acme, feedID, "b", long)
	wantCode(t, "a feed that is held", err, connectors.Conflict)
	wantHeld(t, "a feed that was not given", b, first)
	for _, fence := range []int64{first.Fence - 1, first.Fence + 1} {
		wrong := first
		wrong.Fence = fence
		wantOut(t, "another fence", b, wrong)
	}
	wantHeld(t, "a feed after a release by another fence", b, first)

	again := take(t, b, odd, long)
	want := first
	want.Fence++
	wantHeld(t, "a feed that its holder took again", a, want)
	same(t, "the holder's next fence", again.Fence, want.Fence)
	wantOut(t, "one who lost the lease", a, first)
	wantHeld(t, "a feed after attempts by who lost it", a, want)
	wantPut(t, b, again, item("1", "b"), domain.Updated)

	must(t, b.ReleaseFeed(ctx, again))
	must(t, b.ReleaseFeed(ctx, again))
	want.Owner = ""
	wantHeld(t, "a feed that was given back", a, want)
	wantOut(t, "one who gave it back", b, again)
	next := take(t, a, "b", long)
	same(t, "fence and epoch of the next holder", []any{next.Fence, next.Epoch}, []any{want.Fence + 1, first.Epoch})
}

// endsOfLeases holds that a lease lasts its term and is then another's, that keeping extends it, and that one that ended and
// that nobody took goes on.
func endsOfLeases(t TB, open func() store.Store) {
	a, b := open(), open()
	f := take(t, a, "a", term)
	time.Sleep(term + term/5)
	wantPut(t, a, f, item("1", "a"), domain.Created)
	must(t, a.KeepFeed(t.Context(), f, long))
	_, err := b.TakeFeed(t.Context(), acme, feedID, "b", long)
	wantCode(t, "a feed whose holder was late", err, connectors.Conflict)

	begin := time.Now()
	must(t, a.KeepFeed(t.Context(), f, term))
	next := awaitFeed(t, b, "b", long)
	wantWhole(t, "the lease of a feed", begin)
	same(t, "fence, epoch and owner of the next holder", []any{next.Fence, next.Epoch, next.Owner}, []any{f.Fence + 1, f.Epoch, "b"})
	wantPut(t, b, next, item("1", "b"), domain.Updated)
	wantOut(t, "one who was thought dead", a, f)
	wantHeld(t, "a feed after attempts by who was thought dead", a, next)
}

// oneHolder has many ask for a feed at once: before there is one, and when its holder has died.
func oneHolder(t TB, open func() store.Store) {
	a, b := open(), open()
	held := make(chan domain.Feed, workers)
	wantOneWinner(t, "holders of a new feed", together(a, b, func(n int, s store.Store) error {
		f, err := s.TakeFeed(t.Context(), acme, feedID, fmt.Sprint(n), long)
		if err == nil {
			held <- f
		}
		return err
	}))
	if len(held) != 1 {
		t.Fatalf("%d hold the feed", len(held))
	}
	f := <-held
	wantPut(t, b, f, item("1", "a"), domain.Created)
	must(t, a.KeepFeed(t.Context(), f, term))
	var holders atomic.Int32
	deadline := time.Now().Add(patience)
	must(t, errors.Join(together(a, b, func(n int, s store.Store) error {
		for more := 5; more > 0 && time.Now().Before(deadline); time.Sleep(term / 50) {
			_, err := s.TakeFeed(t.Context(), acme, feedID, fmt.Sprint("next ", n), long)
			if err == nil {
				holders.Add(1)
				return nil // it could take it again
			}
			if connectors.CodeOf(err) != connectors.Conflict {
				return err
			}
			if holders.Load() > 0 {
				more--
			}
		}
		return nil
	})...))
	same(t, "how many took over one feed", holders.Load(), int32(1))
	got, err := b.Feed(t.Context(), acme, feedID)
	must(t, err)
	same(t, "fence and epoch", []any{got.Fence, got.Epoch}, []any{f.Fence + 1, f.Epoch})
}
