package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// TestHostileSQL tries to write, to run other statements and to leave traces by queries. What is refused is
// invalid_request; nothing is changed by anything.
func TestHostileSQL(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 10) i",
		"CREATE SEQUENCE q")
	exec(t, c, fmt.Sprintf("CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'INSERT INTO %s.t VALUES (99) RETURNING 1'", s))
	exec(t, c, fmt.Sprintf(`CREATE FUNCTION insists() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
		SET LOCAL transaction_read_only = off; DELETE FROM %s.t; RETURN 1; END $f$`, s))
	exec(t, c, `CREATE FUNCTION misses() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN RETURN (SELECT 1 FROM absent); END $f$`)
	exec(t, c, `CREATE FUNCTION shouts() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'no: %', 7; END $f$`)
	refused := map[string]string{
		"insert":                   "INSERT INTO S.t VALUES (11) RETURNING id",
		"update":                   "UPDATE S.t SET v = '' RETURNING id",
		"delete":                   "DELETE FROM S.t RETURNING id",
		"merge":                    "MERGE INTO S.t USING S.t u ON false WHEN NOT MATCHED THEN INSERT VALUES (u.id + 50)",
		"insert in with":           "WITH w AS (INSERT INTO S.t VALUES (12) RETURNING id) SELECT * FROM w",
		"delete in with":           "WITH w AS (DELETE FROM S.t RETURNING id) SELECT * FROM w",
		"select into":              "SELECT * INTO S.copy FROM S.t",
		"create as":                "CREATE TABLE S.copy AS SELECT * FROM S.t",
		"for update":               "SELECT * FROM S.t FOR UPDATE",
		"for share":                "SELECT * FROM S.t FOR SHARE",
		"two statements":           "SELECT 1; SELECT 2",
		"statement after":          "SELECT 1; DELETE FROM S.t",
		"commit after":             "SELECT 1; COMMIT; DELETE FROM S.t",
		"leaving parentheses":      "SELECT 1) AS q; DELETE FROM S.t; SELECT * FROM (SELECT 1",
		"other parentheses":        "SELECT 1) AS q, (SELECT 2",
		"comment over the end":     "SELECT id FROM S.t /* ",
		"open quote":               "SELECT 'x",
		"open dollar quote":        "SELECT $$x",
		"only a parenthesis":       ")",
		"only a semicolon":         ";",
		"only a comment":           "-- nothing",
		"parameter":                "SELECT * FROM S.t WHERE id = $1",
		"set":                      "SET transaction_read_only = off",
		"reset":                    "RESET ALL",
		"set role":                 "SET ROLE postgres",
		"copy from":                "COPY S.t FROM STDIN",
		"copy to":                  "COPY S.t TO STDOUT",
		"copy to program":          "COPY (SELECT 1) TO PROGRAM 'id'",
		"explain":                  "EXPLAIN SELECT 1",
		"explain analyze":          "EXPLAIN ANALYZE DELETE FROM S.t",
		"explain analyze select":   "EXPLAIN (ANALYZE) SELECT S.writes()",
		"do":                       "DO $$ BEGIN DELETE FROM S.t; END $$",
		"call":                     "CALL S.p()",
		"listen":                   "LISTEN x",
		"notify":                   "NOTIFY x",
		"lock":                     "LOCK TABLE S.t",
		"begin":                    "BEGIN",
		"commit":                   "COMMIT",
		"rollback":                 "ROLLBACK",
		"savepoint":                "SAVEPOINT x",
		"prepare":                  "PREPARE x AS DELETE FROM S.t",
		"execute":                  "EXECUTE x",
		"declare":                  "DECLARE x CURSOR WITH HOLD FOR SELECT 1",
		"fetch":                    "FETCH ALL FROM ucf",
		"close":                    "CLOSE ALL",
		"show":                     "SHOW ALL",
		"vacuum":                   "VACUUM",
		"truncate":                 "TRUNCATE S.t",
		"drop":                     "DROP TABLE S.t",
		"grant":                    "GRANT ALL ON S.t TO PUBLIC",
		"discard":                  "DISCARD ALL",
		"checkpoint":               "CHECKPOINT",
		"function that writes":     "SELECT S.writes()",
		"function that insists":    "SELECT S.insists()",
		"turning read-only off":    "SELECT set_config('transaction_read_only', 'off', true)",
		"turning it off for later": "SELECT set_config('transaction_read_only', 'off', false), S.writes()",
		"nextval":                  "SELECT nextval('S.q')",
		"setval":                   "SELECT setval('S.q', 77)",
		"function that raises":     "SELECT S.shouts()",
		"function that misses":     "SELECT S.misses()",
		"division":                 "SELECT 1 / (id - 5) FROM S.t",
		"no table":                 "SELECT * FROM S.absent",
		"no column":                "SELECT absent FROM S.t",
		"two rows for one":         "SELECT (SELECT id FROM S.t)",
		"bad cast":                 "SELECT v::int FROM S.t",
		"nul":                      "SELECT '\x00'",
		"no utf-8":                 "SELECT '\xff'",
	}
	d := open(t, nil)
	for name, sql := range refused {
		t.Run(name, func(t *testing.T) {
			sql := strings.ReplaceAll(sql, "S.", s+".")
			p, err := d.ListItems(t.Context(), connectors.ItemQuery{Query: sql, Limit: 5})
			if e := wantCode(t, err, connectors.InvalidRequest); len(p.Items) > 0 || connectors.IsDenied(e) {
				t.Errorf("got %d rows, %v", len(p.Items), e)
			}
			if _, err := d.EstimateItems(t.Context(), connectors.ItemQuery{Query: sql, Limit: 5}); err != nil {
				wantCode(t, err, connectors.InvalidRequest)
			}
		})
	}
	var rows, called int
	if err := c.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM t WHERE v = 'v' || id), (SELECT count(*) FROM q WHERE is_called)").Scan(&rows, &called); err != nil || rows != 10 || called != 0 {
		t.Errorf("%d rows are left of 10, the sequence was called %d times, %v", rows, called, err)
	}
}

