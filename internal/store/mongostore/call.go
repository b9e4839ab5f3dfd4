package mongostore

import (
	"context"
	"time"
)

// read runs work, again after a failure on the way, until the patience or the context ends.
func (s *Store) read(ctx context.Context, work func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, s.tune.patience)
	defer cancel()
	return s.try(ctx, within, func(ctx context.Context, _ bool) error { return work(ctx) })
}

// write is read for a write. again says that an earlier try may have been applied: work has to find out. What was sent
// is waited for a little after the caller's end, because one that was applied should not be called cancelled: the caller
// would take back what the record refers to.
func (s *Store) write(ctx context.Context, work func(ctx context.Context, again bool) error) error {
	if err := s.over(ctx); err != nil {
		return err
	}
	if err := s.mayWrite(ctx); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.tune.patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(s.tune.grace, cancel) })()
	return s.try(ctx, within, work)
}

// try runs work under the context within, again after a failure on the way, while the caller waits for it.
func (s *Store) try(caller, within context.Context, work func(ctx context.Context, again bool) error) error {
	for again, wait := false, 20*time.Millisecond; ; again, wait = true, min(2*wait, 500*time.Millisecond) {
		if err := s.over(caller); err != nil {
			return err
		}
		err := work(within, again)
		// A server that was looked for in vain was looked for long enough.
		if !transient(err) || isAway(err) {
			return s.coded(caller, err)
		}
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
			continue
		case <-caller.Done():
		case <-within.Done():
		}
		pause.Stop()
		return s.coded(caller, err)
	}
}

// over returns the error of a call that is not to be tried: the store is closed, or nobody waits for it.
func (s *Store) over(caller context.Context) error {
	if s.closed.Load() {
		return s.coded(caller, errClosed)
	}
	return s.coded(caller, caller.Err())
}
