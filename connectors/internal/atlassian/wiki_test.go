package atlassian

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestWiki(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"blank", " \n\t\n", ""},
		{"paragraphs", "a\nb\r\n\r\nc", "a  \nb\n\nc"},
		{"headings", "h1. One\nh6. *Six*\nh7. no", "# One\n\n###### **Six**\n\nh7. no"},
		{"bold, italic, struck", "*a* _b_ -c- ??d??", "**a** *b* ~~c~~ *d*"},
		{"inserted, super, sub", "+a+ ^b^ ~c~", "a b c"},
		{"mono", "{{a*b}} {{c}}}", "`a*b` `c}`"},
		{"marks in each other", "*a _b_ c*", "**a *b* c**"},
		{"marks within words", "a{*}b{*}c", "a**b**c"},
		{"not marks", "2*3*4 snake_case_name well-known-fact a - b -x C++ *a", `2\*3\*4 snake_case_name well-known-fact a - b -x C++ \*a`},
		{"mark that spans lines", "*a\nb*", "\\*a  \nb\\*"},
		{"punctuation around a mark", "(*a*), \"_b_\".", "(**a**), \"*b*\"."},
		{"escapes", `\*a\* \{code} \[b]`, `\*a\* {code} [b]`},
		{"escaped macro", `\{code}a{code}`, "{code}a{code}"},
		{"forced line break", `a\\b`, "a  \nb"},
		{"backslash in a path", `C:\dir`, `C:\dir`},

		{"code", "{code:go}\na := \"*b*\"\n{code}", "```go\na := \"*b*\"\n```"},
		{"code with parameters", "{code:title=Foo.java|java|borderStyle=solid}x{code}", "```java\nx\n```"},
		{"code with a named language", "{code:language=sql|title=q}x{code}", "```sql\nx\n```"},
		{"code within text", "a {code}x{code} b", "a\n\n```\nx\n```\n\nb"},
		{"noformat", "{noformat}\n*a*\n{quote}\n{noformat}", "```\n*a*\n{quote}\n```"},
		{"macro that is not closed", "{code}a\n*b*", "{code}a  \n**b**"},
		{"unknown macro", "{unknown}a{unknown}", "{unknown}a{unknown}"},
		{"quote", "{quote}a\n\n* b{quote}c", "> a\n>\n> - b\n\nc"},
		{"quoted line", "bq. a *b*", "> a **b**"},
		{"panel", "{panel:title=My title|borderStyle=dashed}a{panel}", "> **My title**\n>\n> a"},
		{"panel in quote", "{quote}{panel}a{panel}{quote}", "> > a"},
		{"colour", "{color:red}a *b*{color} c {color:#ff0000}d{color}", "a **b** c d"},
		{"anchor", "{anchor:x}a", "a"},
		{"rule", "a\n----\nb", "a\n\n---\n\nb"},

		{"lists", "* a\n** b\n*** c\n* d", "- a\n  - b\n    - c\n- d"},
		{"numbers", "# a\n## b\n# c", "1. a\n   1. b\n2. c"},
		{"mixed", "* a\n*# b\n*# c\n* d", "- a\n  1. b\n  2. c\n- d"},
		{"dashes", "- a\n- b", "- a\n- b"},
		{"list after text", "a\n* b\nc", "a\n\n- b  \n  c"},
		{"list that begins deep", "*** a", "- - - a"},
		{"one list, then another", "* a\n## b\n# c", "- a\n  1. b\n\n1. c"},
		{"kind changes below", "# a\n#* b\n## c", "1. a\n   - b\n   1. c"},

		{"table", "||a||b||\n|1|2|", "| a | b |\n| --- | --- |\n| 1 | 2 |"},
		{"table without header", "|1|2|", "| | |\n| --- | --- |\n| 1 | 2 |"},
		{"link and image in a cell", "||a||\n|[x|https://x.y]!i.png|width=10!|", "| a |\n| --- |\n| [x](https://x.y)(attachment: i.png) |"},
		{"cell over lines", "||a||b||\n|1\nx|2|", "| a | b |\n| --- | --- |\n| 1<br>x | 2 |"},
		{"bar that is text", "||a||\n|1\\|2|", "| a |\n| --- |\n| 1\\|2 |"},
		{"bars alone", "|||\n|", "| |\n| --- |"},

		{"link", "[here|https://x.y/a]", "[here](https://x.y/a)"},
		{"link with a tip", "[here|https://x.y/a|smart-link]", "[here](https://x.y/a)"},
		{"smart link", "[https://x.y/_a_|https://x.y/_a_|smart-link]", "<https://x.y/_a_>"},
		{"link alone", "[https://x.y/a]", "<https://x.y/a>"},
		{"mail", "[mailto:a@example.com]", "<mailto:a@example.com>"},
		{"bare address", "see https://x.y/a_b, and (http://z).", "see <https://x.y/a_b>, and (<http://z>)."},
		{"link that must not be followed", "[a|javascript:alert(1)]", "a"},
		{"remark in brackets", "[WIP] a[0]", "[WIP] a[0]"},
		{"mention", "[~user] [~accountid:5b10:a-b]", "@user @5b10:a-b"},
		{"attachment", "[^plan.pdf]", "(attachment: plan.pdf)"},
		{"image", "!plan 1.png! !https://x.y/a.png|thumbnail!", "(attachment: plan 1.png) ![](https://x.y/a.png)"},
		{"exclamations", "Hello! Bye! !really important!", "Hello! Bye! !really important!"},
		{"markdown in wiki", "# a `b` <c>", "1. a \\`b\\` \\<c>"},
		{"foreign scripts", "*жирный* и _курсив_, *太字*", "**жирный** и *курсив*, **太字**"},
		{"invalid UTF-8", "a\xff*b*", "a\ufffd**b**"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Wiki(tt.in); got != tt.want {
				t.Errorf("Wiki(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

// TestWikiIsLinear feeds what makes careless parsers take quadratic time; any of it would run for most of a minute.
func TestWikiIsLinear(t *testing.T) {
	for _, piece := range []string{"*a ", "{{a ", "[a ", "!a.png ", "{code}a\n", "{quote}", "_*-", "|a", "http://", "h", "\\{quote}", "{panel}{quote}", "[~", "{*}", "* a\n", "- "} {
		checkLinear(t, strings.Repeat(piece, 256<<10/len(piece)))
	}
	checkLinear(t, strings.Repeat("{code:x}", 128<<10))
}

func checkLinear(t *testing.T, in string) {
	t.Helper()
	start := time.Now()
	Wiki(in)
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("%.20q… took %v", in, took)
	}
}

func FuzzWiki(f *testing.F) {
	for _, s := range []string{
		"h1. a\n* b\n## c\n||d||e||\n|[f|g]|!h.png!|", "{code:go}a{code}{quote}*b _c_*{quote}", "[~a] {{b}} \\\\ {*}c{*}",
		"{panel:title=a}{color:red}b{color}{panel}", "bq. a\n----\nhttps://b.c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkMarkdown(t, Wiki(s), true) })
}

// checkMarkdown checks what holds for the Markdown of every document.
func checkMarkdown(t *testing.T, s string, valid bool) {
	t.Helper()
	if valid && !utf8.ValidString(s) {
		t.Errorf("not UTF-8: %q", s)
	}
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if valid && strings.ContainsFunc(s, control) {
		t.Errorf("control characters in %q", s)
	}
	if strings.Contains(s, "](javascript:") && !strings.Contains(s, `\](javascript:`) {
		t.Errorf("a script to click on in %q", s)
	}
	if len(s) > 4*maxText {
		t.Errorf("%d bytes long", len(s))
	}
}

func TestParseTime(t *testing.T) {
	tests := []struct {
		in   string
		want string
	}{
		{"2026-04-28T15:33:15.492+0200", "2026-04-28T13:33:15.492Z"},
		{"2021-02-26T01:45:03.821+0000", "2021-02-26T01:45:03.821Z"},
		{"2021-02-26T01:45:03+0530", "2021-02-25T20:15:03Z"},
		{"2026-04-28T15:33:15.492Z", "2026-04-28T15:33:15.492Z"},
		{"2026-04-28T15:33:15+02:00", "2026-04-28T13:33:15Z"},
		{"1582152559000", "2020-02-19T22:49:19Z"},
		{"", ""},
		{"2026", ""},
		{"2026-04-28", ""},
		{"99999999999999999999", ""},
		{"yesterday", ""},
	}
	for _, tt := range tests {
		got, ok := ParseTime(tt.in)
		text := ""
		if ok {
			text = got.Format(time.RFC3339Nano)
		}
		if text != tt.want {
			t.Errorf("ParseTime(%q) = %q, want %q", tt.in, text, tt.want)
		}
	}
}
