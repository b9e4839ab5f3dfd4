package service

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// ConnectionOut is a connection as its tenant sees it.
type ConnectionOut struct {
	ID          string             `json:"id" example:"con_06f0m2vw2rt4x8d3p9k1q5s7ha"`
	ConnectorID string             `json:"connectorId"`
	Name        string             `json:"name"`
	Status      domain.Status      `json:"status" enum:"connected,reauthorize,error,revoked"`
	Reason      string             `json:"reason,omitempty"`
	AuthMethod  string             `json:"authMethod"`
	Account     connectors.Account `json:"account"`
	Site        *connectors.Site   `json:"site,omitempty"`
	Config      map[string]any     `json:"config" doc:"Without secrets"`
	Scopes      []string           `json:"scopes"`
	DiesInDays  *int               `json:"diesInDays,omitempty" doc:"Days until the provider drops a consent that nobody uses"`
	Revision    int64              `json:"revision"`
	CreatedAt   time.Time          `json:"createdAt"`
	UpdatedAt   time.Time          `json:"updatedAt"`
	LastUsedAt  *time.Time         `json:"lastUsedAt"`
}

// connectionOut shows a connection. What its grant tells is left out where it cannot be read.
func (s *Service) connectionOut(ctx context.Context, st store.Store, c domain.Connection) ConnectionOut {
	out := ConnectionOut{
		ID: c.ID, ConnectorID: c.ConnectorID, Name: c.Name, Status: c.Status, Reason: c.Reason, AuthMethod: c.AuthMethod,
		Account: c.Account, Site: c.Site, Config: c.Config, Scopes: c.Scopes, Revision: c.Revision,
		CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(), LastUsedAt: connectors.Time(c.LastUsedAt),
	}
	if out.Config == nil {
		out.Config = map[string]any{}
	}
	if out.Scopes == nil {
		out.Scopes = []string{}
	}
	if c.TokenID != "" && c.AuthMethod == connectors.MethodOAuth {
		if tok, err := st.Token(ctx, c.Tenant, c.TokenID); err == nil {
			out.DiesInDays = s.diesInDays(tok)
		}
	}
	return out
}

// ConnectionsIn asks for a page of connections.
type ConnectionsIn struct {
	WorkspaceID string `query:"workspaceId"`
	ConnectorID string `query:"connectorId" doc:"Only of this connector"`
	Cursor      string `query:"cursor"`
	Limit       int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
}

// Workspace returns the tenant named beside the header.
func (in ConnectionsIn) Workspace() string { return in.WorkspaceID }

// Connections returns a page of the tenant's connections.
func (s *Service) Connections(ctx context.Context, t domain.Tenant, in ConnectionsIn) (connectors.Page[ConnectionOut], error) {
	return page(ctx, s, listed[domain.Connection, ConnectionOut]{
		tenant: t, op: "connections|" + in.ConnectorID, cursor: in.Cursor, limit: in.Limit,
		list: func(st store.Store, l store.List) ([]domain.Connection, error) {
			return st.ListConnections(ctx, t, in.ConnectorID, l)
		},
		id:  func(c domain.Connection) string { return c.ID },
		out: func(st store.Store, c domain.Connection) ConnectionOut { return s.connectionOut(ctx, st, c) },
	})
}

// ConnectionIn names a connection by id or, on the command line, by name.
type ConnectionIn struct {
	ID string `path:"id" doc:"Connection" example:"con_06f0m2vw2rt4x8d3p9k1q5s7ha"`
}

// Connection returns one connection.
func (s *Service) Connection(ctx context.Context, t domain.Tenant, in ConnectionIn) (ConnectionOut, error) {
	st, c, err := s.load(ctx, t, in.ID)
	if err != nil {
		return ConnectionOut{}, err
	}
	return s.connectionOut(ctx, st, c), nil
}

// load returns the store and the connection that ref names.
func (s *Service) load(ctx context.Context, t domain.Tenant, ref string) (store.Store, domain.Connection, error) {
	st, err := s.Store(ctx)
	if err != nil {
		return nil, domain.Connection{}, err
	}
	if ref == "" {
		return nil, domain.Connection{}, connectors.InvalidFields(connectors.Fault{Field: "connectionId", Message: "is required"})
	}
	c, err := s.find(ctx, st, t, "", ref)
	return st, c, err
}

