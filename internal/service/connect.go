package service

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/oauth"
	"github.com/unified-connector/ucf/internal/store"
)

// DefaultName is the name of a connection that was given none.
const DefaultName = "default"

// PutConnectionIn creates a connection, or updates the one of that name.
type PutConnectionIn struct {
	Body struct {
		Workspace
		ConnectorID string         `json:"connectorId" minLength:"1"`
		Name        string         `json:"name,omitempty" maxLength:"100" doc:"Without it: default"`
		Config      map[string]any `json:"config" doc:"Secrets in it are moved into a sealed token"`
	}
}

// Workspace returns the tenant named beside the header.
func (in PutConnectionIn) Workspace() string { return in.Body.WorkspaceID }

// IDOut names a record.
type IDOut struct {
	ID string `json:"id"`
}

// PutConnection creates a connection, or updates the one of that connector and name. On an update secrets that are
// not given stay, unless they would be sent to another place than before.
func (s *Service) PutConnection(ctx context.Context, t domain.Tenant, in PutConnectionIn) (IDOut, error) {
	def, err := s.definition(in.Body.ConnectorID)
	if err != nil {
		return IDOut{}, err
	}
	name := in.Body.Name
	if name == "" {
		name = DefaultName
	}
	if err := checkName(name); err != nil {
		return IDOut{}, err
	}
	st, err := s.Store(ctx)
	if err != nil {
		return IDOut{}, err
	}
	old, err := st.ConnectionNamed(ctx, t, def.ID, name)
	if connectors.CodeOf(err) == connectors.NotFound {
		cfg, err := s.checked(t, def, in.Body.Config)
		if err != nil {
			return IDOut{}, err
		}
		c, err := s.create(ctx, st, t, name, cfg, connectors.Account{})
		return IDOut{c.ID}, err
	}
	if err != nil {
		return IDOut{}, err
	}
	c, err := s.reconfigure(ctx, st, old, in.Body.Config, connectors.Account{})
	return IDOut{c.ID}, err
}

// checked parses a configuration and holds its host against the guard.
func (s *Service) checked(t domain.Tenant, def *connectors.Definition, raw map[string]any) (connectors.Config, error) {
	cfg, err := def.ParseConfig(raw)
	if err != nil {
		return cfg, err
	}
	_, err = s.Outbound.Env(Target{Tenant: t, Config: cfg, OperatorHost: s.Operator})
	return cfg, err
}

// create makes a connection with its sealed credential.
func (s *Service) create(ctx context.Context, st store.Store, t domain.Tenant, name string, cfg connectors.Config, account connectors.Account) (domain.Connection, error) {
	m := s.newMeta(t)
	c := domain.Connection{
		Meta: m, ID: domain.NewID(domain.ConnectionPrefix, m.CreatedAt), ConnectorID: cfg.Definition().ID, Name: name,
		Status: domain.Connected, AuthMethod: cfg.AuthMethod().ID, Account: account, Config: cfg.Public(), OperatorHost: s.Operator,
	}
	if err := s.CheckKeys(ctx); err != nil {
		return c, err
	}
	tok, err := s.newToken(t, cfg, time.Time{})
	if err != nil {
		return c, err
	}
	c.TokenID = tok.ID
	c.Scopes = scopesOf(cfg)
	meta := map[string]any{"connectorId": c.ConnectorID, "name": name, "tokenId": tok.ID}
	err = s.audited(ctx, t, "connection.create", target{"connection", c.ID}, meta, func() error {
		tok, made, err := s.addToken(ctx, st, tok)
		if err != nil {
			return err
		}
		c.TokenID = tok.ID
		if err = st.CreateConnection(ctx, c); made && refusedForSure(err) {
			s.dropToken(ctx, st, t, tok.ID)
		}
		return err
	})
	return c, err
}

// scopesOf returns the scopes that a configuration by OAuth names.
func scopesOf(cfg connectors.Config) []string {
	if cfg.AuthMethod().OAuth == nil {
		return nil
	}
	return cfg.List("scopes")
}

