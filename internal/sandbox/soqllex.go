package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// soqlTokenKind is the kind of a token.
type soqlTokenKind byte

const (
	soqlEnd soqlTokenKind = iota
	soqlWord
	soqlQuoted
	soqlLiteral // a number, date or moment
	soqlSign
)

// soqlToken is a piece of a query.
type soqlToken struct {
	kind soqlTokenKind
	text string // as written; of a quoted one the value
	like string // of a quoted one, with \% and \_ left as they are
	at   int
}

// dataError is a refusal of the data API: what is sent to the client.
type dataError struct {
	status  int
	code    string
	message string
	fields  []string
}

func (e *dataError) Error() string { return e.code + ": " + e.message }

// soqlError returns a refusal that shows the place in the query, as Salesforce does.
func soqlError(query string, at int, code, format string, args ...any) *dataError {
	at = min(at, len(query))
	row, column := 1+strings.Count(query[:at], "\n"), 1+utf8.RuneCountInString(query[strings.LastIndexByte(query[:at], '\n')+1:at])
	before, after := query[:at], query[at:]
	if runes := []rune(before); len(runes) > 40 {
		before = string(runes[len(runes)-40:])
	}
	if runes := []rune(after); len(runes) > 20 {
		after = string(runes[:20])
	}
	flat := strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace
	return &dataError{status: 400, code: code, message: fmt.Sprintf("\n%s\n%s^\nERROR at Row:%d:Column:%d\n%s", flat(before+after),
		strings.Repeat(" ", utf8.RuneCountInString(before)), row, column, fmt.Sprintf(format, args...))}
}

// lexSOQL splits a query into tokens; the last is the end.
func lexSOQL(query string) ([]soqlToken, *dataError) {
	var tokens []soqlToken
	for at := 0; at < len(query); {
		c, size := utf8.DecodeRuneInString(query[at:])
		if unicode.IsSpace(c) {
			at += size
			continue
		}
		t, next, err := nextSOQL(query, at)
		if err != nil {
			return nil, err
		}
		tokens, at = append(tokens, t), next
	}
	return append(tokens, soqlToken{kind: soqlEnd, text: "<EOF>", at: len(query)}), nil
}

func nextSOQL(query string, at int) (t soqlToken, next int, err *dataError) {
	c, rest := query[at], query[at:]
	token := func(kind soqlTokenKind, size int) (soqlToken, int, *dataError) {
		return soqlToken{kind: kind, text: rest[:size], at: at}, at + size, nil
	}
	switch {
	case c == '\'':
		return quotedSOQL(query, at)
	case isSOQLLetter(c):
		return token(soqlWord, sizeOf(rest, func(c byte) bool { return isSOQLLetter(c) || isDigit(c) }))
	case startsLiteral(rest):
		return token(soqlLiteral, sizeOf(rest, func(c byte) bool {
			return isDigit(c) || isSOQLLetter(c) || strings.IndexByte("+-:.", c) >= 0
		}))
	case strings.HasPrefix(rest, "<="), strings.HasPrefix(rest, ">="), strings.HasPrefix(rest, "!="), strings.HasPrefix(rest, "<>"):
		return token(soqlSign, 2)
	case strings.IndexByte("=<>(),.:", c) >= 0:
		return token(soqlSign, 1)
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return t, 0, soqlError(query, at, "MALFORMED_QUERY", "unexpected token: '%c'", r)
}

// sizeOf returns how many bytes at the start are of a class.
func sizeOf(s string, class func(c byte) bool) int {
	n := 0
	for n < len(s) && class(s[n]) {
		n++
	}
	return n
}

// startsLiteral reports whether a number, date or moment begins here.
func startsLiteral(s string) bool {
	if isDigit(s[0]) {
		return true
	}
	return strings.IndexByte("+-.", s[0]) >= 0 && len(s) > 1 && (isDigit(s[1]) || s[1] == '.')
}

func isDigit(c byte) bool      { return c >= '0' && c <= '9' }
func isSOQLLetter(c byte) bool { return c == '_' || (c|0x20 >= 'a' && c|0x20 <= 'z') }

// soqlEscapes are what may stand behind a backslash, beside u and the wildcards of LIKE.
var soqlEscapes = map[byte]byte{'n': '\n', 'N': '\n', 'r': '\r', 'R': '\r', 't': '\t', 'T': '\t', 'b': '\b', 'B': '\b', 'f': '\f', 'F': '\f', '"': '"', '\'': '\'', '\\': '\\'}

func quotedSOQL(query string, at int) (t soqlToken, next int, err *dataError) {
	var text, like strings.Builder
	for i := at + 1; i < len(query); i++ {
		c := query[i]
		switch {
		case c == '\'':
			return soqlToken{kind: soqlQuoted, text: text.String(), like: like.String(), at: at}, i + 1, nil
		case c != '\\':
			text.WriteByte(c)
			like.WriteByte(c)
			continue
		}
		s, l, size := soqlEscape(query[i+1:])
		if size == 0 {
			return t, 0, soqlError(query, i, "MALFORMED_QUERY", "Invalid string literal '%s'. Illegal character sequence '%s' in string literal.",
				clipText(query[at:], 60), clipText(query[i:], 2))
		}
		text.WriteString(s)
		like.WriteString(l)
		i += size
	}
	return t, 0, soqlError(query, at, "MALFORMED_QUERY", "unterminated string literal")
}

// soqlEscape reads what stands behind a backslash: its value, its value in a pattern of LIKE, and its length.
func soqlEscape(rest string) (text, like string, size int) {
	if rest == "" {
		return "", "", 0
	}
	c := rest[0]
	if plain, ok := soqlEscapes[c]; ok {
		if c == '\\' {
			return "\\", "\\\\", 1
		}
		return string(rune(plain)), string(rune(plain)), 1
	}
	switch {
	case c == '%' || c == '_':
		return string(rune(c)), "\\" + string(rune(c)), 1
	case c|0x20 == 'u' && len(rest) >= 5:
		n, err := strconv.ParseUint(rest[1:5], 16, 16)
		if err != nil {
			return "", "", 0
		}
		return string(rune(n)), string(rune(n)), 5
	}
	return "", "", 0
}

// clipText returns at most that many characters.
func clipText(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most])
	}
	return s
}
