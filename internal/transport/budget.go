package transport

import (
	"container/list"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxPause bounds how long one answer can stop a key; whoever asks after it learns the truth anew.
const maxPause = time.Hour

// maxSlots bounds how many keys and endpoints a budget remembers.
const maxSlots = 10_000

// Budget knows how many requests each key may make now, from a configured rate and from what providers' answers
// said. It forgets the least recently used keys beyond 10,000. It is safe for concurrent use.
type Budget struct {
	mu    sync.Mutex
	slots map[string]*list.Element // of *slot
	used  *list.List               // the most recently used first
	max   int

	purses map[string]*purse
	ledger Ledger // nil for this process alone
	log    *slog.Logger
	now    func() time.Time
}

type slot struct {
	name    string
	until   time.Time     // no request before it
	limiter *rate.Limiter // nil without a configured rate
	noted   time.Time     // when what the provider says of it was last written down
	asked   time.Time     // when the ledger was last asked whether it is paused
}

// NewBudget returns an empty budget.
func NewBudget() *Budget {
	return &Budget{
		slots: map[string]*list.Element{}, used: list.New(), max: maxSlots,
		purses: map[string]*purse{}, log: slog.New(slog.DiscardHandler), now: time.Now,
	}
}

// pause stops a key for a time, at most an hour. It never shortens a pause.
func (b *Budget) pause(key string, d time.Duration) {
	if d <= 0 {
		return
	}
	until := time.Now().Add(min(d, maxPause))
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.slot(key, true); until.After(s.until) {
		s.until = until
	}
}

// paused returns how long the longest pause of the keys lasts.
func (b *Budget) paused(keys ...string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	var longest time.Duration
	for _, key := range keys {
		if s := b.slot(key, false); s != nil {
			longest = max(longest, time.Until(s.until))
		}
	}
	return longest
}

// limiter returns the key's limiter, made with the first rate that is asked for, or nil for none.
func (b *Budget) limiter(key string, r rate.Limit, burst int) *rate.Limiter {
	if r <= 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slot(key, true)
	if s.limiter == nil {
		s.limiter = rate.NewLimiter(r, max(burst, 1))
	}
	return s.limiter
}

func (b *Budget) slot(name string, create bool) *slot {
	if e, ok := b.slots[name]; ok {
		b.used.MoveToFront(e)
		return e.Value.(*slot)
	}
	if !create {
		return nil
	}
	s := &slot{name: name}
	b.slots[name] = b.used.PushFront(s)
	for len(b.slots) > b.max {
		oldest := b.used.Back()
		b.used.Remove(oldest)
		delete(b.slots, oldest.Value.(*slot).name)
	}
	return s
}

// pace waits for a place in the budget before each try, and tells the budget what the answer says of its limits.
type pace struct {
	next    http.RoundTripper
	budget  *Budget
	key     string
	shared  bool   // pauses of the key stop other processes too
	quota   *Quota // nil where the host has none that is known
	usage   Usage  // nil where its answers say nothing of a limit of the account's own
	rate    rate.Limit
	burst   int
	maxWait time.Duration
}

// RoundTrip implements [http.RoundTripper].
func (p *pace) RoundTrip(req *http.Request) (*http.Response, error) {
	endpoint := p.key + " " + endpointOf(req)
	if err := p.wait(req, endpoint); err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := p.next.RoundTrip(req)
	if err == nil {
		p.learn(req.Context(), endpoint, resp)
	}
	return resp, err
}

// wait returns when the request may be made. A wait that is too long, or that the context would not live to see the
// end of, is [connectors.RateLimited] at once.
func (p *pace) wait(req *http.Request, endpoint string) error {
	waited := time.Duration(0)
	// Others may prolong a pause while this one sleeps; the bound is on the whole wait.
	for {
		d, err := p.due(req.Context(), endpoint)
		if err != nil {
			return err
		}
		if d <= 0 {
			return p.takePlace(req, endpoint)
		}
		if waited += d; waited > p.maxWait || endsWithin(req.Context(), d) {
			return rateLimited(req.URL.Host, d)
		}
		if err := sleep(req.Context(), spread(d)); err != nil {
			return err
		}
	}
}

// due returns how long the request has to wait by what is known, and takes its point of the quota where it need not.
func (p *pace) due(ctx context.Context, endpoint string) (time.Duration, error) {
	keys := []string{p.key, endpoint}
	if p.quota != nil {
		keys = append(keys, p.quota.Key)
	}
	if d := p.budget.paused(keys...); d > 0 {
		return d, nil
	}
	if p.shared {
		if d := p.budget.pausedElsewhere(ctx, p.key); d > 0 {
			return d, nil
		}
	}
	if p.quota == nil {
		return 0, nil
	}
	return p.budget.spend(ctx, *p.quota)
}

// halt stops the key, and in other processes too where they share it.
func (p *pace) halt(ctx context.Context, d time.Duration) {
	p.budget.halt(ctx, Quota{Key: p.key, Local: !p.shared}, d)
}

func (p *pace) takePlace(req *http.Request, endpoint string) error {
	limiter := p.budget.limiter(endpoint, p.rate, p.burst)
	if limiter == nil {
		return nil
	}
	place := limiter.Reserve()
	d := place.Delay()
	if d > p.maxWait || endsWithin(req.Context(), d) {
		place.Cancel()
		return rateLimited(req.URL.Host, d)
	}
	err := sleep(req.Context(), d)
	if err != nil {
		place.Cancel()
	}
	return err
}

// learn pauses what an answer says is used up: even an answer that was given may be the last one for a while.
func (p *pace) learn(ctx context.Context, endpoint string, resp *http.Response) {
	now := time.Now()
	if p.usage != nil {
		if used, most, ok := p.usage(resp.Header); ok {
			p.budget.note(ctx, p.key, used, most)
		}
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		p.pause(ctx, limitScope(resp.Header.Get("RateLimit-Reason")), endpoint, askedWait(resp, now))
	case http.StatusServiceUnavailable:
		p.halt(ctx, askedWait(resp, now))
	default:
		p.halt(ctx, quotaReset(resp.Header, false, now))
	}
}

func (p *pace) pause(ctx context.Context, s scope, endpoint string, d time.Duration) {
	switch s {
	case scopeAll:
		if p.quota != nil {
			p.budget.halt(ctx, *p.quota, d)
			return
		}
		p.halt(ctx, d)
	case scopeKey:
		p.halt(ctx, d)
	case scopeEndpoint:
		p.budget.pause(endpoint, d)
	}
}

// endpointOf returns the method and path of a request with the parts that look like ids replaced, as in
// "GET /rest/api/*/issue/*/comment".
func endpointOf(req *http.Request) string {
	parts := strings.Split(req.URL.Path, "/")
	for i, part := range parts {
		if strings.ContainsAny(part, "0123456789") {
			parts[i] = "*"
		}
	}
	return req.Method + " " + strings.Join(parts, "/")
}

// endsWithin reports whether the context's deadline comes before d has passed.
func endsWithin(ctx context.Context, d time.Duration) bool {
	deadline, bounded := ctx.Deadline()
	return bounded && time.Until(deadline) < d
}
