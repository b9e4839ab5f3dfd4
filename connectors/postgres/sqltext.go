package postgres

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// userSQL is a query of a user's as far as its words tell. Nothing here decides what the server may do: that is the
// server's part. It decides only in which order rows are paged.
type userSQL struct {
	text    string // without a semicolon at its end
	ordered bool   // it has an ORDER BY of its own, or may have
	picks   bool   // it leaves rows out by how many there are, so that which ones may be the server's choice
	nullKey bool   // it may make a table's key null, as outer joins do
	orderBy string // the words of the ORDER BY and what follows, in lower case, a blank before each, without asc
}

// readSQL looks at the words of a query that stand outside texts, quoted names, comments and parentheses.
func readSQL(text string) userSQL {
	out := userSQL{text: strings.TrimSpace(text)}
	s := scanner{rest: out.text}
	before, depth, end := "", 0, -1
	for word, ok := s.next(); ok; word, ok = s.next() {
		out.note(before, word, depth)
		switch word {
		case "(", "[":
			depth++
		case ")", "]":
			depth--
		}
		if word != ";" {
			end = len(out.text) - len(s.rest)
		}
		before = word
	}
	if end >= 0 && before == ";" {
		out.text = out.text[:end]
	}
	return out
}

// note takes what a word at a depth of parentheses tells.
func (u *userSQL) note(before, word string, depth int) {
	if u.orderBy != "" || depth == 0 && before == "BY" && u.ordered {
		u.sort(word)
	}
	u.picks = u.picks || picks(before, word)
	u.ordered = u.ordered || orders(before, word, depth)
	u.nullKey = u.nullKey || slices.Contains([]string{"LEFT", "RIGHT", "FULL", "ROLLUP", "CUBE", "GROUPING"}, word)
}

// orders reports whether a word begins an ORDER BY of the whole; one in parentheses may have one inside.
func orders(before, word string, depth int) bool {
	return word == "(" && before == "" || word == "BY" && depth == 0 && before == "ORDER"
}

// picks reports whether a word leaves rows out by how many there are.
func picks(before, word string) bool {
	switch word {
	case "LIMIT", "OFFSET", "FETCH", "TABLESAMPLE":
		return true
	}
	return before == "DISTINCT" && word == "ON"
}

// sort takes a word of the ORDER BY.
func (u *userSQL) sort(word string) {
	if word != "ASC" && word != ";" {
		u.orderBy += " " + strings.ToLower(word)
	}
}

// scanner takes the words of SQL one by one (PostgreSQL documentation, 4.1 Lexical Structure).
type scanner struct{ rest string }

// next returns the next word in upper case, a single other character, or "'" for a text or quoted name. Blanks and
// comments are skipped.
func (s *scanner) next() (word string, ok bool) {
	for s.skip() {
		continue
	}
	if s.rest == "" {
		return "", false
	}
	if n := wordLen(s.rest); n > 0 {
		word = strings.ToUpper(s.rest[:n])
		s.rest = s.rest[n:]
		if word == "E" && strings.HasPrefix(s.rest, "'") {
			s.quoted('\'', true)
			word = "'"
		}
		return word, true
	}
	switch c := s.rest[0]; {
	case c == '\'' || c == '"':
		s.quoted(c, false)
		return "'", true
	case c == '$' && s.dollar():
		return "'", true
	}
	_, n := utf8.DecodeRuneInString(s.rest)
	word, s.rest = s.rest[:n], s.rest[n:]
	return word, true
}

// skip takes a blank or a comment, if one comes next.
func (s *scanner) skip() bool {
	switch {
	case s.rest == "":
		return false
	case strings.HasPrefix(s.rest, "--"):
		_, s.rest, _ = strings.Cut(s.rest, "\n")
		return true
	case strings.HasPrefix(s.rest, "/*"):
		s.comment()
		return true
	}
	r, n := utf8.DecodeRuneInString(s.rest)
	if unicode.IsSpace(r) {
		s.rest = s.rest[n:]
		return true
	}
	return false
}

// comment takes a comment with those inside it.
func (s *scanner) comment() {
	depth := 0
	for s.rest != "" {
		switch {
		case strings.HasPrefix(s.rest, "/*"):
			depth++
			s.rest = s.rest[2:]
		case strings.HasPrefix(s.rest, "*/"):
			s.rest = s.rest[2:]
			if depth--; depth == 0 {
				return
			}
		default:
			s.rest = s.rest[1:]
		}
	}
}

// quoted takes a text or name between quotes; a doubled quote is one inside it, and with escapes one after a backslash.
func (s *scanner) quoted(quote byte, escapes bool) {
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '\\' && escapes:
			i++
		case c == quote && i+1 < len(s.rest) && s.rest[i+1] == quote:
			i++
		case c == quote:
			s.rest = s.rest[i+1:]
			return
		}
	}
	s.rest = ""
}

// dollar takes a text between $tag$ and $tag$, if one comes next.
func (s *scanner) dollar() bool {
	tag, after, ok := strings.Cut(s.rest[1:], "$")
	if !ok || wordLen(tag) != len(tag) || tag != "" && '0' <= tag[0] && tag[0] <= '9' {
		return false
	}
	_, s.rest, _ = strings.Cut(after, "$"+tag+"$")
	return true
}

// wordLen returns the length of the word or number that s begins with.
func wordLen(s string) int {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && (i == 0 || r != '$') {
			return i
		}
	}
	return len(s)
}
