package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// The arithmetic of a table is that of a list of its records.
func TestTableArithmetic(t *testing.T) {
	until := epoch(1).UnixMilli()
	for n := range int64(400) {
		checkTable(t, n+1, until)
	}
	for _, n := range []int64{9_999, 12_530, 40_000} {
		checkTable(t, n, until)
	}
}

func checkTable(t *testing.T, n, until int64) {
	t.Helper()
	tb := newTable(caseObject(), "500aB0", n, until)
	checkRows(t, tb, until)
	// Several ranks share each second, as where there are very many.
	tb.span = max(1, n/10) * 1000
	tb.stamped = until - tb.span
	tb.bin = n
	checkRows(t, tb, until)
}

func checkRows(t *testing.T, tb *table, until int64) {
	t.Helper()
	n := tb.rows
	binned, last := int64(0), int64(0)
	for rank := range n {
		row := tb.rowAt(rank)
		if row < 0 || row >= n || tb.rank(row) != rank {
			t.Fatalf("%d rows: rank %d has row %d, which has rank %d", n, rank, row, tb.rank(row))
		}
		at := tb.stamp(row)
		if at < last || at > until || at%1000 != 0 || tb.created(row) >= at {
			t.Fatalf("%d rows, rank %d: changed at %d after %d, created at %d", n, rank, at, last, tb.created(row))
		}
		if rank > 0 && at == last && row < tb.rowAt(rank-1) {
			t.Fatalf("%d rows, rank %d: the id falls within one moment", n, rank)
		}
		if tb.inBin(row) {
			binned++
			if at < until-deletedWindow {
				t.Fatalf("%d rows, rank %d: deleted too long ago", n, rank)
			}
		}
		last = at
		if got := tb.binned(0, rank+1); got != binned {
			t.Fatalf("%d rows: %d deleted among the first %d ranks, counted %d", n, binned, rank+1, got)
		}
	}
	from := n / 3
	counted := int64(0)
	for row := from; row < n; row++ {
		if row > from && tb.created(row) < tb.created(row-1) {
			t.Fatalf("%d rows: row %d was created before the one before it", n, row)
		}
		if tb.inBin(row) {
			counted++
		}
	}
	if got := tb.binnedRows(from, n); got != counted {
		t.Fatalf("%d rows: %d deleted from row %d on, counted %d", n, counted, from, got)
	}
}

// Children are found from their parents as parents from their children.
func TestChildRows(t *testing.T) {
	b := serveOrg(t, Options{Records: 21, Comments: 2})
	g := b.org
	snap := g.changes.snapshot()
	for _, c := range []struct{ object, field string }{
		{"CaseComment", "ParentId"}, {"FeedItem", "ParentId"}, {"FeedComment", "FeedItemId"}, {"FeedComment", "ParentId"}, {"CaseFeed", "ParentId"},
	} {
		o, _ := g.object(c.object)
		want := map[string][]int64{}
		for row := range o.table.rows {
			v := g.look(snap, o, row)
			parent := v.of(c.field).text
			want[parent] = append(want[parent], row)
		}
		found := 0
		for _, name := range []string{"Account", "Case", "Opportunity", "FeedItem"} {
			parent, _ := g.object(name)
			for row := range parent.table.rows {
				got := o.children[c.field](parent, row)
				found += len(got)
				if !slices.Equal(got, want[parent.table.id(row)]) {
					t.Errorf("%s of %s %d: got %v, want %v", c.object, name, row, got, want[parent.table.id(row)])
				}
			}
		}
		if found != int(o.table.rows) || found == 0 {
			t.Errorf("%s: found %d of %d by %s", c.object, found, o.table.rows, c.field)
		}
	}
}

// Counts are what queries find, for every object that can be read.
func TestRecordCounts(t *testing.T) {
	b := serveOrg(t, Options{Records: 350, Comments: 2})
	for _, o := range b.org.objects {
		if !o.is(queryable) || o.is(hidden) || o.is(denied) {
			continue
		}
		live, deleted, err := b.RecordCount(o.name)
		all := len(b.all("queryAll", "SELECT Id FROM "+o.name))
		if found := len(b.all("query", "SELECT Id FROM "+o.name, "Sforce-Query-Options", "batchSize=200")); err != nil || found != live || all != live+deleted {
			t.Errorf("%s: %d and %d deleted, %v; found %d and %d", o.name, live, deleted, err, found, all)
		}
		if o.is(deletable) && o.shows == nil && deleted == 0 {
			t.Errorf("%s: nothing is deleted", o.name)
		}
	}
}

