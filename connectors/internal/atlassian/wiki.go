package atlassian

import (
	"encoding/json"
	"strings"
)

// maxWiki bounds how much wiki markup is read, in bytes; [maxText] would cut the rest anyway.
const maxWiki = 2 << 20

// parseWiki turns wiki markup into nodes named as ADF names them.
func parseWiki(s string) []*node {
	cut := len(s) > maxWiki
	if cut {
		s = s[:maxWiki]
	}
	nodes := wikiBlocks(visible(s))
	if cut {
		nodes = append(nodes, textNode(ellipsis+" (cut)"))
	}
	return nodes
}

// blockMacro matches the start of a macro whose content is blocks or text as it is.
var blockMacro = pattern(`^\{(code|noformat|quote|panel)(?::([^{}\n]*))?\}`)

// maxMacro bounds the start of a macro with its parameters, in bytes.
const maxMacro = 1000

// wikiBlocks splits text at its macros and parses what lies between. As a macro ends where its name stands next, none
// stands within its own kind, and nesting is bounded by the number of kinds.
func wikiBlocks(s string) []*node {
	var nodes []*node
	unclosed := map[string]bool{}
	from := 0 // where the text begins that is not parsed yet
	for at := 0; at < len(s); at++ {
		i := strings.IndexByte(s[at:], '{')
		if i < 0 {
			break
		}
		at += i
		m := blockMacro().FindStringSubmatch(s[at:min(len(s), at+maxMacro)])
		if m == nil || unclosed[m[1]] || at > 0 && s[at-1] == '\\' {
			continue
		}
		body := s[at+len(m[0]):]
		ending := "{" + m[1] + "}"
		end := strings.Index(body, ending)
		if end < 0 {
			unclosed[m[1]] = true
			continue
		}
		nodes = append(nodes, wikiLines(s[from:at])...)
		nodes = append(nodes, macro(m[1], m[2], body[:end]))
		from = at + len(m[0]) + end + len(ending)
		at = from - 1
	}
	return append(nodes, wikiLines(s[from:])...)
}

func macro(name, params, body string) *node {
	n := &node{attrs: map[string]any{}}
	switch name {
	case "quote":
		n.kind, n.content = "blockquote", wikiBlocks(body)
	case "panel":
		n.kind, n.content = "panel", wikiBlocks(body)
		n.attrs["title"] = param(params, "title")
	default:
		n.kind, n.content = "codeBlock", []*node{textNode(body)}
		n.attrs["language"] = language(params)
		if strings.ContainsAny(params, "=|") {
			n.attrs["language"] = param(params, "language")
		}
	}
	return n
}

// param returns one parameter of a macro; for the language, the one without a name counts.
func param(params, name string) string {
	for p := range strings.SplitSeq(params, "|") {
		key, value, named := strings.Cut(p, "=")
		switch {
		case named && strings.TrimSpace(key) == name:
			return strings.TrimSpace(value)
		case !named && name == "language":
			return strings.TrimSpace(p)
		}
	}
	return ""
}

var (
	wikiHeading = pattern(`^\s*h([1-6])\.\s+(.*)$`)
	wikiQuote   = pattern(`^\s*bq\.\s+(.*)$`)
	wikiRule    = pattern(`^\s*-{4,5}\s*$`)
	wikiItem    = pattern(`^\s*([*#]{1,40}|-)\s+(\S.*)$`)
)

// wikiLines parses text without macros, line by line.
func wikiLines(s string) []*node {
	var nodes []*node
	lines := strings.Split(s, "\n")
	for len(lines) > 0 {
		n, used := wikiBlock(lines)
		if n != nil {
			nodes = append(nodes, n)
		}
		lines = lines[used:]
	}
	return nodes
}

// wikiBlock parses the block that the lines begin with and returns how many lines it has; at least one.
func wikiBlock(lines []string) (*node, int) {
	line := lines[0]
	if strings.TrimSpace(line) == "" {
		return nil, 1
	}
	if m := wikiHeading().FindStringSubmatch(line); m != nil {
		level := map[string]any{"level": json.Number(m[1])}
		return &node{kind: "heading", attrs: level, content: wikiInline(m[2])}, 1
	}
	if m := wikiQuote().FindStringSubmatch(line); m != nil {
		return &node{kind: "blockquote", content: []*node{{kind: "paragraph", content: wikiInline(m[1])}}}, 1
	}
	switch {
	case wikiRule().MatchString(line):
		return &node{kind: "rule"}, 1
	case wikiItem().MatchString(line):
		return wikiList(lines)
	case isRow(line):
		return wikiTable(lines)
	}
	n := 1
	for n < len(lines) && isText(lines[n]) {
		n++
	}
	return &node{kind: "paragraph", content: wikiInline(strings.Join(lines[:n], "\n"))}, n
}

