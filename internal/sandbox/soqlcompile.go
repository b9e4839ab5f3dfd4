package sandbox

import (
	"math"
	"slices"
	"strings"
)

// soqlCompiler turns a query into a plan.
type soqlCompiler struct {
	org    *org
	snap   *snapshot
	object *sobject
	query  *soqlQuery
	all    bool // deleted records too
}

// recordTest reports whether a record is accepted.
type recordTest func(v *view) bool

func (c *soqlCompiler) refuse(at int, code, format string, args ...any) *dataError {
	return soqlError(c.query.text, at, code, format, args...)
}

// source finds the object of the query and whether the user may read it.
func (c *soqlCompiler) source() *dataError {
	o, ok := c.org.object(c.query.from)
	switch {
	case !ok:
		return c.refuse(c.query.fromAt, "INVALID_TYPE", "sObject type '%s' is not supported. If you are attempting to use a custom object, be sure to "+
			"append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.", clipText(c.query.from, 80))
	case o.is(denied):
		return &dataError{status: 403, code: "INSUFFICIENT_ACCESS", message: "insufficient access rights on entity: " + o.name}
	case !o.is(queryable):
		return &dataError{status: 400, code: "INVALID_TYPE_FOR_OPERATION", message: "entity type " + o.name + " does not support query"}
	}
	c.object = o
	return nil
}

