package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// Object ids of PostgreSQL's own types, fixed for ever (src/include/catalog/pg_type.dat).
const (
	oidBool        = 16
	oidBytea       = 17
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidOID         = 26
	oidJSON        = 114
	oidFloat4      = 700
	oidFloat8      = 701
	oidDate        = 1082
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidNumeric     = 1700
	oidJSONB       = 3802
)

// param is one value of a statement, in its text form, with its type.
type param struct {
	oid  uint32
	text []byte
}

// statement is one read with its values. Each of its rows has at least width columns.
type statement struct {
	sql    string
	params []param
	width  int
}

// take receives a row of a statement, counted from 0; fields and row are good until it returns.
type take func(stmt int, fields []pgconn.FieldDescription, row [][]byte) error

const (
	maxTries   = 4
	firstDelay = 100 * time.Millisecond
)

// read runs the statements in one read-only transaction and one round trip. A failure that another try may mend, such
// as a broken connection, is tried up to four times; restart is called before each try and forgets earlier rows.
func (d *Driver) read(ctx context.Context, stmts []statement, restart func(), rows take) error {
	// The server ends statements by itself; this bounds a server or network that fell silent.
	limit := time.Duration(len(stmts))*d.statementTimeout + connectTimeout + cancelGrace
	if d.timeout > 0 {
		limit = min(limit, d.timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, maxTries*limit)
	defer cancel()
	for try, old := 1, true; ; {
		restart()
		reused, err := d.try(ctx, limit, stmts, rows)
		if err == nil {
			return nil
		}
		if try == maxTries || ctx.Err() != nil || !mendable(err) {
			return d.coded(ctx, err)
		}
		if reused && old {
			// It may have died while it was idle, and the others with it, which says nothing about the server.
			d.pool.flush() //nolint:contextcheck // connections are torn down after their user has gone
			old = false
			continue
		}
		if err := pause(ctx, try); err != nil {
			return d.coded(ctx, err)
		}
		try++
	}
}

// pause waits before the next try, twice as long each time, with jitter.
func pause(ctx context.Context, try int) error {
	delay := firstDelay << (try - 1)
	timer := time.NewTimer(time.Duration(float64(delay) * (0.7 + 0.6*rand.Float64())))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Driver) try(ctx context.Context, limit time.Duration, stmts []statement, rows take) (reused bool, err error) {
	ctx, cancel := bound(ctx, d.pool.ctx)
	defer cancel()
	ctx, cancelLimit := context.WithTimeout(ctx, limit)
	defer cancelLimit()
	conn, reused, err := d.pool.acquire(ctx)
	if err != nil {
		return reused, err
	}
	defer d.pool.release(conn) //nolint:contextcheck // a connection is torn down after its user has gone
	if err = d.transaction(ctx, conn, stmts, rows); err != nil && !conn.IsClosed() && conn.TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelGrace)
		defer cancel()
		_ = conn.Exec(ctx, "ROLLBACK").Close()
	}
	return reused, err
}

// begin is written out in full because a role may have other defaults, and serializable is refused by a replica.
const begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"

// preamble is how many statements of a transaction come before the caller's.
const preamble = 2

// transaction sends begin, settings, statements and commit together and takes what comes back.
func (d *Driver) transaction(ctx context.Context, conn *pgconn.PgConn, stmts []statement, rows take) error {
	batch := &pgconn.Batch{}
	batch.ExecParams(begin, nil, nil, nil, nil)
	batch.ExecParams(d.settings(), nil, nil, nil, nil)
	for _, s := range stmts {
		values, oids := make([][]byte, len(s.params)), make([]uint32, len(s.params))
		for i, p := range s.params {
			values[i], oids[i] = p.text, p.oid
		}
		batch.ExecParams(s.sql, values, oids, nil, nil)
	}
	batch.ExecParams("COMMIT", nil, nil, nil, nil)
	results := conn.ExecBatch(ctx, batch)
	failed := takeAll(results, stmts, rows)
	if err := results.Close(); err != nil {
		return err
	}
	return failed
}

// errShape is of a server that sends something else than what it announced, or was asked for.
var errShape = connectors.Errorf(connectors.ProviderError, "the server sent a row of another shape than it was asked for: is it a PostgreSQL?")

// takeAll hands over the rows of the statements. After a failure of the taker the rest is read and dropped.
func takeAll(results *pgconn.MultiResultReader, stmts []statement, rows take) (failed error) {
	for i := -preamble; results.NextResult(); i++ {
		rr := results.ResultReader()
		fields := rr.FieldDescriptions()
		for rr.NextRow() {
			if i < 0 || i >= len(stmts) || failed != nil {
				continue
			}
			row := rr.Values()
			if len(row) != len(fields) || len(row) < stmts[i].width {
				failed = errShape
				continue
			}
			failed = rows(i, fields, row)
		}
		if _, err := rr.Close(); err != nil {
			return errors.Join(failed, err)
		}
	}
	return failed
}

// settings returns the statement that fixes, for the transaction, the timeouts and the text form of values.
func (d *Driver) settings() string {
	set := [][2]string{
		{"statement_timeout", fmt.Sprint(d.statementTimeout.Milliseconds())},
		{"lock_timeout", fmt.Sprint(d.lockTimeout.Milliseconds())},
		{"idle_in_transaction_session_timeout", "10000"},
		{"DateStyle", "ISO, MDY"},
		{"TimeZone", "UTC"},
		{"IntervalStyle", "iso_8601"},
		{"bytea_output", "hex"},
		{"extra_float_digits", "3"},
	}
	calls := make([]string, len(set))
	for i, s := range set {
		calls[i] = "pg_catalog.set_config('" + s[0] + "', '" + s[1] + "', true)"
	}
	return "SELECT " + strings.Join(calls, ", ") + ", " + encodingSQL
}

// encodingSQL asks for UTF-8, but of a database that holds any bytes for what it holds: it refuses to send them as UTF-8.
const encodingSQL = `pg_catalog.set_config('client_encoding',
  CASE WHEN pg_catalog.current_setting('server_encoding') = 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true)`

// text returns a parameter of type text.
func text(s string) param { return param{oidText, []byte(s)} }

// integer returns a parameter of type bigint.
func integer(n int) param { return param{oidInt8, fmt.Append(nil, n)} }
