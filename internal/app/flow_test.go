package app_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
)

// desk is ucf as a server beside the providers' sandbox, with a user who approves everything.
type desk struct {
	*testing.T
	app     *app.App
	sandbox *sandbox.Server
}

func newDesk(t *testing.T, o sandbox.Options, environ ...string) *desk {
	t.Helper()
	o.AutoApprove = true
	s, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return &desk{t, build(t, t.TempDir(), false, append(environ, s.Env(srv.URL)...)...), s}
}

const page = "http://127.0.0.1:8976/connected"

func (d *desk) begin(tenant domain.Tenant, connector string, change ...func(*service.ConnectIn)) service.ConnectOut {
	d.Helper()
	in := service.ConnectIn{ConnectorIn: service.ConnectorIn{ID: connector}}
	in.Body.Method, in.Body.RedirectURI = connectors.MethodOAuth, page
	for _, c := range change {
		c(&in)
	}
	out, err := d.app.Service.Connect(d.Context(), tenant, in)
	if err != nil {
		d.Fatal(err)
	}
	return out
}

// back begins a flow, approves it, and returns what the browser brings back.
func (d *desk) back(tenant domain.Tenant, connector string, change ...func(*service.ConnectIn)) url.Values {
	d.Helper()
	return approve(d.T, d.begin(tenant, connector, change...).AuthURL)
}

func (d *desk) complete(tenant domain.Tenant, connector string, back url.Values, change ...func(*service.ConnectedBody)) (service.ConnectedOut, error) {
	in := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: connector}}
	in.Body.State, in.Body.Code = back.Get("state"), back.Get("code")
	for _, c := range change {
		c(&in.Body)
	}
	return d.app.Service.Connected(d.Context(), tenant, in)
}

func (d *desk) connect(tenant domain.Tenant, connector string, change ...func(*service.ConnectIn)) service.ConnectedOut {
	d.Helper()
	out, err := d.complete(tenant, connector, d.back(tenant, connector, change...))
	if err != nil || out.Warning != "" {
		d.Fatalf("connect %s: %+v, %v", connector, out, err)
	}
	return out
}

// audited returns how many entries of an action a tenant has.
func (d *desk) audited(tenant domain.Tenant, action string) int {
	d.Helper()
	page, err := d.app.Service.Audit(d.Context(), tenant, service.AuditIn{Action: action, Limit: 200})
	if err != nil {
		d.Fatal(err)
	}
	return len(page.Items)
}

func (d *desk) connections(tenant domain.Tenant) []service.ConnectionOut {
	d.Helper()
	page, err := d.app.Service.Connections(d.Context(), tenant, service.ConnectionsIn{Limit: 200})
	if err != nil {
		d.Fatal(err)
	}
	return page.Items
}

func name(n string) func(*service.ConnectIn) { return func(in *service.ConnectIn) { in.Body.Name = n } }

