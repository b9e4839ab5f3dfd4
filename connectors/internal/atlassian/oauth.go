package atlassian

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// Provider is Atlassian's authorization server for OAuth 2.0 (3LO), as
// https://developer.atlassian.com/cloud/oauth/getting-started/ describes it. It documents no way to revoke a consent, and
// no PKCE: a challenge is sent all the same, because a server that does not know it has to ignore it (RFC 6749, 3.1 and
// 3.2), and one that does refuses a code that was put into another flow.
var Provider = connectors.OAuthProvider{
	ID: "atlassian", Name: "Atlassian", Setting: "ATLASSIAN_AUTH_URL",
	AuthorizePath: "/authorize", TokenPath: "/oauth/token",
	Params: map[string]string{"audience": "api.atlassian.com", "prompt": "consent"},
	JSON:   true, PKCE: true, RefreshScope: "offline_access",
	// A client that is not authorized is a faulty setting, unless the description blames the token.
	Dead:        []string{"invalid_grant", "unauthorized_client:refresh_token is invalid"},
	ReuseWindow: 10 * time.Minute,
	IdleLimit:   90 * 24 * time.Hour,
	ManageURL:   "https://id.atlassian.com/manage-profile/apps",
}

// Product is a system of Atlassian's that a grant reaches through the gateway.
type Product struct {
	ID   string // in the gateway's paths and in scopes, "jira"
	Name string
	// Families are what the last part of a scope of the product begins with, in front of a hyphen, beside ID.
	Families []string
	// Self is the path below the gateway's path of a site that tells who is connected.
	Self string
	// Root is what a site's address as users copy it may end in beyond the site's own.
	Root string
}

// The products.
var (
	Jira       = Product{ID: "jira", Name: "Jira", Families: []string{"servicedesk"}, Self: "/rest/api/3/myself"}
	Confluence = Product{ID: "confluence", Name: "Confluence", Self: "/wiki/rest/api/user/current", Root: "/wiki"}
)

// OAuth returns how a connector for the product uses [Provider], asking for scopes.
func (p Product) OAuth(scopes ...string) *connectors.OAuth {
	return &connectors.OAuth{Provider: &Provider, Scopes: scopes, Discover: p.discover, Bind: bind}
}

func bind(_ string, s connectors.Site) map[string]any {
	return map[string]any{"base_url": s.URL, cloudIDField: s.ID}
}

// discover finds out whose grant it is and which of the product's sites it reaches.
func (p Product) discover(ctx context.Context, g connectors.Grant) (connectors.Discovery, error) {
	c := apiClient(g)
	sites, err := p.sites(ctx, c)
	if err != nil {
		return connectors.Discovery{}, err
	}
	account, err := p.account(ctx, c, sites)
	return connectors.Discovery{Account: account, Sites: sites}, err
}

// APISetting is the operator's setting with the address of the API, which is to be checked where the API seems wrong.
const APISetting = "ATLASSIAN_API_URL"

// apiClient returns a client for the addresses of the API that belong to no site.
func apiClient(g connectors.Grant) *rest.Client {
	return &rest.Client{
		HTTP: g.HTTP, Base: g.API, System: "Atlassian", AddressField: APISetting, Faults: Faults,
		Judge: Judge("Atlassian", connectors.MethodOAuth), Forbidden: "Connect again, and consent to all that is asked for",
	}
}

// resource is an entry of the list of what a grant reaches.
type resource struct {
	ID     string   `json:"id"`
	URL    string   `json:"url"`
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
}

// sites returns the product's sites that a grant reaches. A site is listed once for each of its products, with the same
// id; only the scopes tell which.
func (p Product) sites(ctx context.Context, c *rest.Client) ([]connectors.Site, error) {
	var list []resource
	if _, err := c.Get(ctx, "/oauth/token/accessible-resources", nil, &list); err != nil {
		return nil, err
	}
	if list == nil {
		return nil, c.Nonsense("no list of sites")
	}
	var sites []connectors.Site
	for _, r := range list {
		if r.ID == "" || r.URL == "" {
			return nil, c.Nonsense("a site without an id and address")
		}
		known := slices.ContainsFunc(sites, func(s connectors.Site) bool { return s.ID == r.ID })
		if p.reaches(r.Scopes) && !known {
			address := p.SiteOf(r.URL)
			sites = append(sites, connectors.Site{ID: r.ID, URL: address, Name: cmp.Or(r.Name, address)})
		}
	}
	return sites, nil
}

// reaches reports whether one of the scopes is the product's. Without any, the entry may be any product's.
func (p Product) reaches(scopes []string) bool {
	own := func(scope string) bool {
		last := scope[strings.LastIndexByte(scope, ':')+1:]
		family, _, _ := strings.Cut(last, "-")
		return family == p.ID || slices.Contains(p.Families, family)
	}
	return len(scopes) == 0 || slices.ContainsFunc(scopes, own)
}

// SiteOf returns the address of a site from that of the product on it.
func (p Product) SiteOf(address string) string {
	return strings.TrimRight(strings.TrimSuffix(strings.TrimRight(address, "/"), p.Root), "/")
}

// account tells whose grant it is: as the account's profile says, and where the consent does not cover that, as a site
// does.
func (p Product) account(ctx context.Context, c *rest.Client, sites []connectors.Site) (connectors.Account, error) {
	var me struct {
		ID       string `json:"account_id"`
		Name     string `json:"name"`
		Nickname string `json:"nickname"`
	}
	_, err := c.Get(ctx, "/me", nil, &me)
	if connectors.CodeOf(err) == connectors.Reauthorize && len(sites) > 0 {
		return p.self(ctx, c, sites[0].ID)
	}
	if err == nil && me.ID == "" {
		err = c.Nonsense("a profile without an account id")
	}
	return connectors.Account{ID: me.ID, Name: cmp.Or(me.Name, me.Nickname, me.ID)}, err
}

// self asks a site who is connected.
func (p Product) self(ctx context.Context, c *rest.Client, cloudID string) (connectors.Account, error) {
	var me struct {
		ID         string `json:"accountId"`
		Name       string `json:"displayName"`
		PublicName string `json:"publicName"`
	}
	_, err := c.Get(ctx, p.gateway(cloudID)+p.Self, nil, &me)
	if err == nil && me.ID == "" {
		err = c.Nonsense("an account without an id")
	}
	return connectors.Account{ID: me.ID, Name: cmp.Or(me.Name, me.PublicName, me.ID)}, err
}

// gateway returns the path of a site below the address of the API.
func (p Product) gateway(cloudID string) string { return rest.Path("ex", p.ID, cloudID) }
