package storetest

import (
	"fmt"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const (
	// term is the lease of the checks that wait for its end: the shortest that there is.
	term = time.Second
	// long is a lease that does not end while a check runs, however slow the machine.
	long = time.Hour
	// patience is how long a check waits for a lease to end.
	patience = 6 * term
)

func job(t domain.Tenant, key string) domain.Job {
	return domain.Job{
		Meta: meta(t, 1), ID: "job_" + key, ConnectorID: "jira", ConnectionID: "con_1", Type: domain.SyncJob, Status: domain.JobQueued,
		Params: domain.JobParams{Containers: []string{"größe", "$a.b"}, Streams: []string{"items"}, Every: 900, Series: "job_0", At: changedAt},
	}
}

// oddState is a state with something in each field.
func oddState(i int) domain.JobState {
	n := 1 << 40
	return domain.JobState{
		Progress: 100 - i, Counts: domain.JobCounts{
			Containers: domain.Count{Seen: 1, Created: 2, Updated: 3, Deleted: 4, Unchanged: 5},
			Items:      domain.Count{Seen: n, Created: n + 1, Updated: n + 2, Deleted: n + 3, Unchanged: n + 4},
			Comments:   domain.Count{Seen: i, Created: i, Updated: i, Deleted: i, Unchanged: i},
		},
		Containers: domain.Done{Done: i, Total: 1000},
		Incomplete: []connectors.Gap{{ContainerID: odd, Code: connectors.NotFound, Reason: "r" + odd}, {Code: connectors.Timeout, Reason: "$none"}},
		Dropped:    7, Rate: 0.1, ETASeconds: int64(n),
	}
}

// fullState is a state that names as many gaps as there can be.
func fullState() domain.JobState {
	s := domain.JobState{Progress: 1}
	for i := range domain.MaxGaps {
		s.AddGap(connectors.Gap{ContainerID: odd + fmt.Sprint(i), Code: connectors.Forbidden, Reason: odd})
	}
	return s
}

func roundTripJobs(t TB, open func() store.Store) {
	s := open()
	for i, at := range oddTimes {
		j := domain.Job{
			Meta: domain.Meta{Tenant: acme, Revision: 17, CreatedAt: at, UpdatedAt: oddTimes[len(oddTimes)-1-i]},
			ID:   "job_" + sortable(i) + odd, ConnectorID: "c" + odd, ConnectionID: odd, Type: domain.ImportJob, Status: domain.JobQueued,
			IdempotencyKey: odd + sortable(i), NotBefore: at, Attempts: i,
		}
		if i%2 == 1 {
			j.Type, j.JobState, j.Error = domain.ProbeJob, oddState(i), &domain.JobError{Code: connectors.Timeout, Message: odd}
			j.Params = domain.JobParams{
				Containers: []string{odd, "", "$a.b"}, Streams: []string{"items", odd}, Every: 1 << 40, At: utc(at), Series: odd, Census: "never", MaxDeletions: 100,
			}
		}
		must(t, s.CreateJob(t.Context(), j))
		want := j
		want.Revision, want.CreatedAt, want.UpdatedAt, want.NotBefore = 1, utc(at), utc(j.UpdatedAt), utc(at)
		got, err := s.Job(t.Context(), acme, j.ID)
		must(t, err)
		wantUTC(t, got.CreatedAt, got.UpdatedAt, got.NotBefore)
		same(t, "job", got, want)
		got, err = s.JobOfKey(t.Context(), acme, j.IdempotencyKey)
		must(t, err)
		same(t, "job of its key", got, want)
		listed, err := s.ListJobs(t.Context(), acme, store.JobFilter{}, store.List{Limit: 1})
		must(t, err)
		same(t, "listed job", listed, []domain.Job{want})
	}
	given := job(acme, "z")
	given.Status = domain.JobSucceeded
	must(t, s.CreateJob(t.Context(), given))
	got, err := s.Job(t.Context(), acme, given.ID)
	must(t, err)
	same(t, "status of a job that was just accepted", got.Status, domain.JobQueued)
}

func idempotencyKeys(t TB, open func() store.Store) {
	a, b := open(), open()
	keyed := func(tenant domain.Tenant, id, key string) domain.Job {
		j := job(tenant, id)
		j.IdempotencyKey = key
		return j
	}
	ctx := t.Context()
	must(t, a.CreateJob(ctx, keyed(acme, "1", "key")))
	wantCode(t, "an idempotency key in use", b.CreateJob(ctx, keyed(acme, "2", "key")), connectors.Conflict)
	wantCode(t, "a known id", b.CreateJob(ctx, keyed(acme, "1", "another")), connectors.Conflict)
	for id, key := range map[string]string{"3": "KEY", "4": "key ", "5": "k' OR 1=1 --", "6": "$key"} {
		must(t, a.CreateJob(ctx, keyed(acme, id, key)))
		got, err := b.JobOfKey(ctx, acme, key)
		must(t, err)
		same(t, "job of the key "+key, got.ID, "job_"+id)
	}
	for _, id := range []string{"7", "8"} { // no key is no key in common
		must(t, a.CreateJob(ctx, keyed(acme, id, "")))
	}
	_, err := a.JobOfKey(ctx, acme, "")
	wantCode(t, "a job of no key", err, connectors.NotFound)
	_, err = a.JobOfKey(ctx, other, "key")
	wantCode(t, "another tenant's key", err, connectors.NotFound)
	must(t, b.CreateJob(ctx, keyed(other, "1", "key")))
	got, err := a.JobOfKey(ctx, other, "key")
	must(t, err)
	same(t, "tenant of the job of the same key", got.Tenant, other)
	_, err = a.Job(ctx, acme, "job_2")
	wantCode(t, "a job that was refused", err, connectors.NotFound)
	wantOneWinner(t, "jobs of one key", together(a, b, func(n int, s store.Store) error {
		return s.CreateJob(ctx, keyed(acme, "race_"+sortable(n), "contested"))
	}))
	wantOneWinner(t, "jobs of one id", together(a, b, func(n int, s store.Store) error {
		return s.CreateJob(ctx, keyed(acme, "race", "of "+sortable(n)))
	}))
}
