package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unified-connector/ucf/connectors"
)

const jsonType = "application/json"

// null is JSON null, where the envelope has nothing to say.
type null struct{}

// MarshalJSON writes null.
func (null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// Schema implements [huma.SchemaProvider]. OpenAPI 3.0 knows no type null, hence the nullable object.
func (null) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Nullable: true, Description: "Always null"}
}

// Answer is the envelope of a success.
type Answer[T any] struct {
	OK    bool `json:"ok" enum:"true"`
	Data  T    `json:"data"`
	Error null `json:"error"`
}

// Failure is the envelope of an error.
type Failure struct {
	OK    bool  `json:"ok" enum:"false"`
	Data  null  `json:"data"`
	Err   Error `json:"error"`
	wait  time.Duration
	state int
}

// Error is what a failure says.
type Error struct {
	Code      connectors.Code `json:"code" doc:"What kind of failure it is: act on it, never on the message" example:"not_found"`
	Message   string          `json:"message" doc:"What failed, why, and what to do next"`
	Details   map[string]any  `json:"details,omitempty" doc:"Machine-readable facts; fields lists faults as {field, message}"`
	RequestID string          `json:"requestId,omitempty" doc:"Names the request in the logs"`
}

// TransformSchema implements [huma.SchemaTransformer]: it lists the codes.
func (*Error) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	for _, c := range connectors.Codes() {
		s.Properties["code"].Enum = append(s.Properties["code"].Enum, string(c))
	}
	return s
}

// Error implements [huma.StatusError].
func (f *Failure) Error() string { return f.Err.Message }

// GetStatus implements [huma.StatusError].
func (f *Failure) GetStatus() int { return f.state }

// retryAfter returns the value of the Retry-After header in whole seconds, rounded up, "" for none. A refusal for
// its rate always has one.
func (f *Failure) retryAfter() string {
	if f.wait <= 0 && f.state != http.StatusTooManyRequests {
		return ""
	}
	return strconv.FormatInt(max(1, int64(math.Ceil(f.wait.Seconds()))), 10)
}

// newFailure returns the envelope of an error. What is internal tells the request id and nothing else.
func newFailure(e *connectors.Error, requestID string) *Failure {
	if e.Code == connectors.Internal || statuses[e.Code] == 0 {
		return internalFailure(requestID)
	}
	return &Failure{
		Err:  Error{Code: e.Code, Message: e.Message, Details: e.Details, RequestID: requestID},
		wait: e.RetryAfter, state: Status(e),
	}
}

func internalFailure(requestID string) *Failure {
	return &Failure{
		Err:   Error{Code: connectors.Internal, Message: "internal error: report it with the request id " + requestID, RequestID: requestID},
		state: http.StatusInternalServerError,
	}
}

// failure returns the envelope of an error and logs its cause, once.
func (a *api) failure(ctx context.Context, err error) *Failure {
	e := connectors.AsError(err)
	rq := requestOf(ctx)
	f := newFailure(e, rq.id)
	level := slog.LevelDebug
	switch {
	case f.Err.Code == connectors.Internal:
		level = slog.LevelError
	case e.Err != nil && f.state >= http.StatusInternalServerError:
		level = slog.LevelWarn
	}
	a.Log.Log(ctx, level, "request failed", "request_id", rq.id, "path", rq.route, "error", e)
	return f
}

// fail answers with an error.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	writeFailure(w, a.failure(r.Context(), err))
}

func writeFailure(w http.ResponseWriter, f *Failure) {
	body, err := encode(f)
	if err != nil {
		f.Err.Details = nil
		body, _ = encode(f)
	}
	w.Header().Set("Content-Type", jsonType)
	if v := f.retryAfter(); v != "" {
		w.Header().Set("Retry-After", v)
	}
	w.WriteHeader(f.state)
	_, _ = w.Write(body) // a client that is gone has nobody to tell
}

// encode writes v as JSON and leaves <, > and & as they are: a provider's own object is answered byte for byte.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
