package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/unified-connector/ucf/connectors"
)

// serverTime asks a session for its server's time.
func serverTime(t *testing.T, c *pgx.Conn) (at time.Time) {
	t.Helper()
	if err := c.QueryRow(context.Background(), "SELECT clock_timestamp()").Scan(&at); err != nil {
		t.Fatal(err)
	}
	return at
}

func systemTime(t *testing.T, d *Driver) time.Time {
	t.Helper()
	at, err := d.SystemTime(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestSystemTime has transactions run beside the driver, and expects a time that none of them can write before.
func TestSystemTime(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (k int PRIMARY KEY, at timestamptz DEFAULT now())")
	other := admin(t)
	all := open(t, nil)
	few := reader(t, c, "GRANT USAGE ON SCHEMA "+s, "GRANT SELECT ON t")
	for name, tt := range map[string]struct {
		begin, end []string
		told       time.Duration // how much earlier than its beginning the time is to be for who is told of all transactions
		few        time.Duration // and for who is not
	}{
		"nothing runs":                  {nil, nil, 0, 0},
		"a session without transaction": {[]string{"SELECT 1"}, nil, 0, 0},
		"a session that holds a lock":   {[]string{"SELECT pg_advisory_lock(4711)"}, nil, 0, 0},
		"a transaction that wrote":      {[]string{"BEGIN", "INSERT INTO " + s + ".t VALUES (1)"}, []string{"ROLLBACK"}, 0, time.Hour},
		"one that has not written yet":  {[]string{"BEGIN", "SELECT 1"}, []string{"ROLLBACK"}, 0, time.Hour},
		"one that tells of nothing":     {[]string{"SET track_activities = off", "BEGIN", "SELECT 1"}, []string{"ROLLBACK", "RESET track_activities"}, time.Hour, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			began := serverTime(t, c)
			for _, sql := range tt.begin {
				if _, err := other.Exec(context.Background(), sql); err != nil {
					t.Fatal(err)
				}
			}
			ran := serverTime(t, c)
			for d, early := range map[*Driver]time.Duration{all: tt.told, few: tt.few} {
				got := systemTime(t, d)
				from, until := began.Add(-early), ran
				if tt.end == nil {
					from, until = ran, serverTime(t, c) // nothing keeps it back
				}
				if early > 0 {
					until = serverTime(t, c).Add(-early)
				}
				if got.Before(from.Truncate(time.Microsecond)) || got.After(until) {
					t.Errorf("got %v, want one from %v to %v (all: %v)", got, from, until, d == all)
				}
			}
			for _, sql := range tt.end {
				exec(t, other, sql)
			}
		})
	}
}

// TestSystemTimeInTheDark asks as an account that may not look at other sessions at all.
func TestSystemTimeInTheDark(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (k int PRIMARY KEY)")
	d := reader(t, c, "GRANT USAGE ON SCHEMA "+s)
	exec(t, c, "REVOKE SELECT ON pg_catalog.pg_locks FROM public")
	defer exec(t, c, "GRANT SELECT ON pg_catalog.pg_locks TO public")
	now := serverTime(t, c)
	if got := systemTime(t, d); got.Before(now.Add(-time.Hour)) || got.After(serverTime(t, c).Add(-time.Hour)) {
		t.Errorf("got %v at %v, want an hour less", got, now)
	}
}

// TestChangesOfSlowTransactions follows a table as a sync does, while a transaction writes that began long before it ends.
func TestChangesOfSlowTransactions(t *testing.T) {
	s, c := schema(t, "CREATE TABLE t (k int PRIMARY KEY, at timestamptz DEFAULT now())")
	slow := admin(t)
	d := open(t, map[string]any{"updated_column": "at"})
	exec(t, slow, "BEGIN")
	exec(t, slow, "INSERT INTO "+s+".t VALUES (1)")
	exec(t, c, "INSERT INTO "+s+".t VALUES (2)")
	mark := systemTime(t, d)
	exec(t, slow, "COMMIT")
	got := idsOf(list(t, d, connectors.ItemQuery{ContainerID: s + ".t", UpdatedAfter: mark, Limit: 10}))
	if len(got) != 2 {
		t.Errorf("got %q after %v, want both rows", got, mark)
	}
}
