package oauth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/secret"
)

func unavailable(t *testing.T, got []result, within time.Duration) {
	t.Helper()
	for _, r := range got {
		if connectors.CodeOf(r.err) != connectors.Unavailable || r.took > within {
			t.Fatalf("%s got %q %v after %s, want unavailable within %s", r.process, r.access, r.err, r.took, within)
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
				w.p.set(func() { w.p.faults = []string{fault, fault503}[:1] })
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
		if err := pr.KeepAlive(t.Context(), tok); connectors.CodeOf(err) != connectors.Unavailable {
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
		if err := callers(1, b)[0].err; connectors.CodeOf(err) != connectors.Reauthorize || w.p.punished != 1 {
			t.Errorf("got %v, punished %d", err, w.p.punished)
		}
	})
}

// A process dies between the spend and the storing. Another one takes the claim over after a term, by its own clock,
// and asks again inside the window.
func TestCrashAfterSpend(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		a := w.start()
		b := w.start(func(o *Options) { o.Now = func() time.Time { return time.Now().Add(-time.Hour) } })
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
					healed := make(chan struct{})
					a.store.set(func() {
						a.store.after = func(domain.Token) error { // from the claim on
							a.store.set(func() { a.store.stalled, a.store.after = healed, nil })
							return nil
						}
					})
					time.AfterFunc(tt.stall, func() { a.store.set(func() { a.store.stalled = nil }); close(healed) })
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
		healed := make(chan struct{})
		a.store.set(func() {
			a.store.after = func(domain.Token) error {
				a.store.set(func() { a.store.stalled, a.store.after = healed, nil })
				return nil
			}
		})
		time.AfterFunc(3500*time.Millisecond, func() { a.store.set(func() { a.store.stalled = nil }); close(healed) })
		go callers(1, a)
		time.Sleep(50 * time.Millisecond)
		w.oneAnswer(callers(5, b))
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

// Somebody else writes the record between the spend and the storing.
func TestPersistConflicts(t *testing.T) {
	t.Run("sealed anew with another key", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			w.p.set(func() {
				w.p.onSpent = func(*spending) {
					w.change(func(tok *domain.Token) { w.seal(tok, w.first.access, w.first.refresh); tok.KeyID = "another" })
				}
			})
			w.oneAnswer(callers(5, pr))
			w.spentOnce()
			w.sound()
			if tok, _, _ := w.stored(); tok.KeyID != w.keeper.KeyID() {
				t.Errorf("sealed by %s, want %s", tok.KeyID, w.keeper.KeyID())
			}
		})
	})
	t.Run("written over and over", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			left := 20
			pr.store.set(func() {
				pr.store.before = func(domain.Token) {
					if left--; left > 0 {
						w.change(func(tok *domain.Token) { tok.UpdatedAt = time.Now() })
					}
				}
			})
			w.oneAnswer(callers(5, pr))
			w.spentOnce()
			w.sound()
		})
	})
	t.Run("removed", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			w.p.set(func() {
				w.p.onSpent = func(*spending) {
					w.store.mu.Lock()
					defer w.store.mu.Unlock()
					delete(w.store.toks, tokenID)
				}
			})
			if err := callers(1, pr)[0].err; connectors.CodeOf(err) != connectors.NotFound {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("replaced by a key", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			w.p.set(func() {
				w.p.onSpent = func(*spending) { w.change(func(tok *domain.Token) { tok.Grant, tok.Kind = nil, "api_key" }) }
			})
			if err := callers(1, pr)[0].err; connectors.CodeOf(err) != connectors.NotFound {
				t.Errorf("got %v", err)
			}
			if tok, _, _ := w.stored(); tok.Grant != nil {
				t.Error("the new credential was written over")
			}
		})
	})
}

