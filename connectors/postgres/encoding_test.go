package postgres

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/unified-connector/ucf/connectors"
)

// TestEncodings reads databases that are not in UTF-8: one that knows its encoding, and one that holds any bytes.
func TestEncodings(t *testing.T) {
	tests := map[string]struct {
		encoding, text, want string
	}{
		"LATIN1":    {"LATIN1", `E'caf\xe9'`, "café"},
		"SQL_ASCII": {"SQL_ASCII", `E'caf\xe9 \xc3\xa9'`, `caf\xe9 é`},
	}
	c := admin(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			db := lab.name + "_" + name
			id := pgx.Identifier{db}.Sanitize()
			exec(t, c, "CREATE DATABASE "+id+" TEMPLATE template0 ENCODING '"+tt.encoding+"' LC_COLLATE 'C' LC_CTYPE 'C'")
			defer exec(t, c, "DROP DATABASE "+id+" WITH (FORCE)")
			config, err := pgx.ParseConfig(os.Getenv(serverVariable))
			if err != nil {
				t.Fatal(err)
			}
			config.Database = db
			config.RuntimeParams["client_encoding"] = tt.encoding
			other, err := pgx.ConnectConfig(context.Background(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close(context.Background())
			exec(t, other, "CREATE TABLE t (k text PRIMARY KEY, j json)")
			exec(t, other, `INSERT INTO t SELECT v, ('"' || v || '"')::json FROM unnest(ARRAY['a', 'b', 'z', `+tt.text+`]) v`)
			exec(t, other, "CREATE VIEW w AS SELECT * FROM t")
			d := open(t, map[string]any{"database": db})
			for _, table := range []string{"public.t", "public.w"} {
				found := false
				for _, it := range visitOnce(t, d, connectors.ItemQuery{ContainerID: table, Limit: 1, Raw: true}, 4) {
					found = found || it.Meta[0].Value == tt.want && it.Name == tt.want
					if !json.Valid(it.Raw) {
						t.Errorf("got raw %q", it.Raw)
					}
				}
				if !found {
					t.Errorf("%s: no row is %s", table, tt.want)
				}
			}
		})
	}
}

// TestThroughPooler pages through a pooler that hands out a server connection per transaction and knows no prepared
// statements, as pgbouncer before 1.21.
func TestThroughPooler(t *testing.T) {
	pooler := os.Getenv("UCF_TEST_PGBOUNCER_URL")
	if pooler == "" {
		t.Skip("needs UCF_TEST_PGBOUNCER_URL, a transaction pooler before the server of " + serverVariable)
	}
	s, c := schema(t, "CREATE TABLE t (k text, l int, PRIMARY KEY (k, l))", "INSERT INTO t SELECT 'x', i FROM generate_series(1, 300) i",
		"CREATE VIEW w AS SELECT * FROM t")
	parts, fault := parseDSN(pooler)
	if fault != "" {
		t.Fatal(fault)
	}
	changes := map[string]any{"database": lab.name}
	for k, v := range parts {
		if k != "database" {
			changes[k] = v
		}
	}
	d := open(t, changes)
	if _, err := d.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for _, table := range []string{".t", ".w"} {
				if items, err := tryList(d, connectors.ItemQuery{ContainerID: s + table, Limit: 50}); err != nil || len(items) != 300 {
					t.Errorf("got %d rows, %v", len(items), err)
				}
			}
			for _, sql := range []string{"SELECT * FROM " + s + ".t", "SELECT * FROM " + s + ".t ORDER BY l DESC"} {
				if items, err := tryList(d, connectors.ItemQuery{Query: sql, Limit: 50}); err != nil || len(items) != 300 {
					t.Errorf("%s: got %d rows, %v", sql, len(items), err)
				}
			}
			for _, sql := range []string{"SELECT set_config('search_path', 'evil', false), pg_advisory_lock(4712)", "SELECT pg_advisory_lock(4712), 1 / (l - 300) FROM " + s + ".t"} {
				if _, err := tryList(d, connectors.ItemQuery{Query: sql, Limit: 5}); err != nil && connectors.CodeOf(err) != connectors.InvalidRequest {
					t.Errorf("%s: %v", sql, err)
				}
			}
			if p, err := d.ListIDs(t.Context(), connectors.IDQuery{ContainerID: s + ".t"}); err != nil || len(p.Items) != 300 {
				t.Errorf("got %d ids, %v", len(p.Items), err)
			}
		})
	}
	wg.Wait()
	var locks int
	if err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4712").Scan(&locks); err != nil || locks > 0 {
		t.Errorf("%d locks are left in the pooler's connections, %v", locks, err)
	}
}
