package oauth

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/secret"
)

// watch observes another's claim by this machine's monotonic clock alone.
type watch struct {
	fence int64
	claim domain.Claim
	since time.Time
}

// dead reports whether the grant's claim has not changed for a term.
func (w *watch) dead(g domain.Grant, term time.Duration) bool {
	if w.since.IsZero() || w.fence != g.Fence || w.claim != *g.Claim {
		*w = watch{g.Fence, *g.Claim, time.Now()}
	}
	return time.Since(w.since) >= term
}

// hold is a claim that this process holds on a grant.
type hold struct {
	m       *Manager
	client  *Client
	live    live      // the grant as it was when the claim was taken: its refresh token is the one to spend
	attempt string    // tells our claim from every other
	before  time.Time // SpentAt without us
	began   time.Time

	mu    sync.Mutex
	tok   domain.Token // the record as we last knew it
	alive time.Time    // when the last write of ours that got through began
	lost  bool
}

// take writes a claim on the grant, before its refresh token is spent. It returns nil when somebody else changed the
// record first.
func (m *Manager) take(ctx context.Context, l live) (*hold, error) {
	client, err := m.o.Client(l.Tenant, *l.Grant, l.secrets[FieldSecret])
	if err != nil {
		return nil, err
	}
	// An answer that cannot be sealed is lost: that has to show before.
	if _, _, err := m.seal(l.Token, l.secrets); err != nil {
		return nil, err
	}
	h := &hold{m: m, client: client, live: l, attempt: rand.Text(), before: l.Grant.SpentAt, began: time.Now(), tok: clone(l.Token)}
	h.alive = h.began
	if c := l.Grant.Claim; c != nil {
		m.o.Log.WarnContext(ctx, "a claim on a grant is taken over", "tenant_id", l.Tenant, "token", l.ID, "owner", c.Owner, "fence", l.Grant.Fence)
	}
	g := h.tok.Grant
	g.Fence++
	g.Claim = &domain.Claim{Owner: m.o.Owner, Attempt: h.attempt}
	if g.SpentAt.IsZero() {
		g.SpentAt = m.o.Now().UTC()
	}
	h.tok.DueAt = DueAt(client.App.Provider, *g)
	err = m.write(ctx, &h.tok)
	if err == nil {
		return h, nil
	}
	// The write may have got through although its answer did not.
	tok, rerr := m.read(ctx, l.Tenant, l.ID)
	switch {
	case rerr == nil && h.owns(tok):
		h.tok = tok
		return h, nil
	case connectors.CodeOf(err) == connectors.Conflict:
		return nil, nil
	}
	return nil, err
}

// owns reports whether the record carries our claim.
func (h *hold) owns(tok domain.Token) bool {
	return tok.Grant != nil && tok.Grant.Claim != nil && tok.Grant.Claim.Attempt == h.attempt
}

// keep renews the claim until the function that it returns is called.
func (h *hold) keep(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(h.m.life, cancel)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleep(ctx, h.m.o.Beat) == nil && h.renew(ctx) {
		}
	}()
	return func() {
		unhook()
		cancel()
		<-done
	}
}

// renew makes the claim beat once. It returns false when the claim is not ours any more. A store that is away is no
// reason to give it up.
func (h *hold) renew(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, h.m.o.Term)
	defer cancel()
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.lost {
		began := time.Now()
		tok := clone(h.tok)
		tok.Grant.Claim.Beat++
		err := h.m.write(ctx, &tok)
		if err == nil {
			h.tok, h.alive = tok, began
			return true
		}
		if tok, err = h.m.read(ctx, tok.Tenant, tok.ID); err != nil {
			h.lost = connectors.CodeOf(err) == connectors.NotFound
			return !h.lost
		}
		h.lost = !h.owns(tok)
		if !h.lost && tok.Revision == h.tok.Revision {
			return true // the write failed for a reason other than a conflict
		}
		if !h.lost {
			h.tok = tok
		}
	}
	return false
}

// sure reports whether nobody can have taken the claim over: it beat less than half a term ago, or does now.
func (h *hold) sure(ctx context.Context) bool {
	h.mu.Lock()
	lost, fresh := h.lost, time.Since(h.alive) < h.m.o.Term/2
	h.mu.Unlock()
	if lost || fresh {
		return !lost
	}
	if !h.renew(ctx) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.lost && time.Since(h.alive) < h.m.o.Term/2
}

// record returns the record as we last knew it.
func (h *hold) record() domain.Token {
	h.mu.Lock()
	defer h.mu.Unlock()
	return clone(h.tok)
}

// release gives the claim up after a spend that brought nothing. spentAt is since when an answer is missing, zero for
// none. What cannot be written is left: an abandoned claim is taken over.
func (h *hold) release(ctx context.Context, spentAt time.Time) {
	ctx, cancel := h.m.within(ctx, h.m.life, h.m.o.Term)
	defer cancel()
	for tok := h.record(); h.owns(tok); {
		g := tok.Grant
		g.Claim = nil
		if g.Generation == h.live.Grant.Generation {
			g.SpentAt = spentAt
		}
		tok.DueAt = DueAt(h.client.App.Provider, *g)
		if !g.SpentAt.IsZero() {
			tok.DueAt = h.m.o.Now().UTC()
		}
		err := h.m.write(ctx, &tok)
		if err == nil {
			return
		}
		if tok, err = h.reread(ctx, connectors.CodeOf(err) == connectors.Conflict); err != nil {
			h.m.o.Log.WarnContext(ctx, "a claim on a grant was not given up", "token", h.live.ID, "error", err)
			return
		}
	}
}

// reread reads the record until the store answers; at once says that the first time needs no wait.
func (h *hold) reread(ctx context.Context, atOnce bool) (domain.Token, error) {
	for wait := h.m.o.Poll; ; wait = min(2*wait, time.Second) {
		if !atOnce {
			if err := sleep(ctx, wait); err != nil {
				return domain.Token{}, err
			}
		}
		atOnce = false
		tok, err := h.m.read(ctx, h.live.Tenant, h.live.ID)
		if err == nil || connectors.CodeOf(err) == connectors.NotFound || ctx.Err() != nil {
			return tok, err
		}
	}
}

// seal seals secrets for a record with the key that seals today.
func (m *Manager) seal(tok domain.Token, secrets map[string]connectors.Secret) (sealed, keyID string, err error) {
	ids, err := m.o.KeyIDs()
	if err != nil {
		return "", "", err
	}
	if len(ids) == 0 {
		return "", "", connectors.Errorf(connectors.Internal, "there is no key to seal with")
	}
	sealed, err = secret.SealFields(m.o.Sealer, string(tok.Tenant), tok.ID, secrets)
	return sealed, ids[0], err
}

// clone returns a record that shares nothing with tok that is changed here.
func clone(tok domain.Token) domain.Token {
	g := *tok.Grant
	if g.Claim != nil {
		c := *g.Claim
		g.Claim = &c
	}
	g.Scopes = slices.Clone(g.Scopes)
	tok.Grant = &g
	return tok
}

// with returns secrets with what an answer brought.
func with(secrets map[string]connectors.Secret, a Answer) map[string]connectors.Secret {
	out := maps.Clone(secrets)
	out[FieldAccess] = a.Access
	if !a.Refresh.IsZero() {
		out[FieldRefresh] = a.Refresh
	}
	return out
}