// A write that got through although its answer did not is known again, at each of the places that write.
func TestWritesThatGotThrough(t *testing.T) {
	for nth := 1; nth <= 3; nth++ {
		t.Run(fmt.Sprint("write ", nth), func(t *testing.T) {
			bubble(t, func(p *provider) { p.delay = 700 * time.Millisecond }, func(t *testing.T, w *world) { // claim, beat, answer
				pr := w.start()
				w.expire()
				n := 0
				pr.store.set(func() {
					pr.store.after = func(domain.Token) error {
						if n++; n == nth {
							return connectors.Errorf(connectors.Timeout, "no answer from the store")
						}
						return nil
					}
				})
				got := callers(5, pr)
				w.oneAnswer(got)
				w.spentOnce()
				w.sound()
				if tok, _, _ := w.stored(); tok.Grant.Generation != 2 || got[0].took > 2*time.Second {
					t.Errorf("got generation %d after %s", tok.Grant.Generation, got[0].took)
				}
			})
		})
	}
	t.Run("refusal", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			w.p.set(func() { w.p.refresh[w.first.refresh].family.revoked = true })
			n := 0
			pr.store.set(func() {
				pr.store.after = func(domain.Token) error {
					if n++; n == 2 {
						return connectors.Errorf(connectors.Timeout, "no answer from the store")
					}
					return nil
				}
			})
			if err := callers(1, pr)[0].err; connectors.CodeOf(err) != connectors.Reauthorize || len(w.refused) != 1 {
				t.Errorf("got %v, told %d times", err, len(w.refused))
			}
		})
	})
}

// What the provider answered is stored, however long the store is away.
func TestStoreAwayWhilePersisting(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		pr := w.start()
		w.expire()
		w.p.set(func() {
			w.p.onSpent = func(*spending) {
				pr.store.set(func() { pr.store.fail = connectors.Errorf(connectors.Unavailable, "the disk is full") })
			}
		})
		unavailable(t, callers(20, pr), 10*time.Second)
		time.Sleep(time.Minute)
		pr.store.set(func() { pr.store.fail = nil })
		time.Sleep(2 * time.Second)
		w.sound()
		w.oneAnswer(callers(5, pr))
		w.spentOnce()
	})
}

func TestClose(t *testing.T) {
	away := connectors.Errorf(connectors.Unavailable, "the disk is full")
	t.Run("waits for what is under way", func(t *testing.T) {
		bubble(t, func(p *provider) { p.delay = 3 * time.Second }, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			go pr.Source(tenant, tokenID).Token(context.Background())
			time.Sleep(time.Second)
			if err := pr.Close(t.Context()); err != nil {
				t.Error(err)
			}
			w.sound()
			w.spentOnce()
			w.oneAnswer(callers(1, pr)) // what is stored can still be read
			w.expire()
			unavailable(t, callers(1, pr), 0)
			if err := pr.Close(t.Context()); err != nil {
				t.Errorf("again: %v", err)
			}
		})
	})
	t.Run("stores the answer when the store is back", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			w.p.set(func() { w.p.onSpent = func(*spending) { pr.store.set(func() { pr.store.fail = away }) } })
			go pr.Source(tenant, tokenID).Token(context.Background())
			time.Sleep(time.Second)
			time.AfterFunc(4*time.Second, func() { pr.store.set(func() { pr.store.fail = nil }) })
			if err := pr.Close(t.Context()); err != nil {
				t.Error(err)
			}
			w.sound()
		})
	})
	t.Run("gives up", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			w.p.set(func() { w.p.onSpent = func(*spending) { pr.store.set(func() { pr.store.fail = away }) } })
			go pr.Source(tenant, tokenID).Token(context.Background())
			time.Sleep(time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			start := time.Now()
			if err := pr.Close(ctx); connectors.CodeOf(err) != connectors.Unavailable || time.Since(start) != 3*time.Second {
				t.Errorf("got %v after %s", err, time.Since(start))
			}
		})
	})
	t.Run("does not try again", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			w.p.set(func() { w.p.down = true })
			go pr.Source(tenant, tokenID).Token(context.Background())
			time.Sleep(50 * time.Millisecond)
			start := time.Now()
			if err := pr.Close(t.Context()); err != nil || time.Since(start) > time.Second {
				t.Errorf("got %v after %s", err, time.Since(start))
			}
			if tok, _, _ := w.stored(); tok.Grant.Claim != nil || tok.Grant.SpentAt.IsZero() || w.p.count() != 1 {
				t.Errorf("got %+v after %d requests", *tok.Grant, w.p.count())
			}
		})
	})
	t.Run("does not wait for others", func(t *testing.T) {
		bubble(t, func(p *provider) { p.delay = 4 * time.Second }, func(t *testing.T, w *world) {
			a, b := w.start(), w.start()
			w.expire()
			go a.Source(tenant, tokenID).Token(context.Background())
			time.Sleep(100 * time.Millisecond)
			go b.Source(tenant, tokenID).Token(context.Background())
			time.Sleep(100 * time.Millisecond)
			start := time.Now()
			if err := b.Close(t.Context()); err != nil || time.Since(start) > 100*time.Millisecond {
				t.Errorf("got %v after %s", err, time.Since(start))
			}
		})
	})
}

