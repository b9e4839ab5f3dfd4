package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// ResolveAbsences tells which rows are still in a table. One that is not was deleted, unless something may hide it:
// row-level security, or what a view or foreign table chooses to show; then it is [connectors.Gone].
func (d *Driver) ResolveAbsences(ctx context.Context, containerID string, ids []string) ([]connectors.Absence, error) {
	name, err := containerName(containerID)
	if err != nil {
		return nil, err
	}
	var there map[string]bool
	absent := connectors.Deleted
	err = d.withTable(ctx, name, func(rel *relation) error {
		var hidden bool
		if len(rel.key) == 0 {
			there, hidden, err = d.thereByHash(ctx, rel)
		} else {
			there, hidden, err = d.thereByKey(ctx, rel, ids)
		}
		if hidden || rel.kind != "r" && rel.kind != "p" {
			absent = connectors.Gone
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]connectors.Absence, len(ids))
	for i, id := range ids {
		out[i] = connectors.Absence{ID: id, Reason: absent}
		if there[id] {
			out[i].Reason = connectors.Present
		}
	}
	return out, nil
}

// hidesSQL tells whether row-level security applies to the role, and whether the database holds bytes that are no text.
// It is asked after the rows, whose lock keeps the policies as they were.
const hidesSQL = "SELECT pg_catalog.row_security_active($1::oid), pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'"

func hides(rel *relation) statement {
	return statement{sql: hidesSQL, params: []param{{oidOID, []byte(rel.oid)}}, width: 2}
}

// thereByHash returns the ids of all rows of a table without a key.
func (d *Driver) thereByHash(ctx context.Context, rel *relation) (there map[string]bool, hidden bool, err error) {
	l, err := d.idListing(rel, connectors.IDQuery{})
	if err != nil {
		return nil, false, err
	}
	hidden, _, err = d.readThere(ctx, l, l.statements())
	return l.there(), hidden, err
}

// thereByKey returns those of the ids that the rows with these keys have. The server compares keys as their index does;
// a row whose key is equal and written in another way has another id.
func (d *Driver) thereByKey(ctx context.Context, rel *relation, ids []string) (there map[string]bool, hidden bool, err error) {
	l, err := d.idListing(rel, connectors.IDQuery{})
	if err != nil {
		return nil, false, err
	}
	var b query
	if err := l.among(&b, ids); err != nil {
		return nil, false, err
	}
	stmts := l.statements()
	stmts[l.rows] = statement{sql: b.String(), params: b.params, width: len(rel.key)}
	hidden, bytes, err := d.readThere(ctx, l, stmts)
	switch {
	case strings.HasPrefix(stateOf(err), "22"):
		return nil, false, mayMend{connectors.Wrap(connectors.InvalidRequest, errors.Unwrap(err),
			"an id is none of %s, whose key has values of another type; list its rows again", rel.name)}
	case err != nil:
		return nil, false, err
	case l.more:
		return nil, false, errShape
	}
	there = l.there()
	for _, id := range ids {
		if bytes && !there[id] && strings.Contains(id, `\x`) {
			return nil, false, connectors.Errorf(connectors.Unsupported,
				"the database holds bytes of no encoding, so the id %q does not tell for sure which key it stands for", id)
		}
	}
	return there, hidden, nil
}

// readThere reads the ids, and after them whether rows may be hidden and whether texts may be bytes of no encoding.
func (d *Driver) readThere(ctx context.Context, l *idListing, stmts []statement) (hidden, bytes bool, err error) {
	stmts = append(stmts, hides(l.rel))
	err = d.read(ctx, stmts, l.restart, func(stmt int, fields []pgconn.FieldDescription, row [][]byte) error {
		if stmt == len(stmts)-1 {
			hidden, bytes = isTrue(row[0]), isTrue(row[1])
			return nil
		}
		return l.take(stmt, fields, row)
	})
	return hidden, bytes, err
}

func (l *idListing) there() map[string]bool {
	there := map[string]bool{}
	for _, id := range l.ids {
		there[id] = true
	}
	return there
}

// among writes the statement that reads the keys of the rows with these ids.
func (l *idListing) among(b *query, ids []string) error {
	names := make([]string, len(l.order))
	for i, c := range l.order {
		names[i] = quoteColumn(c.name)
	}
	keys := strings.Join(names, ", ")
	b.WriteString("SELECT " + keys + l.rel.from() + " WHERE (" + keys + ") IN (")
	for n, id := range ids {
		values, ok := keyOfID(id, len(l.order))
		if !ok {
			return mayMend{connectors.Errorf(connectors.InvalidRequest, "the id %q is none of %s, whose key has %d columns; list its rows again", id, l.id, len(l.order))}
		}
		if n > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(")
		for i, v := range values {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(b.param(param{l.order[i].oid, []byte(v)}))
		}
		b.WriteString(")")
	}
	b.WriteString(")")
	return nil
}
