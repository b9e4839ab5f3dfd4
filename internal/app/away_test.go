package app_test

import (
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
)

// gate is a way to a server that can be closed: what goes through it ends, and nothing comes through.
type gate struct {
	ln net.Listener
	to string

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{ln: ln, to: to, open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = ln.Close()
		g.shut(true)
	})
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go g.pass(c)
		}
	}()
	return g
}

func (g *gate) pass(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	defer up.Close()
	if !g.hold(c, up) {
		return
	}
	go func() {
		_, _ = io.Copy(up, c)
		_ = up.Close()
	}()
	_, _ = io.Copy(c, up)
}

// hold keeps both ends in mind, unless the gate is closed.
func (g *gate) hold(ends ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range ends {
		g.open[c] = true
	}
	return !g.closed
}

// shut closes or opens the gate.
func (g *gate) shut(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	for c := range g.open {
		_ = c.Close()
		delete(g.open, c)
	}
}

// away is how long the store is away: UCF_AWAY, a few seconds without it.
func away() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("UCF_AWAY")); err == nil {
		return d
	}
	return 8 * time.Second
}

// TestStoreAway takes MongoDB away in the middle of a sync and in the middle of a consent: both go on when it is back, and nothing is lost.
func TestStoreAway(t *testing.T) {
	address := os.Getenv("UCF_TEST_MONGODB_URL")
	if address == "" {
		t.Skip("UCF_TEST_MONGODB_URL names no server")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(t, u.Host)
	db := fmt.Sprintf("ucf_away_%d", os.Getpid())
	t.Cleanup(func() { dropDatabase(t, []string{"MONGODB_URL=" + address, "MONGODB_DB=" + db}) })
	u.Host = g.ln.Addr().String()
	d := newDesk(t, sandbox.Options{Issues: 5000, Now: time.Now}, "MONGODB_URL="+u.String(), "MONGODB_DB="+db, "ENCRYPTION_KEY="+chaosKey)
	back := d.back("acme", "jira", name("second"))
	id := d.connect("acme", "jira").ConnectionID
	srv := httptest.NewServer(d.sandbox)
	t.Cleanup(srv.Close)
	s := &synced{&box{d.sandbox, srv.URL, d.app}, "jira", id}

	var once sync.Once
	job := make(chan domain.Job)
	started := make(chan struct{})
	go func() {
		job <- s.watched(t, func(j domain.Job) {
			if j.Status == domain.JobQueued && j.Error != nil {
				t.Logf("an attempt failed: %+v", *j.Error)
			}
			if j.Counts.Items.Seen > 0 {
				once.Do(func() { close(started) })
			}
		})
	}()
	<-started
	g.shut(true)
	begin := time.Now()
	in := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: "jira"}}
	in.Body.State, in.Body.Code = back.Get("state"), back.Get("code")
	_, err = d.app.Service.Connected(t.Context(), "acme", in)
	if connectors.CodeOf(err) != connectors.Unavailable {
		t.Errorf("a consent that is completed meanwhile: %v, want unavailable", err)
	}
	t.Logf("meanwhile: %v, after %s", err, time.Since(begin).Round(time.Millisecond))
	if h := d.app.Service.Health(t.Context()); h.Status != "degraded" {
		t.Errorf("health says %+v", h)
	}
	time.Sleep(time.Until(begin.Add(away())))
	g.shut(false)
	j := <-job
	if j.Status != domain.JobSucceeded || j.Attempts > 0 {
		t.Fatalf("the job is %s after %d attempts: %+v", j.Status, j.Attempts, j.Error)
	}
	n, err := s.store(t).CountRecords(t.Context(), "acme", id, store.RecordFind{Kind: domain.ItemRecord})
	if err != nil || n != 5000 {
		t.Errorf("%d items are stored, %v", n, err)
	}
	if out, err := d.app.Service.Connected(t.Context(), "acme", in); err != nil || out.Status != domain.Connected {
		t.Errorf("the same consent, when the store is back: %+v, %v", out, err)
	}
	t.Logf("away for %s: %d items were read, the job took %s", away(), j.Counts.Items.Seen, j.FinishedAt.Sub(j.StartedAt).Round(time.Millisecond))
}

// watched runs an import to its end and tells watch of every step.
func (s *synced) watched(t *testing.T, watch func(domain.Job)) domain.Job {
	t.Helper()
	now := time.Now().UTC()
	j := domain.Job{
		Meta: domain.Meta{Tenant: "acme", CreatedAt: now, UpdatedAt: now}, ID: domain.NewID(domain.JobPrefix, now), ConnectionID: s.connection, Type: domain.ImportJob,
		Params: domain.JobParams{Streams: []string{"containers", "items"}},
	}
	if err := s.store(t).CreateJob(t.Context(), j); err != nil {
		t.Error(err)
	}
	j, err := s.app.Jobs.RunJob(t.Context(), "acme", j.ID, watch)
	if err != nil {
		t.Errorf("%v (%s)", err, connectors.CodeOf(err))
	}
	return j
}
