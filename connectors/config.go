package connectors

import (
	"maps"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// authMethodField is the configuration field that every connector has: the id of the auth method.
const authMethodField = "auth_method"

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
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if _, ok := d.Field(name); !ok && name != authMethodField {
			faults = append(faults, Fault{name, "unknown field; known are " + strings.Join(d.fieldNames(), ", ")})
		}
	}
	c := Config{def: d, method: d.methodFor(raw), values: map[string]any{}}
	if f := c.takeMethod(raw[authMethodField]); f != nil {
		return Config{}, InvalidFields(append(faults, *f)...)
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

// methodFor returns the auth method of a configuration that names none: the first one that uses every field given, else
// the default.
func (d *Definition) methodFor(raw map[string]any) AuthMethod {
	for _, m := range d.Auth {
		foreign := func(f Field) bool { return !isAbsent(raw[f.Name]) && !f.usedBy(m.ID) }
		if !slices.ContainsFunc(d.Fields, foreign) {
			return m
		}
	}
	return d.Auth[0]
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
		if !isAbsent(v) {
			return "is not used with auth_method " + c.method.ID
		}
		return ""
	}
	if isAbsent(v) {
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

// isAbsent reports whether v stands for no value: null, an empty text, or an empty list.
func isAbsent(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []string:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
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
		if f.Destination && !reflect.DeepEqual(c.values[f.Name], o.values[f.Name]) {
			return false
		}
	}
	return true
}

// Place names the system that is read, for people and to tell it from others: the connector, where secrets are sent, and
// the database there, if it has some.
func (c Config) Place() string {
	_, address := c.Destination()
	place := c.def.ID + " " + address
	if database, _ := c.values["database"].(string); database != "" {
		place += "/" + database
	}
	return place
}

// Destination returns the field that names where secrets are sent, and its value: an origin with scheme for a URL,
// host:port for a host.
func (c Config) Destination() (field, address string) {
	for _, f := range c.def.Fields {
		if !f.Destination || !f.usedBy(c.method.ID) {
			continue
		}
		v, _ := c.values[f.Name].(string)
		switch f.Kind {
		case KindURL:
			return f.Name, v
		case KindHost:
			port, _ := c.values["port"].(int)
			return f.Name, net.JoinHostPort(v, strconv.Itoa(port))
		}
	}
	return "", ""
}
