package storetest_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
	"github.com/unified-connector/ucf/internal/store/storetest"
)

// Short names keep the table of bugs readable.
type (
	ctxt   = context.Context
	tenant = domain.Tenant
)

// recorder is a test whose failures are only recorded.
type recorder struct {
	ctx context.Context

	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func sqlite(t testing.TB, dir string) store.Store {
	s, err := sqlitestore.Open(t.Context(), filepath.Join(dir, "ucf.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// failures runs a check on stores that spoil breaks, and returns what it found.
func failures(t *testing.T, c storetest.Check, spoil func(store.Store) store.Store) []string {
	open := storetest.On(t, sqlite, t.TempDir())
	r := &recorder{ctx: t.Context()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Func(r, func() store.Store { return spoil(open()) })
	}()
	<-done
	return r.failures
}

// bug is one fault, and a check that must find it.
type bug struct {
	name  string
	check string
	spoil func(store.Store) store.Store
}

func TestChecksFail(t *testing.T) {
	for _, b := range bugs() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(storetest.Checks(), func(c storetest.Check) bool { return c.Name == b.check })
			if i < 0 {
				t.Fatalf("there is no check %q", b.check)
			}
			if got := failures(t, storetest.Checks()[i], b.spoil); len(got) == 0 {
				t.Errorf("the check %q passes", b.check)
			}
		})
	}
}

func TestChecksPass(t *testing.T) {
	for _, c := range storetest.Checks() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			for _, failure := range failures(t, c, breaking(func(store.Store, *broken) {})) {
				t.Error(failure)
			}
		})
	}
}

func TestEveryCheckHasABug(t *testing.T) {
	for _, c := range storetest.Checks() {
		if !slices.ContainsFunc(bugs(), func(b bug) bool { return b.check == c.Name }) {
			t.Errorf("nothing proves that the check %q can fail", c.Name)
		}
	}
}

// broken is a store whose methods can be replaced one by one.
type broken struct {
	store.Store
	createConnection func(ctxt, domain.Connection) error
	connection       func(ctxt, tenant, string) (domain.Connection, error)
	connectionNamed  func(ctxt, tenant, string, string) (domain.Connection, error)
	updateConnection func(ctxt, domain.Connection) (int64, error)
	touch            func(ctxt, tenant, string, time.Time) error
	deleteConnection func(ctxt, tenant, string, int64) error
	listConnections  func(ctxt, tenant, string, store.List) ([]domain.Connection, error)
	createToken      func(ctxt, domain.Token) error
	token            func(ctxt, tenant, string) (domain.Token, error)
	updateToken      func(ctxt, domain.Token) (int64, error)
	deleteToken      func(ctxt, tenant, string) error
	listTokens       func(ctxt, tenant, store.List) ([]domain.Token, error)
	tokenKeyIDs      func(ctxt) ([]string, error)
	syncState        func(ctxt, tenant, string, string, string) (domain.SyncState, error)
	putSyncState     func(ctxt, domain.SyncState) (int64, error)
	deleteSyncStates func(ctxt, tenant, string, string, string) (int, error)
	listSyncStates   func(ctxt, tenant, string) ([]domain.SyncState, error)
	setting          func(ctxt, tenant, string) (domain.ConnectorSetting, error)
	putSetting       func(ctxt, domain.ConnectorSetting) (int64, error)
	appendAudit      func(ctxt, domain.AuditEntry) error
	listAudit        func(ctxt, tenant, store.AuditFilter, store.List) ([]domain.AuditEntry, error)
	ping             func(ctxt) error
	name             func() string
	close            func() error
}

func (b *broken) CreateConnection(ctx ctxt, c domain.Connection) error {
	return b.createConnection(ctx, c)
}

func (b *broken) Connection(ctx ctxt, t tenant, id string) (domain.Connection, error) {
	return b.connection(ctx, t, id)
}

func (b *broken) ConnectionNamed(ctx ctxt, t tenant, connector, name string) (domain.Connection, error) {
	return b.connectionNamed(ctx, t, connector, name)
}

func (b *broken) UpdateConnection(ctx ctxt, c domain.Connection) (int64, error) {
	return b.updateConnection(ctx, c)
}

