package sandbox

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// orgBox is a sandbox whose Salesforce org is connected.
type orgBox struct {
	*oauthBox
	token string
}

func serveOrg(t testing.TB, o Options) *orgBox {
	t.Helper()
	b := serveOAuth(t, o)
	return &orgBox{b, b.connect(salesforceFlow).text(t, "access_token")}
}

// batch is an answer to a query.
type batch struct {
	TotalSize      int              `json:"totalSize"`
	Done           bool             `json:"done"`
	NextRecordsURL string           `json:"nextRecordsUrl"`
	Records        []map[string]any `json:"records"`
}

func (b *orgBox) call(method, path, body string, header ...string) reply {
	b.t.Helper()
	h := map[string]string{"Authorization": "Bearer " + b.token, "Content-Type": "application/json"}
	for pair := range slices.Chunk(header, 2) {
		h[pair[0]] = pair[1]
	}
	return b.send(method, path, h, body)
}

func (r reply) batch(t testing.TB) batch {
	t.Helper()
	var page batch
	if err := json.Unmarshal(r.body, &page); err != nil || r.status != http.StatusOK {
		t.Fatalf("got %d %s, %v", r.status, r.body, err)
	}
	return page
}

func (b *orgBox) ask(resource, soql string, header ...string) reply {
	b.t.Helper()
	return b.call(http.MethodGet, dataPath+"/"+resource+"?q="+url.QueryEscape(soql), "", header...)
}

// all reads the batches of a query to the end.
func (b *orgBox) all(resource, soql string, header ...string) []map[string]any {
	b.t.Helper()
	page := b.ask(resource, soql, header...).batch(b.t)
	records := page.Records
	for !page.Done {
		page = b.call(http.MethodGet, salesforcePrefix+page.NextRecordsURL, "").batch(b.t)
		records = append(records, page.Records...)
	}
	if len(records) != page.TotalSize {
		b.t.Fatalf("%s: %d records of %d", soql, len(records), page.TotalSize)
	}
	return records
}

func ids(records []map[string]any) []string {
	list := make([]string, len(records))
	for i, r := range records {
		list[i], _ = r["Id"].(string)
	}
	return list
}

