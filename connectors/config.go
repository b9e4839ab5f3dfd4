package connectors

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// authMethodField is the configuration field that every connector has: the id of the auth method.
const authMethodField = "auth_method"

// maxValueLen bounds one value of a configuration, in bytes.
const maxValueLen = 16 << 10

// Config is a checked configuration of one connector.
type Config struct {
	def    *Definition
	method AuthMethod
	values map[string]any // string, int, bool, []string or Secret
}

// ParseConfig checks a configuration as users write it, with keys in snake_case, and returns it with defaults filled
// in. Values may be texts, as the environment gives them, or typed, as JSON and YAML do; JSON null is an absent
// value. All faults are reported together, as [InvalidRequest] with Details "fields".
func (d *Definition) ParseConfig(raw map[string]any) (Config, error) {
	var faults []Fault
	if d.Expand != nil {
		raw, faults = d.Expand(maps.Clone(raw))
	}
	c := Config{def: d, method: d.Auth[0], values: map[string]any{}}
	if f := c.takeMethod(raw[authMethodField]); f != nil {
		return Config{}, InvalidFields(append(faults, *f)...)
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if _, ok := d.Field(name); !ok && name != authMethodField {
			faults = append(faults, Fault{name, "unknown field; known are " + strings.Join(d.fieldNames(), ", ")})
		}
	}
	for _, f := range d.Fields {
		if fault := c.take(f, raw[f.Name]); fault != "" && !hasFault(faults, f.Name) {
			faults = append(faults, Fault{f.Name, fault})
		}
	}
	if err := InvalidFields(faults...); err != nil {
		return Config{}, err
	}
	return c, nil
}

func hasFault(faults []Fault, field string) bool {
	return slices.ContainsFunc(faults, func(f Fault) bool { return f.Field == field })
}

func (d *Definition) fieldNames() []string {
	names := []string{authMethodField}
	for _, f := range d.Fields {
		names = append(names, f.Name)
	}
	return names
}

func (c *Config) takeMethod(v any) *Fault {
	id, ok := v.(string)
	if v == nil || id == "" && ok {
		return nil
	}
	m, found := c.def.Method(id)
	if !ok || !found {
		return &Fault{authMethodField, "must be one of " + strings.Join(c.def.AuthMethods(), ", ")}
	}
	c.method = m
	return nil
}

// take checks one value and keeps it; it returns what is wrong with it, or "".
func (c *Config) take(f Field, v any) string {
	if !f.usedBy(c.method.ID) {
		if v != nil {
			return "is not used with auth_method " + c.method.ID
		}
		return ""
	}
	if v == nil || v == "" {
		if f.Required {
			return "is required"
		}
		if f.Default == "" {
			return ""
		}
		v = f.Default
	}
	if f.Shorthand {
		return ""
	}
	parsed, fault := f.parse(v)
	if fault == "" {
		c.values[f.Name] = parsed
	}
	return fault
}

func (f Field) parse(v any) (any, string) {
	switch f.Kind {
	case KindInt:
		return f.parseInt(v)
	case KindBool:
		b, err := strconv.ParseBool(fmt.Sprint(v))
		if err != nil {
			return nil, "must be true or false"
		}
		return b, ""
	case KindList:
		return parseList(v)
	}
	s, ok := v.(string)
	if !ok {
		return nil, "must be a text"
	}
	if fault := badText(s, f.Kind == KindSecret); fault != "" {
		return nil, fault
	}
	if len(f.Enum) > 0 && !slices.Contains(f.Enum, s) {
		return nil, "must be one of " + strings.Join(f.Enum, ", ")
	}
	switch f.Kind {
	case KindSecret:
		return NewSecret(s), ""
	case KindURL:
		return parseURL(s)
	case KindHost:
		return parseHost(s)
	}
	return s, ""
}

func (f Field) parseInt(v any) (any, string) {
	var n int
	var err error
	switch v := v.(type) {
	case int:
		n = v
	case float64:
		n, err = strconv.Atoi(strconv.FormatFloat(v, 'f', -1, 64))
	case string, json.Number:
		n, err = strconv.Atoi(fmt.Sprint(v))
	default:
		return nil, "must be a whole number"
	}
	if err != nil {
		return nil, "must be a whole number"
	}
	if (f.Min != 0 || f.Max != 0) && (n < f.Min || n > f.Max) {
		return nil, fmt.Sprintf("must be between %d and %d", f.Min, f.Max)
	}
	return n, ""
}

