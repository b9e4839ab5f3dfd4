package app_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
)

// The storm: callers in several processes on one store share one grant, whose access token lives for a second, while
// the provider rotates the refresh token and punishes its reuse. UCF_STORM sets its length, 3 s without it.
const (
	stormProcesses = 3
	stormPatience  = 10 * time.Second // how long a call may take
)

// stormCallers is how many call at once: 1,000 in a storm that is asked for, fewer where it is one test among many.
func stormCallers() int {
	if os.Getenv("UCF_STORM") != "" {
		return 1000
	}
	return 300
}

func stormLength() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("UCF_STORM")); err == nil {
		return d
	}
	return 3 * time.Second
}

func TestStorm(t *testing.T) {
	for _, kill := range []time.Duration{0, 2 * time.Second} {
		name := "quiet"
		if kill > 0 {
			name = "with kill -9"
		}
		t.Run(name, func(t *testing.T) { storm(t, kill) })
	}
}

// storm runs the processes, kills a random one every so often, and looks at what became of the grant.
func storm(t *testing.T, kill time.Duration) {
	length := stormLength()
	site := newStormSite(t, map[bool]string{false: "20ms", true: "250ms"}[kill > 0])
	home := t.TempDir()
	a := build(t, home, true, site.environ...)
	id := consent(t, a, "jira")

	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	s := &stormWatch{t: t}
	var wg sync.WaitGroup
	running := make([]atomic.Pointer[os.Process], stormProcesses)
	for i := range running {
		wg.Go(func() {
			for ctx.Err() == nil {
				s.child(ctx, home, id, site.environ, &running[i])
			}
		})
	}
	kills := 0
	if kill > 0 {
		kills = murder(ctx, kill, running)
	}
	wg.Wait()

	t.Logf("%s: %d calls, %d failed, longest %s, %d kills", length, s.calls.Load(), s.failed.Load(), time.Duration(s.longest.Load()).Round(time.Millisecond), kills)
	if s.calls.Load() == 0 || s.failed.Load() > 0 {
		t.Errorf("%d calls, %d of them failed, want some and none", s.calls.Load(), s.failed.Load())
	}
	if d := time.Duration(s.longest.Load()); d > stormPatience {
		t.Errorf("a call took %s", d)
	}
	site.judge(t, length, kills)
	if _, err := a.Service.Probe(t.Context(), "acme", probeOf("jira", id)); err != nil {
		t.Errorf("the connection is dead after the storm: %v", err)
	}
}

// murder kills a random process every so often, until ctx ends; it returns how many.
func murder(ctx context.Context, every time.Duration, running []atomic.Pointer[os.Process]) int {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return n
		case <-tick.C:
			if p := running[rand.IntN(len(running))].Load(); p != nil && p.Kill() == nil {
				n++
			}
		}
	}
}

// stormWatch gathers what the processes tell.
type stormWatch struct {
	t                      *testing.T
	calls, failed, longest atomic.Int64
}

// child runs one process until it ends, and reads its lines.
func (s *stormWatch) child(ctx context.Context, home, id string, environ []string, running *atomic.Pointer[os.Process]) {
	until, _ := ctx.Deadline()
	cmd := exec.Command(os.Args[0], "-test.run=^TestStormProcess$", "-test.v")
	cmd.Env = append(os.Environ(), "UCF_STORM_HOME="+home, "UCF_STORM_CONNECTION="+id,
		"UCF_STORM_UNTIL="+strconv.FormatInt(until.UnixMilli(), 10), "UCF_STORM_ENV="+strings.Join(environ, "\n"))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Error(err)
		return
	}
	running.Store(cmd.Process)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		s.line(lines.Text())
	}
	running.Store(nil)
	_ = cmd.Wait() // a process that was killed ends with an error
}

func (s *stormWatch) line(text string) {
	f := strings.SplitN(text, " ", 4)
	switch {
	case f[0] == "FAILED":
		s.failed.Add(1)
		s.t.Error(text)
	case f[0] == "CALLS" && len(f) >= 3:
		n, _ := strconv.ParseInt(f[1], 10, 64)
		longest, _ := strconv.ParseInt(f[2], 10, 64)
		s.calls.Add(n)
		for old := s.longest.Load(); old < longest && !s.longest.CompareAndSwap(old, longest); old = s.longest.Load() {
		}
	}
}

