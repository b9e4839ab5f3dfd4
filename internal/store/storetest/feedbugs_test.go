package storetest_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

func onTake(change func(owner *string, term *time.Duration)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.takeFeed = func(ctx ctxt, t tenant, connection, owner string, term time.Duration) (domain.Feed, error) {
			change(&owner, &term)
			return under.TakeFeed(ctx, t, connection, owner, term)
		}
	})
}

func onFeed(change func(*domain.Feed)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.feed = func(ctx ctxt, t tenant, connection string) (domain.Feed, error) {
			f, err := under.Feed(ctx, t, connection)
			change(&f)
			return f, err
		}
	})
}

func feedBugs() []bug {
	return slices.Concat(leaseBugs(), sweepBugs(), dropBugs(), followBugs())
}

func leaseBugs() []bug {
	const leases, ends, one = "leases of feeds", "ends of leases", "a feed is held by one"
	return []bug{
		{"a feed that never was is missing", leases, breakingWork(func(under store.Store, b *brokenWork) {
			b.feed = func(ctx ctxt, t tenant, connection string) (domain.Feed, error) {
				f, err := under.Feed(ctx, t, connection)
				if err == nil && f.Epoch == "" {
					err = connectors.Errorf(connectors.NotFound, "no feed")
				}
				return f, err
			}
		})},
		{"everybody is the same owner", leases, onTake(func(owner *string, _ *time.Duration) { *owner = "w" })},
		{"the holder cannot take it again", leases, breakingWork(func(under store.Store, b *brokenWork) {
			b.takeFeed = func(ctx ctxt, t tenant, connection, owner string, term time.Duration) (domain.Feed, error) {
				if is, err := under.Feed(ctx, t, connection); err == nil && is.Owner != "" {
					return is, connectors.Errorf(connectors.Conflict, "held")
				}
				return under.TakeFeed(ctx, t, connection, owner, term)
			}
		})},
		{"a lost lease marks", leases, breakingWork(func(under store.Store, b *brokenWork) {
			b.mark = func(ctx ctxt, f domain.Feed, kind domain.Kind, ids []string, seen int64) ([]string, error) {
				if is, err := under.Feed(ctx, f.Tenant, f.ConnectionID); err == nil {
					f = is
				}
				return under.MarkRecords(ctx, f, kind, ids, seen)
			}
		})},
		{"a lost lease is kept", leases, breakingWork(func(under store.Store, b *brokenWork) {
			b.keepFeed = func(ctx ctxt, f domain.Feed, term time.Duration) error {
				if is, err := under.Feed(ctx, f.Tenant, f.ConnectionID); err == nil {
					f = is
				}
				return under.KeepFeed(ctx, f, term)
			}
		})},
		{"a lost lease is given back", leases, breakingWork(func(under store.Store, b *brokenWork) {
			b.releaseFeed = func(ctx ctxt, f domain.Feed) error {
				if is, err := under.Feed(ctx, f.Tenant, f.ConnectionID); err == nil {
					f = is
				}
				return under.ReleaseFeed(ctx, f)
			}
		})},
		{"giving back a lost lease is an error", leases, breakingWork(func(under store.Store, b *brokenWork) {
			b.releaseFeed = func(ctx ctxt, f domain.Feed) error {
				if is, err := under.Feed(ctx, f.Tenant, f.ConnectionID); err == nil && is.Fence != f.Fence {
					return connectors.Errorf(connectors.Conflict, "lost")
				}
				return under.ReleaseFeed(ctx, f)
			}
		})},
		{"a conflict that wrote some", leases, breakingWork(func(under store.Store, b *brokenWork) {
			b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
				out, err := under.PutRecords(ctx, f, rs)
				if is, ferr := under.Feed(ctx, f.Tenant, f.ConnectionID); ferr == nil && isCode(err, connectors.Conflict) && len(rs) > 1 {
					_, _ = under.PutRecords(ctx, is, rs[1:2])
				}
				return out, err
			}
		})},
		{"nothing is given back", leases, breakingWork(func(_ store.Store, b *brokenWork) {
			b.releaseFeed = func(ctxt, domain.Feed) error { return nil }
		})},
		{"a feed without its owner", leases, onFeed(func(f *domain.Feed) { f.Owner = "" })},
		{"leases are short", ends, breakingWork(func(under store.Store, b *brokenWork) {
			b.keepFeed = func(ctx ctxt, f domain.Feed, term time.Duration) error { return under.KeepFeed(ctx, f, term/2) }
		})},
		{"leases of feeds never end", ends, breakingWork(func(under store.Store, b *brokenWork) {
			b.keepFeed = func(ctx ctxt, f domain.Feed, _ time.Duration) error { return under.KeepFeed(ctx, f, time.Hour) }
		})},
		{"keeping extends nothing", ends, breakingWork(func(_ store.Store, b *brokenWork) {
			b.keepFeed = func(ctxt, domain.Feed, time.Duration) error { return nil }
		})},
		{"who was thought dead puts", ends, putsAnyway},
		{"everybody holds it", one, onTake(func(owner *string, _ *time.Duration) { *owner = "w" })},
	}
}

