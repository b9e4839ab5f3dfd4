package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // fills a store faster than its own writes, each of which is durable

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
)

const benchTenant domain.Tenant = "bench"

func benchMeta() domain.Meta {
	now := time.Now().UTC()
	return domain.Meta{Tenant: benchTenant, CreatedAt: now, UpdatedAt: now}
}

// claims measures how many jobs 16 workers claim and end in a second, beside as many workers that only accept jobs: both are
// one durable write, or two.
func (b *bench) claims() error {
	dir, err := os.MkdirTemp(b.dir, "claims-")
	if err != nil {
		return err
	}
	s, err := sqlitestore.Open(b.ctx, filepath.Join(dir, "ucf.db"), nil)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // what was measured is known
	const jobs, workers = 4000, 16
	var next atomic.Int64
	inserts, err := together(workers, func() (bool, error) {
		n := next.Add(1)
		if n > jobs {
			return false, nil
		}
		j := domain.Job{Meta: benchMeta(), ID: fmt.Sprintf("job_%026d", n), ConnectionID: "con_1", Type: domain.SyncJob}
		j.Tenant = domain.Tenant(fmt.Sprint("t", n%50))
		return true, s.CreateJob(b.ctx, j)
	})
	if err != nil {
		return err
	}
	claims, err := together(workers, func() (bool, error) { return claimOne(b.ctx, s) })
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("claiming and ending %d jobs, %d workers", jobs, workers), fmt.Sprintf("%.0f a second", jobs/claims.Seconds()),
		fmt.Sprintf("accepting them %.0f a second", jobs/inserts.Seconds()), fmt.Sprintf("%.2f ×", claims.Seconds()/inserts.Seconds()), "SQLite; two durable writes beside one")
	return nil
}

func claimOne(ctx context.Context, s *sqlitestore.Store) (bool, error) {
	j, err := s.ClaimJob(ctx, store.Claim{Owner: "bench", Term: time.Hour})
	if connectors.CodeOf(err) == connectors.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	j.Status, j.FinishedAt = domain.JobSucceeded, time.Now().UTC()
	return true, s.EndJob(ctx, store.Hold{Tenant: j.Tenant, ID: j.ID, Fence: j.Fence}, j)
}

// together runs work in many goroutines until there is none, and returns how long it took.
func together(workers int, work func() (more bool, err error)) (time.Duration, error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	begin := time.Now()
	for range workers {
		wg.Go(func() {
			for failed.Load() == nil {
				more, err := work()
				if err != nil {
					failed.Store(&err)
				}
				if !more {
					return
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return time.Since(begin), nil
}

// connections measures a page of a listing and the reading of a token among a thousand connections and among a million.
func (b *bench) connections() error {
	few, err := b.readsAmong(1000)
	if err != nil {
		return err
	}
	many, err := b.readsAmong(1_000_000)
	if err != nil {
		return err
	}
	for i, what := range []string{"a page of 50 connections", "reading a token"} {
		b.add(what+", 1,000,000 connections", show(many[i]), "1,000 connections "+show(few[i]), fmt.Sprintf("%.2f ×", many[i].Seconds()/few[i].Seconds()), "SQLite; aim: within 1.50; 500 reads each")
	}
	return nil
}

func (b *bench) readsAmong(n int) ([]time.Duration, error) {
	dir, err := os.MkdirTemp(b.dir, "connections-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "ucf.db")
	s, err := sqlitestore.Open(b.ctx, path, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // what was measured is known
	if err := s.CreateConnection(b.ctx, domain.Connection{Meta: benchMeta(), ID: numbered("con", 0), ConnectorID: "jira", Name: "0", Status: domain.Connected, TokenID: numbered("tok", 0)}); err != nil {
		return nil, err
	}
	if err := s.CreateToken(b.ctx, domain.Token{Meta: benchMeta(), ID: numbered("tok", 0), Kind: "api_key", KeyID: "k", Sealed: "sealed"}); err != nil {
		return nil, err
	}
	if err := b.multiply(path, n); err != nil {
		return nil, err
	}
	list, err := timed(func() error {
		_, err := s.ListConnections(b.ctx, benchTenant, "", store.List{After: numbered("con", rand.IntN(n)), Limit: 50})
		return err
	})
	if err != nil {
		return nil, err
	}
	read, err := timed(func() error {
		_, err := s.Token(b.ctx, benchTenant, numbered("tok", rand.IntN(n)))
		return err
	})
	return []time.Duration{list, read}, err
}

func numbered(prefix string, n int) string { return fmt.Sprintf("%s_%026d", prefix, n) }

// multiply fills the tables with copies of their one row under other ids and names.
func (b *bench) multiply(path string, n int) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // the statements told
	for table, columns := range map[string]string{
		"connections": "tenant, printf('con_%026d', n), revision, created_at, updated_at, connector_id, n, status, reason, auth_method, account, site, config, scopes, printf('tok_%026d', n), last_used_at, operator_host",
		"tokens":      "tenant, printf('tok_%026d', n), revision, created_at, updated_at, kind, key_id, sealed, expires_at, due_at, grant_key, grant_info",
	} {
		_, err := db.ExecContext(b.ctx, fmt.Sprintf("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) INSERT INTO %s SELECT %s FROM %s, c", n-1, table, columns, table))
		if err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	return nil
}

// timed returns the mean time of a read.
func timed(read func() error) (time.Duration, error) {
	const reads = 500
	for range 20 { // what is read first is not in memory yet
		if err := read(); err != nil {
			return 0, err
		}
	}
	begin := time.Now()
	for range reads {
		if err := read(); err != nil {
			return 0, err
		}
	}
	return time.Since(begin) / reads, nil
}
