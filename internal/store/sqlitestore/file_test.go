package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
)

// filled returns the path of a closed store of some hundred kilobytes.
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ucf.db")
	s := mustOpen(t, path, defaults())
	for n := range 20 {
		tok := newToken(fmt.Sprintf("tok_%02d", n))
		tok.Sealed = strings.Repeat("x", 10000)
		if err := s.CreateToken(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// raw runs statements on a file without a store.
func raw(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, st := range statements {
		if _, err := db.ExecContext(t.Context(), st); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUnusableFiles(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, path string)
		want   []string
	}{
		"not a database": {
			func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("Dear diary, "), 1000)) },
			[]string{"is not a database", "UCF_DATA_DIR"},
		},
		"short text": {
			func(t *testing.T, path string) { write(t, path, []byte("hello")) },
			[]string{"is not a database", "UCF_DATA_DIR"},
		},
		"truncated in the middle": {
			func(t *testing.T, path string) { write(t, path, read(t, path)[:40000]) },
			[]string{"damaged", "backup"},
		},
		"truncated in the first page": {
			func(t *testing.T, path string) { write(t, path, read(t, path)[:1000]) },
			[]string{"damaged", "backup"},
		},
		"first page overwritten": {
			func(t *testing.T, path string) {
				b := read(t, path)
				copy(b[100:4096], bytes.Repeat([]byte{0xA5}, 4096))
				write(t, path, b)
			},
			[]string{"damaged", "backup"},
		},
		"another program's": {
			func(t *testing.T, path string) {
				write(t, path, nil)
				raw(t, path, "CREATE TABLE moz_places (id)", "PRAGMA user_version=1")
			},
			[]string{"another program", "UCF_DATA_DIR"},
		},
		"another program's, with an application id": {
			func(t *testing.T, path string) {
				write(t, path, nil)
				raw(t, path, "PRAGMA application_id=7")
			},
			[]string{"another program", "UCF_DATA_DIR"},
		},
		"of a newer ucf": {
			func(t *testing.T, path string) { raw(t, path, "PRAGMA user_version=99") },
			[]string{"newer ucf", "upgrade", "99"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			c.damage(t, path)
			before := read(t, path)
			_, err := open(t.Context(), path, nil, quick())
			wantError(t, err, connectors.Unavailable, append(c.want, path)...)
			if !bytes.Equal(read(t, path), before) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestDamageThatIsMetLater(t *testing.T) {
	path := filled(t)
	b := read(t, path)
	for at := 4096 * 45; at+4096 <= len(b); at += 4096 {
		copy(b[at:at+4096], bytes.Repeat([]byte{0xA5}, 4096))
	}
	write(t, path, b)
	s := mustOpen(t, path, quick())
	_, err := s.ListTokens(t.Context(), acme, listOf(100))
	wantError(t, err, connectors.Unavailable, "damaged", path)
}

func TestUnusablePaths(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), []byte("text"))
	if err := os.Symlink(filepath.Join(dir, "loop"), filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a folder in the file's place":       dir,
		"a file in a folder's place":         filepath.Join(dir, "file", "ucf.db"),
		"a file in a farther folder's place": filepath.Join(dir, "file", "a", "ucf.db"),
		"a loop of links":                    filepath.Join(dir, "loop"),
		"a name that is too long":            filepath.Join(dir, strings.Repeat("n", 300)),
		"a NUL in the name":                  filepath.Join(dir, "a\x00b", "ucf.db"),
		"a device":                           "/dev/null",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t.Context(), path, nil, quick())
			wantError(t, err, connectors.Unavailable, path, "UCF_DATA_DIR")
		})
	}
	if got := string(read(t, filepath.Join(dir, "file"))); got != "text" {
		t.Errorf("the file in the way now holds %q", got)
	}
}

// TestCreateNeverReplaces is the moment in which another process has made the file first.
func TestCreateNeverReplaces(t *testing.T) {
	path := filled(t)
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	wantIntact(t, mustOpen(t, path, quick()))
}

