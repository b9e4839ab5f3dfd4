package connectortest

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// oauth returns the definition's auth method by OAuth, nil where it has none.
func (s *Suite) oauth() *connectors.AuthMethod {
	for i := range s.Definition.Auth {
		if m := &s.Definition.Auth[i]; m.OAuth != nil {
			return m
		}
	}
	return nil
}

// oauthRows are the rows of connectors that connect by OAuth.
func oauthRows() []row {
	all := []row{
		{"oauth/provider", checkProvider},
		{"oauth/fields", checkOAuthFields},
		{"oauth/bind", checkBind},
		{"discover/healthy", checkDiscovery},
		{"discover/secrets", func(tb TB, s *Suite) { checkSecretErrors(tb, s.discovering()) }},
		{"discover/cancel", func(tb TB, s *Suite) { checkCancel(tb, s.discovering(), discovery) }},
	}
	for _, f := range faults() {
		all = append(all, row{"discover/" + f.name, func(tb TB, s *Suite) { f.check(tb, s.discovering(), discovery) }})
	}
	return all
}

func checkProvider(tb TB, s *Suite) {
	tb.Helper()
	o := s.oauth().OAuth
	p := o.Provider
	if p == nil {
		tb.Fatalf("there is no provider")
	}
	if !idForm.MatchString(p.ID) {
		tb.Errorf("the provider's ID %q is not lower case", p.ID)
	}
	prose(tb, "the provider's Name", p.Name)
	checkPaths(tb, p)
	if p.ReuseWindow < 0 || p.IdleLimit < 0 {
		tb.Errorf("the provider's ReuseWindow %v or IdleLimit %v is negative", p.ReuseWindow, p.IdleLimit)
	}
	if p.APIField != "" && !snakeCase.MatchString(p.APIField) {
		tb.Errorf("the provider's APIField %q is not snake_case", p.APIField)
	}
	if p.ManageURL != "" && !strings.HasPrefix(p.ManageURL, "https://") {
		tb.Errorf("the provider's ManageURL %q does not begin with https://", p.ManageURL)
	}
	checkDead(tb, p)
	checkScopes(tb, o)
}

func checkPaths(tb TB, p *connectors.OAuthProvider) {
	tb.Helper()
	for name, path := range map[string]string{
		"AuthorizePath": p.AuthorizePath, "TokenPath": p.TokenPath,
		"RevokePath": cmp.Or(p.RevokePath, "/"), "IntrospectPath": cmp.Or(p.IntrospectPath, "/"),
	} {
		if u, err := url.Parse(path); err != nil || !strings.HasPrefix(path, "/") || u.Host != "" || u.RawQuery != "" || u.Fragment != "" {
			tb.Errorf("the provider's %s %q is no path", name, path)
		}
	}
}

// checkDead checks the errors that end a grant: without one a dead grant would be tried for ever.
func checkDead(tb TB, p *connectors.OAuthProvider) {
	tb.Helper()
	if len(p.Dead) == 0 {
		tb.Errorf("the provider's Dead is empty")
	}
	for _, d := range p.Dead {
		code, words, limited := strings.Cut(d, ":")
		if !snakeCase.MatchString(code) || limited && strings.TrimSpace(words) == "" {
			tb.Errorf("the provider's Dead %q is neither CODE nor CODE:WORDS", d)
		}
	}
}

func checkScopes(tb TB, o *connectors.OAuth) {
	tb.Helper()
	if len(o.Scopes) == 0 {
		tb.Errorf("no scope is asked for")
	}
	for i, scope := range o.Scopes {
		if scope == "" || strings.ContainsAny(scope, " \t\n\"\\") || slices.Contains(o.Scopes[:i], scope) {
			tb.Errorf("the scope %q is no scope, or is there twice", scope)
		}
		if scope == o.Provider.RefreshScope {
			tb.Errorf("the scope %q is always asked for and does not belong into Scopes", scope)
		}
	}
}

func checkOAuthFields(tb TB, s *Suite) {
	tb.Helper()
	m := s.oauth()
	if m.ID != connectors.MethodOAuth || m.Scheme != connectors.SchemeBearer || m.Secret != "access_token" {
		tb.Errorf("auth method %s: got scheme %q with %q, want %s with scheme %s and access_token",
			m.ID, m.Scheme, m.Secret, connectors.MethodOAuth, connectors.SchemeBearer)
	}
	for _, want := range connectors.OAuthFields(m.OAuth.Provider) {
		f, ok := s.Definition.Field(want.Name)
		if !ok || f.Kind != want.Kind || f.Required != want.Required || !slices.Equal(f.Methods, want.Methods) {
			tb.Errorf("the field %s is not the one of OAuthFields: %+v", want.Name, f)
		}
	}
}

