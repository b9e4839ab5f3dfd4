package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Quota is what everybody who has its key may spend together in each window of time.
type Quota struct {
	Key    string        // whose it is, as the provider sees it: an app over all tenants
	Tenant string        // who spends
	Points int64         // of each window
	Window time.Duration // begins at whole multiples since midnight UTC
	// Background says that nobody waits for the answer: a part is kept back for those who do.
	Background bool
	// Local says that other processes are not asked: the spender has no store in common with them.
	Local bool
}

// Lease is a part of a window's points, for one process to spend.
type Lease struct {
	Points      int64
	PausedUntil time.Time // when the provider takes requests again, zero for now
}

// Ledger divides quotas between processes and keeps what their answers say. Its methods are called by many goroutines at
// once.
type Ledger interface {
	// Lease takes up to want points of the window that begins at start. None are left where it gives none.
	Lease(ctx context.Context, q Quota, start time.Time, want int64) (Lease, error)
	// Return gives back points of that window that were not spent.
	Return(ctx context.Context, q Quota, start time.Time, points int64) error
	// Paused returns until when everybody who has the key is stopped, the zero time or a past one where nobody is.
	Paused(ctx context.Context, q Quota) (time.Time, error)
	// Pause stops everybody who has the key until then.
	Pause(ctx context.Context, q Quota, until time.Time) error
	// Note keeps what a provider said of a limit of its own: how much of it is used.
	Note(ctx context.Context, key string, used, most int64) error
}

const (
	firstLease = 50
	maxLease   = 1000
	// noteEvery is how often what a provider says of its limit is written down.
	noteEvery = 30 * time.Second
	// askEvery is how often the ledger is asked whether another process was told to pause.
	askEvery = 5 * time.Second
	// ledgerWait bounds one call of the ledger, which must not hold up requests.
	ledgerWait = 5 * time.Second
)

// purse is what one process has leased of a quota for one tenant.
type purse struct {
	mu    sync.Mutex
	quota Quota
	start time.Time // of the window
	left  int64     // negative where answers cost more than was leased
	spent int64
	asked time.Time // when the ledger was last asked for a pause of others
}

// Share has the budget divide its quotas with other processes through a ledger. It is called before the first request.
func (b *Budget) Share(l Ledger, log *slog.Logger) { b.ledger, b.log = l, log }

// purse returns the purse of a quota, made with the first request that needs it.
func (b *Budget) purse(q Quota) *purse {
	id := q.Key + "|" + q.Tenant
	if q.Local {
		id += "|local"
	}
	if q.Background {
		id += "|background"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.purses[id]
	if p == nil {
		if len(b.purses) >= b.max {
			clear(b.purses) // what they had leased is lost until the window ends
		}
		p = &purse{quota: q}
		b.purses[id] = p
	}
	return p
}

// spend takes one point for a request. It returns how long to wait where there is none: to the end of the window, or of
// a pause.
func (b *Budget) spend(ctx context.Context, q Quota) (time.Duration, error) {
	p := b.purse(q)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := b.now()
	if start := now.UTC().Truncate(q.Window); !start.Equal(p.start) {
		p.start, p.left, p.spent = start, 0, 0
	}
	if d := b.pausedByOthers(ctx, p, now); d > 0 {
		return d, nil
	}
	if p.left < 1 {
		l, err := b.lease(ctx, p, min(max(firstLease, p.spent), maxLease)-p.left)
		if err != nil {
			return 0, err
		}
		if d := l.PausedUntil.Sub(now); d > 0 {
			b.pause(q.Key, d) // the window has points left, as far as anybody knows
			p.left += l.Points
			return d, nil
		}
		if p.left += l.Points; p.left < 1 {
			return max(p.start.Add(q.Window).Sub(now), time.Second), nil
		}
	}
	p.left--
	p.spent++
	return 0, nil
}

// pausedByOthers returns how long a pause that another process learned of lasts. The ledger is asked every few seconds.
func (b *Budget) pausedByOthers(ctx context.Context, p *purse, now time.Time) time.Duration {
	if b.ledger == nil || p.quota.Local || now.Sub(p.asked) < askEvery && !now.Before(p.asked) {
		return 0
	}
	p.asked = now // a ledger that cannot be reached is not asked at every request either
	return b.askPause(ctx, p.quota, now)
}

// askPause asks the ledger how long a key is paused, and pauses it here.
func (b *Budget) askPause(ctx context.Context, q Quota, now time.Time) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, ledgerWait)
	defer cancel()
	until, err := b.ledger.Paused(ctx, q)
	if err != nil {
		b.log.WarnContext(ctx, "a rate budget is not shared: its record was not reached", "error", err)
		return 0
	}
	d := until.Sub(now)
	b.pause(q.Key, d)
	return d
}

