package oauth

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/secret"
)

// Tokens is the part of the store that grants live in. A write with a stale revision is conflict.
type Tokens interface {
	Token(ctx context.Context, t domain.Tenant, id string) (domain.Token, error)
	UpdateToken(ctx context.Context, t domain.Token) (int64, error)
}

// Options are what a [Manager] works with. Tokens, Sealer, KeyIDs and Client are required.
type Options struct {
	// Tokens returns the store; it is asked before each use, and opens it on the first.
	Tokens func(ctx context.Context) (Tokens, error)
	Sealer connectors.Sealer
	// KeyIDs returns the ids of the keys; the first one seals.
	KeyIDs func() ([]string, error)
	// Client returns the client for the app that a grant was given to. secret is the grant's own client secret, zero for
	// the operator's app.
	Client func(t domain.Tenant, g domain.Grant, secret connectors.Secret) (*Client, error)
	// Refused is told once when a provider refused a grant for good, before any caller is; nil for nobody.
	Refused func(ctx context.Context, tok domain.Token)
	// Owner names this process in claims, for people.
	Owner string
	Now   func() time.Time
	Log   *slog.Logger

	// CallTimeout bounds one call to a token endpoint. Default 5 s.
	CallTimeout time.Duration
	// Beat is how often a claim is renewed. Default 500 ms.
	Beat time.Duration
	// Term is how long a claim stays unchanged before whoever watches it takes it over. Default 2 s.
	Term time.Duration
	// Poll is how often another's claim is looked at. Default 50 ms.
	Poll time.Duration
	// Patience is how long a caller waits in all. Default 10 s.
	Patience time.Duration
}

// Manager keeps stored grants alive, together with every other Manager on the same store: of any number of callers one
// spends a refresh token, all others wait for what it brings. It may be used by many goroutines at once.
//
// Its errors are [connectors.Reauthorize] when the provider refused the grant for good, and only then;
// [connectors.ProviderError], [connectors.Timeout] or [connectors.RateLimited] when a refresh failed in a way that may pass; and the store's.
type Manager struct {
	o Options

	open  context.Context // ends when Close begins: nothing new is begun
	shut  context.CancelFunc
	life  context.Context // ends when Close gives up
	abort context.CancelFunc
	work  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	unkept  int // answers of providers that could not be stored
	flights map[key]*flight
	pauses  map[key]pause
}

// key names a token record.
type key struct {
	tenant domain.Tenant
	id     string
}