// reconfigure gives a stored connection another configuration.
func (s *Service) reconfigure(ctx context.Context, st store.Store, c domain.Connection, raw map[string]any, account connectors.Account) (domain.Connection, error) {
	def, err := s.definition(c.ConnectorID)
	if err != nil {
		return c, err
	}
	cfg, kept, err := s.merged(ctx, st, def, c, raw)
	if err != nil {
		return c, err
	}
	if _, err := s.Outbound.Env(Target{Tenant: c.Tenant, Config: cfg, OperatorHost: s.Operator, API: s.apiOf(cfg, nil)}); err != nil {
		return c, err
	}
	err = s.audited(ctx, c.Tenant, "connection.update", target{"connection", c.ID}, map[string]any{"name": c.Name}, func() error {
		if account.ID != "" {
			c.Account = account
		}
		c.OperatorHost, c.Scopes = s.Operator, scopesOf(cfg)
		if kept {
			c.Config, c.UpdatedAt = cfg.Public(), s.Now().UTC()
			c.Revision, err = st.UpdateConnection(ctx, c)
			return err
		}
		c, err = s.replaceCredential(ctx, st, c, cfg, time.Time{})
		return err
	})
	return c, err
}

// merged returns the new configuration of a connection. Secrets that raw does not give are kept where the
// destination stays the same; where it changes they are demanded again. kept tells that all of them were kept, and the
// credential is the one that it was.
func (s *Service) merged(ctx context.Context, st store.Store, def *connectors.Definition, c domain.Connection, raw map[string]any) (cfg connectors.Config, kept bool, err error) {
	cfg, err = def.ParseConfig(raw)
	if err == nil {
		return cfg, false, nil
	}
	secrets, tok, cerr := s.credential(ctx, st, c)
	if cerr != nil {
		return cfg, false, err
	}
	with, werr := parseWith(def, raw, secrets)
	if werr != nil {
		return cfg, false, err
	}
	before, berr := parseWith(def, c.Config, secrets)
	if berr != nil || !before.SameDestination(with) || before.AuthMethod().ID != with.AuthMethod().ID {
		return cfg, false, connectors.InvalidFields(missing(def, raw, secrets)...)
	}
	kept = !givesSecret(def, raw)
	if tok.Grant != nil && !kept {
		// A part of a grant in a second record would be a second copy of a refresh token.
		return cfg, false, connectors.InvalidFields(connectors.Fault{Field: oauth.FieldAccess, Message: "is required with the other secrets; or connect again"})
	}
	return with, kept, nil
}

// givesSecret reports whether a raw configuration gives any secret.
func givesSecret(def *connectors.Definition, raw map[string]any) bool {
	for name, v := range raw {
		if f, ok := def.Field(name); ok && f.Kind == connectors.KindSecret && v != nil && v != "" {
			return true
		}
	}
	return false
}

func missing(def *connectors.Definition, raw map[string]any, secrets map[string]connectors.Secret) []connectors.Fault {
	var faults []connectors.Fault
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if _, given := raw[name]; !given {
			faults = append(faults, connectors.Fault{Field: name, Message: "is required again, because the place that " + def.Name + " secrets are sent to changes"})
		}
	}
	return faults
}

// ConnectIn begins a connect flow.
type ConnectIn struct {
	ConnectorIn
	Body struct {
		Workspace
		Method       string `json:"method" enum:"oauth2,api_key"`
		ConnectionID string `json:"connectionId,omitempty" doc:"Connection to renew"`
		Name         string `json:"name,omitempty" maxLength:"100"`
		APIKeyName   string `json:"apiKeyName,omitempty"`

		RedirectURI   string   `json:"redirectUri,omitempty" doc:"For oauth2: the page that the browser returns to"`
		Scopes        []string `json:"scopes,omitempty" doc:"For oauth2"`
		Site          string   `json:"site,omitempty" doc:"For oauth2: the site to connect"`
		CSRFToken     string   `json:"csrfToken,omitempty" doc:"For oauth2: repeated when the flow is completed"`
		CodeChallenge string   `json:"codeChallenge,omitempty" doc:"For oauth2: S256 of a verifier that completes the flow"`
	}
	// Config is what the command line alone gives: an OAuth app that is not the operator's.
	Config map[string]any `json:"-"`
}

// Workspace returns the tenant named beside the header.
func (in ConnectIn) Workspace() string { return in.Body.WorkspaceID }

// ConnectOut says how a connect flow goes on: by API key, what the user has to give; by OAuth, where the user consents.
type ConnectOut struct {
	Status         string         `json:"status,omitempty" enum:"pending_key" doc:"For api_key"`
	Fields         []ConnectField `json:"fields,omitempty" doc:"For api_key: what the user fills in"`
	ExpectedHeader string         `json:"expectedHeader,omitempty" doc:"How the key is presented to the provider"`

	AuthURL       string     `json:"authUrl,omitempty" doc:"For oauth2: where the user consents"`
	State         string     `json:"state,omitempty" doc:"For oauth2: comes back with the browser and completes the flow once"`
	CodeChallenge string     `json:"codeChallenge,omitempty" doc:"For oauth2: S256 of the verifier that ucf keeps"`
	ExpiresAt     *time.Time `json:"expiresAt,omitempty" doc:"For oauth2: until when the flow can be completed"`
}

