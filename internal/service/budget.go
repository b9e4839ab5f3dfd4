package service

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const (
	// reserve is the share of a quota, as one part in so many, that is kept for those who wait for an answer.
	reserve = 10
	// busyFrom is the share of a quota, as one part in so many, from which on no tenant gets more than its fair part.
	busyFrom = 2
	// maxBudgetTries bounds how often a budget that changes meanwhile is read again.
	maxBudgetTries = 100
)

// Spending asks for points of a provider's quota.
type Spending struct {
	Key        string
	Tenant     string
	Points     int64 // of the whole window
	Start, End time.Time
	Background bool // whether nobody waits for the answer
}

// LeaseBudget takes up to want points of a window for a tenant. It returns how many there were, none where they are used
// up, and until when the provider takes no requests.
func (s *Service) LeaseBudget(ctx context.Context, in Spending, want int64) (got int64, paused time.Time, err error) {
	err = s.changeBudget(ctx, in.Key, func(b *domain.Budget) bool {
		if enter(b, in); b.Start.After(in.Start) {
			got, paused = 0, b.PausedUntil
			return false // the others are in the next window already; ours is over
		}
		got, paused = 0, b.PausedUntil
		if !paused.After(s.Now()) {
			got = share(b.BudgetState, in, want)
		}
		if got > 0 {
			b.Leased[in.Tenant] += got
		}
		return got > 0
	})
	return got, paused, err
}

// enter begins a new window where the last one has ended. A process whose clock is behind brings none back.
func enter(b *domain.Budget, in Spending) {
	if b.Start.After(in.Start) {
		return
	}
	if !b.Start.Equal(in.Start) {
		b.Start, b.End, b.Leased = in.Start, in.End, nil
	}
	b.Points = in.Points
	if b.Leased == nil {
		b.Leased = map[string]int64{}
	}
}

// share returns how many of the points that are wanted a tenant gets: what is left, without the reserve where nobody
// waits; once half of all is used, no more than its fair part of all; and from who had that much, a part for tenants
// that are still to come.
func share(b domain.BudgetState, in Spending, want int64) int64 {
	used := b.Used()
	left := in.Points - used - background(in)
	tenants := int64(len(b.Leased))
	if _, known := b.Leased[in.Tenant]; !known {
		tenants++
	}
	if used >= in.Points/busyFrom {
		left = min(left, in.Points/tenants-b.Leased[in.Tenant])
	}
	// A part is closed to who has had as much as one more tenant would leave it: it is for those still to come.
	left = min(left, max(in.Points/(tenants+1)-b.Leased[in.Tenant], in.Points-in.Points/reserve-used-background(in)))
	return max(min(want, left), 0)
}

// background returns what is kept from those who do not wait.
func background(in Spending) int64 {
	if in.Background {
		return in.Points / reserve
	}
	return 0
}

// ReturnBudget gives back points that were leased of a window and not spent; fewer than none are points that were
// overdrawn.
func (s *Service) ReturnBudget(ctx context.Context, in Spending, points int64) error {
	return s.changeBudget(ctx, in.Key, func(b *domain.Budget) bool {
		if !b.Start.Equal(in.Start) || b.Leased == nil {
			return false
		}
		b.Leased[in.Tenant] = max(b.Leased[in.Tenant]-points, 0)
		return true
	})
}

// PauseBudget has everybody who has the key wait until then. It never shortens a pause.
func (s *Service) PauseBudget(ctx context.Context, key string, until time.Time) error {
	return s.changeBudget(ctx, key, func(b *domain.Budget) bool {
		if !until.After(b.PausedUntil) {
			return false
		}
		b.PausedUntil = until.UTC()
		return true
	})
}

// BudgetPaused returns until when everybody who has the key waits, a past or zero time where nobody does.
func (s *Service) BudgetPaused(ctx context.Context, key string) (time.Time, error) {
	st, err := s.Store(ctx)
	if err != nil {
		return time.Time{}, err
	}
	b, err := st.Budget(ctx, key)
	if connectors.CodeOf(err) == connectors.NotFound {
		return time.Time{}, nil
	}
	return b.PausedUntil, err
}

// NoteBudget keeps how much of a limit of its own a provider says is used.
func (s *Service) NoteBudget(ctx context.Context, key string, used, most int64) error {
	return s.changeBudget(ctx, key, func(b *domain.Budget) bool {
		b.Said, b.SaidOf, b.SaidAt = used, most, s.Now().UTC()
		return true
	})
}

// changeBudget reads a budget, has it changed, and writes it, until nobody else wrote in between.
func (s *Service) changeBudget(ctx context.Context, key string, change func(*domain.Budget) bool) error {
	st, err := s.Store(ctx)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		b, err := st.Budget(ctx, key)
		if connectors.CodeOf(err) == connectors.NotFound {
			b, err = domain.Budget{Key: key}, nil
		}
		if err != nil {
			return err
		}
		if !change(&b) {
			return nil
		}
		b.UpdatedAt = s.Now().UTC()
		_, err = st.PutBudget(ctx, b)
		if code := connectors.CodeOf(err); code != connectors.Conflict && code != connectors.NotFound || try >= maxBudgetTries {
			return err
		}
		if err := stepAside(ctx, try); err != nil {
			return err
		}
	}
}

// stepAside waits a random while, the longer the more often somebody else was faster.
func stepAside(ctx context.Context, try int) error {
	most := time.Duration(min(try+1, 20)) * time.Millisecond
	select {
	case <-time.After(rand.N(most)): //nolint:gosec // nothing depends on it
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// BudgetOut is one rate limit of a provider's.
type BudgetOut struct {
	Key         string     `json:"key"`
	Used        int64      `json:"used"`
	Of          int64      `json:"of"`
	Until       *time.Time `json:"until,omitempty"`       // when the window ends
	PausedUntil *time.Time `json:"pausedUntil,omitempty"` // when the provider takes requests again
}

// Budgets tells how much is used of the rate limits that requests of stored connections have met.
func (s *Service) Budgets(ctx context.Context) ([]BudgetOut, error) {
	st, err := s.Store(ctx)
	if err != nil {
		return nil, err
	}
	all, err := collect(func(after string) ([]domain.Budget, error) {
		return st.ListBudgets(ctx, store.List{After: after, Limit: 200})
	}, func(b domain.Budget) string { return b.Key })
	if err != nil {
		return nil, err
	}
	now := s.Now()
	var out []BudgetOut
	for _, b := range all {
		if o, current := budgetOut(b, now); current {
			out = append(out, o)
		}
	}
	return out, nil
}

// saidFor is how long what a provider said of its limit is shown.
const saidFor = 24 * time.Hour

// budgetOut returns what is to be shown of a budget, and whether anything is.
func budgetOut(b domain.Budget, now time.Time) (out BudgetOut, current bool) {
	out.Key = b.Key
	if b.End.After(now) {
		out.Used, out.Of, out.Until, current = b.Used(), b.Points, &b.End, true
	}
	if b.SaidOf > 0 && now.Sub(b.SaidAt) < saidFor {
		out.Used, out.Of, current = b.Said, b.SaidOf, true
	}
	if b.PausedUntil.After(now) {
		out.PausedUntil, current = &b.PausedUntil, true
	}
	return out, current
}
