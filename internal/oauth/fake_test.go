package oauth

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// A world in virtual time: an authorization server that rotates refresh tokens and punishes their reuse, a store, and
// processes that share both. Everything runs inside a bubble of testing/synctest; connections are pipes, so that the
// real HTTP client and server are in between.

// Faults of the authorization server; each is used up by one request.
const (
	faultLost  = "lost"  // spends, and closes the connection instead of answering
	faultCut   = "cut"   // spends, and breaks off in the middle of the answer
	faultHTML  = "html"  // spends, and answers a page with 200
	fault500   = "500"   // spends, and answers 500
	faultSlow  = "slow"  // spends, and answers after 7 s
	faultHung  = "hung"  // answers after 7 s, and spends only then
	fault503   = "503"   // spends nothing
	fault429   = "429"   // spends nothing, with Retry-After
	faultNever = "never" // closes the connection without spending
	faultApp   = "app"   // does not know the app
)

type family struct {
	revoked bool
	tokens  []*refreshToken
}

type refreshToken struct {
	value    string
	family   *family
	spentAt  time.Time // when it was replaced
	inflight []*spending
}

// spending is one request with a refresh token.
type spending struct {
	ctx     context.Context
	process string
	token   string
	at      time.Time
	told    bool // answered with a token
	reuse   bool // of a token that was spent before
	overlap *spending
	refused bool
	answer  string // the refresh token it got
}

// provider is the authorization server.
type provider struct {
	mu             sync.Mutex
	def            *connectors.OAuthProvider
	window         time.Duration
	ttl            time.Duration
	rotates        bool
	newest         bool          // of several answers to one token only the last is good
	think          time.Duration // between a request and its effect
	delay          time.Duration // between its effect and the answer
	faults         []string
	down           bool // every request is lost after its effect
	dead           bool // connections are refused
	refresh        map[string]*refreshToken
	access         map[string]*family
	expires        map[string]time.Time
	spendings      []*spending
	punished       int
	requests       int
	introspections int
	onSpent        func(s *spending)
	number         int
}

func newProvider() *provider {
	return &provider{
		def: atlassian(), window: 10 * time.Minute, ttl: time.Hour, rotates: true,
		refresh: map[string]*refreshToken{}, access: map[string]*family{}, expires: map[string]time.Time{},
	}
}

// issue gives an access token, and a refresh token, of a family; p.mu is held.
func (p *provider) issue(f *family) (access, refresh string) {
	p.number++
	access, refresh = fmt.Sprintf("access-%d-%s", p.number, rand.Text()[:6]), fmt.Sprintf("refresh-%d-%s", p.number, rand.Text()[:6])
	rt := &refreshToken{value: refresh, family: f}
	f.tokens = append(f.tokens, rt)
	p.refresh[refresh] = rt
	p.access[access], p.expires[access] = f, time.Now().Add(p.ttl)
	return access, refresh
}

// consent gives the tokens of a new consent.
func (p *provider) consent() (access, refresh string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.issue(&family{})
}

// alive reports whether the access token is good.
func (p *provider) alive(access string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.access[access]
	return f != nil && !f.revoked && time.Now().Before(p.expires[access])
}

// renewable reports whether the provider would take the refresh token now.
func (p *provider) renewable(refresh string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	rt := p.refresh[refresh]
	return rt != nil && !rt.family.revoked && (rt.spentAt.IsZero() || time.Since(rt.spentAt) <= p.window)
}

// seen returns what the provider has seen until now.
func (p *provider) seen() []spending {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []spending
	for _, s := range p.spendings {
		out = append(out, *s)
	}
	return out
}

// spends returns the requests with one refresh token.
func (p *provider) spends(refresh string) []spending {
	var out []spending
	for _, s := range p.seen() {
		if s.token == refresh {
			out = append(out, s)
		}
	}
	return out
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

func (p *provider) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == p.def.IntrospectPath && p.def.IntrospectPath != "" {
		p.introspect(w, r)
		return
	}
	params := map[string]string{}
	if p.def.JSON {
		_ = json.NewDecoder(r.Body).Decode(&params)
	} else {
		_ = r.ParseForm()
		for k := range r.PostForm {
			params[k] = r.PostForm.Get(k)
		}
	}
	p.mu.Lock()
	p.requests++
	fault := ""
	if len(p.faults) > 0 {
		fault, p.faults = p.faults[0], p.faults[1:]
	} else if p.down {
		fault = faultLost
	}
	think, delay, onSpent := p.think, p.delay, p.onSpent
	p.mu.Unlock()
	if p.unspent(w, fault) {
		return
	}
	if fault == faultHung {
		think += 7 * time.Second
	}
	s := p.arrive(r, params["refresh_token"])
	defer p.leave(s)
	time.Sleep(think)
	status, body := p.spend(s)
	if onSpent != nil {
		onSpent(s)
	}
	if fault == faultSlow {
		delay += 7 * time.Second
	}
	time.Sleep(delay)
	p.reply(w, s, fault, status, body)
}

