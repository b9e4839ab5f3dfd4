package sqlitestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/storetest"
)

func TestMoves(t *testing.T) { storetest.Moves(t, newStore(t)) }

// Every column is moved, but for those that are named here: leases end with a copy, and feeds are numbered anew.
func TestEveryColumnMoves(t *testing.T) {
	s := newStore(t)
	stay := map[string][]string{"jobs": {"lease_until"}, "feeds": {"id", "lease_until"}, "records": {"feed"}}
	tables, err := many(t.Context(), s, scanText, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'record_marks' ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	var moved []string
	for _, c := range store.Collections {
		moved = append(moved, c.Name)
		columns, err := many(t.Context(), s, scanText, "SELECT name FROM pragma_table_info(?)", c.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Fields {
			if i := slices.Index(columns, columnOf(f.Name)); i >= 0 {
				columns = slices.Delete(columns, i, i+1)
			}
		}
		if !slices.Equal(columns, stay[c.Name]) {
			t.Errorf("of %s the columns %v are left behind, want %v", c.Name, columns, stay[c.Name])
		}
	}
	slices.Sort(moved)
	if !slices.Equal(tables, moved) || !slices.Equal(moved, slices.Sorted(slices.Values(Collections))) {
		t.Errorf("there are the tables %v; %v are moved, and %v are backed up", tables, moved, Collections)
	}
}

func scanText(r row) (text string, err error) { return text, r.Scan(&text) }

func TestLend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ucf.db")
	s := mustOpen(t, path, defaults())
	storetest.Fill(t, s)
	if _, err := Lend(t.Context(), path); connectors.CodeOf(err) != connectors.Conflict {
		t.Fatalf("a store that is in use is lent: %v", err)
	}
	want := storetest.Rows(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	lent, err := Lend(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if got := storetest.Rows(t, lent); len(got["records"]) != len(want["records"]) {
		t.Errorf("%d records are lent, want %d", len(got["records"]), len(want["records"]))
	}
	if _, err := open(t.Context(), path, nil, quick()); connectors.CodeOf(err) != connectors.Unavailable {
		t.Errorf("a store that is lent opens: %v", err)
	}
	name, err := lent.Retire(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil || name != path+".moved-20260102T030405Z" {
		t.Fatalf("it was retired as %s, %v", name, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store that was moved is in its place: %v", err)
	}
	retired := mustOpen(t, name, defaults())
	if got := storetest.Rows(t, retired); len(got["records"]) != len(want["records"]) {
		t.Errorf("%d records are in the retired store, want %d", len(got["records"]), len(want["records"]))
	}
}

func TestReceive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ucf.db")
	old := mustOpen(t, path, defaults())
	if _, err := Receive(t.Context(), path, true); connectors.CodeOf(err) != connectors.Conflict {
		t.Fatalf("in the place of a store that is in use: %v", err)
	}
	if err := old.CreateToken(t.Context(), newToken("tok_old")); err != nil {
		t.Fatal(err)
	}
	_ = old.Close()
	if _, err := Receive(t.Context(), path, false); connectors.CodeOf(err) != connectors.Conflict {
		t.Fatalf("in the place of a store that holds something: %v", err)
	}
	cutOff, err := Receive(t.Context(), path, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := cutOff.CreateToken(t.Context(), newToken("tok_new")); err != nil {
		t.Fatal(err)
	}
	_ = cutOff.Close()
	r, err := Receive(t.Context(), path, true)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := r.Finish(t.Context(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil || kept != path+".before-20260102T030405Z" {
		t.Fatalf("the store that was there is %s, %v", kept, err)
	}
	s := mustOpen(t, path, defaults())
	if _, err := s.Token(t.Context(), acme, "tok_new"); err != nil {
		t.Error(err)
	}
}
