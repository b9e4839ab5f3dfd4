package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// term is the lease of the checks: the shortest that there is.
const term = time.Second

func job(t domain.Tenant, key string) domain.Job {
	return domain.Job{
		Meta: meta(t, 1), ID: "job_" + key, ConnectorID: "jira", ConnectionID: "con_1", Type: domain.SyncJob, Status: domain.JobQueued,
		Params: domain.JobParams{Containers: []string{"größe", "$a.b"}, Streams: []string{"items"}, Every: 900, Series: "job_0", At: changedAt},
	}
}

func roundTripJobs(t TB, open func() store.Store) {
	s := open()
	j := job(acme, "1")
	j.IdempotencyKey, j.Attempts = "k' OR 1=1 -- $x", 3
	j.Incomplete = []connectors.Gap{{ContainerID: "ü", Code: connectors.NotFound, Reason: "\"$none\""}}
	j.Error = &domain.JobError{Code: connectors.Timeout, Message: "last time"}
	must(t, s.CreateJob(t.Context(), j))
	got, err := s.Job(t.Context(), acme, j.ID)
	must(t, err)
	same(t, "job", got, j)
	got, err = s.JobOfKey(t.Context(), acme, j.IdempotencyKey)
	must(t, err)
	same(t, "job of its key", got, j)
	wantCode(t, "the same id", s.CreateJob(t.Context(), j), connectors.Conflict)
	second := job(acme, "2")
	second.IdempotencyKey = j.IdempotencyKey
	wantCode(t, "the same idempotency key", s.CreateJob(t.Context(), second), connectors.Conflict)
	second.Tenant = other
	must(t, s.CreateJob(t.Context(), second))
	for _, id := range []string{"job_3", "job_4"} { // no key is no key in common
		plain := job(acme, id)
		plain.ID = id
		must(t, s.CreateJob(t.Context(), plain))
	}
	_, err = s.JobOfKey(t.Context(), acme, "")
	wantCode(t, "no key", err, connectors.NotFound)
	_, err = s.Job(t.Context(), other, j.ID)
	wantCode(t, "another tenant's job", err, connectors.NotFound)
	_, err = s.CancelJob(t.Context(), other, j.ID, changedAt)
	wantCode(t, "another tenant's cancel", err, connectors.NotFound)
}

// claims holds that a claim is of one, by its fence, and ends with it.
func claims(t TB, open func() store.Store) {
	s := open()
	ctx := t.Context()
	_, err := s.ClaimJob(ctx, store.Claim{Owner: "a", Term: term})
	wantCode(t, "nothing to claim", err, connectors.NotFound)
	late := job(acme, "late")
	late.NotBefore = time.Now().Add(time.Hour)
	must(t, s.CreateJob(ctx, late))
	_, err = s.ClaimJob(ctx, store.Claim{Owner: "a", Term: term})
	wantCode(t, "a job that is not due", err, connectors.NotFound)
	must(t, s.CreateJob(ctx, job(acme, "1")))
	j, err := s.ClaimJob(ctx, store.Claim{Owner: "$a' --", Term: time.Hour})
	must(t, err)
	if j.ID != "job_1" || j.Status != domain.JobRunning || j.Fence != 1 || j.Owner != "$a' --" || j.Takeovers != 0 || j.StartedAt.IsZero() {
		t.Errorf("claimed %+v", j)
	}
	_, err = s.ClaimJob(ctx, store.Claim{Owner: "b", Term: term})
	wantCode(t, "a claimed job", err, connectors.NotFound)
	hold := store.Hold{Tenant: acme, ID: "job_1", Fence: 1}
	state := &domain.JobState{Progress: 42, Rate: 1.5, Counts: domain.JobCounts{Items: domain.Count{Seen: 7}}}
	for range domain.MaxGaps {
		state.AddGap(connectors.Gap{ContainerID: fmt.Sprint(len(state.Incomplete)), Code: connectors.NotFound, Reason: "gone"})
	}
	got, err := s.BeatJob(ctx, hold, time.Hour, state)
	must(t, err)
	same(t, "state", got.JobState, *state)
	got, err = s.BeatJob(ctx, hold, time.Hour, nil)
	must(t, err)
	same(t, "state after a beat without one", got.JobState, *state)
	wrong := hold
	wrong.Fence = 2
	_, err = s.BeatJob(ctx, wrong, time.Hour, state)
	wantCode(t, "a beat with another fence", err, connectors.Conflict)
	wantCode(t, "an end with another fence", s.EndJob(ctx, wrong, ended(got)), connectors.Conflict)
	end := ended(got)
	must(t, s.EndJob(ctx, hold, end))
	must(t, s.EndJob(ctx, hold, end)) // its answer may have been lost
	end.Status = domain.JobFailed
	wantCode(t, "another end", s.EndJob(ctx, hold, end), connectors.Conflict)
	_, err = s.BeatJob(ctx, hold, time.Hour, nil)
	wantCode(t, "a beat after the end", err, connectors.Conflict)
	got, err = s.Job(ctx, acme, "job_1")
	must(t, err)
	if got.Status != domain.JobSucceeded || got.Owner != "" || !got.FinishedAt.Equal(changedAt) {
		t.Errorf("ended %+v", got)
	}
}

