package service_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

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
