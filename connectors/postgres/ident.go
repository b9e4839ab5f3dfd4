package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
)

// tableName names a table or view. Its text is the container id: schema.table, where a part that holds a dot or a
// double quote stands between double quotes with inner ones doubled.
type tableName struct{ schema, table string }

var errTableName = errors.New(`want schema.table, as in public.orders; a part with a dot or double quote stands between double quotes, as in "odd.schema".orders`)

// String returns the container id.
func (t tableName) String() string { return quotePart(t.schema) + "." + quotePart(t.table) }

// sql returns the name as an SQL identifier.
func (t tableName) sql() string { return pgx.Identifier{t.schema, t.table}.Sanitize() }

// quoteColumn returns a column of the table alias t as SQL.
func quoteColumn(name string) string { return "t." + pgx.Identifier{name}.Sanitize() }

func quotePart(s string) string {
	if s != "" && !strings.ContainsAny(s, `."`) {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// parseTableName reads a container id exactly: what it returns has that id as its text, quotes that are not needed
// aside. Case counts.
func parseTableName(id string) (tableName, error) {
	schema, rest, err := cutPart(id)
	if err != nil || !strings.HasPrefix(rest, ".") {
		return tableName{}, errTableName
	}
	table, rest, err := cutPart(rest[1:])
	if err != nil || rest != "" || strings.Contains(id, "\x00") {
		return tableName{}, errTableName
	}
	return tableName{schema, table}, nil
}

// cutPart takes one part from the beginning of s; rest begins with what follows it.
func cutPart(s string) (part, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, `."`)
		if end < 0 {
			end = len(s)
		}
		if end == 0 {
			return "", "", errTableName
		}
		return s[:end], s[end:], nil
	}
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			i++
			continue
		}
		part = strings.ReplaceAll(s[1:i], `""`, `"`)
		if part == "" {
			return "", "", errTableName
		}
		return part, s[i+1:], nil
	}
	return "", "", errTableName
}
