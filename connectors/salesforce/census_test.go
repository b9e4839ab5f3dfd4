package salesforce

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

func TestIDs(t *testing.T) {
	f := newFake()
	f.batch = 700
	o := f.objects["Empty__c"]
	for i := range 12_345 {
		o.add(i+1, fakeStamp, nil)
	}
	d := open(t, f, nil)
	var got []string
	var pages []int
	for q := (connectors.IDQuery{ContainerID: "Empty__c"}); ; {
		p, err := d.ListIDs(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got, pages = append(got, p.Items...), append(pages, len(p.Items))
		if q.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	wantIDs(t, got, o.ids())
	if !slices.Equal(pages, []int{connectors.MaxIDs, 2345}) {
		t.Errorf("got pages of %v", pages)
	}
	_, err := d.ListIDs(t.Context(), connectors.IDQuery{ContainerID: "Nope__c"})
	wantError(t, err, connectors.NotFound, "no object")
	_, err = d.ListIDs(t.Context(), connectors.IDQuery{ContainerID: "Empty__c", Cursor: "x"})
	wantError(t, err, connectors.InvalidRequest, "cursor")
}

func TestResolveAbsences(t *testing.T) {
	f := newFake()
	f.objects["Account"].rows[1]["IsDeleted"] = true
	task := f.object("Task", "00T", false, fakeFields(field{Name: "IsArchived", Type: "boolean"}))
	task.add(1, fakeStamp, map[string]any{"IsArchived": true})
	task.add(2, fakeStamp, map[string]any{"IsArchived": true, "IsDeleted": true})
	d := open(t, f, nil)
	a := func(n int) string { return fakeID("001", n) }
	tests := []struct {
		object string
		ids    []string
		want   string
	}{
		{"Account", []string{a(3), a(2), a(99), a(1)[:15]}, "present deleted gone present"},
		{"Task", []string{fakeID("00T", 1), fakeID("00T", 2)}, "archived deleted"},
	}
	for _, tt := range tests {
		got, err := d.ResolveAbsences(t.Context(), tt.object, tt.ids)
		var reasons []string
		for i, one := range got {
			reasons = append(reasons, string(one.Reason))
			if one.ID != tt.ids[i] {
				t.Errorf("got an answer for %s in place of %s", one.ID, tt.ids[i])
			}
		}
		if err != nil || strings.Join(reasons, " ") != tt.want {
			t.Errorf("%s: got %v and error %v, want %s", tt.object, reasons, err, tt.want)
		}
	}
	for _, id := range []string{"", "x", "001' OR '", fakeID("001", 1)[:15] + "AAB"} {
		_, err := d.ResolveAbsences(t.Context(), "Account", []string{id})
		wantError(t, err, connectors.InvalidRequest, "not the id of a record")
	}
	f.mu.Lock()
	f.refuse, f.refuseStatus = map[string]string{"FROM Account": "INSUFFICIENT_ACCESS"}, 403
	f.mu.Unlock()
	_, err := d.ResolveAbsences(t.Context(), "Account", []string{a(1)})
	wantError(t, err, connectors.Reauthorize, "forbids")
}

// TestUnaskedAbsence has the org answer for another record than the one it was asked about.
func TestUnaskedAbsence(t *testing.T) {
	h := http.NewServeMux()
	h.Handle("/", newFake())
	h.HandleFunc("GET /services/data/v67.0/queryAll", func(w http.ResponseWriter, _ *http.Request) {
		send(w, 200, `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Account"},"Id":"`+fakeID("001", 2)+`","IsDeleted":false}]}`)
	})
	_, err := open(t, h, nil).ResolveAbsences(t.Context(), "Account", []string{fakeID("001", 1)})
	wantError(t, err, connectors.ProviderError, "not asked for")
}

func walkDeletions(t *testing.T, d *Driver, q connectors.DeletionQuery) (ids []string) {
	t.Helper()
	for range 1000 {
		p, err := d.ListDeletions(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range p.Items {
			if one.ContainerID != q.ContainerID || one.DeletedAt == nil {
				t.Errorf("got %+v", one)
			}
			ids = append(ids, one.ID)
		}
		if q.Cursor = p.Next; p.Next == "" {
			return ids
		}
	}
	t.Fatal("the listing does not end")
	return nil
}

// TestDeletionLog lists some and very many deletions, several of one second, from all of the log and from a time on.
func TestDeletionLog(t *testing.T) {
	for _, n := range []int{0, 1, 12, 3000, 9000} {
		f := newFake()
		f.now = func() time.Time { return fakeNow }
		o := f.objects["Account"]
		var want, recent []string
		first := fakeNow.Add(-14 * 24 * time.Hour).Truncate(time.Minute) // where parts of the log meet
		after := first.Add(time.Duration(n/6) * time.Minute)
		for i := range n {
			at := first.Add(time.Duration(i/3) * time.Minute)
			o.log = append(o.log, fakeDeletion{fakeID("001", i), at})
			want = append(want, fakeID("001", i))
			if !at.Before(after) {
				recent = append(recent, fakeID("001", i))
			}
		}
		o.log = append(o.log, fakeDeletion{fakeID("001", 99999), fakeNow}) // not covered yet
		d := open(t, f, nil)
		for _, limit := range []int{7, 200} {
			if limit == 7 && n > 100 {
				continue
			}
			wantIDs(t, walkDeletions(t, d, connectors.DeletionQuery{ContainerID: "Account", Limit: limit}), want)
			if n > 0 {
				wantIDs(t, walkDeletions(t, d, connectors.DeletionQuery{ContainerID: "Account", Limit: limit, After: after}), recent)
			}
		}
	}
}

func TestRecycleBin(t *testing.T) {
	f := newFake()
	o := f.objects["Empty__c"]
	o.replicateable = false
	var want []string
	for i := range 12 {
		r := o.add(i+1, fakeNow.Add(time.Duration(i-20)*time.Minute).Format(timeLayout), nil)
		if i%2 == 0 {
			r["IsDeleted"] = true
			want = append(want, r["Id"].(string))
		}
	}
	d := open(t, f, nil)
	wantIDs(t, walkDeletions(t, d, connectors.DeletionQuery{ContainerID: "Empty__c", Limit: 2}), want)
	after := fakeNow.Add(-15 * time.Minute)
	wantIDs(t, walkDeletions(t, d, connectors.DeletionQuery{ContainerID: "Empty__c", Limit: 2, After: after}), want[3:])
}

func TestDeletionRefusals(t *testing.T) {
	f := newFake()
	f.now = func() time.Time { return fakeNow }
	none := f.object("None__c", "a05", false, fakeFields())
	none.replicateable = false
	none.fields = slices.DeleteFunc(none.fields, func(f field) bool { return f.Name == "IsDeleted" })
	d := open(t, f, nil)
	tests := []struct {
		name string
		q    connectors.DeletionQuery
		want connectors.Code
	}{
		{"too long ago", connectors.DeletionQuery{ContainerID: "Account", After: fakeNow.Add(-15*24*time.Hour - time.Second)}, connectors.Unsupported},
		{"no object", connectors.DeletionQuery{}, connectors.InvalidRequest},
		{"unknown object", connectors.DeletionQuery{ContainerID: "Nope__c"}, connectors.NotFound},
		{"neither log nor recycle bin", connectors.DeletionQuery{ContainerID: "None__c"}, connectors.Unsupported},
		{"a time to come", connectors.DeletionQuery{ContainerID: "Account", After: fakeNow.Add(time.Hour)}, ""},
	}
	for _, tt := range tests {
		tt.q.Limit = 2
		p, err := d.ListDeletions(t.Context(), tt.q)
		if connectors.CodeOf(err) != tt.want || len(p.Items) > 0 || p.Next != "" {
			t.Errorf("%s: got %v and error %v, want %q", tt.name, p, err, tt.want)
		}
	}
}

// TestLogInParts has a log that is complete only for a part of what it is asked, and goes on behind that.
func TestLogInParts(t *testing.T) {
	end := fakeNow
	s := span{from: end.Add(-48 * time.Hour), until: end, end: end}
	next, err := parseSpan(s.rest(end.Add(-24 * time.Hour)))
	if err != nil || !next.from.Equal(end.Add(-24*time.Hour)) || !next.until.Equal(end) || next.id != "" {
		t.Errorf("got %+v and error %v", next, err)
	}
	for what, cursor := range map[string]connectors.Cursor{
		"complete":        s.rest(end),
		"a little behind": s.rest(end.Add(-10 * time.Minute)),
		"stands still":    s.rest(s.from.Add(time.Second)),
	} {
		if cursor != "" {
			t.Errorf("%s: got %s", what, cursor)
		}
	}
}

// TestPurgedLog has a log that begins later than 15 days ago.
func TestPurgedLog(t *testing.T) {
	d := open(t, newFake(), nil)
	a := deletedAnswer{Earliest: "2024-05-30T00:00:00.000+0000", Latest: "2024-06-01T11:59:00.000+0000"}
	_, _, err := d.deletionsOf(a, "Account", span{}, time.Time{})
	wantError(t, err, connectors.ProviderError, "no log")
	a.Records = append(a.Records, struct {
		ID   string `json:"id"`
		Date string `json:"deletedDate"`
	}{fakeID("001", 1), "2024-05-31T00:00:00.000+0000"})
	after := fakeNow.Add(-5 * 24 * time.Hour)
	_, _, err = d.deletionsOf(a, "Account", d.firstSpan(after), after)
	wantError(t, err, connectors.Unsupported, "compare the ids")
	list, _, err := d.deletionsOf(a, "Account", d.firstSpan(time.Time{}), time.Time{})
	if err != nil || len(list) != 1 {
		t.Errorf("got %v and error %v", list, err)
	}
	a.Records[0].ID = "../x"
	_, _, err = d.deletionsOf(a, "Account", d.firstSpan(time.Time{}), time.Time{})
	wantError(t, err, connectors.ProviderError, "without an id")
}

func TestEstimates(t *testing.T) {
	f := newFake()
	d := open(t, f, nil)
	items := func(q connectors.ItemQuery) func() (connectors.Estimate, error) {
		return func() (connectors.Estimate, error) { return d.EstimateItems(t.Context(), q) }
	}
	tests := []struct {
		name string
		ask  func() (connectors.Estimate, error)
		want connectors.Estimate
	}{
		{"containers", func() (connectors.Estimate, error) {
			return d.EstimateContainers(t.Context(), connectors.ContainerQuery{Limit: 4})
		}, connectors.Estimate{Entries: 6, Exact: true, Requests: 2, Points: 2}},
		{"items", items(connectors.ItemQuery{ContainerID: "Account", Limit: 2}), connectors.Estimate{Entries: 7, Exact: true, Requests: 5, Points: 5}},
		{"no items", items(connectors.ItemQuery{ContainerID: "Empty__c", Limit: 2}), connectors.Estimate{Exact: true, Requests: 2, Points: 2}},
		{"changed", items(connectors.ItemQuery{ContainerID: "Account", Limit: 2, UpdatedAfter: fakeNow}), connectors.Estimate{Exact: true, Requests: 2, Points: 2}},
		{"query", items(connectors.ItemQuery{Query: "SELECT Id FROM Account WHERE Industry = 'Energy' ORDER BY Name LIMIT 2", Limit: 2}), connectors.Estimate{Entries: 2, Exact: true, Requests: 2, Points: 2}},
		{"query with an offset", items(connectors.ItemQuery{Query: "SELECT Id FROM Account OFFSET 2", Limit: 2}), connectors.Estimate{Entries: 7, Requests: 5, Points: 5}},
		{"comments", func() (connectors.Estimate, error) {
			return d.EstimateComments(t.Context(), connectors.CommentQuery{ItemID: fakeID("500", 1), Limit: 3})
		}, connectors.Estimate{Entries: 9, Requests: 8, Points: 8}},
	}
	for _, tt := range tests {
		if got, err := tt.ask(); err != nil || got != tt.want {
			t.Errorf("%s: got %+v and error %v, want %+v", tt.name, got, err, tt.want)
		}
	}
	_, err := d.EstimateItems(t.Context(), connectors.ItemQuery{ContainerID: "Nope__c", Limit: 2})
	wantError(t, err, connectors.NotFound, "no object")
	_, err = d.EstimateComments(t.Context(), connectors.CommentQuery{ItemID: fakeID("500", 77), Limit: 2})
	wantError(t, err, connectors.NotFound, "no record")
}
