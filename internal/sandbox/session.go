package sandbox

import (
	"slices"
	"time"
)

// session is what an access token allows.
type session struct {
	client        string
	account       int
	scopes        []string
	sites         []int
	made, expires time.Time // expires is zero for a refresh token
}

// allows reports whether the scopes cover one of the sets. No set at all needs no scope.
func (s session) allows(sets [][]string) bool {
	covered := func(set []string) bool {
		return !slices.ContainsFunc(set, func(scope string) bool { return !slices.Contains(s.scopes, scope) })
	}
	return len(sets) == 0 || slices.ContainsFunc(sets, covered)
}

func (g *grant) session(made, expires time.Time) session {
	return session{client: g.client, account: g.account, scopes: g.scopes, sites: g.sites, made: made, expires: expires}
}

// bearer returns what an access token allows, false for one that is unknown, expired or revoked.
func (a *authority) bearer(secret string) (session, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.access[ticketOf(secret)]
	if !ok || t.grant.ended || !a.now().Before(t.expires) {
		return session{}, false
	}
	return t.grant.session(t.made, t.expires), true
}

// refresher returns what a refresh token stands for, false for one that is used or would be refused. It does not use
// it.
func (a *authority) refresher(secret string) (session, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.refresh[ticketOf(secret)]
	if !ok || t.grant.refusing || t.grant.ended || (a.rotate && !t.spent.IsZero()) || a.now().Sub(t.lastUse) >= a.idle {
		return session{}, false
	}
	return t.grant.session(t.lastUse, time.Time{}), true
}

// revokeToken ends a grant by its refresh token, or one access token. False stands for a token that is not alive.
func (a *authority) revokeToken(secret string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t, ok := a.refresh[ticketOf(secret)]; ok && !t.grant.ended {
		t.grant.ended = true
		return true
	}
	t, ok := a.access[ticketOf(secret)]
	if !ok || t.grant.ended || !a.now().Before(t.expires) {
		return false
	}
	t.expires = a.now()
	return true
}

// revokeGrants ends the grants of the accounts that match and returns how many there were.
func (a *authority) revokeGrants(match func(account int) bool) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, g := range a.grants {
		if !g.ended && match(g.account) {
			g.ended = true
			n++
		}
	}
	return n
}