func ended(j domain.Job) domain.Job {
	j.Status, j.FinishedAt, j.NotBefore, j.Error = domain.JobSucceeded, changedAt, time.Time{}, nil
	return j
}

// claimsOfTheDead holds that a job is taken over when its lease ends, not before, and that who held it is out.
func claimsOfTheDead(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	must(t, s.CreateJob(ctx, job(acme, "1")))
	j, err := s.ClaimJob(ctx, store.Claim{Owner: "a", Term: term})
	must(t, err)
	begin := time.Now()
	first := store.Hold{Tenant: acme, ID: j.ID, Fence: j.Fence}
	taken := awaitClaim(t, s, store.Claim{Owner: "b", Term: time.Hour})
	if waited := time.Since(begin); taken.Fence != 2 || taken.Takeovers != 1 || taken.Owner != "b" || waited < term*8/10 {
		t.Errorf("taken over after %s: %+v", waited, taken)
	}
	_, err = s.BeatJob(ctx, first, time.Hour, nil)
	wantCode(t, "a beat of who was taken over", err, connectors.Conflict)
	wantCode(t, "an end by who was taken over", s.EndJob(ctx, first, ended(j)), connectors.Conflict)

	must(t, s.CreateJob(ctx, job(acme, "2")))
	j, err = s.ClaimJob(ctx, store.Claim{Owner: "a", Term: term, Tenant: acme, ID: "job_2"})
	must(t, err)
	time.Sleep(term + term/5)
	if _, err = s.BeatJob(ctx, store.Hold{Tenant: acme, ID: j.ID, Fence: j.Fence}, time.Hour, nil); err != nil {
		t.Errorf("a lease that ended and that nobody took: %v", err)
	}
	_, err = s.ClaimJob(ctx, store.Claim{Owner: "b", Term: term})
	wantCode(t, "a lease that goes on", err, connectors.NotFound)
}

// awaitClaim claims until there is something to be claimed.
func awaitClaim(t TB, s store.Store, c store.Claim) domain.Job {
	t.Helper()
	for deadline := time.Now().Add(20 * term); time.Now().Before(deadline); time.Sleep(term / 50) {
		j, err := s.ClaimJob(t.Context(), c)
		if err == nil {
			return j
		}
		wantCode(t, "a claim", err, connectors.NotFound)
	}
	t.Fatalf("nothing could be claimed")
	return domain.Job{}
}

