package app

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/transport"
)

// outbound makes the clients for everything that leaves ucf. Clients of one tenant share a guard, and with it
// connections; all clients share the budget.
type outbound struct {
	allow   []config.AllowedHost
	apps    map[string]config.OAuthApp
	proxy   connectors.Secret
	options Options
	observe func(transport.Attempt)
	budget  *transport.Budget

	mu     sync.Mutex
	guards map[string]*transport.Guard // by the tenant and host that the allow-list depends on
}

// maxGuards bounds how many guards are kept for reuse.
const maxGuards = 256

func newOutbound(cfg *config.Config, o Options, observe func(transport.Attempt)) *outbound {
	return &outbound{
		allow: cfg.AllowHosts, apps: cfg.OAuthApps, proxy: cfg.ProxyURL, options: o, observe: observe,
		budget: transport.NewBudget(), guards: map[string]*transport.Guard{},
	}
}

// Env implements [service.Outbound]. A destination that may not be called is invalid_request.
func (b *outbound) Env(t service.Target) (connectors.Env, error) {
	m := t.Config.AuthMethod()
	field, destination := t.Config.Destination()
	address := destination
	named := b.named(t, address)
	if m.APIProvider() != nil {
		address = t.API
	}
	guard, err := b.guard(t.Tenant, named...)
	if err != nil {
		return connectors.Env{}, err
	}
	env := connectors.Env{Config: t.Config, Dial: guard.DialContext, Timeout: b.options.Timeout}
	if m.Scheme == connectors.SchemeDriver {
		return env, checkHost(guard, field, address)
	}
	source := transport.Static(t.Config.Secret(m.Secret))
	if t.Source != nil {
		source = t.Source
	}
	o := transport.Options{
		Scheme: m.Scheme, User: userOf(t.Config, m), Source: source, Host: address, Field: field, Connector: t.Config.Definition().ID,
	}
	if own := hostOf(destination); own != hostOf(address) {
		o.BudgetKey = own + " by "
	}
	o.Shared = t.Stored
	env.Charge = b.limits(&o, t)
	env.HTTP, err = b.client(t.Tenant, guard, o)
	return env, err
}

// limits sets what the provider documents and answers of its rate limits, and returns what is to be told of the cost of
// answers, nil where nobody counts.
func (b *outbound) limits(o *transport.Options, t service.Target) (charge func(int64)) {
	def, method, host := t.Config.Definition(), t.Config.AuthMethod(), ""
	if u, err := url.Parse(o.Host); err == nil {
		host = u.Hostname()
	}
	if def.Usage != nil {
		o.Usage = transport.Usage(def.Usage)
	}
	if l, ok := def.LimitFor(connectors.PerEndpoint, method.ID, host); ok {
		o.Rate, o.Burst = rate.Every(l.Window/time.Duration(l.Points)), int(l.Points)
	}
	l, ok := def.LimitFor(connectors.PerApp, method.ID, host)
	if !ok {
		return nil
	}
	app := cmp.Or(t.Config.String("client_id"), b.apps[method.APIProvider().ID].ClientID)
	q := transport.Quota{
		Key: method.APIProvider().ID + "/" + app, Tenant: string(t.Tenant), Points: l.Points, Window: l.Window, Local: !t.Stored, Background: t.Background,
	}
	o.Quota = &q
	return func(points int64) { b.budget.Charge(q, points) }
}

// Signed implements [service.Outbound].
func (b *outbound) Signed(t domain.Tenant, p *connectors.OAuthProvider, api string, source service.TokenSource) (*http.Client, error) {
	guard, err := b.guard(t, b.operators(p, api)...)
	if err != nil {
		return nil, err
	}
	return b.client(t, guard, transport.Options{Scheme: connectors.SchemeBearer, Source: source, Host: api, Field: apiField, Connector: p.ID})
}

// apiField is what a forbidden API address is blamed on where no configuration names it.
const apiField = "instance_url"

// Unsigned implements [service.Outbound]. Nothing is tried again below it: whether a token may be sent twice is decided
// above.
func (b *outbound) Unsigned(t domain.Tenant, p *connectors.OAuthProvider) (*http.Client, error) {
	address := b.apps[p.ID].AuthURL
	guard, err := b.guard(t, b.operators(p, address)...)
	if err != nil {
		return nil, err
	}
	return b.client(t, guard, transport.Options{
		Host: address, Field: p.Setting, Connector: p.ID, Retry: transport.RetryPolicy{Tries: 1},
	})
}

