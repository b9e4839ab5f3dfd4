package postgres

import (
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// keyless reads the rows of a small table without a key, in the order of a hash of each row; equal rows are numbered.
// The last columns count all rows, to notice a table that is not small, and digest them, to notice one that changed
// between two pages; they come with one row of nulls where the page has none.
func (l *listing) keyless() statement {
	var b query
	var named, row, out strings.Builder
	for i, c := range l.rel.columns {
		n := "c" + strconv.Itoa(i)
		named.WriteString(quoteColumn(c.name) + " AS " + n + ", ")
		if !l.idsOnly {
			out.WriteString("p." + n + ", ")
		}
		if i > 0 {
			row.WriteString(", ")
		}
		row.WriteString(quoteColumn(c.name))
	}
	b.WriteString("WITH b AS (SELECT " + named.String() + "encode(sha256(textsend(ROW(" + row.String() + ")::text)), 'hex') AS h")
	b.WriteString(l.rel.from())
	l.where(&b)
	b.WriteString(" LIMIT " + b.param(integer(keylessRows+1)) + "), r AS (SELECT b.*, row_number() OVER (PARTITION BY h) AS n FROM b)")
	b.WriteString(`, s AS (SELECT count(*) AS total, md5(string_agg(h, '' ORDER BY h COLLATE "C")) AS digest FROM b), p AS (SELECT r.* FROM r`)
	if l.after != nil {
		b.WriteString(` WHERE (r.h COLLATE "C", r.n) > (` + b.param(param{oidText, l.after.After[0]}) + ", " + b.param(param{oidInt8, l.after.After[1]}) + ")")
	}
	b.WriteString(` ORDER BY r.h COLLATE "C", r.n LIMIT ` + b.param(integer(l.limit())) + ")")
	b.WriteString(" SELECT " + out.String() + `p.h, p.n, s.total, s.digest FROM s LEFT JOIN p ON true ORDER BY p.h COLLATE "C", p.n`)
	return statement{sql: b.String(), params: b.params, width: l.shown() + 4}
}

// takeTotals takes what a row of a keyless table tells of all rows; done says that it is no row itself.
func (l *listing) takeTotals(row [][]byte) (done bool, err error) {
	n := l.shown()
	l.set = string(row[n+3])
	if l.total, err = strconv.Atoi(string(row[n+2])); err != nil {
		return true, errShape
	}
	return row[n] == nil, nil
}

// moved says why the page cannot follow the one before it. Without a key that takes all rows to be the same.
func (l *listing) moved() error {
	switch {
	case len(l.rel.key) > 0 || l.after == nil:
		return nil
	case l.total > keylessRows:
		return l.tooMany()
	case l.set != l.after.Set:
		return connectors.Errorf(connectors.ProviderError,
			"the rows of %s changed while they were read, and without a primary key or unique index over NOT NULL columns there is no way to go on; start again, or read a table that has a key", l.id)
	}
	return nil
}

func (l *listing) tooMany() error {
	return connectors.Errorf(connectors.Unsupported,
		"%s has more than %d rows and no primary key or unique index over NOT NULL columns to page them by; add one, or read a table that has one", l.id, keylessRows)
}
