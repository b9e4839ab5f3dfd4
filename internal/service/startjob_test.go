package service_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
)

func start(kind domain.JobType, change ...func(*service.StartJobBody)) service.StartJobIn {
	in := service.StartJobIn{ConnectorID: "toy", Body: service.StartJobBody{Type: kind}}
	for _, f := range change {
		f(&in.Body)
	}
	return in
}

func key(k string) func(*service.StartJobBody) {
	return func(b *service.StartJobBody) { b.IdempotencyKey = k }
}

func (h *harness) mustStart(t *testing.T, tenant domain.Tenant, in service.StartJobIn) service.JobOut {
	t.Helper()
	j, err := h.StartJob(t.Context(), tenant, in)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestStartJob(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config())
	j := h.mustStart(t, acme, start(domain.SyncJob, func(b *service.StartJobBody) {
		twenty := 20
		b.Params = service.JobParams{Containers: []string{"a", "b"}, Streams: []string{"items"}, Every: "90m", Census: "never", MaxDeletions: &twenty}
	}))
	if j.ConnectionID != id || j.ConnectorID != "toy" || j.Status != domain.JobQueued || j.Every != "1h30m" || j.Incomplete == nil {
		t.Errorf("the job is %+v", j)
	}
	stored, err := h.st.Job(t.Context(), acme, j.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", stored.Params), fmt.Sprintf("%+v", domain.JobParams{Containers: []string{"a", "b"}, Streams: []string{"items"}, Every: 5400, Census: "never", MaxDeletions: 20}); got != want {
		t.Errorf("kept are %s, want %s", got, want)
	}
	if got, err := h.Job(t.Context(), acme, service.JobIn{ID: j.ID}); err != nil || got.ID != j.ID || got.Every != "1h30m" {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = h.Job(t.Context(), "other", service.JobIn{ID: j.ID})
	wantCode(t, err, connectors.NotFound)
}

func TestStartJobFaultsAreAllTold(t *testing.T) {
	h := newHarness(t)
	zero, many := 0, 101
	long := strings.Repeat("x", 501)
	for name, tc := range map[string]struct {
		body service.StartJobBody
		want string
	}{
		"nothing":       {service.StartJobBody{}, "type"},
		"everything":    {service.StartJobBody{Type: "x", IdempotencyKey: "a b", Params: service.JobParams{Containers: []string{"", "a", "a"}, Streams: []string{"items", "issues"}, Every: "59s", Census: "x", MaxDeletions: &zero}}, "type idempotencyKey params.every params.census params.maxDeletions params.streams[1] params.containers[0] params.containers[2]"},
		"no duration":   {service.StartJobBody{Type: "sync", Params: service.JobParams{Every: "15"}}, "params.every"},
		"not whole":     {service.StartJobBody{Type: "sync", Params: service.JobParams{Every: "1m0.5s"}}, "params.every"},
		"ages":          {service.StartJobBody{Type: "sync", Params: service.JobParams{Every: "100000h"}}, "params.every"},
		"over all":      {service.StartJobBody{Type: "sync", Params: service.JobParams{MaxDeletions: &many}}, "params.maxDeletions"},
		"long key":      {service.StartJobBody{Type: "sync", IdempotencyKey: strings.Repeat("k", 201)}, "idempotencyKey"},
		"key of a next": {service.StartJobBody{Type: "sync", IdempotencyKey: "after job_x"}, "idempotencyKey"},
		"containers":    {service.StartJobBody{Type: "sync", Params: service.JobParams{Containers: []string{long, "\xff"}}}, "params.containers[0] params.containers[1]"},
		"a probe":       {service.StartJobBody{Type: "probe", Params: service.JobParams{Containers: []string{"a"}, Streams: []string{"items"}, Census: "auto", MaxDeletions: &many}}, "params.maxDeletions params.containers params.streams params.census params.maxDeletions"},
	} {
		t.Run(name, func(t *testing.T) {
			// No connection is there: faults are found before anything is looked up.
			_, err := h.StartJob(t.Context(), acme, service.StartJobIn{ConnectorID: "toy", Body: tc.body})
			wantCode(t, err, connectors.InvalidRequest)
			faults, _ := connectors.AsError(err).Details["fields"].([]connectors.Fault)
			var names []string
			for _, f := range faults {
				names = append(names, f.Field)
			}
			if got := strings.Join(names, " "); got != tc.want {
				t.Errorf("faults in %s, want %s", got, tc.want)
			}
		})
	}
}

func TestStartJobIsRefused(t *testing.T) {
	h := newHarness(t)
	_, err := h.StartJob(t.Context(), acme, start(domain.SyncJob))
	wantCode(t, err, connectors.NotFound)
	h.mustPut(t, acme, "main", config())
	h.mustPut(t, acme, "second", config())
	named := func(ref string) func(*service.StartJobBody) {
		return func(b *service.StartJobBody) { b.Params.ConnectionID = ref }
	}
	if _, err := h.Revoke(t.Context(), acme, service.RevokeIn{Body: service.RevokeBody{ConnectionID: "second"}}); err != nil {
		t.Fatal(err)
	}
	h.mustPut(t, acme, "third", config())
	for name, tc := range map[string]struct {
		tenant domain.Tenant
		in     service.StartJobIn
		want   connectors.Code
	}{
		"several":         {acme, start(domain.SyncJob), connectors.Conflict},
		"revoked":         {acme, start(domain.SyncJob, named("second")), connectors.Reauthorize},
		"no such":         {acme, start(domain.SyncJob, named("nobody")), connectors.NotFound},
		"another tenant":  {"other", start(domain.SyncJob, named("main")), connectors.NotFound},
		"no such stream":  {acme, start(domain.SyncJob, named("main"), func(b *service.StartJobBody) { b.Params.Streams = []string{"comments"} }), connectors.Unsupported},
		"no such toy":     {acme, service.StartJobIn{ConnectorID: "none", Body: service.StartJobBody{Type: domain.SyncJob}}, connectors.NotFound},
		"of no connector": {acme, service.StartJobIn{ConnectorID: "", Body: service.StartJobBody{Type: domain.SyncJob}}, connectors.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.StartJob(t.Context(), tc.tenant, tc.in)
			wantCode(t, err, tc.want)
		})
	}
	if n, _, err := h.st.CountJobs(t.Context(), acme); n != 0 || err != nil {
		t.Errorf("%d jobs were made, %v", n, err)
	}
}

