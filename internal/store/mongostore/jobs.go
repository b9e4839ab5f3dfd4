package mongostore

import (
	"context"
	"crypto/rand"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const jobs = "jobs"

type jobDoc struct {
	Head            `bson:",inline"`
	ID              string `bson:"id"`
	ConnectorID     string `bson:"connectorId"`
	ConnectionID    string `bson:"connectionId"`
	Type            string `bson:"type"`
	Params          string `bson:"params"`
	IdempotencyKey  string `bson:"idempotencyKey"`
	Status          string `bson:"status"`
	NotBefore       string `bson:"notBefore"`
	Attempts        int    `bson:"attempts"`
	Takeovers       int    `bson:"takeovers"`
	Fence           int64  `bson:"fence"`
	Owner           string `bson:"owner"`
	CancelRequested bool   `bson:"cancelRequested"`
	State           string `bson:"state"`
	Error           string `bson:"error"`
	StartedAt       string `bson:"startedAt"`
	FinishedAt      string `bson:"finishedAt"`
	Turn            int64  `bson:"turn"`
}

func (d jobDoc) domain() (domain.Job, error) {
	j := domain.Job{
		Meta: d.Head.domain(), ID: d.ID, ConnectorID: d.ConnectorID, ConnectionID: d.ConnectionID, Type: domain.JobType(d.Type),
		IdempotencyKey: d.IdempotencyKey, Status: domain.JobStatus(d.Status), NotBefore: timeOf(d.NotBefore), Attempts: d.Attempts,
		Takeovers: d.Takeovers, Fence: d.Fence, Owner: d.Owner, CancelRequested: d.CancelRequested,
		StartedAt: timeOf(d.StartedAt), FinishedAt: timeOf(d.FinishedAt),
	}
	return j, ofJSONs(field{d.Params, &j.Params}, field{d.State, &j.JobState}, field{d.Error, &j.Error})
}

func jobOf(d jobDoc, err error) (domain.Job, error) {
	if err != nil {
		return domain.Job{}, err
	}
	return d.domain()
}

// CreateJob implements [store.Jobs]. The turn is found out before; two jobs that are accepted at one moment may share one.
func (s *Store) CreateJob(ctx context.Context, j domain.Job) error {
	if err := keepable(j.CreatedAt, j.UpdatedAt, j.NotBefore); err != nil {
		return err
	}
	turn, err := s.nextTurn(ctx, j.Tenant)
	if err != nil {
		return err
	}
	d, err := withJSON(append(created(j.Meta), bson.D{
		{Key: "id", Value: j.ID},
		{Key: "connectorId", Value: j.ConnectorID},
		{Key: "connectionId", Value: j.ConnectionID},
		{Key: "type", Value: string(j.Type)},
		{Key: "idempotencyKey", Value: j.IdempotencyKey},
		{Key: "status", Value: string(domain.JobQueued)},
		{Key: "notBefore", Value: textOf(j.NotBefore)},
		{Key: "attempts", Value: j.Attempts},
		{Key: "takeovers", Value: 0},
		{Key: "fence", Value: int64(0)},
		{Key: "owner", Value: ""},
		{Key: "cancelRequested", Value: false},
		{Key: "startedAt", Value: ""},
		{Key: "finishedAt", Value: ""},
		{Key: "turn", Value: turn},
	}...), bson.E{Key: "params", Value: j.Params}, bson.E{Key: "state", Value: j.JobState}, bson.E{Key: "error", Value: j.Error})
	if err != nil {
		return err
	}
	return s.insert(ctx, jobs, byID(j.Tenant, j.ID), d, connectors.Errorf(connectors.Conflict, "there is a job %.100q, or one of its idempotency key, already", j.ID))
}

// nextTurn returns the place of a tenant's new job: after its own that wait, and not before the first that waits.
func (s *Store) nextTurn(ctx context.Context, t domain.Tenant) (int64, error) {
	waiting := bson.D{{Key: "status", Value: string(domain.JobQueued)}}
	first, err := s.turn(ctx, append(waiting, due(time.Now())), 1)
	if err != nil {
		return 0, err
	}
	own, err := s.turn(ctx, append(waiting, bson.E{Key: "tenant", Value: string(t)}), -1)
	return max(first, own+1), err
}

// turn returns the first turn of an order, -1 for none.
func (s *Store) turn(ctx context.Context, filter bson.D, order int) (int64, error) {
	var d jobDoc
	err := s.read(ctx, func(ctx context.Context) error {
		return s.db.Collection(jobs).FindOne(ctx, filter, options.FindOne().SetSort(bson.D{{Key: "turn", Value: order}})).Decode(&d)
	})
	if isNone(err) {
		return -1, nil
	}
	return d.Turn, err
}

// due is the condition that a job may be claimed.
func due(now time.Time) bson.E {
	return bson.E{Key: "notBefore", Value: bson.D{{Key: "$lte", Value: textOf(now)}}}
}

// Job implements [store.Jobs].
func (s *Store) Job(ctx context.Context, t domain.Tenant, id string) (domain.Job, error) {
	return jobOf(one[jobDoc](ctx, s, jobs, byID(t, id), missing("job", id)))
}

// JobOfKey implements [store.Jobs].
func (s *Store) JobOfKey(ctx context.Context, t domain.Tenant, idempotency string) (domain.Job, error) {
	none := missing("job of the idempotency key", idempotency)
	if idempotency == "" {
		return domain.Job{}, none
	}
	return jobOf(one[jobDoc](ctx, s, jobs, bson.D{{Key: "tenant", Value: string(t)}, {Key: "idempotencyKey", Value: idempotency}}, none))
}

// ListJobs implements [store.Jobs].
func (s *Store) ListJobs(ctx context.Context, t domain.Tenant, f store.JobFilter, l store.List) ([]domain.Job, error) {
	if err := page(l.Limit); err != nil {
		return nil, err
	}
	filter := bson.D{{Key: "tenant", Value: string(t)}}
	filter = narrowed(filter, "connectionId", f.ConnectionID)
	filter = narrowed(filter, "status", string(f.Status))
	return mapped(many[jobDoc](ctx, s, jobs, before(filter, l.After), newest(l.Limit)))
}

// CountJobs implements [store.Jobs].
func (s *Store) CountJobs(ctx context.Context, t domain.Tenant) (queued, running int, err error) {
	count := func(status domain.JobStatus) int {
		n, cerr := s.count(ctx, jobs, bson.D{{Key: "tenant", Value: string(t)}, {Key: "status", Value: string(status)}})
		if err == nil {
			err = cerr
		}
		return n
	}
	queued, running = count(domain.JobQueued), count(domain.JobRunning)
	return queued, running, err
}

func (s *Store) count(ctx context.Context, c string, filter bson.D) (int, error) {
	var n int64
	err := s.read(ctx, func(ctx context.Context) (err error) {
		n, err = s.db.Collection(c).CountDocuments(ctx, filter)
		return err
	})
	return int(n), err
}

var (
	now = "$$NOW"
	// dead is the condition that a lease has ended, by the server's clock.
	dead = bson.D{{Key: "$lt", Value: bson.A{"$leaseUntil", now}}}
)

// after is the end of a lease that begins now.
func after(term time.Duration) bson.D {
	return bson.D{{Key: "$add", Value: bson.A{now, term.Milliseconds()}}}
}

// ClaimJob implements [store.Jobs].
func (s *Store) ClaimJob(ctx context.Context, c store.Claim) (domain.Job, error) {
	attempt := rand.Text()
	none := missing("job to", "claim")
	running := bson.D{{Key: "status", Value: string(domain.JobRunning)}}
	var d jobDoc
	err := s.write(ctx, func(ctx context.Context, again bool) error {
		if again {
			err := s.db.Collection(jobs).FindOne(ctx, append(running, bson.E{Key: "attempt", Value: attempt})).Decode(&d)
			if !isNone(err) {
				return err
			}
		}
		filter, err := s.deadJob(ctx, ofClaim(running, c))
		if err == nil {
			err = s.claim(ctx, filter, nil, c, attempt, &d)
		}
		if !isNone(err) {
			return err
		}
		filter = ofClaim(bson.D{{Key: "status", Value: string(domain.JobQueued)}, due(time.Now())}, c)
		passed, err := s.passedOver(ctx, c)
		if err != nil {
			return err
		}
		filter = append(filter, passed...)
		if err = s.claim(ctx, filter, sorted("turn", "id"), c, attempt, &d); isNone(err) {
			return none
		}
		return err
	})
	return jobOf(d, err)
}

// deadJob returns a filter for a running job whose lease has ended, as it was found. The server's clock is asked for in a
// stage of its own: not every server takes it in the condition of a query that an index serves.
func (s *Store) deadJob(ctx context.Context, running bson.D) (bson.D, error) {
	cur, err := s.db.Collection(jobs).Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: running}},
		{{Key: "$project", Value: bson.D{{Key: "fence", Value: 1}, {Key: "leaseUntil", Value: 1}, {Key: "dead", Value: dead}}}},
		{{Key: "$match", Value: bson.D{{Key: "dead", Value: true}}}},
		{{Key: "$sort", Value: sorted("leaseUntil")}},
		{{Key: "$limit", Value: 1}},
	})
	if err != nil {
		return nil, err
	}
	var list []struct {
		Key        string        `bson:"_id"`
		Fence      int64         `bson:"fence"`
		LeaseUntil bson.DateTime `bson:"leaseUntil"`
	}
	if err := cur.All(ctx, &list); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, mongo.ErrNoDocuments
	}
	return bson.D{
		{Key: "_id", Value: list[0].Key},
		{Key: "fence", Value: list[0].Fence},
		{Key: "leaseUntil", Value: list[0].LeaseUntil},
		{Key: "status", Value: string(domain.JobRunning)},
	}, nil
}

