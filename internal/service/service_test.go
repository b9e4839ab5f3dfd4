package service_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/secret"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
)

// toy is a connector whose driver answers from memory: 450 items, and a refusal for the token "refused".
var toy = connectors.Definition{
	ID: "toy", Name: "Toy", Group: connectors.GroupSaaS, Summary: "A toy.", Container: "box", Item: "brick",
	Fields: []connectors.Field{
		{Name: "base_url", Label: "Address", Help: "Where it is.", Kind: connectors.KindURL, Required: true, Destination: true},
		{Name: "user", Label: "User", Help: "Who.", Kind: connectors.KindString, Required: true},
		{Name: "key", Label: "Key", Help: "The key.", Kind: connectors.KindSecret, Required: true},
	},
	Auth:   []connectors.AuthMethod{{ID: "api_key", Name: "Key", Scheme: connectors.SchemeBasic, User: "user", Secret: "key"}},
	Driver: (*toyDriver)(nil),
	New: func(e connectors.Env) (connectors.Driver, error) {
		return &toyDriver{key: e.Config.Secret("key"), user: e.Config.String("user")}, nil
	},
}

type toyDriver struct {
	key  connectors.Secret
	user string
}

func (d *toyDriver) check() error {
	if d.key.Reveal() == "denied" {
		return connectors.Denied(nil, "toy forbids this to the account")
	}
	if d.key.Reveal() == "refused" {
		return connectors.Errorf(connectors.Reauthorize, "toy refused the key")
	}
	return nil
}

func (d *toyDriver) Probe(context.Context) (connectors.ProbeResult, error) {
	return connectors.ProbeResult{Instance: connectors.Instance{Name: "toy"}, Account: connectors.Account{ID: "1", Name: d.user}}, d.check()
}

func (d *toyDriver) ListItems(_ context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	var page connectors.Page[connectors.Item]
	if err := d.check(); err != nil {
		return page, err
	}
	start := 0
	_, _ = fmt.Sscan(string(q.Cursor), &start)
	for i := start; i < min(start+q.Limit, 450); i++ {
		page.Items = append(page.Items, connectors.Item{ID: fmt.Sprint(i)})
	}
	if start+q.Limit < 450 {
		page.Next = connectors.Cursor(fmt.Sprint(start + q.Limit))
	}
	return page, nil
}

// keeper makes a secret.Keeper a service.Keeper.
type keeper struct{ *secret.Keeper }

func (k keeper) KeyIDs() ([]string, error) { return k.Keeper.KeyIDs(), nil }

func newKeeper(t *testing.T) keeper {
	t.Helper()
	key, err := secret.Generate()
	if err != nil {
		t.Fatal(err)
	}
	k, err := secret.Parse(key)
	if err != nil {
		t.Fatal(err)
	}
	return keeper{k}
}

// nowhere is an Outbound for drivers that call nothing; it refuses the host "forbidden.example".
type nowhere struct{}

func (nowhere) Signed(domain.Tenant, *connectors.OAuthProvider, string, service.TokenSource) (*http.Client, error) {
	return nil, errBroken
}

func (nowhere) Unsigned(domain.Tenant, *connectors.OAuthProvider) (*http.Client, error) {
	return nil, errBroken
}

func (nowhere) Env(t service.Target) (connectors.Env, error) {
	if t.Config.String("base_url") == "https://forbidden.example" {
		return connectors.Env{}, connectors.InvalidFields(connectors.Fault{Field: "base_url", Message: "is a forbidden address"})
	}
	return connectors.Env{}, nil
}

// breakable is a store in which single calls can be made to fail.
type breakable struct {
	store.Store
	mu    sync.Mutex
	fails map[string]bool
}

var errBroken = connectors.Errorf(connectors.Unavailable, "the store is broken")

func (b *breakable) fail(call string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails[call] {
		return errBroken
	}
	return nil
}

