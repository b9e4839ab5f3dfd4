package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxBody bounds an answer's body in bytes, unpacked. The largest pages that are asked for stay far below it.
const maxBody = 32 << 20

// firstRead bounds the memory taken on the word of a Content-Length.
const firstRead = 1 << 20

// exchange makes one try whole: it bounds it in time and size and reads the answer to its end, so that a body that is
// cut off or stalls is a failed try and not a surprise for whoever decodes it. Every failure leaves it with its code.
type exchange struct {
	next    http.RoundTripper
	timeout time.Duration
	limit   int64
	field   string
}

// RoundTrip implements [http.RoundTripper]. The answer's body is in memory.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), x.timeout)
	defer cancel()
	resp, err := x.next.RoundTrip(req.WithContext(ctx))
	if err == nil {
		err = x.read(req.Method, resp)
	}
	if err == nil {
		err = checkLocation(resp)
	}
	if err != nil {
		return nil, x.code(req, ctx.Err() != nil, err)
	}
	resp.Request = req
	return resp, nil
}

// errTooLarge is an answer beyond the limit.
var errTooLarge = errors.New("the body is larger than the limit")

// errBadRedirect is a redirect to nowhere, on which http.Client would fail without a code.
var errBadRedirect = errors.New("the redirect's location is not a URL")

func (x *exchange) read(method string, resp *http.Response) error {
	defer resp.Body.Close()
	if resp.ContentLength > x.limit && method != http.MethodHead {
		return errTooLarge
	}
	var body bytes.Buffer
	body.Grow(int(min(max(resp.ContentLength, 0), firstRead)) + bytes.MinRead)
	n, err := body.ReadFrom(io.LimitReader(resp.Body, x.limit+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w", err)
	case n > x.limit:
		return errTooLarge
	}
	if n > 0 {
		resp.ContentLength = n
	}
	resp.Body = io.NopCloser(&body)
	return nil
}

func checkLocation(resp *http.Response) error {
	if resp.StatusCode/100 != 3 {
		return nil
	}
	if _, err := url.Parse(resp.Header.Get("Location")); err != nil {
		return errBadRedirect
	}
	return nil
}
