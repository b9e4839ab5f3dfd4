package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Refusals name the error as Salesforce does and show the place.
func TestSOQLRefuses(t *testing.T) {
	b := serveOrg(t, Options{Records: 10})
	cases := []struct {
		soql   string
		status int
		code   string
		words  string
	}{
		{"", 400, "MALFORMED_QUERY", "A query string has to be specified"},
		{"SELECT Id FRM Account", 400, "MALFORMED_QUERY", "\nSELECT Id FRM Account\n          ^\nERROR at Row:1:Column:11\nunexpected token: 'FRM'"},
		{"SELECT Id\nFROM Account WHERE", 400, "MALFORMED_QUERY", "ERROR at Row:2:Column:19\nunexpected token: <EOF>"},
		{"DELETE", 400, "MALFORMED_QUERY", "unexpected token: 'DELETE'"},
		{"SELECT FROM Account", 400, "MALFORMED_QUERY", "unexpected token"},
		{"SELECT Id, FROM Account", 400, "MALFORMED_QUERY", "unexpected token"},
		{"SELECT * FROM Account", 400, "MALFORMED_QUERY", "unexpected token: '*'"},
		{"SELECT Id FROM Account WHERE Name = 'x", 400, "MALFORMED_QUERY", "unterminated string literal"},
		{`SELECT Id FROM Account WHERE Name = '\x'`, 400, "MALFORMED_QUERY", "Illegal character sequence"},
		{"SELECT Id FROM Account WHERE Name = \"x\"", 400, "MALFORMED_QUERY", "unexpected token: '\"'"},
		{"SELECT Id FROM Account WHERE Name = x", 400, "MALFORMED_QUERY", "unexpected token: 'x'"},
		{"SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", 400, "MALFORMED_QUERY", "unexpected token: 'OR'"},
		{"SELECT Id FROM Account WHERE (Name = 'a'", 400, "MALFORMED_QUERY", "unexpected token: <EOF>"},
		{"SELECT Id FROM Account WHERE Name IN ()", 400, "MALFORMED_QUERY", "unexpected token: ')'"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)", 400, "MALFORMED_QUERY", "subqueries are not supported"},
		{"SELECT Id, (SELECT Id FROM Contacts) FROM Account", 400, "MALFORMED_QUERY", "subqueries are not supported"},
		{"SELECT Name, COUNT(Id) FROM Account GROUP BY Name", 400, "MALFORMED_QUERY", "COUNT beside other fields"},
		{"SELECT COUNT(Id), Name FROM Account", 400, "MALFORMED_QUERY", ""},
		{"SELECT Name FROM Account GROUP BY Name", 400, "MALFORMED_QUERY", "GROUP BY is not supported"},
		{"SELECT MAX(CreatedDate) FROM Account", 400, "MALFORMED_QUERY", "the function MAX is not supported"},
		{"SELECT FIELDS(ALL) FROM Account", 400, "MALFORMED_QUERY", "LIMIT"},
		{"SELECT Id FROM Account LIMIT x", 400, "MALFORMED_QUERY", "unexpected token: 'x'"},
		{"SELECT Id FROM Account LIMIT -1", 400, "MALFORMED_QUERY", "unexpected token: '-1'"},
		{"SELECT Id FROM Account OFFSET 2001", 400, "NUMBER_OUTSIDE_VALID_RANGE", "2000"},
		{"SELECT Id FROM Account; DROP", 400, "MALFORMED_QUERY", "unexpected token: ';'"},
		{"SELECT Id FROM Account WHERE CreatedDate > LAST_N_DAYS", 400, "MALFORMED_QUERY", "unexpected token"},
		{"SELECT Id FROM Account WHERE CreatedDate > LAST_N_DAYS:x", 400, "MALFORMED_QUERY", "unexpected token"},
		{"SELECT Id FROM Account WHERE CreatedDate > 2026-13-01T00:00:00Z", 400, "MALFORMED_QUERY", "unexpected token: '2026-13-01T00:00:00Z'"},
		{"SELECT Id FROM Account WHERE " + strings.Repeat("(", 200) + "Name = 'a'" + strings.Repeat(")", 200), 400, "MALFORMED_QUERY", "too many brackets"},
		{"SELECT Id FROM Account WHERE " + strings.Repeat("NOT ", 200) + "Name = 'a'", 400, "MALFORMED_QUERY", ""},
		{"SELECT Id FROM Account WHERE Name = '" + strings.Repeat("x", 30) + "' ORDER", 400, "MALFORMED_QUERY", "<EOF>"},
		{"SELECT Id FROM Nothing__c", 400, "INVALID_TYPE", "               ^\nERROR at Row:1:Column:16\nsObject type 'Nothing__c' is not supported."},
		{"SELECT Id FROM Salary__c", 400, "INVALID_TYPE", "sObject type 'Salary__c' is not supported."},
		{"SELECT Id FROM ActivityHistory", 400, "INVALID_TYPE_FOR_OPERATION", "entity type ActivityHistory does not support query"},
		{"SELECT Id FROM Contract", 403, "INSUFFICIENT_ACCESS", "insufficient access rights"},
		{"SELECT Id, Nam FROM Account", 400, "INVALID_FIELD", "ERROR at Row:1:Column:12\nNo such column 'Nam' on entity 'Account'."},
		{"SELECT Id, Id FROM Account", 400, "INVALID_FIELD", "duplicate field selected: Id"},
		{"SELECT Id FROM AccountHistory ORDER BY SystemModstamp", 400, "INVALID_FIELD", "No such column 'SystemModstamp' on entity 'AccountHistory'."},
		{"SELECT Boss.Name FROM Account", 400, "INVALID_FIELD", "Didn't understand relationship 'Boss' in field path."},
		{"SELECT What.Industry FROM Task", 400, "INVALID_FIELD", "No such column 'Industry' on entity 'Name'."},
		{"SELECT Id FROM Case WHERE Description = 'x'", 400, "INVALID_FIELD", "field 'Description' can not be filtered in a query call"},
		{"SELECT Id FROM Case ORDER BY Description", 400, "MALFORMED_QUERY", "field 'Description' can not be sorted in a query call"},
		{"SELECT Id FROM Case WHERE SystemModstamp > '2026-01-01T00:00:00Z'", 400, "INVALID_FIELD", "must be of type dateTime and should not be enclosed in quotes"},
		{"SELECT Id FROM Case WHERE SystemModstamp > 2026-01-01", 400, "INVALID_FIELD", "must be of type dateTime"},
		{"SELECT Id FROM Opportunity WHERE CloseDate = 2026-01-01T00:00:00Z", 400, "INVALID_FIELD", "must be of type date"},
		{"SELECT Id FROM Opportunity WHERE Amount > 'much'", 400, "INVALID_FIELD", "must be of type currency"},
		{"SELECT Id FROM Case WHERE Status = 5", 400, "INVALID_FIELD", "must be of type string and should be enclosed in quotes"},
		{"SELECT Id FROM Case WHERE IsClosed > false", 400, "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on boolean field"},
		{"SELECT Id FROM Case WHERE Id LIKE '500%'", 400, "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on id field"},
		{"SELECT Id FROM Case WHERE Id = 'x'", 400, "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"},
		{"SELECT Id FROM Case WHERE Id > null", 400, "INVALID_QUERY_FILTER_OPERATOR", "null"},
	}
	for _, c := range cases {
		got := b.ask("query", c.soql)
		var list []struct{ Message, ErrorCode string }
		if err := json.Unmarshal(got.body, &list); err != nil || len(list) != 1 {
			t.Errorf("%s: got %d %s", c.soql, got.status, got.body)
			continue
		}
		if got.status != c.status || list[0].ErrorCode != c.code || !strings.Contains(list[0].Message, c.words) {
			t.Errorf("%s: got %d %s %q, want %d %s %q", c.soql, got.status, list[0].ErrorCode, list[0].Message, c.status, c.code, c.words)
		}
	}
	long := b.call(http.MethodGet, dataPath+"/query?q="+strings.Repeat("x", maxSOQL+1), "")
	if long.status != http.StatusBadRequest || !strings.Contains(string(long.body), "cannot be longer") {
		t.Errorf("a long query: %d", long.status)
	}
}

