package salesforce

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var fakeSelect = regexp.MustCompile(`(?is)^SELECT (.+?) FROM (\w+)(?: WHERE (.+?))?(?: ORDER BY (.+?))?(?: LIMIT (\d+))?(?: OFFSET (\d+))?$`)

// run answers a query: its records as JSON, how many there are, or the code and message of a refusal.
func (f *fake) run(soql string, all bool) (rows []string, total int, code, message string) {
	m := fakeSelect.FindStringSubmatch(soql)
	if m == nil {
		return nil, 0, "MALFORMED_QUERY", "unexpected token"
	}
	o := f.objects[m[2]]
	if o == nil || !o.queryable {
		return nil, 0, invalidType, "sObject type '" + m[2] + "' is not supported."
	}
	found, fault := o.where(m[3], all, f.ignoreWhere)
	if fault != "" {
		return nil, 0, "MALFORMED_QUERY", fault
	}
	if fault := o.sort(found, m[4]); fault != "" {
		return nil, 0, "MALFORMED_QUERY", fault
	}
	if n, err := strconv.Atoi(m[6]); err == nil {
		found = found[min(n, len(found)):]
	}
	if n, err := strconv.Atoi(m[5]); err == nil {
		found = found[:min(n, len(found))]
	}
	if strings.EqualFold(m[1], "COUNT()") {
		return nil, len(found), "", ""
	}
	for _, r := range found {
		text, fault := o.json(r, m[1])
		if fault != "" {
			return nil, 0, invalidField, fault
		}
		rows = append(rows, text)
	}
	return rows, len(rows), "", ""
}

// json writes the selected columns of a record.
func (o *fakeObject) json(r map[string]any, columns string) (text, fault string) {
	var b strings.Builder
	fmt.Fprintf(&b, `{"attributes":{"type":%q, "url":"/services/data/v67.0/sobjects/%s/%s"}`, o.name, o.name, r["Id"])
	if columns == allFields {
		columns = "Id"
		for _, f := range o.fields[1:] {
			columns += "," + f.Name
		}
	}
	for name := range strings.SplitSeq(columns, ",") {
		name = strings.TrimSpace(name)
		if relation, column, ok := strings.Cut(name, "."); ok {
			fmt.Fprintf(&b, `,%q:{"attributes":{"type":"User"},%q:%s}`, relation, column, jsonOf(r[name]))
			continue
		}
		f, known := o.field(name)
		if !known {
			return "", "No such column '" + name + "' on entity '" + o.name + "'."
		}
		fmt.Fprintf(&b, `,%q:%s`, f.Name, jsonOf(r[f.Name]))
	}
	return b.String() + "}", ""
}

func (o *fakeObject) field(name string) (field, bool) {
	i := slices.IndexFunc(o.fields, func(f field) bool { return strings.EqualFold(f.Name, name) })
	if i < 0 {
		return field{}, false
	}
	return o.fields[i], true
}

// sort sorts by fields, ascending unless they say DESC; a null comes first.
func (o *fakeObject) sort(rows []map[string]any, order string) (fault string) {
	if order == "" {
		return ""
	}
	keys := strings.Split(order, ",")
	slices.SortStableFunc(rows, func(a, b map[string]any) int {
		for _, key := range keys {
			name, direction, _ := strings.Cut(strings.TrimSpace(key), " ")
			f, ok := o.field(name)
			if !ok || !f.Sortable {
				fault = "field '" + name + "' can not be sorted in a query call"
			}
			if c := strings.Compare(fakeText(a[f.Name]), fakeText(b[f.Name])); c != 0 {
				if strings.EqualFold(direction, "DESC") {
					return -c
				}
				return c
			}
		}
		return 0
	})
	return fault
}

// fakeText returns a value in a form that sorts as the value does.
func fakeText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if t, ok := parseTime(v); ok {
			return literal(t)
		}
		return v
	case json.Number:
		return string(v)
	}
	return fmt.Sprint(v)
}

