package store

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/internal/domain"
)

// Jobs keeps long operations and who works at them. Leases end by the store's own clock, never by that of a caller.
type Jobs interface {
	// CreateJob accepts a job as queued, in one write. A known ID, or an idempotency key in use, is conflict. Jobs are
	// claimed in the order of their turn: it is after the tenant's own that wait, and not before the first one that
	// waits, so that a tenant with many keeps none of another's waiting for all of them.
	CreateJob(ctx context.Context, j domain.Job) error
	Job(ctx context.Context, t domain.Tenant, id string) (domain.Job, error)
	// JobOfKey returns the job with the idempotency key.
	JobOfKey(ctx context.Context, t domain.Tenant, key string) (domain.Job, error)
	// ListJobs returns the tenant's jobs, newest first; l.After is the ID of the last one seen.
	ListJobs(ctx context.Context, t domain.Tenant, f JobFilter, l List) ([]domain.Job, error)
	// CountJobs returns how many of the tenant's jobs are queued or running.
	CountJobs(ctx context.Context, t domain.Tenant) (queued, running int, err error)
	// ClaimJob gives the caller one job for the term: the first in turn that is queued and due, or that runs under a lease
	// that ended (then Takeovers is one more). Of several callers each gets another one. The job comes back as running, with
	// the next fence and its owner. No job is not_found.
	ClaimJob(ctx context.Context, c Claim) (domain.Job, error)
	// BeatJob extends the lease of the holder and writes the state; a nil state leaves it. It returns the job as it is
	// now, with CancelRequested. Where the fence is another one, or the job no longer runs, it is conflict; a lease that
	// ended and that nobody took is extended all the same.
	BeatJob(ctx context.Context, h Hold, term time.Duration, s *domain.JobState) (domain.Job, error)
	// EndJob ends the claim of the holder: j's Status, NotBefore, Attempts, state, Error and FinishedAt are written. A status of
	// queued gives the job back. Where the fence is another one it is conflict, unless the same end was written before.
	EndJob(ctx context.Context, h Hold, j domain.Job) error
	// CancelJob cancels a queued job, and a running one whose lease ended, and asks the holder of any other to stop. A final one is conflict. It returns the job
	// as it is now.
	CancelJob(ctx context.Context, t domain.Tenant, id string, at time.Time) (domain.Job, error)
	// SweepJobs removes final jobs that finished before that time, at most limit, and returns how many there were.
	SweepJobs(ctx context.Context, before time.Time, limit int) (int, error)
}

// JobFilter narrows a listing of jobs; empty fields do not.
type JobFilter struct {
	ConnectionID string
	Status       domain.JobStatus
}

// Claim asks for a job.
type Claim struct {
	Owner string
	Term  time.Duration // at least a second
	// Tenant and ID ask for that job alone; empty for any.
	Tenant domain.Tenant
	ID     string
	// PerTenant is how many jobs of one tenant may run at once; zero for any number. Several claims at one moment may
	// exceed it.
	PerTenant int
	// Exclusive passes over jobs of connections of which another job runs, probes aside. Several claims at one moment may
	// not see each other.
	Exclusive bool
}

// Hold proves a claim.
type Hold struct {
	Tenant domain.Tenant
	ID     string
	Fence  int64
}

// Records keeps what was read from connected systems, one feed for each connection.
//
// Every put gives a record that changed the next number of its feed. A reader that asks for what follows the last
// number it saw misses nothing: it is given nothing above Published, and below Published no write is still under way.
type Records interface {
	// TakeFeed gives owner the writing of a connection's records for the term: where nobody holds it, the lease ended by
	// the store's clock, or owner holds it. It makes the feed if there is none, and returns it with the next fence. What a
	// dead holder wrote and did not publish gets new numbers, whatever its content, before anything is published.
	// Held by another it is conflict.
	TakeFeed(ctx context.Context, t domain.Tenant, connectionID, owner string, term time.Duration) (domain.Feed, error)
	// KeepFeed extends the lease; where the fence is another one it is conflict.
	KeepFeed(ctx context.Context, f domain.Feed, term time.Duration) error
	// ReleaseFeed gives the lease back; a lost one is no error.
	ReleaseFeed(ctx context.Context, f domain.Feed) error
	// Feed returns the feed; a connection that never had one has one of Published 0 and no epoch.
	Feed(ctx context.Context, t domain.Tenant, connectionID string) (domain.Feed, error)
	// PutRecords writes records under the lease and returns what became of each, in their order. No record comes twice
	// in one call. A record whose hash and Deleted are those stored is unchanged, and only its Seen rises; a tombstone for what
	// is not stored, or is in another container than the one it names, is unchanged too. Change is ignored, and so is a
	// Seen below the stored one. A tombstone keeps the stored ContainerID and ItemID, and loses value, raw and hash. Where
	// the fence is another one nothing is published and it is conflict. A call that fails may have written some of the
	// records; a repetition by the holder, or the next one, sets them right.
	PutRecords(ctx context.Context, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error)
	// MarkRecords stamps those of the ids that are stored and not deleted as seen, and returns the others.
	MarkRecords(ctx context.Context, f domain.Feed, kind domain.Kind, ids []string, seen int64) (missing []string, err error)
	// ListRecords returns the records with a number above q.After and not above q.UpTo, by number. Raw is left out unless asked for.
	ListRecords(ctx context.Context, t domain.Tenant, connectionID string, q RecordQuery) ([]domain.Record, error)
	// FindRecords returns stored records that are not deleted by ascending ID, without value and raw.
	FindRecords(ctx context.Context, t domain.Tenant, connectionID string, q RecordFind, l List) ([]domain.Record, error)
	// CountRecords returns how many of them there are.
	CountRecords(ctx context.Context, t domain.Tenant, connectionID string, q RecordFind) (int, error)
	// SweepTombstones removes tombstones that were written before that time, at most limit, first raising the Oldest of
	// their feeds, and returns how many there were.
	SweepTombstones(ctx context.Context, before time.Time, limit int) (int, error)
	// DropFeed removes a connection's feed, so that no holder writes any more, and its records, at most limit in a call; it
	// returns how many there were, 0 when nothing is left.
	DropFeed(ctx context.Context, t domain.Tenant, connectionID string, limit int) (int, error)
	// NewEpochs gives every feed a new epoch, as after a restore.
	NewEpochs(ctx context.Context) error
}

// RecordQuery bounds a reading of a feed. Empty Kind and ContainerID do not.
type RecordQuery struct {
	After, UpTo int64
	Kind        domain.Kind
	ContainerID string
	Raw         bool
	Limit       int // at least 1
}

// RecordFind tells stored records. Empty fields do not narrow.
type RecordFind struct {
	Kind        domain.Kind // required
	ContainerID string
	ItemID      string // of comments
	// SeenBelow asks only for those whose stamp is below it; zero for all.
	SeenBelow int64
}
