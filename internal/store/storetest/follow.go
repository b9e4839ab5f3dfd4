package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// follower is a reader of a feed: it asks for what follows the last number it saw, and never for anything before.
type follower struct {
	s    store.Store
	at   int64
	seen map[string]string // values of living records by ID
}

func newFollower(s store.Store) *follower { return &follower{s: s, seen: map[string]string{}} }

// read reads to where the feed is published.
func (f *follower) read(ctx context.Context) error {
	head, err := f.s.Feed(ctx, acme, feedID)
	if err != nil {
		return err
	}
	for {
		page, err := f.s.ListRecords(ctx, acme, feedID, store.RecordQuery{After: f.at, UpTo: head.Published, Limit: 5})
		if err != nil {
			return err
		}
		for _, r := range page {
			if r.Change <= f.at || r.Change > head.Published {
				return fmt.Errorf("the number %d came after %d, published were %d", r.Change, f.at, head.Published)
			}
			f.at = r.Change
			if delete(f.seen, r.ID); !r.Deleted {
				f.seen[r.ID] = string(r.Value)
			}
		}
		if len(page) < 5 {
			return nil
		}
	}
}

// stored returns the values of living records by ID.
func stored(t TB, s store.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, r := range feedSince(t, s, 0) {
		if !r.Deleted {
			out[r.ID] = string(r.Value)
		}
	}
	return out
}

// writer is one of those who write at a time for one holder: each has records of its own.
type writer struct {
	prefix string
	random *rand.Rand
	known  map[string]string // what is stored
	owed   []domain.Record   // of a put that failed: some of it may be stored
}

// put writes some records that it chose, first what is owed.
func (w *writer) put(ctx context.Context, s store.Store, f domain.Feed) error {
	rs := w.owed
	if len(rs) == 0 {
		for _, n := range w.random.Perm(40)[:1+w.random.IntN(6)] {
			r := item(w.prefix+sortable(n), fmt.Sprint(w.random.IntN(3)))
			if w.random.IntN(5) == 0 {
				r = gone(r.ID)
			}
			rs = append(rs, r)
		}
	}
	if _, err := s.PutRecords(ctx, f, rs); err != nil {
		w.owed = rs
		return err
	}
	w.owed = nil
	for _, r := range rs {
		if delete(w.known, r.ID); !r.Deleted {
			w.known[r.ID] = string(r.Value)
		}
	}
	return nil
}

// work has all writers write under a lease until it is cancelled.
func work(ctx context.Context, s store.Store, f domain.Feed, writers []*writer) []error {
	errs := make([]error, len(writers))
	var wg sync.WaitGroup
	for i, w := range writers {
		wg.Go(func() {
			for errs[i] == nil && ctx.Err() == nil {
				errs[i] = w.put(ctx, s, f)
			}
		})
	}
	wg.Wait()
	return errs
}

// nothingMissed is the promise of the feed: holders write, each dies in the middle of its puts, the next one takes over when
// the lease has ended, the dead one comes back late, and a reader that pages by change all the while ends with what is
// stored.
func nothingMissed(t TB, open func() store.Store) {
	const holders = 4
	var writers []*writer
	for i, prefix := range []string{"a", "b", "c"} {
		writers = append(writers, &writer{prefix: prefix, random: rand.New(rand.NewPCG(5, uint64(i))), known: map[string]string{}})
	}
	watcher := open()
	reader := newFollower(watcher)
	stop := reading(func() error { return reader.read(t.Context()) })
	var stops sync.Once
	end := func() (err error) {
		stops.Do(func() { err = stop() })
		return err
	}
	defer end() //nolint:errcheck // where the check has failed already
	var dead domain.Feed
	for h := range holders {
		s := open()
		f := awaitFeed(t, s, fmt.Sprint("holder ", h), term)
		if h > 0 {
			_, err := s.PutRecords(t.Context(), dead, []domain.Record{item("a"+sortable(1), "by a dead one"), item("late", "by a dead one")})
			wantCode(t, "a put by a dead holder", err, connectors.Conflict)
		}
		dead = f
		life, die := context.WithTimeout(t.Context(), term/3)
		for _, err := range work(life, s, f, writers) {
			if err != nil && life.Err() == nil {
				t.Errorf("holder %d: %v", h, err)
			}
		}
		die()
	}
	known := map[string]string{}
	f := awaitFeed(t, watcher, "the last one", long)
	for _, w := range writers {
		must(t, w.put(t.Context(), watcher, f))
		for id, value := range w.known {
			known[id] = value
		}
	}
	if err := end(); err != nil {
		t.Errorf("reader: %v", err)
	}
	same(t, "what is stored", stored(t, watcher), known)
	same(t, "what a reader ends with", reader.seen, known)
}

// lateWrites has a holder write while another takes the feed from it: what it wrote too late is nowhere, and what it wrote
// in time a reader learns, also when the next holder writes just the same.
func lateWrites(t TB, open func() store.Store) {
	a, b := open(), open()
	reader := newFollower(open())
	const rounds, writersOfOne = 12, 4
	batch := func(writer int, text string) []domain.Record {
		var rs []domain.Record
		for i := range 20 {
			rs = append(rs, item(fmt.Sprint(writer, "-", i), text))
		}
		return rs
	}
	for round := range rounds {
		old := take(t, a, "the job", long)
		ends := make(chan error, writersOfOne)
		var taken atomic.Bool
		for w := range writersOfOne {
			go func() {
				var err error
				for n := 0; err == nil && !taken.Load(); n++ {
					_, err = a.PutRecords(t.Context(), old, batch(w, fmt.Sprint("old ", round, n%2)))
				}
				if err == nil { // this one begins after the next holder has the feed
					_, err = a.PutRecords(t.Context(), old, batch(w, "late"))
				}
				ends <- err
			}()
		}
		text := fmt.Sprint("new ", round)
		if round%3 == 2 {
			text = fmt.Sprint("old ", round, 0) // just what the other one writes
		}
		time.Sleep(time.Duration(round%4) * 3 * time.Millisecond)
		err := takesOver(t.Context(), b, reader, func(n int) []domain.Record { return batch(n, text) }, writersOfOne)
		taken.Store(true)
		for range writersOfOne {
			wantCode(t, "a put by who was taken over", <-ends, connectors.Conflict)
		}
		must(t, err)
		must(t, reader.read(t.Context()))
		want := map[string]string{}
		for w := range writersOfOne {
			for _, r := range batch(w, text) {
				want[r.ID] = string(r.Value)
			}
		}
		same(t, "what is stored", stored(t, b), want)
		same(t, "what a reader has", reader.seen, want)
	}
}

// takesOver takes the feed and writes the batches, while a reader reads. The same owner takes over at once, as the next
// worker of a job does.
func takesOver(ctx context.Context, s store.Store, reader *follower, batch func(n int) []domain.Record, batches int) error {
	f, err := s.TakeFeed(ctx, acme, feedID, "the job", long)
	if err != nil {
		return err
	}
	for n := range batches {
		if _, err := s.PutRecords(ctx, f, batch(n)); err != nil {
			return err
		}
		if err := reader.read(ctx); err != nil {
			return err
		}
	}
	return nil
}
