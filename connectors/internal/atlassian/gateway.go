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

// MethodAPIKey is the id of the auth method by API token.
const MethodAPIKey = "api_key"

// cloudIDField names the field with the id of a site.
const cloudIDField = "cloud_id"

// OAuthFields returns the fields of a product's configuration that only OAuth uses.
func OAuthFields() []connectors.Field {
	return append([]connectors.Field{{
		Name: cloudIDField, Label: "Site id", Kind: connectors.KindString, Methods: []string{connectors.MethodOAuth}, Destination: true,
		Help:    "Atlassian's id of the site, the cloudId; without it the site is found by its address.",
		Example: "1324a887-45db-1bf4-1e99-ef0ff456d421", Pattern: "[A-Za-z0-9-]{1,64}",
	}}, connectors.OAuthFields(&Provider)...)
}

// Gateway is the way to one site through Atlassian's API. It may be used by many goroutines at once.
type Gateway struct {
	product Product
	site    string // the address that people know it by
	api     *rest.Client
	id      atomic.Pointer[string]
	asking  chan struct{} // holds one value while the id is looked for
}

// Gateway returns the way to the site of a configuration by OAuth. It makes no request.
func (p Product) Gateway(env connectors.Env) *Gateway {
	c := apiClient(connectors.Grant{HTTP: env.HTTP, API: strings.TrimRight(env.API, "/")})
	c.Now, c.Secrets = env.Now, SecretsOf(env.Config)
	g := &Gateway{product: p, site: p.SiteOf(env.Config.String("base_url")), api: c, asking: make(chan struct{}, 1)}
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
