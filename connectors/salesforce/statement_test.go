package salesforce

import (
	"strings"
	"testing"
)

func TestStatement(t *testing.T) {
	const extra = "A >= 1"
	tests := []struct{ query, plain, with, count string }{
		{"SELECT Id FROM Account", "SELECT Id FROM Account ORDER BY Id ASC", "SELECT Id FROM Account WHERE A >= 1 ORDER BY Id ASC", "SELECT COUNT() FROM Account"},
		{" select ID, Name from Account a where a.Name = 'x' or Name = 'y' limit 5 ", "select ID, Name from Account a WHERE (a.Name = 'x' or Name = 'y') ORDER BY Id ASC limit 5", "select ID, Name from Account a WHERE (a.Name = 'x' or Name = 'y') AND A >= 1 ORDER BY Id ASC limit 5", "SELECT COUNT() from Account a WHERE (a.Name = 'x' or Name = 'y') limit 5"},
		{"SELECT a.Id FROM Account a ORDER BY Name DESC LIMIT 3", "SELECT a.Id FROM Account a ORDER BY Name DESC LIMIT 3", "SELECT a.Id FROM Account a WHERE A >= 1 ORDER BY Name DESC LIMIT 3", "SELECT COUNT() FROM Account a LIMIT 3"},
		{"SELECT Account.Id FROM Account USING SCOPE mine WHERE Name IN (SELECT Name FROM Lead WHERE X = ')') WITH SECURITY_ENFORCED OFFSET 2", "SELECT Account.Id FROM Account USING SCOPE mine WHERE (Name IN (SELECT Name FROM Lead WHERE X = ')')) WITH SECURITY_ENFORCED ORDER BY Id ASC OFFSET 2", "SELECT Account.Id FROM Account USING SCOPE mine WHERE (Name IN (SELECT Name FROM Lead WHERE X = ')')) AND A >= 1 WITH SECURITY_ENFORCED ORDER BY Id ASC OFFSET 2", "SELECT COUNT() FROM Account USING SCOPE mine WHERE (Name IN (SELECT Name FROM Lead WHERE X = ')')) WITH SECURITY_ENFORCED"},
		{"SELECT Id FROM Order WHERE Name = 'it\\'s  ORDER BY  x; FROM'", "SELECT Id FROM Order WHERE (Name = 'it\\'s  ORDER BY  x; FROM') ORDER BY Id ASC", "SELECT Id FROM Order WHERE (Name = 'it\\'s  ORDER BY  x; FROM') AND A >= 1 ORDER BY Id ASC", "SELECT COUNT() FROM Order WHERE (Name = 'it\\'s  ORDER BY  x; FROM')"},
		{"SELECT (SELECT Id FROM Contacts), Id, TYPEOF What WHEN Account THEN Phone END FROM Event", "SELECT (SELECT Id FROM Contacts), Id, TYPEOF What WHEN Account THEN Phone END FROM Event ORDER BY Id ASC", "SELECT (SELECT Id FROM Contacts), Id, TYPEOF What WHEN Account THEN Phone END FROM Event WHERE A >= 1 ORDER BY Id ASC", "SELECT COUNT() FROM Event"},
		{"SELECT FIELDS(ALL) FROM Account LIMIT 200", "SELECT FIELDS(ALL) FROM Account ORDER BY Id ASC LIMIT 200", "SELECT FIELDS(ALL) FROM Account WHERE A >= 1 ORDER BY Id ASC LIMIT 200", "SELECT COUNT() FROM Account LIMIT 200"},
	}
	for _, tt := range tests {
		s, err := parseQuery(tt.query)
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		if got := s.with(); got != tt.plain {
			t.Errorf("%s: got\n %s, want\n %s", tt.query, got, tt.plain)
		}
		if got := s.with(extra); got != tt.with {
			t.Errorf("%s with a condition: got\n %s, want\n %s", tt.query, got, tt.with)
		}
		if got, exact := s.counting(); got != tt.count || exact == strings.Contains(tt.query, "OFFSET") {
			t.Errorf("%s to count: got\n %s (exact %t), want\n %s", tt.query, got, exact, tt.count)
		}
	}
}

func TestStatementRefusals(t *testing.T) {
	tests := []struct{ query, words string }{
		{"", "must be a SOQL query"},
		{"DELETE FROM Account", "must be a SOQL query"},
		{"FIND {x} IN ALL FIELDS RETURNING Account(Id)", "must be a SOQL query"},
		{"SELECT Id", "must be a SOQL query"},
		{"SELECT Id FROM", "must be a SOQL query"},
		{"(SELECT Id FROM Account)", "must be a SOQL query"},
		{"SELECT Name FROM Account", "must select Id"},
		{"SELECT Owner.Id FROM Account", "must select Id"},
		{"SELECT (SELECT Id FROM Contacts) FROM Account", "must select Id"},
		{"SELECT COUNT() FROM Account", "must select Id"},
		{"SELECT COUNT(Id) FROM Account", "must select Id"},
		{"SELECT Id FROM Account; DELETE FROM Account", "semicolon"},
		{"SELECT Id FROM Account;", "semicolon"},
		{"SELECT Id FROM Account WHERE Name = 'x", "quotation mark"},
		{`SELECT Id FROM Account WHERE Name = 'x\'`, "quotation mark"},
		{"SELECT Id FROM Account WHERE (Name = 'x'", "bracket"},
		{"SELECT Id FROM Account WHERE Name = 'x') OR (Name = 'y'", "bracket"},
		{"SELECT Id FROM Account WHERE", "WHERE without"},
		{"SELECT Id FROM Account WHERE ORDER BY Id", "WHERE without"},
		{"SELECT Id FROM Account GROUP BY Id", "groups"},
		{"SELECT Id FROM Account FOR VIEW", "only read"},
		{"SELECT Id FROM Account for reference", "only read"},
		{"SELECT Id FROM Account UPDATE TRACKING", "only read"},
		{"SELECT Id FROM a.b", "name an object"},
	}
	for _, tt := range tests {
		if _, fault := parseStatement(strings.TrimSpace(tt.query)); !strings.Contains(fault, tt.words) {
			t.Errorf("%s: got %q, want %q", tt.query, fault, tt.words)
		}
	}
}

// FuzzQuery checks that conditions cannot be left: whatever is taken stays balanced, and the further condition stands
// outside of the user's brackets.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"SELECT Id FROM Account", "SELECT Id, Name FROM Account a WHERE a.Name = 'it\\'s' ORDER BY Name LIMIT 1", "SELECT Id FROM A WHERE (B = 'c')",
		"SELECT Id FROM Account WHERE A = 1 WITH X ORDER BY B OFFSET 1", "select id from x where ' limit", "SELECT Id FROM A WHERE B = ')' OR (C = 1",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		s, err := parseQuery(query)
		if err != nil {
			return
		}
		out := s.with("Zz9 >= 1")
		words, _, fault := scan(out)
		if fault != "" {
			t.Fatalf("%q became %q, which %s", query, out, fault)
		}
		if find(words, 0, "ZZ9") < 0 {
			t.Fatalf("%q became %q, without the condition at its top", query, out)
		}
		count, _ := s.counting("Zz9 >= 1")
		if words, _, fault := scan(count); fault != "" || find(words, 0, "ZZ9") < 0 {
			t.Fatalf("%q became %q, %s", query, count, fault)
		}
		again, err := parseQuery(out)
		if err != nil || again.from != s.from {
			t.Fatalf("%q became %q, which is about %q: %v", query, out, again.from, err)
		}
	})
}
