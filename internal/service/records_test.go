package service_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// feed writes the records of a connection.
type feed struct {
	h    *harness
	conn string
	head domain.Feed
}

func (h *harness) feed(t *testing.T, conn string) *feed {
	t.Helper()
	head, err := h.st.TakeFeed(t.Context(), acme, conn, "w", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return &feed{h, conn, head}
}

// put writes items, a version each; "-x" is the tombstone of x.
func (f *feed) put(t *testing.T, at time.Time, ids ...string) {
	t.Helper()
	for _, id := range ids {
		name, gone := strings.CutPrefix(id, "-")
		r := domain.Record{Kind: domain.ItemRecord, ID: name, ContainerID: "box", SyncedAt: at, Deleted: gone}
		if gone {
			r.Reason = "gone"
		} else {
			r.Hash, r.Value = fmt.Sprint(name, at.UnixNano()), json.RawMessage(fmt.Sprintf(`{"id":%q}`, name))
		}
		if _, err := f.h.st.PutRecords(t.Context(), f.head, []domain.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
}

func (f *feed) in(after string, limit int) service.RecordsIn {
	return service.RecordsIn{ConnectionIn: service.ConnectionIn{ID: f.conn}, ChangedAfter: after, Limit: limit}
}

// reader holds what it read of a feed, by the protocol.
type reader struct {
	f     *feed
	at    string
	epoch string
	holds map[string]int64
}

func (f *feed) reader() *reader { return &reader{f: f, at: "0", holds: map[string]int64{}} }

// page reads one page, and reports whether there is another one now.
func (r *reader) page(t *testing.T, limit int) (bool, error) {
	t.Helper()
	in := r.f.in(r.at, limit)
	in.Epoch = r.epoch
	out, err := r.f.h.Records(t.Context(), acme, in)
	if err != nil {
		return false, err
	}
	for _, it := range out.Items {
		r.holds[it.ID] = it.Change
		if it.Deleted {
			delete(r.holds, it.ID)
		}
	}
	r.epoch, r.at = out.Epoch, cmp.Or(string(out.Next), fmt.Sprint(out.Published))
	return out.Next != "", nil
}

func (r *reader) all(t *testing.T, limit int) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = r.page(t, limit); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *reader) want(t *testing.T, ids ...string) {
	t.Helper()
	var got []string
	for id := range r.holds {
		got = append(got, id)
	}
	slices.Sort(got)
	if !slices.Equal(got, ids) {
		t.Errorf("the reader holds %v, want %v", got, ids)
	}
}

func TestRecords(t *testing.T) {
	h := newHarness(t)
	conn := h.mustPut(t, acme, "main", config())
	none, err := h.Records(t.Context(), acme, service.RecordsIn{ConnectionIn: service.ConnectionIn{ID: conn}, ChangedAfter: "0", Limit: 50})
	if text, _ := json.Marshal(none); err != nil || string(text) != `{"items":[],"next":null,"epoch":"","published":0,"oldest":0}` {
		t.Errorf("before any sync: %s, %v", text, err)
	}
	f := h.feed(t, conn)
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	raw := json.RawMessage(`{"b":"<&>\u2028","a":1.50,"n":12345678901234567890.10}`)
	_, err = h.st.PutRecords(t.Context(), f.head, []domain.Record{
		{Kind: domain.ContainerRecord, ID: "box", ContainerID: "box", SyncedAt: at, Hash: "1", Value: json.RawMessage(`{"id":"box"}`), Raw: raw},
		{Kind: domain.ItemRecord, ID: "1", ContainerID: "box", SyncedAt: at, Hash: "2", Value: json.RawMessage(`{}`), Raw: raw},
		{Kind: domain.CommentRecord, ID: "1", ItemID: "1", ContainerID: "box", SyncedAt: at, Hash: "3", Value: json.RawMessage(`{"id":"1"}`)},
		{Kind: domain.ItemRecord, ID: "2", ContainerID: "other", SyncedAt: at, Hash: "4", Value: json.RawMessage(`{"id":"2"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.put(t, at, "3", "-3")
	for name, tc := range map[string]struct {
		change func(*service.RecordsIn)
		want   string
	}{
		"all":            {func(*service.RecordsIn) {}, "container/box@1 item/1@2 comment/1@3 item/2@4 item/3@6(gone)"},
		"from a change":  {func(in *service.RecordsIn) { in.ChangedAfter = "3" }, "item/2@4 item/3@6(gone)"},
		"from the end":   {func(in *service.RecordsIn) { in.ChangedAfter = "6" }, ""},
		"of a kind":      {func(in *service.RecordsIn) { in.Kind = domain.ItemRecord }, "item/1@2 item/2@4 item/3@6(gone)"},
		"of a container": {func(in *service.RecordsIn) { in.ContainerID = "other" }, "item/2@4"},
		"a page":         {func(in *service.RecordsIn) { in.Limit = 2 }, "container/box@1 item/1@2 next 2"},
		"a page of kind": {func(in *service.RecordsIn) { in.Limit, in.Kind = 1, domain.ItemRecord }, "item/1@2 next 2"},
		"the last page":  {func(in *service.RecordsIn) { in.Limit, in.ChangedAfter = 2, "3" }, "item/2@4 item/3@6(gone)"},
	} {
		t.Run(name, func(t *testing.T) {
			in := f.in("0", 50)
			tc.change(&in)
			out, err := h.Records(t.Context(), acme, in)
			if err != nil || out.Published != 6 || out.Epoch == "" {
				t.Fatalf("%+v, %v", out, err)
			}
			var got []string
			for _, it := range out.Items {
				text := fmt.Sprintf("%s/%s@%d", it.Kind, it.ID, it.Change)
				if it.Deleted {
					text += "(" + it.DeletedReason + ")"
				}
				if it.Deleted != (it.Value.RawMessage == nil) {
					t.Errorf("%s has the value %s", text, it.Value.RawMessage)
				}
				got = append(got, text)
			}
			if out.Next != "" {
				got = append(got, "next "+string(out.Next))
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
	in := f.in("0", 3)
	in.Raw = true
	out, err := h.Records(t.Context(), acme, in)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`{"id":"box","raw":` + string(raw) + `}`, `{"raw":` + string(raw) + `}`, `{"id":"1"}`} {
		if got := string(out.Items[i].Value.RawMessage); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRecordsAreRefused(t *testing.T) {
	h := newHarness(t)
	f := h.feed(t, h.mustPut(t, acme, "main", config()))
	old := time.Now().Add(-time.Hour)
	f.put(t, old, "1", "2", "3", "-1", "-2") // up to 5
	f.put(t, time.Now(), "4")                // 6
	if n, err := h.st.SweepTombstones(t.Context(), time.Now().Add(-time.Minute), 10); n != 2 || err != nil {
		t.Fatalf("swept %d, %v", n, err)
	}
	for name, tc := range map[string]struct {
		after, epoch string
		want         connectors.Code
	}{
		"the beginning":        {"0", "", ""},
		"oldest":               {"5", "", ""},
		"the end":              {"6", "", ""},
		"begun at oldest":      {"3-5", "", ""},
		"below oldest":         {"3", "", connectors.Conflict},
		"just below":           {"4", "", connectors.Conflict},
		"begun before":         {"3-4", "", connectors.Conflict},
		"above published":      {"7", "", connectors.Conflict},
		"begun at none":        {"3-6", "", connectors.Conflict},
		"its epoch":            {"5", "same", ""},
		"a foreign epoch":      {"5", "foreign", connectors.Conflict},
		"a foreign beginning":  {"0", "foreign", connectors.Conflict},
		"no number":            {"x", "", connectors.InvalidRequest},
		"nothing":              {"", "", connectors.InvalidRequest},
		"below zero":           {"-1", "", connectors.InvalidRequest},
		"more than once":       {"3-4-5", "", connectors.InvalidRequest},
		"padded":               {"05", "", connectors.InvalidRequest},
		"signed":               {"+5", "", connectors.InvalidRequest},
		"half":                 {"5-", "", connectors.InvalidRequest},
		"begun before itself":  {"5-3", "", connectors.InvalidRequest},
		"zero begun":           {"0-5", "", connectors.InvalidRequest},
		"too large for a word": {"99999999999999999999", "", connectors.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			in := f.in(tc.after, 50)
			if in.Epoch = tc.epoch; tc.epoch == "same" {
				in.Epoch = f.head.Epoch
			}
			_, err := h.Records(t.Context(), acme, in)
			wantCode(t, err, tc.want)
			if tc.want == connectors.Conflict && !strings.Contains(err.Error(), "changedAfter=0") {
				t.Errorf("%v does not tell to start again", err)
			}
		})
	}
	in := f.in("0", 201)
	in.ID = "nobody"
	_, err := h.Records(t.Context(), acme, in)
	wantCode(t, err, connectors.InvalidRequest)
	in = f.in("0", 50)
	in.Kind = "issue"
	_, err = h.Records(t.Context(), acme, in)
	wantCode(t, err, connectors.InvalidRequest)
	_, err = h.Records(t.Context(), "other", f.in("0", 50))
	wantCode(t, err, connectors.NotFound)
}
