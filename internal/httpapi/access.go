package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// forwarded reports whether a header is one that a proxy adds: behind one, a caller on loopback may be anybody.
func forwarded(name string) bool {
	return name == "Forwarded" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-")
}

// CheckAccess is nil where callers without credentials can only be this machine's own: the listen address and the
// public address are loopback. Elsewhere it is invalid_request.
func CheckAccess(listen, publicURL string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil || !loopback(host) {
		return connectors.Errorf(connectors.InvalidRequest,
			"UCF_LISTEN is %s: without credentials (AUTH_MODE none) ucf is served on a loopback address only, such as 127.0.0.1:8000", listen)
	}
	if publicURL == "" {
		return nil
	}
	if u, err := url.Parse(publicURL); err != nil || !loopback(u.Hostname()) {
		return connectors.Errorf(connectors.InvalidRequest,
			"PUBLIC_URL is %s: without credentials (AUTH_MODE none) it must be a loopback address, or empty", publicURL)
	}
	return nil
}

// loopback reports whether a host name or address is this machine's own for sure. Other names depend on who resolves
// them.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == "" && addr.IsLoopback()
}

// access decides whose requests are answered while callers need no credentials.
type access struct {
	closed error // why nobody's are
	public string
	cross  *http.CrossOriginProtection
}

func newAccess(o Options) access {
	a := access{cross: http.NewCrossOriginProtection()}
	if o.Listen != "" {
		a.closed = CheckAccess(o.Listen, o.PublicURL)
	}
	u, err := url.Parse(o.PublicURL)
	if err != nil || u.Host == "" {
		return a
	}
	a.public = u.Host
	if err := a.cross.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
		a.closed = connectors.Wrap(connectors.InvalidRequest, err, "PUBLIC_URL is no origin")
	}
	return a
}

// check refuses requests that a page of a foreign site can make a browser on this machine send, and requests that a
// proxy passed on.
func (a access) check(r *http.Request) error {
	if a.closed != nil {
		return connectors.Errorf(connectors.Forbidden, "%s", connectors.AsError(a.closed).Message)
	}
	if !a.knownHost(r.Host) {
		return connectors.Errorf(connectors.Forbidden, "this Host is neither a loopback address nor that of PUBLIC_URL: call ucf by one of these")
	}
	for name := range r.Header {
		if forwarded(name) {
			return connectors.Errorf(connectors.Forbidden,
				"the header %s tells of a proxy: without credentials (AUTH_MODE none) ucf answers direct callers on this machine only", name)
		}
	}
	if err := a.cross.Check(r); err != nil {
		return connectors.Wrap(connectors.Forbidden, err, "a page of another origin sent this request: only pages of this address may")
	}
	return nil
}

func (a access) knownHost(host string) bool {
	if a.public != "" && strings.EqualFold(host, a.public) {
		return true
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ""
	}
	if strings.ContainsFunc(port, func(r rune) bool { return r < '0' || r > '9' }) {
		return false
	}
	return loopback(name)
}
