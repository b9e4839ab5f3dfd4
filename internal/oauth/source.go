package oauth

import (
	"context"
	"net/http"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// Source gives the access token of one stored grant, as requests are signed with it. It may be used by many goroutines
// at once.
type Source struct {
	m      *Manager
	tenant domain.Tenant
	id     string
}

// Source returns the source of a stored grant. It reads nothing yet.
func (m *Manager) Source(t domain.Tenant, tokenID string) *Source { return &Source{m, t, tokenID} }

// Token returns an access token that is good for a while, refreshed first if it is about to expire. When that fails in
// a way that may pass, and the stored one is still good, it is that.
func (s *Source) Token(ctx context.Context) (connectors.Secret, error) {
	l, _, err := s.m.get(ctx, s.tenant, s.id, want{})
	if err != nil {
		return connectors.Secret{}, err
	}
	return l.access(), nil
}

// Newer returns an access token other than the one that the provider refused with the status. After a 401 the grant is
// refreshed if the stored token is still the refused one; after a 403 or 404, which can be about what was asked for,
// only if that token has expired. It returns false where there is no other token to be had.
func (s *Source) Newer(ctx context.Context, refused connectors.Secret, status int) (connectors.Secret, bool, error) {
	l, err := s.m.load(ctx, s.tenant, s.id)
	if err != nil {
		return connectors.Secret{}, false, err
	}
	if l.access().Equal(refused) && (l.refresh().IsZero() || !s.m.mayBeDead(l, status)) {
		return connectors.Secret{}, false, nil
	}
	if l, _, err = s.m.get(ctx, s.tenant, s.id, want{refused: refused}); err != nil {
		return connectors.Secret{}, false, err
	}
	return l.access(), true, nil
}

// justGiven is how long after it was given a token is not taken for dead because of a 401.
const justGiven = 10 * time.Second

// mayBeDead reports whether an access token that was refused with the status may have ended. Providers say 401 of a
// missing scope too; without a bound, each such request would cost a refresh.
func (m *Manager) mayBeDead(l live, status int) bool {
	if m.expired(l) {
		return true
	}
	fresh := justGiven
	if !l.ExpiresAt.IsZero() {
		fresh = min(fresh, l.ExpiresAt.Sub(l.Grant.RefreshedAt)/4)
	}
	age := m.o.Now().Sub(l.Grant.RefreshedAt) // negative where another machine's clock is ahead
	return status == http.StatusUnauthorized && (age < 0 || age >= fresh)
}

// want is what a caller needs of a grant: an access token that is good for a while, and more.
type want struct {
	forced  bool // of a generation above after
	after   int64
	refused connectors.Secret // not this one
}

// fitness says whether an access token serves.
type fitness int

const (
	spent  fitness = iota // a refresh is needed
	fading                // good, and to be refreshed soon
	good
)

func (m *Manager) fit(l live, w want) fitness {
	switch {
	case w.forced && l.Grant.Generation <= w.after, l.access().IsZero(), l.access().Equal(w.refused), m.expired(l):
		return spent
	case l.ExpiresAt.IsZero(), l.ExpiresAt.Sub(m.o.Now()) > margin(l.Token):
		return good
	}
	return fading
}

func (m *Manager) expired(l live) bool {
	return !l.ExpiresAt.IsZero() && !m.o.Now().Before(l.ExpiresAt)
}

// get returns a grant that is what the caller wants, refreshed if need be, and the flight that refreshed it. It waits
// no longer than Patience.
func (m *Manager) get(ctx context.Context, t domain.Tenant, id string, w want) (live, *flight, error) {
	patient, cancel := context.WithTimeout(ctx, m.o.Patience)
	defer cancel()
	for {
		l, err := m.load(patient, t, id)
		if err != nil {
			return live{}, nil, err
		}
		if done, err := m.settle(l, w); done || err != nil {
			return l, nil, err
		}
		f := m.join(ctx, l)
		if !m.await(patient, f, l, w) {
			if ctx.Err() != nil {
				return live{}, nil, connectors.AsError(ctx.Err())
			}
			return m.makeDo(l, w, connectors.Errorf(connectors.Unavailable, "the access token is being refreshed, and that takes long: try again"))
		}
		if f.err != nil {
			return m.makeDo(l, w, f.err)
		}
		if f.live.Grant.Refused == "" && m.fit(f.live, w) > spent {
			return f.live, f, nil
		}
	}
}

// courtesy is how long a caller waits for a refresh while the token at hand is still good.
const courtesy = time.Second

// await waits for a flight, and reports whether it has come to its end.
func (m *Manager) await(ctx context.Context, f *flight, l live, w want) bool {
	if m.fit(l, w) == fading {
		short := time.NewTimer(courtesy)
		defer short.Stop()
		select {
		case <-f.stored:
			return true
		case <-short.C:
			if m.fit(l, w) == fading {
				return false
			}
		case <-ctx.Done():
			return false
		}
	}
	select {
	case <-f.stored:
		return true
	case <-ctx.Done():
		return false
	}
}

// settle reports whether a grant is what the caller wants, or will never be.
func (m *Manager) settle(l live, w want) (bool, error) {
	if l.Grant.Refused != "" {
		return false, refusedError(l.Grant.Refused)
	}
	fit := m.fit(l, w)
	switch {
	case fit == good:
		return true, nil
	case fit == fading && (l.refresh().IsZero() || m.paused(l)):
		return true, nil
	case !l.refresh().IsZero():
		return false, nil
	case m.expired(l) || l.access().Equal(w.refused):
		return false, connectors.Errorf(connectors.Reauthorize, "the access token has ended and came without a refresh token: connect again, with offline access")
	}
	return false, connectors.Errorf(connectors.Unsupported, "the consent came without a refresh token: connect again, with offline access")
}

// makeDo returns the token at hand while it is still good, whatever kept it from being refreshed, unless that was a
// refusal.
func (m *Manager) makeDo(l live, w want, err error) (live, *flight, error) {
	if code := connectors.CodeOf(err); code != connectors.Reauthorize && code != connectors.NotFound && m.fit(l, w) > spent {
		return l, nil, nil
	}
	return live{}, nil, err
}

func refusedError(reason string) error {
	return connectors.Errorf(connectors.Reauthorize, "%s: connect again", reason)
}
