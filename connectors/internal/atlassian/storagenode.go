package atlassian

import (
	"cmp"
	"slices"
	"strings"
)

// storageNodes turns elements into nodes; marks are those of the text around them.
func storageNodes(list []*element, marks []mark) []*node {
	var nodes []*node
	for _, e := range list {
		nodes = append(nodes, e.nodes(marks)...)
	}
	return nodes
}

// nodes returns what an element shows.
func (e *element) nodes(marks []mark) []*node {
	if e.name == "" {
		return e.textNodes(marks)
	}
	if m, ok := storageMarks[e.name]; ok {
		return storageNodes(e.children, with(marks, mark{kind: m}))
	}
	if kind, ok := storageBlocks[e.name]; ok {
		return []*node{e.block(kind, marks)}
	}
	if show, ok := storageElements[e.name]; ok {
		return show(e, marks)
	}
	return storageNodes(e.children, marks) // spans and whatever comes
}

// with returns marks with one more, which replaces another of its kind: marks nest deep in hostile documents.
func with(marks []mark, m mark) []mark {
	if slices.Contains(marks, m) {
		return marks
	}
	same := func(other mark) bool { return other.kind == m.kind }
	return append(slices.DeleteFunc(slices.Clone(marks), same), m)
}

// storageMarks are the elements that mark text; those that Markdown has no mark for leave it as it is.
var storageMarks = map[string]string{
	"strong": "strong", "b": "strong", "em": "em", "i": "em", "s": "strike", "del": "strike", "strike": "strike",
	"code": "code", "tt": "code",
}

// textNodes returns a text with its runs of white space drawn together, as browsers show it.
func (e *element) textNodes(marks []mark) []*node {
	s := e.text
	if !e.literal {
		s = collapsed(s)
	}
	if s == "" {
		return nil
	}
	return []*node{textNode(s, marks...)}
}

// collapsed returns s with every run of spaces, tabs and line ends as one space. A no-break space is none of these.
func collapsed(s string) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		switch r {
		case ' ', '\t', '\n', '\r', '\f':
			if !space {
				b.WriteByte(' ')
			}
			space = true
		default:
			b.WriteRune(r)
			space = false
		}
	}
	return b.String()
}

// storageElements are the elements that need more than their content.
var storageElements map[string]func(e *element, marks []mark) []*node

func init() { //nolint:gochecknoinits // the functions reach the table again
	storageElements = map[string]func(*element, []mark) []*node{
		"br":                       func(*element, []mark) []*node { return []*node{{kind: "hardBreak"}} },
		"hr":                       func(*element, []mark) []*node { return []*node{{kind: "rule"}} },
		"pre":                      func(e *element, _ []mark) []*node { return []*node{codeNode(e.plain(), "")} },
		"a":                        anchor,
		"img":                      image,
		"time":                     clock,
		"table":                    table,
		"colgroup":                 nothing,
		"style":                    nothing,
		"script":                   nothing,
		"ac:parameter":             nothing,
		"ac:placeholder":           nothing,
		"ac:adf-attribute":         nothing,
		"ac:image":                 acImage,
		"ac:link":                  acLink,
		"ac:emoticon":              emoticon,
		"ac:task-list":             taskList,
		"ac:structured-macro":      storageMacro,
		"ac:macro":                 storageMacro,
		"ac:adf-extension":         adfExtension,
		"ac:inline-comment-marker": func(e *element, marks []mark) []*node { return storageNodes(e.children, marks) },
	}
}

func nothing(*element, []mark) []*node { return nil }

func codeNode(text, lang string) *node {
	return &node{kind: "codeBlock", attrs: map[string]any{"language": lang}, content: []*node{textNode(text)}}
}

func anchor(e *element, marks []mark) []*node {
	if href := e.attrs["href"]; href != "" {
		marks = with(marks, mark{"link", href})
	}
	return storageNodes(e.children, marks)
}

func image(e *element, marks []mark) []*node {
	return []*node{{kind: "mediaInline", marks: marks, attrs: map[string]any{"alt": e.attrs["alt"], "url": e.attrs["src"]}}}
}

func clock(e *element, marks []mark) []*node {
	if at := e.attrs["datetime"]; at != "" {
		return []*node{textNode(at, marks...)}
	}
	return storageNodes(e.children, marks)
}

// acImage returns an image with its caption: one that is attached to the page is told by its name.
func acImage(e *element, marks []mark) []*node {
	n := &node{kind: "mediaInline", marks: marks, attrs: map[string]any{"alt": e.attrs["ac:alt"]}}
	nodes := []*node{n}
	for _, c := range e.children {
		switch c.name {
		case "ri:url":
			n.attrs["url"] = c.attrs["ri:value"]
		case "ri:attachment":
			n.attrs["fileName"] = c.attrs["ri:filename"]
		case "ac:caption":
			nodes = append(nodes, &node{kind: "caption", content: storageNodes(c.children, marks)})
		}
	}
	return nodes
}

// acLink returns a link to something in Confluence as its text, or else as what it leads to.
func acLink(e *element, marks []mark) []*node {
	for _, name := range []string{"ac:link-body", "ac:plain-text-link-body"} {
		if body := e.child(name); body != nil {
			if nodes := storageNodes(body.children, marks); slices.ContainsFunc(nodes, (*node).shows) {
				return nodes
			}
		}
	}
	for _, c := range e.children {
		switch c.name {
		case "ri:user":
			id := cmp.Or(c.attrs["ri:account-id"], c.attrs["ri:username"], c.attrs["ri:userkey"])
			return []*node{{kind: "mention", marks: marks, attrs: map[string]any{"text": id}}}
		case "ri:page", "ri:blog-post":
			return []*node{textNode(c.attrs["ri:content-title"], marks...)}
		case "ri:attachment":
			return []*node{textNode(c.attrs["ri:filename"], marks...)}
		case "ri:space":
			return []*node{textNode(c.attrs["ri:space-key"], marks...)}
		case "ri:content-entity":
			return []*node{textNode("(content "+c.attrs["ri:content-id"]+")", marks...)}
		case "ri:shortcut":
			return []*node{textNode(c.attrs["ri:parameter"]+"@"+c.attrs["ri:key"], marks...)}
		}
	}
	return []*node{textNode(cmp.Or(e.attrs["ac:anchor"], strings.TrimSpace(e.plain())), marks...)}
}

// shows reports whether there is something of a node to see.
func (n *node) shows() bool { return n.kind != "text" || strings.TrimSpace(n.text) != "" }

// emoticons are the emoticons that have no fallback of their own.
var emoticons = map[string]string{
	"smile": "🙂", "sad": "🙁", "cheeky": "😛", "laugh": "😄", "wink": "😉", "thumbs-up": "👍", "thumbs-down": "👎",
	"tick": "✅", "cross": "❌", "information": "ℹ️", "warning": "⚠️", "question": "❓", "light-on": "💡", "heart": "❤️",
	"yellow-star": "⭐", "plus": "➕", "minus": "➖",
}

func emoticon(e *element, marks []mark) []*node {
	name := e.attrs["ac:name"]
	text := cmp.Or(e.attrs["ac:emoji-fallback"], emoticons[name], e.attrs["ac:emoji-shortname"], name)
	return []*node{{kind: "emoji", marks: marks, attrs: map[string]any{"text": text}}}
}
