// Package sqlitestore is the embedded store: one SQLite file, which several processes may use at once.
//
// Every write is one statement, durable when it returns (write-ahead log, synchronous=FULL). Writers of one process
// queue for a slot; those of several processes take turns on the file's lock, and give up with unavailable after ten
// seconds. A listing is read whole before it is returned, so that no read transaction waits for a client. A store
// that was written and then rested for a minute folds its log back into the file.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
)

var _ store.Store = (*Store)(nil)

// Store keeps records in a SQLite file. It is safe for concurrent use.
type Store struct {
	db     *sql.DB
	path   string
	log    *slog.Logger
	o      options
	slot   chan struct{} // held by the one writer of this process
	rest   *time.Timer   // runs tidy
	closed atomic.Bool
}

// options are what tests change.
type options struct {
	busy       time.Duration // how long a call waits for the file's lock
	rest       time.Duration // how long after a write the log is folded into the file
	migrations []string
	pragmas    []string // run on each connection, after ours
	network    func(path string) (kind string, err error)
}

func defaults() options {
	return options{busy: 10 * time.Second, rest: time.Minute, migrations: embedded(), network: networkKind}
}

// Open opens the store in the file at path. The file is made, mode 0600, where there is none, and so is its folder,
// mode 0700; a file of an earlier version is migrated. What cannot be used is unavailable, and left as it is: a
// file on a network file system, of a newer ucf, of another program, damaged, locked for ten seconds, or out of
// reach. A nil log gets nothing.
func Open(ctx context.Context, path string, log *slog.Logger) (*Store, error) {
	return open(ctx, path, log, defaults())
}

func open(ctx context.Context, path string, log *slog.Logger, o options) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	path, err := prepare(path, log, o)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, log: log, o: o, slot: make(chan struct{}, 1)}
	if s.db, err = connect(path, o); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		_ = s.db.Close()
		return nil, err
	}
	s.rest = time.AfterFunc(o.rest, s.tidy)
	s.rest.Stop()
	return s, nil
}

// Path returns the absolute path of the file.
func (s *Store) Path() string { return s.path }

// Name implements [store.Store].
func (s *Store) Name() string { return "sqlite" }

// Ping implements [store.Store]. It reads from the file.
func (s *Store) Ping(ctx context.Context) error {
	_, err := one(ctx, s, func(r row) (n int64, err error) { return n, r.Scan(&n) }, nil, "SELECT count(*) FROM sqlite_schema")
	return err
}

// Close implements [store.Store]. It waits for a write that is under way, and fails the ones behind it; a second
// Close does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.rest.Stop()
	s.slot <- struct{}{}
	defer func() { <-s.slot }()
	if err := s.db.Close(); err != nil {
		return connectors.Wrap(connectors.Unavailable, err, "the store %s did not close cleanly; what was acknowledged is kept", s.path)
	}
	return nil
}

// tidy folds the write-ahead log into the file and empties it. Without it a log that grew under a long reader stays as big.
func (s *Store) tidy() {
	ctx, cancel := context.WithTimeout(context.Background(), s.o.busy)
	defer cancel()
	_, err := s.write(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err != nil && !errors.Is(err, errClosed) {
		s.log.WarnContext(ctx, "the store's log was not folded into its file", "path", s.path, "error", err)
	}
}
