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
	"github.com/unified-connector/ucf/internal/store"
)

func TestJobRoutes(t *testing.T) {
	l := newLab(t)
	id := l.put("acme", "main", "good")
	job := l.start(object{"type": "sync", "params": object{"every": "15m", "streams": []string{"items"}}, "idempotencyKey": "k"})
	for _, tc := range []struct {
		route  string
		body   any
		status int
		code   connectors.Code
		data   string // a part of the data
	}{
		{"POST /api/connectors/toy/jobs", object{"type": "sync", "params": object{"every": "15m", "streams": []string{"items"}}, "idempotencyKey": "k"}, 202, "", `"id":"` + job + `"`},
		{"POST /api/connectors/toy/jobs", object{"type": "import", "idempotencyKey": "k"}, 409, connectors.Conflict, ""},
		{"POST /api/connectors/toy/jobs", object{"type": "sync", "params": object{"streams": []string{"comments"}}}, 501, connectors.Unsupported, ""},
		{"POST /api/connectors/none/jobs", object{"type": "sync"}, 404, connectors.NotFound, ""},
		{"POST /api/connectors/toy/jobs", object{"type": "sync", "params": object{"connectionId": "con_00000000000000000000000000"}}, 404, connectors.NotFound, ""},
		{"POST /api/connectors/toy/jobs", object{"type": "sync", "workspaceId": "other"}, 403, connectors.Forbidden, ""},
		{"GET /api/jobs", nil, 200, "", `{"items":[{"id":"` + job + `","connectorId":"toy","connectionId":"` + id + `","type":"sync","status":"queued","progress":0,"counts":{"containers":{"seen":0`},
		{"GET /api/jobs?status=queued&connectionId=" + id, nil, 200, "", `"incomplete":[],"attempts":0,"every":"15m","createdAt":"`},
		{"GET /api/jobs?status=failed", nil, 200, "", `{"items":[],"next":null}`},
		{"GET /api/jobs?status=lost", nil, 422, connectors.InvalidRequest, ""},
		{"GET /api/jobs?limit=0", nil, 422, connectors.InvalidRequest, ""},
		{"GET /api/jobs?cursor=damaged", nil, 400, connectors.InvalidRequest, ""},
		{"GET /api/jobs/" + job, nil, 200, "", `"status":"queued"`},
		{"GET /api/jobs/x", nil, 404, connectors.NotFound, ""},
		{"GET /api/jobs/x/events", nil, 404, connectors.NotFound, ""},
		{"POST /api/jobs/" + job + "/cancel", nil, 200, "", `"status":"canceled"`},
		{"POST /api/jobs/" + job + "/cancel", nil, 409, connectors.Conflict, ""},
		{"POST /api/jobs/x/cancel", nil, 404, connectors.NotFound, ""},
		{"GET /api/connections/" + id + "/records", nil, 200, "", `{"items":[],"next":null,"epoch":"","published":0,"oldest":0}`},
		{"GET /api/connections/" + id + "/records?changedAfter=5", nil, 409, connectors.Conflict, ""},
		{"GET /api/connections/" + id + "/records?changedAfter=x", nil, 422, connectors.InvalidRequest, ""},
		{"GET /api/connections/" + id + "/records?changedafter=0", nil, 422, connectors.InvalidRequest, ""},
		{"GET /api/connections/" + id + "/records?kind=issue", nil, 422, connectors.InvalidRequest, ""},
		{"GET /api/connections/" + id + "/records?limit=201", nil, 422, connectors.InvalidRequest, ""},
		{"GET /api/connections/con_00000000000000000000000000/records", nil, 404, connectors.NotFound, ""},
	} {
		t.Run(tc.route, func(t *testing.T) {
			method, path, _ := strings.Cut(tc.route, " ")
			out := l.do(call{method: method, path: path, body: tc.body})
			out.want(t, tc.status, tc.code)
			if !strings.Contains(string(out.Data), tc.data) {
				t.Errorf("the data is %s, want %s in it", out.Data, tc.data)
			}
		})
	}
	for _, route := range []string{"GET /api/jobs/" + job, "POST /api/jobs/" + job + "/cancel", "GET /api/jobs/" + job + "/events", "GET /api/connections/" + id + "/records"} {
		method, path, _ := strings.Cut(route, " ")
		l.do(call{method: method, path: path, tenant: "other"}).want(t, 404, connectors.NotFound)
	}
}

