package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// step is one thing that happens in the life of a grant. Refresh tokens are named by letters: a is the first.
type step struct {
	after time.Duration // passes before
	use   string        // the refresh token that is used
	gives string        // the name of the one it brings; empty when it is refused
	dies  bool          // the use is punished
}

func TestRotation(t *testing.T) {
	const reuse, idle = 10 * time.Minute, 90 * 24 * time.Hour
	cases := []struct {
		name    string
		options Options
		steps   []step
	}{
		{"a chain", Options{}, []step{
			{use: "a", gives: "b"},
			{after: time.Hour, use: "b", gives: "c"},
			{after: time.Hour, use: "c", gives: "d"},
		}},
		{"used again inside the interval, both pairs are good", Options{}, []step{
			{use: "a", gives: "b"},
			{after: reuse, use: "a", gives: "c"},
			{after: time.Hour, use: "b", gives: "d"},
			{use: "c", gives: "e"},
		}},
		{"the interval runs from the first use", Options{}, []step{
			{use: "a", gives: "b"},
			{after: reuse - time.Minute, use: "a", gives: "c"},
			{after: time.Minute + time.Second, use: "a", dies: true},
		}},
		{"used again too late, the family dies", Options{}, []step{
			{use: "a", gives: "b"},
			{use: "b", gives: "c"},
			{after: reuse + time.Nanosecond, use: "a", dies: true},
			{use: "c"},
			{use: "b"},
			{use: "a"},
		}},
		{"a shorter interval", Options{ReuseInterval: time.Second}, []step{
			{use: "a", gives: "b"},
			{after: time.Second, use: "a", gives: "c"},
			{after: time.Second, use: "a", dies: true},
			{use: "c"},
		}},
		{"no interval", Options{ReuseInterval: None}, []step{
			{use: "a", gives: "b"},
			{use: "a", dies: true},
			{use: "b"},
		}},
		{"unused for one moment less than the limit", Options{}, []step{
			{after: idle - time.Nanosecond, use: "a", gives: "b"},
			{after: idle - time.Nanosecond, use: "b", gives: "c"},
		}},
		{"unused for too long, nobody is punished", Options{}, []step{
			{after: idle, use: "a"},
			{use: "a"},
		}},
		{"a shorter limit", Options{RefreshIdle: time.Minute}, []step{
			{after: time.Minute - time.Second, use: "a", gives: "b"},
			{after: time.Minute, use: "b"},
		}},
		{"unknown", Options{}, []step{{use: "?"}, {use: "a", gives: "b"}}},
	}
	for _, f := range flows {
		for _, c := range cases {
			t.Run(f.name+"/"+c.name, func(t *testing.T) {
				clock := newFakeClock()
				c.options.OAuthNow = clock.Now
				if f.name == "salesforce" && c.options.RefreshIdle == 0 {
					c.options.RefreshIdle = idle
				}
				live(t, serveOAuth(t, c.options), f, clock, c.steps)
			})
		}
	}
}

func live(t *testing.T, b *oauthBox, f flow, clock *fakeClock, steps []step) {
	token := map[string]string{"a": b.connect(f).text(t, "refresh_token"), "?": "never-given"}
	punished := 0
	for i, s := range steps {
		clock.add(s.after)
		got := b.refresh(f, token[s.use])
		if s.dies {
			punished++
		}
		if n := len(b.Punished()); n != punished {
			t.Fatalf("step %d: %d were punished, want %d", i, n, punished)
		}
		if s.gives == "" {
			f.mustBeDead(t, got)
			continue
		}
		next := got.text(t, "refresh_token")
		if got.status != http.StatusOK || next == "" || got.text(t, "access_token") == "" {
			t.Fatalf("step %d: %d %s", i, got.status, got.body)
		}
		for name, old := range token {
			if old == next {
				t.Fatalf("step %d: token %s was given again", i, name)
			}
		}
		token[s.gives] = next
	}
}

// The default limits differ: 90 days at Atlassian, 30 at Salesforce.
func TestIdleLimits(t *testing.T) {
	for f, limit := range map[*flow]time.Duration{&atlassianFlow: atlassianIdle, &salesforceFlow: salesforceIdle} {
		t.Run(f.name, func(t *testing.T) {
			clock := newFakeClock()
			b := serveOAuth(t, Options{OAuthNow: clock.Now})
			token := b.connect(*f).text(t, "refresh_token")
			clock.add(limit - time.Second)
			token = b.mustRefresh(*f, token)
			clock.add(limit)
			f.mustBeDead(t, b.refresh(*f, token))
		})
	}
}

