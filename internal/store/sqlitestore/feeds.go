package sqlitestore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

const feedColumns = "tenant, connection_id, epoch, published, oldest, fence, owner"

func scanFeed(r row) (f domain.Feed, err error) {
	return f, r.Scan(&f.Tenant, &f.ConnectionID, &f.Epoch, &f.Published, &f.Oldest, &f.Fence, &f.Owner)
}

// TakeFeed implements [store.Records]. Nothing that a dead holder wrote is unpublished here: records and their numbers are
// written in one transaction with Published.
func (s *Store) TakeFeed(ctx context.Context, t domain.Tenant, connectionID, owner string, term time.Duration) (domain.Feed, error) {
	var f domain.Feed
	err := s.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO feeds ("+feedColumns+") VALUES (?, ?, ?, 0, 0, 0, '')", t, connectionID, rand.Text())
		if err != nil {
			return err
		}
		now := time.Now()
		f, err = scanFeed(tx.QueryRowContext(ctx, `UPDATE feeds SET fence = fence + 1, owner = ?1, lease_until = ?2
			WHERE tenant = ?3 AND connection_id = ?4 AND (owner IN ('', ?1) OR lease_until < ?5) RETURNING `+feedColumns,
			owner, instant(now.Add(term)), t, connectionID, instant(now)))
		if errors.Is(err, sql.ErrNoRows) {
			e := connectors.Errorf(connectors.Conflict, "the records of %s are being written by somebody else", connectionID)
			e.RetryAfter = time.Second
			return e
		}
		return err
	})
	return f, err
}

// leased is the condition that a feed is held as f says.
const leased = " WHERE tenant = ? AND connection_id = ? AND fence = ? AND epoch = ? AND owner <> ''"

func leaseOf(f domain.Feed) []any { return []any{f.Tenant, f.ConnectionID, f.Fence, f.Epoch} }

// KeepFeed implements [store.Records].
func (s *Store) KeepFeed(ctx context.Context, f domain.Feed, term time.Duration) error {
	n, err := s.change(ctx, "UPDATE feeds SET lease_until = ?"+leased, append([]any{instant(time.Now().Add(term))}, leaseOf(f)...)...)
	if err == nil && n == 0 {
		return lost("feed", f.ConnectionID)
	}
	return err
}

// ReleaseFeed implements [store.Records].
func (s *Store) ReleaseFeed(ctx context.Context, f domain.Feed) error {
	_, err := s.change(ctx, "UPDATE feeds SET owner = '', lease_until = NULL"+leased, leaseOf(f)...)
	return err
}

// Feed implements [store.Records].
func (s *Store) Feed(ctx context.Context, t domain.Tenant, connectionID string) (domain.Feed, error) {
	none := missing("feed of", connectionID)
	f, err := one(ctx, s, scanFeed, none, "SELECT "+feedColumns+" FROM feeds WHERE tenant = ? AND connection_id = ?", t, connectionID)
	if errors.Is(err, none) {
		return domain.Feed{Tenant: t, ConnectionID: connectionID}, nil
	}
	return f, err
}

// feedHeld returns the number of the feed that f holds, and how far it is published.
func feedHeld(ctx context.Context, tx *sql.Tx, f domain.Feed) (id, published int64, err error) {
	err = tx.QueryRowContext(ctx, "SELECT id, published FROM feeds"+leased, leaseOf(f)...).Scan(&id, &published)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, lost("feed", f.ConnectionID)
	}
	return id, published, err
}

// SweepTombstones implements [store.Records].
func (s *Store) SweepTombstones(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	err := s.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const old = "SELECT rowid FROM records WHERE deleted = 1 AND synced_at < ? ORDER BY synced_at LIMIT ?"
		_, err := tx.ExecContext(ctx, `UPDATE feeds SET oldest = max(oldest, gone.change)
			FROM (SELECT feed, max(change) AS change FROM records WHERE rowid IN (`+old+`) GROUP BY feed) AS gone WHERE feeds.id = gone.feed`,
			instant(before), limit)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, "DELETE FROM records WHERE rowid IN ("+old+")", instant(before), limit)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return int(n), err
}

// DropFeed implements [store.Records].
func (s *Store) DropFeed(ctx context.Context, t domain.Tenant, connectionID string, limit int) (int, error) {
	var n int64
	err := s.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n = 0
		var id int64
		err := tx.QueryRowContext(ctx, `UPDATE feeds SET fence = fence + 1, owner = '', lease_until = NULL, epoch = ?
			WHERE tenant = ? AND connection_id = ? RETURNING id`, rand.Text(), t, connectionID).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, "DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE feed = ? LIMIT ?)", id, limit)
		if err != nil {
			return err
		}
		if n, err = res.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return dropHead(ctx, tx, id)
	})
	return int(n), err
}

// dropHead removes what is left of a feed without records.
func dropHead(ctx context.Context, tx *sql.Tx, id int64) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM record_marks WHERE feed = ?", id); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM feeds WHERE id = ?", id)
	return err
}

// NewEpochs implements [store.Records].
func (s *Store) NewEpochs(ctx context.Context) error {
	_, err := s.change(ctx, "UPDATE feeds SET epoch = ? || '-' || id", rand.Text())
	return err
}
