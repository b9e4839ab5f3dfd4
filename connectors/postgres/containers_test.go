package postgres

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/unified-connector/ucf/connectors"
)

// containers lists those of one schema.
func containers(t *testing.T, d *Driver, schema string, q connectors.ContainerQuery) []connectors.Container {
	t.Helper()
	var all []connectors.Container
	for {
		p, err := d.ListContainers(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Items) > q.Limit {
			t.Fatalf("page of %d with limit %d", len(p.Items), q.Limit)
		}
		for _, c := range p.Items {
			name, err := parseTableName(c.ID)
			if err != nil {
				t.Fatal(err)
			}
			if name.schema == schema {
				all = append(all, c)
			}
			if strings.HasPrefix(name.schema, "pg_") || name.schema == "information_schema" {
				t.Errorf("%s is the system's", c.ID)
			}
		}
		if p.Next == "" {
			return all
		}
		q.Cursor = p.Next
	}
}

// reader opens the connector as a role that may nothing but what it is granted.
func reader(t *testing.T, c *pgx.Conn, grants ...string) *Driver {
	t.Helper()
	for _, g := range grants {
		exec(t, c, g+" TO "+lab.name+"_reader")
	}
	return open(t, map[string]any{"user": lab.name + "_reader", "password": readerPassword})
}

func TestContainers(t *testing.T) {
	s, c := schema(t,
		"CREATE TABLE plain (id bigint, name varchar(20) NOT NULL, PRIMARY KEY (name, id))", "COMMENT ON TABLE plain IS 'All the plain ones'",
		"COMMENT ON COLUMN plain.id IS 'The number'",
		"INSERT INTO plain SELECT i, 'n' FROM generate_series(1, 50) i", "ANALYZE plain",
		"CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)",
		"CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (50)", "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (50) TO (100)",
		"INSERT INTO parted SELECT i, 'v' FROM generate_series(0, 99) i",
		"CREATE TABLE parent (id int PRIMARY KEY)", "CREATE TABLE child (extra int) INHERITS (parent)",
		"INSERT INTO parent VALUES (1), (2)", "INSERT INTO child VALUES (1, 1), (3, 3)",
		"CREATE VIEW seen AS SELECT id FROM plain", "CREATE MATERIALIZED VIEW kept AS SELECT id FROM plain",
		"CREATE TABLE bare ()", "CREATE SEQUENCE counted", "CREATE TYPE made AS (a int)")
	d := open(t, nil)
	want := map[string]string{
		"bare": "table", "child": "table", "kept": "view", "parent": "table", "parted": "table", "plain": "table", "seen": "view",
	}
	for _, size := range []int{1, 2, 200} {
		all := containers(t, d, s, connectors.ContainerQuery{Limit: size})
		got, last := map[string]string{}, ""
		for _, c := range all {
			name, _ := parseTableName(c.ID)
			got[name.table] = c.Type
			if c.ID <= last {
				t.Errorf("%s comes after %s", c.ID, last)
			}
			last = c.ID
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(all) != len(want) {
			t.Errorf("limit %d: got %v, want %v", size, got, want)
		}
	}
	checkPlain(t, d, s)
	for table, n := range map[string]int{"parted": 100, "parent": 2, "child": 2, "seen": 50, "kept": 50, "bare": 0} {
		visitOnceOrKeyless(t, d, s+"."+table, n)
	}
	exec(t, c, "GRANT USAGE ON SCHEMA "+s+" TO "+lab.name+"_reader")
	r := reader(t, c, "GRANT SELECT ON parted_1")
	if all := containers(t, r, s, connectors.ContainerQuery{Limit: 50}); len(all) != 1 || all[0].ID != s+".parted_1" {
		t.Errorf("with one partition granted: got %+v", all)
	}
}

func visitOnceOrKeyless(t *testing.T, d *Driver, id string, n int) {
	t.Helper()
	if got := len(list(t, d, connectors.ItemQuery{ContainerID: id, Limit: 7})); got != n {
		t.Errorf("%s: got %d rows, want %d", id, got, n)
	}
}

func checkPlain(t *testing.T, d *Driver, s string) {
	t.Helper()
	for _, c := range containers(t, d, s, connectors.ContainerQuery{Limit: 200, Wide: true, Raw: true}) {
		if c.ID != s+".plain" {
			continue
		}
		if c.Label != "All the plain ones" {
			t.Errorf("got label %q", c.Label)
		}
		meta, err := json.Marshal(c.Meta)
		if err != nil {
			t.Fatal(err)
		}
		want := `{"schema":"` + s + `","name":"plain","kind":"table","rowSecurity":false,` +
			`"columns":[{"name":"id","type":"bigint","nullable":false},{"name":"name","type":"character varying(20)","nullable":false}],` +
			`"primaryKey":["name","id"],"estimatedRows":50,"columnComments":{"id":"The number"}}`
		if !sameJSON(t, meta, want) {
			t.Errorf("got %s, want %s", meta, want)
		}
		if !json.Valid(c.Raw) || len(c.Raw) == 0 {
			t.Errorf("got raw %s", c.Raw)
		}
		return
	}
	t.Error("plain is not listed")
}

// TestHostileNames lists and reads tables whose names do their worst.
func TestHostileNames(t *testing.T) {
	names := []string{
		"UPPER", "with space", "dot.ted", `quo"ted`, `"`, ".", `a"."b`, "x; DROP TABLE canary; --", "🙂 ünï", "select", "$1", "a'b", `back\slash`,
		"%s", "'); DELETE FROM canary; --", strings.Repeat("n", 63), "1", "-", "a,b=c",
	}
	s, c := schema(t, "CREATE TABLE canary (id int PRIMARY KEY)", "INSERT INTO canary VALUES (1)")
	for _, n := range names {
		id := pgx.Identifier{n}.Sanitize()
		exec(t, c, "CREATE TABLE "+id+" ("+id+" int PRIMARY KEY, \"t.\"\"x\" text)")
		exec(t, c, "INSERT INTO "+id+" SELECT i FROM generate_series(1, 5) i")
	}
	d := open(t, nil)
	all := containers(t, d, s, connectors.ContainerQuery{Limit: 3})
	if len(all) != len(names)+1 {
		t.Errorf("got %d containers, want %d", len(all), len(names)+1)
	}
	for _, c := range all {
		if c.ID == s+".canary" {
			continue
		}
		for _, it := range visitOnce(t, d, connectors.ItemQuery{ContainerID: c.ID, Limit: 2}, 5) {
			if name, _ := parseTableName(c.ID); it.Meta[0].Name != name.table || it.ContainerID != c.ID {
				t.Errorf("%s: got %+v", c.ID, it)
			}
		}
	}
	visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".canary", Limit: 2}, 1)
}

