package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

const (
	// dialTimeout bounds looking a host up and connecting to one of its addresses.
	dialTimeout = 10 * time.Second
	// tlsTimeout bounds a TLS handshake.
	tlsTimeout = 10 * time.Second
	// maxAddresses is how many addresses of one host are tried.
	maxAddresses = 8
)

// Guard decides which addresses are called. It looks a host up itself, checks the addresses, and dials the very
// address that it checked, so a name that changes its mind gains nothing. Addresses that are not public are refused
// unless their host is on the allow-list, and even then only loopback and private ones are called: never link-local,
// multicast, reserved or metadata addresses, nor ones that carry an IPv4 address inside (NAT64, 6to4, Teredo). Plain
// http never leaves for a public address. What is refused is [connectors.InvalidRequest].
//
// It is the innermost layer of the stack, and it owns the pool of connections below it: two guards never share one,
// so no connection outlives the decision that allowed it. Make one guard for each allow-list and keep it.
type Guard struct {
	allow     allowList
	proxy     *url.URL
	names     resolver
	connectTo func(ctx context.Context, network, address string) (net.Conn, error)
	transport *http.Transport
}

// resolver is the part of [net.Resolver] that a guard needs.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// NewGuard returns a guard that allows the listed hosts, each host or host:port, to be private or loopback. With a
// proxy (http, https or socks5) every request but those to loopback is sent through it, after its target passed the
// same checks here; the proxy looks the name up again, so it must be trusted to. HTTP_PROXY and its kin are ignored.
// A faulty entry or proxy is [connectors.InvalidRequest].
func NewGuard(allow []string, proxy *url.URL) (*Guard, error) {
	list, err := allowList{}.with(allow)
	if err != nil {
		return nil, err
	}
	if proxy != nil && (!slices.Contains([]string{"http", "https", "socks5", "socks5h"}, proxy.Scheme) || proxy.Hostname() == "") {
		return nil, connectors.InvalidFields(connectors.Fault{
			Field: "UCF_PROXY_URL", Message: "must be http://host:port, https://host:port or socks5://host:port",
		})
	}
	return newGuard(list, proxy, net.DefaultResolver), nil
}

func newGuard(allow allowList, proxy *url.URL, names resolver) *Guard {
	dialer := &net.Dialer{KeepAlive: 30 * time.Second}
	g := &Guard{allow: allow, proxy: proxy, names: names, connectTo: dialer.DialContext}
	g.transport = &http.Transport{
		Proxy:                  g.proxyFor,
		OnProxyConnectResponse: proxyAnswer,
		DialContext:            g.dialHTTP,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    tlsTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
	return g
}

// With returns a guard that allows these hosts too, as for an address that the operator typed. It has connections of
// its own.
func (g *Guard) With(hosts ...string) (*Guard, error) {
	list, err := g.allow.with(hosts)
	if err != nil {
		return nil, err
	}
	return newGuard(list, g.proxy, g.names), nil
}

// CloseIdleConnections closes the connections that no request uses.
func (g *Guard) CloseIdleConnections() { g.transport.CloseIdleConnections() }

// Allows reports whether the operator allowed the URL's host to be private or loopback.
func (g *Guard) Allows(u *url.URL) bool { return g.allow.has(canonicalHost(u.Hostname()), portOf(u)) }

// CheckURL says, without any request or look-up, whether a URL may be called as far as its text tells; a fault is
// [connectors.InvalidRequest] on field. What the host's name leads to is decided when it is dialled.
func (g *Guard) CheckURL(field string, u *url.URL) error {
	if err := g.checkURL(u); err != nil {
		return err.coded(field)
	}
	return nil
}

// CheckHost is [Guard.CheckURL] for a host and port that are not reached over HTTP.
func (g *Guard) CheckHost(field, host string, port int) error {
	host = canonicalHost(host)
	if err := g.checkHost(host, strconv.Itoa(port), false); err != nil {
		return err.coded(field)
	}
	return nil
}

// DialContext connects to host:port if its address may be called; network is "tcp", "tcp4" or "tcp6". Refusals are
// [connectors.InvalidRequest] on the field "host"; other errors are those of package net. It must be given the host
// name, not an address that the caller looked up: the allow-list speaks of names. It never uses the proxy.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := g.dial(ctx, network, address, false)
	if refused, ok := asRefusal(err); ok {
		return nil, refused.coded("host")
	}
	return conn, err
}

