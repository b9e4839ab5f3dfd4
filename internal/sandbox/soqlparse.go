package sandbox

import (
	"strconv"
	"strings"
	"time"
)

// Bounds of a query.
const (
	maxSOQL       = 100_000 // characters
	maxSOQLDepth  = 100     // brackets within each other
	maxSOQLOffset = 2_000
)

// soqlParser reads the part of SOQL that
// https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm describes
// without aggregates, subqueries, TYPEOF and data categories: these are refused as malformed.
type soqlParser struct {
	query  string
	tokens []soqlToken
	next   int
	depth  int
	now    time.Time
}

func parseSOQL(query string, now time.Time) (*soqlQuery, *dataError) {
	if len(query) > maxSOQL {
		return nil, &dataError{status: 400, code: "MALFORMED_QUERY", message: "SOQL statements cannot be longer than 100000 characters."}
	}
	tokens, err := lexSOQL(query)
	if err != nil {
		return nil, err
	}
	p := &soqlParser{query: query, tokens: tokens, now: now}
	q := &soqlQuery{text: query, limit: -1}
	for _, part := range []func(*soqlQuery) *dataError{p.selects, p.from, p.wheres, p.orders, p.bounds} {
		if err := part(q); err != nil {
			return nil, err
		}
	}
	if p.peek().kind != soqlEnd {
		return nil, p.unexpected()
	}
	return q, nil
}

func (p *soqlParser) peek() soqlToken { return p.tokens[p.next] }

func (p *soqlParser) take() soqlToken {
	t := p.tokens[p.next]
	if t.kind != soqlEnd {
		p.next++
	}
	return t
}

// word takes a keyword, if it is next.
func (p *soqlParser) word(word string) bool {
	if t := p.peek(); t.kind == soqlWord && strings.EqualFold(t.text, word) {
		p.next++
		return true
	}
	return false
}

func (p *soqlParser) sign(sign string) bool {
	if t := p.peek(); t.kind == soqlSign && t.text == sign {
		p.next++
		return true
	}
	return false
}

func (p *soqlParser) unexpected() *dataError {
	t := p.peek()
	if t.kind == soqlEnd {
		return soqlError(p.query, t.at, "MALFORMED_QUERY", "unexpected token: <EOF>")
	}
	return soqlError(p.query, t.at, "MALFORMED_QUERY", "unexpected token: '%s'", clipText(t.text, 60))
}

func (p *soqlParser) refuse(at int, format string, args ...any) *dataError {
	return soqlError(p.query, at, "MALFORMED_QUERY", format, args...)
}

func (p *soqlParser) selects(q *soqlQuery) *dataError {
	if !p.word("select") {
		return p.unexpected()
	}
	for {
		if err := p.selected(q); err != nil {
			return err
		}
		if !p.sign(",") {
			return nil
		}
	}
}

func (p *soqlParser) selected(q *soqlQuery) *dataError {
	t := p.peek()
	if t.kind == soqlSign && t.text == "(" {
		return p.refuse(t.at, "subqueries are not supported here")
	}
	if t.kind == soqlWord && p.tokens[p.next+1].text == "(" && p.tokens[p.next+1].kind == soqlSign {
		return p.function(q)
	}
	path, err := p.path()
	if err != nil {
		return err
	}
	q.fields = append(q.fields, path)
	return nil
}

// function reads COUNT(), COUNT(field) or FIELDS(…).
func (p *soqlParser) function(q *soqlQuery) (err *dataError) {
	t := p.take()
	p.take()
	switch strings.ToLower(t.text) {
	case "count":
		err = p.count(q)
	case "fields":
		group := p.take()
		name := strings.ToLower(group.text)
		if name != "all" && name != "standard" && name != "custom" {
			return p.refuse(group.at, "unexpected token: '%s'", clipText(group.text, 60))
		}
		q.groups = append(q.groups, soqlGroup{name: name, place: len(q.fields), at: group.at})
	default:
		return p.refuse(t.at, "the function %s is not supported here", clipText(t.text, 60))
	}
	if err == nil && !p.sign(")") {
		return p.unexpected()
	}
	return err
}

// count reads what is in the brackets of COUNT.
func (p *soqlParser) count(q *soqlQuery) *dataError {
	if len(q.fields)+len(q.groups) > 0 || q.count || q.counted != nil {
		return p.refuse(p.peek().at, "COUNT beside other fields is not supported here")
	}
	if t := p.peek(); t.kind == soqlSign && t.text == ")" {
		q.count = true
		return nil
	}
	path, err := p.path()
	q.counted, q.alias = &path, "expr0"
	return err
}

// path reads a field, as Owner.Name.
func (p *soqlParser) path() (soqlPath, *dataError) {
	path := soqlPath{at: p.peek().at}
	for {
		if p.peek().kind != soqlWord {
			return path, p.unexpected()
		}
		path.parts = append(path.parts, p.take().text)
		if !p.sign(".") {
			return path, nil
		}
	}
}

func (p *soqlParser) from(q *soqlQuery) *dataError {
	if q.count || q.counted != nil {
		if len(q.fields)+len(q.groups) > 0 {
			return p.refuse(p.peek().at, "COUNT beside other fields is not supported here")
		}
		if t := p.peek(); q.counted != nil && t.kind == soqlWord && !strings.EqualFold(t.text, "from") {
			q.alias = p.take().text
		}
	}
	if !p.word("from") {
		return p.unexpected()
	}
	t := p.peek()
	if t.kind != soqlWord {
		return p.unexpected()
	}
	q.from, q.fromAt = p.take().text, t.at
	return nil
}

