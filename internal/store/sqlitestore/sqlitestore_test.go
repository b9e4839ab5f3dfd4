package sqlitestore

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/storetest"
)

const acme domain.Tenant = "acme"

func TestMain(m *testing.M) {
	if role := os.Getenv("UCF_STORE_CHILD"); role != "" {
		os.Exit(child(role))
	}
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t testing.TB, dir string) store.Store {
		s, err := Open(t.Context(), filepath.Join(dir, "ucf.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// mustOpen opens a store and closes it when the test ends.
func mustOpen(t *testing.T, path string, o options) *Store {
	t.Helper()
	s, err := open(t.Context(), path, nil, o)
	if err != nil {
		t.Fatalf("open: %v (cause %v)", err, errors.Unwrap(err))
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newStore(t *testing.T) *Store {
	t.Helper()
	return mustOpen(t, filepath.Join(t.TempDir(), "ucf.db"), defaults())
}

func newToken(id string) domain.Token {
	return domain.Token{Meta: domain.Meta{Tenant: acme}, ID: id, KeyID: "k", Sealed: "sealed " + id}
}

// quick are options of a store that does not wait long for a lock.
func quick() options {
	o := defaults()
	o.busy = 150 * time.Millisecond
	return o
}

// wantError checks an error's code and that its message has all the parts.
func wantError(t *testing.T, err error, code connectors.Code, parts ...string) {
	t.Helper()
	var e *connectors.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("error %v (code %s, cause %v), want code %s", err, connectors.CodeOf(err), errors.Unwrap(err), code)
	}
	for _, part := range parts {
		if !strings.Contains(e.Message, part) {
			t.Errorf("message %q does not have %q", e.Message, part)
		}
	}
	if strings.Contains(e.Message, "SQLITE_") || strings.Contains(e.Message, "goroutine ") || strings.Contains(e.Message, "SELECT") {
		t.Errorf("message %q is not for people", e.Message)
	}
}

func TestFileAndFolderArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b c", "100% #1?x=y", "ucf.db")
	s := mustOpen(t, path, defaults())
	if err := s.CreateToken(t.Context(), newToken("tok_1")); err != nil {
		t.Fatal(err)
	}
	if s.Path() != path {
		t.Errorf("Path() is %s, want %s", s.Path(), path)
	}
	for p, want := range map[string]os.FileMode{
		path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, filepath.Dir(path): os.ModeDir | 0o700, filepath.Dir(filepath.Dir(path)): os.ModeDir | 0o700,
	} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", p, info.Mode(), want)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 3 {
		t.Errorf("the folder holds %v (%v), want the file and its two companions", entries, err)
	}
}

func TestRelativePath(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s := mustOpen(t, "ucf.db", defaults())
	if filepath.Base(s.Path()) != "ucf.db" || !filepath.IsAbs(s.Path()) {
		t.Errorf("Path() is %s, want an absolute one", s.Path())
	}
	if _, err := os.Stat(filepath.Join(dir, "ucf.db")); err != nil {
		t.Error(err)
	}
}

func TestReadableFileIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ucf.db")
	if err := mustOpen(t, path, defaults()).Close(); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o644: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var logged strings.Builder
		s, err := Open(t.Context(), path, slog.New(slog.NewTextHandler(&logged, nil)))
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		if got := strings.Contains(logged.String(), "chmod 600"); got != want {
			t.Errorf("mode %v: log %q", mode, logged.String())
		}
	}
}

// TestDurabilityIsAsked checks what no test can see without pulling the plug.
func TestDurabilityIsAsked(t *testing.T) {
	s := newStore(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "100"} {
		var got string
		if err := s.db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", pragma, got, err, want)
		}
	}
	tx, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, mustOpen(t, s.Path(), quick()).CreateToken(t.Context(), newToken("tok_1")), connectors.Unavailable, "locked")
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	if got := defaults().busy; got < 10*time.Second {
		t.Errorf("a lock is waited for only %s", got)
	}
}

func TestLogIsFoldedWhenTheStoreRests(t *testing.T) {
	o := defaults()
	o.rest = time.Millisecond
	s := mustOpen(t, filepath.Join(t.TempDir(), "ucf.db"), o)
	if err := s.CreateToken(t.Context(), newToken("tok_1")); err != nil {
		t.Fatal(err)
	}
	poll(t, "the log to be emptied", func() bool {
		info, err := os.Stat(s.Path() + "-wal")
		return err == nil && info.Size() == 0
	})
	if _, err := s.Token(t.Context(), acme, "tok_1"); err != nil {
		t.Error(err)
	}
}

// poll waits until done holds, for ten seconds at most.
func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited ten seconds for %s", what)
		}
	}
}

func TestNonsenseInsideIsInternal(t *testing.T) {
	for name, damage := range map[string]string{
		"JSON that does not parse": "UPDATE connections SET config = '{\"a\":'",
		"JSON of another type":     "UPDATE connections SET scopes = '{\"a\":1}'",
		"no time":                  "UPDATE connections SET created_at = 'yesterday'",
		"a table that is gone":     "DROP TABLE connections",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			if err := s.CreateConnection(t.Context(), domain.Connection{Meta: domain.Meta{Tenant: acme}, ID: "con_1"}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.db.ExecContext(t.Context(), damage); err != nil {
				t.Fatal(err)
			}
			_, err := s.Connection(t.Context(), acme, "con_1")
			wantError(t, err, connectors.Internal, s.Path())
			_, err = s.ListConnections(t.Context(), acme, "", store.List{Limit: 1})
			wantError(t, err, connectors.Internal, s.Path())
		})
	}
}

