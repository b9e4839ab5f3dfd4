package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

func TestItem(t *testing.T) {
	f := newFake()
	d := open(t, f, nil)
	p, err := d.ListItems(t.Context(), connectors.ItemQuery{ContainerID: "account", Limit: 1, Wide: true, Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	at, _ := parseTime(fakeStamp)
	it := p.Items[0]
	id := fakeID("001", 1)
	if it.ID != id || it.Name != "Account 1" || it.ContainerID != "Account" || it.Type != "record" ||
		it.URL != "https://acme.my.salesforce.com/lightning/r/Account/"+id+"/view" || !it.CreatedAt.Equal(at) || !it.UpdatedAt.Equal(at) {
		t.Errorf("got %+v", it)
	}
	meta, err := json.Marshal(it.Meta)
	want := `{"CreatedDate":"2024-05-06T09:49:19Z","LastModifiedDate":"2024-05-06T09:49:19Z","SystemModstamp":"2024-05-06T09:49:19Z",` +
		`"OwnerId":"` + fakeID("005", 1) + `","IsDeleted":false,"Name":"Account 1","CreatedById":"` + fakeID("005", 1) +
		`","Industry":"Banking","AnnualRevenue":12345678901234567.80}`
	if err != nil || string(meta) != want {
		t.Errorf("got meta %s, want %s (%v)", meta, want, err)
	}
	if !strings.Contains(string(it.Raw), `"AnnualRevenue":12345678901234567.80}`) || !strings.HasPrefix(string(it.Raw), `{"attributes":{"type":"Account", "url"`) {
		t.Errorf("got raw %s", it.Raw)
	}
}

// TestOneStamp lists many records that share one time, in pages that end among them.
func TestOneStamp(t *testing.T) {
	f := newFake()
	o := f.objects["Empty__c"]
	for i := range 450 {
		o.add(i+1, fakeStamp, nil)
	}
	o.add(1000, stamp(-1), nil)
	o.add(999, stamp(1), nil)
	want := slices.Concat([]string{fakeID("a00", 1000)}, o.ids()[:450], []string{fakeID("a00", 999)})
	for _, limit := range []int{7, 100, 200} {
		for _, after := range []time.Time{{}, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)} {
			got := walkItems(t, open(t, f, nil), connectors.ItemQuery{ContainerID: "Empty__c", Limit: limit, UpdatedAfter: after}, nil)
			wantIDs(t, itemIDs(got), want)
		}
	}
}

// TestEditedMeanwhile changes records behind and ahead of the page, deletes one and adds one: none that was there all
// the time is missing, and each edit is listed.
func TestEditedMeanwhile(t *testing.T) {
	f := newFake()
	o := f.objects["Empty__c"]
	for i := range 40 {
		o.add(i+1, stamp(i), nil)
	}
	got := walkItems(t, open(t, f, nil), connectors.ItemQuery{ContainerID: "Empty__c", Limit: 10}, func(page int) {
		if page != 1 {
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		o.rows[3]["SystemModstamp"] = stamp(1000)  // given already
		o.rows[25]["SystemModstamp"] = stamp(1001) // not yet
		o.rows[9]["IsDeleted"] = true              // the one that the page ends with
		o.add(41, stamp(1002), nil)
	})
	var want []string
	for i := range 40 {
		if i != 25 {
			want = append(want, fakeID("a00", i+1))
		}
	}
	wantIDs(t, itemIDs(got), append(want, fakeID("a00", 4), fakeID("a00", 26), fakeID("a00", 41)))
}

// TestHeldBack lists changes: what changed in the last five minutes is not there, and comes with the next listing.
func TestHeldBack(t *testing.T) {
	f := newFake()
	o := f.objects["Empty__c"]
	for i, age := range []time.Duration{time.Hour, 10 * time.Minute, 5*time.Minute + time.Second, 5 * time.Minute, time.Minute, 0} {
		o.add(i+1, fakeNow.Add(-age).Format(timeLayout), nil)
	}
	d := open(t, f, nil)
	after := fakeNow.Add(-10 * time.Minute).Add(400 * time.Millisecond) // Salesforce keeps whole seconds
	wantIDs(t, itemIDs(walkItems(t, d, connectors.ItemQuery{ContainerID: "Empty__c", Limit: 1, UpdatedAfter: after}, nil)), o.ids()[1:3])
	wantIDs(t, itemIDs(walkItems(t, d, connectors.ItemQuery{ContainerID: "Empty__c", Limit: 1}, nil)), o.ids())
	query := "SELECT Id FROM Empty__c WHERE Name != 'x' OR Name != 'y'"
	wantIDs(t, itemIDs(walkItems(t, d, connectors.ItemQuery{Query: query, Limit: 1, UpdatedAfter: after}, nil)), o.ids()[1:3])
}

func TestOrderFields(t *testing.T) {
	without := func(names ...string) func(*fakeObject) {
		return func(o *fakeObject) {
			o.fields = slices.DeleteFunc(o.fields, func(f field) bool { return slices.Contains(names, f.Name) })
		}
	}
	tests := []struct {
		name   string
		change func(*fakeObject)
		order  string
		since  connectors.Code // of a listing of changes
	}{
		{"all", without(), "ORDER BY SystemModstamp ASC, Id ASC LIMIT 2", ""},
		{"no stamp", without("SystemModstamp"), "ORDER BY LastModifiedDate ASC, Id ASC LIMIT 2", ""},
		{"creation only", without("SystemModstamp", "LastModifiedDate"), "ORDER BY CreatedDate ASC, Id ASC LIMIT 2", ""},
		{"none", without("SystemModstamp", "LastModifiedDate", "CreatedDate"), "Empty__c ORDER BY Id ASC LIMIT 2", connectors.Unsupported},
		{"not sortable", func(o *fakeObject) { o.fields[6].Sortable = false }, "ORDER BY LastModifiedDate ASC, Id ASC LIMIT 2", ""},
		{"null", func(o *fakeObject) {
			o.rows[0]["SystemModstamp"], o.rows[1]["SystemModstamp"], o.rows[2]["SystemModstamp"] = nil, nil, nil
		}, "ORDER BY SystemModstamp ASC, Id ASC LIMIT 2", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			o := f.objects["Empty__c"]
			for i := range 5 {
				o.add(i+1, fakeStamp, nil)
			}
			tt.change(o)
			d := open(t, f, nil)
			wantIDs(t, itemIDs(walkItems(t, d, connectors.ItemQuery{ContainerID: "Empty__c", Limit: 2}, nil)), o.ids())
			f.mu.Lock()
			first := f.soql[0]
			f.mu.Unlock()
			if !strings.HasSuffix(first, tt.order) {
				t.Errorf("asked %s, want it to end in %s", first, tt.order)
			}
			_, err := d.ListItems(t.Context(), connectors.ItemQuery{ContainerID: "Empty__c", Limit: 2, UpdatedAfter: fakeNow})
			if connectors.CodeOf(err) != tt.since {
				t.Errorf("a listing of changes: got %v, want %q", err, tt.since)
			}
		})
	}
}

func TestColumns(t *testing.T) {
	o := object{Name: "X", Fields: []field{
		{Name: "Id"},
		{Name: "Title", NameField: true},
		{Name: "Body", Type: "base64"},
		{Name: "Address", Type: "address"},
		{Name: "City", Compound: "Address"},
		{Name: "Place", Type: "location"},
		{Name: "OwnerId"},
		{Name: "Note"},
	}}
	if got, want := o.columns(false), "Id, Title, OwnerId"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := o.columns(true), "Id, Title, City, Place, OwnerId, Note"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for i := range 1000 {
		o.Fields = append(o.Fields, textField(fmt.Sprintf("Some_Long_Name_%d__c", i)))
	}
	if got := o.columns(true); got != allFields {
		t.Errorf("got %.80s of %d bytes, want %s", got, len(got), allFields)
	}
}

// TestFieldGone has a field disappear that the driver still remembers.
func TestFieldGone(t *testing.T) {
	f := newFake()
	d := open(t, f, nil)
	q := connectors.ItemQuery{ContainerID: "Account", Limit: 200, Wide: true}
	walkItems(t, d, q, nil)
	f.mu.Lock()
	o := f.objects["Account"]
	o.fields = slices.DeleteFunc(o.fields, func(f field) bool { return f.Name == "Industry" })
	f.mu.Unlock()
	if got := walkItems(t, d, q, nil); len(got) != 7 || got[0].Meta.Get("Industry") != nil {
		t.Errorf("got %v", got)
	}
}

func TestItemRefusals(t *testing.T) {
	in := func(c string) connectors.ItemQuery { return connectors.ItemQuery{ContainerID: c, Limit: 2} }
	query := func(q string) connectors.ItemQuery { return connectors.ItemQuery{Query: q, Limit: 2} }
	tests := []struct {
		name   string
		q      connectors.ItemQuery
		status int
		code   string
		want   connectors.Code
		words  string
	}{
		{"unknown object", in("Nope__c"), 0, "", connectors.NotFound, "no object"},
		{"not queryable", in("Secret__c"), 0, "", connectors.Unsupported, "cannot be queried"},
		{"query of one that is not queryable", connectors.ItemQuery{ContainerID: "Secret__c", Query: "SELECT Id FROM Account", Limit: 2}, 0, "", connectors.Unsupported, "cannot be queried"},
		{"query of another object", connectors.ItemQuery{ContainerID: "Case", Query: "SELECT Id FROM Account", Limit: 2}, 0, "", connectors.InvalidRequest, "is about Account"},
		{"query of an unknown object", query("SELECT Id FROM Nope__c"), 0, "", connectors.NotFound, "no object"},
		{"nothing named", connectors.ItemQuery{Limit: 2}, 0, "", connectors.InvalidRequest, "name an object"},
		{"user's field", query("SELECT Id, Nope FROM Account"), 0, "", connectors.InvalidRequest, "No such column 'Nope'"},
		{"user's condition", query("SELECT Id FROM Account WHERE Name !! 3"), 0, "", connectors.InvalidRequest, "MALFORMED_QUERY"},
		{"our query", in("Account"), 400, "MALFORMED_QUERY", connectors.ProviderError, "does not take the query"},
		{"hidden type", in("Account"), 400, invalidType, connectors.NotFound, "no object"},
		{"no access", in("Account"), 400, "INSUFFICIENT_ACCESS", connectors.Reauthorize, "forbids this"},
		{"forbidden", in("Account"), 403, "INSUFFICIENT_ACCESS", connectors.Reauthorize, "forbids this"},
		{"session", in("Account"), 401, invalidSession, connectors.Reauthorize, "connect again"},
		{"limit", in("Account"), 403, limitExceeded, connectors.RateLimited, "used up"},
		{"busy", in("Account"), 503, "SERVER_UNAVAILABLE", connectors.ProviderError, "503"},
		{"slow", query("SELECT Id FROM Account"), 400, queryTimeout, connectors.Timeout, "gave up on the query"},
		{"locator", query("SELECT Id FROM Account"), 400, invalidLocator, connectors.InvalidRequest, "start again"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			if tt.code != "" {
				f.refuse, f.refuseStatus = map[string]string{"FROM Account": tt.code}, tt.status
			}
			_, err := open(t, f, nil).ListItems(t.Context(), tt.q)
			wantError(t, err, tt.want, tt.words)
		})
	}
}