// TestHostileValues pages over keys and filters that hold SQL.
func TestHostileValues(t *testing.T) {
	s, _ := schema(t, "CREATE TABLE t (k text PRIMARY KEY)", "INSERT INTO t VALUES ('''; DROP TABLE t; --'), ('$1'), (')'), ('\\'), ('x'' OR ''1''=''1')")
	visitOnce(t, open(t, nil), connectors.ItemQuery{ContainerID: s + ".t", Limit: 1}, 5)
}

func TestPrivileges(t *testing.T) {
	s, c := schema(t, "CREATE TABLE granted (id int PRIMARY KEY, v text)", "INSERT INTO granted VALUES (1, 'x'), (2, 'y')",
		"CREATE TABLE partly (id int PRIMARY KEY, v text, secret text)", "INSERT INTO partly VALUES (1, 'x', 'hidden'), (2, 'y', 'hidden')",
		"CREATE TABLE nokey (id int PRIMARY KEY, v text)", "INSERT INTO nokey VALUES (1, 'x'), (2, 'x')",
		"CREATE TABLE denied (id int PRIMARY KEY)", "INSERT INTO denied VALUES (1)", "CREATE VIEW through AS SELECT * FROM denied",
		"CREATE VIEW invoker AS SELECT * FROM denied", "CREATE FUNCTION peek() RETURNS SETOF int LANGUAGE sql AS 'SELECT id FROM "+"denied'",
		"CREATE TABLE secured (id int PRIMARY KEY, owner text)", "INSERT INTO secured VALUES (1, 'me'), (2, 'you')",
		"ALTER TABLE secured ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON secured USING (owner = 'me')")
	exec(t, c, "ALTER FUNCTION peek() SET search_path = "+s)
	exec(t, c, "CREATE VIEW called AS SELECT peek() AS id")
	d := reader(t, c)
	_, err := tryList(d, connectors.ItemQuery{ContainerID: s + ".granted", Limit: 5})
	if e := wantCode(t, err, connectors.Reauthorize); !strings.Contains(e.Message, "GRANT USAGE ON SCHEMA") {
		t.Errorf("got %q", e.Message)
	}
	d = reader(t, c, "GRANT USAGE ON SCHEMA "+s, "GRANT SELECT ON granted, through, called, secured", "GRANT SELECT (v, id) ON partly", "GRANT SELECT (v) ON nokey")
	var got []string
	for _, c := range containers(t, d, s, connectors.ContainerQuery{Limit: 50}) {
		got = append(got, strings.TrimPrefix(c.ID, s+"."))
	}
	if want := "called granted nokey partly secured through"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".granted", Limit: 1}, 2)
	visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".through", Limit: 1}, 1)
	visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".secured", Limit: 1}, 1)
	for _, it := range visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".partly", Limit: 1}, 2) {
		if len(it.Meta) != 2 {
			t.Errorf("got columns %v, want id and v", it.Meta)
		}
	}
	if items := list(t, d, connectors.ItemQuery{ContainerID: s + ".nokey", Limit: 1}); len(items) != 2 || items[0].ID == items[1].ID {
		t.Errorf("got %+v", items)
	}
	for table, want := range map[string]string{"denied": "GRANT SELECT ON", "called": "behind it; GRANT it"} {
		_, err = tryList(d, connectors.ItemQuery{ContainerID: s + "." + table, Limit: 5})
		if e := wantCode(t, err, connectors.Reauthorize); !strings.Contains(e.Message, want) {
			t.Errorf("%s: got %q", table, e.Message)
		}
	}
	for _, id := range []string{"pg_catalog.pg_class", "information_schema.tables", s + ".absent", "absent.absent"} {
		_, err = tryList(d, connectors.ItemQuery{ContainerID: id, Limit: 5})
		wantCode(t, err, connectors.NotFound)
	}
	for _, id := range []string{"", "granted", `"x`, "a.b.c"} {
		_, err = tryList(d, connectors.ItemQuery{ContainerID: id, Limit: 5})
		wantCode(t, err, connectors.InvalidRequest)
	}
}

