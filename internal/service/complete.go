package service

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/oauth2"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/oauth"
	"github.com/unified-connector/ucf/internal/store"
)

// completion is a connect flow that its caller completes.
type completion struct {
	tenant  domain.Tenant
	def     *connectors.Definition
	method  connectors.AuthMethod
	body    ConnectedBody
	record  domain.OAuthState
	flow    flow
	client  *oauth.Client
	warning []string
}

// completeOAuth completes a connect flow for the caller that began it. The state is good once; only where several
// sites have to be chosen from, it stays good for the choice.
func (s *Service) completeOAuth(ctx context.Context, t domain.Tenant, def *connectors.Definition, in ConnectedIn) (ConnectedOut, error) {
	m, err := oauthMethod(def)
	if err != nil {
		return ConnectedOut{}, err
	}
	st, err := s.Store(ctx)
	if err != nil {
		return ConnectedOut{}, err
	}
	c := &completion{tenant: t, def: def, method: m, body: in.Body}
	if err := s.takeFlow(ctx, st, c); err != nil {
		return ConnectedOut{}, err
	}
	var out ConnectedOut
	err = s.audited(ctx, t, "connect.complete", target{"connector", def.ID}, map[string]any{"connectionId": c.flow.ConnectionID}, func() error {
		out, err = s.finishFlow(ctx, st, c)
		return err
	})
	if err != nil {
		return ConnectedOut{}, err
	}
	return s.probeConnected(ctx, t, def, out)
}

// probeConnected asks the provider who is connected. The grant is stored by then, and a provider that fails just now
// takes nothing from it.
func (s *Service) probeConnected(ctx context.Context, t domain.Tenant, def *connectors.Definition, out ConnectedOut) (ConnectedOut, error) {
	probe, err := s.Probe(ctx, t, ProbeIn{ConnectorIn: ConnectorIn{ID: def.ID}, Body: map[string]any{"connectionId": out.ConnectionID}})
	if err != nil {
		probe.Account = out.Probe.Account
		probe.Scopes, probe.Capabilities, probe.Warnings = []string{}, def.Capabilities(), []connectors.Warning{}
		out.addWarning("connected, but the first call failed: " + connectors.AsError(err).Message)
	}
	out.Probe = probe
	return out, nil
}

// takeFlow finds the flow of a state, checks that this caller may complete it, and takes the state, so that nobody
// else can.
func (s *Service) takeFlow(ctx context.Context, st store.Store, c *completion) error {
	reason, err := s.checkState(ctx, st, c)
	if err != nil {
		return err
	}
	if reason == "" || spends(reason) {
		switch err := st.TakeOAuthState(ctx, c.record.ID, c.record.Revision); connectors.CodeOf(err) {
		case "":
		case connectors.NotFound, connectors.Conflict:
			reason = "used"
		default:
			return err
		}
	}
	if reason == "" {
		return nil
	}
	return s.refuseFlow(ctx, c, reason)
}

// Reasons to refuse the completion of a flow, as the audit log tells them. The caller is told no more than that the
// state is not good.
const (
	wrongCSRF     = "csrf token differs"
	wrongVerifier = "code verifier differs"
)

// spends reports whether a refusal uses the state up: a caller who has the state and not what goes with it is not
// given a second try.
func spends(reason string) bool { return reason == wrongCSRF || reason == wrongVerifier }

// checkState reads the flow of a state and returns why this caller may not complete it, "" where it may.
func (s *Service) checkState(ctx context.Context, st store.Store, c *completion) (reason string, err error) {
	if c.body.State == "" {
		return "missing", nil
	}
	c.record, err = st.OAuthState(ctx, stateID(c.body.State))
	switch {
	case connectors.CodeOf(err) == connectors.NotFound:
		return "unknown or used", nil
	case err != nil:
		return "", err
	case c.record.Tenant != c.tenant:
		return "another tenant's", nil
	case !s.Now().Before(c.record.ExpiresAt):
		return "expired", nil
	}
	if c.flow, err = s.openFlow(c.record); err != nil {
		return "", err
	}
	return c.mismatch(), nil
}

