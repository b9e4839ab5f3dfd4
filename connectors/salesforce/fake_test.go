package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fake is a small healthy org: it describes its objects, understands the SOQL that the driver writes, cuts results into
// batches and refuses locators that it did not hand out. It is safe for concurrent use.
type fake struct {
	*http.ServeMux
	now func() time.Time

	batch        int  // records in a batch
	postBatch    int  // records in a batch of posts, zero for as many as of others
	emptyFirst   bool // the first batch of a result is empty
	ignoreWhere  bool // a result always begins with the first record
	refuse       map[string]string
	refuseStatus int

	mu      sync.Mutex
	objects map[string]*fakeObject
	cursors map[string]fakeResult
	asked   []string // paths with queries
	soql    []string
}

type fakeObject struct {
	name, prefix            string
	queryable, hidden, feed bool
	replicateable           bool
	fields                  []field
	rows                    []map[string]any
	log                     []fakeDeletion
}

type fakeDeletion struct {
	id string
	at time.Time
}

type fakeResult struct {
	total int
	rows  []string
}

const fakeStamp = "2024-05-06T09:49:19.000+0000"

func fakeID(prefix string, n int) string {
	id, ok := longID(fmt.Sprintf("%s%012d", prefix, n))
	if !ok {
		panic("no id")
	}
	return id
}

func textField(name string) field {
	return field{Name: name, Type: "string", Filterable: true, Sortable: true}
}

func timeField(name string) field {
	return field{Name: name, Type: "datetime", Filterable: true, Sortable: true}
}

// fakeFields are the fields that most objects have.
func fakeFields(more ...field) []field {
	name := textField("Name")
	name.NameField = true
	return append([]field{
		{Name: "Id", Type: "id", Filterable: true, Sortable: true},
		{Name: "IsDeleted", Type: "boolean", Filterable: true, Sortable: true},
		name,
		textField("OwnerId"), timeField("CreatedDate"), timeField("LastModifiedDate"), timeField("SystemModstamp"),
		{Name: "CreatedById", Type: "reference", RelationshipName: "CreatedBy", Filterable: true, Sortable: true},
	}, more...)
}

// add adds a record with what every record has.
func (o *fakeObject) add(n int, stamp string, values map[string]any) map[string]any {
	r := map[string]any{
		"Id": fakeID(o.prefix, n), "Name": fmt.Sprintf("%s %d", o.name, n), "OwnerId": fakeID("005", 1), "CreatedDate": stamp,
		"LastModifiedDate": stamp, "SystemModstamp": stamp, "IsDeleted": false, "CreatedById": fakeID("005", 1), "CreatedBy.Name": "Ann Lee",
	}
	for k, v := range values {
		r[k] = v
	}
	o.rows = append(o.rows, r)
	return r
}

func (o *fakeObject) ids() []string {
	out := []string{}
	for _, r := range o.rows {
		out = append(out, r["Id"].(string))
	}
	return out
}

func newFake() *fake {
	f := &fake{ServeMux: http.NewServeMux(), batch: 2000, now: time.Now, objects: map[string]*fakeObject{}, cursors: map[string]fakeResult{}}
	f.object("Account", "001", true, fakeFields(textField("Industry"), field{Name: "AnnualRevenue", Type: "currency", Filterable: true, Sortable: true}))
	f.object("Case", "500", true, fakeFields(textField("Subject")))
	f.object("Empty__c", "a00", false, fakeFields())
	f.object(caseComments, "00a", false, fakeFields(textField("ParentId"), textField("CommentBody"), field{Name: "IsPublished", Type: "boolean"}))
	f.object(feedPosts, "0D5", false, fakeFields(textField("ParentId"), textField("Body"), textField("Title"), textField("Type"), field{Name: "IsRichText", Type: "boolean"}))
	f.object(feedAnswers, "0D7", false, fakeFields(textField("ParentId"), textField("FeedItemId"), textField("CommentBody")))
	f.object("Secret__c", "a01", false, fakeFields()).queryable = false
	f.object("Old__c", "a02", false, fakeFields()).hidden = true
	for i := range 7 {
		f.objects["Account"].add(i+1, fakeStamp, map[string]any{"Industry": []string{"Banking", "Energy"}[i%2], "AnnualRevenue": json.Number("12345678901234567.8" + strconv.Itoa(i))})
	}
	f.fillCases()
	f.HandleFunc("GET "+versionsPath+"{$}", func(w http.ResponseWriter, _ *http.Request) { send(w, 200, versions) })
	f.handle("GET "+userPath, func(w http.ResponseWriter, _ *http.Request) { send(w, 200, person) })
	f.handle("GET /services/data/v67.0/sobjects", f.list)
	f.handle("GET /services/data/v67.0/sobjects/{object}/describe", f.describe)
	f.handle("GET /services/data/v67.0/sobjects/{object}/deleted", f.deleted)
	f.handle("GET /services/data/v67.0/query", f.query)
	f.handle("GET /services/data/v67.0/queryAll", f.query)
	f.handle("GET /services/data/v67.0/query/{locator}", f.more)
	return f
}

