package oauth

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// flight is one attempt of this process to bring a grant past a generation. All callers in the process wait for the
// same one; it outlives them.
type flight struct {
	stored  chan struct{} // closed when live and err are set: what the provider gave is stored
	settled chan struct{} // closed when final is set: its expiry was asked for
	live    live
	err     error
	final   domain.Token
}

// pause keeps a provider that fails from being asked again at once.
type pause struct {
	until time.Time // by the monotonic clock
	after time.Duration
	err   error
}

// The waits between the attempts of this process for one grant, after failures.
const (
	shortestPause = 100 * time.Millisecond
	longestPause  = 2 * time.Second
	longestAsked  = time.Minute // the longest that a provider may ask for
)

// join returns the flight for the grant that is under way, or begins one.
func (m *Manager) join(ctx context.Context, l live) *flight {
	k := key{l.Tenant, l.ID}
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.flights[k]; ok {
		return f
	}
	f := &flight{stored: make(chan struct{}), settled: make(chan struct{})}
	if p := m.pauses[k]; m.closed || time.Until(p.until) > m.o.Patience {
		f.err = errClosed()
		if !m.closed {
			f.err = p.err
		}
		close(f.stored)
		close(f.settled)
		return f
	}
	m.flights[k] = f
	// The caller's request id goes along; its deadline does not.
	ctx = context.WithoutCancel(ctx)
	m.work.Go(func() { m.fly(ctx, f, k, l.Grant.Generation) })
	return f
}

// fly runs a flight to its end.
func (m *Manager) fly(ctx context.Context, f *flight, k key, generation int64) {
	defer close(f.settled)
	var client *Client
	f.live, client, f.err = m.advance(ctx, k, generation)
	m.mu.Lock()
	delete(m.flights, k)
	m.note(k, f.err)
	m.mu.Unlock()
	close(f.stored)
	f.final = f.live.Token
	if f.err == nil && client != nil && f.live.ExpiresAt.IsZero() && client.App.Provider.IntrospectPath != "" {
		f.final = m.introspect(ctx, f.live, client)
	}
}

// note remembers a failure, so that the next attempt waits a little; m.mu is held.
func (m *Manager) note(k key, err error) {
	e := connectors.AsError(err)
	if err == nil || e.Code == connectors.Reauthorize || e.Code == connectors.NotFound {
		delete(m.pauses, k)
		return
	}
	for other, p := range m.pauses {
		if time.Since(p.until) > longestAsked {
			delete(m.pauses, other)
		}
	}
	after := min(max(2*m.pauses[k].after, shortestPause), longestPause)
	m.pauses[k] = pause{time.Now().Add(max(after, min(e.RetryAfter, longestAsked))), after, err}
}

// paused reports whether an attempt has just failed and the next one has to wait.
func (m *Manager) paused(l live) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Until(m.pauses[key{l.Tenant, l.ID}].until) > 0
}

// advance brings the grant past the generation, by spending its refresh token or by waiting for whoever does. It
// returns the client where it was this process that did.
func (m *Manager) advance(ctx context.Context, k key, generation int64) (live, *Client, error) {
	ctx, cancel := m.within(ctx, m.open, m.o.Patience)
	defer cancel()
	m.mu.Lock()
	until := m.pauses[k].until
	m.mu.Unlock()
	if err := sleep(ctx, time.Until(until)); err != nil {
		return live{}, nil, m.gaveUp()
	}
	for {
		l, err := m.unclaimed(ctx, k, generation)
		if err != nil || l.Grant.Generation > generation {
			return l, nil, err
		}
		h, err := m.take(ctx, l)
		if err != nil {
			return live{}, nil, m.ended(ctx, err)
		}
		if h == nil {
			continue
		}
		l, again, err := h.spend(ctx)
		if !again {
			return l, h.client, err
		}
	}
}

// unclaimed returns the grant once nobody refreshes it: it is past the generation, or free to be claimed.
func (m *Manager) unclaimed(ctx context.Context, k key, generation int64) (live, error) {
	var seen watch
	for {
		l, err := m.load(ctx, k.tenant, k.id)
		switch {
		case err != nil:
			return live{}, m.ended(ctx, err)
		case l.Grant.Refused != "":
			return live{}, refusedError(l.Grant.Refused)
		case l.Grant.Generation > generation, l.Grant.Claim == nil, seen.dead(*l.Grant, m.o.Term):
			return l, nil
		}
		if sleep(ctx, m.o.Poll) != nil {
			return live{}, m.gaveUp()
		}
	}
}

// ended returns the error of a step of advance, told plainly where it was this process that ended it.
func (m *Manager) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return m.gaveUp()
	}
	return err
}

// gaveUp is the error of a flight that did not get as far as spending.
func (m *Manager) gaveUp() error {
	if m.open.Err() != nil {
		return errClosed()
	}
	return connectors.Errorf(connectors.Unavailable, "the access token is being refreshed elsewhere, and that takes long: try again")
}

// introspect finds out when an access token expires and stores it, if nothing else changed. What fails is left: an
// expired token shows when it is refused.
func (m *Manager) introspect(ctx context.Context, l live, c *Client) domain.Token {
	ctx, cancel := m.within(ctx, m.open, m.o.CallTimeout)
	defer cancel()
	at, err := c.Introspect(ctx, l.access())
	if err == nil && !at.IsZero() {
		tok := clone(l.Token)
		tok.ExpiresAt = at
		if err = m.write(ctx, &tok); err == nil {
			return tok
		}
	}
	if err != nil {
		m.o.Log.DebugContext(ctx, "the expiry of a token was not found out", "token", l.ID, "error", err)
	}
	return l.Token
}

// within returns ctx with a time limit that also ends when stop does.
func (m *Manager) within(ctx, stop context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	return ctx, hook(stop, cancel)
}

// during returns ctx that also ends when stop does.
func (m *Manager) during(ctx, stop context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	return ctx, hook(stop, cancel)
}

// hook makes cancel happen when stop ends, and returns what undoes that and cancels.
func hook(stop context.Context, cancel context.CancelFunc) context.CancelFunc {
	unhook := context.AfterFunc(stop, cancel)
	return func() {
		unhook()
		cancel()
	}
}

// sleep waits for d, or returns the error of ctx when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
