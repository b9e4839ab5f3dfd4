package storetest_test

import (
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// The methods of grants and states, broken one by one.
type (
	anyGrant   struct{ store.Store }
	otherGrant struct{ store.Store }
	dueLast    struct{ store.Store }
	dueAll     struct{ store.Store }
	dueOne     struct{ store.Store }
	sealedAny  struct{ store.Store }
	sealedOne  struct{ store.Store }
	takesAll   struct{ store.Store }
	takesNone  struct{ store.Store }
	sweepsAll  struct{ store.Store }
	sweepsNone struct{ store.Store }
)

func (s anyGrant) TokenOfGrant(ctx ctxt, t tenant, key string) (domain.Token, error) {
	if key != "" {
		return s.Store.TokenOfGrant(ctx, t, key)
	}
	list, err := s.ListTokens(ctx, t, store.List{Limit: 1})
	if err != nil || len(list) == 0 {
		return domain.Token{}, err
	}
	return list[0], nil
}

func (s otherGrant) TokenOfGrant(ctx ctxt, _ tenant, key string) (domain.Token, error) {
	return s.Store.TokenOfGrant(ctx, "acme", key)
}

func (s dueLast) DueTokens(ctx ctxt, at time.Time, limit int) ([]domain.Token, error) {
	list, err := s.Store.DueTokens(ctx, at, limit)
	slices.Reverse(list)
	return list, err
}

func (s dueAll) DueTokens(ctx ctxt, at time.Time, _ int) ([]domain.Token, error) {
	return s.Store.DueTokens(ctx, at, 1000)
}

func (s dueOne) DueTokens(ctx ctxt, at time.Time, limit int) ([]domain.Token, error) {
	list, err := s.Store.DueTokens(ctx, at, limit)
	return slices.DeleteFunc(list, func(t domain.Token) bool { return t.Tenant != "acme" }), err
}

func (s sealedAny) TokensNotSealedBy(ctx ctxt, _ string, l store.List) ([]domain.Token, error) {
	return s.Store.TokensNotSealedBy(ctx, "", l)
}

func (s sealedOne) TokensNotSealedBy(ctx ctxt, keyID string, l store.List) ([]domain.Token, error) {
	list, err := s.Store.TokensNotSealedBy(ctx, keyID, l)
	return slices.DeleteFunc(list, func(t domain.Token) bool { return t.Tenant != "acme" }), err
}

func (s takesAll) TakeOAuthState(ctx ctxt, id string, _ int64) error {
	o, err := s.OAuthState(ctx, id)
	if err != nil {
		return err
	}
	return s.Store.TakeOAuthState(ctx, id, o.Revision)
}

func (s takesNone) TakeOAuthState(ctx ctxt, id string, _ int64) error {
	_, err := s.OAuthState(ctx, id)
	return err
}

func (s sweepsAll) SweepOAuthStates(ctx ctxt, before time.Time) (int, error) {
	return s.Store.SweepOAuthStates(ctx, before.Add(time.Hour))
}

func (s sweepsNone) SweepOAuthStates(ctxt, time.Time) (int, error) { return 1, nil }

func grantBugs() []bug {
	const trip, keys, claim, due, others, states, taker = "round trip of grants", "keys of grants", "a claim is held by one", "due tokens",
		"tokens of other keys", "oauth states", "a state is taken by one"
	onGrant := func(change func(*domain.Grant)) func(store.Store) store.Store {
		return onToken(func(t *domain.Token) {
			if t.Grant != nil {
				change(t.Grant)
			}
		})
	}
	return []bug{
		{"forgets claims", trip, onGrant(func(g *domain.Grant) { g.Claim = nil })},
		{"forgets what was spent", trip, onGrant(func(g *domain.Grant) { g.SpentAt = time.Time{} })},
		{"forgets the fence", trip, onGrant(func(g *domain.Grant) { g.Fence = 0 })},
		{"every token has a grant", trip, onToken(func(t *domain.Token) {
			if t.Grant == nil {
				t.Grant = &domain.Grant{}
			}
		})},
		{"forgets when it is due", trip, onToken(func(t *domain.Token) { t.DueAt = time.Time{} })},
		{"finds the empty key", keys, func(s store.Store) store.Store { return anyGrant{s} }},
		{"finds another tenant's grant", keys, func(s store.Store) store.Store { return otherGrant{s} }},
		{"claims without a revision", claim, breaking(func(under store.Store, b *broken) {
			b.updateToken = func(ctx ctxt, t domain.Token) (int64, error) {
				for {
					now, err := under.Token(ctx, t.Tenant, t.ID)
					if err != nil {
						return 0, err
					}
					t.Revision = now.Revision
					if r, err := under.UpdateToken(ctx, t); connectors.CodeOf(err) != connectors.Conflict {
						return r, err
					}
				}
			}
		})},
		{"the longest due last", due, func(s store.Store) store.Store { return dueLast{s} }},
		{"due without limit", due, func(s store.Store) store.Store { return dueAll{s} }},
		{"due of one tenant", due, func(s store.Store) store.Store { return dueOne{s} }},
		{"tokens of all keys", others, func(s store.Store) store.Store { return sealedAny{s} }},
		{"other keys of one tenant", others, func(s store.Store) store.Store { return sealedOne{s} }},
		{"takes any revision", states, func(s store.Store) store.Store { return takesAll{s} }},
		{"sweeps what has not expired", states, func(s store.Store) store.Store { return sweepsAll{s} }},
		{"sweeps nothing", states, func(s store.Store) store.Store { return sweepsNone{s} }},
		{"taking leaves the state", taker, func(s store.Store) store.Store { return takesNone{s} }},
	}
}
