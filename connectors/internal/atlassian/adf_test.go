package atlassian

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// doc wraps nodes in a document.
func doc(nodes string) string { return `{"version":1,"type":"doc","content":[` + nodes + `]}` }

// para wraps inline nodes in a paragraph in a document.
func para(nodes string) string { return doc(`{"type":"paragraph","content":[` + nodes + `]}`) }

func text(s string, marks ...string) string {
	quoted, _ := json.Marshal(s)
	out := `{"type":"text","text":` + string(quoted)
	if len(marks) > 0 {
		out += `,"marks":[` + strings.Join(marks, ",") + `]`
	}
	return out + "}"
}

func item(nodes string) string {
	return `{"type":"listItem","content":[` + nodes + `]}`
}

func p(s string) string { return `{"type":"paragraph","content":[` + text(s) + `]}` }

const (
	boldMark   = `{"type":"strong"}`
	emMark     = `{"type":"em"}`
	strikeMark = `{"type":"strike"}`
	codeMark   = `{"type":"code"}`
)

func linkMark(href string) string { return `{"type":"link","attrs":{"href":"` + href + `"}}` }

func TestText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"null", `null`, ""},
		{"nothing", ``, ""},
		{"number", `42`, "42"},
		{"wiki text", `"*bold* text"`, "**bold** text"},
		{"empty document", doc(""), ""},
		{"empty object", `{}`, ""},
		{"list of nodes", `[` + p("a") + `,` + p("b") + `]`, "a\n\nb"},
		{"wrong types", `{"type":7,"content":{"type":"text","text":"x","marks":"no","attrs":[]}}`, "x"},
		{"null content", `{"type":"doc","content":null}`, ""},
		{"paragraphs", doc(p("a") + `,{"type":"paragraph"},` + p("b")), "a\n\nb"},
		{"hard break", para(text("a") + `,{"type":"hardBreak"},` + text("b") + `,{"type":"hardBreak"}`), "a  \nb"},
		{"line end in text", para(text("a\r\nb")), "a  \nb"},
		{"two breaks", para(text("a") + `,{"type":"hardBreak"},{"type":"hardBreak"},` + text("b")), "a\n\nb"},
		{"control characters", para(text("a\u001b[31mb\u0000c")), "a[31mbc"},

		{"strong", para(text("a", boldMark)), "**a**"},
		{"em", para(text("a", emMark)), "*a*"},
		{"strike", para(text("a", strikeMark)), "~~a~~"},
		{"underline, colour and sub ignored", para(text("a", `{"type":"underline"}`, `{"type":"textColor","attrs":{"color":"#f00"}}`, `{"type":"subsup"}`)), "a"},
		{"strong and em", para(text("a", boldMark, emMark)), "***a***"},
		{"marks that overlap", para(text("a", boldMark) + "," + text("b", boldMark, emMark) + "," + text("c", emMark)), "**a*b****c*"},
		{"spaces move out of a mark", para(text("a") + "," + text(" b ", boldMark) + "," + text("c")), "a **b** c"},
		{"mark around spaces alone", para(text("a") + "," + text(" ", boldMark) + "," + text("b")), "a b"},
		{"code", para(text("a*b", codeMark)), "`a*b`"},
		{"code with backticks", para(text("a``b", codeMark)), "```a``b```"},
		{"code that begins with a backtick", para(text("`a", codeMark)), "`` `a ``"},
		{"code after code", para(text("a", codeMark) + "," + text("b", codeMark)), "`ab`"},
		{"bold code", para(text("a", codeMark, boldMark)), "**`a`**"},
		{"link", para(text("here", linkMark("https://example.com/a"))), "[here](https://example.com/a)"},
		{"link to itself", para(text("https://example.com/a_b", linkMark("https://example.com/a_b"))), "<https://example.com/a_b>"},
		{"link with odd characters", para(text("a]b", linkMark("https://example.com/a (b)"))), `[a\]b](https://example.com/a%20%28b%29)`},
		{"link across marks", para(text("a ", linkMark("https://x.y")) + "," + text("b", linkMark("https://x.y"), boldMark)), "[a **b**](https://x.y)"},
		{"link that must not be followed", para(text("a", linkMark(" java\\nscript:alert(1)"))), "a"},
		{"link without an address", para(text("a", `{"type":"link"}`)), "a"},

		{"emphasis characters", para(text("a *b* _c_ `d` ~~e~~")), "a \\*b\\* \\_c\\_ \\`d\\` \\~\\~e\\~\\~"},
		{"characters that mean nothing", para(text("2 * 3, snake_case, C:\\dir, a < b & c, [WIP] x~y!")), "2 * 3, snake_case, C:\\dir, a < b & c, [WIP] x~y!"},
		{"backslash that would escape", para(text(`a\*b`)), `a\\\*b`},
		{"backslash at the end", para(text(`a\`)), `a\\`},
		{"html", para(text("<script>x</script> <!-- --> &lt; &#60;")), `\<script>x\</script> \<!-- --> \&lt; \&#60;`},
		{"link written as text", para(text("[a](javascript:b)")), `[a\](javascript:b)`},
		{"link over two nodes", para(text("[a]") + "," + text("(b)")), `[a\](b)`},
		{"exclamation before a link", para(text("wow!") + "," + text("a", linkMark("https://x.y"))), `wow\![a](https://x.y)`},
		{"heading written as text", para(text("# a")), `\# a`},
		{"lists written as text", para(text("- a\n+ b\n* c\n1. d\n2) e")), "\\- a  \n\\+ b  \n\\* c  \n1\\. d  \n2\\) e"},
		{"quote and rules written as text", para(text("> a\n---\n===\n_ _ _")), "\\> a  \n\\---  \n\\===  \n\\_ _ _"},
		{"number that is no list", para(text("1.5 and 2.")), "1.5 and 2."},
		{"hash that is no heading", para(text("#5 is open")), "#5 is open"},

		{"heading", doc(`{"type":"heading","attrs":{"level":3},"content":[` + text("a #") + `]}`), `### a \#`},
		{"heading of impossible level", doc(`{"type":"heading","attrs":{"level":99},"content":[` + text("a") + `]}`), "###### a"},
		{"bullets", doc(`{"type":"bulletList","content":[` + item(p("a")) + `,` + item(p("b")) + `]}`), "- a\n- b"},
		{"numbers", doc(`{"type":"orderedList","attrs":{"order":9},"content":[` + item(p("a")) + `,` + item(p("b")+`,`+p("c")) + `]}`), "9. a\n10. b\n\n    c"},
		{"nested lists", doc(`{"type":"bulletList","content":[` + item(p("a")+`,{"type":"orderedList","content":[`+item(p("b"))+`]}`) + `,` + item(p("c")) + `]}`), "- a\n  1. b\n- c"},
		{"list that cannot interrupt a paragraph", doc(`{"type":"bulletList","content":[` + item(p("a")+`,{"type":"orderedList","attrs":{"order":3},"content":[`+item(p("b"))+`]}`) + `]}`), "- a\n\n  3. b"},
		{"list of an empty item behind a paragraph", doc(`{"type":"bulletList","content":[` + item(p("a")+`,{"type":"bulletList","content":[{"type":"listItem"}]}`) + `]}`), "- a\n\n  -"},
		{"empty item", doc(`{"type":"bulletList","content":[{"type":"listItem"},` + item(p("b")) + `]}`), "-\n- b"},
		{"item that begins with an empty quote", doc(`{"type":"bulletList","content":[` + item(`{"type":"blockquote","content":[{"type":"paragraph"}]},`+p("b")) + `]}`), "- b"},
		{"code in an item", doc(`{"type":"bulletList","content":[` + item(p("a")+`,{"type":"codeBlock","content":[`+text("x\n\ny")+`]}`) + `]}`), "- a\n\n  ```\n  x\n\n  y\n  ```"},
		{"tasks", doc(`{"type":"taskList","content":[{"type":"taskItem","attrs":{"state":"TODO"},"content":[` + text("a") + `]},{"type":"taskItem","attrs":{"state":"DONE"},"content":[` + text("b") + `]},{"type":"taskList","content":[{"type":"taskItem","attrs":{"state":"TODO"},"content":[` + text("c") + `]}]}]}`), "- [ ] a\n- [x] b\n  - [ ] c"},
		{"decision", doc(`{"type":"decisionList","content":[{"type":"decisionItem","content":[` + text("a") + `]}]}`), "- Decision: a"},
		{"quote", doc(`{"type":"blockquote","content":[` + p("a") + `,` + p("b") + `]},` + p("c")), "> a\n>\n> b\n\nc"},
		{"quote in an item", doc(`{"type":"bulletList","content":[` + item(`{"type":"blockquote","content":[`+p("a")+`,`+p("b")+`]}`) + `]}`), "- > a\n  >\n  > b"},
		{"panel", doc(`{"type":"panel","attrs":{"panelType":"warning"},"content":[` + p("a") + `]}`), "> **Warning**\n>\n> a"},
		{"code block", doc(`{"type":"codeBlock","attrs":{"language":"go` + "`" + ` x"},"content":[` + text("a := 1\n# b") + `]}`), "```gox\na := 1\n# b\n```"},
		{"code block with a fence", doc(`{"type":"codeBlock","content":[` + text("```\na\n```") + `]}`), "````\n```\na\n```\n````"},
		{"rule", doc(p("a") + `,{"type":"rule"},` + p("b")), "a\n\n---\n\nb"},
		{"expand", doc(`{"type":"expand","attrs":{"title":"More"},"content":[` + p("a") + `]}`), "**More**\n\na"},
		{"layout", doc(`{"type":"layoutSection","content":[{"type":"layoutColumn","content":[` + p("a") + `]},{"type":"layoutColumn","content":[` + p("b") + `]}]}`), "a\n\nb"},
		{"unknown node", doc(`{"type":"hologram","content":[` + p("a") + `]},{"type":"gone"},` + p("b")), "a\n\nb"},
		{"extension", doc(`{"type":"bodiedExtension","content":[` + p("a") + `]},{"type":"extension","attrs":{"text":"fallback"}}`), "a\n\nfallback"},

		{"mention", para(`{"type":"mention","attrs":{"id":"1","text":"@Ann Lee"}},{"type":"mention","attrs":{"id":"42"}}`), "@Ann Lee@42"},
		{"emoji", para(`{"type":"emoji","attrs":{"shortName":":ok_hand:","text":"👌"}},{"type":"emoji","attrs":{"shortName":":white_check_mark:"}}`), "👌:white_check_mark:"},
		{"date", para(`{"type":"date","attrs":{"timestamp":"1582152559000"}},` + text(" ") + `,{"type":"date","attrs":{"timestamp":"soon"}}`), "2020-02-19 soon"},
		{"status", para(`{"type":"status","attrs":{"text":"IN PROGRESS","color":"blue"}}`), "IN PROGRESS"},
		{"cards by data", doc(`{"type":"paragraph","content":[{"type":"inlineCard","attrs":{"data":{"@id":"https://x.y/a","name":"Spec"}}}]},{"type":"blockCard","attrs":{"datasource":{"id":"d"}}},{"type":"blockCard","attrs":{"data":{"name":"Spec"}}}`), "<https://x.y/a>\n\n(card)\n\nSpec"},
		{"tasks of blocks", doc(`{"type":"taskList","content":[{"type":"blockTaskItem","attrs":{"state":"DONE"},"content":[{"type":"paragraph","content":[` + text("a") + `]}]}]}`), "- [x] a"},
		{"cards", doc(`{"type":"paragraph","content":[{"type":"inlineCard","attrs":{"url":"https://x.y/a"}}]},{"type":"blockCard","attrs":{"data":{"url":"https://x.y/b"}}}`), "<https://x.y/a>\n\n<https://x.y/b>"},
		{"media", doc(`{"type":"mediaSingle","content":[{"type":"media","attrs":{"id":"1","type":"file","alt":"plan.png"}}]},{"type":"mediaGroup","content":[{"type":"media","attrs":{"id":"2"}}]}`), "(attachment: plan.png)\n\n(attachment)"},
		{"external media", doc(`{"type":"mediaSingle","content":[{"type":"media","attrs":{"type":"external","url":"https://x.y/a.png","alt":"a"}}]}`), "![a](https://x.y/a.png)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Text(json.RawMessage(tt.in)); got != tt.want {
				t.Errorf("Text(%s)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestTextTables(t *testing.T) {
	cell := func(kind, attrs, nodes string) string {
		return `{"type":"` + kind + `","attrs":{` + attrs + `},"content":[` + nodes + `]}`
	}
	row := func(cells ...string) string {
		return `{"type":"tableRow","content":[` + strings.Join(cells, ",") + `]}`
	}
	table := func(rows ...string) string {
		return doc(`{"type":"table","content":[` + strings.Join(rows, ",") + `]}`)
	}
	h := func(s string) string { return cell("tableHeader", "", p(s)) }
	d := func(s string) string { return cell("tableCell", "", p(s)) }
	tests := []struct{ name, in, want string }{
		{"header", table(row(h("a"), h("b")), row(d("1"), d("2"))), "| a | b |\n| --- | --- |\n| 1 | 2 |"},
		{"no header", table(row(d("1"), d("2"))), "| | |\n| --- | --- |\n| 1 | 2 |"},
		{"bars and blocks", table(row(h("a|b")), row(cell("tableCell", "", p("x\ny")+","+`{"type":"bulletList","content":[`+item(p("z"))+`]}`))), "| a\\|b |\n| --- |\n| x<br>y<br>- z |"},
		{"code block in a cell", table(row(h("a")), row(cell("tableCell", "", `{"type":"codeBlock","content":[`+text("x|y\nz")+`]}`))), "| a |\n| --- |\n| `x\\|y`<br>`z` |"},
		{"spans", table(row(cell("tableHeader", `"colspan":2`, p("a")), h("b")), row(cell("tableCell", `"rowspan":2`, p("1")), d("2"), d("3")), row(d("4"), d("5"))), "| a | | b |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n| | 4 | 5 |"},
		{"short row", table(row(h("a"), h("b")), row(d("1"))), "| a | b |\n| --- | --- |\n| 1 | |"},
		{"no rows", doc(`{"type":"table"}`), ""},
		{"table in a cell", table(row(h("a")), row(cell("tableCell", "", `{"type":"table","content":[`+row(d("1"), d("2|3"))+`]}`))), "| a |\n| --- |\n| 1 / 2\\|3 |"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Text(json.RawMessage(tt.in)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestTextIsBounded(t *testing.T) {
	deep := strings.Repeat(`{"type":"blockquote","content":[`, 3000) + p("deep") + strings.Repeat(`]}`, 3000)
	tests := []struct{ name, in, end string }{
		{"nesting", deep, ellipsis},
		{"nesting beyond the decoder", strings.Repeat(`{"content":[`, 20000) + strings.Repeat(`]}`, 20000), ellipsis},
		{"length", para(text(strings.Repeat("a", maxText+1)) + "," + text("b")), "b" + cutMark},
		{"many blocks", doc(strings.Repeat(p("some words")+",", maxText/8) + p("last")), cutMark},
		{"wide cells", doc(`{"type":"table","content":[` + strings.Repeat(`{"type":"tableRow","content":[{"type":"tableCell","attrs":{"colspan":1000,"rowspan":1000}}]},`, 2000) + `{}]}`), cutMark},
		{"too many columns", doc(`{"type":"table","content":[{"type":"tableRow","content":[` + strings.Repeat(`{"type":"tableCell"},`, 1001) + `{}]}]}`), cutMark},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Text(json.RawMessage(tt.in))
			if !strings.HasSuffix(got, tt.end) {
				t.Errorf("ends with %q, want %q", got[max(0, len(got)-40):], tt.end)
			}
			if len(got) > 3*maxText {
				t.Errorf("%d bytes long", len(got))
			}
		})
	}
}

func TestTextOfRecordedDocument(t *testing.T) {
	got := Text(fixture(t, "jira/rest/jiracli-adf-md.json"))
	for _, want := range []string{
		"# H1\n\n## H2\n\n1\\. Some text  \n2\\. Some more text\n\n> Blockquote text\n\n",
		"Inline Node<https://antiklabs.atlassian.net/wiki/spaces/ANK/pages/124234/hello-world>\n\n",
		"> **Info**\n>\n> Panel paragraph\n\n@Person A\n\n> **Warning**\n>\n> **Strong** Paragraph 1\n>\n> Paragraph 2\n\n**Bold Text**",
		"[Link](https://ankit.pl)\n\n- Prefix: Unordered list item 1\n  - Next\n    - Another\n      - New level\n- Unordered list item 2\n",
		"1. Ordered list item 1\n2. Ordered list item 2\n3. Ordered list item 3\n   1. nested\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q; is\n%s", want, got)
		}
	}
}

func TestTextOfRecordedComments(t *testing.T) {
	var page struct {
		Comments []struct{ Body json.RawMessage }
	}
	if err := json.Unmarshal(fixture(t, "jira/rest/goatl-get-issue-comments.json"), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Comments) != 14 {
		t.Fatalf("%d comments", len(page.Comments))
	}
	for i, c := range page.Comments {
		if got := Text(c.Body); !strings.HasPrefix(got, "Lorem ipsum dolor sit amet, consectetur") {
			t.Errorf("comment %d: %q", i, got)
		}
	}
}

func TestTextOfRecordedEvents(t *testing.T) {
	dir := sharedDir(t)
	files, err := filepath.Glob(filepath.Join(dir, "fixtures/jira/webhooks-*/*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no events: %v", err)
	}
	want := map[string]string{
		"webhook-cloud-comment-created-mention-user.json": "Added a comment with mentioned user @user",
		"webhook-issue-comment-created-indentation.json":  "@Test creating a test comment\n\na second line for the test comment",
		"webhook-server-issue-updated-commented-3.json":   "This is a test comment. We should act on it right away. cc: @SomeOtherUser",
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var event struct {
			Comment struct{ Body json.RawMessage }
			Issue   struct {
				Fields struct{ Description json.RawMessage }
			}
		}
		if err := json.Unmarshal(data, &event); err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		if got := Text(event.Comment.Body); want[name] != "" && got != want[name] {
			t.Errorf("%s: got %q, want %q", name, got, want[name])
		}
		delete(want, name)
		got := Text(event.Issue.Fields.Description)
		if strings.Contains(string(event.Issue.Fields.Description), "message in Mattermost") &&
			!strings.HasPrefix(got, "test\n\n*Issue created from a [message in Mattermost](https://chrisp.ngrok.io/testteam/pl/") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if len(want) > 0 {
		t.Errorf("not seen: %v", want)
	}
}

func FuzzADF(f *testing.F) {
	f.Add(doc(p("a*b") + `,{"type":"rule"}`))
	f.Add(doc(`{"type":"table","content":[{"type":"tableRow","content":[{"type":"tableHeader","attrs":{"colspan":3},"content":[` + p("x|y") + `]}]}]}`))
	f.Add(para(text("a", boldMark, linkMark("https://x.y")) + `,{"type":"mention","attrs":{"text":"@a"}}`))
	f.Add(doc(`{"type":"bulletList","content":[` + item(p("a")+`,{"type":"blockquote","content":[{"type":"paragraph"}]}`) + `]}`))
	f.Add(`"h1. *a*"`)
	f.Fuzz(func(t *testing.T, s string) { checkMarkdown(t, Text(json.RawMessage(s)), json.Valid([]byte(s))) })
}