// TestStormProcess is one process of the storm.
func TestStormProcess(t *testing.T) {
	home := os.Getenv("UCF_STORM_HOME")
	if home == "" {
		return // it is started by TestStorm alone
	}
	ms, _ := strconv.ParseInt(os.Getenv("UCF_STORM_UNTIL"), 10, 64)
	ctx, cancel := context.WithDeadline(t.Context(), time.UnixMilli(ms))
	defer cancel()
	a := build(t, home, true, strings.Split(os.Getenv("UCF_STORM_ENV"), "\n")...)
	in := probeOf("jira", os.Getenv("UCF_STORM_CONNECTION"))
	var calls, longest atomic.Int64
	var out sync.Mutex
	var wg sync.WaitGroup
	for range (stormCallers() + stormProcesses - 1) / stormProcesses {
		wg.Go(func() {
			for pause(ctx, time.Duration(rand.Int64N(int64(2*time.Second)))) {
				begin := time.Now()
				_, err := a.Service.Probe(context.WithoutCancel(ctx), "acme", in)
				took := int64(time.Since(begin))
				for old := longest.Load(); old < took && !longest.CompareAndSwap(old, took); old = longest.Load() {
				}
				calls.Add(1)
				if err != nil {
					out.Lock()
					fmt.Println("FAILED", connectors.CodeOf(err), time.Duration(took), err)
					out.Unlock()
				}
			}
		})
	}
	tell := func() {
		out.Lock()
		defer out.Unlock()
		fmt.Println("CALLS", calls.Swap(0), longest.Load())
	}
	for pause(ctx, 100*time.Millisecond) {
		tell()
	}
	wg.Wait()
	tell()
}

// pause waits and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func probeOf(connector, connection string) service.ProbeIn {
	return service.ProbeIn{ConnectorIn: service.ConnectorIn{ID: connector}, Body: map[string]any{"connectionId": connection}}
}

// consent connects by OAuth, as a user who approves at once, and returns the connection.
func consent(t *testing.T, a *app.App, connector string) string {
	t.Helper()
	in := service.ConnectIn{ConnectorIn: service.ConnectorIn{ID: connector}}
	in.Body.Method, in.Body.RedirectURI = connectors.MethodOAuth, "http://127.0.0.1:8976/callback"
	begun, err := a.Service.Connect(t.Context(), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	back := approve(t, begun.AuthURL)
	done := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: connector}}
	done.Body.State, done.Body.Code = back.Get("state"), back.Get("code")
	out, err := a.Service.Connected(t.Context(), "acme", done)
	if err != nil {
		t.Fatal(err)
	}
	if out.Status != domain.Connected || out.Warning != "" {
		t.Fatalf("connected with %+v", out)
	}
	return out.ConnectionID
}

// approve opens the page of a consent, as a browser does, and returns what the provider sends it back with.
func approve(t *testing.T, address string) url.Values {
	t.Helper()
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		t.Fatalf("the consent page answered %s and led nowhere", resp.Status)
	}
	return to.Query()
}

// stormSite is a sandbox whose tokens live for a second, and whose token endpoint takes a little time.
type stormSite struct {
	*sandbox.Server
	environ []string
}

func newStormSite(t *testing.T, latency string) *stormSite {
	t.Helper()
	slow, err := sandbox.ParseFault("latency=" + latency + ",path=/oauth/token,method=POST")
	if err != nil {
		t.Fatal(err)
	}
	s, err := sandbox.New(sandbox.Options{TokenTTL: time.Second, AutoApprove: true, Faults: []sandbox.Fault{slow}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return &stormSite{s, append(s.Env(srv.URL), "ENCRYPTION_KEY=cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=")}
}

// judge looks at what the provider saw: refresh tokens were spent by one at a time, and never for punishment.
func (s *stormSite) judge(t *testing.T, length time.Duration, kills int) {
	t.Helper()
	spent, overlap, again := 0, 0, 0
	for _, one := range s.Spends() {
		spent += one.Spent
		overlap = max(overlap, one.Overlap)
		again += max(0, one.Sent-1)
	}
	t.Logf("%d refreshes, %d refresh tokens sent again, at most %d at once", spent, again, overlap)
	if punished := s.Punished(); len(punished) > 0 {
		t.Errorf("the provider punished a reuse: %+v", punished)
	}
	if least := int(length/time.Second) - 2; spent < least {
		t.Errorf("%d refreshes in %s, want at least %d", spent, length, least)
	}
	if overlap > 1 && kills == 0 || again > kills {
		t.Errorf("%d at once, %d sent again, with %d kills", overlap, again, kills)
	}
}