func (f *fake) object(name, prefix string, feed bool, fields []field) *fakeObject {
	o := &fakeObject{name: name, prefix: prefix, queryable: true, replicateable: true, feed: feed, fields: fields}
	f.objects[name] = o
	return o
}

// fillCases adds two cases, the first with comments of every kind.
func (f *fake) fillCases() {
	first := f.objects["Case"].add(1, fakeStamp, nil)["Id"]
	f.objects["Case"].add(2, fakeStamp, nil)
	for i := range 4 {
		f.objects[caseComments].add(i+1, fakeStamp, map[string]any{"ParentId": first, "CommentBody": "comment " + strconv.Itoa(i), "IsPublished": i%2 == 0})
	}
	f.objects[feedPosts].add(1, fakeStamp, map[string]any{"ParentId": first, "Type": "TextPost", "Body": "<p>Tom &amp; <b>Jerry</b></p><ul><li>one</li><li>two</li></ul>", "IsRichText": true})
	f.objects[feedPosts].add(2, fakeStamp, map[string]any{"ParentId": first, "Type": "TrackedChange"})
	f.objects[feedPosts].add(3, fakeStamp, map[string]any{"ParentId": first, "Type": "LinkPost", "Title": "A link"})
	for i := range 2 {
		f.objects[feedAnswers].add(i+1, fakeStamp, map[string]any{"ParentId": first, "FeedItemId": fakeID("0D5", 1), "CommentBody": "answer " + strconv.Itoa(i)})
	}
}

// fakeComments are the ids of the first case's comments in their order.
func fakeComments() []string {
	var out []string
	for _, n := range []int{1, 2, 3, 4} {
		out = append(out, fakeID("00a", n))
	}
	return append(out, fakeID("0D5", 1), fakeID("0D5", 3), fakeID("0D7", 1), fakeID("0D7", 2))
}

// handle answers whoever has the token.
func (f *fake) handle(pattern string, h http.HandlerFunc) {
	f.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			refuse(w, 401, invalidSession, "Session expired or invalid")
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asked = append(f.asked, r.URL.String())
		w.Header().Set("Sforce-Limit-Info", "api-usage=17/15000")
		h(w, r)
	})
}

func send(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, body)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	body, _ := json.Marshal([]map[string]string{{"errorCode": code, "message": message}})
	send(w, status, string(body))
}

