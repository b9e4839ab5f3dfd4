package mongostore

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// index is one index of a collection. Those that are unique begin with the collection's shard key.
type index struct {
	collection string
	keys       bson.D
	unique     bool
	where      bson.D // of a partial index
	ttl        int32  // seconds after the date that the document is removed; 0 for never
}

// newestFirst is the end of an index that serves listings of the newest first.
var newestFirst = bson.E{Key: "id", Value: -1}

// filled is the condition of partial indexes over texts that may be empty.
func filled(name string) bson.D {
	return bson.D{{Key: name, Value: bson.D{{Key: "$gt", Value: ""}}}}
}

// indexes are all that the queries of this package use.
func indexes() []index {
	return []index{
		{collection: connections, keys: sorted("tenant", "id")},
		{collection: connections, keys: sorted("tenant", "connectorId", "name"), unique: true},
		{collection: tokens, keys: sorted("tenant", "id")},
		{collection: tokens, keys: sorted("tenant", "grantKey"), unique: true, where: filled("grantKey")},
		{collection: tokens, keys: sorted("id")},
		{collection: tokens, keys: sorted("keyId")},
		{collection: tokens, keys: sorted("dueAt", "id"), where: filled("dueAt")},
		{collection: oauthStates, keys: sorted("expiresAt")},
		{collection: oauthStates, keys: sorted("removeAt"), ttl: 3600},
		{collection: syncStates, keys: sorted("tenant", "connectionId", "stream", "containerId")},
		{collection: auditLogs, keys: append(sorted("tenant"), newestFirst)},
		{collection: auditLogs, keys: append(sorted("tenant", "action"), newestFirst)},
		{collection: auditLogs, keys: append(sorted("tenant", "targetId"), newestFirst)},
		{collection: jobs, keys: sorted("tenant", "idempotencyKey"), unique: true, where: filled("idempotencyKey")},
		{collection: jobs, keys: sorted("status", "turn", "id")},
		{collection: jobs, keys: sorted("status", "tenant", "turn")},
		{collection: jobs, keys: append(sorted("tenant"), newestFirst)},
		{collection: jobs, keys: append(sorted("tenant", "connectionId"), newestFirst)},
		{collection: jobs, keys: sorted("finishedAt"), where: filled("finishedAt")},
		{collection: records, keys: sorted("tenant", "connectionId", "change")},
		{collection: records, keys: sorted("tenant", "connectionId", "kind", "containerId", "id")},
		{collection: records, keys: sorted("tenant", "connectionId", "itemId", "id"), where: filled("itemId")},
		{collection: records, keys: sorted("buriedAt"), where: filled("buriedAt")},
	}
}

// model returns the index as the driver makes it.
func (i index) model() mongo.IndexModel {
	o := options.Index()
	if i.unique {
		o.SetUnique(true)
	}
	if i.where != nil {
		o.SetPartialFilterExpression(i.where)
	}
	if i.ttl > 0 {
		o.SetExpireAfterSeconds(i.ttl)
	}
	return mongo.IndexModel{Keys: i.keys, Options: o}
}

// prepare refuses what a newer ucf wrote, and makes the indexes that are missing. Any number of processes may do so at
// once: an index that is there already stays.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.accept(ctx); err != nil {
		return err
	}
	s.gate.next.Store(time.Now().Add(s.tune.recheck).UnixNano())
	byCollection := map[string][]mongo.IndexModel{}
	for _, i := range indexes() {
		byCollection[i.collection] = append(byCollection[i.collection], i.model())
	}
	for c, models := range byCollection {
		err := s.write(ctx, func(ctx context.Context, _ bool) error {
			_, err := s.db.Collection(c).Indexes().CreateMany(ctx, models)
			return err
		})
		if err != nil {
			return fmt.Errorf("the indexes of %s: %w", c, err)
		}
	}
	return nil
}
