package storetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

func budget(key string, revision int64) domain.Budget {
	return domain.Budget{Key: key, Revision: revision, UpdatedAt: changedAt, BudgetState: domain.BudgetState{
		Points: 65000, Start: changedAt, End: changedAt.Add(time.Hour), Leased: map[string]int64{"acme": 1, "größe": 1 << 40},
		PausedUntil: changedAt.Add(time.Minute), Said: 7, SaidOf: 1 << 50, SaidAt: changedAt,
	}}
}

// budgets holds what the contract says of budgets: they come back as they were given, are created once and changed under
// their revision, by one of many at a time, and are listed by key.
func budgets(t TB, open func() store.Store) {
	s := open()
	_, err := s.Budget(t.Context(), "none")
	wantCode(t, "a missing budget", err, connectors.NotFound)
	_, err = s.PutBudget(t.Context(), budget("none", 3))
	wantCode(t, "changing a missing budget", err, connectors.NotFound)
	keys := []string{"atlassian/app", "atlassian/App", "salesforce/größe", "z' OR 1=1"}
	for _, key := range keys {
		n, err := s.PutBudget(t.Context(), budget(key, 0))
		must(t, err)
		same(t, "first revision", n, int64(1))
		got, err := s.Budget(t.Context(), key)
		must(t, err)
		same(t, "budget", got, budget(key, 1))
		_, err = s.PutBudget(t.Context(), budget(key, 0))
		wantCode(t, "creating an existing budget", err, connectors.Conflict)
		_, err = s.PutBudget(t.Context(), budget(key, 2))
		wantCode(t, "a stale revision", err, connectors.Conflict)
	}
	_, err = s.PutBudget(t.Context(), domain.Budget{Key: "atlassian/app", Revision: 1})
	must(t, err)
	got, err := s.Budget(t.Context(), "atlassian/app")
	must(t, err)
	same(t, "an emptied budget", got, domain.Budget{Key: "atlassian/app", Revision: 2})
	listBudgets(t, s, []string{"atlassian/App", "atlassian/app", "salesforce/größe", "z' OR 1=1"})
	countBudget(t, open)
}

func listBudgets(t TB, s store.Store, want []string) {
	t.Helper()
	var listed []string
	for after := ""; ; {
		page, err := s.ListBudgets(t.Context(), store.List{After: after, Limit: 3})
		must(t, err)
		for _, b := range page {
			listed = append(listed, b.Key)
		}
		if len(page) < 3 || page[2].Key <= after {
			break
		}
		after = page[2].Key
	}
	same(t, "keys of all budgets", listed, want)
}

// countBudget has many count up one budget, each until its write was taken.
func countBudget(t TB, open func() store.Store) {
	t.Helper()
	const each, many = 20, 8
	var wg sync.WaitGroup
	for i := range many {
		s := open()
		wg.Go(func() {
			for n := 0; n < each; {
				b, err := s.Budget(t.Context(), "count")
				if connectors.CodeOf(err) == connectors.NotFound {
					b = domain.Budget{Key: "count"}
				}
				b.Leased = map[string]int64{"n": b.Leased["n"] + 1}
				if _, err := s.PutBudget(t.Context(), b); err == nil {
					n++
				} else if connectors.CodeOf(err) != connectors.Conflict {
					t.Errorf("counter %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b, err := open().Budget(t.Context(), "count")
	must(t, err)
	same(t, fmt.Sprintf("%d counts of %d", each, many), b.Leased["n"], int64(each*many))
}
