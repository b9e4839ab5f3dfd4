package postgres

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

const (
	maxConns       = 4
	maxIdle        = time.Minute      // an unused connection is closed after it
	connectTimeout = 10 * time.Second // for dialling, TLS and login together
	cancelGrace    = time.Second      // for telling the server that a statement or connection has ended
	maxMessageLen  = 256 << 20        // of one message of the server, which bounds one row
)

// target is where and how to connect.
type target struct {
	dial           func(ctx context.Context, network, address string) (net.Conn, error)
	host           string
	port           int
	database, user string
	password       connectors.Secret
	tls            *tls.Config // nil for plaintext
	channelBinding string
}

// verified reports whether the server's certificate is checked.
func (t target) verified() bool {
	return t.tls != nil && (!t.tls.InsecureSkipVerify || t.tls.VerifyConnection != nil)
}

// pool keeps up to maxConns connections. It has no goroutine of its own.
type pool struct {
	to    target
	slots chan struct{}
	ctx   context.Context // of all work; ends when the pool is closed
	stop  context.CancelFunc
	wire  context.Context // of all dialling; ends a little later, so that the server hears that the work has ended
	sever context.CancelFunc
	users sync.WaitGroup // connections that are lent or being torn down

	mu     sync.Mutex
	closed bool
	idle   []idleConn // the one used last at the end
	reaper *time.Timer
	open   map[*trackedConn]struct{}
}

type idleConn struct {
	*pgconn.PgConn
	since time.Time
}

func newPool(to target) *pool {
	p := &pool{to: to, slots: make(chan struct{}, maxConns), open: map[*trackedConn]struct{}{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.wire, p.sever = context.WithCancel(context.Background())
	return p
}

var errClosed = connectors.Errorf(connectors.Unavailable, "the connection to PostgreSQL was closed")

// acquire lends a connection, new or used before; it is given back with release. It waits while all are lent.
func (p *pool) acquire(ctx context.Context) (conn *pgconn.PgConn, reused bool, err error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		<-p.slots
		return nil, false, errClosed
	}
	p.users.Add(1)
	if n := len(p.idle); n > 0 {
		conn = p.idle[n-1].PgConn
		p.idle = p.idle[:n-1]
	}
	p.mu.Unlock()
	if conn != nil {
		return conn, true, nil
	}
	if conn, err = p.connect(ctx, nil); err != nil {
		p.users.Done()
		<-p.slots
	}
	return conn, false, err
}

// dedicated opens a connection beside the pool's, which nobody else uses; it is given back with discard. onNotice takes
// the notices of NOTIFY that come with it.
func (p *pool) dedicated(ctx context.Context, onNotice pgconn.NotificationHandler) (*pgconn.PgConn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	p.users.Add(1)
	p.mu.Unlock()
	conn, err := p.connect(ctx, onNotice)
	if err != nil {
		p.users.Done()
	}
	return conn, err
}

// release takes a connection back; one that is broken or in a transaction is closed.
func (p *pool) release(conn *pgconn.PgConn) {
	defer func() { <-p.slots }()
	if conn.IsClosed() || conn.IsBusy() || conn.TxStatus() != 'I' || !p.park(conn) {
		p.discard(conn)
		return
	}
	p.users.Done()
}

func (p *pool) park(conn *pgconn.PgConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.idle = append(p.idle, idleConn{conn, time.Now()})
	if p.reaper == nil {
		p.reaper = time.AfterFunc(maxIdle, p.reap)
	}
	return true
}

// discard closes a lent connection without making its user wait.
func (p *pool) discard(conn *pgconn.PgConn) {
	go func() {
		defer p.users.Done()
		p.end(conn)
	}()
}

// end closes a connection and waits until nothing of it is left.
func (p *pool) end(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(p.wire, cancelGrace)
	defer cancel()
	_ = conn.Close(ctx)
	<-conn.CleanupDone()
}

// reap closes the connections that nobody used for maxIdle.
func (p *pool) reap() {
	p.mu.Lock()
	var old []idleConn
	limit := time.Now().Add(-maxIdle)
	for len(p.idle) > 0 && !p.idle[0].since.After(limit) {
		old = append(old, p.idle[0])
		p.idle = p.idle[1:]
	}
	p.reaper = nil
	if len(p.idle) > 0 && !p.closed {
		p.reaper = time.AfterFunc(time.Until(p.idle[0].since.Add(maxIdle)), p.reap)
	}
	p.users.Add(len(old))
	p.mu.Unlock()
	for _, c := range old {
		p.discard(c.PgConn)
	}
}

// flush closes the idle connections, of which one has turned out to be dead.
func (p *pool) flush() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.users.Add(len(idle))
	p.mu.Unlock()
	for _, c := range idle {
		p.discard(c.PgConn)
	}
}

