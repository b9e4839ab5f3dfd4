package store

import (
	"context"
	"reflect"
	"strings"
)

// Collection is a collection as it is moved between stores: field by field, as it is kept.
type Collection struct {
	Name string
	Key  []string // the fields that tell one record from another
	// Fields are those that every implementation keeps. What it keeps besides for itself is not moved.
	Fields []Field
}

// Field is one field of a moved record.
type Field struct {
	Name string
	Type FieldType
}

// FieldType tells what a field holds.
type FieldType byte

// The types of fields: a Go string, also for JSON; a time as text, "" for the zero time; an int64; a bool; a []byte.
const (
	TextField FieldType = 0
	TimeField FieldType = '@'
	IntField  FieldType = '#'
	BoolField FieldType = '?'
	BlobField FieldType = '*'
)

const head = "tenant revision# createdAt@ updatedAt@ "

// Collections are all that a store keeps, in the order in which they are moved: feeds before their records.
var Collections = []Collection{
	collection("connections", "tenant id", head+"id connectorId name status reason authMethod account site config scopes tokenId lastUsedAt@ operatorHost?"),
	collection("tokens", "tenant id", head+"id kind keyId sealed expiresAt@ dueAt@ grantKey grant"),
	collection("oauth_states", "id", head+"id keyId sealed expiresAt@"),
	collection("sync_states", "tenant connectionId stream containerId", head+"connectionId stream containerId generation# cursor"),
	collection("connector_settings", "tenant connectorId", head+"connectorId extraDetails?"),
	collection("budgets", "key", "key revision# updatedAt@ data"),
	collection("audit_logs", "tenant id", "tenant id actor action targetType targetId outcome meta requestId createdAt@"),
	collection("jobs", "tenant id", head+"id connectorId connectionId type params idempotencyKey status notBefore@ turn# attempts# takeovers# fence# "+
		"owner cancelRequested? state error startedAt@ finishedAt@"),
	collection("feeds", "tenant connectionId", "tenant connectionId epoch published# oldest# fence# owner"),
	collection("records", "tenant connectionId kind id", "tenant connectionId kind id containerId itemId change# deleted? reason syncedAt@ hash value* raw* seen#"),
}

func collection(name, key, fields string) Collection {
	c := Collection{Name: name, Key: strings.Fields(key)}
	for _, f := range strings.Fields(fields) {
		kind := TextField
		if last := FieldType(f[len(f)-1]); strings.ContainsRune("@#?*", rune(last)) {
			kind, f = last, f[:len(f)-1]
		}
		c.Fields = append(c.Fields, Field{f, kind})
	}
	return c
}

// Row is one record of a collection, by its fields.
type Row map[string]any

// KeyOf returns the values of the row's key.
func (c Collection) KeyOf(r Row) []any {
	key := make([]any, len(c.Key))
	for i, name := range c.Key {
		key[i] = r[name]
	}
	return key
}

// name returns the row's key as one text.
func (c Collection) name(r Row) string {
	var b strings.Builder
	for _, name := range c.Key {
		b.WriteString(r[name].(string)) //nolint:forcetypeassert // keys are texts
		b.WriteByte(0)
	}
	return b.String()
}

// Origin is a store that records are copied from. Nobody else writes to it meanwhile.
type Origin interface {
	// Total returns how many rows of the collection there are.
	Total(ctx context.Context, c Collection) (int, error)
	// Dump returns at most limit rows of the collection behind a place, "" from the beginning, in an order of its own, and
	// the place behind them; "" when there are no more.
	Dump(ctx context.Context, c Collection, place string, limit int) (rows []Row, next string, err error)
	// Fetch returns those of the rows that are there, by their keys.
	Fetch(ctx context.Context, c Collection, keys []Row) ([]Row, error)
}

// Target is a store that records are copied to, and that nobody uses before all are there.
type Target interface {
	Origin
	// Load adds rows, of which none is there. A record whose feed is not there is left out: it belongs to nobody.
	Load(ctx context.Context, c Collection, rows []Row) error
	// Remove removes rows by their keys.
	Remove(ctx context.Context, c Collection, keys []Row) error
}

// Copied tells of one collection that is copied.
type Copied struct {
	Collection string `json:"collection"`
	Found      int    `json:"found"`   // in the store that is copied
	Written    int    `json:"written"` // of those; the others were there from a copy that was cut off
	Stored     int    `json:"stored"`  // in the other store, at the end
}

// Copy copies everything. What a copy that was cut off left in the target stays where it is still true, and goes where it
// is not: the end is as if there had been none. change alters a row on its way; progress, which may be nil, is told of
// every step.
func Copy(ctx context.Context, from Origin, to Target, change func(Collection, Row), progress func(c Copied, total int)) ([]Copied, error) {
	if progress == nil {
		progress = func(Copied, int) {}
	}
	var done []Copied
	for _, c := range Collections {
		one := copying{Collection: c, from: from, to: to, change: change}
		one.done.Collection = c.Name
		err := one.run(ctx, progress)
		if err != nil {
			return done, err
		}
		done = append(done, one.done)
	}
	return done, nil
}

// copying is the copy of one collection.
type copying struct {
	Collection
	from   Origin
	to     Target
	change func(Collection, Row)
	done   Copied
}

func (c *copying) run(ctx context.Context, progress func(c Copied, total int)) error {
	total, err := c.from.Total(ctx, c.Collection)
	if err != nil {
		return err
	}
	if err := c.prune(ctx); err != nil {
		return err
	}
	err = c.each(ctx, c.from, func(rows []Row) error {
		err := c.add(ctx, rows)
		progress(c.done, total)
		return err
	})
	if err == nil {
		c.done.Stored, err = c.to.Total(ctx, c.Collection)
	}
	return err
}

// batch is how many rows are held at once: few where one may have megabytes.
func (c *copying) batch() int {
	if c.Name == "records" {
		return 100
	}
	return 500
}

// each calls visit with all rows of a side.
func (c *copying) each(ctx context.Context, side Origin, visit func([]Row) error) error {
	for place := ""; ; {
		rows, next, err := side.Dump(ctx, c.Collection, place, c.batch())
		if err == nil && len(rows) > 0 {
			err = visit(rows)
		}
		if err != nil || next == "" {
			return err
		}
		place = next
	}
}

// prune removes from the target what is not, or not so, in the origin.
func (c *copying) prune(ctx context.Context) error {
	return c.each(ctx, c.to, func(rows []Row) error {
		origin, err := c.from.Fetch(ctx, c.Collection, rows)
		if err != nil {
			return err
		}
		truth := map[string]Row{}
		for _, r := range origin {
			c.change(c.Collection, r)
			truth[c.name(r)] = r
		}
		var stale []Row
		for _, r := range rows {
			if !reflect.DeepEqual(r, truth[c.name(r)]) {
				stale = append(stale, r)
			}
		}
		if len(stale) == 0 {
			return nil
		}
		return c.to.Remove(ctx, c.Collection, stale)
	})
}

// add adds those of the rows that the target lacks.
func (c *copying) add(ctx context.Context, rows []Row) error {
	c.done.Found += len(rows)
	there, err := c.to.Fetch(ctx, c.Collection, rows)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, r := range there {
		known[c.name(r)] = true
	}
	var fresh []Row
	for _, r := range rows {
		if !known[c.name(r)] {
			c.change(c.Collection, r)
			fresh = append(fresh, r)
		}
	}
	c.done.Written += len(fresh)
	if len(fresh) == 0 {
		return nil
	}
	return c.to.Load(ctx, c.Collection, fresh)
}