func (b *breakable) set(call string, fails bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails[call] = fails
}

func (b *breakable) AppendAudit(ctx context.Context, e domain.AuditEntry) error {
	if err := b.fail("audit " + e.Outcome); err != nil {
		return err
	}
	return b.Store.AppendAudit(ctx, e)
}

func (b *breakable) UpdateConnection(ctx context.Context, c domain.Connection) (int64, error) {
	if err := b.fail("update"); err != nil {
		return 0, err
	}
	return b.Store.UpdateConnection(ctx, c)
}

func (b *breakable) DeleteToken(ctx context.Context, t domain.Tenant, id string) error {
	if err := b.fail("drop"); err != nil {
		return err
	}
	return b.Store.DeleteToken(ctx, t, id)
}

func (b *breakable) Job(ctx context.Context, t domain.Tenant, id string) (domain.Job, error) {
	if err := b.fail("job"); err != nil {
		return domain.Job{}, err
	}
	return b.Store.Job(ctx, t, id)
}

func (b *breakable) DropFeed(ctx context.Context, t domain.Tenant, connectionID string, limit int) (int, error) {
	if err := b.fail("feed"); err != nil {
		return 0, err
	}
	return b.Store.DropFeed(ctx, t, connectionID, limit)
}

type harness struct {
	*service.Service
	st   *breakable
	path string
	now  time.Time
}

const acme = domain.Tenant("acme")

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{path: filepath.Join(t.TempDir(), "ucf.db"), now: time.Now().UTC()}
	st, err := sqlitestore.Open(t.Context(), h.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	h.st = &breakable{Store: st, fails: map[string]bool{}}
	h.Service = h.with(newKeeper(t))
	return h
}

// with returns a service on the same store with another keeper.
func (h *harness) with(k service.Keeper) *service.Service {
	return service.New(service.Deps{
		Definitions: []*connectors.Definition{&toy}, Store: func(context.Context) (store.Store, error) { return h.st, nil },
		Keeper: k, Outbound: nowhere{}, Now: func() time.Time { return h.now }, Version: "test",
	})
}

func config(kv ...string) map[string]any {
	c := map[string]any{"base_url": "https://toy.example", "user": "u", "key": "s3cret-key"}
	for i := 0; i < len(kv); i += 2 {
		if kv[i+1] == "" {
			delete(c, kv[i])
			continue
		}
		c[kv[i]] = kv[i+1]
	}
	return c
}

func put(name string, c map[string]any) service.PutConnectionIn {
	in := service.PutConnectionIn{}
	in.Body.ConnectorID, in.Body.Name, in.Body.Config = "toy", name, c
	return in
}

func (h *harness) mustPut(t *testing.T, tenant domain.Tenant, name string, c map[string]any) string {
	t.Helper()
	out, err := h.PutConnection(t.Context(), tenant, put(name, c))
	if err != nil {
		t.Fatal(err)
	}
	return out.ID
}

func connected(kv ...string) service.ConnectedIn {
	in := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: "toy"}}
	in.Body.Config = config(kv...)
	return in
}

func items(connection string, limit int) service.ItemsIn {
	return service.ItemsIn{ListIn: service.ListIn{ConnectorID: "toy", ConnectionID: connection, Limit: limit}}
}

func wantCode(t *testing.T, err error, want connectors.Code) {
	t.Helper()
	if got := connectors.CodeOf(err); got != want {
		t.Errorf("code %q (%v), want %q", got, err, want)
	}
}