// What a query selects is written as Salesforce writes it.
func TestSOQLRecords(t *testing.T) {
	b := serveOrg(t, Options{Records: 50})
	cases := []struct{ soql, want string }{
		{"select id, name from organization", `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Organization","url":"/services/data/v67.0/sobjects/Organization/` + b.org.id + `"},"Id":"` + b.org.id + `","Name":"Acme (sandbox)"}]}`},
		{"SELECT Id FROM Account LIMIT 0", `{"totalSize":0,"done":true,"records":[]}`},
		{"SELECT COUNT() FROM User", `{"totalSize":9,"done":true,"records":[]}`},
		{"SELECT COUNT(Id) n FROM User", `"n":9`},
		{"SELECT COUNT(Id) FROM User", `{"attributes":{"type":"AggregateResult"},"expr0":9}`},
		{"SELECT User.Name FROM User ORDER BY Name DESC NULLS LAST LIMIT 1", `"Name":"`},
		{"SELECT Owner.Name, Owner.Email FROM Case LIMIT 1", `"Owner":{"attributes":{"type":"User","url":"/services/data/v67.0/sobjects/User/`},
		{"SELECT Account.Name FROM Contact WHERE AccountId = null LIMIT 1", `"Account":null`},
		{"SELECT What.Name, What.Type FROM Task WHERE What.Type = 'case' LIMIT 1", `"Type":"Case"`},
		{"SELECT FeedItem.Parent.Name FROM FeedComment LIMIT 1", `"FeedItem":{"attributes":{"type":"FeedItem"`},
		{"SELECT BillingAddress FROM Account LIMIT 1", `"BillingAddress":{"city":`},
		{"SELECT FIELDS(CUSTOM), Id FROM Invoice__c LIMIT 1", `"Account__c":`},
		{"SELECT FIELDS(ALL) FROM Invoice__c LIMIT 1", `"Name":"INV-00000001"`},
		{"SELECT CloseDate FROM Opportunity WHERE CloseDate > 1999-12-31 LIMIT 1", `"CloseDate":"20`},
		{"SELECT Id FROM Account WHERE CreatedDate > NEXT_N_DAYS:3", `"totalSize":0`},
		{"SELECT Id FROM Account WHERE CreatedDate < TODAY AND CreatedDate != null LIMIT 1", `"totalSize":1`},
	}
	for _, c := range cases {
		got := b.ask("query", c.soql)
		if got.status != http.StatusOK || !strings.Contains(string(got.body), c.want) {
			t.Errorf("%s: got %d %s, want %s", c.soql, got.status, got.body, c.want)
		}
	}
}

