package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// PutRecords implements [store.Records]. All of it is one transaction: a call that fails has written nothing.
func (s *Store) PutRecords(ctx context.Context, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
	var out []domain.Outcome
	err := s.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		id, published, err := feedHeld(ctx, tx, f)
		if err != nil {
			return err
		}
		p, err := preparePut(ctx, tx, id, published)
		if err != nil {
			return err
		}
		defer p.close()
		out = make([]domain.Outcome, len(rs))
		for i, r := range rs {
			if out[i], err = p.put(ctx, r); err != nil {
				return err
			}
		}
		if p.published == published {
			return nil
		}
		_, err = tx.ExecContext(ctx, "UPDATE feeds SET published = ? WHERE id = ?", p.published, id)
		return err
	})
	return out, err
}

// put writes the records of one transaction.
type put struct {
	feed, published                 int64
	find, insert, change, bury, see *sql.Stmt
}

// The statements of a put.
const (
	findRecord   = "SELECT hash, deleted, container_id FROM records WHERE feed = ? AND kind = ? AND id = ?"
	insertRecord = `INSERT INTO records (feed, kind, id, container_id, item_id, change, deleted, reason, synced_at, hash, value, raw)
		VALUES (?, ?, ?, ?, ?, ?, 0, '', ?, ?, ?, ?)`
	changeRecord = `UPDATE records SET container_id = ?, item_id = ?, change = ?, deleted = 0, reason = '', synced_at = ?, hash = ?, value = ?,
		raw = ? WHERE feed = ? AND kind = ? AND id = ?`
	buryRecord = "UPDATE records SET change = ?, deleted = 1, reason = ?, synced_at = ?, hash = '', value = x'', raw = x'' WHERE feed = ? AND kind = ? AND id = ?"
	seeRecord  = "INSERT INTO record_marks (feed, kind, id, seen) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET seen = max(seen, excluded.seen)"
)

func preparePut(ctx context.Context, tx *sql.Tx, feed, published int64) (*put, error) {
	p := &put{feed: feed, published: published}
	for stmt, text := range map[**sql.Stmt]string{
		&p.find: findRecord, &p.insert: insertRecord, &p.change: changeRecord, &p.bury: buryRecord, &p.see: seeRecord,
	} {
		var err error
		if *stmt, err = tx.PrepareContext(ctx, text); err != nil { //nolint:sqlclosecheck // close closes them
			p.close()
			return nil, err
		}
	}
	return p, nil
}

func (p *put) close() {
	for _, stmt := range []*sql.Stmt{p.find, p.insert, p.change, p.bury, p.see} {
		if stmt != nil {
			_ = stmt.Close()
		}
	}
}

func (p *put) put(ctx context.Context, r domain.Record) (domain.Outcome, error) {
	var is domain.Record
	err := p.find.QueryRowContext(ctx, p.feed, r.Kind, r.ID).Scan(&is.Hash, &is.Deleted, &is.ContainerID)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	if r.Deleted {
		return p.tombstone(ctx, r, is, known)
	}
	if r.Seen > 0 {
		if _, err := p.see.ExecContext(ctx, p.feed, r.Kind, r.ID, r.Seen); err != nil {
			return "", err
		}
	}
	return p.write(ctx, r, is, known)
}

// write writes a record that is not deleted over the one that is stored, if one is.
func (p *put) write(ctx context.Context, r, is domain.Record, known bool) (domain.Outcome, error) {
	var err error
	at := instant(r.SyncedAt)
	switch {
	case known && !is.Deleted && is.Hash == r.Hash:
		return domain.Unchanged, nil
	case known:
		p.published++
		_, err = p.change.ExecContext(ctx, r.ContainerID, r.ItemID, p.published, at, r.Hash, bytesOf(r.Value), bytesOf(r.Raw), p.feed, r.Kind, r.ID)
	default:
		p.published++
		_, err = p.insert.ExecContext(ctx, p.feed, r.Kind, r.ID, r.ContainerID, r.ItemID, p.published, at, r.Hash, bytesOf(r.Value), bytesOf(r.Raw))
	}
	if known && !is.Deleted {
		return domain.Updated, err
	}
	return domain.Created, err
}

func (p *put) tombstone(ctx context.Context, r, is domain.Record, known bool) (domain.Outcome, error) {
	if !known || is.Deleted || r.ContainerID != "" && r.ContainerID != is.ContainerID {
		return domain.Unchanged, nil
	}
	p.published++
	_, err := p.bury.ExecContext(ctx, p.published, r.Reason, instant(r.SyncedAt), p.feed, r.Kind, r.ID)
	return domain.Tombstone, err
}

// bytesOf returns JSON as it is kept: no value is no bytes.
func bytesOf(v json.RawMessage) []byte {
	if v == nil {
		return []byte{}
	}
	return v
}