func ofClaim(filter bson.D, c store.Claim) bson.D {
	if c.ID == "" {
		return filter
	}
	return append(filter, bson.E{Key: "_id", Value: key(c.Tenant, c.ID)})
}

// claim gives the first job of a filter to the caller.
func (s *Store) claim(ctx context.Context, filter, order bson.D, c store.Claim, attempt string, d *jobDoc) error {
	at := textOf(time.Now())
	set := bson.D{
		{Key: "takeovers", Value: bson.D{{Key: "$cond", Value: bson.A{bson.D{{Key: "$eq", Value: bson.A{"$status", string(domain.JobRunning)}}}, plus("$takeovers", 1), "$takeovers"}}}},
		{Key: "status", Value: string(domain.JobRunning)},
		{Key: "revision", Value: plus("$revision", int64(1))},
		{Key: "updatedAt", Value: at},
		{Key: "fence", Value: plus("$fence", int64(1))},
		{Key: "owner", Value: literal(c.Owner)},
		{Key: "leaseUntil", Value: after(c.Term)},
		{Key: "attempt", Value: attempt},
		{Key: "startedAt", Value: bson.D{{Key: "$cond", Value: bson.A{bson.D{{Key: "$eq", Value: bson.A{"$startedAt", ""}}}, at, "$startedAt"}}}},
	}
	o := options.FindOneAndUpdate().SetReturnDocument(options.After)
	if order != nil {
		o.SetSort(order)
	}
	return s.db.Collection(jobs).FindOneAndUpdate(ctx, filter, mongo.Pipeline{{{Key: "$set", Value: set}}}, o).Decode(d)
}

