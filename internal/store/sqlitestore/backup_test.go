package sqlitestore

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// working returns a store with a token, a running job and records whose feed is held.
func working(t *testing.T, path string) *Store {
	t.Helper()
	s := mustOpen(t, path, quick())
	ctx, now := t.Context(), time.Now().UTC()
	m := domain.Meta{Tenant: acme, CreatedAt: now, UpdatedAt: now}
	f, err := s.TakeFeed(ctx, acme, "con_1", "job_1", time.Hour)
	for _, e := range []error{
		err,
		s.CreateToken(ctx, domain.Token{Meta: m, ID: "tok_1", KeyID: "k", Sealed: "sealed"}),
		s.CreateJob(ctx, domain.Job{Meta: m, ID: "job_1", ConnectionID: "con_1", Type: domain.SyncJob}),
	} {
		if e != nil {
			t.Fatal(e)
		}
	}
	if _, err := s.ClaimJob(ctx, store.Claim{Owner: "w", Term: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutRecords(ctx, f, []domain.Record{{Kind: domain.ItemRecord, ID: "1", ContainerID: "PAY", Hash: "h", SyncedAt: now, Value: []byte(`{"id":"1"}`)}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	s := working(t, filepath.Join(dir, "ucf.db"))
	ctx, cancel := context.WithCancel(t.Context())
	writing := make(chan struct{})
	go func() { // somebody writes all the while
		defer close(writing)
		for n := 0; ctx.Err() == nil; n++ {
			_ = s.AppendAudit(ctx, domain.AuditEntry{ID: domain.NewID("aud", time.Now()), Tenant: acme, CreatedAt: time.Now()})
		}
	}()
	file := filepath.Join(dir, "backup.db")
	counts, err := s.Backup(t.Context(), file)
	cancel()
	<-writing
	if err != nil || counts["tokens"] != 1 || counts["jobs"] != 1 || counts["records"] != 1 || counts["feeds"] != 1 {
		t.Fatalf("%v, %v", counts, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := s.Backup(t.Context(), file); connectors.CodeOf(err) != connectors.Conflict {
		t.Errorf("over a backup: %v", err)
	}
	before, err := s.Feed(t.Context(), acme, "con_1")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "new", "ucf.db")
	out, err := Restore(t.Context(), file, path, false, time.Now())
	if err != nil || out.Kept != "" || out.Counts["records"] != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	r := mustOpen(t, path, quick())
	j, err := r.Job(t.Context(), acme, "job_1")
	if err != nil || j.Status != domain.JobQueued || j.Owner != "" {
		t.Errorf("the job that ran: %+v, %v", j, err)
	}
	if f, err := r.Feed(t.Context(), acme, "con_1"); err != nil || f.Owner != "" || f.Epoch == before.Epoch || f.Published != 1 {
		t.Errorf("the feed: %+v, %v", f, err)
	}
	if tok, err := r.Token(t.Context(), acme, "tok_1"); err != nil || tok.Sealed != "sealed" {
		t.Errorf("the token: %+v, %v", tok, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".ucf-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestRestoreRefuses has what must not be restored, or not over what is there: everything stays as it was.
func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	path, file := filepath.Join(dir, "ucf.db"), filepath.Join(dir, "backup.db")
	s := working(t, path)
	if _, err := s.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	junk := filepath.Join(dir, "junk.db")
	write(t, junk, []byte(strings.Repeat("not a store ", 1000)))
	newer := filepath.Join(dir, "newer.db")
	write(t, newer, read(t, file))
	raw(t, newer, "PRAGMA user_version=99")
	for name, tt := range map[string]struct {
		from  string
		force bool
		code  connectors.Code
	}{
		"no backup":                 {filepath.Join(dir, "none.db"), true, connectors.InvalidRequest},
		"another file":              {junk, true, connectors.Unavailable},
		"a newer ucf's":             {newer, true, connectors.Unavailable},
		"over a store":              {file, false, connectors.Conflict},
		"over a store that is used": {file, true, connectors.Conflict},
	} {
		if _, err := Restore(t.Context(), tt.from, path, tt.force, time.Now()); connectors.CodeOf(err) != tt.code {
			t.Errorf("%s: %v (%s), want %s", name, err, connectors.CodeOf(err), tt.code)
		}
	}
	if _, err := s.Token(t.Context(), acme, "tok_1"); err != nil {
		t.Errorf("the store that was there: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := Restore(t.Context(), file, path, true, time.Now())
	if err != nil || out.Kept == "" {
		t.Fatalf("%+v, %v", out, err)
	}
	old := mustOpen(t, out.Kept, quick())
	if j, err := old.Job(t.Context(), acme, "job_1"); err != nil || j.Status != domain.JobRunning {
		t.Errorf("what was kept: %+v, %v", j, err)
	}
}
