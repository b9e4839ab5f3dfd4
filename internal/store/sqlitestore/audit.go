package sqlitestore

import (
	"context"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const auditColumns = "tenant, id, actor, action, target_type, target_id, outcome, meta, request_id, created_at"

func scanAudit(r row) (e domain.AuditEntry, err error) {
	return e, r.Scan(&e.Tenant, &e.ID, &e.Actor, &e.Action, &e.TargetType, &e.TargetID, &e.Outcome,
		jsonInto{&e.Meta}, &e.RequestID, timeInto{&e.CreatedAt})
}

// AppendAudit implements [store.Audit]. A known ID is conflict.
func (s *Store) AppendAudit(ctx context.Context, e domain.AuditEntry) error {
	_, err := s.change(ctx, "INSERT INTO audit_logs ("+auditColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		e.Tenant, e.ID, e.Actor, e.Action, e.TargetType, e.TargetID, e.Outcome, document{e.Meta}, e.RequestID, instant(e.CreatedAt))
	if isDuplicate(resultCode(err)) {
		return connectors.Wrap(connectors.Conflict, err, "there is an audit entry %.100q already", e.ID)
	}
	return err
}

// ListAudit implements [store.Audit]. Newest first is by descending ID.
func (s *Store) ListAudit(ctx context.Context, t domain.Tenant, f store.AuditFilter, l store.List) ([]domain.AuditEntry, error) {
	if err := page(l); err != nil {
		return nil, err
	}
	query, args := "SELECT "+auditColumns+" FROM audit_logs WHERE tenant = ?", []any{t}
	// Only the conditions that count are written, so that each listing has its index.
	for _, c := range []struct{ condition, value string }{
		{" AND action = ?", f.Action}, {" AND target_id = ?", f.TargetID}, {" AND id < ?", l.After},
	} {
		if c.value != "" {
			query, args = query+c.condition, append(args, c.value)
		}
	}
	return many(ctx, s, scanAudit, query+" ORDER BY id DESC LIMIT ?", append(args, l.Limit)...)
}
