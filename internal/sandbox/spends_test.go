package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// try sends a refresh that may fail, over a connection of its own.
func (b *oauthBox) try(f flow, token string) (int, string, error) {
	return b.tryUntil(b.t.Context(), f, token)
}

func (b *oauthBox) tryUntil(ctx context.Context, f flow, token string) (int, string, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	values, _ := json.Marshal(refreshValues(token))
	body, media := string(values), mediaJSON
	if f.name == "salesforce" {
		body, media = "grant_type=refresh_token&client_id="+DefaultClientID+"&client_secret="+DefaultClientSecret+"&refresh_token="+token, mediaForm
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+f.token, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", media)
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// A lost answer has spent the token: it may be sent again for a while, and not after.
func TestLostAnswer(t *testing.T) {
	for _, f := range flows {
		t.Run(f.name, func(t *testing.T) {
			clock := newFakeClock()
			b := serveOAuth(t, Options{OAuthNow: clock.Now, Faults: []Fault{mustFault(t, "lost,path="+f.token+",method=POST,after=1,count=1")}})
			token := b.connect(f).text(t, "refresh_token")
			if _, _, err := b.try(f, token); !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("got %v, want a reset", err)
			}
			one, ok := b.SpendOf(token)
			if !ok || one.Sent != 1 || one.Spent != 1 || one.Provider != f.name || one.Client != DefaultClientID || one.Number != 1 {
				t.Errorf("got %+v", one)
			}
			if all := b.Spends(); len(all) != 2 || all[0] != one || all[1].Number != 2 || all[1].Sent != 0 {
				t.Errorf("the answer that was lost gave %+v", all)
			}
			clock.add(atlassianReuse)
			b.mustRefresh(f, token)
			clock.add(time.Second)
			f.mustBeDead(t, b.refresh(f, token))
			if one, _ := b.SpendOf(token); one.Sent != 3 || one.Spent != 2 || len(b.Punished()) != 1 {
				t.Errorf("got %+v, %+v", one, b.Punished())
			}
		})
	}
}

// Faults reach the authorization servers, in the providers' own words. What they hit is counted, and not spent unless it
// was carried out.
func TestFaultsReachOAuth(t *testing.T) {
	cases := []struct {
		name, fault string
		flow        flow
		status      int
		body        string
		spent       int
	}{
		{"5xx", "503", atlassianFlow, 503, `{"error":"temporarily_unavailable"`, 0},
		{"5xx", "500", salesforceFlow, 500, `{"error":"server_error"`, 0},
		{"gateway page", "502", atlassianFlow, 502, "<html>", 0},
		{"429", "429,retry-after=7", atlassianFlow, 429, `{"error":"too_many_requests"`, 0},
		{"login page", "html", salesforceFlow, 200, "<!DOCTYPE html>", 0},
		{"reset", "reset", atlassianFlow, 0, "", 0},
		{"cut", "cut", atlassianFlow, 0, "", 1},
		{"truncate", "truncate", salesforceFlow, 200, `{"access_token":"`, 1},
		{"pad", "pad=1KB", atlassianFlow, 200, `{"access_token":"`, 1},
		{"latency", "latency=1ms", salesforceFlow, 200, `{"access_token":"`, 1},
		{"another path", "500,path=/data", salesforceFlow, 200, `{"access_token":"`, 1},
	}
	for _, c := range cases {
		t.Run(c.flow.name+"/"+c.name, func(t *testing.T) {
			fault := c.fault
			if !strings.Contains(fault, "path=") {
				fault += ",path=" + c.flow.token
			}
			b := serveOAuth(t, Options{Faults: []Fault{mustFault(t, fault+",after=1")}})
			token := b.connect(c.flow).text(t, "refresh_token")
			status, body, err := b.try(c.flow, token)
			if (err != nil) != (c.status == 0) || (err == nil && status != c.status) || !strings.HasPrefix(body, c.body) {
				t.Errorf("got %d %s, %v", status, body, err)
			}
			if one, _ := b.SpendOf(token); one.Sent != 1 || one.Spent != c.spent {
				t.Errorf("got %+v, want %d spent", one, c.spent)
			}
		})
	}
	b := serveOAuth(t, Options{Faults: []Fault{mustFault(t, "503,path=/authorize,count=1"), mustFault(t, "500,path=/limits"), mustFault(t, "403,path=/ex/confluence")}})
	if got := b.get(atlassianFlow.with(), ""); got.status != 503 {
		t.Errorf("the consent page: %d", got.status)
	}
	if got := b.get(dataPath+"/limits", ""); got.status != 500 || !strings.HasPrefix(string(got.body), `[{"message"`) {
		t.Errorf("Salesforce: %d %s", got.status, got.body)
	}
	if got := b.get("/api/ex/confluence/x/wiki/api/v2/spaces", ""); got.status != 403 || !strings.HasPrefix(string(got.body), `{"errors":[`) {
		t.Errorf("Confluence: %d %s", got.status, got.body)
	}
}

// Two spenders at once are seen, although each waits in a fault.
func TestOverlap(t *testing.T) {
	for _, f := range flows {
		t.Run(f.name, func(t *testing.T) {
			b := serveOAuth(t, Options{Faults: []Fault{mustFault(t, "hang,after=1,count=2,path="+f.token)}})
			token := b.connect(f).text(t, "refresh_token")
			if b.Overlap() != 0 {
				t.Fatalf("before: %d", b.Overlap())
			}
			ctx, giveUp := context.WithCancel(t.Context())
			defer giveUp()
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() {
					if _, _, err := b.tryUntil(ctx, f, token); !errors.Is(err, context.Canceled) {
						t.Errorf("a request that hangs ended with %v", err)
					}
				})
			}
			waitFor(t, func() bool { return b.Overlap() == 2 })
			giveUp()
			group.Wait()
			waitFor(t, func() bool { one, _ := b.SpendOf(token); return one.Overlap == 2 && one.Sent == 2 && b.idle() })
			if next := b.mustRefresh(f, token); b.Overlap() != 2 {
				t.Errorf("one more after another, %q: %d", next, b.Overlap())
			}
		})
	}
}

