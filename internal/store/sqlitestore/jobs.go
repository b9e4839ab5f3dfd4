package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const jobColumns = metaColumns + `id, connector_id, connection_id, type, params, idempotency_key, status, not_before, attempts,
	takeovers, fence, owner, cancel_requested, state, error, started_at, finished_at`

func scanJob(r row) (j domain.Job, err error) {
	return j, r.Scan(metaInto(&j.Meta, &j.ID, &j.ConnectorID, &j.ConnectionID, &j.Type, jsonInto{&j.Params}, &j.IdempotencyKey,
		&j.Status, timeInto{&j.NotBefore}, &j.Attempts, &j.Takeovers, &j.Fence, &j.Owner, &j.CancelRequested, jsonInto{&j.JobState},
		jsonInto{&j.Error}, timeInto{&j.StartedAt}, timeInto{&j.FinishedAt})...)
}

// CreateJob implements [store.Jobs].
func (s *Store) CreateJob(ctx context.Context, j domain.Job) error {
	const insert = "INSERT INTO jobs (" + jobColumns + `, turn) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, 0, 0, '', 0, ?, ?, NULL, NULL,
		max(coalesce((SELECT turn FROM jobs WHERE status = 'queued' AND (not_before IS NULL OR not_before <= ?) ORDER BY turn LIMIT 1), 0),
			coalesce((SELECT max(turn) + 1 FROM jobs WHERE status = 'queued' AND tenant = ?), 0)))`
	_, err := s.change(ctx, insert, j.Tenant, instant(j.CreatedAt), instant(j.UpdatedAt), j.ID, j.ConnectorID, j.ConnectionID,
		j.Type, document{j.Params}, j.IdempotencyKey, instant(j.NotBefore), j.Attempts, document{j.JobState}, document{j.Error},
		instant(time.Now()), j.Tenant)
	switch resultCode(err) {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return connectors.Wrap(connectors.Conflict, err, "there is a job of the idempotency key %.100q already", j.IdempotencyKey)
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return connectors.Wrap(connectors.Conflict, err, "there is a job %.100q already", j.ID)
	}
	return err
}

// Job implements [store.Jobs].
func (s *Store) Job(ctx context.Context, t domain.Tenant, id string) (domain.Job, error) {
	return one(ctx, s, scanJob, missing("job", id), "SELECT "+jobColumns+" FROM jobs WHERE tenant = ? AND id = ?", t, id)
}

// JobOfKey implements [store.Jobs].
func (s *Store) JobOfKey(ctx context.Context, t domain.Tenant, key string) (domain.Job, error) {
	return one(ctx, s, scanJob, missing("job of the idempotency key", key),
		"SELECT "+jobColumns+" FROM jobs WHERE tenant = ? AND idempotency_key = ? AND idempotency_key <> ''", t, key)
}

// ListJobs implements [store.Jobs].
func (s *Store) ListJobs(ctx context.Context, t domain.Tenant, f store.JobFilter, l store.List) ([]domain.Job, error) {
	if err := page(l); err != nil {
		return nil, err
	}
	query, args := "SELECT "+jobColumns+" FROM jobs WHERE tenant = ?", []any{t}
	add := func(condition string, arg string) {
		if arg != "" {
			query, args = query+" AND "+condition, append(args, arg)
		}
	}
	add("connection_id = ?", f.ConnectionID)
	add("status = ?", string(f.Status))
	add("id < ?", l.After)
	return many(ctx, s, scanJob, query+" ORDER BY id DESC LIMIT ?", append(args, l.Limit)...)
}

// CountJobs implements [store.Jobs].
func (s *Store) CountJobs(ctx context.Context, t domain.Tenant) (queued, running int, err error) {
	type counts struct{ queued, running int }
	n, err := one(ctx, s, func(r row) (c counts, err error) { return c, r.Scan(&c.queued, &c.running) }, nil,
		`SELECT (SELECT count(*) FROM jobs WHERE tenant = ? AND status = 'queued'),
			(SELECT count(*) FROM jobs WHERE tenant = ? AND status = 'running')`, t, t)
	return n.queued, n.running, err
}

// ClaimJob implements [store.Jobs]. This machine's clock is the store's: whoever shares the file shares it.
func (s *Store) ClaimJob(ctx context.Context, c store.Claim) (domain.Job, error) {
	none := missing("job to", "claim")
	if _, err := one(ctx, s, scanRowID, none, claimable(c), claimArgs(c, time.Now())...); err != nil {
		return domain.Job{}, err // without asking for the lock of writers, which an idle worker would do every second
	}
	var claimed domain.Job
	err := s.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now := time.Now()
		id, err := scanRowID(tx.QueryRowContext(ctx, claimable(c), claimArgs(c, now)...))
		if errors.Is(err, sql.ErrNoRows) {
			return none
		}
		if err != nil {
			return err
		}
		claimed, err = scanJob(tx.QueryRowContext(ctx, `UPDATE jobs SET takeovers = takeovers + (status = 'running'), status = 'running',
			revision = revision + 1, updated_at = ?, fence = fence + 1, owner = ?, lease_until = ?, started_at = coalesce(started_at, ?)
			WHERE rowid = ? RETURNING `+jobColumns, instant(now), c.Owner, instant(now.Add(c.Term)), instant(now), id))
		return err
	})
	return claimed, err
}