func jsonOf(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func (f *fake) list(w http.ResponseWriter, _ *http.Request) {
	var entries []string
	for name, o := range f.objects {
		entries = append(entries, jsonOf(map[string]any{
			"name": name, "label": name, "labelPlural": name + "s", "keyPrefix": o.prefix, "queryable": o.queryable, "deprecatedAndHidden": o.hidden,
			"custom": strings.HasSuffix(name, "__c"), "replicateable": o.replicateable, "feedEnabled": o.feed, "createable": true,
		}))
	}
	send(w, 200, `{"encoding":"UTF-8","maxBatchSize":200,"sobjects":[`+strings.Join(entries, ",")+`]}`)
}

func (f *fake) describe(w http.ResponseWriter, r *http.Request) {
	for name, o := range f.objects {
		if strings.EqualFold(name, r.PathValue("object")) {
			send(w, 200, jsonOf(map[string]any{"name": name, "queryable": o.queryable, "replicateable": o.replicateable, "fields": o.fields}))
			return
		}
	}
	refuse(w, 404, "NOT_FOUND", "The requested resource does not exist")
}

func (f *fake) deleted(w http.ResponseWriter, r *http.Request) {
	o := f.objects[r.PathValue("object")]
	start, err := time.Parse(time.RFC3339, r.URL.Query().Get("start"))
	end, err2 := time.Parse(time.RFC3339, r.URL.Query().Get("end"))
	now := f.now().UTC()
	earliest := now.Add(-memory)
	switch {
	case o == nil:
		refuse(w, 404, "NOT_FOUND", "The requested resource does not exist")
		return
	case err != nil || err2 != nil || !o.replicateable:
		refuse(w, 400, "INVALID_FIELD", "bad date")
		return
	case start.Before(earliest.Truncate(time.Minute)) || end.Sub(start) < time.Minute:
		refuse(w, 400, outsideOfMemory, "start is before the earliest date available")
		return
	}
	covered := min(end.Unix(), now.Add(-time.Minute).Unix())
	records := []map[string]string{}
	for _, d := range o.log {
		if !d.at.Before(start) && !d.at.After(end) && d.at.Unix() <= covered {
			records = append(records, map[string]string{"id": d.id, "deletedDate": d.at.Format(timeLayout)})
		}
	}
	if len(records) > fakeMostDeletions {
		refuse(w, 400, tooManyIDs, "too many")
		return
	}
	send(w, 200, jsonOf(map[string]any{
		"deletedRecords": records, "earliestDateAvailable": earliest.Format(timeLayout), "latestDateCovered": time.Unix(covered, 0).UTC().Format(timeLayout),
	}))
}

// fakeMostDeletions is how many deletions an answer has at most.
const fakeMostDeletions = 6000

func (f *fake) query(w http.ResponseWriter, r *http.Request) {
	soql := r.URL.Query().Get("q")
	f.soql = append(f.soql, soql)
	for part, code := range f.refuse {
		if strings.Contains(soql, part) {
			refuse(w, f.refuseStatus, code, code+" of the test")
			return
		}
	}
	if strings.Contains(soql, " FROM Organization ") {
		send(w, 200, acme)
		return
	}
	rows, total, code, message := f.run(soql, strings.HasSuffix(r.URL.Path, "queryAll"))
	if code != "" {
		refuse(w, 400, code, message)
		return
	}
	batch := f.batch
	if f.postBatch > 0 && strings.Contains(soql, " FROM "+feedPosts+" ") {
		batch = f.postBatch
	}
	if size, ok := strings.CutPrefix(r.Header.Get("Sforce-Query-Options"), "batchSize="); ok {
		n, _ := strconv.Atoi(size)
		batch = min(batch, n)
	}
	if f.emptyFirst {
		f.send(w, fakeResult{total, rows}, 0, 0, batch)
		return
	}
	f.send(w, fakeResult{total, rows}, 0, min(batch, len(rows)), batch)
}

// send answers with a part of a result, and with a locator for what follows.
func (f *fake) send(w http.ResponseWriter, res fakeResult, from, until, batch int) {
	done, next := true, ""
	if until < len(res.rows) {
		done = false
		locator := fmt.Sprintf("01gRO%010dAAA-%d", len(f.cursors), until)
		f.cursors[locator] = fakeResult{res.total, append(slices.Clone(res.rows), strconv.Itoa(batch))}
		next = `,"nextRecordsUrl":"/services/data/v67.0/query/` + locator + `"`
	}
	send(w, 200, fmt.Sprintf(`{"totalSize":%d,"done":%t%s,"records":[%s]}`, res.total, done, next, strings.Join(res.rows[from:until], ", ")))
}

func (f *fake) more(w http.ResponseWriter, r *http.Request) {
	res, ok := f.cursors[r.PathValue("locator")]
	if !ok {
		refuse(w, 400, invalidLocator, "invalid query locator")
		return
	}
	_, at, _ := strings.Cut(r.PathValue("locator"), "-")
	from, _ := strconv.Atoi(at)
	batch, _ := strconv.Atoi(res.rows[len(res.rows)-1])
	res.rows = res.rows[:len(res.rows)-1]
	f.send(w, res, from, min(from+batch, len(res.rows)), batch)
}

// ServeHTTP answers with the time of the test.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", fakeNow.UTC().Format(http.TimeFormat))
	f.ServeMux.ServeHTTP(w, r)
}
