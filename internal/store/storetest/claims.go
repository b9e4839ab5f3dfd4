package storetest

import (
	"fmt"
	"math"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

func holdOf(j domain.Job) store.Hold { return store.Hold{Tenant: j.Tenant, ID: j.ID, Fence: j.Fence} }

// byName asks for one of acme's jobs.
func byName(owner, key string, lease time.Duration) store.Claim {
	return store.Claim{Owner: owner, Term: lease, Tenant: acme, ID: "job_" + key}
}

func claim(t TB, s store.Store, c store.Claim) domain.Job {
	t.Helper()
	j, err := s.ClaimJob(t.Context(), c)
	must(t, err)
	return j
}

func wantNothing(t TB, what string, s store.Store, c store.Claim) {
	t.Helper()
	_, err := s.ClaimJob(t.Context(), c)
	wantCode(t, what, err, connectors.NotFound)
}

// wantJob checks that a job is stored as it was returned.
func wantJob(t TB, what string, s store.Store, want domain.Job) {
	t.Helper()
	got, err := s.Job(t.Context(), want.Tenant, want.ID)
	must(t, err)
	same(t, what, got, want)
}

// awaitClaim claims until there is something to be claimed.
func awaitClaim(t TB, s store.Store, c store.Claim) domain.Job {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(term / 50) {
		j, err := s.ClaimJob(t.Context(), c)
		if err == nil {
			return j
		}
		wantCode(t, "a claim", err, connectors.NotFound)
	}
	t.Fatalf("nothing could be claimed")
	return domain.Job{}
}

func claims(t TB, open func() store.Store) {
	s := open()
	anything := store.Claim{Owner: odd, Term: long}
	wantNothing(t, "a claim where there is no job", s, anything)
	late := job(acme, "late")
	late.NotBefore = time.Now().Add(long)
	must(t, s.CreateJob(t.Context(), late))
	wantNothing(t, "a job that is not due", s, anything)
	wantNothing(t, "a job that is not due, by its name", s, byName("a", "late", long))

	given := job(acme, "1")
	given.NotBefore, given.Attempts, given.JobState = changedAt, 3, oddState(1)
	given.Error = &domain.JobError{Code: connectors.Timeout, Message: odd}
	must(t, s.CreateJob(t.Context(), given))
	j := claim(t, s, anything)
	want := given
	want.Status, want.Fence, want.Owner = domain.JobRunning, 1, odd
	want.Revision, want.UpdatedAt, want.StartedAt = j.Revision, j.UpdatedAt, j.StartedAt
	same(t, "a claimed job", j, want)
	if since := time.Since(j.StartedAt); since < 0 || since > long {
		t.Errorf("the job began %s ago", since)
	}
	wantJob(t, "a claimed job, as it is stored", s, j)
	wantNothing(t, "a job that another has", s, store.Claim{Owner: "b", Term: long})
	wantNothing(t, "a job that another has, by its name", s, byName("b", "1", long))
	wantNothing(t, "a job that the caller has", s, byName(odd, "1", long))

	must(t, s.CreateJob(t.Context(), job(acme, "2")))
	must(t, s.CreateJob(t.Context(), job(acme, "3")))
	must(t, s.CreateJob(t.Context(), job(other, "4")))
	wantNothing(t, "another tenant's job by its name", s, byName("a", "4", long))
	wantNothing(t, "a job that never was", s, byName("a", "none", long))
	same(t, "a job that is asked for by its name", claim(t, s, byName("a", "3", long)).ID, "job_3")
}

// dueTimes holds that a job can be claimed when its time has come, and not before.
func dueTimes(t TB, open func() store.Store) {
	s := open()
	soon := job(acme, "soon")
	soon.NotBefore = time.Now().Add(term)
	must(t, s.CreateJob(t.Context(), soon))
	awaitClaim(t, s, store.Claim{Owner: "a", Term: long})
	if early := time.Until(soon.NotBefore); early > term/10 {
		t.Errorf("the job was claimed %s before its time", early)
	}
}

func beats(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	must(t, s.CreateJob(ctx, job(acme, "1")))
	queued := store.Hold{Tenant: acme, ID: "job_1"}
	_, err := s.BeatJob(ctx, queued, long, nil)
	wantCode(t, "a beat of a job that nobody claimed", err, connectors.Conflict)
	j := claim(t, s, store.Claim{Owner: "a", Term: term})
	for i, state := range []domain.JobState{oddState(3), fullState(), {}, oddState(4)} {
		got, err := s.BeatJob(ctx, holdOf(j), long, &state)
		must(t, err)
		same(t, fmt.Sprintf("state %d", i), got.JobState, state)
		wantJob(t, "a job after a beat", s, got)
		j.Revision, j.UpdatedAt, j.JobState = got.Revision, got.UpdatedAt, state
		same(t, "what a beat returns", got, j)
	}
	got, err := s.BeatJob(ctx, holdOf(j), long, nil)
	must(t, err)
	same(t, "state after a beat without one", got.JobState, j.JobState)
	for _, fence := range []int64{0, 2, -1, math.MaxInt64} {
		wrong := holdOf(j)
		wrong.Fence = fence
		_, err := s.BeatJob(ctx, wrong, long, &domain.JobState{Progress: 99})
		wantCode(t, fmt.Sprintf("a beat with the fence %d", fence), err, connectors.Conflict)
	}
	foreign := holdOf(j)
	foreign.Tenant = other
	_, err = s.BeatJob(ctx, foreign, long, &domain.JobState{Progress: 99})
	wantCode(t, "another tenant's beat", err, connectors.Conflict)
	wantJob(t, "a job after beats that were refused", s, got)
	time.Sleep(term + term/5) // not from the claim on: each of the beats may have begun a term of its own
	wantNothing(t, "a lease that a beat extended", s, store.Claim{Owner: "b", Term: long})
}

func ended(j domain.Job) domain.Job {
	j.Status, j.FinishedAt, j.NotBefore, j.Error = domain.JobSucceeded, changedAt, time.Time{}, nil
	return j
}

func endsOfJobs(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	must(t, s.CreateJob(ctx, job(acme, "1")))
	wantCode(t, "an end of a job that nobody claimed", s.EndJob(ctx, holdOf(job(acme, "1")), ended(job(acme, "1"))), connectors.Conflict)
	j := claim(t, s, store.Claim{Owner: "a", Term: long})
	wrong := holdOf(j)
	wrong.Fence++
	wantCode(t, "an end with another fence", s.EndJob(ctx, wrong, ended(j)), connectors.Conflict)
	wantJob(t, "a job after an end that was refused", s, j)

	back := givesBack(t, s, j)
	again := claim(t, s, store.Claim{Owner: "b", Term: long})
	if again.Fence != 2 || again.Takeovers != 0 || again.Attempts != 5 || !again.StartedAt.Equal(j.StartedAt) {
		t.Errorf("a job that was given back is claimed as %+v", again)
	}
	wantCode(t, "giving back again what another has", s.EndJob(ctx, holdOf(j), back), connectors.Conflict)

	end := again
	end.Status, end.FinishedAt, end.NotBefore, end.Attempts, end.JobState = domain.JobFailed, changedAt.Add(1), time.Time{}, 6, fullState()
	end.Error = &domain.JobError{Code: connectors.Forbidden, Message: odd}
	must(t, s.EndJob(ctx, holdOf(again), end))
	must(t, s.EndJob(ctx, holdOf(again), end)) // the first answer may have been lost
	got, err := s.Job(ctx, acme, j.ID)
	must(t, err)
	end.Owner, end.Revision, end.UpdatedAt = "", got.Revision, got.UpdatedAt
	same(t, "a job that ended", got, end)
	other := end
	other.Status = domain.JobSucceeded
	wantCode(t, "another end", s.EndJob(ctx, holdOf(again), other), connectors.Conflict)
	_, err = s.BeatJob(ctx, holdOf(again), long, nil)
	wantCode(t, "a beat after the end", err, connectors.Conflict)
	wantJob(t, "a job that ended, after what was refused", s, got)
	wantNothing(t, "a job that ended", s, store.Claim{Owner: "c", Term: long})
}

// givesBack ends a claim so that the job waits again, and tries to change what no end changes.
func givesBack(t TB, s store.Store, j domain.Job) domain.Job {
	t.Helper()
	back := j
	back.Status, back.NotBefore, back.Attempts, back.JobState = domain.JobQueued, changedAt, 5, oddState(5)
	back.Error = &domain.JobError{Code: connectors.Timeout, Message: odd}
	given := back
	given.ConnectorID, given.ConnectionID, given.Type, given.Params, given.IdempotencyKey = "x", "x", domain.ProbeJob, domain.JobParams{Every: 1}, "x"
	given.Takeovers, given.Fence, given.Owner, given.CancelRequested, given.StartedAt = 9, 9, "x", true, changedAt
	must(t, s.EndJob(t.Context(), holdOf(j), given))
	must(t, s.EndJob(t.Context(), holdOf(j), given))
	got, err := s.Job(t.Context(), acme, j.ID)
	must(t, err)
	want := back
	want.Owner, want.Revision, want.UpdatedAt = "", got.Revision, got.UpdatedAt
	same(t, "a job that was given back", got, want)
	_, err = s.BeatJob(t.Context(), holdOf(j), long, nil)
	wantCode(t, "a beat of a job that was given back", err, connectors.Conflict)
	return given
}
