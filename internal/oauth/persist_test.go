package oauth

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

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
