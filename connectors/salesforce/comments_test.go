package salesforce

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

func walkComments(t *testing.T, d *Driver, q connectors.CommentQuery) (all []connectors.Comment, gaps []connectors.Gap) {
	t.Helper()
	for range 1000 {
		p, err := d.ListComments(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Items) > q.Limit {
			t.Fatalf("%d comments in a page of %d", len(p.Items), q.Limit)
		}
		all, gaps = append(all, p.Items...), append(gaps, p.Incomplete...)
		if q.Cursor = p.Next; p.Next == "" {
			return all, gaps
		}
	}
	t.Fatal("the listing does not end")
	return nil, nil
}

func commentIDs(list []connectors.Comment) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.ID
	}
	return out
}

func TestComments(t *testing.T) {
	d := open(t, newFake(), nil)
	long := fakeID("500", 1)
	for _, id := range []string{long, long[:15]} {
		got, gaps := walkComments(t, d, connectors.CommentQuery{ItemID: id, Limit: 3})
		wantIDs(t, commentIDs(got), fakeComments())
		if len(gaps) != 0 {
			t.Errorf("got gaps %v", gaps)
		}
		for _, c := range got {
			if c.ItemID != long || c.Author != "Ann Lee" || c.CreatedAt == nil || c.UpdatedAt == nil {
				t.Errorf("got %+v", c)
			}
		}
		if got[0].Text != "comment 0" || got[4].Text != "Tom & Jerry\n- one\n- two" || got[5].Text != "A link" || got[7].Text != "answer 1" {
			t.Errorf("got %q, %q, %q, %q", got[0].Text, got[4].Text, got[5].Text, got[7].Text)
		}
		meta, _ := json.Marshal(got[0].Meta)
		if want := `{"kind":"CaseComment","authorId":"` + fakeID("005", 1) + `","isPublished":true}`; string(meta) != want {
			t.Errorf("got %s, want %s", meta, want)
		}
	}
}

// TestManyComments has more comments of each kind than a page, all of one second.
func TestManyComments(t *testing.T) {
	f := newFake()
	record := f.objects["Case"].rows[1]["Id"]
	var want []string
	for _, kind := range []string{caseComments, feedPosts, feedAnswers} {
		for i := range 450 {
			r := f.objects[kind].add(i+100, fakeStamp, map[string]any{"ParentId": record, "CommentBody": "x", "Body": "x"})
			want = append(want, r["Id"].(string))
		}
	}
	got, _ := walkComments(t, open(t, f, nil), connectors.CommentQuery{ItemID: fakeID("500", 2), Limit: 200})
	wantIDs(t, commentIDs(got), want)
}

// TestCommentGaps are kinds of comments that cannot be read: named where they should be there, and nothing where the
// object has none.
func TestCommentGaps(t *testing.T) {
	posts := append(fakeComments()[:4:4], fakeComments()[4:6]...)
	tests := []struct {
		name   string
		change func(*fake)
		want   []string
		code   connectors.Code
	}{
		{"no feed", func(f *fake) { f.objects["Case"].feed = false }, fakeComments()[:4], ""},
		{"described as not queryable", func(f *fake) { f.objects[feedAnswers].queryable = false }, posts, connectors.Unsupported},
		{"not there for the user", func(f *fake) { delete(f.objects, feedAnswers) }, posts, connectors.NotFound},
		{"denied", func(f *fake) {
			f.refuse, f.refuseStatus = map[string]string{"FROM " + feedAnswers: "INSUFFICIENT_ACCESS"}, 403
		}, posts, connectors.Reauthorize},
		{"hidden type", func(f *fake) { f.refuse, f.refuseStatus = map[string]string{"FROM " + feedAnswers: invalidType}, 400 }, posts, connectors.NotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			tt.change(f)
			for _, limit := range []int{1, 200} {
				got, gaps := walkComments(t, open(t, f, nil), connectors.CommentQuery{ItemID: fakeID("500", 1), Limit: limit})
				wantIDs(t, commentIDs(got), tt.want)
				if tt.code == "" && len(gaps) != 0 || tt.code != "" && (len(gaps) != 1 || gaps[0].Code != tt.code || gaps[0].ContainerID != "Case" ||
					!strings.HasPrefix(gaps[0].Reason, "FeedComment of the record cannot be read: ")) {
					t.Errorf("by %d: got gaps %+v, want one of %q", limit, gaps, tt.code)
				}
			}
		})
	}
}

