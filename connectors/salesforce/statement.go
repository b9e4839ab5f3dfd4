package salesforce

import (
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// statement is a user's query, taken apart as far as it takes to add conditions to it.
type statement struct {
	head    string // SELECT … FROM …
	source  string // FROM …, the end of head
	from    string // the object
	where   string // without the word, "" for none
	tail    string // what follows the conditions
	ordered bool
	text    string
}

// word is a word outside of brackets and quotation marks, in capitals, with its place.
type word struct {
	text       string
	start, end int
}

// clauses are the words that end the conditions of a query, or the FROM where there are none.
var clauses = []string{"WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE", "ALL"}

// parseQuery reads a query, which must be one SELECT of records with their ids that only reads.
func parseQuery(query string) (statement, error) {
	s, fault := parseStatement(strings.TrimSpace(query))
	if fault != "" {
		return s, connectors.InvalidFields(connectors.Fault{Field: "query", Message: fault})
	}
	return s, nil
}

func parseStatement(text string) (statement, string) {
	s := statement{text: text}
	words, commas, fault := scan(text)
	if fault != "" {
		return s, fault
	}
	from := find(words, 0, "FROM")
	if from <= 0 || words[0].text != "SELECT" || words[0].start != 0 || from+1 >= len(words) {
		return s, "must be a SOQL query, as in SELECT Id, Name FROM Account"
	}
	s.from = text[words[from+1].start:words[from+1].end]
	if !nameForm.MatchString(s.from) {
		return s, "must name an object after FROM"
	}
	alias, at := s.from, from+2
	if at < len(words) && isAlias(words[at]) {
		alias = text[words[at].start:words[at].end]
		at++
	}
	if !selectsID(text[words[0].end:words[from].start], commas, words[0].end, s.from, alias) {
		return s, "must select Id, as in SELECT Id, Name FROM " + s.from + ": without it a row is no record"
	}
	fault = s.split(words, at)
	s.source = strings.TrimSpace(s.head[words[from].start:])
	return s, fault
}

// isAlias reports whether a word behind the object is another name for it.
func isAlias(w word) bool { return !isClause(w) && w.text != "WHERE" && w.text != "USING" }

func isClause(w word) bool { return slices.Contains(clauses, w.text) }

// split takes apart what follows the object, from the word at a place on, and says what keeps it from being run.
func (s *statement) split(words []word, at int) string {
	end, tail := len(s.text), at
	for tail < len(words) && !isClause(words[tail]) {
		tail++
	}
	if tail < len(words) {
		end = words[tail].start
	}
	s.head, s.tail = strings.TrimSpace(s.text[:end]), strings.TrimSpace(s.text[end:])
	if i := find(words[:tail], at, "WHERE"); i >= 0 {
		s.head, s.where = strings.TrimSpace(s.text[:words[i].start]), strings.TrimSpace(s.text[words[i].end:end])
		if s.where == "" {
			return "has a WHERE without a condition"
		}
	}
	for i := tail; i < len(words); i++ {
		after := ""
		if i+1 < len(words) {
			after = words[i+1].text
		}
		if fault := clauseFault(words[i].text, after); fault != "" {
			return fault
		}
		s.ordered = s.ordered || words[i].text == "ORDER" && after == "BY"
	}
	return ""
}

// clauseFault says what keeps a clause from being run, by its first two words.
func clauseFault(first, second string) string {
	switch first {
	case "HAVING":
		return "must select records, and not groups of them"
	case "GROUP":
		if second == "BY" {
			return "must select records, and not groups of them"
		}
	case "UPDATE":
		return "must only read, and UPDATE changes what Salesforce remembers"
	case "FOR":
		if second == "VIEW" || second == "REFERENCE" || second == "UPDATE" {
			return "must only read, and FOR " + second + " changes what Salesforce remembers"
		}
	}
	return ""
}

// selectsID reports whether a list of fields has the id of the records themselves. offset is where the list begins in
// the text that the commas are places of.
func selectsID(list string, commas []int, offset int, from, alias string) bool {
	begin := 0
	for _, c := range append(slices.Clone(commas), offset+len(list)) {
		if c < offset || c > offset+len(list) {
			continue
		}
		name := strings.ToLower(strings.Join(strings.Fields(list[begin:c-offset]), ""))
		switch name {
		case "id", strings.ToLower(from) + ".id", strings.ToLower(alias) + ".id", "fields(all)", "fields(standard)":
			return true
		}
		begin = min(c-offset+1, len(list))
	}
	return false
}

// find returns the place of a word, from a place on, -1 where there is none.
func find(words []word, from int, text string) int {
	for i := from; i < len(words); i++ {
		if words[i].text == text {
			return i
		}
	}
	return -1
}

// scan finds the words and commas outside of brackets and quotation marks, and says what makes a text no single query.
func scan(text string) (words []word, commas []int, fault string) {
	depth := 0
	for i := 0; i < len(text); {
		n := tokenLen(text[i:])
		switch c := text[i]; {
		case n == 0:
			return nil, nil, "has a quotation mark that is not closed"
		case c == ';':
			return nil, nil, "must be one query, without a semicolon"
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return nil, nil, "closes a bracket that was not opened"
			}
		case depth > 0:
		case c == ',':
			commas = append(commas, i)
		case isWord(c):
			words = append(words, word{strings.ToUpper(text[i : i+n]), i, i + n})
		}
		i += n
	}
	if depth > 0 {
		return nil, nil, "has a bracket that is not closed"
	}
	return words, commas, ""
}

