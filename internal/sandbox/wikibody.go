package sandbox

import (
	"encoding/json"
	"html"
)

// bodyOf is the body of a page or blog post in one of the formats. The first page of a space has every block, and a
// few are long. A body follows the version, so that an edit is seen in it.
func (w *wiki) bodyOf(p *pen, c content, format string) string {
	if c.body != "" && format != "atlas_doc_format" {
		return c.body
	}
	p.rng = newRNG(w.seed+uint64(c.version), domainStorage, w.id(c.n))
	blocks := 1 + p.rng.below(8)
	switch {
	case c.body != "":
		return paragraph(plainText(c.body))
	case c.kind == kindPage && c.parent < 0:
		blocks = -1
	case p.rng.oneIn(12):
		blocks = 0
	case p.rng.oneIn(400):
		blocks = longDescription
	}
	return p.body(format, blocks)
}

// body writes a document of so many blocks, of each once if there are less than none.
func (p *pen) body(format string, blocks int) string {
	if format != "atlas_doc_format" {
		return p.storage(blocks)
	}
	if blocks < 0 {
		return string(p.showcase(nil))
	}
	return string(p.document(nil, blocks))
}

// commentBody is the body of a comment in one of the formats.
func (w *wiki) commentBody(p *pen, c comment, format string) string {
	if c.body != "" {
		switch {
		case c.format == format, c.format != "atlas_doc_format" && format != "atlas_doc_format":
			return c.body
		case format == "atlas_doc_format":
			return paragraph(plainText(c.body))
		}
		return "<p>" + xmlText.Replace(documentText(c.body)) + "</p>"
	}
	p.rng = newRNG(w.seed+uint64(c.version), domainStorage, c.id)
	return p.body(format, 1+p.rng.below(3))
}

// plainText is what is read of a text in the storage format.
func plainText(storage string) string { return html.UnescapeString(withoutTags(storage)) }

// documentText is what is read of a document.
func documentText(doc string) string {
	var node map[string]any
	if json.Unmarshal([]byte(doc), &node) != nil {
		return doc
	}
	return wikiMarkup{}.text(node)
}

// paragraph is a document of one paragraph.
func paragraph(text string) string {
	b := append([]byte(nil), `{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":`...)
	b = appendString(b, text)
	return string(append(b, `}]}]}`...))
}
