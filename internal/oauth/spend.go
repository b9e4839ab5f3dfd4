package oauth

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// The waits before the same refresh token is sent again because its answer was lost.
const (
	shortestRetry = 100 * time.Millisecond
	longestRetry  = 2 * time.Second
)

// spend sends the refresh token, and stores what comes of it. again says that somebody else has changed the grant: it
// has to be read anew.
//
// While nobody can tell whether the token was used, the same one is sent again: within its reuse window a provider
// answers once more. That goes on in this flight while callers have patience, and later with whoever comes next.
func (h *hold) spend(ctx context.Context) (l live, again bool, err error) {
	ctx = context.WithoutCancel(ctx)
	stop := h.keep(ctx)
	defer stop()
	for wait := shortestRetry; ; wait = min(2*wait, longestRetry) {
		if !h.sure(ctx) {
			stop()
			h.release(ctx, h.before)
			return live{}, true, nil
		}
		asked := h.m.o.Now().UTC()
		a, err := h.call(ctx)
		kind := FailureOf(err)
		switch {
		case err == nil:
			stop()
			l, err := h.keepAnswer(ctx, a, asked)
			return l, false, err
		case kind == Refused:
			stop()
			return h.refused(ctx, err)
		case kind == Ambiguous:
			h.before = h.spentAt
			h.m.o.Log.WarnContext(ctx, "the answer to a refresh was lost", "tenant_id", h.live.Tenant, "token", h.live.ID, "error", err)
			if time.Since(h.began)+wait < h.m.o.Patience && h.pause(ctx, wait) {
				continue
			}
		}
		stop()
		h.release(ctx, h.before)
		return live{}, false, err
	}
}

// pause waits before the next try; false says that there is none.
func (h *hold) pause(ctx context.Context, d time.Duration) bool {
	ctx, cancel := h.m.within(ctx, h.m.open, h.m.o.Patience)
	defer cancel()
	return sleep(ctx, d) == nil
}

// call makes one call to the token endpoint. It does not end with whoever waits for it.
func (h *hold) call(ctx context.Context) (Answer, error) {
	ctx, cancel := h.m.within(ctx, h.m.life, h.m.o.CallTimeout)
	defer cancel()
	return h.client.Refresh(ctx, h.live.refresh())
}

// keepAnswer stores what the provider gave, before anything else happens, and for as long as the process lives. Where
// somebody stored a newer token meanwhile, that one counts.
func (h *hold) keepAnswer(ctx context.Context, a Answer, asked time.Time) (live, error) {
	secrets := with(h.live.secrets, a)
	ctx, cancel := h.m.during(ctx, h.m.life)
	defer cancel()
	for cur := h.record(); ; {
		if cur.Grant == nil {
			return live{}, connectors.Errorf(connectors.NotFound, "the credential was replaced while it was refreshed")
		}
		if h.superseded(cur) {
			return h.m.unseal(cur)
		}
		next, err := h.answered(cur, a, asked, secrets)
		if err == nil {
			err = h.m.writeWithin(ctx, &next)
		}
		if err == nil {
			return live{next, secrets}, nil
		}
		read, rerr := h.reread(ctx, connectors.CodeOf(err) == connectors.Conflict)
		switch {
		case connectors.CodeOf(rerr) == connectors.NotFound:
			return live{}, rerr
		case rerr != nil:
			return live{}, h.m.unstored(ctx, h.live, err)
		}
		cur = read // if that write got through after all, it is our own that supersedes
	}
}

// superseded reports whether the record holds something newer than what this claim's spend brought: a new consent, or a
// refresh by whoever claimed the grant after us. An answer to a claim before ours, which came late and left our claim in
// place, is older than ours.
func (h *hold) superseded(cur domain.Token) bool {
	return cur.Grant.Generation > h.live.Grant.Generation && !h.owns(cur)
}

// answered returns the record with what the provider gave. A claim that somebody else holds by now stays.
func (h *hold) answered(cur domain.Token, a Answer, asked time.Time, secrets map[string]connectors.Secret) (domain.Token, error) {
	next := clone(cur)
	g := next.Grant
	if h.owns(cur) {
		g.Claim = nil
	}
	g.Generation++
	g.RefreshedAt, g.SpentAt, g.Refused = asked, time.Time{}, ""
	if a.Scopes != nil {
		g.Scopes = a.Scopes
	}
	if a.API != "" {
		g.API = a.API
	}
	next.ExpiresAt, next.DueAt = a.ExpiresAt, DueAt(h.client.App.Provider, *g)
	var err error
	next.Sealed, next.KeyID, err = h.m.seal(cur, secrets)
	return next, err
}

// unstored counts an answer that the process could not store before its end.
func (m *Manager) unstored(ctx context.Context, l live, err error) error {
	m.mu.Lock()
	m.unkept++
	m.mu.Unlock()
	m.o.Log.ErrorContext(ctx, "a refreshed token could not be stored", "tenant_id", l.Tenant, "token", l.ID, "error", err)
	return connectors.Wrap(connectors.Unavailable, err, "a refreshed token could not be stored before the end")
}

// refused ends the grant that the provider refused, unless somebody has stored a newer token or spends in our place.
func (h *hold) refused(ctx context.Context, refusal error) (live, bool, error) {
	base := ctx
	ctx, cancel := h.m.within(ctx, h.m.life, h.m.o.Patience)
	defer cancel()
	reason := connectors.AsError(refusal).Message
	if !h.before.IsZero() {
		reason += "; it was sent first at " + h.before.UTC().Format(time.RFC3339) + ", and the answer was lost"
	}
	unsure := false
	for atOnce := true; ; {
		cur, err := h.reread(ctx, atOnce)
		switch {
		case err != nil:
			return live{}, false, refusedError(reason)
		case cur.Grant == nil || cur.Grant.Generation > h.live.Grant.Generation:
			h.release(base, h.before)
			return live{}, true, nil
		case cur.Grant.Refused != "":
			if unsure { // the write had got through
				h.m.o.Refused(base, cur)
			}
			return live{}, false, refusedError(reason)
		case !h.owns(cur):
			return live{}, true, nil
		}
		next := clone(cur)
		next.Grant.Refused, next.Grant.Claim, next.DueAt = reason, nil, time.Time{}
		err = h.m.write(ctx, &next)
		if err == nil {
			h.m.o.Log.WarnContext(ctx, "a provider refused a grant for good", "tenant_id", next.Tenant, "token", next.ID, "error", refusal)
			h.m.o.Refused(base, next)
			return live{}, false, refusedError(reason)
		}
		atOnce = connectors.CodeOf(err) == connectors.Conflict
		unsure = unsure || !atOnce
	}
}
