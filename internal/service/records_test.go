package service_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
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

// A reader that begins after deletions were forgotten passes the numbers below them on its way.
func TestRecordsAfterForgottenDeletions(t *testing.T) {
	h := newHarness(t)
	f := h.feed(t, h.mustPut(t, acme, "main", config()))
	old := time.Now().Add(-time.Hour)
	f.put(t, old, "1", "2", "3", "x", "-x") // 5
	f.put(t, time.Now(), "4")
	sweep := func() {
		t.Helper()
		if n, err := h.st.SweepTombstones(t.Context(), time.Now().Add(-time.Minute), 10); n != 1 || err != nil {
			t.Fatalf("swept %d, %v", n, err)
		}
	}
	sweep()
	r := f.reader()
	r.all(t, 1)
	r.want(t, "1", "2", "3", "4")

	// What is forgotten while it is on its way was perhaps held by it already.
	r = f.reader()
	if _, err := r.page(t, 1); err != nil {
		t.Fatal(err)
	}
	if r.at != "1-5" {
		t.Errorf("next is %s, want 1-5", r.at)
	}
	f.put(t, old, "-1") // 7
	sweep()
	_, err := r.page(t, 1)
	wantCode(t, err, connectors.Conflict)
	r = f.reader()
	r.all(t, 1)
	r.want(t, "2", "3", "4")
}

// sweeping is a store in which something happens between the reading of the head and of the records, or after both.
type sweeping struct {
	store.Store
	before, after func()
}

func (s *sweeping) ListRecords(ctx context.Context, t domain.Tenant, connectionID string, q store.RecordQuery) ([]domain.Record, error) {
	s.before()
	list, err := s.Store.ListRecords(ctx, t, connectionID, q)
	s.after()
	return list, err
}

func TestRecordsWhileTheyChange(t *testing.T) {
	for name, tc := range map[string]struct {
		meanwhile func(t *testing.T, f *feed)
		after     string
		want      connectors.Code
		next      string
	}{
		"a deletion is forgotten": {func(t *testing.T, f *feed) {
			if n, err := f.h.st.SweepTombstones(t.Context(), time.Now().Add(-time.Minute), 10); n != 1 || err != nil {
				t.Fatalf("swept %d, %v", n, err)
			}
		}, "1", connectors.Conflict, ""},
		"one is, for a beginner": {func(t *testing.T, f *feed) {
			if n, err := f.h.st.SweepTombstones(t.Context(), time.Now().Add(-time.Minute), 10); n != 1 || err != nil {
				t.Fatalf("swept %d, %v", n, err)
			}
		}, "0", "", "1"}, // and 1, below what was forgotten then, is refused
		"a restore": {func(t *testing.T, f *feed) {
			if err := f.h.st.NewEpochs(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, "0", connectors.Conflict, ""},
		"a write":               {func(t *testing.T, f *feed) { f.put(t, time.Now(), "9") }, "3", "", "4"},
		"a write above the end": {func(t *testing.T, f *feed) { f.put(t, time.Now(), "9") }, "5", "", ""},
	} {
		for _, when := range []string{"before", "after"} {
			t.Run(name+" "+when, func(t *testing.T) {
				h := newHarness(t)
				f := h.feed(t, h.mustPut(t, acme, "main", config()))
				f.put(t, time.Now().Add(-time.Hour), "1", "x", "-x")
				f.put(t, time.Now(), "2", "3")
				st := &sweeping{h.st, func() {}, func() {}}
				if when == "before" {
					st.before = func() { tc.meanwhile(t, f) }
				} else {
					st.after = func() { tc.meanwhile(t, f) }
				}
				s := service.New(service.Deps{Definitions: []*connectors.Definition{&toy}, Store: func(context.Context) (store.Store, error) { return st, nil }, Keeper: newKeeper(t)})
				out, err := s.Records(t.Context(), acme, f.in(tc.after, 1))
				wantCode(t, err, tc.want)
				if string(out.Next) != tc.next || err == nil && out.Published != 5 {
					t.Errorf("next is %s, want %s; published %d", out.Next, tc.next, out.Published)
				}
				for _, it := range out.Items {
					if it.Change > out.Published {
						t.Errorf("change %d is given, above published", it.Change)
					}
				}
			})
		}
	}
}

// A deleted connection takes its jobs and records along, and what a failure on the way left is removed by another try.
func TestDeleteConnectionWithItsWork(t *testing.T) {
	h := newHarness(t)
	id, other := h.mustPut(t, acme, "main", config()), h.mustPut(t, acme, "other", config())
	on := func(ref string) func(*service.StartJobBody) {
		return func(b *service.StartJobBody) { b.Params.ConnectionID = ref }
	}
	queued, running := h.mustStart(t, acme, start(domain.SyncJob, on(id))), h.mustStart(t, acme, start(domain.SyncJob, on(id)))
	kept := h.mustStart(t, acme, start(domain.SyncJob, on(other)))
	h.step(t, running.ID, 10)
	f, g := h.feed(t, id), h.feed(t, other)
	for i := range 3 {
		f.put(t, time.Now(), fmt.Sprint(i))
		g.put(t, time.Now(), fmt.Sprint(i))
	}
	state := service.SetSyncStateIn{ConnectionIn: service.ConnectionIn{ID: id}}
	state.Body.Cursor = "c"
	if _, err := h.SetSyncState(t.Context(), acme, state); err != nil {
		t.Fatal(err)
	}
	remove := func() error {
		_, err := h.DeleteConnection(t.Context(), acme, service.DeleteConnectionIn{ConnectionIn: service.ConnectionIn{ID: id}})
		return err
	}
	h.st.set("feed", true)
	wantCode(t, remove(), connectors.Unavailable)
	if c, err := h.Connection(t.Context(), acme, service.ConnectionIn{ID: id}); err != nil || c.Status != domain.Revoked {
		t.Errorf("on the way the connection is %s, %v", c.Status, err)
	}
	wantCode(t, h.StillThere(t.Context(), acme, id), connectors.Reauthorize)
	h.st.set("feed", false)
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, h.StillThere(t.Context(), acme, id), connectors.NotFound)
	wantCode(t, h.StillThere(t.Context(), acme, other), "")
	for id, want := range map[string]string{queued.ID: "canceled false", running.ID: "running true", kept.ID: "queued false"} {
		if j, err := h.st.Job(t.Context(), acme, id); err != nil || fmt.Sprint(j.Status, " ", j.CancelRequested && j.Status == domain.JobRunning) != want {
			t.Errorf("a job is %s, %t, want %s; %v", j.Status, j.CancelRequested, want, err)
		}
	}
	if head, err := h.st.Feed(t.Context(), acme, id); err != nil || head.Epoch != "" {
		t.Errorf("the feed is %+v, %v", head, err)
	}
	if states, err := h.st.ListSyncStates(t.Context(), acme, id); err != nil || len(states) != 0 {
		t.Errorf("the sync states are %+v, %v", states, err)
	}
	if _, err := h.st.PutRecords(t.Context(), f.head, []domain.Record{{Kind: domain.ItemRecord, ID: "9", ContainerID: "box", Hash: "9"}}); connectors.CodeOf(err) != connectors.Conflict {
		t.Errorf("whoever wrote the records writes on: %v", err)
	}
	r := g.reader()
	r.all(t, 10)
	r.want(t, "0", "1", "2")
}
