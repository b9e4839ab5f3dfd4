package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

func newRetry(next http.RoundTripper) *retry {
	return &retry{next: next, policy: RetryPolicy{}.withDefaults()}
}

func repeat(n int, s step) []step {
	steps := make([]step, n)
	for i := range steps {
		steps[i] = s
	}
	return steps
}

func TestRetryOutcomes(t *testing.T) {
	permanent := connectors.Errorf(connectors.ProviderError, "certificate")
	tests := []struct {
		name       string
		method     string
		mark       bool // carries Idempotency-Key
		steps      []step
		wantStatus int
		wantCode   connectors.Code
	}{
		{name: "ok at once", steps: []step{status(200)}, wantStatus: 200},
		{name: "429 then ok", steps: []step{status(429), status(200)}, wantStatus: 200},
		{name: "500 then ok", steps: []step{status(500), status(200)}, wantStatus: 200},
		{name: "502, 503, 504 then ok", steps: []step{status(502), status(503), status(504), status(200)}, wantStatus: 200},
		{name: "reset then ok", steps: []step{broken(connectors.ProviderError), status(200)}, wantStatus: 200},
		{name: "503 to the end", steps: repeat(5, status(503)), wantStatus: 503},
		{name: "429 to the end", steps: repeat(5, status(429)), wantStatus: 429},
		{name: "resets to the end", steps: repeat(5, broken(connectors.ProviderError)), wantCode: connectors.ProviderError},
		{name: "hang then ok", steps: []step{broken(connectors.Timeout), status(200)}, wantStatus: 200},
		{name: "hangs twice", steps: repeat(2, broken(connectors.Timeout)), wantCode: connectors.Timeout},
		{name: "404 is an answer", steps: []step{status(404)}, wantStatus: 404},
		{name: "401 is an answer", steps: []step{status(401)}, wantStatus: 401},
		{name: "501 is an answer", steps: []step{status(501)}, wantStatus: 501},
		{name: "lasting failure", steps: []step{fail(permanent)}, wantCode: connectors.ProviderError},
		{name: "uncoded failure", steps: []step{fail(errors.New("odd"))}, wantCode: connectors.Internal},
		{name: "HEAD", method: "HEAD", steps: []step{status(503), status(200)}, wantStatus: 200},
		{name: "OPTIONS", method: "OPTIONS", steps: []step{status(503), status(200)}, wantStatus: 200},
		{name: "POST", method: "POST", steps: []step{status(503)}, wantStatus: 503},
		{name: "PUT", method: "PUT", steps: []step{status(503)}, wantStatus: 503},
		{name: "DELETE that broke off", method: "DELETE", steps: []step{broken(connectors.ProviderError)}, wantCode: connectors.ProviderError},
		{name: "POST that reads", method: "POST", mark: true, steps: []step{status(503), status(200)}, wantStatus: 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := newScript(t, tt.steps...)
				req := request(t, tt.method, "https://h.example/x", "question")
				if tt.mark {
					req.Header["Idempotency-Key"] = nil
				}
				resp, err := newRetry(inner).RoundTrip(req)
				if got := connectors.CodeOf(err); got != tt.wantCode {
					t.Fatalf("code %q, want %q (%v)", got, tt.wantCode, err)
				}
				for i, sent := range inner.sent {
					if sent != "question" {
						t.Errorf("try %d sent the body %q", i+1, sent)
					}
					if got := tryOf(inner.got[i].Context()); got != i+1 {
						t.Errorf("try %d says it is try %d", i+1, got)
					}
				}
				if tt.wantCode != "" {
					return
				}
				if resp.StatusCode != tt.wantStatus || resp.Request != req {
					t.Errorf("status %d, want %d; its request is the caller's: %t", resp.StatusCode, tt.wantStatus, resp.Request == req)
				}
				if b, _ := io.ReadAll(resp.Body); string(b) != "body" {
					t.Errorf("body %q", b)
				}
				resp.Body.Close()
				if inner.open != 0 {
					t.Errorf("%d bodies were left open", inner.open)
				}
			})
		})
	}
}

func TestRetryNeedsABodyThatCanBeSentAgain(t *testing.T) {
	inner := newScript(t, status(503))
	req := request(t, "POST", "https://h.example/", "")
	req.Body = io.NopCloser(strings.NewReader("once"))
	req.Header["Idempotency-Key"] = nil
	if resp, err := newRetry(inner).RoundTrip(req); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %v, %v; want the first answer", resp, err)
	}
}

func TestRetryFailsWhenTheBodyCannotBeHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newScript(t, status(503))
		req := request(t, "POST", "https://h.example/", "x")
		req.Header["Idempotency-Key"] = nil
		req.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
		if _, err := newRetry(inner).RoundTrip(req); connectors.CodeOf(err) != connectors.Internal {
			t.Errorf("got %v, want internal", err)
		}
	})
}

