package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// timeSQL returns the server's time, or when the oldest transaction began that runs beside this one: what it writes is
// stamped with its beginning and seen at its end. Of other roles' transactions only a member of pg_read_all_stats is told.
const timeSQL = `
SELECT pg_catalog.to_char(LEAST(pg_catalog.clock_timestamp(), pg_catalog.min(a.xact_start)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()`

// SystemTime implements [connectors.Timekeeper].
func (d *Driver) SystemTime(ctx context.Context) (time.Time, error) {
	var text string
	err := d.read(ctx, []statement{{sql: timeSQL, width: 1}}, func() { text = "" }, func(_ int, _ []pgconn.FieldDescription, row [][]byte) error {
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
