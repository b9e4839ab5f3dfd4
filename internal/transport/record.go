package transport

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// maxLoggedPath bounds the path in a log line, in bytes.
const maxLoggedPath = 200

// Attempt is what is told of one try of a request. It has no path, so that it can label metrics.
type Attempt struct {
	Connector string
	Method    string
	Host      string          // host[:port] as the request names it
	Status    int             // the answer's HTTP status; 0 without an answer
	Code      connectors.Code // why there was no answer; "" with one
	Try       int             // from 1
	Bytes     int64           // of the answer's body, unpacked
	Duration  time.Duration   // to the last byte
}

// record tells of every try: to the metrics hook and in one debug line, without headers, bodies and query.
type record struct {
	next      http.RoundTripper
	connector string
	observe   func(Attempt)
	log       *slog.Logger
	requestID func(context.Context) string
}

// RoundTrip implements [http.RoundTripper].
func (r *record) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := r.next.RoundTrip(req)
	a := Attempt{
		Connector: r.connector, Method: req.Method, Host: req.URL.Host, Code: connectors.CodeOf(err),
		Try: tryOf(req.Context()), Duration: time.Since(start),
	}
	if resp != nil {
		a.Status = resp.StatusCode
	}
	if resp != nil && req.Method != http.MethodHead {
		a.Bytes = max(resp.ContentLength, 0)
	}
	r.observe(a)
	r.write(req, a, err)
	return resp, err
}

func (r *record) write(req *http.Request, a Attempt, err error) {
	ctx := req.Context()
	if !r.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	path := req.URL.EscapedPath()
	if len(path) > maxLoggedPath {
		path = path[:maxLoggedPath] + "…"
	}
	attrs := []slog.Attr{
		slog.String("connector", a.Connector), slog.String("method", a.Method), slog.String("host", a.Host),
		slog.String("path", path), slog.Int("status_code", a.Status), slog.Int("try", a.Try),
		slog.Int64("bytes", a.Bytes), slog.Float64("duration_ms", float64(a.Duration.Microseconds())/1000),
	}
	if id := r.requestID(ctx); id != "" {
		attrs = append(attrs, slog.String("request_id", id))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", connectors.AsError(err)))
	}
	r.log.LogAttrs(ctx, slog.LevelDebug, "provider request", attrs...)
}