// TestImplementationRestriction is an object that Salesforce lists only by a condition.
func TestImplementationRestriction(t *testing.T) {
	h := http.NewServeMux()
	h.Handle("/", newFake())
	h.HandleFunc("GET "+queryPath, func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, 400, "MALFORMED_QUERY", "Implementation restriction: Account requires a filter by a single Id")
	})
	_, err := open(t, h, nil).ListItems(t.Context(), connectors.ItemQuery{ContainerID: "Account", Limit: 2})
	wantError(t, err, connectors.Unsupported, "as a whole")
}

// TestHostileResults are answers that no page may come of.
func TestHostileResults(t *testing.T) {
	a, b := `{"attributes":{"type":"Account"},"Id":"`+fakeID("001", 1)+`","SystemModstamp":"`+stamp(0)+`"}`, `{"attributes":{"type":"Account"},"Id":"`+fakeID("001", 2)+`","SystemModstamp":"`+stamp(-5)+`"}`
	tests := []struct{ name, body, words string }{
		{"short", `{"totalSize":2,"done":true,"records":[` + a + `]}`, "cut off, with 1 of 2"},
		{"long", `{"totalSize":3,"done":true,"records":[` + a + `,` + b + `,` + a + `]}`, "more records"},
		{"twice", `{"totalSize":2,"done":true,"records":[` + a + `,` + a + `]}`, "twice"},
		{"out of order", `{"totalSize":2,"done":true,"records":[` + a + `,` + b + `]}`, "not in the order"},
		{"no done", `{"totalSize":1,"records":[` + a + `]}`, "no result"},
		{"no size", `{"done":true,"records":[` + a + `]}`, "no result"},
		{"null records", `{"totalSize":0,"done":true,"records":null}`, "no result"},
		{"negative", `{"totalSize":-1,"done":true,"records":[]}`, "no result"},
		{"goes on nowhere", `{"totalSize":2,"done":false,"records":[` + a + `]}`, "at no address"},
		{"another host", `{"totalSize":2,"done":false,"nextRecordsUrl":"https://evil.example.com/services/data/v67.0/query/01g-1","records":[` + a + `]}`, "at no address"},
		{"another host without a scheme", `{"totalSize":2,"done":false,"nextRecordsUrl":"//evil.example.com/services/data/v67.0/query/01g-1","records":[` + a + `]}`, "at no address"},
		{"another resource", `{"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v67.0/sobjects/../query/01g-1","records":[` + a + `]}`, "at no address"},
		{"done and not", `{"totalSize":1,"done":true,"nextRecordsUrl":"/services/data/v67.0/query/01g-1","records":[` + a + `]}`, "complete and goes on"},
		{"another object", `{"totalSize":1,"done":true,"records":[` + strings.ReplaceAll(a, `"Account"`, `"Case"`) + `]}`, "a record of Case"},
		{"no id", `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Account"}}]}`, "without an id"},
		{"id of another kind", `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Account"},"Id":7}]}`, "without an id"},
		{"hostile id", `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Account"},"Id":"1' OR Id != '"}]}`, "without an id"},
		{"hostile type", `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"../x"},"Id":"1"}]}`, "without an id"},
		{"no record", `{"totalSize":1,"done":true,"records":[7]}`, "another shape"},
		{"no time", `{"totalSize":1,"done":true,"records":[` + strings.ReplaceAll(a, stamp(0), "soon") + `]}`, "is no time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.NewServeMux()
			h.Handle("/", newFake())
			h.HandleFunc("GET "+queryPath, func(w http.ResponseWriter, _ *http.Request) { send(w, 200, tt.body) })
			_, err := open(t, h, nil).ListItems(t.Context(), connectors.ItemQuery{ContainerID: "Account", Limit: 2})
			wantError(t, err, connectors.ProviderError, tt.words)
		})
	}
}