func TestRetryWaits(t *testing.T) {
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	date := func(d time.Duration) string {
		// The clock in a bubble starts at midnight of 2000-01-01 UTC.
		return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Format(http.TimeFormat)
	}
	tests := []struct {
		name     string
		answer   step
		min, max time.Duration
	}{
		{"backoff", status(503), ms(350), ms(650)},
		{"backoff after a reset", broken(connectors.ProviderError), ms(350), ms(650)},
		{"Retry-After is the least", status(429, "Retry-After", "7"), ms(7000), ms(7700)},
		{"Retry-After on 503", status(503, "Retry-After", "7"), ms(7000), ms(7700)},
		{"Retry-After as date", status(429, "Retry-After", date(9*time.Second)), ms(9000), ms(9900)},
		{
			"Retry-After as date of another clock",
			status(429, "Retry-After", date(3609*time.Second), "Date", date(time.Hour)), ms(9000), ms(9900),
		},
		{"short Retry-After", status(429, "Retry-After", "0"), ms(350), ms(650)},
		{"Retry-After in the past", status(429, "Retry-After", date(-time.Hour)), ms(350), ms(650)},
		{"nonsense", status(429, "Retry-After", "soon"), ms(350), ms(650)},
		{"reset", status(429, "X-RateLimit-Reset", "2000-01-01T00:00:20Z"), ms(20000), ms(22000)},
		{"reset does not bind a 503", status(503, "X-RateLimit-Reset", "2000-01-01T00:00:20Z"), ms(350), ms(650)},
		{"at the bound", status(429, "Retry-After", "60"), ms(60000), ms(66000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := newScript(t, tt.answer, status(200))
				resp, err := newRetry(inner).RoundTrip(request(t, "GET", "https://h.example/", ""))
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Fatalf("got %v, %v", resp, err)
				}
				if got := inner.at[1].Sub(inner.at[0]); got < tt.min || got > tt.max {
					t.Errorf("waited %v, want %v to %v", got, tt.min, tt.max)
				}
			})
		})
	}
}

func TestRetryBackoffDoublesUpToItsCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newScript(t, repeat(10, status(503))...)
		r := &retry{next: inner, policy: RetryPolicy{Tries: 10, Base: time.Second, Cap: 8 * time.Second}.withDefaults()}
		if _, err := r.RoundTrip(request(t, "GET", "https://h.example/", "")); err != nil {
			t.Fatal(err)
		}
		want := time.Second
		for i := 1; i < len(inner.at); i++ {
			got := inner.at[i].Sub(inner.at[i-1])
			if got < want*7/10 || got > want*13/10 {
				t.Errorf("wait %d was %v, want %v ±30 %%", i, got, want)
			}
			want = min(2*want, 8*time.Second)
		}
	})
}

func TestRetryDoesNotWaitInVain(t *testing.T) {
	tests := []struct {
		name       string
		deadline   time.Duration // of the caller; 0 for none
		answer     step
		wantCode   connectors.Code
		wantAfter  time.Duration
		wantStatus int
	}{
		{"refusal beyond MaxWait", 0, status(429, "Retry-After", "61"), connectors.RateLimited, 61 * time.Second, 0},
		{"hostile Retry-After", 0, status(429, "Retry-After", "99999999999999999999"), connectors.RateLimited, 24 * time.Hour, 0},
		{"503 beyond MaxWait", 0, status(503, "Retry-After", "3600"), "", 0, 503},
		{"refusal beyond the deadline", 5 * time.Second, status(429, "Retry-After", "10"), connectors.RateLimited, 10 * time.Second, 0},
		{"503 beyond the deadline", 100 * time.Millisecond, status(503), "", 0, 503},
		{"reset beyond the deadline", 100 * time.Millisecond, broken(connectors.ProviderError), connectors.ProviderError, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := newScript(t, tt.answer)
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				start := time.Now()
				resp, err := newRetry(inner).RoundTrip(request(t, "GET", "https://h.example/p?q=secret", "").WithContext(ctx))
				if waited := time.Since(start); waited != 0 {
					t.Errorf("waited %v", waited)
				}
				if got := connectors.CodeOf(err); got != tt.wantCode {
					t.Fatalf("code %q, want %q: %v", got, tt.wantCode, err)
				}
				if tt.wantStatus != 0 {
					if resp.StatusCode != tt.wantStatus {
						t.Errorf("status %d, want %d", resp.StatusCode, tt.wantStatus)
					}
					resp.Body.Close()
				} else if got := connectors.AsError(err).RetryAfter; got < tt.wantAfter || got > tt.wantAfter*11/10 {
					t.Errorf("RetryAfter %v, want %v", got, tt.wantAfter)
				}
				if inner.open != 0 {
					t.Errorf("%d bodies left open", inner.open)
				}
			})
		})
	}
}

func TestRetryStopsWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newScript(t, status(429, "Retry-After", "30"))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := newRetry(inner).RoundTrip(request(t, "GET", "https://h.example/", "").WithContext(ctx))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("returned after %v, want 1s", waited)
		}
	})
}