// Many spenders of one grant, each of the token that it got last: no two answers give the same token, and the counts
// are right.
func TestConcurrentSpends(t *testing.T) {
	const spenders, rounds = 16, 20
	for _, f := range flows {
		t.Run(f.name, func(t *testing.T) {
			b := serveOAuth(t, Options{})
			first := b.connect(f).text(t, "refresh_token")
			var mu sync.Mutex
			seen := map[string]bool{first: true}
			errs := make(chan error, spenders)
			var group sync.WaitGroup
			for range spenders {
				group.Go(func() {
					token := first // which all use at once, inside the reuse interval
					for range rounds {
						status, body, err := b.try(f, token)
						var out struct {
							Refresh string `json:"refresh_token"`
						}
						if err != nil || status != http.StatusOK || json.Unmarshal([]byte(body), &out) != nil {
							errs <- fmt.Errorf("%d %s: %w", status, body, err)
							return
						}
						mu.Lock()
						if token = out.Refresh; seen[token] {
							errs <- errors.New("a token was given twice")
						}
						seen[token] = true
						mu.Unlock()
						b.Spends()
						b.Overlap()
						b.Punished()
					}
				})
			}
			group.Wait()
			close(errs)
			for err := range errs {
				t.Fatal(err)
			}
			sent, spent := 0, 0
			for _, one := range b.Spends() {
				sent, spent = sent+one.Sent, spent+one.Spent
			}
			if one, _ := b.SpendOf(first); one.Sent != spenders || sent != spenders*rounds || spent != sent || len(b.Punished()) != 0 {
				t.Errorf("first %+v; %d sent, %d spent, punished %v", one, sent, spent, b.Punished())
			}
		})
	}
}

// A code that many bring at once gives tokens once.
func TestConcurrentCodes(t *testing.T) {
	b := serveOAuth(t, Options{})
	code := b.approve(atlassianFlow).Get("code")
	var group sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for range 16 {
		group.Go(func() {
			status := b.exchange(atlassianFlow, code).status
			mu.Lock()
			defer mu.Unlock()
			got[status]++
		})
	}
	group.Wait()
	if got[http.StatusOK] != 1 || got[http.StatusForbidden] != 15 {
		t.Errorf("got %v", got)
	}
}

// Nothing that a program prints of the server holds a token.
func TestServerShowsNoToken(t *testing.T) {
	b := serveOAuth(t, Options{})
	got := b.connect(atlassianFlow)
	code := b.approve(atlassianFlow).Get("code")
	a := b.providers[0].authority
	shown := fmt.Sprintf("%+v %#v %+v %+v %+v", a.codes, a.access, a.refresh, b.Spends(), a.grants)
	for _, secret := range []string{got.text(t, "access_token"), got.text(t, "refresh_token"), code} {
		if len(secret) < 40 || strings.Contains(shown, secret) {
			t.Errorf("a secret of %d characters is kept as it is", len(secret))
		}
	}
}

// idle reports whether no request to spend is under way.
func (b *oauthBox) idle() bool {
	for _, p := range b.providers {
		p.authority.mu.Lock()
		for _, g := range p.authority.grants {
			if g.underWay != 0 {
				p.authority.mu.Unlock()
				return false
			}
		}
		p.authority.mu.Unlock()
	}
	return true
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never happened")
		}
	}
}
