package service_test

import (
	"slices"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
)

func TestJobsArePaged(t *testing.T) {
	h := newHarness(t)
	main, second := h.mustPut(t, acme, "main", config()), h.mustPut(t, acme, "second", config())
	var want []string
	for i := range 7 {
		j := h.mustStart(t, acme, start(domain.SyncJob, func(b *service.StartJobBody) { b.Params.ConnectionID = []string{main, second}[i%2] }))
		want = append([]string{j.ID}, want...)
	}
	if _, err := h.CancelJob(t.Context(), acme, service.CancelJobIn{JobIn: service.JobIn{ID: want[0]}}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		in   service.JobsIn
		want []string
	}{
		"all":                {service.JobsIn{}, want},
		"of a connection":    {service.JobsIn{ConnectionID: second}, []string{want[1], want[3], want[5]}},
		"of a name":          {service.JobsIn{ConnectionID: "second"}, []string{want[1], want[3], want[5]}},
		"in a state":         {service.JobsIn{Status: domain.JobCanceled}, want[:1]},
		"of one in a state":  {service.JobsIn{ConnectionID: main, Status: domain.JobQueued}, []string{want[2], want[4], want[6]}},
		"of one that's gone": {service.JobsIn{ConnectionID: domain.NewID(domain.ConnectionPrefix, time.Now())}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for tc.in.Limit = 2; ; {
				page, err := h.Jobs(t.Context(), acme, tc.in)
				if err != nil {
					t.Fatal(err)
				}
				for _, j := range page.Items {
					got = append(got, j.ID)
				}
				if page.Next == "" {
					break
				}
				tc.in.Cursor = string(page.Next)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	page, err := h.Jobs(t.Context(), acme, service.JobsIn{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Jobs(t.Context(), acme, service.JobsIn{Limit: 1, Status: domain.JobQueued, Cursor: string(page.Next)})
	wantCode(t, err, connectors.InvalidRequest)
	_, err = h.Jobs(t.Context(), acme, service.JobsIn{Limit: 1, Status: "lost"})
	wantCode(t, err, connectors.InvalidRequest)
	_, err = h.Jobs(t.Context(), acme, service.JobsIn{Limit: 201, ConnectionID: "nobody"})
	wantCode(t, err, connectors.InvalidRequest)
}

func TestCancelJob(t *testing.T) {
	h := newHarness(t)
	h.mustPut(t, acme, "main", config())
	cancel := func(tenant domain.Tenant, id string) (service.JobOut, error) {
		return h.CancelJob(t.Context(), tenant, service.CancelJobIn{JobIn: service.JobIn{ID: id}})
	}
	waiting := h.mustStart(t, acme, start(domain.SyncJob))
	_, err := cancel("other", waiting.ID)
	wantCode(t, err, connectors.NotFound)
	if j, err := cancel(acme, waiting.ID); err != nil || j.Status != domain.JobCanceled || j.FinishedAt == nil || j.CancelRequested {
		t.Errorf("%+v, %v", j, err)
	}
	_, err = cancel(acme, waiting.ID)
	wantCode(t, err, connectors.Conflict)

	running := h.mustStart(t, acme, start(domain.SyncJob))
	if _, err := h.st.ClaimJob(t.Context(), store.Claim{Owner: "w", Term: time.Minute, Tenant: acme, ID: running.ID}); err != nil {
		t.Fatal(err)
	}
	if j, err := cancel(acme, running.ID); err != nil || j.Status != domain.JobRunning || !j.CancelRequested || j.FinishedAt != nil {
		t.Errorf("%+v, %v", j, err)
	}
}

func TestJobsAreAudited(t *testing.T) {
	h := newHarness(t)
	h.mustPut(t, acme, "main", config())
	ctx := service.WithCaller(t.Context(), service.Caller{Actor: "tester", RequestID: "req-7"})
	var j service.JobOut
	h.auditedBothTimes(t, "job.start", func() (err error) { j, err = h.StartJob(ctx, acme, start(domain.SyncJob, key("k"))); return err })
	h.mustStart(t, acme, start(domain.SyncJob, key("k")))
	if n := len(h.audit(t, "job.start")); n != 2 {
		t.Errorf("a repetition that changes nothing is audited: %d entries", n)
	}
	h.auditedBothTimes(t, "job.cancel", func() error {
		_, err := h.CancelJob(ctx, acme, service.CancelJobIn{JobIn: service.JobIn{ID: j.ID}})
		return err
	})
}
