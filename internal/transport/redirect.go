package transport

import (
	"net/http"

	"github.com/unified-connector/ucf/connectors"
)

// maxRedirects is how many redirects one request may follow.
const maxRedirects = 5

// redirects decides whether a client follows a redirect.
type redirects struct {
	origin string // where the credential belongs; "" for a client without one
	field  string
}

// check is an [http.Client] CheckRedirect; what it refuses is [connectors.ProviderError].
func (r redirects) check(next *http.Request, via []*http.Request) error {
	// The client names the previous URL there, query and all.
	next.Header.Del("Referer")
	last := via[len(via)-1]
	switch {
	case len(via) > maxRedirects:
		return connectors.Errorf(connectors.ProviderError,
			"%s redirected more than %d times; check %s", last.URL.Host, maxRedirects, r.field)
	case next.URL.Scheme != "https" && next.URL.Scheme != "http":
		return connectors.Errorf(connectors.ProviderError,
			"%s redirects to an address that is neither http nor https; check %s", last.URL.Host, r.field)
	case last.URL.Scheme == "https" && next.URL.Scheme == "http":
		return connectors.Errorf(connectors.ProviderError,
			"%s redirects from https to plain http, which was not followed; check %s", last.URL.Host, r.field)
	case next.Method != via[0].Method:
		return connectors.Errorf(connectors.ProviderError,
			"%s answered a %s with a redirect that would drop what was asked; check %s", last.URL.Host, via[0].Method, r.field)
	case r.origin != "" && originOf(last.URL) == r.origin && originOf(next.URL) != r.origin:
		return connectors.Errorf(connectors.ProviderError,
			"%s redirects to %s://%s, where the credential is not sent; if that is the system, set %s to it",
			last.URL.Host, next.URL.Scheme, next.URL.Host, r.field)
	}
	return nil
}