func sweepBugs() []bug {
	const sweeps = "sweeps of tombstones"
	onSweep := func(change func(time.Time, int) (time.Time, int)) func(store.Store) store.Store {
		return breakingWork(func(under store.Store, b *brokenWork) {
			b.sweep = func(ctx ctxt, before time.Time, limit int) (int, error) {
				before, limit = change(before, limit)
				return under.SweepTombstones(ctx, before, limit)
			}
		})
	}
	return []bug{
		{"sweeps tombstones without limit", sweeps, onSweep(func(before time.Time, _ int) (time.Time, int) { return before, 100 })},
		{"sweeps tombstones too early", sweeps, onSweep(func(before time.Time, limit int) (time.Time, int) { return before.Add(1), limit })},
		{"sweeps no tombstones", sweeps, onSweep(func(time.Time, int) (time.Time, int) { return time.Unix(0, 0), 1 })},
		{"all below a sweep is missing", sweeps, onFeed(func(f *domain.Feed) {
			if f.Oldest > 0 {
				f.Oldest = f.Published
			}
		})},
		{"vanishes first, tells later", "oldest before tombstones vanish", vanishesFirst()},
	}
}

// vanishesFirst tells what was swept a moment after it is gone.
func vanishesFirst() func(store.Store) store.Store {
	var told atomic.Int64
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.sweep = func(ctx ctxt, before time.Time, limit int) (int, error) {
			n, err := under.SweepTombstones(ctx, before, limit)
			time.Sleep(time.Millisecond)
			if f, ferr := under.Feed(ctx, "acme", "con_feed"); ferr == nil {
				told.Store(f.Oldest)
			}
			return n, err
		}
		b.feed = func(ctx ctxt, t tenant, connection string) (domain.Feed, error) {
			f, err := under.Feed(ctx, t, connection)
			f.Oldest = told.Load()
			return f, err
		}
	})
}

func dropBugs() []bug {
	const drops, epochs = "feeds that are dropped", "epochs"
	onDrop := func(drop func(ctx ctxt, under store.Store, t tenant, connection string, limit int) (int, error)) func(store.Store) store.Store {
		return breakingWork(func(under store.Store, b *brokenWork) {
			b.drop = func(ctx ctxt, t tenant, connection string, limit int) (int, error) {
				return drop(ctx, under, t, connection, limit)
			}
		})
	}
	return []bug{
		{"drops all at once", drops, onDrop(func(ctx ctxt, under store.Store, t tenant, connection string, _ int) (int, error) {
			return under.DropFeed(ctx, t, connection, 1000)
		})},
		{"drops every tenant's", drops, onDrop(func(ctx ctxt, under store.Store, t tenant, connection string, limit int) (int, error) {
			_, _ = under.DropFeed(ctx, "other-tenant", connection, limit)
			return under.DropFeed(ctx, t, connection, limit)
		})},
		{"drops what begins alike", drops, onDrop(func(ctx ctxt, under store.Store, t tenant, connection string, limit int) (int, error) {
			_, _ = under.DropFeed(ctx, t, connection+"_2", limit)
			return under.DropFeed(ctx, t, connection, limit)
		})},
		{"the holder puts on", drops, putsAnyway},
		{"dropping nothing is an error", drops, onDrop(func(ctx ctxt, under store.Store, t tenant, connection string, limit int) (int, error) {
			if f, err := under.Feed(ctx, t, connection); err == nil && f.Epoch == "" {
				return 0, connectors.Errorf(connectors.NotFound, "no feed")
			}
			return under.DropFeed(ctx, t, connection, limit)
		})},
		{"a dropped feed comes back", drops, breakingWork(func(under store.Store, b *brokenWork) {
			b.takeFeed = func(ctx ctxt, t tenant, connection, owner string, term time.Duration) (domain.Feed, error) {
				f, err := under.TakeFeed(ctx, t, connection, owner, term)
				f.Epoch = "one for all"
				return f, err
			}
		})},
		{"the epoch is not looked at", drops, fenceAlone},
		{"an epoch for each holder", epochs, breakingWork(func(under store.Store, b *brokenWork) {
			b.takeFeed = func(ctx ctxt, t tenant, connection, owner string, term time.Duration) (domain.Feed, error) {
				f, err := under.TakeFeed(ctx, t, connection, owner, term)
				f.Epoch += owner
				return f, err
			}
		})},
		{"one epoch for all", epochs, onFeed(func(f *domain.Feed) { f.Epoch, _, _ = strings.Cut(f.Epoch, "-") })},
	}
}

