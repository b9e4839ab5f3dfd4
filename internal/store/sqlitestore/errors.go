package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
)

// errClosed is the cause of what fails after Close.
var errClosed = errors.New("closed")

// resultCode returns SQLite's extended result code, 0 for what is no error of SQLite.
// See https://www.sqlite.org/rescode.html.
func resultCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// primary is the part of a result code that tells the kind of failure.
func primary(code int) int { return code & 0xff }

func isBusy(err error) bool {
	p := primary(resultCode(err))
	return p == sqlite3.SQLITE_BUSY || p == sqlite3.SQLITE_LOCKED
}

// coded returns err as a *connectors.Error that says what is wrong with the store and what to do.
func (s *Store) coded(ctx context.Context, err error) error {
	var known *connectors.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case s.closed.Load():
		return connectors.Wrap(connectors.Unavailable, errClosed, "the store is closed: ucf is shutting down")
	case ctx.Err() != nil:
		return ended(ctx, err)
	}
	return s.codedResult(err)
}

func ended(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return connectors.Wrap(connectors.Timeout, err, "the deadline passed before the store answered")
	}
	return connectors.Wrap(connectors.Unavailable, err, "the call was cancelled before the store answered")
}

func (s *Store) codedResult(err error) error {
	code := resultCode(err)
	switch primary(code) {
	case sqlite3.SQLITE_CONSTRAINT:
		if isDuplicate(code) {
			return connectors.Wrap(connectors.Conflict, err, "the record exists already")
		}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		e := connectors.Wrap(connectors.Unavailable, fmt.Errorf("%w: %w", store.ErrAway, err),
			"the store %s was locked by another process for more than %s: find out which one holds it (`lsof %s`), and try again", s.path, s.o.busy, s.path)
		e.RetryAfter = time.Second
		return e
	}
	if advice, ok := advices[primary(code)]; ok {
		return connectors.Wrap(connectors.Unavailable, err, "the store %s %s", s.path, advice)
	}
	return connectors.Wrap(connectors.Internal, err, "the store %s holds something that makes no sense: restore it from a backup", s.path)
}

func isDuplicate(code int) bool {
	return code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || code == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

// advices say what a result code means for the file, and what to do.
var advices = map[int]string{
	sqlite3.SQLITE_NOTADB:   "is not a database, and was left as it is: move it away, restore a backup, or set UCF_DATA_DIR to another folder",
	sqlite3.SQLITE_CORRUPT:  "is damaged, and was left as it is: keep a copy of it and of the files beside it, then restore a backup",
	sqlite3.SQLITE_FULL:     "could not be written because the disk is full: free some space and try again; nothing that was kept is lost",
	sqlite3.SQLITE_READONLY: "cannot be written: make the file and its folder writable for this user",
	sqlite3.SQLITE_CANTOPEN: "cannot be opened: make the file, its folder and the files beside it readable and writable for this user",
	sqlite3.SQLITE_PERM:     "cannot be opened: make the file and its folder readable and writable for this user",
	sqlite3.SQLITE_IOERR:    "could not be read or written: check that its disk is healthy and not full, then try again",
	sqlite3.SQLITE_NOMEM:    "could not be used because memory ran out: free some and try again",
	sqlite3.SQLITE_PROTOCOL: "could not be locked: check that it is on a local disk, then try again",
	sqlite3.SQLITE_NOLFS:    "is too large for its file system: move it to another one",
}

// unusable is the error of a file or folder that the operating system refuses.
func unusable(path string, err error) error {
	var pe *fs.PathError
	reason := "input/output error"
	if errors.As(err, &pe) {
		reason = pe.Op + " " + pe.Path + ": " + pe.Err.Error()
	}
	return connectors.Wrap(connectors.Unavailable, err,
		"the store %s cannot be used (%s): make its folder readable and writable for this user, or set UCF_DATA_DIR to another one", path, reason)
}

func missing(kind, id string) *connectors.Error {
	return connectors.Errorf(connectors.NotFound, "there is no %s %.100q", kind, id)
}

func stale(kind, id string) *connectors.Error {
	return connectors.Errorf(connectors.Conflict, "the %s %.100q was changed by somebody else meanwhile: read it again and retry", kind, id)
}
