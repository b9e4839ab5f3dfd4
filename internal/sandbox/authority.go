package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"sync"
	"time"
)

// Bounds of what an authorization server remembers. What is oldest goes first, a grant that has ended before one that
// has not.
const (
	maxCodes    = 1_000
	maxGrants   = 1_000
	maxTokens   = 1_000 // of each kind, of one grant
	maxPunished = 1_000
)

// codeLife is how long a code waits for its exchange.
const codeLife = 5 * time.Minute

// rules are how a provider's authorization server treats tokens.
type rules struct {
	provider string
	life     time.Duration // of an access token
	reuse    time.Duration // how long after its first use a refresh token that rotates may be used again
	idle     time.Duration // how long a refresh token lives without being used
	rotate   bool
	most     int      // grants of one app and account at once; one more ends the oldest
	offline  []string // scopes, any of which brings a refresh token

	newAccess, newRefresh func() string
}

// authority keeps the codes, grants and tokens of one authorization server. It is safe for concurrent use.
type authority struct {
	rules
	now func() time.Time

	mu       sync.Mutex
	codes    map[ticket]*code
	oldCodes []ticket // in the order of their making
	grants   []*grant // in the order of their making
	access   map[ticket]*accessToken
	refresh  map[ticket]*refreshToken
	punished []Punishment
	overlap  int
}

// ticket stands for a secret that was handed out. The secret itself is not kept.
type ticket [sha256.Size]byte

func ticketOf(secret string) ticket { return sha256.Sum256([]byte(secret)) }

// newSecret returns 256 random bits.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// consent is what a user has approved.
type consent struct {
	client, redirectURI, challenge string
	account                        int
	scopes                         []string
	sites                          []int
}

type code struct {
	consent
	made  time.Time
	used  bool
	given *grant // nil when its use was refused
}

// grant is one family of tokens.
type grant struct {
	client   string
	account  int
	scopes   []string
	sites    []int
	refusing bool // its refresh tokens are dead
	ended    bool // all its tokens are dead
	access   []ticket
	refresh  []ticket
	issued   int // refresh tokens so far
	underWay int // requests to spend one
}

type accessToken struct {
	grant         *grant
	made, expires time.Time
}

type refreshToken struct {
	Spend
	grant    *grant
	lastUse  time.Time // or its making
	spent    time.Time // its first use, zero before
	underWay int
}

func newAuthority(r rules, now func() time.Time) *authority {
	return &authority{
		rules: r, now: now,
		codes: map[ticket]*code{}, access: map[ticket]*accessToken{}, refresh: map[ticket]*refreshToken{},
	}
}

// approve returns the code for a consent.
func (a *authority) approve(c consent) string {
	secret := newSecret()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.codes[ticketOf(secret)] = &code{consent: c, made: a.now()}
	a.oldCodes = append(a.oldCodes, ticketOf(secret))
	if len(a.oldCodes) > maxCodes {
		delete(a.codes, a.oldCodes[0])
		a.oldCodes = a.oldCodes[1:]
	}
	return secret
}

// tokens is what an exchange or a refresh hands out. refresh is empty when there is no new refresh token.
type tokens struct {
	access, refresh string
	account         int
	scopes          []string
	made            time.Time
}

// authFault is why an authorization server refuses. Each provider has its own words for it.
type authFault int

const (
	badCode authFault = iota + 1
	expiredCode
	otherRedirect
	noVerifier
	wrongVerifier
	badRefreshToken
)

func (authFault) Error() string { return "refused by the authorization server" }

// exchange turns a code into tokens. A code serves once, whatever comes of it; used again it takes back what it gave.
func (a *authority) exchange(client, secret, redirectURI, verifier string) (tokens, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.codes[ticketOf(secret)]
	if !ok || c.client != client {
		return tokens{}, badCode
	}
	if c.used {
		if c.given != nil && !c.given.ended {
			a.punish(c.given, "a code was used twice")
			c.given.ended = true
		}
		return tokens{}, badCode
	}
	c.used = true
	if fault := c.check(redirectURI, verifier, a.now()); fault != 0 {
		return tokens{}, fault
	}
	c.given = a.open(c.consent)
	offline := slices.ContainsFunc(a.offline, func(s string) bool { return slices.Contains(c.scopes, s) })
	return a.issue(c.given, offline), nil
}

