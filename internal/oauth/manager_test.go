package oauth

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// bubble runs a test in virtual time.
func bubble(t *testing.T, setup func(p *provider), f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup)
		defer w.close()
		f(t, w)
		for _, s := range w.p.seen() {
			for _, canary := range []string{s.token, canarySecret} {
				if strings.Contains(w.log.String(), canary) {
					t.Errorf("the log shows %q", canary)
				}
			}
		}
	})
}

func slow(p *provider) { p.delay = 20 * time.Millisecond }

func TestOneSpendForAll(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		procs := []*process{w.start(), w.start(), w.start()}
		for range 5 {
			w.expire()
			_, before, _ := w.stored()
			if got := w.oneAnswer(callers(50, procs...)); got == before {
				t.Error("got the expired token")
			}
			w.sound()
		}
		w.spentOnce()
		if got := w.p.count(); got != 5 {
			t.Errorf("%d requests, want 5", got)
		}
		if tok, _, _ := w.stored(); tok.Grant.Generation != 6 || tok.Grant.Fence != 5 {
			t.Errorf("got generation %d, fence %d", tok.Grant.Generation, tok.Grant.Fence)
		}
	})
}

func TestWhenToRefresh(t *testing.T) {
	for name, tt := range map[string]struct {
		ttl, left time.Duration
		want      int
	}{
		"an hour, fresh":               {time.Hour, time.Hour, 0},
		"an hour, more than a minute":  {time.Hour, 61 * time.Second, 0},
		"an hour, a minute":            {time.Hour, time.Minute, 1},
		"an hour, over":                {time.Hour, 0, 1},
		"four seconds, more than one":  {4 * time.Second, 1001 * time.Millisecond, 0},
		"four seconds, one":            {4 * time.Second, time.Second, 1},
		"two minutes, more than 30 s":  {2 * time.Minute, 31 * time.Second, 0},
		"two minutes, less than 30 s":  {2 * time.Minute, 29 * time.Second, 1},
		"two minutes, nothing is left": {2 * time.Minute, -time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(p *provider) { p.ttl = tt.ttl }, func(t *testing.T, w *world) {
				pr := w.start()
				time.Sleep(tt.ttl - tt.left)
				got := w.oneAnswer(callers(1, pr))
				if n := w.p.count(); n != tt.want || (got == w.first.access) != (tt.want == 0) {
					t.Errorf("%d requests, want %d; got the stored token: %v", n, tt.want, got == w.first.access)
				}
			})
		})
	}
}

func TestNewer(t *testing.T) {
	const stored, other = "", "some other token"
	for name, tt := range map[string]struct {
		refused string
		status  int
		age     time.Duration
		noRT    bool
		ok      bool
		spends  int
	}{
		"401 of the stored":                 {stored, 401, 10 * time.Second, false, true, 1},
		"401 of the stored, just given":     {stored, 401, 10*time.Second - 1, false, false, 0},
		"401 of another":                    {other, 401, 0, false, true, 0},
		"401 of another, stored expired":    {other, 401, time.Hour, false, true, 1},
		"401 without refresh token":         {stored, 401, 0, true, false, 0},
		"401 of another without refresh":    {other, 401, 0, true, true, 0},
		"403 of the stored":                 {stored, 403, 0, false, false, 0},
		"403 shortly before its expiry":     {stored, 403, time.Hour - 1, false, false, 0},
		"403 of the stored, expired":        {stored, 403, time.Hour, false, true, 1},
		"404 of the stored":                 {stored, 404, 0, false, false, 0},
		"404 of the stored, expired":        {stored, 404, time.Hour, false, true, 1},
		"403 of another":                    {other, 403, 0, false, true, 0},
		"404 of another":                    {other, 404, 0, false, true, 0},
		"404 of the stored, expired, alone": {stored, 404, time.Hour, true, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, slow, func(t *testing.T, w *world) {
				if tt.noRT {
					w.change(func(tok *domain.Token) { w.seal(tok, w.first.access, "") })
				}
				time.Sleep(tt.age)
				if tt.refused == stored {
					tt.refused = w.first.access
				}
				got, ok, err := w.start().Source(tenant, tokenID).Newer(t.Context(), connectors.NewSecret(tt.refused), tt.status)
				if err != nil || ok != tt.ok || ok && (!w.p.alive(got.Reveal()) || got.Reveal() == tt.refused) || !ok && !got.IsZero() {
					t.Errorf("got %q %v %v, want %v", got.Reveal(), ok, err, tt.ok)
				}
				if n := w.p.count(); n != tt.spends {
					t.Errorf("%d requests, want %d", n, tt.spends)
				}
			})
		})
	}
}

