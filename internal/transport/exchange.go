package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxBody bounds an answer's body in bytes, unpacked. The largest pages that are asked for stay far below it.
const maxBody = 32 << 20

// minChunk and maxChunk bound the pieces that a body is read in; the larger also bounds the memory that is taken on
// the word of a Content-Length alone.
const (
	minChunk = 4 << 10
	maxChunk = 1 << 20
)

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
	body, n, err := readAll(resp.Body, resp.ContentLength, x.limit)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if n > 0 {
		resp.ContentLength = n
	}
	resp.Body = io.NopCloser(&body)
	return nil
}

// readAll reads to the end in chunks that are not copied again, so that even an answer at the limit costs no more
// than its size.
func readAll(r io.Reader, expected, limit int64) (net.Buffers, int64, error) {
	var body net.Buffers
	var total int64
	// One byte more than expected has room to meet the end in.
	for size := min(max(expected+1, minChunk), maxChunk); ; size = min(2*size, maxChunk) {
		chunk := make([]byte, size)
		n, err := fill(r, chunk)
		if n > 0 {
			body = append(body, chunk[:n])
		}
		total += int64(n)
		switch {
		case total > limit:
			return nil, total, errTooLarge
		case errors.Is(err, io.EOF):
			return body, total, nil
		case err != nil:
			return nil, total, err
		}
	}
}

// fill reads until the chunk is full. Unlike [io.ReadFull] it keeps the end of a body apart from a body cut off.
func fill(r io.Reader, chunk []byte) (int, error) {
	n := 0
	for n < len(chunk) {
		m, err := r.Read(chunk[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
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
