package mongostore

import (
	"context"
	"errors"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/internal/domain"
)

// PutRecords implements [store.Records].
//
// Numbers are reserved in the feed, the records are written with them, and then published moves up, each under the lease. A
// record is written only over one with a lower number and no higher fence, so that a write that comes late changes
// nothing that was written since. A put that failed may still have written some: its numbers become unsettled with the
// next one that reserves, before anything above them is published, and a record that carries one gets a new number when
// it is met, whatever its content.
func (s *Store) PutRecords(ctx context.Context, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
	id := key(f.Tenant, f.ConnectionID)
	turn := &s.puts[stripe(id)]
	turn.Lock()
	defer turn.Unlock()
	head, stored, err := s.current(ctx, f, rs)
	if err != nil {
		return nil, err
	}
	p := &put{store: s, id: id, feed: f, unsettled: append(head.Unsettled, turn.unsettled[leaseName(f)]...)}
	out := make([]domain.Outcome, len(rs))
	for i, r := range rs {
		out[i] = p.add(r, stored)
	}
	return out, p.run(ctx)
}

// leaseName names a lease.
func leaseName(f domain.Feed) string {
	return key(f.Tenant, f.ConnectionID, strconv.FormatInt(f.Fence, 10))
}

// current returns the feed under the lease, and those of the records that are stored.
func (s *Store) current(ctx context.Context, f domain.Feed, rs []domain.Record) (feedDoc, map[string]recordDoc, error) {
	head, err := one[feedDoc](ctx, s, feeds, leaseOf(f), lost("feed", f.ConnectionID))
	if err != nil {
		return head, nil, err
	}
	keys := bson.A{}
	for _, r := range rs {
		keys = append(keys, recordKey(f, r.Kind, r.ID))
	}
	list, err := many[recordDoc](ctx, s, records, append(ofFeed(f.Tenant, f.ConnectionID), bson.E{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}),
		options.Find().SetProjection(bson.D{{Key: "value", Value: 0}, {Key: "raw", Value: 0}}))
	stored := make(map[string]recordDoc, len(list))
	for _, d := range list {
		stored[d.Key] = d
	}
	return head, stored, err
}

// put is the writing of some records under one lease.
type put struct {
	store     *Store
	id        string // of the feed
	feed      domain.Feed
	unsettled []span

	changes []change
	same    bson.A // ids of records that stay as they are
	seen    int64
}

// change is one record to be written with a new number.
type change struct {
	id     string
	set    bson.D
	insert bson.D // what a new document gets besides
}

// isUnsettled reports whether a number was reserved by a write that nobody has seen the end of.
func (p *put) isUnsettled(n int64) bool {
	for _, s := range p.unsettled {
		if s.holds(n) {
			return true
		}
	}
	return false
}

// add decides what becomes of a record.
func (p *put) add(r domain.Record, stored map[string]recordDoc) domain.Outcome {
	id := recordKey(p.feed, r.Kind, r.ID)
	is, known := stored[id]
	again := known && p.isUnsettled(is.Change)
	switch {
	case r.Deleted:
		return p.addTombstone(r, is, known, again)
	case known && !is.Deleted && is.Hash == r.Hash && !again:
		p.same = append(p.same, id)
		p.seen = max(p.seen, r.Seen)
		return domain.Unchanged
	}
	p.changes = append(p.changes, change{id: id, set: recordFields(r), insert: bson.D{
		{Key: "tenant", Value: string(p.feed.Tenant)}, {Key: "connectionId", Value: p.feed.ConnectionID}, {Key: "kind", Value: string(r.Kind)}, {Key: "id", Value: r.ID},
	}})
	switch {
	case !known || is.Deleted:
		return domain.Created
	case is.Hash == r.Hash:
		return domain.Unchanged
	}
	return domain.Updated
}

func (p *put) addTombstone(r domain.Record, is recordDoc, known, again bool) domain.Outcome {
	if !known || is.Deleted || r.ContainerID != "" && r.ContainerID != is.ContainerID {
		if again {
			p.renumber(is)
		}
		return domain.Unchanged
	}
	p.changes = append(p.changes, change{id: recordKey(p.feed, r.Kind, r.ID), set: tombstoneFields(r)})
	return domain.Tombstone
}

// renumber gives a record that is stored a new number.
func (p *put) renumber(d recordDoc) {
	p.changes = append(p.changes, change{id: d.Key, set: bson.D{{Key: "deleted", Value: d.Deleted}}})
}

func recordFields(r domain.Record) bson.D {
	return bson.D{
		{Key: "containerId", Value: r.ContainerID},
		{Key: "itemId", Value: r.ItemID},
		{Key: "deleted", Value: false},
		{Key: "reason", Value: ""},
		{Key: "syncedAt", Value: textOf(r.SyncedAt)},
		{Key: "buriedAt", Value: ""},
		{Key: "hash", Value: r.Hash},
		{Key: "value", Value: []byte(r.Value)},
		{Key: "raw", Value: []byte(r.Raw)},
		{Key: "seen", Value: r.Seen},
	}
}