// ConnectField is one field that a user fills in.
type ConnectField struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Help     string `json:"help"`
	Secret   bool   `json:"secret"`
	Required bool   `json:"required"`
	Default  string `json:"default,omitempty"`
}

// Connect begins a connect flow and says what the user has to do.
func (s *Service) Connect(ctx context.Context, t domain.Tenant, in ConnectIn) (ConnectOut, error) {
	def, err := s.definition(in.ID)
	if err != nil {
		return ConnectOut{}, err
	}
	switch in.Body.Method {
	case connectors.MethodOAuth:
		// A provider may end the account's earlier consent when it gives a new one, so that must be fit to be kept.
		if err := s.CheckKeys(ctx); err != nil {
			return ConnectOut{}, err
		}
		return s.beginOAuth(ctx, t, def, in)
	case "api_key":
		return connectByKey(def)
	}
	return ConnectOut{}, connectors.InvalidFields(connectors.Fault{Field: "method", Message: "must be oauth2 or api_key"})
}

// connectByKey says what a user has to give who connects by a key.
func connectByKey(def *connectors.Definition) (ConnectOut, error) {
	m, err := keyMethod(def)
	if err != nil {
		return ConnectOut{}, err
	}
	out := ConnectOut{Status: "pending_key", Fields: []ConnectField{}}
	switch m.Scheme {
	case connectors.SchemeBasic:
		out.ExpectedHeader = "Authorization: Basic base64(" + m.User + ":" + m.Secret + ")"
	case connectors.SchemeBearer:
		out.ExpectedHeader = "Authorization: Bearer " + m.Secret
	}
	for _, f := range def.FieldsOf(m.ID) {
		out.Fields = append(out.Fields, ConnectField{f.Name, f.Label, f.Help, f.Kind == connectors.KindSecret, f.Required, f.Default})
	}
	return out, nil
}

// ConnectedIn completes a connect flow.
type ConnectedIn struct {
	ConnectorIn
	Body ConnectedBody
}

// ConnectedBody is what completes a flow: the key, and the rest of the configuration.
type ConnectedBody struct {
	Workspace
	APIKey       string         `json:"apiKey,omitempty" doc:"The API token, or a database password"`
	APISecret    string         `json:"apiSecret,omitempty"`
	Config       map[string]any `json:"config,omitempty" doc:"The other fields of the configuration"`
	Label        string         `json:"label,omitempty" maxLength:"100" doc:"Name of the connection; without it: default"`
	ConnectionID string         `json:"connectionId,omitempty" doc:"Connection to renew"`

	State        string `json:"state,omitempty" doc:"For oauth2"`
	Code         string `json:"code,omitempty" doc:"For oauth2"`
	Site         string `json:"site,omitempty" doc:"For oauth2: the one of several sites"`
	CSRFToken    string `json:"csrfToken,omitempty" doc:"For oauth2"`
	CodeVerifier string `json:"codeVerifier,omitempty" doc:"For oauth2"`
}

// oauth reports whether the body completes a flow of the method oauth2.
func (b ConnectedBody) oauth() bool {
	return b.State != "" || b.Code != "" || b.Site != "" || b.CSRFToken != "" || b.CodeVerifier != ""
}

// Workspace returns the tenant named beside the header.
func (in ConnectedIn) Workspace() string { return in.Body.WorkspaceID }

// ConnectedOut names the connection that was made or renewed, and what the probe found.
type ConnectedOut struct {
	ConnectionID string                 `json:"connectionId"`
	Status       domain.Status          `json:"status"`
	Site         *connectors.Site       `json:"site,omitempty" doc:"For oauth2: the site that was connected"`
	Probe        connectors.ProbeResult `json:"probe"`
	Warning      string                 `json:"warning,omitempty"`
}

// addWarning adds what the caller should know.
func (o *ConnectedOut) addWarning(w string) {
	if o.Warning != "" {
		o.Warning += "; "
	}
	o.Warning += w
}