// A record that is made, edited and deleted is found as such by queries, by its id and by replication.
func TestRecordLife(t *testing.T) {
	clock := newFakeClock()
	b := serveOrg(t, Options{Records: 300, Now: clock.Now})
	clock.add(time.Hour)
	made := b.call(http.MethodPost, dataPath+"/sobjects/Case", `{"Subject":"Hello \"you\" 🚀","Status":"New"}`)
	id := made.text(t, "id")
	if made.status != http.StatusCreated || made.fields(t)["success"] != true || id == "" {
		t.Fatalf("got %d %s", made.status, made.body)
	}
	place := dataPath + "/sobjects/Case/" + id
	record := b.call(http.MethodGet, place, "").fields(t)
	if record["Subject"] != `Hello "you" 🚀` || record["SystemModstamp"] != timeText(timeDatum(clock.Now().UnixMilli())) || record["CaseNumber"] != "00000301" ||
		record["OwnerId"] != b.org.users[0] || record["IsClosed"] != false || record["Description"] != nil {
		t.Errorf("got %v", record)
	}
	clock.add(time.Hour)
	if got := b.call(http.MethodPatch, place, `{"Status":"Closed"}`); got.status != http.StatusNoContent || len(got.body) != 0 {
		t.Errorf("edit: %d %s", got.status, got.body)
	}
	for _, soql := range []string{
		"SELECT Id FROM Case WHERE Id = '" + id + "' AND IsClosed = true", "SELECT Id FROM Case ORDER BY SystemModstamp DESC, Id DESC LIMIT 1",
		"SELECT Id FROM Case ORDER BY Id DESC LIMIT 1", "SELECT Id FROM Case WHERE SystemModstamp >= " + clock.Now().Format(time.RFC3339),
		"SELECT Id FROM Case WHERE Subject LIKE 'hello%'", "SELECT Id FROM Case WHERE SystemModstamp = TODAY ORDER BY Status LIMIT 1",
	} {
		if got := ids(b.all("query", soql)); !slices.Equal(got, []string{id}) {
			t.Errorf("%s: %q", soql, got)
		}
	}
	old := b.all("query", "SELECT Id FROM Case ORDER BY SystemModstamp LIMIT 1")[0]["Id"].(string)
	if err := b.EditRecord(old, nil); err != nil {
		t.Fatal(err)
	}
	if got := ids(b.all("query", "SELECT Id FROM Case ORDER BY SystemModstamp DESC, Id DESC LIMIT 2")); !slices.Equal(got, []string{id, old}) {
		t.Errorf("the newest are %q", got)
	}
	b.checkReplication("updated", clock.Now(), id, old)
	live, deleted, _ := b.RecordCount("Case")
	if got := b.call(http.MethodDelete, place, ""); got.status != http.StatusNoContent {
		t.Errorf("delete: %d %s", got.status, got.body)
	}
	if l, d, _ := b.RecordCount("Case"); l != live-1 || d != deleted+1 {
		t.Errorf("%d and %d deleted after %d and %d", l, d, live, deleted)
	}
	b.checkReplication("updated", clock.Now(), old)
	b.checkReplication("deleted", clock.Now(), id)
	if got := b.call(http.MethodGet, place, ""); got.status != http.StatusNotFound {
		t.Errorf("a deleted record: %d %s", got.status, got.body)
	}
	if got := b.call(http.MethodDelete, place, ""); got.status != http.StatusNotFound || !strings.Contains(string(got.body), "ENTITY_IS_DELETED") {
		t.Errorf("deleted twice: %d %s", got.status, got.body)
	}
	if n := len(b.all("queryAll", "SELECT Id FROM Case WHERE IsDeleted = true AND Id = '"+id+"'")); n != 1 {
		t.Errorf("queryAll finds %d", n)
	}
}

// checkReplication fails unless the answer for the hour before and the minute after has exactly those ids.
func (b *orgBox) checkReplication(resource string, at time.Time, want ...string) {
	b.t.Helper()
	query := url.Values{"start": {at.Add(-time.Hour + time.Minute).Format(time.RFC3339)}, "end": {at.Add(time.Minute).Format(time.RFC3339)}}
	got := b.call(http.MethodGet, dataPath+"/sobjects/Case/"+resource+"?"+query.Encode(), "")
	var answer struct {
		IDs               []string `json:"ids"`
		DeletedRecords    []struct{ ID string }
		LatestDateCovered string
	}
	if err := json.Unmarshal(got.body, &answer); err != nil || got.status != http.StatusOK {
		b.t.Fatalf("%d %s", got.status, got.body)
	}
	for _, d := range answer.DeletedRecords {
		answer.IDs = append(answer.IDs, d.ID)
	}
	slices.Sort(want)
	slices.Sort(answer.IDs)
	if !slices.Equal(answer.IDs, want) {
		b.t.Errorf("%s: got %q, want %q", resource, answer.IDs, want)
	}
	if answer.LatestDateCovered != timeText(timeDatum(at.UnixMilli()/60_000*60_000)) {
		b.t.Errorf("covered until %s at %s", answer.LatestDateCovered, at)
	}
}

