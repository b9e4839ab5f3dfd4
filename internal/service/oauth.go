package service

import (
	"context"
	"net/http"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/oauth"
	"github.com/unified-connector/ucf/internal/secret"
)

// OAuth is what the connect flows by OAuth work with.
type OAuth struct {
	// Grants keeps stored grants alive.
	Grants *oauth.Manager
	// Apps are the operator's apps, by the id of the provider. An entry without a client id tells where the provider is.
	Apps map[string]oauth.App
	// PublicURL is the address that browsers reach ucf at, empty where there is none.
	PublicURL string
	// CallbackURL is this ucf's GET /oauth/callback.
	CallbackURL string
	// Redirects are the pages that a browser may return to, beside loopback addresses and PublicURL.
	Redirects []string
}

// TokenSource gives the access tokens of a stored grant.
type TokenSource interface {
	Token(ctx context.Context) (connectors.Secret, error)
	Newer(ctx context.Context, refused connectors.Secret, status int) (connectors.Secret, bool, error)
}

// oauthMethod returns the connector's auth method by OAuth.
func oauthMethod(def *connectors.Definition) (connectors.AuthMethod, error) {
	for _, m := range def.Auth {
		if m.OAuth != nil {
			return m, nil
		}
	}
	return connectors.AuthMethod{}, connectors.Errorf(connectors.Unsupported, "%s does not connect by OAuth: use an API key or password", def.Name)
}

// keyMethod returns the connector's auth method by a key or password that a user holds.
func keyMethod(def *connectors.Definition) (connectors.AuthMethod, error) {
	for _, m := range def.Auth {
		if m.OAuth == nil {
			return m, nil
		}
	}
	return connectors.AuthMethod{}, connectors.Errorf(connectors.Unsupported, "%s has no API keys: connect by OAuth", def.Name)
}

// ownApp is an OAuth app that a connection brings along instead of the operator's.
type ownApp struct {
	ClientID     string
	ClientSecret connectors.Secret
}

// appFor returns the app that a flow uses: the connection's own where it has one, else the operator's.
func (s *Service) appFor(p *connectors.OAuthProvider, own ownApp) (oauth.App, error) {
	app := s.OAuth.Apps[p.ID]
	app.Provider = p
	if own.ClientID != "" {
		app.ClientID, app.ClientSecret = own.ClientID, own.ClientSecret
	}
	if app.ClientID == "" || app.ClientSecret.IsZero() {
		return app, connectors.Errorf(connectors.Unsupported,
			"there is no OAuth app for %s here: the operator registers one and sets %s and %s", p.Name, setting(p, "CLIENT_ID"), setting(p, "CLIENT_SECRET"))
	}
	return app, nil
}

// appOf returns the app that a stored grant was given to.
func (s *Service) appOf(p *connectors.OAuthProvider, g domain.Grant, own connectors.Secret) (oauth.App, error) {
	app := s.OAuth.Apps[p.ID]
	app.Provider = p
	switch {
	case !own.IsZero():
		app.ClientID, app.ClientSecret = g.ClientID, own
	case app.ClientID != g.ClientID || app.ClientSecret.IsZero():
		return app, connectors.Errorf(connectors.Unavailable,
			"the consent of this connection was given to the OAuth app %s, which is not configured: put it back into %s and %s, or connect again",
			clip(g.ClientID), setting(p, "CLIENT_ID"), setting(p, "CLIENT_SECRET"))
	}
	return app, nil
}

// client returns the client that speaks to the authorization server of an app.
func (s *Service) client(t domain.Tenant, app oauth.App) (*oauth.Client, error) {
	hc, err := s.Outbound.Unsigned(t, app.Provider)
	if err != nil {
		return nil, err
	}
	return &oauth.Client{App: app, HTTP: hc, Now: s.Now}, nil
}

// GrantClient returns the client that refreshes a stored grant; own is the secret of the app that its connection
// brought along, zero for the operator's. The manager of grants asks for it.
func (s *Service) GrantClient(t domain.Tenant, g domain.Grant, own connectors.Secret) (*oauth.Client, error) {
	p := s.provider(g.Provider)
	if p == nil {
		return nil, connectors.Errorf(connectors.Internal, "a stored grant is of the unknown provider %s", clip(g.Provider))
	}
	app, err := s.appOf(p, g, own)
	if err != nil {
		return nil, err
	}
	return s.client(t, app)
}

// provider returns the OAuth provider with that id, nil where no connector has it.
func (s *Service) provider(id string) *connectors.OAuthProvider {
	for _, def := range s.Definitions {
		if m, err := oauthMethod(def); err == nil && m.OAuth.Provider.ID == id {
			return m.OAuth.Provider
		}
	}
	return nil
}

// apiOf returns where the API of a configuration is that reaches it through a provider: where its grant says, else at the
// operator's address, else where the configuration says.
func (s *Service) apiOf(cfg connectors.Config, g *domain.Grant) string {
	provider := cfg.AuthMethod().APIProvider()
	if provider == nil {
		return ""
	}
	if g != nil && g.API != "" {
		return g.API
	}
	if api := s.OAuth.Apps[provider.ID].APIURL; api != "" {
		return api
	}
	_, address := cfg.Destination()
	return address
}

// signed returns a client that signs with one access token what goes to the API.
func (s *Service) signed(t domain.Tenant, p *connectors.OAuthProvider, api string, access connectors.Secret) (*http.Client, error) {
	return s.Outbound.Signed(t, p, api, once{access})
}

// once is a source of one access token that is not renewed.
type once struct{ access connectors.Secret }

func (o once) Token(context.Context) (connectors.Secret, error) { return o.access, nil }

func (o once) Newer(context.Context, connectors.Secret, int) (connectors.Secret, bool, error) {
	return connectors.Secret{}, false, nil
}

// grantFields returns the secrets that a grant seals.
func grantFields(a oauth.Answer, own connectors.Secret) map[string]connectors.Secret {
	f := map[string]connectors.Secret{oauth.FieldAccess: a.Access}
	if !a.Refresh.IsZero() {
		f[oauth.FieldRefresh] = a.Refresh
	}
	if !own.IsZero() {
		f[oauth.FieldSecret] = own
	}
	return f
}

// seal puts secrets into a token record with the key that seals today.
func (s *Service) seal(tok *domain.Token, fields map[string]connectors.Secret) error {
	ids, err := s.Keeper.KeyIDs()
	if err != nil {
		return err
	}
	tok.KeyID = ids[0]
	tok.Sealed, err = secret.SealFields(s.Keeper, string(tok.Tenant), tok.ID, fields)
	return err
}
