package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// readyTimeout bounds how long the store may take to give a sign of life.
const readyTimeout = 5 * time.Second

// AliveOut says that the process answers.
type AliveOut struct {
	Alive bool `json:"alive"`
}

// ReadyOut says that requests can be served.
type ReadyOut struct {
	Ready bool `json:"ready"`
}

type noInput struct{}

func (a *api) addSystem() {
	op := operation{method: http.MethodGet, path: "/", id: "getHealth", tag: tagSystem, outside: true, summary: "Say how ucf is"}
	bind(a, op, func(ctx context.Context, _ domain.Tenant, _ noInput) (service.HealthOut, error) {
		ctx, cancel := context.WithTimeout(ctx, readyTimeout)
		defer cancel()
		return a.Service.Health(ctx), nil
	})

	op = operation{method: http.MethodGet, path: "/healthz", id: "isAlive", tag: tagSystem, outside: true, summary: "Say that the process answers"}
	bind(a, op, func(context.Context, domain.Tenant, noInput) (AliveOut, error) { return AliveOut{true}, nil })

	op = operation{method: http.MethodGet, path: "/readyz", id: "isReady", tag: tagSystem, outside: true, summary: "Say whether requests can be served"}
	op.details = "The store answers, and ucf is not shutting down."
	bind(a, op, func(ctx context.Context, _ domain.Tenant, _ noInput) (ReadyOut, error) {
		if a.draining.Load() {
			return ReadyOut{}, connectors.Errorf(connectors.Unavailable, "ucf is shutting down")
		}
		ctx, cancel := context.WithTimeout(ctx, readyTimeout)
		defer cancel()
		err := a.Service.Ready(ctx)
		return ReadyOut{err == nil}, err
	})
}
