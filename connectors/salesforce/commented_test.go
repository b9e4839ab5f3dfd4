package salesforce

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// walkCommented follows every page and returns the ids, each once, with the number of pages.
func walkCommented(t *testing.T, d *Driver, q connectors.ChangedIDQuery) (ids []string, gaps []connectors.Gap, pages int) {
	t.Helper()
	for pages = 1; pages < 100; pages++ {
		p, err := d.ListCommented(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		ids, gaps = append(ids, p.Items...), append(gaps, p.Incomplete...)
		if q.Cursor = p.Next; p.Next == "" {
			slices.Sort(ids)
			return slices.Compact(ids), gaps, pages
		}
	}
	t.Fatal("the listing does not end")
	return nil, nil, 0
}

// talkative is an org where comments of each kind changed at several times.
func talkative() *fake {
	f := newFake()
	one, two := fakeID("500", 1), fakeID("500", 2)
	f.objects[caseComments].add(11, stamp(10), map[string]any{"ParentId": two})
	f.objects[feedPosts].add(11, stamp(20), map[string]any{"ParentId": fakeID("001", 3)})
	f.objects[feedPosts].add(12, stamp(30), map[string]any{"ParentId": one})
	f.objects[feedAnswers].add(11, stamp(40), map[string]any{"ParentId": fakeID("001", 4), "FeedItemId": fakeID("0D5", 11)})
	f.objects[caseComments].add(12, stamp(50), map[string]any{"ParentId": one, "IsDeleted": true})
	return f
}

func TestCommented(t *testing.T) {
	at := func(seconds int) time.Time {
		tm, _ := parseTime(stamp(seconds))
		return tm
	}
	for name, tt := range map[string]struct {
		object string
		after  time.Time
		want   []string
	}{
		"ever":                           {"Case", time.Time{}, []string{fakeID("500", 1), fakeID("500", 2)}},
		"since the first change":         {"Case", at(1), []string{fakeID("500", 1), fakeID("500", 2)}},
		"at the very time":               {"Case", at(10), []string{fakeID("500", 1), fakeID("500", 2)}},
		"within the second of a change":  {"Case", at(10).Add(900 * time.Millisecond), []string{fakeID("500", 1), fakeID("500", 2)}},
		"after it":                       {"Case", at(11), []string{fakeID("500", 1)}},
		"only what was deleted":          {"Case", at(50), []string{fakeID("500", 1)}},
		"nothing":                        {"Case", at(51), nil},
		"posts and answers, of its own":  {"Account", at(1), []string{fakeID("001", 3), fakeID("001", 4)}},
		"answers alone":                  {"Account", at(31), []string{fakeID("001", 4)}},
		"answers to posts, on the posts": {feedPosts, at(1), []string{fakeID("0D5", 11)}},
		"an object without a feed":       {"Empty__c", time.Time{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, gaps, _ := walkCommented(t, open(t, talkative(), nil), connectors.ChangedIDQuery{ContainerID: tt.object, After: tt.after})
			wantIDs(t, got, tt.want)
			if len(gaps) > 0 {
				t.Errorf("got gaps %+v", gaps)
			}
		})
	}
}

// TestManyCommented has more changed comments than pages hold, all of one second; most are on other objects' records.
func TestManyCommented(t *testing.T) {
	f := newFake()
	var want []string
	for i := range 450 {
		c := f.objects["Case"].add(i+100, fakeStamp, nil)["Id"].(string)
		want = append(want, c)
		f.objects[caseComments].add(i+100, stamp(1), map[string]any{"ParentId": c})
		f.objects[feedPosts].add(i+100, stamp(1), map[string]any{"ParentId": fakeID("001", 1)})
		f.objects[feedAnswers].add(i+100, stamp(1), map[string]any{"ParentId": c, "FeedItemId": fakeID("0D5", 1)})
	}
	after, _ := parseTime(stamp(1))
	got, _, pages := walkCommented(t, open(t, f, nil), connectors.ChangedIDQuery{ContainerID: "Case", After: after})
	wantIDs(t, got, want)
	if pages != 7 {
		t.Errorf("%d pages, want 3 of each kind, the last of one with the first of the next", pages)
	}
}

func TestCommentedGaps(t *testing.T) {
	tests := []struct {
		name   string
		change func(*fake)
		code   connectors.Code
	}{
		{"described as not queryable", func(f *fake) { f.objects[feedAnswers].queryable = false }, connectors.Unsupported},
		{"not there for the user", func(f *fake) { delete(f.objects, feedAnswers) }, connectors.NotFound},
		{"denied", func(f *fake) {
			f.refuse, f.refuseStatus = map[string]string{"FROM " + feedAnswers: "INSUFFICIENT_ACCESS"}, 403
		}, connectors.Reauthorize},
		{"without a time", func(f *fake) { f.objects[feedAnswers].fields = f.objects[feedAnswers].fields[:2] }, connectors.Unsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := talkative()
			tt.change(f)
			got, gaps, _ := walkCommented(t, open(t, f, nil), connectors.ChangedIDQuery{ContainerID: "Account"})
			wantIDs(t, got, []string{fakeID("001", 3)})
			if len(gaps) != 1 || gaps[0].Code != tt.code || gaps[0].ContainerID != "Account" || !strings.HasPrefix(gaps[0].Reason, "new FeedComment of records") {
				t.Errorf("got gaps %+v, want one of %q", gaps, tt.code)
			}
		})
	}
	f := talkative()
	f.refuse, f.refuseStatus = map[string]string{"FROM " + feedAnswers: limitExceeded}, 403
	if _, err := open(t, f, nil).ListCommented(t.Context(), connectors.ChangedIDQuery{ContainerID: "Account"}); connectors.CodeOf(err) != connectors.RateLimited {
		t.Errorf("a limit: got %v", err)
	}
}