func (o *fakeObject) where(text string, all, ignore bool) (found []map[string]any, fault string) {
	tokens := fakeToken.FindAllString(text, -1)
	for _, r := range o.rows {
		if r["IsDeleted"] == true && !all {
			continue
		}
		ok := true
		if text != "" {
			p := &fakeParser{object: o, row: r, tokens: tokens}
			ok = p.or()
			if len(p.tokens) > 0 && p.fault == "" {
				p.fault = "unexpected token: " + p.tokens[0]
			}
			if p.fault != "" {
				return nil, p.fault
			}
		}
		if ok || ignore && !strings.HasPrefix(text, "Id = '") {
			found = append(found, r)
		}
	}
	return found, ""
}

var fakeToken = regexp.MustCompile(`'(?:[^'\\]|\\.)*'|\d{4}-\d\d-\d\dT[0-9:.]+Z|[A-Za-z_][\w.]*|-?\d+(?:\.\d+)?|[<>!]=|[()=<>,]|[^\s]`)

// fakeParser finds out whether a record meets a condition: comparisons, IN and LIKE, with AND, OR and brackets.
type fakeParser struct {
	object *fakeObject
	row    map[string]any
	tokens []string
	fault  string
}

func (p *fakeParser) next() string {
	if len(p.tokens) == 0 {
		p.fail("unexpected end")
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *fakeParser) fail(text string) {
	if p.fault == "" {
		p.fault = text
	}
	p.tokens = nil
}

func (p *fakeParser) peek(words ...string) bool {
	return len(p.tokens) > 0 && slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, p.tokens[0]) })
}

func (p *fakeParser) or() bool {
	ok := p.and()
	for p.peek("OR") {
		p.next()
		next := p.and()
		ok = ok || next
	}
	return ok
}

func (p *fakeParser) and() bool {
	ok := p.term()
	for p.peek("AND") {
		p.next()
		next := p.term()
		ok = ok && next
	}
	return ok
}

func (p *fakeParser) term() bool {
	if p.peek("(") {
		p.next()
		ok := p.or()
		if p.next() != ")" {
			p.fail("expecting a right parenthesis")
		}
		return ok
	}
	name := p.next()
	f, known := p.object.field(name)
	if !known || !f.Filterable {
		p.fail("field '" + name + "' can not be filtered in a query call")
		return false
	}
	value := p.row[f.Name]
	switch op := p.next(); strings.ToUpper(op) {
	case "IN":
		return p.in(fakeText(value))
	case "LIKE":
		return strings.HasPrefix(fakeText(value), strings.TrimSuffix(p.value(), "%"))
	default:
		return p.compare(value, op)
	}
}

func (p *fakeParser) in(value string) bool {
	ok := false
	for t := p.next(); t == "(" || t == ","; t = p.next() {
		if p.value() == value {
			ok = true
		}
	}
	return ok
}

func (p *fakeParser) compare(value any, op string) bool {
	null := p.peek("null")
	want := p.value()
	c := strings.Compare(fakeText(value), want)
	switch op {
	case "=":
		return value == nil && null || value != nil && !null && c == 0
	case "!=":
		return value != nil && null || value == nil && !null || value != nil && c != 0
	case "<", "<=", ">", ">=":
		return value != nil && !null && (c < 0 && op[0] == '<' || c > 0 && op[0] == '>' || c == 0 && len(op) == 2)
	}
	p.fail("unexpected token: " + op)
	return false
}

// value reads a literal.
func (p *fakeParser) value() string {
	t := p.next()
	if strings.HasPrefix(t, "'") {
		return strings.NewReplacer(`\'`, `'`, `\\`, `\`).Replace(strings.Trim(t, "'"))
	}
	if strings.EqualFold(t, "null") {
		return ""
	}
	if parsed, ok := parseTime(t); ok {
		return literal(parsed)
	}
	if t != "true" && t != "false" && strings.Trim(t, "-.0123456789") != "" {
		p.fail("unexpected token: " + t)
	}
	return t
}
