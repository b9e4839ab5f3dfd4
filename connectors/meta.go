package connectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
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
	_, err = dec.Token()
	return err
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
	b, err := appendTimes(b, it.CreatedAt, it.UpdatedAt)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"meta":`...)
	if b, err = it.Meta.AppendJSON(b); err != nil {
		return nil, err
	}
	if len(it.Raw) > 0 {
		b = append(b, `,"raw":`...)
		if b, err = appendRaw(b, it.Raw); err != nil {
			return nil, fmt.Errorf("raw: %w", err)
		}
	}
	return append(b, '}'), nil
}

func appendTimes(b []byte, created, updated *time.Time) ([]byte, error) {
	b = append(b, `,"createdAt":`...)
	b, err := appendTime(b, created)
	if err != nil {
		return nil, fmt.Errorf("createdAt: %w", err)
	}
	b = append(b, `,"updatedAt":`...)
	if b, err = appendTime(b, updated); err != nil {
		return nil, fmt.Errorf("updatedAt: %w", err)
	}
	return b, nil
}

func appendTime(b []byte, t *time.Time) ([]byte, error) {
	if t == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '"')
	b, err := t.AppendText(b)
	return append(b, '"'), err
}

// appendRaw appends JSON that somebody else wrote, on one line: a line of NDJSON holds one entry.
func appendRaw(b []byte, raw json.RawMessage) ([]byte, error) {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return append(b, raw...), nil
	}
	out := bytes.NewBuffer(b)
	err := json.Compact(out, raw)
	return out.Bytes(), err
}

// appendValue takes the types that drivers use most without reflection, and leaves the rest to encoding/json.
func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return appendString(b, v), nil
	case json.Number:
		if isNumber(string(v)) {
			return append(b, v...), nil
		}
	case json.RawMessage:
		if len(v) > 0 {
			return appendRaw(b, v)
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

// isNumber reports whether s is a number as JSON writes it.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := digits(s)
	if whole == 0 || s[0] == '0' && whole > 1 {
		return false
	}
	s = s[whole:]
	if fraction, ok := strings.CutPrefix(s, "."); ok {
		n := digits(fraction)
		if n == 0 {
			return false
		}
		s = fraction[n:]
	}
	return s == "" || isExponent(s)
}

func isExponent(s string) bool {
	if s[0] != 'e' && s[0] != 'E' {
		return false
	}
	if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && digits(s) == len(s)
}

// digits returns how many digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
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
