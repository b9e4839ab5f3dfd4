package sandbox

import (
	"fmt"
	"strconv"
	"strings"
)

// wikiMarkup writes a document as Jira in a Data Center has its texts. After
// https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=all.
type wikiMarkup struct {
	names map[string]string // of users, by account id
}

// text writes a document.
func (m wikiMarkup) text(doc map[string]any) string {
	return strings.TrimSpace(m.blocks(doc, ""))
}

func contentOf(node map[string]any) []map[string]any {
	var nodes []map[string]any
	list, _ := node["content"].([]any)
	for _, one := range list {
		if child, ok := one.(map[string]any); ok {
			nodes = append(nodes, child)
		}
	}
	return nodes
}

func attribute(node map[string]any, name string) string {
	attrs, _ := node["attrs"].(map[string]any)
	if attrs[name] == nil {
		return ""
	}
	return fmt.Sprint(attrs[name])
}

func (m wikiMarkup) blocks(node map[string]any, bullets string) string {
	var b strings.Builder
	for _, child := range contentOf(node) {
		b.WriteString(m.block(child, bullets))
	}
	return b.String()
}

// wikiMacros are the macros around the blocks of a node.
var wikiMacros = map[string]string{"blockquote": "quote", "panel": "panel", "expand": "panel", "nestedExpand": "panel"}

var wikiBullets = map[string]string{"bulletList": "*", "taskList": "*", "decisionList": "*", "orderedList": "#"}

func (m wikiMarkup) macro(name string, node map[string]any) string {
	start := "{" + name + "}\n"
	if title := attribute(node, "title"); title != "" {
		start = "{" + name + ":title=" + title + "}\n"
	}
	return start + m.blocks(node, "") + "{" + name + "}\n"
}

// block writes one node; bullets are those of the lists that it is in.
func (m wikiMarkup) block(node map[string]any, bullets string) string {
	kind, _ := node["type"].(string)
	if macro, ok := wikiMacros[kind]; ok {
		return m.macro(macro, node)
	}
	if mark, ok := wikiBullets[kind]; ok {
		return m.blocks(node, bullets+mark)
	}
	switch kind {
	case "paragraph":
		return m.inlines(node) + "\n"
	case "heading":
		return "h" + attribute(node, "level") + ". " + m.inlines(node) + "\n"
	case "rule":
		return "----\n"
	case "codeBlock":
		return m.code(node)
	case "listItem":
		return bullets + " " + m.blocks(node, bullets)
	case "taskItem", "decisionItem":
		return bullets + " " + m.inlines(node) + "\n"
	case "tableRow":
		return m.tableRow(node)
	}
	if len(contentOf(node)) > 0 {
		return m.blocks(node, bullets)
	}
	return m.inline(node) + "\n"
}

func (m wikiMarkup) code(node map[string]any) string {
	language := attribute(node, "language")
	if language != "" {
		language = ":" + language
	}
	return "{code" + language + "}\n" + m.inlines(node) + "\n{code}\n"
}

func (m wikiMarkup) tableRow(node map[string]any) string {
	var b strings.Builder
	mark := "|"
	for _, cell := range contentOf(node) {
		if mark = "|"; cell["type"] == "tableHeader" {
			mark = "||"
		}
		b.WriteString(mark + strings.ReplaceAll(strings.TrimSpace(m.blocks(cell, "")), "\n", " \\\\ "))
	}
	return b.String() + mark + "\n"
}

func (m wikiMarkup) inlines(node map[string]any) string {
	var b strings.Builder
	for _, child := range contentOf(node) {
		b.WriteString(m.inline(child))
	}
	return b.String()
}

func (m wikiMarkup) inline(node map[string]any) string {
	switch kind, _ := node["type"].(string); kind {
	case "text":
		return m.marked(node)
	case "hardBreak":
		return "\n"
	case "mention":
		return "[~" + m.names[attribute(node, "id")] + "]"
	case "emoji":
		if text := attribute(node, "text"); text != "" {
			return text
		}
		return attribute(node, "shortName")
	case "inlineCard", "blockCard", "embedCard":
		return "[" + attribute(node, "url") + "]"
	case "date":
		ms, _ := strconv.ParseInt(attribute(node, "timestamp"), 10, 64)
		return isoTime(ms)[:len("2006-01-02")]
	case "media", "mediaInline":
		return "!" + attribute(node, "alt") + "|thumbnail!"
	}
	return attribute(node, "text") + m.inlines(node)
}

var wikiMarks = map[string]string{"strong": "*", "em": "_", "strike": "-", "underline": "+"}

func (m wikiMarkup) marked(node map[string]any) string {
	text, _ := node["text"].(string)
	marks, _ := node["marks"].([]any)
	for _, one := range marks {
		mark, _ := one.(map[string]any)
		kind, _ := mark["type"].(string)
		switch {
		case wikiMarks[kind] != "":
			text = wikiMarks[kind] + text + wikiMarks[kind]
		case kind == "code":
			text = "{{" + text + "}}"
		case kind == "link":
			text = "[" + text + "|" + attribute(mark, "href") + "]"
		}
	}
	return text
}
