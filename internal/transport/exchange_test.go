package transport

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

func newExchange(next http.RoundTripper) *exchange {
	return &exchange{next: next, timeout: time.Second, limit: 1 << 20, field: "base_url"}
}

// endless is a body that never ends.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) { e.read += int64(len(p)); return len(p), nil }
func (e *endless) Close() error               { return nil }

func TestExchangeReadsTheAnswerWhole(t *testing.T) {
	inner := newScript(t, status(200))
	req := request(t, "GET", "https://h.example/", "")
	resp, err := newExchange(inner).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if inner.open != 0 {
		t.Error("the connection was not given back before the answer was")
	}
	b, err := io.ReadAll(resp.Body)
	if string(b) != "body" || err != nil || resp.ContentLength != 4 || resp.Request != req {
		t.Errorf("body %q, %v, length %d", b, err, resp.ContentLength)
	}
}

func TestExchangeBoundsTheAnswer(t *testing.T) {
	body := &endless{}
	tests := []struct {
		name   string
		method string
		size   int64 // of the body; -1 for one without end
		length int64 // as declared
		want   connectors.Code
	}{
		{"at the limit", "GET", 1 << 20, -1, ""},
		{"one byte over", "GET", 1<<20 + 1, -1, connectors.ProviderError},
		{"endless", "GET", -1, -1, connectors.ProviderError},
		{"declared too large", "GET", 0, 1 << 40, connectors.ProviderError},
		{"declared smaller than it is", "GET", -1, 10, connectors.ProviderError},
		{"HEAD of something large", "HEAD", 0, 1 << 40, ""},
		{"empty", "GET", 0, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := newExchange(newScript(t, func(*http.Request) (*http.Response, error) {
				resp := respond(200, "")
				resp.ContentLength, resp.Body = tt.length, io.NopCloser(io.LimitReader(body, tt.size))
				if tt.size < 0 {
					resp.Body = body
				}
				return resp, nil
			}))
			body.read = 0
			_, err := x.RoundTrip(request(t, tt.method, "https://h.example/", ""))
			if got := connectors.CodeOf(err); got != tt.want {
				t.Errorf("code %q, want %q", got, tt.want)
			}
			if body.read > 4<<20 {
				t.Errorf("%d bytes were read", body.read)
			}
			if retryable(err) {
				t.Error("a lasting fault would be tried again")
			}
		})
	}
}

func retryable(err error) bool { return err != nil && mayPass(nil, err) }

func TestExchangeCodesFailures(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	tests := []struct {
		name  string
		err   error
		want  connectors.Code
		again bool
		says  string
	}{
		{"refused", dial(syscall.ECONNREFUSED), connectors.ProviderError, true, "is it running"},
		{"no route", dial(syscall.EHOSTUNREACH), connectors.ProviderError, true, "route"},
		{"reset", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, connectors.ProviderError, true, "broke off"},
		{"cut off", io.ErrUnexpectedEOF, connectors.ProviderError, true, "broke off"},
		{"unknown host", &net.DNSError{Err: "no such host", IsNotFound: true}, connectors.ProviderError, false, "base_url"},
		{"name service", &net.DNSError{Err: "server misbehaving", IsTemporary: true}, connectors.ProviderError, true, "looked up"},
		{"name service hangs", &net.DNSError{Err: "i/o timeout", IsTimeout: true}, connectors.Timeout, true, "in time"},
		{"dial timeout", dial(syscall.ETIMEDOUT), connectors.Timeout, true, "in time"},
		{"plain http", tls.RecordHeaderError{RecordHeader: [5]byte([]byte("HTTP/"))}, connectors.ProviderError, false, "plain http"},
		{"not TLS", tls.RecordHeaderError{Msg: "odd"}, connectors.ProviderError, false, "TLS"},
		{"TLS alert", &net.OpError{Op: "remote error", Err: tls.AlertError(40)}, connectors.ProviderError, false, "handshake"},
		{
			"unknown authority", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
			connectors.ProviderError, false, "not trusted",
		},
		{
			"other host", &tls.CertificateVerificationError{Err: x509.HostnameError{Host: "h", Certificate: &x509.Certificate{}}},
			connectors.ProviderError, false, "another host",
		},
		{
			"expired", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}},
			connectors.ProviderError, false, "expired",
		},
		{
			"unfit", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}},
			connectors.ProviderError, false, "not valid",
		},
		{"proxy", &net.OpError{Op: "proxyconnect", Err: dial(syscall.ECONNREFUSED)}, connectors.ProviderError, true, "UCF_PROXY_URL"},
		{"forbidden", refuse("is forbidden"), connectors.InvalidRequest, false, "base_url: is forbidden"},
		{"coded", connectors.Errorf(connectors.Unavailable, "full"), connectors.Unavailable, false, "full"},
		{"odd", errors.New("malformed HTTP response \"tok-secret\""), connectors.ProviderError, true, "broke off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := newExchange(newScript(t, fail(fmt.Errorf("layer: %w", tt.err))))
			_, err := get(t, x, "https://h.example:8443/p?q=tok-secret")
			if got := connectors.CodeOf(err); got != tt.want {
				t.Errorf("code %q, want %q", got, tt.want)
			}
			if got := retryable(err); got != tt.again {
				t.Errorf("tried again: %t, want %t", got, tt.again)
			}
			if msg := err.Error(); !strings.Contains(msg, tt.says) || strings.Contains(msg, "tok-secret") {
				t.Errorf("message %q, want one with %q", msg, tt.says)
			}
		})
	}
}

