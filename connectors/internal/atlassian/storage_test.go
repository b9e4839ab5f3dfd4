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
		"link with an image":     {`<p><ac:link><ri:page ri:content-title="Home" /><ac:link-body><ac:image ac:alt="Plan"><ri:attachment ri:filename="p.png"/></ac:image></ac:link-body></ac:link></p>`, "(attachment: Plan)"},
		"link with no text":      {`<p><ac:link><ri:page ri:content-title="Home" /><ac:link-body> <em> </em></ac:link-body></ac:link></p>`, "Home"},
		"link to a content":      {`<p><ac:link><ri:content-entity ri:content-id="4711" /></ac:link></p>`, "(content 4711)"},
		"link by a shortcut":     {`<p><ac:link><ri:shortcut ri:key="jira" ri:parameter="ABC-1" /></ac:link></p>`, "ABC-1@jira"},
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
		"headings between":       {"<h2>B</h2><h3>C</h3><h4>D</h4><h5>E</h5>", "## B\n\n### C\n\n#### D\n\n##### E"},
		"superscript":            {"<p>x<sup>2</sup> <del>old</del> <b>b</b> <i>i</i> <tt>t</tt></p>", "x2 ~~old~~ **b** *i* `t`"},
		"code after code":        {"<p><code>a</code><code>b</code></p>", "`ab`"},
		"entities in CDATA":      {aMacro("code", `<ac:plain-text-body><![CDATA[a &lt; b &amp;&amp; c]]></ac:plain-text-body>`), "```\na &lt; b &amp;&amp; c\n```"},
		"CDATA in two parts":     {aMacro("code", `<ac:plain-text-body><![CDATA[x]]]]><![CDATA[>y]]></ac:plain-text-body>`), "```\nx]]>y\n```"},
		"CDATA never closed":     {"<p>a <![CDATA[b", "a b"},
		"divisions":              {"<div>a</div><div>b</div>", "a\n\nb"},
		"definitions":            {"<dl><dt>a</dt><dd>b</dd></dl>", "a\n\nb"},
		"layout of bare text":    {"<ac:layout-cell>a</ac:layout-cell><ac:layout-cell>b</ac:layout-cell>", "a\n\nb"},
		"list in a list":         {"<ol><li>a</li><ul><li>b</li></ul><li>c</li></ol>", "1. a\n   - b\n2. c"},
		"list that begins deep":  {"<ul><ul><li>a</li></ul></ul>", "- - a"},
		"strays in a list":       {"<ul><br/><li>a</li> lost <b>x</b> y<br/></ul>", "- a\n- lost **x** y"},
		"items never closed":     {"<ul><li>a<ul><li>b<li>c</ul><li>d</ul>", "- a\n  - b\n  - c\n- d"},
		"cells never closed":     {"<table><tr><th>a<th>b<tr><td>c<td>d</table>", "| a | b |\n| --- | --- |\n| c | d |"},
		"tasks in tasks":         {"<ac:task-list>" + aTask("a") + "<ac:task-list>" + aTask("b") + "</ac:task-list></ac:task-list>", "- [ ] a\n  - [ ] b"},
		"tasks in a task":        {"<ac:task-list>" + aTask("a<ac:task-list>"+aTask("b")+"</ac:task-list>") + "</ac:task-list>", "- [ ] a\n  - [ ] b"},
		"stray in tasks":         {"<ac:task-list>" + aTask("a") + "<p>b</p></ac:task-list>", "- [ ] a\n- [ ] b"},
		"caption and head":       {"<table><caption>Cap</caption><thead><tr><td>A</td></tr></thead><tbody><tr><td>1</td></tr></tbody><tfoot><tr><td>2</td></tr></tfoot></table>", "Cap\n\n| A |\n| --- |\n| 1 |\n| 2 |"},
		"rowspan":                {`<table><tr><th>A</th><th>B</th></tr><tr><td rowspan="2">1</td><td>2</td></tr><tr><td>3</td></tr></table>`, "| A | B |\n| --- | --- |\n| 1 | 2 |\n| | 3 |"},
		"table in a cell":        {"<table><tr><th>A</th></tr><tr><td><table><tr><td>x</td><td>y</td></tr></table></td></tr></table>", "| A |\n| --- |\n| x / y |"},
		"code in a cell":         {"<table><tr><th>A</th></tr><tr><td>" + aMacro("code", "<ac:plain-text-body><![CDATA[a\nb]]></ac:plain-text-body>") + "</td></tr></table>", "| A |\n| --- |\n| `a`<br>`b` |"},
		"cells without a row":    {"<table><td>a</td><td>b</td></table>", "| | |\n| --- | --- |\n| a | b |"},
		"noformat":               {aMacro("noformat", "<ac:plain-text-body><![CDATA[*a*]]></ac:plain-text-body>"), "```\n*a*\n```"},
		"code without a body":    {aMacro("code", ""), "```\n\n```"},
		"note":                   {aMacro("note", rich("a")), "> **Note**\n>\n> a"},
		"tip":                    {aMacro("tip", rich("a")), "> **Tip**\n>\n> a"},
		"panel":                  {aMacro("panel", `<ac:parameter ac:name="title">T</ac:parameter>`+rich("a")), "> **T**\n>\n> a"},
		"panel without title":    {aMacro("panel", rich("a")), "> a"},
		"panel in a panel":       {aMacro("panel", rich(aMacro("panel", rich("a")))), "> > a"},
		"quote macro":            {aMacro("quote", rich("a")), "> a"},
		"excerpt":                {aMacro("excerpt", rich("a")), "a"},
		"details":                {aMacro("details", rich("a")), "a"},
		"children and the like":  {aMacro("children", "") + aMacro("pagetree", `<ac:parameter ac:name="root">@self</ac:parameter>`) + aMacro("anchor", `<ac:parameter ac:name="">top</ac:parameter>`) + "<p>a</p>", "a"},
		"view-file":              {aMacro("view-file", `<ac:parameter ac:name="name"><ri:attachment ri:filename="a.pdf" /></ac:parameter>`), "a.pdf"},
		"jira search":            {aMacro("jira", `<ac:parameter ac:name="jqlQuery">project = PAY</ac:parameter>`), "project = PAY"},
		"link into a page":       {`<ac:link ac:anchor="x"><ri:page ri:content-title="Home" /></ac:link>`, "Home"},
		"link to a blog post":    {`<ac:link><ri:blog-post ri:content-title="News" ri:posting-day="2026/01/02" /></ac:link>`, "News"},
		"link to a space":        {`<ac:link><ri:space ri:space-key="ENG" /></ac:link>`, "ENG"},
		"bold mention":           {`<p><b>Hi <ac:link><ri:user ri:username="ann" /></ac:link> <ac:emoticon ac:name="tick" /></b></p>`, "**Hi @ann ✅**"},
		"image in a link":        {`<a href="https://x.y"><ac:image><ri:attachment ri:filename="i.png" /></ac:image></a>`, "[(attachment: i.png)](https://x.y)"},
		"HTML image":             {`<img src="https://x.y/a.png" alt="a" />`, "![a](https://x.y/a.png)"},
		"image with a caption":   {`<ac:image><ri:attachment ri:filename="i.png" /><ac:caption><p>Cap</p></ac:caption></ac:image>`, "(attachment: i.png)\n\nCap"},
		"hostile image":          {`<ac:image ac:alt="a"><ri:url ri:value="javascript:alert(1)" /></ac:image>`, "(attachment: a)"},
		"ADF panel":              {`<ac:adf-extension><ac:adf-node type="panel"><ac:adf-attribute key="panel-type">note</ac:adf-attribute><ac:adf-content><p>n</p></ac:adf-content></ac:adf-node></ac:adf-extension>`, "> n"},
		"ADF without content":    {`<ac:adf-extension><ac:adf-node type="x"><ac:adf-attribute key="k">v</ac:adf-attribute></ac:adf-node></ac:adf-extension>`, ""},
		"raw text of HTML":       {`<iframe src="x" /><title>a <b>b</b></title><textarea/><plaintext><p>c</p>`, "a **b**\n\nc"},
		"script that is empty":   {"<script/><style/><p>a</p>", "a"},
		"entities by number":     {"<p>&#x41;&hellip;&mdash;&euro;&copy;&NotEqualTilde;</p>", "A…—€©≂̸"},
		"NUL":                    {"<p>a\x00b\x1bc</p>", "abc"},
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

