package storetest_test

import (
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// The methods of jobs and records, broken one by one.
type (
	anyKey        struct{ store.Store }
	losesGaps     struct{ store.Store }
	oldFences     struct{ store.Store }
	endsTwice     struct{ store.Store }
	neverDies     struct{ store.Store }
	diesAtOnce    struct{ store.Store }
	sameForAll    struct{ store.Store }
	unfair        struct{ store.Store }
	noLimit       struct{ store.Store }
	together      struct{ store.Store }
	alwaysApart   struct{ store.Store }
	deafHolder    struct{ store.Store }
	cancelsNot    struct{ store.Store }
	oldestJobs    struct{ store.Store }
	sweepsAllJobs struct{ store.Store }
	allNew        struct{ store.Store }
	buriesAnyway  struct{ store.Store }
	oldLease      struct{ store.Store }
	stolenFeed    struct{ store.Store }
	marksNothing  struct{ store.Store }
	seesAll       struct{ store.Store }
	forgetsOldest struct{ store.Store }
	sameEpoch     struct{ store.Store }
	dropsHead     struct{ store.Store }
	readsBeyond   struct{ store.Store }
	skipsSome     struct{ store.Store }
)

func workBugs() []bug {
	over := func(wrap func(store.Store) store.Store) func(store.Store) store.Store { return wrap }
	return []bug{
		{"an empty key is a key", "idempotency keys", over(func(s store.Store) store.Store { return anyKey{s} })},
		{"lost gaps", "round trip of jobs", over(func(s store.Store) store.Store { return losesGaps{s} })},
		{"any fence will do", "beats", over(func(s store.Store) store.Store { return oldFences{s} })},
		{"a job ends once", "ends of jobs", over(func(s store.Store) store.Store { return endsTwice{s} })},
		{"leases without end", "claims of the dead", over(func(s store.Store) store.Store { return neverDies{s} })},
		{"leases of no time", "claims of the dead", over(func(s store.Store) store.Store { return diesAtOnce{s} })},
		{"a job for all", "each job is claimed by one", over(func(s store.Store) store.Store { return sameForAll{s} })},
		{"one tenant first", "turns are fair", over(func(s store.Store) store.Store { return unfair{s} })},
		{"as many as there are", "jobs of one tenant", over(func(s store.Store) store.Store { return noLimit{s} })},
		{"two of one connection", "jobs of one connection", over(func(s store.Store) store.Store { return together{s} })},
		{"one of a connection always", "jobs of one connection", over(func(s store.Store) store.Store { return alwaysApart{s} })},
		{"a holder who is not told", "cancels", over(func(s store.Store) store.Store { return deafHolder{s} })},
		{"nothing is canceled", "cancels", over(func(s store.Store) store.Store { return cancelsNot{s} })},
		{"oldest jobs first", "lists of jobs", over(func(s store.Store) store.Store { return oldestJobs{s} })},
		{"all jobs are old", "sweeps of jobs", over(func(s store.Store) store.Store { return sweepsAllJobs{s} })},
		{"all is new", "puts and numbers", over(func(s store.Store) store.Store { return allNew{s} })},
		{"buried wherever it is", "tombstones", over(func(s store.Store) store.Store { return buriesAnyway{s} })},
		{"a lost lease still writes", "leases of feeds", over(func(s store.Store) store.Store { return oldLease{s} })},
		{"a lease is anybody's", "leases of feeds", over(func(s store.Store) store.Store { return stolenFeed{s} })},
		{"no stamps", "stamps of records", over(func(s store.Store) store.Store { return marksNothing{s} })},
		{"all is unseen", "finding records", over(func(s store.Store) store.Store { return seesAll{s} })},
		{"nothing is the oldest", "sweeps of tombstones", over(func(s store.Store) store.Store { return forgetsOldest{s} })},
		{"epochs stay", "epochs", over(func(s store.Store) store.Store { return sameEpoch{s} })},
		{"records outlive their feed", "feeds that are dropped", over(func(s store.Store) store.Store { return dropsHead{s} })},
		{"readers read what is to come", "nothing is missed", over(func(s store.Store) store.Store { return readsBeyond{s} })},
		{"readers skip", "nothing is missed", over(func(s store.Store) store.Store { return skipsSome{s} })},
	}
}

func (s anyKey) JobOfKey(ctx ctxt, t tenant, key string) (domain.Job, error) {
	if key != "" {
		return s.Store.JobOfKey(ctx, t, key)
	}
	list, err := s.ListJobs(ctx, t, store.JobFilter{}, store.List{Limit: 1})
	if err != nil {
		return domain.Job{}, err
	}
	return list[0], nil
}

func (s losesGaps) Job(ctx ctxt, t tenant, id string) (domain.Job, error) {
	j, err := s.Store.Job(ctx, t, id)
	j.Incomplete = nil
	return j, err
}

func (s oldFences) BeatJob(ctx ctxt, h store.Hold, term time.Duration, st *domain.JobState) (domain.Job, error) {
	if j, err := s.Job(ctx, h.Tenant, h.ID); err == nil {
		h.Fence = j.Fence
	}
	return s.Store.BeatJob(ctx, h, term, st)
}

func (s endsTwice) EndJob(ctx ctxt, h store.Hold, j domain.Job) error {
	if is, err := s.Job(ctx, h.Tenant, h.ID); err == nil && is.Status.Final() {
		return connectors.Errorf(connectors.Conflict, "it has ended")
	}
	return s.Store.EndJob(ctx, h, j)
}

func (s neverDies) ClaimJob(ctx ctxt, c store.Claim) (domain.Job, error) {
	c.Term = 24 * time.Hour
	return s.Store.ClaimJob(ctx, c)
}

func (s diesAtOnce) ClaimJob(ctx ctxt, c store.Claim) (domain.Job, error) {
	c.Term = 0
	return s.Store.ClaimJob(ctx, c)
}

func (s sameForAll) ClaimJob(ctx ctxt, c store.Claim) (domain.Job, error) {
	j, err := s.Store.ClaimJob(ctx, c)
	if err == nil {
		return s.Job(ctx, j.Tenant, "job_000000")
	}
	return j, err
}

func (s unfair) CreateJob(ctx ctxt, j domain.Job) error {
	if j.Tenant != "acme" {
		j.NotBefore = time.Now().Add(time.Hour)
	}
	return s.Store.CreateJob(ctx, j)
}

func (s noLimit) ClaimJob(ctx ctxt, c store.Claim) (domain.Job, error) {
	c.PerTenant = 0
	return s.Store.ClaimJob(ctx, c)
}

func (s together) ClaimJob(ctx ctxt, c store.Claim) (domain.Job, error) {
	c.Exclusive = false
	return s.Store.ClaimJob(ctx, c)
}

func (s alwaysApart) ClaimJob(ctx ctxt, c store.Claim) (domain.Job, error) {
	c.Exclusive = true
	return s.Store.ClaimJob(ctx, c)
}

func (s deafHolder) BeatJob(ctx ctxt, h store.Hold, term time.Duration, st *domain.JobState) (domain.Job, error) {
	j, err := s.Store.BeatJob(ctx, h, term, st)
	j.CancelRequested = false
	return j, err
}

func (s cancelsNot) CancelJob(ctx ctxt, t tenant, id string, _ time.Time) (domain.Job, error) {
	return s.Job(ctx, t, id)
}

func (s oldestJobs) ListJobs(ctx ctxt, t tenant, f store.JobFilter, l store.List) ([]domain.Job, error) {
	list, err := s.Store.ListJobs(ctx, t, f, l)
	slices.Reverse(list)
	return list, err
}

func (s sweepsAllJobs) SweepJobs(ctx ctxt, before time.Time, limit int) (int, error) {
	return s.Store.SweepJobs(ctx, before.Add(24*time.Hour), limit)
}

func (s allNew) PutRecords(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
	out, err := s.Store.PutRecords(ctx, f, rs)
	for i := range out {
		out[i] = domain.Created
	}
	return out, err
}

func (s buriesAnyway) PutRecords(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
	rs = slices.Clone(rs)
	for i := range rs {
		if rs[i].Deleted {
			rs[i].ContainerID = ""
		}
	}
	return s.Store.PutRecords(ctx, f, rs)
}

func (s oldLease) PutRecords(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
	if is, err := s.Feed(ctx, f.Tenant, f.ConnectionID); err == nil {
		f = is
	}
	return s.Store.PutRecords(ctx, f, rs)
}

func (s stolenFeed) TakeFeed(ctx ctxt, t tenant, connection, owner string, term time.Duration) (domain.Feed, error) {
	if is, err := s.Feed(ctx, t, connection); err == nil && is.Owner != "" {
		owner = is.Owner
	}
	return s.Store.TakeFeed(ctx, t, connection, owner, term)
}

func (s marksNothing) MarkRecords(_ ctxt, _ domain.Feed, _ domain.Kind, _ []string, _ int64) ([]string, error) {
	return nil, nil
}

func (s seesAll) FindRecords(ctx ctxt, t tenant, connection string, q store.RecordFind, l store.List) ([]domain.Record, error) {
	q.SeenBelow = 0
	return s.Store.FindRecords(ctx, t, connection, q, l)
}

func (s forgetsOldest) Feed(ctx ctxt, t tenant, connection string) (domain.Feed, error) {
	f, err := s.Store.Feed(ctx, t, connection)
	f.Oldest = 0
	return f, err
}

func (s sameEpoch) NewEpochs(ctxt) error { return nil }

func (s dropsHead) DropFeed(ctxt, tenant, string, int) (int, error) { return 0, nil }

func (s readsBeyond) Feed(ctx ctxt, t tenant, connection string) (domain.Feed, error) {
	f, err := s.Store.Feed(ctx, t, connection)
	f.Published += 3
	return f, err
}

func (s readsBeyond) ListRecords(ctx ctxt, t tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
	list, err := s.Store.ListRecords(ctx, t, connection, q)
	if n := len(list); n > 0 && n < q.Limit {
		list[n-1].Change += 3
	}
	return list, err
}

func (s skipsSome) ListRecords(ctx ctxt, t tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
	list, err := s.Store.ListRecords(ctx, t, connection, q)
	return slices.DeleteFunc(list, func(r domain.Record) bool { return r.Change%7 == 0 && len(list) > 1 }), err
}
