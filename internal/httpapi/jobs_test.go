package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
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
