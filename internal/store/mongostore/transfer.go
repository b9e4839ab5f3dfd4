package mongostore

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/connectors"
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

// Load implements [store.Target]. A repetition after an answer that was lost writes the same again.
func (s *Store) Load(ctx context.Context, c store.Collection, rows []store.Row) error {
	models := make([]mongo.WriteModel, len(rows))
	for i, r := range rows {
		d, err := docOf(c, r)
		if err != nil {
			return err
		}
		models[i] = mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: idOf(c, r)}}).SetReplacement(d).SetUpsert(true)
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
