package salesforce

import (
	"regexp"
	"strings"
	"time"
)

// timeLayout is how Salesforce writes times, as in 2026-05-06T09:49:19.000+0000.
const timeLayout = "2006-01-02T15:04:05.000-0700"

// literalLayout is how SOQL takes times: without quotation marks.
const literalLayout = "2006-01-02T15:04:05.000Z"

// parseTime reads a time of Salesforce's and returns it in UTC, false for what is none.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{timeLayout, time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 0 && t.Year() <= 9999 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// literal returns a time as SOQL takes it.
func literal(t time.Time) string { return t.UTC().Format(literalLayout) }

// quote returns s as a SOQL string.
func quote(s string) string {
	return `'` + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`).Replace(s) + `'`
}

// prefixLen is how many characters of an id tell the object.
const prefixLen = 3

var (
	// rowIDForm is how ids of records look in answers.
	rowIDForm = regexp.MustCompile(`^[A-Za-z0-9]{1,18}$`)
	// idForm is an id as people give it, in its short or its long form.
	idForm = regexp.MustCompile(`^[A-Za-z0-9]{15}([A-Z0-5]{3})?$`)
)

const checkLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

// longID returns an id in its form of 18 characters, whose last three tell which of the others are capitals. It returns
// false for what is no id, and for a long one that does not agree with itself.
func longID(id string) (string, bool) {
	if !idForm.MatchString(id) {
		return "", false
	}
	long := []byte(id[:15])
	for part := range 3 {
		bits := 0
		for i := range 5 {
			if c := id[part*5+i]; c >= 'A' && c <= 'Z' {
				bits |= 1 << i
			}
		}
		long = append(long, checkLetters[bits])
	}
	return string(long), len(id) == 15 || id == string(long)
}
