package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

// TestPagingKeys pages tables over keys of many types and checks that each row is met once, at every page size.
func TestPagingKeys(t *testing.T) {
	keys := map[string]struct{ columns, key, rows string }{
		"int":              {"k int", "k", "SELECT i FROM generate_series(-40, 40) i"},
		"bigint":           {"k bigint", "k", "SELECT 9223372036854775807 - i FROM generate_series(0, 60) i"},
		"numeric":          {"k numeric", "k", "SELECT (i::numeric / 3) FROM generate_series(1, 60) i UNION SELECT v::numeric FROM unnest('{NaN,Infinity,-Infinity,0}'::text[]) v"},
		"float8":           {"k float8", "k", "SELECT 1.0::float8 / i FROM generate_series(1, 60) i UNION SELECT v::float8 FROM unnest('{NaN,Infinity,-Infinity,0,5e-324}'::text[]) v"},
		"float4":           {"k float4", "k", "SELECT (1.0 / i)::float4 FROM generate_series(1, 60) i UNION SELECT 'NaN'"},
		"bool":             {"k bool, l int", "k, l", "SELECT i % 2 = 0, i / 2 FROM generate_series(0, 60) i"},
		"text":             {"k text", "k", "SELECT v FROM unnest(ARRAY['', ' ', 'a', 'A', 'b', 'ä', 'Z', 'z', 'é', 'a b', 'a,b', 'a\\', '''', '\"', 'NULL', '🙂', E'\\n', E'\\t']) v UNION SELECT repeat('x', i) FROM generate_series(1, 40) i"},
		"text collated":    {`k text COLLATE "en-x-icu"`, "k", "SELECT chr(i) || chr(j) FROM generate_series(65, 70) i, generate_series(97, 105) j UNION SELECT lower(chr(i)) FROM generate_series(65, 80) i UNION SELECT chr(i) FROM generate_series(65, 80) i"},
		"varchar":          {"k varchar(20)", "k", "SELECT md5(i::text)::varchar(20) FROM generate_series(1, 60) i"},
		"char":             {"k char(6)", "k", "SELECT to_char(i, 'FM999') FROM generate_series(1, 60) i"},
		"internal char":    {`k "char"`, "k", "SELECT chr(i)::\"char\" FROM generate_series(33, 100) i"},
		"name":             {"k name", "k", "SELECT ('n' || i)::name FROM generate_series(1, 60) i"},
		"uuid":             {"k uuid", "k", "SELECT md5(i::text)::uuid FROM generate_series(1, 60) i"},
		"bytea":            {"k bytea", "k", "SELECT decode(md5(i::text), 'hex') FROM generate_series(1, 60) i UNION SELECT '' UNION SELECT '\\x00'"},
		"timestamptz":      {"k timestamptz", "k", "SELECT '2024-03-31 00:30+01'::timestamptz + i * '20 minutes 0.000001 s'::interval FROM generate_series(1, 60) i UNION SELECT 'infinity' UNION SELECT '-infinity' UNION SELECT '0044-03-15 00:00+00 BC'"},
		"timestamp":        {"k timestamp", "k", "SELECT '2024-10-27 00:30'::timestamp + i * '20 minutes'::interval FROM generate_series(1, 60) i UNION SELECT 'infinity'"},
		"date":             {"k date", "k", "SELECT '1999-12-01'::date + i FROM generate_series(1, 60) i UNION SELECT '-infinity' UNION SELECT '0044-03-15 BC'"},
		"time":             {"k time", "k", "SELECT '00:00'::time + i * '7 min 0.5 s'::interval FROM generate_series(1, 60) i"},
		"timetz":           {"k timetz", "k", "SELECT ('12:00:00' || CASE WHEN i % 2 = 0 THEN '+' ELSE '-' END || (i % 12) || ':' || i)::timetz FROM generate_series(1, 50) i"},
		"interval":         {"k interval", "k", "SELECT (i - 30) * '1 mon 3 days 04:05:06.789'::interval FROM generate_series(1, 60) i"},
		"inet":             {"k inet", "k", "SELECT '10.0.0.0'::inet + i FROM generate_series(1, 60) i UNION SELECT '::1' UNION SELECT '10.0.0.0/8'"},
		"macaddr":          {"k macaddr", "k", "SELECT ('08:00:2b:01:02:' || lpad(to_hex(i), 2, '0'))::macaddr FROM generate_series(1, 60) i"},
		"bit":              {"k varbit", "k", "SELECT i::bit(8)::varbit FROM generate_series(1, 60) i UNION SELECT B'' UNION SELECT B'0'"},
		"money":            {"k money", "k", "SELECT (i * 1000.5)::numeric::money FROM generate_series(1, 60) i"},
		"enum":             {"k mood, l int", "k, l", "SELECT (ARRAY['zz', 'a b', 'm']::mood[])[i % 3 + 1], i FROM generate_series(1, 60) i"},
		"domain":           {"k posint, l dtext", "k, l", "SELECT i / 10 + 1, 'x' || i FROM generate_series(1, 60) i"},
		"array":            {"k int[]", "k", "SELECT ARRAY[i, NULL, i % 3] FROM generate_series(1, 60) i UNION SELECT '{}' UNION SELECT '{{1,2}}'"},
		"text array":       {"k text[]", "k", "SELECT ARRAY['a,' || i, '\"', NULL, 'NULL'] FROM generate_series(1, 60) i"},
		"range":            {"k int4range", "k", "SELECT int4range(i, i + 5) FROM generate_series(1, 60) i UNION SELECT 'empty' UNION SELECT '(,)'"},
		"composite type":   {"k pair", "k", "SELECT ROW(i / 7, 'x, ' || i)::pair FROM generate_series(1, 60) i"},
		"jsonb":            {"k jsonb", "k", "SELECT jsonb_build_object('a', i, 'b', 'x''y') FROM generate_series(1, 60) i"},
		"citext":           {"k other.citext", "k", "SELECT chr(64 + i % 26 + 1) || i FROM generate_series(1, 30) i UNION SELECT chr(96 + i % 26 + 1) || i FROM generate_series(31, 60) i"},
		"three with ties":  {"a int, b text, c timestamptz", "a, b, c", "SELECT i / 30, (i / 7)::text, '2024-01-01 00:00+00'::timestamptz + i * '1s'::interval FROM generate_series(1, 90) i"},
		"other order":      {"a int, b int, c int", "c, a", "SELECT i % 5, i, i / 5 FROM generate_series(1, 60) i"},
		"one leading key":  {"a text, b float8", "a, b", "SELECT 'same', CASE WHEN i = 60 THEN 'NaN'::float8 ELSE i / 7.0 END FROM generate_series(1, 60) i"},
		"needs quoting":    {`"A b"";" int, "select" text`, `"A b"";", "select"`, "SELECT i / 3, i::text FROM generate_series(1, 60) i"},
		"included columns": {"k int, extra text", "k) INCLUDE (extra", "SELECT i, 'same' FROM generate_series(1, 60) i"},
	}
	c := admin(t)
	exec(t, c, "CREATE SCHEMA other")
	exec(t, c, "CREATE EXTENSION citext SCHEMA other")
	defer func() { _, _ = c.Exec(context.Background(), "DROP SCHEMA other CASCADE") }()
	d := open(t, nil)
	for name, tt := range keys {
		t.Run(name, func(t *testing.T) {
			s, c := schema(t,
				"CREATE TYPE mood AS ENUM ('zz', 'm', 'a b')", "CREATE DOMAIN posint AS int CHECK (VALUE > 0)", "CREATE DOMAIN dtext AS varchar(9)",
				"CREATE TYPE pair AS (a int, b text)",
				"CREATE TABLE rows AS SELECT 1 WHERE false", "DROP TABLE rows",
				"CREATE TABLE t ("+tt.columns+", PRIMARY KEY ("+tt.key+"))", "INSERT INTO t "+tt.rows)
			var count int
			if err := c.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&count); err != nil || count < 40 {
				t.Fatalf("%d rows, %v", count, err)
			}
			for _, size := range []int{1, 2, 3, 7, 200} {
				visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".t", Limit: size}, count)
			}
			ids := idsOf(visitOnce(t, d, connectors.ItemQuery{ContainerID: s + ".t", Limit: 200}, count))
			for _, size := range []int{3, 200} {
				got := visitOnce(t, d, connectors.ItemQuery{Query: "SELECT * FROM " + s + ".t", Limit: size}, count)
				if !slices.Equal(idsOf(got), ids) {
					t.Errorf("a query by %d has other ids, or another order: %.200q", size, idsOf(got))
				}
			}
		})
	}
}

