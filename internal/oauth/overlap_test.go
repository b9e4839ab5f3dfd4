package oauth

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

func unavailable(t *testing.T, got []result, within time.Duration) {
	t.Helper()
	for _, r := range got {
		if code := connectors.CodeOf(r.err); code != connectors.ProviderError && code != connectors.Unavailable || r.took > within {
			t.Fatalf("%s got %q %v after %s, want a failure that may pass within %s", r.process, r.access, r.err, r.took, within)
		}
	}
}

// A lost answer is asked for again with the same token, in the same flight, and nobody notices.
func TestLostAnswers(t *testing.T) {
	for _, fault := range []string{faultLost, faultCut, faultHTML, fault500, faultSlow, faultNever} {
		t.Run(fault, func(t *testing.T) {
			bubble(t, slow, func(t *testing.T, w *world) {
				a, b := w.start(), w.start()
				w.expire()
				w.p.set(func() { w.p.faults = []string{fault} })
				got := callers(10, a, b)
				w.oneAnswer(got)
				w.sound()
				spends := w.p.spends(w.first.refresh)
				want := 2
				if fault == faultNever {
					want = 1
				}
				if len(spends) != want || w.p.count() != 2 || w.p.punished != 0 {
					t.Errorf("%d spends, %d requests, %d punished; want %d, 2, 0", len(spends), w.p.count(), w.p.punished, want)
				}
				if limit := 6 * time.Second; got[0].took > limit {
					t.Errorf("it took %s", got[0].took)
				}
			})
		})
	}
}

// While nobody can tell whether the token was spent, callers get unavailable, never reauthorize; the record says since
// when, and whoever looks after due grants goes on.
func TestLostForLong(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		pr := w.start()
		w.expire()
		start := time.Now()
		w.p.set(func() { w.p.down = true })
		unavailable(t, callers(20, pr), 10*time.Second)
		synctest.Wait()
		tok, _, _ := w.stored()
		first := w.p.spends(w.first.refresh)[0].at
		if g := tok.Grant; g.Claim != nil || g.SpentAt.IsZero() || g.SpentAt.After(first) || g.SpentAt.Before(start.UTC()) || g.Refused != "" || g.Generation != 1 {
			t.Errorf("got %+v, first spent %s", *tok.Grant, first)
		}
		if tok.DueAt.IsZero() || tok.DueAt.After(time.Now()) {
			t.Errorf("due at %s, want now", tok.DueAt)
		}
		if n := w.p.count(); n < 5 || n > 15 {
			t.Errorf("%d requests in 10 s", n)
		}
		time.Sleep(time.Until(start.Add(5 * time.Minute)))
		if err := pr.KeepAlive(t.Context(), tok); connectors.CodeOf(err) != connectors.ProviderError {
			t.Errorf("still away: %v", err)
		}
		if again, _, _ := w.stored(); !again.Grant.SpentAt.Equal(tok.Grant.SpentAt) {
			t.Errorf("first spent %s became %s", tok.Grant.SpentAt, again.Grant.SpentAt)
		}
		time.Sleep(time.Until(start.Add(9 * time.Minute)))
		w.p.set(func() { w.p.down = false })
		if err := pr.KeepAlive(t.Context(), tok); err != nil {
			t.Error(err)
		}
		w.sound()
	})
}

// The one way to lose a grant: the answer is lost, and nobody can ask again before the window closes.
func TestUnrecoverable(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		a := w.start()
		w.expire()
		w.p.set(func() { w.p.onSpent = func(*spending) { go a.kill(); time.Sleep(time.Second) } })
		unavailable(t, callers(1, a), 10*time.Second)
		w.p.set(func() { w.p.onSpent = nil })
		time.Sleep(11 * time.Minute)
		b := w.start()
		err := callers(1, b)[0].err
		if connectors.CodeOf(err) != connectors.Reauthorize || !strings.Contains(err.Error(), "and the answer was lost: connect again") || w.p.punished != 1 {
			t.Errorf("got %v, punished %d", err, w.p.punished)
		}
	})
}

// A process dies between the spend and the storing. Another one takes the claim over after a term, by its own clock,
// and asks again inside the window.
func TestCrashAfterSpend(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		a := w.start()
		b := w.start(func(o *Options) { o.Now = func() time.Time { return time.Now().Add(-3 * time.Hour) } })
		w.expire()
		w.p.set(func() { w.p.onSpent = func(s *spending) { go w.procs[0].kill(); time.Sleep(time.Second) } })
		go a.Source(tenant, tokenID).Token(t.Context())
		time.Sleep(500 * time.Millisecond)
		w.p.set(func() { w.p.onSpent = nil })
		tok, _, _ := w.stored()
		if tok.Grant.Claim == nil || tok.DueAt.IsZero() || tok.DueAt.After(time.Now()) {
			t.Errorf("what the dead one left is not due: claim %v, due %s", tok.Grant.Claim, tok.DueAt)
		}
		got, ok, err := b.Source(tenant, tokenID).Newer(t.Context(), connectors.NewSecret(w.first.access), 401)
		if err != nil || !ok || !w.p.alive(got.Reveal()) {
			t.Fatalf("got %v %v", ok, err)
		}
		s := w.p.spends(w.first.refresh)
		if len(s) != 2 || s[1].overlap != nil && s[1].overlap.process != a.name {
			t.Fatalf("%d spends", len(s))
		}
		if gap := s[1].at.Sub(s[0].at); gap < 2*time.Second || gap > 4*time.Second {
			t.Errorf("taken over after %s, want a term of 2 s and little more", gap)
		}
		w.sound()
	})
}

