package postgres

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// form is how the text of a value becomes JSON.
type form uint8

const (
	formText   form = iota // as it is
	formNumber             // NaN and infinities as text
	formBool
	formBytea
	formTimestamp
	formTimestamptz
	formJSON
	formJSONB
	formArray
)

func formOf(oid uint32) form {
	switch oid {
	case oidInt2, oidInt4, oidInt8, oidOID, oidFloat4, oidFloat8, oidNumeric:
		return formNumber
	case oidBool:
		return formBool
	case oidBytea:
		return formBytea
	case oidTimestamp:
		return formTimestamp
	case oidTimestamptz:
		return formTimestamptz
	case oidJSON:
		return formJSON
	case oidJSONB:
		return formJSONB
	}
	return formText
}

// value returns the text of a value, as the server writes it under the settings of this package, as what stands for it
// in a row's meta: json.Number with all digits, bool, json.RawMessage for JSON and arrays, else a string.
func (c column) value(text string) (any, error) {
	switch c.as {
	case formNumber:
		if isNumber(text) {
			return json.Number(text), nil
		}
		return c.as.string(text) // NaN and infinities
	case formBool:
		return text == "t", nil
	case formJSON:
		return compactJSON(text)
	case formJSONB:
		raw := json.RawMessage(strings.ToValidUTF8(text, "\uFFFD"))
		if !json.Valid(raw) {
			return nil, errors.New("a jsonb value is no JSON")
		}
		return raw, nil
	case formArray:
		return c.array(text)
	}
	return c.as.string(text)
}

// string returns a value whose JSON is a string.
func (f form) string(text string) (string, error) {
	switch f {
	case formBytea:
		return base64Of(text)
	case formTimestamp:
		return isoTime(text, ""), nil
	case formTimestamptz:
		return isoTime(text, "+00"), nil
	}
	if utf8.ValidString(text) {
		return text, nil
	}
	return cleanText([]byte(text)), nil
}

// isNumber reports whether text is a JSON number, as everything is that PostgreSQL writes of numbers but NaN and
// infinities.
func isNumber(text string) bool {
	text = strings.TrimPrefix(text, "-")
	whole := digits(text)
	if whole == 0 || whole > 1 && text[0] == '0' {
		return false
	}
	text = text[whole:]
	if fraction, ok := strings.CutPrefix(text, "."); ok {
		n := digits(fraction)
		if n == 0 {
			return false
		}
		text = fraction[n:]
	}
	if text == "" {
		return true
	}
	if text[0] != 'e' && text[0] != 'E' {
		return false
	}
	text = strings.TrimLeft(text[1:], "+-")
	return text != "" && digits(text) == len(text)
}

func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// compactJSON takes the blanks and line ends out of a value of type json, which keeps them as they were written.
func compactJSON(text string) (any, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(strings.ToValidUTF8(text, "\uFFFD"))); err != nil {
		return nil, fmt.Errorf("a json value is none: %w", err)
	}
	return json.RawMessage(b.Bytes()), nil
}

func base64Of(text string) (string, error) {
	digits, ok := strings.CutPrefix(text, `\x`)
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return "", errors.New("a bytea value is not in hex form")
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// isoTime turns 2024-01-02 03:04:05.6 with the given zone into RFC 3339, in UTC if there is a zone. What RFC 3339
// cannot say (infinity, years before 1 or after 9999) stays as PostgreSQL writes it.
func isoTime(text, zone string) string {
	if len(text) < 19+len(zone) || text[4] != '-' || text[10] != ' ' || !strings.HasSuffix(text, zone) {
		return text
	}
	if c := text[len(text)-1]; c < '0' || c > '9' {
		return text
	}
	b := make([]byte, 0, len(text)+1)
	b = append(b, text[:10]...)
	b = append(b, 'T')
	b = append(b, text[11:len(text)-len(zone)]...)
	if zone != "" {
		b = append(b, 'Z')
	}
	return string(b)
}

// timeOf returns a change column's value as a time; a timestamp without zone and a date count as UTC. It returns nil
// for infinities and other times that RFC 3339 cannot say.
func timeOf(oid uint32, text string) *time.Time {
	layout, s := time.RFC3339Nano, text
	switch oid {
	case oidTimestamptz:
		s = isoTime(text, "+00")
	case oidTimestamp:
		s = isoTime(text, "") + "Z"
	case oidDate:
		layout = time.DateOnly
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		return nil
	}
	t = t.UTC()
	return &t
}

// cleanText returns text as valid UTF-8; a byte that is none, as an SQL_ASCII database may hold, becomes \xNN.
func cleanText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&out, `\x%02x`, b[0])
		} else {
			out.Write(b[:n])
		}
		b = b[n:]
	}
	return out.String()
}