func plus(field string, n any) bson.D { return bson.D{{Key: "$add", Value: bson.A{field, n}}} }

// passedOver returns the conditions that leave out the queued jobs of tenants that have enough running ones, and of
// connections that are busy.
func (s *Store) passedOver(ctx context.Context, c store.Claim) (bson.D, error) {
	if c.PerTenant == 0 && !c.Exclusive {
		return nil, nil
	}
	running, err := many[jobDoc](ctx, s, jobs, bson.D{{Key: "status", Value: string(domain.JobRunning)}},
		options.Find().SetProjection(bson.D{{Key: "tenant", Value: 1}, {Key: "connectionId", Value: 1}, {Key: "type", Value: 1}}))
	if err != nil {
		return nil, err
	}
	var full, busy bson.A
	count := map[string]int{}
	for _, d := range running {
		if count[d.Tenant]++; count[d.Tenant] == c.PerTenant {
			full = append(full, d.Tenant)
		}
		if c.Exclusive && d.Type != string(domain.ProbeJob) {
			busy = append(busy, bson.D{{Key: "tenant", Value: d.Tenant}, {Key: "connectionId", Value: d.ConnectionID}, not("type", string(domain.ProbeJob))})
		}
	}
	var conditions bson.D
	if len(full) > 0 {
		conditions = append(conditions, bson.E{Key: "tenant", Value: bson.D{{Key: "$nin", Value: full}}})
	}
	if len(busy) > 0 {
		conditions = append(conditions, bson.E{Key: "$nor", Value: busy})
	}
	return conditions, nil
}

