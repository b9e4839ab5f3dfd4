package service

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/oauth"
	"github.com/unified-connector/ucf/internal/store"
)

// keepGrant stores a consent: in place of the account's earlier one where there is one, so that all its connections
// have it at once, else as a new record.
func (s *Service) keepGrant(ctx context.Context, st store.Store, c *completion, a oauth.Answer, account connectors.Account) (domain.Token, error) {
	if err := s.CheckKeys(ctx); err != nil {
		return domain.Token{}, err
	}
	key := grantKey(c, a, account)
	for range maxConflicts {
		tok, err := st.TokenOfGrant(ctx, c.tenant, key)
		isNew := connectors.CodeOf(err) == connectors.NotFound
		if isNew {
			m := s.newMeta(c.tenant)
			tok = domain.Token{Meta: m, ID: domain.NewID(domain.TokenPrefix, m.CreatedAt), Kind: c.method.ID}
		} else if err != nil {
			return tok, err
		}
		if err := s.fillGrant(&tok, c, key, a, account); err != nil {
			return tok, err
		}
		if isNew {
			err = st.CreateToken(ctx, tok)
		} else {
			tok.Revision, err = st.UpdateToken(ctx, tok)
		}
		// Somebody else was faster, a refresh or another consent: the newest consent counts, so this one is written over it.
		if code := connectors.CodeOf(err); code != connectors.Conflict && (code != connectors.NotFound || isNew) {
			return tok, err
		}
	}
	return domain.Token{}, errBusy
}

// grantKey returns what the grant of a flow is unique by.
func grantKey(c *completion, a oauth.Answer, account connectors.Account) string {
	owner, p := account.ID, c.method.OAuth.Provider
	if owner != "" && p.APIField != "" {
		owner += " at " + a.API // accounts of two instances can have the same id
	}
	return oauth.GrantKey(p.ID, c.flow.ClientID, owner)
}

// maxConflicts is how often a record that others change at the same time is read anew.
const maxConflicts = 100

var errBusy = connectors.Errorf(connectors.Unavailable, "the record is changed by too many at once: try again")

// fillGrant puts a consent into a token record.
func (s *Service) fillGrant(tok *domain.Token, c *completion, key string, a oauth.Answer, account connectors.Account) error {
	p, now, old := c.method.OAuth.Provider, s.Now().UTC(), domain.Grant{}
	if tok.Grant != nil {
		old = *tok.Grant
	}
	g := domain.Grant{
		Key: key, Provider: p.ID, ClientID: c.flow.ClientID, Account: account, Scopes: a.Scopes,
		Generation: old.Generation + 1, Fence: old.Fence + 1, RefreshedAt: now,
	}
	if g.Scopes == nil {
		g.Scopes = c.flow.Asked
	}
	if p.APIField != "" {
		g.API = a.API
	}
	tok.Grant, tok.ExpiresAt, tok.UpdatedAt, tok.DueAt = &g, a.ExpiresAt, now, time.Time{}
	if !a.Refresh.IsZero() {
		tok.DueAt = oauth.DueAt(p, g)
	}
	return s.seal(tok, grantFields(a, connectors.NewSecret(c.flow.ClientSecret)))
}

// settle finishes a connect flow after its connection was written. The grant may be withdrawn by then, when the last other
// connection that used it was revoked in between: the connection then says that it needs a new consent. Where the
// connection could not be written, a grant that nobody uses is left to the sweep.
func (s *Service) settle(ctx context.Context, st store.Store, conn domain.Connection, tok domain.Token, failed error) error {
	if failed != nil {
		return failed
	}
	cur, err := st.Token(ctx, conn.Tenant, tok.ID)
	switch {
	case err == nil && (cur.Grant == nil || cur.Grant.Refused != retired):
		return nil
	case err != nil && connectors.CodeOf(err) != connectors.NotFound:
		return err
	}
	conn.Status, conn.Reason, conn.TokenID, conn.UpdatedAt = domain.Reauthorize, "the consent was withdrawn; connect again", "", s.Now().UTC()
	if conn.Revision == 0 {
		conn.Revision = 1 // as it was made
	}
	if _, err := st.UpdateConnection(ctx, conn); err != nil && connectors.CodeOf(err) != connectors.Conflict {
		return err
	}
	return connectors.Errorf(connectors.Conflict, "the consent was withdrawn meanwhile: begin again with --connection %s", conn.ID)
}

// revive marks the connections of a renewed grant as good again.
func (s *Service) revive(ctx context.Context, st store.Store, tok domain.Token) {
	s.markAll(ctx, st, tok, domain.Reauthorize, domain.Connected, "")
}

// GrantRefused marks the connections of a grant that the provider refused for good. The manager of grants calls it.
func (s *Service) GrantRefused(ctx context.Context, tok domain.Token) {
	st, err := s.Store(ctx)
	if err != nil {
		s.logged(ctx, "a refused grant could not be told to its connections", err)
		return
	}
	reason := "the provider refused the consent; connect again"
	if tok.Grant != nil && tok.Grant.Refused != "" {
		reason = tok.Grant.Refused
	}
	s.markAll(ctx, st, tok, domain.Connected, domain.Reauthorize, reason)
}