// TestAttacksOnTheFlow completes flows as one may not: each is refused without a word of why, and audited; nothing is
// connected.
func TestAttacksOnTheFlow(t *testing.T) {
	d := newDesk(t, sandbox.Options{})
	const verifier = "a verifier that the caller made and keeps to itself"
	guarded := func(in *service.ConnectIn) {
		in.Body.CSRFToken, in.Body.CodeChallenge = "csrf", oauth2.S256ChallengeFromVerifier(verifier)
	}
	both := func(csrf, v string) func(*service.ConnectedBody) {
		return func(b *service.ConnectedBody) { b.CSRFToken, b.CodeVerifier = csrf, v }
	}
	for name, attack := range map[string]func() error{
		"no state": func() error {
			_, err := d.complete("acme", "jira", url.Values{"code": {"x"}})
			return err
		},
		"invented state": func() error {
			_, err := d.complete("acme", "jira", url.Values{"code": {"x"}, "state": {strings.Repeat("A", 52)}})
			return err
		},
		"another tenant's state": func() error {
			_, err := d.complete("acme", "jira", d.back("mallory", "jira"))
			return err
		},
		"another connector's state": func() error {
			_, err := d.complete("acme", "confluence", d.back("acme", "jira"))
			return err
		},
		"another connection's state": func() error {
			_, err := d.complete("acme", "jira", d.back("acme", "jira"), func(b *service.ConnectedBody) { b.ConnectionID = "con_00000000000000000000000000" })
			return err
		},
		"no code": func() error {
			_, err := d.complete("acme", "jira", url.Values{"state": d.back("acme", "jira")["state"]})
			return err
		},
		"a site without a consent": func() error {
			_, err := d.complete("acme", "jira", url.Values{"state": {d.begin("acme", "jira").State}}, func(b *service.ConnectedBody) { b.Site = "Acme" })
			return err
		},
		"wrong csrf token": func() error {
			_, err := d.complete("acme", "jira", d.back("acme", "jira", guarded), both("other", verifier))
			return err
		},
		"no csrf token": func() error {
			_, err := d.complete("acme", "jira", d.back("acme", "jira", guarded), both("", verifier))
			return err
		},
		"csrf token that nobody gave": func() error {
			_, err := d.complete("acme", "jira", d.back("acme", "jira"), both("csrf", ""))
			return err
		},
		"wrong verifier": func() error {
			_, err := d.complete("acme", "jira", d.back("acme", "jira", guarded), both("csrf", "other"))
			return err
		},
		"no verifier": func() error {
			_, err := d.complete("acme", "jira", d.back("acme", "jira", guarded), both("csrf", ""))
			return err
		},
		"expired state": func() error {
			back := d.back("acme", "jira")
			d.app.Service.Now = func() time.Time { return time.Now().Add(10 * time.Minute) }
			defer func() { d.app.Service.Now = time.Now }()
			_, err := d.complete("acme", "jira", back)
			return err
		},
		// The victim approves a link that the attacker began: the victim's page completes it in the victim's session.
		"a victim who approves the attacker's link": func() error {
			_, err := d.complete("victim", "jira", d.back("mallory", "jira"))
			return err
		},
	} {
		before := d.audited("acme", "connect.refused") + d.audited("victim", "connect.refused")
		err := attack()
		if connectors.CodeOf(err) != connectors.InvalidRequest || !strings.Contains(err.Error(), "is missing, unknown, used, expired or not yours") {
			t.Errorf("%s: got %v", name, err)
		}
		if after := d.audited("acme", "connect.refused") + d.audited("victim", "connect.refused"); after != before+1 {
			t.Errorf("%s: %d entries in the audit log, want %d", name, after, before+1)
		}
	}
	if n := d.audited("mallory", "connect.refused"); n != 2 {
		t.Errorf("the attacker's own tenant has %d entries, want 2", n)
	}
	for _, tenant := range []domain.Tenant{"acme", "victim", "mallory"} {
		if list := d.connections(tenant); len(list) > 0 {
			t.Errorf("%s has connections: %+v", tenant, list)
		}
	}
}

// TestCodesOfOtherFlows puts codes where they do not belong: the provider refuses them.
func TestCodesOfOtherFlows(t *testing.T) {
	d := newDesk(t, sandbox.Options{})
	victim, other := d.back("victim", "jira"), d.back("acme", "salesforce")
	for name, code := range map[string]string{"of another flow": victim.Get("code"), "of another provider": other.Get("code"), "invented": "x"} {
		back := d.back("mallory", "jira")
		back.Set("code", code)
		before := d.audited("mallory", "connect.complete")
		_, err := d.complete("mallory", "jira", back)
		if connectors.CodeOf(err) != connectors.InvalidRequest && connectors.CodeOf(err) != connectors.Unavailable {
			t.Errorf("a code %s: %v", name, err)
		}
		if after := d.audited("mallory", "connect.complete"); after != before+2 {
			t.Errorf("a code %s: %d entries, want %d", name, after, before+2)
		}
	}
	if list := d.connections("mallory"); len(list) > 0 {
		t.Errorf("the attacker has %+v", list)
	}
}

