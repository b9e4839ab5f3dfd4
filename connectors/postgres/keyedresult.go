package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// keyedResult returns one page of a result in the order of its key, and errNoKey if that is none.
func (d *Driver) keyedResult(ctx context.Context, r *result, q connectors.ItemQuery) (p connectors.Page[connectors.Item], err error) {
	base, err := d.resultListing(r, q, true)
	if err != nil {
		return p, err
	}
	l := &keyedListing{listing: base, res: r}
	if err := d.runListing(ctx, r, l.statements(), l.restart, l.take); err != nil {
		return p, err
	}
	if l.twins {
		return p, errNoKey
	}
	return l.page()
}

// keyedListing is a listing of a user's query by a key that may turn out to be none.
type keyedListing struct {
	*listing
	res   *result
	check int // which statement looks at the key; -1 without
	twins bool
}

// statements returns what to read. The first page looks for rows without a key, which no page would hold, and for
// equal keys in what a listing without a key would hold, so that a small result never fails on a later page.
func (l *keyedListing) statements() []statement {
	var out []statement
	path := func() {
		if l.rel.path != "" {
			out = append(out, statement{sql: searchPathSQL, params: []param{text(l.rel.path)}, width: 1})
		}
	}
	path()
	l.check = -1
	if l.after == nil {
		l.check = len(out)
		out = append(out, l.checked())
		path() // the query may have changed it
	}
	l.rows = len(out)
	return append(out, l.keyed())
}

// checked tells in one row whether the key is null somewhere or comes twice.
func (l *keyedListing) checked() statement {
	var b query
	keys, isNull := columnList("b.", l.rel.key), ""
	for i, k := range l.rel.key {
		if i > 0 {
			isNull += " OR "
		}
		isNull += columnList("b.", []int{k}) + " IS NULL"
	}
	b.WriteString("SELECT count(*) FILTER (WHERE g.n > 1 OR g.z) > 0")
	if l.res.nullKey {
		for _, k := range l.rel.key {
			b.WriteString(" OR EXISTS (SELECT FROM " + l.res.as() + " WHERE " + columnList("q.", []int{k}) + " IS NULL)")
		}
	}
	b.WriteString(" FROM (SELECT count(*) AS n, bool_or(" + isNull + ") AS z FROM (SELECT " + columnList("q.", l.rel.key) + " FROM " + l.res.as() +
		" LIMIT " + b.param(integer(keylessRows+1)) + ") AS b GROUP BY " + keys + ") AS g")
	return statement{sql: b.String(), params: b.params, width: 1}
}

// keyed reads the rows after a position by their key, and tells of each whether it shares it with the one before.
func (l *keyedListing) keyed() statement {
	var b query
	order := columnList("q.", l.rel.key)
	b.WriteString("SELECT " + columnList("p.", l.res.all()) + ", rank() OVER w < row_number() OVER w FROM (SELECT q.* FROM " + l.res.as())
	if l.after != nil {
		b.WriteString(" WHERE (" + order + ") > (")
		for i, c := range l.order {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(b.param(param{c.oid, l.after.After[i]}))
		}
		b.WriteString(")")
	}
	b.WriteString(" ORDER BY " + order + " LIMIT " + b.param(integer(l.limit())) + ") AS p WINDOW w AS (ORDER BY " +
		columnList("p.", l.rel.key) + ") ORDER BY " + columnList("p.", l.rel.key))
	return statement{sql: b.String(), params: b.params, width: len(l.rel.columns) + 1}
}

func (l *keyedListing) restart() {
	l.listing.restart()
	l.twins = false
}

func (l *keyedListing) take(stmt int, fields []pgconn.FieldDescription, row [][]byte) error {
	if stmt == l.check {
		l.twins = isTrue(row[0])
		return nil
	}
	if stmt != l.rows {
		return nil
	}
	if !sameColumns(l.rel.columns, fields) {
		return errStale
	}
	l.twins = l.twins || isTrue(row[len(l.rel.columns)])
	return l.fill(row, l.res.rel)
}
