package postgres

import (
	"net"
	"strconv"
	"testing"

	"github.com/unified-connector/ucf/connectors/connectortest"
)

// TestConformance runs the suite that every connector passes against the real server.
func TestConformance(t *testing.T) {
	s, c := schema(t,
		"CREATE TABLE a (id int PRIMARY KEY, name text, changed date)",
		"INSERT INTO a VALUES (1, 'one', '2024-01-01'), (2, 'two', '2024-01-01'), (3, 'three', '2024-01-02'), (4, 'four', '2024-01-03'), (5, NULL, '2024-01-03')",
		"CREATE TABLE b (k text, n int, changed timestamptz DEFAULT '2024-01-01 00:00+00', PRIMARY KEY (k, n))", "INSERT INTO b VALUES ('x', 1), ('x', 2), ('y', 1)",
		"CREATE TABLE c (id int PRIMARY KEY, changed timestamp)")
	reader(t, c, "GRANT USAGE ON SCHEMA "+s, "GRANT SELECT ON a, b, c")
	connectortest.Run(t, connectortest.Suite{
		Definition: &Definition,
		Config: func(_, address string) map[string]any {
			host, port, _ := net.SplitHostPort(address)
			n, _ := strconv.Atoi(port)
			return map[string]any{
				"host": host, "port": n, "database": lab.name, "user": lab.name + "_reader", "password": readerPassword, "sslmode": "disable",
				"updated_column": "changed",
			}
		},
		Harness: &connectortest.Harness{
			Start: func(connectortest.TB) string { return backend() },
			Faults: map[string]func(map[string]any){
				"401": func(config map[string]any) { config["password"] = "not the reader's password" },
				"404": func(config map[string]any) { config["database"] = "absent" },
			},
		},
		Containers:       []string{s + ".a", s + ".b", s + ".c"},
		Items:            map[string][]string{s + ".a": {"1", "2", "3", "4", "5"}, s + ".b": {"x,1", "x,2", "y,1"}, s + ".c": nil},
		MissingContainer: s + ".absent",
		HostileIDs:       []string{s + ".a; DROP TABLE a", s + `."a"" WHERE true --"`, `"`, "a", "a.b.c", "pg_catalog.pg_authid"},
		Skip: []connectortest.Skip{
			{Rows: `config/context_path`, Reason: "a database has no path"},
			{Rows: `(probe|containers|items|time)/(403|429|500|html_.*|redirect|empty_body|wrong_.*|endless_body)`, Reason: "answers of HTTP; TestNonsense and TestLoginFailures have PostgreSQL's own"},
			{Rows: `(containers|items)/(empty_page|repeated_token)`, Reason: "pages follow the key, so none is empty and no position comes again"},
			{Rows: `(probe|containers|items|time)/cut_off`, Reason: "the proxy's resets break connections; TestRetry cuts answers off"},
			{Rows: `time/(undated|set_back)`, Reason: "a database sends no dates, and the tests do not set a machine's clock; TestSystemTime has transactions that began before"},
		},
		Query:      "SELECT name, id, changed FROM " + s + ".a WHERE changed < '2024-01-03'",
		QueryItems: []string{"1", "2", "3"},
		Raw:        map[string]string{"1": `{"id":1,"name":"one","changed":"2024-01-01"}`},
	})
}
