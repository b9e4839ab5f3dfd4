package mongostore

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
)

// The marks of a database that is being copied, or was. Whoever opens it otherwise, or writes to it, is refused.
const (
	receiving = "receiving" // it is not whole yet
	lending   = "lending"   // it is copied to an embedded store
	moved     = "moved"     // it was
)

var copyMarks = map[string]string{
	receiving: "the database %s is not whole: a `ucf store copy` into it did not end; run it again, to its end",
	lending:   "the database %s is being copied into an embedded store: wait, or, where that broke off, run `ucf store copy --to sqlite` again, or take it back with `ucf store copy --undo`",
	moved:     "what was in the database %s lives in an embedded store now: unset MONGODB_URL, or take it back into use with `ucf store copy --undo`",
}

// copyMark returns how the database is marked.
func (s *Store) copyMark(ctx context.Context) (string, error) {
	var d struct {
		Mark string `bson:"mark"`
	}
	err := s.read(ctx, func(ctx context.Context) error {
		err := s.db.Collection(metadata).FindOne(ctx, bson.D{{Key: "_id", Value: "copy"}}).Decode(&d)
		if isNone(err) {
			return nil
		}
		return err
	})
	return d.Mark, err
}

// setCopyMark marks the database; "" takes the mark away.
func (s *Store) setCopyMark(ctx context.Context, mark string) error {
	at := bson.D{{Key: "_id", Value: "copy"}}
	return s.write(ctx, func(ctx context.Context, _ bool) (err error) {
		if mark == "" {
			_, err = s.db.Collection(metadata).DeleteOne(ctx, at)
		} else {
			_, err = s.db.Collection(metadata).ReplaceOne(ctx, at, bson.D{{Key: "mark", Value: mark}}, options.Replace().SetUpsert(true))
		}
		return err
	})
}

// unmarked refuses a database that is marked.
func (s *Store) unmarked(ctx context.Context) error {
	if s.copies {
		return nil
	}
	m, err := s.copyMark(ctx)
	if err == nil && m != "" {
		err = connectors.Wrap(connectors.Unavailable, errMarked, copyMarks[m], s.db.Name())
	}
	return err
}

// OpenToCopy is [Open] for a copy, which a mark does not keep out.
func OpenToCopy(ctx context.Context, address connectors.Secret, db string) (*Store, error) {
	return openFor(ctx, address, db, nil, tuned(), true)
}

// Receive marks the database as one that is filled by a copy. One that holds something, other than what a copy that was
// cut off left, is conflict.
func (s *Store) Receive(ctx context.Context) error {
	m, err := s.copyMark(ctx)
	if err != nil || m == receiving {
		return err
	}
	for _, c := range store.Collections {
		n, err := s.Total(ctx, c)
		if err != nil {
			return err
		}
		if n > 0 {
			return connectors.Errorf(connectors.Conflict, "the database %s holds %s already: set MONGODB_DB to another name, or drop it", s.db.Name(), c.Name)
		}
	}
	return s.setCopyMark(ctx, receiving)
}

// Lend marks the database as one that is copied elsewhere, and waits until every process that writes to it has seen that,
// unless there is none.
func (s *Store) Lend(ctx context.Context, unused bool) error {
	m, err := s.copyMark(ctx)
	switch {
	case err != nil:
		return err
	case m == receiving || m == moved:
		return connectors.Wrap(connectors.Conflict, errMarked, copyMarks[m], s.db.Name())
	}
	if err := s.setCopyMark(ctx, lending); err != nil || unused {
		return err
	}
	wait := time.NewTimer(s.tune.recheck + s.tune.patience)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return s.coded(ctx, ctx.Err())
	}
}

// Retire leaves a database that was lent marked as moved.
func (s *Store) Retire(ctx context.Context) error { return s.setCopyMark(ctx, moved) }

// Release takes the mark away: the database is whole, or used again.
func (s *Store) Release(ctx context.Context) error { return s.setCopyMark(ctx, "") }

// Undo takes a database that was lent, or moved, back into use. One that is not whole is conflict.
func (s *Store) Undo(ctx context.Context) error {
	m, err := s.copyMark(ctx)
	if err == nil && m == receiving {
		err = connectors.Wrap(connectors.Conflict, errMarked, copyMarks[m], s.db.Name())
	}
	if err != nil || m == "" {
		return err
	}
	return s.Release(ctx)
}
