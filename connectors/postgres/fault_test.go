package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/unified-connector/ucf/connectors"
)

const (
	faultRows = 160
	faultPage = 50
	faultRow  = 20 // the row in which faults strike that strike in the middle of an answer
)

// faulty is what a fault strikes: a table, its listing through a proxy, and the account that lists it.
type faulty struct {
	t     *testing.T
	s     string
	c     *pgx.Conn
	proxy *faultProxy
	d     *Driver
	again func() *Driver // another process
}

// strike is one row of the fault matrix.
type strike struct {
	// begin makes the fault begin.
	begin func(f *faulty)
	// want are the codes that may come of it, by which operation if not by all; "" is success with every row.
	want map[string][]connectors.Code
}

func anyOf(codes ...connectors.Code) map[string][]connectors.Code {
	return map[string][]connectors.Code{"": codes}
}

// inRow has the proxy do something at faultRow of every answer.
func inRow(say func(m message) ([]byte, ending)) func(*faulty) {
	return func(f *faulty) {
		f.proxy.set(fault{message: func(m message) ([]byte, ending) {
			if m.kind != 'D' || m.row != faultRow {
				return m.all, goOn
			}
			return say(m)
		}})
	}
}

// once has the proxy do something at the first chance, and nothing more.
func once(say func(m message) ([]byte, ending)) func(*faulty) {
	return func(f *faulty) {
		done := false
		inRow(func(m message) ([]byte, ending) {
			if done {
				return m.all, goOn
			}
			done = true
			return say(m)
		})(f)
	}
}

// failing answers with an error of the server in the middle of an answer.
func failing(severity, state string) func(m message) ([]byte, ending) {
	return func(message) ([]byte, ending) {
		if severity == "FATAL" {
			return errorMessage(severity, state, "hunter2 in a row"), finish
		}
		return errorMessage(severity, state, "hunter2 in a row"), goOn
	}
}

// refusing answers every new login with an error of the server, and ends the connections that there are.
func refusing(state string) func(*faulty) {
	return func(f *faulty) {
		f.proxy.set(fault{connect: func(int) ([]byte, ending) { return errorMessage("FATAL", state, "no"), finish }})
		f.proxy.cut()
	}
}

func alter(sql ...string) func(*faulty) {
	return func(f *faulty) {
		for _, s := range sql {
			exec(f.t, f.c, strings.ReplaceAll(s, "READER", lab.name+"_reader"))
		}
	}
}

