package atlassian

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// Storage returns Confluence's storage format as Markdown: XHTML with elements of its own for macros, links and images.
// See https://confluence.atlassian.com/doc/confluence-storage-format-790796544.html. It never fails: what it does not know
// it passes through as text, tags that are not closed or not opened do not matter, and hostile documents are cut at bounds
// of depth and size, visibly.
func Storage(body string) string {
	root := parseStorage(body)
	budget := 2 * maxText
	root.boundLinks(nil, &budget)
	return markdown(storageNodes(root.children, nil))
}

// element is an element of storage format, or a text where it has no name.
type element struct {
	name     string
	attrs    map[string]string
	text     string
	literal  bool // of a text: it stood in a CDATA section, where every space counts
	children []*element
}

// storageParser builds the tree of a document.
type storageParser struct {
	open   []*element // from the root to the one that is being filled
	deeper int        // how many elements are open below the deepest one that is kept
}

// parseStorage returns the root of a document.
func parseStorage(body string) *element {
	z := html.NewTokenizer(strings.NewReader(strings.ToValidUTF8(body, "�")))
	z.AllowCDATA(true)
	root := &element{}
	p := &storageParser{open: []*element{root}}
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return root // the end: a text has no other error
		case html.TextToken:
			p.add(newText(z))
		case html.StartTagToken:
			e := newElement(z)
			if e.name != "script" && e.name != "style" {
				z.NextIsNotRawText() // HTML reads tags in a <title> or <iframe> as text, XHTML does not
			}
			p.start(e)
		case html.SelfClosingTagToken:
			z.NextIsNotRawText() // in XHTML a <script/> ends at once
			if e := newElement(z); len(p.open) <= maxDepth {
				p.add(e)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			p.end(string(name))
		}
	}
}

// add adds an element to the one that is being filled.
func (p *storageParser) add(e *element) {
	top := p.open[len(p.open)-1]
	top.children = append(top.children, e)
}

// start opens an element; one that lies too deep leaves its content to the one around it.
func (p *storageParser) start(e *element) {
	p.endSibling(e.name)
	switch {
	case isVoid(e.name):
		p.add(e)
	case len(p.open) <= maxDepth:
		p.add(e)
		p.open = append(p.open, e)
	default:
		if p.deeper == 0 {
			p.add(&element{text: ellipsis})
		}
		p.deeper++
	}
}

// endSibling closes the item, cell or row that the start of the next one ends, as in HTML.
func (p *storageParser) endSibling(name string) {
	name = sibling(name)
	if name == "" || p.deeper > 0 {
		return
	}
	for i := len(p.open) - 1; i > 0; i-- {
		switch open := p.open[i].name; {
		case sibling(open) == name:
			p.open = p.open[:i]
			return
		case open == "table", open == "ul", open == "ol":
			return
		}
	}
}

// sibling returns one name for the elements that end each other, "" for those that may stand in their like.
func sibling(name string) string {
	switch name {
	case "li", "tr", "td":
		return name
	case "th":
		return "td"
	}
	return ""
}

// end closes an element and those within it that were not closed; an end tag that closes nothing is ignored.
func (p *storageParser) end(name string) {
	if p.deeper > 0 {
		p.deeper--
		return
	}
	for i := len(p.open) - 1; i > 0; i-- {
		if p.open[i].name == name {
			p.open = p.open[:i]
			return
		}
	}
}

// newText returns a text. The tokenizer would resolve entities in a CDATA section too, where they are none.
func newText(z *html.Tokenizer) *element {
	const begin, end = "<![CDATA[", "]]>"
	if s, literal := strings.CutPrefix(string(z.Raw()), begin); literal {
		return &element{text: strings.TrimSuffix(s, end), literal: true}
	}
	return &element{text: string(z.Text())}
}

func newElement(z *html.Tokenizer) *element {
	name, more := z.TagName()
	e := &element{name: string(name)}
	if more {
		e.attrs = map[string]string{}
	}
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if _, twice := e.attrs[string(key)]; !twice && utf8.Valid(key) {
			e.attrs[string(key)] = string(value)
		}
	}
	return e
}

func isVoid(name string) bool {
	switch name {
	case "br", "hr", "img", "col":
		return true
	}
	return false
}

// boundLinks takes the address from links once the budget is spent: every piece of a link is written with its address, so
// that a long one around many pieces would make a small document huge.
func (e *element) boundLinks(link *element, budget *int) {
	if e.name == "a" {
		link = e
	}
	if link != nil && len(e.children) == 0 {
		if *budget -= len(link.attrs["href"]); *budget < 0 {
			delete(link.attrs, "href")
		}
	}
	for _, c := range e.children {
		c.boundLinks(link, budget)
	}
}

// child returns the first child with that name, nil where there is none.
func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// plain returns the text of an element and everything below it; none of nil.
func (e *element) plain() string {
	var b strings.Builder
	e.appendPlain(&b)
	return b.String()
}

func (e *element) appendPlain(b *strings.Builder) {
	if e == nil {
		return
	}
	if e.name == "br" {
		b.WriteByte('\n')
	}
	b.WriteString(e.text)
	for _, c := range e.children {
		c.appendPlain(b)
	}
}

// param returns a parameter of a macro, "" where it has none.
func (e *element) param(name string) string {
	for _, c := range e.children {
		if c.name == "ac:parameter" && c.attrs["ac:name"] == name {
			return strings.TrimSpace(c.plain())
		}
	}
	return ""
}
