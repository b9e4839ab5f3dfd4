package sandbox

import (
	"slices"
	"strings"
)

// rowOrder is an order of rows that is known by arithmetic.
type rowOrder byte

const (
	unordered rowOrder = iota
	byID               // CreatedDate is the same order
	byStamp            // SystemModstamp, then id
)

// orderKey is one field of the order of the results.
type orderKey struct {
	column     *column
	descending bool
	nullsLast  bool
}

// soqlPlan is how a query is answered: the positions [from, until) of an order that is known by arithmetic, without
// what the test refuses, and the changed records put in where they belong; or, when the order is another one or the
// query names its records, a list.
type soqlPlan struct {
	org     *org
	snap    *snapshot
	object  *sobject
	all     bool       // deleted records too
	match   recordTest // nil accepts all
	keys    []orderKey
	limit   int64 // negative without one
	offset  int64
	outputs []*output

	by          rowOrder // unordered for a list
	descending  bool
	from, until int64
	exact       bool    // the positions are all that the test accepts of the generated records
	picks       []int64 // the rows that the query names
	picked      bool

	extra []int64 // changed rows that are among the results, in order
	list  []int64 // the results of a list, offset and limit applied
}

// plan checks a query and decides how to answer it.
func (c *soqlCompiler) plan() (*soqlPlan, *dataError) {
	if err := c.source(); err != nil {
		return nil, err
	}
	q := c.query
	p := &soqlPlan{org: c.org, snap: c.snap, object: c.object, all: c.all, limit: int64(q.limit), offset: int64(q.offset)}
	var err *dataError
	if p.outputs, err = c.outputs(); err != nil {
		return nil, err
	}
	if q.counted != nil {
		if _, err := c.column(*q.counted); err != nil {
			return nil, err
		}
	}
	if p.match, err = c.condition(q.where); err != nil {
		return nil, err
	}
	if p.keys, err = c.orderKeys(); err != nil {
		return nil, err
	}
	if rows, ok := c.picks(q.where); ok {
		p.picks, p.picked = rows, true
		return p, nil
	}
	c.place(p)
	return p, nil
}

// place chooses the order in which the results are looked for, and the part of it.
func (c *soqlCompiler) place(p *soqlPlan) {
	p.by, p.descending = c.arithmetic(p.keys)
	if stamp := p.object.field("SystemModstamp"); p.by == byStamp && len(p.keys) == 0 {
		p.keys = []orderKey{{column: &column{field: stamp}}}
	}
	p.until, p.exact = p.object.table.rows, true
	if p.by != unordered {
		s, exact := c.positions(c.query.where, p.by)
		p.from, p.until = max(0, s.from), min(p.until, s.until)
		p.exact = exact
	}
	p.exact = p.exact && p.object.shows == nil
}

func (c *soqlCompiler) orderKeys() ([]orderKey, *dataError) {
	var keys []orderKey
	for _, s := range c.query.order {
		col, err := c.column(s.path)
		if err != nil {
			return nil, err
		}
		if !col.field.is(sortable) {
			return nil, c.refuse(s.path.at, "MALFORMED_QUERY", "field '%s' can not be sorted in a query call", col.field.name)
		}
		keys = append(keys, orderKey{col, s.descending, s.nullsLast})
	}
	return keys, nil
}

// arithmetic tells which known order the keys are, unordered when they are none.
func (c *soqlCompiler) arithmetic(keys []orderKey) (by rowOrder, descending bool) {
	if len(keys) == 0 {
		return c.freeOrder(), false
	}
	by, descending = keys[0].column.field.orderedBy, keys[0].descending
	for _, k := range keys {
		f := k.column.field
		if !k.column.own() || k.descending != descending || f.orderedBy == unordered || (f.orderedBy != by && f.kind != "id") {
			return unordered, false
		}
		if f.kind == "id" {
			break
		}
	}
	return by, descending
}

// freeOrder chooses the order where the query leaves it open: that in which a condition leaves fewer records.
func (c *soqlCompiler) freeOrder() rowOrder {
	stamps, _ := c.positions(c.query.where, byStamp)
	ids, _ := c.positions(c.query.where, byID)
	if stamps.until-stamps.from < ids.until-ids.from {
		return byStamp
	}
	return byID
}

