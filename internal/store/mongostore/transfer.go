package mongostore

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/internal/store"
)

var _ store.Target = (*Store)(nil)

// idOf returns the id of the document of a moved row.
func idOf(c store.Collection, r store.Row) string {
	parts := make([]string, len(c.Key))
	for i, name := range c.Key {
		parts[i], _ = r[name].(string)
	}
	if len(parts) == 1 { // found by that alone
		return parts[0]
	}
	for i := range parts[1:] {
		parts[i+1] = slashes.Replace(parts[i+1])
	}
	return strings.Join(parts, "/")
}

// rowOf returns the row of a document.
func rowOf(c store.Collection, d bson.M) store.Row {
	r := store.Row{}
	for _, f := range c.Fields {
		v := d[f.Name]
		if len(c.Key) == 1 && f.Name == c.Key[0] {
			v = d["_id"]
		}
		r[f.Name] = fieldOf(f.Type, v)
	}
	if c.Name == feeds {
		// What a dead holder reserved, and may have written, is among what is copied.
		r["published"] = max(fieldOf(store.IntField, d["published"]).(int64), fieldOf(store.IntField, d["reserved"]).(int64)) //nolint:forcetypeassert // by its type
	}
	return r
}

// fieldOf returns a value of a document; one that is missing is the zero value.
func fieldOf(t store.FieldType, v any) any {
	switch t {
	case store.IntField:
		switch n := v.(type) {
		case int32:
			return int64(n)
		case int64:
			return n
		}
		return int64(0)
	case store.BoolField:
		b, _ := v.(bool)
		return b
	case store.BlobField:
		b, _ := v.(bson.Binary)
		return append([]byte{}, b.Data...)
	}
	text, _ := v.(string)
	return text
}

// docOf returns the document of a row, with what this store keeps for itself.
func docOf(c store.Collection, r store.Row) (bson.Raw, error) {
	d := bson.D{{Key: "_id", Value: idOf(c, r)}, {Key: "writes", Value: bson.A{}}}
	for _, f := range c.Fields {
		if len(c.Key) > 1 || f.Name != c.Key[0] {
			d = append(d, bson.E{Key: f.Name, Value: r[f.Name]})
		}
	}
	switch c.Name {
	case oauthStates:
		expires, _ := r["expiresAt"].(string)
		d = append(d, bson.E{Key: "removeAt", Value: bson.NewDateTimeFromTime(later(timeOf(expires), time.Now()))})
	case feeds:
		d = append(d, bson.E{Key: "reserved", Value: r["published"]}, bson.E{Key: "unsettled", Value: bson.A{}})
	case records:
		buried := any("")
		if deleted, _ := r["deleted"].(bool); deleted {
			buried = r["syncedAt"]
		}
		d = append(d, bson.E{Key: "buriedAt", Value: buried}, bson.E{Key: "fence", Value: int64(0)})
	}
	return encoded(d)
}

// alive is the condition of what there is: a state that was taken is none.
func alive(c store.Collection) bson.D {
	if c.Name == oauthStates {
		return bson.D{{Key: "takenBy", Value: bson.D{{Key: "$exists", Value: false}}}}
	}
	return bson.D{}
}

// Total implements [store.Origin].
func (s *Store) Total(ctx context.Context, c store.Collection) (int, error) {
	return s.count(ctx, c.Name, alive(c))
}

// Dump implements [store.Origin]. A place is the id of a document.
func (s *Store) Dump(ctx context.Context, c store.Collection, place string, limit int) ([]store.Row, string, error) {
	filter := append(alive(c), bson.E{Key: "_id", Value: bson.D{{Key: "$gt", Value: place}}})
	docs, err := many[bson.M](ctx, s, c.Name, filter, options.Find().SetSort(sorted("_id")).SetLimit(int64(limit)))
	if err != nil || len(docs) == 0 {
		return nil, "", err
	}
	rows := make([]store.Row, len(docs))
	for i, d := range docs {
		rows[i] = rowOf(c, d)
	}
	next, _ := docs[len(docs)-1]["_id"].(string)
	return rows, next, nil
}

// Fetch implements [store.Origin].
func (s *Store) Fetch(ctx context.Context, c store.Collection, keys []store.Row) ([]store.Row, error) {
	docs, err := many[bson.M](ctx, s, c.Name, append(alive(c), among(c, keys)), options.Find())
	rows := make([]store.Row, len(docs))
	for i, d := range docs {
		rows[i] = rowOf(c, d)
	}
	return rows, err
}

// among is the condition that a document is one of the rows.
func among(c store.Collection, rows []store.Row) bson.E {
	ids := make(bson.A, len(rows))
	for i, r := range rows {
		ids[i] = idOf(c, r)
	}
	return bson.E{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}
}

// loadAtOnce is how many bytes of documents one write has, unless a document has more: all of it has to be through before
// the patience of a call ends.
const loadAtOnce = 4 << 20

// Load implements [store.Target]. A repetition after an answer that was lost writes the same again.
func (s *Store) Load(ctx context.Context, c store.Collection, rows []store.Row) error {
	var models []mongo.WriteModel
	size := 0
	for _, r := range rows {
		d, err := docOf(c, r)
		if err != nil {
			return err
		}
		if len(models) > 0 && size+len(d) > loadAtOnce {
			if err := s.load(ctx, c, models); err != nil {
				return err
			}
			models, size = nil, 0
		}
		size += len(d)
		models = append(models, mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: idOf(c, r)}}).SetReplacement(d).SetUpsert(true))
	}
	return s.load(ctx, c, models)
}

func (s *Store) load(ctx context.Context, c store.Collection, models []mongo.WriteModel) error {
	if len(models) == 0 {
		return nil
	}
	return s.write(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Collection(c.Name).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		return err
	})
}

// Remove implements [store.Target].
func (s *Store) Remove(ctx context.Context, c store.Collection, keys []store.Row) error {
	return s.write(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Collection(c.Name).DeleteMany(ctx, bson.D{among(c, keys)})
		return err
	})
}
