package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/unified-connector/ucf/connectors"
)

// read reads the whole body of an answer. What a refusal says beyond its status is worth little, so its body may be
// missing or broken.
func (c *Client) read(resp *http.Response) ([]byte, error) {
	body, err := readAll(resp.Body)
	switch {
	case resp.StatusCode >= http.StatusMultipleChoices:
		return body[:min(len(body), MaxBody)], nil
	case err != nil:
		return nil, c.networkError(err)
	case len(body) > MaxBody:
		return nil, connectors.Errorf(connectors.ProviderError,
			"%s sent an answer of more than %d MiB, which is not read: ask for fewer entries at a time", c.System, MaxBody>>20)
	}
	return body, nil
}

// readAll reads to the end, or to where it is too much. A body that is in memory already is not copied.
func readAll(r io.Reader) ([]byte, error) {
	if held, ok := r.(interface{ Bytes() []byte }); ok {
		return held.Bytes(), nil
	}
	return io.ReadAll(io.LimitReader(r, MaxBody+1))
}

// decode reads the JSON of a successful answer into out. Numbers in untyped values stay json.Number.
func (c *Client) decode(a Answer, out any) error {
	body := bytes.TrimSpace(bytes.TrimPrefix(a.Body, []byte("\xef\xbb\xbf")))
	switch {
	case len(body) == 0:
		return c.nonsense(nil, "an empty answer")
	case isWebPage(a.Header, body):
		return c.webPage()
	case !utf8.Valid(body):
		return c.nonsense(nil, "an answer that is not valid UTF-8")
	}
	// A decoder copies what it reads, and more than once; Unmarshal does not, and knows no json.Number.
	if !untyped(reflect.TypeOf(out)) && json.Unmarshal(body, out) == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	err := dec.Decode(out)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			return c.nonsense(more, "more than one JSON value")
		}
		return nil
	}
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return c.nonsense(err, "an answer that was cut off")
	case errors.As(err, &wrongType):
		return c.nonsense(err, "an answer of another shape: "+fieldName(wrongType)+" is of type "+wordFor(wrongType.Value))
	}
	return c.nonsense(err, "an answer that is not JSON")
}

// known remembers what untyped found out.
var known sync.Map // bool by reflect.Type

// untyped reports whether a type has room for a number whose type nobody knows.
func untyped(t reflect.Type) bool {
	if found, ok := known.Load(t); ok {
		return found.(bool) //nolint:forcetypeassert // nothing else is stored
	}
	found := hasUntyped(t, map[reflect.Type]bool{})
	known.Store(t, found)
	return found
}

// hasUntyped is untyped for a type that may be within itself.
func hasUntyped(t reflect.Type, seen map[reflect.Type]bool) bool {
	if t == nil || seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return hasUntyped(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if hasUntyped(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}

func fieldName(e *json.UnmarshalTypeError) string {
	if e.Field == "" {
		return "the whole"
	}
	return clean(e.Field, 60)
}

// wordFor drops the literal that encoding/json adds to the kind of some values.
func wordFor(value string) string {
	kind, _, _ := strings.Cut(value, " ")
	return kind
}

func isWebPage(h http.Header, body []byte) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return kind == "text/html" || kind == "application/xhtml+xml" || bytes.HasPrefix(body, []byte("<"))
}

// Nonsense returns the error for an answer that is JSON and yet not what the API promises; what completes "Jira sent
// …".
func (c *Client) Nonsense(what string) *connectors.Error { return c.nonsense(nil, what) }

func (c *Client) nonsense(cause error, what string) *connectors.Error {
	return connectors.Wrap(connectors.ProviderError, cause,
		"%s sent %s: try again, and if that does not help check %s", c.System, what, c.AddressField)
}

func (c *Client) webPage() *connectors.Error {
	return connectors.Errorf(connectors.ProviderError,
		"the address answers with a web page, not with %s's API: check %s", c.System, c.AddressField)
}