// markAll moves a grant's connections from one status to another.
func (s *Service) markAll(ctx context.Context, st store.Store, tok domain.Token, from, to domain.Status, reason string) {
	users, err := s.tokenUsers(ctx, st, tok.Tenant)
	if err != nil {
		s.logged(ctx, "the connections of a grant could not be read", err)
		return
	}
	for _, c := range users[tok.ID] {
		if c.Status != from {
			continue
		}
		err := s.audited(ctx, c.Tenant, "connection.status", target{"connection", c.ID}, map[string]any{"from": c.Status, "to": to}, func() error {
			c.Status, c.Reason, c.UpdatedAt = to, reason, s.Now().UTC()
			_, err := st.UpdateConnection(ctx, c)
			return err
		})
		if connectors.CodeOf(err) != connectors.Conflict {
			s.logged(ctx, "status of a connection was not written", err)
		}
	}
}

// diesInDays returns how many whole days are left until the provider drops an unused grant, nil where it does not.
func (s *Service) diesInDays(tok domain.Token) *int {
	if tok.Grant == nil || tok.Grant.Refused != "" {
		return nil
	}
	p := s.provider(tok.Grant.Provider)
	if p == nil {
		return nil
	}
	dies := oauth.DiesAt(p, *tok.Grant)
	if dies.IsZero() {
		return nil
	}
	days := max(0, int(dies.Sub(s.Now())/(24*time.Hour)))
	return &days
}

// KeepAlive refreshes the grants that nobody has used for long, and those whose last refresh went unanswered. It
// returns how many it refreshed; one that fails stays due.
func (s *Service) KeepAlive(ctx context.Context) (int, error) {
	st, err := s.Store(ctx)
	if err != nil {
		return 0, err
	}
	const batch = 100
	due, err := st.DueTokens(ctx, s.Now().UTC(), batch)
	n := 0
	for _, tok := range due {
		if users, err := s.tokenUsers(ctx, st, tok.Tenant); err != nil || len(users[tok.ID]) == 0 {
			s.dropLeftOver(ctx, st, tok, err)
			continue
		}
		if err := s.OAuth.Grants.KeepAlive(ctx, tok); err != nil {
			s.Log.WarnContext(ctx, "a grant could not be kept alive", "tenant_id", tok.Tenant, "token", tok.ID, "error", err)
			continue
		}
		n++
	}
	return n, err
}

// dropLeftOver removes a due grant that no connection uses, unless a flow may just be making one.
func (s *Service) dropLeftOver(ctx context.Context, st store.Store, tok domain.Token, err error) {
	if err != nil {
		s.logged(ctx, "the connections of a grant could not be read", err)
		return
	}
	if s.Now().Sub(tok.UpdatedAt) > sweepAge {
		s.dropToken(ctx, st, tok.Tenant, tok.ID)
	}
}

// revokeAtProvider withdraws a grant at the provider, where that can be done by a call.
func (s *Service) revokeAtProvider(ctx context.Context, tok domain.Token, secrets map[string]connectors.Secret) (how, warning string) {
	p := s.provider(tok.Grant.Provider)
	if p == nil || p.RevokePath == "" {
		manage := ""
		if p != nil && p.ManageURL != "" {
			manage = "; the account's owner removes it at " + p.ManageURL
		}
		return AtProviderUnsupported, "the provider has no way to withdraw a consent by a call" + manage
	}
	client, err := s.GrantClient(tok.Tenant, *tok.Grant, secrets[oauth.FieldSecret])
	if err == nil {
		token := secrets[oauth.FieldRefresh]
		if token.IsZero() {
			token = secrets[oauth.FieldAccess]
		}
		rctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		err = client.Revoke(rctx, token)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "a grant could not be revoked at the provider", "token", tok.ID, "error", err)
		return AtProviderFailed, "the provider could not be told: " + connectors.AsError(err).Message + "; remove the consent there by hand"
	}
	return AtProviderRevoked, ""
}

// What became of a consent at its provider.
const (
	AtProviderRevoked     = "revoked"
	AtProviderKept        = "kept"        // other connections use it
	AtProviderUnsupported = "unsupported" // the provider has no call for it
	AtProviderFailed      = "failed"
)

// RefreshToken refreshes the access token of a connection now. A key or password that a user holds is not refreshed.
func (s *Service) RefreshToken(ctx context.Context, t domain.Tenant, in ConnectionIn) (RefreshedOut, error) {
	st, c, err := s.load(ctx, t, in.ID)
	if err != nil {
		return RefreshedOut{}, err
	}
	_, tok, err := s.credential(ctx, st, c)
	if err != nil {
		return RefreshedOut{}, err
	}
	if tok.Grant == nil {
		return RefreshedOut{}, connectors.Errorf(connectors.Unsupported, "a credential of kind %s is not refreshed: make a new one at the provider and set it", c.AuthMethod)
	}
	var out RefreshedOut
	err = s.audited(ctx, t, "token.refresh", target{"connection", c.ID}, map[string]any{"tokenId": tok.ID}, func() error {
		tok, err = s.OAuth.Grants.Refresh(ctx, t, tok.ID)
		out.ExpiresAt = connectors.Time(tok.ExpiresAt)
		return err
	})
	return out, err
}

// RefreshedOut says until when a refreshed token is good.
type RefreshedOut struct {
	ExpiresAt *time.Time `json:"expiresAt" doc:"null where the provider does not tell"`
}
