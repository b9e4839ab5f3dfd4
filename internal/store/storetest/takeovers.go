package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// wantWhole checks that a lease lasted its term: begin was before it, and now it is another's. A clock that counts in
// milliseconds may be one short.
func wantWhole(t TB, what string, begin time.Time) {
	t.Helper()
	if waited := time.Since(begin); waited < term-term/20 {
		t.Errorf("%s ended after %s, want %s", what, waited, term)
	}
}

// claimsOfTheDead holds that a job is taken over when its lease ends, not before, and that who held it is out; and that one
// who is only late goes on.
func claimsOfTheDead(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	for _, key := range []string{"late", "ends", "dead"} {
		j := job(acme, key)
		j.JobState = oddState(1)
		must(t, s.CreateJob(ctx, j))
	}
	late, ends := claim(t, s, byName("a", "late", term)), claim(t, s, byName("a", "ends", term))
	begin := time.Now()
	dead := claim(t, s, byName("a", "dead", term))
	dead, err := s.CancelJob(ctx, acme, dead.ID, changedAt)
	if must(t, err); dead.Status != domain.JobRunning {
		t.Fatalf("a lease of %s has ended already: %+v", term, dead)
	}
	taken := awaitClaim(t, s, byName("b", "dead", long))
	wantWhole(t, "the lease of a job", begin)
	want := dead
	want.Fence, want.Takeovers, want.Owner, want.Revision, want.UpdatedAt = 2, 1, "b", taken.Revision, taken.UpdatedAt
	same(t, "a job that was taken over", taken, want)
	_, err = s.BeatJob(ctx, holdOf(dead), long, &domain.JobState{})
	wantCode(t, "a beat of who was taken over", err, connectors.Conflict)
	wantCode(t, "an end by who was taken over", s.EndJob(ctx, holdOf(dead), ended(dead)), connectors.Conflict)
	wantJob(t, "a job that was taken over, after what was refused", s, taken)

	// The other two leases ended before that one. Nobody took them.
	_, err = s.BeatJob(ctx, holdOf(late), long, nil)
	must(t, err)
	must(t, s.EndJob(ctx, holdOf(ends), ended(ends)))
	wantNothing(t, "leases that go on, and an end", s, store.Claim{Owner: "c", Term: long})
	got, err := s.Job(ctx, acme, ends.ID)
	must(t, err)
	if got.Status != domain.JobSucceeded || got.Takeovers != 0 {
		t.Errorf("a job that ended late: %+v", got)
	}
}

// oneJobEach has many workers claim many jobs: each is claimed once.
func oneJobEach(t TB, open func() store.Store) {
	a, b := open(), open()
	const many = 100
	for i := range many {
		must(t, a.CreateJob(t.Context(), job([]domain.Tenant{acme, other}[i%2], sortable(i))))
	}
	var mu sync.Mutex
	claimed := map[string]int{}
	must(t, errors.Join(together(a, b, func(n int, s store.Store) error {
		for {
			j, err := s.ClaimJob(t.Context(), store.Claim{Owner: fmt.Sprint(n), Term: long})
			if connectors.CodeOf(err) == connectors.NotFound {
				return nil
			}
			if err != nil {
				return err
			}
			if j.Owner != fmt.Sprint(n) || j.Fence != 1 || j.Takeovers != 0 {
				return fmt.Errorf("%d claimed %+v", n, j)
			}
			mu.Lock()
			claimed[j.ID]++
			mu.Unlock()
		}
	})...))
	for id, n := range claimed {
		if n != 1 {
			t.Errorf("%s was claimed %d times", id, n)
		}
	}
	same(t, "how many jobs were claimed", len(claimed), many)
}

// oneClaimant has many workers ask for one job, once while it waits and once when its worker has died.
func oneClaimant(t TB, open func() store.Store) {
	a, b := open(), open()
	must(t, a.CreateJob(t.Context(), job(acme, "1")))
	first := make(chan domain.Job, workers)
	must(t, errors.Join(together(a, b, func(n int, s store.Store) error {
		j, err := s.ClaimJob(t.Context(), byName(fmt.Sprint(n), "1", long))
		if err == nil {
			first <- j
		} else if connectors.CodeOf(err) != connectors.NotFound {
			return err
		}
		return nil
	})...))
	if len(first) != 1 {
		t.Fatalf("%d workers claimed one job", len(first))
	}
	_, err := a.BeatJob(t.Context(), holdOf(<-first), term, nil)
	must(t, err)
	var takeovers atomic.Int32
	deadline := time.Now().Add(patience)
	must(t, errors.Join(together(a, b, func(n int, s store.Store) error {
		// A moment longer than until the first takeover, so that a second one would be seen.
		for more := 5; more > 0 && time.Now().Before(deadline); time.Sleep(term / 50) {
			_, err := s.ClaimJob(t.Context(), byName(fmt.Sprint(n), "1", long))
			if err == nil {
				takeovers.Add(1)
			} else if connectors.CodeOf(err) != connectors.NotFound {
				return err
			}
			if takeovers.Load() > 0 {
				more--
			}
		}
		return nil
	})...))
	same(t, "how many took over one job", takeovers.Load(), int32(1))
	got, err := b.Job(t.Context(), acme, "job_1")
	must(t, err)
	same(t, "fence and takeovers", []int64{got.Fence, int64(got.Takeovers)}, []int64{2, 1})
}
