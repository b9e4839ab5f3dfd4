package httpapi

import (
	"net/http"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/unified-connector/ucf/connectors"
)

// unmatched is the route of a request that no route matches: its path may hold anything, a secret included.
const unmatched = "unmatched"

// methods are the methods that a route may have; labels name no others.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

func knownMethod(m string) string {
	for _, known := range methods {
		if m == known {
			return m
		}
	}
	return other
}

// router is a ServeMux that tells which template a request matches and, where only its method is wrong, which
// methods would.
type router struct {
	mux     *http.ServeMux
	outside map[string]bool // templates that belong to no tenant
}

func newRouter() *router { return &router{mux: http.NewServeMux(), outside: map[string]bool{}} }

// HandleFunc adds a route. The path "/" is that path alone.
func (rt *router) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	if strings.HasSuffix(pattern, " /") {
		pattern += "{$}"
	}
	rt.mux.HandleFunc(pattern, h)
}

// handleOutside adds a plain route that belongs to no tenant.
func (rt *router) handleOutside(pattern string, h http.HandlerFunc) {
	_, template, _ := strings.Cut(pattern, " ")
	rt.outside[template] = true
	rt.HandleFunc(pattern, h)
}

// ServeHTTP implements [http.Handler].
func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) { rt.mux.ServeHTTP(w, r) }

// match returns the template that the request matches, and unmatched where there is none. Where the path has routes
// of other methods, allow lists them. A path that the ServeMux would redirect to a cleaner one matches nothing.
func (rt *router) match(r *http.Request) (template string, allow []string) {
	if p := r.URL.EscapedPath(); p != path.Clean(p) && p != docsPath+"/" {
		return unmatched, nil
	}
	if t := rt.lookup(r, r.Method); t != "" {
		return t, nil
	}
	for _, m := range methods {
		if t := rt.lookup(r, m); t != "" {
			template, allow = t, append(allow, m)
		}
	}
	if allow == nil {
		return unmatched, nil
	}
	return template, allow
}

func (rt *router) lookup(r *http.Request, method string) string {
	probe := *r
	probe.Method = method
	_, pattern := rt.mux.Handler(&probe)
	_, template, _ := strings.Cut(pattern, " ")
	return strings.TrimSuffix(template, "{$}")
}

// routeError says why a request is answered by no route, nil where it is answered by one.
func routeError(r *http.Request, template string, allow []string) error {
	switch {
	case allow != nil:
		return connectors.Errorf(connectors.MethodNotAllowed, "this route has no method %s: use %s", knownMethod(r.Method), strings.Join(allow, ", "))
	case template == unmatched:
		return connectors.Errorf(connectors.NotFound, "there is no such route; /docs shows those that there are")
	case !utf8.ValidString(r.URL.Path):
		return connectors.Errorf(connectors.InvalidRequest, "the path is not valid UTF-8")
	}
	return nil
}