// not is the condition that a field has another value. With the id of an attempt, a repetition does not apply twice.
func not(name, value string) bson.E {
	return bson.E{Key: name, Value: bson.D{{Key: "$ne", Value: value}}}
}

// held changes a job that the caller holds, and returns it.
func (s *Store) held(ctx context.Context, h store.Hold, set bson.D) (domain.Job, error) {
	attempt := rand.Text()
	set = append(set, bson.D{
		{Key: "revision", Value: plus("$revision", int64(1))}, {Key: "updatedAt", Value: textOf(time.Now())}, {Key: "attempt", Value: attempt},
	}...)
	var d jobDoc
	err := s.write(ctx, func(ctx context.Context, again bool) error {
		filter := append(byID(h.Tenant, h.ID), bson.E{Key: "fence", Value: h.Fence}, bson.E{Key: "status", Value: string(domain.JobRunning)}, not("attempt", attempt))
		err := s.db.Collection(jobs).FindOneAndUpdate(ctx, filter, mongo.Pipeline{{{Key: "$set", Value: set}}},
			options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&d)
		if isNone(err) && again {
			err = s.db.Collection(jobs).FindOne(ctx, bson.D{ofTenant(h.Tenant), {Key: "_id", Value: key(h.Tenant, h.ID)}, {Key: "attempt", Value: attempt}}).Decode(&d)
		}
		if isNone(err) {
			return lost("job", h.ID)
		}
		return err
	})
	return jobOf(d, err)
}

// BeatJob implements [store.Jobs].
func (s *Store) BeatJob(ctx context.Context, h store.Hold, term time.Duration, st *domain.JobState) (domain.Job, error) {
	set := bson.D{{Key: "leaseUntil", Value: after(term)}}
	if st != nil {
		text, err := jsonOf(st)
		if err != nil {
			return domain.Job{}, err
		}
		set = append(set, bson.E{Key: "state", Value: literal(text)})
	}
	return s.held(ctx, h, set)
}