func tombstoneFields(r domain.Record) bson.D {
	return bson.D{
		{Key: "deleted", Value: true},
		{Key: "reason", Value: r.Reason},
		{Key: "syncedAt", Value: textOf(r.SyncedAt)},
		{Key: "buriedAt", Value: textOf(r.SyncedAt)},
		{Key: "hash", Value: ""},
		{Key: "value", Value: []byte{}},
		{Key: "raw", Value: []byte{}},
	}
}

// run writes: first what stays as it is gets the fence, so that no late write of a lower one can change it; then numbers
// are reserved, records written, and published moved.
func (p *put) run(ctx context.Context) error {
	if err := p.stay(ctx); err != nil || len(p.changes) == 0 {
		return err
	}
	last, err := p.reserve(ctx)
	if err != nil {
		return err
	}
	numbers := span{last - int64(len(p.changes)) + 1, last}
	if err = p.write(ctx, numbers); err == nil {
		err = p.publish(ctx, last)
	}
	if err != nil {
		turn := &p.store.puts[stripe(p.id)]
		turn.unsettled[leaseName(p.feed)] = append(turn.unsettled[leaseName(p.feed)], numbers)
	}
	return err
}

func (p *put) stay(ctx context.Context) error {
	if len(p.same) == 0 {
		return nil
	}
	raise := bson.D{{Key: "fence", Value: p.feed.Fence}}
	if p.seen > 0 {
		raise = append(raise, bson.E{Key: "seen", Value: p.seen})
	}
	return p.store.write(ctx, func(ctx context.Context, _ bool) error {
		_, err := p.store.db.Collection(records).UpdateMany(ctx, append(ofFeed(p.feed.Tenant, p.feed.ConnectionID), bson.E{Key: "_id", Value: bson.D{{Key: "$in", Value: p.same}}}), bson.D{{Key: "$max", Value: raise}})
		return err
	})
}

// reserve takes a number for each change and returns the last. What failed before under this lease is unsettled from then on.
func (p *put) reserve(ctx context.Context) (int64, error) {
	turn := &p.store.puts[stripe(p.id)]
	failed := turn.unsettled[leaseName(p.feed)]
	update := bson.D{{Key: "$inc", Value: bson.D{{Key: "reserved", Value: int64(len(p.changes))}}}}
	if len(failed) > 0 {
		update = append(update, bson.E{Key: "$push", Value: bson.D{{Key: "unsettled", Value: bson.D{{Key: "$each", Value: failed}}}}})
	}
	var d feedDoc
	// A reservation that is made twice skips numbers, which harms nobody.
	err := p.store.write(ctx, func(ctx context.Context, _ bool) error {
		err := p.store.db.Collection(feeds).FindOneAndUpdate(ctx, leaseOf(p.feed), update, options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&d)
		if isNone(err) {
			return lost("feed", p.feed.ConnectionID)
		}
		return err
	})
	if err == nil {
		delete(turn.unsettled, leaseName(p.feed))
	}
	return d.Reserved, err
}

// write writes the records. One that a higher fence wrote meanwhile says that the lease is lost.
func (p *put) write(ctx context.Context, numbers span) error {
	models := make([]mongo.WriteModel, len(p.changes))
	for i, c := range p.changes {
		n := numbers.From + int64(i)
		set := append(c.set, bson.E{Key: "change", Value: n}, bson.E{Key: "fence", Value: p.feed.Fence})
		update := bson.D{{Key: "$set", Value: without(set, "seen")}}
		if len(c.insert) > 0 {
			update = append(update, bson.E{Key: "$setOnInsert", Value: c.insert})
		}
		if seen := valueOf(c.set, "seen"); seen != nil {
			update = append(update, bson.E{Key: "$max", Value: bson.D{{Key: "seen", Value: seen}}})
		}
		models[i] = mongo.NewUpdateOneModel().SetUpsert(len(c.insert) > 0).SetUpdate(update).SetFilter(append(ofFeed(p.feed.Tenant, p.feed.ConnectionID),
			bson.E{Key: "_id", Value: c.id}, bson.E{Key: "fence", Value: bson.D{{Key: "$lte", Value: p.feed.Fence}}}, bson.E{Key: "change", Value: bson.D{{Key: "$lte", Value: n}}},
		))
	}
	return p.store.write(ctx, func(ctx context.Context, _ bool) error {
		res, err := p.store.db.Collection(records).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		var many mongo.BulkWriteException
		switch {
		case mongo.IsDuplicateKeyError(err) && errors.As(err, &many):
			return lost("feed", p.feed.ConnectionID)
		case err == nil && res.MatchedCount+res.UpsertedCount < int64(len(models)):
			return lost("feed", p.feed.ConnectionID)
		}
		return err
	})
}

func valueOf(d bson.D, name string) any {
	for _, e := range d {
		if e.Key == name {
			return e.Value
		}
	}
	return nil
}

// publish lets readers read up to a number, under the lease.
func (p *put) publish(ctx context.Context, last int64) error {
	return p.store.write(ctx, func(ctx context.Context, _ bool) error {
		res, err := p.store.db.Collection(feeds).UpdateOne(ctx, leaseOf(p.feed), bson.D{{Key: "$max", Value: bson.D{{Key: "published", Value: last}}}})
		if err == nil && res.MatchedCount == 0 {
			return lost("feed", p.feed.ConnectionID)
		}
		return err
	})
}
