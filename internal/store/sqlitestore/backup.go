package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/unified-connector/ucf/connectors"
)

// Collections are the tables of records, by name.
var Collections = []string{
	"connections", "tokens", "oauth_states", "sync_states", "connector_settings", "budgets", "audit_logs", "jobs", "feeds", "records",
}

// Backup writes the store as it is at one moment to a new file at path, mode 0600, while others go on writing, and returns how
// many records of each collection are in it. What is sealed stays sealed; the key is not in it. A file that is there is
// conflict unless force is set, and the store itself always. A backup that is cut off leaves at path what was there.
func (s *Store) Backup(ctx context.Context, path string, force bool) (map[string]int, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, unusable(path, err)
	}
	if err := s.mayBackUpTo(path, force); err != nil {
		return nil, err
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

func (s *Store) mayBackUpTo(path string, force bool) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	own, oerr := os.Stat(s.path)
	switch {
	case err != nil:
		return connectors.Wrap(connectors.InvalidRequest, err, "%s cannot be written: choose another name", path)
	case oerr == nil && os.SameFile(info, own):
		return connectors.Errorf(connectors.Conflict, "%s is the store itself: choose another name", path)
	case !info.Mode().IsRegular():
		return connectors.Errorf(connectors.InvalidRequest, "%s is not a file: choose another name", path)
	case !force:
		return connectors.Errorf(connectors.Conflict, "%s is there already: choose another name, or --force to replace it", path)
	}
	return nil
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
	s := bare(db, path, o)
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

// bare is a store on a file that is neither migrated nor looked after.
func bare(db *sql.DB, path string, o options) *Store {
	return &Store{db: db, path: path, log: slog.New(slog.DiscardHandler), o: o, slot: make(chan struct{}, 1)}
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
