package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/httpapi"
	"github.com/unified-connector/ucf/internal/store"
)

// start starts a job and returns its id.
func (l *lab) start(body object) string {
	l.t.Helper()
	out := l.do(call{method: "POST", path: "/api/connectors/toy/jobs", body: body})
	out.want(l.t, 202, "")
	var j struct{ ID string }
	if err := json.Unmarshal(out.Data, &j); err != nil {
		l.t.Fatal(err)
	}
	return j.ID
}

// events is an event stream that is being read.
type events struct {
	t      *testing.T
	res    *http.Response
	lines  *bufio.Scanner
	cancel context.CancelFunc
}

func (l *lab) events(job string, header map[string]string) *events {
	l.t.Helper()
	r := l.request(call{method: "GET", path: "/api/jobs/" + job + "/events", header: header})
	ctx, cancel := context.WithCancel(r.Context())
	res, err := l.client.Do(r.WithContext(ctx))
	if err != nil {
		l.t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		l.t.Fatalf("%d %s", res.StatusCode, got)
	}
	e := &events{l.t, res, bufio.NewScanner(res.Body), cancel}
	l.t.Cleanup(e.close)
	return e
}

func (e *events) close() {
	e.cancel()
	_ = e.res.Body.Close()
}

// next returns the next event as "name status progress", "" at the end of the stream.
func (e *events) next() string {
	e.t.Helper()
	fields := map[string]string{}
	for e.lines.Scan() {
		if e.lines.Text() == "" {
			break
		}
		name, value, _ := strings.Cut(e.lines.Text(), ": ")
		fields[name] = value
	}
	if len(fields) == 0 {
		return ""
	}
	var j struct {
		Status   string
		Progress int
	}
	if err := json.Unmarshal([]byte(fields["data"]), &j); err != nil || fields["id"] == "" {
		e.t.Errorf("the event is %v: %v", fields, err)
	}
	return fmt.Sprint(fields["event"], " ", j.Status, " ", j.Progress)
}

func (l *lab) step(job string, progress int) domain.Job {
	l.t.Helper()
	j, err := l.store.Job(l.t.Context(), "acme", job)
	if err == nil && j.Status == domain.JobQueued {
		j, err = l.store.ClaimJob(l.t.Context(), store.Claim{Owner: "w", Term: time.Minute, Tenant: "acme", ID: job})
	}
	if err == nil {
		j, err = l.store.BeatJob(l.t.Context(), store.Hold{Tenant: "acme", ID: job, Fence: j.Fence}, time.Minute, &domain.JobState{Progress: progress})
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return j
}

func TestEvents(t *testing.T) {
	l := newLab(t)
	l.put("acme", "main", "good")
	job := l.start(object{"type": "sync"})
	e := l.events(job, map[string]string{"Last-Event-ID": "not one of ours"})
	got := []string{e.next()}
	l.step(job, 30)
	got = append(got, e.next())
	j := l.step(job, 70)
	got = append(got, e.next())
	j.Status, j.Progress, j.FinishedAt = domain.JobFailed, 100, time.Now()
	j.Error = &domain.JobError{Code: connectors.Incomplete, Message: "a\nb"}
	j.AddGap(connectors.Gap{ContainerID: "box", Code: connectors.Forbidden, Reason: "<&>\r\n"})
	if err := l.store.EndJob(t.Context(), store.Hold{Tenant: "acme", ID: job, Fence: j.Fence}, j); err != nil {
		t.Fatal(err)
	}
	got = append(got, e.next(), e.next())
	if want := []string{"progress queued 0", "progress running 30", "progress running 70", "done failed 100", ""}; !slices.Equal(got, want) {
		t.Errorf("the events are %q, want %q", got, want)
	}
	late := l.events(job, nil)
	if got := []string{late.next(), late.next()}; !slices.Equal(got, []string{"done failed 100", ""}) {
		t.Errorf("of a job that is over the events are %q", got)
	}
	for _, line := range l.lines() {
		if line["path"] == "/api/jobs/{id}/events" && (line["status_code"] != 200.0 || line["tenant_id"] != "acme") {
			t.Errorf("the log line is %v", line)
		}
	}
}

// Whoever watches does not hold up the end of the server, nor does the server watch for one who is gone.
func TestEventsEnd(t *testing.T) {
	for name, end := range map[string]func(*lab, *events){
		"the server stops": func(l *lab, _ *events) {
			began := time.Now()
			if err := l.stop(); err != nil {
				l.t.Error(err)
			}
			if took := time.Since(began); took > 5*time.Second {
				l.t.Errorf("the server took %s to stop", took)
			}
		},
		"the client is gone": func(_ *lab, e *events) { e.close() },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.put("acme", "main", "good")
			e := l.events(l.start(object{"type": "sync"}), nil)
			if got := e.next(); got != "progress queued 0" {
				t.Errorf("the event is %q", got)
			}
			end(l, e)
			l.logged("/api/jobs/{id}/events")
			if _, err := io.Copy(io.Discard, e.res.Body); err != nil && name == "the server stops" {
				t.Errorf("the stream broke off: %v", err)
			}
		})
	}
}

// logged waits for the completion line of a route.
func (l *lab) logged(route string) {
	l.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, line := range l.lines() {
			if line["path"] == route {
				return
			}
		}
	}
	l.t.Fatalf("the request to %s goes on", route)
}

// An error in the middle of a stream is told in it.
func TestEventsBreakOff(t *testing.T) {
	l := newLab(t)
	l.put("acme", "main", "good")
	job := l.start(object{"type": "sync"})
	e := l.events(job, nil)
	e.next()
	j := l.step(job, 10)
	j.Status, j.FinishedAt = domain.JobSucceeded, time.Now().Add(-time.Hour)
	if err := l.store.EndJob(t.Context(), store.Hold{Tenant: "acme", ID: job, Fence: j.Fence}, j); err != nil {
		t.Fatal(err)
	}
	if _, err := l.store.SweepJobs(t.Context(), time.Now(), 10); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(e.res.Body)
	if err != nil || !strings.Contains(string(text), "event: error\ndata: {\"code\":\"not_found\",") {
		t.Errorf("%s, %v", text, err)
	}
}

// A stream goes on for longer than an answer may take, and is never silent for long.
func TestEventsHeartbeat(t *testing.T) {
	l := newLab(t, func(o *httpapi.Options) http.Handler {
		return httpapi.NewWithHeartbeat(*o, time.Millisecond, 700*time.Millisecond)
	})
	l.put("acme", "main", "good")
	e := l.events(l.start(object{"type": "sync"}), nil)
	e.next()
	for n := 0; n < 3; {
		if !e.lines.Scan() {
			t.Fatalf("after %d heartbeats the stream broke off: %v", n, e.lines.Err())
		}
		switch e.lines.Text() {
		case ": still here":
			n++
		case "":
		default:
			t.Fatalf("got %q", e.lines.Text())
		}
	}
}
