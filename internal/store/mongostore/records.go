package mongostore

import (
	"context"
	"encoding/json"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const records = "records"

type recordDoc struct {
	Key          string `bson:"_id"`
	Tenant       string `bson:"tenant"`
	ConnectionID string `bson:"connectionId"`
	Kind         string `bson:"kind"`
	ID           string `bson:"id"`
	ContainerID  string `bson:"containerId"`
	ItemID       string `bson:"itemId"`
	Change       int64  `bson:"change"`
	Fence        int64  `bson:"fence"`
	Deleted      bool   `bson:"deleted"`
	Reason       string `bson:"reason"`
	SyncedAt     string `bson:"syncedAt"`
	Hash         string `bson:"hash"`
	Seen         int64  `bson:"seen"`
	Value        []byte `bson:"value"`
	Raw          []byte `bson:"raw"`
}

func (d recordDoc) domain() (domain.Record, error) { //nolint:unparam // as mapped wants it of every document
	return domain.Record{
		Kind: domain.Kind(d.Kind), ID: d.ID, ContainerID: d.ContainerID, ItemID: d.ItemID, Change: d.Change, Deleted: d.Deleted, Reason: d.Reason,
		SyncedAt: timeOf(d.SyncedAt), Hash: d.Hash, Seen: d.Seen, Value: jsonBytes(d.Value), Raw: jsonBytes(d.Raw),
	}, nil
}

func jsonBytes(b []byte) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	return b
}

func recordKey(f domain.Feed, kind domain.Kind, id string) string {
	return key(f.Tenant, f.ConnectionID, string(kind), id)
}

// ofFeed is the condition that a record is of a connection.
func ofFeed(t domain.Tenant, connectionID string) bson.D {
	return bson.D{{Key: "tenant", Value: string(t)}, {Key: "connectionId", Value: connectionID}}
}

// ListRecords implements [store.Records].
func (s *Store) ListRecords(ctx context.Context, t domain.Tenant, connectionID string, q store.RecordQuery) ([]domain.Record, error) {
	if err := page(q.Limit); err != nil {
		return nil, err
	}
	filter := append(ofFeed(t, connectionID), bson.E{Key: "change", Value: bson.D{{Key: "$gt", Value: q.After}, {Key: "$lte", Value: q.UpTo}}})
	filter = narrowed(filter, "kind", string(q.Kind))
	filter = narrowed(filter, "containerId", q.ContainerID)
	o := options.Find().SetSort(sorted("change")).SetLimit(int64(q.Limit))
	if !q.Raw {
		o.SetProjection(bson.D{{Key: "raw", Value: 0}})
	}
	list, err := mapped(many[recordDoc](ctx, s, records, filter, o))
	for i := range list {
		list[i].Seen = 0
	}
	return list, err
}

// found is the condition of a [store.RecordFind].
func found(t domain.Tenant, connectionID string, q store.RecordFind) bson.D {
	filter := append(ofFeed(t, connectionID), bson.E{Key: "kind", Value: string(q.Kind)}, bson.E{Key: "deleted", Value: false})
	filter = narrowed(filter, "containerId", q.ContainerID)
	filter = narrowed(filter, "itemId", q.ItemID)
	if q.SeenBelow > 0 {
		filter = append(filter, bson.E{Key: "seen", Value: bson.D{{Key: "$lt", Value: q.SeenBelow}}})
	}
	return filter
}

// FindRecords implements [store.Records].
func (s *Store) FindRecords(ctx context.Context, t domain.Tenant, connectionID string, q store.RecordFind, l store.List) ([]domain.Record, error) {
	if err := page(l.Limit); err != nil {
		return nil, err
	}
	filter := append(found(t, connectionID, q), bson.E{Key: "id", Value: bson.D{{Key: "$gt", Value: l.After}}})
	return mapped(many[recordDoc](ctx, s, records, filter, options.Find().SetSort(sorted("id")).SetLimit(int64(l.Limit)).
		SetProjection(bson.D{{Key: "value", Value: 0}, {Key: "raw", Value: 0}})))
}

// CountRecords implements [store.Records].
func (s *Store) CountRecords(ctx context.Context, t domain.Tenant, connectionID string, q store.RecordFind) (int, error) {
	return s.count(ctx, records, found(t, connectionID, q))
}

// markAtOnce is how many records one statement of a census stamps.
const markAtOnce = 1000

// MarkRecords implements [store.Records].
func (s *Store) MarkRecords(ctx context.Context, f domain.Feed, kind domain.Kind, ids []string, seen int64) ([]string, error) {
	var absent []string
	for part := range slices.Chunk(ids, markAtOnce) {
		if err := s.isHeld(ctx, f); err != nil {
			return nil, err
		}
		missing, err := s.mark(ctx, f, kind, part, seen)
		if err != nil {
			return nil, err
		}
		absent = append(absent, missing...)
	}
	return absent, nil
}

func (s *Store) mark(ctx context.Context, f domain.Feed, kind domain.Kind, ids []string, seen int64) ([]string, error) {
	keys := bson.A{}
	for _, id := range ids {
		keys = append(keys, recordKey(f, kind, id))
	}
	filter := append(ofFeed(f.Tenant, f.ConnectionID), bson.E{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}, bson.E{Key: "deleted", Value: false})
	err := s.write(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Collection(records).UpdateMany(ctx, filter, bson.D{{Key: "$max", Value: bson.D{{Key: "seen", Value: seen}}}})
		return err
	})
	if err != nil {
		return nil, err
	}
	there, err := many[recordDoc](ctx, s, records, filter, options.Find().SetProjection(bson.D{{Key: "id", Value: 1}}))
	known := map[string]bool{}
	for _, d := range there {
		known[d.ID] = true
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return known[id] }), err
}

// isHeld returns conflict where the lease is another's.
func (s *Store) isHeld(ctx context.Context, f domain.Feed) error {
	n, err := s.count(ctx, feeds, leaseOf(f))
	if err == nil && n == 0 {
		return lost("feed", f.ConnectionID)
	}
	return err
}
