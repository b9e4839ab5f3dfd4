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
	oidOIDs        = 1028 // an array of oid
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
	fields func([]pgconn.FieldDescription) error // takes the columns of its result, rows or not; may be nil
}

// take receives a row of a statement, counted from 0; fields and row are good until it returns.
type take func(stmt int, fields []pgconn.FieldDescription, row [][]byte) error

const (
	maxTries   = 4
	firstDelay = 100 * time.Millisecond
)

// work is what one read-only transaction does, in one round trip.
type work struct {
	stmts   []statement
	restart func() // forgets the rows of an earlier try
	rows    take
	// foreign says that the statements hold SQL of a user's: what it changed of the session does not outlive it.
	foreign bool
}

// read runs statements of this package in one read-only transaction. A failure that another try may mend, such as a
// broken connection, is tried up to four times; restart is called before each try and forgets earlier rows.
func (d *Driver) read(ctx context.Context, stmts []statement, restart func(), rows take) error {
	err := d.do(ctx, work{stmts: stmts, restart: restart, rows: rows})
	if err != nil {
		return d.coded(ctx, err)
	}
	return nil
}

// do is read for any work. Its error is as it came, for the caller to code.
func (d *Driver) do(ctx context.Context, w work) error {
	// The server ends statements by itself; this bounds a server or network that fell silent.
	limit := time.Duration(len(w.stmts))*d.statementTimeout + connectTimeout + cancelGrace
	if d.timeout > 0 {
		limit = min(limit, d.timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, maxTries*limit)
	defer cancel()
	for try, old := 1, true; ; {
		w.restart()
		reused, err := d.try(ctx, limit, w)
		if err == nil {
			return nil
		}
		if try == maxTries || ctx.Err() != nil || !mendable(err) {
			return outcome(ctx, err)
		}
		if reused && old {
			// It may have died while it was idle, and the others with it, which says nothing about the server.
			d.pool.flush() //nolint:contextcheck // connections are torn down after their user has gone
			old = false
			continue
		}
		if err := pause(ctx, d.firstDelay<<(try-1)); err != nil {
			return err
		}
		try++
	}
}

// outcome is the error of work: why its context ended, if it did.
func outcome(ctx context.Context, err error) error {
	var ours *connectors.Error
	if !errors.As(err, &ours) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// pause waits before the next try, with jitter.
func pause(ctx context.Context, delay time.Duration) error {
	timer := time.NewTimer(time.Duration(float64(delay) * (0.7 + 0.6*rand.Float64())))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Driver) try(ctx context.Context, limit time.Duration, w work) (reused bool, err error) {
	ctx, cancel := bound(ctx, d.pool.ctx)
	defer cancel()
	ctx, cancelLimit := context.WithTimeout(ctx, limit)
	defer cancelLimit()
	conn, reused, err := d.pool.acquire(ctx)
	if err != nil {
		return reused, err
	}
	defer d.pool.release(conn) //nolint:contextcheck // a connection is torn down after its user has gone
	if err = d.transaction(ctx, conn, w); err != nil && !conn.IsClosed() && conn.TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelGrace)
		defer cancel()
		_ = conn.Exec(ctx, w.undo()).Close()
	}
	return reused, err
}

// begin is written out in full because a role may have other defaults, and serializable is refused by a replica.
const begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"

// unlock frees what a rollback does not: advisory locks of the session, which a pooler would hand to others.
const unlock = "SELECT pg_catalog.pg_advisory_unlock_all()"

// undo returns what ends a transaction that failed. It is one message, so that a pooler keeps to one server connection.
func (w work) undo() string {
	if w.foreign {
		return "ROLLBACK; " + unlock
	}
	return "ROLLBACK"
}

// batch returns begin, settings, statements and the end as one message, and which statement each of its parts is; -1
// is none of them.
func (d *Driver) batch(w work) (*pgconn.Batch, []int) {
	batch, of := &pgconn.Batch{}, []int{}
	own := func(sql string) {
		batch.ExecParams(sql, nil, nil, nil, nil)
		of = append(of, -1)
	}
	own(begin)
	for i, s := range w.stmts {
		if i == 0 || w.foreign {
			own(d.settings()) // a user's SQL may have changed them
		}
		values, oids := make([][]byte, len(s.params)), make([]uint32, len(s.params))
		for i, p := range s.params {
			values[i], oids[i] = p.text, p.oid
		}
		batch.ExecParams(s.sql, values, oids, nil, nil)
		of = append(of, i)
	}
	if !w.foreign {
		own("COMMIT")
		return batch, of
	}
	// A rollback takes back what set_config changed, and notices that were to be sent.
	own(unlock)
	own("ROLLBACK")
	return batch, of
}

// transaction sends everything together and takes what comes back.
func (d *Driver) transaction(ctx context.Context, conn *pgconn.PgConn, w work) error {
	batch, of := d.batch(w)
	results := conn.ExecBatch(ctx, batch)
	failed := takeAll(results, of, w)
	if err := results.Close(); err != nil {
		return err
	}
	return failed
}

// errShape is of a server that sends something else than what it announced, or was asked for.
var errShape = connectors.Errorf(connectors.ProviderError, "the server sent a row of another shape than it was asked for: is it a PostgreSQL?")

// errCount is of a connection that lost or doubled rows.
var errCount = connectors.Errorf(connectors.ProviderError, "the server says that it sent another number of rows than came; try again, and look at what stands between here and it")

// takeAll hands over the rows of the statements, of which of tells what part of the answer is whose. After a failure of
// the taker the rest is read and dropped.
func takeAll(results *pgconn.MultiResultReader, of []int, w work) (failed error) {
	part := 0
	for ; results.NextResult(); part++ {
		i := -1
		if part < len(of) {
			i = of[part]
		}
		var err error
		if failed, err = takePart(results.ResultReader(), i, w, failed); err != nil {
			return errors.Join(failed, err)
		}
	}
	if failed == nil && part != len(of) {
		return errShape // or the failure that closing the results tells
	}
	return failed
}

// takePart hands over the rows of statement i, -1 for none, unless the work has failed. It returns what failed by now,
// and the server's own failure.
func takePart(rr *pgconn.ResultReader, i int, w work, failed error) (now, err error) {
	fields := rr.FieldDescriptions()
	if i >= 0 && failed == nil && w.stmts[i].fields != nil {
		failed = w.stmts[i].fields(fields)
	}
	rows := int64(0)
	for ; rr.NextRow(); rows++ {
		if i >= 0 && failed == nil {
			failed = w.takeRow(i, fields, rr.Values())
		}
	}
	tag, err := rr.Close()
	if err == nil && failed == nil && tag.Select() && tag.RowsAffected() != rows {
		failed = errCount
	}
	return failed, err
}

func (w work) takeRow(i int, fields []pgconn.FieldDescription, row [][]byte) error {
	if len(row) != len(fields) || len(row) < w.stmts[i].width {
		return errShape
	}
	return w.rows(i, fields, row)
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
		{"standard_conforming_strings", "on"},
		{"synchronize_seqscans", "off"}, // else two scans of a table that rests give its rows in two orders
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
