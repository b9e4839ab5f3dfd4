package atlassian

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// storageBlocks are the elements that are blocks, and the nodes that they become.
var storageBlocks = map[string]string{
	"p": "paragraph", "blockquote": "blockquote", "ul": "bulletList", "ol": "orderedList", "li": "listItem",
	"h1": "heading", "h2": "heading", "h3": "heading", "h4": "heading", "h5": "heading", "h6": "heading",
	"tr": "tableRow", "th": "tableHeader", "td": "tableCell",
	"div": "layoutColumn", "section": "layoutColumn", "article": "layoutColumn", "center": "layoutColumn",
	"dl": "layoutColumn", "dt": "layoutColumn", "dd": "layoutColumn", "figure": "layoutColumn", "figcaption": "layoutColumn",
	"ac:layout-section": "layoutColumn", "ac:layout-cell": "layoutColumn",
}

// block returns a block with its content. A list has its items alone, and a row its cells.
func (e *element) block(kind string, marks []mark) *node {
	n := &node{kind: kind, attrs: map[string]any{}, content: storageNodes(e.children, marks)}
	switch kind {
	case "heading":
		n.attrs["level"] = json.Number(e.name[1:])
	case "orderedList":
		n.attrs["order"] = json.Number(cmp.Or(digitsOf(e.attrs["start"]), "1"))
		n.content = items(n.content)
	case "bulletList":
		n.content = items(n.content)
	case "tableRow":
		n.content = only(n.content, "tableCell", "tableHeader")
	case "tableHeader", "tableCell":
		for _, name := range []string{"colspan", "rowspan"} {
			if v := digitsOf(e.attrs[name]); v != "" {
				n.attrs[name] = json.Number(v)
			}
		}
	}
	return n
}

// digitsOf returns s if it is a small whole number, else "".
func digitsOf(s string) string {
	if s == "" || len(s) > 6 || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}

// items returns the items of a list; a list between them belongs to the item before it.
func items(nodes []*node) []*node {
	var out []*node
	for _, n := range only(nodes, "listItem", "bulletList", "orderedList", "taskList") {
		if isList(n) && len(out) > 0 {
			last := out[len(out)-1]
			last.content = append(last.content, n)
			continue
		}
		if isList(n) {
			n = &node{kind: "listItem", content: []*node{n}}
		}
		out = append(out, n)
	}
	return out
}

// only returns the nodes of some kinds, and what lies between two of them within one of the first kind: nothing is lost.
func only(nodes []*node, kinds ...string) []*node {
	var out []*node
	var stray *node
	for _, n := range nodes {
		switch {
		case slices.Contains(kinds, n.kind):
			out, stray = append(out, n), nil
		case stray != nil:
			stray.content = append(stray.content, n)
		case n.kind == "hardBreak", n.kind == "text" && strings.TrimSpace(n.text) == "":
		default:
			stray = &node{kind: kinds[0], attrs: map[string]any{}, content: []*node{n}}
			out = append(out, stray)
		}
	}
	return out
}

// table returns a table with the rows of all its parts, behind its caption. All cells of a head are headers.
func table(e *element, marks []mark) []*node {
	n := &node{kind: "table", attrs: map[string]any{}}
	var nodes []*node
	for _, c := range e.children {
		switch c.name {
		case "caption":
			nodes = append(nodes, &node{kind: "caption", content: storageNodes(c.children, marks)})
		case "thead", "tbody", "tfoot":
			n.content = append(n.content, tableRows(storageNodes(c.children, marks), c.name == "thead")...)
		default:
			n.content = append(n.content, c.nodes(marks)...)
		}
	}
	n.content = tableRows(n.content, false)
	return append(nodes, n)
}

// tableRows returns the rows among nodes, with nothing but cells in them.
func tableRows(nodes []*node, head bool) []*node {
	rows := only(nodes, "tableRow")
	for _, row := range rows {
		row.content = only(row.content, "tableCell", "tableHeader")
		for _, cell := range row.content {
			if head {
				cell.kind = "tableHeader"
			}
		}
	}
	return rows
}

func taskList(e *element, marks []mark) []*node {
	list := &node{kind: "taskList", attrs: map[string]any{}}
	for _, c := range e.children {
		if c.name == "ac:task" {
			list.content = append(list.content, task(c, marks))
		} else {
			list.content = append(list.content, c.nodes(marks)...)
		}
	}
	list.content = only(list.content, "taskItem", "taskList")
	return []*node{list}
}

func task(e *element, marks []mark) *node {
	item := &node{kind: "taskItem", attrs: map[string]any{"state": "TODO"}}
	if strings.TrimSpace(e.child("ac:task-status").plain()) == "complete" {
		item.attrs["state"] = "DONE"
	}
	if body := e.child("ac:task-body"); body != nil {
		item.content = storageNodes(body.children, marks)
	}
	return item
}
