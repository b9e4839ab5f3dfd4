package sqlitestore

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/unified-connector/ucf/connectors"
)

// asNobody runs work without the powers of root over files. Its thread is thrown away.
func asNobody(t *testing.T, work func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if os.Geteuid() == 0 {
			if _, err := unix.SetfsgidRetGid(65534); err != nil {
				t.Error(err)
			}
			if _, err := unix.SetfsuidRetUid(65534); err != nil {
				t.Error(err)
			}
		}
		work()
	}()
	<-done
}

// give makes files and folders nobody's, where the test runs as root.
func give(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if os.Geteuid() == 0 {
			if err := os.Chown(p, 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
}

// TestPermissions opens stores that the user may not use. Reading may work, writing may not.
func TestPermissions(t *testing.T) {
	for name, c := range map[string]struct{ dir, file os.FileMode }{
		"a folder that cannot be entered":     {0o000, 0o600},
		"a folder that cannot be written":     {0o500, 0o600},
		"a folder and file that are readable": {0o500, 0o400},
		"a file that cannot be read":          {0o700, 0o000},
		"a file that cannot be written":       {0o700, 0o400},
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			dir := filepath.Dir(path)
			for up := dir; up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
				chmod(t, up, 0o755)
			}
			give(t, dir, path)
			before := string(read(t, path))
			chmod(t, path, c.file)
			chmod(t, dir, c.dir)
			var err error
			asNobody(t, func() {
				var s *Store
				if s, err = open(t.Context(), path, nil, quick()); err == nil {
					err = s.CreateToken(t.Context(), newToken("tok_new"))
					_ = s.Close()
				}
			})
			wantError(t, err, connectors.Unavailable, path, "for this user")
			chmod(t, dir, 0o700)
			chmod(t, path, 0o600)
			if string(read(t, path)) != before {
				t.Error("the file was changed")
			}
		})
	}
}

func TestFolderThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	for up := dir; up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		chmod(t, up, 0o755)
	}
	give(t, dir)
	chmod(t, dir, 0o500)
	for _, path := range []string{filepath.Join(dir, "ucf.db"), filepath.Join(dir, "new", "ucf.db")} {
		asNobody(t, func() {
			_, err := open(t.Context(), path, nil, quick())
			wantError(t, err, connectors.Unavailable, path, "permission denied", "UCF_DATA_DIR")
		})
	}
}

// TestReallyFullDisk fills a small file system, where the test may mount one; TestFullDisk needs none.
func TestReallyFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Logf("no file system can be mounted here: %v", err)
		return
	}
	defer func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	s := mustOpen(t, filepath.Join(dir, "ucf.db"), quick())
	defer s.Close()
	kept := []string{}
	var err error
	for n := 0; err == nil && n < 1000; n++ {
		tok := newToken(fmt.Sprintf("tok_%04d", n))
		tok.Sealed = strings.Repeat("z", 20000)
		if err = s.CreateToken(t.Context(), tok); err == nil {
			kept = append(kept, tok.ID)
		}
	}
	wantError(t, err, connectors.Unavailable, s.Path(), "full")
	for _, id := range kept {
		if _, err := s.Token(t.Context(), acme, id); err != nil {
			t.Errorf("%s was acknowledged: %v", id, err)
		}
	}
	again := mustOpen(t, s.Path(), quick())
	defer again.Close()
	if err := checkIntegrity(t.Context(), again); err != nil {
		t.Error(err)
	}
}
