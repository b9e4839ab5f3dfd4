package oauth

import (
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

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
	t.Run("of a token that is new, once it is known", func(t *testing.T) {
		bubble(t, slow, func(t *testing.T, w *world) {
			pr := w.start()
			w.p.set(func() { w.p.refresh[w.first.refresh].family.revoked = true })
			_, err := pr.Refresh(t.Context(), tenant, tokenID)
			got := callers(1, pr)[0].err
			if connectors.CodeOf(err) != connectors.Reauthorize || connectors.CodeOf(got) != connectors.Reauthorize {
				t.Errorf("got %v, %v", err, got)
			}
		})
	})
	t.Run("of whoever lost its claim", func(t *testing.T) {
		bubble(t, func(p *provider) { p.lenient = true }, func(t *testing.T, w *world) {
			a, b := w.start(), w.start()
			w.expire()
			w.p.set(func() {
				w.p.faults = []string{faultTardy} // and by then the other one has spent, and waits for its answer
				w.p.onSpent = func(s *spending) {
					if s.process == b.name {
						time.Sleep(4 * time.Second)
					}
				}
			})
			a.stallAfterClaim(3500 * time.Millisecond)
			go callers(1, a)
			time.Sleep(50 * time.Millisecond)
			w.oneAnswer(callers(5, b))
			time.Sleep(10 * time.Second)
			w.sound()
			if len(w.refused) != 0 || !w.p.seen()[0].refused {
				t.Errorf("told %v of a refusal; refused: %v", w.refused, w.p.seen()[0].refused)
			}
		})
	})
	t.Run("after a late answer was stored", func(t *testing.T) {
		bubble(t, func(p *provider) { p.lenient = true }, func(t *testing.T, w *world) {
			a, b := w.start(), w.start()
			w.expire()
			w.p.set(func() { w.p.faults = []string{"", faultTardy} })
			a.stallAfterClaim(3500 * time.Millisecond)
			go callers(1, a)
			time.Sleep(50 * time.Millisecond)
			w.oneAnswer(callers(5, b))
			w.sound()
			if len(w.refused) != 0 || !w.p.seen()[1].refused {
				t.Errorf("told %v of a refusal; refused: %v", w.refused, w.p.seen()[1].refused)
			}
		})
	})
	t.Run("is told once", func(t *testing.T) {
		bubble(t, nil, func(t *testing.T, w *world) {
			a, b := w.start(), w.start()
			w.expire()
			w.p.set(func() { w.p.faults, w.p.refresh[w.first.refresh].family.revoked = []string{faultTardy}, true })
			a.stallAfterClaim(3500 * time.Millisecond)
			go callers(1, a)
			time.Sleep(50 * time.Millisecond)
			callers(5, b)
			time.Sleep(10 * time.Second)
			if len(w.refused) != 1 || w.p.count() != 2 {
				t.Errorf("told %v after %d requests", w.refused, w.p.count())
			}
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
			if code := connectors.CodeOf(got.err); code != connectors.Reauthorize && code != connectors.Unavailable && code != connectors.ProviderError || got.took > 10*time.Second {
				t.Errorf("got %v after %s", got.err, got.took)
			}
		})
	})
}
