package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page must be what a browser shows and sends: the form is read from it and sent as it stands.
func TestConsentPage(t *testing.T) {
	for _, f := range flows {
		t.Run(f.name, func(t *testing.T) {
			b := serveOAuth(t, Options{Sites: 2})
			path := f.with("state", `"><script>alert(1)</script>`)
			page := b.get(path, "")
			if page.status != http.StatusOK || page.header.Get("Location") != "" {
				t.Fatalf("got %d, %q", page.status, page.header)
			}
			for _, want := range []string{
				"#2563EB", "#F9FAFB", `value="approve"`, `value="deny"`, `<html lang="en">`, DefaultClientID, "http://127.0.0.1:8976", "Zoë Brontë-Müller",
			} {
				if !strings.Contains(string(page.body), want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			if strings.Contains(strings.ToLower(string(page.body)), "<script") {
				t.Error("the page has a script")
			}
			style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindSubmatch(page.body)
			sum := sha256.Sum256(style[1])
			csp := page.header.Get("Content-Security-Policy")
			for _, want := range []string{
				"default-src 'none'", "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", "form-action 'self' http:", "frame-ancestors 'none'",
			} {
				if !strings.Contains(csp, want) {
					t.Errorf("the policy %q lacks %q", csp, want)
				}
			}
			if page.header.Get("Cache-Control") != "no-store" || page.header.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("headers %q", page.header)
			}
			form := url.Values{"decision": {"approve"}}
			for _, ticked := range regexp.MustCompile(`name="(account|site)" value="([^"]*)" checked`).FindAllStringSubmatch(string(page.body), -1) {
				form.Add(ticked[1], ticked[2])
			}
			if want := map[string]int{"atlassian": 2, "salesforce": 0}[f.name]; len(form["account"]) != 1 || len(form["site"]) != want {
				t.Fatalf("ticked: %q", form)
			}
			back := b.redirected(b.send(http.MethodPost, path, map[string]string{"Content-Type": mediaForm}, form.Encode()))
			if back.Get("state") != `"><script>alert(1)</script>` || len(back) != 2 {
				t.Errorf("back with %q", back)
			}
			if got := b.exchange(f, back.Get("code")); got.status != http.StatusOK {
				t.Errorf("exchange: %d %s", got.status, got.body)
			}
		})
	}
}

func TestConsentDecisions(t *testing.T) {
	for _, f := range flows {
		cases := []struct {
			name, form string
			status     int
			want       string // error at the redirect address
		}{
			{"deny", "decision=deny", 302, "access_denied"},
			{"neither", "account=1", 400, ""},
			{"both", "decision=maybe", 400, ""},
			{"no such account", "decision=approve&account=99", 400, ""},
			{"no such site", "decision=approve&site=Nowhere", 400, ""},
			{"a bad form", "decision=%zz", 400, ""},
			{"a huge form", "decision=approve&x=" + strings.Repeat("a", 1<<20), 400, ""},
		}
		for _, c := range cases {
			t.Run(f.name+"/"+c.name, func(t *testing.T) {
				b := serveOAuth(t, Options{})
				// The page's address may hold what the form does not: it decides nothing.
				got := b.send(http.MethodPost, f.with("approve", "auto", "decision", "approve"), map[string]string{"Content-Type": mediaForm}, c.form)
				if got.status != c.status {
					t.Fatalf("got %d %s", got.status, got.body)
				}
				if c.status == http.StatusFound {
					if back := b.redirected(got); back.Get("error") != c.want || back.Has("code") || back.Get("state") != "st-1" {
						t.Errorf("back with %q", back)
					}
				}
			})
		}
	}
}

func TestAutoApprove(t *testing.T) {
	for _, f := range flows {
		b := serveOAuth(t, Options{AutoApprove: true})
		if back := b.redirected(b.get(f.with(), "")); back.Get("code") == "" || back.Get("state") != "st-1" {
			t.Errorf("%s: back with %q", f.name, back)
		}
	}
}

// Without a known app and address nobody is redirected; the user is told.
func TestConsentLeadsNowhereElse(t *testing.T) {
	cases := []struct {
		name, uri string
		client    string
		registers []string
		want      int
	}{
		{"another port", "http://127.0.0.1:1/x", "", nil, 302},
		{"localhost", "http://localhost:8976/callback", "", nil, 302},
		{"IPv6", "http://[::1]:8976/callback", "", nil, 302},
		{"https", "https://127.0.0.1/callback", "", nil, 302},
		{"another machine", "http://192.0.2.1:8976/callback", "", nil, 400},
		{"every interface", "http://0.0.0.0:8976/callback", "", nil, 400},
		{"elsewhere", "https://evil.example/callback", "", nil, 400},
		{"a name that begins with the address", "http://127.0.0.1.evil.example/", "", nil, 400},
		{"a user that looks like the host", "http://127.0.0.1@evil.example/", "", nil, 400},
		{"a user", "http://a:b@127.0.0.1/", "", nil, 400},
		{"backslash", `http://evil.example\@127.0.0.1/`, "", nil, 400},
		{"fragment", "http://127.0.0.1/#", "", nil, 400},
		{"script", "javascript://127.0.0.1/%0aalert(1)", "", nil, 400},
		{"relative", "/callback", "", nil, 400},
		{"another app", callback, "other-client", nil, 400},
		{"not the registered one", callback, "", []string{"https://app.example/cb"}, 400},
		{"a path below the registered one", "https://app.example/cb/x", "", []string{"https://app.example/cb"}, 400},
		{"the registered one", "https://app.example/cb?keep=1", "", []string{"https://app.example/cb?keep=1"}, 302},
	}
	for _, f := range flows {
		for _, c := range cases {
			t.Run(f.name+"/"+c.name, func(t *testing.T) {
				b := serveOAuth(t, Options{RedirectURIs: c.registers})
				pairs := []string{"redirect_uri", c.uri, "approve", "auto"}
				if c.client != "" {
					pairs = append(pairs, "client_id", c.client)
				}
				got := b.get(f.with(pairs...), "")
				to, registered := got.header.Get("Location"), strings.Split(c.uri, "?")
				if got.status != c.want || (c.want == 400) != (to == "") ||
					c.want == 302 && (!strings.HasPrefix(to, registered[0]+"?") || !strings.Contains(to, registered[len(registered)-1])) {
					t.Errorf("got %d to %q", got.status, to)
				}
				if missing := b.get(f.with("redirect_uri", ""), ""); missing.status != http.StatusBadRequest {
					t.Errorf("without an address: %d", missing.status)
				}
			})
		}
	}
}

func TestConsentRefusesTheRequest(t *testing.T) {
	challenge := strings.Repeat("c", 43)
	cases := []struct {
		name, want string
		flow       flow
		pairs      []string
	}{
		{"no audience", "invalid_request", atlassianFlow, []string{"audience", ""}},
		{"another audience", "invalid_request", atlassianFlow, []string{"audience", "api.example.com"}},
		{"no state", "invalid_request", atlassianFlow, []string{"state", ""}},
		{"no prompt", "invalid_request", atlassianFlow, []string{"prompt", ""}},
		{"no scope", "invalid_request", atlassianFlow, []string{"scope", ""}},
		{"only spaces", "invalid_scope", atlassianFlow, []string{"scope", "  "}},
		{"a quoted scope", "invalid_scope", atlassianFlow, []string{"scope", `read:"me"`}},
		{"too many scopes", "invalid_scope", atlassianFlow, []string{"scope", strings.Repeat("a ", 101)}},
		{"implicit flow", "unsupported_response_type", atlassianFlow, []string{"response_type", "token"}},
		{"plain challenge", "invalid_request", atlassianFlow, []string{"code_challenge", challenge, "code_challenge_method", "plain"}},
		{"no method", "invalid_request", atlassianFlow, []string{"code_challenge", challenge}},
		{"a short challenge", "invalid_request", atlassianFlow, []string{"code_challenge", "c", "code_challenge_method", "S256"}},
		{"a method alone", "invalid_request", atlassianFlow, []string{"code_challenge_method", "S256"}},
		{"Salesforce: implicit flow", "unsupported_response_type", salesforceFlow, []string{"response_type", "token"}},
		{"Salesforce: a short challenge without a method", "invalid_request", salesforceFlow, []string{"code_challenge", "c"}},
		{"Salesforce: a short challenge", "invalid_request", salesforceFlow, []string{"code_challenge", "c", "code_challenge_method", "S256"}},
		{"Salesforce: no scope is the app's", "", salesforceFlow, []string{"scope", ""}},
		{"Salesforce: no state", "", salesforceFlow, []string{"state", ""}},
	}
	b := serveOAuth(t, Options{})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			back := b.approve(c.flow, c.pairs...)
			if back.Get("error") != c.want || back.Has("code") != (c.want == "") || (c.want != "") != back.Has("error_description") {
				t.Errorf("back with %q, want %q", back, c.want)
			}
			stateless := len(c.pairs) == 2 && c.pairs[0] == "state"
			if back.Has("state") == stateless {
				t.Errorf("state %q", back["state"])
			}
		})
	}
	if got := b.get(atlassianFlow.with("state", strings.Repeat("s", 20_000)), ""); got.status != http.StatusBadRequest {
		t.Errorf("a huge request: %d", got.status)
	}
}

