package sqlitestore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/unified-connector/ucf/connectors"
)

// later returns options of a later ucf, which has more migrations.
func later(migrations ...string) options {
	o := quick()
	o.migrations = append(slices.Clone(o.migrations), migrations...)
	return o
}

const (
	addColumn = "ALTER TABLE tokens ADD COLUMN note TEXT NOT NULL DEFAULT 'none'; CREATE TABLE notes (id TEXT PRIMARY KEY) STRICT;"
	fillTable = "INSERT INTO notes SELECT id FROM tokens;"
)

const oldToken = "INSERT INTO tokens (tenant, id, revision, kind, key_id, sealed) VALUES (?, ?, 1, 'api_key', 'k', 'sealed')"

// TestEveryVersionMigrates makes a file of each earlier version, fills it, and opens it with the latest.
func TestEveryVersionMigrates(t *testing.T) {
	latest := later(addColumn, fillTable)
	for version := 1; version <= len(latest.migrations); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ucf.db")
			o := quick()
			o.migrations = latest.migrations[:version]
			old := mustOpen(t, path, o)
			// Today's code may write what an old version has no column for: the record is written as version 1 knows it.
			if _, err := old.db.ExecContext(t.Context(), oldToken, acme, "tok_1"); err != nil {
				t.Fatal(err)
			}
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			s := mustOpen(t, path, latest)
			if tok, err := s.Token(t.Context(), acme, "tok_1"); err != nil || tok.Sealed != "sealed" || tok.Grant != nil || !tok.DueAt.IsZero() {
				t.Errorf("got %+v, %v", tok, err)
			}
			wantVersion(t, s, len(latest.migrations))
			var jobs int
			if err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM notes JOIN tokens ON note = 'none'").Scan(&jobs); err != nil {
				t.Error(err)
			}
			if want := map[bool]int{true: 1, false: 0}[version < len(latest.migrations)]; jobs != want {
				t.Errorf("the last migration moved %d records, want %d", jobs, want)
			}
		})
	}
}

func wantVersion(t *testing.T, s *Store, want int) {
	t.Helper()
	st, err := one(t.Context(), s, scanState, nil, stateQuery)
	if err != nil || st.version != want || st.application != applicationID {
		t.Errorf("state %+v (%v), want version %d", st, err, want)
	}
}

// TestFailedMigrationLeavesNoTrace checks that a step is whole or not done, and that the steps before it are kept.
func TestFailedMigrationLeavesNoTrace(t *testing.T) {
	path := filled(t)
	_, err := open(t.Context(), path, nil, later(addColumn, "CREATE TABLE half (id); INSERT INTO nowhere VALUES (1);"))
	wantError(t, err, connectors.Internal, path)
	s := mustOpen(t, path, later(addColumn))
	wantVersion(t, s, len(embedded())+1)
	wantIntact(t, s)
	if _, err := s.db.ExecContext(t.Context(), "SELECT * FROM half"); err == nil {
		t.Error("half of a failed migration was kept")
	}
}

func TestOlderBinaryIsRefused(t *testing.T) {
	path := filled(t)
	if err := mustOpen(t, path, later(addColumn)).Close(); err != nil {
		t.Fatal(err)
	}
	before := read(t, path)
	_, err := open(t.Context(), path, nil, quick())
	wantError(t, err, connectors.Unavailable, path, "newer ucf", "upgrade")
	if !bytes.Equal(read(t, path), before) {
		t.Error("the file was changed")
	}
}

// TestMigrationTogether migrates one file from many goroutines with stores of their own.
func TestMigrationTogether(t *testing.T) {
	path := filled(t)
	o := later(addColumn, fillTable)
	o.busy = defaults().busy
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			s, err := open(t.Context(), path, nil, o)
			if err == nil {
				err = s.Close()
			}
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Errorf("%v (cause %v)", err, connectors.AsError(err).Err)
		}
	}
	s := mustOpen(t, path, o)
	wantVersion(t, s, len(o.migrations))
	wantIntact(t, s)
}

func TestNumbersOfMigrations(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, c := range map[string]struct {
		dir  fstest.MapFS
		want string
		bad  bool
	}{
		"in order":       {fstest.MapFS{"0002_b.sql": file("B"), "0001_a.sql": file("A"), "notes.txt": file("")}, "A B", false},
		"a gap":          {fstest.MapFS{"0001_a.sql": file("A"), "0003_c.sql": file("C")}, "", true},
		"a number twice": {fstest.MapFS{"0001_a.sql": file("A"), "0001_b.sql": file("B")}, "", true},
		"from zero":      {fstest.MapFS{"0000_a.sql": file("A")}, "", true},
		"no number":      {fstest.MapFS{"first.sql": file("A")}, "", true},
	} {
		got, err := load(c.dir)
		if (err != nil) != c.bad || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v (%v)", name, got, err)
		}
	}
	if names, err := os.ReadDir("migrations"); err != nil || len(names) != len(embedded()) {
		t.Errorf("%d of %d migrations are embedded (%v)", len(embedded()), len(names), err)
	}
}