// visitOnce lists a container and fails unless it met count rows, each once.
func visitOnce(t *testing.T, d *Driver, q connectors.ItemQuery, count int) []connectors.Item {
	t.Helper()
	items := list(t, d, q)
	seen, ids := map[string]bool{}, map[string]bool{}
	for _, it := range items {
		b, err := it.Meta.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(b)] || ids[it.ID] || it.ID == "" {
			t.Fatalf("limit %d: row %s with id %q came twice", q.Limit, b, it.ID)
		}
		seen[string(b)], ids[it.ID] = true, true
	}
	if len(items) != count {
		t.Fatalf("limit %d: got %d rows, want %d", q.Limit, len(items), count)
	}
	return items
}

// TestPagingWhileChanging inserts and deletes around the cursor: what stays all the while is met once.
func TestPagingWhileChanging(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (k int PRIMARY KEY)", "INSERT INTO t SELECT i * 10 FROM generate_series(1, 100) i")
	d := open(t, nil)
	q := connectors.ItemQuery{ContainerID: s + ".t", Limit: 7}
	seen := map[string]int{}
	for page := 0; ; page++ {
		p, err := d.ListItems(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range p.Items {
			seen[it.ID]++
		}
		if p.Next == "" {
			break
		}
		q.Cursor = p.Next
		exec(t, c, "INSERT INTO t SELECT $1 * 10 + 5 ON CONFLICT DO NOTHING", page)
		exec(t, c, "DELETE FROM t WHERE k = $1", p.Items[len(p.Items)-1].Meta[0].Value)
	}
	for i := 1; i <= 100; i++ {
		if id := fmt.Sprint(i * 10); seen[id] != 1 {
			t.Errorf("row %s was met %d times", id, seen[id])
		}
	}
}

func TestUniqueIndexes(t *testing.T) {
	tests := map[string]struct {
		sql []string
		key []string
	}{
		"not null":          {[]string{"CREATE TABLE t (a int, k int NOT NULL UNIQUE)"}, []string{"k"}},
		"nullable":          {[]string{"CREATE TABLE t (a int, k int UNIQUE)"}, nil},
		"partial":           {[]string{"CREATE TABLE t (k int NOT NULL)", "CREATE UNIQUE INDEX ON t (k) WHERE k > 5"}, nil},
		"expression":        {[]string{"CREATE TABLE t (k int NOT NULL)", "CREATE UNIQUE INDEX ON t ((k + 1))"}, nil},
		"not unique":        {[]string{"CREATE TABLE t (k int NOT NULL)", "CREATE INDEX ON t (k)"}, nil},
		"descending":        {[]string{"CREATE TABLE t (k int NOT NULL, l int NOT NULL)", "CREATE UNIQUE INDEX ON t (k DESC, l)"}, []string{"k", "l"}},
		"other collation":   {[]string{`CREATE TABLE t (k text NOT NULL)`, `CREATE UNIQUE INDEX ON t (k COLLATE "en-x-icu")`}, nil},
		"other operators":   {[]string{`CREATE TABLE t (k text NOT NULL)`, `CREATE UNIQUE INDEX ON t (k text_pattern_ops)`}, nil},
		"shortest":          {[]string{"CREATE TABLE t (a int NOT NULL, b int NOT NULL, c int NOT NULL, UNIQUE (a, b), UNIQUE (c))"}, []string{"c"}},
		"primary preferred": {[]string{"CREATE TABLE t (a int NOT NULL UNIQUE, b int, c int, PRIMARY KEY (b, c))"}, []string{"b", "c"}},
		"dropped column":    {[]string{"CREATE TABLE t (x int, y int, k int PRIMARY KEY)", "ALTER TABLE t DROP COLUMN x"}, []string{"k"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := schema(t, tt.sql...)
			rel, err := open(t, nil).describe(t.Context(), tableName{s, "t"})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, k := range rel.key {
				got = append(got, rel.columns[k].name)
			}
			if strings.Join(got, ",") != strings.Join(tt.key, ",") {
				t.Errorf("got key %v, want %v", got, tt.key)
			}
		})
	}
}

// TestKeyless lists tables without a key: equal rows each once, and nothing at all beyond the bound.
func TestKeyless(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (a int, b text, c json)", "INSERT INTO t SELECT i % 30, CASE WHEN i % 2 = 0 THEN 'x' END, '[1]' FROM generate_series(1, 90) i",
		"CREATE VIEW v AS SELECT * FROM t", "CREATE TABLE nothing ()", "INSERT INTO nothing SELECT FROM generate_series(1, 3)",
		"CREATE TABLE empty (a int)")
	d := open(t, nil)
	for _, table := range []string{"t", "v"} {
		for _, size := range []int{1, 2, 7, 90, 200} {
			items := list(t, d, connectors.ItemQuery{ContainerID: s + "." + table, Limit: size})
			ids, rows := map[string]int{}, map[string]int{}
			for _, it := range items {
				ids[it.ID]++
				rows[fmt.Sprint(it.Meta)]++
			}
			if len(items) != 90 || len(ids) != 90 || len(rows) != 30 {
				t.Errorf("%s, limit %d: %d items, %d ids, %d different rows; want 90, 90, 30", table, size, len(items), len(ids), len(rows))
			}
		}
	}
	if n := len(list(t, d, connectors.ItemQuery{ContainerID: s + ".nothing", Limit: 2})); n != 3 {
		t.Errorf("got %d rows without columns, want 3", n)
	}
	if n := len(list(t, d, connectors.ItemQuery{ContainerID: s + ".empty", Limit: 2})); n != 0 {
		t.Errorf("got %d rows of an empty table", n)
	}
	exec(t, c, "INSERT INTO t SELECT i FROM generate_series(1, $1::int) i", keylessRows-90)
	visit := list(t, d, connectors.ItemQuery{ContainerID: s + ".t", Limit: 200})
	if len(visit) != keylessRows {
		t.Errorf("got %d rows at the bound, want %d", len(visit), keylessRows)
	}
	exec(t, c, "INSERT INTO t VALUES (1)")
	p, err := d.ListItems(t.Context(), connectors.ItemQuery{ContainerID: s + ".t", Limit: 200})
	if err != nil || len(p.Items) != 200 || p.Next == "" {
		t.Fatalf("first page beyond the bound: %d rows, next %q, %v", len(p.Items), p.Next, err)
	}
	p, err = d.ListItems(t.Context(), connectors.ItemQuery{ContainerID: s + ".t", Limit: 200, Cursor: p.Next})
	if e := wantCode(t, err, connectors.Unsupported); !strings.Contains(e.Message, "primary key") || len(p.Items) > 0 {
		t.Errorf("got %q with %d rows", e.Message, len(p.Items))
	}
}