// TestTraces runs queries that change the session, and looks whether anything of it is left for those who come next.
func TestTraces(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)",
		"CREATE VIEW seen AS SELECT current_user::text AS u, current_setting('search_path') AS p, current_setting('application_name') AS a, current_setting('statement_timeout') AS s")
	exec(t, c, "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '"+lab.name+"_reader') THEN RAISE 'no reader'; END IF; END $$")
	d := open(t, nil)
	before := fmt.Sprint(list(t, d, connectors.ItemQuery{ContainerID: s + ".seen", Limit: 5})[0].Meta)
	exec(t, c, "LISTEN shout")
	traces := []string{
		"SELECT set_config('search_path', 'evil', false)",
		"SELECT set_config('application_name', 'evil', false)",
		"SELECT set_config('role', '" + lab.name + "_reader', false)",
		"SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', true)",
		"SELECT pg_advisory_lock(4711), id FROM " + s + ".t",
		"SELECT pg_notify('shout', 'evil')",
		"SELECT pg_advisory_lock(4711), 1 / (id - 1) FROM " + s + ".t",
	}
	for _, sql := range traces {
		_, err := d.ListItems(t.Context(), connectors.ItemQuery{Query: sql, Limit: 5})
		if strings.Contains(sql, "/") {
			wantCode(t, err, connectors.InvalidRequest)
		} else if err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		var locks int
		if err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711").Scan(&locks); err != nil || locks != 0 {
			t.Errorf("%s: %d locks are left, %v", sql, locks, err)
		}
	}
	if after := fmt.Sprint(list(t, d, connectors.ItemQuery{ContainerID: s + ".seen", Limit: 5})[0].Meta); after != before {
		t.Errorf("got %s, before %s", after, before)
	}
	// A notice would be here before the answer to this.
	exec(t, c, "NOTIFY shout, 'last'")
	notice, err := c.WaitForNotification(t.Context())
	if err != nil || notice.Payload != "last" {
		t.Errorf("got the notice %v, %v", notice, err)
	}
}