// A holder that beats is never taken over, however long its call and whatever the clocks say.
func TestNoTakeoverOfTheLiving(t *testing.T) {
	for name, skew := range map[string]time.Duration{"same clocks": 0, "a clock that is ahead": 3 * time.Hour, "a clock that is behind": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(p *provider) { p.delay, p.ttl = 4900*time.Millisecond, 24*time.Hour }, func(t *testing.T, w *world) {
				a := w.start()
				b := w.start(func(o *Options) { o.Now = func() time.Time { return time.Now().Add(skew) } })
				w.expire()
				go a.Source(tenant, tokenID).Token(context.Background())
				time.Sleep(100 * time.Millisecond)
				got, ok, err := b.Source(tenant, tokenID).Newer(t.Context(), connectors.NewSecret(w.first.access), 401)
				if err != nil || !ok || !w.p.alive(got.Reveal()) {
					t.Errorf("got %v %v", ok, err)
				}
				w.spentOnce()
				w.sound()
			})
		})
	}
}

// A holder whose store hangs is taken over. Whichever answer is stored, the last one to be spent for wins, so that it
// holds for a provider too that lets only its newest answer live.
func TestStalledHolder(t *testing.T) {
	for _, newest := range []bool{false, true} {
		for name, tt := range map[string]struct {
			stall       time.Duration // of the first holder's store
			first, next time.Duration // how long the answers take
		}{
			"late answer after the second": {8 * time.Second, 100 * time.Millisecond, 100 * time.Millisecond},
			"late answer before it":        {3500 * time.Millisecond, 100 * time.Millisecond, 4 * time.Second},
			"late answer first, slow call": {3 * time.Second, 4 * time.Second, 4500 * time.Millisecond},
		} {
			t.Run(fmt.Sprint(name, ", newest only ", newest), func(t *testing.T) {
				bubble(t, func(p *provider) { p.newest = newest }, func(t *testing.T, w *world) {
					a, b := w.start(), w.start()
					w.expire()
					var n atomic.Int32
					w.p.set(func() {
						w.p.onSpent = func(*spending) {
							if n.Add(1) == 1 {
								time.Sleep(tt.first)
							} else {
								time.Sleep(tt.next)
							}
						}
					})
					a.stallAfterClaim(tt.stall)
					go callers(5, a)
					time.Sleep(50 * time.Millisecond)
					for _, r := range callers(5, b) {
						if r.err != nil {
							t.Errorf("%s: %v after %s", r.process, r.err, r.took)
						}
					}
					time.Sleep(10 * time.Second)
					w.sound()
					if s := w.p.spends(w.first.refresh); len(s) != 2 || w.p.punished != 0 {
						t.Errorf("%d spends, %d punished", len(s), w.p.punished)
					}
					_, _, refresh := w.stored()
					if want := w.p.seen()[1].answer; refresh != want {
						t.Errorf("%s is stored, want the answer to the last spend, %s", refresh, want)
					}
				})
			})
		}
	}
}

// A late answer of the holder before is stored while the next one waits in vain: the old refresh token is not sent again,
// and the new one does not count as spent.
func TestLateAnswerForTheNextHolder(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		w.expire()
		w.p.set(func() { w.p.faults = []string{"", faultSlow} })
		a.stallAfterClaim(3500 * time.Millisecond)
		go callers(1, a)
		time.Sleep(50 * time.Millisecond)
		go callers(5, b)
		time.Sleep(3 * time.Second)
		if got := callers(1, w.start()); got[0].err != nil || got[0].took > 600*time.Millisecond {
			t.Errorf("whoever watches waits for the claim, although the token is there: %v after %s", got[0].err, got[0].took)
		}
		time.Sleep(10 * time.Second)
		w.sound()
		if s := w.p.spends(w.first.refresh); len(s) != 2 {
			t.Errorf("%d spends, want 2", len(s))
		}
	})
}

// A process that stops between its claim and its call does not spend after others have taken over.
func TestStalledBeforeTheCall(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		w.expire()
		a.store.set(func() {
			a.store.after = func(domain.Token) error { // the claim is written, and then nothing for long
				a.store.set(func() { a.store.after = nil })
				time.Sleep(5 * time.Second)
				return nil
			}
		})
		go callers(1, a)
		time.Sleep(50 * time.Millisecond)
		w.oneAnswer(callers(5, a, b))
		time.Sleep(10 * time.Second)
		w.spentOnce()
		if s := w.p.spends(w.first.refresh); len(s) != 1 || s[0].process != b.name {
			t.Errorf("%d spends", len(s))
		}
		w.sound()
	})
}
