package storetest_test

import (
	"time"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// brokenWork is a store whose methods of jobs and records can be replaced one by one; nil is the store's own.
type brokenWork struct {
	store.Store
	createJob   func(ctxt, domain.Job) error
	job         func(ctxt, tenant, string) (domain.Job, error)
	jobOfKey    func(ctxt, tenant, string) (domain.Job, error)
	listJobs    func(ctxt, tenant, store.JobFilter, store.List) ([]domain.Job, error)
	countJobs   func(ctxt, tenant) (int, int, error)
	claimJob    func(ctxt, store.Claim) (domain.Job, error)
	beatJob     func(ctxt, store.Hold, time.Duration, *domain.JobState) (domain.Job, error)
	endJob      func(ctxt, store.Hold, domain.Job) error
	cancelJob   func(ctxt, tenant, string, time.Time) (domain.Job, error)
	sweepJobs   func(ctxt, time.Time, int) (int, error)
	takeFeed    func(ctxt, tenant, string, string, time.Duration) (domain.Feed, error)
	keepFeed    func(ctxt, domain.Feed, time.Duration) error
	releaseFeed func(ctxt, domain.Feed) error
	feed        func(ctxt, tenant, string) (domain.Feed, error)
	put         func(ctxt, domain.Feed, []domain.Record) ([]domain.Outcome, error)
	mark        func(ctxt, domain.Feed, domain.Kind, []string, int64) ([]string, error)
	list        func(ctxt, tenant, string, store.RecordQuery) ([]domain.Record, error)
	find        func(ctxt, tenant, string, store.RecordFind, store.List) ([]domain.Record, error)
	countFound  func(ctxt, tenant, string, store.RecordFind) (int, error)
	sweep       func(ctxt, time.Time, int) (int, error)
	drop        func(ctxt, tenant, string, int) (int, error)
	newEpochs   func(ctxt) error
}

// breakingWork returns a fault that replaces methods of jobs and records.
func breakingWork(replace func(under store.Store, b *brokenWork)) func(store.Store) store.Store {
	return func(under store.Store) store.Store {
		b := &brokenWork{
			Store: under, createJob: under.CreateJob, job: under.Job, jobOfKey: under.JobOfKey, listJobs: under.ListJobs, countJobs: under.CountJobs,
			claimJob: under.ClaimJob, beatJob: under.BeatJob, endJob: under.EndJob, cancelJob: under.CancelJob, sweepJobs: under.SweepJobs,
			takeFeed: under.TakeFeed, keepFeed: under.KeepFeed, releaseFeed: under.ReleaseFeed, feed: under.Feed, put: under.PutRecords,
			mark: under.MarkRecords, list: under.ListRecords, find: under.FindRecords, countFound: under.CountRecords,
			sweep: under.SweepTombstones, drop: under.DropFeed, newEpochs: under.NewEpochs,
		}
		replace(under, b)
		return b
	}
}

func (b *brokenWork) CreateJob(ctx ctxt, j domain.Job) error { return b.createJob(ctx, j) }

func (b *brokenWork) Job(ctx ctxt, t tenant, id string) (domain.Job, error) { return b.job(ctx, t, id) }

func (b *brokenWork) JobOfKey(ctx ctxt, t tenant, key string) (domain.Job, error) {
	return b.jobOfKey(ctx, t, key)
}

func (b *brokenWork) ListJobs(ctx ctxt, t tenant, f store.JobFilter, l store.List) ([]domain.Job, error) {
	return b.listJobs(ctx, t, f, l)
}

func (b *brokenWork) CountJobs(ctx ctxt, t tenant) (queued, running int, err error) {
	return b.countJobs(ctx, t)
}

func (b *brokenWork) ClaimJob(ctx ctxt, c store.Claim) (domain.Job, error) { return b.claimJob(ctx, c) }

func (b *brokenWork) BeatJob(ctx ctxt, h store.Hold, term time.Duration, st *domain.JobState) (domain.Job, error) {
	return b.beatJob(ctx, h, term, st)
}

func (b *brokenWork) EndJob(ctx ctxt, h store.Hold, j domain.Job) error { return b.endJob(ctx, h, j) }

func (b *brokenWork) CancelJob(ctx ctxt, t tenant, id string, at time.Time) (domain.Job, error) {
	return b.cancelJob(ctx, t, id, at)
}

func (b *brokenWork) SweepJobs(ctx ctxt, before time.Time, limit int) (int, error) {
	return b.sweepJobs(ctx, before, limit)
}

func (b *brokenWork) TakeFeed(ctx ctxt, t tenant, connection, owner string, term time.Duration) (domain.Feed, error) {
	return b.takeFeed(ctx, t, connection, owner, term)
}

func (b *brokenWork) KeepFeed(ctx ctxt, f domain.Feed, term time.Duration) error {
	return b.keepFeed(ctx, f, term)
}

func (b *brokenWork) ReleaseFeed(ctx ctxt, f domain.Feed) error { return b.releaseFeed(ctx, f) }

func (b *brokenWork) Feed(ctx ctxt, t tenant, connection string) (domain.Feed, error) {
	return b.feed(ctx, t, connection)
}

func (b *brokenWork) PutRecords(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
	return b.put(ctx, f, rs)
}

func (b *brokenWork) MarkRecords(ctx ctxt, f domain.Feed, kind domain.Kind, ids []string, seen int64) ([]string, error) {
	return b.mark(ctx, f, kind, ids, seen)
}

func (b *brokenWork) ListRecords(ctx ctxt, t tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
	return b.list(ctx, t, connection, q)
}

func (b *brokenWork) FindRecords(ctx ctxt, t tenant, connection string, q store.RecordFind, l store.List) ([]domain.Record, error) {
	return b.find(ctx, t, connection, q, l)
}

func (b *brokenWork) CountRecords(ctx ctxt, t tenant, connection string, q store.RecordFind) (int, error) {
	return b.countFound(ctx, t, connection, q)
}

func (b *brokenWork) SweepTombstones(ctx ctxt, before time.Time, limit int) (int, error) {
	return b.sweep(ctx, before, limit)
}

func (b *brokenWork) DropFeed(ctx ctxt, t tenant, connection string, limit int) (int, error) {
	return b.drop(ctx, t, connection, limit)
}

func (b *brokenWork) NewEpochs(ctx ctxt) error { return b.newEpochs(ctx) }
