package service

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// AuditOut is an entry of the audit log.
type AuditOut struct {
	ID         string         `json:"id"`
	Actor      string         `json:"actor"`
	Action     string         `json:"action" example:"connection.create"`
	TargetType string         `json:"targetType"`
	TargetID   string         `json:"targetId"`
	Outcome    string         `json:"outcome" doc:"intent before a change; ok or an error code after it"`
	Meta       map[string]any `json:"meta"`
	RequestID  string         `json:"requestId"`
	CreatedAt  time.Time      `json:"createdAt"`
}

// AuditIn asks for a page of the audit log.
type AuditIn struct {
	WorkspaceID string `query:"workspaceId"`
	Action      string `query:"action" doc:"Only entries of this action"`
	TargetID    string `query:"targetId" doc:"Only entries about this record"`
	Cursor      string `query:"cursor"`
	Limit       int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
}

// Workspace returns the tenant named beside the header.
func (in AuditIn) Workspace() string { return in.WorkspaceID }

// Audit returns a page of the tenant's audit log, newest first.
func (s *Service) Audit(ctx context.Context, t domain.Tenant, in AuditIn) (connectors.Page[AuditOut], error) {
	return page(ctx, s, listed[domain.AuditEntry, AuditOut]{
		tenant: t, op: "audit|" + in.Action + "|" + in.TargetID, cursor: in.Cursor, limit: in.Limit,
		list: func(st store.Store, l store.List) ([]domain.AuditEntry, error) {
			return st.ListAudit(ctx, t, store.AuditFilter{Action: in.Action, TargetID: in.TargetID}, l)
		},
		id: func(e domain.AuditEntry) string { return e.ID },
		out: func(_ store.Store, e domain.AuditEntry) AuditOut {
			if e.Meta == nil {
				e.Meta = map[string]any{}
			}
			return AuditOut{e.ID, e.Actor, e.Action, e.TargetType, e.TargetID, e.Outcome, e.Meta, e.RequestID, e.CreatedAt.UTC()}
		},
	})
}

// HealthOut says how ucf is.
type HealthOut struct {
	Status   string `json:"status" enum:"ok,degraded"`
	Database string `json:"database" doc:"What the store is and whether it answers" example:"sqlite: ok"`
	Version  string `json:"version"`
}

// Health asks the store for a sign of life; it never fails.
func (s *Service) Health(ctx context.Context) HealthOut {
	out := HealthOut{Status: "ok", Version: s.Version}
	st, err := s.Store(ctx)
	if err == nil {
		out.Database = st.Name() + ": ok"
		err = st.Ping(ctx)
	}
	if err != nil {
		out.Status, out.Database = "degraded", string(connectors.CodeOf(err))
	}
	return out
}

// Ready is nil when the store answers, and unavailable with the reason otherwise.
func (s *Service) Ready(ctx context.Context) error {
	st, err := s.Store(ctx)
	if err != nil {
		return err
	}
	return st.Ping(ctx)
}
