package sandbox

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// found is what a search of the wiki finds: a page, a blog post, or a comment on one.
type found struct {
	content content // of a comment: what it is about
	note    *comment
}

func (f found) kind() string {
	if f.note != nil {
		return "comment"
	}
	return f.content.kind
}

func (f found) created() int64 {
	if f.note != nil {
		return f.note.created
	}
	return f.content.created
}

func (f found) modified() int64 {
	if f.note != nil {
		return f.note.modified
	}
	return f.content.modified
}

func (f found) title() string {
	if f.note != nil {
		return "Re: " + f.content.title
	}
	return f.content.title
}

// cqlTest reports whether a query accepts a thing.
type cqlTest func(f found) bool

// cqlCompiler turns a parsed query of Confluence's search language into a test, after
// https://developer.atlassian.com/cloud/confluence/advanced-searching-using-cql/. Its grammar is that of JQL.
type cqlCompiler struct {
	wiki   *wiki
	pen    *pen
	zone   *time.Location
	now    time.Time
	caller string // the id of the account that asks
}

// cqlQuery is a query ready to be run.
type cqlQuery struct {
	accepts cqlTest
	order   contentOrder
	where   prospects
}

// compileCQL reads a query. An error is a refusal.
func (c *cqlCompiler) compileCQL(text string) (*cqlQuery, error) {
	parsed, err := parseQuery(text, &jqlParser{cql: true})
	if err != nil || parsed.where == nil {
		return nil, refusal("Could not parse cql : " + text)
	}
	q := &cqlQuery{order: contentOrder{by: "created-date", descending: true}}
	for i, by := range parsed.order {
		name, ok := map[string]string{"created": "created-date", "lastmodified": "modified-date"}[by.field]
		if !ok {
			return nil, refusef("Could not parse cql : No field exists for 'order by %s'", by.written)
		}
		if i == 0 {
			q.order = contentOrder{name, by.descending}
		}
	}
	q.where = c.prospectsOf(parsed.where)
	q.accepts, err = c.compile(parsed.where)
	return q, err
}

func (c *cqlCompiler) compile(node jqlNode) (cqlTest, error) {
	switch n := node.(type) {
	case notNode:
		inner, err := c.compile(n.part)
		return func(f found) bool { return !inner(f) }, err
	case andNode:
		parts, err := c.compileAll(n.parts)
		return func(f found) bool {
			return !slices.ContainsFunc(parts, func(part cqlTest) bool { return !part(f) })
		}, err
	case orNode:
		parts, err := c.compileAll(n.parts)
		return func(f found) bool {
			return slices.ContainsFunc(parts, func(part cqlTest) bool { return part(f) })
		}, err
	default:
		return c.clause(node.(*clauseNode))
	}
}