// outputs finds what is selected.
func (c *soqlCompiler) outputs() ([]*output, *dataError) {
	var paths []soqlPath
	groups := c.query.groups
	for i := 0; i <= len(c.query.fields); i++ {
		for ; len(groups) > 0 && groups[0].place == i; groups = groups[1:] {
			fields, err := c.group(groups[0])
			if err != nil {
				return nil, err
			}
			paths = append(paths, fields...)
		}
		if i < len(c.query.fields) {
			paths = append(paths, c.query.fields[i])
		}
	}
	var out []*output
	for _, path := range paths {
		col, err := c.column(path)
		if err == nil {
			err = c.addOutput(&out, col, path.at)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// group returns the fields that FIELDS(…) stands for.
func (c *soqlCompiler) group(group soqlGroup) ([]soqlPath, *dataError) {
	if group.name != "custom" && (c.query.limit < 0 || c.query.limit > 200) {
		return nil, c.refuse(group.at, "MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most 200")
	}
	var paths []soqlPath
	for _, f := range c.object.fields {
		if group.name == "all" || f.is(custom) == (group.name == "custom") {
			paths = append(paths, soqlPath{parts: []string{f.name}, at: group.at})
		}
	}
	return paths, nil
}

// condition makes the test of a WHERE; nil accepts all.
func (c *soqlCompiler) condition(node soqlNode) (recordTest, *dataError) {
	switch n := node.(type) {
	case *soqlAnd:
		tests, err := c.conditions(n.parts)
		return func(v *view) bool {
			for _, test := range tests {
				if !test(v) {
					return false
				}
			}
			return true
		}, err
	case *soqlOr:
		tests, err := c.conditions(n.parts)
		return func(v *view) bool {
			for _, test := range tests {
				if test(v) {
					return true
				}
			}
			return false
		}, err
	case *soqlNot:
		test, err := c.condition(n.part)
		return func(v *view) bool { return !test(v) }, err
	case *soqlTest:
		return c.test(n)
	}
	return nil, nil
}

func (c *soqlCompiler) conditions(parts []soqlNode) ([]recordTest, *dataError) {
	tests := make([]recordTest, len(parts))
	for i, part := range parts {
		test, err := c.condition(part)
		if err != nil {
			return nil, err
		}
		tests[i] = test
	}
	return tests, nil
}

// test makes the test of one comparison, and notes for the planner what it means.
func (c *soqlCompiler) test(t *soqlTest) (recordTest, *dataError) {
	col, err := c.column(t.path)
	if err != nil {
		return nil, err
	}
	f := col.field
	if !f.is(filterable) {
		return nil, c.refuse(t.path.at, "INVALID_FIELD", "field '%s' can not be filtered in a query call", f.name)
	}
	if err := c.checkOperator(t, f); err != nil {
		return nil, err
	}
	for i := range t.values {
		if err := c.checkValue(t, f, &t.values[i]); err != nil {
			return nil, err
		}
	}
	t.column = col
	accepts := c.acceptor(t, f)
	negated := t.operator == "!=" || t.operator == "not in"
	return func(v *view) bool { return accepts(col.value(v)) != negated }, nil
}

func (c *soqlCompiler) checkOperator(t *soqlTest, f *sfield) *dataError {
	compares := t.operator[0] == '<' || t.operator[0] == '>'
	switch {
	case t.operator == "like" && !f.isText(), compares && (f.kind == "boolean" || f.kind == "multipicklist"):
		return c.refuse(t.at, "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on %s field", f.kind)
	case compares && t.values[0].kind == soqlNull:
		return c.refuse(t.at, "INVALID_QUERY_FILTER_OPERATOR", "invalid operator: null can only be compared with = and !=")
	case t.operator == "like" && t.values[0].kind != soqlText:
		return c.refuse(t.values[0].at, "INVALID_FIELD", "value of filter criterion for field '%s' must be of type string and should be enclosed in quotes", f.name)
	}
	return nil
}

// checkValue refuses values that are not of the field's type, and completes ids.
func (c *soqlCompiler) checkValue(t *soqlTest, f *sfield, v *soqlValue) *dataError {
	if v.kind == soqlNull {
		return nil
	}
	if f.isID() {
		full, valid := fullID(v.text)
		if v.kind != soqlText || !valid {
			return c.refuse(t.path.at, "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: %s", clipText(v.text, 80))
		}
		v.text = full
		return nil
	}
	if ok, kind, quotes := fitsField(f, v.kind); !ok {
		return c.refuse(t.path.at, "INVALID_FIELD", "value of filter criterion for field '%s' must be of type %s and %s", f.name, kind, quotes)
	}
	return nil
}

// fitsField reports whether a value of that kind can be compared with the field, and what one must be.
func fitsField(f *sfield, v soqlValueKind) (ok bool, kind, quotes string) {
	kind, quotes = f.kind, "should not be enclosed in quotes"
	switch {
	case kind == "datetime":
		return v == soqlMoment || v == soqlRange, "dateTime", quotes
	case kind == "date":
		return v == soqlDate || v == soqlRange, kind, quotes
	case kind == "boolean":
		return v == soqlBool, kind, quotes
	case f.isNumber():
		return v == soqlNumber, kind, quotes
	}
	return v == soqlText, "string", "should be enclosed in quotes"
}

// acceptor makes the test of a value, before != and NOT IN turn it round.
func (c *soqlCompiler) acceptor(t *soqlTest, f *sfield) func(d datum) bool {
	first := t.values[0]
	temporal := f.kind == "datetime" || f.kind == "date"
	switch {
	case t.operator == "like":
		pattern := newLikePattern(first.like)
		return func(d datum) bool { return d.kind == datumText && pattern.matches(d.text) }
	case temporal && (len(t.values) > 1 || first.kind == soqlNull || strings.HasSuffix(t.operator, "in")):
		return withinOne(slices.Clone(t.values))
	case temporal:
		t.span, t.ranged = accepted(t.operator, first.span), t.operator != "!="
		return within(t.span)
	case t.operator[0] == '<' || t.operator[0] == '>':
		return c.comparison(t, f)
	}
	return c.membership(t, f)
}

// within accepts moments, and no missing one.
func within(s span) func(d datum) bool {
	return func(d datum) bool { return d.kind != datumNull && d.at >= s.from && d.at < s.until }
}

func withinOne(values []soqlValue) func(d datum) bool {
	return func(d datum) bool {
		return slices.ContainsFunc(values, func(v soqlValue) bool {
			if v.kind == soqlNull {
				return d.kind == datumNull
			}
			return within(v.span)(d)
		})
	}
}

// comparison makes the test of <, <=, > and >=, which nothing passes that is missing.
func (c *soqlCompiler) comparison(t *soqlTest, f *sfield) func(d datum) bool {
	first := t.values[0]
	if f.kind == "id" && t.column.own() {
		t.span, t.ranged = c.idSpan(t.operator, first.text), true
	}
	bound := valueDatum(first)
	return func(d datum) bool {
		if d.kind == datumNull {
			return false
		}
		n := compareData(d, bound, f)
		return n < 0 && t.operator[0] == '<' || n > 0 && t.operator[0] == '>' || n == 0 && len(t.operator) == 2
	}
}

// accepted returns the moments that a comparison with a span of them accepts; "!=" gives those of "=".
func accepted(operator string, s span) span {
	switch operator {
	case ">":
		return span{s.until, math.MaxInt64}
	case ">=":
		return span{s.from, math.MaxInt64}
	case "<":
		return span{math.MinInt64, s.from}
	case "<=":
		return span{math.MinInt64, s.until}
	}
	return s
}

// idSpan returns the generated rows whose ids a comparison accepts.
func (c *soqlCompiler) idSpan(operator, id string) span {
	t := c.object.table
	low := firstAtLeast(t.rows, 0, func(row int64) int64 { return int64(strings.Compare(t.id(row), id)) })
	high := low
	if low < t.rows && t.id(low) == id {
		high++
	}
	return accepted(operator, span{low, high})
}

// membership makes the test of being one of the values.
func (c *soqlCompiler) membership(t *soqlTest, f *sfield) func(d datum) bool {
	fold := func(s string) string {
		if f.isID() {
			return s
		}
		return strings.ToLower(s)
	}
	set := map[datum]bool{}
	for _, v := range t.values {
		d := valueDatum(v)
		d.text = fold(d.text)
		set[d] = true
		t.ids = append(t.ids, v.text)
	}
	if !f.isID() || set[nothing] || t.operator == "!=" || t.operator == "not in" {
		t.ids = nil
	}
	return func(d datum) bool {
		d.text = fold(d.text)
		return set[d]
	}
}

func valueDatum(v soqlValue) datum {
	switch v.kind {
	case soqlText:
		return textDatum(v.text)
	case soqlNumber:
		return numberDatum(v.number)
	case soqlBool:
		return boolDatum(v.yes)
	}
	return nothing
}
