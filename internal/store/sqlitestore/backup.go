package sqlitestore

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// Collections are the tables of records, by name.
var Collections = []string{
	"connections", "tokens", "oauth_states", "sync_states", "connector_settings", "budgets", "audit_logs", "jobs", "feeds", "records",
}

// Backup writes the store as it is at one moment to a new file at path, mode 0600, while others go on writing, and returns how
// many records of each collection are in it. What is sealed stays sealed; the key is not in it. A file that is there is
// conflict. A backup that is cut off leaves no file at path.
func (s *Store) Backup(ctx context.Context, path string) (map[string]int, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, connectors.Errorf(connectors.Conflict, "%s is there already: choose another name, or remove it", path)
	}
	part, err := emptyBeside(path)
	if err != nil {
		return nil, err
	}
	defer os.Remove(part) //nolint:errcheck // it is gone after the rename
	if _, err := s.db.ExecContext(ctx, "VACUUM INTO ?", part); err != nil {
		return nil, s.coded(ctx, err)
	}
	counts, err := inspect(ctx, part)
	if err != nil {
		return nil, err
	}
	return counts, place(part, path)
}

// emptyBeside makes an empty file, which SQLite takes for none, where a rename to path is one step.
func emptyBeside(path string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".ucf-part-*")
	if err != nil {
		return "", connectors.Wrap(connectors.InvalidRequest, err, "%s cannot be written: make its folder, and make it writable", path)
	}
	return f.Name(), errors.Join(f.Chmod(0o600), f.Close())
}

// place makes a file durable and gives it its name.
func place(part, path string) error {
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), os.Rename(part, path))
	}
	if err != nil {
		return connectors.Wrap(connectors.Unavailable, err, "%s could not be written; nothing was changed", path)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // not every system can
		_ = dir.Close()
	}
	return nil
}

// inspect holds a file against what a store has to be, and counts its records. A store of a newer ucf, of another program, or
// a damaged one is unavailable.
func inspect(ctx context.Context, path string) (map[string]int, error) {
	o := defaults()
	db, err := connect(path, o)
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // nothing was written through it, or it was told
	s := &Store{db: db, path: path, log: slog.New(slog.DiscardHandler), o: o}
	st, err := one(ctx, s, scanState, nil, stateQuery)
	if err != nil {
		return nil, err
	}
	if st.application != applicationID {
		return nil, connectors.Errorf(connectors.InvalidRequest, "%s is no store of ucf", path)
	}
	if err := s.accept(st); err != nil {
		return nil, err
	}
	sound, err := one(ctx, s, func(r row) (text string, err error) { return text, r.Scan(&text) }, nil, "PRAGMA integrity_check(1)")
	if err == nil && sound != "ok" {
		err = connectors.Errorf(connectors.Unavailable, "%s is damaged: %s", path, sound)
	}
	if err != nil {
		return nil, err
	}
	return s.counts(ctx)
}

// counts returns how many records of each collection there are; a store of an older version may lack some.
func (s *Store) counts(ctx context.Context) (map[string]int, error) {
	number := func(r row) (n int, err error) { return n, r.Scan(&n) }
	counts := map[string]int{}
	for _, c := range Collections {
		n, err := one(ctx, s, number, nil, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?", c)
		if err == nil && n > 0 {
			n, err = one(ctx, s, number, nil, "SELECT count(*) FROM "+c)
		}
		if err != nil {
			return nil, err
		}
		counts[c] = n
	}
	return counts, nil
}

// Restored says what became of a restore.
type Restored struct {
	Counts map[string]int // records by collection
	Kept   string         // where the store that was there is now; empty for none
}

// Restore puts the backup from in the place of the store at path. It is migrated first; what was running when it was made is
// queued again, leases are free, and every feed has a new epoch, because its numbers mean something else from now on. A
// store that is there is conflict unless force is set, and kept under another name then; one that another process has
// open is conflict always. A restore that is cut off leaves the store as it was.
func Restore(ctx context.Context, from, path string, force bool, now time.Time) (Restored, error) {
	if _, err := os.Stat(from); err != nil {
		return Restored{}, connectors.Wrap(connectors.InvalidRequest, err, "the backup %s cannot be read", from)
	}
	if _, err := inspect(ctx, from); err != nil {
		return Restored{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Restored{}, unusable(path, err)
	}
	if err := refuseNetwork(path, defaults()); err != nil {
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
	if out.Kept, err = setAside(ctx, path, force, now); err != nil {
		return Restored{}, err
	}
	return out, place(part, path)
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
		"UPDATE jobs SET status = 'queued', owner = '', lease_until = NULL WHERE status = 'running'",
		"UPDATE feeds SET owner = '', lease_until = NULL, fence = fence + 1",
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
	if err != nil || mode != "delete" {
		return connectors.Wrap(connectors.Conflict, err, "another process uses the store %s: stop `ucf serve`, and try again", s.path)
	}
	return nil
}

// setAside keeps the store at path under another name, and returns it; empty for a store that is not there, or holds nothing.
func setAside(ctx context.Context, path string, force bool, now time.Time) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return "", nil
	}
	if err != nil {
		return "", unusable(path, err)
	}
	if !force {
		return "", connectors.Errorf(connectors.Conflict, "there is a store at %s already: --force puts the backup in its place, and keeps it beside", path)
	}
	o := defaults()
	o.busy = time.Second
	db, err := connect(path, o)
	if err != nil {
		return "", err
	}
	defer db.Close() //nolint:errcheck // nothing was written through it, or it was told
	if err := (&Store{db: db, path: path, o: o}).alone(ctx); err != nil {
		return "", err
	}
	aside := path + ".before-" + now.UTC().Format("20060102T150405Z")
	// A second name and not a rename: until the backup is in its place the store keeps its own.
	if err := os.Link(path, aside); err != nil {
		return "", connectors.Wrap(connectors.Unavailable, err, "the store %s could not be kept beside; nothing was changed", path)
	}
	return aside, nil
}
