package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/oauth"
	"github.com/unified-connector/ucf/internal/store"
)

// flowLife is how long a connect flow may take.
const flowLife = 10 * time.Minute

// flow is a connect flow by OAuth, as it is sealed between its start and its end.
type flow struct {
	ConnectorID    string   `json:"connectorId"`
	ConnectionID   string   `json:"connectionId,omitempty"` // the connection to renew
	Name           string   `json:"name,omitempty"`         // of the new connection
	Redirect       string   `json:"redirect,omitempty"`     // where the browser ends; empty for ucf's own page
	VendorRedirect string   `json:"vendorRedirect"`         // where the vendor sends it
	Scopes         []string `json:"scopes"`                 // what the connection is for
	Asked          []string `json:"asked"`                  // with what the account's other connections need
	Site           string   `json:"site,omitempty"`
	Verifier       string   `json:"verifier"`
	CSRF           string   `json:"csrf,omitempty"`      // a hash of the caller's token
	Challenge      string   `json:"challenge,omitempty"` // the caller's own
	ClientID       string   `json:"clientId"`
	ClientSecret   string   `json:"clientSecret,omitempty"` // of an app that is not the operator's
	Pending        *pending `json:"pending,omitempty"`
}

// pending is a consent that waits for the choice of a site. Its tokens are stored by then: a consent that replaces an
// earlier one must not wait for anybody.
type pending struct {
	TokenID string             `json:"tokenId"`
	API     string             `json:"api,omitempty"`
	Account connectors.Account `json:"account"`
	Sites   []connectors.Site  `json:"sites"`
}

func stateID(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:])
}

func statePurpose(t domain.Tenant, id string) string { return "state|" + string(t) + "|" + id }

// hashed is how a secret of the caller is kept for comparing.
func hashed(s string) string {
	if s == "" {
		return ""
	}
	return stateID("csrf|" + s)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// keepFlow stores a flow under its state until it expires.
func (s *Service) keepFlow(ctx context.Context, st store.Store, t domain.Tenant, id string, f flow, expires time.Time) error {
	b, err := json.Marshal(f)
	if err != nil {
		return connectors.Wrap(connectors.Internal, err, "a connect flow does not encode")
	}
	keys, err := s.Keeper.KeyIDs()
	if err != nil {
		return err
	}
	o := domain.OAuthState{Meta: s.newMeta(t), ID: id, KeyID: keys[0], ExpiresAt: expires}
	if o.Sealed, err = s.Keeper.Seal(statePurpose(t, id), b); err != nil {
		return err
	}
	return st.CreateOAuthState(ctx, o)
}

func (s *Service) openFlow(o domain.OAuthState) (flow, error) {
	var f flow
	b, err := s.Keeper.Open(statePurpose(o.Tenant, o.ID), o.Sealed)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, connectors.Errorf(connectors.Internal, "a stored connect flow makes no sense")
	}
	return f, nil
}

// beginOAuth starts a connect flow: it returns the address at which the user consents.
func (s *Service) beginOAuth(ctx context.Context, t domain.Tenant, def *connectors.Definition, in ConnectIn) (ConnectOut, error) {
	m, err := oauthMethod(def)
	if err != nil {
		return ConnectOut{}, err
	}
	st, err := s.Store(ctx)
	if err != nil {
		return ConnectOut{}, err
	}
	f, app, err := s.newFlow(ctx, st, t, def, m, in)
	if err != nil {
		return ConnectOut{}, err
	}
	client, err := s.client(t, app)
	if err != nil {
		return ConnectOut{}, err
	}
	state := rand.Text() + rand.Text()
	expires := s.Now().UTC().Add(flowLife)
	meta := map[string]any{"connectorId": def.ID, "redirect": f.VendorRedirect, "scopes": f.Asked}
	err = s.audited(ctx, t, "connect.begin", target{"connector", def.ID}, meta, func() error {
		if _, err := st.SweepOAuthStates(ctx, s.Now().UTC().Add(-time.Hour)); err != nil {
			return err
		}
		return s.keepFlow(ctx, st, t, stateID(state), f, expires)
	})
	if err != nil {
		return ConnectOut{}, err
	}
	challenge := oauth2.S256ChallengeFromVerifier(f.Verifier)
	return ConnectOut{
		AuthURL: client.AuthorizeURL(oauth.Consent{State: state, RedirectURI: f.VendorRedirect, Scopes: f.Asked, Challenge: challenge}),
		State:   state, CodeChallenge: challenge, ExpiresAt: &expires,
	}, nil
}

func (s *Service) newFlow(ctx context.Context, st store.Store, t domain.Tenant, def *connectors.Definition, m connectors.AuthMethod, in ConnectIn) (flow, oauth.App, error) {
	f := flow{
		ConnectorID: def.ID, Name: in.Body.Name, Redirect: in.Body.RedirectURI, Scopes: in.Body.Scopes, Site: in.Body.Site,
		CSRF: hashed(in.Body.CSRFToken), Challenge: in.Body.CodeChallenge, Verifier: oauth2.GenerateVerifier(),
	}
	if err := checkFlow(in); err != nil {
		return f, oauth.App{}, err
	}
	var err error
	if f.VendorRedirect, err = s.redirects(in.Body.RedirectURI); err != nil {
		return f, oauth.App{}, err
	}
	own, err := s.flowTarget(ctx, st, t, def, &f, in)
	if err != nil {
		return f, oauth.App{}, err
	}
	app, err := s.appFor(m.OAuth.Provider, own)
	if err != nil {
		return f, app, err
	}
	f.ClientID, f.ClientSecret = app.ClientID, own.ClientSecret.Reveal()
	if len(f.Scopes) == 0 {
		f.Scopes = m.OAuth.Scopes
	}
	f.Scopes = withScopes(f.Scopes, []string{m.OAuth.Provider.RefreshScope})
	f.Asked, err = s.unitedScopes(ctx, st, t, m.OAuth.Provider, app.ClientID, f.Scopes)
	return f, app, err
}