// TestKeylessRowsThatChange has the rows of a table without a key change between two pages: a position in their order
// means nothing then, and an end would be taken for the whole.
func TestKeylessRowsThatChange(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (a int)", "INSERT INTO t SELECT generate_series(1, 20)",
		"CREATE VIEW clock AS SELECT a, clock_timestamp() - '2020-01-01'::timestamptz AS age FROM t")
	d := open(t, nil)
	for table, change := range map[string]string{
		"clock": "", "t": "UPDATE " + s + ".t SET a = a + 100", ".t": "DELETE FROM " + s + ".t",
	} {
		table = strings.TrimPrefix(table, ".")
		p, err := d.ListItems(t.Context(), connectors.ItemQuery{ContainerID: s + "." + table, Limit: 5})
		if err != nil || p.Next == "" {
			t.Fatalf("%s: first page %v, %v", table, p.Next, err)
		}
		if change != "" {
			exec(t, c, change)
		}
		p, err = d.ListItems(t.Context(), connectors.ItemQuery{ContainerID: s + "." + table, Limit: 5, Cursor: p.Next})
		if e := wantCode(t, err, connectors.ProviderError); !strings.Contains(e.Message, "changed while") || len(p.Items) > 0 {
			t.Errorf("%s: got %q with %d rows", table, e.Message, len(p.Items))
		}
		if change != "" {
			exec(t, c, "TRUNCATE "+s+".t")
			exec(t, c, "INSERT INTO "+s+".t SELECT generate_series(1, 20)")
		}
	}
}