// close ends all work and all connections. It returns when nothing is left, after a grace for telling the server.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.reaper != nil {
		p.reaper.Stop()
	}
	p.mu.Unlock()
	p.flush()
	p.stop()
	last := time.AfterFunc(2*cancelGrace, func() { p.sever(); p.cut() })
	defer last.Stop()
	p.users.Wait()
	p.sever()
}

// cut breaks the sockets that are still open, so that nobody waits for a silent server.
func (p *pool) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Conn.Close()
	}
}

// connect logs in once.
func (p *pool) connect(ctx context.Context, onNotice pgconn.NotificationHandler) (*pgconn.PgConn, error) {
	base, err := baseConfig()
	if err != nil {
		return nil, connectors.Wrap(connectors.Internal, err, "the PostgreSQL client could not be set up")
	}
	config, to := base.Copy(), p.to
	config.Host, config.Port = to.host, uint16(to.port) //nolint:gosec // the configuration bounds the port
	config.Database, config.User, config.Password = to.database, to.user, to.password.Reveal()
	config.TLSConfig = to.tls
	config.ChannelBinding = to.channelBinding
	config.OnNotification = onNotice
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	// A login that fails makes pgconn ask for a cancellation, for which there is nothing yet and nobody waits.
	var dialled, loggedIn atomic.Bool
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if dialled.Swap(true) && !loggedIn.Load() {
			return nil, errClosed
		}
		return p.dial(ctx)
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	loggedIn.Store(err == nil)
	return conn, err
}

// bound returns a context that ends with another one too.
func bound(ctx, other context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(other, cancel)
	return ctx, func() { unhook(); cancel() }
}

// dial opens a guarded connection to the configured server, by name: requests to cancel come with the address that the
// guard resolved, which it would have to judge without the name.
func (p *pool) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := bound(ctx, p.wire)
	defer cancel()
	raw, err := p.to.dial(ctx, "tcp", net.JoinHostPort(p.to.host, strconv.Itoa(p.to.port)))
	if err != nil {
		return nil, err
	}
	c := &trackedConn{Conn: raw, pool: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wire.Err() != nil {
		_ = raw.Close()
		return nil, errClosed
	}
	p.open[c] = struct{}{}
	if p.to.tls != nil {
		return &tlsGate{Conn: c}, nil
	}
	return c, nil
}

// trackedConn is a socket that the pool can cut.
type trackedConn struct {
	net.Conn
	pool *pool
}

func (c *trackedConn) Close() error {
	c.pool.mu.Lock()
	delete(c.pool.open, c)
	c.pool.mu.Unlock()
	return c.Conn.Close()
}

// neutral is a connection string that names everything that pgconn would else take from the environment.
const neutral = "host=localhost port=5432 user=x password=x dbname=x sslmode=disable sslcertmode=disable sslnegotiation=postgres " +
	"sslrootcert='' sslcert='' sslkey='' passfile='' connect_timeout=0 target_session_attrs=any min_protocol_version=3.0 " +
	"max_protocol_version=3.0 channel_binding=prefer require_auth=''"

// baseConfig returns a pgconn configuration that owes nothing to the environment. pgconn insists on making it itself,
// and a PGSERVICE that names no service makes it fail, so that variable is hidden from it.
var baseConfig = sync.OnceValues(makeBaseConfig)

func makeBaseConfig() (*pgconn.Config, error) {
	if service, ok := os.LookupEnv("PGSERVICE"); ok {
		_ = os.Unsetenv("PGSERVICE")
		defer func() { _ = os.Setenv("PGSERVICE", service) }()
	}
	c, err := pgconn.ParseConfig(neutral)
	if err != nil {
		return nil, err
	}
	c.ConnectTimeout = connectTimeout
	c.MaxProtocolMessageBodyLen = maxMessageLen
	// Poolers refuse most parameters at start; they know these.
	c.RuntimeParams = map[string]string{
		"application_name": "ucf", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC",
	}
	return c, nil
}