// fenceAlone takes every lease of the right fence.
var fenceAlone = breakingWork(func(under store.Store, b *brokenWork) {
	b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
		if is, err := under.Feed(ctx, f.Tenant, f.ConnectionID); err == nil {
			f.Epoch = is.Epoch
		}
		return under.PutRecords(ctx, f, rs)
	}
})

func followBugs() []bug {
	const missed, late = "nothing is missed", "late writes"
	return []bug{
		{"some become readable late", missed, becomesReadableLate()},
		{"a dead one puts", missed, putsAnyway},
		{"a page of two is the last", missed, onQuery(func(q *store.RecordQuery) { q.Limit = min(q.Limit, 2) })},
		{"what failed and is repeated is skipped", missed, breakingWork(func(under store.Store, b *brokenWork) {
			b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
				out, err := under.PutRecords(ctx, f, rs)
				if len(rs) > 4 {
					return make([]domain.Outcome, len(rs)), connectors.Errorf(connectors.Unavailable, "the answer was lost")
				}
				return out, err
			}
		})},
		{"the lease is looked at, then it writes", late, looksThenWrites()},
		{"what is late is not told", late, breakingWork(func(under store.Store, b *brokenWork) {
			b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
				out, err := under.PutRecords(ctx, f, rs)
				if isCode(err, connectors.Conflict) {
					err = nil
				}
				return out, err
			}
		})},
		{"what the dead wrote keeps its numbers", "deaths in the middle of a put", unpublished()},
		{"readable late, after a takeover", late, becomesReadableLate()},
	}
}

// looksThenWrites looks at the lease, and writes with the one that there is later: long after, on the store that is opened first,
// as a machine that stalls.
func looksThenWrites() func(store.Store) store.Store {
	stall := 20 * time.Millisecond
	return func(under store.Store) store.Store {
		pause := stall
		stall = 0
		return breakingWork(func(under store.Store, b *brokenWork) {
			b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
				is, err := under.Feed(ctx, f.Tenant, f.ConnectionID)
				if err != nil || is.Fence != f.Fence {
					return under.PutRecords(ctx, f, rs)
				}
				time.Sleep(pause)
				if is, err = under.Feed(ctx, f.Tenant, f.ConnectionID); err == nil {
					f = is
				}
				return under.PutRecords(ctx, f, rs)
			}
		})(under)
	}
}

// becomesReadableLate hides each seventh number for a moment after it was first met: as a write that took its number early and
// ended late.
func becomesReadableLate() func(store.Store) store.Store {
	var mu sync.Mutex
	met := map[int64]time.Time{}
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.list = func(ctx ctxt, t tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
			list, err := under.ListRecords(ctx, t, connection, q)
			mu.Lock()
			defer mu.Unlock()
			return slices.DeleteFunc(list, func(r domain.Record) bool {
				if _, known := met[r.Change]; !known {
					met[r.Change] = time.Now()
				}
				return r.Change%7 == 0 && time.Since(met[r.Change]) < 20*time.Millisecond
			}), err
		}
	})
}

// unpublished loses the answer of each put whose time is limited: it is written, and nobody ever reads its numbers.
func unpublished() func(store.Store) store.Store {
	var mu sync.Mutex
	var hidden [][2]int64
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
			if _, limited := ctx.Deadline(); !limited {
				return under.PutRecords(ctx, f, rs)
			}
			ctx = context.WithoutCancel(ctx)
			before, _ := under.Feed(ctx, f.Tenant, f.ConnectionID)
			_, _ = under.PutRecords(ctx, f, rs)
			after, _ := under.Feed(ctx, f.Tenant, f.ConnectionID)
			mu.Lock()
			defer mu.Unlock()
			hidden = append(hidden, [2]int64{before.Published, after.Published})
			return nil, connectors.Errorf(connectors.Timeout, "the time is over")
		}
		b.list = func(ctx ctxt, t tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
			list, err := under.ListRecords(ctx, t, connection, q)
			mu.Lock()
			defer mu.Unlock()
			return slices.DeleteFunc(list, func(r domain.Record) bool {
				return slices.ContainsFunc(hidden, func(h [2]int64) bool { return h[0] < r.Change && r.Change <= h[1] })
			}), err
		}
	})
}