// The newest record is of the time that the options say, and never of the future.
func TestLastChange(t *testing.T) {
	clock := newFakeClock()
	early := func() time.Time { return time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC) }
	until := time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)
	cases := []struct {
		name    string
		options Options
		want    time.Time
	}{
		{"by the seed", Options{OAuthNow: clock.Now}, epoch(1)},
		{"by another seed", Options{OAuthNow: clock.Now, Seed: 9}, epoch(9)},
		{"by the site's clock", Options{Now: early, OAuthNow: clock.Now}, early()},
		{"a clock that is behind", Options{OAuthNow: early}, early()},
		{"given", Options{Until: until, OAuthNow: clock.Now}, until.Truncate(time.Second)},
	}
	for _, c := range cases {
		c.options.Records = 100_000
		b := serveOrg(t, c.options)
		newest := b.all("query", "SELECT SystemModstamp FROM Lead ORDER BY SystemModstamp DESC LIMIT 1")[0]["SystemModstamp"].(string)
		at, _ := parseMoment(newest)
		if ago := c.want.Sub(time.UnixMilli(at)); ago < 0 || ago > 15*time.Minute {
			t.Errorf("%s: the newest record is of %s, want %s", c.name, newest, c.want)
		}
	}
}

// What replication tells of generated records is what queries find.
func TestReplicationWindows(t *testing.T) {
	clock := newFakeClock()
	b := serveOrg(t, Options{Records: 2_000, Now: clock.Now})
	from := clock.Now().Add(-14*24*time.Hour + time.Minute)
	b.stir("Case")
	window := "?start=" + from.Format(time.RFC3339) + "&end=" + clock.Now().Add(time.Minute).Format(time.RFC3339)
	updated := b.call(http.MethodGet, dataPath+"/sobjects/Case/updated"+window, "").fields(t)["ids"].([]any)
	if want := b.all("query", "SELECT Id FROM Case WHERE SystemModstamp >= "+from.Format(time.RFC3339)); len(updated) != len(want) || len(want) == 0 {
		t.Errorf("%d updated, %d found", len(updated), len(want))
	}
	deleted := b.call(http.MethodGet, dataPath+"/sobjects/Case/deleted"+window, "").fields(t)["deletedRecords"].([]any)
	if want := b.all("queryAll", "SELECT Id FROM Case WHERE IsDeleted = true AND SystemModstamp >= "+from.Format(time.RFC3339)); len(deleted) != len(want) || len(want) == 0 {
		t.Errorf("%d deleted, %d found", len(deleted), len(want))
	}
	day := func(n int) string { return url.QueryEscape(clock.Now().AddDate(0, 0, n).Format(time.RFC3339)) }
	cases := []struct{ name, path, status, code string }{
		{"29 days", "Lead/updated?start=" + day(-29) + "&end=" + day(0), "200", ""},
		{"31 days", "Lead/updated?start=" + day(-31) + "&end=" + day(0), "400", "INVALID_REPLICATION_DATE"},
		{"16 days, deleted", "Lead/deleted?start=" + day(-16) + "&end=" + day(0), "400", "INVALID_REPLICATION_DATE"},
		{"end before start", "Lead/updated?start=" + day(-1) + "&end=" + day(-2), "400", "INVALID_REPLICATION_DATE"},
		{"same minute", "Lead/updated?start=" + day(-1) + "&end=" + day(-1), "400", "INVALID_REPLICATION_DATE"},
		{"future", "Lead/updated?start=" + day(1) + "&end=" + day(2), "400", "INVALID_REPLICATION_DATE"},
		{"no start", "Lead/updated?end=" + day(0), "400", "MISSING_ARGUMENT"},
		{"no date", "Lead/updated?start=yesterday&end=" + day(0), "400", "yesterday"},
		{"not replicateable", "ActivityHistory/updated?start=" + day(-1) + "&end=" + day(0), "400", "is not replicable"},
		{"unknown object", "Nothing/updated?start=" + day(-1) + "&end=" + day(0), "404", "NOT_FOUND"},
	}
	for _, c := range cases {
		got := b.call(http.MethodGet, dataPath+"/sobjects/"+c.path, "")
		if fmt.Sprint(got.status) != c.status || !strings.Contains(string(got.body), c.code) {
			t.Errorf("%s: got %d %s", c.name, got.status, clipText(string(got.body), 200))
		}
	}
}

