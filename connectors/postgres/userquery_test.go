package postgres

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// ask reads a query to its end.
func ask(t *testing.T, d *Driver, sql string, limit int) []connectors.Item {
	t.Helper()
	items, err := tryList(d, connectors.ItemQuery{Query: sql, Limit: limit})
	if err != nil {
		t.Fatalf("%s by %d: %v", sql, limit, err)
	}
	return items
}

func idsOf(items []connectors.Item) []string {
	var ids []string
	for _, it := range items {
		ids = append(ids, it.ID)
	}
	return ids
}

// TestQueryRows reads queries of every kind at every page size: each row once, in the order that is promised.
func TestQueryRows(t *testing.T) {
	s, c := schema(t,
		"CREATE TABLE a (id int PRIMARY KEY, name text, at timestamptz, n numeric)",
		"INSERT INTO a SELECT i, 'n' || (i * 7 % 50), '2024-01-01 00:00+00'::timestamptz + i * '1h'::interval, i / 3.0 FROM generate_series(1, 60) i",
		"CREATE TABLE b (x text, y int, aid int, PRIMARY KEY (x, y))",
		"INSERT INTO b SELECT chr(97 + i % 5), i, i % 30 FROM generate_series(1, 70) i",
		"CREATE TABLE nokey (v int)", "INSERT INTO nokey SELECT i % 10 FROM generate_series(1, 40) i",
		"CREATE VIEW va AS SELECT * FROM a")
	tests := map[string]struct {
		sql   string
		keyed bool
		rows  int
	}{
		"star":               {"SELECT * FROM %s.a", true, 60},
		"condition":          {"SELECT name, id FROM %s.a WHERE id > 20", true, 40},
		"expression beside":  {"SELECT id, upper(name) AS u FROM %s.a", true, 60},
		"key renamed":        {"SELECT id AS k, name AS id FROM %s.a", true, 60},
		"semicolon":          {"SELECT id FROM %s.a ; -- done", true, 60},
		"comment at the end": {"SELECT id FROM %s.a -- all of it", true, 60},
		"composite key":      {"SELECT y, x FROM %s.b", true, 70},
		"half a key":         {"SELECT x FROM %s.b", false, 70},
		"with":               {"WITH w AS (SELECT * FROM %s.a WHERE id < 50) SELECT * FROM w", true, 49},
		"values":             {"VALUES (1, 'x'), (2, 'y'), (2, 'y')", false, 3},
		"table":              {"TABLE %s.a", true, 60},
		"view":               {"SELECT * FROM %s.va", false, 60},
		"join, one to many":  {"SELECT a.id, b.y FROM %[1]s.a JOIN %[1]s.b ON b.aid = a.id", false, 68},
		"join, both keys":    {"SELECT b.x, b.y, a.name FROM %[1]s.a JOIN %[1]s.b ON b.aid = a.id", true, 68},
		"outer join":         {"SELECT b.x, b.y, a.name FROM %[1]s.a LEFT JOIN %[1]s.b ON b.aid = a.id", false, 99},
		"union all":          {"SELECT id FROM %[1]s.a UNION ALL SELECT id FROM %[1]s.a", false, 120},
		"multiplied":         {"SELECT id, generate_series(1, 2) FROM %s.a", false, 120},
		"own order":          {"SELECT id, name FROM %s.a ORDER BY name, id DESC", false, 60},
		"order of the key":   {"SELECT name, id FROM %s.a ORDER BY id ASC", true, 60},
		"order of two keys":  {"SELECT y, x FROM %s.b ORDER BY X, y;", true, 70},
		"other order of two": {"SELECT y, x FROM %s.b ORDER BY y, x", false, 70},
		"against the key":    {"SELECT id FROM %s.a ORDER BY id DESC", false, 60},
		"name of another":    {"SELECT id AS k, n AS id FROM %s.a ORDER BY id", false, 60},
		"key by a limit":     {"SELECT id FROM %s.a ORDER BY id LIMIT 30", false, 30},
		"own order inside":   {"SELECT id FROM (SELECT * FROM %s.a ORDER BY name) z", true, 60},
		"in parentheses":     {"(SELECT id FROM %s.a ORDER BY id DESC)", false, 60},
		"window order":       {"SELECT id, row_number() OVER (ORDER BY name) FROM %s.a", true, 60},
		"limit":              {"SELECT id FROM %s.a LIMIT 17", false, 17},
		"limit inside":       {"SELECT id FROM (SELECT * FROM %s.a OFFSET 3) x", false, 57},
		"limit inside order": {"SELECT id FROM (SELECT * FROM %s.a FETCH FIRST 9 ROWS ONLY) x ORDER BY id", false, 9},
		"no key":             {"SELECT v FROM %s.nokey", false, 40},
		"grouped":            {"SELECT v, count(*) FROM %s.nokey GROUP BY v", false, 10},
		"no columns":         {"SELECT FROM %s.nokey", false, 40},
		"no rows":            {"SELECT id FROM %s.a WHERE false", true, 0},
		"no rows, no key":    {"SELECT v FROM %s.nokey WHERE false", false, 0},
	}
	d := open(t, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sql := tt.sql
			if strings.Contains(sql, "%") {
				sql = fmt.Sprintf(sql, s)
			}
			var first []string
			for _, limit := range []int{1, 3, 50, 200} {
				ids := idsOf(ask(t, d, sql, limit))
				if sorted := slices.Compact(slices.Sorted(slices.Values(ids))); len(ids) != tt.rows || len(sorted) != tt.rows {
					t.Fatalf("by %d: got %d rows with %d ids, want %d", limit, len(ids), len(sorted), tt.rows)
				}
				if keyed := len(ids) > 0 && len(ids[0]) < 64; tt.rows > 0 && keyed != tt.keyed {
					t.Errorf("by %d: ids such as %s, want of a key: %v", limit, ids[0], tt.keyed)
				}
				if first == nil {
					first = ids
				}
				if !slices.Equal(ids, first) {
					t.Errorf("by %d: another order than by 1", limit)
				}
			}
		})
	}
	t.Run("values", func(t *testing.T) {
		items := ask(t, d, "SELECT 1 AS a, 'x' AS b, 2 AS a, 12345678901234567890.10 AS n, ARRAY[1,NULL] AS l, '{\"k\": 1}'::jsonb, NULL, 3 AS a_2, 4 AS a", 5)
		got, err := items[0].Meta.MarshalJSON()
		if want := `{"a":1,"b":"x","a_3":2,"n":12345678901234567890.10,"l":[1,null],"jsonb":{"k": 1},"?column?":null,"a_2":3,"a_4":4}`; err != nil || string(got) != want {
			t.Errorf("got %s, %v\nwant %s", got, err, want)
		}
		if it := items[0]; it.Name != "x" || it.ContainerID != "" || it.Type != "row" {
			t.Errorf("got %+v", it)
		}
	})
	t.Run("top in its order", func(t *testing.T) {
		p, err := d.ListItems(t.Context(), connectors.ItemQuery{Query: "SELECT id FROM " + s + ".a ORDER BY id DESC", Limit: 2, Raw: true})
		if err != nil || len(p.Items) != 2 || string(p.Items[0].Raw) != `{"id":60}` || string(p.Items[1].Raw) != `{"id":59}` {
			t.Errorf("got %+v, %v", p, err)
		}
	})
	t.Run("named key", func(t *testing.T) {
		d := open(t, map[string]any{"query_key": []string{"id"}, "updated_column": "at"})
		items := ask(t, d, "SELECT * FROM "+s+".va", 7)
		if len(items) != 60 || items[9].ID != "10" || items[9].UpdatedAt == nil || !items[9].UpdatedAt.Equal(time.Date(2024, 1, 1, 10, 0, 0, 0, time.UTC)) {
			t.Errorf("got %d rows, %+v", len(items), items[9])
		}
		if items := ask(t, d, "SELECT name FROM "+s+".va", 7); len(items) != 60 || len(items[0].ID) < 64 {
			t.Errorf("without it: got %d rows", len(items))
		}
	})
	exec(t, c, "INSERT INTO nokey SELECT 1 FROM generate_series(1, $1::int)", keylessRows)
	t.Run("beyond the bound", func(t *testing.T) {
		got, err := tryList(d, connectors.ItemQuery{Query: "SELECT v FROM " + s + ".nokey", Limit: 200})
		if e := wantCode(t, err, connectors.Unsupported); len(got) != keylessRows || !strings.Contains(e.Message, "query_key") {
			t.Errorf("got %d rows, %q", len(got), e.Message)
		}
	})
}

// TestConcurrentQueries has many callers share what is known of one query and one table.
func TestConcurrentQueries(t *testing.T) {
	s, _ := schema(t, "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 300) i")
	d := open(t, nil)
	var wg sync.WaitGroup
	for _, sql := range []string{"SELECT * FROM " + s + ".t", "SELECT * FROM " + s + ".t ORDER BY v", "SELECT v FROM " + s + ".t"} {
		for range 6 {
			wg.Go(func() {
				items, err := tryList(d, connectors.ItemQuery{Query: sql, Limit: 50})
				if err != nil || len(items) != 300 {
					t.Errorf("%s: got %d rows, %v", sql, len(items), err)
				}
				p, err := d.ListIDs(t.Context(), connectors.IDQuery{ContainerID: s + ".t"})
				if err != nil || len(p.Items) != 300 {
					t.Errorf("got %d ids, %v", len(p.Items), err)
				}
			})
		}
	}
	wg.Wait()
}
