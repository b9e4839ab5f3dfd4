package oauth

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
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
	faultTardy = "tardy" // spends after 3.7 s
	faultNever = "never" // closes the connection without spending
	faultApp   = "app"   // does not know the app
	faultLate  = "late"  // spends nothing, and answers 503 after 3.7 s
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
	lenient        bool          // a token that is sent again is refused, and nothing else
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
	switch fault {
	case faultHung:
		think += 7 * time.Second
	case faultTardy:
		think += 3700 * time.Millisecond
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
	case faultLate:
		time.Sleep(3700 * time.Millisecond)
		w.WriteHeader(http.StatusServiceUnavailable)
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
		if p.lenient {
			s.refused = true
			return 403, `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`
		}
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