func TestLinkToNothingIsRefused(t *testing.T) {
	dir := t.TempDir()
	link, target := filepath.Join(dir, "ucf.db"), filepath.Join(dir, "elsewhere.db")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	_, err := open(t.Context(), link, nil, quick())
	wantError(t, err, connectors.Unavailable, link, "link")
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the target was made")
	}
	if err := mustOpen(t, target, quick()).Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, link, quick())
}

func TestNetworkFileSystemIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "folder", "ucf.db")
	asked := []string{}
	o := quick()
	o.network = func(p string) (string, error) {
		asked = append(asked, p)
		if _, err := os.Stat(p); err != nil {
			return "", err
		}
		return "nfs", nil
	}
	_, err := open(t.Context(), path, nil, o)
	wantError(t, err, connectors.Unavailable, path, "network file system (nfs)", "UCF_DATA_DIR")
	if asked[len(asked)-1] != dir {
		t.Errorf("asked about %v, want the nearest folder that exists last", asked)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a folder was made on a network file system")
	}
	o.network = func(string) (string, error) { return "", errors.New("cannot tell") }
	mustOpen(t, path, o)
}

func TestFullDisk(t *testing.T) {
	path := filled(t)
	o := quick()
	o.pragmas = []string{fmt.Sprintf("max_page_count(%d)", len(read(t, path))/4096+2)}
	s := mustOpen(t, path, o)
	tok := newToken("tok_big")
	tok.Sealed = strings.Repeat("y", 100000)
	wantError(t, s.CreateToken(t.Context(), tok), connectors.Unavailable, path, "disk is full")
	wantIntact(t, s)
	if err := s.CreateToken(t.Context(), newToken("tok_small")); err != nil {
		t.Errorf("what fits is refused: %v", err)
	}
}

// wantIntact checks that the tokens of a filled store are there, and no others.
func wantIntact(t *testing.T, s *Store) {
	t.Helper()
	list, err := s.ListTokens(t.Context(), acme, listOf(100))
	if err != nil || len(list) != 20 {
		t.Errorf("%d tokens (%v), want 20", len(list), err)
	}
	if err := checkIntegrity(t.Context(), s); err != nil {
		t.Error(err)
	}
}

func checkIntegrity(ctx context.Context, s *Store) error {
	var result string
	if err := s.db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		return fmt.Errorf("integrity check: %s (%w)", result, err)
	}
	return nil
}

func TestLockedForTooLong(t *testing.T) {
	path := filled(t)
	s := mustOpen(t, path, quick())
	release := hold(t, path, "BEGIN IMMEDIATE")
	wantError(t, s.CreateToken(t.Context(), newToken("tok_new")), connectors.Unavailable, path, "locked by another process", "lsof")
	wantIntact(t, s) // readers do not wait

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	patient := mustOpen(t, path, defaults())
	begun := time.Now()
	wantError(t, patient.CreateToken(ctx, newToken("tok_new")), connectors.Timeout)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("a deadline of 20 ms was noticed after %s", took)
	}
	wrote := make(chan error, 1)
	go func() { wrote <- patient.CreateToken(context.Background(), newToken("tok_new")) }()
	select {
	case err := <-wrote:
		t.Fatalf("gave up after a moment: %v", err)
	case <-time.After(3 * slice):
	}
	release()
	if err := <-wrote; err != nil {
		t.Errorf("after the lock was released: %v", err)
	}
}

func TestWritersOfOneProcessQueue(t *testing.T) {
	path := filled(t)
	s := mustOpen(t, path, quick())
	s.slot <- struct{}{}
	wantError(t, s.CreateToken(t.Context(), newToken("tok_new")), connectors.Unavailable, path, "try again later")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, s.CreateToken(ctx, newToken("tok_new")), connectors.Unavailable, "cancelled")
	<-s.slot
	wantIntact(t, s)
}

func TestOpenWhileExclusivelyLocked(t *testing.T) {
	path := filled(t)
	release := hold(t, path, "PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE", "UPDATE tokens SET kind = ''")
	_, err := open(t.Context(), path, nil, quick())
	wantError(t, err, connectors.Unavailable, path, "locked by another process")
	if !errors.Is(err, store.ErrAway) {
		t.Errorf("%v does not say that the store is away", err)
	}
	release()
	wantIntact(t, mustOpen(t, path, defaults()))
}

func listOf(n int) store.List { return store.List{Limit: n} }