func TestStateIsGoodOnce(t *testing.T) {
	d := newDesk(t, sandbox.Options{})
	back := d.back("acme", "jira")
	if _, err := d.complete("acme", "jira", back); err != nil {
		t.Fatal(err)
	}
	if _, err := d.complete("acme", "jira", back); connectors.CodeOf(err) != connectors.InvalidRequest {
		t.Errorf("a replay: %v", err)
	}
	back = d.back("acme", "confluence")
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := d.complete("acme", "confluence", back); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || len(d.connections("acme")) != 2 {
		t.Errorf("%d of 8 completed the flow, %d connections", won.Load(), len(d.connections("acme")))
	}
}

func TestSeveralSites(t *testing.T) {
	d := newDesk(t, sandbox.Options{Sites: 3})
	back := d.back("acme", "jira")
	_, err := d.complete("acme", "jira", back)
	sites, _ := connectors.AsError(err).Details["sites"].([]connectors.Site)
	if connectors.CodeOf(err) != connectors.Conflict || len(sites) != 3 || len(d.connections("acme")) != 0 {
		t.Fatalf("got %v with %d sites", err, len(sites))
	}
	choose := func(site string) func(*service.ConnectedBody) {
		return func(b *service.ConnectedBody) { b.Code, b.Site = "", site }
	}
	if _, err := d.complete("acme", "jira", back, choose("Nowhere")); connectors.CodeOf(err) != connectors.Conflict {
		t.Errorf("a site that is not granted: %v", err)
	}
	if _, err := d.complete("mallory", "jira", back, choose(sites[1].ID)); connectors.CodeOf(err) != connectors.InvalidRequest {
		t.Errorf("another tenant chooses: %v", err)
	}
	out, err := d.complete("acme", "jira", back, choose(sites[1].URL))
	if err != nil || out.Site == nil || *out.Site != sites[1] || out.Probe.Instance.URL != sites[1].URL {
		t.Fatalf("got %+v, %v", out, err)
	}
	if _, err := d.complete("acme", "jira", back, choose(sites[2].ID)); connectors.CodeOf(err) != connectors.InvalidRequest {
		t.Errorf("a second choice: %v", err)
	}
	other := d.connect("acme", "jira", name("globex"), func(in *service.ConnectIn) { in.Body.Site = sites[2].Name })
	if other.Site == nil || *other.Site != sites[2] {
		t.Errorf("chosen at the start: %+v", other.Site)
	}
}