func TestStartJobAgainIsTheSameJob(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config())
	first := h.mustStart(t, acme, start(domain.SyncJob, key("k")))
	second := h.mustPut(t, acme, "second", config())
	on := func(ref string) func(*service.StartJobBody) {
		return func(b *service.StartJobBody) { b.Params.ConnectionID = ref }
	}
	for name, tc := range map[string]struct {
		in   service.StartJobIn
		want connectors.Code
	}{
		"the same":           {start(domain.SyncJob, key("k")), ""}, // though there are two connections by now
		"by id":              {start(domain.SyncJob, key("k"), on(id)), ""},
		"by name":            {start(domain.SyncJob, key("k"), on("main")), ""},
		"another connection": {start(domain.SyncJob, key("k"), on(second)), connectors.Conflict},
		"another by name":    {start(domain.SyncJob, key("k"), on("second")), connectors.Conflict},
		"another type":       {start(domain.ImportJob, key("k")), connectors.Conflict},
		"another time":       {start(domain.SyncJob, key("k"), func(b *service.StartJobBody) { b.Params.Every = "1m" }), connectors.Conflict},
		"other containers":   {start(domain.SyncJob, key("k"), func(b *service.StartJobBody) { b.Params.Containers = []string{"a"} }), connectors.Conflict},
		"other streams":      {start(domain.SyncJob, key("k"), func(b *service.StartJobBody) { b.Params.Streams = []string{"items"} }), connectors.Conflict},
		"another census":     {start(domain.SyncJob, key("k"), func(b *service.StartJobBody) { b.Params.Census = "never" }), connectors.Conflict},
		"other deletions":    {start(domain.SyncJob, key("k"), func(b *service.StartJobBody) { one := 1; b.Params.MaxDeletions = &one }), connectors.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			j, err := h.StartJob(t.Context(), acme, tc.in)
			wantCode(t, err, tc.want)
			if err == nil && j.ID != first.ID {
				t.Errorf("got %s, want %s", j.ID, first.ID)
			}
		})
	}
	if other := h.mustPut(t, "other", "main", config()); h.mustStart(t, "other", start(domain.SyncJob, key("k"))).ConnectionID != other {
		t.Error("a key reaches over tenants")
	}
}

// meeting makes callers look for a key before any of them makes its job.
type meeting struct {
	store.Store
	wait sync.WaitGroup
}

func (m *meeting) CountJobs(ctx context.Context, t domain.Tenant) (int, int, error) {
	m.wait.Done()
	m.wait.Wait()
	return m.Store.CountJobs(ctx, t)
}

func TestStartJobAtOnce(t *testing.T) {
	h := newHarness(t)
	h.mustPut(t, acme, "main", config())
	m := &meeting{Store: h.st}
	m.wait.Add(8)
	s := service.New(service.Deps{
		Definitions: []*connectors.Definition{&toy}, Store: func(context.Context) (store.Store, error) { return m, nil }, Keeper: newKeeper(t), Outbound: nowhere{},
	})
	ids := make([]string, 8)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			j, err := s.StartJob(t.Context(), acme, start(domain.SyncJob, key("k")))
			if err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
			ids[i] = j.ID
		})
	}
	all.Wait()
	if got := slices.Compact(ids); len(got) != 1 {
		t.Errorf("the jobs are %v", got)
	}
}

func TestQueueIsBounded(t *testing.T) {
	h := newHarness(t)
	id := h.mustPut(t, acme, "main", config())
	now := time.Now().UTC()
	for i := range 1000 {
		err := h.st.CreateJob(t.Context(), domain.Job{
			Meta: domain.Meta{Tenant: acme, CreatedAt: now, UpdatedAt: now}, ID: domain.NewID(domain.JobPrefix, now),
			ConnectorID: "toy", ConnectionID: id, Type: domain.SyncJob, Status: domain.JobQueued, IdempotencyKey: fmt.Sprint("k", i),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := h.StartJob(t.Context(), acme, start(domain.SyncJob))
	wantCode(t, err, connectors.Unavailable)
	if connectors.AsError(err).RetryAfter <= 0 {
		t.Error("nothing tells when to try again")
	}
	if _, err := h.StartJob(t.Context(), acme, start(domain.SyncJob, key("k7"))); err != nil {
		t.Errorf("a job that was accepted is refused: %v", err)
	}
	h.mustPut(t, "other", "main", config())
	h.mustStart(t, "other", start(domain.SyncJob))
	page, err := h.Jobs(t.Context(), acme, service.JobsIn{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.CancelJob(t.Context(), acme, service.CancelJobIn{JobIn: service.JobIn{ID: page.Items[0].ID}}); err != nil {
		t.Fatal(err)
	}
	h.mustStart(t, acme, start(domain.SyncJob))
}
