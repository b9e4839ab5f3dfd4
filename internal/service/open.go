package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// Use names what an operation works on: a stored connection, by id or name; else the configuration given; else the
// tenant's only connection of the connector.
type Use struct {
	ConnectorID string
	Connection  string
	Config      map[string]any
}

// opened is a connector ready to be asked, and the stored connection it came from, if any.
type opened struct {
	*connectors.Conn
	stored *domain.Connection
}

// done closes the connector; a driver that fails to close has nothing left to say to the caller.
func (o *opened) done() { _ = o.Close() }

// open finds what u names and opens it. The caller closes the Conn and reports how its use ended with used.
func (s *Service) open(ctx context.Context, t domain.Tenant, u Use) (*opened, error) {
	def, err := s.definition(u.ConnectorID)
	if err != nil {
		return nil, err
	}
	if u.Connection == "" && len(u.Config) > 0 {
		return s.openGiven(t, def, u.Config)
	}
	st, err := s.Store(ctx)
	if err != nil {
		return nil, err
	}
	c, err := s.find(ctx, st, t, def.ID, u.Connection)
	if err != nil {
		return nil, err
	}
	conn, err := s.openStored(ctx, st, c, false)
	if err != nil {
		return nil, err
	}
	return &opened{conn, &c}, nil
}

// openStored opens a stored connection. In the background nobody waits for its answers.
func (s *Service) openStored(ctx context.Context, st store.Store, c domain.Connection, background bool) (*connectors.Conn, error) {
	cfg, tok, err := s.fullConfig(ctx, st, c)
	if err != nil {
		return nil, err
	}
	tg := Target{
		Tenant: c.Tenant, Config: cfg, OperatorHost: c.OperatorHost && s.Operator, Stored: true, Background: background, API: s.apiOf(cfg, tok.Grant),
	}
	if tok.Grant != nil {
		tg.Source = s.OAuth.Grants.Source(c.Tenant, tok.ID)
	}
	_, place := cfg.Destination()
	return s.openConfig(tg, string(c.Tenant)+"|"+c.ID+"|"+place)
}

func (s *Service) openGiven(t domain.Tenant, def *connectors.Definition, raw map[string]any) (*opened, error) {
	cfg, err := def.ParseConfig(raw)
	if err != nil {
		return nil, err
	}
	public, err := json.Marshal(cfg.Public())
	if err != nil {
		return nil, connectors.Wrap(connectors.Internal, err, "configuration does not encode")
	}
	sum := sha256.Sum256(public)
	conn, err := s.openConfig(Target{Tenant: t, Config: cfg, OperatorHost: s.Operator, API: s.apiOf(cfg, nil)}, string(t)+"|given|"+hex.EncodeToString(sum[:8]))
	if err != nil {
		return nil, err
	}
	return &opened{conn, nil}, nil
}

func (s *Service) openConfig(tg Target, binding string) (*connectors.Conn, error) {
	env, err := s.Outbound.Env(tg)
	if err != nil {
		return nil, err
	}
	env.Config, env.API, env.Log, env.Now = tg.Config, tg.API, s.Log, s.Now
	return connectors.Open(connectors.Options{Env: env, Sealer: s.Keeper, Binding: binding})
}

// find returns the connection that ref names, by id or by name; an empty ref means the only one of the connector.
// With an empty connectorID the connections of all connectors are meant.
func (s *Service) find(ctx context.Context, st store.Store, t domain.Tenant, connectorID, ref string) (domain.Connection, error) {
	if domain.IsID(domain.ConnectionPrefix, ref) {
		c, err := st.Connection(ctx, t, ref)
		if err == nil && connectorID != "" && c.ConnectorID != connectorID {
			return c, connectors.Errorf(connectors.NotFound, "connection %s belongs to %s, not to %s", ref, c.ConnectorID, connectorID)
		}
		return c, err
	}
	all, err := s.allConnections(ctx, st, t, connectorID)
	if err != nil {
		return domain.Connection{}, err
	}
	found := slices.DeleteFunc(all, func(c domain.Connection) bool {
		if ref == "" {
			return c.Status == domain.Revoked
		}
		return c.Name != ref && c.ConnectorID+"/"+c.Name != ref
	})
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return domain.Connection{}, severalConnections(found)
	case ref != "":
		return domain.Connection{}, connectors.Errorf(connectors.NotFound, "there is no connection %q; `ucf connections list` shows them", clip(ref))
	}
	return domain.Connection{}, connectors.Errorf(connectors.NotFound, "tenant %s has no connection to %s; make one with `ucf connect %s`", t, connectorID, connectorID)
}

func severalConnections(found []domain.Connection) error {
	list := make([]map[string]string, len(found))
	names := ""
	for i, c := range found {
		list[i] = map[string]string{"id": c.ID, "connectorId": c.ConnectorID, "name": c.Name}
		names += ", " + c.ConnectorID + "/" + c.Name + " (" + c.ID + ")"
	}
	e := connectors.Errorf(connectors.Conflict, "several connections fit: %s; name one of them", names[2:])
	e.Details = map[string]any{"connections": list}
	return e
}

func (s *Service) allConnections(ctx context.Context, st store.Store, t domain.Tenant, connectorID string) ([]domain.Connection, error) {
	return collect(func(after string) ([]domain.Connection, error) {
		return st.ListConnections(ctx, t, connectorID, store.List{After: after, Limit: 200})
	}, func(c domain.Connection) string { return c.ID })
}

// touchEvery bounds how often the use of a connection is written down.
const touchEvery = time.Minute

// used writes down that a connection was used and what that says of its credential: refused, or good again. A right
// that the account lacks says nothing of the credential.
func (s *Service) used(ctx context.Context, o *opened, err error) {
	if o.stored == nil {
		return
	}
	c := *o.stored
	st, serr := s.Store(ctx)
	if serr != nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	status, reason := c.Status, c.Reason
	switch code := connectors.CodeOf(err); {
	case code == connectors.Reauthorize && !connectors.IsDenied(err):
		status, reason = domain.Reauthorize, connectors.AsError(err).Message
	case err == nil:
		status, reason = domain.Connected, ""
	}
	if status == c.Status {
		if now := s.Now(); now.Sub(c.LastUsedAt) > touchEvery {
			s.logged(ctx, "last use of a connection was not written", st.TouchConnection(ctx, c.Tenant, c.ID, now.UTC()))
		}
		return
	}
	serr = s.audited(ctx, c.Tenant, "connection.status", target{"connection", c.ID}, map[string]any{"from": c.Status, "to": status}, func() error {
		c.Status, c.Reason, c.UpdatedAt, c.LastUsedAt = status, reason, s.Now().UTC(), s.Now().UTC()
		_, err := st.UpdateConnection(ctx, c)
		return err
	})
	if connectors.CodeOf(serr) != connectors.Conflict {
		s.logged(ctx, "status of a connection was not written", serr)
	}
}

func (s *Service) logged(ctx context.Context, msg string, err error) {
	if err != nil {
		s.Log.WarnContext(ctx, msg, "error", err)
	}
}
