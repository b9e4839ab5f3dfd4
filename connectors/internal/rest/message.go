package rest

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is repeated of a system's own messages.
const (
	maxMessages   = 3
	maxMessageLen = 300
	maxRawMessage = 4 << 10
	maxFaultBody  = 64 << 10
)

// Messages returns the system's own messages from the body of a refusal, fit to be shown: few, short, on one line and
// without anything that looks like a credential.
func (c *Client) Messages(a Answer) []string {
	if c.Faults == nil || len(a.Body) > maxFaultBody {
		return nil
	}
	var out []string
	for _, m := range c.Faults(a.Body) {
		if m = clean(c.hide(m[:min(len(m), maxRawMessage)]), maxMessageLen); m != "" && len(out) < maxMessages {
			out = append(out, m)
		}
	}
	return out
}

// hide masks known secrets, and words that may be one: a hostile or careless server can repeat what it was sent.
func (c *Client) hide(s string) string {
	for _, secret := range c.Secrets {
		if !secret.IsZero() {
			s = strings.ReplaceAll(s, secret.Reveal(), secret.String())
		}
	}
	words := strings.FieldsFunc(s, func(r rune) bool { return !isTokenRune(r) })
	for _, w := range words {
		if looksSecret(w) {
			s = strings.ReplaceAll(s, w, "[redacted]")
		}
	}
	return s
}

func isTokenRune(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("+/=_-", r))
}

// minSecret is the length from which a word of mixed letters and digits is taken for a credential.
const minSecret = 24

func looksSecret(w string) bool {
	return len(w) >= minSecret && strings.ContainsFunc(w, unicode.IsUpper) &&
		strings.ContainsFunc(w, unicode.IsLower) && strings.ContainsFunc(w, unicode.IsDigit)
}

// clean returns s as one line of at most limit bytes, without control characters.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= limit {
		return s
	}
	s = s[:limit]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