// mismatch says what of the caller's does not fit the flow.
func (c *completion) mismatch() string {
	f, b := c.flow, c.body
	switch {
	case f.ConnectorID != c.def.ID:
		return "another connector's"
	case b.ConnectionID != "" && b.ConnectionID != f.ConnectionID:
		return "another connection's"
	case !same(f.CSRF, hashed(b.CSRFToken)):
		return wrongCSRF
	case f.Challenge == "" && b.CodeVerifier != "", f.Challenge != "" && !same(f.Challenge, oauth2.S256ChallengeFromVerifier(b.CodeVerifier)):
		return wrongVerifier
	case f.Pending == nil && b.Code == "":
		return "no code"
	}
	return ""
}

// refuseFlow writes down that somebody could not complete a flow, for both tenants that it concerns.
func (s *Service) refuseFlow(ctx context.Context, c *completion, reason string) error {
	meta := map[string]any{"connectorId": c.def.ID, "reason": reason}
	refused := connectors.Errorf(connectors.InvalidRequest,
		"this consent cannot be completed: its state is missing, unknown, used, expired or not yours; begin again with a new one")
	tenants := []domain.Tenant{c.tenant}
	if owner := c.record.Tenant; owner != "" && owner != c.tenant {
		tenants = append(tenants, owner)
	}
	for _, t := range tenants {
		if err := s.audit(ctx, t, "connect.refused", target{"connector", c.def.ID}, string(refused.Code), meta); err != nil {
			return err
		}
	}
	return refused
}

// finishFlow turns the code, or the choice of a site, into a connection.
func (s *Service) finishFlow(ctx context.Context, st store.Store, c *completion) (ConnectedOut, error) {
	app, err := s.appFor(c.method.OAuth.Provider, ownApp{c.flow.ClientID, connectors.NewSecret(c.flow.ClientSecret)}.orOperators(s, c.method))
	if err != nil {
		return ConnectedOut{}, err
	}
	if c.client, err = s.client(c.tenant, app); err != nil {
		return ConnectedOut{}, err
	}
	if err := s.CheckKeys(ctx); err != nil {
		return ConnectedOut{}, err
	}
	if c.flow.Pending == nil {
		if err := s.exchange(ctx, st, c); err != nil {
			return ConnectedOut{}, err
		}
	}
	site, err := c.chooseSite()
	if err != nil {
		if connectors.CodeOf(err) == connectors.Conflict {
			if kerr := s.keepFlow(ctx, st, c.tenant, c.record.ID, c.flow, c.record.ExpiresAt); kerr != nil {
				return ConnectedOut{}, kerr
			}
		}
		return ConnectedOut{}, err
	}
	return s.bindGrant(ctx, st, c, site)
}

// orOperators leaves an app away that has no secret of its own: then it is the operator's.
func (o ownApp) orOperators(s *Service, m connectors.AuthMethod) ownApp {
	if o.ClientSecret.IsZero() && s.OAuth.Apps[m.OAuth.Provider.ID].ClientID == o.ClientID {
		return ownApp{}
	}
	return o
}

// exchange turns the code into tokens, finds out whose they are and what they reach, and stores them.
func (s *Service) exchange(ctx context.Context, st store.Store, c *completion) error {
	p := c.method.OAuth.Provider
	a, err := c.client.Exchange(ctx, c.body.Code, c.flow.Verifier, c.flow.VendorRedirect)
	if oauth.FailureOf(err) == oauth.Refused {
		return connectors.Wrap(connectors.InvalidRequest, err, "%s does not accept the code: it is good once and for a short time; begin again", p.Name)
	}
	if err != nil {
		return err
	}
	g := connectors.Grant{API: a.API, Scopes: a.Scopes}
	if g.API == "" {
		g.API = c.client.App.APIURL
	}
	if g.HTTP, err = s.signed(c.tenant, p, g.API, a.Access); err != nil {
		return err
	}
	found, err := c.method.OAuth.Discover(ctx, g)
	if err != nil {
		return err
	}
	tok, err := s.keepGrant(ctx, st, c, a, found.Account)
	if err != nil {
		return err
	}
	s.revive(ctx, st, tok)
	if a.ExpiresAt.IsZero() && p.IntrospectPath != "" {
		s.askExpiry(ctx, st, c.client, tok, a.Access)
	}
	c.flow.Pending = &pending{TokenID: tok.ID, API: g.API, Account: found.Account, Sites: found.Sites}
	return nil
}