func scanRowID(r row) (id int64, err error) { return id, r.Scan(&id) }

// claimable is the query for the job that a claim gets: one whose worker died before one that waits.
func claimable(c store.Claim) string {
	named := ""
	if c.ID != "" {
		named = " AND tenant = ? AND id = ?"
	}
	return `SELECT rowid FROM (SELECT rowid FROM jobs WHERE status = 'running' AND lease_until < ?` + named +
		` ORDER BY lease_until LIMIT 1)
		UNION ALL SELECT rowid FROM (SELECT rowid FROM jobs WHERE status = 'queued' AND (not_before IS NULL OR not_before <= ?)` + named + `
			AND (? = 0 OR type = 'probe' OR NOT EXISTS (SELECT 1 FROM jobs AS r
				WHERE r.status = 'running' AND r.type <> 'probe' AND r.tenant = jobs.tenant AND r.connection_id = jobs.connection_id))
			AND (? = 0 OR tenant NOT IN (SELECT tenant FROM jobs WHERE status = 'running' GROUP BY tenant HAVING count(*) >= ?))
			ORDER BY turn, id LIMIT 1) LIMIT 1`
}

func claimArgs(c store.Claim, now time.Time) []any {
	args := []any{instant(now)}
	if c.ID != "" {
		args = append(args, c.Tenant, c.ID)
	}
	args = append(args, instant(now))
	if c.ID != "" {
		args = append(args, c.Tenant, c.ID)
	}
	return append(args, c.Exclusive, c.PerTenant, c.PerTenant)
}

// lost is the error of a holder whose claim another has, or who holds none.
func lost(kind, id string) *connectors.Error {
	return connectors.Errorf(connectors.Conflict, "the claim of the %s %.100q is held by somebody else, or by nobody", kind, id)
}

// held runs a statement on a job that the caller holds and returns the job.
func (s *Store) held(ctx context.Context, h store.Hold, set string, args ...any) (domain.Job, error) {
	var j domain.Job
	err := s.tx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		j, err = scanJob(tx.QueryRowContext(ctx, "UPDATE jobs SET revision = revision + 1, updated_at = ?, "+set+
			" WHERE tenant = ? AND id = ? AND fence = ? AND status = 'running' RETURNING "+jobColumns,
			append(append([]any{instant(time.Now())}, args...), h.Tenant, h.ID, h.Fence)...))
		if errors.Is(err, sql.ErrNoRows) {
			return lost("job", h.ID)
		}
		return err
	})
	return j, err
}

// BeatJob implements [store.Jobs].
func (s *Store) BeatJob(ctx context.Context, h store.Hold, term time.Duration, st *domain.JobState) (domain.Job, error) {
	until := instant(time.Now().Add(term))
	if st == nil {
		return s.held(ctx, h, "lease_until = ?", until)
	}
	return s.held(ctx, h, "lease_until = ?, state = ?", until, document{st})
}

// EndJob implements [store.Jobs].
func (s *Store) EndJob(ctx context.Context, h store.Hold, j domain.Job) error {
	_, err := s.held(ctx, h, "owner = '', lease_until = NULL, status = ?, not_before = ?, attempts = ?, state = ?, error = ?, finished_at = ?",
		j.Status, instant(j.NotBefore), j.Attempts, document{j.JobState}, document{j.Error}, instant(j.FinishedAt))
	if connectors.CodeOf(err) != connectors.Conflict {
		return err
	}
	is, gerr := s.Job(ctx, h.Tenant, h.ID)
	if gerr == nil && is.Fence == h.Fence && is.Status == j.Status && is.FinishedAt.Equal(j.FinishedAt) && is.NotBefore.Equal(j.NotBefore) {
		return nil
	}
	return err
}

// CancelJob implements [store.Jobs].
func (s *Store) CancelJob(ctx context.Context, t domain.Tenant, id string, at time.Time) (domain.Job, error) {
	var j domain.Job
	err := s.tx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		j, err = scanJob(tx.QueryRowContext(ctx, `UPDATE jobs SET revision = revision + 1, updated_at = ?2, cancel_requested = 1,
			finished_at = iif(status = 'queued' OR lease_until < ?1, ?2, NULL), owner = iif(lease_until < ?1, '', owner),
			status = iif(status = 'queued' OR lease_until < ?1, 'canceled', status)
			WHERE tenant = ?3 AND id = ?4 AND status IN ('queued', 'running') RETURNING `+jobColumns, instant(time.Now()), instant(at), t, id))
		return err
	})
	if !errors.Is(err, sql.ErrNoRows) {
		return j, err
	}
	if j, err = s.Job(ctx, t, id); err != nil {
		return j, err
	}
	return j, connectors.Errorf(connectors.Conflict, "the job %s is %s already", id, j.Status)
}

// SweepJobs implements [store.Jobs].
func (s *Store) SweepJobs(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := s.change(ctx, "DELETE FROM jobs WHERE rowid IN (SELECT rowid FROM jobs WHERE finished_at < ? LIMIT ?)", instant(before), limit)
	return int(n), err
}