// TestCommentsDeniedMeanwhile takes a right away in the middle of a kind: that is an error, not the end.
func TestCommentsDeniedMeanwhile(t *testing.T) {
	f := newFake()
	d := open(t, f, nil)
	q := connectors.CommentQuery{ItemID: fakeID("500", 1), Limit: 2}
	p, err := d.ListComments(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.refuse, f.refuseStatus = map[string]string{"FROM CaseComment": "INSUFFICIENT_ACCESS"}, 403
	f.mu.Unlock()
	q.Cursor = p.Next
	if _, err = d.ListComments(t.Context(), q); !connectors.IsDenied(err) {
		t.Errorf("got %v", err)
	}
}

func TestCommentRefusals(t *testing.T) {
	long := fakeID("500", 1)
	tests := []struct {
		name, id string
		status   int
		code     string
		want     connectors.Code
	}{
		{"no id", "x", 0, "", connectors.NotFound},
		{"wrong check letters", long[:15] + "AAB", 0, "", connectors.NotFound},
		{"unknown prefix", fakeID("zzz", 1), 0, "", connectors.NotFound},
		{"no such record", fakeID("500", 77), 0, "", connectors.NotFound},
		{"prefix of an object that is hidden", fakeID("a02", 1), 0, "", connectors.NotFound},
		{"injection", `500000000000001' OR '`, 0, "", connectors.NotFound},
		{"limit", long, 403, limitExceeded, connectors.RateLimited},
		{"session", long, 401, invalidSession, connectors.Reauthorize},
		{"busy", long, 503, "SERVER_UNAVAILABLE", connectors.ProviderError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			if tt.code != "" {
				f.refuse, f.refuseStatus = map[string]string{"FROM CaseComment": tt.code}, tt.status
			}
			_, err := open(t, f, nil).ListComments(t.Context(), connectors.CommentQuery{ItemID: tt.id, Limit: 2})
			if connectors.CodeOf(err) != tt.want || connectors.IsDenied(err) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLongID(t *testing.T) {
	// From the fixtures and from Salesforce's own documentation.
	for _, id := range []string{"005x00000012Q9PAAU", "a00D0000008pQRAIA2", "003q000000KvQ1tAAF", "701E0000000JuFHIA0"} {
		for _, form := range []string{id, id[:15]} {
			if got, ok := longID(form); !ok || got != id {
				t.Errorf("%s: got %s, %t", form, got, ok)
			}
		}
	}
	for _, id := range []string{"", "00Dx0000000BV7", "00Dx0000000BV7zEAA", "00Dx0000000BV7z'--", "00Dx0000000BV7zeah", "00dX0000000BV7zEAH"} {
		if got, ok := longID(id); ok {
			t.Errorf("%q: got %s", id, got)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"a < b && c > d":                  "a < b && c > d",
		"<p>one</p><p>two&nbsp;&lt;3</p>": "one\ntwo <3",
		`<img alt="a cat" src="x">!`:      "a cat!",
		"a<br>b<br/>c":                    "a\nb\nc",
		"<script>x</script":               "x</script",
		"<p>\n\n\n\na</p>\n\n\n<p>b":      "a\n\nb",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestPrefixOfAnotherLength has an object with a key prefix that is none.
func TestPrefixOfAnotherLength(t *testing.T) {
	h := http.NewServeMux()
	h.Handle("/", newFake())
	h.HandleFunc("GET "+objectsPath, func(w http.ResponseWriter, _ *http.Request) {
		send(w, 200, `{"sobjects":[{"name":"Odd","keyPrefix":"","queryable":true},{"name":"None","queryable":true}]}`)
	})
	_, err := open(t, h, nil).ListComments(t.Context(), connectors.CommentQuery{ItemID: fakeID("500", 1), Limit: 2})
	wantError(t, err, connectors.NotFound, "no record")
}