func TestNewConsentWhileRefreshing(t *testing.T) {
	for name, down := range map[string]bool{"answer comes": false, "answer is lost": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, slow, func(t *testing.T, w *world) {
				pr := w.start()
				w.expire()
				var access, refresh string
				w.p.set(func() {
					w.p.down = down
					w.p.onSpent = func(*spending) {
						if access == "" {
							access, refresh = w.consent()
							time.Sleep(800 * time.Millisecond)
						}
					}
				})
				if got := w.oneAnswer(callers(5, pr)); got != access {
					t.Errorf("got %s, want the consent's %s", got, access)
				}
				if _, a, r := w.stored(); a != access || r != refresh {
					t.Errorf("%s %s is stored, want the consent's", a, r)
				}
				w.sound()
				w.spentOnce()
			})
		})
	}
}

func TestRefusal(t *testing.T) {
	t.Run("stops all callers", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			procs := []*process{w.start(), w.start(), w.start()}
			w.expire()
			w.p.set(func() { w.p.refresh[w.first.refresh].family.revoked = true })
			for range 2 {
				for _, r := range callers(20, procs...) {
					if connectors.CodeOf(r.err) != connectors.Reauthorize || !strings.Contains(r.err.Error(), "Unknown or invalid refresh token") {
						t.Fatalf("%s: got %v", r.process, r.err)
					}
				}
			}
			_, err := procs[0].Refresh(t.Context(), tenant, tokenID)
			_, _, nerr := procs[1].Source(tenant, tokenID).Newer(t.Context(), connectors.NewSecret(w.first.access), 401)
			if connectors.CodeOf(err) != connectors.Reauthorize || connectors.CodeOf(nerr) != connectors.Reauthorize {
				t.Errorf("got %v, %v", err, nerr)
			}
			if n := w.p.count(); n != 1 || len(w.refused) != 1 {
				t.Errorf("%d requests, told %v; want 1 of each", n, w.refused)
			}
			tok, _, refresh := w.stored()
			if tok.Grant.Refused == "" || tok.Grant.Claim != nil || !tok.DueAt.IsZero() || refresh != w.first.refresh {
				t.Errorf("got %+v, due %s", *tok.Grant, tok.DueAt)
			}
			access, _ := w.consent()
			if got := w.oneAnswer(callers(3, procs...)); got != access {
				t.Errorf("after a new consent: got %s", got)
			}
		})
	})
	t.Run("stops those with a token that has not expired", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			time.Sleep(time.Hour - 30*time.Second)
			w.p.set(func() { w.p.refresh[w.first.refresh].family.revoked = true })
			if err := callers(1, pr)[0].err; connectors.CodeOf(err) != connectors.Reauthorize {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("of a token that a consent replaced meanwhile", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			w.p.set(func() { w.p.refresh[w.first.refresh].family.revoked = true })
			var access string
			w.p.set(func() { w.p.onSpent = func(*spending) { access, _ = w.consent() } })
			if got := w.oneAnswer(callers(5, pr)); got != access {
				t.Errorf("got %s, want the consent's %s", got, access)
			}
			if len(w.refused) != 0 {
				t.Error("somebody was told of a refusal")
			}
			w.sound()
		})
	})
	t.Run("while the store is away", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			w.p.set(func() {
				w.p.refresh[w.first.refresh].family.revoked = true
				w.p.onSpent = func(*spending) {
					pr.store.set(func() { pr.store.fail = connectors.Errorf(connectors.Unavailable, "away") })
				}
			})
			got := callers(1, pr)[0]
			if code := connectors.CodeOf(got.err); code != connectors.Reauthorize && code != connectors.Unavailable || got.took > 10*time.Second {
				t.Errorf("got %v after %s", got.err, got.took)
			}
		})
	})
}

