package transport

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"code.dny.dev/ssrf"

	"github.com/unified-connector/ucf/connectors"
)

// refusal is a destination that the guard does not call. The message is a field's fault and may be shown; the cause,
// which may tell what a name led to, is only logged.
type refusal struct {
	message string
	cause   error
}

func refuse(message string) *refusal { return &refusal{message: message} }

func (r *refusal) Error() string { return r.message }

// coded returns the refusal as [connectors.InvalidRequest] on a field.
func (r *refusal) coded(field string) *connectors.Error {
	e := connectors.AsError(connectors.InvalidFields(connectors.Fault{Field: field, Message: r.message}))
	e.Err = r.cause
	return e
}

func asRefusal(err error) (*refusal, bool) {
	var r *refusal
	ok := errors.As(err, &r)
	return r, ok
}

// public holds the rules for addresses that anyone may call: global unicast without IANA's special purposes.
var public = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork())

// carrierGrade is the shared address space of RFC 6598, which private networks are built on too.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// metadataAddrs are where clouds hand out credentials to whoever asks from inside, beyond the link-local ones, which
// are never called at all.
var metadataAddrs = map[netip.Addr]bool{
	netip.MustParseAddr("169.254.169.254"):     true, // most clouds
	netip.MustParseAddr("100.100.100.200"):     true, // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"):       true, // Azure's wire server, a public address
	netip.MustParseAddr("192.0.0.192"):         true, // Oracle Cloud, classic
	netip.MustParseAddr("fd00:ec2::254"):       true, // Amazon EC2
	netip.MustParseAddr("fd00:ec2::23"):        true, // Amazon EKS pod identity
	netip.MustParseAddr("fd20:ce::254"):        true, // Google Cloud
	netip.MustParseAddr("fd00:c1::a9fe:a9fe"):  true, // Oracle Cloud
	netip.MustParseAddr("fd00:42::42"):         true, // Scaleway
	netip.MustParseAddr("fe80::a9fe:a9fe"):     true, // OpenStack
	netip.MustParseAddr("fd00:a9fe:a9fe::254"): true, // Akamai
}

// metadataNames are names by which metadata addresses are known; each is one in itself or ends in one.
var metadataNames = []string{
	"metadata", "metadata.google.internal", "metadata.goog", "metadata.tencentyun.com",
	"instance-data", "instance-data.ec2.internal", "metadata.azure.internal", "metadata.platformequinix.com",
}

// checkAddr decides on one address of a host.
func checkAddr(host string, addr netip.Addr, allowed, plain bool) *refusal {
	plainAddr := addr.Unmap().WithZone("")
	if metadataAddrs[plainAddr] || addr.Zone() != "" || plainAddr.IsLinkLocalUnicast() {
		return &refusal{leadsTo(host) + " a metadata or link-local address, which is never called", errors.New(addr.String())}
	}
	err := public.SafeAddr(plainAddr)
	switch {
	case err == nil && plain:
		return refuse("plain http is not used on public addresses; use https")
	case err == nil, allowed && isLocal(plainAddr):
		return nil
	case allowed:
		return &refusal{leadsTo(host) + " an address of a kind that is never called", err}
	}
	r := notPublic(host)
	r.cause = err
	return r
}

// isLocal reports whether an operator may allow the address.
func isLocal(addr netip.Addr) bool {
	return addr.IsLoopback() || addr.IsPrivate() || carrierGrade.Contains(addr)
}

func notPublic(host string) *refusal {
	return refuse(leadsTo(host) + " an address that is not public; the operator can allow private hosts with UCF_ALLOW_HOSTS")
}

// leadsTo begins a sentence about the address of a host.
func leadsTo(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return host + " is"
	}
	return host + " leads to"
}

// canonicalHost returns a host in lower case without a trailing dot; addresses in their shortest form, an IPv4
// address mapped into IPv6 as what it is.
func canonicalHost(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	return host
}

// checkName checks the form of a canonical host: an address as everyone writes it, or a name. Octal, decimal and
// hexadecimal addresses, which some resolvers understand and others do not, are neither.
func checkName(host string) *refusal {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	switch {
	case len(host) > 253 || strings.Trim(host, nameBytes) != "" || slices.Contains(strings.Split(host, "."), ""):
		return refuse("names no host that can be called; international names are written in their xn-- form")
	case endsInNumber(host):
		return refuse("names an address in an unusual form; write it as four decimal numbers")
	}
	for _, name := range metadataNames {
		if host == name || strings.HasSuffix(host, "."+name) && strings.Contains(name, ".") {
			return refuse(host + " is a metadata service, which is never called")
		}
	}
	return nil
}

// nameBytes are what host names are made of.
const nameBytes = "abcdefghijklmnopqrstuvwxyz0123456789-._"

// endsInNumber reports whether the last label of a host is a number, which makes the host an IPv4 address in some
// form (WHATWG URL, "ends in a number").
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// isLoopbackName reports whether a canonical host is this machine by its text alone.
func isLoopbackName(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}