func (h *harness) tokens(t *testing.T, tenant domain.Tenant) []domain.Token {
	t.Helper()
	toks, err := h.st.ListTokens(t.Context(), tenant, store.List{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	return toks
}

func (h *harness) read(t *testing.T, id string) string {
	t.Helper()
	out, err := h.GetToken(t.Context(), acme, service.ConnectionIn{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return out.Token
}

func TestSecretsAreSealed(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config())
	c, err := h.Connection(t.Context(), acme, service.ConnectionIn{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%+v", c); strings.Contains(s, "s3cret") {
		t.Errorf("the connection shows its secret: %s", s)
	}
	if got := h.read(t, id); got != "s3cret-key" {
		t.Errorf("the token reads %q", got)
	}
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(h.path + suffix)
		if err == nil && strings.Contains(string(b), "s3cret") {
			t.Errorf("the database file %s holds the secret", suffix)
		}
	}
}

func TestDestinationDemandsTheSecretAgain(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config())
	if got := h.mustPut(t, acme, "main", config("key", "", "user", "other")); got != id {
		t.Errorf("the update made %s, want %s", got, id)
	}
	if got := h.read(t, id); got != "s3cret-key" {
		t.Errorf("the secret became %q", got)
	}
	_, err := h.PutConnection(t.Context(), acme, put("main", config("key", "", "base_url", "https://evil.example")))
	wantCode(t, err, connectors.InvalidRequest)
	c, _ := h.Connection(t.Context(), acme, service.ConnectionIn{ID: id})
	if c.Config["base_url"] != "https://toy.example" || c.Config["user"] != "other" {
		t.Errorf("the refused update left %v", c.Config)
	}
	h.mustPut(t, acme, "main", config("key", "new", "base_url", "https://moved.example"))
	if got := h.read(t, id); got != "new" {
		t.Errorf("the secret became %q", got)
	}
	if n := len(h.tokens(t, acme)); n != 1 {
		t.Errorf("%d tokens are left, want 1", n)
	}
}

func TestForbiddenHostIsNotStored(t *testing.T) {
	h := newHarness(t)
	_, err := h.PutConnection(t.Context(), acme, put("main", config("base_url", "https://forbidden.example")))
	wantCode(t, err, connectors.InvalidRequest)
	out, err := h.Connections(t.Context(), acme, service.ConnectionsIn{Limit: 10})
	if err != nil || len(out.Items) != 0 || len(h.tokens(t, acme)) != 0 {
		t.Errorf("left behind: %v, %v", out.Items, err)
	}
}

func TestConnectProbesFirst(t *testing.T) {
	h := newHarness(t)
	_, err := h.Connected(t.Context(), acme, connected("key", "refused"))
	wantCode(t, err, connectors.Reauthorize)
	if len(h.tokens(t, acme)) != 0 {
		t.Error("a refused key was stored")
	}
	out, err := h.Connected(t.Context(), acme, connected())
	if err != nil || out.Status != domain.Connected {
		t.Fatalf("%+v, %v", out, err)
	}
	_, err = h.Connected(t.Context(), acme, connected())
	wantCode(t, err, connectors.Conflict)
}

func TestRenewKeepsTheConnection(t *testing.T) {
	h := newHarness(t)
	first, err := h.Connected(t.Context(), acme, connected())
	if err != nil {
		t.Fatal(err)
	}
	set := service.SetSyncStateIn{ConnectionIn: service.ConnectionIn{ID: first.ConnectionID}}
	set.Body.Cursor = "mine"
	if _, err := h.SetSyncState(t.Context(), acme, set); err != nil {
		t.Fatal(err)
	}
	in := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: "toy"}}
	in.Body.ConnectionID, in.Body.APIKey = first.ConnectionID, "renewed"
	again, err := h.Connected(t.Context(), acme, in)
	if err != nil || again.ConnectionID != first.ConnectionID {
		t.Fatalf("%+v, %v", again, err)
	}
	if got := h.read(t, first.ConnectionID); got != "renewed" {
		t.Errorf("the token reads %q", got)
	}
	state, err := h.SyncState(t.Context(), acme, service.SyncStateIn{ConnectionIn: set.ConnectionIn})
	if err != nil || state.Cursor == nil || *state.Cursor != "mine" {
		t.Errorf("the cursor became %+v, %v", state, err)
	}
	in.Body.APIKey = "refused"
	_, err = h.Connected(t.Context(), acme, in)
	wantCode(t, err, connectors.Reauthorize)
	if got := h.read(t, first.ConnectionID); got != "renewed" {
		t.Errorf("a refused renewal replaced the token by %q", got)
	}
}

