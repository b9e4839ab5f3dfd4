package transport

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/unified-connector/ucf/connectors"
)

// RetryPolicy says how often and how patiently a request is repeated. A zero field takes its default.
type RetryPolicy struct {
	// Tries is how often a request is made in all. Default 5; 1 never repeats.
	Tries int
	// Base is the wait before the second try; it doubles up to Cap and varies by ±30 %. Defaults 500 ms and 30 s.
	Base, Cap time.Duration
	// MaxWait is the longest time that a provider may ask us to wait; for a longer one the request fails at once with
	// [connectors.RateLimited] and RetryAfter. Default 1 minute.
	MaxWait time.Duration
}

// maxHangs is how many tries may run into their timeout: each costs all of it.
const maxHangs = 2

func (p RetryPolicy) withDefaults() RetryPolicy {
	p.Tries = cmp.Or(p.Tries, 5)
	p.Base = cmp.Or(p.Base, 500*time.Millisecond)
	p.Cap = cmp.Or(p.Cap, 30*time.Second)
	p.MaxWait = cmp.Or(p.MaxWait, time.Minute)
	return p
}

func (p RetryPolicy) backoff() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{InitialInterval: p.Base, RandomizationFactor: 0.3, Multiplier: 2, MaxInterval: p.Cap}
}

// retry repeats requests that may be repeated and failed in a way that may pass: refused with 429, 500, 502, 503 or
// 504, broken off, or hung. After the last try it returns what that brought.
type retry struct {
	next   http.RoundTripper
	policy RetryPolicy
}

// RoundTrip implements [http.RoundTripper].
func (r *retry) RoundTrip(req *http.Request) (*http.Response, error) {
	tries, hangs := r.policy.Tries, 0
	if !repeatable(req) {
		tries = 1
	}
	waits := r.policy.backoff()
	for try := 1; ; try++ {
		out, err := nthTry(req, try)
		if err != nil {
			return nil, err
		}
		resp, err := r.next.RoundTrip(out)
		if connectors.CodeOf(err) == connectors.Timeout {
			hangs++
		}
		if try >= tries || hangs >= maxHangs || !mayPass(resp, err) {
			return answer(req, resp, err)
		}
		wait, patient := r.wait(req.Context(), resp, waits.NextBackOff())
		if !patient {
			return overdue(req, resp, err, wait)
		}
		discard(resp)
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// wait returns how long to wait before the next try, and false where nobody would wait that long.
func (r *retry) wait(ctx context.Context, resp *http.Response, pause time.Duration) (time.Duration, bool) {
	asked := time.Duration(0)
	if resp != nil {
		asked = askedWait(resp, time.Now())
	}
	if asked > r.policy.MaxWait {
		return asked, false
	}
	// What was asked for is the least, and callers that were refused together should not come back together.
	wait := max(pause, spread(asked))
	return wait, !endsWithin(ctx, wait)
}

// spread lengthens a wait by up to a tenth.
func spread(d time.Duration) time.Duration { return d + time.Duration(0.1*rand.Float64()*float64(d)) }

// overdue ends a request whose next try is too far away.
func overdue(req *http.Request, resp *http.Response, err error, wait time.Duration) (*http.Response, error) {
	if resp == nil || resp.StatusCode != http.StatusTooManyRequests {
		return answer(req, resp, err)
	}
	discard(resp)
	return nil, rateLimited(req.URL.Host, wait)
}

// answer hands a response up as one to the caller's own request.
func answer(req *http.Request, resp *http.Response, err error) (*http.Response, error) {
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

func rateLimited(host string, wait time.Duration) *connectors.Error {
	wait = max(wait.Round(time.Second), time.Second)
	e := connectors.Errorf(connectors.RateLimited, "%s takes no more requests for now; try again in %s", host, wait)
	e.RetryAfter = wait
	return e
}

// repeatable reports whether making the request twice does what making it once does. A POST that only reads says so
// with the header key Idempotency-Key, without a value where none is to be sent, as net/http has it.
func repeatable(req *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return false
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	_, marked := req.Header["Idempotency-Key"]
	return marked
}

// mayPass reports whether another try may go better.
func mayPass(resp *http.Response, err error) bool {
	if err != nil {
		var t *transient
		return errors.As(err, &t)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

type tryKey struct{}

// nthTry returns a copy of the request with a body of its own and the number of the try in its context.
func nthTry(req *http.Request, try int) (*http.Request, error) {
	out := req.WithContext(context.WithValue(req.Context(), tryKey{}, try))
	if try == 1 {
		return out, nil
	}
	return rewind(out)
}

// tryOf returns the number of the try that a request is part of, from 1.
func tryOf(ctx context.Context) int {
	n, _ := ctx.Value(tryKey{}).(int)
	return max(n, 1)
}

// rewind returns a shallow copy of the request with a fresh body.
func rewind(req *http.Request) (*http.Request, error) {
	out := *req
	if req.Body == nil || req.Body == http.NoBody {
		return &out, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, connectors.Wrap(connectors.Internal, err, "the request could not be repeated")
	}
	out.Body = body
	return &out, nil
}

// discard reads what little may be left of an answer, so that its connection can be used again, and closes it.
func discard(resp *http.Response) {
	if resp != nil {
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
		_ = resp.Body.Close()
	}
}

// sleep waits, or returns the context's error as soon as it ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return connectors.AsError(ctx.Err())
	}
}