// What a query finds is what a look at every record finds.
func TestSOQLFindsWhatIsThere(t *testing.T) {
	b := serveOrg(t, Options{Records: 9_000})
	b.stir("Case")
	everything := b.all("queryAll", "SELECT Id, SystemModstamp, CreatedDate, LastModifiedDate, IsDeleted, Status, Subject, AccountId, IsClosed, Owner.Name FROM Case")
	middle := everything[4_000]
	stamp := func(r map[string]any) string { s, _ := r["SystemModstamp"].(string); return s }
	literal := func(s string) string { return strings.Replace(s, "+0000", "Z", 1) }
	text := func(name string) func(map[string]any) string {
		return func(r map[string]any) string { s, _ := r[name].(string); return s }
	}
	id, created := text("Id"), text("CreatedDate")
	at, mid := literal(stamp(middle)), id(middle)
	byID := func(x, y map[string]any) int { return strings.Compare(id(x), id(y)) }
	byStamp := func(x, y map[string]any) int {
		return strings.Compare(stamp(x)+id(x), stamp(y)+id(y))
	}
	cases := []struct {
		where, order string
		accept       func(map[string]any) bool
		compare      func(x, y map[string]any) int
	}{
		{"", "", nil, byID},
		{"", " ORDER BY Id DESC", nil, func(x, y map[string]any) int { return byID(y, x) }},
		{"", " ORDER BY SystemModstamp, Id", nil, byStamp},
		{"", " ORDER BY SystemModstamp DESC, Id DESC", nil, func(x, y map[string]any) int { return byStamp(y, x) }},
		{"", " ORDER BY Subject NULLS LAST", nil, nil},
		{"", " ORDER BY SystemModstamp, CreatedDate DESC, Id", nil, func(x, y map[string]any) int {
			return cmp.Or(strings.Compare(stamp(x), stamp(y)), strings.Compare(created(y), created(x)), byID(x, y))
		}},
		{"SystemModstamp > " + at + " OR (SystemModstamp = " + at + " AND Id > '" + mid + "')", " ORDER BY SystemModstamp ASC, Id ASC", func(r map[string]any) bool {
			return stamp(r) > stamp(middle) || (stamp(r) == stamp(middle) && id(r) > mid)
		}, byStamp},
		{"SystemModstamp >= " + at + " AND Status = 'new'", "", func(r map[string]any) bool { return stamp(r) >= stamp(middle) && r["Status"] == "New" }, byStamp},
		{"SystemModstamp < " + at, "", func(r map[string]any) bool { return stamp(r) < stamp(middle) }, byStamp},
		{"SystemModstamp <= " + at, " ORDER BY LastModifiedDate", func(r map[string]any) bool { return stamp(r) <= stamp(middle) }, byStamp},
		{"SystemModstamp != " + at, " ORDER BY Id", func(r map[string]any) bool { return stamp(r) != stamp(middle) }, byID},
		{"CreatedDate > " + literal(created(middle)), " ORDER BY CreatedDate, Id", func(r map[string]any) bool { return created(r) > created(middle) }, byID},
		{"Id > '" + mid[:15] + "' AND Id <= '" + id(everything[5_000]) + "'", " ORDER BY Id DESC", func(r map[string]any) bool {
			return id(r) > mid && id(r) <= id(everything[5_000])
		}, func(x, y map[string]any) int { return byID(y, x) }},
		{"Id IN ('" + mid + "', '" + id(everything[7]) + "', '500000000000000AAA')", "", func(r map[string]any) bool { return id(r) == mid || id(r) == id(everything[7]) }, byID},
		{"NOT Id = '" + mid + "'", "", func(r map[string]any) bool { return id(r) != mid }, byID},
		{"Status NOT IN ('New', 'Closed') AND (NOT AccountId = null)", "", func(r map[string]any) bool {
			return r["Status"] != "New" && r["Status"] != "Closed" && r["AccountId"] != nil
		}, byID},
		{"AccountId = null", "", func(r map[string]any) bool { return r["AccountId"] == nil }, byID},
		{"IsClosed = true AND Subject LIKE 'fix%\\_%'", "", func(r map[string]any) bool {
			subject := strings.ToLower(text("Subject")(r))
			return r["IsClosed"] == true && strings.HasPrefix(subject, "fix") && strings.Contains(subject[3:], "_")
		}, byID},
		{"Subject LIKE '_ix time%'", "", func(r map[string]any) bool { return strings.HasPrefix(strings.ToLower(text("Subject")(r)), "fix time") }, byID},
		{"Owner.Name = 'you (sandbox)'", "", func(r map[string]any) bool {
			o, _ := r["Owner"].(map[string]any)
			return o["Name"] == "You (sandbox)"
		}, byID},
	}
	for _, c := range cases {
		for _, resource := range []string{"query", "queryAll"} {
			var want []map[string]any
			for _, r := range everything {
				if (resource == "queryAll" || r["IsDeleted"] == false) && (c.accept == nil || c.accept(r)) {
					want = append(want, r)
				}
			}
			where := ""
			if c.where != "" {
				where = " WHERE " + c.where
			}
			got := ids(b.all(resource, "SELECT Id FROM Case"+where+c.order, "Sforce-Query-Options", "batchSize=700"))
			if c.compare == nil {
				slices.Sort(got)
				slices.SortFunc(want, byID)
			} else {
				slices.SortFunc(want, c.compare)
			}
			if !slices.Equal(got, ids(want)) {
				t.Errorf("%s %q%s: got %d, want %d", resource, c.where, c.order, len(got), len(want))
			}
			count := b.ask(resource, "SELECT COUNT() FROM Case"+where).batch(t)
			if count.TotalSize != len(want) || len(count.Records) != 0 || !count.Done {
				t.Errorf("%s %q: counted %+v, want %d", resource, c.where, count, len(want))
			}
		}
	}
}

// stir edits, deletes and makes records of an object, old and new ones.
func (b *orgBox) stir(object string) {
	b.t.Helper()
	for _, order := range []string{"SystemModstamp DESC", "Id", "SystemModstamp"} {
		for i, id := range ids(b.all("query", "SELECT Id FROM "+object+" ORDER BY "+order+" LIMIT 40")) {
			var err error
			switch i % 4 {
			case 0:
				err = b.DeleteRecord(id)
			case 1, 2:
				err = b.EditRecord(id, map[string]any{"Status": "Closed"})
			default:
				_, err = b.CreateRecord(object, map[string]any{"Status": "New"})
			}
			if err != nil {
				b.t.Fatal(err)
			}
		}
	}
	binned := b.all("queryAll", "SELECT Id FROM "+object+" WHERE IsDeleted = true LIMIT 1")
	if err := b.EditRecord(binned[0]["Id"].(string), nil); err == nil {
		b.t.Error("a deleted record can be edited")
	}
}

