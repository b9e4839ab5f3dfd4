package mongostore

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/connectors"
)

// errClosed is the cause of what fails after Close.
var errClosed = errors.New("closed")

// read runs work, again while the server cannot be reached, until the patience or the context ends.
func (s *Store) read(ctx context.Context, work func(context.Context) error) error {
	return s.try(ctx, ctx, func(ctx context.Context, _ bool) error { return work(ctx) })
}

// write is read for a write. What was sent is waited for, whatever becomes of the caller: one that was applied is not
// called cancelled. again says that an earlier try may have been applied.
func (s *Store) write(ctx context.Context, work func(ctx context.Context, again bool) error) error {
	return s.try(ctx, context.WithoutCancel(ctx), work)
}

func (s *Store) try(caller, ctx context.Context, work func(ctx context.Context, again bool) error) error {
	until := time.Now().Add(s.times.patience)
	for again, wait := false, 20*time.Millisecond; ; again, wait = true, min(2*wait, 500*time.Millisecond) {
		if err := caller.Err(); err != nil || s.closed.Load() {
			return s.coded(caller, err)
		}
		one, cancel := context.WithTimeout(ctx, s.times.op)
		err := work(one, again)
		cancel()
		if !transient(err) || time.Now().After(until) {
			return s.coded(caller, err)
		}
		pause := time.NewTimer(wait)
		select {
		case <-caller.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// transientCodes are those of a server that is going away, or is not the primary any more.
var transientCodes = []int{6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}

// transient reports whether a try failed on the way to the server or back, so that nobody knows what became of it.
func transient(err error) bool {
	var known *connectors.Error
	if err == nil || errors.As(err, &known) {
		return false
	}
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) || isSelection(err) {
		return true
	}
	var e mongo.ServerError
	return errors.As(err, &e) && slices.ContainsFunc(transientCodes, e.HasErrorCode)
}

// coded returns err as a *connectors.Error. What the driver says may hold the address: it is kept for the log alone,
// without the password, which the driver leaves out.
func (s *Store) coded(ctx context.Context, err error) error {
	var known *connectors.Error
	switch {
	case errors.As(err, &known):
		return known
	case s.closed.Load():
		return connectors.Wrap(connectors.Unavailable, errClosed, "the store is closed: ucf is shutting down")
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return connectors.Wrap(connectors.Timeout, err, "the deadline passed before MongoDB answered")
	case ctx.Err() != nil:
		return connectors.Wrap(connectors.Unavailable, err, "the call was cancelled before MongoDB answered")
	case isAuth(err):
		return connectors.Wrap(connectors.Unavailable, err, "MongoDB refuses the user or the password of MONGODB_URL, or the user may not use the database: check them, and authSource")
	case transient(err):
		e := connectors.Wrap(connectors.Unavailable, err, "MongoDB does not answer: check that it runs and that MONGODB_URL leads to it; ucf goes on by itself when it is back")
		e.RetryAfter = time.Second
		return e
	case isTooLarge(err):
		return connectors.Wrap(connectors.PayloadTooLarge, err, "a record is larger than the 16 MB that MongoDB keeps of one")
	}
	return connectors.Wrap(connectors.Internal, err, "MongoDB refused what was asked of it")
}

func isSelection(err error) bool {
	var e mongo.ServerError
	// The driver's type for this is internal; it wraps what it last heard, which a server error is not.
	return err != nil && !errors.As(err, &e) && errors.Is(err, context.DeadlineExceeded) || contains(err, "server selection error")
}

func isAuth(err error) bool {
	var e mongo.ServerError
	if errors.As(err, &e) && (e.HasErrorCode(18) || e.HasErrorCode(13)) {
		return true
	}
	return contains(err, "auth error") || contains(err, "Authentication failed")
}

func isTooLarge(err error) bool {
	var e mongo.ServerError
	return errors.As(err, &e) && e.HasErrorCode(10334) || contains(err, "document is too large") || contains(err, "is larger than the max")
}

func missing(kind, id string) *connectors.Error {
	return connectors.Errorf(connectors.NotFound, "there is no %s %.100q", kind, id)
}

func stale(kind, id string) *connectors.Error {
	return connectors.Errorf(connectors.Conflict, "the %s %.100q was changed by somebody else meanwhile: read it again and retry", kind, id)
}

// lost is the error of a holder whose claim another has, or who holds none.
func lost(kind, id string) *connectors.Error {
	return connectors.Errorf(connectors.Conflict, "the claim of the %s %.100q is held by somebody else, or by nobody", kind, id)
}

// one returns the document that a filter finds. None is the error none.
func one[D any](ctx context.Context, s *Store, c string, filter any, none *connectors.Error, opts ...options.Lister[options.FindOneOptions]) (D, error) {
	var d D
	err := s.read(ctx, func(ctx context.Context) error {
		err := s.db.Collection(c).FindOne(ctx, filter, opts...).Decode(&d)
		if errors.Is(err, mongo.ErrNoDocuments) {
			return none
		}
		return err
	})
	return d, err
}

// many returns the documents that a filter finds.
func many[D any](ctx context.Context, s *Store, c string, filter any, o *options.FindOptionsBuilder) ([]D, error) {
	var found []D
	err := s.read(ctx, func(ctx context.Context) error {
		found = nil
		cur, err := s.db.Collection(c).Find(ctx, filter, o)
		if err != nil {
			return err
		}
		return cur.All(ctx, &found)
	})
	return found, err
}

// insert adds a document with that id. One that exists, or shares what is unique, is taken unless it is our own.
func (s *Store) insert(ctx context.Context, c, id string, doc bson.D, taken *connectors.Error) error {
	attempt := rand.Text()
	doc = append(doc, bson.E{Key: "_id", Value: id}, bson.E{Key: "attempt", Value: attempt})
	return s.write(ctx, func(ctx context.Context, again bool) error {
		_, err := s.db.Collection(c).InsertOne(ctx, doc)
		if !mongo.IsDuplicateKeyError(err) {
			return err
		}
		if again {
			if mine, merr := s.mine(ctx, c, id, attempt); mine || merr != nil {
				return merr
			}
		}
		e := *taken
		e.Err = err
		return &e
	})
}

// mine reports whether a document was last written by an attempt.
func (s *Store) mine(ctx context.Context, c, id, attempt string) (bool, error) {
	n, err := s.db.Collection(c).CountDocuments(ctx, bson.D{{Key: "_id", Value: id}, {Key: "attempt", Value: attempt}})
	return n > 0, err
}

// update sets fields of the document with that id and revision, and returns the next revision. taken is the error of a
// value in use.
func (s *Store) update(ctx context.Context, c, kind, name, id string, revision int64, set bson.D, taken *connectors.Error) (int64, error) {
	attempt := rand.Text()
	set = append(set, bson.E{Key: "attempt", Value: attempt})
	err := s.write(ctx, func(ctx context.Context, again bool) error {
		res, err := s.db.Collection(c).UpdateOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "revision", Value: revision}},
			bson.D{{Key: "$set", Value: set}, {Key: "$inc", Value: bson.D{{Key: "revision", Value: int64(1)}}}})
		switch {
		case mongo.IsDuplicateKeyError(err) && taken != nil:
			e := *taken
			e.Err = err
			return &e
		case err != nil || res.MatchedCount > 0:
			return err
		}
		if again {
			if mine, merr := s.mine(ctx, c, id, attempt); mine || merr != nil {
				return merr
			}
		}
		return s.refused(ctx, c, kind, name, id)
	})
	if err != nil {
		return 0, err
	}
	return revision + 1, nil
}