// TestOneGrantOfOneAccount has connections of two connectors share an account's grant, lose it together, and get it
// back together.
func TestOneGrantOfOneAccount(t *testing.T) {
	d := newDesk(t, sandbox.Options{})
	jira, confluence := d.connect("acme", "jira"), d.connect("acme", "confluence")
	tokens := func() []service.TokenOut {
		page, err := d.app.Service.Tokens(t.Context(), "acme", service.TokensIn{Limit: 50})
		if err != nil {
			t.Fatal(err)
		}
		return page.Items
	}
	if toks := tokens(); len(toks) != 1 || len(toks[0].Connections) != 2 {
		t.Fatalf("tokens %+v, want one of two connections", toks)
	}
	for _, c := range d.connections("acme") {
		if c.DiesInDays == nil || *c.DiesInDays != 89 {
			t.Errorf("%s dies in %v days, want 89", c.Name, c.DiesInDays)
		}
	}
	probe := func(connector, id string) error {
		_, err := d.app.Service.Probe(t.Context(), "acme", probeOf(connector, id))
		return err
	}
	refresh := func(id string) error {
		_, err := d.app.Service.RefreshToken(t.Context(), "acme", service.ConnectionIn{ID: id})
		return err
	}
	if err := refresh(jira.ConnectionID); err != nil {
		t.Fatal(err)
	}
	if n := d.sandbox.RevokeGrants("atlassian", ""); n == 0 {
		t.Fatal("nothing was revoked")
	}
	if err := refresh(jira.ConnectionID); connectors.CodeOf(err) != connectors.Reauthorize {
		t.Errorf("refresh of a revoked grant: %v", err)
	}
	sent := d.sandbox.Spends()
	if err := probe("confluence", confluence.ConnectionID); connectors.CodeOf(err) != connectors.Reauthorize {
		t.Errorf("probe with a revoked grant: %v", err)
	}
	if fmt.Sprint(d.sandbox.Spends()) != fmt.Sprint(sent) {
		t.Error("the provider was asked again after it refused")
	}
	for _, c := range d.connections("acme") {
		if c.Status != domain.Reauthorize || c.Reason == "" {
			t.Errorf("%s is %s (%s), want reauthorize", c.ConnectorID, c.Status, c.Reason)
		}
	}
	renewed := d.connect("acme", "jira", func(in *service.ConnectIn) { in.Body.ConnectionID = jira.ConnectionID })
	if renewed.ConnectionID != jira.ConnectionID {
		t.Errorf("renewed as %s, want %s", renewed.ConnectionID, jira.ConnectionID)
	}
	for _, c := range d.connections("acme") {
		if c.Status != domain.Connected || c.Reason != "" {
			t.Errorf("%s is %s (%s) after the renewal", c.ConnectorID, c.Status, c.Reason)
		}
	}
	for connector, id := range map[string]string{"jira": jira.ConnectionID, "confluence": confluence.ConnectionID} {
		if err := probe(connector, id); err != nil {
			t.Errorf("%s after the renewal: %v", connector, err)
		}
	}
	if toks := tokens(); len(toks) != 1 {
		t.Errorf("%d tokens after the renewal", len(toks))
	}
}