// MarkRecords implements [store.Records].
func (s *Store) MarkRecords(ctx context.Context, f domain.Feed, kind domain.Kind, ids []string, seen int64) ([]string, error) {
	var absent []string
	err := s.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		absent = nil
		feed, _, err := feedHeld(ctx, tx, f)
		if err != nil {
			return err
		}
		find, err := tx.PrepareContext(ctx, "SELECT 1 FROM records WHERE feed = ? AND kind = ? AND id = ? AND deleted = 0")
		if err != nil {
			return err
		}
		defer find.Close() //nolint:errcheck // it ends with the transaction
		see, err := tx.PrepareContext(ctx, seeRecord)
		if err != nil {
			return err
		}
		defer see.Close() //nolint:errcheck // it ends with the transaction
		for _, id := range ids {
			var one int
			switch err := find.QueryRowContext(ctx, feed, kind, id).Scan(&one); {
			case errors.Is(err, sql.ErrNoRows):
				absent = append(absent, id)
			case err != nil:
				return err
			default:
				if _, err := see.ExecContext(ctx, feed, kind, id, seen); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return absent, err
}

// feedOf is the feed of a connection in a query.
const feedOf = "(SELECT id FROM feeds WHERE tenant = ? AND connection_id = ?)"

const headColumns = "kind, id, container_id, item_id, change, deleted, reason, synced_at, hash"

func headInto(r *domain.Record, more ...any) []any {
	return append([]any{&r.Kind, &r.ID, &r.ContainerID, &r.ItemID, &r.Change, &r.Deleted, &r.Reason, timeInto{&r.SyncedAt}, &r.Hash}, more...)
}

// ListRecords implements [store.Records].
func (s *Store) ListRecords(ctx context.Context, t domain.Tenant, connectionID string, q store.RecordQuery) ([]domain.Record, error) {
	if err := page(store.List{Limit: q.Limit}); err != nil {
		return nil, err
	}
	raw := "x''"
	if q.Raw {
		raw = "raw"
	}
	query := "SELECT " + headColumns + ", value, " + raw + " FROM records WHERE feed = " + feedOf + " AND change > ? AND change <= ?"
	args := []any{t, connectionID, q.After, q.UpTo}
	if q.Kind != "" {
		query, args = query+" AND kind = ?", append(args, q.Kind)
	}
	if q.ContainerID != "" {
		// The plus keeps the order of changes: without it a big container would be sorted whole for each page.
		query, args = query+" AND +container_id = ?", append(args, q.ContainerID)
	}
	return many(ctx, s, scanRecord, query+" ORDER BY change LIMIT ?", append(args, q.Limit)...)
}

func scanRecord(r row) (rec domain.Record, err error) {
	var value, raw []byte
	err = r.Scan(headInto(&rec, &value, &raw)...)
	if len(value) > 0 {
		rec.Value = value
	}
	if len(raw) > 0 {
		rec.Raw = raw
	}
	return rec, err
}

// found returns the tables and conditions of a [store.RecordFind].
func found(t domain.Tenant, connectionID string, q store.RecordFind) (string, []any) {
	text, args := " FROM records AS r WHERE r.feed = "+feedOf+" AND r.kind = ? AND r.deleted = 0", []any{t, connectionID, q.Kind}
	if q.ContainerID != "" {
		text, args = text+" AND r.container_id = ?", append(args, q.ContainerID)
	}
	if q.ItemID != "" {
		text, args = text+" AND r.item_id = ? AND r.item_id <> ''", append(args, q.ItemID)
	}
	if q.SeenBelow > 0 {
		text += " AND coalesce((SELECT seen FROM record_marks AS m WHERE m.feed = r.feed AND m.kind = r.kind AND m.id = r.id), 0) < ?"
		args = append(args, q.SeenBelow)
	}
	return text, args
}

// FindRecords implements [store.Records].
func (s *Store) FindRecords(ctx context.Context, t domain.Tenant, connectionID string, q store.RecordFind, l store.List) ([]domain.Record, error) {
	if err := page(l); err != nil {
		return nil, err
	}
	text, args := found(t, connectionID, q)
	scan := func(r row) (rec domain.Record, err error) { return rec, r.Scan(headInto(&rec, &rec.Seen)...) }
	return many(ctx, s, scan, "SELECT "+headColumns+", coalesce((SELECT seen FROM record_marks AS m WHERE m.feed = r.feed AND m.kind = r.kind AND m.id = r.id), 0)"+
		text+" AND r.id > ? ORDER BY r.id LIMIT ?", append(args, l.After, l.Limit)...)
}

// CountRecords implements [store.Records].
func (s *Store) CountRecords(ctx context.Context, t domain.Tenant, connectionID string, q store.RecordFind) (int, error) {
	text, args := found(t, connectionID, q)
	return one(ctx, s, func(r row) (n int, err error) { return n, r.Scan(&n) }, nil, "SELECT count(*)"+text, args...)
}
