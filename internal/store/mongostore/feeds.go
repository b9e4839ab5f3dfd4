package mongostore

import (
	"context"
	"crypto/rand"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

const feeds = "feeds"

// span is a run of numbers that were reserved by writes nobody has seen the end of. A record that carries one may have
// been written after readers passed by: whoever meets it gives it a new number.
type span struct {
	From int64 `bson:"from"`
	To   int64 `bson:"to"`
}

func (s span) holds(n int64) bool { return s.From <= n && n <= s.To }

type feedDoc struct {
	Tenant       string `bson:"tenant"`
	ConnectionID string `bson:"connectionId"`
	Epoch        string `bson:"epoch"`
	Published    int64  `bson:"published"`
	Reserved     int64  `bson:"reserved"`
	Oldest       int64  `bson:"oldest"`
	Fence        int64  `bson:"fence"`
	Owner        string `bson:"owner"`
	Unsettled    []span `bson:"unsettled"`
	Free         bool   `bson:"free"`
}

// maxSpans bounds how many spans a feed remembers: the oldest is forgotten first.
const maxSpans = 500

func (d feedDoc) domain() (domain.Feed, error) {
	return domain.Feed{
		Tenant: domain.Tenant(d.Tenant), ConnectionID: d.ConnectionID, Epoch: d.Epoch, Published: d.Published, Oldest: d.Oldest, Fence: d.Fence, Owner: d.Owner,
	}, nil
}

// Feed implements [store.Records].
func (s *Store) Feed(ctx context.Context, t domain.Tenant, connectionID string) (domain.Feed, error) {
	d, err := one[feedDoc](ctx, s, feeds, byID(t, connectionID), missing("feed of", connectionID))
	if connectors.CodeOf(err) == connectors.NotFound {
		return domain.Feed{Tenant: t, ConnectionID: connectionID}, nil
	}
	if err != nil {
		return domain.Feed{}, err
	}
	return d.domain()
}

// TakeFeed implements [store.Records].
func (s *Store) TakeFeed(ctx context.Context, t domain.Tenant, connectionID, owner string, term time.Duration) (domain.Feed, error) {
	id, attempt := key(t, connectionID), rand.Text()
	var taken feedDoc
	err := s.write(ctx, func(ctx context.Context, again bool) error {
		if again {
			err := s.db.Collection(feeds).FindOne(ctx, append(byID(t, connectionID), bson.E{Key: "attempt", Value: attempt})).Decode(&taken)
			if !isNone(err) {
				return err
			}
		}
		is, err := s.feedToTake(ctx, t, connectionID)
		if err != nil {
			return err
		}
		return s.takeFeed(ctx, id, attempt, owner, term, is, &taken)
	})
	if err != nil {
		return domain.Feed{}, err
	}
	if err := s.renumber(ctx, id, &taken); err != nil {
		return domain.Feed{}, err
	}
	return taken.domain()
}

// feedToTake returns the feed as it is, made if there was none, and whether its lease is over by the server's clock.
func (s *Store) feedToTake(ctx context.Context, t domain.Tenant, connectionID string) (feedDoc, error) {
	var is feedDoc
	_, err := s.db.Collection(feeds).UpdateOne(ctx, byID(t, connectionID), bson.D{{Key: "$setOnInsert", Value: bson.D{
		{Key: "tenant", Value: string(t)},
		{Key: "connectionId", Value: connectionID},
		{Key: "epoch", Value: rand.Text()},
		{Key: "published", Value: int64(0)},
		{Key: "reserved", Value: int64(0)},
		{Key: "oldest", Value: int64(0)},
		{Key: "fence", Value: int64(0)},
		{Key: "owner", Value: ""},
		{Key: "unsettled", Value: bson.A{}},
	}}}, options.UpdateOne().SetUpsert(true))
	if err != nil && !mongo.IsDuplicateKeyError(err) {
		return is, err
	}
	free := bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "$eq", Value: bson.A{"$owner", ""}}}, dead,
	}}}
	cur, err := s.db.Collection(feeds).Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: byID(t, connectionID)}},
		{{Key: "$set", Value: bson.D{{Key: "free", Value: free}}}},
	})
	if err != nil {
		return is, err
	}
	var list []feedDoc
	if err := cur.All(ctx, &list); err != nil {
		return is, err
	}
	if len(list) == 0 {
		return is, busyFeed(connectionID) // it was dropped in between
	}
	return list[0], nil
}

func busyFeed(connectionID string) *connectors.Error {
	e := connectors.Errorf(connectors.Conflict, "the records of %s are being written by somebody else", connectionID)
	e.RetryAfter = time.Second
	return e
}

