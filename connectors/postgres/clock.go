package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// A transaction stamps what it writes with its beginning and shows it at its end, so that what is stamped before the server's
// time may still come: the time told is no later than the beginning of any transaction that runs beside this one. Where a
// beginning is not told it is taken to be [unsureSQL] ago: those of other roles, of which only a member of pg_read_all_stats
// is told; prepared ones, which are known by when they were prepared; and those of a replica's primary, of which it knows
// nothing.
const (
	unsureSQL = "INTERVAL '1 hour'"

	beganSQL = `
SELECT pg_catalog.min(a.xact_start)
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.backend_type IS DISTINCT FROM 'autovacuum worker'`

	// Everybody is told which sessions there are and which of them are in a transaction: those hold a lock on its number.
	hiddenSQL = `
SELECT pg_catalog.now() - ` + unsureSQL + `
  FROM pg_catalog.pg_stat_activity a
  JOIN pg_catalog.pg_locks l ON l.pid = a.pid AND l.locktype = 'virtualxid' AND l.granted AND l.mode = 'ExclusiveLock'
 WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
   AND (a.state IS NULL OR a.state = 'disabled') AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
 LIMIT 1`

	preparedSQL = `
SELECT pg_catalog.min(p.prepared) - ` + unsureSQL + `
  FROM pg_catalog.pg_prepared_xacts p
 WHERE p.database = pg_catalog.current_database()`

	replaySQL = `
CASE WHEN pg_catalog.pg_is_in_recovery()
     THEN COALESCE(pg_catalog.pg_last_xact_replay_timestamp(), pg_catalog.now()) - ` + unsureSQL + ` END`
)

// timeSQL begins with the time of its own transaction, which is earlier than its look at the others.
var timeSQL = "SELECT " + inUTC("LEAST(pg_catalog.now(), ("+beganSQL+"), ("+hiddenSQL+"), ("+preparedSQL+"), "+replaySQL+")")

// darkTimeSQL is the time for an account that may not look at all.
var darkTimeSQL = "SELECT " + inUTC("LEAST(pg_catalog.now() - "+unsureSQL+", "+replaySQL+")")

func inUTC(timestamp string) string {
	return "pg_catalog.to_char(" + timestamp + ` AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
}

// SystemTime implements [connectors.Timekeeper]: what changes and is not seen yet is stamped later.
func (d *Driver) SystemTime(ctx context.Context) (time.Time, error) {
	at, err := d.timeBy(ctx, timeSQL)
	if connectors.IsDenied(err) {
		return d.timeBy(ctx, darkTimeSQL)
	}
	return at, err
}

func (d *Driver) timeBy(ctx context.Context, sql string) (time.Time, error) {
	var text string
	err := d.read(ctx, []statement{{sql: sql, width: 1}}, func() { text = "" }, func(_ int, _ []pgconn.FieldDescription, row [][]byte) error {
		text = string(row[0])
		return nil
	})
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, connectors.Wrap(connectors.ProviderError, err, "PostgreSQL told no time")
	}
	return at, nil
}
