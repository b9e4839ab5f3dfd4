package atlassian

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// The ids of the auth methods beside OAuth.
const (
	MethodAPIKey = "api_key"        // an API token without scopes, at the site's own address
	MethodScoped = "scoped_token"   // an API token with scopes, through the gateway
	MethodPAT    = "personal_token" // a personal access token of Server or Data Center
)

// cloudIDField names the field with the id of a site.
const cloudIDField = "cloud_id"

// Fields returns the fields of a product's configuration.
func (p Product) Fields() []connectors.Field {
	cloud := []string{MethodAPIKey, MethodScoped}
	return append([]connectors.Field{
		{
			Name: "base_url", Label: "Site address", Kind: connectors.KindURL, Required: true, Destination: true,
			Help:    "The address of the " + p.Name + " site, without the path of a page.",
			Example: "https://your-domain.atlassian.net",
		},
		{
			Name: "api_email", Label: "E-mail", Kind: connectors.KindString, Required: true, Methods: cloud,
			Help:    "The e-mail address of the Atlassian account that the API token belongs to.",
			Example: "you@example.com",
		},
		{
			Name: "api_token", Label: "API token", Kind: connectors.KindSecret, Required: true, Methods: cloud,
			Help: "An API token from https://id.atlassian.com/manage-profile/security/api-tokens.",
		},
		{
			Name: "personal_token", Label: "Personal access token", Kind: connectors.KindSecret, Required: true, Methods: []string{MethodPAT},
			Help: "A personal access token of " + p.Name + " Data Center, from your profile there.",
		},
		{
			Name: cloudIDField, Label: "Site id", Kind: connectors.KindString, Destination: true,
			Methods: []string{MethodScoped, connectors.MethodOAuth},
			Help:    "Atlassian's id of the site, the cloudId; without it the site is found by its address.",
			Example: "1324a887-45db-1bf4-1e99-ef0ff456d421", Pattern: "[A-Za-z0-9-]{1,64}",
		},
	}, connectors.OAuthFields(&Provider)...)
}

// Auth returns the ways to authenticate with a product; scopes are those that a consent is asked for.
func (p Product) Auth(scopes ...string) []connectors.AuthMethod {
	const tokens = "https://id.atlassian.com/manage-profile/security/api-tokens"
	return []connectors.AuthMethod{
		{
			ID: MethodAPIKey, Name: "API token", Scheme: connectors.SchemeBasic, User: "api_email", Secret: "api_token",
			Help: "Create an API token without scopes at " + tokens + ".",
		},
		{
			ID: connectors.MethodOAuth, Name: "OAuth 2.0", Scheme: connectors.SchemeBearer, Secret: "access_token",
			Help:  "Log in at Atlassian in the browser, consent, and choose a site; `ucf connect " + p.ID + "` leads there.",
			OAuth: p.OAuth(scopes...),
		},
		{
			ID: MethodScoped, Name: "API token with scopes", Scheme: connectors.SchemeBasic, User: "api_email", Secret: "api_token",
			Help: "Create an API token with scopes at " + tokens + ": it is good through Atlassian's gateway only.",
			Via:  &Provider,
		},
		{
			ID: MethodPAT, Name: "Personal access token (Data Center)", Scheme: connectors.SchemeBearer, Secret: "personal_token",
			Help: "Create a personal access token in your profile on the " + p.Name + " Data Center.",
		},
	}
}

// Gateway is the way to one site through Atlassian's API. It may be used by many goroutines at once.
type Gateway struct {
	product Product
	site    string // the address that people know it by
	api     *rest.Client
	// own asks the site itself, without a credential, where the list of sites is not to be had; nil for a consent.
	own    *rest.Client
	id     atomic.Pointer[string]
	asking chan struct{} // holds one value while the id is looked for
}