// The keyset finds every record once, though more share a moment than a batch holds.
func TestSOQLKeyset(t *testing.T) {
	b := serveOrg(t, Options{Records: 14_000})
	where, seen, shared := "", map[string]bool{}, map[string]int{}
	for pages := 0; ; pages++ {
		page := b.ask("query", "SELECT Id, SystemModstamp FROM Contact"+where+" ORDER BY SystemModstamp ASC, Id ASC LIMIT 2000").batch(t)
		if !page.Done || page.TotalSize != len(page.Records) {
			t.Fatalf("%d records, %+v", len(page.Records), page.TotalSize)
		}
		if len(page.Records) == 0 {
			break
		}
		for _, r := range page.Records {
			id, _ := r["Id"].(string)
			if seen[id] {
				t.Fatalf("%s twice", id)
			}
			seen[id] = true
			shared[fmt.Sprint(r["SystemModstamp"])]++
		}
		where = behind(page.Records[len(page.Records)-1])
	}
	if live, _, _ := b.RecordCount("Contact"); len(seen) != live {
		t.Errorf("found %d of %d", len(seen), live)
	}
	if most := slices.Max(slices.Collect(maps.Values(shared))); most <= largestBatch {
		t.Errorf("at most %d records share a SystemModstamp: a batch holds them", most)
	}
}

// behind is the keyset of the records after one.
func behind(last map[string]any) string {
	stamp := strings.Replace(fmt.Sprint(last["SystemModstamp"]), "+0000", "Z", 1)
	return fmt.Sprintf(" WHERE SystemModstamp > %s OR (SystemModstamp = %s AND Id > '%s')", stamp, stamp, last["Id"])
}

// A page costs the same at any depth of a million records: none is looked at but those near it.
func TestSOQLDepth(t *testing.T) {
	b := serveOrg(t, Options{Records: 1_000_000})
	g := b.org
	contact, _ := g.object("Contact")
	for _, rank := range []int64{0, 100_500, 500_000, 990_000} {
		v := g.look(g.changes.snapshot(), contact, contact.table.rowAt(rank))
		where := behind(map[string]any{"Id": v.id(), "SystemModstamp": timeText(v.of("SystemModstamp"))})
		query, err := parseSOQL("SELECT Id FROM Contact"+where+" ORDER BY SystemModstamp, Id LIMIT 2000", g.clock())
		if err != nil {
			t.Fatal(err)
		}
		plan, err := (&soqlCompiler{org: g, snap: g.changes.snapshot(), query: query}).plan()
		if err != nil {
			t.Fatal(err)
		}
		looked, match := 0, plan.match
		plan.match = func(v *view) bool { looked++; return match(v) }
		c, err := newCursor(t.Context(), plan, largestBatch)
		if err != nil || looked > largestBatch+longestLoad {
			t.Fatalf("rank %d: looked at %d records, %v", rank, looked, err)
		}
		if rows, _ := c.batch(t.Context(), 0); len(rows) != min(2000, int(c.total)) || contact.table.rank(rows[0]) != rank+1 {
			t.Errorf("rank %d: %d rows, from rank %d on", rank, len(rows), contact.table.rank(rows[0]))
		}
	}
}

func timeText(d datum) string { return strings.Trim(string(appendMoment(nil, d.at)), `"`) }

// With a limit only the first of an order are kept, however many there are.
func TestSOQLFirst(t *testing.T) {
	b := serveOrg(t, Options{Records: 8_000})
	all := b.all("query", "SELECT Id, Name FROM Lead ORDER BY Name DESC, Id")
	for _, bounds := range []string{" LIMIT 7", " LIMIT 2000", " LIMIT 7 OFFSET 1990"} {
		var limit, offset int
		_, _ = fmt.Sscanf(bounds, " LIMIT %d OFFSET %d", &limit, &offset)
		got := b.all("query", "SELECT Id, Name FROM Lead ORDER BY Name DESC, Id"+bounds)
		if !slices.Equal(ids(got), ids(all[offset:offset+limit])) {
			t.Errorf("%s: got %d others", bounds, len(got))
		}
	}
}

// What is too much work is refused, not answered in part.
func TestSOQLTooLarge(t *testing.T) {
	b := serveOrg(t, Options{Records: maxSorted * 11 / 10})
	got := b.ask("query", "SELECT Id FROM Lead ORDER BY Name")
	if got.status != http.StatusBadRequest || !strings.Contains(string(got.body), `"errorCode":"OPERATION_TOO_LARGE"`) {
		t.Errorf("got %d %s", got.status, clipText(string(got.body), 100))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	query, _ := parseSOQL("SELECT Id FROM Lead WHERE Status = 'x'", time.Now())
	plan, _ := (&soqlCompiler{org: b.org, snap: b.org.changes.snapshot(), query: query}).plan()
	if _, err := newCursor(ctx, plan, largestBatch); err != errTooLong {
		t.Errorf("a client that went away: %v", err)
	}
}

func BenchmarkSOQLKeyset(b *testing.B) {
	box := serveOrg(b, Options{Records: 1_000_000})
	where := behind(box.ask("query", "SELECT Id, SystemModstamp FROM Contact ORDER BY Id LIMIT 1").batch(b).Records[0])
	for b.Loop() {
		box.ask("query", "SELECT Id, Name, SystemModstamp FROM Contact"+where+" ORDER BY SystemModstamp, Id LIMIT 2000")
	}
}
