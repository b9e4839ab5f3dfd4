package postgres

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// queryRows returns one page of the rows of a user's query.
//
// A query whose result has a key, and that has no ORDER BY but by it, is paged by that key, in its order. The server checks
// on every page that no two rows share it, so that none is lost between two pages. Any other result, and that of a query that
// picks some of its rows by a LIMIT or the like, is read in its own
// order from the beginning for every page, up to keylessRows rows, and every page checks that the rows of the pages
// before it are still the same.
func (d *Driver) queryRows(ctx context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	if err := queryAlone(q); err != nil {
		return connectors.Page[connectors.Item]{}, err
	}
	var page connectors.Page[connectors.Item]
	err := d.withResult(ctx, q.Query, func(r *result) (err error) {
		page, err = d.queryPage(ctx, r, q)
		return err
	})
	return page, err
}

// withResult calls f with what is known of a query's result. If that does not fit any more, the server is asked and f
// called once again.
func (d *Driver) withResult(ctx context.Context, text string, f func(*result) error) error {
	for fresh := false; ; fresh = true {
		r, err := d.result(ctx, text, fresh)
		if err != nil {
			return err
		}
		err = f(r)
		var mend mayMend
		again := errors.As(err, &mend)
		if again {
			err = mend.error
		}
		if fresh || !again && !errors.Is(err, errStale) {
			return err
		}
	}
}

// queryAlone refuses what a query takes the place of.
func queryAlone(q connectors.ItemQuery) error {
	var faults []connectors.Fault
	if q.ContainerID != "" {
		faults = append(faults, connectors.Fault{Field: "containerId", Message: "cannot be given together with query; name the table in the query"})
	}
	if !q.UpdatedAfter.IsZero() {
		faults = append(faults, connectors.Fault{Field: "updatedAfter", Message: "cannot be given together with query; write the condition into the query"})
	}
	return connectors.InvalidFields(faults...)
}

func (d *Driver) queryPage(ctx context.Context, r *result, q connectors.ItemQuery) (p connectors.Page[connectors.Item], err error) {
	keyed := len(r.rel.key) > 0 && !r.ordered && !r.picks
	if q.Cursor != "" {
		// The first page has found out whether the key serves.
		keyed = keyed && !isSequence(q.Cursor)
	}
	if keyed {
		p, err = d.keyedResult(ctx, r, q)
		if !errors.Is(err, errNoKey) || q.Cursor != "" {
			return p, err
		}
	}
	return d.orderedResult(ctx, r, q)
}

// errNoKey says that the columns taken for a key do not tell the rows of a result apart.
var errNoKey = connectors.Errorf(connectors.Unsupported,
	"two rows of the query's result share the key that they are paged by; give the query an ORDER BY, or name columns that tell its rows apart in query_key")

// as returns the query as a table q whose columns are c0, c1, …: their own names may come twice.
func (r *result) as() string {
	names := make([]string, len(r.rel.columns))
	for i := range names {
		names[i] = "c" + strconv.Itoa(i)
	}
	columns := ""
	if len(names) > 0 {
		columns = "(" + strings.Join(names, ", ") + ")"
	}
	return "(\n" + r.text + "\n) AS q" + columns
}

// columnList returns columns of q by their positions.
func columnList(prefix string, positions []int) string {
	names := make([]string, len(positions))
	for i, p := range positions {
		names[i] = prefix + "c" + strconv.Itoa(p)
	}
	return strings.Join(names, ", ")
}

// all returns the positions of all columns.
func (r *result) all() []int {
	out := make([]int, len(r.rel.columns))
	for i := range out {
		out[i] = i
	}
	return out
}

// resultListing returns the listing of a result with a key, or of the same as one without.
func (d *Driver) resultListing(r *result, q connectors.ItemQuery, keyed bool) (*listing, error) {
	rel := r.rel
	if !keyed {
		rel = &relation{oid: rel.oid, columns: rel.columns, text: rel.text}
	}
	l := &listing{rel: rel, q: q, size: q.Limit, change: d.changeIn(rel)}
	if fits := int(r.rel.fits.Load()); fits > 0 {
		l.size = min(l.size, fits)
	}
	for _, k := range rel.key {
		l.orderBy(k)
	}
	var err error
	if keyed {
		l.after, err = parsePosition(q.Cursor, l.orderNames(), len(l.order))
	}
	return l, err
}

// changeIn finds the column of a result that tells when a row was changed, if it has one.
func (d *Driver) changeIn(rel *relation) change {
	for i, c := range rel.columns {
		if c.name == d.changes.general && isTime(c.oid) {
			return change{i, c.oid}
		}
	}
	return change{at: -1}
}

// runListing reads the page of a listing of a user's query.
func (d *Driver) runListing(ctx context.Context, r *result, stmts []statement, restart func(), rows take) error {
	err := d.do(ctx, work{stmts: stmts, restart: restart, rows: rows, foreign: true})
	if err == nil {
		return nil
	}
	state, err := sqlState(err), d.ofQuery(ctx, err, r.text, "")
	if outdated(state) {
		return mayMend{err} // the query was sound when its result was described
	}
	return err
}
