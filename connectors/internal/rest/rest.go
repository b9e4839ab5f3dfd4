// Package rest is the thin JSON client that the connectors for HTTP systems share: it builds requests, reads bounded
// answers without losing a digit or a byte, and turns every refusal and failure into an error with its code.
//
// It neither signs nor repeats anything: that is the business of the [http.Client] it is given.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// MaxBody is the size in bytes of the largest answer that is read.
const MaxBody = 32 << 20

// Client asks one system's JSON API. Its methods may be called by many goroutines at once; its fields are not changed
// after the first call.
type Client struct {
	// HTTP signs, repeats and guards the requests.
	HTTP *http.Client
	// Base is the absolute address that all paths continue, without a slash at its end.
	Base string
	// Find returns Base where it takes requests to know it; it is asked before every request and remembers what it
	// found. Nil with a Base.
	Find func(context.Context) (string, error)
	// System is the system's name in messages, as in "Jira".
	System string
	// AddressField is the configuration field that Base comes from, named where the address seems wrong.
	AddressField string

	// Judge looks at every answer first and returns what is wrong with it, or nil to leave that to the status. It may
	// be nil.
	Judge func(Answer) *connectors.Error
	// Faults returns the system's own messages from the body of a refusal. It may be nil.
	Faults func(body []byte) []string
	// Header is added to every request. It may be nil.
	Header http.Header
	// Forbidden says what a 403 asks for, as a sentence. It may be empty.
	Forbidden string

	// Secrets are hidden wherever they turn up in the system's own messages.
	Secrets []connectors.Secret
	// Now tells the time for waits that are given as a date; nil for time.Now.
	Now func() time.Time

	notices notices
	clock   clock
}

// Answer is what the system answered. Body is empty where it could not be read.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Path joins the segments of a path behind a leading slash, each escaped, so that no segment can become two.
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// Get asks for path, which begins with a slash and is escaped, and decodes the answer into out. It returns the header
// of the answer. Errors are *[connectors.Error] but for a cancelled context, whose error is passed on.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) (http.Header, error) {
	address, err := c.address(ctx, path)
	if err != nil {
		return nil, err
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, connectors.Wrap(connectors.Internal, err, "the request could not be built")
	}
	return c.do(req, out)
}

// Query posts body as JSON to a path that only reads, and decodes the answer into out, as [Client.Get] does. The
// request may be repeated: it carries the key Idempotency-Key without a value, which is how net/http marks a POST
// that can be sent again.
func (c *Client) Query(ctx context.Context, path string, body, out any) (http.Header, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, connectors.Wrap(connectors.Internal, err, "the request could not be built")
	}
	address, err := c.address(ctx, path)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(data))
	if err != nil {
		return nil, connectors.Wrap(connectors.Internal, err, "the request could not be built")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header["Idempotency-Key"] = []string{}
	return c.do(req, out)
}

// address returns where a path is.
func (c *Client) address(ctx context.Context, path string) (string, error) {
	if c.Find == nil {
		return c.Base + path, nil
	}
	base, err := c.Find(ctx)
	return base + path, err
}

func (c *Client) do(req *http.Request, out any) (http.Header, error) {
	for name, values := range c.Header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, c.networkError(err)
	}
	defer resp.Body.Close()
	body, err := c.read(resp)
	if err != nil {
		return nil, err
	}
	a := Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
	c.note(req, a.Header)
	c.noteDate(a.Header)
	if err := c.judge(a); err != nil {
		return nil, err
	}
	return a.Header, c.decode(a, out)
}

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}
