package service

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/oauth"
	"github.com/unified-connector/ucf/internal/secret"
	"github.com/unified-connector/ucf/internal/store"
)

// newToken returns a token record with the secrets of a configuration. A refresh token makes it a grant.
func (s *Service) newToken(t domain.Tenant, cfg connectors.Config, expires time.Time) (domain.Token, error) {
	m := s.newMeta(t)
	tok := domain.Token{Meta: m, ID: domain.NewID(domain.TokenPrefix, m.CreatedAt), Kind: cfg.AuthMethod().ID, ExpiresAt: expires}
	secrets := cfg.Secrets()
	if refresh, ok := secrets[oauth.FieldRefresh]; ok && cfg.AuthMethod().OAuth != nil {
		app, err := s.appFor(cfg.AuthMethod().OAuth.Provider, ownApp{cfg.String("client_id"), cfg.Secret(oauth.FieldSecret)})
		if err != nil {
			return tok, err
		}
		// Whose it is shows only at the provider: the same refresh token given twice is one grant all the same.
		tok.Grant = &domain.Grant{
			Key: oauth.GrantKey(app.Provider.ID, app.ClientID, "refresh token "+stateID(refresh.Reveal())), Provider: app.Provider.ID,
			ClientID: app.ClientID, Scopes: cfg.List("scopes"), Generation: 1, RefreshedAt: m.CreatedAt,
		}
		if app.Provider.APIField != "" {
			_, tok.Grant.API = cfg.Destination()
		}
		tok.DueAt = oauth.DueAt(app.Provider, *tok.Grant)
	}
	err := s.seal(&tok, secrets)
	return tok, err
}

// addToken stores a new token record. Of a grant that is stored already the one that is there is kept: its refresh
// token is the newer one. made tells which it was.
func (s *Service) addToken(ctx context.Context, st store.Store, tok domain.Token) (stored domain.Token, made bool, err error) {
	err = st.CreateToken(ctx, tok)
	if connectors.CodeOf(err) == connectors.Conflict && tok.Grant != nil {
		stored, err = st.TokenOfGrant(ctx, tok.Tenant, tok.Grant.Key)
		return stored, false, err
	}
	return tok, err == nil, err
}

// openToken returns the secrets of a token record.
func (s *Service) openToken(tok domain.Token) (map[string]connectors.Secret, error) {
	return secret.OpenFields(s.Keeper, string(tok.Tenant), tok.ID, tok.Sealed)
}

// credential returns a connection's secrets and the token record that holds them. A connection without a
// credential is reauthorize.
func (s *Service) credential(ctx context.Context, st store.Store, c domain.Connection) (map[string]connectors.Secret, domain.Token, error) {
	if c.Status == domain.Revoked {
		return nil, domain.Token{}, connectors.Errorf(connectors.Reauthorize, "connection %s (%s) is revoked: connect again", c.Name, c.ID)
	}
	if c.TokenID == "" {
		return nil, domain.Token{}, connectors.Errorf(connectors.Reauthorize, "connection %s (%s) has no credential: set one with `ucf tokens set %s`", c.Name, c.ID, c.ID)
	}
	tok, err := st.Token(ctx, c.Tenant, c.TokenID)
	if connectors.CodeOf(err) == connectors.NotFound {
		// It may have been replaced since the connection was read.
		now, rerr := st.Connection(ctx, c.Tenant, c.ID)
		if rerr == nil && now.TokenID != c.TokenID {
			return s.credential(ctx, st, now)
		}
		return nil, tok, connectors.Errorf(connectors.Reauthorize, "the credential of connection %s (%s) is gone: connect again", c.Name, c.ID)
	}
	if err != nil {
		return nil, tok, err
	}
	secrets, err := s.openToken(tok)
	return secrets, tok, err
}

// fullConfig returns the checked configuration of a stored connection, secrets included, and the token record that
// holds them.
func (s *Service) fullConfig(ctx context.Context, st store.Store, c domain.Connection) (connectors.Config, domain.Token, error) {
	def, err := s.definition(c.ConnectorID)
	if err != nil {
		return connectors.Config{}, domain.Token{}, err
	}
	secrets, tok, err := s.credential(ctx, st, c)
	if err != nil {
		return connectors.Config{}, tok, err
	}
	// What renews a grant is the business of its manager alone.
	delete(secrets, oauth.FieldRefresh)
	delete(secrets, oauth.FieldSecret)
	cfg, err := parseWith(def, c.Config, secrets)
	return cfg, tok, err
}

// parseWith checks a configuration whose secrets come from elsewhere.
func parseWith(def *connectors.Definition, public map[string]any, secrets map[string]connectors.Secret) (connectors.Config, error) {
	raw := maps.Clone(public)
	if raw == nil {
		raw = map[string]any{}
	}
	for k, v := range secrets {
		if _, given := raw[k]; !given {
			raw[k] = v.Reveal()
		}
	}
	return def.ParseConfig(raw)
}

