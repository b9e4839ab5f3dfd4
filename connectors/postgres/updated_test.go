package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

func TestUpdatedAfter(t *testing.T) {
	s, _ := schema(t,
		"CREATE TABLE tz (id int PRIMARY KEY, changed timestamptz)", "CREATE TABLE ts (id int PRIMARY KEY, changed timestamp)",
		"CREATE TABLE dt (id int PRIMARY KEY, changed date)", "CREATE TABLE keyless (id int, changed timestamptz)",
		"CREATE TABLE inkey (changed timestamptz, id int, PRIMARY KEY (id, changed))",
		"CREATE TABLE other (id int PRIMARY KEY, modified timestamptz)", "CREATE TABLE wrong (id int PRIMARY KEY, changed text)",
		"CREATE TABLE none (id int PRIMARY KEY, changed timestamptz)",
		"INSERT INTO tz SELECT i, '2024-01-01 00:00:00+00'::timestamptz + (100 - i) / 4 * '1 s'::interval FROM generate_series(1, 100) i",
		"INSERT INTO tz VALUES (101, NULL), (102, 'infinity'), (103, '-infinity'), (104, '2024-01-01 00:00:10.000001+00')",
		"INSERT INTO ts SELECT id, changed AT TIME ZONE 'UTC' FROM tz", "INSERT INTO dt VALUES (1, '2024-01-01'), (2, '2024-01-02'), (3, NULL), (4, '2024-01-02')",
		"INSERT INTO keyless SELECT * FROM tz", "INSERT INTO inkey SELECT changed, id FROM tz WHERE changed IS NOT NULL", "INSERT INTO other SELECT * FROM tz")
	d := open(t, map[string]any{"updated_column": "changed", "updated_columns": []string{s + ".other=modified", s + ".none=", s + ".absent=x"}})
	start := time.Date(2024, 1, 1, 0, 0, 10, 0, time.UTC)
	for _, table := range []string{"tz", "ts", "keyless", "inkey", "other"} {
		for _, size := range []int{1, 3, 200} {
			q := connectors.ItemQuery{ContainerID: s + "." + table, Limit: size, UpdatedAfter: start}
			// Seconds 10 to 24 of four rows each, one microsecond later, infinity.
			items := visitOnce(t, d, q, 4*15+1+1)
			checkOrder(t, table, items, start)
			q.UpdatedAfter = start.Add(time.Nanosecond)
			visitOnce(t, d, q, 4*14+1+1)
			q.UpdatedAfter = start.Add(time.Microsecond + time.Nanosecond)
			visitOnce(t, d, q, 4*14+1)
			q.UpdatedAfter = start.In(time.FixedZone("", 5*3600))
			visitOnce(t, d, q, len(items))
		}
	}
	q := connectors.ItemQuery{ContainerID: s + ".dt", Limit: 1, UpdatedAfter: time.Date(2024, 1, 2, 23, 0, 0, 0, time.UTC)}
	visitOnce(t, d, q, 2)
	for table, want := range map[string]string{"wrong": "neither a timestamp nor a date", "none": "set updated_column"} {
		_, err := tryList(d, connectors.ItemQuery{ContainerID: s + "." + table, Limit: 1, UpdatedAfter: start})
		if e := wantCode(t, err, connectors.Unsupported); !strings.Contains(e.Message, want) {
			t.Errorf("%s: got %q, want %q", table, e.Message, want)
		}
	}
	_, err := tryList(open(t, nil), connectors.ItemQuery{ContainerID: s + ".tz", Limit: 1, UpdatedAfter: start})
	wantCode(t, err, connectors.Unsupported)
	items := list(t, d, connectors.ItemQuery{ContainerID: s + ".tz", Limit: 200})
	if u := items[0].UpdatedAt; len(items) != 104 || u == nil || u.Format(time.RFC3339) != "2024-01-01T00:00:24Z" || items[100].UpdatedAt != nil {
		t.Errorf("got %d rows, the first of %v", len(items), u)
	}
}

func checkOrder(t *testing.T, table string, items []connectors.Item, start time.Time) {
	t.Helper()
	last := start
	for _, it := range items {
		if it.UpdatedAt == nil {
			continue // infinity
		}
		if it.UpdatedAt.Before(start) {
			t.Errorf("%s: row %s was changed at %v", table, it.ID, it.UpdatedAt)
		}
		if table != "keyless" && it.UpdatedAt.Before(last) {
			t.Errorf("%s: row %s comes out of order", table, it.ID)
		}
		last = *it.UpdatedAt
	}
}

func TestSince(t *testing.T) {
	at := time.Date(2024, 2, 3, 4, 5, 6, 7001, time.FixedZone("", 3600))
	for oid, want := range map[uint32]string{
		oidTimestamptz: "2024-02-03 03:05:06.000008+00", oidTimestamp: "2024-02-03 03:05:06.000008", oidDate: "2024-02-03",
	} {
		if got := string(change{oid: oid}.since(at).text); got != want {
			t.Errorf("%d: got %s, want %s", oid, got, want)
		}
	}
	if got := string(change{oid: oidTimestamptz}.since(time.Unix(0, 0)).text); got != "1970-01-01 00:00:00+00" {
		t.Errorf("got %s", got)
	}
}
