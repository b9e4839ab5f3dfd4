package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// outcome returns the job as it ends after an error, nil where the claim is not ours any more. ctx is that of the
// process: where it ended, the job goes back to the queue.
func (c *claimed) outcome(ctx context.Context, err error) *domain.Job {
	j, now := c.job, c.Now().UTC()
	c.mu.Lock()
	j.JobState = c.state
	c.mu.Unlock()
	j.Rate, j.ETASeconds, j.Error, j.NotBefore = 0, 0, nil, time.Time{}
	switch {
	case errors.Is(err, errLost):
		return nil
	case errors.Is(err, errCanceled):
		j.Status = domain.JobCanceled
	case errors.Is(err, errBusy):
		j.Status, j.NotBefore = domain.JobQueued, now.Add(poll)
	case err != nil && ctx.Err() != nil:
		j.Status = domain.JobQueued
	case errors.Is(err, store.ErrAway): // the job goes on when the store is back: its end cannot be written before that
		j.Status = domain.JobQueued
	case err != nil:
		failed(&j, connectors.AsError(err), now)
	case len(j.Incomplete) > 0:
		j.Status, j.Error = domain.JobFailed, &domain.JobError{Code: connectors.Incomplete, Message: incomplete(j)}
	default:
		j.Status = domain.JobSucceeded
	}
	if j.Status.Final() {
		j.FinishedAt = now
	}
	return &j
}

func incomplete(j domain.Job) string {
	if len(j.Incomplete) == 1 && j.Dropped == 0 {
		g := j.Incomplete[0]
		if g.ContainerID != "" {
			return g.ContainerID + " could not be read: " + g.Reason
		}
		return g.Reason
	}
	return "some of it could not be read; incomplete names it"
}

// failed decides between another attempt and the end. A wait that the system asked for is no attempt.
func failed(j *domain.Job, e *connectors.Error, now time.Time) {
	j.Error = &domain.JobError{Code: e.Code, Message: e.Message}
	switch {
	case e.Code == connectors.RateLimited && e.RetryAfter > 0:
		j.Status, j.NotBefore = domain.JobQueued, now.Add(e.RetryAfter)
		return
	case passing(e.Code):
		j.Attempts++
		if j.Attempts < maxAttempts {
			j.Status, j.NotBefore = domain.JobQueued, now.Add(backoff(j.Attempts))
			return
		}
	default:
		j.Attempts++
	}
	j.Status = domain.JobFailed
}

// passing reports whether a failure may have passed when the job is tried again.
func passing(code connectors.Code) bool {
	switch code {
	case connectors.RateLimited, connectors.ProviderError, connectors.Unavailable, connectors.Timeout:
		return true
	}
	return false
}

// backoff returns how long to wait after so many failed attempts: 5 s, 20 s, 80 s, 320 s.
func backoff(attempts int) time.Duration { return 5 * time.Second << (2 * (attempts - 1)) }

// finish writes the end of the job, and before that the next one of a repeated job: one that is made twice is made once,
// one that is lost would end the series.
func (c *claimed) finish(ctx context.Context, end domain.Job) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	goesOn := end.Params.Every > 0 && end.Status.Final() && end.Status != domain.JobCanceled && !c.gone(ctx, end)
	if goesOn {
		next := successor(end, c.Now().UTC())
		err := again(ctx, func() error { return c.store.CreateJob(ctx, next) })
		if err != nil && connectors.CodeOf(err) != connectors.Conflict {
			return err
		}
	}
	if err := again(ctx, func() error { return c.store.EndJob(ctx, c.hold, end) }); err != nil || !goesOn {
		return err
	}
	return again(ctx, func() error { return c.cancelSuccessor(ctx) })
}

// cancelSuccessor ends the series where somebody canceled the job when its work was as good as done. It is asked when the job
// has ended: nobody can cancel it any more.
func (c *claimed) cancelSuccessor(ctx context.Context) error {
	j, err := c.store.Job(ctx, c.job.Tenant, c.job.ID)
	if err != nil || !j.CancelRequested {
		return err
	}
	next, err := c.store.JobOfKey(ctx, c.job.Tenant, after(j))
	if err == nil {
		_, err = c.store.CancelJob(ctx, next.Tenant, next.ID, c.Now().UTC())
	}
	if code := connectors.CodeOf(err); code == connectors.Conflict || code == connectors.NotFound {
		return nil
	}
	return err
}

// after is the idempotency key of the job that follows in a series: it is made once.
func after(j domain.Job) string { return "after " + j.ID }

// gone reports whether nothing can come of a repetition: the connection is gone. A system that answers not_found is not.
func (c *claimed) gone(ctx context.Context, j domain.Job) bool {
	return j.Error != nil && j.Error.Code == connectors.NotFound &&
		connectors.CodeOf(c.Service.StillThere(ctx, j.Tenant, j.ConnectionID)) == connectors.NotFound
}

// successor returns the next job of a series: the first of its times that is still to come.
func successor(j domain.Job, now time.Time) domain.Job {
	every := time.Duration(j.Params.Every) * time.Second
	at := j.Due()
	if !at.After(now) {
		at = at.Add((now.Sub(at)/every + 1) * every)
	}
	next := domain.Job{
		Meta: domain.Meta{Tenant: j.Tenant, Revision: 1, CreatedAt: now, UpdatedAt: now},
		ID:   domain.NewID(domain.JobPrefix, now), ConnectorID: j.ConnectorID, ConnectionID: j.ConnectionID, Type: j.Type, Params: j.Params,
		IdempotencyKey: after(j), Status: domain.JobQueued, NotBefore: at,
	}
	next.Params.At = at
	if next.Params.Series == "" {
		next.Params.Series = j.ID
	}
	return next
}

// again repeats a write until the store takes or refuses it.
func again(ctx context.Context, write func() error) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := write()
		if code := connectors.CodeOf(err); code != connectors.Unavailable && code != connectors.Timeout || ctx.Err() != nil {
			return err
		}
		pause(ctx, wait)
	}
}
