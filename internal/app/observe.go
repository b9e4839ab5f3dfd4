package app

import "github.com/unified-connector/ucf/internal/transport"

// observe counts a try of a request to a provider, once there is somebody to count for.
func (a *App) observe(t transport.Attempt) {
	if a.metrics != nil {
		a.metrics.ObserveAttempt(t.Connector, t.Method, string(t.Code), t.Status, t.Duration)
	}
}