func parseList(v any) (any, string) {
	var list []string
	switch v := v.(type) {
	case string:
		for s := range strings.SplitSeq(v, ",") {
			list = append(list, strings.TrimSpace(s))
		}
	case []string:
		list = v
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, "must be a list of texts"
			}
			list = append(list, s)
		}
	default:
		return nil, "must be a list of texts"
	}
	for _, s := range list {
		if fault := badText(s, false); fault != "" {
			return nil, "an entry " + fault
		}
	}
	return list, ""
}

// badText says what makes s unfit for a configuration value: a value that ends in a header, a URL or a query must
// not carry control characters. A secret is taken as it is but for NUL and line ends.
func badText(s string, secret bool) string {
	switch {
	case len(s) > maxValueLen:
		return fmt.Sprintf("is longer than %d bytes", maxValueLen)
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case secret && strings.ContainsAny(s, "\x00\r\n"):
		return "holds a line end or NUL; was a newline pasted with it?"
	case !secret && strings.ContainsFunc(s, unicode.IsControl):
		return "holds a control character"
	case strings.TrimSpace(s) == "":
		return "is blank"
	}
	return ""
}

func parseURL(s string) (any, string) {
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil:
		return nil, "is not a URL"
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, "must begin with https://"
	case u.User != nil:
		return nil, "must not hold a user name or password; they have fields of their own"
	case u.RawQuery != "" || u.ForceQuery:
		return nil, "must not hold a query (the part after ?)"
	case u.Fragment != "" || strings.Contains(s, "#"):
		return nil, "must not hold a fragment (the part after #)"
	case u.Hostname() == "" || u.Opaque != "":
		return nil, "names no host"
	}
	if _, fault := parseHost(u.Hostname()); fault != "" {
		return nil, fault
	}
	if p := u.Port(); p != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, "names an impossible port"
		}
	}
	u.Host = strings.ToLower(u.Host)
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	return u.String(), ""
}

func parseHost(s string) (any, string) {
	if net.ParseIP(s) != nil {
		return s, ""
	}
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	bad := func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_')
	}
	if s == "" || len(s) > 253 || strings.ContainsFunc(s, bad) || strings.Contains(s, "..") {
		return nil, "is not a host name"
	}
	return s, ""
}

// AuthMethod returns the auth method that the configuration chose.
func (c Config) AuthMethod() AuthMethod { return c.method }

// Definition returns the definition that the configuration was checked against.
func (c Config) Definition() *Definition { return c.def }

// Has reports whether the field has a value.
func (c Config) Has(name string) bool { return c.get(name) != nil }

// String returns the value of a text field, "" when absent.
func (c Config) String(name string) string { s, _ := c.get(name).(string); return s }

// Int returns the value of a whole number, 0 when absent.
func (c Config) Int(name string) int { n, _ := c.get(name).(int); return n }

// Bool returns the value of a yes-or-no field, false when absent.
func (c Config) Bool(name string) bool { b, _ := c.get(name).(bool); return b }

// List returns the value of a list, nil when absent.
func (c Config) List(name string) []string { l, _ := c.get(name).([]string); return l }

// Secret returns the value of a secret, empty when absent.
func (c Config) Secret(name string) Secret { s, _ := c.get(name).(Secret); return s }

// get panics for a field that the definition does not declare: a misspelt name must not read as an absent value.
func (c Config) get(name string) any {
	if _, ok := c.def.Field(name); !ok {
		panic("connectors: " + c.def.ID + " has no field " + name)
	}
	return c.values[name]
}

// Public returns the configuration without secrets, with the auth method: what may be stored in the clear and shown.
func (c Config) Public() map[string]any {
	out := map[string]any{authMethodField: c.method.ID}
	for k, v := range c.values {
		if _, secret := v.(Secret); !secret {
			out[k] = v
		}
	}
	return out
}

// Secrets returns the secrets of the configuration by field name.
func (c Config) Secrets() map[string]Secret {
	out := map[string]Secret{}
	for k, v := range c.values {
		if s, ok := v.(Secret); ok {
			out[k] = s
		}
	}
	return out
}

// SameDestination reports whether both configurations send their secrets to the same place.
func (c Config) SameDestination(o Config) bool {
	for _, f := range c.def.Fields {
		if f.Destination && fmt.Sprint(c.values[f.Name]) != fmt.Sprint(o.values[f.Name]) {
			return false
		}
	}
	return true
}

// Destination returns the field that names where secrets are sent, and its value: an origin with scheme for a URL,
// host:port for a host.
func (c Config) Destination() (field, address string) {
	for _, f := range c.def.Fields {
		if !f.Destination {
			continue
		}
		switch v, _ := c.values[f.Name].(string); {
		case f.Kind == KindURL:
			return f.Name, v
		case f.Kind == KindHost:
			port, _ := c.values["port"].(int)
			return f.Name, net.JoinHostPort(v, strconv.Itoa(port))
		}
	}
	return "", ""
}
