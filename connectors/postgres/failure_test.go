package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
)

func TestProbe(t *testing.T) {
	c := admin(t)
	d := open(t, nil)
	p, err := d.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var version string
	if err := c.QueryRow(t.Context(), "SHOW server_version").Scan(&version); err != nil {
		t.Fatal(err)
	}
	want := connectors.Instance{Name: lab.name, URL: d.address(), Version: version, Type: "primary"}
	if p.Instance != want || p.Account.ID != lab.admin["user"] || p.Account.Name != lab.admin["user"] {
		t.Errorf("got %+v, want %+v", p, want)
	}
	if got := codes(p.Warnings); got != "plaintext superuser" && got != "plaintext superuser nothing_readable" {
		t.Errorf("got warnings %s", got)
	}
	p, err = reader(t, c).Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := codes(p.Warnings); got != "plaintext nothing_readable" && got != "plaintext" {
		t.Errorf("got warnings %s", got)
	}
}

func codes(warnings []connectors.Warning) string {
	var c []string
	for _, w := range warnings {
		c = append(c, w.Code)
	}
	return strings.Join(c, " ")
}

func TestLoginFailures(t *testing.T) {
	admin(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := silent.Addr().(*net.TCPAddr).Port
	silent.Close()
	tests := map[string]struct {
		change map[string]any
		code   connectors.Code
		text   string
	}{
		"password": {map[string]any{"password": "hunter2-wrong"}, connectors.Reauthorize, "refused the password"},
		"user":     {map[string]any{"user": "nobody_here"}, connectors.Reauthorize, "refused"},
		"database": {map[string]any{"database": "absent"}, connectors.NotFound, "has no database absent"},
		"refused":  {map[string]any{"host": "127.0.0.1", "port": port}, connectors.ProviderError, "could not connect"},
		"no TLS":   {map[string]any{"sslmode": "verify-full"}, connectors.ProviderError, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := open(t, tt.change)
			_, err := d.Probe(t.Context())
			e := wantCode(t, err, tt.code)
			if !strings.Contains(e.Message, tt.text) {
				t.Errorf("got %q, want %q in it", e.Message, tt.text)
			}
			noSecret(t, err)
		})
	}
}

// noSecret looks for passwords in everything that an error shows, its causes included.
func noSecret(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			s := fmt.Sprintf(verb, err)
			for _, secret := range []string{"hunter2", readerPassword} {
				if strings.Contains(s, secret) {
					t.Errorf("%s tells the secret", verb)
				}
			}
		}
		if strings.Contains(fmt.Sprintf("%T", err), "pgconn") {
			t.Errorf("the cause is a %T, which may hold the configuration or row values", err)
		}
	}
}

func TestVanishedAndAltered(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (k int PRIMARY KEY, v text, w int)", "INSERT INTO t SELECT i, 'x', i FROM generate_series(1, 20) i")
	d := open(t, nil)
	q := connectors.ItemQuery{ContainerID: s + ".t", Limit: 5}
	next := func() connectors.Page[connectors.Item] {
		t.Helper()
		p, err := d.ListItems(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		q.Cursor = p.Next
		return p
	}
	next()
	exec(t, c, "ALTER TABLE t DROP COLUMN v")
	if got := next().Items[0]; got.ID != "6" || len(got.Meta) != 2 {
		t.Errorf("after a dropped column: got %+v", got)
	}
	exec(t, c, "ALTER TABLE t ALTER COLUMN w TYPE text")
	if got := next().Items[0]; got.ID != "11" || got.Meta.Get("w") != "11" {
		t.Errorf("after a new type: got %+v", got)
	}
	exec(t, c, "ALTER TABLE t ALTER COLUMN k TYPE bigint")
	_, err := d.ListItems(t.Context(), q)
	if e := wantCode(t, err, connectors.InvalidRequest); !strings.Contains(e.Message, "key") {
		t.Errorf("after a new key: got %q", e.Message)
	}
	exec(t, c, "DROP TABLE t")
	_, err = d.ListItems(t.Context(), q)
	if e := wantCode(t, err, connectors.NotFound); !strings.Contains(e.Message, s+".t") {
		t.Errorf("after a dropped table: got %q", e.Message)
	}
	exec(t, c, "CREATE TABLE t (k int PRIMARY KEY)")
	q.Cursor = ""
	if p := next(); len(p.Items) != 0 || p.Next != "" {
		t.Errorf("a new table of the name: got %+v", p)
	}
}

func TestTimeouts(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (k int PRIMARY KEY)", "CREATE VIEW slow AS SELECT pg_sleep(60)::text AS x", "CREATE TABLE free (k int PRIMARY KEY)")
	d := open(t, map[string]any{"statement_timeout": 1})
	d.lockTimeout = 50 * time.Millisecond
	_, err := tryList(d, connectors.ItemQuery{ContainerID: s + ".slow", Limit: 5})
	if e := wantCode(t, err, connectors.Timeout); !strings.Contains(e.Message, "statement_timeout (1s)") {
		t.Errorf("got %q", e.Message)
	}
	exec(t, c, "BEGIN")
	exec(t, c, "LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
	_, err = tryList(d, connectors.ItemQuery{ContainerID: s + ".t", Limit: 5})
	if e := wantCode(t, err, connectors.Timeout); !strings.Contains(e.Message, "lock") {
		t.Errorf("got %q", e.Message)
	}
	exec(t, c, "ROLLBACK")
	visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".t", Limit: 5}, 0)

	d = open(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = d.ListItems(ctx, connectors.ItemQuery{ContainerID: s + ".slow", Limit: 5})
	wantCode(t, err, connectors.Timeout)
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, stop)
	_, err = d.ListItems(ctx, connectors.ItemQuery{ContainerID: s + ".slow", Limit: 5})
	wantCode(t, err, connectors.Unavailable)
	waitFor(t, c, 0)
	visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".free", Limit: 5}, 0)
}

