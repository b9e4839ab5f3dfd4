package app_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// TestReplicas has three processes' worth of ucf on one MongoDB: a consent that begins on one ends on another; all refresh one
// grant as one; a job that one is asked for and whose worker stops is worked off by another, and a third one's watcher
// sees it to its end.
func TestReplicas(t *testing.T) {
	address := os.Getenv("UCF_TEST_MONGODB_URL")
	if address == "" {
		t.Skip("UCF_TEST_MONGODB_URL names no server")
	}
	site := newStormSite(t, "20ms")
	env := []string{"MONGODB_URL=" + address, fmt.Sprintf("MONGODB_DB=ucf_replicas_%d", os.Getpid())}
	t.Cleanup(func() { dropDatabase(t, env) })
	var apps []*app.App
	for range 3 {
		apps = append(apps, build(t, t.TempDir(), true, append(env, site.environ...)...))
	}
	in := service.ConnectIn{ConnectorIn: service.ConnectorIn{ID: "jira"}}
	in.Body.Method, in.Body.RedirectURI = connectors.MethodOAuth, page
	begun, err := apps[0].Service.Connect(t.Context(), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	back := approve(t, begun.AuthURL)
	done := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: "jira"}}
	done.Body.State, done.Body.Code = back.Get("state"), back.Get("code")
	out, err := apps[1].Service.Connected(t.Context(), "acme", done)
	if err != nil || out.Status != domain.Connected {
		t.Fatalf("the other replica: %+v, %v", out, err)
	}
	if _, err := apps[2].Service.Connected(t.Context(), "acme", done); connectors.CodeOf(err) != connectors.InvalidRequest {
		t.Errorf("a third completion: %v", err)
	}
	probeAll(t, apps, out.ConnectionID, 4*time.Second)
	site.judge(t, 4*time.Second, 0)
	movingJob(t, apps, out.ConnectionID)
}

// probeAll has many callers on every replica use a grant whose access token lives for a second.
func probeAll(t *testing.T, apps []*app.App, connection string, length time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var wg sync.WaitGroup
	for _, a := range apps {
		for range 10 {
			wg.Go(func() {
				for pause(ctx, 100*time.Millisecond) {
					if _, err := a.Service.Probe(context.WithoutCancel(ctx), "acme", probeOf("jira", connection)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
}

// movingJob stops the replica that works at a job in the middle, and starts another.
func movingJob(t *testing.T, apps []*app.App, connection string) {
	t.Helper()
	in := service.StartJobIn{ConnectorID: "jira", Body: service.StartJobBody{Type: domain.ImportJob, Params: service.JobParams{ConnectionID: connection}}}
	j, err := apps[0].Service.StartJob(t.Context(), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	first, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	working.Go(func() { apps[0].Jobs.Run(first) })
	second, stopSecond := context.WithCancel(t.Context())
	defer stopSecond()
	moved := false
	for e, err := range apps[2].Service.WatchJob(t.Context(), "acme", service.JobIn{ID: j.ID}) {
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			continue
		}
		j = e.JobOut
		if j.Status == domain.JobRunning && !moved {
			moved = true
			stop()
			working.Go(func() { apps[1].Jobs.Run(second) })
		}
	}
	if !moved || j.Status != domain.JobSucceeded || j.Attempts > 0 || j.Counts.Items.Seen < 1000 {
		t.Errorf("moved %v: %+v", moved, j)
	}
}
