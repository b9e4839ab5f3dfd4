package httpapi

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// actor is who the audit log names while callers are not told apart.
const actor = "api"

// request is what is known of a request, for its answer, its log line and its metrics.
type request struct {
	start  time.Time
	id     string
	tag    string
	route  string // the template, unmatched where there is none
	tenant domain.Tenant
}

type requestKey struct{}

// requestOf returns what is known of the request of a context.
func requestOf(ctx context.Context) *request {
	if rq, ok := ctx.Value(requestKey{}).(*request); ok {
		return rq
	}
	return &request{}
}

func begin(r *http.Request) *request {
	rq := &request{start: time.Now(), route: unmatched, tag: r.Header.Get("X-Api-Tag")}
	for _, name := range []string{"X-Request-Id", "X-Correlation-Id"} {
		if v := r.Header.Get(name); rq.id == "" && visible(v, 128) {
			rq.id = v
		}
	}
	if rq.id == "" {
		rq.id = domain.NewID(domain.RequestPrefix, rq.start)
	}
	if !visible(rq.tag, 64) {
		rq.tag = ""
	}
	return rq
}

// visible reports whether s is 1 to most characters of visible ASCII.
func visible(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// end completes a request: it answers for a handler that panicked, and writes the log line and the metrics.
func (a *api) end(rec *recorder, r *http.Request, rq *request) {
	cause := recover()
	if cause != nil {
		a.panicked(rec, rq, cause)
	}
	took := time.Since(rq.start)
	a.Metrics.inFlight.Dec()
	a.Metrics.observe(r.Method, rq, rec.code(), took)
	a.Log.InfoContext(r.Context(), "request",
		"method", knownMethod(r.Method), "path", rq.route, "status_code", rec.code(),
		"duration_ms", math.Round(took.Seconds()*1e6)/1e3,
		"tenant_id", string(rq.tenant), "request_id", rq.id, "api_tag", rq.tag)
	if cause != nil && rec.aborted {
		// A cut connection is the only way left to say that the answer is not whole.
		panic(http.ErrAbortHandler)
	}
}

// panicked answers for a handler that panicked. The stack goes to the log alone.
func (a *api) panicked(rec *recorder, rq *request, cause any) {
	rec.aborted = rec.status != 0
	if cause != http.ErrAbortHandler { //nolint:errorlint // recover returns any, and net/http compares it so
		a.Log.Error("a handler panicked", "request_id", rq.id, "path", rq.route, "panic", cause, "stack", string(debug.Stack()))
	}
	if !rec.aborted {
		writeFailure(rec, internalFailure(rq.id))
	}
}

// setHeaders sets what every answer carries.
func setHeaders(h http.Header, id string) {
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
}

// tenantOf returns the tenant that the request names in its header. Another one in the query is forbidden.
func tenantOf(r *http.Request) (domain.Tenant, error) {
	named := r.Header.Values("X-Tenant-Id")
	switch {
	case len(named) == 0 || len(named) == 1 && named[0] == "":
		return "", connectors.Errorf(connectors.TenantRequired, "no tenant was named: send the header X-Tenant-Id")
	case len(named) > 1:
		return "", connectors.Errorf(connectors.InvalidRequest, "the header X-Tenant-Id is there %d times: send it once", len(named))
	}
	t, err := domain.ParseTenant(named[0])
	if err != nil {
		return "", err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", connectors.Errorf(connectors.InvalidRequest, "the query string is malformed: percent-encode its values")
	}
	for _, v := range query["workspaceId"] {
		if err := sameTenant(t, v); err != nil {
			return "", err
		}
	}
	return t, nil
}

// sameTenant refuses a workspace that is not the tenant; an empty one names nobody.
func sameTenant(t domain.Tenant, workspace string) error {
	if workspace == "" || workspace == string(t) {
		return nil
	}
	return connectors.Errorf(connectors.Forbidden, "workspaceId names another tenant than the header X-Tenant-Id: leave it out, or name the same")
}
