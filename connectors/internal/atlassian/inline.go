package atlassian

import (
	"cmp"
	"html"
	"strings"
	"time"
	"unicode"
)

// emphasis is a set of marks that Markdown knows.
type emphasis uint8

const (
	strong emphasis = 1 << iota
	em
	strike
)

// delimiters are what surrounds each emphasis.
var delimiters = []struct {
	mark emphasis
	text string
}{{strong, "**"}, {em, "*"}, {strike, "~~"}}

// segment is a piece of a line with the same marks throughout. A literal one is Markdown already, but for the
// backticks of code.
type segment struct {
	text    string
	link    string
	marks   emphasis
	literal bool
	code    bool
}

// inline returns inline nodes as Markdown; a line end in it is a hard break.
func inline(nodes []*node) string {
	segs := joinCode(appendSegments(nil, nodes, segment{}))
	for i := range segs {
		switch {
		case segs[i].code:
			segs[i].text = codeSpan(segs[i].text)
		case !segs[i].literal:
			segs[i].text = escape(segs[i].text, before(segs, i), after(segs, i), segs[i].link != "")
		}
	}
	return join(segs)
}

// appendSegments appends the segments of nodes; style holds the marks that surround them.
func appendSegments(segs []segment, nodes []*node, style segment) []segment {
	for _, n := range nodes {
		style := n.style(style)
		switch n.kind {
		case "hardBreak":
			segs = append(segs, lineEnd)
		case "media", "mediaInline":
			segs = append(segs, n.media(style))
		case "inlineCard", "blockCard", "embedCard":
			segs = append(segs, n.card(style))
		default:
			if s := n.inlineText(); s != "" {
				segs = appendText(segs, n, s, style)
			}
			segs = appendSegments(segs, n.content, style)
		}
	}
	return segs
}

var lineEnd = segment{text: "\n", literal: true}

func appendText(segs []segment, n *node, s string, style segment) []segment {
	if _, code := n.has("code"); code {
		style.text, style.literal, style.code = s, true, true
		return append(segs, style)
	}
	for i, line := range strings.Split(visible(s), "\n") {
		if i > 0 {
			segs = append(segs, lineEnd)
		}
		if line != "" {
			style.text = line
			segs = append(segs, style)
		}
	}
	return segs
}

// joinCode joins code that follows code: two spans in a row would be read as one with backticks inside. It changes the
// segments.
func joinCode(segs []segment) []segment {
	joined := segs[:0]
	for len(segs) > 0 {
		first := segs[0]
		same := run(segs, func(s segment) bool { return s.code && s.link == first.link && s.marks == first.marks })
		if len(same) > 1 {
			var b strings.Builder
			for _, s := range same {
				b.WriteString(s.text)
			}
			first.text = b.String()
		}
		joined = append(joined, first)
		segs = segs[max(1, len(same)):]
	}
	return joined
}

// style returns the marks of a node on top of those around it.
func (n *node) style(around segment) segment {
	for _, m := range n.marks {
		switch m.kind {
		case "strong":
			around.marks |= strong
		case "em":
			around.marks |= em
		case "strike":
			around.marks |= strike
		case "link":
			around.link = destination(m.value)
		}
	}
	return around
}

// inlineText returns what an inline node without content of its own shows.
func (n *node) inlineText() string {
	switch n.kind {
	case "text":
		return n.text
	case "mention":
		return "@" + strings.TrimPrefix(cmp.Or(n.attr("text"), n.attr("id")), "@")
	case "emoji":
		return cmp.Or(n.attr("text"), n.attr("shortName"))
	case "date":
		if t, ok := ParseTime(n.attr("timestamp")); ok {
			return t.Format(time.DateOnly)
		}
		return n.attr("timestamp")
	}
	if len(n.content) > 0 {
		return ""
	}
	return cmp.Or(n.text, n.attr("text"))
}

