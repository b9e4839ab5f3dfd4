package transport

import (
	"maps"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// allowList holds hosts that may be private or loopback: canonical hosts for every port, and host:port for one.
type allowList map[string]bool

// with returns the list with more entries, or all faults in them.
func (l allowList) with(entries []string) (allowList, error) {
	out := maps.Clone(l)
	var faults []connectors.Fault
	for _, entry := range entries {
		key, r := parseAllowed(entry)
		if r != nil {
			faults = append(faults, connectors.Fault{Field: "UCF_ALLOW_HOSTS", Message: strconv.Quote(entry) + ": " + r.message})
			continue
		}
		out[key] = true
	}
	return out, connectors.InvalidFields(faults...)
}

func (l allowList) has(host, port string) bool { return l[host] || l[net.JoinHostPort(host, port)] }

// parseAllowed returns an entry in the form in which it is looked up. IPv6 addresses may stand in brackets, and must
// with a port.
func parseAllowed(entry string) (string, *refusal) {
	host, port := strings.TrimSpace(entry), ""
	if _, err := netip.ParseAddr(host); err != nil {
		if h, p, err := net.SplitHostPort(host); err == nil {
			host, port = h, p
		}
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	host = canonicalHost(host)
	if r := checkName(host); r != nil {
		return "", r
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if r := checkAddr(host, addr, true, false); r != nil {
			return "", r
		}
	}
	if port == "" {
		return host, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", refuse("names an impossible port")
	}
	return net.JoinHostPort(host, port), nil
}