func TestWriteRefusals(t *testing.T) {
	b := serveOrg(t, Options{Records: 10})
	account, _ := b.org.object("Account")
	user := b.org.users[0]
	cases := []struct{ name, method, path, body, status, code string }{
		{"unknown field", "POST", "Account", `{"Name":"x","Colour":"red"}`, "400", `"message":"No such column 'Colour' on sobject of type Account","errorCode":"INVALID_FIELD"`},
		{"a field of the system", "POST", "Account", `{"Name":"x","CreatedDate":"2026-01-01T00:00:00Z"}`, "400", `"errorCode":"INVALID_FIELD_FOR_INSERT_UPDATE","fields":["CreatedDate"]`},
		{"missing field", "POST", "CaseComment", `{"CommentBody":"x"}`, "400", `Required fields are missing: [ParentId]`},
		{"empty required field", "POST", "Account", `{"Name":""}`, "400", "REQUIRED_FIELD_MISSING"},
		{"too long", "POST", "Account", `{"Name":"` + strings.Repeat("é", 256) + `"}`, "400", "STRING_TOO_LONG"},
		{"parent of another kind", "POST", "CaseComment", `{"ParentId":"` + account.table.id(0) + `"}`, "400", "FIELD_INTEGRITY_EXCEPTION"},
		{"parent that is not there", "POST", "CaseComment", `{"ParentId":"500DE0999999999"}`, "400", "INVALID_CROSS_REFERENCE_KEY"},
		{"no number", "POST", "Account", `{"Name":"x","AnnualRevenue":"much"}`, "400", "JSON_PARSER_ERROR"},
		{"no JSON", "POST", "Account", `Name=x`, "400", "JSON_PARSER_ERROR"},
		{"a list", "POST", "Account", `[]`, "400", "JSON_PARSER_ERROR"},
		{"null", "POST", "Account", `null`, "400", "JSON_PARSER_ERROR"},
		{"users are not made", "POST", "User", `{"LastName":"x"}`, "400", "INVALID_TYPE_FOR_OPERATION"},
		{"hidden object", "POST", "Salary__c", `{"Name":"x"}`, "404", "NOT_FOUND"},
		{"denied object", "POST", "Contract", `{"Name":"x"}`, "403", "INSUFFICIENT_ACCESS"},
		{"denied record", "GET", "Contract/800DE0000000001", ``, "403", "INSUFFICIENT_ACCESS"},
		{"no such record", "GET", "Account/001DE0999999999", ``, "404", "Provided external ID field does not exist or is not accessible: 001DE0999999999"},
		{"id of another object", "GET", "Account/" + user, ``, "404", "NOT_FOUND"},
		{"no id", "PATCH", "Account/x", `{}`, "404", "NOT_FOUND"},
		{"unknown field asked for", "GET", "User/" + user + "?fields=Id,Nothing", ``, "400", "INVALID_FIELD"},
		{"unknown external id", "PATCH", "Invoice__c/Nothing/1", `{}`, "404", "NOT_FOUND"},
	}
	for _, c := range cases {
		got := b.call(c.method, dataPath+"/sobjects/"+c.path, c.body)
		if fmt.Sprint(got.status) != c.status || !strings.Contains(string(got.body), c.code) {
			t.Errorf("%s: got %d %s", c.name, got.status, got.body)
		}
	}
	if got := b.call(http.MethodGet, dataPath+"/sobjects/User/"+user+"?fields=Name,IsActive", "").fields(t); len(got) != 4 || got["Id"] != user || got["Name"] != "You (sandbox)" {
		t.Errorf("got %v", got)
	}
	if live, _, _ := b.RecordCount("Account"); live != int(account.table.rows) {
		t.Errorf("%d accounts after refusals", live)
	}
}