// pausedElsewhere returns how long a pause of a key that another process learned of lasts. The ledger is asked every few
// seconds.
func (b *Budget) pausedElsewhere(ctx context.Context, key string) time.Duration {
	if b.ledger == nil {
		return 0
	}
	now := b.now()
	b.mu.Lock()
	s := b.slot(key, true)
	due := now.Sub(s.asked) >= askEvery || now.Before(s.asked)
	if due {
		s.asked = now
	}
	b.mu.Unlock()
	if !due {
		return 0
	}
	return b.askPause(ctx, Quota{Key: key}, now)
}

// lease asks the ledger for points. One that cannot be asked does not stop anybody: the provider's own answers still do.
func (b *Budget) lease(ctx context.Context, p *purse, want int64) (Lease, error) {
	if b.ledger == nil || p.quota.Local {
		return Lease{Points: min(want, p.quota.Points-p.spent)}, nil
	}
	asking, cancel := context.WithTimeout(ctx, ledgerWait)
	defer cancel()
	l, err := b.ledger.Lease(asking, p.quota, p.start, want)
	if err != nil && ctx.Err() != nil {
		return Lease{}, ctx.Err()
	}
	if err != nil {
		b.log.WarnContext(ctx, "a rate budget is not shared: its record was not reached", "error", err)
		return Lease{Points: want}, nil
	}
	return l, nil
}

// Charge takes further points for what an answer turned out to cost.
func (b *Budget) Charge(q Quota, points int64) {
	p := b.purse(q)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left -= points
	p.spent += points
}

// Settle gives back what was leased and not spent. It is called when no request is made any more.
func (b *Budget) Settle(ctx context.Context) error {
	if b.ledger == nil {
		return nil
	}
	b.mu.Lock()
	purses := make([]*purse, 0, len(b.purses))
	for _, p := range b.purses {
		purses = append(purses, p)
	}
	b.mu.Unlock()
	var errs []error
	for _, p := range purses {
		errs = append(errs, b.settle(ctx, p))
	}
	return errors.Join(errs...)
}

func (b *Budget) settle(ctx context.Context, p *purse) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	// What was overdrawn is written down as well.
	if p.left == 0 || p.quota.Local || !p.start.Equal(b.now().UTC().Truncate(p.quota.Window)) {
		return nil
	}
	err := b.ledger.Return(ctx, p.quota, p.start, p.left)
	p.left = 0
	return err
}

// halt stops a quota's key, here and in other processes. One that is over before they ask again is not told to them.
func (b *Budget) halt(ctx context.Context, q Quota, d time.Duration) {
	b.pause(q.Key, d)
	if b.ledger == nil || q.Local || d < askEvery {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerWait)
	defer cancel()
	if err := b.ledger.Pause(ctx, q, b.now().Add(min(d, maxPause))); err != nil {
		b.log.WarnContext(ctx, "a pause of a rate budget was not written down", "error", err)
	}
}

// Usage reads from an answer how much of a limit of the account's own is used.
type Usage func(h http.Header) (used, most int64, ok bool)

// note keeps what an answer says of a limit, every now and then.
func (b *Budget) note(ctx context.Context, key string, used, most int64) {
	now := b.now()
	b.mu.Lock()
	s := b.slot(key, true)
	due := now.Sub(s.noted) >= noteEvery || now.Before(s.noted)
	if due {
		s.noted = now
	}
	b.mu.Unlock()
	if !due || b.ledger == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerWait)
	defer cancel()
	if err := b.ledger.Note(ctx, key, used, most); err != nil {
		b.log.WarnContext(ctx, "what a provider says of its limit was not written down", "error", err)
	}
}