func (p *soqlParser) wheres(q *soqlQuery) (err *dataError) {
	if p.word("where") {
		q.where, err = p.condition()
	}
	if p.peek().kind == soqlWord && strings.EqualFold(p.peek().text, "group") && err == nil {
		return p.refuse(p.peek().at, "GROUP BY is not supported here")
	}
	return err
}

// condition reads comparisons joined by AND or by OR. Both together need brackets.
func (p *soqlParser) condition() (soqlNode, *dataError) {
	if p.depth++; p.depth > maxSOQLDepth {
		return nil, p.refuse(p.peek().at, "too many brackets within each other")
	}
	defer func() { p.depth-- }()
	var parts []soqlNode
	joint := ""
	for {
		part, err := p.factor()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		word := strings.ToLower(p.peek().text)
		if p.peek().kind != soqlWord || (word != "and" && word != "or") {
			return joinSOQL(parts, joint), nil
		}
		if joint != "" && word != joint {
			return nil, p.unexpected()
		}
		joint = word
		p.take()
	}
}

func joinSOQL(parts []soqlNode, joint string) soqlNode {
	switch joint {
	case "and":
		return &soqlAnd{parts}
	case "or":
		return &soqlOr{parts}
	}
	return parts[0]
}

func (p *soqlParser) factor() (soqlNode, *dataError) {
	switch {
	case p.word("not"):
		if p.depth++; p.depth > maxSOQLDepth {
			return nil, p.unexpected()
		}
		defer func() { p.depth-- }()
		part, err := p.factor()
		return &soqlNot{part}, err
	case p.sign("("):
		part, err := p.condition()
		if err == nil && !p.sign(")") {
			err = p.unexpected()
		}
		return part, err
	}
	return p.test()
}

// test reads one comparison.
func (p *soqlParser) test() (soqlNode, *dataError) {
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	t := &soqlTest{path: path, at: p.peek().at}
	switch op := p.peek(); {
	case op.kind == soqlSign && strings.Contains(" = != <> < <= > >= ", " "+op.text+" "):
		t.operator = p.take().text
		if t.operator == "<>" {
			t.operator = "!="
		}
	case p.word("like"):
		t.operator = "like"
	case p.word("in"):
		t.operator = "in"
	case p.word("not"):
		if !p.word("in") {
			return nil, p.unexpected()
		}
		t.operator = "not in"
	default:
		return nil, p.unexpected()
	}
	if t.operator == "in" || t.operator == "not in" {
		t.values, err = p.list()
		return t, err
	}
	v, err := p.value()
	t.values = []soqlValue{v}
	return t, err
}

func (p *soqlParser) list() ([]soqlValue, *dataError) {
	if !p.sign("(") {
		return nil, p.unexpected()
	}
	if t := p.peek(); t.kind == soqlWord && strings.EqualFold(t.text, "select") {
		return nil, p.refuse(t.at, "subqueries are not supported here")
	}
	var values []soqlValue
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
		if p.sign(")") {
			return values, nil
		}
		if !p.sign(",") {
			return nil, p.unexpected()
		}
	}
}

func (p *soqlParser) value() (soqlValue, *dataError) {
	t := p.peek()
	v := soqlValue{at: t.at, text: t.text}
	switch t.kind {
	case soqlQuoted:
		p.take()
		v.kind, v.like = soqlText, t.like
		return v, nil
	case soqlLiteral:
		v, ok := readSOQLLiteral(t)
		if !ok {
			return v, p.unexpected()
		}
		p.take()
		return v, nil
	case soqlWord:
		return p.wordValue(t)
	}
	return v, p.unexpected()
}

// wordValue reads null, true, false and the literals of dates.
func (p *soqlParser) wordValue(t soqlToken) (soqlValue, *dataError) {
	v := soqlValue{at: t.at, text: t.text}
	switch strings.ToLower(t.text) {
	case "null":
		p.take()
		return v, nil
	case "true", "false":
		p.take()
		v.kind, v.yes = soqlBool, strings.EqualFold(t.text, "true")
		return v, nil
	}
	n, extra := "", 1
	if after := p.tokens[min(p.next+1, len(p.tokens)-1)]; after.text == ":" && after.kind == soqlSign {
		if number := p.tokens[min(p.next+2, len(p.tokens)-1)]; number.kind == soqlLiteral {
			n, extra = number.text, 3
		}
	}
	s, known, ok := soqlDateRange(t.text, n, p.now)
	if !known || !ok {
		return v, p.unexpected()
	}
	p.next += extra
	v.kind, v.span = soqlRange, s
	return v, nil
}

func (p *soqlParser) orders(q *soqlQuery) *dataError {
	if !p.word("order") {
		return nil
	}
	if !p.word("by") {
		return p.unexpected()
	}
	for {
		path, err := p.path()
		if err != nil {
			return err
		}
		s := soqlSort{path: path}
		if !p.word("asc") {
			s.descending = p.word("desc")
		}
		if p.word("nulls") {
			s.nullsGiven, s.nullsLast = true, p.word("last")
			if !s.nullsLast && !p.word("first") {
				return p.unexpected()
			}
		}
		q.order = append(q.order, s)
		if !p.sign(",") {
			return nil
		}
	}
}

// bounds reads LIMIT, OFFSET, and the words that change nothing here.
func (p *soqlParser) bounds(q *soqlQuery) *dataError {
	if p.word("limit") {
		t := p.peek()
		n, err := strconv.ParseUint(t.text, 10, 31)
		if err != nil {
			return p.unexpected()
		}
		p.take()
		q.limit = int(n)
	}
	if p.word("offset") {
		t := p.peek()
		n, err := strconv.ParseUint(t.text, 10, 31)
		if err != nil {
			return p.unexpected()
		}
		if n > maxSOQLOffset {
			return soqlError(p.query, t.at, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is %d", maxSOQLOffset)
		}
		p.take()
		q.offset = int(n)
	}
	return nil
}