func TestRevokeOfASharedGrant(t *testing.T) {
	d := newDesk(t, sandbox.Options{})
	jira, confluence := d.connect("acme", "jira"), d.connect("acme", "confluence")
	revoke := func(id string) service.RevokedOut {
		in := service.RevokeIn{}
		in.Body.ConnectionID = id
		out, err := d.app.Service.Revoke(t.Context(), "acme", in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	out := revoke(jira.ConnectionID)
	if !out.Revoked || out.AtProvider != service.AtProviderKept || len(out.Kept) != 1 || out.Kept[0].ConnectionID != confluence.ConnectionID {
		t.Errorf("revoke of one: %+v", out)
	}
	if _, err := d.app.Service.Probe(t.Context(), "acme", probeOf("confluence", confluence.ConnectionID)); err != nil {
		t.Errorf("the other connection: %v", err)
	}
	if out = revoke(confluence.ConnectionID); out.AtProvider != service.AtProviderUnsupported || !strings.Contains(out.Warning, "id.atlassian.com") {
		t.Errorf("revoke of the last: %+v", out)
	}
	salesforce := d.connect("acme", "salesforce")
	got, err := d.app.Service.GetToken(t.Context(), "acme", service.ConnectionIn{ID: salesforce.ConnectionID})
	if err != nil || got.Token == "" || got.Type != "bearer" || got.ExpiresAt == nil {
		t.Fatalf("token %+v, %v", got, err)
	}
	if out = revoke(salesforce.ConnectionID); out.AtProvider != service.AtProviderRevoked {
		t.Errorf("revoke at Salesforce: %+v", out)
	}
	toks, err := d.app.Service.Tokens(t.Context(), "acme", service.TokensIn{Limit: 50})
	if err != nil || len(toks.Items) != 0 {
		t.Errorf("tokens left: %+v, %v", toks.Items, err)
	}
}

// TestRevokesAtOnce revokes both connections of one consent at the same time: one of them withdraws it, and nothing is
// left.
func TestRevokesAtOnce(t *testing.T) {
	for range 15 {
		d := newDesk(t, sandbox.Options{})
		one, two := d.connect("acme", "salesforce", name("one")), d.connect("acme", "salesforce", name("two"))
		var wg sync.WaitGroup
		var mu sync.Mutex
		how := map[string]int{}
		for _, id := range []string{one.ConnectionID, two.ConnectionID} {
			wg.Go(func() {
				in := service.RevokeIn{}
				in.Body.ConnectionID = id
				out, err := d.app.Service.Revoke(t.Context(), "acme", in)
				mu.Lock()
				defer mu.Unlock()
				if how[out.AtProvider]++; err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if how[service.AtProviderRevoked] == 0 {
			t.Errorf("nobody withdrew the consent: %v", how)
		}
		toks, err := d.app.Service.Tokens(t.Context(), "acme", service.TokensIn{Limit: 50})
		if err != nil || len(toks.Items) != 0 {
			t.Errorf("tokens left: %+v, %v", toks.Items, err)
		}
	}
}

// TestConnectWhileRevoked connects a second time while the first connection of the consent is revoked: whoever is told
// that it is connected, is.
func TestConnectWhileRevoked(t *testing.T) {
	told, connected := 0, 0
	for range 15 {
		d := newDesk(t, sandbox.Options{})
		first := d.connect("acme", "salesforce", name("first"))
		back := d.back("acme", "salesforce", name("second"))
		revoked := make(chan struct{})
		go func() {
			defer close(revoked)
			in := service.RevokeIn{}
			in.Body.ConnectionID = first.ConnectionID
			if _, err := d.app.Service.Revoke(t.Context(), "acme", in); err != nil {
				t.Error(err)
			}
		}()
		out, err := d.complete("acme", "salesforce", back)
		<-revoked
		if err != nil {
			told++
			if code := connectors.CodeOf(err); code != connectors.InvalidRequest && code != connectors.Conflict {
				t.Errorf("got %v", err)
			}
			continue
		}
		connected++
		if _, err := d.app.Service.Probe(t.Context(), "acme", probeOf("salesforce", out.ConnectionID)); err != nil {
			t.Errorf("connected, and its first use fails: %v", err)
		}
	}
	t.Logf("%d connected, %d were told that the consent was withdrawn", connected, told)
}

// TestKeyFileIsGone takes the key file away: no new one takes its place, and with it back everything is as it was.
func TestKeyFileIsGone(t *testing.T) {
	d := newDesk(t, sandbox.Options{})
	d.connect("acme", "jira")
	file := d.app.Config.KeyFile()
	key, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	home := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	again := build(t, home, false)
	_, err = again.Service.Items(t.Context(), "acme", service.ItemsIn{ListIn: service.ListIn{ConnectorID: "jira", Limit: 1}})
	if connectors.CodeOf(err) != connectors.Unavailable || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a new key took the place of the old one: %v", err)
	}
	if err := os.WriteFile(file, key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := build(t, home, false).Service.CheckKeys(t.Context()); err != nil {
		t.Errorf("with the key back: %v", err)
	}
}

// TestGrantsStayWhereTheyAre changes the hosts of connections with a consent: its tokens go nowhere else.
func TestGrantsStayWhereTheyAre(t *testing.T) {
	d := newDesk(t, sandbox.Options{})
	jira, salesforce := d.connect("acme", "jira"), d.connect("acme", "salesforce")
	for _, c := range d.connections("acme") {
		for _, field := range []string{"base_url", "instance_url", "cloud_id"} {
			if _, has := c.Config[field]; !has {
				continue
			}
			cfg := map[string]any{"auth_method": "oauth2"}
			for _, keep := range []string{"base_url", "instance_url", "cloud_id", "scopes"} {
				if v, has := c.Config[keep]; has {
					cfg[keep] = v
				}
			}
			cfg[field] = map[string]any{"cloud_id": "another-site"}[field]
			if cfg[field] == nil {
				cfg[field] = "https://evil.example"
			}
			in := service.PutConnectionIn{}
			in.Body.ConnectorID, in.Body.Name, in.Body.Config = c.ConnectorID, c.Name, cfg
			_, err := d.app.Service.PutConnection(t.Context(), "acme", in)
			if connectors.CodeOf(err) != connectors.InvalidRequest || !strings.Contains(err.Error(), "required again") {
				t.Errorf("%s of %s was changed without the secret: %v", field, c.ConnectorID, err)
			}
		}
	}
	for connector, id := range map[string]string{"jira": jira.ConnectionID, "salesforce": salesforce.ConnectionID} {
		if _, err := d.app.Service.Probe(t.Context(), "acme", probeOf(connector, id)); err != nil {
			t.Errorf("%s afterwards: %v", connector, err)
		}
		in := probeOf(connector, id)
		in.Body["base_url"] = "https://evil.example"
		if _, err := d.app.Service.Probe(t.Context(), "acme", in); connectors.CodeOf(err) != connectors.InvalidRequest {
			t.Errorf("a probe of %s elsewhere: %v", connector, err)
		}
	}
}

func TestPagesToReturnTo(t *testing.T) {
	d := newDesk(t, sandbox.Options{}, "OAUTH_REDIRECT_ALLOWLIST=https://app.example.com/connected, https://other.example.com, http://plain.example.com")
	for page, good := range map[string]bool{
		"http://127.0.0.1:8976/callback": true, "http://localhost:3000/": true, "http://[::1]:3000/x": true,
		"https://app.example.com/connected": true, "https://app.example.com/connected/": true, "https://app.example.com/connected/jira?x=1": true,
		"https://APP.example.com/connected": true, "https://other.example.com": true, "https://other.example.com/any/page": true,

		"https://app.example.com/": false, "https://app.example.com/connected-evil": false, "https://app.example.com/connected/../evil": false,
		"https://app.example.com/connected/%2e%2e/evil": false, "https://app.example.com/connected/..%2fevil": false, "https://app.example.com//connected": false,
		"https://app.example.com/connected//x": false, "https://app.example.com:8443/connected": false, "http://app.example.com/connected": false,
		"https://app.example.com.evil.example/connected": false, "https://evil.example/https://app.example.com/connected": false,
		"https://app.example.com@evil.example/connected": false, "https://evil.example#app.example.com/connected": false,
		"https://evil.example\\@app.example.com/connected": false, "https://app.example.com\\.evil.example/connected": false,
		"https://app.example.com/connected#x": false, "https://user@app.example.com/connected": false, "//app.example.com/connected": false,
		"app.example.com/connected": false, "/connected": false, "javascript:alert(1)": false, "data:text/html,x": false, "https:app.example.com/connected": false,
		"https://app.example.com/connected?code=1": false, "https://app.example.com/connected?state=1": false, "https://app.example.com/connected?error=1": false,
		"https://app.example.com/connected\r\nX: y": false, "https://app.example.com/conn ected": false, "https://äpp.example.com/connected": false,
		"https://127.0.0.1.evil.example/": false, "http://localhost.evil.example/": false, "http://127.1.evil/": false, "https://[::ffff:8.8.8.8]/": false,
		"https://app.example.com/" + strings.Repeat("x", 2000): false, "ftp://app.example.com/connected": false, "http://0.0.0.0:1/": false,
		"http://plain.example.com/x": false,
	} {
		in := service.ConnectIn{ConnectorIn: service.ConnectorIn{ID: "jira"}}
		in.Body.Method, in.Body.RedirectURI = connectors.MethodOAuth, page
		_, err := d.app.Service.Connect(t.Context(), "acme", in)
		if good != (err == nil) || err != nil && connectors.CodeOf(err) != connectors.InvalidRequest {
			t.Errorf("%q: %v, want good %v", page, err, good)
		}
	}
}
