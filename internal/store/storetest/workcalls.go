package storetest

import (
	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// seedWork makes two jobs that wait, and two feeds that are held.
func seedWork(t TB, s store.Store, tenant domain.Tenant) {
	t.Helper()
	for _, key := range []string{"one", "two"} {
		j := job(tenant, key)
		j.IdempotencyKey = "key of " + key
		must(t, s.CreateJob(t.Context(), j))
	}
	for _, connection := range []string{feedID, feedID + "_2"} {
		f, err := s.TakeFeed(t.Context(), tenant, connection, "seed", long)
		must(t, err)
		putRecords(t, s, f, item("1", "a"), item("2", "a"))
		putRecords(t, s, f, gone("2"))
	}
}

func jobCalls() []call {
	hold := func(t tenant) store.Hold { return store.Hold{Tenant: t, ID: "job_one", Fence: 1} }
	return []call{
		{name: "CreateJob", creates: true, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return done(s.CreateJob(ctx, job(t, "new")))
		}},
		{name: "Job", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.Job(ctx, t, "job_one"))
		}},
		{name: "JobOfKey", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.JobOfKey(ctx, t, "key of one"))
		}},
		{name: "ListJobs", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.ListJobs(ctx, t, store.JobFilter{}, store.List{Limit: 10}))
		}},
		{name: "ListJobs of a connection", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.ListJobs(ctx, t, store.JobFilter{ConnectionID: "con_1", Status: domain.JobQueued}, store.List{Limit: 10}))
		}},
		{name: "CountJobs", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			queued, running, err := s.CountJobs(ctx, t)
			return queued + running, err
		}},
		{name: "ClaimJob", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.ClaimJob(ctx, store.Claim{Owner: "w", Term: long, Tenant: t, ID: "job_one"}))
		}},
		{name: "BeatJob", foreign: connectors.Conflict, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.BeatJob(ctx, hold(t), long, &domain.JobState{Progress: 50}))
		}},
		{name: "EndJob", foreign: connectors.Conflict, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return done(s.EndJob(ctx, hold(t), ended(job(t, "one"))))
		}},
		{name: "CancelJob", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.CancelJob(ctx, t, "job_two", changedAt))
		}},
		{name: "SweepJobs", global: true, run: func(ctx ctxt, s store.Store, _ tenant) (int, error) {
			return s.SweepJobs(ctx, changedAt, 10)
		}},
	}
}

// lease returns the lease that acme has, as one of the tenant's. Where the store does not tell it, it is one that nobody has:
// a call that looks at it at all says conflict.
func lease(ctx ctxt, s store.Store, t tenant) domain.Feed {
	f, err := s.Feed(ctx, acme, feedID)
	if err != nil {
		f = domain.Feed{ConnectionID: feedID, Fence: 1}
	}
	f.Tenant = t
	return f
}

func recordCalls() []call {
	return append([]call{
		{name: "TakeFeed", creates: true, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.TakeFeed(ctx, t, feedID, "seed", long))
		}},
		{name: "KeepFeed", foreign: connectors.Conflict, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return done(s.KeepFeed(ctx, lease(ctx, s, t), long))
		}},
		{name: "Feed", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			f, err := s.Feed(ctx, t, feedID)
			return int(f.Published), err
		}},
		{name: "PutRecords", foreign: connectors.Conflict, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.PutRecords(ctx, lease(ctx, s, t), []domain.Record{item("1", "b"), item("3", "b")}))
		}},
		{name: "PutRecords of a tombstone", foreign: connectors.Conflict, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.PutRecords(ctx, lease(ctx, s, t), []domain.Record{gone("3")}))
		}},
		{name: "MarkRecords", foreign: connectors.Conflict, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.MarkRecords(ctx, lease(ctx, s, t), domain.ItemRecord, []string{"1", "2"}, 5))
		}},
		{name: "ReleaseFeed", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return 0, s.ReleaseFeed(ctx, lease(ctx, s, t))
		}},
	}, recordReads()...)
}

func recordReads() []call {
	items := store.RecordFind{Kind: domain.ItemRecord}
	return []call{
		{name: "ListRecords", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.ListRecords(ctx, t, feedID, store.RecordQuery{UpTo: 1 << 60, Limit: 10}))
		}},
		{name: "FindRecords", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.FindRecords(ctx, t, feedID, items, store.List{Limit: 10}))
		}},
		{name: "CountRecords", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return s.CountRecords(ctx, t, feedID, items)
		}},
		{name: "SweepTombstones", global: true, run: func(ctx ctxt, s store.Store, _ tenant) (int, error) {
			return s.SweepTombstones(ctx, changedAt, 10)
		}},
		{name: "DropFeed", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return s.DropFeed(ctx, t, feedID+"_2", 1)
		}},
		{name: "NewEpochs", global: true, all: true, run: func(ctx ctxt, s store.Store, _ tenant) (int, error) {
			return done(s.NewEpochs(ctx))
		}},
	}
}