// checkBind checks that a site and a token are all that a configuration needs.
func checkBind(tb TB, s *Suite) {
	tb.Helper()
	m := s.oauth()
	if m.OAuth.Bind == nil {
		tb.Fatalf("there is no Bind")
	}
	site := connectors.Site{ID: "0001", URL: "https://site.example.com", Name: "A site"}
	bound := m.OAuth.Bind("https://api.example.com", site)
	for name := range bound {
		f, ok := s.Definition.Field(name)
		if !ok || f.Kind == connectors.KindSecret || len(f.Methods) > 0 && !slices.Contains(f.Methods, m.ID) {
			tb.Errorf("Bind fills %s, which is no field of %s, or a secret", name, m.ID)
		}
	}
	if bound[destination(s)] == nil {
		tb.Errorf("Bind does not fill %s", destination(s))
	}
	raw := map[string]any{"auth_method": m.ID, m.Secret: "a-token-of-the-suite"}
	for name, v := range bound {
		raw[name] = v
	}
	if _, err := parse(s, raw); err != nil {
		tb.Errorf("what Bind fills and a token make no configuration: %v", err)
	}
}

// discovery is finding out what a grant reaches, in a suite that [Suite.discovering] returns.
var discovery = operation{name: "discover", ask: askProbe}

// discoverer is a driver whose probe finds out what a grant reaches: so all that is expected of a probe is expected of
// that.
type discoverer struct {
	find  func(context.Context, connectors.Grant) (connectors.Discovery, error)
	grant connectors.Grant
	sites func([]connectors.Site)
}

// Probe implements [connectors.Driver]. What a site is called is left out: a name is for people, and may be missing.
func (d *discoverer) Probe(ctx context.Context) (connectors.ProbeResult, error) {
	if d.find == nil {
		return connectors.ProbeResult{}, connectors.Errorf(connectors.Internal, "there is no Discover")
	}
	found, err := d.find(ctx, d.grant)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	d.sites(found.Sites)
	var sites []string
	for _, s := range found.Sites {
		sites = append(sites, s.ID+" "+s.URL)
	}
	return connectors.ProbeResult{Instance: connectors.Instance{Name: strings.Join(sites, ", ")}, Account: found.Account}, nil
}

// discovering returns the suite of a connector that has the same configuration and can only discover.
func (s *Suite) discovering() *Suite { return s.discoveringInto(func([]connectors.Site) {}) }

func (s *Suite) discoveringInto(sites func([]connectors.Site)) *Suite {
	m := *s.oauth()
	def := *s.Definition
	def.Auth, def.Driver, def.Filters = []connectors.AuthMethod{m}, (*discoverer)(nil), nil
	def.New = func(env connectors.Env) (connectors.Driver, error) {
		return &discoverer{m.OAuth.Discover, connectors.Grant{HTTP: env.HTTP, API: env.API, Scopes: m.OAuth.Scopes}, sites}, nil
	}
	out := *s
	out.Definition, out.Method = &def, m.ID
	return &out
}

// checkDiscovery discovers in the healthy system, below a path.
func checkDiscovery(tb TB, s *Suite) {
	tb.Helper()
	m := s.oauth()
	if m.OAuth.Discover == nil || m.OAuth.Bind == nil {
		tb.Fatalf("there is no Discover, or no Bind")
	}
	const path = "/context/path"
	var sites []connectors.Site
	s = s.discoveringInto(func(found []connectors.Site) { sites = found })
	l := newLabOf(tb, s, s.Handler, path)
	c := l.open()
	defer l.release(c)
	found := l.mustAsk(discovery, c, request{}).probe
	if found.Account.ID == "" || found.Account.Name == "" {
		tb.Errorf("the discovery does not tell whose grant it is: %+v", found.Account)
	}
	checkSites(tb, s, m, sites)
	for _, r := range l.sys.(*httpSystem).requested() {
		if r.header.Get(marker) == "" || !strings.HasPrefix(r.path, path+"/") {
			tb.Errorf("%s %s did not come through Grant.HTTP, or leaves the address of the API", r.method, r.path)
		}
	}
}

// checkSites checks the sites that were found, and that a connection can be bound to each.
func checkSites(tb TB, s *Suite, m *connectors.AuthMethod, sites []connectors.Site) {
	tb.Helper()
	var ids []string
	for _, site := range sites {
		ids = append(ids, site.ID)
		if site.Name == "" || site.URL == "" {
			tb.Errorf("the site %+v has no name or no address", site)
		}
		raw := map[string]any{"auth_method": m.ID, m.Secret: "a-token-of-the-suite"}
		for name, v := range m.OAuth.Bind("https://api.example.com", site) {
			raw[name] = v
		}
		if _, err := parse(s, raw); err != nil {
			tb.Errorf("the site %+v makes no configuration: %v", site, err)
		}
	}
	if len(ids) == 0 || !slices.Equal(ids, s.Sites) {
		tb.Errorf("the grant reaches the sites %v, want %v, at least one", ids, s.Sites)
	}
}
