package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/secret"
)

// process is one ucf on the store.
type process struct {
	*Manager
	w      *world
	name   string
	store  *handle
	tr     *http.Transport
	killed bool
}

type world struct {
	t       *testing.T
	p       *provider
	store   *memory
	keeper  *secret.Keeper
	lis     *pipes
	srv     *http.Server
	procs   []*process
	mu      sync.Mutex
	refused []string // who was told of a refusal
	log     bytes.Buffer
	first   struct{ access, refresh string }
}

const (
	tenant  = domain.Tenant("acme")
	tokenID = "tok_1"
)

// newWorld makes a world with one grant, whose access token lives for the provider's ttl.
func newWorld(t *testing.T, setup func(p *provider)) *world {
	t.Helper()
	w := &world{t: t, p: newProvider(), store: &memory{toks: map[string]domain.Token{}}, lis: &pipes{conns: make(chan net.Conn), end: make(chan struct{})}}
	if setup != nil {
		setup(w.p)
	}
	w.keeper = newKeeper(t, 1)
	w.srv = &http.Server{Handler: w.p, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go func() { _ = w.srv.Serve(w.lis) }()
	w.first.access, w.first.refresh = w.p.consent()
	now := time.Now().UTC()
	tok := domain.Token{
		Meta: domain.Meta{Tenant: tenant, Revision: 1, CreatedAt: now, UpdatedAt: now}, ID: tokenID, Kind: "oauth2", ExpiresAt: now.Add(w.p.ttl),
		Grant: &domain.Grant{Key: "k", Provider: w.p.def.ID, ClientID: "client-1", Generation: 1, RefreshedAt: now, API: "https://old.example.com"},
	}
	if w.p.def.IntrospectPath != "" {
		tok.ExpiresAt = time.Time{}
	}
	tok.DueAt = DueAt(w.p.def, *tok.Grant)
	w.seal(&tok, w.first.access, w.first.refresh)
	w.store.toks[tokenID] = tok
	return w
}

func newKeeper(t *testing.T, keys int) *secret.Keeper {
	t.Helper()
	var list string
	for range keys {
		k, err := secret.Generate()
		if err != nil {
			t.Fatal(err)
		}
		list += "," + k.Reveal()
	}
	k, err := secret.Parse(connectors.NewSecret(list[1:]))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *world) seal(tok *domain.Token, access, refresh string) {
	fields := map[string]connectors.Secret{FieldAccess: connectors.NewSecret(access), FieldSecret: connectors.NewSecret(canarySecret)}
	if refresh != "" {
		fields[FieldRefresh] = connectors.NewSecret(refresh)
	}
	sealed, err := secret.SealFields(w.keeper, string(tok.Tenant), tok.ID, fields)
	if err != nil {
		panic(err)
	}
	tok.Sealed, tok.KeyID = sealed, w.keeper.KeyID()
}

// start makes one more process.
func (w *world) start(tune ...func(*Options)) *process {
	pr := &process{w: w, name: fmt.Sprint("process ", len(w.procs)+1), store: &handle{store: w.store}}
	pr.tr = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		w.p.mu.Lock()
		dead := w.p.dead
		w.p.mu.Unlock()
		if dead {
			return nil, errors.New("connection refused")
		}
		return w.lis.dial(ctx)
	}}
	hc := &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("X-Process", pr.name)
		return pr.tr.RoundTrip(r)
	})}
	o := Options{
		Tokens: func(context.Context) (Tokens, error) { return pr.store, nil },
		Sealer: w.keeper, KeyIDs: func() ([]string, error) { return w.keeper.KeyIDs(), nil },
		Client: func(_ domain.Tenant, g domain.Grant, own connectors.Secret) (*Client, error) {
			app := App{Provider: w.p.def, ClientID: g.ClientID, ClientSecret: own, AuthURL: "http://provider.test"}
			return &Client{App: app, HTTP: hc, Now: time.Now}, nil
		},
		Refused: func(context.Context, domain.Token) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.refused = append(w.refused, pr.name)
		},
		Owner: pr.name, Log: slog.New(slog.NewTextHandler(&lockedWriter{w: w}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range tune {
		f(&o)
	}
	pr.Manager = New(o)
	w.procs = append(w.procs, pr)
	return pr
}

type lockedWriter struct{ w *world }

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.log.Write(b)
}

// kill ends a process in the middle of what it does: nothing of it reaches the store from now on, and nobody hears its
// answers.
func (pr *process) kill() {
	if pr.killed {
		return
	}
	pr.killed = true
	pr.store.set(func() {
		pr.store.fail = connectors.Errorf(connectors.Unavailable, "this process is dead")
		pr.store.before, pr.store.after = nil, nil
	})
	pr.unstall()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = pr.Close(gone)
	pr.tr.CloseIdleConnections()
}