func TestSearch(t *testing.T) {
	b := serveOrg(t, Options{Records: 400})
	id, err := b.CreateRecord("Account", map[string]any{"Name": "Zebra 100%_x Ltd"})
	if err != nil {
		t.Fatal(err)
	}
	find := func(sosl string) reply {
		return b.call(http.MethodGet, dataPath+"/search?q="+url.QueryEscape(sosl), "")
	}
	for _, sosl := range []string{"FIND {zebra ltd}", "find {Zeb* 100%_x} in name fields returning Account(Id, Name), Contact", `FIND {"Zebra"} RETURNING Lead, Account (Name) LIMIT 5`} {
		var found struct{ SearchRecords []map[string]any }
		got := find(sosl)
		if err := json.Unmarshal(got.body, &found); err != nil || len(found.SearchRecords) != 1 || found.SearchRecords[0]["Id"] != id {
			t.Errorf("%s: %d %s", sosl, got.status, got.body)
		}
	}
	if got := find("FIND {100*x y} RETURNING Account"); string(got.body) != `{"searchRecords":[]}` {
		t.Errorf("got %s", got.body)
	}
	for sosl, code := range map[string]string{
		"FIND zebra": "MALFORMED_SEARCH", "FIND {z}": "MALFORMED_SEARCH", "FIND {zebra} RETURNING": "MALFORMED_SEARCH",
		"FIND {zebra} RETURNING Salary__c": "INVALID_TYPE", "FIND {zebra} RETURNING Account(Nothing)": "INVALID_FIELD", "FIND {zebra} RETURNING Account(": "MALFORMED_SEARCH",
	} {
		if got := find(sosl); got.status != http.StatusBadRequest || !strings.Contains(string(got.body), code) {
			t.Errorf("%s: %d %s", sosl, got.status, got.body)
		}
	}
}

// Pages of a query show the same records whatever is written meanwhile, and changes are bounded.
func TestChangesAreBounded(t *testing.T) {
	b := serveOrg(t, Options{Records: 1_000})
	b.stir("Case")
	page := b.ask("query", "SELECT Id, Status FROM Case", "Sforce-Query-Options", "batchSize=200").batch(t)
	before, _, _ := b.RecordCount("Case")
	for _, id := range ids(b.all("query", "SELECT Id FROM Case ORDER BY Id LIMIT 5 OFFSET 600")) {
		if err := b.DeleteRecord(id); err != nil {
			t.Fatal(err)
		}
	}
	records := page.Records
	for !page.Done {
		page = b.call(http.MethodGet, salesforcePrefix+page.NextRecordsURL, "").batch(t)
		records = append(records, page.Records...)
	}
	if after, _, _ := b.RecordCount("Case"); len(records) != before || after != before-5 {
		t.Errorf("%d on the pages, %d before, %d after", len(records), before, after)
	}
	o := newOverlay()
	for range maxChanges {
		if _, err := o.add(b.org.objects[0].table, &change{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.add(b.org.objects[0].table, &change{}); !errors.Is(err, errStorage) {
		t.Errorf("one more: %v", err)
	}
}

func TestCollections(t *testing.T) {
	b := serveOrg(t, Options{Records: 10})
	all := dataPath + "/composite/sobjects"
	record := func(name string) string {
		return `{"attributes":{"type":"Account"},"Name":"` + name + `"}`
	}
	var results []struct {
		ID      string
		Success bool
		Errors  []struct{ StatusCode string }
	}
	send := func(method, path, body string) {
		t.Helper()
		got := b.call(method, path, body)
		results = results[:0]
		if err := json.Unmarshal(got.body, &results); err != nil || got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	before, _, _ := b.RecordCount("Account")
	send("POST", all, `{"allOrNone":true,"records":[`+record("a")+`,`+record("")+`]}`)
	if now, _, _ := b.RecordCount("Account"); now != before || results[0].Success || results[0].Errors[0].StatusCode != "ALL_OR_NONE_OPERATION_ROLLED_BACK" || results[1].Errors[0].StatusCode != "REQUIRED_FIELD_MISSING" {
		t.Errorf("all or none: %+v, %d after %d", results, now, before)
	}
	send("POST", all, `{"records":[`+record("a")+`,`+record("")+`,{"attributes":{"type":"Salary__c"}}]}`)
	if now, _, _ := b.RecordCount("Account"); now != before+1 || !results[0].Success || results[1].Success || results[2].Errors[0].StatusCode != "INVALID_TYPE" {
		t.Errorf("some: %+v", results)
	}
	id := results[0].ID
	send("PATCH", all, `{"records":[{"id":"`+id+`","attributes":{"type":"Account"},"Phone":"1"},{"id":"x"}]}`)
	if !results[0].Success || results[1].Errors[0].StatusCode != "MALFORMED_ID" {
		t.Errorf("edit: %+v", results)
	}
	send("DELETE", all+"?ids="+id+","+id, "")
	if now, _, _ := b.RecordCount("Account"); now != before || !results[0].Success || results[1].Errors[0].StatusCode != "ENTITY_IS_DELETED" {
		t.Errorf("delete: %+v", results)
	}
	if got := b.call("POST", all, `{"records":[]}`); got.status != http.StatusBadRequest {
		t.Errorf("none: %d %s", got.status, got.body)
	}
}
