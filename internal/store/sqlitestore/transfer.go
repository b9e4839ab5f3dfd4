package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/unified-connector/ucf/internal/store"
)

// columnOf returns the column of a field of a moved record.
func columnOf(field string) string {
	if field == "grant" {
		return "grant_info"
	}
	var b strings.Builder
	for _, r := range field {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

const recordsCollection = "records"

// ofFeed finds the number that stands for (tenant, connection) in records.
const ofFeed = "(SELECT id FROM feeds WHERE tenant = ? AND connection_id = ?)"

// dumped returns the query of a collection's rows, each after its rowid.
func dumped(c store.Collection) string {
	cols := make([]string, len(c.Fields))
	for i, f := range c.Fields {
		col := "t." + columnOf(f.Name)
		if c.Name == recordsCollection {
			switch f.Name {
			case "tenant", "connectionId":
				col = "f." + columnOf(f.Name)
			case "seen":
				col = "ifnull(m.seen, 0)"
			}
		}
		if f.Type == store.TimeField {
			col = "ifnull(" + col + ", '')"
		}
		cols[i] = col
	}
	from := " FROM " + c.Name + " AS t"
	if c.Name == recordsCollection {
		from += " JOIN feeds AS f ON f.id = t.feed LEFT JOIN record_marks AS m ON m.feed = t.feed AND m.kind = t.kind AND m.id = t.id"
	}
	return "SELECT t.rowid, " + strings.Join(cols, ", ") + from
}

// keyed returns the condition that a row has a key, whose values are the arguments.
func keyed(c store.Collection) string {
	if c.Name == recordsCollection {
		return " WHERE t.feed = " + ofFeed + " AND t.kind = ? AND t.id = ?"
	}
	var conds []string
	for _, k := range c.Key {
		conds = append(conds, "t."+columnOf(k)+" = ?")
	}
	return " WHERE " + strings.Join(conds, " AND ")
}

// numbered is a row with its rowid.
type numbered struct {
	number int64
	row    store.Row
}

func scanRow(c store.Collection) func(row) (numbered, error) {
	return func(r row) (numbered, error) {
		n, into := numbered{row: store.Row{}}, []any{}
		into = append(into, &n.number)
		for _, f := range c.Fields {
			into = append(into, fieldInto(f.Type))
		}
		if err := r.Scan(into...); err != nil {
			return n, err
		}
		for i, f := range c.Fields {
			switch v := into[i+1].(type) {
			case *string:
				n.row[f.Name] = *v
			case *int64:
				n.row[f.Name] = *v
			case *bool:
				n.row[f.Name] = *v
			case *[]byte:
				n.row[f.Name] = append([]byte{}, *v...)
			}
		}
		return n, nil
	}
}

func fieldInto(t store.FieldType) any {
	switch t {
	case store.IntField:
		return new(int64)
	case store.BoolField:
		return new(bool)
	case store.BlobField:
		return new([]byte)
	}
	return new(string)
}

// Total implements [store.Origin].
func (s *Store) Total(ctx context.Context, c store.Collection) (int, error) {
	return one(ctx, s, func(r row) (n int, err error) { return n, r.Scan(&n) }, nil, "SELECT count(*) FROM "+c.Name)
}

// Dump implements [store.Origin]. A place is a rowid.
func (s *Store) Dump(ctx context.Context, c store.Collection, place string, limit int) ([]store.Row, string, error) {
	last, _ := strconv.ParseInt(place, 10, 64) // "" is 0
	list, err := many(ctx, s, scanRow(c), dumped(c)+" WHERE t.rowid > ? ORDER BY t.rowid LIMIT ?", last, limit)
	if err != nil || len(list) == 0 {
		return nil, "", err
	}
	rows := make([]store.Row, len(list))
	for i, n := range list {
		rows[i] = n.row
	}
	return rows, strconv.FormatInt(list[len(list)-1].number, 10), nil
}

// Fetch implements [store.Origin].
func (s *Store) Fetch(ctx context.Context, c store.Collection, keys []store.Row) ([]store.Row, error) {
	var found []store.Row
	query := dumped(c) + keyed(c)
	for _, k := range keys {
		list, err := many(ctx, s, scanRow(c), query, c.KeyOf(k)...)
		if err != nil {
			return nil, err
		}
		for _, n := range list {
			found = append(found, n.row)
		}
	}
	return found, nil
}

// Load implements [store.Target].
func (s *Store) Load(ctx context.Context, c store.Collection, rows []store.Row) error {
	return s.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, r := range rows {
			text, args := inserted(c, r)
			if _, err := tx.ExecContext(ctx, text, args...); err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
			if seen, _ := r["seen"].(int64); seen > 0 {
				_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO record_marks (feed, kind, id, seen) SELECT id, ?, ?, ? FROM feeds WHERE tenant = ? AND connection_id = ?",
					r["kind"], r["id"], seen, r["tenant"], r["connectionId"])
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// inserted returns the statement that adds a row, and its arguments.
func inserted(c store.Collection, r store.Row) (string, []any) {
	var cols, marks []string
	var args []any
	for _, f := range c.Fields {
		if c.Name == recordsCollection && (f.Name == "tenant" || f.Name == "connectionId" || f.Name == "seen") {
			continue
		}
		mark := "?"
		if f.Type == store.TimeField {
			mark = "nullif(?, '')"
		}
		cols, marks, args = append(cols, columnOf(f.Name)), append(marks, mark), append(args, r[f.Name])
	}
	if c.Name == recordsCollection {
		return "INSERT INTO records (feed, " + strings.Join(cols, ", ") + ") SELECT id, " + strings.Join(marks, ", ") + " FROM feeds WHERE tenant = ? AND connection_id = ?",
			append(args, r["tenant"], r["connectionId"])
	}
	return "INSERT INTO " + c.Name + " (" + strings.Join(cols, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")", args
}

// Remove implements [store.Target]. With a feed its records go.
func (s *Store) Remove(ctx context.Context, c store.Collection, keys []store.Row) error {
	texts := []string{"DELETE FROM " + c.Name + " AS t" + keyed(c)}
	switch c.Name {
	case "feeds":
		texts = append([]string{"DELETE FROM record_marks WHERE feed = " + ofFeed, "DELETE FROM records WHERE feed = " + ofFeed}, texts...)
	case recordsCollection:
		texts = append(texts, "DELETE FROM record_marks AS t"+keyed(c))
	}
	return s.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, k := range keys {
			for _, text := range texts {
				if _, err := tx.ExecContext(ctx, text, c.KeyOf(k)...); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