func TestExchangeTimes(t *testing.T) {
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	stall := func(r *http.Request) (*http.Response, error) {
		resp := respond(200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), readerFunc(func([]byte) (int, error) {
			<-r.Context().Done()
			return 0, r.Context().Err()
		})))
		return resp, nil
	}
	tests := []struct {
		name   string
		answer step
		caller time.Duration // when the caller's deadline passes, 0 for never
		cancel time.Duration // when the caller gives up, 0 for never
		after  time.Duration
		want   connectors.Code
		again  bool
	}{
		{"hang", hang, 0, 0, time.Second, connectors.Timeout, true},
		{"stalled body", stall, 0, 0, time.Second, connectors.Timeout, true},
		{"caller's deadline", hang, 300 * time.Millisecond, 0, 300 * time.Millisecond, connectors.Timeout, false},
		{"caller's deadline in the body", stall, 300 * time.Millisecond, 0, 300 * time.Millisecond, connectors.Timeout, false},
		{"caller gives up", hang, 0, 200 * time.Millisecond, 200 * time.Millisecond, connectors.Unavailable, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.caller > 0 {
					ctx, cancel = context.WithTimeout(ctx, tt.caller)
					defer cancel()
				}
				if tt.cancel > 0 {
					time.AfterFunc(tt.cancel, cancel)
				}
				start := time.Now()
				_, err := newExchange(newScript(t, tt.answer)).RoundTrip(request(t, "GET", "https://h.example/", "").WithContext(ctx))
				if got := connectors.CodeOf(err); got != tt.want || time.Since(start) != tt.after {
					t.Errorf("%q after %v, want %q after %v", got, time.Since(start), tt.want, tt.after)
				}
				if got := retryable(err); got != tt.again {
					t.Errorf("tried again: %t, want %t", got, tt.again)
				}
				if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
					t.Errorf("%v does not hold the context's error", err)
				}
			})
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestExchangeRefusesARedirectToNowhere(t *testing.T) {
	x := newExchange(newScript(t, status(302, "Location", "http://[bad"), status(302, "Location", "/login"), status(304)))
	if _, err := get(t, x, "https://h.example/"); connectors.CodeOf(err) != connectors.ProviderError {
		t.Errorf("got %v, want provider_error", err)
	}
	for range 2 {
		if _, err := get(t, x, "https://h.example/"); err != nil {
			t.Error(err)
		}
	}
}

// bomb returns a small gzip stream that unpacks to n bytes.
func bomb(n int64) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.CopyN(w, &endless{}, n)
	_ = w.Close()
	return b.Bytes()
}
