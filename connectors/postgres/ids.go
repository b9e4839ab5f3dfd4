package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// ListIDs returns one page of the ids of a table's rows, in the order of its key. Nothing but the key is read, so that
// its index is enough. A table without a usable key is [connectors.Unsupported] beyond keylessRows rows.
func (d *Driver) ListIDs(ctx context.Context, q connectors.IDQuery) (connectors.Page[string], error) {
	var page connectors.Page[string]
	name, err := containerName(q.ContainerID)
	if err != nil {
		return page, err
	}
	err = d.withTable(ctx, name, func(rel *relation) error {
		l, err := d.idListing(rel, q)
		if err != nil {
			return mayMend{err}
		}
		if err := d.read(ctx, l.statements(), l.restart, l.take); err != nil {
			return err
		}
		page, err = l.page()
		return err
	})
	return page, err
}

// idListing builds one page of ids.
type idListing struct {
	*listing
	ids    []string
	values []string
}

func (d *Driver) idListing(rel *relation, q connectors.IDQuery) (*idListing, error) {
	l := &listing{
		rel: rel.narrow(), id: rel.name.String(), size: connectors.MaxIDs, change: change{at: -1}, idsOnly: len(rel.key) == 0,
	}
	err := l.setOrder(q.Cursor)
	return &idListing{listing: l}, err
}

// narrow returns the relation with no columns but its key's, or itself without one.
func (r *relation) narrow() *relation {
	if len(r.key) == 0 {
		return r
	}
	out := &relation{name: r.name, kind: r.kind, oid: r.oid, path: r.path}
	for i, k := range r.key {
		out.columns = append(out.columns, r.columns[k])
		out.key = append(out.key, i)
	}
	return out
}

func (l *idListing) restart() {
	l.ids, l.bytes, l.more, l.last = make([]string, 0, l.size), 0, false, make([][]byte, len(l.at))
}

func (l *idListing) take(stmt int, fields []pgconn.FieldDescription, row [][]byte) error {
	if stmt != l.rows || l.more {
		return nil
	}
	if none, err := l.check(fields, row); none || err != nil {
		return err
	}
	l.bytes += sizeOf(row)
	if len(l.ids) == l.size || len(l.ids) > 0 && l.bytes > pageBytes {
		l.more = true
		return nil
	}
	if l.values == nil {
		l.values = make([]string, len(row))
	}
	texts(row, l.values)
	l.ids = append(l.ids, l.rowID(l.values))
	for i, at := range l.at {
		l.last[i] = append(l.last[i][:0], row[at]...)
	}
	return nil
}

// check looks whether the row is one of the table as it is known; none says that it only tells that there is no row.
func (l *idListing) check(fields []pgconn.FieldDescription, row [][]byte) (none bool, err error) {
	if !l.idsOnly {
		if !sameColumns(l.rel.columns, fields) || !l.rel.holds(fields) {
			err = errStale
		}
		return false, err
	}
	none, err = l.takeTotals(row)
	if err == nil && l.total > keylessRows {
		err = l.tooMany()
	}
	return none, err
}

func (l *idListing) page() (connectors.Page[string], error) {
	p := connectors.Page[string]{Items: l.ids}
	var err error
	if l.more {
		for i, v := range l.last {
			l.last[i] = append([]byte{}, v...) // an empty value is not null
		}
		p.Next, err = position{l.orderNames(), l.last, l.set}.cursor()
	}
	return p, err
}
