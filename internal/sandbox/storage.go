package sandbox

import (
	"encoding/json"
	"strings"
	"sync"
)

// storageBlocks are pieces of Confluence's storage format, XHTML with Confluence's own elements: every common macro,
// and some that no client knows. It is described at
// https://confluence.atlassian.com/doc/confluence-storage-format-790796544.html.
var storageBlocks = []string{
	`<p>{{text}}</p>`,
	`<p />`,
	`<p><strong><em>{{word}}</em></strong> and <code>{{word}}</code><br /><a href="https://example.com/path_(x)?q={{number}}&amp;r=1">{{word}}</a></p>`,
	`<p><s>{{word}}</s> <u>{{word}}</u> <span style="color: rgb(255,86,48);">{{word}}</span> x<sup>2</sup> H<sub>2</sub>O &nbsp;&mdash;&nbsp;&hellip;&auml;&#8364;&#x1F680;</p>`,
	`<p><ac:link><ri:user ri:account-id="{{userid}}" /></ac:link> {{text}} <ac:emoticon ac:name="smile" ac:emoji-shortname=":grinning:" ac:emoji-id="1f600" ac:emoji-fallback="😀" /> <ac:emoticon ac:name="tick" /></p>`,
	`<p>See <a href="{{home}}/browse/{{key}}" data-card-appearance="inline">{{home}}/browse/{{key}}</a> <time datetime="2026-04-28" /> <ac:structured-macro ac:name="status" ac:schema-version="1" ac:macro-id="{{uuid}}"><ac:parameter ac:name="title">{{word}}</ac:parameter><ac:parameter ac:name="colour">Blue</ac:parameter></ac:structured-macro></p>`,
	`<h2>{{word}}</h2>`,
	`<ul><li><p>{{text}}</p><ol start="3"><li><p>{{word}}</p><ul><li><p>{{word}}</p></li></ul></li></ol></li><li>{{word}}</li></ul>`,
	`<ol><li><p>{{word}}</p></li><li><p /></li></ol>`,
	`<ac:structured-macro ac:name="code" ac:schema-version="1" ac:macro-id="{{uuid}}"><ac:parameter ac:name="language">go</ac:parameter><ac:parameter ac:name="title">{{word}}</ac:parameter><ac:plain-text-body><![CDATA[{{code}}]]></ac:plain-text-body></ac:structured-macro>`,
	`<pre>{{text}}</pre>`,
	`<blockquote><p>{{text}}</p><p>{{word}}</p></blockquote>`,
	`<ac:structured-macro ac:name="warning" ac:schema-version="1" ac:macro-id="{{uuid}}"><ac:parameter ac:name="title">{{word}}</ac:parameter><ac:rich-text-body><p>{{text}}</p><ul><li><p>{{word}}</p></li></ul></ac:rich-text-body></ac:structured-macro>`,
	`<ac:structured-macro ac:name="info" ac:schema-version="1" ac:macro-id="{{uuid}}"><ac:rich-text-body><p>{{text}}</p></ac:rich-text-body></ac:structured-macro>`,
	`<ac:structured-macro ac:name="panel" ac:schema-version="1" ac:macro-id="{{uuid}}"><ac:parameter ac:name="panelIcon">:pencil:</ac:parameter><ac:parameter ac:name="bgColor">#F4F5F7</ac:parameter><ac:rich-text-body><p>{{text}}</p></ac:rich-text-body></ac:structured-macro>`,
	`<hr />`,
	`<table data-layout="default" ac:local-id="{{uuid}}"><colgroup><col style="width: 120.0px;" /><col /><col /></colgroup><tbody><tr><th><p><strong>{{word}}</strong></p></th><th colspan="2"><p>a | b</p></th></tr><tr><td rowspan="2"><p>{{text}}</p><p>{{number}}</p></td><td><ul><li><p>{{word}}</p></li></ul></td><td /></tr><tr><td><p>{{word}}<br />{{word}}</p></td><td data-highlight-colour="#e3fcef"><table><tbody><tr><td>{{word}}</td></tr></tbody></table></td></tr></tbody></table>`,
	`<ac:task-list><ac:task><ac:task-id>{{number}}</ac:task-id><ac:task-uuid>{{uuid}}</ac:task-uuid><ac:task-status>complete</ac:task-status><ac:task-body><span class="placeholder-inline-tasks">{{word}}</span></ac:task-body></ac:task><ac:task><ac:task-id>{{number}}</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>{{text}} <ac:link><ri:user ri:account-id="{{userid}}" /></ac:link></ac:task-body></ac:task></ac:task-list>`,
	`<ac:adf-extension><ac:adf-node type="decision-list"><ac:adf-attribute key="local-id">{{uuid}}</ac:adf-attribute><ac:adf-node type="decision-item"><ac:adf-attribute key="state">DECIDED</ac:adf-attribute><ac:adf-content>{{text}}</ac:adf-content></ac:adf-node></ac:adf-node><ac:adf-fallback><ul class="decision-list"><li>{{text}}</li></ul></ac:adf-fallback></ac:adf-extension>`,
	`<ac:image ac:align="center" ac:layout="center" ac:width="800" ac:alt="screenshot {{number}}.png"><ri:attachment ri:filename="screenshot {{number}}.png" ri:version-at-save="1" /><ac:caption><p>{{word}}</p></ac:caption></ac:image>`,
	`<p><ac:image><ri:url ri:value="https://example.com/i.png?a=1&amp;b=2" /></ac:image><ac:placeholder>{{word}}</ac:placeholder></p>`,
	`<ac:structured-macro ac:name="expand" ac:schema-version="1" ac:macro-id="{{uuid}}"><ac:parameter ac:name="title">{{word}}</ac:parameter><ac:rich-text-body><p>{{text}}</p><ac:structured-macro ac:name="note" ac:schema-version="1"><ac:rich-text-body><p>{{word}}</p></ac:rich-text-body></ac:structured-macro></ac:rich-text-body></ac:structured-macro>`,
	`<p><ac:link ac:anchor="part two"><ri:page ri:space-key="ENG" ri:content-title="Runbook {{number}}" /><ac:link-body>{{word}}</ac:link-body></ac:link> <ac:link><ri:attachment ri:filename="a &amp; b.pdf" /><ac:plain-text-link-body><![CDATA[{{code}}]]></ac:plain-text-link-body></ac:link></p>`,
	`<ac:structured-macro ac:name="jira" ac:schema-version="1" ac:macro-id="{{uuid}}"><ac:parameter ac:name="key">{{key}}</ac:parameter><ac:parameter ac:name="serverId">{{uuid}}</ac:parameter></ac:structured-macro>`,
	`<ac:structured-macro ac:name="toc" ac:schema-version="1" ac:macro-id="{{uuid}}"><ac:parameter ac:name="maxLevel">3</ac:parameter></ac:structured-macro>`,
	`<ac:layout><ac:layout-section ac:type="two_equal" ac:breakout-mode="default"><ac:layout-cell><p>{{word}}</p></ac:layout-cell><ac:layout-cell><p>{{text}}</p></ac:layout-cell></ac:layout-section></ac:layout>`,
	`<p>before <ac:inline-comment-marker ac:ref="{{uuid}}">{{word}}</ac:inline-comment-marker> after</p>`,
	`<ac:structured-macro ac:name="details" ac:schema-version="1"><ac:rich-text-body><table><tbody><tr><th>Owner</th><td><ac:link><ri:user ri:account-id="{{userid}}" /></ac:link></td></tr></tbody></table></ac:rich-text-body></ac:structured-macro>`,
	`<ac:structured-macro ac:name="quantum" ac:schema-version="1" ac:macro-id="{{uuid}}"><ac:parameter ac:name="spin">{{number}}</ac:parameter><ac:rich-text-body><p>{{text}}</p><ac:structured-macro ac:name="quark" /></ac:rich-text-body></ac:structured-macro>`,
}

