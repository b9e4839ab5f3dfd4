package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
)

// serverVariable names a PostgreSQL that the tests may make databases and roles in.
const serverVariable = "UCF_TEST_POSTGRES_URL"

func TestMain(m *testing.M) {
	code := m.Run()
	if err := lab.drop(); err != nil {
		fmt.Fprintln(os.Stderr, "clean up:", err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// laboratory is a database of the tests' own, made when first asked for and dropped at the end.
type laboratory struct {
	once  sync.Once
	err   error
	admin map[string]string // the server's DSN as fields
	name  string
}

var lab laboratory

func (l *laboratory) drop() error {
	if l.name == "" || l.err != nil {
		return nil
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, os.Getenv(serverVariable))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	if _, err = c.Exec(ctx, "DROP DATABASE "+l.name+" WITH (FORCE)"); err != nil {
		return err
	}
	_, err = c.Exec(ctx, "DROP ROLE IF EXISTS "+l.name+"_reader")
	return err
}

func (l *laboratory) make() {
	url := os.Getenv(serverVariable)
	var fault string
	if l.admin, fault = parseDSN(url); fault != "" {
		l.err = errors.New(serverVariable + " " + fault)
		return
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		l.err = err
		return
	}
	defer c.Close(ctx)
	l.name = fmt.Sprintf("ucf_test_%d_%d", os.Getpid(), time.Now().UnixNano()%1e6)
	for _, sql := range []string{
		"CREATE DATABASE " + l.name + " TEMPLATE template0 ENCODING 'UTF8'",
		"CREATE ROLE " + l.name + "_reader LOGIN PASSWORD '" + readerPassword + "'",
	} {
		if _, err = c.Exec(ctx, sql); err != nil {
			l.err = err
			return
		}
	}
}

const readerPassword = "s3cret-of-the-reader"

// admin returns a session with all rights in the laboratory's database, closed with the test.
func admin(t *testing.T) *pgx.Conn {
	t.Helper()
	if os.Getenv(serverVariable) == "" {
		t.Skip("needs " + serverVariable)
	}
	lab.once.Do(lab.make)
	if lab.err != nil {
		t.Fatal(lab.err)
	}
	config, err := pgx.ParseConfig(os.Getenv(serverVariable))
	if err != nil {
		t.Fatal(err)
	}
	config.Database = lab.name
	c, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// schema makes a schema of the test's own with what the statements create; the unqualified names in them are of it.
func schema(t *testing.T, sql ...string) (name string, c *pgx.Conn) {
	t.Helper()
	c = admin(t)
	name = "s_" + strings.ToLower(strings.NewReplacer("/", "_", "#", "_", " ", "_", "-", "_").Replace(t.Name()))
	if len(name) > 60 {
		name = name[:60]
	}
	sql = append([]string{"CREATE SCHEMA " + name, "SET search_path = " + name + ", public"}, sql...)
	for _, s := range sql {
		exec(t, c, s)
	}
	t.Cleanup(func() {
		_, _ = c.Exec(context.Background(), "SET statement_timeout = '10s'")
		if _, err := c.Exec(context.Background(), "DROP SCHEMA "+name+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return name, c
}

func exec(t *testing.T, c *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := c.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// config returns the laboratory's configuration with changes; a nil value removes a field.
func config(changes map[string]any) map[string]any {
	raw := map[string]any{
		"host": lab.admin["host"], "user": lab.admin["user"], "password": lab.admin["password"],
		"database": lab.name, "sslmode": "disable",
	}
	if p := lab.admin["port"]; p != "" {
		raw["port"] = p
	}
	for k, v := range changes {
		raw[k] = v
		if v == nil {
			delete(raw, k)
		}
	}
	return raw
}

// open opens the connector on the laboratory.
func open(t testing.TB, changes map[string]any) *Driver {
	t.Helper()
	return openRaw(t, config(changes))
}

func openRaw(t testing.TB, raw map[string]any) *Driver {
	t.Helper()
	c, err := Definition.ParseConfig(raw)
	if err != nil {
		t.Fatal(err)
	}
	drv, err := Definition.New(connectors.Env{Config: c, Dial: (&net.Dialer{}).DialContext, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	d := drv.(*Driver)
	t.Cleanup(func() { d.Close() })
	return d
}

// list reads a container to its end.
func list(t testing.TB, d *Driver, q connectors.ItemQuery) []connectors.Item {
	t.Helper()
	all, err := tryList(d, q)
	if err != nil {
		t.Fatalf("list %s: %v (%+v)", q.ContainerID, err, errors.Unwrap(err))
	}
	return all
}

func tryList(d *Driver, q connectors.ItemQuery) ([]connectors.Item, error) {
	var all []connectors.Item
	for {
		p, err := d.ListItems(context.Background(), q)
		if err != nil {
			return all, err
		}
		if len(p.Items) > q.Limit {
			return all, fmt.Errorf("page of %d with limit %d", len(p.Items), q.Limit)
		}
		all = append(all, p.Items...)
		if p.Next == "" {
			return all, nil
		}
		q.Cursor = p.Next
	}
}

// wantCode fails the test unless err has the code and a message, without any of the secrets.
func wantCode(t *testing.T, err error, want connectors.Code) *connectors.Error {
	t.Helper()
	var coded *connectors.Error
	if !errors.As(err, &coded) {
		t.Fatalf("got %v, want a coded error %s", err, want)
	}
	if coded.Code != want {
		t.Fatalf("got %s: %s (%v), want %s", coded.Code, coded.Message, coded.Err, want)
	}
	if coded.Message == "" {
		t.Fatal("the error has no message")
	}
	return coded
}

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}