// replaceCredential gives the connection new secrets and the configuration they belong to, in one write of the
// connection record: the new token exists before it, and the old one goes after it. A crash in between leaves a
// token that nothing refers to, which [Service.Sweep] removes.
func (s *Service) replaceCredential(ctx context.Context, st store.Store, c domain.Connection, cfg connectors.Config, expires time.Time) (domain.Connection, error) {
	if err := s.CheckKeys(ctx); err != nil {
		return c, err
	}
	tok, err := s.newToken(c.Tenant, cfg, expires)
	if err != nil {
		return c, err
	}
	tok, made, err := s.addToken(ctx, st, tok)
	if err != nil {
		return c, err
	}
	old := c.TokenID
	c.TokenID, c.Config, c.AuthMethod = tok.ID, cfg.Public(), cfg.AuthMethod().ID
	c.Status, c.Reason = domain.Connected, ""
	c.UpdatedAt = s.Now().UTC()
	if c.Revision, err = st.UpdateConnection(ctx, c); err != nil {
		if made && refusedForSure(err) {
			s.dropToken(ctx, st, c.Tenant, tok.ID)
		}
		return c, err
	}
	if old != "" && old != tok.ID {
		s.dropUnused(ctx, st, c.Tenant, old)
	}
	return c, nil
}

// refusedForSure reports whether a write that failed is known not to have happened. After any other failure it may have,
// and what it refers to is left to the sweep.
func refusedForSure(err error) bool {
	code := connectors.CodeOf(err)
	return code == connectors.Conflict || code == connectors.NotFound
}

// dropUnused removes a token unless another connection uses it, as those of one OAuth grant do.
func (s *Service) dropUnused(ctx context.Context, st store.Store, t domain.Tenant, id string) {
	users, err := s.tokenUsers(ctx, st, t)
	if err != nil {
		s.Log.WarnContext(ctx, "an unused token was not removed", "token", id, "error", err)
		return
	}
	if len(users[id]) == 0 {
		s.dropToken(ctx, st, t, id)
	}
}

// dropToken removes a token that nothing refers to any more; what fails is left to the sweep.
func (s *Service) dropToken(ctx context.Context, st store.Store, t domain.Tenant, id string) {
	err := st.DeleteToken(context.WithoutCancel(ctx), t, id)
	if err != nil && connectors.CodeOf(err) != connectors.NotFound {
		s.Log.WarnContext(ctx, "an unused token was not removed", "token", id, "error", err)
	}
}

// CheckKeys refuses to go on while stored credentials are sealed with keys that are not at hand: sealing more with
// another key would leave a store that no single set of keys opens.
func (s *Service) CheckKeys(ctx context.Context) error {
	st, err := s.Store(ctx)
	if err != nil {
		return err
	}
	stored, err := st.TokenKeyIDs(ctx)
	if err != nil || len(stored) == 0 {
		return err
	}
	have, err := s.Keeper.KeyIDs()
	if err != nil {
		return err
	}
	for _, id := range stored {
		if !slices.Contains(have, id) {
			return connectors.Errorf(connectors.Unavailable,
				"stored credentials are sealed with the key %s, which is not at hand: put it back into ENCRYPTION_KEY (new,old); nothing was changed", id)
		}
	}
	return nil
}

// sweepAge is how old an unreferenced token is before it counts as left over: longer than any request.
const sweepAge = time.Hour

// Sweep removes the tenant's tokens that no connection refers to and returns how many there were.
func (s *Service) Sweep(ctx context.Context, t domain.Tenant) (int, error) {
	st, err := s.Store(ctx)
	if err != nil {
		return 0, err
	}
	tokens, err := collect(func(after string) ([]domain.Token, error) {
		return st.ListTokens(ctx, t, store.List{After: after, Limit: 200})
	}, func(t domain.Token) string { return t.ID })
	if err != nil {
		return 0, err
	}
	used, err := s.tokenUsers(ctx, st, t)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, tok := range tokens {
		if _, ok := used[tok.ID]; ok || s.Now().Sub(tok.UpdatedAt) < sweepAge {
			continue
		}
		if err := st.DeleteToken(ctx, t, tok.ID); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// tokenUsers returns the tenant's connections by the token they refer to.
func (s *Service) tokenUsers(ctx context.Context, st store.Store, t domain.Tenant) (map[string][]domain.Connection, error) {
	conns, err := s.allConnections(ctx, st, t, "")
	used := make(map[string][]domain.Connection, len(conns))
	for _, c := range conns {
		if c.TokenID != "" {
			used[c.TokenID] = append(used[c.TokenID], c)
		}
	}
	return used, err
}

// collect gathers a listing that is read in pages.
func collect[T any](page func(after string) ([]T, error), id func(T) string) ([]T, error) {
	var all []T
	after := ""
	for {
		got, err := page(after)
		if err != nil || len(got) == 0 {
			return all, err
		}
		all = append(all, got...)
		after = id(got[len(got)-1])
	}
}
