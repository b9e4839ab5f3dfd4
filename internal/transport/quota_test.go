package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// book is a ledger that several budgets share.
type book struct {
	mu     sync.Mutex
	left   int64
	paused time.Time
	notes  []int64
	leases int
	down   error
	keys   map[string]time.Time // pauses of keys that are no quotas
}

func (l *book) Lease(_ context.Context, _ Quota, _ time.Time, want int64) (Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down != nil {
		return Lease{}, l.down
	}
	l.leases++
	got := max(min(want, l.left), 0)
	l.left -= got
	return Lease{Points: got, PausedUntil: l.paused}, nil
}

func (l *book) Return(_ context.Context, _ Quota, _ time.Time, points int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left += points
	return nil
}

func (l *book) Paused(_ context.Context, q Quota) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.Key != appQuota.Key {
		return l.keys[q.Key], l.down
	}
	return l.paused, l.down
}

func (l *book) Pause(_ context.Context, q Quota, until time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.Key != appQuota.Key {
		if l.keys == nil {
			l.keys = map[string]time.Time{}
		}
		l.keys[q.Key] = until
		return nil
	}
	l.paused = until
	return nil
}

func (l *book) Note(_ context.Context, _ string, used, _ int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, used)
	return nil
}

var appQuota = Quota{Key: "atlassian/app", Tenant: "acme", Points: 1000, Window: time.Hour}

func sharing(l Ledger) *Budget {
	b := NewBudget()
	b.Share(l, slog.New(slog.DiscardHandler))
	return b
}

// again answers every request alike.
type again step

func (a again) RoundTrip(req *http.Request) (*http.Response, error) { return a(req) }

func quotaPace(b *Budget, q Quota, answer step) *pace {
	p := newPace(b, "jira/acme", again(answer))
	p.quota = &q
	return p
}

const anywhere = "https://h.example/rest"

func TestQuotaIsLeasedInPartsAndGivenBack(t *testing.T) {
	l := &book{left: 1000}
	b := sharing(l)
	p := quotaPace(b, appQuota, status(200))
	for range 60 {
		if _, err := get(t, p, anywhere); err != nil {
			t.Fatal(err)
		}
	}
	b.Charge(appQuota, 100)
	if l.leases != 2 {
		t.Errorf("%d leases for 60 requests, want 2", l.leases)
	}
	if err := b.Settle(t.Context()); err != nil || l.left != 1000-160 {
		t.Errorf("%d points left of 1000 after 160 were spent, %v", l.left, err)
	}
	if err := b.Settle(t.Context()); err != nil || l.left != 1000-160 {
		t.Errorf("settled twice: %d left, %v", l.left, err)
	}
}

func TestQuotaUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &book{left: 3}
		b := sharing(l)
		time.Sleep(59*time.Minute + 30*time.Second) // the bubble begins at a full hour
		p := quotaPace(b, appQuota, status(200))
		for range 3 {
			if _, err := get(t, p, anywhere); err != nil {
				t.Fatal(err)
			}
		}
		l.left = 0
		start := time.Now()
		p.maxWait = 10 * time.Second
		_, err := get(t, p, anywhere)
		if e := connectors.AsError(err); e.Code != connectors.RateLimited || e.RetryAfter < 20*time.Second || e.RetryAfter > 31*time.Second {
			t.Errorf("got %v, retry after %v: the window ends in 30 s", err, e.RetryAfter)
		}
		l.left = 1000
		p.maxWait = time.Minute
		if _, err := get(t, p, anywhere); err != nil || time.Since(start) > time.Minute {
			t.Errorf("in the next window: %v after %v", err, time.Since(start))
		}
	})
}

func TestQuotaOverdrawnIsPaidBack(t *testing.T) {
	b := sharing(&book{left: 1000})
	b.Charge(appQuota, 0)
	p := quotaPace(b, appQuota, status(200))
	if _, err := get(t, p, anywhere); err != nil {
		t.Fatal(err)
	}
	b.Charge(appQuota, 2000)
	p.maxWait = time.Nanosecond
	if _, err := get(t, p, anywhere); connectors.CodeOf(err) != connectors.RateLimited {
		t.Errorf("after answers that cost twice the window: got %v", err)
	}
}

// TestQuotaPauseStopsEverybody has one process be told that the app's quota is used up.
func TestQuotaPauseStopsEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &book{left: 1000}
		ours, theirs := sharing(l), sharing(l)
		other := appQuota
		other.Tenant = "globex"
		before := quotaPace(theirs, other, status(200))
		if _, err := get(t, before, anywhere); err != nil {
			t.Fatal(err)
		}
		p := quotaPace(ours, appQuota, status(429, "RateLimit-Reason", "jira-quota-global-based", "Retry-After", "600"))
		if _, err := get(t, p, anywhere); err != nil {
			t.Fatal(err)
		}
		local := appQuota
		local.Tenant = "another"
		if d := ours.paused(local.Key); d < 590*time.Second {
			t.Errorf("another tenant of this process waits %v", d)
		}
		time.Sleep(askEvery)
		if _, err := get(t, before, anywhere); connectors.CodeOf(err) != connectors.RateLimited {
			t.Errorf("another process: got %v, want rate_limited", err)
		}
	})
}