// askExpiry finds out when an access token expires that came without saying so. What fails is left: an expired token
// shows when it is refused.
func (s *Service) askExpiry(ctx context.Context, st store.Store, c *oauth.Client, tok domain.Token, access connectors.Secret) {
	at, err := c.Introspect(ctx, access)
	if err == nil && !at.IsZero() {
		tok.ExpiresAt, tok.UpdatedAt = at, s.Now().UTC()
		_, err = st.UpdateToken(ctx, tok)
	}
	if err != nil && connectors.CodeOf(err) != connectors.Conflict {
		s.Log.DebugContext(ctx, "the expiry of a token was not found out", "token", tok.ID, "error", err)
	}
}

// chooseSite returns the one site that is meant: never one of several without being told.
func (c *completion) chooseSite() (connectors.Site, error) {
	sites, want := c.flow.Pending.Sites, c.body.Site
	if want == "" {
		want = c.flow.Site
	}
	if len(sites) == 0 {
		return connectors.Site{}, connectors.Errorf(connectors.NotFound,
			"the consent of %s reaches no %s site: choose one on the consent page, or ask the site's administrator for access", c.flow.Pending.Account.Name, c.def.Name)
	}
	if want == "" {
		if len(sites) == 1 {
			return sites[0], nil
		}
		return connectors.Site{}, severalSites(sites, fmt.Sprintf("the consent reaches %d sites", len(sites)))
	}
	var found []connectors.Site
	for _, site := range sites {
		if site.ID == want || sameAddress(site.URL, want) || strings.EqualFold(site.Name, want) {
			found = append(found, site)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return connectors.Site{}, severalSites(sites, fmt.Sprintf("the consent does not reach the site %q", clip(want)))
	}
	return connectors.Site{}, severalSites(found, fmt.Sprintf("several sites are called %q", clip(want)))
}

func sameAddress(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}

func severalSites(sites []connectors.Site, why string) error {
	var names []string
	for _, site := range sites {
		names = append(names, fmt.Sprintf("%s (%s, %s)", site.Name, site.URL, site.ID))
	}
	e := connectors.Errorf(connectors.Conflict, "%s: %s; name one of them as the site, by address or id", why, strings.Join(names, ", "))
	e.Details = map[string]any{"sites": sites}
	return e
}

// bindGrant makes the connection that uses the grant of a flow for a site.
func (s *Service) bindGrant(ctx context.Context, st store.Store, c *completion, site connectors.Site) (ConnectedOut, error) {
	p := c.flow.Pending
	tok, err := st.Token(ctx, c.tenant, p.TokenID)
	if connectors.CodeOf(err) == connectors.NotFound || err == nil && tok.Grant != nil && tok.Grant.Refused == retired {
		return ConnectedOut{}, connectors.Errorf(connectors.InvalidRequest, "the consent was withdrawn meanwhile: begin again")
	}
	if err != nil {
		return ConnectedOut{}, err
	}
	cfg, err := s.boundConfig(c, site, tok)
	if err != nil {
		return ConnectedOut{}, err
	}
	if c.flow.ConnectionID == "" {
		if err := s.nameFree(ctx, st, c.tenant, c.def.ID, c.flow.Name); err != nil {
			return ConnectedOut{}, err
		}
	}
	conn, err := s.connectTo(ctx, st, c, cfg, site, tok)
	out := ConnectedOut{ConnectionID: conn.ID, Status: conn.Status, Site: &site}
	out.Probe.Account = p.Account
	for _, w := range c.warning {
		out.addWarning(w)
	}
	return out, err
}

// boundConfig returns the configuration of a connection that uses a grant for a site.
func (s *Service) boundConfig(c *completion, site connectors.Site, tok domain.Token) (connectors.Config, error) {
	fields, err := s.openToken(tok)
	if err != nil {
		return connectors.Config{}, err
	}
	raw := map[string]any{"auth_method": c.method.ID, oauth.FieldAccess: fields[oauth.FieldAccess].Reveal(), "scopes": c.flow.Scopes}
	for field, v := range c.method.OAuth.Bind(c.flow.Pending.API, site) {
		raw[field] = v
	}
	if c.flow.ClientSecret != "" {
		raw["client_id"] = c.flow.ClientID
	}
	cfg, err := c.def.ParseConfig(raw)
	if err != nil {
		return cfg, connectors.Wrap(connectors.ProviderError, err, "%s names a site that cannot be used: %s", c.method.OAuth.Provider.Name, connectors.AsError(err).Message)
	}
	return cfg, nil
}

// connectTo makes the connection of a flow, or renews it: then it keeps its id and cursors.
func (s *Service) connectTo(ctx context.Context, st store.Store, c *completion, cfg connectors.Config, site connectors.Site, tok domain.Token) (domain.Connection, error) {
	if c.flow.ConnectionID == "" {
		m := s.newMeta(c.tenant)
		conn := domain.Connection{
			Meta: m, ID: domain.NewID(domain.ConnectionPrefix, m.CreatedAt), ConnectorID: c.def.ID, Name: c.flow.Name, OperatorHost: s.Operator,
		}
		c.bind(&conn, cfg, site, tok)
		err := s.audited(ctx, c.tenant, "connection.create", target{"connection", conn.ID}, c.meta(conn), func() error {
			return st.CreateConnection(ctx, conn)
		})
		return conn, s.settle(ctx, st, conn, tok, err)
	}
	var conn domain.Connection
	err := s.audited(ctx, c.tenant, "connection.update", target{"connection", c.flow.ConnectionID}, map[string]any{"tokenId": tok.ID}, func() error {
		var err error
		conn, err = s.rebind(ctx, st, c, cfg, site, tok)
		return err
	})
	return conn, s.settle(ctx, st, conn, tok, err)
}

func (c *completion) meta(conn domain.Connection) map[string]any {
	return map[string]any{"connectorId": conn.ConnectorID, "name": conn.Name, "tokenId": conn.TokenID, "account": conn.Account.ID, "site": conn.Site.ID}
}

// bind gives a connection what the flow found.
func (c *completion) bind(conn *domain.Connection, cfg connectors.Config, site connectors.Site, tok domain.Token) {
	conn.Status, conn.Reason, conn.AuthMethod = domain.Connected, "", c.method.ID
	conn.Account, conn.Site, conn.Scopes = c.flow.Pending.Account, &site, c.flow.Scopes
	conn.Config, conn.TokenID = cfg.Public(), tok.ID
}

// rebind gives a connection that exists the new grant, whatever else was changed in it meanwhile.
func (s *Service) rebind(ctx context.Context, st store.Store, c *completion, cfg connectors.Config, site connectors.Site, tok domain.Token) (domain.Connection, error) {
	for range maxConflicts {
		conn, err := st.Connection(ctx, c.tenant, c.flow.ConnectionID)
		if err != nil {
			return conn, err
		}
		old := conn
		c.bind(&conn, cfg, site, tok)
		conn.UpdatedAt, conn.OperatorHost = s.Now().UTC(), s.Operator
		conn.Revision, err = st.UpdateConnection(ctx, conn)
		if connectors.CodeOf(err) == connectors.Conflict {
			continue
		}
		if err != nil {
			return conn, err
		}
		if old.Account.ID != "" && old.Account.ID != conn.Account.ID {
			c.warning = append(c.warning, fmt.Sprintf("the connection was %s's and is %s's now", old.Account.Name, conn.Account.Name))
		}
		if old.TokenID != "" && old.TokenID != tok.ID {
			s.dropUnused(ctx, st, c.tenant, old.TokenID)
		}
		return conn, nil
	}
	return domain.Connection{}, errBusy
}
