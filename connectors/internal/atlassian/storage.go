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
	return markdown(storageNodes(parseStorage(body).children, nil))
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
			literal := strings.HasPrefix(string(z.Raw()), "<![CDATA[")
			p.add(&element{text: string(z.Text()), literal: literal})
		case html.StartTagToken:
			p.start(newElement(z))
		case html.SelfClosingTagToken:
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

func newElement(z *html.Tokenizer) *element {
	name, more := z.TagName()
	e := &element{name: string(name), attrs: map[string]string{}}
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
