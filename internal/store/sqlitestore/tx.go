package sqlitestore

import (
	"context"
	"database/sql"
)

// tx runs work as one transaction that writes, again from its beginning while the file is locked by another process, and
// has the log folded into the file once the store rests.
func (s *Store) tx(ctx context.Context, work func(ctx context.Context, tx *sql.Tx) error) error {
	if err := s.take(ctx); err != nil {
		return s.coded(ctx, err)
	}
	defer func() { <-s.slot }()
	if err := ctx.Err(); err != nil {
		return s.coded(ctx, err)
	}
	err := s.try(ctx, func() error {
		// As with a single statement: what was committed is not called cancelled.
		inner := context.WithoutCancel(ctx)
		tx, err := s.db.BeginTx(inner, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // nothing after a commit
		if err := work(inner, tx); err != nil {
			return err
		}
		return tx.Commit()
	})
	if err == nil {
		s.rest.Reset(s.o.rest)
	}
	return err
}