// tokenLen returns the length of the word, the quoted text or the other byte that s begins with, 0 for a quoted text
// that does not end.
func tokenLen(s string) int {
	if s[0] == '\'' {
		return literalLen(s)
	}
	n := 0
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return max(n, 1)
}

// isWord reports whether a byte is part of a word: a name, a path of names, a number, or a time.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c >= 0x80
}

// literalLen returns the length of the quoted text that s begins with, 0 where it does not end.
func literalLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\'':
			return i + 1
		}
	}
	return 0
}

// with returns the query with further conditions. A query without an order gets that of the ids, so that its batches
// are the same when they are asked for again.
func (s statement) with(conditions ...string) string {
	if s.ordered && len(conditions) == 0 {
		return s.text
	}
	before, after := []string{s.head, s.conditions(conditions)}, []string{}
	if !s.ordered {
		after = append(after, "ORDER BY Id ASC")
	}
	for _, c := range s.clauses() {
		if c.name == "WITH" {
			before = append(before, c.text)
		} else {
			after = append(after, c.text)
		}
	}
	return join(append(before, after...))
}

// counting returns the query that counts what this one finds, and whether the count will be exact.
func (s statement) counting(conditions ...string) (soql string, exact bool) {
	parts := []string{"SELECT COUNT()", s.source, s.conditions(conditions)}
	exact = true
	for _, c := range s.clauses() {
		switch c.name {
		case "WITH", "LIMIT":
			parts = append(parts, c.text)
		case "ORDER":
		default:
			exact = false
		}
	}
	return join(parts), exact
}

// conditions returns the WHERE of the query with further conditions, "" without any.
func (s statement) conditions(further []string) string {
	all := slices.Clone(further)
	if s.where != "" {
		all = append([]string{"(" + s.where + ")"}, all...)
	}
	if len(all) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(all, " AND ")
}

// clause is one of the clauses behind the conditions.
type clause struct{ name, text string }

func (s statement) clauses() []clause {
	var list []clause
	words, _, _ := scan(s.tail)
	end := len(s.tail)
	for i := len(words) - 1; i >= 0; i-- {
		if w := words[i]; isClause(w) {
			list = append(list, clause{w.text, strings.TrimSpace(s.tail[w.start:end])})
			end = w.start
		}
	}
	slices.Reverse(list)
	return list
}

// join joins the parts that there are.
func join(parts []string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}
