package postgres

import (
	"strings"
	"unicode/utf8"
)

var escapeKey = strings.NewReplacer(`\`, `\\`, `,`, `\,`)

// singleID returns the id of a row with a key of one column. No id is empty: an empty text becomes two double quotes,
// and one that begins with a double quote is quoted, so that no two ids are alike.
func singleID(key string) string {
	if key == "" || key[0] == '"' {
		return `"` + strings.ReplaceAll(key, `"`, `""`) + `"`
	}
	return key
}

// rowID returns the key's value in PostgreSQL's text form. The values of several columns are joined with commas, with a
// backslash before a comma or backslash of theirs. Without a key it is a hash of the row, numbered for equal rows.
func (l *listing) rowID(values []string) string {
	key := l.rel.key
	switch n := l.shown(); len(key) {
	case 0:
		if values[n+1] != "1" {
			return values[n] + "-" + values[n+1]
		}
		return values[n]
	case 1:
		return singleID(cleanText([]byte(values[key[0]])))
	}
	parts := make([]string, len(key))
	for i, k := range key {
		parts[i] = escapeKey.Replace(cleanText([]byte(values[k])))
	}
	return strings.Join(parts, ",")
}

// rowName is the first text of the row that is not blank, cut to nameRunes, else the row's id.
func (l *listing) rowName(row [][]byte, values []string, id string) string {
	for _, i := range l.rel.text {
		if row[i] == nil {
			continue
		}
		if s := strings.TrimSpace(values[i]); s != "" {
			return cut(s)
		}
	}
	return id
}

func cut(s string) string {
	if len(s) > nameRunes {
		n := 0
		for i := range s {
			if n == nameRunes {
				s = s[:i] + "…"
				break
			}
			n++
		}
	}
	if utf8.ValidString(s) {
		return s
	}
	return cleanText([]byte(s))
}

// keyOfID returns the values of a key of n columns from the id of its row: the reverse of rowID.
func keyOfID(id string, n int) ([]string, bool) {
	switch {
	case id == "" || strings.Contains(id, "\x00"):
		return nil, false
	case n > 1:
		values := splitID(id)
		return values, len(values) == n
	case id[0] != '"':
		return []string{id}, true
	case len(id) < 2 || id[len(id)-1] != '"':
		return nil, false
	}
	return []string{strings.ReplaceAll(id[1:len(id)-1], `""`, `"`)}, true
}

// splitID takes an id apart at its commas; what follows a backslash is no comma and no backslash of its own.
func splitID(id string) []string {
	var values []string
	var b strings.Builder
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case c == '\\' && i+1 < len(id):
			i++
			b.WriteByte(id[i])
		case c == ',':
			values = append(values, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	return append(values, b.String())
}
