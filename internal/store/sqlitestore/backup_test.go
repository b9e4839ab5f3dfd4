package sqlitestore

import (
	"context"
	"os"
	"path/filepath"
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
		s.CreateToken(ctx, domain.Token{
			Meta: m, ID: "tok_1", KeyID: "k", Sealed: "sealed",
			Grant: &domain.Grant{Key: "g", Generation: 1 << 60, Claim: &domain.Claim{Owner: "w", Attempt: "a", Beat: 7}},
		}),
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

func TestBackup(t *testing.T) {
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
	counts, err := s.Backup(t.Context(), file, false)
	cancel()
	<-writing
	if err != nil || counts["tokens"] != 1 || counts["jobs"] != 1 || counts["records"] != 1 || counts["feeds"] != 1 {
		t.Fatalf("%v, %v", counts, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".ucf-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestBackupReplaces has what a backup may be written over, and what not.
func TestBackupReplaces(t *testing.T) {
	dir := t.TempDir()
	s := working(t, filepath.Join(dir, "ucf.db"))
	file, twin := filepath.Join(dir, "backup.db"), filepath.Join(dir, "twin.db")
	write(t, file, []byte("of yesterday"))
	if err := os.Symlink(s.Path(), twin); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		to    string
		force bool
		code  connectors.Code
	}{
		"a file":                  {file, false, connectors.Conflict},
		"the store itself":        {s.Path(), true, connectors.Conflict},
		"a link to it":            {twin, true, connectors.Conflict},
		"a folder":                {dir, true, connectors.InvalidRequest},
		"a folder that is none":   {filepath.Join(dir, "none", "b.db"), false, connectors.InvalidRequest},
		"below what is a file":    {filepath.Join(file, "b.db"), true, connectors.InvalidRequest},
		"a file, which may go":    {file, true, ""},
		"a file that was a store": {file, true, ""},
	} {
		if _, err := s.Backup(t.Context(), tt.to, tt.force); connectors.CodeOf(err) != tt.code {
			t.Errorf("%s: %v (%s), want %s", name, err, connectors.CodeOf(err), tt.code)
		}
	}
	wantSound(t, s)
	wantSound(t, mustOpen(t, file, quick()))
}
