package mongostore

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const (
	auditLogs = "audit_logs"
	budgets   = "budgets"
)

type auditDoc struct {
	ID         string `bson:"id"`
	Tenant     string `bson:"tenant"`
	Actor      string `bson:"actor"`
	Action     string `bson:"action"`
	TargetType string `bson:"targetType"`
	TargetID   string `bson:"targetId"`
	Outcome    string `bson:"outcome"`
	Meta       string `bson:"meta"`
	RequestID  string `bson:"requestId"`
	CreatedAt  string `bson:"createdAt"`
}

func (d auditDoc) domain() (domain.AuditEntry, error) {
	e := domain.AuditEntry{
		ID: d.ID, Tenant: domain.Tenant(d.Tenant), Actor: d.Actor, Action: d.Action, TargetType: d.TargetType, TargetID: d.TargetID,
		Outcome: d.Outcome, RequestID: d.RequestID, CreatedAt: timeOf(d.CreatedAt),
	}
	return e, ofJSON(d.Meta, &e.Meta)
}

// AppendAudit implements [store.Audit].
func (s *Store) AppendAudit(ctx context.Context, e domain.AuditEntry) error {
	if err := keepable(e.CreatedAt); err != nil {
		return err
	}
	d, err := withJSON(bson.D{
		{Key: "id", Value: e.ID},
		{Key: "tenant", Value: string(e.Tenant)},
		{Key: "actor", Value: e.Actor},
		{Key: "action", Value: e.Action},
		{Key: "targetType", Value: e.TargetType},
		{Key: "targetId", Value: e.TargetID},
		{Key: "outcome", Value: e.Outcome},
		{Key: "requestId", Value: e.RequestID},
		{Key: "createdAt", Value: textOf(e.CreatedAt)},
	}, bson.E{Key: "meta", Value: e.Meta})
	if err != nil {
		return err
	}
	return s.insert(ctx, auditLogs, byID(e.Tenant, e.ID), d, connectors.Errorf(connectors.Conflict, "there is an audit entry %.100q already", e.ID))
}

// ListAudit implements [store.Audit].
func (s *Store) ListAudit(ctx context.Context, t domain.Tenant, f store.AuditFilter, l store.List) ([]domain.AuditEntry, error) {
	if err := page(l.Limit); err != nil {
		return nil, err
	}
	filter := bson.D{{Key: "tenant", Value: string(t)}}
	filter = narrowed(filter, "action", f.Action)
	filter = narrowed(filter, "targetId", f.TargetID)
	return mapped(many[auditDoc](ctx, s, auditLogs, before(filter, l.After), newest(l.Limit)))
}

// narrowed adds a condition unless its value is empty.
func narrowed(filter bson.D, name, value string) bson.D {
	if value == "" {
		return filter
	}
	return append(filter, bson.E{Key: name, Value: value})
}

// before narrows a listing of the newest first to what comes after the last one seen.
func before(filter bson.D, last string) bson.D {
	if last == "" {
		return filter
	}
	return append(filter, bson.E{Key: "id", Value: bson.D{{Key: "$lt", Value: last}}})
}

func newest(limit int) *options.FindOptionsBuilder {
	return options.Find().SetSort(bson.D{{Key: "id", Value: -1}}).SetLimit(int64(limit))
}

type budgetDoc struct {
	Key       string `bson:"_id"`
	Revision  int64  `bson:"revision"`
	UpdatedAt string `bson:"updatedAt"`
	Data      string `bson:"data"`
}

func (d budgetDoc) domain() (domain.Budget, error) {
	b := domain.Budget{Key: d.Key, Revision: d.Revision, UpdatedAt: timeOf(d.UpdatedAt)}
	return b, ofJSON(d.Data, &b.BudgetState)
}

// Budget implements [store.Budgets].
func (s *Store) Budget(ctx context.Context, id string) (domain.Budget, error) {
	d, err := one[budgetDoc](ctx, s, budgets, bson.D{{Key: "_id", Value: id}}, missing("budget", id))
	if err != nil {
		return domain.Budget{}, err
	}
	return d.domain()
}

// PutBudget implements [store.Budgets].
func (s *Store) PutBudget(ctx context.Context, b domain.Budget) (int64, error) {
	if err := keepable(b.UpdatedAt); err != nil {
		return 0, err
	}
	set, err := withJSON(bson.D{{Key: "updatedAt", Value: textOf(b.UpdatedAt)}}, bson.E{Key: "data", Value: b.BudgetState})
	if err != nil {
		return 0, err
	}
	at := bson.D{{Key: "_id", Value: b.Key}}
	if b.Revision > 0 {
		return s.update(ctx, budgets, "budget", b.Key, at, b.Revision, set, nil)
	}
	return s.first(ctx, budgets, at, append(set, bson.E{Key: "revision", Value: int64(1)}), stale("budget", b.Key))
}

// ListBudgets implements [store.Budgets].
func (s *Store) ListBudgets(ctx context.Context, l store.List) ([]domain.Budget, error) {
	if err := page(l.Limit); err != nil {
		return nil, err
	}
	return mapped(many[budgetDoc](ctx, s, budgets, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: l.After}}}},
		options.Find().SetSort(sorted("_id")).SetLimit(int64(l.Limit))))
}
