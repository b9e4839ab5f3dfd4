package oauth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/secret"
)

// Failures that spend nothing leave the grant as it was.
func TestNothingSpent(t *testing.T) {
	for name, tt := range map[string]struct {
		fault string
		code  connectors.Code
		text  string
	}{
		"refused connection": {"", connectors.ProviderError, "could not be asked"},
		"busy":               {fault503, connectors.ProviderError, "takes no requests for now"},
		"too many":           {fault429, connectors.RateLimited, "takes no requests for now"},
		"wrong app":          {faultApp, connectors.ProviderError, "ATLASSIAN_CLIENT_SECRET"},
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

// Whoever gives up a claim gives up its own only, and does so whoever else writes the record meanwhile.
func TestGivingUpAClaim(t *testing.T) {
	t.Run("not another's", func(t *testing.T) {
		bubble(t, func(p *provider) { p.delay = 4 * time.Second }, func(t *testing.T, w *world) {
			a, b, c := w.start(), w.start(), w.start()
			w.expire()
			w.p.set(func() { w.p.faults = []string{faultLate} })
			a.stallAfterClaim(3500 * time.Millisecond)
			go callers(1, a)
			time.Sleep(50 * time.Millisecond)
			go callers(1, b)
			time.Sleep(3800 * time.Millisecond)
			w.oneAnswer(callers(5, c))
			w.spentOnce()
			w.sound()
		})
	})
	t.Run("in spite of a conflict", func(t *testing.T) {
		bubble(t, nil, func(t *testing.T, w *world) {
			pr := w.start()
			w.expire()
			w.p.set(func() { w.p.faults = []string{fault503} })
			n := 0
			pr.store.set(func() {
				pr.store.before = func(domain.Token) {
					if n++; n == 2 {
						w.change(func(tok *domain.Token) { w.seal(tok, w.first.access, w.first.refresh) })
					}
				}
			})
			unavailable(t, callers(1, pr), time.Second)
			if tok, _, _ := w.stored(); tok.Grant.Claim != nil {
				t.Error("the claim is still held")
			}
		})
	})
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

// A provider that is away is asked again ever more rarely, and as soon as at first once it had been back.
func TestPauses(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		pr := w.start()
		w.expire()
		w.p.set(func() { w.p.dead = true })
		start := time.Now()
		for range 10 {
			unavailable(t, callers(100, pr), 2*time.Second)
		}
		if took := time.Since(start); took < 10*time.Second || took > 20*time.Second {
			t.Errorf("ten attempts took %s", took)
		}
		w.p.set(func() { w.p.dead = false })
		w.oneAnswer(callers(1, pr))
		w.p.set(func() { w.p.faults = []string{fault503} })
		_, first := pr.Refresh(t.Context(), tenant, tokenID)
		start = time.Now()
		_, second := pr.Refresh(t.Context(), tenant, tokenID)
		if took := time.Since(start); connectors.CodeOf(first) != connectors.ProviderError || second != nil || took != shortestPause {
			t.Errorf("after one failure (%v): %v after %s, want %s", first, second, took, shortestPause)
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
				return nil, connectors.Errorf(connectors.ProviderError, "no app")
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
