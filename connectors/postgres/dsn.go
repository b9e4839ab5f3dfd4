package postgres

import (
	"net/url"
	"slices"
	"strings"
)

// keywords are the parameters of a connection string that are taken over into fields.
var keywords = map[string]string{
	"host": "host", "port": "port", "dbname": "database", "user": "user", "password": "password",
	"sslmode": "sslmode", "channel_binding": "channel_binding",
}

// ignored parameters change nothing about where ucf connects or what it may see.
var ignored = []string{
	"application_name", "fallback_application_name", "connect_timeout", "keepalives", "keepalives_idle",
	"keepalives_interval", "keepalives_count", "tcp_user_timeout", "pgbouncer",
}

// refused parameters are known, and named with the reason for which they are not taken.
var refused = map[string]string{
	"hostaddr":             "hostaddr would bypass the check of the host; give the address as host",
	"passfile":             "passfile reads a file of the machine that runs ucf; give the password itself",
	"service":              "service reads a file of the machine that runs ucf; give host, dbname and user",
	"servicefile":          "servicefile reads a file of the machine that runs ucf; give host, dbname and user",
	"sslrootcert":          "sslrootcert reads a file of the machine that runs ucf; give the PEM text as ssl_root_cert",
	"sslcert":              "sslcert (client certificates) is not supported; use a password",
	"sslkey":               "sslkey (client certificates) is not supported; use a password",
	"sslpassword":          "sslpassword (client certificates) is not supported; use a password",
	"sslcrl":               "sslcrl reads a file of the machine that runs ucf",
	"sslcrldir":            "sslcrldir reads a folder of the machine that runs ucf",
	"ssl":                  "ssl is ambiguous; say sslmode=verify-full, verify-ca, require or disable",
	"options":              "options (run-time parameters) are not taken; set them for the role with ALTER ROLE … SET",
	"target_session_attrs": "target_session_attrs chooses between several hosts; name the one host",
	"load_balance_hosts":   "load_balance_hosts chooses between several hosts; name the one host",
	"search_path":          "search_path is not needed; containers are named schema.table",
	"schema":               "schema is not needed; containers are named schema.table",
	"replication":          "replication connections are not used",
	"require_auth":         "require_auth is not supported",
	"requirepeer":          "requirepeer is for sockets, which are not used",
	"gssencmode":           "gssencmode (Kerberos) is not supported",
	"krbsrvname":           "krbsrvname (Kerberos) is not supported",
	"statement_timeout":    "statement_timeout is a field of its own, in seconds",
}

// parseDSN reads a connection string, as a URL or as keyword=value pairs, into configuration fields. It reads nothing
// else: no environment and no file. The fault it returns holds no part of the text but known parameter names, since
// in a damaged string any other part may be a piece of the password.
func parseDSN(s string) (map[string]string, string) {
	s = strings.TrimSpace(s)
	pairs, fault := splitDSN(s)
	if fault != "" {
		return nil, fault
	}
	out := map[string]string{}
	for _, p := range pairs {
		if slices.Contains(ignored, p.key) {
			continue
		}
		name, ok := keywords[p.key]
		if !ok {
			return nil, unknownParameter(p.key)
		}
		if old, twice := out[name]; twice && old != p.value {
			return nil, "names " + p.key + " twice"
		}
		out[name] = p.value
	}
	return out, checkDSN(out)
}

func splitDSN(s string) ([]pair, string) {
	if strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://") {
		return splitURL(s)
	}
	if i := strings.Index(s, "://"); i >= 0 && !strings.ContainsAny(s[:i], "= '") {
		return nil, "must begin with postgres:// or be host=… dbname=… user=… password=…"
	}
	return splitKeywords(s)
}

func unknownParameter(key string) string {
	if why, ok := refused[key]; ok {
		return why
	}
	return "holds an unknown parameter; known are channel_binding, dbname, host, password, port, sslmode, user (a password with blanks or special characters must be quoted, in a URL percent-encoded)"
}

func checkDSN(parts map[string]string) string {
	host := parts["host"]
	switch {
	case strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@"):
		return "names a socket; ucf connects over TCP only"
	case strings.Contains(host, ",") || strings.Contains(parts["port"], ","):
		return "names several hosts; name the one to read from"
	case parts["sslmode"] == "prefer" || parts["sslmode"] == "allow":
		return "sslmode " + fallbackMode
	}
	for name, value := range parts {
		if value == "" {
			delete(parts, name)
		}
	}
	return ""
}

// pair is one parameter of a connection string.
type pair struct{ key, value string }

const notURL = "is not a URL; percent-encode special characters of user and password, such as @ as %40, / as %2F, # as %23"

func splitURL(s string) ([]pair, string) {
	_, rest, _ := strings.Cut(s, "://")
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	if at := strings.LastIndexByte(authority, '@'); strings.Contains(authority[at+1:], ",") {
		return nil, "names several hosts; name the one to read from"
	}
	u, err := url.Parse(s)
	if err != nil || u.Fragment != "" || strings.Contains(s, "#") || strings.Count(authority, "@") > 1 {
		return nil, notURL
	}
	var pairs []pair
	add := func(key, value string) {
		if value != "" {
			pairs = append(pairs, pair{key, value})
		}
	}
	add("user", u.User.Username())
	password, _ := u.User.Password()
	add("password", password)
	add("host", u.Hostname())
	add("port", u.Port())
	add("dbname", strings.TrimPrefix(u.Path, "/"))
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, notURL
	}
	for key, values := range query {
		for _, v := range values {
			pairs = append(pairs, pair{key, v})
		}
	}
	return pairs, ""
}

const notKeywords = "is not host=… dbname=… user=… password=…; put a value with blanks between single quotes"

// splitKeywords reads libpq's keyword=value form: blanks around =, values between single quotes, \ before \ and '.
func splitKeywords(s string) ([]pair, string) {
	var pairs []pair
	for s = strings.TrimLeft(s, blanks); s != ""; s = strings.TrimLeft(s, blanks) {
		key, rest, ok := strings.Cut(s, "=")
		key = strings.TrimRight(key, blanks)
		if !ok || key == "" || strings.ContainsAny(key, blanks+`'\`) {
			return nil, notKeywords
		}
		var value string
		if value, s, ok = cutValue(strings.TrimLeft(rest, blanks)); !ok {
			return nil, notKeywords
		}
		pairs = append(pairs, pair{key, value})
	}
	if len(pairs) == 0 {
		return nil, "is empty"
	}
	return pairs, ""
}

const blanks = " \t\r\n\f\v"

// cutValue takes one value from the beginning of s.
func cutValue(s string) (value, rest string, ok bool) {
	quoted := strings.HasPrefix(s, "'")
	if quoted {
		s = s[1:]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			if i++; i == len(s) {
				return "", "", false
			}
			b.WriteByte(s[i])
		case c == '\'':
			after := s[i+1:]
			return b.String(), after, quoted && (after == "" || strings.ContainsRune(blanks, rune(after[0])))
		case !quoted && strings.IndexByte(blanks, c) >= 0:
			return b.String(), s[i:], true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", !quoted
}
