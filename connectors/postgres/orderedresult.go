package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// sequence is a position in a result without a key: after how many rows, and digests of them, since the position means
// nothing in another result. The rows of the last page are digested apart: only their reader knew where it would end.
type sequence struct {
	From   int    `json:"from"` // rows before the last page
	To     int    `json:"to"`   // rows up to its end
	Before string `json:"before"`
	Page   string `json:"page"`
}

// isSequence reports whether the cursor is a sequence.
func isSequence(c connectors.Cursor) bool {
	var s sequence
	return json.Unmarshal([]byte(c), &s) == nil && s.To > 0
}

func parseSequence(c connectors.Cursor) (s sequence, err error) {
	if c == "" {
		return s, nil
	}
	err = json.Unmarshal([]byte(c), &s)
	if err != nil || s.From < 0 || s.To <= s.From || s.To > keylessRows {
		return s, connectors.Errorf(connectors.InvalidRequest, "the cursor is damaged, or the query's result is not what it was; start without one")
	}
	return s, nil
}

// orderedResult returns one page of a result in its own order.
func (d *Driver) orderedResult(ctx context.Context, r *result, q connectors.ItemQuery) (p connectors.Page[connectors.Item], err error) {
	at, err := parseSequence(q.Cursor)
	if err != nil {
		return p, err
	}
	if at.To >= keylessRows {
		return p, connectors.Errorf(connectors.Unsupported,
			"the query returns more than %d rows, and there is no key to page them by: leave out ORDER BY and select a table's primary key with its rows, name columns that tell the rows apart in query_key, or narrow the query", keylessRows)
	}
	base, err := d.resultListing(r, q, false)
	if err != nil {
		return p, err
	}
	n := len(r.rel.columns)
	base.at, base.size = []int{n, n + 1}, min(base.size, keylessRows-at.To)
	l := &orderedListing{listing: base, res: r, from: at}
	if err := d.runListing(ctx, r, []statement{l.statement()}, l.restart, l.take); err != nil {
		return p, err
	}
	return l.page()
}

// orderedListing is a listing of a user's query in its own order.
type orderedListing struct {
	*listing
	res     *result
	from    sequence
	found   sequence // what the digests of earlier pages are now
	whole   string   // of all rows before this page
	seen    bool
	digests []byte // digests of this page's rows
}

// statement reads the result up to the end of the page, with a digest of every row, a number among equal rows, and
// digests of the rows of earlier pages. Those come with one row of nulls where the page has none.
func (l *orderedListing) statement() statement {
	var b query
	from, to := b.param(integer(l.from.From)), b.param(integer(l.from.To))
	digest := func(rows string) string {
		return "encode(sha256(textsend(string_agg(r.h, '' ORDER BY r.rn) FILTER (WHERE " + rows + "))), 'hex')"
	}
	columns := func(prefix string) string {
		if len(l.rel.columns) == 0 {
			return ""
		}
		return columnList(prefix, l.res.all()) + ", "
	}
	b.WriteString("WITH b AS (SELECT q.*, row_number() OVER () AS rn FROM " + l.res.as() + " LIMIT " + b.param(integer(l.from.To+l.limit())) +
		"), r AS (SELECT b.*, encode(sha256(textsend(ROW(" + columnList("b.", l.res.all()) + ")::text)), 'hex') AS h FROM b" +
		"), o AS (SELECT r.*, row_number() OVER (PARTITION BY r.h ORDER BY r.rn) AS n FROM r" +
		"), s AS (SELECT " + digest("r.rn <= "+from) + " AS before, " + digest("r.rn > "+from+" AND r.rn <= "+to) + " AS page, " +
		digest("r.rn <= "+to) + " AS whole FROM r)" +
		" SELECT " + columns("p.") + "p.h, p.n, s.before, s.page, s.whole FROM s LEFT JOIN (SELECT o.* FROM o WHERE o.rn > " + to + ") AS p ON true ORDER BY p.rn")
	return statement{sql: b.String(), params: b.params, width: len(l.rel.columns) + 5}
}

func (l *orderedListing) restart() {
	l.listing.restart()
	l.found, l.whole, l.seen, l.digests = sequence{}, "", false, nil
}

func (l *orderedListing) take(_ int, fields []pgconn.FieldDescription, row [][]byte) error {
	if !sameColumns(l.rel.columns, fields) {
		return errStale
	}
	n := len(l.rel.columns)
	l.seen, l.whole = true, string(row[n+4])
	l.found = sequence{Before: string(row[n+2]), Page: string(row[n+3])}
	if row[n] == nil {
		return nil
	}
	had := len(l.items)
	if err := l.fill(row, l.res.rel); err != nil {
		return err
	}
	if len(l.items) > had {
		l.digests = append(l.digests, row[n]...)
	}
	return nil
}

// page returns the rows taken, if those before them are what earlier pages returned.
func (l *orderedListing) page() (connectors.Page[connectors.Item], error) {
	none := connectors.Page[connectors.Item]{}
	switch {
	case !l.seen:
		return none, errShape
	case l.found.Before != l.from.Before || l.found.Page != l.from.Page:
		return none, connectors.Errorf(connectors.ProviderError,
			"the rows of the query changed while they were read, or come in another order each time, and without a key there is no way to go on; start again, or let the query return a table's primary key and leave out ORDER BY")
	}
	p := connectors.Page[connectors.Item]{Items: l.items}
	if !l.more {
		return p, nil
	}
	digest := sha256.Sum256(l.digests)
	next, err := json.Marshal(sequence{
		From: l.from.To, To: l.from.To + len(l.items), Before: l.whole, Page: hex.EncodeToString(digest[:]),
	})
	p.Next = connectors.Cursor(next)
	return p, err
}