// EndJob implements [store.Jobs].
func (s *Store) EndJob(ctx context.Context, h store.Hold, j domain.Job) error {
	if err := keepable(j.NotBefore, j.FinishedAt); err != nil {
		return err
	}
	state, err := jsonOf(j.JobState)
	if err != nil {
		return err
	}
	failure, err := jsonOf(j.Error)
	if err != nil {
		return err
	}
	_, err = s.held(ctx, h, bson.D{
		{Key: "owner", Value: ""},
		{Key: "leaseUntil", Value: nil},
		{Key: "status", Value: string(j.Status)},
		{Key: "notBefore", Value: textOf(j.NotBefore)},
		{Key: "attempts", Value: j.Attempts},
		{Key: "state", Value: literal(state)},
		{Key: "error", Value: literal(failure)},
		{Key: "finishedAt", Value: textOf(j.FinishedAt)},
	})
	if connectors.CodeOf(err) != connectors.Conflict {
		return err
	}
	is, gerr := s.Job(ctx, h.Tenant, h.ID)
	if gerr == nil && is.Fence == h.Fence && is.Status == j.Status && is.FinishedAt.Equal(j.FinishedAt) && is.NotBefore.Equal(j.NotBefore) {
		return nil
	}
	return err
}

// CancelJob implements [store.Jobs].
func (s *Store) CancelJob(ctx context.Context, t domain.Tenant, id string, at time.Time) (domain.Job, error) {
	attempt := rand.Text()
	over := bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "$eq", Value: bson.A{"$status", string(domain.JobQueued)}}},
		bson.D{{Key: "$and", Value: bson.A{bson.D{{Key: "$ne", Value: bson.A{bson.D{{Key: "$type", Value: "$leaseUntil"}}, "missing"}}}, dead}}},
	}}}
	choose := func(then, otherwise any) bson.D { return bson.D{{Key: "$cond", Value: bson.A{over, then, otherwise}}} }
	set := bson.D{
		{Key: "revision", Value: plus("$revision", int64(1))},
		{Key: "updatedAt", Value: textOf(at)},
		{Key: "cancelRequested", Value: true},
		{Key: "cancelAttempt", Value: attempt}, // apart from the holder's, who must find its own
		{Key: "finishedAt", Value: choose(textOf(at), "$finishedAt")},
		{Key: "owner", Value: choose("", "$owner")},
		{Key: "status", Value: choose(string(domain.JobCanceled), "$status")},
	}
	var d jobDoc
	err := s.write(ctx, func(ctx context.Context, again bool) error {
		waiting := bson.D{{Key: "$in", Value: bson.A{string(domain.JobQueued), string(domain.JobRunning)}}}
		filter := append(byID(t, id), bson.E{Key: "status", Value: waiting}, not("cancelAttempt", attempt))
		err := s.db.Collection(jobs).FindOneAndUpdate(ctx, filter, mongo.Pipeline{{{Key: "$set", Value: set}}},
			options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&d)
		if isNone(err) && again {
			err = s.db.Collection(jobs).FindOne(ctx, bson.D{ofTenant(t), {Key: "_id", Value: key(t, id)}, {Key: "cancelRequested", Value: true}}).Decode(&d)
		}
		return err
	})
	if !isNone(err) {
		return jobOf(d, err)
	}
	j, err := s.Job(ctx, t, id)
	if err != nil {
		return j, err
	}
	return j, connectors.Errorf(connectors.Conflict, "the job %s is %s already", id, j.Status)
}

// SweepJobs implements [store.Jobs].
func (s *Store) SweepJobs(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, jobs, bson.D{{Key: "finishedAt", Value: bson.D{{Key: "$gt", Value: ""}, {Key: "$lt", Value: textOf(before)}}}}, limit)
}

// sweep removes at most so many of what a filter finds.
func (s *Store) sweep(ctx context.Context, c string, filter bson.D, limit int) (int, error) {
	found, err := many[struct {
		ID string `bson:"_id"`
	}](ctx, s, c, filter, options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)))
	if err != nil || len(found) == 0 {
		return 0, err
	}
	ids := bson.A{}
	for _, f := range found {
		ids = append(ids, f.ID)
	}
	return s.removeMany(ctx, c, append(filter, bson.E{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}))
}