// TestCutOffBatch has the last of two batches lack a record.
func TestCutOffBatch(t *testing.T) {
	h := http.NewServeMux()
	h.Handle("/", newFake())
	a := func(n int) string {
		return `{"attributes":{"type":"Account"},"Id":"` + fakeID("001", n) + `","SystemModstamp":"` + stamp(n) + `"}`
	}
	h.HandleFunc("GET "+queryPath, func(w http.ResponseWriter, _ *http.Request) {
		send(w, 200, `{"totalSize":3,"done":false,"nextRecordsUrl":"/services/data/v67.0/query/01gA-1","records":[`+a(1)+`]}`)
	})
	h.HandleFunc("GET "+queryPath+"/01gA-1", func(w http.ResponseWriter, _ *http.Request) {
		send(w, 200, `{"totalSize":3,"done":true,"records":[`+a(2)+`]}`)
	})
	_, err := open(t, h, nil).ListItems(t.Context(), connectors.ItemQuery{ContainerID: "Account", Limit: 5})
	wantError(t, err, connectors.ProviderError, "cut off, with 2 of 3")
}

// TestEndlessBatches are results whose batches come again.
func TestEndlessBatches(t *testing.T) {
	for name, next := range map[string]func(n int) string{
		"the same": func(int) string { return "01gA-1" },
		"in turn":  func(n int) string { return fmt.Sprintf("01gA-%d", n%2) },
		"others":   func(n int) string { return fmt.Sprintf("01gA-%d", n) },
	} {
		t.Run(name, func(t *testing.T) {
			h, n := http.NewServeMux(), 0
			h.Handle("/", newFake())
			answer := func(w http.ResponseWriter, _ *http.Request) {
				n++
				send(w, 200, `{"totalSize":9,"done":false,"nextRecordsUrl":"/services/data/v67.0/query/`+next(n)+`","records":[]}`)
			}
			h.HandleFunc("GET "+queryPath, answer)
			h.HandleFunc("GET "+queryPath+"/{locator}", answer)
			d := open(t, h, nil)
			for _, q := range []connectors.ItemQuery{{ContainerID: "Account", Limit: 2}, {Query: "SELECT Id FROM Account", Limit: 2}} {
				_, err := d.ListItems(t.Context(), q)
				wantError(t, err, connectors.ProviderError, "Salesforce sent")
			}
			if n > 4*maxBatches {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestAPIVersion(t *testing.T) {
	tests := []struct {
		list, want, used string
		code             connectors.Code
	}{
		{versions, "", "67.0", ""},
		{versions, "68.0", "68.0", ""},
		{versions, "66.0", "20.0", ""},
		{older, "", "66.0", ""},
		{`[{"version":"60.0"},{"version":"61.0"}]`, "59.0", "", connectors.Unsupported},
	}
	for _, tt := range tests {
		h, used := http.NewServeMux(), ""
		h.HandleFunc("GET "+versionsPath+"{$}", func(w http.ResponseWriter, _ *http.Request) { send(w, 200, tt.list) })
		h.HandleFunc("GET /services/data/{version}/sobjects", func(w http.ResponseWriter, r *http.Request) {
			used = strings.TrimPrefix(r.PathValue("version"), "v")
			send(w, 200, accounts)
		})
		d := open(t, h, func(raw map[string]any) { raw["api_version"] = tt.want })
		_, err := d.ListContainers(t.Context(), connectors.ContainerQuery{Limit: 1})
		if connectors.CodeOf(err) != tt.code || used != tt.used {
			t.Errorf("wanted %q of %s: used %q with error %v, want %q", tt.want, tt.list, used, err, tt.used)
		}
	}
}
