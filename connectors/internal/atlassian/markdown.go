package atlassian

import (
	"strconv"
	"strings"
)

// maxText bounds the Markdown of one document, in bytes.
const maxText = 1 << 20

// cutMark ends a document that was cut at [maxText].
const cutMark = "\n\n" + ellipsis + " (cut)"

// printer writes blocks as lines, each behind the markers of the lists and quotes that it stands in.
type printer struct {
	out    strings.Builder
	prefix string  // of every line but the first of a list item
	first  *string // of the next line, where it begins a list item
	gap    *string // of the blank line that is due before the next line
	lines  int
	cell   bool // within a table cell, which is one line and knows no blocks
	limit  int
	cut    bool // something was left out for its size
}

// markdown returns a document as Markdown without a line end at its end.
func markdown(nodes []*node) string {
	p := &printer{limit: maxText}
	p.blocks(nodes, false)
	s := strings.TrimRight(p.out.String(), "\n ")
	if len(s) > 2*maxText { // a line without an end
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	if p.full() {
		return s + cutMark
	}
	return s
}

func (p *printer) full() bool { return p.cut || p.out.Len() > p.limit }

// line writes one line of Markdown, which ends with two spaces for a hard break.
func (p *printer) line(s string) {
	if p.full() {
		return
	}
	if p.gap != nil {
		p.out.WriteString(strings.TrimRight(*p.gap, " "))
		p.out.WriteByte('\n')
		p.gap = nil
	}
	prefix := p.prefix
	if p.first != nil {
		prefix, p.first = *p.first, nil
	}
	if s == "" {
		prefix = strings.TrimRight(prefix, " ")
	}
	p.out.WriteString(prefix)
	p.out.WriteString(s)
	p.out.WriteByte('\n')
	p.lines++
}

// within runs f with a marker before the first line and another before all further ones.
func (p *printer) within(first, rest string, f func()) {
	outer, pending, before := p.prefix, p.first, p.lines
	head := outer + first
	if p.first != nil {
		head = *p.first + first
	}
	if first != rest || p.first != nil {
		p.first = &head
	}
	p.prefix = outer + rest
	f()
	p.prefix = outer
	if p.lines == before {
		p.first = pending
	}
}

// blocks writes nodes one after the other, with a blank line between them unless they are tight. Inline nodes among
// them make up paragraphs.
func (p *printer) blocks(nodes []*node, tight bool) {
	written := false
	for len(nodes) > 0 && !p.full() {
		n := 0
		for n < len(nodes) && isInline(nodes[n]) {
			n++
		}
		before := p.lines
		if written {
			p.due(!tight || n > 0 || !interrupts(nodes[0]))
		}
		if n > 0 {
			p.paragraph(inline(nodes[:n]))
			nodes = nodes[n:]
		} else {
			p.block(nodes[0])
			nodes = nodes[1:]
		}
		written = written || p.lines > before
	}
	if written {
		p.gap = nil
	}
}

// interrupts reports whether a list can follow a paragraph without a blank line: it begins with 1 and not with an empty
// item.
func interrupts(n *node) bool {
	if !isList(n) || len(n.content) == 0 || len(n.content[0].content) == 0 {
		return false
	}
	_, numbered := n.attrs["order"]
	return !numbered || n.number("order", 0, 2) == 1
}

// due has a blank line stand before the next line, or not.
func (p *printer) due(blank bool) {
	p.gap = nil
	if blank {
		gap := p.prefix
		p.gap = &gap
	}
}

func isList(n *node) bool {
	switch n.kind {
	case "bulletList", "orderedList", "taskList", "decisionList":
		return true
	}
	return false
}

// isInline reports whether a node stands within a line. An unknown node does when it has no content.
func isInline(n *node) bool {
	switch n.kind {
	case "text", "hardBreak", "mention", "emoji", "inlineCard", "date", "status", "mediaInline", "inlineExtension", "placeholder":
		return true
	case "rule", "codeBlock", "table", "blockCard", "embedCard", "media", "paragraph", "heading", "expand", "nestedExpand", "panel":
		return false
	}
	return len(n.content) == 0 && !isList(n)
}

func (p *printer) block(n *node) {
	switch n.kind {
	case "paragraph", "caption", "blockCard", "embedCard", "media", "taskItem", "decisionItem":
		p.leaf(n)
	case "heading":
		p.heading(n)
	case "bulletList", "orderedList", "taskList", "decisionList":
		p.list(n)
	case "blockquote":
		p.quote(func() { p.blocks(n.content, false) })
	case "panel":
		p.titled(panelTitle(n), n, p.quote)
	case "expand", "nestedExpand":
		p.titled(n.attr("title"), n, func(f func()) { f() })
	case "codeBlock":
		p.code(n)
	case "rule":
		p.rule()
	case "table":
		p.table(n)
	default:
		p.blocks(n.content, false)
	}
}

// leaf writes a block of inline nodes, or of whatever a strange document put in it.
func (p *printer) leaf(n *node) {
	switch n.kind {
	case "blockCard", "embedCard", "media":
		p.paragraph(inline([]*node{n}))
	default:
		p.blocks(n.content, false)
	}
}

func (p *printer) paragraph(text string) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return
	}
	for i, s := range lines {
		s = escapeStart(strings.TrimSpace(s))
		if i < len(lines)-1 && s != "" && strings.TrimSpace(lines[i+1]) != "" {
			s += "  "
		}
		p.line(s)
	}
}