// waitFor waits until so many sessions of the connector sleep in the server.
func waitFor(t *testing.T, c *pgx.Conn, want int) {
	t.Helper()
	var busy int
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		err := c.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ucf'
			AND state = 'active' AND wait_event = 'PgSleep' AND datname = current_database()`).Scan(&busy)
		if err != nil {
			t.Fatal(err)
		}
		if busy == want {
			return
		}
	}
	t.Fatalf("%d statements sleep in the server, want %d", busy, want)
}

// TestReadOnly calls functions that write through views.
func TestReadOnly(t *testing.T) {
	s, c := schema(t, "CREATE TABLE log (k int PRIMARY KEY)", "CREATE SEQUENCE q")
	exec(t, c, fmt.Sprintf("CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'INSERT INTO %s.log VALUES (1) RETURNING 1'", s))
	exec(t, c, fmt.Sprintf(`CREATE FUNCTION tries() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
		SET LOCAL transaction_read_only = off; INSERT INTO %s.log VALUES (2); RETURN 1; END $f$`, s))
	exec(t, c, "CREATE VIEW inserting AS SELECT writes()")
	exec(t, c, "CREATE VIEW insisting AS SELECT tries()")
	exec(t, c, "CREATE VIEW counting AS SELECT nextval('q')")
	d := open(t, nil)
	for view, code := range map[string]connectors.Code{
		"inserting": connectors.Unsupported, "counting": connectors.Unsupported, "insisting": connectors.ProviderError,
	} {
		_, err := tryList(d, connectors.ItemQuery{ContainerID: s + "." + view, Limit: 5})
		wantCode(t, err, code)
	}
	visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".log", Limit: 5}, 0)
	exec(t, c, "CREATE VIEW settings AS SELECT name, setting FROM pg_settings WHERE name IN ('transaction_read_only', 'transaction_isolation', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')")
	got := map[any]any{}
	for _, it := range list(t, d, connectors.ItemQuery{ContainerID: s + ".settings", Limit: 5}) {
		got[it.Meta[0].Value] = it.Meta[1].Value
	}
	want := map[any]any{"transaction_read_only": "on", "transaction_isolation": "read committed", "statement_timeout": "30000", "lock_timeout": "5000", "idle_in_transaction_session_timeout": "10000"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestRoleDefaults reads the same values with a role whose defaults are as unlike ours as can be.
func TestRoleDefaults(t *testing.T) {
	s, c := schema(t, `CREATE TABLE t (k timestamptz PRIMARY KEY, b bytea, f float8, i interval, d date)`,
		`INSERT INTO t SELECT '2024-05-06 07:08:09.1+00'::timestamptz + n * '1 day'::interval, '\x01', 0.1::float8 + 0.2, '-1 day 02:03', '2024-05-06' FROM generate_series(1, 20) n`)
	role := lab.name + "_reader"
	for _, set := range []string{
		"DateStyle = 'German, DMY'", "TimeZone = 'Asia/Kolkata'", "IntervalStyle = sql_standard", "bytea_output = escape", "extra_float_digits = -15",
		"default_transaction_isolation = serializable", "default_transaction_deferrable = on", "client_encoding = LATIN1", "search_path = ''",
		"statement_timeout = 1", "default_transaction_read_only = off", "standard_conforming_strings = off",
	} {
		exec(t, c, "ALTER ROLE "+role+" SET "+set)
	}
	defer exec(t, c, "ALTER ROLE "+role+" RESET ALL")
	q := connectors.ItemQuery{ContainerID: s + ".t", Limit: 3}
	want := fmt.Sprint(visitOnce(t, open(t, nil), q, 20)[0].Meta)
	d := reader(t, c, "GRANT USAGE ON SCHEMA "+s, "GRANT SELECT ON t")
	if got := fmt.Sprint(visitOnce(t, d, q, 20)[0].Meta); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestConcurrentCallers(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (k int PRIMARY KEY)", "INSERT INTO t SELECT i FROM generate_series(1, 500) i")
	d := open(t, nil)
	var wg sync.WaitGroup
	var most atomic.Int64
	for range 20 {
		wg.Go(func() {
			items, err := tryList(d, connectors.ItemQuery{ContainerID: s + ".t", Limit: 50})
			if err != nil || len(items) != 500 {
				t.Errorf("got %d rows, %v", len(items), err)
			}
			d.pool.mu.Lock()
			defer d.pool.mu.Unlock()
			most.Store(max(most.Load(), int64(len(d.pool.open))))
		})
	}
	wg.Wait()
	if n := most.Load(); n > maxConns {
		t.Errorf("%d connections were open", n)
	}
	// Connections that the server ended meanwhile are replaced without anybody noticing.
	exec(t, c, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ucf' AND datname = current_database()")
	start := time.Now()
	visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".t", Limit: 200}, 500)
	if took := time.Since(start); took > 3*firstDelay {
		t.Errorf("it took %v: the dead connections were tried one by one", took)
	}
}

// TestRetry cuts the first connections off; the fourth try gets through, and no fifth is made.
func TestRetry(t *testing.T) {
	admin(t)
	for failures, ok := range map[int]bool{3: true, 4: false} {
		var dials int
		c, err := Definition.ParseConfig(config(nil))
		if err != nil {
			t.Fatal(err)
		}
		drv, err := Definition.New(connectors.Env{Config: c, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials++; dials <= failures {
				near, far := net.Pipe()
				go func() { _, _ = io.CopyN(io.Discard, far, 8); far.Close() }()
				return near, nil
			}
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = drv.Probe(t.Context())
		if ok && err != nil {
			t.Errorf("%d failures: %v", failures, err)
		}
		if !ok {
			wantCode(t, err, connectors.ProviderError)
		}
		if dials != 4 {
			t.Errorf("%d failures: %d dials, want 4", failures, dials)
		}
		drv.(*Driver).Close()
	}
}

// loggedIn is how a server lets anybody in: AuthenticationOk, BackendKeyData, ReadyForQuery.
const loggedIn = "R\x00\x00\x00\x08\x00\x00\x00\x00" + "K\x00\x00\x00\x0c12345678" + "Z\x00\x00\x00\x05I"

// TestSilentServer meets servers that take everything and say nothing, at once or after the login.
func TestSilentServer(t *testing.T) {
	for name, greeting := range map[string]string{"at once": "", "after login": loggedIn} {
		t.Run(name, func(t *testing.T) { meetSilence(t, greeting) })
	}
}

func meetSilence(t *testing.T, greeting string) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.Close()
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, greeting)
			wg.Go(func() { _, _ = io.Copy(io.Discard, c); c.Close() })
		}
	})
	d := openRaw(t, map[string]any{
		"host": "127.0.0.1", "port": l.Addr().(*net.TCPAddr).Port, "database": "d", "user": "u", "password": "hunter2", "sslmode": "disable",
	})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = d.Probe(ctx)
	wantCode(t, err, connectors.Timeout)
	noSecret(t, err)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	start = time.Now()
	d.Close()
	if took := time.Since(start); took > 3*cancelGrace {
		t.Errorf("closing took %v", took)
	}
}

// TestNonsense meets servers that speak something else.
func TestNonsense(t *testing.T) {
	for name, answer := range map[string]string{
		"http":    "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
		"zeros":   strings.Repeat("\x00", 4096),
		"huge":    "R\x7f\xff\xff\xff",
		"too big": "D\x7f\xff\xff\xff" + strings.Repeat("x", 4096),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Definition.ParseConfig(map[string]any{"dsn": "postgres://u:hunter2@h/d?sslmode=disable"})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			drv, err := Definition.New(connectors.Env{Config: c, Dial: func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				wg.Go(func() {
					_, _ = io.CopyN(io.Discard, far, 8)
					wg.Go(func() { _, _ = io.Copy(io.Discard, far) })
					_, _ = io.WriteString(far, answer)
					far.Close()
				})
				return near, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = drv.Probe(t.Context())
			wantCode(t, err, connectors.ProviderError)
			noSecret(t, err)
			drv.(*Driver).Close()
			wg.Wait()
		})
	}
}

// TestClose ends work that is under way, frees its callers at once and leaves nothing running.
func TestClose(t *testing.T) {
	s, c := schema(t, "CREATE VIEW slow AS SELECT pg_sleep(60)::text AS x")
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	d := open(t, nil)
	done := make(chan error)
	for range 6 {
		go func() {
			_, err := d.ListItems(context.Background(), connectors.ItemQuery{ContainerID: s + ".slow", Limit: 5})
			done <- err
		}()
	}
	waitFor(t, c, maxConns)
	start := time.Now()
	d.Close()
	waitFor(t, c, 0)
	for range 6 {
		wantCode(t, <-done, connectors.Unavailable)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	d.Close()
}