// check returns what is wrong with an exchange, 0 for nothing. A verifier for a code without a challenge is wrong as
// well, after RFC 9700, section 2.1.1.
func (c *code) check(redirectURI, verifier string, now time.Time) authFault {
	sum := sha256.Sum256([]byte(verifier))
	switch {
	case now.Sub(c.made) > codeLife:
		return expiredCode
	case redirectURI != c.redirectURI:
		return otherRedirect
	case c.challenge != "" && verifier == "":
		return noVerifier
	case verifier != "" && base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge:
		return wrongVerifier
	}
	return 0
}

// open begins the grant of a consent, and ends the older ones of the same app and account that are one too many. The
// new one reaches the sites of those as well.
func (a *authority) open(c consent) *grant {
	g := &grant{client: c.client, account: c.account, scopes: c.scopes, sites: slices.Clone(c.sites)}
	var same []*grant
	for _, old := range a.grants {
		if old.client == g.client && old.account == g.account && !old.ended {
			same = append(same, old)
		}
	}
	for ; len(same) >= a.most; same = same[1:] {
		same[0].ended = true
		g.sites = append(g.sites, same[0].sites...)
	}
	slices.Sort(g.sites)
	g.sites = slices.Compact(g.sites)
	a.grants = append(a.grants, g)
	if len(a.grants) > maxGrants {
		a.forget(max(0, slices.IndexFunc(a.grants, func(g *grant) bool { return g.ended })))
	}
	return g
}

func (a *authority) forget(i int) {
	for _, t := range a.grants[i].access {
		delete(a.access, t)
	}
	for _, t := range a.grants[i].refresh {
		delete(a.refresh, t)
	}
	a.grants = slices.Delete(a.grants, i, i+1)
}

// issue makes an access token, and a refresh token if asked to.
func (a *authority) issue(g *grant, withRefresh bool) tokens {
	now := a.now()
	out := tokens{access: a.newAccess(), account: g.account, scopes: g.scopes, made: now}
	a.access[ticketOf(out.access)] = &accessToken{grant: g, made: now, expires: now.Add(a.life)}
	g.access = remember(g.access, ticketOf(out.access), a.access)
	if withRefresh {
		out.refresh = a.newRefresh()
		g.issued++
		a.refresh[ticketOf(out.refresh)] = &refreshToken{
			grant: g, lastUse: now, Spend: Spend{Provider: a.provider, Client: g.client, Number: g.issued},
		}
		g.refresh = remember(g.refresh, ticketOf(out.refresh), a.refresh)
	}
	return out
}

// remember adds a token to those of a grant, and forgets the oldest when they are too many.
func remember[T any](list []ticket, t ticket, known map[ticket]T) []ticket {
	list = append(list, t)
	if len(list) > maxTokens {
		delete(known, list[0])
		list = list[1:]
	}
	return list
}

// spend turns a refresh token into new tokens. One that rotates and was used before is taken again for a while; after
// that, its use ends the whole family.
func (a *authority) spend(client, secret string) (tokens, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	t, ok := a.refresh[ticketOf(secret)]
	if !ok || t.grant.client != client || t.grant.refusing || t.grant.ended {
		return tokens{}, badRefreshToken
	}
	used := a.rotate && !t.spent.IsZero()
	switch {
	case used && now.Sub(t.spent) > a.reuse:
		a.punish(t.grant, "a refresh token was used again after its reuse interval")
		return tokens{}, badRefreshToken
	case !used && now.Sub(t.lastUse) >= a.idle:
		return tokens{}, badRefreshToken
	}
	if t.spent.IsZero() {
		t.spent = now
	}
	t.lastUse = now
	t.Spent++
	return a.issue(t.grant, a.rotate), nil
}

// punish makes all refresh tokens of a family useless. Its access tokens live on until they expire.
func (a *authority) punish(g *grant, reason string) {
	g.refusing = true
	a.punished = append(a.punished, Punishment{Provider: a.provider, Client: g.client, account: g.account, Reason: reason, At: a.now()})
	if len(a.punished) > maxPunished {
		a.punished = a.punished[1:]
	}
}