func TestPKCE(t *testing.T) {
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	challenged := []string{"code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method", "S256"}
	cases := []struct {
		name                  string
		challenge             []string
		verifier              string
		atlassian, salesforce string
	}{
		{"right", challenged, verifier, "", ""},
		{"wrong", challenged, strings.Repeat("w", 43), "invalid_grant", "invalid_request"},
		{"missing", challenged, "", "invalid_grant", "invalid_grant"},
		{"for no challenge", nil, verifier, "invalid_grant", "invalid_request"},
	}
	for _, f := range flows {
		for _, c := range cases {
			t.Run(f.name+"/"+c.name, func(t *testing.T) {
				b := serveOAuth(t, Options{})
				code := b.approve(f, c.challenge...).Get("code")
				got := b.exchange(f, code, "code_verifier", c.verifier)
				want := map[string]string{"atlassian": c.atlassian, "salesforce": c.salesforce}[f.name]
				if got.text(t, "error") != want || (got.status == http.StatusOK) != (want == "") {
					t.Errorf("got %d %s, want %q", got.status, got.body, want)
				}
			})
		}
	}
}

func TestAccounts(t *testing.T) {
	b := serveOAuth(t, Options{Email: "me@example.com"})
	cases := []struct{ account, want string }{
		{"", "You (sandbox)"},
		{"1", "You (sandbox)"},
		{"2", "Mia Krystof"},
		{"me@example.com", "You (sandbox)"},
		{"sean@example.com", `Seán O'Neill "Ops"`},
	}
	var ids []string
	for _, c := range cases {
		got := b.get("/api/me", b.connect(atlassianFlow, "account", c.account).text(t, "access_token"))
		if got.text(t, "name") != c.want || got.text(t, "account_id") == "" || got.text(t, "email") == "" {
			t.Errorf("%q: got %s, want %s", c.account, got.body, c.want)
		}
		ids = append(ids, got.text(t, "account_id"))
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != 3 {
		t.Errorf("ids %q", ids)
	}
	if got := b.get(atlassianFlow.with("account", "0"), ""); got.status != http.StatusBadRequest {
		t.Errorf("no such account: %d", got.status)
	}
}