// unspent answers what spends nothing.
func (p *provider) unspent(w http.ResponseWriter, fault string) bool {
	switch fault {
	case fault503:
		w.WriteHeader(http.StatusServiceUnavailable)
	case fault429:
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusTooManyRequests)
	case faultApp:
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"access_denied","error_description":"Unauthorized"}`)
	case faultNever:
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

func (p *provider) reply(w http.ResponseWriter, s *spending, fault string, status int, body string) {
	switch fault {
	case faultLost:
		panic(http.ErrAbortHandler)
	case faultCut:
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+10))
		_, _ = io.WriteString(w, body)
		panic(http.ErrAbortHandler)
	case faultHTML:
		fmt.Fprint(w, "<html>")
		return
	case fault500:
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	p.set(func() { s.told = status == 200 && s.ctx.Err() == nil })
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

func (p *provider) arrive(r *http.Request, token string) *spending {
	s := &spending{ctx: r.Context(), process: r.Header.Get("X-Process"), token: token, at: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spendings = append(p.spendings, s)
	if rt := p.refresh[token]; rt != nil {
		for _, other := range rt.inflight {
			if other.ctx.Err() == nil {
				s.overlap = other
			}
		}
		rt.inflight = append(rt.inflight, s)
	}
	return s
}

func (p *provider) leave(s *spending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rt := p.refresh[s.token]; rt != nil {
		rt.inflight = slices.DeleteFunc(rt.inflight, func(o *spending) bool { return o == s })
	}
}

func (p *provider) spend(s *spending) (int, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rt := p.refresh[s.token]
	if rt != nil && !rt.spentAt.IsZero() {
		s.reuse = true
		if time.Since(rt.spentAt) > p.window && !rt.family.revoked {
			rt.family.revoked = true
			p.punished++
		}
	}
	if rt == nil || rt.family.revoked {
		s.refused = true
		return 403, `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`
	}
	if !p.rotates {
		access, _ := p.issue(rt.family)
		return 200, fmt.Sprintf(`{"access_token":%q,"instance_url":"https://new.example.com","scope":"api"}`, access)
	}
	if p.newest {
		for _, other := range rt.family.tokens {
			if other.spentAt.IsZero() {
				other.spentAt = time.Now()
			}
		}
	}
	if rt.spentAt.IsZero() {
		rt.spentAt = time.Now()
	}
	access, refresh := p.issue(rt.family)
	s.answer = refresh
	return 200, fmt.Sprintf(`{"access_token":%q,"refresh_token":%q,"expires_in":%d,"scope":"read:jira-work offline_access"}`, access, refresh, int(p.ttl/time.Second))
}

func (p *provider) introspect(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.introspections++
	fmt.Fprintf(w, `{"active":true,"exp":%d}`, p.expires[r.PostForm.Get("token")].Unix())
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	end   chan struct{}
	once  sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.end:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.end) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipes) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.end:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// memory is a store in memory.
type memory struct {
	mu   sync.Mutex
	toks map[string]domain.Token
}

func (s *memory) get(id string) (domain.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tok, ok := s.toks[id]
	if !ok {
		return tok, connectors.Errorf(connectors.NotFound, "there is no token %s", id)
	}
	return clone(tok), nil
}

func (s *memory) put(tok domain.Token) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cur, ok := s.toks[tok.ID]
	switch {
	case !ok:
		return 0, connectors.Errorf(connectors.NotFound, "there is no token %s", tok.ID)
	case cur.Revision != tok.Revision:
		return 0, connectors.Errorf(connectors.Conflict, "revision %d is stale", tok.Revision)
	}
	tok.Revision++
	s.toks[tok.ID] = clone(tok)
	return tok.Revision, nil
}

// handle is one process's way to the store.
type handle struct {
	store *memory
	mu    sync.Mutex
	// fail makes every call fail; write and read say more where they are set.
	fail    error
	stalled chan struct{} // calls wait until it is closed
	latency time.Duration
	after   func(tok domain.Token) error // called when a write got through; its error is returned in place of success
	before  func(tok domain.Token)
}

func (h *handle) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

func (h *handle) enter(ctx context.Context) error {
	h.mu.Lock()
	stalled, latency := h.stalled, h.latency
	h.mu.Unlock()
	if stalled != nil {
		select {
		case <-stalled:
		case <-ctx.Done():
			return connectors.AsError(ctx.Err())
		}
	}
	if err := sleep(ctx, latency); err != nil {
		return connectors.AsError(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fail
}

func (h *handle) Token(ctx context.Context, t domain.Tenant, id string) (domain.Token, error) {
	if err := h.enter(ctx); err != nil {
		return domain.Token{}, err
	}
	tok, err := h.store.get(id)
	if err == nil && tok.Tenant != t {
		return domain.Token{}, connectors.Errorf(connectors.NotFound, "there is no token %s", id)
	}
	return tok, err
}

func (h *handle) UpdateToken(ctx context.Context, tok domain.Token) (int64, error) {
	if err := h.enter(ctx); err != nil {
		return 0, err
	}
	h.mu.Lock()
	before, after := h.before, h.after
	h.mu.Unlock()
	if before != nil {
		before(tok)
	}
	revision, err := h.store.put(tok)
	if err == nil && after != nil {
		err = after(tok)
	}
	return revision, err
}

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
	hc := &http.Client{Transport: tripperFunc(func(r *http.Request) (*http.Response, error) {
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

type tripperFunc func(*http.Request) (*http.Response, error)

func (f tripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

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