// oneJobEach has many workers claim many jobs: each is claimed once.
func oneJobEach(t TB, open func() store.Store) {
	a, b := open(), open()
	const many = 100
	for i := range many {
		must(t, a.CreateJob(t.Context(), job(acme, sortable(i))))
	}
	var mu sync.Mutex
	claimed := map[string]int{}
	must(t, errors.Join(together(a, b, func(n int, s store.Store) error {
		for {
			j, err := s.ClaimJob(t.Context(), store.Claim{Owner: fmt.Sprint(n), Term: time.Hour})
			if connectors.CodeOf(err) == connectors.NotFound {
				return nil
			}
			if err != nil {
				return err
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
	if len(claimed) != many {
		t.Errorf("%d of %d jobs were claimed", len(claimed), many)
	}
}

// fairTurns holds that a tenant with many jobs keeps no other waiting for all of them, and keeps to its number.
func fairTurns(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	for i := range 20 {
		must(t, s.CreateJob(ctx, job(acme, sortable(i))))
	}
	must(t, s.CreateJob(ctx, job(other, "one")))
	var order []domain.Tenant
	for range 4 {
		j, err := s.ClaimJob(ctx, store.Claim{Owner: "w", Term: time.Hour, PerTenant: 2})
		if connectors.CodeOf(err) == connectors.NotFound {
			break
		}
		must(t, err)
		order = append(order, j.Tenant)
	}
	if len(order) != 3 || order[0] != other && order[1] != other {
		t.Errorf("claimed in the order %v, want two of acme's, and other's before the second", order)
	}
	queued, running, err := s.CountJobs(ctx, acme)
	must(t, err)
	same(t, "jobs of acme", []int{queued, running}, []int{18, 2})
	j, err := s.ClaimJob(ctx, store.Claim{Owner: "w", Term: time.Hour, Tenant: acme, ID: "job_" + sortable(15)})
	must(t, err)
	same(t, "a job that is asked for by name", j.ID, "job_"+sortable(15))
}

func cancels(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	for _, id := range []string{"queued", "running", "dead"} {
		must(t, s.CreateJob(ctx, job(acme, id)))
	}
	got, err := s.CancelJob(ctx, acme, "job_queued", changedAt)
	must(t, err)
	if got.Status != domain.JobCanceled || !got.FinishedAt.Equal(changedAt) {
		t.Errorf("a queued job: %+v", got)
	}
	_, err = s.CancelJob(ctx, acme, "job_queued", changedAt)
	wantCode(t, "a canceled job", err, connectors.Conflict)
	_, err = s.CancelJob(ctx, acme, "job_none", changedAt)
	wantCode(t, "no job", err, connectors.NotFound)
	running, err := s.ClaimJob(ctx, store.Claim{Owner: "w", Term: time.Hour, Tenant: acme, ID: "job_running"})
	must(t, err)
	got, err = s.CancelJob(ctx, acme, "job_running", changedAt)
	must(t, err)
	if got.Status != domain.JobRunning || !got.CancelRequested {
		t.Errorf("a running job: %+v", got)
	}
	beat, err := s.BeatJob(ctx, store.Hold{Tenant: acme, ID: running.ID, Fence: running.Fence}, time.Hour, nil)
	if must(t, err); !beat.CancelRequested {
		t.Errorf("the holder is not told")
	}
	_, err = s.ClaimJob(ctx, store.Claim{Owner: "w", Term: term, Tenant: acme, ID: "job_dead"})
	must(t, err)
	time.Sleep(term + term/5)
	got, err = s.CancelJob(ctx, acme, "job_dead", changedAt)
	if must(t, err); got.Status != domain.JobCanceled {
		t.Errorf("a job whose holder died: %+v", got)
	}
}

func listsOfJobs(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	var want []string
	for i := range 9 {
		j := job(acme, sortable(i))
		j.ConnectionID = fmt.Sprint("con_", i%2)
		must(t, s.CreateJob(ctx, j))
		want = append([]string{j.ID}, want...)
	}
	must(t, s.CreateJob(ctx, job(other, "1")))
	for i := range 3 {
		_, err := s.CancelJob(ctx, acme, "job_"+sortable(i), changedAt.Add(time.Duration(i)*time.Hour))
		must(t, err)
	}
	same(t, "newest first", jobIDs(t, s, store.JobFilter{}), want)
	same(t, "canceled", jobIDs(t, s, store.JobFilter{Status: domain.JobCanceled}), want[6:])
	same(t, "of a connection", jobIDs(t, s, store.JobFilter{ConnectionID: "con_1"}), []string{want[1], want[3], want[5], want[7]})
	n, err := s.SweepJobs(ctx, changedAt.Add(2*time.Hour), 1)
	must(t, err)
	same(t, "swept, one at a time", n, 1)
	n, err = s.SweepJobs(ctx, changedAt.Add(2*time.Hour), 100)
	must(t, err)
	same(t, "swept", n, 1)
	same(t, "what is left", jobIDs(t, s, store.JobFilter{}), want[:7])
	_, err = s.ListJobs(ctx, acme, store.JobFilter{}, store.List{})
	wantCode(t, "a listing of none", err, connectors.Internal)
}

// jobIDs pages through acme's jobs.
func jobIDs(t TB, s store.Store, f store.JobFilter) []string {
	t.Helper()
	var ids []string
	for after := ""; ; {
		page, err := s.ListJobs(context.WithoutCancel(t.Context()), acme, f, store.List{After: after, Limit: 2})
		must(t, err)
		for _, j := range page {
			after = j.ID
			ids = append(ids, j.ID)
		}
		if len(page) < 2 {
			return ids
		}
	}
}