func TestQuotaWithoutItsLedger(t *testing.T) {
	p := quotaPace(sharing(&book{down: errors.New("the store is away")}), appQuota, status(200))
	for range 200 {
		if _, err := get(t, p, anywhere); err != nil {
			t.Fatal(err)
		}
	}
	local := appQuota
	local.Local, local.Points = true, 5
	l := &book{left: 1000}
	p = quotaPace(sharing(l), local, status(200))
	p.maxWait = time.Nanosecond
	var last error
	for range 6 {
		_, last = get(t, p, anywhere)
	}
	if connectors.CodeOf(last) != connectors.RateLimited || l.leases > 0 {
		t.Errorf("got %v, %d leases: a local quota is counted here alone", last, l.leases)
	}
}

func TestUsageIsNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &book{}
		p := newPace(sharing(l), "salesforce/org", again(status(200, "Sforce-Limit-Info", "x")))
		var n int64
		p.usage = func(h http.Header) (int64, int64, bool) {
			n++
			return n, 100, strings.Contains(h.Get("Sforce-Limit-Info"), "x")
		}
		for range 10 {
			if _, err := get(t, p, anywhere); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(noteEvery)
		if _, err := get(t, p, anywhere); err != nil {
			t.Fatal(err)
		}
		if len(l.notes) != 2 || l.notes[1] != 11 {
			t.Errorf("noted %v, want the first and one half a minute later", l.notes)
		}
	})
}

// TestQuotaPauseComesWithTheLease learns of another process's short pause only as it leases: it waits for that, and not
// to the end of the window.
func TestQuotaPauseComesWithTheLease(t *testing.T) {
	l := &pausing{}
	b := sharing(l)
	q := Quota{Key: "atlassian/app", Tenant: "acme", Points: 65_000, Window: time.Hour}
	if d, err := b.spend(t.Context(), q); d != 0 || err != nil {
		t.Fatal(d, err)
	}
	b.Charge(q, 100)
	l.until = time.Now().Add(3 * time.Second)
	if d, err := b.spend(t.Context(), q); err != nil || d <= 0 || d > 3*time.Second {
		t.Errorf("waits %s, %v", d, err)
	}
}

// pausing is a ledger that leases what is wanted, until somebody pauses.
type pausing struct {
	book
	until time.Time
}

func (l *pausing) Lease(_ context.Context, _ Quota, _ time.Time, want int64) (Lease, error) {
	if time.Now().Before(l.until) {
		return Lease{PausedUntil: l.until}, nil
	}
	return Lease{Points: want}, nil
}

func (l *pausing) Paused(context.Context, Quota) (time.Time, error) { return time.Time{}, nil }

// TestPausesOfOneKeyAreShared has one process be told of a limit that another one meets too: a tenant's own quota, a system
// that is busy, a quota whose last request was answered.
func TestPausesOfOneKeyAreShared(t *testing.T) {
	for name, tt := range map[string]struct {
		answer step
		shared bool
		want   time.Duration // what another process waits
	}{
		"a tenant's quota":  {status(429, "RateLimit-Reason", "jira-quota-tenant-based", "Retry-After", "40"), true, 40 * time.Second},
		"no reason":         {status(429, "Retry-After", "40"), true, 40 * time.Second},
		"busy":              {status(503, "Retry-After", "40"), true, 40 * time.Second},
		"the last one":      {status(200, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "40"), true, 40 * time.Second},
		"over soon":         {status(429, "Retry-After", "4"), true, 0},
		"one endpoint":      {status(429, "RateLimit-Reason", "jira-burst-based", "Retry-After", "40"), true, 0},
		"nothing in common": {status(429, "Retry-After", "40"), false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &book{}
				first, second := newPace(sharing(l), "k", again(tt.answer)), newPace(sharing(l), "k", again(status(200)))
				other := newPace(sharing(l), "other key", again(status(200)))
				first.shared, second.shared, other.shared = tt.shared, tt.shared, tt.shared
				if _, err := get(t, second, anywhere); err != nil { // it has asked, and asks again after a while
					t.Fatal(err)
				}
				time.Sleep(askEvery)
				if _, err := get(t, first, anywhere); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				for _, p := range []*pace{second, other} {
					if _, err := get(t, p, anywhere); err != nil {
						t.Fatal(err)
					}
					if got := time.Since(start); got < tt.want || got > tt.want*11/10 {
						t.Errorf("the request with %q waited %v, want %v", p.key, got, tt.want)
					}
					start, tt.want = time.Now(), 0
				}
			})
		})
	}
}
