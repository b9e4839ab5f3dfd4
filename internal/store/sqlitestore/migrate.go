package sqlitestore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"sync"

	"github.com/unified-connector/ucf/connectors"
)

// Migration n is migrations/000n_name.sql, and takes a file from version n-1 to n. One that was released is never
// changed: a newer one is added.
//
//go:embed migrations/*.sql
var files embed.FS

// embedded returns the migrations of this binary, in order.
var embedded = sync.OnceValue(func() []string {
	dir, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err)
	}
	migrations, err := load(dir)
	if err != nil {
		panic(err)
	}
	return migrations
})

// load reads the migrations of a folder, which are numbered from 1 without a gap.
func load(dir fs.FS) ([]string, error) {
	names, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return nil, err
	}
	migrations := make([]string, len(names))
	for i, name := range names {
		var n int
		if _, err := fmt.Sscanf(name, "%04d_", &n); err != nil || n != i+1 {
			return nil, fmt.Errorf("migration %s is not number %04d", name, i+1)
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		migrations[i] = string(text)
	}
	return migrations, nil
}

// applicationID marks a SQLite file as ucf's: "ucf1".
const applicationID = 0x75636631

// state is what a file says of itself.
type state struct{ version, application, objects int }

func (st state) fresh() bool { return st == state{} }

// stateQuery is one statement, so that its parts are of one moment.
const stateQuery = "SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)"

func scanState(r row) (st state, err error) {
	return st, r.Scan(&st.version, &st.application, &st.objects)
}

// migrate brings the file to the version of this binary. Any number of processes may do so at once.
func (s *Store) migrate(ctx context.Context) error {
	latest := len(s.o.migrations)
	st, err := one(ctx, s, scanState, nil, stateQuery)
	if err != nil {
		return err
	}
	if err := s.accept(st); err != nil {
		return err
	}
	// Of every file: one that was restored has no log yet.
	if err := s.keepLog(ctx); err != nil {
		return err
	}
	for version := st.version; version < latest; {
		if err := s.try(ctx, func() error { version, err = s.step(ctx); return err }); err != nil {
			return err
		}
	}
	return nil
}

// accept refuses a file that is not for this binary.
func (s *Store) accept(st state) error {
	switch {
	case st.fresh():
		return nil
	case st.application != applicationID:
		return connectors.Errorf(connectors.Unavailable,
			"%s is a database of another program, and was left as it is: set UCF_DATA_DIR to another folder", s.path)
	case st.version > len(s.o.migrations):
		return connectors.Errorf(connectors.Unavailable,
			"the store %s was written by a newer ucf (version %d of its tables, this ucf knows %d): upgrade ucf",
			s.path, st.version, len(s.o.migrations))
	}
	return nil
}

// keepLog switches the file to a write-ahead log, which it remembers.
func (s *Store) keepLog(ctx context.Context) error {
	mode, err := one(ctx, s, func(r row) (mode string, err error) { return mode, r.Scan(&mode) }, nil, "PRAGMA journal_mode=WAL")
	if err == nil && mode != "wal" {
		err = connectors.Errorf(connectors.Unavailable,
			"the file system of %s cannot keep a write-ahead log: set UCF_DATA_DIR to a folder on a local disk", s.path)
	}
	return err
}

// step applies the next migration in one transaction and returns the version that the file then has.
func (s *Store) step(ctx context.Context) (version int, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	st, err := scanState(tx.QueryRowContext(ctx, stateQuery))
	if err != nil {
		return 0, err
	}
	// Another process may have migrated the file since it was looked at.
	if err := s.accept(st); err != nil || st.version == len(s.o.migrations) {
		return st.version, err
	}
	version = st.version + 1
	if err := apply(ctx, tx, s.o.migrations[version-1], version); err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	s.log.InfoContext(ctx, "store migrated", "path", s.path, "version", version)
	return version, nil
}

func apply(ctx context.Context, tx *sql.Tx, migration string, version int) error {
	if _, err := tx.ExecContext(ctx, migration); err != nil {
		return fmt.Errorf("migration %04d: %w", version, err)
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version=%d; PRAGMA application_id=%d", version, applicationID))
	return err
}