func TestNoRotation(t *testing.T) {
	clock := newFakeClock()
	b := serveOAuth(t, Options{NoRotation: true, OAuthNow: clock.Now})
	token := b.connect(salesforceFlow).text(t, "refresh_token")
	for i := range 3 {
		clock.add(salesforceIdle - time.Second)
		got := b.refresh(salesforceFlow, token)
		if _, has := got.fields(t)["refresh_token"]; got.status != http.StatusOK || has {
			t.Fatalf("use %d: %d %s", i, got.status, got.body)
		}
	}
	clock.add(salesforceIdle)
	salesforceFlow.mustBeDead(t, b.refresh(salesforceFlow, token))
	if one, ok := b.SpendOf(token); !ok || one.Spent != 3 || one.Sent != 4 {
		t.Errorf("got %+v", one)
	}
	b.mustRefresh(atlassianFlow, b.connect(atlassianFlow).text(t, "refresh_token"))
}

func TestCodes(t *testing.T) {
	for _, f := range flows {
		t.Run(f.name, func(t *testing.T) {
			clock := newFakeClock()
			b := serveOAuth(t, Options{OAuthNow: clock.Now, RedirectURIs: []string{callback, callback + "/2"}})
			cases := []struct {
				name  string
				after time.Duration
				pairs []string
				want  string
			}{
				{"in time", codeLife, nil, ""},
				{"too late", codeLife + time.Nanosecond, nil, "invalid_grant"},
				{"another redirect address", 0, []string{"redirect_uri", callback + "/2"}, map[string]string{"atlassian": "invalid_grant", "salesforce": "redirect_uri_mismatch"}[f.name]},
				{"no redirect address", 0, []string{"redirect_uri", ""}, map[string]string{"atlassian": "invalid_grant", "salesforce": "redirect_uri_mismatch"}[f.name]},
				{"another code", 0, []string{"code", "x"}, "invalid_grant"},
			}
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					code := b.approve(f).Get("code")
					clock.add(c.after)
					got := b.exchange(f, code, c.pairs...)
					if got.text(t, "error") != c.want || (got.status == http.StatusOK) != (c.want == "") {
						t.Errorf("got %d %s, want %q", got.status, got.body, c.want)
					}
				})
			}
			if n := len(b.Punished()); n != 0 {
				t.Errorf("%d were punished", n)
			}
		})
	}
}

// A code that comes twice was seen by somebody else: what it gave dies, access tokens too.
func TestCodeTwice(t *testing.T) {
	self := map[string]string{"atlassian": "/api/me", "salesforce": "/salesforce/services/data/v67.0/limits"}
	for _, f := range flows {
		t.Run(f.name, func(t *testing.T) {
			b := serveOAuth(t, Options{})
			code := b.approve(f).Get("code")
			first := b.exchange(f, code)
			if got := b.get(self[f.name], first.text(t, "access_token")); got.status != http.StatusOK {
				t.Fatalf("before: %d %s", got.status, got.body)
			}
			if again := b.exchange(f, code); again.status == http.StatusOK || again.text(t, "error") != "invalid_grant" {
				t.Errorf("again: %d %s", again.status, again.body)
			}
			f.mustBeDead(t, b.refresh(f, first.text(t, "refresh_token")))
			if got := b.get(self[f.name], first.text(t, "access_token")); got.status != http.StatusUnauthorized {
				t.Errorf("after: %d %s", got.status, got.body)
			}
			if p := b.Punished(); len(p) != 1 || p[0].Provider != f.name || p[0].Reason == "" || p[0].Account == "" || p[0].At.IsZero() {
				t.Errorf("punished: %+v", p)
			}
		})
	}
}

// A failed exchange uses the code up, so that a verifier cannot be guessed.
func TestFailedExchangeUsesTheCode(t *testing.T) {
	b := serveOAuth(t, Options{})
	code := b.approve(atlassianFlow).Get("code")
	if got := b.exchange(atlassianFlow, code, "redirect_uri", "http://127.0.0.1:1/"); got.status != http.StatusForbidden {
		t.Fatalf("got %d", got.status)
	}
	if got := b.exchange(atlassianFlow, code); got.status != http.StatusForbidden {
		t.Errorf("again: %d %s", got.status, got.body)
	}
	if n := len(b.Punished()); n != 0 {
		t.Errorf("%d were punished, though nothing was given", n)
	}
}

