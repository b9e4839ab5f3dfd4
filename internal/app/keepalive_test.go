package app_test

import (
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
)

// TestKeepAlive has grants come due: the used one is refreshed, one that nobody uses any more goes, and what the
// provider refuses marks its connections and is not asked about again.
func TestKeepAlive(t *testing.T) {
	d := newDesk(t, sandbox.Options{})
	d.connect("acme", "jira")
	d.connect("beta", "salesforce")
	st, err := sqlitestore.Open(t.Context(), d.app.Config.Database(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	token := func(tenant domain.Tenant) domain.Token {
		t.Helper()
		list, err := st.ListTokens(t.Context(), tenant, store.List{Limit: 10})
		if err != nil || len(list) == 0 {
			t.Fatalf("%d tokens of %s, %v", len(list), tenant, err)
		}
		return list[0]
	}
	due := func(tenant domain.Tenant, change func(*domain.Token)) {
		t.Helper()
		tok := token(tenant)
		tok.DueAt = time.Now().UTC().Add(-time.Minute)
		change(&tok)
		if _, err := st.UpdateToken(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
	}
	alive := func(want int) {
		t.Helper()
		if n, err := d.app.Service.KeepAlive(t.Context()); err != nil || n != want {
			t.Errorf("kept %d alive, %v, want %d", n, err, want)
		}
	}
	for tenant, days := range map[domain.Tenant]time.Duration{"acme": 30, "beta": 10} {
		if in := time.Until(token(tenant).DueAt).Round(time.Hour); in != days*24*time.Hour {
			t.Errorf("the grant of %s is due in %s, want %d days", tenant, in, days)
		}
	}
	alive(0)

	for _, tenant := range []domain.Tenant{"acme", "beta"} {
		due(tenant, func(*domain.Token) {})
	}
	alive(2)
	for _, tenant := range []domain.Tenant{"acme", "beta"} {
		if tok := token(tenant); tok.Grant.Generation != 2 || !tok.DueAt.After(time.Now()) || tok.Grant.Claim != nil {
			t.Errorf("%s after keeping alive: %+v due %s", tenant, tok.Grant, tok.DueAt)
		}
	}

	d.sandbox.RevokeGrants("atlassian", "")
	due("acme", func(*domain.Token) {})
	alive(0)
	if c := d.connections("acme")[0]; c.Status != domain.Reauthorize || token("acme").Grant.Refused == "" || !token("acme").DueAt.IsZero() {
		t.Errorf("a refused grant: the connection is %s, the grant %+v", c.Status, token("acme").Grant)
	}
	stats, err := d.app.Service.GrantStats(t.Context())
	if err != nil || stats.Live != 1 || stats.Refused != 1 || stats.DiesInDays == nil || *stats.DiesInDays != 29 {
		t.Errorf("stats %+v, %v", stats, err)
	}
	spent := len(d.sandbox.Spends())
	alive(0)
	if got := len(d.sandbox.Spends()); got != spent {
		t.Error("the provider was asked again after it refused")
	}

	// The connection goes behind the service's back, as after a crash in the middle of a removal.
	c := d.connections("beta")[0]
	if err := st.DeleteConnection(t.Context(), "beta", c.ID, c.Revision); err != nil {
		t.Fatal(err)
	}
	due("beta", func(tok *domain.Token) { tok.UpdatedAt = time.Now().Add(-2 * time.Hour) })
	alive(0)
	if list, err := st.ListTokens(t.Context(), "beta", store.List{Limit: 10}); err != nil || len(list) != 0 {
		t.Errorf("a grant that nobody uses is left: %d, %v", len(list), err)
	}
}

// TestRotationOfTheKey seals credentials anew while they are refreshed, and refuses to lose any.
func TestRotationOfTheKey(t *testing.T) {
	const older, newer = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "Y2FuYXJ5LWVuY3J5cHRpb24ta2V5LTMyLWJ5dGVzLi4="
	home := t.TempDir()
	d := newDesk(t, sandbox.Options{}, "ENCRYPTION_KEY="+older, "UCF_DATA_DIR="+home)
	jira := d.connect("acme", "jira")
	d.connect("beta", "salesforce")
	environ := []string{"UCF_DATA_DIR=" + home}
	for provider, a := range d.app.Config.OAuthApps {
		name := map[string]string{"atlassian": "ATLASSIAN", "salesforce": "SALESFORCE"}[provider]
		environ = append(environ, name+"_CLIENT_ID="+a.ClientID, name+"_CLIENT_SECRET="+a.ClientSecret.Reveal())
		if provider == "atlassian" {
			environ = append(environ, "ATLASSIAN_AUTH_URL="+a.AuthURL, "ATLASSIAN_API_URL="+a.APIURL)
		} else {
			environ = append(environ, "SALESFORCE_LOGIN_URL="+a.AuthURL)
		}
	}
	early := build(t, t.TempDir(), false, append(environ, "ENCRYPTION_KEY="+newer)...)
	if err := early.Service.CheckKeys(t.Context()); err == nil {
		t.Error("the old key was removed too early and nobody said so")
	}
	if _, err := early.Service.RotateKeys(t.Context(), nil); err == nil {
		t.Error("a rotation without the old key")
	}

	// A new consent ends the account's earlier one at the provider, and a revoke the credential here: neither begins
	// without the key.
	in := service.ConnectIn{ConnectorIn: service.ConnectorIn{ID: "jira"}}
	in.Body.Method, in.Body.RedirectURI, in.Body.Name = connectors.MethodOAuth, page, "second"
	if _, err := early.Service.Connect(t.Context(), "acme", in); connectors.CodeOf(err) != connectors.Unavailable {
		t.Errorf("a consent without the old key: got %v", err)
	}
	revoke := service.RevokeIn{}
	revoke.Body.ConnectionID = jira.ConnectionID
	if _, err := early.Service.Revoke(t.Context(), "acme", revoke); connectors.CodeOf(err) != connectors.Unavailable {
		t.Errorf("a revoke without the old key: got %v", err)
	}
	if _, err := d.app.Service.Probe(t.Context(), "acme", probeOf("jira", jira.ConnectionID)); err != nil {
		t.Errorf("the connection after that: %v", err)
	}

	both := build(t, t.TempDir(), false, append(environ, "ENCRYPTION_KEY="+newer+","+older)...)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // refreshes with the old key first all along
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = d.app.Service.RefreshToken(t.Context(), "acme", service.ConnectionIn{ID: jira.ConnectionID})
			}
		}
	}()
	out, err := both.Service.RotateKeys(t.Context(), nil)
	close(stop)
	<-stopped
	if err != nil || out.Resealed < 2 || len(out.OldKeys) != 1 {
		t.Errorf("rotated %+v, %v", out, err)
	}
	// A process that still sealed with the old key has undone some of it: the next run, and the start, find out.
	if out, err = both.Service.RotateKeys(t.Context(), nil); err != nil {
		t.Errorf("rotated again %+v, %v", out, err)
	}
	only := build(t, t.TempDir(), false, append(environ, "ENCRYPTION_KEY="+newer)...)
	if err := only.Service.CheckKeys(t.Context()); err != nil {
		t.Errorf("with the new key alone: %v", err)
	}
	if _, err := only.Service.Probe(t.Context(), "acme", probeOf("jira", jira.ConnectionID)); err != nil {
		t.Errorf("a probe with the new key alone: %v", err)
	}
}
