package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind says what a piece of JQL is.
type tokenKind byte

const (
	tokenEnd      tokenKind = iota
	tokenWord               // a field, keyword, function or unquoted value
	tokenString             // a quoted value
	tokenOperator           // = != < > <= >= ~ !~ ! & |
	tokenPunct              // ( ) ,
)

// jqlToken is one piece of JQL and where it starts.
type jqlToken struct {
	kind tokenKind
	text string // of a string: its value
	pos  int    // byte offset
}

// position tells line and character as Jira does, both from 1.
func position(query string, pos int) string {
	before := query[:min(pos, len(query))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("(line %d, character %d)", line, column)
}

// reservedCharacters must be quoted in JQL.
const reservedCharacters = "?*/%^$#@[]{}+;\\`"

// lexJQL splits a query; the last token is always the end.
func lexJQL(query string) ([]jqlToken, error) {
	var tokens []jqlToken
	for pos := 0; ; {
		for pos < len(query) && isJQLSpace(query[pos]) {
			pos++
		}
		if pos == len(query) {
			return append(tokens, jqlToken{kind: tokenEnd, pos: pos}), nil
		}
		token, next, err := lexOne(query, pos)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, token)
		pos = next
	}
}

func isJQLSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func lexOne(query string, pos int) (jqlToken, int, error) {
	switch c := query[pos]; {
	case c == '(' || c == ')' || c == ',':
		return jqlToken{tokenPunct, query[pos : pos+1], pos}, pos + 1, nil
	case strings.IndexByte("=<>!~&|", c) >= 0:
		end := pos + 1
		if end < len(query) && isOperatorPair(query[pos:end+1]) {
			end++
		}
		return jqlToken{tokenOperator, query[pos:end], pos}, end, nil
	case c == '"' || c == '\'':
		return lexString(query, pos)
	default:
		return lexWord(query, pos)
	}
}

func isOperatorPair(s string) bool {
	switch s {
	case "!=", "<=", ">=", "!~", "&&", "||":
		return true
	}
	return false
}

func lexWord(query string, pos int) (jqlToken, int, error) {
	end := pos
	for end < len(query) {
		r, size := utf8.DecodeRuneInString(query[end:])
		if strings.ContainsRune("(),=<>!~&|\"'", r) || unicode.IsSpace(r) {
			break
		}
		if strings.ContainsRune(reservedCharacters, r) || r == utf8.RuneError || unicode.IsControl(r) {
			return jqlToken{}, 0, refusef("Error in the JQL Query: The character '%c' is a reserved JQL character. "+
				"You must enclose it in a string or use the escape '\\u%04x' instead. %s", r, r, position(query, end))
		}
		end += size
	}
	if end == pos { // a space that JQL does not know
		return jqlToken{}, 0, refusef("Error in the JQL Query: The character at %s is not expected here.", position(query, pos))
	}
	return jqlToken{tokenWord, query[pos:end], pos}, end, nil
}

func lexString(query string, pos int) (jqlToken, int, error) {
	var text strings.Builder
	quote := query[pos]
	for i := pos + 1; i < len(query); i++ {
		switch c := query[i]; c {
		case quote:
			value := strings.ToValidUTF8(text.String(), "\uFFFD")
			return jqlToken{tokenString, value, pos}, i + 1, nil
		case '\\':
			r, size := unescapeJQL(query[i+1:])
			if size == 0 {
				return jqlToken{}, 0, refusef("Error in the JQL Query: '%s' is an illegal JQL escape sequence. "+
					"The valid escape sequences are \\', \\\", \\t, \\n, \\r, \\\\, '\\ ' and \\uXXXX. %s",
					query[i:min(i+2, len(query))], position(query, i))
			}
			text.WriteRune(r)
			i += size
		default:
			text.WriteByte(c)
		}
	}
	return jqlToken{}, 0, refusef("Error in the JQL Query: The quoted string '%s' has not been completed. %s",
		query[pos+1:], position(query, pos))
}

// unescapeJQL reads what follows a backslash; the size is 0 when JQL has no such escape.
func unescapeJQL(rest string) (r rune, size int) {
	if rest == "" {
		return 0, 0
	}
	switch c := rest[0]; c {
	case '\'', '"', '\\', ' ':
		return rune(c), 1
	case 't':
		return '\t', 1
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 'u':
		if len(rest) < 5 {
			return 0, 0
		}
		code, err := strconv.ParseUint(rest[1:5], 16, 16)
		if err != nil {
			return 0, 0
		}
		return rune(code), 5
	}
	return 0, 0
}