// Failures that spend nothing leave the grant as it was.
func TestNothingSpent(t *testing.T) {
	for name, tt := range map[string]struct {
		fault string
		code  connectors.Code
		text  string
	}{
		"refused connection": {"", connectors.Unavailable, "could not be asked"},
		"busy":               {fault503, connectors.Unavailable, "takes no requests for now"},
		"too many":           {fault429, connectors.RateLimited, "takes no requests for now"},
		"wrong app":          {faultApp, connectors.Unavailable, "ATLASSIAN_CLIENT_SECRET"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				pr := w.start()
				w.expire()
				before, _, _ := w.stored()
				w.p.set(func() {
					if w.p.dead = tt.fault == ""; !w.p.dead {
						w.p.faults = []string{tt.fault}
					}
				})
				for _, r := range callers(1, pr) {
					if connectors.CodeOf(r.err) != tt.code || !strings.Contains(r.err.Error(), tt.text) || r.took > time.Second {
						t.Fatalf("got %v after %s", r.err, r.took)
					}
				}
				tok, access, refresh := w.stored()
				if g := tok.Grant; g.Claim != nil || !g.SpentAt.IsZero() || g.Refused != "" || g.Generation != 1 || access != w.first.access || refresh != w.first.refresh {
					t.Errorf("got %+v", *g)
				}
				if !tok.DueAt.Equal(before.DueAt) {
					t.Errorf("due %s, was %s", tok.DueAt, before.DueAt)
				}
				w.p.set(func() { w.p.dead = false })
				w.oneAnswer(callers(5, pr)) // at once, although a pause has to pass
				w.sound()
				w.spentOnce()
			})
		})
	}
}

// A failure after a lost answer does not forget that one.
func TestOutageAfterLostAnswer(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		pr := w.start()
		w.expire()
		w.p.set(func() { w.p.faults = []string{faultLost, fault503, fault503} })
		unavailable(t, callers(1, pr), 5*time.Second)
		tok, _, _ := w.stored()
		spent := tok.Grant.SpentAt
		if spent.IsZero() || tok.DueAt.IsZero() || tok.DueAt.After(time.Now()) {
			t.Errorf("got %+v, due %s", *tok.Grant, tok.DueAt)
		}
		unavailable(t, callers(1, pr), 5*time.Second)
		if tok, _, _ := w.stored(); !tok.Grant.SpentAt.Equal(spent) {
			t.Errorf("first spent %s became %s", spent, tok.Grant.SpentAt)
		}
		w.oneAnswer(callers(1, pr))
		w.sound()
	})
}

