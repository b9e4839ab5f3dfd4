package sqlitestore

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// backupOf returns a backup of a store that worked, and the feed that it had.
func backupOf(t *testing.T) (file string, f domain.Feed) {
	t.Helper()
	dir := t.TempDir()
	s := working(t, filepath.Join(dir, "ucf.db"))
	file = filepath.Join(dir, "backup.db")
	if _, err := s.Backup(t.Context(), file, false); err != nil {
		t.Fatal(err)
	}
	f, err := s.Feed(t.Context(), acme, "con_1")
	if err != nil {
		t.Fatal(err)
	}
	return file, f
}

func TestRestore(t *testing.T) {
	file, before := backupOf(t)
	path := filepath.Join(t.TempDir(), "new", "ucf.db")
	out, err := Restore(t.Context(), file, path, false, time.Now())
	if err != nil || out.Kept != "" || out.Counts["records"] != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	r := mustOpen(t, path, quick())
	j, err := r.Job(t.Context(), acme, "job_1")
	if err != nil || j.Status != domain.JobQueued || j.Owner != "" || j.Takeovers != 0 {
		t.Errorf("the job that ran: %+v, %v", j, err)
	}
	f, err := r.Feed(t.Context(), acme, "con_1")
	if err != nil || f.Owner != "" || f.Epoch == before.Epoch || f.Published != 1 || f.Fence <= before.Fence {
		t.Errorf("the feed: %+v, %v", f, err)
	}
	tok, err := r.Token(t.Context(), acme, "tok_1")
	if err != nil || tok.Sealed != "sealed" || tok.Grant.Claim != nil || tok.Grant.Generation != 1<<60 {
		t.Errorf("the token: %+v, %v", tok, err)
	}
	mode, err := one(t.Context(), r, func(r row) (mode string, err error) { return mode, r.Scan(&mode) }, nil, "PRAGMA journal_mode")
	if err != nil || mode != "wal" {
		t.Errorf("the log is %s, %v", mode, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 || strings.HasPrefix(e.Name(), ".") {
			t.Errorf("beside: %v, %v", e, err)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// TestRestoreOlder restores what an earlier version has written.
func TestRestoreOlder(t *testing.T) {
	dir := t.TempDir()
	o := defaults()
	o.migrations = o.migrations[:1]
	old := mustOpen(t, filepath.Join(dir, "old.db"), o)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, old.Path(), "INSERT INTO connector_settings VALUES ('acme', 'jira', 1, NULL, NULL, 1)")
	path := filepath.Join(dir, "ucf.db")
	if _, err := Restore(t.Context(), old.Path(), path, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, path, quick())
	wantVersion(t, s, len(defaults().migrations))
	if set, err := s.ConnectorSetting(t.Context(), acme, "jira"); err != nil || !set.ExtraDetails {
		t.Errorf("%+v, %v", set, err)
	}
}

// TestRestoreOver restores over what may be there.
func TestRestoreOver(t *testing.T) {
	file, _ := backupOf(t)
	for _, tt := range []struct {
		name    string
		there   func(t *testing.T, path string)
		refused bool // without force
		kept    string
	}{
		{"nothing", func(*testing.T, string) {}, false, ""},
		{"an empty file", func(t *testing.T, path string) { write(t, path, nil) }, false, ""},
		{"a store without records", func(t *testing.T, path string) { _ = mustOpen(t, path, quick()).Close() }, false, ""},
		{"a store", func(t *testing.T, path string) { _ = working(t, path).Close() }, true, "SQLite"},
		{"a store whose process was killed", func(t *testing.T, path string) {
			s := working(t, filepath.Join(t.TempDir(), "other.db"))
			write(t, path, read(t, s.Path()))
			write(t, path+"-wal", read(t, s.Path()+"-wal"))
		}, true, "SQLite"},
		{"what is no store", func(t *testing.T, path string) { write(t, path, []byte(strings.Repeat("no store", 1000))) }, true, "no store"},
		{"the second name of a restore that was cut off", func(t *testing.T, path string) {
			_ = working(t, path).Close()
			if err := os.Link(path, path+before+"1"); err != nil {
				t.Fatal(err)
			}
		}, true, "SQLite"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ucf [1].db")
			tt.there(t, path)
			want := connectors.Code("")
			if tt.refused {
				want = connectors.Conflict
			}
			if _, err := Restore(t.Context(), file, path, false, time.Now()); connectors.CodeOf(err) != want {
				t.Fatalf("without force: %v, want %s", err, want)
			}
			if tt.refused {
				wantKept(t, file, path, tt.kept)
			}
			s := mustOpen(t, path, quick())
			wantSound(t, s)
			if j, err := s.Job(t.Context(), acme, "job_1"); err != nil || j.Status != domain.JobQueued {
				t.Errorf("%+v, %v", j, err)
			}
		})
	}
}

// wantKept restores with force, and looks at the only file that keeps what was there.
func wantKept(t *testing.T, file, path, content string) {
	t.Helper()
	out, err := Restore(t.Context(), file, path, true, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got := string(read(t, out.Kept)); !strings.HasPrefix(got, content) {
		t.Errorf("kept is %.20q, want %q", got, content)
	}
	if content == "SQLite" {
		if j, err := mustOpen(t, out.Kept, quick()).Job(t.Context(), acme, "job_1"); err != nil || j.Status != domain.JobRunning {
			t.Errorf("what was kept: %+v, %v", j, err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if strings.Contains(e.Name(), before) && !strings.HasSuffix(e.Name(), "-wal") && !strings.HasSuffix(e.Name(), "-shm") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("beside the store are %v", entries)
	}
}

// TestRestoreRefuses has what must not be restored, or not over what is there: everything stays as it was.
func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	path, file := filepath.Join(dir, "ucf.db"), filepath.Join(dir, "backup.db")
	s := working(t, path)
	if _, err := s.Backup(t.Context(), file, false); err != nil {
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
		"over itself":               {path, true, connectors.Conflict},
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

// TestSeize holds what a store is in while it is replaced: one file without a log, which nobody else reads or writes.
func TestSeize(t *testing.T) {
	s, path := working(t, filepath.Join(t.TempDir(), "other.db")), filepath.Join(t.TempDir(), "ucf.db")
	write(t, path, read(t, s.Path()))
	write(t, path+"-wal", read(t, s.Path()+"-wal"))
	old, err := seize(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); err == nil || !old.filled || old.damaged {
		t.Errorf("%+v, and the log: %v", old, err)
	}
	o := quick()
	o.busy = 50 * time.Millisecond
	_, err = open(t.Context(), path, nil, o)
	wantError(t, err, connectors.Unavailable, "locked")
	old.release()
	if j, err := mustOpen(t, path, quick()).Job(t.Context(), acme, "job_1"); err != nil || j.Status != domain.JobRunning {
		t.Errorf("after the release: %+v, %v", j, err)
	}
}

// TestLogsOfTheDamaged go with the store that they belong to.
func TestLogsOfTheDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ucf.db")
	for _, suffix := range []string{"", "-wal", "-journal"} {
		write(t, path+suffix, []byte("old"+suffix))
	}
	aside, err := keepBeside(path, true, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if _, err := os.Stat(path + suffix); err == nil || string(read(t, aside+suffix)) != "old"+suffix {
			t.Errorf("%s: %v, beside is %q", suffix, err, read(t, aside+suffix))
		}
	}
	if string(read(t, path)) != "old" || string(read(t, aside)) != "old" {
		t.Error("the store has not two names")
	}
}

// TestRestoreBehindALink puts the backup where the store is, and not in the place of a link to it.
func TestRestoreBehindALink(t *testing.T) {
	file, _ := backupOf(t)
	dir := t.TempDir()
	there, link := filepath.Join(dir, "disk", "ucf.db"), filepath.Join(dir, "ucf.db")
	if err := os.Symlink(there, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), file, link, true, time.Now()); connectors.CodeOf(err) != connectors.Unavailable {
		t.Errorf("behind a link to nothing: %v", err)
	}
	_ = working(t, there).Close()
	if _, err := Restore(t.Context(), file, link, true, time.Now()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	wantSound(t, mustOpen(t, there, quick()))
}

// TestLateWriter has somebody who opened the store before it was replaced, and writes after: he is refused, and his log does
// not become the new store's.
func TestLateWriter(t *testing.T) {
	file, _ := backupOf(t)
	path := filepath.Join(t.TempDir(), "ucf.db")
	_ = working(t, path).Close()
	raw(t, path, "PRAGMA journal_mode=DELETE") // in which who only looks holds no lock
	late, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	late.SetMaxOpenConns(1)
	defer late.Close()
	if err := late.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), file, path, true, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"DELETE FROM jobs", "PRAGMA journal_mode=WAL", "DELETE FROM jobs"} {
		if res, err := late.ExecContext(t.Context(), text); err == nil && strings.HasPrefix(text, "DELETE") {
			n, _ := res.RowsAffected()
			t.Errorf("%s: done, %d rows", text, n)
		}
	}
	wantSound(t, mustOpen(t, path, quick()))
}
