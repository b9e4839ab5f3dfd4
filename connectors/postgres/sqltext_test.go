package postgres

import (
	"strings"
	"testing"
)

func TestReadSQL(t *testing.T) {
	tests := map[string]struct {
		sql, text        string
		ordered, nullKey bool
	}{
		"plain":              {"SELECT 1", "SELECT 1", false, false},
		"blanks":             {" \n SELECT 1 \t", "SELECT 1", false, false},
		"semicolons":         {"SELECT 1 ; ;\n", "SELECT 1", false, false},
		"semicolon, comment": {"SELECT 1; -- x ORDER BY 1", "SELECT 1", false, false},
		"comment, semicolon": {"SELECT 1 /* /* ; */ */ ;", "SELECT 1", false, false},
		"semicolon inside":   {"SELECT 1; SELECT 2;", "SELECT 1; SELECT 2", false, false},
		"semicolon in text":  {"SELECT ';'", "SELECT ';'", false, false},
		"only a semicolon":   {";", ";", false, false},
		"nothing":            {"", "", false, false},
		"order":              {"SELECT 1 order\n/* x */ By 1", "SELECT 1 order\n/* x */ By 1", true, false},
		"order inside":       {"SELECT (SELECT 1 ORDER BY 1), a[(1)], sum(x) OVER (ORDER BY y)", "", false, false},
		"order in a text":    {"SELECT 'a'' ORDER BY ', \"ORDER BY\", $$ ORDER BY $$, $x$ $$ ORDER BY $x$, E'\\' ORDER BY '", "", false, false},
		"order in a comment": {"SELECT 1 -- ORDER BY 1", "", false, false},
		"order after a text": {"SELECT 'it''s' ORDER BY 1", "", true, false},
		"group by":           {"SELECT x GROUP BY x", "", false, false},
		"order of a name":    {"SELECT \"order\" by, reorder BY", "", false, false},
		"two orders":         {"SELECT a, b ORDER BY A ASC, b;", "SELECT a, b ORDER BY A ASC, b", true, false},
		"more than an order": {"SELECT a ORDER BY a LIMIT 5", "", true, false},
		"limit inside":       {"SELECT a FROM (SELECT * FROM b limit 5) x", "", false, false},
		"first of each":      {"SELECT DISTINCT ON (a) b FROM c", "", false, false},
		"sample":             {"SELECT a FROM b TABLESAMPLE SYSTEM (1)", "", false, false},
		"quoted order":       {"SELECT a ORDER BY \"a\" DESC", "", true, false},
		"order of a call":    {"SELECT a ORDER BY f(a)", "", true, false},
		"parentheses":        {"(SELECT 1 ORDER BY 1)", "", true, false},
		"outer join":         {"SELECT 1 FROM a left JOIN b", "", false, true},
		"inner outer join":   {"SELECT 1 FROM (SELECT 1 FROM a FULL JOIN b)", "", false, true},
		"left in a text":     {"SELECT 'LEFT', \"LEFT\"", "", false, false},
		"rollup":             {"SELECT 1 GROUP BY ROLLUP (a)", "", false, true},
		"open quote":         {"SELECT 'x ORDER BY 1", "", false, false},
		"open comment":       {"SELECT 1 /* ORDER BY 1;", "", false, false},
		"open dollar quote":  {"SELECT $a$ ORDER BY 1; $b$", "", false, false},
		"parameter":          {"SELECT $1 ORDER BY $2$", "", true, false},
	}
	orders := map[string]string{
		"order": " 1", "order after a text": " 1", "parameter": " $ 2$", "two orders": " a , b", "more than an order": " a limit 5",
		"quoted order": " ' desc", "order of a call": " f ( a )",
	}
	picks := map[string]bool{"more than an order": true, "limit inside": true, "first of each": true, "sample": true}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := userSQL{text: tt.text, ordered: tt.ordered, picks: picks[name], nullKey: tt.nullKey, orderBy: orders[name]}
			if want.text == "" {
				want.text = tt.sql
			}
			if got := readSQL(tt.sql); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// FuzzReadSQL checks that the scanner ends, and that it takes nothing from a query but semicolons, comments and blanks
// at its end.
func FuzzReadSQL(f *testing.F) {
	for _, s := range []string{"SELECT 1; -- x", "$a$;$a$", "E'\\';", "/*/**/;*/;", "'", `"`, "$", "$$", "(((", "\xff;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		got := readSQL(sql)
		rest, ok := strings.CutPrefix(strings.TrimSpace(sql), got.text)
		if !ok {
			t.Fatalf("%q became %q", sql, got.text)
		}
		s := scanner{rest: rest}
		for word, ok := s.next(); ok; word, ok = s.next() {
			if word != ";" {
				t.Fatalf("%q lost %q of %q", got.text, word, sql)
			}
		}
	})
}
