// Package service holds the use cases of ucf. The command line and the API both call only this package, so that
// each answers what the other does: handlers and commands have nothing left to decide.
//
// Every use case takes its tenant as an argument and a tagged In, and returns a tagged Out: the tags decode HTTP,
// describe the API, and name the keys of machine output.
package service

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// Keeper seals what must stay secret.
type Keeper interface {
	connectors.Sealer
	// KeyIDs returns the ids of the keys at hand; the first one seals.
	KeyIDs() ([]string, error)
}

// Target is what a driver is built for.
type Target struct {
	Tenant domain.Tenant
	Config connectors.Config
	// OperatorHost says that the operator of the command line named the host.
	OperatorHost bool
	// Stored says that the configuration is a stored connection's: other processes work with it too.
	Stored bool
	// API is where the API is for a configuration that reaches it through a provider, "" for others.
	API string
	// Background says that nobody waits for the answers: a part of the rate budget is kept for those who do.
	Background bool
	// Source gives the access tokens of a stored grant; nil for the configuration's own secret.
	Source TokenSource
}

// Outbound prepares everything that leaves ucf for a target: a client that signs, retries and guards.
type Outbound interface {
	Env(t Target) (connectors.Env, error)
	// Unsigned returns a client for a provider's authorization server, which neither signs nor repeats a request.
	Unsigned(t domain.Tenant, p *connectors.OAuthProvider) (*http.Client, error)
	// Signed returns a client that signs what goes to a provider's API.
	Signed(t domain.Tenant, p *connectors.OAuthProvider, api string, source TokenSource) (*http.Client, error)
}

// Deps are what a service works with.
type Deps struct {
	Definitions []*connectors.Definition
	// Store opens the store on first use: a command that needs none opens none.
	Store    func(ctx context.Context) (store.Store, error)
	Keeper   Keeper
	Outbound Outbound
	OAuth    OAuth
	Now      func() time.Time
	Log      *slog.Logger
	Version  string
	// Operator says that the caller is the operator of the command line, whose own hosts may be private ones.
	Operator bool
}

// Service is the use cases over one store. It is safe for concurrent use.
type Service struct {
	Deps

	stats struct {
		sync.Mutex
		GrantStats
		at time.Time
	}
}

// New returns a service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{Deps: d}
}

// Caller is who asks, for the audit log.
type Caller struct {
	Actor     string
	RequestID string
}

type callerKey struct{}

// WithCaller returns a context that tells the audit log who asks.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns who asks, and an actor "unknown" where nobody said.
func CallerOf(ctx context.Context) Caller {
	if c, ok := ctx.Value(callerKey{}).(Caller); ok {
		return c
	}
	return Caller{Actor: "unknown"}
}

// definition returns the connector with that id.
func (s *Service) definition(id string) (*connectors.Definition, error) {
	known := ""
	for _, d := range s.Definitions {
		if d.ID == id {
			return d, nil
		}
		known += ", " + d.ID
	}
	return nil, connectors.Errorf(connectors.NotFound, "there is no connector %q; known are %s", clip(id), known[2:])
}

// clip shortens what a caller sent before it is shown back.
func clip(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// target names the record that an audited change is made to.
type target struct{ kind, id string }

// audited runs a change between two audit entries: the intent, without which nothing is changed, and the outcome.
func (s *Service) audited(ctx context.Context, t domain.Tenant, action string, on target, meta map[string]any, change func() error) error {
	if err := s.audit(ctx, t, action, on, "intent", meta); err != nil {
		return err
	}
	err := change()
	outcome := "ok"
	if err != nil {
		outcome = string(connectors.CodeOf(err))
	}
	// The change is done, whatever became of the caller: its outcome is written all the same.
	actx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if aerr := s.audit(actx, t, action, on, outcome, meta); aerr != nil {
		s.Log.ErrorContext(ctx, "audit outcome was not written", "action", action, "target", on.id, "error", aerr)
		if err == nil {
			return aerr
		}
	}
	return err
}

func (s *Service) audit(ctx context.Context, t domain.Tenant, action string, on target, outcome string, meta map[string]any) error {
	st, err := s.Store(ctx)
	if err != nil {
		return err
	}
	caller := CallerOf(ctx)
	now := s.Now().UTC()
	return st.AppendAudit(ctx, domain.AuditEntry{
		ID: domain.NewID(domain.AuditPrefix, now), Tenant: t, Actor: caller.Actor, Action: action,
		TargetType: on.kind, TargetID: on.id, Outcome: outcome, Meta: meta, RequestID: caller.RequestID, CreatedAt: now,
	})
}

// newMeta returns the head of a new record.
func (s *Service) newMeta(t domain.Tenant) domain.Meta {
	now := s.Now().UTC()
	return domain.Meta{Tenant: t, Revision: 1, CreatedAt: now, UpdatedAt: now}
}