func (b *broken) TouchConnection(ctx ctxt, t tenant, id string, at time.Time) error {
	return b.touch(ctx, t, id, at)
}

func (b *broken) DeleteConnection(ctx ctxt, t tenant, id string, revision int64) error {
	return b.deleteConnection(ctx, t, id, revision)
}

func (b *broken) ListConnections(ctx ctxt, t tenant, connector string, l store.List) ([]domain.Connection, error) {
	return b.listConnections(ctx, t, connector, l)
}

func (b *broken) CreateToken(ctx ctxt, t domain.Token) error {
	return b.createToken(ctx, t)
}

func (b *broken) Token(ctx ctxt, t tenant, id string) (domain.Token, error) {
	return b.token(ctx, t, id)
}

func (b *broken) UpdateToken(ctx ctxt, t domain.Token) (int64, error) {
	return b.updateToken(ctx, t)
}

func (b *broken) DeleteToken(ctx ctxt, t tenant, id string) error {
	return b.deleteToken(ctx, t, id)
}

func (b *broken) ListTokens(ctx ctxt, t tenant, l store.List) ([]domain.Token, error) {
	return b.listTokens(ctx, t, l)
}

func (b *broken) TokenKeyIDs(ctx ctxt) ([]string, error) {
	return b.tokenKeyIDs(ctx)
}

func (b *broken) SyncState(ctx ctxt, t tenant, connection, stream, container string) (domain.SyncState, error) {
	return b.syncState(ctx, t, connection, stream, container)
}

func (b *broken) PutSyncState(ctx ctxt, st domain.SyncState) (int64, error) {
	return b.putSyncState(ctx, st)
}

func (b *broken) DeleteSyncStates(ctx ctxt, t tenant, connection, stream, container string) (int, error) {
	return b.deleteSyncStates(ctx, t, connection, stream, container)
}

func (b *broken) ListSyncStates(ctx ctxt, t tenant, connection string) ([]domain.SyncState, error) {
	return b.listSyncStates(ctx, t, connection)
}

func (b *broken) ConnectorSetting(ctx ctxt, t tenant, connector string) (domain.ConnectorSetting, error) {
	return b.setting(ctx, t, connector)
}

func (b *broken) PutConnectorSetting(ctx ctxt, set domain.ConnectorSetting) (int64, error) {
	return b.putSetting(ctx, set)
}

func (b *broken) AppendAudit(ctx ctxt, e domain.AuditEntry) error {
	return b.appendAudit(ctx, e)
}

func (b *broken) ListAudit(ctx ctxt, t tenant, f store.AuditFilter, l store.List) ([]domain.AuditEntry, error) {
	return b.listAudit(ctx, t, f, l)
}

func (b *broken) Ping(ctx ctxt) error { return b.ping(ctx) }

func (b *broken) Name() string { return b.name() }

func (b *broken) Close() error { return b.close() }

// breaking returns a fault that replaces methods of a store.
func breaking(replace func(under store.Store, b *broken)) func(store.Store) store.Store {
	return func(under store.Store) store.Store {
		b := &broken{
			Store:            under,
			createConnection: under.CreateConnection,
			connection:       under.Connection,
			connectionNamed:  under.ConnectionNamed,
			updateConnection: under.UpdateConnection,
			touch:            under.TouchConnection,
			deleteConnection: under.DeleteConnection,
			listConnections:  under.ListConnections,
			createToken:      under.CreateToken,
			token:            under.Token,
			updateToken:      under.UpdateToken,
			deleteToken:      under.DeleteToken,
			listTokens:       under.ListTokens,
			tokenKeyIDs:      under.TokenKeyIDs,
			syncState:        under.SyncState,
			putSyncState:     under.PutSyncState,
			deleteSyncStates: under.DeleteSyncStates,
			listSyncStates:   under.ListSyncStates,
			setting:          under.ConnectorSetting,
			putSetting:       under.PutConnectorSetting,
			appendAudit:      under.AppendAudit,
			listAudit:        under.ListAudit,
			ping:             under.Ping,
			name:             under.Name,
			close:            under.Close,
		}
		replace(under, b)
		return b
	}
}

// isCode reports whether an error has the code.
func isCode(err error, code connectors.Code) bool { return connectors.CodeOf(err) == code }
