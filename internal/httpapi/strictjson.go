package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/unified-connector/ucf/connectors"
)

// maxDepth bounds how deep the objects and arrays of a body may be nested.
const maxDepth = 32

// checkJSON refuses what encoding/json would accept and change or drop on the way: invalid UTF-8, halves of surrogate
// pairs, keys given twice, values nested without end. What it returns is invalid_request.
func checkJSON(b []byte) error {
	if !utf8.Valid(b) {
		return connectors.Errorf(connectors.InvalidRequest, "the body is not valid UTF-8")
	}
	if err := checkSyntax(b); err != nil {
		return err
	}
	if loneSurrogate(b) {
		return connectors.Errorf(connectors.InvalidRequest, "the body holds half of a surrogate pair (\\uD800 to \\uDFFF), which is no character")
	}
	return checkKeys(b)
}

func checkSyntax(b []byte) error {
	var whole json.RawMessage
	err := json.Unmarshal(b, &whole)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return connectors.Wrap(connectors.InvalidRequest, err, "the body is not JSON: look at byte %d", syntax.Offset)
	}
	if err != nil {
		return connectors.Wrap(connectors.InvalidRequest, err, "the body is not JSON")
	}
	return nil
}

// level is an object or array that is being read.
type level struct {
	keys  map[string]bool // nil for an array
	value bool            // whether the next text of an object is a value
}

// checkKeys reads a sound JSON text once more for what its syntax does not tell.
func checkKeys(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	var levels []level
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return connectors.Wrap(connectors.InvalidRequest, err, "the body holds a number that is out of range")
		}
		switch tok {
		case json.Delim('{'):
			levels = append(levels, level{keys: map[string]bool{}})
		case json.Delim('['):
			levels = append(levels, level{})
		case json.Delim('}'), json.Delim(']'):
			levels = ended(levels[:len(levels)-1])
		default:
			if levels, err = scalar(levels, tok); err != nil {
				return err
			}
		}
		if len(levels) > maxDepth {
			return connectors.Errorf(connectors.InvalidRequest, "the body is nested deeper than %d levels", maxDepth)
		}
	}
}

// scalar takes a key or a scalar value.
func scalar(levels []level, tok json.Token) ([]level, error) {
	if len(levels) == 0 {
		return levels, nil
	}
	top := &levels[len(levels)-1]
	if top.keys == nil || top.value {
		return ended(levels), nil
	}
	key, _ := tok.(string)
	if top.keys[key] {
		return nil, connectors.InvalidFields(connectors.Fault{Field: clip(key), Message: "is given twice"})
	}
	top.keys[key], top.value = true, true
	return levels, nil
}

// ended notes that a value is complete: in an object a key comes next.
func ended(levels []level) []level {
	if n := len(levels); n > 0 {
		levels[n-1].value = false
	}
	return levels
}

// loneSurrogate reports whether a sound JSON text escapes half of a surrogate pair.
func loneSurrogate(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return false
		}
		r, ok := escaped(b[i:])
		if !ok {
			b = b[i+2:]
			continue
		}
		b = b[i+6:]
		if !utf16.IsSurrogate(r) {
			continue
		}
		low, ok := escaped(b)
		if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
			return true
		}
		b = b[6:]
	}
}

// escaped returns the code unit of a \uXXXX at the start of b.
func escaped(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// clip shortens what a caller sent before it is shown back.
func clip(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