// New returns a manager. It starts nothing and calls nobody.
func New(o Options) *Manager {
	o.CallTimeout = cmp.Or(o.CallTimeout, 5*time.Second)
	o.Beat = cmp.Or(o.Beat, 500*time.Millisecond)
	o.Term = cmp.Or(o.Term, 2*time.Second)
	o.Poll = cmp.Or(o.Poll, 50*time.Millisecond)
	o.Patience = cmp.Or(o.Patience, 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Refused == nil {
		o.Refused = func(context.Context, domain.Token) {}
	}
	m := &Manager{o: o, flights: map[key]*flight{}, pauses: map[key]pause{}}
	m.open, m.shut = context.WithCancel(context.Background())
	m.life, m.abort = context.WithCancel(context.Background())
	return m
}

// Refresh gets a new access token now, whatever the expiry of the stored one, and returns the record with it. A refresh
// that is under way counts. A grant without a refresh token is [connectors.Unsupported].
func (m *Manager) Refresh(ctx context.Context, t domain.Tenant, tokenID string) (domain.Token, error) {
	l, err := m.load(ctx, t, tokenID)
	if err != nil {
		return domain.Token{}, err
	}
	l, f, err := m.get(ctx, t, tokenID, want{forced: true, after: l.Grant.Generation})
	if err != nil {
		return domain.Token{}, err
	}
	if f == nil || !l.ExpiresAt.IsZero() {
		return l.Token, nil
	}
	select {
	case <-f.settled:
		return f.final, nil
	case <-ctx.Done():
		return l.Token, nil
	}
}

// KeepAlive refreshes a grant that is due, unless somebody else did since. One that fails stays due, behind those that
// wait already.
func (m *Manager) KeepAlive(ctx context.Context, tok domain.Token) error {
	l, err := m.load(ctx, tok.Tenant, tok.ID)
	if connectors.CodeOf(err) == connectors.NotFound {
		return nil
	}
	if err == nil {
		if l.DueAt.IsZero() || l.DueAt.After(m.o.Now()) {
			return nil
		}
		_, _, err = m.get(ctx, tok.Tenant, tok.ID, want{forced: true, after: l.Grant.Generation})
	}
	if err != nil {
		m.postpone(ctx, tok)
	}
	return err
}

// postpone moves a grant that is still due behind the others.
func (m *Manager) postpone(ctx context.Context, due domain.Token) {
	tok, err := m.read(ctx, due.Tenant, due.ID)
	if err != nil || tok.DueAt.IsZero() || tok.DueAt.After(due.DueAt) {
		return
	}
	tok.DueAt = m.o.Now().UTC()
	// Whoever changed the record meanwhile has decided anew when it is due.
	if err := m.write(ctx, &tok); err != nil && connectors.CodeOf(err) != connectors.Conflict {
		m.o.Log.DebugContext(ctx, "a due grant could not be put off", "token", tok.ID, "error", err)
	}
}

// Close ends all refreshing. It waits for the refreshes under way, so that what a provider answered is stored, until
// ctx ends; then it gives up and returns an error.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.shut()
	defer m.abort()
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.work.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		m.abort()
		<-done
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unkept > 0 {
		return connectors.Errorf(connectors.Unavailable, "%d refreshed tokens could not be stored before the end", m.unkept)
	}
	return nil
}

// errClosed is what callers get after Close.
func errClosed() error {
	return connectors.Errorf(connectors.Unavailable, "ucf is shutting down and refreshes no token any more: try again")
}

// live is a grant's record with its secrets in the clear.
type live struct {
	domain.Token
	secrets map[string]connectors.Secret
}

func (l live) access() connectors.Secret  { return l.secrets[FieldAccess] }
func (l live) refresh() connectors.Secret { return l.secrets[FieldRefresh] }

// load reads a grant and opens it.
func (m *Manager) load(ctx context.Context, t domain.Tenant, id string) (live, error) {
	tok, err := m.read(ctx, t, id)
	if err != nil {
		return live{}, err
	}
	if tok.Grant == nil {
		return live{}, connectors.Errorf(connectors.Unsupported, "a credential of kind %s is not refreshed: make a new one at the provider and set it", tok.Kind)
	}
	return m.unseal(tok)
}

// unseal opens the secrets of a record.
func (m *Manager) unseal(tok domain.Token) (live, error) {
	secrets, err := secret.OpenFields(m.o.Sealer, string(tok.Tenant), tok.ID, tok.Sealed)
	return live{tok, secrets}, err
}

func (m *Manager) read(ctx context.Context, t domain.Tenant, id string) (domain.Token, error) {
	st, err := m.o.Tokens(ctx)
	if err != nil {
		return domain.Token{}, err
	}
	return st.Token(ctx, t, id)
}

// write stores a record under the revision that it carries, and gives it the new one.
func (m *Manager) write(ctx context.Context, tok *domain.Token) error {
	st, err := m.o.Tokens(ctx)
	if err != nil {
		return err
	}
	tok.UpdatedAt = m.o.Now().UTC()
	revision, err := st.UpdateToken(ctx, *tok)
	if err == nil {
		tok.Revision = revision
	}
	return err
}

// writeWithin is write for work that goes on for as long as the process lives: a write that hangs is made anew.
func (m *Manager) writeWithin(ctx context.Context, tok *domain.Token) error {
	ctx, cancel := context.WithTimeout(ctx, m.o.Patience)
	defer cancel()
	return m.write(ctx, tok)
}
