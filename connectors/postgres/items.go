package postgres

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// ListItems returns one page of the rows of a query, or of a table's in the order of its key, or of its change column with UpdatedAfter. A
// page may hold fewer rows than asked for when they are large. A table without a usable key is [connectors.Unsupported]
// beyond keylessRows rows; a table that vanished is [connectors.NotFound].
func (d *Driver) ListItems(ctx context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	if q.Query != "" {
		return d.queryRows(ctx, q)
	}
	name, err := containerName(q.ContainerID)
	if err != nil {
		return connectors.Page[connectors.Item]{}, err
	}
	var page connectors.Page[connectors.Item]
	err = d.withTable(ctx, name, func(rel *relation) error {
		l, err := d.listing(rel, q)
		if err != nil {
			return mayMend{err}
		}
		if err := d.read(ctx, l.statements(), l.restart, l.take); err != nil {
			return err
		}
		if page, err = l.page(); err == nil && page.Next == "" && rel.hidden != "" {
			page.Incomplete = append(page.Incomplete, rel.gap())
		}
		return err
	})
	return page, err
}

// gap names the rows that no listing gives.
func (r *relation) gap() connectors.Gap {
	return connectors.Gap{ContainerID: r.name.String(), Code: connectors.Unsupported, Reason: "the rows of its inheritance child " + r.hidden +
		" are in no listing, because the role may not read that table by itself: GRANT SELECT ON it"}
}

// mayMend is an error of a table's key or columns, which may have been mended since they were read.
type mayMend struct{ error }

// withTable calls f with what is known of a table. If that does not fit any more, the catalog is asked and f called
// once again. Errors name the table.
func (d *Driver) withTable(ctx context.Context, name tableName, f func(*relation) error) error {
	for fresh := false; ; fresh = true {
		rel, err := d.relation(ctx, name, fresh)
		if err != nil {
			return d.ofTable(name, err)
		}
		err = f(rel)
		var mend mayMend
		again := errors.As(err, &mend)
		if again {
			err = mend.error
		}
		if fresh || !again && !errors.Is(err, errStale) && !outdated(stateOf(err)) {
			return d.ofTable(name, err)
		}
	}
}

// containerName reads the id of a container.
func containerName(id string) (tableName, error) {
	if id == "" {
		return tableName{}, connectors.InvalidFields(connectors.Fault{
			Field: "containerId", Message: "name a table as schema.table; PostgreSQL lists the rows of one at a time",
		})
	}
	name, err := parseTableName(id)
	if err != nil {
		return name, connectors.InvalidFields(connectors.Fault{Field: "containerId", Message: err.Error()})
	}
	return name, nil
}

// errStale says that a description of a table is out of date.
var errStale = connectors.Errorf(connectors.ProviderError, "the table was altered while it was read; try again")

// outdated reports whether the server's answer may come from a table that was altered since it was described.
func outdated(state string) bool {
	return state == stateNoTable || state == stateNoColumn || state == stateNoOperator || state == stateOtherColumns
}

// ofTable names the table in errors that are about it.
func (d *Driver) ofTable(name tableName, err error) error {
	var coded *connectors.Error
	switch {
	case err == nil:
		return nil
	case stateOf(err) == stateNoPrivilege:
		return connectors.Denied(err,
			"reading %s needs a privilege that the role %s or the owner of the view lacks, on a table or function behind it; GRANT it, or connect with another role", name, d.user)
	case errors.As(err, &coded):
		return coded
	}
	return connectors.Wrap(connectors.ProviderError, err, "the rows of %s could not be read; try again", name)
}

// change is the column that tells when a row was changed.
type change struct {
	at  int // position in relation.columns; -1 without
	oid uint32
}

// changeOf finds a table's change column. The fault says what to do when there is none.
func (d *Driver) changeOf(r *relation) (change, string) {
	name, single := d.changes.of(r.name)
	if name == "" {
		return change{at: -1}, "set updated_column (or updated_columns with " + r.name.String() + "=column) to the column that tells when a row was changed"
	}
	for i, c := range r.columns {
		if c.name != name {
			continue
		}
		if isTime(c.oid) {
			return change{i, c.oid}, ""
		}
		return change{at: -1}, "its change column " + name + " is neither a timestamp nor a date; name another in updated_columns"
	}
	if single {
		return change{at: -1}, "its change column " + name + " does not exist or may not be read; correct updated_columns"
	}
	return change{at: -1}, "it has no column " + name + " that may be read; name its change column in updated_columns as " + r.name.String() + "=column"
}

// isTime reports whether a column of that type can tell when a row was changed.
func isTime(oid uint32) bool { return oid == oidTimestamptz || oid == oidTimestamp || oid == oidDate }

// since returns the time as a parameter of the change column's type, rounded up to what PostgreSQL stores.
func (c change) since(t time.Time) param {
	t = t.UTC()
	if t.Year() < 1 {
		t = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC) // PostgreSQL has no year 0, and nothing was changed before it
	}
	if c.oid == oidDate {
		return param{c.oid, []byte(t.Format(time.DateOnly))}
	}
	if up := t.Truncate(time.Microsecond); up.Before(t) {
		t = up.Add(time.Microsecond)
	}
	layout := "2006-01-02 15:04:05.999999"
	if c.oid == oidTimestamptz {
		layout += "+00"
	}
	return param{c.oid, []byte(t.Format(layout))}
}

// texts copies the values of a row, as parts of one string.
func texts(row [][]byte, into []string) {
	var all strings.Builder
	all.Grow(sizeOf(row))
	for _, v := range row {
		all.Write(v)
	}
	s, from := all.String(), 0
	for i, v := range row {
		into[i] = s[from : from+len(v)]
		from += len(v)
	}
}

// holds reports whether the columns of a listing by key come from this very table, not from another of its name.
func (r *relation) holds(fields []pgconn.FieldDescription) bool {
	return len(r.key) == 0 || strconv.FormatUint(uint64(fields[0].TableOID), 10) == r.oid
}

func sameColumns(columns []column, fields []pgconn.FieldDescription) bool {
	if len(fields) < len(columns) {
		return false
	}
	for i, c := range columns {
		if fields[i].DataTypeOID != c.oid {
			return false
		}
	}
	return true
}
