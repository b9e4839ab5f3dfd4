package transport

import (
	"context"
	"net/http"
	"net/url"

	"github.com/unified-connector/ucf/connectors"
)

// proxyFor returns the proxy that a request is sent through, nil for none. What is on this machine is not asked of
// another one.
func (g *Guard) proxyFor(req *http.Request) (*url.URL, error) {
	if g.proxy == nil || isLoopbackName(canonicalHost(req.URL.Hostname())) {
		return nil, nil
	}
	return g.proxy, nil
}

// proxyPort returns the port of a proxy, its scheme's own where it names none, as net/http has it.
func proxyPort(u *url.URL) string {
	if u.Port() == "" && (u.Scheme == "socks5" || u.Scheme == "socks5h") {
		return "1080"
	}
	return portOf(u)
}

// proxyAnswer tells a proxy that refuses from a provider that does.
func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return connectors.Errorf(connectors.ProviderError,
		"the outbound proxy answered %d instead of connecting; check UCF_PROXY_URL", resp.StatusCode)
}
