package service

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// TokenOut is a sealed credential as its tenant sees it: everything but the credential.
type TokenOut struct {
	ID          string              `json:"id"`
	Kind        string              `json:"kind" doc:"The auth method it serves"`
	Connections []ConnectionRef     `json:"connections" doc:"Connections that use it; those of one account's consent share it"`
	Account     *connectors.Account `json:"account,omitempty" doc:"Whose consent it is, for oauth2"`
	Refused     string              `json:"refused,omitempty" doc:"Why the provider refused it for good"`
	DiesInDays  *int                `json:"diesInDays,omitempty" doc:"Days until the provider drops a consent that nobody uses"`
	KeyID       string              `json:"keyId" doc:"The encryption key that sealed it"`
	ExpiresAt   *time.Time          `json:"expiresAt"`
	CreatedAt   time.Time           `json:"createdAt"`
}

func (s *Service) tokenOut(tok domain.Token, users []domain.Connection) TokenOut {
	out := TokenOut{
		ID: tok.ID, Kind: tok.Kind, Connections: refs(users), KeyID: tok.KeyID, ExpiresAt: connectors.Time(tok.ExpiresAt),
		CreatedAt: tok.CreatedAt.UTC(), DiesInDays: s.diesInDays(tok),
	}
	if tok.Grant != nil {
		out.Account, out.Refused = &tok.Grant.Account, tok.Grant.Refused
	}
	return out
}

// TokensIn asks for a page of tokens.
type TokensIn struct {
	Cursor string
	Limit  int
}

// Tokens returns a page of the tenant's credentials, without what they hold.
func (s *Service) Tokens(ctx context.Context, t domain.Tenant, in TokensIn) (connectors.Page[TokenOut], error) {
	st, err := s.Store(ctx)
	if err != nil {
		return connectors.Page[TokenOut]{}, err
	}
	users, err := s.tokenUsers(ctx, st, t)
	if err != nil {
		return connectors.Page[TokenOut]{}, err
	}
	return page(ctx, s, listed[domain.Token, TokenOut]{
		tenant: t, op: "tokens", cursor: in.Cursor, limit: in.Limit,
		list: func(st store.Store, l store.List) ([]domain.Token, error) { return st.ListTokens(ctx, t, l) },
		id:   func(tok domain.Token) string { return tok.ID },
		out:  func(_ store.Store, tok domain.Token) TokenOut { return s.tokenOut(tok, users[tok.ID]) },
	})
}

// SetTokenIn gives a connection a new credential.
type SetTokenIn struct {
	Body struct {
		Workspace
		ConnectionID string    `json:"connectionId" minLength:"1"`
		Token        string    `json:"token" minLength:"1" doc:"The API token, or a database password"`
		ExpiresAt    time.Time `json:"expiresAt,omitempty" doc:"When it expires, if it does"`
	}
}

// Workspace returns the tenant named beside the header.
func (in SetTokenIn) Workspace() string { return in.Body.WorkspaceID }

// TokenIDOut names a token.
type TokenIDOut struct {
	TokenID string `json:"tokenId"`
}

// SetToken seals a new credential for a connection. The provider is not asked; a probe tells whether it accepts it.
func (s *Service) SetToken(ctx context.Context, t domain.Tenant, in SetTokenIn) (TokenIDOut, error) {
	st, c, err := s.load(ctx, t, in.Body.ConnectionID)
	if err != nil {
		return TokenIDOut{}, err
	}
	def, err := s.definition(c.ConnectorID)
	if err != nil {
		return TokenIDOut{}, err
	}
	m, ok := def.Method(c.AuthMethod)
	if !ok {
		return TokenIDOut{}, connectors.Errorf(connectors.Internal, "connection %s has the unknown auth method %s", c.ID, c.AuthMethod)
	}
	if at := in.Body.ExpiresAt; !at.IsZero() && at.Before(s.Now()) {
		return TokenIDOut{}, connectors.InvalidFields(connectors.Fault{Field: "expiresAt", Message: "has passed"})
	}
	cfg, err := parseWith(def, c.Config, map[string]connectors.Secret{m.Secret: connectors.NewSecret(in.Body.Token)})
	if err != nil {
		return TokenIDOut{}, err
	}
	err = s.audited(ctx, t, "token.set", target{"connection", c.ID}, nil, func() error {
		c, err = s.replaceCredential(ctx, st, c, cfg, in.Body.ExpiresAt)
		return err
	})
	return TokenIDOut{c.TokenID}, err
}

// GetTokenOut is a credential in the clear.
type GetTokenOut struct {
	Token     string     `json:"token"`
	ExpiresAt *time.Time `json:"expiresAt"`
	Type      string     `json:"type" enum:"basic,bearer,password" doc:"How it is presented"`
	Warning   string     `json:"warning,omitempty"`
}

// GetToken returns a connection's credential in the clear, refreshed first where the provider does that. The reading is
// in the audit log before it is answered.
func (s *Service) GetToken(ctx context.Context, t domain.Tenant, in ConnectionIn) (GetTokenOut, error) {
	st, c, err := s.load(ctx, t, in.ID)
	if err != nil {
		return GetTokenOut{}, err
	}
	def, err := s.definition(c.ConnectorID)
	if err != nil {
		return GetTokenOut{}, err
	}
	out := GetTokenOut{}
	err = s.audited(ctx, t, "token.read", target{"connection", c.ID}, map[string]any{"tokenId": c.TokenID}, func() error {
		secrets, tok, err := s.fresh(ctx, st, c)
		if err != nil {
			return err
		}
		m, _ := def.Method(c.AuthMethod)
		out.Token, out.ExpiresAt = secrets[m.Secret].Reveal(), connectors.Time(tok.ExpiresAt)
		out.Type = string(m.Scheme)
		if m.Scheme == connectors.SchemeDriver {
			out.Type = "password"
		}
		if !tok.ExpiresAt.IsZero() && tok.ExpiresAt.Before(s.Now()) {
			out.Warning = "the credential has expired: connect again"
		}
		return nil
	})
	return out, err
}

// fresh returns a connection's secrets; those of a grant are refreshed first where they are about to expire.
func (s *Service) fresh(ctx context.Context, st store.Store, c domain.Connection) (map[string]connectors.Secret, domain.Token, error) {
	secrets, tok, err := s.credential(ctx, st, c)
	if err != nil || tok.Grant == nil {
		return secrets, tok, err
	}
	if _, err := s.OAuth.Grants.Source(c.Tenant, tok.ID).Token(ctx); err != nil {
		return nil, tok, err
	}
	return s.credential(ctx, st, c)
}