// PatchConnectionIn renames a connection.
type PatchConnectionIn struct {
	ConnectionIn
	IfMatch string `header:"If-Match" doc:"The revision that is to be changed"`
	Body    struct {
		Workspace
		Name string `json:"name" minLength:"1" maxLength:"100"`
	}
}

// Workspace returns the tenant named beside the header.
func (in PatchConnectionIn) Workspace() string { return in.Body.WorkspaceID }

// PatchConnection renames a connection.
func (s *Service) PatchConnection(ctx context.Context, t domain.Tenant, in PatchConnectionIn) (ConnectionOut, error) {
	if err := checkName(in.Body.Name); err != nil {
		return ConnectionOut{}, err
	}
	st, c, err := s.load(ctx, t, in.ID)
	if err != nil {
		return ConnectionOut{}, err
	}
	if err := matches(in.IfMatch, c.Revision); err != nil {
		return ConnectionOut{}, err
	}
	err = s.audited(ctx, t, "connection.rename", target{"connection", c.ID}, map[string]any{"from": c.Name, "to": in.Body.Name}, func() error {
		c.Name, c.UpdatedAt = in.Body.Name, s.Now().UTC()
		c.Revision, err = st.UpdateConnection(ctx, c)
		return err
	})
	if err != nil {
		return ConnectionOut{}, err
	}
	return s.connectionOut(ctx, st, c), nil
}

// DeleteConnectionIn names the connection to remove.
type DeleteConnectionIn struct {
	ConnectionIn
	IfMatch string `header:"If-Match" doc:"The revision that is to be removed"`
}

// DeletedOut says that a connection is gone, and what became of its consent.
type DeletedOut struct {
	Deleted bool `json:"deleted"`
	// AtProvider is set for consents by OAuth.
	AtProvider string          `json:"atProvider,omitempty" enum:"revoked,kept,unsupported,failed" doc:"What became of a consent at its provider"`
	Kept       []ConnectionRef `json:"kept,omitempty" doc:"Connections that use the same consent and keep it"`
	Warning    string          `json:"warning,omitempty"`
}

// DeleteConnection removes a connection with its credential, its jobs that are not over, its cursors and its records. The
// credential goes first: a crash on the way leaves a connection that says so, never a credential without one, and a
// repetition removes what is left.
func (s *Service) DeleteConnection(ctx context.Context, t domain.Tenant, in DeleteConnectionIn) (DeletedOut, error) {
	st, c, err := s.load(ctx, t, in.ID)
	if err != nil {
		return DeletedOut{}, err
	}
	if err := matches(in.IfMatch, c.Revision); err != nil {
		return DeletedOut{}, err
	}
	out := DeletedOut{}
	meta := map[string]any{"name": c.Name, "connectorId": c.ConnectorID}
	err = s.audited(ctx, t, "connection.delete", target{"connection", c.ID}, meta, func() error {
		var revoked RevokedOut
		if c, revoked, err = s.revoke(ctx, st, c, "deleted"); err != nil {
			return err
		}
		out.AtProvider, out.Kept, out.Warning = revoked.AtProvider, revoked.Kept, revoked.Warning
		tellProvider(meta, revoked)
		if err := s.dropWork(ctx, st, c); err != nil {
			return err
		}
		return st.DeleteConnection(ctx, t, c.ID, c.Revision)
	})
	out.Deleted = err == nil
	return out, err
}

// dropSlice is how many records are removed in one write, so that others get their turn.
const dropSlice = 1000