// TestTableThatTakesAName has another table take the name of one that is being paged.
func TestTableThatTakesAName(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t SELECT generate_series(1, 20)",
		"CREATE TABLE u (id int PRIMARY KEY)", "INSERT INTO u SELECT generate_series(1, 20)")
	d := open(t, nil)
	p, err := d.ListItems(t.Context(), connectors.ItemQuery{ContainerID: s + ".t", Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	exec(t, c, "ALTER TABLE "+s+".t RENAME TO old")
	exec(t, c, "ALTER TABLE "+s+".u RENAME TO t")
	d = open(t, nil) // a page can come from another process
	_, err = d.ListItems(t.Context(), connectors.ItemQuery{ContainerID: s + ".t", Limit: 5, Cursor: p.Next})
	if e := wantCode(t, err, connectors.InvalidRequest); !strings.Contains(e.Message, "start without one") {
		t.Errorf("got %q", e.Message)
	}
}

func TestIDsAndNames(t *testing.T) {
	s, _ := schema(t,
		`CREATE TABLE one (n int, t text, k bytea PRIMARY KEY)`, `INSERT INTO one VALUES (1, '  ', '\x0aff')`,
		`CREATE TABLE two (a text, b text, v varchar, PRIMARY KEY (a, b))`,
		`INSERT INTO two VALUES ('x,y', '\', 'Name'), ('x', 'y,\', NULL), ('x,y', '\\', repeat('é', 300))`)
	d := open(t, nil)
	one := list(t, d, connectors.ItemQuery{ContainerID: s + ".one", Limit: 10})[0]
	if one.ID != `\x0aff` || one.Name != `\x0aff` || one.Type != "row" || one.ContainerID != s+".one" || one.URL != "" || one.Raw != nil {
		t.Errorf("got %+v", one)
	}
	got := map[string]string{}
	for _, it := range list(t, d, connectors.ItemQuery{ContainerID: s + ".two", Limit: 10}) {
		got[it.ID] = it.Name
	}
	want := map[string]string{`x\,y,\\`: "x,y", `x,y\,\\`: "x", `x\,y,\\\\`: "x,y"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := len([]rune(cut(strings.Repeat("é", 300)))); n != nameRunes+1 {
		t.Errorf("a long name was cut to %d", n)
	}
}

// TestLargeRows checks that pages get shorter where rows are large, and that nothing is lost by it.
func TestLargeRows(t *testing.T) {
	s, _ := schema(t, "CREATE TABLE t (k int PRIMARY KEY, b text)",
		"INSERT INTO t SELECT i, CASE WHEN i BETWEEN 10 AND 25 THEN repeat('x', 3000000) END FROM generate_series(1, 40) i")
	d := open(t, nil)
	q := connectors.ItemQuery{ContainerID: s + ".t", Limit: 200}
	p, err := d.ListItems(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Items) != 11 || p.Next == "" {
		t.Errorf("the first page has %d rows, want 11", len(p.Items))
	}
	if rel := d.tables.get(tableName{s, "t"}); rel.fits.Load() != 11 {
		t.Errorf("the next page asks for %d rows, want 11", rel.fits.Load())
	}
	visitOnce(t, d, q, 40)
}