func TestUnkeepableIsInternal(t *testing.T) {
	s := newStore(t)
	for name, c := range map[string]domain.Connection{
		"a value JSON has no word for": {Config: map[string]any{"f": func() {}}},
		"the year 10000":               {LastUsedAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		c.Tenant, c.ID = acme, "con_1"
		wantError(t, s.CreateConnection(t.Context(), c), connectors.Internal)
		if _, err := s.Connection(t.Context(), acme, "con_1"); connectors.CodeOf(err) != connectors.NotFound {
			t.Errorf("%s left a trace: %v", name, err)
		}
	}
}

func TestListWithoutLimitIsRefused(t *testing.T) {
	s := newStore(t)
	for _, limit := range []int{0, -1} {
		_, err := s.ListConnections(t.Context(), acme, "", store.List{Limit: limit})
		wantError(t, err, connectors.Internal)
		_, err = s.ListTokens(t.Context(), acme, store.List{Limit: limit})
		wantError(t, err, connectors.Internal)
		_, err = s.ListAudit(t.Context(), acme, store.AuditFilter{}, store.List{Limit: limit})
		wantError(t, err, connectors.Internal)
	}
}

// TestCloseWhileInUse closes the store under callers: each of their calls is whole or unavailable, and nothing is left behind.
func TestCloseWhileInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ucf.db")
	s := mustOpen(t, path, defaults())
	acknowledged := make(chan string, 10000)
	done := make(chan error, 4)
	for w := range cap(done) {
		go func() {
			for n := 0; ; n++ {
				tok := newToken(domain.NewID("tok", time.UnixMilli(int64(w*1000+n))))
				if err := s.CreateToken(context.Background(), tok); err != nil {
					done <- err
					return
				}
				acknowledged <- tok.ID
			}
		}()
	}
	first := <-acknowledged
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for range cap(done) {
		wantError(t, <-done, connectors.Unavailable, "shutting down")
	}
	close(acknowledged)
	again := mustOpen(t, path, defaults())
	for id := first; id != ""; id = <-acknowledged {
		if _, err := again.Token(t.Context(), acme, id); err != nil {
			t.Errorf("token %s was acknowledged: %v", id, err)
		}
	}
}

func TestCloseWaitsForAWrite(t *testing.T) {
	s := newStore(t)
	s.slot <- struct{}{} // a write is under way
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	poll(t, "the store to be closing", s.closed.Load)
	for range 50 {
		if err := s.db.PingContext(t.Context()); err != nil {
			t.Fatalf("the file was closed under a write: %v", err)
		}
	}
	<-s.slot
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestPlans checks that no listing reads what it does not return.
func TestPlans(t *testing.T) {
	s := newStore(t)
	for query, index := range map[string]string{
		"SELECT * FROM connections WHERE tenant = 'a' AND id > 'b' AND ('' = '' OR connector_id = '') ORDER BY id LIMIT 5":       "sqlite_autoindex_connections_1",
		"SELECT * FROM tokens WHERE tenant = 'a' AND id > 'b' ORDER BY id LIMIT 5":                                               "sqlite_autoindex_tokens_1",
		"SELECT * FROM tokens WHERE tenant = 'a' AND grant_key = 'b' AND grant_key <> ''":                                        "tokens_grant",
		"SELECT * FROM tokens WHERE due_at <= 'x' ORDER BY due_at, id LIMIT 5":                                                   "tokens_due",
		"SELECT * FROM tokens WHERE id > 'a' AND key_id <> 'b' ORDER BY id LIMIT 5":                                              "tokens_id",
		"DELETE FROM oauth_states WHERE expires_at < 'x'":                                                                        "oauth_states_expiry",
		"SELECT DISTINCT key_id FROM tokens ORDER BY key_id":                                                                     "COVERING INDEX tokens_key",
		"SELECT * FROM sync_states WHERE tenant = 'a' AND connection_id = 'b' ORDER BY stream, container_id":                     "sqlite_autoindex_sync_states_1",
		"SELECT * FROM audit_logs WHERE tenant = 'a' AND id < 'b' ORDER BY id DESC LIMIT 5":                                      "sqlite_autoindex_audit_logs_1",
		"SELECT * FROM audit_logs WHERE tenant = 'a' AND action = 'x' AND id < 'b' ORDER BY id DESC LIMIT 5":                     "audit_logs_action",
		"SELECT * FROM audit_logs WHERE tenant = 'a' AND target_id = 'x' AND id < 'b' ORDER BY id DESC LIMIT 5":                  "audit_logs_target",
		"SELECT * FROM audit_logs WHERE tenant = 'a' AND action = 'y' AND target_id = 'x' AND id < 'b' ORDER BY id DESC LIMIT 5": "audit_logs_",
	} {
		plan, err := many(t.Context(), s, func(r row) (step string, err error) {
			var n int
			return step, r.Scan(&n, &n, &n, &step)
		}, "EXPLAIN QUERY PLAN "+query)
		text := strings.Join(plan, "; ")
		if err != nil || !strings.Contains(text, index) || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s\nruns as %s (%v), want %s and no sorting", query, text, err, index)
		}
	}
}