// Connected completes a connect flow. By OAuth the caller that began it hands over the state and code that the browser
// brought back. By API key it probes with the key, and stores the connection only when the provider accepts it. With
// ConnectionID it renews that connection, which keeps its id and cursors.
func (s *Service) Connected(ctx context.Context, t domain.Tenant, in ConnectedIn) (ConnectedOut, error) {
	def, err := s.definition(in.ID)
	if err != nil {
		return ConnectedOut{}, err
	}
	if in.Body.oauth() {
		return s.completeOAuth(ctx, t, def, in)
	}
	raw, err := withKey(def, in.Body)
	if err != nil {
		return ConnectedOut{}, err
	}
	st, err := s.Store(ctx)
	if err != nil {
		return ConnectedOut{}, err
	}
	if in.Body.ConnectionID != "" {
		return s.renew(ctx, st, t, def, in.Body.ConnectionID, raw)
	}
	name := in.Body.Label
	if name == "" {
		name = DefaultName
	}
	if err := s.nameFree(ctx, st, t, def.ID, name); err != nil {
		return ConnectedOut{}, err
	}
	cfg, probe, err := s.probeGiven(ctx, t, def, raw)
	if err != nil {
		return ConnectedOut{}, err
	}
	c, err := s.create(ctx, st, t, name, cfg, probe.Account)
	return ConnectedOut{ConnectionID: c.ID, Status: c.Status, Probe: probe}, err
}

// nameFree refuses a name in use before anybody is asked for a credential or a provider is called.
func (s *Service) nameFree(ctx context.Context, st store.Store, t domain.Tenant, connectorID, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	c, err := st.ConnectionNamed(ctx, t, connectorID, name)
	if connectors.CodeOf(err) == connectors.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	e := connectors.Errorf(connectors.Conflict, "there is a connection named %q already (%s): renew it by its id, or choose another name", name, c.ID)
	e.Details = map[string]any{"connectionId": c.ID}
	return e
}

func (s *Service) renew(ctx context.Context, st store.Store, t domain.Tenant, def *connectors.Definition, ref string, raw map[string]any) (ConnectedOut, error) {
	c, err := s.find(ctx, st, t, def.ID, ref)
	if err != nil {
		return ConnectedOut{}, err
	}
	cfg, _, err := s.merged(ctx, st, def, c, overlaid(def, c.Config, raw))
	if err != nil {
		return ConnectedOut{}, err
	}
	secrets := cfg.Public()
	for k, v := range cfg.Secrets() {
		secrets[k] = v.Reveal()
	}
	_, probe, err := s.probeGiven(ctx, t, def, secrets)
	if err != nil {
		return ConnectedOut{}, err
	}
	c, err = s.reconfigure(ctx, st, c, secrets, probe.Account)
	return ConnectedOut{ConnectionID: c.ID, Status: c.Status, Probe: probe}, err
}

// overlaid returns a stored configuration with a new one over it, without the fields that its auth method does not use.
func overlaid(def *connectors.Definition, stored, given map[string]any) map[string]any {
	full := maps.Clone(stored)
	if full == nil {
		full = map[string]any{}
	}
	maps.Copy(full, given)
	method, _ := full["auth_method"].(string)
	for name := range full {
		f, ok := def.Field(name)
		if _, isGiven := given[name]; ok && !isGiven && len(f.Methods) > 0 && !slices.Contains(f.Methods, method) {
			delete(full, name)
		}
	}
	return full
}

// withKey puts the key of a flow into the field of the configuration that it belongs to.
func withKey(def *connectors.Definition, b ConnectedBody) (map[string]any, error) {
	raw := maps.Clone(b.Config)
	if raw == nil {
		raw = map[string]any{}
	}
	id, given := raw["auth_method"].(string)
	m, known := def.Method(id)
	if !given {
		var err error
		if m, err = keyMethod(def); err != nil {
			return nil, err
		}
		raw["auth_method"], known = m.ID, true
	}
	field := m.Secret
	if !known {
		field = def.Auth[0].Secret // the unknown method is told when the configuration is checked
	}
	if b.APIKey != "" {
		raw[field] = b.APIKey
	}
	if b.APISecret != "" {
		return nil, connectors.InvalidFields(connectors.Fault{Field: "apiSecret", Message: def.Name + " has no second secret"})
	}
	return raw, nil
}

func (s *Service) probeGiven(ctx context.Context, t domain.Tenant, def *connectors.Definition, raw map[string]any) (connectors.Config, connectors.ProbeResult, error) {
	cfg, err := def.ParseConfig(raw)
	if err != nil {
		return cfg, connectors.ProbeResult{}, err
	}
	o, err := s.openGiven(t, def, raw)
	if err != nil {
		return cfg, connectors.ProbeResult{}, err
	}
	defer o.done()
	probe, err := o.Probe(ctx)
	return cfg, probe, err
}
