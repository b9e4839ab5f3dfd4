package connectors

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Limit is a rate limit that a provider documents. It holds for the vendor's own hosts; elsewhere (a data center, a
// stand-in) only what the answers say counts.
type Limit struct {
	Name    string   // for people and metrics, "points per app and hour"
	Hosts   []string // host names of the vendor's; one that begins with a dot stands for every host below it
	Methods []string // ids of the auth methods that it holds for; empty for all
	Per     Per
	// Points are what may be spent in each Window: a request costs one, and one of an app costs one more for every entry
	// that it answers.
	Points int64
	Window time.Duration
}

// Per is who shares a limit.
type Per string

// Who shares a limit.
const (
	PerApp      Per = "app"      // the OAuth app, over all tenants and connections
	PerEndpoint Per = "endpoint" // one method and endpoint of one site
)

// LimitFor returns the limit of a kind that holds at a host for an auth method.
func (d *Definition) LimitFor(per Per, method, host string) (Limit, bool) {
	host = strings.ToLower(host)
	i := slices.IndexFunc(d.Limits, func(l Limit) bool {
		own := func(h string) bool { return h == host || strings.HasPrefix(h, ".") && strings.HasSuffix(host, h) }
		return l.Per == per && (len(l.Methods) == 0 || slices.Contains(l.Methods, method)) && slices.ContainsFunc(l.Hosts, own)
	})
	if i < 0 {
		return Limit{}, false
	}
	return d.Limits[i], true
}

// UsageReader reads from an answer how much is used of a limit that the account's organisation has, and how much that
// is in all.
type UsageReader func(h http.Header) (used, most int64, ok bool)