func TestManyRefusedOnceRefreshed(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		procs := []*process{w.start(), w.start()}
		time.Sleep(justGiven)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				got, ok, err := procs[i%2].Source(tenant, tokenID).Newer(t.Context(), connectors.NewSecret(w.first.access), 401)
				if err != nil || !ok || !w.p.alive(got.Reveal()) {
					t.Errorf("got %v %v", ok, err)
				}
			})
		}
		wg.Wait()
		if n := w.p.count(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

func TestRefreshNow(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		var wg sync.WaitGroup
		for _, pr := range []*process{a, a, b} {
			wg.Go(func() {
				tok, err := pr.Refresh(t.Context(), tenant, tokenID)
				if err != nil || tok.Grant.Generation != 2 || !tok.ExpiresAt.Equal(time.Now().Add(time.Hour).Truncate(time.Hour)) && time.Until(tok.ExpiresAt) < 59*time.Minute {
					t.Errorf("got %+v %v", tok.Grant, err)
				}
			})
		}
		wg.Wait()
		if n := w.p.count(); n != 1 {
			t.Errorf("%d requests for refreshes at once, want 1", n)
		}
		if _, err := b.Refresh(t.Context(), tenant, tokenID); err != nil || w.p.count() != 2 {
			t.Errorf("the next one: %v, %d requests in all, want 2", err, w.p.count())
		}
		w.sound()
		w.spentOnce()
	})
}

func TestNoRefreshToken(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.change(func(tok *domain.Token) { w.seal(tok, w.first.access, "") })
		pr := w.start()
		if _, err := pr.Refresh(t.Context(), tenant, tokenID); connectors.CodeOf(err) != connectors.Unsupported {
			t.Errorf("refresh: got %v", err)
		}
		time.Sleep(time.Hour - time.Second)
		if got := w.oneAnswer(callers(1, pr)); got != w.first.access {
			t.Errorf("shortly before its end: got %s", got)
		}
		time.Sleep(time.Second)
		if got := callers(1, pr)[0].err; connectors.CodeOf(got) != connectors.Reauthorize {
			t.Errorf("after its end: got %v", got)
		}
		if w.p.count() != 0 {
			t.Error("the provider was asked")
		}
	})
}

func TestOtherCredentials(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		pr := w.start()
		w.store.toks["tok_2"] = domain.Token{Meta: domain.Meta{Tenant: tenant, Revision: 1}, ID: "tok_2", Kind: "api_key"}
		for id, want := range map[string]connectors.Code{"tok_2": connectors.Unsupported, "tok_3": connectors.NotFound} {
			_, err := pr.Refresh(t.Context(), tenant, id)
			_, terr := pr.Source(tenant, id).Token(t.Context())
			_, _, nerr := pr.Source(tenant, id).Newer(t.Context(), connectors.Secret{}, 401)
			if connectors.CodeOf(err) != want || connectors.CodeOf(terr) != want || connectors.CodeOf(nerr) != want {
				t.Errorf("%s: got %v, %v, %v, want %s", id, err, terr, nerr, want)
			}
		}
		if _, err := pr.Refresh(t.Context(), "other", tokenID); connectors.CodeOf(err) != connectors.NotFound {
			t.Errorf("another tenant: got %v", err)
		}
		if err := pr.KeepAlive(t.Context(), domain.Token{Meta: domain.Meta{Tenant: tenant}, ID: "tok_3"}); err != nil {
			t.Errorf("keeping alive what is gone: %v", err)
		}
	})
}

func TestCallerLeaves(t *testing.T) {
	bubble(t, func(p *provider) { p.delay = 3 * time.Second }, func(t *testing.T, w *world) {
		pr := w.start()
		w.expire()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := pr.Source(tenant, tokenID).Token(ctx)
		if connectors.CodeOf(err) != connectors.Timeout || time.Since(start) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
		if got := w.oneAnswer(callers(1, pr)); got == w.first.access {
			t.Error("the refresh ended with its caller")
		}
		w.sound()
		w.spentOnce()
	})
}

// Whoever waits for another process does not depend on the caller who was first to wait.
func TestFirstWaiterLeaves(t *testing.T) {
	bubble(t, func(p *provider) { p.delay = 4 * time.Second }, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		w.expire()
		go callers(1, a)
		time.Sleep(100 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go b.Source(tenant, tokenID).Token(ctx)
		time.Sleep(100 * time.Millisecond)
		w.oneAnswer(callers(5, b))
		w.spentOnce()
	})
}

