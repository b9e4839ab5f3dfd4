package atlassian

import "testing"

func TestDestination(t *testing.T) {
	for href, want := range map[string]string{
		"https://example.com/a?b=1&c=2":   "https://example.com/a?b=1&c=2",
		"https://example.com/a?b=1&copy;": "https://example.com/a?b=1&amp;copy;",
		"javascript:alert(1)":             "",
		"JavaScript&colon;alert(1)":       "",
		"&#106;avascript:alert(1)":        "",
		"&#x6A;avascript:alert(1)":        "",
		"java\tscript:alert(1)":           "",
		"data:text/html,x":                "",
		"mailto:you@example.com":          "mailto:you@example.com",
	} {
		if got := destination(href); got != want {
			t.Errorf("%s: got %q, want %q", href, got, want)
		}
	}
}