// positions returns which positions of an order a condition may accept, and whether it accepts all of them and
// generated records nowhere else.
func (c *soqlCompiler) positions(node soqlNode, by rowOrder) (s span, exact bool) {
	everything := span{0, c.object.table.rows}
	switch n := node.(type) {
	case nil:
		return everything, true
	case *soqlAnd:
		s, exact = everything, true
		for _, part := range n.parts {
			one, e := c.positions(part, by)
			s, exact = span{max(s.from, one.from), min(s.until, one.until)}, exact && e
		}
		return span{s.from, max(s.from, s.until)}, exact
	case *soqlOr:
		for _, part := range n.parts {
			one, _ := c.positions(part, by)
			s = s.with(one)
		}
		return s, false
	case *soqlTest:
		if n.ranged && n.column.own() && n.column.field.orderedBy == by {
			return c.testPositions(n, by), true
		}
	}
	return everything, false
}

// with returns the smallest span that has both in it.
func (s span) with(other span) span {
	switch {
	case other.from >= other.until:
		return s
	case s.from >= s.until:
		return other
	}
	return span{min(s.from, other.from), max(s.until, other.until)}
}

func (c *soqlCompiler) testPositions(n *soqlTest, by rowOrder) span {
	t := c.object.table
	if n.column.field.kind == "id" {
		return span{max(0, n.span.from), min(t.rows, n.span.until)}
	}
	key := t.created
	if by == byStamp {
		key = t.stampAt
	}
	from, until := firstAtLeast(t.rows, n.span.from, key), firstAtLeast(t.rows, n.span.until, key)
	return span{from, max(from, until)}
}

// picks returns the rows among which all results are, when a condition names them by their ids or their parents'.
func (c *soqlCompiler) picks(node soqlNode) ([]int64, bool) {
	switch n := node.(type) {
	case *soqlAnd:
		var best []int64
		found := false
		for _, part := range n.parts {
			if rows, ok := c.picks(part); ok && (!found || len(rows) < len(best)) {
				best, found = rows, true
			}
		}
		return best, found
	case *soqlOr:
		var all []int64
		for _, part := range n.parts {
			rows, ok := c.picks(part)
			if !ok {
				return nil, false
			}
			all = append(all, rows...)
		}
		slices.Sort(all)
		return slices.Compact(all), true
	case *soqlTest:
		return c.testPicks(n)
	}
	return nil, false
}

// testPicks adds all changed rows: the test decides about them.
func (c *soqlCompiler) testPicks(n *soqlTest) ([]int64, bool) {
	if len(n.ids) == 0 || !n.column.own() {
		return nil, false
	}
	children, known := c.object.children[n.column.field.name]
	if n.column.field.kind != "id" && !known {
		return nil, false
	}
	t := c.object.table
	rows := c.snap.rows(t)
	for _, id := range n.ids {
		if n.column.field.kind == "id" {
			if row, ok := t.row(id); ok && row < t.rows {
				rows = append(rows, row)
			}
			continue
		}
		if parent, ok := c.org.lookup(c.snap, id); ok && parent.row < parent.object.table.rows {
			rows = append(rows, children(parent.object, parent.row)...)
		}
	}
	slices.Sort(rows)
	return slices.Compact(rows), true
}

// keysOf returns the values that decide where a record stands.
func (p *soqlPlan) keysOf(v *view) []datum {
	values := make([]datum, len(p.keys))
	for i, k := range p.keys {
		values[i] = k.column.value(v)
	}
	return values
}

// entry is a row with what decides where it stands.
type entry struct {
	row  int64
	id   string
	keys []datum
}

func (p *soqlPlan) entry(v *view) entry { return entry{v.row, v.id(), p.keysOf(v)} }

// compare orders two results; ids decide between equal ones.
func (p *soqlPlan) compare(a, b entry) int {
	for i, k := range p.keys {
		x, y := a.keys[i], b.keys[i]
		if (x.kind == datumNull) != (y.kind == datumNull) {
			if (x.kind == datumNull) != k.nullsLast {
				return -1
			}
			return 1
		}
		if n := compareData(x, y, k.column.field); n != 0 {
			if k.descending {
				return -n
			}
			return n
		}
	}
	n := strings.Compare(a.id, b.id)
	if p.descending {
		return -n
	}
	return n
}
