package postgres

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

var fields = []connectors.Field{
	{
		Name: "dsn", Label: "Connection string", Kind: connectors.KindSecret, Shorthand: true, Destination: true,
		Help: "postgres://user:password@host:5432/database?sslmode=verify-full, or host=… dbname=… user=…; instead of the fields below.",
	},
	{
		Name: "host", Label: "Host", Kind: connectors.KindHost, Required: true, Destination: true, Example: "db.example.com",
		Help: "Host name or address of the server; sockets are not used.",
	},
	{
		Name: "port", Label: "Port", Kind: connectors.KindInt, Default: "5432", Min: 1, Max: 65535, Destination: true, Example: "5432",
		Help: "TCP port of the server or of its pooler.",
	},
	{
		Name: "database", Label: "Database", Kind: connectors.KindString, Required: true, Example: "app",
		Help: "Database whose tables are read.",
	},
	{
		Name: "user", Label: "User", Kind: connectors.KindString, Required: true, Example: "ucf",
		Help: "Role to log in as; it needs to read and nothing more.",
	},
	{
		Name: "password", Label: "Password", Kind: connectors.KindSecret, Required: true,
		Help: "Password of the role.",
	},
	{
		Name: "sslmode", Label: "TLS mode", Kind: connectors.KindString, Default: "verify-full", Destination: true, Example: "verify-full",
		Enum: []string{"verify-full", "verify-ca", "require", "disable"},
		Help: "verify-full checks certificate and host name, verify-ca the certificate, require encrypts only, disable does not encrypt. There is no fallback from one to another.",
	},
	{
		Name: "ssl_root_cert", Label: "CA certificates", Kind: connectors.KindString, Destination: true,
		Help: "PEM text of the certificate authorities to trust instead of the system's; line ends may be blanks or \\n.",
	},
	{
		Name: "channel_binding", Label: "Channel binding", Kind: connectors.KindString, Default: "prefer", Destination: true,
		Enum: []string{"prefer", "require"},
		Help: "require refuses a server that does not bind the login to the TLS connection.",
	},
	{
		Name: "updated_column", Label: "Change column", Kind: connectors.KindString, Example: "updated_at",
		Help: "Column that tells when a row was changed, in every table that has it as a timestamp or date; needed for updatedAfter.",
	},
	{
		Name: "updated_columns", Label: "Change columns of single tables", Kind: connectors.KindList, Example: "public.orders=modified_on",
		Help: "Exceptions as schema.table=column; an empty column means that the table has none.",
	},
	{
		Name: "query_key", Label: "Key of queries", Kind: connectors.KindList, Example: "id",
		Help: "Columns that together tell the rows of a query apart, to page long results by where they show no table's primary key.",
	},
	{
		Name: "notify_channel", Label: "NOTIFY channel", Kind: connectors.KindString, Example: "ucf_changes",
		Help: "Channel on which the database tells of changes by NOTIFY, as a hint to look again; case counts.",
	},
	{
		Name: "statement_timeout", Label: "Statement timeout", Kind: connectors.KindInt, Default: "30", Min: 1, Max: 3600, Example: "30",
		Help: "Seconds after which the server ends a statement.",
	},
}

// maxName is how long a name may be (NAMEDATALEN - 1), in bytes.
const maxName = 63

// expand replaces a DSN by the fields that it stands for, and checks what the fields' kinds cannot.
func expand(raw map[string]any) (map[string]any, []connectors.Fault) {
	out := maps.Clone(raw)
	var faults []connectors.Fault
	if f := expandDSN(out); f != "" {
		faults = append(faults, connectors.Fault{Field: "dsn", Message: f})
	}
	if s, ok := out["ssl_root_cert"].(string); ok && s != "" {
		out["ssl_root_cert"] = oneLine(s)
		if _, err := parseRootCerts(s); err != nil {
			faults = append(faults, connectors.Fault{Field: "ssl_root_cert", Message: err.Error()})
		}
	}
	return out, append(faults, valueFaults(out)...)
}

// valueFaults returns what is wrong with single values.
func valueFaults(out map[string]any) []connectors.Fault {
	var faults []connectors.Fault
	if mode, ok := out["sslmode"].(string); ok && (mode == "prefer" || mode == "allow") {
		faults = append(faults, connectors.Fault{Field: "sslmode", Message: fallbackMode})
	}
	if channel, ok := out["notify_channel"].(string); ok && len(channel) > maxName {
		faults = append(faults, connectors.Fault{Field: "notify_channel", Message: fmt.Sprintf("is longer than %d bytes, to which PostgreSQL cuts names", maxName)})
	}
	for _, entry := range listOf(out["updated_columns"]) {
		if _, _, fault := parseChangeColumn(entry); fault != "" {
			faults = append(faults, connectors.Fault{Field: "updated_columns", Message: fault})
			break
		}
	}
	return faults
}

const fallbackMode = "must not be prefer or allow: both fall back to plaintext; use verify-full, verify-ca, require or disable"

// expandDSN replaces the dsn in raw by its parts; it returns what is wrong, without a value of it.
func expandDSN(raw map[string]any) string {
	v, given := raw["dsn"]
	delete(raw, "dsn")
	if !given || v == nil || v == "" {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		quiet(raw)
		return "must be a text"
	}
	parts, fault := parseDSN(s)
	if fault != "" {
		quiet(raw)
		return fault
	}
	return adopt(raw, parts)
}

// quiet fills the fields that an unreadable dsn leaves empty, whose own faults would only repeat that.
func quiet(raw map[string]any) {
	for _, name := range []string{"host", "database", "user", "password"} {
		if raw[name] == nil {
			raw[name] = "unknown"
		}
	}
}

// adopt puts the parts of a dsn into the fields; it returns which of them say something else already.
func adopt(raw map[string]any, parts map[string]string) string {
	var twice []string
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if old := raw[name]; old != nil && old != "" && fmt.Sprint(old) != parts[name] {
			twice = append(twice, name)
			continue
		}
		raw[name] = parts[name]
	}
	if len(twice) > 0 {
		return "contradicts " + strings.Join(twice, ", ") + ": give each once"
	}
	return ""
}

// listOf returns the texts of a list as users write it; what is none of them is left for the field's kind to refuse.
func listOf(v any) []string {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
		list := strings.Split(v, ",")
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
		return list
	case []string:
		return v
	case []any:
		var list []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// changeColumns names the column that tells when a row was changed.
type changeColumns struct {
	general string
	single  map[tableName]string
}

func parseChangeColumns(general string, list []string) (changeColumns, string) {
	c := changeColumns{general: general, single: map[tableName]string{}}
	for _, entry := range list {
		table, column, fault := parseChangeColumn(entry)
		if fault != "" {
			return c, fault
		}
		c.single[table] = column
	}
	return c, ""
}

// parseChangeColumn reads schema.table=column. The last = counts, since a quoted table name may hold one.
func parseChangeColumn(entry string) (tableName, string, string) {
	i := strings.LastIndexByte(entry, '=')
	if i < 0 {
		return tableName{}, "", "an entry is not schema.table=column"
	}
	t, err := parseTableName(strings.TrimSpace(entry[:i]))
	if err != nil {
		return tableName{}, "", "an entry is not schema.table=column: " + err.Error()
	}
	return t, strings.TrimSpace(entry[i+1:]), ""
}

// of returns the change column of a table and whether it was named for that very table.
func (c changeColumns) of(t tableName) (column string, single bool) {
	if column, ok := c.single[t]; ok {
		return column, true
	}
	return c.general, false
}