// lock holds the table until the end of the test.
func lock(change func(*Driver)) func(*faulty) {
	return func(f *faulty) {
		again := f.again
		f.again = func() *Driver { d := again(); change(d); return d }
		change(f.d)
		exec(f.t, f.c, "BEGIN")
		exec(f.t, f.c, "LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
	}
}

var faultMatrix = map[string]strike{
	"connection refused": {func(f *faulty) { f.proxy.l.Close(); f.proxy.cut() }, anyOf(connectors.ProviderError)},
	"reset before login": {func(f *faulty) {
		f.proxy.set(fault{connect: func(int) ([]byte, ending) { return nil, reset }})
		f.proxy.cut()
	}, anyOf(connectors.ProviderError)},
	"closed before login": {func(f *faulty) {
		f.proxy.set(fault{connect: func(int) ([]byte, ending) { return nil, finish }})
		f.proxy.cut()
	}, anyOf(connectors.ProviderError)},
	"reset after login": {func(f *faulty) {
		f.proxy.set(fault{message: func(m message) ([]byte, ending) {
			if m.kind == 'Z' {
				return m.all, reset
			}
			return m.all, goOn
		}})
		f.proxy.cut()
	}, anyOf(connectors.ProviderError)},
	"reset in a result":       {inRow(func(m message) ([]byte, ending) { return nil, reset }), anyOf(connectors.ProviderError)},
	"reset in a result, once": {once(func(m message) ([]byte, ending) { return nil, reset }), anyOf("")},
	"closed in a result":      {inRow(func(m message) ([]byte, ending) { return nil, finish }), anyOf(connectors.ProviderError)},
	"truncated message":       {inRow(func(m message) ([]byte, ending) { return m.all[:len(m.all)/2], finish }), anyOf(connectors.ProviderError)},
	"hang": {func(f *faulty) {
		f.impatient()
		f.proxy.set(fault{hang: true})
	}, anyOf(connectors.Timeout)},
	"hang in a result": {func(f *faulty) {
		f.impatient()
		inRow(func(m message) ([]byte, ending) { return m.all[:7], stall })(f)
	}, anyOf(connectors.Timeout)},
	"hang at connect": {func(f *faulty) {
		f.impatient()
		f.proxy.set(fault{connect: func(int) ([]byte, ending) { return nil, stall }})
		f.proxy.cut()
	}, anyOf(connectors.Timeout)},
	"slow drip": {func(f *faulty) { f.proxy.set(fault{drip: true}) }, anyOf("")},
	"garbage":   {inRow(func(m message) ([]byte, ending) { return []byte(strings.Repeat("\xde\xad\xbe\xef", 99)), goOn }), anyOf(connectors.ProviderError)},
	"zeros":     {inRow(func(m message) ([]byte, ending) { return make([]byte, 200), goOn }), anyOf(connectors.ProviderError)},
	"HTTP": {func(f *faulty) {
		f.proxy.set(fault{connect: func(int) ([]byte, ending) { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), finish }})
		f.proxy.cut()
	}, anyOf(connectors.ProviderError)},
	"row lost":            {inRow(func(m message) ([]byte, ending) { return nil, goOn }), anyOf(connectors.ProviderError)},
	"row twice":           {inRow(func(m message) ([]byte, ending) { return append(m.all, m.all...), goOn }), anyOf(connectors.ProviderError)},
	"row without columns": {inRow(func(m message) ([]byte, ending) { return []byte("D\x00\x00\x00\x06\x00\x00"), goOn }), anyOf(connectors.ProviderError)},
	"row after its end":   {late, anyOf(connectors.ProviderError)},
	"end in a result":     {inRow(func(m message) ([]byte, ending) { return []byte("Z\x00\x00\x00\x05I"), goOn }), anyOf(connectors.ProviderError)},
	"result ends early":   {inRow(func(m message) ([]byte, ending) { return []byte("C\x00\x00\x00\x0eSELECT 19\x00"), goOn }), anyOf(connectors.ProviderError)},
	"answers left out": {func(f *faulty) {
		f.proxy.set(fault{message: func(m message) ([]byte, ending) {
			if strings.IndexByte("12TDCn", m.kind) >= 0 {
				return nil, goOn
			}
			return m.all, goOn
		}})
	}, anyOf(connectors.ProviderError)},
	"protocol refused":        {refusing("0A000"), anyOf(connectors.ProviderError)},
	"session terminated":      {func(f *faulty) { f.terminate() }, anyOf("")},
	"admin shutdown":          {inRow(failing("FATAL", stateAdminShutdown)), anyOf(connectors.ProviderError)},
	"admin shutdown, once":    {once(failing("FATAL", stateAdminShutdown)), anyOf("")},
	"crash":                   {inRow(failing("FATAL", stateCrashShutdown)), anyOf(connectors.ProviderError)},
	"starting up":             {refusing(stateCannotConnectNow), anyOf(connectors.ProviderError)},
	"too many connections":    {refusing(stateTooManyConns), anyOf(connectors.ProviderError)},
	"role's connection limit": {func(f *faulty) { alter("ALTER ROLE READER CONNECTION LIMIT 0")(f); f.terminate() }, anyOf(connectors.ProviderError)},
	"server restart": {func(f *faulty) {
		f.proxy.set(fault{connect: func(n int) ([]byte, ending) {
			switch n {
			case 1:
				return nil, reset
			case 2:
				return errorMessage("FATAL", stateCannotConnectNow, "the database system is starting up"), finish
			}
			return nil, goOn
		}})
		f.proxy.cut()
	}, anyOf("")},
	"statement timeout":       {lock(func(d *Driver) { d.statementTimeout = 50 * time.Millisecond }), anyOf(connectors.Timeout)},
	"lock timeout":            {lock(func(d *Driver) { d.lockTimeout = 50 * time.Millisecond }), anyOf(connectors.Timeout)},
	"deadlock, once":          {once(failing("ERROR", stateDeadlock)), anyOf("")},
	"conflict with recovery":  {inRow(failing("ERROR", stateSerialization)), anyOf(connectors.ProviderError)},
	"out of memory":           {inRow(failing("ERROR", "53200")), anyOf(connectors.ProviderError)},
	"disk fault":              {inRow(failing("ERROR", "58030")), anyOf(connectors.ProviderError)},
	"damaged page of a table": {inRow(failing("ERROR", "XX001")), anyOf(connectors.ProviderError)},
	"encoding error":          {inRow(func(message) ([]byte, ending) { return errorMessage("ERROR", "22021", "invalid byte sequence"), goOn }), map[string][]connectors.Code{"": {connectors.ProviderError}, "query": {connectors.InvalidRequest}}},
	"idle too long":           {inRow(failing("FATAL", stateIdleInTx)), anyOf(connectors.ProviderError)},
	"TLS refused": {func(f *faulty) {
		f.proxy.set(fault{connect: func(int) ([]byte, ending) { return []byte("N"), finish }}) // whatever the server itself has
		f.reopen(map[string]any{"sslmode": "require"})
	}, anyOf(connectors.ProviderError)},
	"wrong password":            {func(f *faulty) { alter("ALTER ROLE READER PASSWORD 'changed'")(f); f.terminate() }, anyOf(connectors.Reauthorize)},
	"login taken away":          {func(f *faulty) { alter("ALTER ROLE READER NOLOGIN")(f); f.terminate() }, anyOf(connectors.Reauthorize)},
	"SELECT revoked":            {alter("REVOKE SELECT ON t FROM READER"), anyOf(connectors.Reauthorize)},
	"schema revoked":            {func(f *faulty) { alter("REVOKE USAGE ON SCHEMA " + f.s + " FROM READER")(f) }, anyOf(connectors.Reauthorize)},
	"table dropped":             {alter("DROP TABLE t"), map[string][]connectors.Code{"": {connectors.NotFound}, "query": {connectors.InvalidRequest}}},
	"schema dropped":            {func(f *faulty) { alter("DROP SCHEMA "+f.s+" CASCADE", "CREATE SCHEMA "+f.s)(f) }, map[string][]connectors.Code{"": {connectors.NotFound, connectors.Reauthorize}, "query": {connectors.InvalidRequest, connectors.Reauthorize}}},
	"column dropped":            {alter("ALTER TABLE t DROP COLUMN v"), anyOf("")},
	"key dropped":               {alter("ALTER TABLE t DROP CONSTRAINT t_pkey"), anyOf("", connectors.InvalidRequest)},
	"key of another type":       {alter("ALTER TABLE t ALTER COLUMN id TYPE numeric"), anyOf("", connectors.InvalidRequest)},
	"table made anew":           {alter("DROP TABLE t", "CREATE TABLE t (id int PRIMARY KEY, v text, w text)", "INSERT INTO t SELECT i, 'x', 'y' FROM generate_series(1, 160) i", "GRANT SELECT ON t TO READER"), map[string][]connectors.Code{"": {connectors.InvalidRequest}, "list": {""}, "ids": {""}, "query": {""}}},
	"policy that hides nothing": {alter("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON t USING (true)"), anyOf("")},
	"database dropped": {func(f *faulty) {
		f.proxy.set(fault{connect: func(int) ([]byte, ending) { return errorMessage("FATAL", stateNoDatabase, "no"), finish }})
		f.proxy.cut()
	}, anyOf(connectors.NotFound)},
}

