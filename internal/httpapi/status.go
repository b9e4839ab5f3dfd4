package httpapi

import (
	"net/http"

	"github.com/unified-connector/ucf/connectors"
)

// statuses has the HTTP status of every code. A code incomplete ends no request, but if it ever does, the provider
// did not give all that was asked for.
var statuses = map[connectors.Code]int{
	connectors.InvalidRequest:   http.StatusBadRequest,
	connectors.TenantRequired:   http.StatusBadRequest,
	connectors.Unauthenticated:  http.StatusUnauthorized,
	connectors.Forbidden:        http.StatusForbidden,
	connectors.NotFound:         http.StatusNotFound,
	connectors.MethodNotAllowed: http.StatusMethodNotAllowed,
	connectors.Conflict:         http.StatusConflict,
	connectors.PayloadTooLarge:  http.StatusRequestEntityTooLarge,
	connectors.Reauthorize:      http.StatusFailedDependency,
	connectors.RateLimited:      http.StatusTooManyRequests,
	connectors.Incomplete:       http.StatusBadGateway,
	connectors.Unsupported:      http.StatusNotImplemented,
	connectors.ProviderError:    http.StatusBadGateway,
	connectors.Unavailable:      http.StatusServiceUnavailable,
	connectors.Timeout:          http.StatusGatewayTimeout,
	connectors.Internal:         http.StatusInternalServerError,
}

// Status returns the HTTP status of an error: that of its code, and 422 for an invalid_request that lists faults in
// fields. An unknown code is 500.
func Status(e *connectors.Error) int {
	if _, fields := e.Details["fields"]; fields && e.Code == connectors.InvalidRequest {
		return http.StatusUnprocessableEntity
	}
	if s, ok := statuses[e.Code]; ok {
		return s
	}
	return http.StatusInternalServerError
}
