package service

import (
	"context"
	"iter"
	"reflect"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

const (
	// watchEvery is the time between two looks at a job that is watched.
	watchEvery = 500 * time.Millisecond
	// watchPatience is how long a store that is away is waited for while a job is watched.
	watchPatience = 5 * time.Minute
)

// JobEvent is a job as it was at a moment. Revision rises with each of them.
type JobEvent struct {
	JobOut
	Revision int64
}

// WatchJob yields a job as it is, and again whenever it changed, until it is over; nil says that it did not change since
// the last look. It ends with the context, and with the error that ended it. Whichever process works at the job, what it
// writes down is seen. A store that goes away meanwhile is waited for.
func (s *Service) WatchJob(ctx context.Context, t domain.Tenant, in JobIn) iter.Seq2[*JobEvent, error] {
	return func(yield func(*JobEvent, error) bool) {
		w := watch{service: s, tenant: t, id: in.ID}
		for {
			e, err := w.look(ctx)
			if !yield(e, err) || err != nil || w.last != nil && w.last.Status.Final() {
				return
			}
			if err := sleep(ctx, watchEvery); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// watch is one caller's look at a job.
type watch struct {
	service *Service
	tenant  domain.Tenant
	id      string
	last    *JobEvent
	away    time.Time // since when the store is away; zero while it is there
}

// look returns the job where it changed.
func (w *watch) look(ctx context.Context) (*JobEvent, error) {
	j, err := w.read(ctx)
	if err != nil {
		return nil, w.excuse(ctx, err)
	}
	w.away = time.Time{}
	e := JobEvent{ShowJob(j), j.Revision}
	if w.last != nil && (e.Revision == w.last.Revision || reflect.DeepEqual(e.JobOut, w.last.JobOut)) {
		return nil, nil
	}
	w.last = &e
	return &e, nil
}

func (w *watch) read(ctx context.Context) (domain.Job, error) {
	st, err := w.service.Store(ctx)
	if err != nil {
		return domain.Job{}, err
	}
	j, err := st.Job(ctx, w.tenant, w.id)
	if err != nil {
		err = jobError(w.id, err)
	}
	return j, err
}

// excuse returns nil for an error that may pass: it says nothing of a job that was seen before.
func (w *watch) excuse(ctx context.Context, err error) error {
	code, now := connectors.CodeOf(err), w.service.Now()
	if w.last == nil || ctx.Err() != nil || code != connectors.Unavailable && code != connectors.Timeout {
		return err
	}
	if w.away.IsZero() {
		w.away = now
	}
	if now.Sub(w.away) > watchPatience {
		return err
	}
	return nil
}

// sleep waits, and returns why it was woken early.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
