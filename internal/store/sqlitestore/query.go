package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// row is one row of a result.
type row interface{ Scan(dest ...any) error }

// one returns the row of a query. No row is the error none.
func one[T any](ctx context.Context, s *Store, scan func(row) (T, error), none *connectors.Error, query string, args ...any) (T, error) {
	var found T
	err := s.try(ctx, func() error {
		var err error
		found, err = scan(s.db.QueryRowContext(ctx, query, args...))
		if errors.Is(err, sql.ErrNoRows) && none != nil {
			return none
		}
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return found, nil
}

// many returns the rows of a query. They are read whole before the first is returned, so that no read transaction
// outlasts the call.
func many[T any](ctx context.Context, s *Store, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	var found []T
	err := s.try(ctx, func() error {
		found = nil
		rows, err := s.db.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			next, err := scan(rows)
			if err != nil {
				return err
			}
			found = append(found, next)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// write runs one statement, which is one transaction, and returns how many rows it changed.
func (s *Store) write(ctx context.Context, query string, args ...any) (int64, error) {
	if err := s.take(ctx); err != nil {
		return 0, s.coded(ctx, err)
	}
	defer func() { <-s.slot }()
	if err := ctx.Err(); err != nil {
		return 0, s.coded(ctx, err)
	}
	var changed int64
	err := s.try(ctx, func() error {
		// A context that ends while the statement runs would make the driver say so of one that was committed: the caller
		// would take back what the record refers to. Between two attempts it is looked at.
		res, err := s.db.ExecContext(context.WithoutCancel(ctx), query, args...)
		if err != nil {
			return err
		}
		changed, err = res.RowsAffected()
		return err
	})
	return changed, err
}

// take waits for the slot of this process's writers.
func (s *Store) take(ctx context.Context) error {
	limit := time.NewTimer(s.o.busy)
	defer limit.Stop()
	select {
	case s.slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return connectors.Errorf(connectors.Unavailable, "more is being written than the disk of the store %s can take: try again later", s.path)
	}
}

// try runs work, again while the file is locked by another process, until the limit or the end of the context.
func (s *Store) try(ctx context.Context, work func() error) error {
	limit := time.Now().Add(s.o.busy)
	for {
		err := work()
		if !isBusy(err) || ctx.Err() != nil || time.Now().After(limit) {
			return s.coded(ctx, err)
		}
		// SQLite has mostly waited by itself; where it does not, this keeps the loop from spinning.
		pause := time.NewTimer(5 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// record tells a record for messages, and how to look whether it exists.
type record struct {
	kind, id string
	exists   string
	key      []any
}

// update runs a statement that changes the record where its revision is current, and returns the next revision.
func (s *Store) update(ctx context.Context, rec record, revision int64, query string, args ...any) (int64, error) {
	changed, err := s.change(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	if changed == 0 {
		return 0, s.refused(ctx, rec)
	}
	return revision + 1, nil
}

// refused tells why no record had the revision: it is gone, or has another.
func (s *Store) refused(ctx context.Context, rec record) error {
	_, err := one(ctx, s, func(r row) (n int, err error) { return n, r.Scan(&n) }, missing(rec.kind, rec.id), rec.exists, rec.key...)
	if err != nil {
		return err
	}
	return stale(rec.kind, rec.id)
}

// change writes records, and has the log folded into the file once the store rests.
func (s *Store) change(ctx context.Context, query string, args ...any) (int64, error) {
	changed, err := s.write(ctx, query, args...)
	if err == nil && changed > 0 {
		s.rest.Reset(s.o.rest)
	}
	return changed, err
}
