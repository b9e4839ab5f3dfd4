package postgres

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// TestValues reads a value of every kind of type and compares it with what the contract says of it.
func TestValues(t *testing.T) {
	tests := []struct{ typ, sql, want string }{
		{"int2", `'-32768'`, `-32768`},
		{"int4", `2147483647`, `2147483647`},
		{"int8", `9223372036854775807`, `9223372036854775807`},
		{"oid", `4294967295`, `4294967295`},
		{"numeric", `'123456789012345678901234567890.123456789012345678900'`, `123456789012345678901234567890.123456789012345678900`},
		{"numeric(6,2)", `-0.5`, `-0.50`},
		{"numeric", `'NaN'`, `"NaN"`},
		{"numeric", `'-Infinity'`, `"-Infinity"`},
		{"float8", `0.1::float8 + 0.2`, `0.30000000000000004`},
		{"float8", `1e300`, `1e+300`},
		{"float8", `5e-324`, `5e-324`},
		{"float8", `'-0'`, `-0`},
		{"float8", `'NaN'`, `"NaN"`},
		{"float8", `'-Infinity'`, `"-Infinity"`},
		{"float4", `1.1`, `1.1`},
		{"float4", `'Infinity'`, `"Infinity"`},
		{"money", `12.5`, `"$12.50"`},
		{"bool", `true`, `true`},
		{"bool", `false`, `false`},
		{"text", `'a "b" <c> \ é 🙂'||chr(10)||chr(1)`, `"a \"b\" <c> \\ é 🙂\n\u0001"`},
		{"text", `''`, `""`},
		{"varchar(3)", `'abc'`, `"abc"`},
		{"char(5)", `'ab'`, `"ab   "`},
		{`"char"`, `'x'`, `"x"`},
		{"name", `'n'`, `"n"`},
		{"bytea", `'\x00ff10'`, `"AP8Q"`},
		{"bytea", `''`, `""`},
		{"uuid", `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`, `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
		{"timestamptz", `'2024-02-29 23:59:59.123456+05:30'`, `"2024-02-29T18:29:59.123456Z"`},
		{"timestamptz", `'2024-01-02 03:04:05+00'`, `"2024-01-02T03:04:05Z"`},
		{"timestamptz", `'infinity'`, `"infinity"`},
		{"timestamptz", `'0044-03-15 12:00:00+00 BC'`, `"0044-03-15 12:00:00+00 BC"`},
		{"timestamptz", `'12024-01-02 03:04:05+00'`, `"12024-01-02 03:04:05+00"`},
		{"timestamp", `'2024-01-02 03:04:05.5'`, `"2024-01-02T03:04:05.5"`},
		{"timestamp", `'-infinity'`, `"-infinity"`},
		{"timestamp", `'0044-03-15 12:00:00 BC'`, `"0044-03-15 12:00:00 BC"`},
		{"date", `'2024-01-02'`, `"2024-01-02"`},
		{"date", `'infinity'`, `"infinity"`},
		{"time", `'03:04:05.25'`, `"03:04:05.25"`},
		{"timetz", `'03:04:05+02'`, `"03:04:05+02"`},
		{"interval", `'1 year 2 mons 3 days 04:05:06.5'`, `"P1Y2M3DT4H5M6.5S"`},
		{"json", `E'{"b": 1,\n "a": [1.00, 1e400],  "a": "<x>"}'`, `{"b":1,"a":[1.00,1e400],"a":"<x>"}`},
		{"jsonb", `'{"b": 12345678901234567890.10, "a": "é\u0001"}'`, `{"a": "é\u0001", "b": 12345678901234567890.10}`},
		{"jsonb", `'null'`, `null`},
		{"int4[]", `'{1,NULL,3}'`, `[1,null,3]`},
		{"int4[]", `'{}'`, `[]`},
		{"int4[]", `'{{1,2},{3,NULL}}'`, `[[1,2],[3,null]]`},
		{"int4[]", `'[5:6]={7,8}'`, `[7,8]`},
		{"text[]", `ARRAY['a,b', 'c"d', 'e\f', 'null', NULL, '', '{g}', ' h ', 'é']`, `["a,b","c\"d","e\\f","null",null,"","{g}"," h ","é"]`},
		{"float8[]", `'{1.5,NaN,-Infinity}'`, `[1.5,"NaN","-Infinity"]`},
		{"numeric[]", `'{1.10,NaN}'`, `[1.10,"NaN"]`},
		{"bool[]", `'{t,f,NULL}'`, `[true,false,null]`},
		{"bytea[]", `ARRAY['\x00ff'::bytea, '']`, `["AP8=",""]`},
		{"timestamptz[]", `ARRAY['2024-01-02 03:04:05+00'::timestamptz, 'infinity']`, `["2024-01-02T03:04:05Z","infinity"]`},
		{"jsonb[]", `ARRAY['{"a": [1, "x,y"]}'::jsonb, 'null']`, `[{"a":[1,"x,y"]},null]`},
		{"box[]", `ARRAY['(1,2),(3,4)'::box, '(5,6),(7,8)']`, `["(3,4),(1,2)","(7,8),(5,6)"]`},
		{"mood", `'so, so'`, `"so, so"`},
		{"mood[]", `ARRAY['so, so', 'ok']::mood[]`, `["so, so","ok"]`},
		{"posint", `7`, `7`},
		{"posint2", `8`, `8`},
		{"posint[]", `ARRAY[1,2]`, `[1,2]`},
		{"ints", `ARRAY[1,2]`, `[1,2]`},
		{"pair", `ROW(1, 'a b')`, `"(1,\"a b\")"`},
		{"int4range", `'[1,5)'`, `"[1,5)"`},
		{"int4multirange", `'{[1,2),[5,6)}'`, `"{[1,2),[5,6)}"`},
		{"tstzrange", `'[2024-01-01 00:00+00,)'`, `"[\"2024-01-01 00:00:00+00\",)"`},
		{"inet", `'10.0.0.1/24'`, `"10.0.0.1/24"`},
		{"cidr", `'10.0.0.0/24'`, `"10.0.0.0/24"`},
		{"macaddr", `'08:00:2b:01:02:03'`, `"08:00:2b:01:02:03"`},
		{"bit(3)", `B'101'`, `"101"`},
		{"varbit", `B''`, `""`},
		{"point", `'(1.5,2)'`, `"(1.5,2)"`},
		{"tsvector", `'a b:2'`, `"'a' 'b':2"`},
		{"xml", `'<a/>'`, `"<a/>"`},
		{"int2vector", `'1 2'`, `"1 2"`},
		{"regclass", `'pg_class'`, `"pg_class"`},
		{"hstore", `'a=>1'`, `"\"a\"=>\"1\""`},
		{"text", `NULL`, `null`},
	}
	c := admin(t)
	exec(t, c, "CREATE EXTENSION IF NOT EXISTS hstore")
	var columns, values []string
	for i, tt := range tests {
		columns = append(columns, fmt.Sprintf("c%d %s", i, tt.typ))
		values = append(values, tt.sql)
	}
	s, _ := schema(t,
		"CREATE TYPE mood AS ENUM ('so, so', 'ok')", "CREATE DOMAIN posint AS int CHECK (VALUE > 0)", "CREATE DOMAIN posint2 AS posint",
		"CREATE DOMAIN ints AS int[]", "CREATE TYPE pair AS (a int, b text)",
		"CREATE TABLE v (id int PRIMARY KEY, "+strings.Join(columns, ", ")+")",
		"INSERT INTO v VALUES (1, "+strings.Join(values, ", ")+")",
		"CREATE VIEW w AS SELECT * FROM v",
	)
	d := open(t, nil)
	for _, table := range []string{".v", ".w"} {
		items := list(t, d, connectors.ItemQuery{ContainerID: s + table, Limit: 10, Raw: true})
		if len(items) != 1 {
			t.Fatalf("got %d rows of %s", len(items), table)
		}
		var raw connectors.Meta
		if err := json.Unmarshal(items[0].Raw, &raw); err != nil {
			t.Fatal(err)
		}
		for i, tt := range tests {
			t.Run(strings.TrimSpace(table+" "+tt.typ), func(t *testing.T) {
				got, err := connectors.Meta{items[0].Meta[i+1]}.MarshalJSON()
				if err != nil {
					t.Fatal(err)
				}
				want := fmt.Sprintf(`{"c%d":%s}`, i, tt.want)
				if !sameJSON(t, got, want) {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
	}
}

// sameJSON compares the tokens of two JSON texts, so that digits count and escapes do not.
func sameJSON(t *testing.T, got []byte, want string) bool {
	t.Helper()
	tokens := func(b []byte) string {
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		var out strings.Builder
		for {
			tok, err := dec.Token()
			if err != nil {
				return out.String() + err.Error()
			}
			fmt.Fprintf(&out, "%T %v|", tok, tok)
		}
	}
	return tokens(got) == tokens([]byte(want))
}

// TestValuesAgainstServer compares numbers, booleans and texts with the server's own to_jsonb.
func TestValuesAgainstServer(t *testing.T) {
	s, c := schema(t, `CREATE TABLE v AS SELECT i AS id, i * 3037000499 AS big, (i::numeric ^ 9) / 7 AS num, sqrt(i)::float8 AS f8, sqrt(i)::float4 AS f4,
		i % 2 = 0 AS even, chr(i::int + 32) || chr(i::int * 37 + 161) AS txt, ARRAY[[i, i + 1], [NULL, i]] AS arr, ARRAY[chr(i::int + 32), NULL] AS txts
		FROM generate_series(1::bigint, 500) AS i`, "ALTER TABLE v ADD PRIMARY KEY (id)")
	d := open(t, nil)
	items := list(t, d, connectors.ItemQuery{ContainerID: s + ".v", Limit: 200})
	rows, err := c.Query(t.Context(), "SELECT row_to_json(v)::text FROM v ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for i := 0; rows.Next(); i++ {
		var want string
		if err := rows.Scan(&want); err != nil {
			t.Fatal(err)
		}
		got, err := items[i].Meta.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if !sameJSON(t, got, want) {
			t.Fatalf("row %d: got %s, want %s", i, got, want)
		}
	}
}

func TestIsNumber(t *testing.T) {
	for s, want := range map[string]bool{
		"0": true, "-0": true, "10": true, "0.50": true, "1e+300": true, "-1.5e-7": true, "1E5": true,
		"": false, "-": false, "01": false, ".5": false, "1.": false, "1e": false, "NaN": false, "Infinity": false, "1 ": false, "1;2": false, "0x1": false,
	} {
		if got := isNumber(s); got != want {
			t.Errorf("isNumber(%q) = %v, want %v", s, got, want)
		}
	}
}

func FuzzValue(f *testing.F) {
	f.Add(byte(formArray), byte(formNumber), "{1,NULL,{2}}")
	f.Add(byte(formArray), byte(formText), `[0:1]={"a\"b",c}`)
	f.Add(byte(formJSON), byte(0), `{"a": 1}`)
	f.Add(byte(formTimestamptz), byte(0), "2024-01-02 03:04:05+00")
	f.Add(byte(formBytea), byte(0), `\x00`)
	f.Fuzz(func(t *testing.T, as, elem byte, text string) {
		c := column{as: form(as) % (formArray + 1), elem: form(elem) % formArray, sep: ','}
		v, err := c.value(text)
		if err != nil {
			return
		}
		b, err := connectors.Meta{{Name: "v", Value: v}}.MarshalJSON()
		if err != nil || !json.Valid(b) {
			t.Errorf("%q as %d became %q, %v", text, c.as, b, err)
		}
	})
}

func TestTimeOf(t *testing.T) {
	when := time.Date(2024, 1, 2, 3, 4, 5, 600000000, time.UTC)
	day := time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		oid  uint32
		text string
		want *time.Time
	}{
		{oidTimestamptz, "2024-01-02 03:04:05.6+00", &when},
		{oidTimestamp, "2024-01-02 03:04:05.6", &when},
		{oidDate, "2024-01-02", &day},
		{oidTimestamptz, "infinity", nil},
		{oidTimestamp, "-infinity", nil},
		{oidDate, "infinity", nil},
		{oidTimestamp, "0044-03-15 12:00:00 BC", nil},
	}
	for _, tt := range tests {
		got := timeOf(tt.oid, tt.text)
		if (got == nil) != (tt.want == nil) || got != nil && !got.Equal(*tt.want) {
			t.Errorf("%s: got %v, want %v", tt.text, got, tt.want)
		}
	}
}