// Faults that the schema finds and those that it cannot find are told together.
func TestStartJobFaults(t *testing.T) {
	l := newLab(t)
	for _, tc := range []struct {
		body any
		want string
	}{
		{object{}, "type"},
		{object{"type": "x"}, "type"},
		{object{"type": "sync", "params": object{"stream": []string{"items"}}}, "params.stream"},
		{object{"type": "sync", "params": object{"streams": []string{"issues"}, "every": "5s", "maxDeletions": 0, "containers": []string{""}}, "idempotencyKey": "a b"}, "idempotencyKey params.containers[0] params.every params.maxDeletions params.streams[0]"},
		{object{"type": "probe", "params": object{"containers": []string{"a"}}, "census": "x"}, "census params.containers"},
	} {
		out := l.do(call{method: "POST", path: "/api/connectors/toy/jobs", body: tc.body})
		out.want(t, 422, connectors.InvalidRequest)
		if out.faults() != tc.want {
			t.Errorf("%v: faults in %q, want %q: %s", tc.body, out.faults(), tc.want, out.text)
		}
	}
}

func TestFullQueue(t *testing.T) {
	l := newLab(t)
	id := l.put("acme", "main", "good")
	now := time.Now().UTC()
	for range 1000 {
		err := l.store.CreateJob(t.Context(), domain.Job{
			Meta: domain.Meta{Tenant: "acme", CreatedAt: now, UpdatedAt: now}, ID: domain.NewID(domain.JobPrefix, now), ConnectorID: "toy", ConnectionID: id, Type: domain.SyncJob,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	out := l.do(call{method: "POST", path: "/api/connectors/toy/jobs", body: object{"type": "sync"}})
	out.want(t, 503, connectors.Unavailable)
	if got := out.header.Get("Retry-After"); got != "30" {
		t.Errorf("Retry-After is %q", got)
	}
}

// What a provider sent is answered byte for byte.
func TestRecordValues(t *testing.T) {
	l := newLab(t)
	id := l.put("acme", "main", "good")
	f, err := l.store.TakeFeed(t.Context(), "acme", id, "w", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	const raw = `{"b":"<&>é","a":1.50,"n":12345678901234567890.10}`
	_, err = l.store.PutRecords(t.Context(), f, []domain.Record{
		{Kind: domain.ItemRecord, ID: "1", ContainerID: "box", Hash: "1", SyncedAt: time.Unix(1e9, 0), Value: json.RawMessage(`{"id":"1","meta":{"n":1.10}}`), Raw: json.RawMessage(raw)},
		{Kind: domain.ItemRecord, ID: "2", ContainerID: "box", Hash: "2", SyncedAt: time.Unix(1e9, 0), Value: json.RawMessage(`{"id":"2"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.store.PutRecords(t.Context(), f, []domain.Record{{Kind: domain.ItemRecord, ID: "2", ContainerID: "box", Deleted: true, Reason: "archived", SyncedAt: time.Unix(1e9, 0)}}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"raw=true":       `{"id":"1","meta":{"n":1.10},"raw":` + raw + `}}`,
		"limit=1":        `"value":{"id":"1","meta":{"n":1.10}}}],"next":"1","epoch":"` + f.Epoch + `","published":3,"oldest":0}`,
		"changedAfter=1": `[{"kind":"item","id":"2","containerId":"box","change":3,"deleted":true,"deletedReason":"archived","syncedAt":"2001-09-09T01:46:40Z","value":null}],"next":null`,
	} {
		out := l.do(call{method: "GET", path: "/api/connections/" + id + "/records?" + query})
		out.want(t, 200, "")
		if !strings.Contains(out.text, want) {
			t.Errorf("%s: %s, want %s in it", query, out.text, want)
		}
	}
}

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
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != "text/event-stream" {
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
