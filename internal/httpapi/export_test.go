package httpapi

import (
	"net/http"
	"time"
)

// NewWithBodyTimeout returns the handler with another bound on the time that a body may take.
func NewWithBodyTimeout(o Options, d time.Duration) http.Handler {
	h := New(o)
	h.(*api).bodyTimeout = d
	return h
}

// NewWithRoute returns the handler with one more route outside the prefix, and another bound on the time that an
// answer may take.
func NewWithRoute(o Options, pattern string, h http.HandlerFunc, write time.Duration) http.Handler {
	a := New(o).(*api)
	a.router.handleOutside(pattern, h)
	a.writeTimeout = write
	return a
}

// NewWithHeartbeat returns the handler with other bounds on the silence of an event stream and on the time of a write.
func NewWithHeartbeat(o Options, silence, write time.Duration) http.Handler {
	a := New(o).(*api)
	a.heartbeat, a.writeTimeout = silence, write
	return a
}

// The bounds that tests go to.
const (
	MaxBody  = maxBody
	MaxDepth = maxDepth
)

// CheckJSON is what bodies are held against.
var CheckJSON = checkJSON