// client returns a client for one address below a guard.
func (b *outbound) client(t domain.Tenant, guard *transport.Guard, o transport.Options) (*http.Client, error) {
	u, err := url.Parse(o.Host)
	if err != nil {
		return nil, connectors.Wrap(connectors.Internal, err, "a checked address does not parse")
	}
	if err := guard.CheckURL(o.Field, u); err != nil {
		return nil, err
	}
	o.Budget, o.BudgetKey, o.Guard = b.budget, strings.Join([]string{o.Connector, o.BudgetKey + u.Host, string(t)}, "/"), guard
	o.Timeout, o.Observe, o.Log = b.options.Timeout, b.observe, b.options.Log
	o.UserAgent, o.RequestID = "ucf/"+b.options.Version, requestID
	return transport.NewClient(o)
}

// named returns the hosts that an operator named for a target, none where nobody did: then it has to be a public one, or
// on the allow-list. The site's own address counts beside that of the API it is reached through.
func (b *outbound) named(t service.Target, address string) []string {
	var hosts []string
	if p := t.Config.AuthMethod().APIProvider(); p != nil {
		hosts = b.operators(p, t.API)
	}
	if t.OperatorHost {
		if t.API != "" && len(hosts) == 0 {
			address = t.API
		}
		hosts = append(hosts, hostOf(address))
	}
	return hosts
}

// operators returns the host of an address where it is one that the operator set for the provider, else none.
func (b *outbound) operators(p *connectors.OAuthProvider, address string) []string {
	app := b.apps[p.ID]
	for _, own := range []string{app.AuthURL, app.APIURL} {
		if own != "" && hostOf(own) == hostOf(address) {
			return []string{hostOf(address)}
		}
	}
	return nil
}

func checkHost(g *transport.Guard, field, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return connectors.Wrap(connectors.Internal, err, "a checked address does not parse")
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return connectors.Wrap(connectors.Internal, err, "a checked port does not parse")
	}
	return g.CheckHost(field, host, n)
}

func userOf(c connectors.Config, m connectors.AuthMethod) string {
	if m.User == "" {
		return ""
	}
	return c.String(m.User)
}

func requestID(ctx context.Context) string { return service.CallerOf(ctx).RequestID }

// guard returns the guard for a tenant: it lets through public addresses, the hosts of UCF_ALLOW_HOSTS that are
// everybody's or this tenant's, and the hosts that an operator named, if any.
func (b *outbound) guard(t domain.Tenant, named ...string) (*transport.Guard, error) {
	key := strings.Join(append([]string{string(t)}, named...), "|")
	b.mu.Lock()
	defer b.mu.Unlock()
	if g, ok := b.guards[key]; ok {
		return g, nil
	}
	g, err := b.newGuard(t)
	if err != nil {
		return nil, err
	}
	for _, host := range named {
		// A host that may never be allowed is left to the guard's own check, which blames the field it stands in.
		if with, err := g.With(host); err == nil {
			g = with
		}
	}
	b.evict()
	b.guards[key] = g
	return g, nil
}

func (b *outbound) newGuard(t domain.Tenant) (*transport.Guard, error) {
	if b.proxy.IsZero() {
		return transport.NewGuard(b.allowed(t), nil)
	}
	proxy, err := url.Parse(b.proxy.Reveal())
	if err != nil {
		return nil, connectors.Errorf(connectors.InvalidRequest, "UCF_PROXY_URL is not a URL")
	}
	return transport.NewGuard(b.allowed(t), proxy)
}

// evict makes room for one more guard.
func (b *outbound) evict() {
	for key, g := range b.guards {
		if len(b.guards) < maxGuards {
			return
		}
		g.CloseIdleConnections()
		delete(b.guards, key)
	}
}

func (b *outbound) allowed(t domain.Tenant) []string {
	var hosts []string
	for _, a := range b.allow {
		if a.Tenant == "" || a.Tenant == string(t) {
			hosts = append(hosts, a.Host)
		}
	}
	return hosts
}

// hostOf returns host:port of a URL with or without scheme.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	return u.Host
}

// close lets go of idle connections.
func (b *outbound) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.guards {
		g.CloseIdleConnections()
	}
}