// TestCommentedRefusals are cursors of other listings, and objects that are not there.
func TestCommentedRefusals(t *testing.T) {
	comment := mark{Stage: caseComments, By: "SystemModstamp", Time: "2024-05-06T09:49:19.000Z", ID: fakeID("00a", 1)}
	byOther := comment
	byOther.By = "CreatedDate"
	ofRecords := comment
	ofRecords.Stage = ""
	for name, tt := range map[string]struct {
		object string
		cursor connectors.Cursor
		want   connectors.Code
	}{
		"its own":                     {"Case", comment.cursor(), ""},
		"of a kind that it has not":   {"Account", comment.cursor(), connectors.InvalidRequest},
		"of an object without a feed": {"Empty__c", comment.cursor(), connectors.InvalidRequest},
		"by another field":            {"Case", byOther.cursor(), connectors.InvalidRequest},
		"of records":                  {"Case", ofRecords.cursor(), connectors.InvalidRequest},
		"no cursor at all":            {"Case", "x", connectors.InvalidRequest},
		"no such object":              {"Nope__c", "", connectors.NotFound},
		"a hidden object":             {"Old__c", "", connectors.NotFound},
		"no object":                   {"Case WHERE", "", connectors.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, newFake(), nil).ListCommented(t.Context(), connectors.ChangedIDQuery{ContainerID: tt.object, Cursor: tt.cursor})
			if connectors.CodeOf(err) != tt.want {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestCountComments knows of a record without asking that it can have no comments.
func TestCountComments(t *testing.T) {
	f := newFake()
	d := open(t, f, nil)
	count := func(id string) (int, bool) { return d.CountComments(connectors.Item{ID: id}) }
	if n, known := count(fakeID("a00", 1)); n != 0 || known {
		t.Errorf("before the objects are known: got %d, %v", n, known)
	}
	if _, err := d.ListContainers(t.Context(), connectors.ContainerQuery{Limit: 5}); err != nil {
		t.Fatal(err)
	}
	asked := len(f.asked)
	for name, tt := range map[string]struct {
		id    string
		known bool
	}{
		"no feed":                   {fakeID("a00", 1), true},
		"a feed":                    {fakeID("001", 1), false},
		"a case":                    {fakeID("500", 1), false},
		"a post, which has answers": {fakeID("0D5", 1), false},
		"an answer":                 {fakeID("0D7", 1), true},
		"an unknown prefix":         {fakeID("zzz", 1), false},
		"no id":                     {"x", false},
	} {
		if n, known := count(tt.id); n != 0 || known != tt.known {
			t.Errorf("%s: got %d, %v, want %v", name, n, known, tt.known)
		}
	}
	if len(f.asked) != asked {
		t.Errorf("a request was made")
	}
}
