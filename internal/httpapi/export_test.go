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

// The bounds that tests go to.
const (
	MaxBody  = maxBody
	MaxDepth = maxDepth
)
