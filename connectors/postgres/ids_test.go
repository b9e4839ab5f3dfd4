package postgres

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// allIDs lists the ids of a container to their end.
func allIDs(t *testing.T, d *Driver, container string) []string {
	t.Helper()
	var all []string
	q := connectors.IDQuery{ContainerID: container}
	for {
		p, err := d.ListIDs(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, p.Items...); p.Next == "" {
			return all
		}
		q.Cursor = p.Next
	}
}

// TestIDs compares the ids with those of the items, and resolves each of them, for keys of many forms.
func TestIDs(t *testing.T) {
	tables := map[string][]string{
		"int":           {"CREATE TABLE t (k int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'x' FROM generate_series(-20, 30) i"},
		"text":          {"CREATE TABLE t (k text PRIMARY KEY)", `INSERT INTO t SELECT unnest(ARRAY['', ' ', '"', '""', '"a"', 'a,b', 'a\', '\', '\\,', '''', 'ä', '(1,2)', 'NULL'])`},
		"two":           {"CREATE TABLE t (v int, a text, b numeric, PRIMARY KEY (b, a))", `INSERT INTO t SELECT 1, a, b FROM unnest(ARRAY['', ',', '\', '\,', 'a,b\']) a, unnest('{1,1.50,NaN,-Infinity}'::numeric[]) b`},
		"float":         {"CREATE TABLE t (k float8 PRIMARY KEY)", "INSERT INTO t SELECT 1.0 / i FROM generate_series(1, 30) i"},
		"timestamptz":   {"CREATE TABLE t (k timestamptz PRIMARY KEY)", "INSERT INTO t SELECT '2024-03-31 00:30+01'::timestamptz + i * '20 minutes 0.000001 s'::interval FROM generate_series(1, 60) i UNION SELECT 'infinity'"},
		"bytea":         {"CREATE TABLE t (k bytea PRIMARY KEY)", `INSERT INTO t SELECT decode(md5(i::text), 'hex') FROM generate_series(1, 60) i UNION SELECT ''`},
		"char":          {"CREATE TABLE t (k char(6) PRIMARY KEY)", "INSERT INTO t SELECT i::text FROM generate_series(1, 60) i"},
		"interval":      {"CREATE TABLE t (k interval PRIMARY KEY)", "INSERT INTO t SELECT i * '1 mon 3 days 04:05:06.789'::interval FROM generate_series(1, 60) i"},
		"array":         {"CREATE TABLE t (k text[] PRIMARY KEY)", `INSERT INTO t SELECT ARRAY['a,' || i, '"', NULL, 'NULL'] FROM generate_series(1, 60) i`},
		"unique uuid":   {"CREATE TABLE t (v int, k uuid NOT NULL UNIQUE)", "INSERT INTO t SELECT i, md5(i::text)::uuid FROM generate_series(1, 60) i"},
		"collated":      {`CREATE TABLE t (k text COLLATE "en-x-icu" PRIMARY KEY)`, "INSERT INTO t SELECT chr(i) || chr(j) FROM generate_series(65, 70) i, generate_series(97, 105) j"},
		"no key":        {"CREATE TABLE t (a int, b text)", "INSERT INTO t SELECT i % 7, NULLIF(i % 3, 0)::text FROM generate_series(1, 60) i"},
		"needs quoting": {`CREATE TABLE t ("A b"";" int, "select" text, PRIMARY KEY ("A b"";", "select"))`, "INSERT INTO t SELECT i / 3, i::text FROM generate_series(1, 60) i"},
		"partitions":    {"CREATE TABLE t (k int PRIMARY KEY) PARTITION BY HASH (k)", "CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0)", "CREATE TABLE t2 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1)", "INSERT INTO t SELECT generate_series(1, 60)"},
		"empty":         {"CREATE TABLE t (k int PRIMARY KEY)"},
	}
	for name, sql := range tables {
		t.Run(name, func(t *testing.T) {
			s, _ := schema(t, sql...)
			d := open(t, nil)
			items := idsOf(list(t, d, connectors.ItemQuery{ContainerID: s + ".t", Limit: 200}))
			ids := allIDs(t, d, s+".t")
			if !slices.Equal(ids, items) {
				t.Fatalf("got ids %q, items have %q", ids, items)
			}
			for part := range slices.Chunk(ids, connectors.MaxAbsences) {
				got, err := d.ResolveAbsences(t.Context(), s+".t", part)
				if err != nil {
					t.Fatal(err)
				}
				for i, a := range got {
					if a.ID != part[i] || a.Reason != connectors.Present {
						t.Errorf("%q: got %+v", part[i], a)
					}
				}
			}
		})
	}
}

