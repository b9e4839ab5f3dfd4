package sqlitestore

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
)

var (
	_ store.Origin = (*Lent)(nil)
	_ store.Target = (*Receiver)(nil)
)

// Lent is a store that is copied elsewhere. Nobody else can use it until it is released.
type Lent struct {
	*Store
	held *seized
}

// Lend locks the store at path. None is not_found; one that another process has open is conflict.
func Lend(ctx context.Context, path string) (*Lent, error) {
	path, err := placeOf(path)
	if err != nil {
		return nil, err
	}
	// It is brought to the version of this binary first.
	s, err := Open(ctx, path, nil)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		return nil, err
	}
	held, err := seize(ctx, path)
	switch {
	case err != nil:
		return nil, err
	case held.damaged:
		return nil, connectors.Errorf(connectors.Unavailable, "the store %s is damaged: restore a backup first", path)
	}
	return &Lent{bare(held.db, path, defaults()), held}, nil
}

// Release gives the store back.
func (l *Lent) Release() { l.held.release() }

// Retire gives the store another name, which it returns, so that nobody uses what lives elsewhere now.
func (l *Lent) Retire(now time.Time) (string, error) {
	name, err := nameBeside(l.path, ".moved-", now)
	if err == nil {
		if runtime.GOOS == "windows" {
			l.held.release() // there no file that somebody has open is removed
		}
		err = os.Remove(l.path)
	}
	l.held.release()
	if err != nil {
		return "", connectors.Wrap(connectors.Unavailable, err, "the store %s could not be given another name: do so, lest it is used again", l.path)
	}
	return name, nil
}

// Receiver is a store in the making, beside the place that it is for.
type Receiver struct {
	*Store
	place string
	force bool
}

// Receive returns the store in the making for path: a new one, or the one that a copy which was cut off left. A store that
// is there, and holds something, is conflict unless force is set.
func Receive(ctx context.Context, path string, force bool) (*Receiver, error) {
	path, err := placeOf(path)
	if err != nil {
		return nil, err
	}
	if err := free(ctx, path, force); err != nil {
		return nil, err
	}
	s, err := Open(ctx, path+".copying", nil)
	if err != nil {
		return nil, err
	}
	return &Receiver{s, path, force}, nil
}

// free refuses a place where a store is in use, or stays without force.
func free(ctx context.Context, path string, force bool) error {
	old, err := seize(ctx, path)
	if err != nil {
		return err
	}
	old.release()
	if old.filled && !force {
		return connectors.Errorf(connectors.Conflict, "there is a store at %s already: --force puts the copy in its place, and keeps it beside", path)
	}
	return nil
}

// Finish puts the store in its place, and returns where the one that was there is kept, if one was.
func (r *Receiver) Finish(ctx context.Context, now time.Time) (string, error) {
	if err := errors.Join(r.alone(ctx), r.Close()); err != nil {
		return "", err
	}
	return replace(ctx, r.path, r.place, r.force, now)
}