func (n *node) media(style segment) segment {
	name := cmp.Or(n.attr("alt"), n.attr("__fileName"), n.attr("fileName"), n.attr("filename"))
	if url := destination(n.attr("url")); url != "" {
		style.literal = true
		style.text = "![" + escape(visible(name), 0, 0, true) + "](" + url + ")"
		return style
	}
	style.text = "(attachment)"
	if name != "" {
		style.text = "(attachment: " + visible(name) + ")"
	}
	return style
}

func (n *node) card(style segment) segment {
	data, _ := n.attrs["data"].(map[string]any)
	url, _ := data["url"].(string)
	id, _ := data["@id"].(string)
	name, _ := data["name"].(string)
	url = cmp.Or(n.attr("url"), url, id)
	style.link, style.text = destination(url), visible(cmp.Or(url, name, "(card)"))
	return style
}

// join joins segments. Of the marks that begin at a segment the one that reaches furthest is the outermost. It changes
// the segments.
func join(segs []segment) string {
	var b strings.Builder
	for len(segs) > 0 {
		n := len(run(segs, func(s segment) bool { return s.marks == 0 && s.link == "" }))
		for _, s := range segs[:n] {
			b.WriteString(s.text)
		}
		if segs = segs[n:]; len(segs) > 0 {
			n, text := joinMark(segs)
			b.WriteString(text)
			segs = segs[n:]
		}
	}
	return b.String()
}

// joinMark joins the segments that share the outermost mark of the first one, and returns how many they are.
func joinMark(segs []segment) (int, string) {
	url := segs[0].link
	var longest []segment
	if url != "" {
		longest = run(segs, func(s segment) bool { return s.link == url })
	}
	wrap := func(s string) string { return link(s, url) }
	unmark := func(s *segment) { s.link = "" }
	for _, d := range delimiters {
		if r := run(segs, func(s segment) bool { return s.marks&d.mark != 0 }); len(r) > len(longest) {
			longest = r
			wrap = func(s string) string { return d.text + s + d.text }
			unmark = func(s *segment) { s.marks &^= d.mark }
		}
	}
	for i := range longest {
		unmark(&longest[i])
	}
	return len(longest), outside(join(longest), wrap)
}

// run returns the segments at the begin for which f holds.
func run(segs []segment, f func(segment) bool) []segment {
	n := 0
	for n < len(segs) && f(segs[n]) {
		n++
	}
	return segs[:n]
}

// outside applies f to text without the spaces around it: next to a space, a delimiter does not delimit.
func outside(text string, f func(string) string) string {
	core := strings.TrimSpace(text)
	if core == "" {
		return text
	}
	start := strings.Index(text, core)
	return text[:start] + f(core) + text[start+len(core):]
}

func link(text, url string) string {
	bare := strings.ReplaceAll(text, `\`, "")
	if bare == url && (strings.Contains(url, "://") || strings.HasPrefix(url, "mailto:")) {
		return "<" + url + ">"
	}
	return "[" + text + "](" + url + ")"
}

// destination returns an address that can stand in a Markdown link, "" for one that must not be followed.
func destination(href string) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(href) {
		switch {
		case unicode.IsControl(r):
		case strings.ContainsRune(` ()<>"\`+"`", r):
			b.WriteString("%" + strings.ToUpper(hex(byte(r))))
		default:
			b.WriteRune(r)
		}
	}
	// Markdown reads entities in an address: what it would read is what is judged, and none is left.
	s := withoutEntities(b.String())
	scheme, _, _ := strings.Cut(strings.ToLower(html.UnescapeString(b.String())), ":")
	switch scheme {
	case "javascript", "vbscript", "data":
		return ""
	}
	return s
}

// withoutEntities returns an address in which Markdown reads no entity.
func withoutEntities(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '&' && entity().MatchString(s[i:min(len(s), i+maxEntity)]) {
			b.WriteString("amp;")
		}
	}
	return b.String()
}

func hex(b byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}

// visible drops control characters but for tabs and line ends.
func visible(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r', r == '\u2028':
			return '\n'
		case r != '\n' && r != '\t' && unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
}
