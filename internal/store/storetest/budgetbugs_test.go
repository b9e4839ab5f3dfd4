package storetest_test

import (
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// The methods of budgets, broken one by one.
type (
	lastWins     struct{ store.Store }
	firstBudgets struct{ store.Store }
	nobodyLeased struct{ store.Store }
)

func (s lastWins) PutBudget(ctx ctxt, b domain.Budget) (int64, error) {
	if old, err := s.Budget(ctx, b.Key); err == nil {
		b.Revision = old.Revision
	}
	return s.Store.PutBudget(ctx, b)
}

func (s firstBudgets) ListBudgets(ctx ctxt, l store.List) ([]domain.Budget, error) {
	return s.Store.ListBudgets(ctx, store.List{Limit: l.Limit})
}

func (s nobodyLeased) Budget(ctx ctxt, key string) (domain.Budget, error) {
	b, err := s.Store.Budget(ctx, key)
	b.Leased = nil
	return b, err
}
