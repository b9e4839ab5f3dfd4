package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/unified-connector/ucf/connectors"
)

const (
	maxTags       = 20 // values of the label api_tag
	maxConnectors = 64 // values of the label connector
)

// Metrics counts what the API and the requests to providers do, in a registry of its own. Every label takes a bounded
// number of values. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	inFlight prometheus.Gauge
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	answers  *prometheus.HistogramVec
	tags     bounded
	names    bounded
}

// NewMetrics returns metrics that count from zero.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), tags: bounded{most: maxTags}, names: bounded{most: maxConnectors},
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "ucf_http_requests_in_flight", Help: "Requests being answered."}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ucf_http_requests_total", Help: "Requests answered, by route template.",
		}, []string{"method", "route", "status", "api_tag"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ucf_http_request_duration_seconds", Help: "Time to answer a request, by route template.",
			Buckets: []float64{.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"method", "route"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ucf_provider_attempts_total", Help: "Tries of requests to providers; status 0 and a code where there was no answer.",
		}, []string{"connector", "method", "status", "code"}),
		answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ucf_provider_attempt_duration_seconds", Help: "Time of a try of a request to a provider.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"connector"}),
	}
	m.registry.MustRegister(m.inFlight, m.requests, m.seconds, m.attempts, m.answers,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// ObserveAttempt counts one try of a request to a provider: status is that of the answer and 0 without one, and code
// then says why.
func (m *Metrics) ObserveAttempt(connector, method, code string, status int, d time.Duration) {
	if code != "" && !slices.Contains(connectors.Codes(), connectors.Code(code)) {
		code = other
	}
	connector = m.names.take(connector)
	m.attempts.WithLabelValues(connector, knownMethod(method), knownStatus(status), code).Inc()
	m.answers.WithLabelValues(connector).Observe(d.Seconds())
}

func (m *Metrics) observe(method string, rq *request, status int, d time.Duration) {
	method = knownMethod(method)
	m.requests.WithLabelValues(method, rq.route, knownStatus(status), m.tags.take(rq.tag)).Inc()
	m.seconds.WithLabelValues(method, rq.route).Observe(d.Seconds())
}

// Grants tells how many consents by OAuth are live and how many their provider refused, and when the first of the live
// ones ends unused. What cannot be read is left out.
var (
	grantsDesc = prometheus.NewDesc("ucf_grants", "Consents by OAuth that are stored, live or refused by their provider.", []string{"state"}, nil)
	diesDesc   = prometheus.NewDesc("ucf_grant_dies_in_days", "Days until a provider drops the first of the live consents that nobody uses.", nil, nil)
)

// grants collects what the service tells of grants.
type grants struct{ api *api }

// Describe implements [prometheus.Collector].
func (grants) Describe(ch chan<- *prometheus.Desc) { ch <- grantsDesc; ch <- diesDesc }

// Collect implements [prometheus.Collector].
func (g grants) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s, err := g.api.Service.GrantStats(ctx)
	if err != nil {
		g.api.Log.WarnContext(ctx, "the metrics of grants could not be read", "error", err)
		return
	}
	ch <- prometheus.MustNewConstMetric(grantsDesc, prometheus.GaugeValue, float64(s.Live), "live")
	ch <- prometheus.MustNewConstMetric(grantsDesc, prometheus.GaugeValue, float64(s.Refused), "refused")
	if s.DiesInDays != nil {
		ch <- prometheus.MustNewConstMetric(diesDesc, prometheus.GaugeValue, float64(*s.DiesInDays))
	}
}

// Budgets tells how much is used of providers' rate limits, for the first of them, and which take no requests for now.
var (
	budgetDesc = prometheus.NewDesc("ucf_rate_budget_used_ratio", "Used part of a provider's rate limit, from 0 to 1.", []string{"budget"}, nil)
	pausedDesc = prometheus.NewDesc("ucf_rate_budget_paused_seconds", "Seconds until a provider takes requests again.", []string{"budget"}, nil)
)

// maxBudgets is how many budgets have metrics of their own.
const maxBudgets = 50

// budgets collects what the service tells of rate limits.
type budgets struct{ api *api }

// Describe implements [prometheus.Collector].
func (budgets) Describe(ch chan<- *prometheus.Desc) { ch <- budgetDesc; ch <- pausedDesc }

// Collect implements [prometheus.Collector].
func (b budgets) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	list, err := b.api.Service.Budgets(ctx)
	if err != nil {
		b.api.Log.WarnContext(ctx, "the metrics of rate limits could not be read", "error", err)
		return
	}
	for _, o := range list[:min(len(list), maxBudgets)] {
		if o.Of > 0 {
			ch <- prometheus.MustNewConstMetric(budgetDesc, prometheus.GaugeValue, float64(o.Used)/float64(o.Of), o.Key)
		}
		if o.PausedUntil != nil {
			ch <- prometheus.MustNewConstMetric(pausedDesc, prometheus.GaugeValue, time.Until(*o.PausedUntil).Seconds(), o.Key)
		}
	}
}

func (a *api) addMetrics() {
	if a.Service != nil {
		if err := a.Metrics.registry.Register(budgets{a}); err != nil {
			a.Log.Warn("the metrics of rate limits are not shown", "error", err)
		}
		if err := a.Metrics.registry.Register(grants{a}); err != nil {
			a.Log.Warn("the metrics of grants are not shown", "error", err)
		}
	}
	h := promhttp.HandlerFor(a.Metrics.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(a.Log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 8,
	})
	a.router.handleOutside(http.MethodGet+" /metrics", h.ServeHTTP)
}

// other is the label of every value that is one too many.
const other = "other"

func knownStatus(s int) string {
	if s < 100 || s > 599 {
		return "0"
	}
	return strconv.Itoa(s)
}

// bounded lets the first values through and calls all later ones other.
type bounded struct {
	most int
	mu   sync.Mutex
	seen map[string]bool
}

func (b *bounded) take(v string) string {
	if v == "" {
		return ""
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.seen[v]:
		return v
	case len(b.seen) >= b.most:
		return other
	case b.seen == nil:
		b.seen = map[string]bool{}
	}
	b.seen[v] = true
	return v
}
