package salesforce

import (
	"fmt"
	"slices"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

// TestQueryBatches pages through a result of many batches, with pages smaller and larger than them.
func TestQueryBatches(t *testing.T) {
	for _, batch := range []int{1, 3, 200, 2000} {
		for _, limit := range []int{2, 50, 150, 200} {
			t.Run(fmt.Sprintf("%d by %d", batch, limit), func(t *testing.T) {
				f := newFake()
				f.batch = batch
				o := f.objects["Empty__c"]
				for i := range 450 {
					o.add(i+1, fakeStamp, nil)
				}
				q := connectors.ItemQuery{Query: "SELECT Id FROM Empty__c WHERE Name != 'x'", Limit: limit}
				wantIDs(t, itemIDs(walkItems(t, open(t, f, nil), q, nil)), o.ids())
			})
		}
	}
}

// TestQueryOrder keeps to the user's own order and limit.
func TestQueryOrder(t *testing.T) {
	f := newFake()
	o := f.objects["Empty__c"]
	for i := range 20 {
		o.add(i+1, stamp(i), nil)
	}
	want := slices.Clone(o.ids()[5:])
	slices.Reverse(want)
	got := walkItems(t, open(t, f, nil), connectors.ItemQuery{Query: "SELECT Id, Name FROM Empty__c ORDER BY SystemModstamp DESC LIMIT 15", Limit: 4}, nil)
	wantIDs(t, itemIDs(got), want)
	if got[0].Name != "Empty__c 20" || got[0].UpdatedAt != nil || got[0].ContainerID != "Empty__c" {
		t.Errorf("got %+v", got[0])
	}
}

// TestQueryChanged has the result change between two pages of one batch.
func TestQueryChanged(t *testing.T) {
	f := newFake()
	o := f.objects["Empty__c"]
	for i := range 10 {
		o.add(i+1, fakeStamp, nil)
	}
	d := open(t, f, nil)
	q := connectors.ItemQuery{Query: "SELECT Id FROM Empty__c", Limit: 4}
	p, err := d.ListItems(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	o.rows[1]["IsDeleted"] = true
	f.mu.Unlock()
	q.Cursor = p.Next
	_, err = d.ListItems(t.Context(), q)
	wantError(t, err, connectors.InvalidRequest, "changed while it was read")
}

// TestLocatorExpired has the org forget the position in a result.
func TestLocatorExpired(t *testing.T) {
	f := newFake()
	f.batch = 4
	d := open(t, f, nil)
	q := connectors.ItemQuery{Query: "SELECT Id FROM Account", Limit: 4}
	p, err := d.ListItems(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	clear(f.cursors)
	f.mu.Unlock()
	q.Cursor = p.Next
	_, err = d.ListItems(t.Context(), q)
	wantError(t, err, connectors.InvalidRequest, "start again without a cursor")
}

func TestForeignCursors(t *testing.T) {
	d := open(t, newFake(), nil)
	for _, cursor := range []connectors.Cursor{
		"x", "{}", "null", "[]", `{"i":"1' OR Id != '"}`, `{"b":"SystemModstamp","s":"2024-01-01T00:00:00.000Z OR Id != null","i":"001"}`,
		`{"b":"A B","i":"001"}`, `{"i":"001","x":1}`, `{"k":"CaseComment"}`, `{"i":"001"}{}`, `{"i":"001"} `, "result///", "result//1/x", "result/../1//", "result//0//", "result//1/x/now",
		`{"s":"2024-01-01T00:00:00.000Z"}`, "result/a?b/0//",
	} {
		for _, q := range []connectors.ItemQuery{{ContainerID: "Account", Limit: 2, Cursor: cursor}, {Query: "SELECT Id FROM Account", Limit: 2, Cursor: cursor}} {
			if p, err := d.ListItems(t.Context(), q); connectors.CodeOf(err) != connectors.InvalidRequest {
				t.Errorf("%s with query %q: got %v and error %v", cursor, q.Query, p, err)
			}
		}
		if cursor == `{"k":"CaseComment"}` {
			continue
		}
		if p, err := d.ListComments(t.Context(), connectors.CommentQuery{ItemID: fakeID("500", 1), Limit: 2, Cursor: cursor}); connectors.CodeOf(err) != connectors.InvalidRequest {
			t.Errorf("%s: got comments %v and error %v", cursor, p, err)
		}
		if p, err := d.ListDeletions(t.Context(), connectors.DeletionQuery{ContainerID: "Account", Limit: 2, Cursor: cursor}); connectors.CodeOf(err) != connectors.InvalidRequest {
			t.Errorf("%s: got deletions %v and error %v", cursor, p, err)
		}
	}
}
