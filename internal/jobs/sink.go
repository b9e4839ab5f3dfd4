package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/engine"
	"github.com/unified-connector/ucf/internal/store"
)

// records is the [engine.Memory] of a leased feed. A store that is away is waited for.
type records struct {
	store store.Records
	feed  domain.Feed
}

var _ engine.Memory = records{}

// patiently calls the store until it answers.
func patiently[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out T
	err := again(ctx, func() (err error) { out, err = call(ctx); return err })
	return out, err
}

// Put implements [engine.Sink].
func (r records) Put(ctx context.Context, rs []domain.Record) ([]domain.Outcome, error) {
	out, err := patiently(ctx, func(ctx context.Context) ([]domain.Outcome, error) { return r.store.PutRecords(ctx, r.feed, rs) })
	return out, leaseLost(err)
}

// Stamp implements [engine.Memory]: fences rise, and no two leases have one.
func (r records) Stamp() int64 { return r.feed.Fence }

// Mark implements [engine.Memory].
func (r records) Mark(ctx context.Context, kind domain.Kind, ids []string, seen int64) ([]string, error) {
	missing, err := patiently(ctx, func(ctx context.Context) ([]string, error) { return r.store.MarkRecords(ctx, r.feed, kind, ids, seen) })
	return missing, leaseLost(err)
}

// leaseLost tells a lease of records that another took from other conflicts: the job is not at fault.
func leaseLost(err error) error {
	if connectors.CodeOf(err) == connectors.Conflict {
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	return err
}

// Find implements [engine.Memory].
func (r records) Find(ctx context.Context, q store.RecordFind, l store.List) ([]domain.Record, error) {
	return patiently(ctx, func(ctx context.Context) ([]domain.Record, error) {
		return r.store.FindRecords(ctx, r.feed.Tenant, r.feed.ConnectionID, q, l)
	})
}

// Count implements [engine.Memory].
func (r records) Count(ctx context.Context, q store.RecordFind) (int, error) {
	return patiently(ctx, func(ctx context.Context) (int, error) {
		return r.store.CountRecords(ctx, r.feed.Tenant, r.feed.ConnectionID, q)
	})
}

// positions keeps places as sync states.
type positions struct {
	store      store.SyncStates
	tenant     domain.Tenant
	connection string
	now        func() time.Time
}

// Open implements [engine.Positions].
func (p positions) Open(ctx context.Context, stream, container string) (engine.Position, error) {
	st, err := patiently(ctx, func(ctx context.Context) (domain.SyncState, error) {
		return p.store.SyncState(ctx, p.tenant, p.connection, stream, container)
	})
	if connectors.CodeOf(err) == connectors.NotFound {
		now := p.now().UTC()
		st, err = domain.SyncState{
			Meta: domain.Meta{Tenant: p.tenant, CreatedAt: now}, ConnectionID: p.connection, Stream: stream, ContainerID: container,
		}, nil
	}
	return &position{positions: p, is: st}, err
}

// position is one sync state.
type position struct {
	positions
	is    domain.SyncState
	taken bool // somebody else set it
}

// Text implements [engine.Position].
func (p *position) Text() string { return p.is.Cursor }

// Save implements [engine.Position]. A client's set, or its removal, while this run goes on is the client's word, and
// stays.
func (p *position) Save(ctx context.Context, text string) error {
	if p.taken {
		return nil
	}
	next := p.is
	next.Cursor, next.UpdatedAt = text, p.now().UTC()
	revision, err := patiently(ctx, func(ctx context.Context) (int64, error) { return p.store.PutSyncState(ctx, next) })
	switch connectors.CodeOf(err) {
	case "":
		p.is = next
		p.is.Revision = revision
		return nil
	case connectors.NotFound:
		p.taken = true
		return nil
	case connectors.Conflict:
		return p.settle(ctx, text)
	}
	return err
}

// settle finds out who changed the state. A client began a new generation. Within ours it was an answer that was lost, or
// the last write of a worker that was taken over: both covered what they said, and ours goes on from here.
func (p *position) settle(ctx context.Context, text string) error {
	is, err := patiently(ctx, func(ctx context.Context) (domain.SyncState, error) {
		return p.store.SyncState(ctx, p.tenant, p.connection, p.is.Stream, p.is.ContainerID)
	})
	switch {
	case connectors.CodeOf(err) == connectors.NotFound || err == nil && is.Generation != p.is.Generation:
		p.taken = true
		return nil
	case err != nil:
		return err
	}
	p.is = is
	if is.Cursor == text {
		return nil
	}
	return p.Save(ctx, text)
}