func TestSOQLDates(t *testing.T) {
	now := time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC) // a Wednesday
	cases := []struct{ name, n, from, until string }{
		{"today", "", "2026-03-04", "2026-03-05"},
		{"YESTERDAY", "", "2026-03-03", "2026-03-04"},
		{"THIS_WEEK", "", "2026-03-01", "2026-03-08"},
		{"LAST_MONTH", "", "2026-02-01", "2026-03-01"},
		{"THIS_YEAR", "", "2026-01-01", "2027-01-01"},
		{"LAST_N_DAYS", "3", "2026-03-01", "2026-03-05"},
		{"NEXT_N_DAYS", "1", "2026-03-05", "2026-03-06"},
		{"N_DAYS_AGO", "2", "2026-03-02", "2026-03-03"},
		{"LAST_90_DAYS", "", "2025-12-04", "2026-03-05"},
	}
	for _, c := range cases {
		s, known, ok := soqlDateRange(c.name, c.n, now)
		if from, until := dayText(s.from), dayText(s.until); !known || !ok || from != c.from || until != c.until {
			t.Errorf("%s:%s is %s to %s, want %s to %s", c.name, c.n, from, until, c.from, c.until)
		}
	}
	for _, bad := range []struct{ name, n string }{{"LAST_N_DAYS", ""}, {"LAST_N_DAYS", "-1"}, {"LAST_N_DAYS", "99999999"}, {"TODAY", "1"}, {"FOREVER", ""}} {
		if _, known, ok := soqlDateRange(bad.name, bad.n, now); known && ok {
			t.Errorf("%s:%s is taken", bad.name, bad.n)
		}
	}
}