// takeFeed leases a feed as it was found. Numbers that were reserved and not published are unsettled from now on.
func (s *Store) takeFeed(ctx context.Context, id, attempt, owner string, term time.Duration, is feedDoc, taken *feedDoc) error {
	if !is.Free && is.Owner != owner {
		return busyFeed(is.ConnectionID)
	}
	// The server takes them from the feed as it is then: a holder that goes on writing keeps nobody from taking over.
	unpublished := bson.D{{Key: "$cond", Value: bson.A{
		bson.D{{Key: "$gt", Value: bson.A{"$reserved", "$published"}}},
		bson.A{bson.D{{Key: "from", Value: plus("$published", int64(1))}, {Key: "to", Value: "$reserved"}}},
		bson.A{},
	}}}
	unsettled := bson.D{{Key: "$slice", Value: bson.A{bson.D{{Key: "$concatArrays", Value: bson.A{"$unsettled", unpublished}}}, -maxSpans}}}
	filter := bson.D{ofTenant(domain.Tenant(is.Tenant)), {Key: "_id", Value: id}, {Key: "fence", Value: is.Fence}, {Key: "owner", Value: is.Owner}}
	set := bson.D{
		{Key: "fence", Value: is.Fence + 1},
		{Key: "owner", Value: literal(owner)},
		{Key: "leaseUntil", Value: after(term)},
		{Key: "attempt", Value: attempt},
		{Key: "unsettled", Value: unsettled},
	}
	err := s.db.Collection(feeds).FindOneAndUpdate(ctx, filter, mongo.Pipeline{{{Key: "$set", Value: set}}},
		options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(taken)
	if isNone(err) {
		return busyFeed(is.ConnectionID) // somebody was quicker
	}
	return err
}

// renumber gives new numbers to what a dead holder wrote above what is published.
func (s *Store) renumber(ctx context.Context, id string, f *feedDoc) error {
	left, err := many[recordDoc](ctx, s, records, bson.D{
		{Key: "tenant", Value: f.Tenant}, {Key: "connectionId", Value: f.ConnectionID}, {Key: "change", Value: bson.D{{Key: "$gt", Value: f.Published}}},
	}, options.Find().SetSort(sorted("change")).SetProjection(bson.D{{Key: "value", Value: 0}, {Key: "raw", Value: 0}}))
	if err != nil || len(left) == 0 {
		return err
	}
	head, err := f.domain()
	if err != nil {
		return err
	}
	p := &put{store: s, id: id, feed: head}
	for _, d := range left {
		p.renumber(d)
	}
	return p.run(ctx)
}

func leaseOf(f domain.Feed) bson.D {
	return bson.D{
		ofTenant(f.Tenant), {Key: "_id", Value: key(f.Tenant, f.ConnectionID)}, {Key: "fence", Value: f.Fence}, {Key: "epoch", Value: f.Epoch}, {Key: "owner", Value: bson.D{{Key: "$ne", Value: ""}}},
	}
}

// KeepFeed implements [store.Records].
func (s *Store) KeepFeed(ctx context.Context, f domain.Feed, term time.Duration) error {
	return s.write(ctx, func(ctx context.Context, _ bool) error {
		res, err := s.db.Collection(feeds).UpdateOne(ctx, leaseOf(f), mongo.Pipeline{{{Key: "$set", Value: bson.D{{Key: "leaseUntil", Value: after(term)}}}}})
		if err == nil && res.MatchedCount == 0 {
			return lost("feed", f.ConnectionID)
		}
		return err
	})
}

// ReleaseFeed implements [store.Records].
func (s *Store) ReleaseFeed(ctx context.Context, f domain.Feed) error {
	return s.write(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Collection(feeds).UpdateOne(ctx, leaseOf(f), bson.D{{Key: "$set", Value: bson.D{{Key: "owner", Value: ""}}}})
		return err
	})
}

// SweepTombstones implements [store.Records].
func (s *Store) SweepTombstones(ctx context.Context, before time.Time, limit int) (int, error) {
	old := bson.D{{Key: "buriedAt", Value: bson.D{{Key: "$gt", Value: ""}, {Key: "$lt", Value: textOf(before)}}}}
	found, err := many[recordDoc](ctx, s, records, old, options.Find().SetLimit(int64(limit)).SetProjection(bson.D{{Key: "value", Value: 0}, {Key: "raw", Value: 0}}))
	if err != nil {
		return 0, err
	}
	oldest, ids := map[string]int64{}, bson.A{}
	for _, d := range found {
		id := key(domain.Tenant(d.Tenant), d.ConnectionID)
		oldest[id] = max(oldest[id], d.Change)
		ids = append(ids, d.Key)
	}
	for id, change := range oldest {
		err := s.write(ctx, func(ctx context.Context, _ bool) error {
			_, err := s.db.Collection(feeds).UpdateOne(ctx, bson.D{{Key: "_id", Value: id}}, bson.D{{Key: "$max", Value: bson.D{{Key: "oldest", Value: change}}}})
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	return s.removeMany(ctx, records, append(old, bson.E{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}))
}

// DropFeed implements [store.Records].
func (s *Store) DropFeed(ctx context.Context, t domain.Tenant, connectionID string, limit int) (int, error) {
	fenced := false
	err := s.write(ctx, func(ctx context.Context, _ bool) error {
		res, err := s.db.Collection(feeds).UpdateOne(ctx, byID(t, connectionID),
			bson.D{{Key: "$inc", Value: bson.D{{Key: "fence", Value: int64(1)}}}, {Key: "$set", Value: bson.D{{Key: "owner", Value: ""}, {Key: "epoch", Value: rand.Text()}}}})
		fenced = err == nil && res.MatchedCount > 0
		return err
	})
	if err != nil {
		return 0, err
	}
	n, err := s.sweep(ctx, records, bson.D{{Key: "tenant", Value: string(t)}, {Key: "connectionId", Value: connectionID}}, limit)
	if err != nil || n > 0 || !fenced {
		return n, err
	}
	_, err = s.remove(ctx, feeds, byID(t, connectionID))
	return 0, err
}

// NewEpochs implements [store.Records].
func (s *Store) NewEpochs(ctx context.Context) error {
	epoch := rand.Text()
	return s.write(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Collection(feeds).UpdateMany(ctx, bson.D{}, mongo.Pipeline{{{Key: "$set", Value: bson.D{
			{Key: "epoch", Value: bson.D{{Key: "$concat", Value: bson.A{epoch, "-", "$tenant", "-", "$connectionId"}}}},
		}}}})
		return err
	})
}