// close ends the world; all that runs in it has to end.
func (w *world) close() {
	for _, pr := range w.procs {
		if !pr.killed {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			_ = pr.Close(ctx)
			cancel()
		}
		pr.tr.CloseIdleConnections()
	}
	w.lis.Close()
	time.Sleep(20 * time.Second) // what the server still sleeps on
	_ = w.srv.Close()
}

// stored returns the record with its secrets.
func (w *world) stored() (tok domain.Token, access, refresh string) {
	tok, err := w.store.get(tokenID)
	if err != nil {
		return tok, "", ""
	}
	fields, err := secret.OpenFields(w.keeper, string(tok.Tenant), tok.ID, tok.Sealed)
	if err != nil {
		panic(err)
	}
	return tok, fields[FieldAccess].Reveal(), fields[FieldRefresh].Reveal()
}

// change writes the record as somebody else would, whoever else writes it.
func (w *world) change(f func(tok *domain.Token)) {
	for {
		tok, err := w.store.get(tokenID)
		if err != nil {
			panic(err)
		}
		f(&tok)
		if _, err := w.store.put(tok); err == nil {
			return
		}
	}
}

// consent stores a new consent in place, as a connect flow does.
func (w *world) consent() (access, refresh string) {
	access, refresh = w.p.consent()
	w.change(func(tok *domain.Token) {
		g := tok.Grant
		g.Generation++
		g.Fence++
		g.Refused, g.Claim, g.SpentAt, g.RefreshedAt = "", nil, time.Time{}, time.Now().UTC()
		tok.ExpiresAt, tok.DueAt = time.Now().Add(w.p.ttl).UTC(), DueAt(w.p.def, *g)
		w.seal(tok, access, refresh)
	})
	return access, refresh
}

// expire lets the stored access token expire.
func (w *world) expire() {
	tok, _, _ := w.stored()
	time.Sleep(time.Until(tok.ExpiresAt))
}

// stallAfterClaim makes a process's store hang from its next write on, for a time.
func (pr *process) stallAfterClaim(d time.Duration) {
	healed := make(chan struct{})
	pr.store.set(func() {
		pr.store.after = func(domain.Token) error {
			pr.store.set(func() { pr.store.stalled, pr.store.after = healed, nil })
			return nil
		}
	})
	time.AfterFunc(d, func() {
		pr.store.set(func() { pr.store.stalled = nil })
		close(healed)
	})
}

// result is what a caller got, and when.
type result struct {
	process string
	access  string
	err     error
	took    time.Duration
}

// callers lets n callers of each process ask for a token at once and returns what they got.
func callers(n int, procs ...*process) []result {
	out := make([]result, n*len(procs))
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() {
			pr, start := procs[i%len(procs)], time.Now()
			access, err := pr.Source(tenant, tokenID).Token(context.Background())
			out[i] = result{pr.name, access.Reveal(), err, time.Since(start)}
		})
	}
	wg.Wait()
	return out
}

// oneAnswer fails unless all callers got one and the same good access token, and returns it.
func (w *world) oneAnswer(got []result) string {
	w.t.Helper()
	seen := map[string]int{}
	for _, r := range got {
		if r.err != nil {
			w.t.Fatalf("%s: %v after %s", r.process, r.err, r.took)
		}
		seen[r.access]++
	}
	if len(seen) != 1 {
		w.t.Fatalf("got %d different tokens: %v", len(seen), seen)
	}
	access := slices.Collect(maps.Keys(seen))[0]
	if !w.p.alive(access) {
		w.t.Fatalf("the provider does not take %s", access)
	}
	return access
}

// sound fails unless the stored grant is at rest, and its tokens are good at the provider.
func (w *world) sound() {
	w.t.Helper()
	tok, access, refresh := w.stored()
	g := tok.Grant
	if g.Claim != nil || !g.SpentAt.IsZero() || g.Refused != "" || !w.p.renewable(refresh) || !w.p.alive(access) {
		w.t.Errorf("the stored grant is not sound: %+v, renewable %v, alive %v", *g, w.p.renewable(refresh), w.p.alive(access))
	}
	if fields, _ := secret.OpenFields(w.keeper, string(tok.Tenant), tok.ID, tok.Sealed); fields[FieldSecret].Reveal() != canarySecret {
		w.t.Error("the grant's own client secret is gone")
	}
	if want := DueAt(w.p.def, *g); !tok.DueAt.Equal(want) {
		w.t.Errorf("due at %s, want %s", tok.DueAt, want)
	}
	w.p.set(func() {
		if rt := w.p.refresh[refresh]; rt != nil && !rt.spentAt.IsZero() {
			w.t.Error("the stored refresh token is spent")
		}
	})
}

// spentOnce fails unless each refresh token was spent once.
func (w *world) spentOnce() {
	w.t.Helper()
	seen := map[string]int{}
	for _, s := range w.p.seen() {
		if seen[s.token]++; seen[s.token] > 1 {
			w.t.Errorf("%s was spent %d times", s.token, seen[s.token])
		}
	}
}
