package connectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Meta is a JSON object that keeps the order of its attributes. Numbers read from JSON are json.Number, so that no
// digit is lost.
type Meta []Attr

// Attr is one attribute of a [Meta].
type Attr struct {
	Name  string
	Value any
}

// Get returns the value of the first attribute with that name, and nil where there is none.
func (m Meta) Get(name string) any {
	for _, a := range m {
		if a.Name == name {
			return a.Value
		}
	}
	return nil
}

// MarshalJSON writes the attributes as one object, in their order.
func (m Meta) MarshalJSON() ([]byte, error) { return m.AppendJSON(nil) }

// AppendJSON appends the JSON object to b.
func (m Meta) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, '{')
	for i, a := range m {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, a.Name)
		b = append(b, ':')
		var err error
		if b, err = appendValue(b, a.Value); err != nil {
			return nil, fmt.Errorf("attribute %q: %w", a.Name, err)
		}
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads an object, or null.
func (m *Meta) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	*m = Meta{}
	if tok == nil {
		return nil
	}
	if tok != json.Delim('{') {
		return fmt.Errorf("meta is not an object but %v", tok)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var v any
		if err := dec.Decode(&v); err != nil {
			return err
		}
		*m = append(*m, Attr{name.(string), v})
	}
	return nil
}

// AppendJSON appends the item as encoding/json would write it.
func (it *Item) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, `{"id":`...)
	b = appendString(b, it.ID)
	b = append(b, `,"name":`...)
	b = appendString(b, it.Name)
	b = append(b, `,"containerId":`...)
	b = appendString(b, it.ContainerID)
	b = append(b, `,"type":`...)
	b = appendString(b, it.Type)
	b = append(b, `,"url":`...)
	b = appendString(b, it.URL)
	b = append(b, `,"createdAt":`...)
	b = appendTime(b, it.CreatedAt)
	b = append(b, `,"updatedAt":`...)
	b = appendTime(b, it.UpdatedAt)
	b = append(b, `,"meta":`...)
	b, err := it.Meta.AppendJSON(b)
	if err != nil {
		return nil, err
	}
	if len(it.Raw) > 0 {
		b = append(b, `,"raw":`...)
		b = append(b, it.Raw...)
	}
	return append(b, '}'), nil
}

func appendTime(b []byte, t *time.Time) []byte {
	if t == nil {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// appendValue takes the types that drivers use most without reflection, and leaves the rest to encoding/json.
func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return appendString(b, v), nil
	case json.Number:
		if v != "" {
			return append(b, v...), nil
		}
	case json.RawMessage:
		if len(v) > 0 {
			return append(b, v...), nil
		}
	case bool:
		if v {
			return append(b, "true"...), nil
		}
		return append(b, "false"...), nil
	case Meta:
		return v.AppendJSON(b)
	}
	enc, err := json.Marshal(v)
	return append(b, enc...), err
}

// appendString appends s as a JSON string; plain ASCII, by far the most frequent case, needs no encoder.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			enc, _ := json.Marshal(s)
			return append(b, enc...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