// TestQueryErrors checks what errors of a user's query say.
func TestQueryErrors(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)", "CREATE TABLE locked (id int PRIMARY KEY)", "CREATE TABLE hidden (id int)")
	d := reader(t, c, "GRANT USAGE ON SCHEMA "+s, "GRANT SELECT ON t, locked")
	d.lockTimeout, d.statementTimeout = 50*time.Millisecond, time.Second
	exec(t, c, "BEGIN")
	exec(t, c, "LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
	defer exec(t, c, "ROLLBACK")
	tests := map[string]struct {
		q    connectors.ItemQuery
		code connectors.Code
		text string
	}{
		"position":      {connectors.ItemQuery{Query: "SELECT id,\n       ä.absent FROM " + s + ".t ä"}, connectors.InvalidRequest, "column ä.absent does not exist (line 2, column 8)"},
		"first word":    {connectors.ItemQuery{Query: "  SET x = 1"}, connectors.InvalidRequest, `syntax error at or near "SET" (line 1, column 1); a query is one SELECT`},
		"value":         {connectors.ItemQuery{Query: "SELECT 1 / (id - 1) FROM " + s + ".t"}, connectors.InvalidRequest, "refuses the query: division by zero"},
		"statement":     {connectors.ItemQuery{Query: "SELECT pg_sleep(60)"}, connectors.Timeout, "statement_timeout (1s)"},
		"lock":          {connectors.ItemQuery{Query: "SELECT * FROM " + s + ".locked"}, connectors.Timeout, "lock"},
		"container too": {connectors.ItemQuery{Query: "SELECT 1", ContainerID: s + ".t"}, connectors.InvalidRequest, "containerId"},
		"updated too":   {connectors.ItemQuery{Query: "SELECT 1", UpdatedAfter: time.Now()}, connectors.InvalidRequest, "updatedAfter"},
		"no privilege":  {connectors.ItemQuery{Query: "SELECT * FROM " + s + ".hidden"}, connectors.Reauthorize, "permission denied for table hidden"},
		"bad cursor":    {connectors.ItemQuery{Query: "SELECT 1", Cursor: "{}"}, connectors.InvalidRequest, "start without one"},
		"other cursor":  {connectors.ItemQuery{Query: "SELECT id FROM " + s + ".t", Cursor: `{"o":["23:id","query"],"a":[]}`}, connectors.InvalidRequest, "start without one"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.q.Limit = 5
			_, err := d.ListItems(t.Context(), tt.q)
			e := wantCode(t, err, tt.code)
			if !strings.Contains(e.Message, tt.text) {
				t.Errorf("got %q, want %q in it", e.Message, tt.text)
			}
			if want := tt.code == connectors.Reauthorize; connectors.IsDenied(err) != want {
				t.Errorf("denied: %v, want %v", !want, want)
			}
			noSecret(t, err)
		})
	}
}

