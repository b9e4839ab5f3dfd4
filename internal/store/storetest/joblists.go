package storetest

import (
	"fmt"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

func cancel(t TB, s store.Store, key string) domain.Job {
	t.Helper()
	j, err := s.CancelJob(t.Context(), acme, "job_"+key, changedAt.Add(1))
	must(t, err)
	wantJob(t, "a job as its cancel returned it", s, j)
	return j
}

func cancels(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	for _, key := range []string{"dead", "queued", "running", "succeeded", "failed"} {
		must(t, s.CreateJob(ctx, job(acme, key)))
	}
	dead := claim(t, s, byName("w", "dead", term))
	end := claim(t, s, byName("w", "succeeded", long))
	must(t, s.EndJob(ctx, holdOf(end), ended(end)))
	end = claim(t, s, byName("w", "failed", long))
	failed := ended(end)
	failed.Status = domain.JobFailed
	must(t, s.EndJob(ctx, holdOf(end), failed))

	got := cancel(t, s, "queued")
	if got.Status != domain.JobCanceled || !got.FinishedAt.Equal(changedAt.Add(1)) || got.Owner != "" {
		t.Errorf("a queued job that was canceled: %+v", got)
	}
	for _, key := range []string{"queued", "succeeded", "failed"} {
		before, err := s.Job(ctx, acme, "job_"+key)
		must(t, err)
		_, err = s.CancelJob(ctx, acme, "job_"+key, changedAt.Add(long))
		wantCode(t, "a cancel of a final job", err, connectors.Conflict)
		wantJob(t, "a final job after a cancel", s, before)
	}
	_, err := s.CancelJob(ctx, acme, "job_none", changedAt)
	wantCode(t, "a cancel of no job", err, connectors.NotFound)
	_, err = s.CancelJob(ctx, other, "job_running", changedAt)
	wantCode(t, "another tenant's cancel", err, connectors.NotFound)
	cancelsOfRunning(t, s, dead)
}

// cancelsOfRunning holds that a living holder is asked, and a dead one is not waited for.
func cancelsOfRunning(t TB, s store.Store, dead domain.Job) {
	t.Helper()
	running := claim(t, s, byName("w", "running", long))
	for range 2 { // whose answer was lost asks again
		got := cancel(t, s, "running")
		want := running
		want.CancelRequested, want.Revision, want.UpdatedAt = true, got.Revision, got.UpdatedAt
		if same(t, "a running job that was canceled", got, want); !got.CancelRequested {
			t.Fatalf("nobody asks the holder to stop")
		}
	}
	beat, err := s.BeatJob(t.Context(), holdOf(running), long, nil)
	if must(t, err); !beat.CancelRequested {
		t.Fatalf("the holder is not told of the cancel")
	}
	stopped := ended(beat)
	stopped.Status = domain.JobCanceled
	must(t, s.EndJob(t.Context(), holdOf(running), stopped))

	for deadline := time.Now().Add(patience); ; time.Sleep(term / 50) {
		got := cancel(t, s, "dead")
		if got.Status == domain.JobCanceled {
			if !got.FinishedAt.Equal(changedAt.Add(1)) || got.Owner != "" {
				t.Errorf("a job whose holder died: %+v", got)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a job whose holder died is not canceled: %+v", got)
		}
	}
	_, err = s.BeatJob(t.Context(), holdOf(dead), long, nil)
	wantCode(t, "a beat of a canceled job", err, connectors.Conflict)
	wantNothing(t, "canceled jobs", s, store.Claim{Owner: "w", Term: long})
}

func jobLister(f store.JobFilter) lister {
	return lister{
		name: fmt.Sprintf("jobs by %+v", f), descends: true,
		id: func(n int) string { return "job_" + sortable(n) },
		create: func(ctx ctxt, s store.Store, t tenant, n int) error {
			j := job(t, sortable(n))
			j.ConnectionID = fmt.Sprint("con_", n%2)
			return s.CreateJob(ctx, j)
		},
		list: func(ctx ctxt, s store.Store, t tenant, l store.List) ([]string, error) {
			list, err := s.ListJobs(ctx, t, f, l)
			return ids(list, err, func(j domain.Job) string { return j.ID })
		},
	}
}

func listsOfJobs(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	all := jobLister(store.JobFilter{})
	for n := range 9 {
		must(t, all.create(ctx, s, acme, n))
		must(t, all.create(ctx, s, other, n))
	}
	for _, n := range []int{0, 1, 2} {
		cancel(t, s, sortable(n))
	}
	for _, n := range []int{3, 4} {
		claim(t, s, byName("w", sortable(n), long))
	}
	j := claim(t, s, byName("w", sortable(5), long))
	must(t, s.EndJob(ctx, holdOf(j), ended(j)))
	for _, c := range []struct {
		filter store.JobFilter
		want   []int
	}{
		{store.JobFilter{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}},
		{store.JobFilter{Status: domain.JobQueued}, []int{6, 7, 8}},
		{store.JobFilter{Status: domain.JobRunning}, []int{3, 4}},
		{store.JobFilter{Status: domain.JobSucceeded}, []int{5}},
		{store.JobFilter{Status: domain.JobFailed}, nil},
		{store.JobFilter{Status: domain.JobCanceled}, []int{0, 1, 2}},
		{store.JobFilter{ConnectionID: "con_1"}, []int{1, 3, 5, 7}},
		{store.JobFilter{ConnectionID: "con_1", Status: domain.JobQueued}, []int{7}},
		{store.JobFilter{ConnectionID: "con_%"}, nil},
		{store.JobFilter{ConnectionID: "CON_1"}, nil},
	} {
		l := jobLister(c.filter)
		same(t, l.name, walk(t, s, l, 2, func([]string) {}), l.numbered(c.want...))
	}
	_, err := s.ListJobs(ctx, acme, store.JobFilter{}, store.List{})
	wantCode(t, "a listing of none", err, connectors.Internal)
}

// sweepsOfJobs holds that final jobs go when their time has come, and no others, whoever's they are.
func sweepsOfJobs(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	for n, tenant := range []domain.Tenant{acme, acme, other, acme, acme, acme} {
		j := job(tenant, sortable(n))
		j.IdempotencyKey = "key of " + sortable(n)
		must(t, s.CreateJob(ctx, j))
		if n < 4 {
			_, err := s.CancelJob(ctx, tenant, j.ID, changedAt.Add(time.Duration(n)))
			must(t, err)
		}
	}
	claim(t, s, byName("w", sortable(4), long))
	sweep := func(before time.Time, limit, want int) {
		t.Helper()
		n, err := s.SweepJobs(ctx, before, limit)
		must(t, err)
		same(t, "how many were swept", n, want)
	}
	sweep(changedAt, 10, 0)
	sweep(changedAt.Add(3), 2, 2)
	sweep(changedAt.Add(3), 2, 1)
	sweep(changedAt.Add(3), 2, 0)
	all := jobLister(store.JobFilter{})
	same(t, "what is left", walk(t, s, all, 2, func([]string) {}), all.numbered(3, 4, 5))
	_, err := s.Job(ctx, other, "job_"+sortable(2))
	wantCode(t, "another tenant's job that was swept", err, connectors.NotFound)
	free := job(acme, "free")
	free.IdempotencyKey = "key of " + sortable(0)
	must(t, s.CreateJob(ctx, free))
	sweep(time.Now().Add(long), 10, 1)
	same(t, "what is left of all", walk(t, s, all, 2, func([]string) {}), append([]string{"job_free"}, all.numbered(4, 5)...))
}