// RoundTrip implements [http.RoundTripper].
func (g *Guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := g.checkTarget(req.Context(), req.URL); err != nil {
		closeBody(req)
		return nil, err
	}
	if req.URL.Scheme == "http" {
		req = req.WithContext(context.WithValue(req.Context(), plainKey{}, true))
	}
	return g.transport.RoundTrip(req)
}

// plainKey marks the context of a request without TLS. A connection serves one scheme only, so what was checked for
// the request that dialled it holds for all that use it.
type plainKey struct{}

// checkTarget checks the URL, and looks its host up where it is not this process that dials it.
func (g *Guard) checkTarget(ctx context.Context, u *url.URL) error {
	if err := g.checkURL(u); err != nil {
		return err
	}
	if g.proxy == nil || isLoopbackName(canonicalHost(u.Hostname())) {
		return nil
	}
	_, err := g.lookup(ctx, "ip", canonicalHost(u.Hostname()), portOf(u), u.Scheme == "http")
	return err
}

func (g *Guard) checkURL(u *url.URL) *refusal {
	host := canonicalHost(u.Hostname())
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse("must begin with https://")
	case u.User != nil:
		return refuse("must not hold a user name or password")
	case u.Scheme == "http" && !g.Allows(u):
		return refuse("plain http is for hosts that the operator allowed; use https")
	}
	return g.checkHost(host, portOf(u), u.Scheme == "http")
}

// checkHost checks what the text of a host tells; host is canonical.
func (g *Guard) checkHost(host, port string, plain bool) *refusal {
	if r := checkName(host); r != nil {
		return r
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return refuse("names an impossible port")
	}
	allowed := g.allow.has(host, port)
	if addr, err := netip.ParseAddr(host); err == nil {
		return checkAddr(host, addr, allowed, plain)
	}
	if isLoopbackName(host) && !allowed {
		return notPublic(host)
	}
	return nil
}

func (g *Guard) dialHTTP(ctx context.Context, network, address string) (net.Conn, error) {
	if g.proxy != nil && address == net.JoinHostPort(g.proxy.Hostname(), proxyPort(g.proxy)) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		return g.connectTo(ctx, network, address)
	}
	plain, _ := ctx.Value(plainKey{}).(bool)
	return g.dial(ctx, network, address, plain)
}

// dial looks the host up, and connects to the first of its permitted addresses that answers.
func (g *Guard) dial(ctx context.Context, network, address string, plain bool) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, refuse("only TCP connections are made, not " + strconv.Quote(network))
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, refuse("is not host:port")
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := g.lookup(ctx, strings.Replace(network, "tcp", "ip", 1), canonicalHost(host), port, plain)
	if err != nil {
		return nil, err
	}
	return g.connect(ctx, network, addrs, port)
}

// lookup returns the permitted addresses of a host, at least one.
func (g *Guard) lookup(ctx context.Context, network, host, port string, plain bool) ([]netip.Addr, error) {
	if r := g.checkHost(host, port, plain); r != nil {
		return nil, r
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	found, err := g.names.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, fmt.Errorf("look up host: %w", err)
	}
	var permitted []netip.Addr
	var refused *refusal
	for _, addr := range found {
		if r := checkAddr(host, addr, g.allow.has(host, port), plain); r != nil {
			refused = r
			continue
		}
		permitted = append(permitted, addr.Unmap())
	}
	switch {
	case len(permitted) > 0:
		return permitted[:min(len(permitted), maxAddresses)], nil
	case refused != nil:
		return nil, refused
	}
	return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
}

// connect tries the addresses in turn, giving each an equal share of the time that is left.
func (g *Guard) connect(ctx context.Context, network string, addrs []netip.Addr, port string) (net.Conn, error) {
	var first error
	for i, addr := range addrs {
		conn, err := g.connectOne(ctx, network, net.JoinHostPort(addr.String(), port), len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

func (g *Guard) connectOne(ctx context.Context, network, address string, left int) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
	defer cancel()
	return g.connectTo(ctx, network, address)
}
