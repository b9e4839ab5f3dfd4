package sandbox

import "sync"

// adfBlocks are block nodes of the Atlassian Document Format, with every common node and some that no client knows.
// The schema is at http://go.atlassian.com/adf-json-schema.
var adfBlocks = []string{
	`{"type":"paragraph","content":[{"type":"text","text":"{{text}}"}]}`,
	`{"type":"paragraph"}`,
	`{"type":"paragraph","content":[{"type":"text","text":"{{word}}","marks":[{"type":"strong"},{"type":"em"}]},{"type":"text","text":" and "},{"type":"text","text":"{{word}}","marks":[{"type":"code"}]},{"type":"hardBreak"},{"type":"text","text":"{{word}}","marks":[{"type":"link","attrs":{"href":"https://example.com/path_(x)?q={{number}}"}}]}]}`,
	`{"type":"paragraph","content":[{"type":"text","text":"{{word}}","marks":[{"type":"strike"}]},{"type":"text","text":"{{word}}","marks":[{"type":"underline"},{"type":"textColor","attrs":{"color":"#ff5630"}}]},{"type":"text","text":"2","marks":[{"type":"subsup","attrs":{"type":"sup"}}]},{"type":"text","text":"{{word}}","marks":[{"type":"annotation","attrs":{"id":"{{uuid}}","annotationType":"inlineComment"}}]}]}`,
	`{"type":"paragraph","content":[{"type":"mention","attrs":{"id":"{{userid}}","text":"@{{user}}","accessLevel":"","localId":"{{uuid}}"}},{"type":"text","text":" {{text}} "},{"type":"emoji","attrs":{"shortName":":grinning:","id":"1f600","text":"😀"}},{"type":"emoji","attrs":{"shortName":":shipit:","id":"{{uuid}}"}}]}`,
	`{"type":"paragraph","content":[{"type":"text","text":"See "},{"type":"inlineCard","attrs":{"url":"{{home}}/browse/{{key}}"}},{"type":"text","text":" "},{"type":"date","attrs":{"timestamp":"{{date}}"}},{"type":"text","text":" "},{"type":"status","attrs":{"text":"{{word}}","color":"blue","localId":"{{uuid}}","style":""}}]}`,
	`{"type":"heading","attrs":{"level":2},"content":[{"type":"text","text":"{{word}}"}]}`,
	`{"type":"bulletList","content":[{"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"{{text}}"}]},{"type":"orderedList","attrs":{"order":3},"content":[{"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"{{word}}"}]},{"type":"bulletList","content":[{"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"{{word}}"}]}]}]}]}]}]},{"type":"listItem","content":[{"type":"codeBlock","attrs":{"language":"sql"},"content":[{"type":"text","text":"{{code}}"}]}]}]}`,
	`{"type":"orderedList","content":[{"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"{{word}}"}]}]},{"type":"listItem","content":[{"type":"paragraph"}]}]}`,
	`{"type":"codeBlock","attrs":{"language":"go"},"content":[{"type":"text","text":"{{code}}"}]}`,
	`{"type":"codeBlock","content":[{"type":"text","text":"{{code}}"},{"type":"text","text":"{{code}}"}]}`,
	`{"type":"blockquote","content":[{"type":"paragraph","content":[{"type":"text","text":"{{text}}"}]},{"type":"paragraph","content":[{"type":"text","text":"{{word}}"}]}]}`,
	`{"type":"panel","attrs":{"panelType":"warning"},"content":[{"type":"paragraph","content":[{"type":"text","text":"{{text}}"}]},{"type":"bulletList","content":[{"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"{{word}}"}]}]}]}]}`,
	`{"type":"rule"}`,
	`{"type":"table","attrs":{"isNumberColumnEnabled":false,"layout":"default","localId":"{{uuid}}"},"content":[{"type":"tableRow","content":[{"type":"tableHeader","attrs":{},"content":[{"type":"paragraph","content":[{"type":"text","text":"{{word}}"}]}]},{"type":"tableHeader","attrs":{"colspan":2},"content":[{"type":"paragraph","content":[{"type":"text","text":"a | b"}]}]}]},{"type":"tableRow","content":[{"type":"tableCell","attrs":{},"content":[{"type":"paragraph","content":[{"type":"text","text":"{{text}}"}]},{"type":"paragraph","content":[{"type":"text","text":"{{number}}"}]}]},{"type":"tableCell","attrs":{},"content":[{"type":"codeBlock","content":[{"type":"text","text":"{{code}}"}]}]},{"type":"tableCell","attrs":{},"content":[]}]}]}`,
	`{"type":"taskList","attrs":{"localId":"{{uuid}}"},"content":[{"type":"taskItem","attrs":{"localId":"{{uuid}}","state":"DONE"},"content":[{"type":"text","text":"{{word}}"}]},{"type":"taskItem","attrs":{"localId":"{{uuid}}","state":"TODO"},"content":[{"type":"text","text":"{{text}}"}]},{"type":"taskList","attrs":{"localId":"{{uuid}}"},"content":[{"type":"taskItem","attrs":{"localId":"{{uuid}}","state":"TODO"},"content":[{"type":"text","text":"{{word}}"}]}]}]}`,
	`{"type":"decisionList","attrs":{"localId":"{{uuid}}"},"content":[{"type":"decisionItem","attrs":{"localId":"{{uuid}}","state":"DECIDED"},"content":[{"type":"text","text":"{{text}}"}]}]}`,
	`{"type":"mediaSingle","attrs":{"layout":"center","width":50},"content":[{"type":"media","attrs":{"type":"file","id":"{{uuid}}","collection":"","alt":"screenshot {{number}}.png","width":800,"height":600}},{"type":"caption","content":[{"type":"text","text":"{{word}}"}]}]}`,
	`{"type":"mediaGroup","content":[{"type":"media","attrs":{"type":"file","id":"{{uuid}}","collection":""}},{"type":"media","attrs":{"type":"link","id":"{{uuid}}","collection":"","alt":"{{word}}"}}]}`,
	`{"type":"paragraph","content":[{"type":"mediaInline","attrs":{"type":"file","id":"{{uuid}}","collection":"","alt":"{{word}}"}},{"type":"placeholder","attrs":{"text":"{{word}}"}}]}`,
	`{"type":"expand","attrs":{"title":"{{word}}"},"content":[{"type":"paragraph","content":[{"type":"text","text":"{{text}}"}]},{"type":"nestedExpand","attrs":{"title":"inner"},"content":[{"type":"paragraph","content":[{"type":"text","text":"{{word}}"}]}]}]}`,
	`{"type":"blockCard","attrs":{"url":"https://example.com/board/{{number}}"}}`,
	`{"type":"embedCard","attrs":{"url":"https://example.com/video/{{number}}","layout":"wide"}}`,
	`{"type":"layoutSection","content":[{"type":"layoutColumn","attrs":{"width":50},"content":[{"type":"paragraph","content":[{"type":"text","text":"{{word}}"}]}]},{"type":"layoutColumn","attrs":{"width":50},"content":[{"type":"paragraph","content":[{"type":"text","text":"{{text}}"}]}]}]}`,
	`{"type":"extension","attrs":{"extensionType":"com.atlassian.macro.core","extensionKey":"toc","parameters":{"n":{{number}}},"text":"{{word}}"}}`,
	`{"type":"bodiedExtension","attrs":{"extensionType":"com.example","extensionKey":"box"},"content":[{"type":"paragraph","content":[{"type":"text","text":"{{text}}"},{"type":"inlineExtension","attrs":{"extensionType":"com.example","extensionKey":"inline","text":"{{word}}"}}]}]}`,
	`{"type":"quantumBlock","attrs":{"spin":{"up":[1,2,{{number}}]}},"content":[{"type":"paragraph","content":[{"type":"text","text":"{{text}}"},{"type":"quantumInline","attrs":{"x":null},"content":[{"type":"text","text":"{{word}}"}]}]}]}`,
}

// adfFragments are the blocks made ready, on first use: a command that starts no sandbox does not pay for them.
var adfFragments = sync.OnceValue(func() []fragment { return newFragments(adfBlocks) })

// document writes a document of the given number of blocks. Plain paragraphs are half of them.
func (p *pen) document(b []byte, blocks int) []byte {
	fragments := adfFragments()
	b = append(b, `{"type":"doc","version":1,"content":[`...)
	for i := range blocks {
		if i > 0 {
			b = append(b, ',')
		}
		choice := 0
		if p.rng.oneIn(2) {
			choice = p.rng.below(len(fragments))
		}
		b = p.fill(b, fragments[choice])
	}
	return append(b, `]}`...)
}

// showcase writes a document with every block once: the description of the first issue of each project.
func (p *pen) showcase(b []byte) []byte {
	b = append(b, `{"version":1,"type":"doc","content":[`...)
	for i, f := range adfFragments() {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.fill(b, f)
	}
	return append(b, `]}`...)
}
