package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/unified-connector/ucf/connectors"
)

// read reads the whole body of an answer. What a refusal says beyond its status is worth little, so its body may be
// missing or broken.
func (c *Client) read(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
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
