// Package postgres connects PostgreSQL: its tables and views are containers, their rows are items, and so are the rows
// of a user's query.
//
// Every statement runs in a READ ONLY transaction with statement, lock and idle timeouts that are set inside the
// transaction, so that it works through a pooler that hands out a server connection per transaction. Nothing but the
// checked fields of the configuration decides where and how to connect: no PG* environment, password file, service
// file, socket or fallback to plaintext.
package postgres

import (
	"context"
	_ "embed"
	"net"
	"strconv"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

//go:embed help.md
var help string

// Definition describes the PostgreSQL connector.
var Definition = connectors.Definition{
	ID:      "postgres",
	Name:    "PostgreSQL",
	Group:   connectors.GroupDB,
	Summary: "Tables, partitioned and foreign tables, views and materialised views of a PostgreSQL database, and their rows.",
	Help:    help,

	LocalItemIDs: true,

	Fields: fields,
	Auth: []connectors.AuthMethod{{
		ID: "password", Name: "User and password", Scheme: connectors.SchemeDriver, User: "user", Secret: "password",
		Help: "A role of the database that may only read; the page of this connector shows how to make one.",
	}},

	Container: "table",
	Item:      "row",
	Filters:   []string{connectors.CapUpdatedAfter, connectors.CapQuery},

	PerContainer: true,

	Expand: expand,
	Driver: (*Driver)(nil),
	New:    newDriver,
}

var (
	_ connectors.ContainerLister = (*Driver)(nil)
	_ connectors.ItemLister      = (*Driver)(nil)
	_ connectors.IDLister        = (*Driver)(nil)
	_ connectors.AbsenceResolver = (*Driver)(nil)
	_ connectors.Estimator       = (*Driver)(nil)
	_ connectors.ChangeHinter    = (*Driver)(nil)
)

// lockTimeout is how long a statement waits for a table that another session has locked.
const lockTimeout = 5 * time.Second

// Driver reads one PostgreSQL database. It holds up to four connections, opened when first needed; Close ends them.
type Driver struct {
	pool    *pool
	changes changeColumns
	// channel is what hints of changes come on; empty for none.
	channel               string
	keepAlive, answerTime time.Duration
	// queryKey names columns that tell the rows of a query apart.
	queryKey []string
	tables   cache[tableName, *relation]
	results  cache[string, *result] // by the text of the query

	host, port, database, user string
	sslmode                    string
	statementTimeout           time.Duration
	lockTimeout                time.Duration
	timeout                    time.Duration // of one try, zero for none beside those
	firstDelay                 time.Duration // before the second try
}

// New builds the driver from its configuration; it opens no connection.
func newDriver(env connectors.Env) (connectors.Driver, error) {
	c := env.Config
	tlsConfig, err := tlsFor(c.String("sslmode"), c.String("host"), c.String("ssl_root_cert"))
	if err != nil {
		return nil, err
	}
	changes, fault := parseChangeColumns(c.String("updated_column"), c.List("updated_columns"))
	if fault != "" {
		return nil, connectors.InvalidFields(connectors.Fault{Field: "updated_columns", Message: fault})
	}
	d := &Driver{
		changes:          changes,
		queryKey:         c.List("query_key"),
		channel:          c.String("notify_channel"),
		firstDelay:       firstDelay,
		keepAlive:        keepAlive,
		answerTime:       answerTime,
		host:             c.String("host"),
		port:             strconv.Itoa(c.Int("port")),
		database:         c.String("database"),
		user:             c.String("user"),
		sslmode:          c.String("sslmode"),
		statementTimeout: time.Duration(c.Int("statement_timeout")) * time.Second,
		lockTimeout:      lockTimeout,
		timeout:          env.Timeout,
	}
	d.tables.now, d.results.now = clock(env), clock(env)
	d.pool = newPool(target{
		dial: env.Dial, host: d.host, port: c.Int("port"), database: d.database, user: d.user,
		password: c.Secret("password"), tls: tlsConfig, channelBinding: c.String("channel_binding"),
	})
	return d, nil
}

func clock(env connectors.Env) func() time.Time {
	if env.Now == nil {
		return time.Now
	}
	return env.Now
}

// Close ends every connection and the work that is under way; it returns when no goroutine is left.
func (d *Driver) Close() error {
	d.pool.close()
	return nil
}

// address is where the server is, as host:port.
func (d *Driver) address() string { return net.JoinHostPort(d.host, d.port) }

// Probe logs in and tells who is connected to what. It warns of plaintext connections, unverified servers, roles that
// may write everything, and roles that may read nothing.
func (d *Driver) Probe(ctx context.Context) (connectors.ProbeResult, error) {
	var p probe
	err := d.read(ctx, []statement{{sql: probeSQL, width: 7}}, func() { p = probe{} }, p.take)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	return connectors.ProbeResult{
		Instance: connectors.Instance{
			Name: p.database, URL: d.address(), Version: p.version, Type: p.kind(),
		},
		Account:  connectors.Account{ID: p.user, Name: p.user},
		Warnings: append(d.transportWarnings(), p.warnings()...),
	}, nil
}
