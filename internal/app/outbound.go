package app

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"sync"

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
		allow: cfg.AllowHosts, proxy: cfg.ProxyURL, options: o, observe: observe,
		budget: transport.NewBudget(), guards: map[string]*transport.Guard{},
	}
}

// Env implements [service.Outbound]. A destination that may not be called is invalid_request.
func (b *outbound) Env(t service.Target) (connectors.Env, error) {
	field, address := t.Config.Destination()
	guard, err := b.guard(t, address)
	if err != nil {
		return connectors.Env{}, err
	}
	env := connectors.Env{Config: t.Config, Dial: guard.DialContext}
	m := t.Config.AuthMethod()
	if m.Scheme == connectors.SchemeDriver {
		return env, checkHost(guard, field, address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return env, connectors.Wrap(connectors.Internal, err, "a checked address does not parse")
	}
	if err := guard.CheckURL(field, u); err != nil {
		return env, err
	}
	env.HTTP, err = transport.NewClient(transport.Options{
		Scheme: m.Scheme, User: userOf(t.Config, m), Source: transport.Static(t.Config.Secret(m.Secret)), Host: address,
		Budget: b.budget, BudgetKey: string(t.Tenant) + "|" + t.Config.Definition().ID + "|" + u.Host,
		Guard: guard, Field: field, Timeout: b.options.Timeout, Connector: t.Config.Definition().ID,
		Observe: b.observe, Log: b.options.Log, UserAgent: "ucf/" + b.options.Version, RequestID: requestID,
	})
	return env, err
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

// guard returns the guard for a target: it lets through public addresses, the hosts of UCF_ALLOW_HOSTS that are
// everybody's or this tenant's, and the host that an operator of the command line named.
func (b *outbound) guard(t service.Target, address string) (*transport.Guard, error) {
	key := string(t.Tenant)
	if t.OperatorHost {
		key += "|" + hostOf(address)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if g, ok := b.guards[key]; ok {
		return g, nil
	}
	g, err := b.newGuard(t.Tenant)
	if err != nil {
		return nil, err
	}
	if t.OperatorHost {
		// A host that may never be allowed is left to the guard's own check, which blames the field it stands in.
		if with, err := g.With(hostOf(address)); err == nil {
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