// TestAbsences asks for rows that are not there.
func TestAbsences(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (k int PRIMARY KEY, owner text)", "INSERT INTO t SELECT i, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END FROM generate_series(1, 10) i",
		"CREATE TABLE safe (k int PRIMARY KEY, owner text)", "INSERT INTO safe SELECT * FROM t", "ALTER TABLE safe ENABLE ROW LEVEL SECURITY",
		"CREATE POLICY even ON safe USING (owner = 'even')", "CREATE VIEW v AS SELECT * FROM t WHERE owner = 'even'",
		"CREATE TABLE two (a text, b int, PRIMARY KEY (a, b))", "CREATE TABLE nokey (a int)", "INSERT INTO nokey VALUES (1)",
		"CREATE TABLE ci (k numeric PRIMARY KEY)", "INSERT INTO ci VALUES (1.50)")
	d := reader(t, c, "GRANT USAGE ON SCHEMA "+s, "GRANT SELECT ON ALL TABLES IN SCHEMA "+s)
	all := open(t, nil)
	tests := map[string]struct {
		d     *Driver
		table string
		ids   string // separated by blanks
		want  string
		code  connectors.Code
	}{
		"deleted":            {d, "t", "1 11 2 99", "present deleted present deleted", ""},
		"hidden":             {d, "safe", "1 2 99 4", "gone present gone present", ""},
		"nothing hidden":     {all, "safe", "1 2 99 4", "present present deleted present", ""},
		"view":               {d, "v", strings.Repeat("0", 64) + "", "gone", ""},
		"no key":             {d, "nokey", "x", "deleted", ""},
		"two columns":        {d, "two", "a,1", "deleted", ""},
		"written otherwise":  {d, "t", "01 1 +1", "deleted present deleted", ""},
		"other digits":       {d, "ci", "1.5 1.50", "deleted present", ""},
		"another type":       {d, "t", "1 x", "", connectors.InvalidRequest},
		"too large":          {d, "t", "99999999999999999999", "", connectors.InvalidRequest},
		"too many columns":   {d, "t", "1", "present", ""},
		"too few columns":    {d, "two", "a", "", connectors.InvalidRequest},
		"quote without end":  {d, "t", `"`, "", connectors.InvalidRequest},
		"no such table":      {d, "absent", "1", "", connectors.NotFound},
		"breaking out":       {d, "two", "x');DELETE,1", "deleted", ""},
		"no table name":      {d, "", "1", "", connectors.NotFound},
		"id that is a query": {d, "t", "1)OR(true", "", connectors.InvalidRequest},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			container := s + "." + tt.table
			if tt.table == "" {
				container = "x.y"
			}
			got, err := tt.d.ResolveAbsences(t.Context(), container, strings.Fields(tt.ids))
			if tt.code != "" {
				wantCode(t, err, tt.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var reasons []string
			for _, a := range got {
				reasons = append(reasons, string(a.Reason))
			}
			if strings.Join(reasons, " ") != tt.want {
				t.Errorf("got %v, want %s", reasons, tt.want)
			}
		})
	}
	exec(t, c, "REVOKE SELECT ON t FROM "+lab.name+"_reader")
	if got := idsOf(ask(t, d, "SELECT * FROM "+s+".safe", 2)); !slices.Equal(got, []string{"2", "4", "6", "8", "10"}) {
		t.Errorf("a query shows the rows %v", got)
	}
	if got := allIDs(t, d, s+".safe"); !slices.Equal(got, []string{"2", "4", "6", "8", "10"}) {
		t.Errorf("the ids are %v", got)
	}
	_, err := d.ResolveAbsences(t.Context(), s+".t", []string{"1"})
	if wantCode(t, err, connectors.Reauthorize); !connectors.IsDenied(err) {
		t.Errorf("got %v, want it denied", err)
	}
}

// TestIDsBeyondTheBound lists the ids of a table without a key that is too large: nothing comes of it.
func TestIDsBeyondTheBound(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (a int)", fmt.Sprintf("INSERT INTO t SELECT generate_series(1, %d)", keylessRows))
	d := open(t, nil)
	if ids := allIDs(t, d, s+".t"); len(ids) != keylessRows {
		t.Errorf("got %d ids at the bound", len(ids))
	}
	exec(t, c, "INSERT INTO t VALUES (0)")
	p, err := d.ListIDs(t.Context(), connectors.IDQuery{ContainerID: s + ".t"})
	if wantCode(t, err, connectors.Unsupported); len(p.Items) > 0 {
		t.Errorf("got %d ids", len(p.Items))
	}
	_, err = d.ResolveAbsences(t.Context(), s+".t", []string{"x"})
	wantCode(t, err, connectors.Unsupported)
}

