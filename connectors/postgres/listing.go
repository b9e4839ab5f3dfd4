package postgres

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

const (
	// keylessRows is how many rows of a table without a usable key are listed; every page of one reads it whole.
	keylessRows = 10_000
	// pageBytes bounds the values of one page, so that memory does not grow with the size of rows.
	pageBytes = 8 << 20
	// nameRunes bounds an item's name, which repeats a column.
	nameRunes = 256
)

// listing builds one page of rows: the statement, and the items from what it returns.
type listing struct {
	rel    *relation
	q      connectors.ItemQuery
	id     string // of the container
	change change
	order  []column // what the rows are ordered by
	at     []int    // where order is in a returned row
	after  *position
	rows   int // which statement returns the rows
	size   int // how many rows the page holds at most

	items []connectors.Item
	last  [][]byte // order's values of the last item
	bytes int
	more  bool // rows follow the last item
	total int  // rows of a keyless table
	set   string

	idsOnly bool // of a table without a key: its rows come without their columns
}

func (d *Driver) listing(rel *relation, q connectors.ItemQuery) (*listing, error) {
	// Large rows have made earlier pages of the table shorter.
	l := &listing{rel: rel, q: q, id: rel.name.String(), size: q.Limit}
	if fits := int(rel.fits.Load()); fits > 0 {
		l.size = min(l.size, fits)
	}
	var fault string
	l.change, fault = d.changeOf(rel)
	if !q.UpdatedAfter.IsZero() && fault != "" {
		return nil, connectors.Errorf(connectors.Unsupported, "%s cannot be filtered by time of change: %s", rel.name, fault)
	}
	return l, l.setOrder(q.Cursor)
}

// setOrder finds what the rows are ordered by, and where the cursor stands.
func (l *listing) setOrder(c connectors.Cursor) (err error) {
	if l.filtered() && len(l.rel.key) > 0 {
		l.orderBy(l.change.at)
	}
	for _, k := range l.rel.key {
		if !l.filtered() || k != l.change.at {
			l.orderBy(k)
		}
	}
	if len(l.rel.key) == 0 {
		n := l.shown()
		l.order = []column{{name: "(row)", oid: oidText}, {name: "(copy)", oid: oidInt8}}
		l.at = []int{n, n + 1}
	}
	l.after, err = parsePosition(c, l.orderNames(), len(l.order))
	return err
}

// shown is how many columns of the table come with a row.
func (l *listing) shown() int {
	if l.idsOnly {
		return 0
	}
	return len(l.rel.columns)
}

// orderNames describes what the rows are ordered by, and of which table they are.
func (l *listing) orderNames() []string { return append(orderOf(l.order), l.rel.oid) }

func (l *listing) orderBy(i int) {
	l.order = append(l.order, l.rel.columns[i])
	l.at = append(l.at, i)
}

func (l *listing) filtered() bool { return !l.q.UpdatedAfter.IsZero() }

// limit is how many rows to ask for: one more than the page holds, to know whether it is the last.
func (l *listing) limit() int { return l.size + 1 }

// statements returns what to read; the rows are those of the last statement.
func (l *listing) statements() []statement {
	if len(l.rel.key) == 0 {
		return []statement{l.keyless()}
	}
	if l.rel.path == "" {
		return []statement{l.keyed()}
	}
	l.rows = 1
	path := statement{sql: searchPathSQL, params: []param{text(l.rel.path)}, width: 1}
	return []statement{path, l.keyed()}
}

// A type's own operators are needed for comparing keys as their index does; the role's schemas still come first.
const searchPathSQL = `SELECT pg_catalog.set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), $1), true)`

// query collects SQL with its parameters.
type query struct {
	strings.Builder
	params []param
}

func (b *query) param(p param) string {
	b.params = append(b.params, p)
	return "$" + strconv.Itoa(len(b.params))
}

// where writes the condition of updatedAfter, if any, and returns the word that the next condition begins with.
func (l *listing) where(b *query) string {
	if !l.filtered() {
		return " WHERE "
	}
	b.WriteString(" WHERE " + quoteColumn(l.rel.columns[l.change.at].name) + " >= " + b.param(l.change.since(l.q.UpdatedAfter)))
	return " AND "
}

