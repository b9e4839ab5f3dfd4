package sandbox

import (
	"strings"
	"unicode/utf8"
)

// likePattern is a pattern of LIKE: letter case does not count, % stands for any characters and _ for one.
type likePattern struct{ parts []likePart }

type likePart struct {
	char rune
	any  bool // %
	one  bool // _
}

// newLikePattern reads a pattern in which a backslash makes the next character an ordinary one.
func newLikePattern(s string) likePattern {
	var p likePattern
	escaped := false
	for _, c := range strings.ToLower(s) {
		switch {
		case !escaped && c == '\\':
			escaped = true
			continue
		case !escaped && c == '%':
			if n := len(p.parts); n == 0 || !p.parts[n-1].any {
				p.parts = append(p.parts, likePart{any: true})
			}
		default:
			p.parts = append(p.parts, likePart{char: c, one: !escaped && c == '_'})
		}
		escaped = false
	}
	return p
}

// matches takes time in proportion to the length of the text times that of the pattern at most.
func (p likePattern) matches(text string) bool {
	text = strings.ToLower(text)
	at, part := 0, 0
	back, backAt := -1, 0 // where to go on after the last %, with one more character in it
	for at < len(text) {
		c, size := utf8.DecodeRuneInString(text[at:])
		switch {
		case part < len(p.parts) && p.parts[part].any:
			back, backAt = part, at
			part++
		case part < len(p.parts) && (p.parts[part].one || p.parts[part].char == c):
			part++
			at += size
		case back >= 0:
			_, skipped := utf8.DecodeRuneInString(text[backAt:])
			backAt += skipped
			at, part = backAt, back+1
		default:
			return false
		}
	}
	for part < len(p.parts) && p.parts[part].any {
		part++
	}
	return part == len(p.parts)
}
