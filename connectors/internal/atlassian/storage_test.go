package atlassian

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestStorage(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"empty":                  {"", ""},
		"paragraphs":             {"<p>One\n  two</p><p>Three</p>", "One two\n\nThree"},
		"marks":                  {`<p><strong>b</strong> <em>i</em> <s>gone</s> <u>under</u> <code>x*y</code> H<sub>2</sub>O</p>`, "**b** *i* ~~gone~~ under `x*y` H2O"},
		"break":                  {"<p>a<br/>b<br />c</p>", "a  \nb  \nc"},
		"headings":               {"<h1>A</h1><h6>F</h6>", "# A\n\n###### F"},
		"entities":               {"<p>a&nbsp;&rsquo;&lt;&amp;&eacute;&#8364;&unknown;</p>", "a\u00a0’<&é€\\&unknown;"},
		"link":                   {`<p><a href="https://x.example/a?b=c&amp;d">here</a></p>`, "[here](https://x.example/a?b=c&d)"},
		"hostile link":           {`<p><a href="javascript:alert(1)">here</a></p>`, "here"},
		"list":                   {"<ul><li>a<ul><li>b</li></ul></li><li><p>c</p></li></ul>", "- a\n  - b\n- c"},
		"numbered list":          {`<ol start="3"><li>a</li><li>b</li></ol>`, "3. a\n4. b"},
		"stray text in a list":   {"<ul> <li>a</li> lost? <li>b</li></ul>", "- a\n- lost?\n- b"},
		"tasks":                  {"<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>complete</ac:task-status><ac:task-body>done</ac:task-body></ac:task><ac:task><ac:task-status>incomplete</ac:task-status><ac:task-body><strong>do</strong> it</ac:task-body></ac:task></ac:task-list>", "- [x] done\n- [ ] **do** it"},
		"table":                  {"<table><colgroup><col/></colgroup><tbody><tr><th>A</th><th>B</th></tr><tr><td><p>1</p><p>2</p></td><td>x|y</td></tr></tbody></table>", "| A | B |\n| --- | --- |\n| 1<br>2 | x\\|y |"},
		"colspan":                {`<table><tr><th>A</th><th>B</th></tr><tr><td colspan="2">w</td></tr></table>`, "| A | B |\n| --- | --- |\n| w | |"},
		"quote and rule":         {"<blockquote><p>q</p></blockquote><hr/>", "> q\n\n---"},
		"pre":                    {"<pre>a\n  b</pre>", "```\na\n  b\n```"},
		"code macro":             {`<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">go</ac:parameter><ac:plain-text-body><![CDATA[if a < b && c {` + "\n\t" + `x()` + "\n" + `}]]></ac:plain-text-body></ac:structured-macro>`, "```go\nif a < b && c {\n\tx()\n}\n```"},
		"info panel":             {`<ac:structured-macro ac:name="info"><ac:parameter ac:name="title">Mind</ac:parameter><ac:rich-text-body><p>the gap</p></ac:rich-text-body></ac:structured-macro>`, "> **Mind**\n>\n> the gap"},
		"warning without title":  {`<ac:structured-macro ac:name="warning"><ac:rich-text-body><p>hot</p></ac:rich-text-body></ac:structured-macro>`, "> **Warning**\n>\n> hot"},
		"expand":                 {`<ac:structured-macro ac:name="expand"><ac:parameter ac:name="title">More</ac:parameter><ac:rich-text-body><p>text</p></ac:rich-text-body></ac:structured-macro>`, "**More**\n\ntext"},
		"status":                 {`<p>Now <ac:structured-macro ac:name="status"><ac:parameter ac:name="title">DONE</ac:parameter><ac:parameter ac:name="colour">Green</ac:parameter></ac:structured-macro>.</p>`, "Now DONE."},
		"jira":                   {`<p><ac:structured-macro ac:name="jira"><ac:parameter ac:name="server">x</ac:parameter><ac:parameter ac:name="key">PAY-7</ac:parameter></ac:structured-macro></p>`, "PAY-7"},
		"toc":                    {`<ac:structured-macro ac:name="toc" /><p>a</p>`, "a"},
		"unknown macro":          {`<ac:structured-macro ac:name="acme"><ac:parameter ac:name="secret">p</ac:parameter><ac:rich-text-body><p>kept</p></ac:rich-text-body></ac:structured-macro>`, "kept"},
		"unknown plain macro":    {`<ac:structured-macro ac:name="acme"><ac:plain-text-body><![CDATA[kept]]></ac:plain-text-body></ac:structured-macro>`, "```\nkept\n```"},
		"include":                {`<ac:structured-macro ac:name="include"><ac:parameter ac:name=""><ac:link><ri:page ri:content-title="Other" /></ac:link></ac:parameter></ac:structured-macro>`, "Other"},
		"link to a page":         {`<p><ac:link><ri:page ri:content-title="Home" /></ac:link></p>`, "Home"},
		"link with a text":       {`<p><ac:link><ri:page ri:content-title="Home" /><ac:plain-text-link-body><![CDATA[go home]]></ac:plain-text-link-body></ac:link></p>`, "go home"},
		"link with a rich text":  {`<p><ac:link><ri:page ri:content-title="Home" /><ac:link-body>go <em>home</em></ac:link-body></ac:link></p>`, "go *home*"},
		"mention":                {`<p><ac:link><ri:user ri:account-id="5b10" /></ac:link></p>`, "@5b10"},
		"attachment link":        {`<p><ac:link><ri:attachment ri:filename="a.pdf" /></ac:link></p>`, "a.pdf"},
		"anchor":                 {`<p><ac:link ac:anchor="top" /></p>`, "top"},
		"image":                  {`<p><ac:image ac:alt="A cat"><ri:url ri:value="https://x.example/cat.png" /></ac:image></p>`, "![A cat](https://x.example/cat.png)"},
		"attached image":         {`<p><ac:image><ri:attachment ri:filename="cat.png" /></ac:image></p>`, "(attachment: cat.png)"},
		"emoticon":               {`<p><ac:emoticon ac:name="tick" /> <ac:emoticon ac:name="blue-star" ac:emoji-shortname=":rocket:" ac:emoji-fallback="🚀" /></p>`, "✅ 🚀"},
		"time":                   {`<p><time datetime="2026-05-01" /></p>`, "2026-05-01"},
		"placeholder":            {`<p>a<ac:placeholder>type here</ac:placeholder></p>`, "a"},
		"layout":                 {`<ac:layout><ac:layout-section ac:type="two_equal"><ac:layout-cell><p>l</p></ac:layout-cell><ac:layout-cell><p>r</p></ac:layout-cell></ac:layout-section></ac:layout>`, "l\n\nr"},
		"comment marker":         {`<p>a <ac:inline-comment-marker ac:ref="x">b</ac:inline-comment-marker> c</p>`, "a b c"},
		"adf extension":          {`<ac:adf-extension><ac:adf-node type="panel"><ac:adf-attribute key="panel-type">note</ac:adf-attribute><ac:adf-content><p>n</p></ac:adf-content></ac:adf-node><ac:adf-fallback><p>fallback</p></ac:adf-fallback></ac:adf-extension>`, "fallback"},
		"never closed":           {"<p><strong>a<p>b", "**a**\n\n**b**"},
		"never opened":           {"</p></strong>a</ul>", "a"},
		"crossed":                {"<p><strong>a<em>b</strong>c</em></p>", "**a*b***c"},
		"comment and processing": {"<!-- c --><?xml version=\"1.0\"?><p>a</p>", "a"},
		"script":                 {"<script>alert(1)</script><p>a</p>", "a"},
		"Markdown in the text":   {"<p># not *a* [heading](x) &lt;b&gt;</p>", `\# not \*a\* [heading\](x) \<b>`},
		"CJK":                    {"<p>ナレッジ<strong>ベース</strong></p>", "ナレッジ**ベース**"},
		"invalid UTF-8":          {"<p>a\xffb</p>", "a\ufffdb"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Storage(tt.in); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestStorageSurvives has documents that nobody wrote by hand.
func TestStorageSurvives(t *testing.T) {
	for name, body := range map[string]string{
		"deep":         strings.Repeat("<div>", 100_000) + "x",
		"deep lists":   strings.Repeat("<ul><li>", 50_000) + "x",
		"many closers": strings.Repeat("</p>", 500_000),
		"big":          "<p>" + strings.Repeat("word ", 2_000_000) + "</p>",
		"wide":         "<table>" + strings.Repeat("<tr>"+strings.Repeat("<td>x</td>", 50)+"</tr>", 5_000) + "</table>",
		"many marks":   strings.Repeat("<strong><em>x</em></strong>", 100_000),
		"half a tag":   "<p>a<ac:structured-macro ac:name=\"code",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			got := Storage(body)
			if !utf8.ValidString(got) || len(got) > 3*maxText {
				t.Errorf("%d bytes", len(got))
			}
			t.Logf("%d bytes in %v", len(body), time.Since(start))
		})
	}
	if got := Storage(strings.Repeat("<div>", maxDepth+5) + "x"); !strings.Contains(got, ellipsis) {
		t.Errorf("what is cut for its depth is not told: %q", got)
	}
}

// TestStoragePages compares whole pages with what they became before.
func TestStoragePages(t *testing.T) {
	pages, err := filepath.Glob("testdata/storage/*.xml")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	for _, page := range pages {
		body, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		golden := strings.TrimSuffix(page, ".xml") + ".md"
		got := Storage(string(body)) + "\n"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s\n%v", page, got, want, err)
		}
	}
}

func FuzzStorage(f *testing.F) {
	for _, s := range []string{
		"<p>a</p>", `<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[x]]></ac:plain-text-body></ac:structured-macro>`,
		"<table><tr><td>", "<ul><li><ul>", "&nbsp;&#0;&#x110000;", "<![CDATA[", "<ac:link><ri:user/>", "<br></br><p/>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := Storage(s); !utf8.ValidString(got) {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}
