package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/engine"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
)

// claimed is a job that this process holds.
type claimed struct {
	*Runner
	store store.Store
	job   domain.Job
	hold  store.Hold
	watch func(domain.Job)

	mu    sync.Mutex
	state domain.JobState
	feed  *domain.Feed
}

// work works at a claimed job until it ends, is lost, canceled, or ctx ends. In the background nobody waits for it.
func (r *Runner) work(ctx context.Context, j domain.Job, background bool, watch func(domain.Job)) {
	ctx = service.WithCaller(ctx, service.Caller{Actor: "job " + j.ID, RequestID: j.ID})
	log := r.Log.With("job", j.ID, "tenant_id", j.Tenant, "type", j.Type, "connection", j.ConnectionID)
	st, err := r.Service.Store(ctx)
	if err != nil {
		log.ErrorContext(ctx, "a claimed job was left", "error", err)
		return
	}
	c := &claimed{
		Runner: r, store: st, job: j, state: j.JobState, watch: watch, hold: store.Hold{Tenant: j.Tenant, ID: j.ID, Fence: j.Fence},
	}
	log.InfoContext(ctx, "job claimed", "fence", j.Fence, "attempts", j.Attempts, "takeovers", j.Takeovers)
	inner, cancel := context.WithCancelCause(ctx)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		c.beats(inner, cancel)
	}()
	switch {
	case j.CancelRequested:
		err = errCanceled
	case j.Takeovers > maxTakeovers:
		err = connectors.Errorf(connectors.Internal, "%d workers died at it", j.Takeovers)
	default:
		err = c.run(inner, background)
	}
	if cause := context.Cause(inner); cause != nil && err != nil {
		err = cause
	}
	// The claim is kept until the end is written.
	end := c.outcome(ctx, err)
	if end != nil {
		err = c.finish(context.WithoutCancel(ctx), *end)
		log.InfoContext(ctx, "job ended", "status", end.Status, "items", end.Counts.Items.Seen, "error", err)
	}
	cancel(nil)
	<-beating
}

// beats keeps the claim, and the lease of the feed, until ctx ends.
func (c *claimed) beats(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := c.beat(ctx); err != nil {
			cancel(err)
			return
		}
	}
}

// beat renews the claim once. A store that is away is no loss: who holds the claim is seen when it is back.
func (c *claimed) beat(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, beat)
	defer done()
	c.mu.Lock()
	state, feed := c.state, c.feed
	c.mu.Unlock()
	j, err := c.store.BeatJob(ctx, c.hold, term, &state)
	switch connectors.CodeOf(err) {
	case "":
	case connectors.Conflict, connectors.NotFound:
		return errLost
	default:
		c.Log.WarnContext(ctx, "the claim of a job was not renewed", "job", c.job.ID, "error", err)
		return nil
	}
	if c.watch != nil {
		c.watch(j)
	}
	if j.CancelRequested { // before the lease of records, which went with them where the connection is deleted
		return errCanceled
	}
	if feed != nil {
		if err := c.store.KeepFeed(ctx, *feed, term); connectors.CodeOf(err) == connectors.Conflict {
			return errLost
		}
	}
	return nil
}

// report keeps how far the job is for the next beat.
func (c *claimed) report(s domain.JobState) {
	c.mu.Lock()
	c.state = s
	j := c.job
	c.mu.Unlock()
	if c.watch != nil {
		j.JobState = s
		c.watch(j)
	}
}

// run does what the job is for. A panic is an error of this job alone.
func (c *claimed) run(ctx context.Context, background bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.Log.ErrorContext(ctx, "a job panicked", "job", c.job.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = connectors.Errorf(connectors.Internal, "the job failed unexpectedly; the log tells more under its id")
		}
	}()
	reading, err := c.Service.OpenReading(ctx, c.job.Tenant, c.job.ConnectionID, background)
	if err != nil {
		return err
	}
	defer func() { reading.End(ctx, err) }()
	if c.job.Type == domain.ProbeJob {
		return c.probe(ctx, reading)
	}
	return c.sync(ctx, reading)
}

func (c *claimed) probe(ctx context.Context, reading *service.Reading) error {
	_, err := reading.Probe(ctx)
	if err == nil {
		c.report(domain.JobState{Progress: 100})
	}
	return err
}

// sync reads the system into the records of its connection.
func (c *claimed) sync(ctx context.Context, reading *service.Reading) error {
	feed, err := c.take(ctx)
	if err != nil {
		return err
	}
	defer func() {
		done, cancel := context.WithTimeout(context.WithoutCancel(ctx), term)
		defer cancel()
		c.setFeed(nil)
		if err := c.store.ReleaseFeed(done, feed); err != nil {
			c.Log.WarnContext(ctx, "the lease of records was not given back; it ends by itself", "job", c.job.ID, "error", err)
		}
	}()
	// The connection may be going away, and its records with it, since it was opened.
	if err := c.Service.StillThere(ctx, c.job.Tenant, c.job.ConnectionID); err != nil {
		return err
	}
	state, err := engine.Run(ctx, engine.Options{
		Conn: reading.Conn, Sink: records{c.store, feed}, Positions: positions{c.store, c.job.Tenant, c.job.ConnectionID, c.Now},
		Run: c.job.ID, Full: c.job.Type == domain.ImportJob, Named: c.job.Params.Containers, Streams: c.job.Params.Streams,
		Wide: reading.Wide, Census: c.job.Params.Census, MaxDeletions: c.job.Params.MaxDeletions, State: c.state, Now: c.Now, Log: c.Log,
		Report: c.report,
	})
	c.report(state)
	return err
}

// take leases the records of the connection. A job of the same connection that runs now is waited for, in the queue.
func (c *claimed) take(ctx context.Context) (domain.Feed, error) {
	feed, err := c.store.TakeFeed(ctx, c.job.Tenant, c.job.ConnectionID, c.job.ID, term)
	if connectors.CodeOf(err) == connectors.Conflict {
		return feed, errBusy
	}
	if err == nil {
		c.setFeed(&feed)
	}
	return feed, err
}

func (c *claimed) setFeed(f *domain.Feed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.feed = f
}

// errBusy says that another job of the connection runs.
var errBusy = errors.New("the connection is busy")
