package jira

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/unified-connector/ucf/connectors"
)

const (
	// everyIssue is a restriction that every issue meets; Jira refuses a search without any.
	everyIssue = "project is not EMPTY"
	// byCreation is an order that no change of an issue disturbs; issues that are created meanwhile come last.
	byCreation = "created ASC, key ASC"
	// byChange is the order of a listing of changes: an issue that changes meanwhile comes again rather than not at all.
	byChange = "updated ASC, key ASC"
	// overlap is how much earlier a listing of changes begins than asked: JQL may compare whole minutes only, and the
	// index that it asks lags behind. What is too old is dropped on our side.
	overlap = 2 * time.Minute
)

// jqlFor returns the JQL of a listing.
func jqlFor(q connectors.ItemQuery) (string, error) {
	where, order, err := clauses(q)
	return where + " ORDER BY " + order, err
}

// clauses returns the restriction and the order of a listing.
func clauses(q connectors.ItemQuery) (where, order string, err error) {
	own, order, fault := splitOrder(q.Query)
	if fault != "" {
		return "", "", connectors.InvalidFields(connectors.Fault{Field: "query", Message: fault})
	}
	var terms []string
	if own != "" {
		terms = append(terms, "("+own+")")
	}
	if q.ContainerID != "" {
		terms = append(terms, "project = "+quote(q.ContainerID))
	}
	if order == "" {
		order = byCreation
		if !q.UpdatedAfter.IsZero() {
			order = byChange
		}
	}
	// Milliseconds since 1970 mean the same in every account's time zone; dates would not.
	if ms := q.UpdatedAfter.Add(-overlap).UnixMilli(); !q.UpdatedAfter.IsZero() && ms > 0 {
		terms = append(terms, "updated >= "+strconv.FormatInt(ms, 10))
	}
	if len(terms) == 0 {
		terms = append(terms, everyIssue)
	}
	return strings.Join(terms, " AND "), order, nil
}

// quote returns s as a JQL string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}

// splitOrder splits a query at its ORDER BY and says what would make it unfit to stand in brackets.
func splitOrder(query string) (where, order, fault string) {
	depth, inWord := 0, false
	for i := 0; i < len(query); {
		r, size := utf8.DecodeRuneInString(query[i:])
		switch r {
		case '"', '\'', '\\':
			if size = literalLen(query[i:]); size == 0 {
				return "", "", "a quotation mark is not closed, or a backslash escapes nothing"
			}
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return "", "", "a bracket is closed that was not opened"
			}
		default:
			if n := orderByLen(query[i:]); n > 0 && !inWord && depth == 0 {
				return orderFault(strings.TrimSpace(query[:i]), strings.TrimSpace(query[i+n:]))
			}
		}
		inWord = isWord(r)
		i += size
	}
	if depth > 0 {
		return "", "", "a bracket is not closed"
	}
	return strings.TrimSpace(query), "", ""
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }

func orderFault(where, order string) (string, string, string) {
	if order == "" {
		return "", "", "ORDER BY names no field"
	}
	return where, order, ""
}

// literalLen returns the length of the quoted string, or of the escaped character, that s begins with, 0 where it
// does not end. Jira takes an escaped character literally outside of quotation marks too.
func literalLen(s string) int {
	if s[0] == '\\' {
		r, size := utf8.DecodeRuneInString(s[1:])
		if size == 0 || unicode.IsSpace(r) {
			return 0 // it would reach what is written behind the query
		}
		return 1 + size
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return 0
}

// orderByLen returns the length of the ORDER BY that s begins with, 0 where it does not.
func orderByLen(s string) int {
	if len(s) < len("order") || !strings.EqualFold(s[:len("order")], "order") {
		return 0
	}
	rest := strings.TrimLeftFunc(s[len("order"):], unicode.IsSpace)
	skipped := len(s) - len(rest)
	if skipped == len("order") || len(rest) < len("by") || !strings.EqualFold(rest[:len("by")], "by") {
		return 0
	}
	after, _ := utf8.DecodeRuneInString(rest[len("by"):])
	if len(rest) > len("by") && isWord(after) {
		return 0
	}
	return skipped + len("by")
}
