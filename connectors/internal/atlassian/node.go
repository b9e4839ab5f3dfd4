// Package atlassian holds what the connectors for Jira and Confluence share: rich text as Markdown, and times.
//
// Rich text arrives as Atlassian Document Format (ADF), a tree in JSON, or as wiki markup, a text. Both become one
// tree of nodes, named as ADF names them, and one printer writes that as Markdown.
package atlassian

import (
	"bytes"
	"encoding/json"
	"strings"
)

// maxDepth is how deep a document may nest; what lies deeper is left out and marked by an ellipsis.
const maxDepth = 200

// ellipsis stands where something was left out.
const ellipsis = "…"

// node is one node of a document. See https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/.
type node struct {
	kind    string
	text    string // of a node of kind text
	attrs   map[string]any
	marks   []mark
	content []*node
}

// mark is a mark on a text node; value is the href of a link.
type mark struct{ kind, value string }

// Text returns rich text as Markdown: an ADF document given as a JSON object, wiki markup as a JSON string, and the
// empty text for null. It never fails: what it does not know it passes through as text, and hostile documents are cut
// at bounds of depth and size, visibly.
func Text(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return ellipsis // the decoder gives up at a depth of its own
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return Wiki(v)
	case map[string]any, []any:
		return markdown(adfNodes(v, 0))
	}
	return string(raw)
}

// Wiki returns wiki markup as Markdown. See https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=all.
func Wiki(s string) string { return markdown(parseWiki(s)) }

// adfNodes turns decoded JSON into nodes. Whatever has the wrong type is taken as absent.
func adfNodes(v any, depth int) []*node {
	switch v := v.(type) {
	case map[string]any:
		return []*node{adfNode(v, depth)}
	case []any:
		nodes := make([]*node, 0, len(v))
		for _, e := range v {
			if m, ok := e.(map[string]any); ok {
				nodes = append(nodes, adfNode(m, depth))
			}
		}
		return nodes
	}
	return nil
}

func adfNode(m map[string]any, depth int) *node {
	n := &node{}
	n.kind, _ = m["type"].(string)
	n.text, _ = m["text"].(string)
	n.attrs, _ = m["attrs"].(map[string]any)
	n.marks = adfMarks(m["marks"])
	if depth < maxDepth {
		n.content = adfNodes(m["content"], depth+1)
	} else if m["content"] != nil {
		n.content = []*node{textNode(ellipsis)}
	}
	return n
}

func adfMarks(v any) []mark {
	list, _ := v.([]any)
	var marks []mark
	for _, e := range list {
		m, _ := e.(map[string]any)
		kind, _ := m["type"].(string)
		attrs, _ := m["attrs"].(map[string]any)
		href, _ := attrs["href"].(string)
		marks = append(marks, mark{kind, href})
	}
	return marks
}

func textNode(s string, marks ...mark) *node { return &node{kind: "text", text: s, marks: marks} }

// attr returns an attribute that is a text or a number, "" for any other.
func (n *node) attr(name string) string {
	switch v := n.attrs[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// number returns a whole attribute within bounds, or the lower bound.
func (n *node) number(name string, low, high int) int {
	v, _ := n.attrs[name].(json.Number)
	i, err := v.Int64()
	if err != nil || i < int64(low) {
		return low
	}
	return int(min(i, int64(high)))
}

// has returns the value of the first mark of that kind, and whether there is one.
func (n *node) has(kind string) (string, bool) {
	for _, m := range n.marks {
		if m.kind == kind {
			return m.value, true
		}
	}
	return "", false
}

// plain returns the text of a node and everything below it.
func (n *node) plain() string {
	var b strings.Builder
	n.appendPlain(&b)
	return b.String()
}

func (n *node) appendPlain(b *strings.Builder) {
	if n.kind == "hardBreak" {
		b.WriteByte('\n')
	}
	b.WriteString(n.text)
	for _, c := range n.content {
		c.appendPlain(b)
	}
}
