package sandbox

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// Spend tells how a refresh token was used.
type Spend struct {
	Provider string // "atlassian" or "salesforce"
	Client   string // the app's client id
	Account  string // the account's id
	Number   int    // which refresh token of its grant it is, from 1
	Sent     int    // requests that arrived with it, whatever became of them
	Spent    int    // requests that were answered with new tokens, whether or not the answer arrived
	Overlap  int    // the largest number of requests with it that were under way at once
}

// Punishment tells of a grant that was ended because a secret of it was used in a way that only a thief would.
type Punishment struct {
	Provider string
	Client   string
	Account  string
	Reason   string
	At       time.Time // by OAuthNow

	account int
}

// Spends returns how the refresh tokens that are remembered were used: grants in the order of their making, and the
// tokens of each in theirs. The last 1,000 of each grant are remembered.
func (s *Server) Spends() []Spend {
	var all []Spend
	for _, p := range s.providers {
		all = append(all, p.authority.spends(p.accountID)...)
	}
	return all
}

func (a *authority) spends(accountID func(int) string) []Spend {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []Spend
	for _, g := range a.grants {
		for _, t := range g.refresh {
			one := a.refresh[t].Spend
			one.Account = accountID(g.account)
			all = append(all, one)
		}
	}
	return all
}

// SpendOf returns how one refresh token was used, false for one that is not remembered.
func (s *Server) SpendOf(refreshToken string) (Spend, bool) {
	for _, p := range s.providers {
		if one, ok := p.authority.spendOf(refreshToken, p.accountID); ok {
			return one, true
		}
	}
	return Spend{}, false
}

func (a *authority) spendOf(secret string, accountID func(int) string) (Spend, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.refresh[ticketOf(secret)]
	if !ok {
		return Spend{}, false
	}
	one := t.Spend
	one.Account = accountID(t.grant.account)
	return one, true
}

// Overlap returns the largest number of requests to spend refresh tokens of one grant that were ever under way at once.
// A request is under way from its arrival, before any fault delays it, to its answer; one whose client went away, until
// that is noticed.
func (s *Server) Overlap() int {
	most := 0
	for _, p := range s.providers {
		p.authority.mu.Lock()
		most = max(most, p.authority.overlap)
		p.authority.mu.Unlock()
	}
	return most
}

// Punished returns which grants were ended as stolen, in the order of time; the last 1,000 of each provider.
func (s *Server) Punished() []Punishment {
	var all []Punishment
	for _, p := range s.providers {
		p.authority.mu.Lock()
		for _, one := range p.authority.punished {
			one.Account = p.accountID(one.account)
			all = append(all, one)
		}
		p.authority.mu.Unlock()
	}
	return all
}

// RevokeGrants ends the grants of an account at a provider, "atlassian" or "salesforce", as a user does who removes the
// app from those connected to the account. The account is an id or an e-mail address, empty for all. It returns how
// many there were.
func (s *Server) RevokeGrants(provider, account string) int {
	n := 0
	for _, p := range s.providers {
		if p.authority.provider == provider {
			n += p.authority.revokeGrants(func(i int) bool {
				return account == "" || account == p.accountID(i) || account == p.people[i].email
			})
		}
	}
	return n
}

// arrive counts a request with a refresh token; what it returns is called when the request is over.
func (a *authority) arrive(secret string) (leave func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.refresh[ticketOf(secret)]
	if !ok {
		return func() {}
	}
	t.Sent++
	t.underWay++
	t.grant.underWay++
	t.Overlap = max(t.Overlap, t.underWay)
	a.overlap = max(a.overlap, t.grant.underWay)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		t.underWay--
		t.grant.underWay--
	}
}

// maxTokenBody bounds the body of a request to an authorization server.
const maxTokenBody = 64 << 10

// countSpends stands in front of the faults, so that a request that is delayed or fails counts from its arrival on.
func (s *Server) countSpends(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, p := range s.providers {
			if r.URL.Path != p.tokenPath || r.Method != http.MethodPost {
				continue
			}
			// Reading all of a body also lets the server notice that a client goes away.
			start, _ := io.ReadAll(io.LimitReader(r.Body, maxTokenBody+1))
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(start), r.Body))
			in, _ := readTokenRequest(r.Header, start)
			defer p.authority.arrive(in.RefreshToken)()
		}
		next.ServeHTTP(w, r)
	})
}
