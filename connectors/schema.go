package connectors

import (
	"slices"
	"strconv"
)

// Schema returns the JSON Schema (2020-12) of the connector's configuration. Secrets carry "writeOnly" and
// "x-secret". A shorthand stands in for the required fields. Where there are several auth methods, "allOf" says what
// each of them demands and what it leaves no room for.
func (d *Definition) Schema() map[string]any {
	props := map[string]any{authMethodField: map[string]any{
		"type": "string", "enum": d.AuthMethods(), "default": d.Auth[0].ID, "description": "How to authenticate.",
	}}
	required := []string{}
	for _, f := range d.Fields {
		props[f.Name] = f.schema()
		if f.Required && d.usedByAll(f) {
			required = append(required, f.Name)
		}
	}
	s := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "title": d.Name,
		"properties": props, "additionalProperties": false,
	}
	d.demand(s, required)
	if len(d.Auth) > 1 {
		s["allOf"] = d.methodSchemas()
	}
	return s
}

// demand makes a schema demand fields, or a shorthand in their place.
func (d *Definition) demand(s map[string]any, required []string) {
	var instead []any
	for _, f := range d.Fields {
		if f.Shorthand {
			instead = append(instead, map[string]any{"required": []string{f.Name}})
		}
	}
	if len(instead) == 0 {
		s["required"] = required
		return
	}
	s["anyOf"] = append([]any{map[string]any{"required": required}}, instead...)
}

// usedByAll reports whether every auth method uses the field.
func (d *Definition) usedByAll(f Field) bool {
	return !slices.ContainsFunc(d.Auth, func(m AuthMethod) bool { return !f.usedBy(m.ID) })
}

// methodSchemas returns, for each auth method, what a configuration must have and must not have beyond what all have.
func (d *Definition) methodSchemas() []any {
	var out []any
	for i, m := range d.Auth {
		chosen := map[string]any{"properties": map[string]any{authMethodField: map[string]any{"const": m.ID}}}
		if i > 0 {
			// A configuration that names no method is for the first one.
			chosen["required"] = []string{authMethodField}
		}
		required, foreign := []string{}, map[string]any{}
		for _, f := range d.Fields {
			switch {
			case !f.usedBy(m.ID):
				foreign[f.Name] = false
			case f.Required && !d.usedByAll(f):
				required = append(required, f.Name)
			}
		}
		then := map[string]any{"properties": foreign}
		d.demand(then, required)
		out = append(out, map[string]any{"if": chosen, "then": then})
	}
	return out
}

func (f Field) schema() map[string]any {
	s := map[string]any{"title": f.Label, "description": f.Help}
	f.schemaType(s)
	if len(f.Enum) > 0 {
		s["enum"] = f.Enum
	}
	if f.Pattern != "" {
		s["pattern"] = "^(?:" + f.Pattern + ")$"
	}
	if f.Default != "" {
		s["default"] = f.typed(f.Default)
	}
	if f.Example != "" && f.Kind != KindSecret {
		s["examples"] = []any{f.typed(f.Example)}
	}
	if len(f.Methods) > 0 {
		s["x-auth-methods"] = f.Methods
	}
	return s
}

func (f Field) schemaType(s map[string]any) {
	s["type"] = "string"
	switch f.Kind {
	case KindInt:
		s["type"] = "integer"
		if f.Min != 0 || f.Max != 0 {
			s["minimum"], s["maximum"] = f.Min, f.Max
		}
	case KindBool:
		s["type"] = "boolean"
	case KindList:
		s["type"], s["items"] = "array", map[string]any{"type": "string"}
	case KindURL:
		s["format"] = "uri"
	case KindSecret:
		s["writeOnly"], s["x-secret"], s["format"] = true, true, "password"
	}
}

// typed turns a text of the definition into the JSON value that users write.
func (f Field) typed(s string) any {
	if v, fault := f.parse(s); fault == "" && f.Kind != KindSecret {
		return v
	}
	if n, err := strconv.Atoi(s); err == nil && f.Kind == KindInt {
		return n
	}
	return s
}

// Example returns a configuration as users write it, with an ellipsis for each secret.
func (d *Definition) Example() map[string]any {
	out := map[string]any{authMethodField: d.Auth[0].ID}
	for _, f := range d.Fields {
		switch {
		case f.Shorthand || f.Example == "" && f.Kind != KindSecret || !f.usedBy(d.Auth[0].ID):
		case f.Kind == KindSecret:
			out[f.Name] = "…"
		default:
			out[f.Name] = f.typed(f.Example)
		}
	}
	return out
}
