// Package jobs works off long operations: it claims a job, keeps the claim while it works, and writes down how the job
// ended. Any number of processes may do so over one store; what one that died held is taken over by another.
package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
)

// The times of claims: one that is not renewed for term is taken over, at the latest poll after that.
const (
	term = 6 * time.Second
	beat = 2 * time.Second
	poll = time.Second
)

// The limits of work.
const (
	defaultWorkers   = 4
	defaultPerTenant = 2
	// maxAttempts is how often a job that fails for a reason that may pass is tried.
	maxAttempts = 5
	// maxTakeovers is how many workers may die at a job before it is taken to be what kills them.
	maxTakeovers = 20
	// patience is how long a store that is away is waited for.
	patience = 5 * time.Minute
)

// Options are what a [Runner] works with.
type Options struct {
	Service *service.Service
	// Owner names this process among those that share the store.
	Owner string
	// Workers is how many jobs this process works at, 4 where it is zero; PerTenant how many of one tenant run anywhere, 2 where
	// it is zero.
	Workers, PerTenant int
	Log                *slog.Logger
	Now                func() time.Time
}

// Runner works off jobs. It is safe for concurrent use.
type Runner struct{ Options }

// New returns a runner. It starts nothing.
func New(o Options) *Runner {
	if o.Workers == 0 {
		o.Workers = defaultWorkers
	}
	if o.PerTenant == 0 {
		o.PerTenant = defaultPerTenant
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Runner{o}
}

// Run claims and works off jobs until the context ends; then it gives back what it holds.
func (r *Runner) Run(ctx context.Context) {
	var busy sync.WaitGroup
	free := make(chan struct{}, r.Workers)
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			busy.Wait()
			return
		}
		j, err := r.claim(ctx, store.Claim{Owner: r.Owner, Term: term, PerTenant: r.PerTenant, Exclusive: true})
		if err != nil {
			<-free
			if connectors.CodeOf(err) != connectors.NotFound && ctx.Err() == nil {
				r.Log.WarnContext(ctx, "no job could be claimed", "error", err)
			}
			pause(ctx, poll)
			continue
		}
		busy.Go(func() {
			defer func() { <-free }()
			r.work(ctx, j, true, nil)
		})
	}
}

// RunJob works off one job here, from its claim to its final state, and tells watch of every step. A job that another
// process holds is watched until it ends. When the context ends, the job is canceled.
func (r *Runner) RunJob(ctx context.Context, t domain.Tenant, id string, watch func(domain.Job)) (domain.Job, error) {
	if watch == nil {
		watch = func(domain.Job) {}
	}
	for {
		j, err := r.claim(ctx, store.Claim{Owner: r.Owner, Term: term, Tenant: t, ID: id, Exclusive: true})
		switch {
		case err == nil:
			r.work(ctx, j, false, watch)
		case ctx.Err() == nil && connectors.CodeOf(err) != connectors.NotFound:
			return domain.Job{}, err
		}
		if ctx.Err() != nil {
			r.cancelJob(ctx, t, id)
		}
		j, err = r.job(context.WithoutCancel(ctx), t, id)
		if err != nil {
			return domain.Job{}, err
		}
		watch(j)
		if j.Status.Final() || ctx.Err() != nil {
			return j, nil //nolint:nilerr // how the job stands is the answer, whatever the claim came to
		}
		pause(ctx, poll)
	}
}

// cancelJob cancels a job whose foreground ended.
func (r *Runner) cancelJob(ctx context.Context, t domain.Tenant, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), term)
	defer cancel()
	st, err := r.Service.Store(ctx)
	if err == nil {
		_, err = st.CancelJob(ctx, t, id, r.Now().UTC())
	}
	if err != nil && connectors.CodeOf(err) != connectors.Conflict {
		r.Log.WarnContext(ctx, "a job was not canceled", "job", id, "error", err)
	}
}

func (r *Runner) job(ctx context.Context, t domain.Tenant, id string) (domain.Job, error) {
	st, err := r.Service.Store(ctx)
	if err != nil {
		return domain.Job{}, err
	}
	return st.Job(ctx, t, id)
}

func (r *Runner) claim(ctx context.Context, c store.Claim) (domain.Job, error) {
	st, err := r.Service.Store(ctx)
	if err != nil {
		return domain.Job{}, err
	}
	return st.ClaimJob(ctx, c)
}

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Causes for which work on a job ends before its time.
var (
	errLost     = errors.New("the claim was lost")
	errCanceled = errors.New("the job was canceled")
)