// late sends faultRow after the end of its result.
func late(f *faulty) {
	var held []byte
	f.proxy.set(fault{message: func(m message) ([]byte, ending) {
		switch {
		case m.kind == 'D' && m.row == faultRow:
			held = m.all
			return nil, goOn
		case m.kind == 'C' && held != nil:
			out := append(m.all, held...)
			held = nil
			return out, goOn
		}
		return m.all, goOn
	}})
}

// impatient bounds what waits for a server that says nothing.
func (f *faulty) impatient() {
	again := f.again
	f.again = func() *Driver { d := again(); d.timeout = 100 * time.Millisecond; return d }
	f.d.timeout = 100 * time.Millisecond
}

// reopen has the listing go on with another configuration.
func (f *faulty) reopen(change map[string]any) {
	f.again = func() *Driver { return f.open(change) }
	f.d = f.again()
}

// terminate ends the connector's sessions.
func (f *faulty) terminate() {
	exec(f.t, f.c, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ucf' AND datname = current_database()")
}

func (f *faulty) open(change map[string]any) *Driver {
	raw := map[string]any{"user": lab.name + "_reader", "password": readerPassword, "host": "127.0.0.1", "port": f.proxy.port()}
	for k, v := range change {
		raw[k] = v
	}
	return open(f.t, raw)
}

// faultOps are the operations that a fault strikes. Each begins the fault at its moment and returns every id it got.
var faultOps = map[string]func(f *faulty, begin func(*faulty)) ([]string, error){
	"list": func(f *faulty, begin func(*faulty)) ([]string, error) {
		begin(f)
		p, err := f.d.ListItems(f.t.Context(), connectors.ItemQuery{ContainerID: f.s + ".t", Limit: faultPage})
		return idsOf(p.Items), err
	},
	"page 2": func(f *faulty, begin func(*faulty)) ([]string, error) {
		q := connectors.ItemQuery{ContainerID: f.s + ".t", Limit: faultPage}
		first, err := f.d.ListItems(f.t.Context(), q)
		if err != nil {
			f.t.Fatal(err)
		}
		begin(f)
		q.Cursor = first.Next
		p, err := f.again().ListItems(f.t.Context(), q)
		return append(idsOf(first.Items), idsOf(p.Items)...), err
	},
	"all": func(f *faulty, begin func(*faulty)) ([]string, error) {
		return f.all(connectors.ItemQuery{ContainerID: f.s + ".t"}, begin)
	},
	"query": func(f *faulty, begin func(*faulty)) ([]string, error) {
		return f.all(connectors.ItemQuery{Query: "SELECT id, w FROM " + f.s + ".t"}, begin)
	},
	"ids": func(f *faulty, begin func(*faulty)) ([]string, error) {
		begin(f)
		p, err := f.d.ListIDs(f.t.Context(), connectors.IDQuery{ContainerID: f.s + ".t"})
		if p.Next != "" {
			f.t.Error("the ids have a second page")
		}
		return p.Items, err
	},
}

// all lists to the end, with the fault from the second page on.
func (f *faulty) all(q connectors.ItemQuery, begin func(*faulty)) ([]string, error) {
	q.Limit = faultPage
	var ids []string
	for page := 1; ; page++ {
		p, err := f.d.ListItems(f.t.Context(), q)
		ids = append(ids, idsOf(p.Items)...)
		if err != nil || p.Next == "" {
			return ids, err
		}
		q.Cursor = p.Next
		if page == 1 {
			begin(f)
		}
	}
}

// wantIDs returns the ids that an operation returns where nothing is wrong.
func wantIDs(op string) []string {
	n := map[string]int{"list": faultPage, "page 2": 2 * faultPage}[op]
	if n == 0 {
		n = faultRows
	}
	var ids []string
	for i := 1; i <= n; i++ {
		ids = append(ids, fmt.Sprint(i))
	}
	return ids
}

// TestFaultMatrix has every fault strike every operation, and logs what came of it: all rows or an error with a code
// that is right for the fault, never fewer rows and no error.
func TestFaultMatrix(t *testing.T) {
	admin(t)
	ops := []string{"list", "page 2", "all", "query", "ids"}
	var names []string
	for name := range faultMatrix {
		names = append(names, name)
	}
	slices.Sort(names)
	table := []string{fmt.Sprintf("%-26s %-18s%-18s%-18s%-18s%-18s", "fault", "list", "page 2", "all", "query", "ids")}
	for i, name := range names {
		line := fmt.Sprintf("%-26s ", name)
		for j, op := range ops {
			cell := "not run"
			t.Run(name+"/"+op, func(t *testing.T) { cell = strikeOne(t, fmt.Sprintf("s_fault_%d_%d", i, j), faultMatrix[name], op) })
			line += fmt.Sprintf("%-18s", cell)
		}
		table = append(table, line)
	}
	t.Log("what came of each fault; all rows are meant by ok\n" + strings.Join(table, "\n"))
}

// strikeOne has one fault strike one operation and returns what came of it.
func strikeOne(t *testing.T, name string, s strike, op string) string {
	c := admin(t)
	f := &faulty{t: t, s: name, c: c, proxy: startProxy(t)}
	reader := lab.name + "_reader"
	for _, sql := range []string{
		"CREATE SCHEMA " + name, "SET search_path = " + name, "CREATE TABLE t (id int PRIMARY KEY, v text, w text)",
		fmt.Sprintf("INSERT INTO t SELECT i, 'value ' || i, repeat('w', 50) FROM generate_series(1, %d) i", faultRows),
		"GRANT USAGE ON SCHEMA " + name + " TO " + reader, "GRANT SELECT ON t TO " + reader,
	} {
		exec(t, c, sql)
	}
	defer func() {
		_, _ = c.Exec(t.Context(), "ROLLBACK")
		exec(t, c, "DROP SCHEMA "+name+" CASCADE")
		exec(t, c, "ALTER ROLE "+reader+" LOGIN CONNECTION LIMIT -1 PASSWORD '"+readerPassword+"'")
	}()
	open := func() *Driver { d := f.open(nil); d.firstDelay = time.Millisecond; return d }
	f.d = open()
	f.again = open
	defer func() { f.proxy.cut(); f.d.Close() }() // closing waits for a silent server

	ids, err := faultOps[op](f, s.begin)
	code := connectors.CodeOf(err)
	allowed, own := s.want[op]
	if !own {
		allowed = s.want[""]
	}
	if !slices.Contains(allowed, code) {
		t.Errorf("got %q (%v), want %q", code, err, allowed)
	}
	if err == nil {
		if want := wantIDs(op); len(ids) != len(want) || len(ids[0]) < 64 && !slices.Equal(ids, want) {
			t.Errorf("success with the %d rows %.60q", len(ids), fmt.Sprint(ids))
		}
		return "ok"
	}
	wantCode(t, err, code)
	noSecret(t, err)
	if connectors.IsDenied(err) {
		return string(code) + "*"
	}
	return string(code)
}
