package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// claimed claims until there is nothing left, and returns the IDs in their order.
func claimed(t TB, s store.Store, c store.Claim) []string {
	t.Helper()
	var ids []string
	for range 200 {
		j, err := s.ClaimJob(t.Context(), c)
		if connectors.CodeOf(err) == connectors.NotFound {
			return ids
		}
		must(t, err)
		ids = append(ids, j.ID)
	}
	t.Fatalf("there is always something to claim")
	return nil
}

// fairTurns holds that a tenant's jobs are claimed as they came, and that a tenant with many keeps no other waiting for
// all of them.
func fairTurns(t TB, open func() store.Store) {
	s, anything := open(), store.Claim{Owner: "w", Term: long}
	const many = 50
	var own []string
	for i := range many {
		own = append(own, "job_"+sortable(many-i)) // the last one first, so that it is no order of ids
		must(t, s.CreateJob(t.Context(), job(acme, sortable(many-i))))
	}
	first := []string{claim(t, s, anything).ID}
	for i := range 3 {
		must(t, s.CreateJob(t.Context(), job(other, fmt.Sprint("other_", i))))
	}
	order := append(first, claimed(t, s, anything)...)
	for i := range 3 {
		id := fmt.Sprint("job_other_", i)
		if at := slices.Index(order, id); at < 1 || at > 2*i+2 {
			t.Errorf("%s was claimed as number %d of %v", id, at, order)
		}
	}
	same(t, "a tenant's own order", slices.DeleteFunc(order, func(id string) bool { return !slices.Contains(own, id) }), own)
}

// noQueueJumping holds that who comes later is not before the first one that waits, whatever waits for its time.
func noQueueJumping(t TB, open func() store.Store) {
	s := open()
	late := job("tenant-late", "0_late")
	late.NotBefore = time.Now().Add(long)
	must(t, s.CreateJob(t.Context(), late))
	for i := range 3 {
		must(t, s.CreateJob(t.Context(), job(acme, fmt.Sprint("1_", i))))
	}
	for i := range 2 {
		same(t, "a tenant's own order", claim(t, s, store.Claim{Owner: "w", Term: long}).ID, fmt.Sprint("job_1_", i))
	}
	for i := range 5 {
		must(t, s.CreateJob(t.Context(), job(domain.Tenant(fmt.Sprint("tenant-", i)), fmt.Sprint("2_", i))))
	}
	same(t, "the first one that waited", claim(t, s, store.Claim{Owner: "w", Term: long}).ID, "job_1_2")
	same(t, "how many were claimed after it", len(claimed(t, s, store.Claim{Owner: "w", Term: long})), 5)
}

// jobsPerTenant holds that a tenant runs no more jobs than a claim allows, and that its limit is no other's.
func jobsPerTenant(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	for i := range 4 {
		must(t, s.CreateJob(ctx, job(acme, sortable(i))))
	}
	two := store.Claim{Owner: "w", Term: long, PerTenant: 2}
	same(t, "how many were claimed", len(claimed(t, s, two)), 2)
	must(t, s.CreateJob(ctx, job(other, "one")))
	same(t, "another tenant's", claimed(t, s, two), []string{"job_one"})
	wantCounts(t, s, acme, 2, 2)
	wantCounts(t, s, other, 0, 1)
	wantCounts(t, s, empty, 0, 0)

	running, err := s.ListJobs(ctx, acme, store.JobFilter{Status: domain.JobRunning}, store.List{Limit: 10})
	must(t, err)
	if len(running) != 2 {
		t.Fatalf("%d jobs run, want 2", len(running))
	}
	must(t, s.EndJob(ctx, holdOf(running[0]), ended(running[0])))
	wantCounts(t, s, acme, 2, 1)
	must(t, s.CreateJob(ctx, job(other, "two")))
	same(t, "how many were claimed after an end", len(claimed(t, s, two)), 2)
	wantCounts(t, s, acme, 1, 2)

	// One that is taken over runs already: a tenant at its limit is not kept from it.
	_, err = s.BeatJob(ctx, holdOf(running[1]), term, nil)
	must(t, err)
	taken := awaitClaim(t, s, two)
	same(t, "a job that was taken over at the limit", []any{taken.ID, taken.Takeovers}, []any{running[1].ID, 1})
	wantCounts(t, s, acme, 1, 2)
	same(t, "how many are claimed without a limit", len(claimed(t, s, store.Claim{Owner: "w", Term: long})), 1)
	wantCounts(t, s, acme, 0, 3)
}

func wantCounts(t TB, s store.Store, tenant domain.Tenant, wantQueued, wantRunning int) {
	t.Helper()
	queued, running, err := s.CountJobs(t.Context(), tenant)
	must(t, err)
	same(t, fmt.Sprintf("queued and running jobs of %s", tenant), []int{queued, running}, []int{wantQueued, wantRunning})
}

// jobsPerConnection passes over jobs of connections that are busy, and nothing else.
func jobsPerConnection(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	of := func(tenant domain.Tenant, key, connection string, kind domain.JobType) domain.Job {
		j := job(tenant, key)
		j.ConnectionID, j.Type = connection, kind
		return j
	}
	for _, j := range []domain.Job{
		of(acme, "1", "con_1", domain.ImportJob), of(acme, "2", "con_1", domain.SyncJob), of(acme, "3", "con_1", domain.SyncJob),
		of(acme, "4", "con_1", domain.ProbeJob), of(acme, "5", "con_2", domain.SyncJob), of(other, "6", "con_1", domain.SyncJob),
	} {
		must(t, s.CreateJob(ctx, j))
	}
	apart := store.Claim{Owner: "w", Term: long, Exclusive: true}
	got := claimed(t, s, apart)
	slices.Sort(got)
	same(t, "what is claimed", got, []string{"job_1", "job_4", "job_5", "job_6"})
	byName := apart
	byName.Tenant, byName.ID = acme, "job_2"
	_, err := s.ClaimJob(ctx, byName)
	wantCode(t, "one of a busy connection by its name", err, connectors.NotFound)
	first, err := s.Job(ctx, acme, "job_1")
	must(t, err)
	must(t, s.EndJob(ctx, holdOf(first), ended(first)))
	same(t, "what is claimed after an end", claimed(t, s, apart), []string{"job_2"})
	// A probe keeps nobody waiting.
	must(t, s.CreateJob(ctx, of(acme, "7", "con_3", domain.ProbeJob)))
	same(t, "a probe", claimed(t, s, apart), []string{"job_7"})
	must(t, s.CreateJob(ctx, of(acme, "8", "con_3", domain.SyncJob)))
	same(t, "a sync beside a probe", claimed(t, s, apart), []string{"job_8"})
	same(t, "whoever does not ask for that", claimed(t, s, store.Claim{Owner: "w", Term: long}), []string{"job_3"})
}