// TestQueryWhileChanging changes rows between the pages of a query.
func TestQueryWhileChanging(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (id int PRIMARY KEY, v int, w text)", "INSERT INTO t SELECT i * 10, i, 'x' FROM generate_series(1, 60) i")
	t.Run("by key", func(t *testing.T) {
		d := open(t, nil)
		q := connectors.ItemQuery{Query: "SELECT * FROM " + s + ".t", Limit: 7}
		seen := map[string]int{}
		for page := 1; ; page++ {
			p, err := d.ListItems(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range p.Items {
				seen[it.ID]++
			}
			if q.Cursor = p.Next; p.Next == "" {
				break
			}
			exec(t, c, "INSERT INTO t VALUES ($1 * 10 + 5, 0, '')", page)
			exec(t, c, "UPDATE t SET v = v + 1 WHERE id % 20 = 0")
			exec(t, c, "DELETE FROM t WHERE id = $1", page*10)
		}
		for i := 10; i <= 60; i++ {
			if id := fmt.Sprint(i * 10); seen[id] != 1 {
				t.Errorf("row %s was met %d times", id, seen[id])
			}
		}
	})
	for name, change := range map[string]string{
		"row before":       "DELETE FROM t WHERE v = (SELECT min(v) FROM t)",
		"row of page one":  "UPDATE t SET w = 'y' WHERE v = (SELECT min(v) FROM t)",
		"row of the page":  "UPDATE t SET w = 'y' WHERE v = (SELECT v FROM t ORDER BY v OFFSET 6 LIMIT 1)",
		"row pushed in":    "INSERT INTO t VALUES (1, -5, 'x')",
		"order turned":     "UPDATE t SET v = -v",
		"column dropped":   "ALTER TABLE t DROP COLUMN w",
		"column of a type": "ALTER TABLE t ALTER COLUMN w TYPE varchar(1)",
	} {
		t.Run(name, func(t *testing.T) {
			exec(t, c, "DROP TABLE t")
			exec(t, c, "CREATE TABLE t (id int PRIMARY KEY, v int, w text)")
			exec(t, c, "INSERT INTO t SELECT i * 10, i, 'x' FROM generate_series(1, 60) i")
			d := open(t, nil)
			q := connectors.ItemQuery{Query: "SELECT * FROM " + s + ".t ORDER BY v", Limit: 5}
			for range 2 {
				p, err := d.ListItems(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				q.Cursor = p.Next
			}
			exec(t, c, change)
			p, err := d.ListItems(t.Context(), q)
			if name == "column of a type" { // the values are the same
				if err != nil || len(p.Items) != 5 {
					t.Errorf("got %d rows, %v", len(p.Items), err)
				}
				return
			}
			if e := wantCode(t, err, connectors.ProviderError); !strings.Contains(e.Message, "changed while") || len(p.Items) > 0 {
				t.Errorf("got %q with %d rows", e.Message, len(p.Items))
			}
		})
	}
	t.Run("rows behind the page", func(t *testing.T) {
		exec(t, c, "DROP TABLE t")
		exec(t, c, "CREATE TABLE t (id int PRIMARY KEY, v int, w text)")
		exec(t, c, "INSERT INTO t SELECT i * 10, i, 'x' FROM generate_series(1, 60) i")
		d := open(t, nil)
		q := connectors.ItemQuery{Query: "SELECT v FROM " + s + ".t ORDER BY v", Limit: 20}
		p, err := d.ListItems(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, c, "INSERT INTO t VALUES (5000, 5000)")
		q.Cursor = p.Next
		if rest := len(idsOf(p.Items)) + len(list(t, d, q)); rest < 61 {
			t.Errorf("got %d rows", rest)
		}
	})
}

// TestKeysThatAreNone has rows share the key of a listing beyond what its first page looks at, in ways that only the
// server can see.
func TestKeysThatAreNone(t *testing.T) {
	s, _ := schema(t, "CREATE TABLE t (k numeric, v int)",
		fmt.Sprintf("INSERT INTO t SELECT i, i FROM generate_series(1, %d) i", keylessRows+100),
		fmt.Sprintf("INSERT INTO t VALUES (%d.0, 0)", keylessRows+50),
		"CREATE TABLE nulls (k int, v int)", fmt.Sprintf("INSERT INTO nulls SELECT i, i FROM generate_series(1, %d) i", keylessRows+100),
		"INSERT INTO nulls VALUES (NULL, 0)")
	d := open(t, map[string]any{"query_key": []string{"k"}})
	got, err := tryList(d, connectors.ItemQuery{Query: "SELECT * FROM " + s + ".t", Limit: 7})
	if e := wantCode(t, err, connectors.Unsupported); !strings.Contains(e.Message, "share the key") || len(got) < keylessRows {
		t.Errorf("got %d rows, %q", len(got), e.Message)
	}
	got, err = tryList(d, connectors.ItemQuery{Query: "SELECT * FROM " + s + ".nulls", Limit: 200})
	if e := wantCode(t, err, connectors.Unsupported); !strings.Contains(e.Message, "no key to page them by") || len(got) != keylessRows {
		t.Errorf("got %d rows, %q", len(got), e.Message)
	}
}

// TestUnreadableChildrenAreNamed has rows that only a listing through the parent could give: they are named as missing, until
// the role may read them by themselves.
func TestUnreadableChildrenAreNamed(t *testing.T) {
	s, c := schema(t, "CREATE TABLE parent (id int PRIMARY KEY)", "INSERT INTO parent VALUES (1)",
		"CREATE TABLE child () INHERITS (parent)", "INSERT INTO child VALUES (2)")
	for _, grant := range []string{"GRANT SELECT ON parent", "GRANT SELECT ON child"} {
		d := reader(t, c, "GRANT USAGE ON SCHEMA "+s, grant, "GRANT SELECT ON parent")
		page, err := d.ListItems(t.Context(), connectors.ItemQuery{ContainerID: s + ".parent", Limit: 10})
		if err != nil || len(page.Items) != 1 {
			t.Fatalf("%d rows, %v", len(page.Items), err)
		}
		if named := len(page.Incomplete) == 1 && strings.Contains(page.Incomplete[0].Reason, "child"); named != (grant == "GRANT SELECT ON parent") {
			t.Errorf("after %s: %+v", grant, page.Incomplete)
		}
	}
}