// While the stored token is still good, no failure to refresh it early is anybody's failure, and nobody hammers a
// provider that is away.
func TestStillGood(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		pr := w.start()
		time.Sleep(time.Hour - 30*time.Second)
		w.p.set(func() { w.p.faults = slices.Repeat([]string{fault503}, 1000) })
		for range 100 {
			if got := w.oneAnswer(callers(10, pr)); got != w.first.access {
				t.Errorf("got %s", got)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := w.p.count(); n > 6 {
			t.Errorf("%d requests in a second, want a few", n)
		}
		w.p.set(func() { w.p.faults = nil })
		time.Sleep(3 * time.Second)
		if got := w.oneAnswer(callers(10, pr)); got == w.first.access {
			t.Error("it was not refreshed when the provider was back")
		}
		w.sound()
	})
}

// A caller with a token that is still good does not wait long for a better one.
func TestShortWaitWithGoodToken(t *testing.T) {
	bubble(t, func(p *provider) { p.delay = 4 * time.Second }, func(t *testing.T, w *world) {
		pr := w.start()
		time.Sleep(time.Hour - 30*time.Second)
		got := callers(5, pr)
		if access := w.oneAnswer(got); access != w.first.access || got[0].took != time.Second {
			t.Errorf("got %s after %s", access, got[0].took)
		}
		time.Sleep(4 * time.Second)
		if w.oneAnswer(callers(5, pr)) == w.first.access {
			t.Error("nobody finished the refresh")
		}
		w.spentOnce()
	})
	bubble(t, func(p *provider) { p.delay, p.ttl = 4*time.Second, 6*time.Second }, func(t *testing.T, w *world) {
		pr := w.start()
		time.Sleep(5500 * time.Millisecond)
		if got := w.oneAnswer(callers(5, pr)); got == w.first.access {
			t.Error("got a token that had expired while its caller waited")
		}
	})
}

// A provider that asks for a long wait gets it, and callers learn of it at once.
func TestAskedToWait(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		pr := w.start(func(o *Options) { o.Patience = 2 * time.Second })
		w.expire()
		w.p.set(func() { w.p.faults = []string{fault429} })
		callers(1, pr)
		got := callers(1, pr)[0]
		if connectors.CodeOf(got.err) != connectors.RateLimited || connectors.AsError(got.err).RetryAfter != 3*time.Second || got.took != 0 {
			t.Errorf("got %v after %s", got.err, got.took)
		}
		time.Sleep(3 * time.Second)
		w.oneAnswer(callers(1, pr))
	})
}

// Nothing is spent that could not be stored: the keys are tried first.
func TestKeysAreTriedFirst(t *testing.T) {
	for name, tune := range map[string]func(*Options){
		"no key":      func(o *Options) { o.KeyIDs = func() ([]string, error) { return nil, nil } },
		"failing":     func(o *Options) { o.KeyIDs = func() ([]string, error) { return nil, fmt.Errorf("gone") } },
		"cannot seal": func(o *Options) { o.Sealer = openOnly{o.Sealer} },
		"no app": func(o *Options) {
			o.Client = func(domain.Tenant, domain.Grant, connectors.Secret) (*Client, error) {
				return nil, connectors.Errorf(connectors.Unavailable, "no app")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				pr := w.start(tune)
				w.expire()
				if err := callers(1, pr)[0].err; err == nil || connectors.CodeOf(err) == connectors.Reauthorize {
					t.Errorf("got %v", err)
				}
				if tok, _, _ := w.stored(); w.p.count() != 0 || tok.Grant.Claim != nil || tok.Revision != 1 {
					t.Errorf("%d requests; %+v", w.p.count(), *tok.Grant)
				}
			})
		})
	}
}

type openOnly struct{ connectors.Sealer }

func (openOnly) Seal(string, []byte) (string, error) {
	return "", connectors.Errorf(connectors.Internal, "sealing failed")
}

// A record that does not open is our own fault, never a reason for a new consent.
func TestForeignSeal(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		pr := w.start()
		w.change(func(tok *domain.Token) {
			tok.Sealed, _ = secret.SealFields(w.keeper, "other", tok.ID, map[string]connectors.Secret{})
		})
		if err := callers(1, pr)[0].err; connectors.CodeOf(err) != connectors.Internal {
			t.Errorf("got %v", err)
		}
	})
}