func TestWithoutRotation(t *testing.T) {
	bubble(t, func(p *provider) { p.def, p.rotates = salesforce(), false }, func(t *testing.T, w *world) {
		pr := w.start()
		if got := w.oneAnswer(callers(3, pr)); got != w.first.access {
			t.Error("a token of unknown expiry was refreshed without reason")
		}
		tok, err := pr.Refresh(t.Context(), tenant, tokenID)
		if err != nil {
			t.Fatal(err)
		}
		stored, access, refresh := w.stored()
		if refresh != w.first.refresh || access == w.first.access || stored.Grant.API != "https://new.example.com" {
			t.Errorf("got refresh token %s, access token %s, API %s", refresh, access, stored.Grant.API)
		}
		if want := time.Unix(w.p.expires[access].Unix(), 0); !tok.ExpiresAt.Equal(want) || !stored.ExpiresAt.Equal(want) || w.p.introspections != 1 {
			t.Errorf("expires %s, stored %s, want %s; asked %d times", tok.ExpiresAt, stored.ExpiresAt, want, w.p.introspections)
		}
		if len(stored.Grant.Scopes) != 1 || stored.Grant.Scopes[0] != "api" {
			t.Errorf("got scopes %v", stored.Grant.Scopes)
		}
	})
}

func TestKeepAlive(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		pr, third := w.start(), 30*24*time.Hour
		tok, _, _ := w.stored()
		time.Sleep(third - time.Second)
		if err := pr.KeepAlive(t.Context(), tok); err != nil || w.p.count() != 0 {
			t.Errorf("before it is due: %v, %d requests", err, w.p.count())
		}
		time.Sleep(time.Minute)
		w.p.set(func() { w.p.dead = true })
		if err := pr.KeepAlive(t.Context(), tok); connectors.CodeOf(err) != connectors.ProviderError {
			t.Errorf("while the provider is away: %v", err)
		}
		if put, _, _ := w.stored(); !put.DueAt.Equal(time.Now()) {
			t.Errorf("a grant that failed is due at %s, want now, behind others", put.DueAt)
		}
		w.p.set(func() { w.p.dead = false })
		time.Sleep(time.Minute)
		var wg sync.WaitGroup
		for _, pr := range []*process{pr, pr, w.start()} {
			wg.Go(func() {
				if err := pr.KeepAlive(t.Context(), tok); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := w.p.count(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
		if tok, _, _ = w.stored(); !tok.DueAt.Equal(tok.Grant.RefreshedAt.Add(third)) || time.Since(tok.Grant.RefreshedAt) > time.Second {
			t.Errorf("refreshed %s, due again %s", tok.Grant.RefreshedAt, tok.DueAt)
		}
		w.sound()
	})
}

func TestDueAndDies(t *testing.T) {
	p, at := atlassian(), testNow
	never := *p
	never.IdleLimit = 0
	for name, tt := range map[string]struct {
		provider *connectors.OAuthProvider
		grant    domain.Grant
		due      time.Time
		dies     time.Time
	}{
		"idle limit":   {p, domain.Grant{RefreshedAt: at}, at.Add(30 * 24 * time.Hour), at.Add(90 * 24 * time.Hour)},
		"spent":        {p, domain.Grant{RefreshedAt: at, SpentAt: at.Add(time.Hour)}, at.Add(time.Hour), at.Add(90 * 24 * time.Hour)},
		"refused":      {p, domain.Grant{RefreshedAt: at, SpentAt: at, Refused: "x"}, time.Time{}, at.Add(90 * 24 * time.Hour)},
		"never":        {&never, domain.Grant{RefreshedAt: at}, time.Time{}, time.Time{}},
		"never, spent": {&never, domain.Grant{RefreshedAt: at, SpentAt: at}, at, time.Time{}},
	} {
		if due, dies := DueAt(tt.provider, tt.grant), DiesAt(tt.provider, tt.grant); !due.Equal(tt.due) || !dies.Equal(tt.dies) {
			t.Errorf("%s: got %s, %s, want %s, %s", name, due, dies, tt.due, tt.dies)
		}
	}
}

func TestGrantKey(t *testing.T) {
	if got := GrantKey("atlassian", "c", ""); got != "" {
		t.Errorf("without an account: got %q", got)
	}
	seen := map[string]bool{}
	for _, parts := range [][3]string{{"a", "b", "c"}, {"a", "b/c", "c"}, {"a/b", "c", "c"}, {"a", "b", "c/c"}, {"a", "bc", "c"}, {"a", "b", "/c/c"}} {
		seen[GrantKey(parts[0], parts[1], parts[2])] = true
	}
	if len(seen) != 6 {
		t.Errorf("got %d different keys: %v", len(seen), seen)
	}
}
