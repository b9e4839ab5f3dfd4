package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// maxBody bounds an answer's body in bytes, unpacked. The largest pages that are asked for stay far below it.
const maxBody = 32 << 20

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
	all, err := readAll(resp.Body, x.limit)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if len(all) > 0 {
		resp.ContentLength = int64(len(all))
	}
	resp.Body = &body{bytes.NewReader(all), all}
	return nil
}

// body is that of an answer, in memory. Whoever wants all of it need not read it.
type body struct {
	*bytes.Reader
	all []byte
}

// Bytes returns all of it, read or not.
func (b *body) Bytes() []byte { return b.all }

// Close does nothing.
func (b *body) Close() error { return nil }

// piece is a part of a body.
type piece [64 << 10]byte

// chunks are free pieces that bodies are read into: what an answer says of its size is not trusted, and a buffer that
// grows leaves garbage of twice its size.
var chunks = sync.Pool{New: func() any { return new(piece) }}

// readAll reads to the end.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	var full []*piece
	defer func() {
		for _, c := range full {
			chunks.Put(c)
		}
	}()
	for total := int64(0); ; {
		c := chunks.Get().(*piece) //nolint:forcetypeassert // what New makes
		full = append(full, c)
		n, err := fill(r, c[:])
		total += int64(n)
		switch {
		case total > limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return joined(full, int(total)), nil
		case err != nil:
			return nil, err
		}
	}
}

// joined returns the first size bytes of chunks that are full but for the last.
func joined(full []*piece, size int) []byte {
	all := make([]byte, size)
	for rest := all; len(full) > 0; full = full[1:] {
		rest = rest[copy(rest, full[0][:]):]
	}
	return all
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
