package sandbox

import "strings"

const (
	// maxJQLDepth bounds the nesting, so that a hostile query cannot exhaust the stack.
	maxJQLDepth = 100
	// maxSortFields is Jira's bound on ORDER BY.
	maxSortFields = 7
)

// parseJQL reads a query, after
// https://support.atlassian.com/jira-software-cloud/docs/use-advanced-search-with-jira-query-language-jql/.
// An error is a refusal.
func parseJQL(query string) (*jqlQuery, error) {
	return parseQuery(query, &jqlParser{})
}

// parseQuery reads a query with a parser that is set for its language.
func parseQuery(query string, p *jqlParser) (*jqlQuery, error) {
	tokens, err := lexJQL(query)
	if err != nil {
		return nil, err
	}
	p.query, p.tokens = query, tokens
	parsed := &jqlQuery{}
	if !p.atEnd() && !p.peekWord("order") {
		if parsed.where, err = p.parseOr(0); err != nil {
			return nil, err
		}
	}
	if p.takeWord("order") {
		if parsed.order, err = p.parseOrder(); err != nil {
			return nil, err
		}
	}
	if !p.atEnd() {
		return nil, p.expected("either 'OR' or 'AND'")
	}
	return parsed, nil
}

// jqlParser is a recursive descent over the tokens.
type jqlParser struct {
	query  string
	tokens []jqlToken
	next   int
	cql    bool // functions take an argument, as now("-4w") does
}

func (p *jqlParser) peek() jqlToken { return p.tokens[p.next] }
func (p *jqlParser) atEnd() bool    { return p.peek().kind == tokenEnd }

// skip passes the token that was peeked at; nothing follows the end.
func (p *jqlParser) skip() {
	if !p.atEnd() {
		p.next++
	}
}

func (p *jqlParser) peekWord(word string) bool {
	token := p.peek()
	return token.kind == tokenWord && strings.EqualFold(token.text, word)
}

func (p *jqlParser) takeWord(words ...string) bool {
	for _, word := range words {
		if p.peekWord(word) {
			p.next++
			return true
		}
	}
	return false
}

// takeSign takes an operator or a punctuation mark.
func (p *jqlParser) takeSign(signs ...string) bool {
	token := p.peek()
	for _, sign := range signs {
		if (token.kind == tokenOperator || token.kind == tokenPunct) && token.text == sign {
			p.next++
			return true
		}
	}
	return false
}

func (p *jqlParser) expected(what string) error {
	token := p.peek()
	if token.kind == tokenEnd {
		return refusef("Error in the JQL Query: Expecting %s before the end of the query.", what)
	}
	return refusef("Error in the JQL Query: Expecting %s but got '%s'. %s", what, token.text, position(p.query, token.pos))
}

func (p *jqlParser) parseOr(depth int) (jqlNode, error) {
	parts, err := p.parseChain(depth, p.parseAnd, "or", "||", "|")
	if err != nil || len(parts) == 1 {
		return first(parts), err
	}
	return orNode{parts}, nil
}

func (p *jqlParser) parseAnd(depth int) (jqlNode, error) {
	parts, err := p.parseChain(depth, p.parseNot, "and", "&&", "&")
	if err != nil || len(parts) == 1 {
		return first(parts), err
	}
	return andNode{parts}, nil
}

func first(parts []jqlNode) jqlNode {
	if len(parts) == 0 {
		return nil
	}
	return parts[0]
}

func (p *jqlParser) parseChain(depth int, part func(int) (jqlNode, error), word string, signs ...string) ([]jqlNode, error) {
	var parts []jqlNode
	for {
		node, err := part(depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, node)
		if !p.takeWord(word) && !p.takeSign(signs...) {
			return parts, nil
		}
	}
}

func (p *jqlParser) parseNot(depth int) (jqlNode, error) {
	if depth > maxJQLDepth {
		return nil, refusef("Error in the JQL Query: The query is nested more than %d levels deep.", maxJQLDepth)
	}
	if p.takeWord("not") || p.takeSign("!") {
		node, err := p.parseNot(depth + 1)
		return notNode{node}, err
	}
	if !p.takeSign("(") {
		return p.parseClause()
	}
	node, err := p.parseOr(depth + 1)
	if err != nil {
		return nil, err
	}
	if !p.takeSign(")") {
		return nil, p.expected("')'")
	}
	return node, nil
}