// dropWork removes what jobs made of a revoked connection. None begins anew: a revoked connection is not opened, and whoever
// opened it before finds that it is revoked once its records are leased.
func (s *Service) dropWork(ctx context.Context, st store.Store, c domain.Connection) error {
	if err := s.cancelJobs(ctx, st, c); err != nil {
		return err
	}
	for {
		n, err := st.DropFeed(ctx, c.Tenant, c.ID, dropSlice)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	_, err := st.DeleteSyncStates(ctx, c.Tenant, c.ID, "", "")
	return err
}

// tellProvider adds to an audit entry what became of a consent at its provider.
func tellProvider(meta map[string]any, out RevokedOut) {
	if out.AtProvider != "" {
		meta["atProvider"] = out.AtProvider
	}
}

// RevokeIn names the connection whose credential is to be dropped.
type RevokeIn struct {
	// ConnectorID narrows what is meant when no connection is named.
	ConnectorID string `json:"-" path:"id"`
	Body        RevokeBody
}

// RevokeBody is the body of a revoke.
type RevokeBody struct {
	Workspace
	ConnectionID string `json:"connectionId,omitempty" doc:"Without it the tenant's only one"`
	Reason       string `json:"reason,omitempty" maxLength:"500"`
}

// Workspace returns the tenant named beside the header.
func (in RevokeIn) Workspace() string { return in.Body.WorkspaceID }

// RevokedOut says what became of a credential.
type RevokedOut struct {
	Revoked bool `json:"revoked"`
	// AtProvider is set for consents by OAuth.
	AtProvider string          `json:"atProvider,omitempty" enum:"revoked,kept,unsupported,failed" doc:"What became of a consent at its provider"`
	Kept       []ConnectionRef `json:"kept,omitempty" doc:"Connections that use the same consent and keep it"`
	Warning    string          `json:"warning,omitempty"`
}

// ConnectionRef names a connection.
type ConnectionRef struct {
	ConnectionID string `json:"connectionId"`
	ConnectorID  string `json:"connectorId"`
	Name         string `json:"name"`
}

func refs(conns []domain.Connection) []ConnectionRef {
	out := make([]ConnectionRef, len(conns))
	for i, c := range conns {
		out[i] = ConnectionRef{c.ID, c.ConnectorID, c.Name}
	}
	return out
}

// Revoke drops a connection's credential: a consent by OAuth at the provider first, where that is possible and no other
// connection uses it. An API key or password stays valid at the provider until it is removed there, which no API
// allows.
func (s *Service) Revoke(ctx context.Context, t domain.Tenant, in RevokeIn) (RevokedOut, error) {
	st, err := s.Store(ctx)
	if err != nil {
		return RevokedOut{}, err
	}
	if in.ConnectorID == "" && in.Body.ConnectionID == "" {
		return RevokedOut{}, connectors.InvalidFields(connectors.Fault{Field: "connectionId", Message: "is required"})
	}
	if in.ConnectorID != "" {
		if _, err := s.definition(in.ConnectorID); err != nil {
			return RevokedOut{}, err
		}
	}
	c, err := s.find(ctx, st, t, in.ConnectorID, in.Body.ConnectionID)
	if err != nil {
		return RevokedOut{}, err
	}
	var out RevokedOut
	meta := map[string]any{"reason": in.Body.Reason}
	err = s.audited(ctx, t, "connection.revoke", target{"connection", c.ID}, meta, func() error {
		_, out, err = s.revoke(ctx, st, c, in.Body.Reason)
		tellProvider(meta, out)
		return err
	})
	return out, err
}

// revoke drops a connection's credential. The connection lets go of it first: of several that let go of one consent at
// once the last one to look finds nobody else, and withdraws it.
func (s *Service) revoke(ctx context.Context, st store.Store, c domain.Connection, reason string) (domain.Connection, RevokedOut, error) {
	out := RevokedOut{Revoked: true}
	if c.Status == domain.Revoked && c.TokenID == "" {
		return c, out, nil
	}
	tok, secrets, err := s.openForRevoke(ctx, st, c)
	if err != nil {
		return c, RevokedOut{}, err
	}
	c.Status, c.Reason, c.TokenID, c.UpdatedAt = domain.Revoked, reason, "", s.Now().UTC()
	if c.Revision, err = st.UpdateConnection(ctx, c); err != nil {
		return c, RevokedOut{}, err
	}
	switch {
	case tok.ID == "":
		return c, out, nil
	case tok.Grant == nil:
		return c, out, s.dropKey(ctx, st, tok)
	}
	others, err := s.retire(ctx, st, tok)
	if err != nil {
		return c, RevokedOut{}, err
	}
	if len(others) > 0 {
		out.AtProvider, out.Kept = AtProviderKept, refs(others)
		out.Warning = "the consent stays: other connections use it"
		return c, out, nil
	}
	out.AtProvider, out.Warning = s.revokeAtProvider(ctx, tok, secrets)
	return c, out, s.dropRetired(ctx, st, tok)
}

// openForRevoke returns a connection's credential, opened: one that does not open is neither dropped nor withdrawn,
// because with its key at hand it could be.
func (s *Service) openForRevoke(ctx context.Context, st store.Store, c domain.Connection) (domain.Token, map[string]connectors.Secret, error) {
	if c.TokenID == "" {
		return domain.Token{}, nil, nil
	}
	tok, err := st.Token(ctx, c.Tenant, c.TokenID)
	if connectors.CodeOf(err) == connectors.NotFound {
		return domain.Token{}, nil, nil
	}
	if err != nil {
		return tok, nil, err
	}
	if err := s.CheckKeys(ctx); err != nil {
		return tok, nil, err
	}
	secrets, err := s.openToken(tok)
	if err != nil {
		s.Log.WarnContext(ctx, "a credential that is revoked does not open", "token", tok.ID, "error", err)
		secrets = nil // its keys are there, so nothing will ever open it
	}
	return tok, secrets, nil
}

// dropKey removes a key or password that no connection refers to any more.
func (s *Service) dropKey(ctx context.Context, st store.Store, tok domain.Token) error {
	users, err := s.tokenUsers(ctx, st, tok.Tenant)
	if err != nil || len(users[tok.ID]) > 0 {
		return err
	}
	return gone(st.DeleteToken(ctx, tok.Tenant, tok.ID))
}

// retired is why a grant that is being withdrawn gives no tokens any more.
const retired = "the consent is being withdrawn"

// retire marks a grant that no connection uses as withdrawn, so that a connect flow that is about to use it notices; it
// returns the connections that use it instead, where there are any.
func (s *Service) retire(ctx context.Context, st store.Store, tok domain.Token) ([]domain.Connection, error) {
	for range maxConflicts {
		users, err := s.tokenUsers(ctx, st, tok.Tenant)
		if err != nil || len(users[tok.ID]) > 0 {
			return users[tok.ID], err
		}
		cur, err := st.Token(ctx, tok.Tenant, tok.ID)
		if err != nil || cur.Grant == nil || cur.Grant.Refused == retired {
			return nil, gone(err)
		}
		users, err = s.markRetired(ctx, st, cur)
		if connectors.CodeOf(err) != connectors.Conflict {
			return users[tok.ID], err
		}
	}
	return nil, errBusy
}

// markRetired writes the mark. Whoever began to use the grant in between is a user by then, for whom the mark is taken
// back; whoever does so later sees it.
func (s *Service) markRetired(ctx context.Context, st store.Store, tok domain.Token) (map[string][]domain.Connection, error) {
	was := *tok.Grant
	next := was
	next.Refused, tok.UpdatedAt, tok.Grant = retired, s.Now().UTC(), &next
	var err error
	if tok.Revision, err = st.UpdateToken(ctx, tok); err != nil {
		return nil, err
	}
	users, err := s.tokenUsers(ctx, st, tok.Tenant)
	if err != nil || len(users[tok.ID]) == 0 {
		return nil, err
	}
	tok.Grant = &was
	_, err = st.UpdateToken(ctx, tok)
	return users, err
}

// dropRetired removes a grant that was withdrawn, unless a new consent has taken its place.
func (s *Service) dropRetired(ctx context.Context, st store.Store, tok domain.Token) error {
	cur, err := st.Token(ctx, tok.Tenant, tok.ID)
	if err != nil || cur.Grant == nil || cur.Grant.Refused != retired {
		return gone(err)
	}
	return gone(st.DeleteToken(ctx, tok.Tenant, tok.ID))
}

// ValidateConnectionIn names the connection to check.
type ValidateConnectionIn struct {
	Body struct {
		Workspace
		ConnectionID string `json:"connectionId" minLength:"1"`
	}
}

// Workspace returns the tenant named beside the header.
func (in ValidateConnectionIn) Workspace() string { return in.Body.WorkspaceID }

// ValidateConnection checks, without a request, that the stored configuration is sound and the credential opens.
func (s *Service) ValidateConnection(ctx context.Context, t domain.Tenant, in ValidateConnectionIn) (ValidOut, error) {
	st, c, err := s.load(ctx, t, in.Body.ConnectionID)
	if err != nil {
		return ValidOut{}, err
	}
	_, _, err = s.fullConfig(ctx, st, c)
	return ValidOut{err == nil}, err
}