func (c *cqlCompiler) compileAll(nodes []jqlNode) ([]cqlTest, error) {
	parts := make([]cqlTest, len(nodes))
	for i, node := range nodes {
		var err error
		if parts[i], err = c.compile(node); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

func (c *cqlCompiler) clause(clause *clauseNode) (cqlTest, error) {
	if value, read := c.valueOf(clause.field); value != nil && clause.operator != "~" && clause.operator != "!~" {
		return c.among(clause, value, read)
	}
	switch clause.field {
	case "creator":
		return c.person(clause, func(f found) []int { return []int{f.author()} })
	case "contributor":
		return c.person(clause, func(f found) []int { return []int{f.author(), f.editor()} })
	case "lastmodified":
		return c.time(clause, found.modified)
	case "created":
		return c.time(clause, found.created)
	case "title":
		return c.text(clause, found.title)
	case "text", "sitesearch":
		return c.text(clause, c.wholeText)
	case "parent", "ancestor":
		return c.above(clause)
	}
	return nil, refusef("Could not parse cql : No field exists for name: %s", clause.written)
}

// valueOf returns what a field with few values holds, and how the values of a query are read; nil for other fields.
func (c *cqlCompiler) valueOf(field string) (value func(found) string, read func(string) string) {
	switch field {
	case "type":
		return found.kind, strings.ToLower
	case "space", "space.key":
		return func(f found) string { return strings.ToUpper(c.wiki.spaces[f.content.space].Key) }, strings.ToUpper
	case "id", "content":
		return func(f found) string { return strconv.FormatInt(c.wiki.foundID(f), 10) }, strings.TrimSpace
	case "title":
		return found.title, func(s string) string { return s }
	case "label": // nothing in the sandbox has one
		return func(found) string { return "" }, func(s string) string { return "label " + s }
	}
	return nil, nil
}

func (f found) author() int {
	if f.note != nil {
		return f.note.author
	}
	return f.content.author
}

func (f found) editor() int {
	if f.note != nil {
		return f.note.author
	}
	return f.content.editor
}

func (w *wiki) foundID(f found) int64 {
	if f.note != nil {
		return f.note.id
	}
	return w.id(f.content.n)
}

// among compares a field with one or several values.
func (c *cqlCompiler) among(clause *clauseNode, value func(found) string, read func(string) string) (cqlTest, error) {
	negated, err := membership(clause)
	if err != nil {
		return nil, refusal("Could not parse cql : " + err.Error())
	}
	named := map[string]bool{}
	for _, v := range clause.values {
		if v.function || v.empty {
			return nil, refusef("Could not parse cql : '%s' is not a value of '%s'", v.text, clause.written)
		}
		named[read(v.text)] = true
	}
	return func(f found) bool { return named[value(f)] != negated }, nil
}

func (c *cqlCompiler) person(clause *clauseNode, who func(found) []int) (cqlTest, error) {
	negated, err := membership(clause)
	if err != nil {
		return nil, refusal("Could not parse cql : " + err.Error())
	}
	named := map[string]bool{}
	for _, v := range clause.values {
		switch {
		case v.function && strings.EqualFold(v.text, "currentUser"):
			named[c.caller] = true
		case v.function || v.empty:
			return nil, refusef("Could not parse cql : '%s' is not a user", v.text)
		default:
			named[v.text] = true
		}
	}
	return func(f found) bool {
		return negated != slices.ContainsFunc(who(f), func(i int) bool { return named[c.wiki.world.accounts[i].id] })
	}, nil
}

func (c *cqlCompiler) time(clause *clauseNode, value func(found) int64) (cqlTest, error) {
	switch clause.operator {
	case "=", "!=", "<", "<=", ">", ">=":
	default:
		return nil, refusef("Could not parse cql : the operator '%s' is not supported by '%s'", clause.operator, clause.written)
	}
	at, width, err := c.date(clause, clause.values[0])
	if err != nil {
		return nil, err
	}
	accepted := intervalOf(clause.operator, at)
	if clause.operator == "=" || clause.operator == "!=" {
		accepted = interval{at, at + width}
	}
	excluded := clause.operator == "!="
	return func(f found) bool { return accepted.contains(value(f)) != excluded }, nil
}

// date reads a time with minutes at best, in the zone of the account, and how long what was written lasts.
func (c *cqlCompiler) date(clause *clauseNode, v jqlValue) (at, width int64, err error) {
	if v.function {
		return c.dateFunction(v)
	}
	for layout, width := range map[string]time.Duration{
		"2006-01-02 15:04": time.Minute, "2006/01/02 15:04": time.Minute, "2006-01-02": 24 * time.Hour, "2006/01/02": 24 * time.Hour,
	} {
		if t, err := time.ParseInLocation(layout, v.text, c.zone); err == nil {
			return t.UnixMilli(), width.Milliseconds(), nil
		}
	}
	return 0, 0, refusef("Could not parse cql : the date '%s' of '%s' is not like yyyy-MM-dd HH:mm", v.text, clause.written)
}

func (c *cqlCompiler) dateFunction(v jqlValue) (at, width int64, err error) {
	period, ok := time.Duration(0), true
	if v.argument != "" {
		period, ok = parsePeriod(v.argument)
	}
	local := c.now.In(c.zone)
	day := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, c.zone)
	start, known := map[string]time.Time{
		"now": local, "startofday": day, "startofmonth": day.AddDate(0, 0, 1-local.Day()), "startofyear": day.AddDate(0, 0, 1-local.YearDay()),
	}[strings.ToLower(v.text)]
	if !known || !ok {
		return 0, 0, refusef("Could not parse cql : the function '%s(%s)' is not known", v.text, v.argument)
	}
	return start.Add(period).UnixMilli(), 1, nil
}

func (c *cqlCompiler) text(clause *clauseNode, value func(found) string) (cqlTest, error) {
	if clause.operator != "~" && clause.operator != "!~" {
		return nil, refusef("Could not parse cql : the operator '%s' is not supported by '%s'", clause.operator, clause.written)
	}
	words := strings.Fields(strings.ToLower(strings.Map(withoutWildcards, clause.values[0].text)))
	excluded := clause.operator == "!~"
	return func(f found) bool {
		text := strings.ToLower(value(f))
		return excluded == slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
	}, nil
}

// wholeText is the title and what is written below it.
func (c *cqlCompiler) wholeText(f found) string {
	if f.note != nil {
		return f.title() + "\n" + c.wiki.commentBody(c.pen, *f.note, "storage")
	}
	return f.title() + "\n" + c.wiki.bodyOf(c.pen, f.content, "storage")
}

// above looks for a page that is right above, or with ancestor anywhere above.
func (c *cqlCompiler) above(clause *clauseNode) (cqlTest, error) {
	negated, err := membership(clause)
	if err != nil {
		return nil, refusal("Could not parse cql : " + err.Error())
	}
	named := map[string]bool{}
	for _, v := range clause.values {
		named[v.text] = true
	}
	return func(f found) bool {
		if f.note != nil {
			return negated
		}
		for n := f.content.parent; n >= 0; {
			if named[strconv.FormatInt(c.wiki.id(n), 10)] {
				return !negated
			}
			up, ok := c.wiki.content(n)
			if clause.field == "parent" || !ok {
				break
			}
			n = up.parent
		}
		return negated
	}, nil
}
