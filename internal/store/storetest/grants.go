package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// grantToken is a token with a grant of that key.
func grantToken(t domain.Tenant, id, key string) domain.Token {
	tok := token(t, id, "sealed", 0)
	tok.Kind, tok.DueAt = "oauth2", changedAt.Add(time.Hour)
	tok.Grant = &domain.Grant{
		Key: key, Provider: "atlassian", ClientID: "client", Account: connectors.Account{ID: "a", Name: odd}, Scopes: []string{"b", "a"},
		API: "https://api.example", Generation: 3, RefreshedAt: changedAt, Fence: 7,
	}
	return tok
}

// roundTripGrants keeps grants with and without a claim, and tokens that have none.
func roundTripGrants(t TB, open func() store.Store) {
	s := open()
	full := grantToken(acme, "full", "key "+odd)
	full.Grant.SpentAt, full.Grant.Refused = changedAt.Add(time.Nanosecond), odd
	full.Grant.Claim = &domain.Claim{Owner: odd, Attempt: "attempt", Beat: 9}
	bare := grantToken(acme, "bare", "bare")
	bare.DueAt, bare.Grant = time.Time{}, &domain.Grant{Key: "bare"}
	none := token(acme, "none", "sealed", 0)
	none.Grant, none.DueAt = nil, time.Time{}
	for _, tok := range []domain.Token{full, bare, none} {
		must(t, s.CreateToken(t.Context(), tok))
		tok.Revision = 1
		got, err := s.Token(t.Context(), acme, tok.ID)
		must(t, err)
		same(t, "token "+tok.ID, got, tok)
		if tok.Grant == nil {
			continue
		}
		got, err = s.TokenOfGrant(t.Context(), acme, tok.Grant.Key)
		must(t, err)
		same(t, "token of the grant", got, tok)
		tok.Grant.Claim, tok.Grant.Fence, tok.DueAt = nil, 8, changedAt
		_, err = s.UpdateToken(t.Context(), tok)
		must(t, err)
		tok.Revision = 2
		got, err = s.Token(t.Context(), acme, tok.ID)
		must(t, err)
		same(t, "updated token "+tok.ID, got, tok)
	}
}

// grantKeys are unique within a tenant where they are not empty.
func grantKeys(t TB, open func() store.Store) {
	s := open()
	must(t, s.CreateToken(t.Context(), grantToken(acme, "one", "key")))
	must(t, s.CreateToken(t.Context(), grantToken(other, "two", "key")))
	for _, id := range []string{"three", "four"} {
		must(t, s.CreateToken(t.Context(), grantToken(acme, id, "")))
	}
	wantCode(t, "a second grant of the key", s.CreateToken(t.Context(), grantToken(acme, "five", "key")), connectors.Conflict)
	taken := grantToken(acme, "three", "key")
	taken.Revision = 1
	_, err := s.UpdateToken(t.Context(), taken)
	wantCode(t, "an update to a key in use", err, connectors.Conflict)
	for _, key := range []string{"", "no such key"} {
		_, err = s.TokenOfGrant(t.Context(), acme, key)
		wantCode(t, fmt.Sprintf("the token of the grant %q", key), err, connectors.NotFound)
	}
	_, err = s.TokenOfGrant(t.Context(), empty, "key")
	wantCode(t, "the token of another tenant's grant", err, connectors.NotFound)
	free := grantToken(acme, "one", "another key")
	free.Revision = 1
	_, err = s.UpdateToken(t.Context(), free)
	must(t, err)
	must(t, s.CreateToken(t.Context(), grantToken(acme, "six", "key")))
}

// oneClaim has many try to claim a grant under its revision: one of them holds it.
func oneClaim(t TB, open func() store.Store) {
	a, b := open(), open()
	must(t, a.CreateToken(t.Context(), grantToken(acme, "one", "key")))
	read, err := a.Token(t.Context(), acme, "tok_one")
	must(t, err)
	errs := together(a, b, func(n int, s store.Store) error {
		tok := read
		g := *read.Grant
		g.Claim, g.Fence = &domain.Claim{Owner: fmt.Sprint(n)}, g.Fence+1
		tok.Grant = &g
		_, err := s.UpdateToken(t.Context(), tok)
		return err
	})
	holder := winner(t, "a claim", errs)
	tok, err := b.Token(t.Context(), acme, "tok_one")
	must(t, err)
	if tok.Grant == nil || tok.Grant.Claim == nil || tok.Grant.Claim.Owner != fmt.Sprint(holder) {
		t.Errorf("the claim is %+v, want that of %d", tok.Grant, holder)
	}
}

// winner returns the only one of several that got no error; the others lost by conflict or not_found.
func winner(t TB, what string, errs []error) int {
	t.Helper()
	won := -1
	for n, err := range errs {
		switch {
		case err != nil:
			wantCode(t, what, err, connectors.Conflict, connectors.NotFound)
		case won >= 0:
			t.Errorf("%s: both %d and %d succeeded", what, won, n)
		default:
			won = n
		}
	}
	if won < 0 {
		t.Errorf("%s: nobody succeeded: %v", what, errors.Join(errs...))
	}
	return won
}