func dayText(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateOnly) }

func TestLikePattern(t *testing.T) {
	cases := []struct {
		pattern, text string
		want          bool
	}{
		{"%", "", true},
		{"", "", true},
		{"", "a", false},
		{"_", "é", true},
		{"_", "ab", false},
		{"a%c", "ABBC", true},
		{"a%c", "abcd", false},
		{"%b%", "abc", true},
		{"%a%b", "aab", true},
		{"%ab", "aab", true},
		{"a_c%", "abcde", true},
		{`a\%`, "a%", true},
		{`a\%`, "ab", false},
		{`a\_b`, "a_b", true},
		{`a\_b`, "axb", false},
		{`a\\`, `a\`, true},
		{"%%%", "x", true},
		{"%x", "", false},
	}
	for _, c := range cases {
		if got := newLikePattern(c.pattern).matches(c.text); got != c.want {
			t.Errorf("%q like %q is %v", c.text, c.pattern, got)
		}
	}
	if newLikePattern(strings.Repeat("%a", 1_000) + "b").matches(strings.Repeat("a", 100_000)) {
		t.Error("no b in it")
	}
}

// Whatever is written, the parser ends, and what it takes runs.
func FuzzSOQL(f *testing.F) {
	for _, seed := range []string{
		"SELECT Id FROM Case WHERE SystemModstamp > 2026-01-01T00:00:00Z OR (SystemModstamp = 2026-01-01T00:00:00Z AND Id > '500DE0000000001') ORDER BY SystemModstamp ASC, Id ASC LIMIT 200",
		"SELECT Owner.Name, FIELDS(CUSTOM) FROM Invoice__c WHERE NOT (Name LIKE 'a\\%_%' OR Tags__c IN ('x', null)) ORDER BY Owner.Name DESC NULLS LAST OFFSET 3",
		"SELECT COUNT() FROM Account WHERE CreatedDate = LAST_N_DAYS:3", "SELECT COUNT(Id) n FROM Task WHERE What.Type != 'Case'",
		"SELECT Id FROM CaseComment WHERE ParentId IN ('500DE0000000001', '001DE0000000001') AND Id >= '00aDE0000000001'",
		"select id from lead where isconverted = true and createddate <= today", "SELECT Id FROM Opportunity WHERE Amount >= 1e3 AND CloseDate < 2026-02-30",
		"SELECT \u0000", "SELECT Id FROM Case WHERE Subject = '\\u00e9\\'", "((((", "SELECT Id FROM User WHERE Name = 'İ'",
	} {
		f.Add(seed)
	}
	s, err := New(Options{Records: 60})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		query, refused := parseSOQL(text, epoch(1))
		if refused != nil {
			return
		}
		plan, refused := (&soqlCompiler{org: s.org, snap: s.org.changes.snapshot(), query: query}).plan()
		if refused != nil {
			if !json.Valid([]byte(string(appendString(nil, strings.ToValidUTF8(refused.message, "?"))))) {
				t.Errorf("a refusal that JSON cannot hold: %q", refused.message)
			}
			return
		}
		c, refused := newCursor(t.Context(), plan, smallestBatch)
		if refused != nil {
			t.Fatal(refused)
		}
		rows, refused := c.batch(t.Context(), 0)
		if refused != nil || int64(len(rows)) != min(c.total, smallestBatch) {
			t.Errorf("%q: %d of %d rows, %v", text, len(rows), c.total, refused)
		}
		for _, row := range rows {
			v := s.org.look(plan.snap, plan.object, row)
			if record := v.appendRecord(nil, "v67.0", plan.outputs); !json.Valid(record) {
				t.Errorf("%q: not JSON: %s", text, record)
			}
		}
	})
}
