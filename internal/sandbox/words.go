package sandbox

// The texts below are what real sites hold: several scripts, both directions of writing, characters that break naive
// escaping, and markup that must stay text. They stand inside JSON strings, so quotes and backslashes are escaped.

var subjects = []string{
	"checkout", "login page", "nightly import", "webhook delivery", "invoice PDF", "search index", "mobile app",
	"rate limiter", "audit log", "CSV export", "billing cycle", "permission check", "password reset", "API gateway",
}

var actions = []string{
	"Fix timeout in", "Investigate errors in", "Document", "Speed up", "Remove dead code from", "Add tests for",
	"Upgrade", "Monitor", "Roll back", "Translate", "Secure", "Split", "Retry failures of", "Clean up",
}

var phrases = []string{
	"customer escalation", "Straße & Brücke", "naïve café façade", "данные клиента", "支払い処理", "결제 오류",
	"שלום עולם", "مرحبا بالعالم", "🚀 launch", "👩‍👩‍👧‍👦 family", "e\u0301 combining", "zero\u200bwidth", "non\u00a0breaking",
	"100 % sure", "C:\\\\temp\\\\new", "\\\"quoted\\\"", "a*b_c~d`e", "<b>bold?</b>", "[link](x)", "| pipe |", "{{curly}}",
}

var sentences = []string{
	"The request fails after thirty seconds and the client retries it twice.",
	"Seit dem letzten Release dauert die Prüfung länger als vorher; größere Kunden merken es zuerst.",
	"Após a atualização, a sessão expira sem aviso.",
	"在高负载下,队列会无限增长。请检查消费者的日志。",
	"サーバーが応答しない場合は、再試行してください。",
	"يجب أن يظهر هذا النص من اليمين إلى اليسار (v2.1).",
	"המערכת מחזירה שגיאה 500 כאשר השדה ריק.",
	"Steps: 1) open *settings* 2) press _save_ 3) see `NullPointerException`.",
	"# not a heading, - not a list, > not a quote, 1. not a number",
	"Path is C:\\\\Program Files\\\\App\\\\bin and the flag is --all \\\"yes\\\".",
	"Emoji test 👍🏽 🇩🇪 ❤️‍🔥 and a lone variation\ufe0f.",
	"See https://example.com/a?b=1&c=%20d#frag and mail ops@example.com.",
	"<script>alert('x')</script> & &amp; stay as they are.",
	"SELECT * FROM users WHERE name = 'Robert'; DROP TABLE students;--",
	"=HYPERLINK(\\\"http://example.com\\\",\\\"click\\\")",
	"\u202eright-to-left override\u202c ends here.",
	"Line one\\nLine two\\tafter a tab",
	"ﬁ ligature, ½, ①, Ａ full width, İstanbul, ſ long s, ß sharp s",
}

var codeSamples = []string{
	"func main() {\\n\\tfmt.Println(\\\"hello\\\") // ``` fence\\n}\\n",
	"SELECT *\\n  FROM issues\\n WHERE a < b && c;",
	"#!/bin/sh\\nset -eu\\nrm -rf \\\"$TMP\\\"/*\\n\\n",
	"{\\n  \\\"key\\\": [1, 2, 3]\\n}",
	"~~~\\n```\\nnested fences\\n```\\n~~~",
}

// oddSummaries are whole summaries; a summary never has a line break.
var oddSummaries = []string{
	"支払い処理が失敗する 💥 (再現手順あり)",
	"مشكلة في تسجيل الدخول — v2.1 (عاجل)",
	"שגיאה בדף התשלום [דחוף]",
	"👩🏽‍💻👨‍👩‍👧‍👦🏳️‍🌈 emoji only",
	"Ünïcödé e\u0301 vs é, ﬁ vs fi",
	"\\\"quoted\\\" \\\\ backslash \\/ slash \\u00e9 escape",
	"<img src=x onerror=alert(1)> & &lt;b&gt;",
	"| table | *bold* _it_ `code` [x](y) ~~z~~ # 1.",
	"double  spaces   inside",
	"zero\u200bwidth \u202eoverride\u202c \u00a0nbsp\ufeff",
	"=1+1;@SUM(A1)\\t-cmd",
	"0",
	"null",
	"Ошибка № 42: «неверный» ввод…",
}

// longestSummary is the length that Jira allows, in characters.
const longestSummary = 255

// sentence writes one or two sentences.
func (p *pen) sentence(b []byte) []byte {
	b = append(b, p.pick(sentences)...)
	if p.rng.oneIn(3) {
		b = append(b, ' ')
		b = append(b, p.pick(sentences)...)
	}
	return b
}

// summary writes an issue's title, without the quotes.
func (p *pen) summary(b []byte) []byte {
	switch p.rng.below(12) {
	case 0, 1:
		return append(b, p.pick(oddSummaries)...)
	case 2:
		return p.longSummary(b)
	case 3:
		b = append(b, p.pick(actions)...)
		b = append(b, ' ')
		return append(b, p.pick(phrases)...)
	default:
		b = append(b, p.pick(actions)...)
		b = append(b, ' ')
		return append(b, p.pick(subjects)...)
	}
}

// longSummary writes exactly as many characters as Jira allows, of four bytes each at worst.
func (p *pen) longSummary(b []byte) []byte {
	alphabets := []string{"界", "🚀", "ж", "lang ", "ا"}
	letter := p.pick(alphabets)
	count := longestSummary
	if letter == "lang " {
		count = longestSummary / len(letter)
	}
	for range count {
		b = append(b, letter...)
	}
	return b
}
