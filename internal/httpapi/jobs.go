package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// startJobIn is a start whose faults are told together with those that its schema finds.
type startJobIn struct {
	service.StartJobIn
}

// Resolve implements [huma.Resolver].
func (in *startJobIn) Resolve(huma.Context) []error {
	var errs []error
	for _, f := range in.Faults() {
		errs = append(errs, &huma.ErrorDetail{Location: "body." + f.Field, Message: f.Message})
	}
	return errs
}

func (a *api) addJobs() {
	op := operation{method: http.MethodPost, tag: tagConnectors, path: "/connectors/{id}/jobs", id: "startJob", accepts: true, summary: "Start a job"}
	op.details = "Accepted in one write: whatever process serves over this store works at it. A request that is repeated with its `idempotencyKey` is answered with the " +
		"job that it made; another request with that key is 409. With `every` the job is repeated until it is canceled. A tenant with 1,000 jobs that wait gets 503."
	op.example = object{"type": "sync", "params": object{"containers": []string{"PAY"}, "every": "15m"}, "idempotencyKey": "nightly-1"}
	bind(a, op, func(ctx context.Context, t domain.Tenant, in startJobIn) (service.JobOut, error) {
		return a.Service.StartJob(ctx, t, in.StartJobIn)
	})

	op = operation{method: http.MethodGet, tag: tagJobs, path: "/jobs", id: "listJobs", summary: "List the jobs, newest first"}
	bind(a, op, a.Service.Jobs)

	op = operation{method: http.MethodGet, tag: tagJobs, path: "/jobs/{id}", id: "getJob", summary: "Show a job"}
	bind(a, op, a.Service.Job)

	op = operation{method: http.MethodPost, tag: tagJobs, path: "/jobs/{id}/cancel", id: "cancelJob", summary: "Cancel a job"}
	op.details = "One that waits is canceled at once; one that runs is asked to stop, and keeps what it read. A repeated job ends with it. One that is over is 409."
	bind(a, op, a.Service.CancelJob)

	a.addJobEvents()
}

func (a *api) addRecords() {
	op := operation{method: http.MethodGet, tag: tagConnections, path: "/connections/{id}/records", id: "listRecords", summary: "List what changed in a connection's records"}
	op.details = "Ordered by `change`. Begin with `changedAfter=0` and go on with `next`; where that is null everything is read, and later you go on from `published`. " +
		"Send the `epoch` of the first answer with every later request. A reader that does so misses nothing; where that cannot be promised any more the answer is 409, " +
		"and says to begin anew. A deletion is a record whose `value` is null."
	bind(a, op, a.Service.Records)
}

// recordValue describes the value of a record.
type recordValue struct{}

// Schema implements [huma.SchemaProvider].
func (recordValue) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Nullable: true, AdditionalProperties: true}
}
