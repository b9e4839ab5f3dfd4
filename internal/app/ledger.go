package app

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/transport"
)

// ledger shares rate budgets between processes through the store.
type ledger struct{ service *service.Service }

func spending(q transport.Quota, start time.Time) service.Spending {
	return service.Spending{
		Key: q.Key, Tenant: q.Tenant, Points: q.Points, Start: start, End: start.Add(q.Window), Background: q.Background,
	}
}

// Lease implements [transport.Ledger].
func (l ledger) Lease(ctx context.Context, q transport.Quota, start time.Time, want int64) (transport.Lease, error) {
	got, paused, err := l.service.LeaseBudget(ctx, spending(q, start), want)
	return transport.Lease{Points: got, PausedUntil: paused}, err
}

// Return implements [transport.Ledger].
func (l ledger) Return(ctx context.Context, q transport.Quota, start time.Time, points int64) error {
	return l.service.ReturnBudget(ctx, spending(q, start), points)
}

// Paused implements [transport.Ledger].
func (l ledger) Paused(ctx context.Context, q transport.Quota) (time.Time, error) {
	return l.service.BudgetPaused(ctx, q.Key)
}

// Pause implements [transport.Ledger].
func (l ledger) Pause(ctx context.Context, q transport.Quota, until time.Time) error {
	return l.service.PauseBudget(ctx, q.Key, until)
}

// Note implements [transport.Ledger].
func (l ledger) Note(ctx context.Context, key string, used, most int64) error {
	return l.service.NoteBudget(ctx, key, used, most)
}
