package atlassian

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// before returns the character in front of a segment as far as escaping needs it: a mark in between counts as an
// asterisk, the begin of a line as zero.
func before(segs []segment, i int) rune {
	if i == 0 || segs[i-1] == lineEnd {
		return 0
	}
	prev := segs[i-1]
	if prev.link != segs[i].link || prev.marks != segs[i].marks || prev.literal {
		return '*'
	}
	r, _ := utf8.DecodeLastRuneInString(prev.text)
	return r
}

// after returns the character behind a segment, as before does; the begin of a link counts as its bracket.
func after(segs []segment, i int) rune {
	if i == len(segs)-1 || segs[i+1] == lineEnd {
		return 0
	}
	next := segs[i+1]
	switch {
	case next.link != segs[i].link && next.link != "":
		return '['
	case next.link != segs[i].link || next.marks != segs[i].marks || next.literal:
		return '*'
	}
	r, _ := utf8.DecodeRuneInString(next.text)
	return r
}

// escape returns text with a backslash wherever Markdown would take it for more than text, and nowhere else. Prev and
// next are its neighbours, zero at the ends of a line.
func escape(s string, prev, next rune, inLink bool) string {
	var b strings.Builder
	for i, r := range s {
		follow, size := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		if size == 0 {
			follow = next
		}
		if r < utf8.RuneSelf && special(r, prev, follow, s[i:], inLink) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		prev = r
	}
	return b.String()
}

var entity = pattern(`^&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});`)

// special reports whether r, at the begin of rest, means something to Markdown between prev and next.
func special(r, prev, next rune, rest string, inLink bool) bool {
	switch r {
	case '`':
		return true
	case '*', '_':
		return delimits(r, prev, next)
	case '~':
		return prev == '~' || next == '~'
	case '[', ']':
		return inLink || r == ']' && oneOf(next, "([:")
	case '!':
		return next == '['
	case '\\', '<', '&':
		return begins(r, next, rest)
	}
	return false
}

// delimits reports whether an asterisk or underscore can delimit emphasis: not between spaces, and an underscore not
// within a word.
func delimits(r, prev, next rune) bool {
	if blank(prev) && blank(next) {
		return false
	}
	return r == '*' || !wordRune(prev) || !wordRune(next)
}

// begins reports whether a backslash, a tag or an entity begins here.
func begins(r, next rune, rest string) bool {
	switch r {
	case '\\':
		return isPunct(next) || next == 0
	case '<':
		return unicode.IsLetter(next) || oneOf(next, "/!?")
	}
	return entity().MatchString(rest[:min(len(rest), maxEntity)])
}

// maxEntity is the length of the longest name of an entity, and then some.
const maxEntity = 40

func oneOf(r rune, set string) bool { return r != 0 && strings.ContainsRune(set, r) }

func blank(r rune) bool { return r == 0 || unicode.IsSpace(r) }

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func isPunct(r rune) bool {
	return r != 0 && r < utf8.RuneSelf && (unicode.IsPunct(r) || unicode.IsSymbol(r))
}

// blockStart matches what makes a line more than a line of a paragraph: a heading, quote, list, rule or underline. The
// backslash goes behind the group.
var blockStart = pattern(`^(?:()#{1,6}(?:\s|$)|()>|()[-+*](?:\s|$)|([0-9]{1,9})[.)](?:\s|$)|()[-=_*:|\s]+$)`)

// escapeStart escapes the start of a line of a paragraph.
func escapeStart(line string) string {
	m := blockStart().FindStringSubmatchIndex(line)
	for i := 2; i < len(m); i += 2 {
		if m[i] >= 0 {
			return line[:m[i+1]] + `\` + line[m[i+1]:]
		}
	}
	return line
}

// codeSpan returns text as inline code.
func codeSpan(s string) string {
	s = strings.ReplaceAll(visible(s), "\n", " ")
	if s == "" {
		return ""
	}
	ticks := strings.Repeat("`", longestRun(s, '`')+1)
	if s[0] == '`' || s[len(s)-1] == '`' || s[0] == ' ' && s[len(s)-1] == ' ' && strings.TrimSpace(s) != "" {
		s = " " + s + " "
	}
	return ticks + s + ticks
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
