package atlassian

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote returns s as a string of JQL or CQL.
func Quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}

// SplitOrder splits a query in JQL or CQL at its ORDER BY and says what would make it unfit to stand in brackets.
func SplitOrder(query string) (where, order, fault string) {
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
