package mongostore

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/unified-connector/ucf/connectors"
)

// metadata is the collection of what the database says of itself.
const metadata = "meta"

// format is the version of the documents that this binary writes. It rises when an older one would write something that
// a newer one takes for something else; the newer one then raises oldestWriter, waits until the older ones have looked,
// and only then writes what they would not understand.
const format = 1

var (
	errNewer  = errors.New("written by a newer version")
	errMarked = errors.New("marked by a copy")
)

// gate remembers whether this binary may write.
type gate struct {
	next    atomic.Int64 // when to look again, in nanoseconds
	refusal atomic.Pointer[error]
}

// mayWrite looks at times whether a newer ucf has taken over the database. Of the callers who find that it is time one
// looks; the others go by what was seen last.
func (s *Store) mayWrite(ctx context.Context) error {
	now := time.Now()
	next := s.gate.next.Load()
	if now.UnixNano() >= next && s.gate.next.CompareAndSwap(next, now.Add(s.tune.recheck).UnixNano()) {
		err := s.accept(ctx)
		if err != nil && !errors.Is(err, errNewer) && !errors.Is(err, errMarked) {
			s.gate.next.Store(next) // nothing was seen: the next one looks
			return err
		}
		s.gate.refusal.Store(&err)
	}
	if e := s.gate.refusal.Load(); e != nil {
		return *e
	}
	return nil
}

// accept holds the database's own format against ours, and sets it where there is none. One that is marked by a copy is
// refused.
func (s *Store) accept(ctx context.Context) error {
	var d struct {
		Oldest int `bson:"oldestWriter"`
	}
	c := s.db.Collection(metadata)
	err := s.read(ctx, func(ctx context.Context) error {
		err := c.FindOne(ctx, bson.D{{Key: "_id", Value: "format"}}).Decode(&d)
		if !isNone(err) {
			return err
		}
		d.Oldest = format
		_, err = c.InsertOne(ctx, bson.D{{Key: "_id", Value: "format"}, {Key: "oldestWriter", Value: format}})
		if mongo.IsDuplicateKeyError(err) {
			return c.FindOne(ctx, bson.D{{Key: "_id", Value: "format"}}).Decode(&d)
		}
		return err
	})
	if err == nil && d.Oldest > format {
		return connectors.Wrap(connectors.Unavailable, errNewer,
			"the database %s is written by a newer ucf (format %d, this ucf knows %d), and was left as it is: upgrade ucf", s.db.Name(), d.Oldest, format)
	}
	if err == nil {
		err = s.unmarked(ctx)
	}
	return err
}