// TestForeignTables reads a table of the same server through postgres_fdw.
func TestForeignTables(t *testing.T) {
	c := admin(t)
	var available bool
	if err := c.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'postgres_fdw')").Scan(&available); err != nil {
		t.Fatal(err)
	}
	if !available {
		t.Skip("the server of " + serverVariable + " has no postgres_fdw")
	}
	port := lab.admin["port"]
	if port == "" {
		port = "5432"
	}
	exec(t, c, "CREATE EXTENSION postgres_fdw")
	exec(t, c, fmt.Sprintf("CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%s', dbname '%s')", lab.admin["host"], port, lab.name))
	exec(t, c, fmt.Sprintf("CREATE USER MAPPING FOR CURRENT_USER SERVER self OPTIONS (user '%s', password '%s')", lab.admin["user"], lab.admin["password"]))
	s, _ := schema(t, "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'x' FROM generate_series(1, 20) i",
		"CREATE FOREIGN TABLE f (id int NOT NULL, v text) SERVER self OPTIONS (schema_name 's_testforeigntables', table_name 't')",
		"CREATE FOREIGN TABLE broken (id int) SERVER self OPTIONS (schema_name 's_testforeigntables', table_name 'absent')")
	defer func() { exec(t, c, "DROP EXTENSION postgres_fdw CASCADE") }()
	d := open(t, nil)
	if n := len(containers(t, d, s, connectors.ContainerQuery{Limit: 50})); n != 3 {
		t.Errorf("got %d containers, want 3", n)
	}
	visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".f", Limit: 6}, 20)
	if _, err := tryList(d, connectors.ItemQuery{ContainerID: s + ".broken", Limit: 6}); err == nil {
		t.Error("a foreign table without its source was listed")
	}
}