// keyed reads the rows after a position by their key. The values of the position come as parameters of the columns'
// own types in the server's own text form, so that the comparison is the one of the index, exactly.
func (l *listing) keyed() statement {
	var b query
	b.WriteString("SELECT ")
	for i, c := range l.rel.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteColumn(c.name))
	}
	b.WriteString(l.rel.from())
	and := l.where(&b)
	names := make([]string, len(l.order))
	for i, c := range l.order {
		names[i] = quoteColumn(c.name)
	}
	order := strings.Join(names, ", ")
	if l.after != nil {
		b.WriteString(and + "(" + order + ") > (")
		for i, c := range l.order {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(b.param(param{c.oid, l.after.After[i]}))
		}
		b.WriteString(")")
	}
	b.WriteString(" ORDER BY " + order + " LIMIT " + b.param(integer(l.limit())))
	return statement{sql: b.String(), params: b.params, width: len(l.rel.columns)}
}

// restart forgets what an earlier try returned.
func (l *listing) restart() {
	l.items, l.last, l.bytes, l.more, l.total = make([]connectors.Item, 0, l.size), nil, 0, false, 0
	l.set = ""
}

// take adds a row to the page.
func (l *listing) take(stmt int, fields []pgconn.FieldDescription, row [][]byte) error {
	if stmt != l.rows || l.more {
		return nil
	}
	if !sameColumns(l.rel.columns, fields) || !l.rel.holds(fields) {
		return errStale
	}
	if len(l.rel.key) == 0 {
		if done, err := l.takeTotals(row); done || err != nil {
			return err
		}
	}
	return l.fill(row, l.rel)
}

// fill adds a row to the page, or notes that it is full. The relation remembers how many rows fit.
func (l *listing) fill(row [][]byte, rel *relation) error {
	if l.more || len(l.items) == l.size {
		l.more = true
		return nil
	}
	l.bytes += sizeOf(row)
	if len(l.items) > 0 && l.bytes > pageBytes {
		l.more = true
		rel.fits.Store(int32(len(l.items)))
		return nil
	}
	return l.add(row)
}

func sizeOf(row [][]byte) int {
	size := 0
	for _, v := range row {
		size += len(v)
	}
	return size
}

func (l *listing) add(row [][]byte) error {
	item, err := l.item(row)
	if err != nil {
		return err
	}
	l.items = append(l.items, item)
	l.last = l.last[:0]
	for _, i := range l.at {
		l.last = append(l.last, append([]byte{}, row[i]...))
	}
	return nil
}

// page returns the rows taken.
func (l *listing) page() (connectors.Page[connectors.Item], error) {
	p := connectors.Page[connectors.Item]{Items: l.items}
	if err := l.moved(); err != nil {
		return connectors.Page[connectors.Item]{}, err
	}
	var err error
	if l.more {
		p.Next, err = position{l.orderNames(), l.last, l.set}.cursor()
	}
	return p, err
}

// item builds an item from a row.
func (l *listing) item(row [][]byte) (connectors.Item, error) {
	columns := l.rel.columns
	values := make([]string, len(row))
	texts(row, values)
	it := connectors.Item{ContainerID: l.id, Type: "row", Meta: make(connectors.Meta, len(columns))}
	for i, c := range columns {
		it.Meta[i].Name = c.name
		if row[i] == nil {
			continue
		}
		v, err := c.value(values[i])
		if err != nil {
			return it, connectors.Wrap(connectors.ProviderError, err, "PostgreSQL sent a value of column %s that it cannot hold; try again", c.name)
		}
		it.Meta[i].Value = v
	}
	it.ID = l.rowID(values)
	it.Name = l.rowName(row, values, it.ID)
	if l.change.at >= 0 && row[l.change.at] != nil {
		it.UpdatedAt = timeOf(l.change.oid, values[l.change.at])
	}
	if !l.q.Raw {
		return it, nil
	}
	raw, err := it.Meta.MarshalJSON()
	it.Raw = json.RawMessage(raw)
	return it, err
}