func TestRevokedGrant(t *testing.T) {
	b := serveOAuth(t, Options{})
	mine, other := b.connect(atlassianFlow), b.connect(atlassianFlow, "account", "2")
	if n := b.RevokeGrants("atlassian", DefaultEmail); n != 1 {
		t.Fatalf("revoked %d, want 1", n)
	}
	if n := b.RevokeGrants("atlassian", DefaultEmail); n != 0 {
		t.Errorf("revoked %d again, want 0", n)
	}
	atlassianFlow.mustBeDead(t, b.refresh(atlassianFlow, mine.text(t, "refresh_token")))
	if got := b.get("/api/me", mine.text(t, "access_token")); got.status != http.StatusUnauthorized {
		t.Errorf("the access token lives: %d", got.status)
	}
	b.mustRefresh(atlassianFlow, other.text(t, "refresh_token"))
	if n := b.RevokeGrants("salesforce", ""); n != 0 {
		t.Errorf("revoked %d of another provider", n)
	}
	if n := b.RevokeGrants("atlassian", ""); n != 1 {
		t.Errorf("revoked %d of all, want the one left", n)
	}
	if n := len(b.Punished()); n != 0 {
		t.Errorf("%d were punished", n)
	}
}

// Atlassian keeps one grant of an app and account; Salesforce five.
func TestNewConsentReplaces(t *testing.T) {
	cases := []struct {
		flow flow
		most int
	}{{atlassianFlow, 1}, {salesforceFlow, salesforceGrants}}
	for _, c := range cases {
		t.Run(c.flow.name, func(t *testing.T) {
			b := serveOAuth(t, Options{})
			var all []string
			for range c.most + 1 {
				all = append(all, b.connect(c.flow).text(t, "refresh_token"))
			}
			another := b.connect(c.flow, "account", "2").text(t, "refresh_token")
			c.flow.mustBeDead(t, b.refresh(c.flow, all[0]))
			for _, token := range append(all[1:], another) {
				b.mustRefresh(c.flow, token)
			}
		})
	}
}

// What one app was given is worth nothing to another, and each has its own grant.
func TestAppsAreApart(t *testing.T) {
	a := newAuthority(rules{
		life: time.Hour, reuse: time.Hour, idle: time.Hour, rotate: true, most: 1, offline: []string{"o"}, newAccess: newSecret, newRefresh: newSecret,
	}, time.Now)
	code := a.approve(consent{client: "one", scopes: []string{"o"}})
	if _, err := a.exchange("two", code, "", ""); !errors.Is(err, badCode) {
		t.Errorf("a code: %v", err)
	}
	given, err := a.exchange("one", code, "", "")
	if err != nil {
		t.Fatalf("the attempt used the code up: %v", err)
	}
	if _, err := a.exchange("two", a.approve(consent{client: "two", scopes: []string{"o"}}), "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := a.spend("two", given.refresh); !errors.Is(err, badRefreshToken) {
		t.Errorf("a refresh token: %v", err)
	}
	if _, err := a.spend("one", given.refresh); err != nil {
		t.Errorf("its own, after the other's consent and attempt: %v", err)
	}
}

func TestBounds(t *testing.T) {
	a := newAuthority(rules{
		life: time.Hour, reuse: time.Hour, idle: time.Hour, rotate: true, most: 1, offline: []string{"o"}, newAccess: newSecret, newRefresh: newSecret,
	}, time.Now)
	for i := range maxGrants + 50 {
		code := a.approve(consent{account: i, scopes: []string{"o"}})
		if _, err := a.exchange("", code, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	code := a.approve(consent{scopes: []string{"o"}})
	given, err := a.exchange("", code, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for range maxTokens + 50 {
		if given, err = a.spend("", given.refresh); err != nil {
			t.Fatal(err)
		}
	}
	for range maxPunished + 50 {
		a.punish(a.grants[0], "")
	}
	got := fmt.Sprint(len(a.codes), len(a.oldCodes), len(a.grants), len(a.access), len(a.refresh), len(a.punished))
	want := fmt.Sprint(maxCodes, maxCodes, maxGrants, maxGrants-1+maxTokens, maxGrants-1+maxTokens, maxPunished)
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, ok := a.bearer(given.access); !ok {
		t.Error("the newest token is forgotten")
	}
}
