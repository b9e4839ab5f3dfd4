// Package httpapi offers the use cases of the service as a REST API: routes, the envelope around every answer, the
// OpenAPI document that grows from the Go types, metrics and the page that documents it all. Handlers decide nothing;
// what the service returns is what is answered.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unified-connector/ucf/internal/service"
)

// Options say what the API offers and how.
type Options struct {
	// Service answers; it may be nil where only the OpenAPI document is asked for.
	Service *service.Service
	// Name, Description and Version are shown by the OpenAPI document.
	Name, Description, Version string
	// Prefix is the path below which the routes of a tenant are, as in "/api".
	Prefix string
	// PublicURL is the address at which browsers reach the API, empty when that is the listen address.
	PublicURL string
	// Listen is the address that the API is served at. Where it or PublicURL is not loopback, every request is
	// refused: see [CheckAccess].
	Listen string
	// Log gets one line for every request, and the causes of failures; nil for nobody.
	Log *slog.Logger
	// Metrics counts requests; nil for metrics of this API's own.
	Metrics *Metrics
}

const (
	// maxBody bounds the body of a request, in bytes.
	maxBody = 1 << 20
	// bodyTimeout bounds how long a body may take to arrive.
	bodyTimeout = 15 * time.Second
	// writeTimeout bounds how long an answer may take to be taken.
	writeTimeout = time.Minute
)

// api is the handler that New returns.
type api struct {
	Options
	access   access
	huma     huma.API
	router   *router
	draining atomic.Bool
	drained  chan struct{} // closed with draining: answers that would go on for long end then

	bodyTimeout, writeTimeout, heartbeat time.Duration
}

// New returns the complete handler: middleware, routes, documents and metrics. It is safe for concurrent use.
// [Serve] tells it when it shuts down.
func New(o Options) http.Handler {
	a := newAPI(o)
	a.addMetrics()
	a.addDocuments()
	return a
}

// newAPI returns the handler with the routes that the OpenAPI document describes.
func newAPI(o Options) *api {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	o.Prefix = strings.TrimRight(o.Prefix, "/")
	a := &api{Options: o, access: newAccess(o), router: newRouter(), bodyTimeout: bodyTimeout, writeTimeout: writeTimeout, heartbeat: heartbeat}
	a.drained = make(chan struct{})
	a.huma = newHuma(o, a.router)
	a.addRoutes()
	a.addSystem()
	a.addCallback()
	a.addLater()
	a.finishOpenAPI()
	return a
}

// Drain makes /readyz answer unavailable, so that no new work is sent here, and ends the event streams: their clients
// go on elsewhere.
func (a *api) Drain() {
	if a.draining.CompareAndSwap(false, true) {
		close(a.drained)
	}
}

// ServeHTTP implements [http.Handler].
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rq := begin(r)
	rec := newRecorder(w, a.writeTimeout)
	a.Metrics.inFlight.Inc()
	defer a.end(rec, r, rq)
	setHeaders(rec.Header(), rq.id)
	ctx := context.WithValue(r.Context(), requestKey{}, rq)
	ctx = service.WithCaller(ctx, service.Caller{Actor: actor, RequestID: rq.id})
	r = r.WithContext(ctx)
	if err := a.route(rec, r, rq); err != nil {
		a.fail(rec, r, err)
	}
}

// route finds out whether and by what the request is answered, and answers it. An error is for the caller to answer.
func (a *api) route(w http.ResponseWriter, r *http.Request, rq *request) error {
	template, allow := a.router.match(r)
	rq.route = template
	if err := a.access.check(r); err != nil {
		return err
	}
	if err := routeError(r, template, allow); err != nil {
		if allow != nil {
			w.Header().Set("Allow", strings.Join(allow, ", "))
		}
		return err
	}
	if strings.HasPrefix(template, a.Prefix+"/") && a.inside(template) {
		tenant, err := tenantOf(r)
		if err != nil {
			return err
		}
		rq.tenant = tenant
	}
	a.router.ServeHTTP(w, r)
	return nil
}

// inside reports whether a route belongs to tenants: with an empty prefix a path alone does not tell.
func (a *api) inside(template string) bool { return !a.router.outside[template] }