func TestCrashWhileReplacingACredential(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config())
	h.st.set("update", true)
	h.st.set("drop", true)
	_, err := h.PutConnection(t.Context(), acme, put("main", config("key", "next")))
	wantCode(t, err, connectors.Unavailable)
	h.st.set("update", false)
	h.st.set("drop", false)
	if got := h.read(t, id); got != "s3cret-key" {
		t.Errorf("the token reads %q, want the old one", got)
	}
	if n := len(h.tokens(t, acme)); n != 2 {
		t.Fatalf("%d tokens, want the old one and the left-over", n)
	}
	if n, err := h.Sweep(t.Context(), acme); n != 0 || err != nil {
		t.Errorf("a young token was swept: %d, %v", n, err)
	}
	h.now = h.now.Add(2 * time.Hour)
	if n, err := h.Sweep(t.Context(), acme); n != 1 || err != nil {
		t.Errorf("swept %d, %v, want 1", n, err)
	}
	if got := h.read(t, id); got != "s3cret-key" {
		t.Errorf("the sweep took the token in use")
	}
}

func TestMovedCiphertextDoesNotOpen(t *testing.T) {
	h := newHarness(t)
	a := h.mustPut(t, acme, "a", config("key", "key-a"))
	h.mustPut(t, acme, "b", config("key", "key-b"))
	toks := h.tokens(t, acme)
	toks[0].Sealed, toks[1].Sealed = toks[1].Sealed, toks[0].Sealed
	for _, tok := range toks {
		if _, err := h.st.UpdateToken(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
	}
	_, err := h.GetToken(t.Context(), acme, service.ConnectionIn{ID: a})
	wantCode(t, err, connectors.Internal)
}

func TestUnknownKeyChangesNothing(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config())
	other := h.with(newKeeper(t))
	wantCode(t, other.CheckKeys(t.Context()), connectors.Unavailable)
	_, err := other.PutConnection(t.Context(), acme, put("second", config()))
	wantCode(t, err, connectors.Unavailable)
	_, err = other.Items(t.Context(), acme, items(id, 10))
	wantCode(t, err, connectors.Internal)
	if got := h.read(t, id); got != "s3cret-key" {
		t.Errorf("the token reads %q", got)
	}
	c, _ := h.Connection(t.Context(), acme, service.ConnectionIn{ID: id})
	if c.Status != domain.Connected {
		t.Errorf("a wrong key made the connection %s", c.Status)
	}
}

func TestEveryChangeIsAudited(t *testing.T) {
	h := newHarness(t)
	ctx := service.WithCaller(t.Context(), service.Caller{Actor: "tester", RequestID: "req-7"})
	out, err := h.PutConnection(ctx, acme, put("main", config()))
	if err != nil {
		t.Fatal(err)
	}
	conn := service.ConnectionIn(out)
	rename := service.PatchConnectionIn{ConnectionIn: conn}
	rename.Body.Name = "renamed"
	setTok := service.SetTokenIn{}
	setTok.Body.ConnectionID, setTok.Body.Token = out.ID, "tok"
	setState := service.SetSyncStateIn{ConnectionIn: conn}
	setState.Body.Cursor = "c"
	patch := service.PatchConnectorIn{ConnectorIn: service.ConnectorIn{ID: "toy"}}
	patch.Body.ExtraDetails = true
	revoke := service.RevokeIn{Body: service.RevokeBody{ConnectionID: out.ID}}
	for action, change := range map[string]func() error{
		"connection.update": func() error { _, err := h.PutConnection(ctx, acme, put("main", config())); return err },
		"token.set":         func() error { _, err := h.SetToken(ctx, acme, setTok); return err },
		"token.read":        func() error { _, err := h.GetToken(ctx, acme, conn); return err },
		"sync_state.set":    func() error { _, err := h.SetSyncState(ctx, acme, setState); return err },
		"sync_state.clear": func() error {
			_, err := h.ClearSyncState(ctx, acme, service.ClearSyncStateIn{ConnectionID: out.ID})
			return err
		},
		"connector.update": func() error { _, err := h.PatchConnector(ctx, acme, patch); return err },
	} {
		h.auditedBothTimes(t, action, change)
	}
	h.auditedBothTimes(t, "connection.rename", func() error { _, err := h.PatchConnection(ctx, acme, rename); return err })
	h.auditedBothTimes(t, "connection.revoke", func() error { _, err := h.Revoke(ctx, acme, revoke); return err })
	h.auditedBothTimes(t, "connection.delete", func() error {
		_, err := h.DeleteConnection(ctx, acme, service.DeleteConnectionIn{ConnectionIn: conn})
		return err
	})
}

