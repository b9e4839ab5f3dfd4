package sqlitestore

import (
	"context"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const budgetColumns = "key, revision, updated_at, data"

func scanBudget(r row) (b domain.Budget, err error) {
	return b, r.Scan(&b.Key, &b.Revision, timeInto{&b.UpdatedAt}, jsonInto{&b.BudgetState})
}

const oneBudget = " FROM budgets WHERE key = ?"

// Budget implements [store.Budgets].
func (s *Store) Budget(ctx context.Context, key string) (domain.Budget, error) {
	return one(ctx, s, scanBudget, missing("budget", key), "SELECT "+budgetColumns+oneBudget, key)
}

// PutBudget implements [store.Budgets].
func (s *Store) PutBudget(ctx context.Context, b domain.Budget) (int64, error) {
	if b.Revision == 0 {
		return s.createBudget(ctx, b)
	}
	const update = "UPDATE budgets SET revision = revision + 1, updated_at = ?, data = ? WHERE key = ? AND revision = ?"
	rec := record{"budget", b.Key, "SELECT 1" + oneBudget, []any{b.Key}}
	return s.update(ctx, rec, b.Revision, update, instant(b.UpdatedAt), document{b.BudgetState}, b.Key, b.Revision)
}

func (s *Store) createBudget(ctx context.Context, b domain.Budget) (int64, error) {
	_, err := s.change(ctx, "INSERT INTO budgets ("+budgetColumns+") VALUES (?, 1, ?, ?)",
		b.Key, instant(b.UpdatedAt), document{b.BudgetState})
	switch {
	case isDuplicate(resultCode(err)):
		e := stale("budget", b.Key)
		e.Err = err
		return 0, e
	case err != nil:
		return 0, err
	}
	return 1, nil
}

// ListBudgets implements [store.Budgets].
func (s *Store) ListBudgets(ctx context.Context, l store.List) ([]domain.Budget, error) {
	if err := page(l); err != nil {
		return nil, err
	}
	return many(ctx, s, scanBudget, "SELECT "+budgetColumns+" FROM budgets WHERE key > ? ORDER BY key LIMIT ?", l.After, l.Limit)
}