// first is insert for a record that is created by a put, and returns its revision.
func (s *Store) first(ctx context.Context, c, id string, doc bson.D, taken *connectors.Error) (int64, error) {
	if err := s.insert(ctx, c, id, doc, taken); err != nil {
		return 0, err
	}
	return 1, nil
}

// refused tells why no document had the revision: it is gone, or has another.
func (s *Store) refused(ctx context.Context, c, kind, name, id string) error {
	n, err := s.db.Collection(c).CountDocuments(ctx, bson.D{{Key: "_id", Value: id}})
	switch {
	case err != nil:
		return err
	case n == 0:
		return missing(kind, name)
	}
	return stale(kind, name)
}

// remove removes the document that a filter finds, and reports whether there was one; a repetition that finds none takes
// it to be our own doing.
func (s *Store) remove(ctx context.Context, c string, filter bson.D) (removed bool, err error) {
	err = s.write(ctx, func(ctx context.Context, again bool) error {
		res, err := s.db.Collection(c).DeleteOne(ctx, filter)
		removed = err == nil && (res.DeletedCount > 0 || again)
		return err
	})
	return removed, err
}

// page checks the bounds of a listing: MongoDB takes a limit of 0 for none.
func page(limit int) error {
	if limit < 1 {
		return connectors.Errorf(connectors.Internal, "a listing of %d records was asked for; at least 1 is needed", limit)
	}
	return nil
}
