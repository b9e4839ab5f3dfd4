package postgres

import (
	"testing"
)

func TestTableName(t *testing.T) {
	tests := map[string]struct {
		id   string
		want tableName
		bad  bool
	}{
		"plain":           {id: "public.orders", want: tableName{"public", "orders"}},
		"case and blanks": {id: "My Schema.Ünï cödé 🙂", want: tableName{"My Schema", "Ünï cödé 🙂"}},
		"dots":            {id: `"we.ird"."t.a.b"`, want: tableName{"we.ird", "t.a.b"}},
		"quotes":          {id: `"a""b".""""""`, want: tableName{`a"b`, `""`}},
		"injection":       {id: `public.x; DROP TABLE y --`, want: tableName{"public", "x; DROP TABLE y --"}},
		"needless quotes": {id: `"public"."orders"`, want: tableName{"public", "orders"}},
		"one part":        {id: "orders", bad: true},
		"three parts":     {id: "db.public.orders", bad: true},
		"empty":           {id: "", bad: true},
		"empty schema":    {id: ".orders", bad: true},
		"empty table":     {id: "public.", bad: true},
		"quoted empty":    {id: `"".x`, bad: true},
		"open quote":      {id: `public."x`, bad: true},
		"text after":      {id: `"a"b.c`, bad: true},
		"quote within":    {id: `a"b".c`, bad: true},
		"NUL":             {id: "a.b\x00", bad: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseTableName(tt.id)
			if tt.bad != (err != nil) || got != tt.want {
				t.Fatalf("got %+v, %v, want %+v, bad %v", got, err, tt.want, tt.bad)
			}
			if again, err := parseTableName(got.String()); !tt.bad && (err != nil || again != got) {
				t.Errorf("%q reads back as %+v, %v", got.String(), again, err)
			}
		})
	}
}

func FuzzTableName(f *testing.F) {
	f.Add("public", "orders")
	f.Add(`a"."b`, `"`)
	f.Fuzz(func(t *testing.T, schema, table string) {
		name := tableName{schema, table}
		got, err := parseTableName(name.String())
		if schema == "" || table == "" {
			return
		}
		for _, c := range schema + table {
			if c == 0 {
				return
			}
		}
		if err != nil || got != name {
			t.Errorf("%+v reads back from %q as %+v, %v", name, name.String(), got, err)
		}
	})
}

func FuzzParseTableName(f *testing.F) {
	f.Add(`"a""b".c`)
	f.Fuzz(func(t *testing.T, id string) {
		name, err := parseTableName(id)
		if err != nil {
			return
		}
		if again, err := parseTableName(name.String()); err != nil || again != name {
			t.Errorf("%q is %+v, which reads back as %+v, %v", id, name, again, err)
		}
	})
}