// reservedWords cannot be a field or a value without quotes.
var reservedWords = map[string]bool{
	"and": true, "or": true, "not": true, "in": true, "is": true, "order": true, "by": true, "empty": true,
	"null": true, "asc": true, "desc": true, "was": true, "changed": true, "select": true, "from": true, "where": true,
}

func (p *jqlParser) parseClause() (jqlNode, error) {
	token := p.peek()
	named := token.kind == tokenString || (token.kind == tokenWord && !reservedWords[strings.ToLower(token.text)])
	if !named {
		return nil, p.expected("a field name")
	}
	p.skip()
	clause := &clauseNode{field: strings.ToLower(token.text), written: token.text, pos: token.pos}
	var err error
	if clause.operator, err = p.parseOperator(); err != nil {
		return nil, err
	}
	switch clause.operator {
	case "in", "not in":
		clause.values, err = p.parseList()
	default:
		clause.values, err = p.parseOperand()
	}
	return clause, err
}

func (p *jqlParser) parseOperator() (string, error) {
	for _, sign := range []string{"=", "!=", "<", ">", "<=", ">=", "~", "!~"} {
		if p.takeSign(sign) {
			return sign, nil
		}
	}
	switch {
	case p.takeWord("in"):
		return "in", nil
	case p.takeWord("is"):
		if p.takeWord("not") {
			return "is not", nil
		}
		return "is", nil
	case p.takeWord("not"):
		if p.takeWord("in") {
			return "not in", nil
		}
		return "", p.expected("'IN'")
	}
	return "", refusal(p.expected("operator").Error() + " The valid operators are '=', '!=', '<', '>', '<=', '>=', " +
		"'~', '!~', 'IN', 'NOT IN', 'IS' and 'IS NOT'.")
}

func (p *jqlParser) parseList() ([]jqlValue, error) {
	if !p.takeSign("(") {
		return nil, p.expected("a list in parentheses")
	}
	var values []jqlValue
	for {
		value, err := p.parseOperand()
		if err != nil {
			return nil, err
		}
		values = append(values, value...)
		if p.takeSign(")") {
			return values, nil
		}
		if !p.takeSign(",") {
			return nil, p.expected("',' or ')'")
		}
	}
}

func (p *jqlParser) parseOperand() ([]jqlValue, error) {
	token := p.peek()
	switch {
	case token.kind == tokenString:
		p.skip()
		return []jqlValue{{text: token.text, quoted: true}}, nil
	case p.takeWord("empty", "null"):
		return []jqlValue{{text: token.text, empty: true}}, nil
	case token.kind != tokenWord || reservedWords[strings.ToLower(token.text)]:
		return nil, p.expected("either a value, list or function")
	}
	p.skip()
	if !p.takeSign("(") {
		return []jqlValue{{text: token.text}}, nil
	}
	argument := ""
	if p.cql && p.peek().kind == tokenString {
		argument = p.peek().text
		p.skip()
	}
	if !p.takeSign(")") {
		return nil, p.expected("')' since the function '" + token.text + "' takes no arguments here")
	}
	return []jqlValue{{text: token.text, function: true, argument: argument}}, nil
}

func (p *jqlParser) parseOrder() ([]jqlSort, error) {
	if !p.takeWord("by") {
		return nil, p.expected("'BY'")
	}
	var order []jqlSort
	for {
		token := p.peek()
		if token.kind != tokenWord && token.kind != tokenString {
			return nil, p.expected("a field name")
		}
		p.skip()
		by := jqlSort{field: strings.ToLower(token.text), written: token.text}
		if !p.takeWord("asc") {
			by.descending = p.takeWord("desc")
		}
		order = append(order, by)
		if !p.takeSign(",") {
			break
		}
	}
	if len(order) > maxSortFields {
		return nil, refusef("Error in the JQL Query: ORDER BY takes at most %d fields, not %d.", maxSortFields, len(order))
	}
	return order, nil
}
