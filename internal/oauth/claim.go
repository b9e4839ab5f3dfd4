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
	before  time.Time // since when an answer is missing, as far as that is not yet known of our own spend
	spentAt time.Time // the same once our own is missing
	began   time.Time

	turn chan struct{} // taken by whoever renews

	mu    sync.Mutex
	tok   domain.Token // the record as we last knew it
	alive time.Time    // when the last write of ours that got through began
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
	h := &hold{
		m: m, client: client, live: l, attempt: rand.Text(), before: l.Grant.SpentAt, began: time.Now(), tok: clone(l.Token),
		turn: make(chan struct{}, 1),
	}
	h.alive = h.began
	g := h.tok.Grant
	g.Fence++
	g.Claim = &domain.Claim{Owner: m.o.Owner, Attempt: h.attempt}
	if g.SpentAt.IsZero() {
		g.SpentAt = m.o.Now().UTC()
	}
	h.spentAt = g.SpentAt
	h.tok.DueAt = DueAt(client.App.Provider, *g)
	err = m.write(ctx, &h.tok)
	if err == nil {
		h.tell(ctx)
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

// tell logs that the claim was another's, who let it die.
func (h *hold) tell(ctx context.Context) {
	if c := h.live.Grant.Claim; c != nil {
		h.m.o.Log.WarnContext(ctx, "a claim on a grant was taken over", "tenant_id", h.live.Tenant, "token", h.live.ID, "owner", c.Owner, "fence", h.live.Grant.Fence)
	}
}

// owns reports whether the record carries our claim.
func (h *hold) owns(tok domain.Token) bool {
	return tok.Grant != nil && tok.Grant.Claim != nil && tok.Grant.Claim.Attempt == h.attempt
}

// keep renews the claim until the function that it returns is called.
func (h *hold) keep(ctx context.Context) (stop func()) {
	ctx, cancel := h.m.during(ctx, h.m.life)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleep(ctx, h.m.o.Beat) == nil && h.renew(ctx) {
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// renew makes the claim beat once. It returns false when the claim is not ours any more. A store that is away is no
// reason to give it up.
func (h *hold) renew(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, h.m.o.Term)
	defer cancel()
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	for {
		tok, began := h.record(), time.Now()
		if !h.owns(tok) {
			return false
		}
		tok.Grant.Claim.Beat++
		err := h.m.write(ctx, &tok)
		if err == nil {
			h.know(tok, began)
			return true
		}
		now, err := h.m.read(ctx, tok.Tenant, tok.ID)
		switch {
		case connectors.CodeOf(err) == connectors.NotFound:
			h.know(domain.Token{Meta: tok.Meta, ID: tok.ID}, time.Time{})
			return false
		case err != nil, now.Revision == tok.Revision: // the store is away, or was when we wrote
			return true
		}
		h.know(now, time.Time{})
	}
}

// know remembers the record as it is now, and since when it was surely seen alive if alive is set.
func (h *hold) know(tok domain.Token, alive time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tok = tok
	if !alive.IsZero() {
		h.alive = alive
	}
}

// sure reports whether the refresh token may be sent: nobody can have taken the claim over, because it beat well within
// the term or does so now, and nobody has stored a newer token.
func (h *hold) sure(ctx context.Context) bool {
	if h.fresh() {
		return true
	}
	return h.renew(ctx) && h.fresh()
}

func (h *hold) fresh() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.owns(h.tok) && time.Since(h.alive) < h.m.o.Term*3/4 && h.tok.Grant.Generation == h.live.Grant.Generation
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
	if tok.Grant == nil {
		return tok
	}
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
