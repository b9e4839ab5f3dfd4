package mongostore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/connectors"
)

// one returns the document that a filter finds. None is the error none.
func one[D any](ctx context.Context, s *Store, c string, filter any, none *connectors.Error, opts ...options.Lister[options.FindOneOptions]) (D, error) {
	var d D
	err := s.read(ctx, func(ctx context.Context) error {
		err := s.db.Collection(c).FindOne(ctx, filter, opts...).Decode(&d)
		if isNone(err) {
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

// history is what a document tells of its writes.
type history struct {
	Writes  []string `bson:"writes"` // the attempts of the last ones, oldest first
	Attempt string   `bson:"attempt"`
}

// keptAttempts is how many attempts a document remembers. A write whose answer was lost is repeated within seconds: it
// finds itself although others have written since.
const keptAttempts = 8

// history returns what a document tells of its writes, nil where there is none.
func (s *Store) history(ctx context.Context, c string, filter bson.D) (*history, error) {
	var h history
	err := s.db.Collection(c).FindOne(ctx, filter, options.FindOne().SetProjection(bson.D{{Key: "writes", Value: 1}})).Decode(&h)
	if isNone(err) {
		return nil, nil
	}
	return &h, err
}

// insert adds a document with the id that at ends with. One that exists, or shares what is unique, is taken unless it is our own.
func (s *Store) insert(ctx context.Context, c string, at bson.D, doc bson.D, taken *connectors.Error) error {
	attempt := rand.Text()
	raw, err := encoded(append(doc, at[len(at)-1], bson.E{Key: "writes", Value: bson.A{attempt}}))
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, again bool) error {
		_, err := s.db.Collection(c).InsertOne(ctx, raw)
		if !mongo.IsDuplicateKeyError(err) {
			return err
		}
		if again {
			h, herr := s.history(ctx, c, at)
			if herr != nil || h != nil && slices.Contains(h.Writes, attempt) {
				return herr
			}
		}
		return because(taken, err)
	})
}

// first is insert for a record that is created by a put, and returns its revision.
func (s *Store) first(ctx context.Context, c string, at bson.D, doc bson.D, taken *connectors.Error) (int64, error) {
	if err := s.insert(ctx, c, at, doc, taken); err != nil {
		return 0, err
	}
	return 1, nil
}

// update sets fields of the document at that place and revision, and returns the next revision. taken is the error of a
// value in use. more are further operators.
func (s *Store) update(ctx context.Context, c, kind, name string, at bson.D, revision int64, set bson.D, taken *connectors.Error, more ...bson.E) (int64, error) {
	attempt := rand.Text()
	raw, err := encoded(append(bson.D{
		{Key: "$set", Value: set},
		{Key: "$inc", Value: bson.D{{Key: "revision", Value: int64(1)}}},
		{Key: "$push", Value: bson.D{{Key: "writes", Value: bson.D{{Key: "$each", Value: bson.A{attempt}}, {Key: "$slice", Value: -keptAttempts}}}}},
	}, more...))
	if err != nil {
		return 0, err
	}
	err = s.write(ctx, func(ctx context.Context, _ bool) error {
		res, err := s.db.Collection(c).UpdateOne(ctx, revised(at, revision), raw)
		switch {
		case mongo.IsDuplicateKeyError(err) && taken != nil:
			return because(taken, err)
		case err != nil || res.MatchedCount > 0:
			return err
		}
		h, err := s.history(ctx, c, at)
		if err != nil || h != nil && slices.Contains(h.Writes, attempt) {
			return err
		}
		return refused(kind, name, h)
	})
	if err != nil {
		return 0, err
	}
	return revision + 1, nil
}

// revised is the condition that a document has a revision.
func revised(at bson.D, revision int64) bson.D {
	return append(slices.Clone(at), bson.E{Key: "revision", Value: revision})
}

// refused tells why no document had the revision: it is gone, or has another.
func refused(kind, name string, h *history) error {
	if h == nil {
		return missing(kind, name)
	}
	return stale(kind, name)
}

// remove removes the document that a filter finds, and reports whether there was one. A repetition that finds none takes
// it to be our own doing: what was to go is gone.
func (s *Store) remove(ctx context.Context, c string, filter bson.D) (removed bool, err error) {
	err = s.write(ctx, func(ctx context.Context, again bool) error {
		res, err := s.db.Collection(c).DeleteOne(ctx, filter)
		removed = err == nil && (res.DeletedCount > 0 || again)
		return err
	})
	return removed, err
}

// removeAt removes the document at that place where the revision is current.
func (s *Store) removeAt(ctx context.Context, c, kind, name string, at bson.D, revision int64) error {
	return s.write(ctx, func(ctx context.Context, again bool) error {
		res, err := s.db.Collection(c).DeleteOne(ctx, revised(at, revision))
		if err != nil || res.DeletedCount > 0 {
			return err
		}
		h, err := s.history(ctx, c, at)
		if err != nil || h == nil && again {
			return err
		}
		return refused(kind, name, h)
	})
}

// removeMany removes what a filter finds and returns how many there were. Where an answer was lost, that is how many were
// counted before.
func (s *Store) removeMany(ctx context.Context, c string, filter bson.D) (n int, err error) {
	counted, lost := false, false
	err = s.write(ctx, func(ctx context.Context, _ bool) error {
		if !counted {
			before, err := s.db.Collection(c).CountDocuments(ctx, filter)
			if err != nil || before == 0 {
				return err
			}
			n, counted = int(before), true
		}
		res, err := s.db.Collection(c).DeleteMany(ctx, filter)
		if err == nil && !lost {
			n = int(res.DeletedCount)
		}
		lost = lost || err != nil
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// maxDocument is how many bytes of a record are kept: the 16 MB of MongoDB without what a document has besides.
const maxDocument = 16<<20 - 16<<10

var errTooLarge = errors.New("too large")

// encoded returns a document as it is sent.
func encoded(d bson.D) (bson.Raw, error) {
	raw, err := bson.Marshal(d)
	if err != nil {
		return nil, connectors.Wrap(connectors.Internal, err, "a record does not encode")
	}
	if len(raw) > maxDocument {
		return nil, large(fmt.Errorf("%w: %d bytes", errTooLarge, len(raw)))
	}
	return raw, nil
}

// page checks the bounds of a listing: MongoDB takes a limit of 0 for none.
func page(limit int) error {
	if limit < 1 {
		return connectors.Errorf(connectors.Internal, "a listing of %d records was asked for; at least 1 is needed", limit)
	}
	return nil
}