// isText reports whether a line goes on with the paragraph, item or cell above it.
func isText(line string) bool {
	return strings.TrimSpace(line) != "" && !wikiHeading().MatchString(line) && !wikiQuote().MatchString(line) &&
		!wikiRule().MatchString(line) && !wikiItem().MatchString(line) && !isRow(line)
}

func isRow(line string) bool { return strings.HasPrefix(strings.TrimLeft(line, " \t"), "|") }

// wikiList parses a list; the number of markers of an item is its depth, the last one its kind.
func wikiList(lines []string) (*node, int) {
	root := &node{kind: listKind(strings.TrimSpace(lines[0])[0])}
	open := []*node{root}
	n := 0
	for n < len(lines) {
		m := wikiItem().FindStringSubmatch(lines[n])
		if m == nil || n > 0 && len(m[1]) == 1 && listKind(m[1][0]) != root.kind {
			break
		}
		text := []string{m[2]}
		for n++; n < len(lines) && isText(lines[n]); n++ {
			text = append(text, lines[n])
		}
		open = openList(open, m[1])
		last := open[len(open)-1]
		item := &node{kind: "listItem", content: []*node{{kind: "paragraph", content: wikiInline(strings.Join(text, "\n"))}}}
		last.content = append(last.content, item)
	}
	return root, n
}

func listKind(marker byte) string {
	if marker == '#' {
		return "orderedList"
	}
	return "bulletList"
}

// openList returns the lists that are open for an item with that marker, the innermost last.
func openList(open []*node, marker string) []*node {
	open = open[:min(len(open), len(marker))]
	last := len(open) - 1
	if kind := listKind(marker[last]); last > 0 && open[last].kind != kind {
		open = open[:last]
	}
	for len(open) < len(marker) {
		parent := open[len(open)-1]
		if len(parent.content) == 0 {
			parent.content = append(parent.content, &node{kind: "listItem"})
		}
		list := &node{kind: listKind(marker[len(open)])}
		item := parent.content[len(parent.content)-1]
		item.content = append(item.content, list)
		open = append(open, list)
	}
	return open
}

// wikiTable parses a table. A row goes on over line ends until its last bar.
func wikiTable(lines []string) (*node, int) {
	table := &node{kind: "table"}
	n := 0
	for n < len(lines) && isRow(lines[n]) {
		row := []string{strings.TrimSpace(lines[n])}
		for n++; n < len(lines) && !strings.HasSuffix(row[len(row)-1], "|") && isText(lines[n]); n++ {
			row = append(row, strings.TrimSpace(lines[n]))
		}
		if r := wikiRow(strings.Join(row, "\n")); len(r.content) > 0 {
			table.content = append(table.content, r)
		}
	}
	return table, n
}

// wikiRow parses |cell|cell| and ||header||header||.
func wikiRow(s string) *node {
	row := &node{kind: "tableRow"}
	for s != "" {
		kind := "tableCell"
		s = strings.TrimPrefix(s, "|")
		if strings.HasPrefix(s, "|") {
			kind, s = "tableHeader", s[1:]
		}
		if strings.TrimSpace(s) == "" {
			break
		}
		end := cellEnd(s)
		cell := &node{kind: kind, content: []*node{{kind: "paragraph", content: wikiInline(strings.TrimSpace(s[:end]))}}}
		row.content = append(row.content, cell)
		s = s[end:]
	}
	return row
}

// cellEnd returns where a cell ends: at the next bar that stands in no link and no image.
func cellEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '[':
			if n := closing(s[i+1:], ']'); n >= 0 {
				i += n + 1
			}
		case '!':
			if m := wikiImage().FindString(s[i:]); m != "" {
				i += len(m) - 1
			}
		case '|':
			return i
		}
	}
	return len(s)
}

// closing returns where c closes what was opened just before s, -1 where it does not on this line. Brackets do not
// nest.
func closing(s string, c byte) int {
	if i := strings.IndexAny(s, "[\n"+string(rune(c))); i >= 0 && s[i] == c {
		return i
	}
	return -1
}