// checkFlow returns what is wrong with the start of a flow, all at once.
func checkFlow(in ConnectIn) error {
	var faults []connectors.Fault
	if c := in.Body.CodeChallenge; c != "" {
		if b, err := base64.RawURLEncoding.DecodeString(c); err != nil || len(b) != sha256.Size {
			faults = append(faults, connectors.Fault{Field: "codeChallenge", Message: "must be the S256 of a verifier: 43 characters of base64url"})
		}
	}
	if len(in.Body.CSRFToken) > 1024 {
		faults = append(faults, connectors.Fault{Field: "csrfToken", Message: "must be at most 1024 bytes"})
	}
	if i := slices.IndexFunc(in.Body.Scopes, func(s string) bool { return !isScope(s) }); i >= 0 {
		faults = append(faults, connectors.Fault{Field: "scopes", Message: fmt.Sprintf("%q is not a scope", clip(in.Body.Scopes[i]))})
	}
	if in.Body.ConnectionID != "" && in.Body.Name != "" {
		faults = append(faults, connectors.Fault{Field: "name", Message: "is for a new connection; renaming is another call"})
	}
	return connectors.InvalidFields(faults...)
}

// isScope reports whether s is a scope as RFC 6749 (3.3) writes one.
func isScope(s string) bool {
	return s != "" && len(s) <= 200 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// flowTarget finds the connection that is renewed, or checks the name of the new one, and returns the OAuth app that
// either brings along.
func (s *Service) flowTarget(ctx context.Context, st store.Store, t domain.Tenant, def *connectors.Definition, f *flow, in ConnectIn) (ownApp, error) {
	if in.Body.ConnectionID == "" {
		if f.Name == "" {
			f.Name = DefaultName
		}
		if err := s.nameFree(ctx, st, t, def.ID, f.Name); err != nil {
			return ownApp{}, err
		}
		return givenApp(in.Config)
	}
	c, err := s.find(ctx, st, t, def.ID, in.Body.ConnectionID)
	if err != nil {
		return ownApp{}, err
	}
	f.ConnectionID = c.ID
	if f.Site == "" && c.Site != nil {
		f.Site = c.Site.ID
	}
	if len(f.Scopes) == 0 {
		f.Scopes = c.Scopes
	}
	if own, err := givenApp(in.Config); own.ClientID != "" || err != nil {
		return own, err
	}
	return s.storedApp(ctx, st, c)
}

// givenApp returns the OAuth app that a configuration brings along.
func givenApp(cfg map[string]any) (ownApp, error) {
	id, _ := cfg["client_id"].(string)
	sec, _ := cfg[oauth.FieldSecret].(string)
	if (id == "") != (sec == "") {
		return ownApp{}, connectors.InvalidFields(connectors.Fault{Field: "client_id", Message: "and client_secret go together"})
	}
	return ownApp{id, connectors.NewSecret(sec)}, nil
}

// storedApp returns the OAuth app that a stored connection brought along, none where it is the operator's.
func (s *Service) storedApp(ctx context.Context, st store.Store, c domain.Connection) (ownApp, error) {
	id, _ := c.Config["client_id"].(string)
	if id == "" || c.TokenID == "" {
		return ownApp{}, nil
	}
	tok, err := st.Token(ctx, c.Tenant, c.TokenID)
	if connectors.CodeOf(err) == connectors.NotFound {
		return ownApp{}, nil
	}
	if err != nil {
		return ownApp{}, err
	}
	fields, err := s.openToken(tok)
	if err != nil || fields[oauth.FieldSecret].IsZero() {
		return ownApp{}, err
	}
	return ownApp{id, fields[oauth.FieldSecret]}, nil
}

// unitedScopes returns the scopes to ask for: a new consent overrides the old one, so it has to cover every connection
// of the tenant that may share its grant.
func (s *Service) unitedScopes(ctx context.Context, st store.Store, t domain.Tenant, p *connectors.OAuthProvider, clientID string, scopes []string) ([]string, error) {
	conns, err := s.allConnections(ctx, st, t, "")
	if err != nil {
		return nil, err
	}
	all := scopes
	for _, c := range conns {
		if c.Status == domain.Revoked || c.TokenID == "" || c.AuthMethod != connectors.MethodOAuth {
			continue
		}
		tok, err := st.Token(ctx, t, c.TokenID)
		if connectors.CodeOf(err) == connectors.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if tok.Grant != nil && tok.Grant.Provider == p.ID && tok.Grant.ClientID == clientID {
			all = withScopes(all, c.Scopes)
		}
	}
	return all, nil
}

// withScopes returns both lists without repetition, in the order in which they come.
func withScopes(a, b []string) []string {
	var all []string
	for _, scope := range slices.Concat(a, b) {
		if scope != "" && !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all
}