// macro returns a macro with parameters and a body.
func aMacro(name, content string) string {
	return `<ac:structured-macro ac:name="` + name + `">` + content + `</ac:structured-macro>`
}

func rich(content string) string {
	return "<ac:rich-text-body><p>" + content + "</p></ac:rich-text-body>"
}

func aTask(body string) string {
	return "<ac:task><ac:task-status>incomplete</ac:task-status><ac:task-body>" + body + "</ac:task-body></ac:task>"
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
		"code spans":   strings.Repeat("<code>a</code>", 700_000),
		"long address": `<a href="http://` + strings.Repeat("x", 5_000_000) + `">` + strings.Repeat("x<br/>", 800_000),
		"marked deep":  strings.Repeat("<strong><em>", 99) + strings.Repeat("<b>x</b>", 1_200_000),
		"deep links":   strings.Repeat("<ac:link><ac:link-body>", 90) + strings.Repeat("x ", 5_000_000),
		"items":        strings.Repeat("<li>", 2_500_000),
		"cells":        "<table>" + strings.Repeat("<td>", 2_500_000),
		"sections":     strings.Repeat("<![CDATA[a", 1_000_000),
		"entities":     strings.Repeat("&nbsp;&", 1_400_000),
		"half a tag":   "<p>a<ac:structured-macro ac:name=\"code",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			got := Storage(body)
			if !utf8.ValidString(got) || len(got) > 3*maxText {
				t.Errorf("%d bytes", len(got))
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("%d bytes took %v", len(body), took)
			}
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
		"<ac:task-list><ac:task><ac:task-body>a<ac:task-list>", `<a href="x"><ac:image><ri:url ri:value="y"/><ac:caption>z`,
		"<ol><ul><li>a<li>b</ol><table><caption>c<tr><th>d<td>e", "<title><script/><iframe/><code>a</code><code>`",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkMarkdown(t, Storage(s), true) })
}