// dueTokens come of all tenants, the longest due first.
func dueTokens(t TB, open func() store.Store) {
	s := open()
	for i, tenant := range []domain.Tenant{acme, other, acme, other} {
		tok := grantToken(tenant, sortable(i), sortable(i))
		tok.DueAt = changedAt.Add(time.Duration(10-i) * time.Minute)
		must(t, s.CreateToken(t.Context(), tok))
	}
	never := grantToken(acme, "never", "never")
	never.DueAt = time.Time{}
	must(t, s.CreateToken(t.Context(), never))
	ids := func(at time.Duration, limit int) string {
		list, err := s.DueTokens(t.Context(), changedAt.Add(at), limit)
		must(t, err)
		out := ""
		for _, tok := range list {
			out += string(tok.Tenant) + "/" + tok.ID + " "
		}
		return out
	}
	all := []string{"other-tenant/tok_" + sortable(3) + " ", "acme/tok_" + sortable(2) + " ", "other-tenant/tok_" + sortable(1) + " ", "acme/tok_" + sortable(0) + " "}
	same(t, "due before anything is", ids(time.Minute, 10), "")
	same(t, "due to the instant", ids(8*time.Minute, 10), all[0]+all[1])
	same(t, "due later", ids(time.Hour, 10), all[0]+all[1]+all[2]+all[3])
	same(t, "the first due", ids(time.Hour, 3), all[0]+all[1]+all[2])
}

// otherKeys lists the tokens of all tenants that another key sealed, while they are sealed anew.
func otherKeys(t TB, open func() store.Store) {
	s := open()
	for i := range 10 {
		tok := token([]domain.Tenant{acme, other}[i%2], sortable(i), "sealed", 0)
		tok.KeyID = []string{"old", "new", "older"}[i%3]
		must(t, s.CreateToken(t.Context(), tok))
	}
	got := ""
	for after := ""; ; {
		list, err := s.TokensNotSealedBy(t.Context(), "new", store.List{After: after, Limit: 2})
		must(t, err)
		if len(list) == 0 {
			break
		}
		for _, tok := range list {
			got, after = got+tok.ID+" ", tok.ID
			tok.KeyID = "new"
			_, err := s.UpdateToken(t.Context(), tok)
			must(t, err)
		}
	}
	want := ""
	for i := range 10 {
		if i%3 != 1 {
			want += "tok_" + sortable(i) + " "
		}
	}
	same(t, "tokens of other keys", got, want)
	left, err := s.TokensNotSealedBy(t.Context(), "new", store.List{Limit: 10})
	must(t, err)
	same(t, "tokens left", len(left), 0)
}

func oauthState(t domain.Tenant, id string, expires time.Time) domain.OAuthState {
	return domain.OAuthState{Meta: meta(t, 0), ID: id, KeyID: "k1", Sealed: odd, ExpiresAt: expires}
}

// oauthStates are found by their id alone, taken once, and can be put back.
func oauthStates(t TB, open func() store.Store) {
	s := open()
	given := oauthState(acme, "id one", changedAt)
	must(t, s.CreateOAuthState(t.Context(), given))
	wantCode(t, "a known id", s.CreateOAuthState(t.Context(), oauthState(other, "id one", changedAt)), connectors.Conflict)
	given.Revision = 1
	got, err := s.OAuthState(t.Context(), "id one")
	must(t, err)
	same(t, "state", got, given)
	wantCode(t, "a stale revision", s.TakeOAuthState(t.Context(), "id one", 2), connectors.Conflict)
	must(t, s.TakeOAuthState(t.Context(), "id one", 1))
	wantCode(t, "a taken state", s.TakeOAuthState(t.Context(), "id one", 1), connectors.NotFound)
	_, err = s.OAuthState(t.Context(), "id one")
	wantCode(t, "a taken state", err, connectors.NotFound)
	must(t, s.CreateOAuthState(t.Context(), oauthState(other, "id one", changedAt)))

	must(t, s.CreateOAuthState(t.Context(), oauthState(acme, "later", changedAt.Add(time.Nanosecond))))
	must(t, s.CreateOAuthState(t.Context(), oauthState(other, "earlier", changedAt.Add(-time.Nanosecond))))
	n, err := s.SweepOAuthStates(t.Context(), changedAt)
	must(t, err)
	same(t, "swept", n, 1)
	for id, want := range map[string]connectors.Code{"id one": "", "later": "", "earlier": connectors.NotFound} {
		_, err := s.OAuthState(t.Context(), id)
		same(t, "state "+id+" after the sweep", connectors.CodeOf(err), want)
	}
}

// oneTaker has many take one state: it is good once.
func oneTaker(t TB, open func() store.Store) {
	a, b := open(), open()
	must(t, a.CreateOAuthState(t.Context(), oauthState(acme, "id", changedAt)))
	winner(t, "taking a state", together(a, b, func(_ int, s store.Store) error { return s.TakeOAuthState(t.Context(), "id", 1) }))
}