var storageFragments = sync.OnceValue(func() []fragment { return newFragments(storageBlocks) })

// unquote reads a text as it stands inside a JSON string.
func unquote(text []byte) string {
	var plain string
	if err := json.Unmarshal(append(append([]byte{'"'}, text...), '"'), &plain); err != nil {
		panic("sandbox: a text does not stand inside a JSON string: " + string(text))
	}
	return plain
}

// plainPhrases are the phrases as they are read.
var plainPhrases = sync.OnceValue(func() []string {
	var plain []string
	for _, phrase := range phrases {
		plain = append(plain, unquote([]byte(phrase)))
	}
	return plain
})

var xmlText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\"", "&quot;")

// storage writes a document in the storage format, as text and not inside a JSON string. Without a number of blocks it
// has each once.
func (p *pen) storage(blocks int) string {
	fragments := storageFragments()
	var b strings.Builder
	if blocks < 0 {
		for _, f := range fragments {
			p.fillStorage(&b, f)
		}
		return b.String()
	}
	for range blocks {
		choice := 0
		if p.rng.oneIn(2) {
			choice = p.rng.below(len(fragments))
		}
		p.fillStorage(&b, fragments[choice])
	}
	return b.String()
}

func (p *pen) fillStorage(b *strings.Builder, f fragment) {
	var room [512]byte
	for i, s := range f.slots {
		b.WriteString(f.literals[i])
		plain := unquote(p.write(room[:0], s))
		if s == slotCode { // stands in a CDATA section, which its own end mark would close
			b.WriteString(strings.ReplaceAll(plain, "]]>", "]]]]><![CDATA[>"))
			continue
		}
		b.WriteString(xmlText.Replace(plain))
	}
	b.WriteString(f.literals[len(f.slots)])
}
