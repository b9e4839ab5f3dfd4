package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/unified-connector/ucf/connectors"
)

func newPace(b *Budget, key string, next http.RoundTripper) *pace {
	return &pace{next: next, budget: b, key: key, maxWait: time.Minute}
}

func get(t *testing.T, rt http.RoundTripper, url string) (*http.Response, error) {
	t.Helper()
	return rt.RoundTrip(request(t, "GET", url, ""))
}

func TestBudgetPausesWhatTheAnswerNames(t *testing.T) {
	const (
		same     = "https://h.example/rest/api/3/issue/PAY-1/comment"
		sameKind = "https://h.example/rest/api/3/issue/OPS-2/comment"
		another  = "https://h.example/rest/api/3/search/jql"
	)
	tests := []struct {
		name                      string
		answer                    step
		same, sameKind, otherPath time.Duration // the wait of a second request
	}{
		{"refusal", status(429, "Retry-After", "5"), 5 * time.Second, 5 * time.Second, 5 * time.Second},
		{"refusal without a time", status(429), 0, 0, 0},
		{
			"quota", status(429, "RateLimit-Reason", "jira-quota-tenant-based", "X-RateLimit-Reset", "2000-01-01T00:00:30Z"),
			30 * time.Second, 30 * time.Second, 30 * time.Second,
		},
		{
			"burst", status(429, "RateLimit-Reason", "jira-burst-based", "Retry-After", "5"),
			5 * time.Second, 5 * time.Second, 0,
		},
		{"write limit", status(429, "RateLimit-Reason", "jira-per-issue-on-write", "Retry-After", "5"), 0, 0, 0},
		{"busy", status(503, "Retry-After", "5"), 5 * time.Second, 5 * time.Second, 5 * time.Second},
		{"broken", status(500, "Retry-After", "5"), 0, 0, 0},
		{
			"last one", status(200, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "5"),
			5 * time.Second, 5 * time.Second, 5 * time.Second,
		},
		{"not the last one", status(200, "X-RateLimit-Remaining", "1", "X-RateLimit-Reset", "5"), 0, 0, 0},
		{"a reset alone", status(200, "X-RateLimit-Reset", "5"), 0, 0, 0},
		{"ok", status(200), 0, 0, 0},
	}
	for _, tt := range tests {
		for path, want := range map[string]time.Duration{same: tt.same, sameKind: tt.sameKind, another: tt.otherPath} {
			t.Run(tt.name+" "+path[26:], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b, inner := NewBudget(), newScript(t, tt.answer, status(200), status(200))
					if _, err := get(t, newPace(b, "k", inner), same); err != nil {
						t.Fatal(err)
					}
					if _, err := get(t, newPace(b, "other key", inner), path); err != nil {
						t.Fatal(err)
					}
					if _, err := get(t, newPace(b, "k", inner), path); err != nil {
						t.Fatal(err)
					}
					if got := inner.at[1].Sub(inner.at[0]); got != 0 {
						t.Errorf("another key waited %v", got)
					}
					if got := inner.at[2].Sub(inner.at[1]); got < want || got > want*11/10 {
						t.Errorf("waited %v, want %v", got, want)
					}
				})
			})
		}
	}
}

func TestBudgetDoesNotWaitTooLong(t *testing.T) {
	tests := []struct {
		name     string
		pause    time.Duration
		deadline time.Duration
		want     connectors.Code
		after    time.Duration
	}{
		{"beyond MaxWait", 2 * time.Minute, 0, connectors.RateLimited, 2 * time.Minute},
		{"beyond the deadline", 10 * time.Second, time.Second, connectors.RateLimited, 10 * time.Second},
		{"hostile", 1000 * time.Hour, 0, connectors.RateLimited, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewBudget()
				b.pause("k", tt.pause)
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				start := time.Now()
				_, err := newPace(b, "k", newScript(t)).RoundTrip(request(t, "GET", "https://h.example/", "").WithContext(ctx))
				if got := connectors.CodeOf(err); got != tt.want || time.Since(start) != 0 {
					t.Fatalf("code %q after %v, want %q at once", got, time.Since(start), tt.want)
				}
				if got := connectors.AsError(err).RetryAfter; got != tt.after {
					t.Errorf("RetryAfter %v, want %v", got, tt.after)
				}
			})
		})
	}
}

func TestBudgetProlongedPauseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget()
		b.pause("k", 50*time.Second)
		go func() {
			time.Sleep(49 * time.Second)
			b.pause("k", 50*time.Second)
		}()
		_, err := get(t, newPace(b, "k", newScript(t)), "https://h.example/")
		if connectors.CodeOf(err) != connectors.RateLimited {
			t.Errorf("got %v, want rate_limited", err)
		}
	})
}

func TestBudgetPauseIsNeverShortened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget()
		b.pause("k", time.Minute)
		b.pause("k", time.Second)
		b.pause("k", -time.Second)
		if got := b.paused("k"); got != time.Minute {
			t.Errorf("paused for %v, want 1m", got)
		}
		time.Sleep(time.Minute)
		if got := b.paused("k"); got > 0 {
			t.Errorf("still paused for %v", got)
		}
	})
}

func TestBudgetStopsWaitingWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget()
		b.pause("k", 30*time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := newPace(b, "k", newScript(t)).RoundTrip(request(t, "GET", "https://h.example/", "").WithContext(ctx))
		if !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want the context's error after 1s", err, time.Since(start))
		}
	})
}

func TestBudgetRateIsSharedByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, inner := NewBudget(), newScript(t, repeat(20, status(200))...)
		start := time.Now()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				p := newPace(b, "k", inner)
				p.rate, p.burst = 10, 5
				if _, err := get(t, p, "https://h.example/"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := time.Since(start); got < 1490*time.Millisecond || got > 1510*time.Millisecond {
			t.Errorf("20 requests at 10/s with a burst of 5 took %v, want 1.5s", got)
		}
	})
}

func TestBudgetRateGivesPlacesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, inner := NewBudget(), newScript(t, status(200), status(200))
		p := newPace(b, "k", inner)
		p.rate = rate.Every(10 * time.Second)
		if _, err := get(t, p, "https://h.example/"); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := p.RoundTrip(request(t, "GET", "https://h.example/", "").WithContext(ctx))
			cancel()
			if connectors.CodeOf(err) != connectors.RateLimited {
				t.Fatalf("got %v, want rate_limited", err)
			}
		}
		if _, err := get(t, p, "https://h.example/"); err != nil {
			t.Fatal(err)
		}
		if got := inner.at[1].Sub(inner.at[0]); got != 10*time.Second {
			t.Errorf("waited %v, want 10s: those who gave up kept their places", got)
		}
	})
}

func TestBudgetForgetsTheLeastRecentlyUsed(t *testing.T) {
	b := NewBudget()
	b.max = 3
	for i := range 5 {
		b.pause(fmt.Sprint(i), time.Hour)
		b.paused("0")
	}
	if len(b.slots) != 3 || b.used.Len() != 3 {
		t.Fatalf("%d slots and %d in order, want 3", len(b.slots), b.used.Len())
	}
	for key, want := range map[string]bool{"0": true, "1": false, "2": false, "3": true, "4": true} {
		if got := b.paused(key) > 0; got != want {
			t.Errorf("key %s is remembered: %t, want %t", key, got, want)
		}
	}
	b.paused("never seen")
	b.pause("not for long", 0)
	if _, made := b.slots["not for long"]; made || len(b.slots) != 3 {
		t.Error("nothing to remember made a slot")
	}
}

func TestBudgetConcurrentUse(t *testing.T) {
	b := NewBudget()
	b.max = 8
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 200 {
				key := fmt.Sprint((i + j) % 12)
				b.pause(key, time.Microsecond)
				b.limiter(key, 1000, 1000).Allow()
				b.paused(key, "x")
			}
		})
	}
	wg.Wait()
	if len(b.slots) > 8 || len(b.slots) != b.used.Len() {
		t.Errorf("%d slots, %d in order", len(b.slots), b.used.Len())
	}
}