// auditedBothTimes holds that a change is refused when its intent cannot be written, and that both its entries are there after it.
func (h *harness) auditedBothTimes(t *testing.T, action string, change func() error) {
	t.Helper()
	before := h.audit(t, action)
	h.st.set("audit intent", true)
	if err := change(); !errors.Is(err, errBroken) {
		t.Errorf("%s went on without an audit entry: %v", action, err)
	}
	h.st.set("audit intent", false)
	if err := change(); err != nil {
		t.Errorf("%s: %v", action, err)
	}
	entries := h.audit(t, action)
	if len(entries) != len(before)+2 || entries[0].Outcome != "ok" || entries[1].Outcome != "intent" {
		t.Errorf("%s left %d entries, want intent and ok", action, len(entries)-len(before))
		return
	}
	if e := entries[0]; e.Actor != "tester" || e.RequestID != "req-7" || e.TargetID == "" {
		t.Errorf("%s: the entry is %+v", action, e)
	}
}

func (h *harness) audit(t *testing.T, action string) []service.AuditOut {
	t.Helper()
	page, err := h.Audit(t.Context(), acme, service.AuditIn{Action: action, Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

func TestWhichConnection(t *testing.T) {
	h := newHarness(t)
	_, err := h.Items(t.Context(), acme, items("", 10))
	wantCode(t, err, connectors.NotFound)
	a := h.mustPut(t, acme, "a", config())
	if _, err := h.Items(t.Context(), acme, items("", 10)); err != nil {
		t.Errorf("the only connection: %v", err)
	}
	h.mustPut(t, acme, "b", config())
	_, err = h.Items(t.Context(), acme, items("", 10))
	wantCode(t, err, connectors.Conflict)
	var e *connectors.Error
	if !errors.As(err, &e) || len(e.Details["connections"].([]map[string]string)) != 2 {
		t.Errorf("the conflict lists %v", e.Details)
	}
	for _, ref := range []string{"a", a} {
		if _, err := h.Items(t.Context(), acme, items(ref, 10)); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	given := items("", 10)
	given.Config = config("key", "refused")
	_, err = h.Items(t.Context(), acme, given)
	wantCode(t, err, connectors.Reauthorize)
	given.ConnectionID = a
	if _, err := h.Items(t.Context(), acme, given); err != nil {
		t.Errorf("a connection does not beat a given configuration: %v", err)
	}
	for _, ref := range []string{a, "a"} {
		_, err = h.Items(t.Context(), "beta", items(ref, 10))
		wantCode(t, err, connectors.NotFound)
	}
}

func TestLimitBeforeLookup(t *testing.T) {
	h := newHarness(t)
	for _, limit := range []int{0, -1, 201} {
		in := items("con_unknown", limit)
		in.ConnectorID = "unknown"
		_, err := h.Items(t.Context(), acme, in)
		wantCode(t, err, connectors.InvalidRequest)
		_, err = h.Connections(t.Context(), acme, service.ConnectionsIn{Limit: limit})
		wantCode(t, err, connectors.InvalidRequest)
	}
}

func TestCursorsAreBound(t *testing.T) {
	h := newHarness(t)
	h.mustPut(t, acme, "a", config())
	h.mustPut(t, acme, "b", config())
	h.mustPut(t, "beta", "a", config())
	page, err := h.Items(t.Context(), acme, items("a", 100))
	if err != nil || page.Next == "" {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() error{
		"another connection": func() error {
			in := items("b", 100)
			in.Cursor = string(page.Next)
			_, err := h.Items(t.Context(), acme, in)
			return err
		},
		"another tenant": func() error {
			in := items("a", 100)
			in.Cursor = string(page.Next)
			_, err := h.Items(t.Context(), "beta", in)
			return err
		},
		"another listing": func() error {
			_, err := h.Connections(t.Context(), acme, service.ConnectionsIn{Limit: 1, Cursor: string(page.Next)})
			return err
		},
	} {
		if got := connectors.CodeOf(ask()); got != connectors.InvalidRequest {
			t.Errorf("a cursor of %s is %q", name, got)
		}
	}
	n, pages := 0, 0
	err = h.EachItemPage(t.Context(), acme, items("a", 100), true, func(p connectors.Page[connectors.Item]) error {
		n, pages = n+len(p.Items), pages+1
		return nil
	})
	if err != nil || n != 450 || pages != 5 {
		t.Errorf("%d items on %d pages, %v", n, pages, err)
	}
}

func TestConnectionsArePaged(t *testing.T) {
	h := newHarness(t)
	var want []string
	for i := range 7 {
		want = append(want, h.mustPut(t, acme, fmt.Sprint("c", i), config()))
		h.now = h.now.Add(time.Millisecond)
	}
	h.mustPut(t, "beta", "theirs", config())
	var got []string
	in := service.ConnectionsIn{Limit: 3}
	for {
		page, err := h.Connections(t.Context(), acme, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Items {
			got = append(got, c.ID)
		}
		if page.Next == "" {
			break
		}
		in.Cursor = string(page.Next)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}

func TestStatusFollowsUse(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config("key", "refused"))
	_, err := h.Items(t.Context(), acme, items(id, 10))
	wantCode(t, err, connectors.Reauthorize)
	status := func() domain.Status {
		c, err := h.Connection(t.Context(), acme, service.ConnectionIn{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		return c.Status
	}
	if status() != domain.Reauthorize {
		t.Errorf("after a refusal: %s", status())
	}
	in := service.SetTokenIn{}
	in.Body.ConnectionID, in.Body.Token = id, "good"
	if _, err := h.SetToken(t.Context(), acme, in); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Items(t.Context(), acme, items(id, 10)); err != nil || status() != domain.Connected {
		t.Errorf("after a new token: %s, %v", status(), err)
	}
	out, err := h.Connectors(t.Context(), acme, service.ConnectorsIn{})
	if err != nil || out[0].Status != "connected" {
		t.Errorf("the connector is %+v, %v", out, err)
	}
}

func TestDeniedRightKeepsTheConnection(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config("key", "denied"))
	_, err := h.Items(t.Context(), acme, items(id, 10))
	wantCode(t, err, connectors.Reauthorize)
	c, err := h.Connection(t.Context(), acme, service.ConnectionIn{ID: id})
	if err != nil || c.Status != domain.Connected {
		t.Errorf("a denied right made the connection %s, %v", c.Status, err)
	}
}

func TestRevokedConnection(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config())
	if _, err := h.Revoke(t.Context(), acme, service.RevokeIn{ConnectorID: "toy"}); err != nil {
		t.Fatal(err)
	}
	if len(h.tokens(t, acme)) != 0 {
		t.Error("the credential is still there")
	}
	_, err := h.Items(t.Context(), acme, items(id, 10))
	wantCode(t, err, connectors.Reauthorize)
	_, err = h.GetToken(t.Context(), acme, service.ConnectionIn{ID: id})
	wantCode(t, err, connectors.Reauthorize)
	_, err = h.Items(t.Context(), acme, items("", 10))
	wantCode(t, err, connectors.NotFound)
}

func TestIfMatch(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config())
	in := service.PatchConnectionIn{ConnectionIn: service.ConnectionIn{ID: id}}
	in.Body.Name = "renamed"
	for header, want := range map[string]connectors.Code{"7": connectors.Conflict, `"7"`: connectors.Conflict, "x": connectors.InvalidRequest} {
		in.IfMatch = header
		_, err := h.PatchConnection(t.Context(), acme, in)
		wantCode(t, err, want)
	}
	in.IfMatch = `"1"`
	if out, err := h.PatchConnection(t.Context(), acme, in); err != nil || out.Name != "renamed" || out.Revision != 2 {
		t.Errorf("%+v, %v", out, err)
	}
	for _, name := range []string{"", " x", "a\x1b[31m", "con_x", strings.Repeat("x", 101), "a\xff"} {
		in.Body.Name, in.IfMatch = name, ""
		_, err := h.PatchConnection(t.Context(), acme, in)
		wantCode(t, err, connectors.InvalidRequest)
	}
}

func TestConcurrentRenewalsLeaveOneToken(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			in := service.SetTokenIn{}
			in.Body.ConnectionID, in.Body.Token = id, fmt.Sprint("key-", i)
			if _, err := h.SetToken(context.Background(), acme, in); err != nil && connectors.CodeOf(err) != connectors.Conflict {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if n := len(h.tokens(t, acme)); n != 1 {
		t.Errorf("%d tokens are left, want 1", n)
	}
	if got := h.read(t, id); !strings.HasPrefix(got, "key-") {
		t.Errorf("the token reads %q", got)
	}
}

func TestSyncStateIsVerbatim(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config())
	conn := service.ConnectionIn{ID: id}
	got, err := h.SyncState(t.Context(), acme, service.SyncStateIn{ConnectionIn: conn})
	if err != nil || got.Cursor != nil || got.Stream != "items" {
		t.Errorf("nothing set: %+v, %v", got, err)
	}
	for _, cursor := range []string{"x", " {\"a\": 1e9}\n", "日本\u2028🚀", strings.Repeat("x", 64<<10)} {
		in := service.SetSyncStateIn{ConnectionIn: conn}
		in.Body.Cursor, in.Body.ContainerID = cursor, "PAY"
		if _, err := h.SetSyncState(t.Context(), acme, in); err != nil {
			t.Fatal(err)
		}
		got, err := h.SyncState(t.Context(), acme, service.SyncStateIn{ConnectionIn: conn, ContainerID: "PAY"})
		if err != nil || got.Cursor == nil || *got.Cursor != cursor {
			t.Errorf("%q came back as %+v, %v", cursor, got, err)
		}
	}
	st, err := h.st.SyncState(t.Context(), acme, id, "items", "PAY")
	if err != nil || st.Generation != 4 {
		t.Errorf("generation %d, %v, want 4", st.Generation, err)
	}
	for _, bad := range []string{"", "a\xff", strings.Repeat("x", 64<<10+1)} {
		in := service.SetSyncStateIn{ConnectionIn: conn}
		in.Body.Cursor = bad
		_, err := h.SetSyncState(t.Context(), acme, in)
		wantCode(t, err, connectors.InvalidRequest)
	}
	cleared, err := h.ClearSyncState(t.Context(), acme, service.ClearSyncStateIn{ConnectionID: id})
	if err != nil || cleared.Cleared != 1 {
		t.Errorf("cleared %+v, %v", cleared, err)
	}
}
