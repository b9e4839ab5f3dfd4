package jobs

import (
	"context"
	"time"
)

// sweepAtOnce is how many records one write of a sweep removes.
const sweepAtOnce = 500

// Sweep removes final jobs and tombstones that are older than so long. It may be run by several processes at once.
func (r *Runner) Sweep(ctx context.Context, keepJobs, keepTombstones time.Duration) error {
	st, err := r.Service.Store(ctx)
	if err != nil {
		return err
	}
	now := r.Now().UTC()
	if err := drain(ctx, func() (int, error) { return st.SweepJobs(ctx, now.Add(-keepJobs), sweepAtOnce) }); err != nil {
		return err
	}
	return drain(ctx, func() (int, error) { return st.SweepTombstones(ctx, now.Add(-keepTombstones), sweepAtOnce) })
}

// drain sweeps until nothing is left.
func drain(ctx context.Context, sweep func() (int, error)) error {
	for ctx.Err() == nil {
		if n, err := sweep(); err != nil || n < sweepAtOnce {
			return err
		}
	}
	return ctx.Err()
}