// TestMillionIDs lists a million ids from the key's index alone, with memory that does not grow.
func TestMillionIDs(t *testing.T) {
	const rows = 1_000_000
	s, c := schema(t, "CREATE UNLOGGED TABLE t (id bigint, v text)", fmt.Sprintf("INSERT INTO t SELECT i, 'some text' FROM generate_series(1, %d) i", rows),
		"ALTER TABLE t ADD PRIMARY KEY (id)", "VACUUM ANALYZE t")
	d := open(t, nil)
	q := connectors.IDQuery{ContainerID: s + ".t"}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var early, most uint64
	seen, last := 0, 0
	for page := 1; ; page++ {
		p, err := d.ListIDs(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range p.Items {
			if last++; id != fmt.Sprint(last) {
				t.Fatalf("got id %s, want %d", id, last)
			}
		}
		seen += len(p.Items)
		if page%10 == 0 {
			most = max(most, heap())
		}
		if page == 10 {
			early = most
		}
		if q.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	if seen != rows || most > early+1<<20 {
		t.Errorf("got %d ids, %d bytes in use after 10 pages and at most %d after more", seen, early, most)
	}
	t.Logf("%d ids, %d KB in use at most", seen, most>>10)

	rel, err := d.relation(t.Context(), tableName{s, "t"}, false)
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.idListing(rel, connectors.IDQuery{ContainerID: s + ".t", Cursor: connectors.Cursor(`{"o":["20:id","` + rel.oid + `"],"a":["NTAwMDAw"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	var plan string
	sql := strings.NewReplacer("$1", "500000", "$2", "10001").Replace(l.statements()[l.rows].sql)
	if err := c.QueryRow(context.Background(), "EXPLAIN (FORMAT JSON) "+sql).Scan(&plan); err != nil || !strings.Contains(plan, "Index Only Scan") {
		t.Errorf("got the plan %s, %v", plan, err)
	}
}

// TestEstimates compares estimates with what is there.
func TestEstimates(t *testing.T) {
	s, _ := schema(t, "CREATE TABLE small (id int PRIMARY KEY, at date)", "INSERT INTO small SELECT i, '2024-01-01'::date + i FROM generate_series(1, 90) i",
		"CREATE TABLE large (id int PRIMARY KEY, at date)", "INSERT INTO large SELECT i, '2024-01-01'::date + i % 1000 FROM generate_series(1, 50000) i", "ANALYZE large",
		"CREATE VIEW v AS SELECT * FROM small", "CREATE VIEW slow AS SELECT id FROM small WHERE pg_sleep(60)::text = id::text")
	d := open(t, map[string]any{"updated_column": "at"})
	d.statementTimeout = 500 * time.Millisecond
	tests := map[string]struct {
		q        connectors.ItemQuery
		low, top int64
		exact    bool
	}{
		"small":         {connectors.ItemQuery{ContainerID: s + ".small"}, 90, 90, true},
		"view":          {connectors.ItemQuery{ContainerID: s + ".v"}, 90, 90, true},
		"large":         {connectors.ItemQuery{ContainerID: s + ".large"}, 49000, 51000, false},
		"small, since":  {connectors.ItemQuery{ContainerID: s + ".small", UpdatedAfter: day("2024-03-01")}, 31, 31, true},
		"large, since":  {connectors.ItemQuery{ContainerID: s + ".large", UpdatedAfter: day("2024-01-02")}, 40000, 51000, false},
		"query":         {connectors.ItemQuery{Query: "SELECT * FROM " + s + ".small WHERE id <= 7"}, 7, 7, true},
		"query, many":   {connectors.ItemQuery{Query: "SELECT * FROM " + s + ".large WHERE id > 10"}, 49000, 51000, false},
		"slow to count": {connectors.ItemQuery{ContainerID: s + ".slow"}, 0, 90, false},
		"query, values": {connectors.ItemQuery{Query: "VALUES (1), (1)"}, 2, 2, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.q.Limit = 20
			e, err := d.EstimateItems(t.Context(), tt.q)
			if err != nil {
				t.Fatal(err)
			}
			if e.Entries < tt.low || e.Entries > tt.top || e.Exact != tt.exact || e.Requests != (e.Entries+19)/20 {
				t.Errorf("got %+v, want %d to %d, exact %v", e, tt.low, tt.top, tt.exact)
			}
		})
	}
	want := int64(0)
	q := connectors.ContainerQuery{Limit: 200}
	for {
		p, err := d.ListContainers(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		want += int64(len(p.Items))
		if q.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	if e, err := d.EstimateContainers(t.Context(), q); err != nil || e.Entries != want || !e.Exact {
		t.Errorf("got %+v, %v, want %d tables", e, err, want)
	}
	_, err := d.EstimateComments(t.Context(), connectors.CommentQuery{ItemID: "1"})
	wantCode(t, err, connectors.Unsupported)
	_, err = d.EstimateItems(t.Context(), connectors.ItemQuery{})
	wantCode(t, err, connectors.InvalidRequest)
	_, err = d.EstimateItems(t.Context(), connectors.ItemQuery{ContainerID: s + ".absent"})
	wantCode(t, err, connectors.NotFound)
}