func (p *printer) heading(n *node) {
	text := strings.Join(strings.Fields(inline(n.content)), " ")
	switch {
	case text == "":
	case p.cell:
		p.line("**" + text + "**")
	default:
		// A closing run of # would be taken for decoration.
		if strings.HasSuffix(text, "#") {
			text = text[:len(text)-1] + `\#`
		}
		p.line(strings.Repeat("#", n.number("level", 1, 6)) + " " + text)
	}
}

func (p *printer) quote(f func()) {
	if p.cell {
		f()
		return
	}
	p.within("> ", "> ", f)
}

// titled writes a block under a title of its own.
func (p *printer) titled(title string, n *node, around func(func())) {
	content := n.content
	if title = strings.TrimSpace(title); title != "" {
		head := &node{kind: "paragraph", content: []*node{textNode(title, mark{kind: "strong"})}}
		content = append([]*node{head}, content...)
	}
	around(func() { p.blocks(content, false) })
}

func panelTitle(n *node) string {
	if title := n.attr("title"); title != "" {
		return title
	}
	switch kind := n.attr("panelType"); kind {
	case "info", "note", "tip", "warning", "success", "error":
		return strings.ToUpper(kind[:1]) + kind[1:]
	}
	return ""
}

func (p *printer) rule() {
	if !p.cell {
		p.line("---")
	}
}

func (p *printer) code(n *node) {
	text := strings.Trim(visible(n.plain()), "\n")
	if p.cell {
		for s := range strings.SplitSeq(text, "\n") {
			p.line(codeSpan(s))
		}
		return
	}
	fence := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	p.line(fence + language(n.attr("language")))
	for s := range strings.SplitSeq(text, "\n") {
		p.line(s)
	}
	p.line(fence)
}

// language returns the name of a programming language as it can follow a fence.
func language(s string) string {
	return strings.Map(func(r rune) rune {
		if wordRune(r) || strings.ContainsRune("+#.-_", r) {
			return r
		}
		return -1
	}, s)
}

func (p *printer) list(n *node) {
	number := n.number("order", 0, 999_999_999)
	if _, given := n.attrs["order"]; !given {
		number = 1
	}
	for _, item := range n.content {
		if p.full() {
			return
		}
		if isList(item) {
			p.within("  ", "  ", func() { p.list(item) })
			continue
		}
		p.item(marker(n, item, number), item)
		number++
	}
}

func (p *printer) item(marker string, item *node) {
	indent := strings.Repeat(" ", len(marker))
	if strings.HasPrefix(marker, "- ") {
		indent = "  "
	}
	p.within(marker, indent, func() {
		before := p.lines
		p.blocks(item.content, true)
		if p.lines == before {
			p.line("")
		}
	})
}

func marker(list, item *node, number int) string {
	switch {
	case isTask(item) && item.attr("state") == "DONE":
		return "- [x] "
	case isTask(item):
		return "- [ ] "
	case item.kind == "decisionItem":
		return "- Decision: "
	case list.kind == "orderedList":
		return strconv.Itoa(number) + ". "
	}
	return "- "
}

func isTask(item *node) bool { return item.kind == "taskItem" || item.kind == "blockTaskItem" }
