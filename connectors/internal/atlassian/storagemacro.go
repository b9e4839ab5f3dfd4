package atlassian

import (
	"cmp"
	"encoding/json"
	"strings"
)

// storageMacro returns what a macro shows. One that is not known shows its body, and one without a body nothing: what it
// computes is not in the page.
func storageMacro(e *element, marks []mark) []*node {
	name := e.attrs["ac:name"]
	switch name {
	case "code", "noformat", "code-block":
		return []*node{codeNode(e.child("ac:plain-text-body").plain(), e.param("language"))}
	case "info", "note", "warning", "tip", "panel":
		return []*node{e.wrapped("panel", marks, map[string]any{"title": e.param("title"), "panelType": name})}
	case "expand":
		return []*node{e.wrapped("expand", marks, map[string]any{"title": e.param("title")})}
	case "quote":
		return []*node{e.wrapped("blockquote", marks, map[string]any{})}
	case "status":
		return []*node{{kind: "status", marks: marks, attrs: map[string]any{"text": cmp.Or(e.param("title"), e.param("colour"))}}}
	case "jira":
		return e.said(marks, e.param("key"), e.param("jqlQuery"))
	case "include", "excerpt-include", "view-file", "viewpdf", "viewdoc", "viewxls", "viewppt", "attachments", "widget", "profile":
		return e.said(marks, e.referred(), e.param("url"), e.param("name"))
	}
	return e.body(marks)
}

// body returns the body of a macro.
func (e *element) body(marks []mark) []*node {
	if rich := e.child("ac:rich-text-body"); rich != nil {
		return storageNodes(rich.children, marks)
	}
	if plain := e.child("ac:plain-text-body"); plain != nil {
		return []*node{codeNode(plain.plain(), "")}
	}
	return nil
}

// wrapped returns the body of a macro within a node.
func (e *element) wrapped(kind string, marks []mark, attrs map[string]any) *node {
	return &node{kind: kind, attrs: attrs, content: e.body(marks)}
}

// said returns the first text that there is, or else the macro's body.
func (e *element) said(marks []mark, texts ...string) []*node {
	if s := strings.TrimSpace(cmp.Or(texts...)); s != "" {
		return []*node{textNode(s, marks...)}
	}
	return e.body(marks)
}

// referred returns the name of the first page, file or person that the parameters of a macro refer to.
func (e *element) referred() string {
	for _, c := range e.children {
		for _, name := range []string{"ri:content-title", "ri:filename", "ri:account-id"} {
			if s := c.attrs[name]; s != "" {
				return s
			}
		}
		if c.name == "ac:parameter" || c.name == "ac:link" {
			if s := c.referred(); s != "" {
				return s
			}
		}
	}
	return ""
}

// adfExtension returns a part of a page that is kept as ADF: its fallback in storage format where there is one.
func adfExtension(e *element, marks []mark) []*node {
	if fallback := e.child("ac:adf-fallback"); fallback != nil {
		return storageNodes(fallback.children, marks)
	}
	n := e.child("ac:adf-node")
	if n == nil {
		return storageNodes(e.children, marks)
	}
	if body := n.child("ac:adf-content"); body != nil {
		return []*node{{kind: "panel", attrs: map[string]any{}, content: storageNodes(body.children, marks)}}
	}
	var doc map[string]any
	if json.Unmarshal([]byte(n.plain()), &doc) == nil && len(doc) > 0 {
		return adfNodes(doc, 0)
	}
	return storageNodes(n.children, marks)
}