// Gateway returns the way to the site of a configuration by OAuth or with a scoped token, nil for the other methods. It
// makes no request.
func (p Product) Gateway(env connectors.Env) *Gateway {
	method := env.Config.AuthMethod()
	if method.APIProvider() == nil {
		return nil
	}
	c := apiClient(connectors.Grant{HTTP: env.HTTP, API: strings.TrimRight(env.API, "/")})
	c.Now, c.Secrets = env.Now, SecretsOf(env.Config)
	g := &Gateway{product: p, site: p.SiteOf(env.Config.String("base_url")), api: c, asking: make(chan struct{}, 1)}
	if method.OAuth == nil {
		g.own = &rest.Client{HTTP: env.HTTP, Base: g.site, System: p.Name, AddressField: "base_url", Now: env.Now}
	}
	if id := env.Config.String(cloudIDField); id != "" {
		g.id.Store(&id)
	}
	return g
}

// SecretsOf returns the secrets of a configuration, to be hidden in messages.
func SecretsOf(c connectors.Config) []connectors.Secret {
	var out []connectors.Secret
	for _, s := range c.Secrets() {
		out = append(out, s)
	}
	return out
}

// Find returns the address that the paths of the site continue. It asks which sites there are once, where the
// configuration does not name the site's id; a site that the grant does not reach is [connectors.NotFound].
func (g *Gateway) Find(ctx context.Context) (string, error) {
	if id := g.id.Load(); id != nil {
		return g.at(*id), nil
	}
	select {
	case g.asking <- struct{}{}:
		defer func() { <-g.asking }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if id := g.id.Load(); id != nil {
		return g.at(*id), nil
	}
	if g.own != nil {
		return g.ask(ctx)
	}
	sites, err := g.product.sites(ctx, g.api)
	if err != nil {
		return "", err
	}
	for _, s := range sites {
		if SameSite(s.URL, g.site) {
			g.id.Store(&s.ID)
			return g.at(s.ID), nil
		}
	}
	return "", g.unreached(sites)
}

// ask asks the site for its id. The request goes to another host than the credential belongs to and is not signed.
func (g *Gateway) ask(ctx context.Context) (string, error) {
	var tenant struct {
		CloudID string `json:"cloudId"`
	}
	_, err := g.own.Get(ctx, "/_edge/tenant_info", nil, &tenant)
	if err == nil && !isCloudID(tenant.CloudID) {
		err = g.own.Nonsense("no id of its own")
	}
	if connectors.CodeOf(err) == connectors.NotFound {
		return "", connectors.Wrap(connectors.NotFound, err,
			"%s does not tell its id, so it is not a site of Atlassian's cloud: check base_url, or set cloud_id", g.site)
	}
	if err != nil {
		return "", err
	}
	g.id.Store(&tenant.CloudID)
	return g.at(tenant.CloudID), nil
}

// isCloudID reports whether s can be the id of a site.
func isCloudID(s string) bool {
	odd := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-'
	}
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, odd)
}

func (g *Gateway) at(cloudID string) string { return g.api.Base + g.product.gateway(cloudID) }

// SameSite reports whether two addresses name the same host and path; the scheme is left out, for Atlassian's own
// sites have one only.
func SameSite(a, b string) bool {
	u, err := url.Parse(a)
	v, err2 := url.Parse(b)
	return err == nil && err2 == nil && strings.EqualFold(u.Host, v.Host) && strings.TrimRight(u.Path, "/") == strings.TrimRight(v.Path, "/")
}

// Explain returns the error for a site that the gateway does not know.
func (g *Gateway) Explain(err error) error {
	if connectors.CodeOf(err) != connectors.NotFound || g.id.Load() == nil {
		return err
	}
	return connectors.Wrap(connectors.NotFound, err, "Atlassian knows no %s site with the id %s, or the consent does not reach it: "+
		"connect again and choose the site", g.product.Name, *g.id.Load())
}

func (g *Gateway) unreached(sites []connectors.Site) error {
	names := "none"
	for i, s := range sites {
		if i == 0 {
			names = ""
		} else {
			names += ", "
		}
		names += fmt.Sprintf("%s (%s)", s.Name, s.URL)
	}
	e := connectors.Errorf(connectors.NotFound, "the consent does not reach the %s site %s, but %s: set base_url to one of these, "+
		"or connect again and choose the site", g.product.Name, g.site, names)
	e.Details = map[string]any{"sites": sites}
	return e
}
