package atlassian

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// wikiInline parses the marks, links and images of a text; its line ends are hard breaks.
func wikiInline(s string) []*node {
	var nodes []*node
	for i, line := range strings.Split(wikiColor().ReplaceAllString(s, ""), "\n") {
		if i > 0 {
			nodes = append(nodes, &node{kind: "hardBreak"})
		}
		nodes = append(nodes, wikiLine(line, nil)...)
	}
	return nodes
}

// wikiLine parses one line that stands within marks.
func wikiLine(s string, marks []mark) []*node {
	p := &wikiParser{marks: marks, missing: map[string]bool{}}
	var prev rune
	for len(s) > 0 {
		if n := p.special(s, prev); n > 0 {
			prev, _ = utf8.DecodeLastRuneInString(s[:n])
			s = s[n:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		p.text.WriteString(s[:size])
		prev, s = r, s[size:]
	}
	p.flush()
	return p.nodes
}

var (
	wikiColor = pattern(`\{(?:color(?::[^{}\n]{0,40})?|anchor:[^{}\n]{0,200})\}`)
	wikiImage = pattern(`^!([^\s!|][^!|\n]{0,500})(?:\|[^!\n]{0,500})?!`)
	wikiFile  = pattern(`\.[A-Za-z0-9]{1,8}$`)
	wikiURL   = pattern(`^(?:https?|ftp)://[^\s|\[\]{}<>"!*]+|^mailto:[^\s|\[\]{}<>"!*]+`)
)

// maxImage bounds the length of an image with its parameters.
const maxImage = 1100

// phrases are the marks of wiki markup. Those without a mark in Markdown lose their markers.
var phrases = map[byte]string{'*': "strong", '_': "em", '-': "strike", '+': "", '^': "", '~': ""}

// wikiParser holds what was parsed of one line.
type wikiParser struct {
	nodes   []*node
	text    strings.Builder
	marks   []mark
	missing map[string]bool // closing markers that do not come any more
}

func (p *wikiParser) flush() {
	if p.text.Len() > 0 {
		p.nodes = append(p.nodes, textNode(p.text.String(), p.marks...))
		p.text.Reset()
	}
}

func (p *wikiParser) add(n *node) {
	p.flush()
	n.marks = append(n.marks, p.marks...)
	p.nodes = append(p.nodes, n)
}

// inner parses text within one more mark.
func (p *wikiParser) inner(s string, m mark) {
	p.flush()
	p.nodes = append(p.nodes, wikiLine(s, p.with(m))...)
}

func (p *wikiParser) with(m mark) []mark { return append(p.marks[:len(p.marks):len(p.marks)], m) }

// special parses what s begins with, if it is more than a character, and returns its length.
func (p *wikiParser) special(s string, prev rune) int {
	switch s[0] {
	case '\\':
		return p.backslash(s)
	case '{':
		return p.brace(s, prev)
	case '[':
		return p.link(s)
	case '!':
		return p.image(s, prev)
	case '?':
		if strings.HasPrefix(s, "??") {
			return p.phrase(s, "??", "??", mark{kind: "em"}, prev)
		}
	case 'h', 'f', 'm':
		return p.url(s, prev)
	}
	if kind, ok := phrases[s[0]]; ok {
		return p.phrase(s, s[:1], s[:1], mark{kind: kind}, prev)
	}
	return 0
}

func (p *wikiParser) backslash(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch {
	case s[1] == '\\':
		p.add(&node{kind: "hardBreak"})
		return 2
	case isPunct(rune(s[1])):
		p.text.WriteByte(s[1])
		return 2
	}
	return 0
}

// brace parses {{monospaced}} and the marks that the editor writes within words, as in {*}bold{*}.
func (p *wikiParser) brace(s string, prev rune) int {
	if strings.HasPrefix(s, "{{") {
		end := p.find(s[2:], "}}", true)
		if end <= 0 {
			return 0
		}
		for end+4 < len(s) && s[end+4] == '}' {
			end++
		}
		p.add(textNode(strings.NewReplacer(`\{`, "{", `\}`, "}").Replace(s[2:2+end]), mark{kind: "code"}))
		return end + 4
	}
	if len(s) >= 3 && s[2] == '}' {
		if kind, ok := phrases[s[1]]; ok {
			return p.phrase(s, s[:3], s[:3], mark{kind: kind}, prev)
		}
	}
	return 0
}

// phrase parses text between markers. A marker of one character counts only at the edge of a word.
func (p *wikiParser) phrase(s, opening, ending string, m mark, prev rune) int {
	braced := opening[0] == '{'
	rest := s[len(opening):]
	next, _ := utf8.DecodeRuneInString(rest)
	if !braced && (wordRune(prev) || prev == rune(opening[0])) || rest == "" || unicode.IsSpace(next) ||
		strings.HasPrefix(rest, opening) || slices.Contains(p.marks, m) {
		return 0
	}
	end := p.find(rest, ending, braced)
	if end <= 0 {
		return 0
	}
	p.inner(rest[:end], m)
	return len(opening) + end + len(ending)
}

// find returns where the next marker is, -1 where there is none. Unless it may stand anywhere, it must close.
func (p *wikiParser) find(s, marker string, anywhere bool) int {
	for from := 0; !p.missing[marker]; {
		i := strings.Index(s[from:], marker)
		if i < 0 {
			break
		}
		i += from
		if anywhere || closes(s, i, len(marker)) {
			return i
		}
		from = i + len(marker)
	}
	p.missing[marker] = true
	return -1
}

// closes reports whether the marker at i closes: behind a character that is no space, and in front of none that
// continues a word.
func closes(line string, i, size int) bool {
	if i == 0 || line[i-1] == '\\' {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(line[:i])
	next, _ := utf8.DecodeRuneInString(line[i+size:])
	return !unicode.IsSpace(last) && (len(line) == i+size || !wordRune(next) && byte(next) != line[i])
}

// link parses [text|address|tip], [address], [~user] and [^attachment].
func (p *wikiParser) link(s string) int {
	end := closing(s[1:], ']')
	if end <= 0 {
		return 0
	}
	body := s[1 : 1+end]
	switch body[0] {
	case '~':
		name := strings.TrimPrefix(body[1:], "accountid:")
		p.add(&node{kind: "mention", attrs: map[string]any{"id": name}})
		return end + 2
	case '^':
		p.add(&node{kind: "mediaInline", attrs: map[string]any{"alt": body[1:]}})
		return end + 2
	}
	text, address, named := strings.Cut(body, "|")
	if !named {
		text, address = body, body
	}
	address, _, _ = strings.Cut(address, "|")
	address = strings.TrimSpace(address)
	if !named && !isAddress(address) {
		return 0
	}
	text = cmp.Or(strings.TrimSpace(text), address)
	m := mark{"link", address}
	if text == address {
		p.flush()
		p.nodes = append(p.nodes, textNode(text, p.with(m)...))
	} else {
		p.inner(text, m)
	}
	return end + 2
}

// isAddress reports whether the content of brackets is a link without a text, rather than a remark in brackets.
func isAddress(s string) bool {
	return strings.Contains(s, "://") || strings.HasPrefix(s, "mailto:") || strings.HasPrefix(s, "#") && len(s) > 1 || strings.HasPrefix(s, "/")
}

func (p *wikiParser) image(s string, prev rune) int {
	m := wikiImage().FindStringSubmatch(s[:min(len(s), maxImage)])
	if m == nil || wordRune(prev) {
		return 0
	}
	attrs := map[string]any{"alt": m[1]}
	switch {
	case strings.HasPrefix(m[1], "http://"), strings.HasPrefix(m[1], "https://"):
		attrs["alt"], attrs["url"] = "", m[1]
	case !wikiFile().MatchString(m[1]):
		return 0 // two exclamations around words
	}
	p.add(&node{kind: "mediaInline", attrs: attrs})
	return len(m[0])
}

// url parses a bare address. Punctuation at its end belongs to the sentence.
func (p *wikiParser) url(s string, prev rune) int {
	if wordRune(prev) || slices.ContainsFunc(p.marks, func(m mark) bool { return m.kind == "link" }) {
		return 0
	}
	scheme, _, found := strings.Cut(s[:min(len(s), len("https://"))], ":")
	if !found || scheme != "http" && scheme != "https" && scheme != "ftp" && scheme != "mailto" {
		return 0
	}
	address := strings.TrimRight(wikiURL().FindString(s), ".,;:?)'")
	if len(address) < len("ftp://x") {
		return 0
	}
	p.flush()
	p.nodes = append(p.nodes, textNode(address, p.with(mark{"link", address})...))
	return len(address)
}
