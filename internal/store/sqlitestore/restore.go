package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/unified-connector/ucf/connectors"
)

// Restored says what became of a restore.
type Restored struct {
	Counts map[string]int // records by collection
	Kept   string         // where the store that was there is now; empty for none
}

// Restore puts the backup from in the place of the store at path. It is migrated first; what was running when it was made is
// queued again, leases and claims are free, and every feed has a new epoch, because its numbers mean something else from
// now on. A store that is there and holds something is conflict unless force is set, and kept under another name then; one
// that another process has open is conflict always. A restore that is cut off, or fails, leaves the store as it was.
func Restore(ctx context.Context, from, path string, force bool, now time.Time) (Restored, error) {
	path, err := placeOf(path)
	if err != nil {
		return Restored{}, err
	}
	if from, err = filepath.Abs(from); err == nil {
		_, err = os.Stat(from)
	}
	if err != nil {
		return Restored{}, connectors.Wrap(connectors.InvalidRequest, err, "the backup %s cannot be read", from)
	}
	if _, err := inspect(ctx, from); err != nil {
		return Restored{}, err
	}
	part, err := emptyBeside(path)
	if err != nil {
		return Restored{}, err
	}
	defer os.Remove(part) //nolint:errcheck // it is gone after the rename
	if err := copyInto(ctx, from, part); err != nil {
		return Restored{}, err
	}
	if err := awaken(ctx, part); err != nil {
		return Restored{}, err
	}
	out := Restored{}
	if out.Counts, err = inspect(ctx, part); err != nil {
		return Restored{}, err
	}
	out.Kept, err = replace(ctx, part, path, force, now)
	return out, err
}

// placeOf returns where the file of a store is, behind a link, and makes its folder.
func placeOf(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", unusable(path, err)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return "", unusable(path, err)
		}
	}
	if err := refuseNetwork(path, defaults()); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", unusable(path, err)
	}
	return path, nil
}

// copyInto copies a store, with what is in its log, into an empty file.
func copyInto(ctx context.Context, from, to string) error {
	db, err := connect(from, defaults())
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written through it, or it was told
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return connectors.Wrap(connectors.Unavailable, err, "the backup %s could not be copied: is the disk full?", from)
	}
	return nil
}

// awaken makes a store of another time one of today, in one file.
func awaken(ctx context.Context, path string) error {
	s, err := Open(ctx, path, nil)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // the last write tells
	for _, text := range []string{
		"UPDATE jobs SET status = 'queued', owner = '', lease_until = NULL, revision = revision + 1 WHERE status = 'running'",
		"UPDATE feeds SET owner = '', lease_until = NULL, fence = fence + 1",
		"UPDATE tokens SET grant_info = json_remove(grant_info, '$.claim') WHERE json_extract(grant_info, '$.claim') IS NOT NULL",
	} {
		if _, err := s.write(ctx, text); err != nil {
			return err
		}
	}
	if err := s.NewEpochs(ctx); err != nil {
		return err
	}
	return s.alone(ctx)
}

// alone folds the log into the file and does without one, which SQLite allows to the only user of a file.
func (s *Store) alone(ctx context.Context) error {
	mode, err := one(ctx, s, func(r row) (mode string, err error) { return mode, r.Scan(&mode) }, nil, "PRAGMA journal_mode=DELETE")
	if err == nil && mode != "delete" {
		return inUse(s.path, nil)
	}
	return err
}

func inUse(path string, err error) error {
	return connectors.Wrap(connectors.Conflict, err, "another process uses the store %s: stop every `ucf serve` over it, and try again", path)
}

// replace puts part in the place of the store at path, and returns where the one that was there is kept.
func replace(ctx context.Context, part, path string, force bool, now time.Time) (string, error) {
	old, err := seize(ctx, path)
	if err != nil {
		return "", err
	}
	defer old.release()
	kept := ""
	if old.filled {
		if !force {
			return "", connectors.Errorf(connectors.Conflict, "there is a store at %s already: --force puts the backup in its place, and keeps it beside", path)
		}
		if kept, err = keepBeside(path, old.damaged, now); err != nil {
			return "", err
		}
	}
	if runtime.GOOS == "windows" {
		old.release() // there no file is replaced that somebody has open
	}
	return kept, place(part, path)
}

// seized is a store that nobody else can use until it is released.
type seized struct {
	db      *sql.DB
	filled  bool // it is not known to hold nothing
	damaged bool // SQLite cannot read it, and so cannot lock it
}

func (s *seized) release() {
	if s.db != nil {
		_ = s.db.Close()
		s.db = nil
	}
}

// seize locks the store at path, in one file without a log. Whoever opens it meanwhile waits, and is refused by SQLite when he
// writes to a file that has another name now. No store is one without anything in it.
func seize(ctx context.Context, path string) (*seized, error) {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return &seized{}, nil
	case err != nil:
		return nil, unusable(path, err)
	case !info.Mode().IsRegular():
		return nil, connectors.Errorf(connectors.Unavailable, "the store %s is not a file: move it away, or set UCF_DATA_DIR to another folder", path)
	}
	o := defaults()
	o.busy, o.pragmas = time.Second, []string{"locking_mode(EXCLUSIVE)"}
	db, err := connect(path, o)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // which holds the lock
	old := &seized{db: db}
	switch err = old.lock(ctx, bare(db, path, o)); primary(resultCode(err)) {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		old.release()
		return &seized{filled: true, damaged: true}, nil
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		err = inUse(path, err)
	}
	if err != nil {
		old.release()
		return nil, err
	}
	return old, nil
}

// lock has nobody else use the store, and looks whether there is anything in it.
func (s *seized) lock(ctx context.Context, st *Store) error {
	if err := st.alone(ctx); err != nil {
		return err
	}
	if _, err := st.write(ctx, "BEGIN EXCLUSIVE"); err != nil {
		return err
	}
	counts, err := st.counts(ctx)
	for _, n := range counts {
		s.filled = s.filled || n > 0
	}
	return err
}

// before is in the name of a store that was replaced.
const before = ".before-"

// keepBeside gives the store at path a second name, and returns it: until another one is in its place it keeps its own.
func keepBeside(path string, damaged bool, now time.Time) (string, error) {
	if err := forgetTwins(path); err != nil {
		return "", err
	}
	aside, err := nameBeside(path, before, now)
	// A log that stays would be taken for the new store's. That of a sound one was folded into the file.
	for _, log := range []string{"-wal", "-shm", "-journal"} {
		if damaged && err == nil {
			if err = os.Rename(path+log, aside+log); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
	}
	if err != nil {
		return "", connectors.Wrap(connectors.Unavailable, err, "the store %s could not be kept beside; it was not replaced", path)
	}
	return aside, nil
}

// nameBeside gives a file a second name beside its own, with a mark and a time.
func nameBeside(path, mark string, now time.Time) (string, error) {
	base := path + mark + now.UTC().Format("20060102T150405Z")
	name := base
	err := os.Link(path, name)
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
		err = os.Link(path, name)
	}
	return name, err
}

// forgetTwins removes the second names that a restore which was cut off left to the store.
func forgetTwins(path string) error {
	own, err := os.Stat(path)
	if err != nil {
		return unusable(path, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return unusable(path, err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), filepath.Base(path)+before) {
			continue
		}
		name := filepath.Join(filepath.Dir(path), e.Name())
		info, err := os.Stat(name)
		if err == nil && os.SameFile(own, info) {
			err = os.Remove(name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unusable(name, err)
		}
	}
	return nil
}
