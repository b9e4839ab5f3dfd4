package service_test

import (
	"context"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
)

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
