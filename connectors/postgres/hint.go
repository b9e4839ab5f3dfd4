package postgres

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

const (
	// keepAlive is how long a session that listens may be silent before it is asked whether it still does.
	keepAlive = 30 * time.Second
	// answerTime is how long the answer may take; a dead connection is noticed within both together.
	answerTime = 10 * time.Second
)

// WatchHints listens to the channel of notify_channel in a session of its own, beside the pool. PostgreSQL keeps no
// notice for whoever does not listen: what was sent before the first, empty hint, or after the return, is lost. It
// returns the reason: [connectors.ProviderError] for a connection that broke, and whoever wants more hints calls again.
func (d *Driver) WatchHints(ctx context.Context, notify func(connectors.Hint)) error {
	if d.channel == "" {
		return connectors.Errorf(connectors.Unsupported, "PostgreSQL tells of changes only where notify_channel names the channel of a NOTIFY")
	}
	ctx, cancel := bound(ctx, d.pool.ctx)
	defer cancel()
	err := d.watch(ctx, notify)
	if ctx.Err() != nil && d.pool.ctx.Err() == nil {
		return connectors.AsError(ctx.Err())
	}
	if sqlState(err) == stateReadOnly {
		return connectors.Wrap(connectors.Unsupported, cause(err), "PostgreSQL at %s is a replica, which hears no NOTIFY; connect to the primary for hints", d.address())
	}
	return d.coded(ctx, err)
}

// watch listens until the context or the session ends, and returns why.
func (d *Driver) watch(ctx context.Context, notify func(connectors.Hint)) error {
	var heard []connectors.Hint
	conn, err := d.login(ctx, func(_ *pgconn.PgConn, n *pgconn.Notification) {
		if n.Channel == d.channel {
			heard = append(heard, hintOf(n.Payload))
		}
	})
	if err != nil {
		return err
	}
	defer d.pool.discard(conn) //nolint:contextcheck // a connection is torn down after its user has gone
	if err := d.listen(ctx, conn); err != nil {
		return err
	}
	notify(connectors.Hint{})
	for {
		for _, h := range heard {
			notify(h)
		}
		heard = heard[:0]
		if err := d.await(ctx, conn); err != nil {
			return err
		}
	}
}

func (d *Driver) login(ctx context.Context, onNotice pgconn.NotificationHandler) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return d.pool.dedicated(ctx, onNotice)
}

func (d *Driver) listen(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(ctx, d.answerTime)
	defer cancel()
	return conn.Exec(ctx, "LISTEN "+pgx.Identifier{d.channel}.Sanitize()).Close()
}

// await returns when a notice came, or when the session has shown that it still listens.
func (d *Driver) await(ctx context.Context, conn *pgconn.PgConn) error {
	quiet, cancel := context.WithTimeout(ctx, d.keepAlive)
	defer cancel()
	err := conn.WaitForNotification(quiet)
	if err == nil || ctx.Err() != nil || quiet.Err() == nil || conn.IsClosed() {
		return err
	}
	return d.stillListens(ctx, conn)
}

// errNotListening is of a pooler that hands out another server connection for each transaction.
var errNotListening = connectors.Errorf(connectors.Unsupported,
	"the session does not listen any more, as behind a pooler that hands out a server connection per transaction; connect to PostgreSQL itself, or to a pool that keeps sessions")

// stillListens asks the server whether this session listens.
func (d *Driver) stillListens(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(ctx, d.answerTime)
	defer cancel()
	const sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_listening_channels() AS c WHERE c = $1)"
	result := conn.ExecParams(ctx, sql, [][]byte{[]byte(d.channel)}, []uint32{oidText}, nil, nil).Read()
	switch {
	case result.Err != nil:
		return result.Err
	case len(result.Rows) != 1 || len(result.Rows[0]) != 1:
		return errShape
	case !isTrue(result.Rows[0][0]):
		return errNotListening
	}
	return nil
}

// hintOf reads a notice: schema.table as in a container's id, or a JSON object with it as "table", or with "schema"
// and "table" apart, as to_json(ROW…) and triggers write them. Anything else may be about any table.
func hintOf(payload string) connectors.Hint {
	payload = strings.TrimSpace(payload)
	if !strings.HasPrefix(payload, "{") {
		return hintFor(payload)
	}
	var named struct{ Schema, Table string }
	if err := json.Unmarshal([]byte(payload), &named); err != nil {
		return connectors.Hint{}
	}
	if named.Schema != "" && named.Table != "" {
		return connectors.Hint{ContainerID: tableName{named.Schema, named.Table}.String()}
	}
	return hintFor(named.Table)
}

func hintFor(id string) connectors.Hint {
	name, err := parseTableName(id)
	if err != nil {
		return connectors.Hint{}
	}
	return connectors.Hint{ContainerID: name.String()}
}
