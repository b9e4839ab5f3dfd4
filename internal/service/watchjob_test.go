package service_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
)

func TestWatchJob(t *testing.T) {
	h := newHarness(t)
	h.mustPut(t, acme, "main", config())
	j := h.mustStart(t, acme, start(domain.SyncJob))
	var got []string
	for e, err := range h.WatchJob(t.Context(), acme, service.JobIn{ID: j.ID}) {
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			h.end(t, j.ID)
			continue
		}
		got = append(got, fmt.Sprintf("%s %d", e.Status, e.Progress))
		switch len(got) {
		case 1:
			h.step(t, j.ID, 40)
		case 2:
			h.step(t, j.ID, 40) // nothing new
		}
	}
	if want := []string{"queued 0", "running 40", "succeeded 100"}; !slices.Equal(got, want) {
		t.Errorf("seen were %v, want %v", got, want)
	}
	for _, err := range h.WatchJob(t.Context(), "other", service.JobIn{ID: j.ID}) {
		wantCode(t, err, connectors.NotFound)
	}
}

// step claims a job where nobody has it, and writes how far it is.
func (h *harness) step(t *testing.T, id string, progress int) {
	t.Helper()
	j, err := h.st.Job(t.Context(), acme, id)
	if err == nil && j.Status == domain.JobQueued {
		j, err = h.st.ClaimJob(t.Context(), store.Claim{Owner: "w", Term: time.Minute, Tenant: acme, ID: id})
	}
	if err == nil {
		_, err = h.st.BeatJob(t.Context(), store.Hold{Tenant: acme, ID: id, Fence: j.Fence}, time.Minute, &domain.JobState{Progress: progress})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (h *harness) end(t *testing.T, id string) {
	t.Helper()
	j, err := h.st.Job(t.Context(), acme, id)
	if err != nil {
		t.Fatal(err)
	}
	j.Status, j.Progress, j.FinishedAt = domain.JobSucceeded, 100, time.Now().UTC()
	if err := h.st.EndJob(t.Context(), store.Hold{Tenant: acme, ID: id, Fence: j.Fence}, j); err != nil {
		t.Fatal(err)
	}
}

func TestWatchJobWaitsForTheStore(t *testing.T) {
	h := newHarness(t)
	h.mustPut(t, acme, "main", config())
	j := h.mustStart(t, acme, start(domain.SyncJob))
	h.st.set("job", true)
	for _, err := range h.WatchJob(t.Context(), acme, service.JobIn{ID: j.ID}) {
		wantCode(t, err, connectors.Unavailable) // nothing was seen of the job yet
	}
	h.st.set("job", false)
	looks := 0
	for e, err := range h.WatchJob(t.Context(), acme, service.JobIn{ID: j.ID}) {
		looks++
		switch {
		case looks == 1 && e != nil:
			h.st.set("job", true)
		case looks == 2 && e == nil && err == nil:
			h.now = h.now.Add(6 * time.Minute)
		case looks == 3 && err != nil:
			wantCode(t, err, connectors.Unavailable)
		default:
			t.Fatalf("look %d: %+v, %v", looks, e, err)
		}
	}
	if looks != 3 {
		t.Errorf("%d looks, want 3", looks)
	}
}
