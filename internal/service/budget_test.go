package service

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
)

var hour = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// budgeting returns services of several processes on one store; the clock is theirs to move.
func budgeting(t *testing.T, n int) ([]*Service, *time.Time) {
	t.Helper()
	now := hour.Add(10 * time.Minute)
	path := filepath.Join(t.TempDir(), "ucf.db")
	var list []*Service
	for range n {
		st, err := sqlitestore.Open(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		list = append(list, New(Deps{Store: func(context.Context) (store.Store, error) { return st, nil }, Now: func() time.Time { return now }}))
	}
	return list, &now
}

func spendingOf(tenant string) Spending {
	return Spending{Key: "atlassian/app", Tenant: tenant, Points: 1000, Start: hour, End: hour.Add(time.Hour)}
}

func lease(t *testing.T, s *Service, in Spending, want int64) int64 {
	t.Helper()
	got, _, err := s.LeaseBudget(t.Context(), in, want)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestShare(t *testing.T) {
	leased := func(kv ...any) domain.BudgetState {
		b := domain.BudgetState{Leased: map[string]int64{}}
		for i := 0; i < len(kv); i += 2 {
			b.Leased[kv[i].(string)] = int64(kv[i+1].(int))
		}
		return b
	}
	for name, tt := range map[string]struct {
		state      domain.BudgetState
		tenant     string
		background bool
		want, got  int64
	}{
		"the first":                            {leased(), "a", false, 100, 100},
		"all at once":                          {leased(), "a", false, 5000, 900},
		"background leaves the reserve":        {leased(), "a", true, 5000, 800},
		"alone, beyond half":                   {leased("a", 700), "a", false, 500, 200},
		"the reserve is for who waits":         {leased("a", 900), "a", true, 10, 0},
		"who waits gets it":                    {leased("a", 850), "a", false, 10, 10},
		"a part is for who is still to come":   {leased("a", 900), "a", false, 10, 0},
		"who comes last gets that part":        {leased("a", 900), "b", false, 500, 100},
		"and so does its background":           {leased("a", 800), "b", true, 500, 100},
		"a busy window is divided":             {leased("a", 400, "b", 200), "a", false, 500, 100},
		"who has more than its part gets none": {leased("a", 600, "b", 100), "a", false, 10, 0},
		"the other gets its part":              {leased("a", 600, "b", 100), "b", false, 1000, 233},
		"a newcomer":                           {leased("a", 800), "b", false, 1000, 200},
		"used up":                              {leased("a", 500, "b", 500), "c", false, 1, 0},
		"overdrawn":                            {leased("a", 1200), "a", false, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			in := spendingOf(tt.tenant)
			in.Background = tt.background
			if got := share(tt.state, in, tt.want); got != tt.got {
				t.Errorf("got %d, want %d", got, tt.got)
			}
		})
	}
}

// TestBudgetIsSpentOnce has many processes and tenants lease at once: together they get the window's points and not one
// more.
func TestBudgetIsSpentOnce(t *testing.T) {
	services, _ := budgeting(t, 4)
	var mu sync.Mutex
	var total int64
	var wg sync.WaitGroup
	for i, s := range services {
		for tenant := range 3 {
			wg.Go(func() {
				for range 30 {
					got, _, err := s.LeaseBudget(t.Context(), spendingOf(fmt.Sprint("t", tenant)), 7)
					if err != nil {
						t.Errorf("process %d: %v", i, err)
						return
					}
					mu.Lock()
					total += got
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	list, err := services[0].Budgets(t.Context())
	if err != nil || len(list) != 1 || list[0].Used != total || total > 1000 || total < 890 {
		t.Errorf("leased %d of 1000, %+v, %v", total, list, err)
	}
}

func TestBudgetWindows(t *testing.T) {
	services, now := budgeting(t, 1)
	s, in := services[0], spendingOf("a")
	if got := lease(t, s, in, 1000); got != 900 {
		t.Fatalf("got %d", got)
	}
	if got := lease(t, s, in, 1); got != 0 {
		t.Errorf("beyond the window's points: got %d", got)
	}
	if err := s.ReturnBudget(t.Context(), in, 400); err != nil {
		t.Fatal(err)
	}
	if got := lease(t, s, in, 1000); got != 400 {
		t.Errorf("what was given back: got %d", got)
	}
	*now = now.Add(time.Hour)
	old := in
	in.Start, in.End = in.Start.Add(time.Hour), in.End.Add(time.Hour)
	if got := lease(t, s, in, 10); got != 10 {
		t.Errorf("the next window: got %d", got)
	}
	if err := s.ReturnBudget(t.Context(), old, 1000); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Budgets(t.Context()); err != nil || list[0].Used != 10 {
		t.Errorf("points of the last window count in this one: %+v, %v", list, err)
	}
	*now = now.Add(2 * time.Hour)
	if list, err := s.Budgets(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("a window that ended is shown: %+v, %v", list, err)
	}
}

func TestBudgetPausesAndNotes(t *testing.T) {
	services, now := budgeting(t, 2)
	until := now.Add(20 * time.Minute)
	for _, u := range []time.Time{until, until.Add(-time.Minute)} { // a pause is never shortened
		if err := services[0].PauseBudget(t.Context(), "atlassian/app", u); err != nil {
			t.Fatal(err)
		}
	}
	got, paused, err := services[1].LeaseBudget(t.Context(), spendingOf("a"), 10)
	if err != nil || got != 0 || !paused.Equal(until) {
		t.Errorf("another process gets %d, paused until %v, %v", got, paused, err)
	}
	if at, err := services[1].BudgetPaused(t.Context(), "atlassian/app"); err != nil || !at.Equal(until) {
		t.Errorf("got %v, %v", at, err)
	}
	if at, err := services[1].BudgetPaused(t.Context(), "none"); err != nil || !at.IsZero() {
		t.Errorf("an unknown key: got %v, %v", at, err)
	}
	if err := services[0].NoteBudget(t.Context(), "salesforce/org", 90, 100); err != nil {
		t.Fatal(err)
	}
	list, err := services[1].Budgets(t.Context())
	if err != nil || len(list) != 2 || list[0].PausedUntil == nil || list[1].Used != 90 || list[1].Of != 100 || list[1].Until != nil {
		t.Errorf("got %+v, %v", list, err)
	}
	*now = until.Add(time.Second)
	if got := lease(t, services[1], spendingOf("a"), 10); got != 10 {
		t.Errorf("after the pause: got %d", got)
	}
}
