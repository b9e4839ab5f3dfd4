package service

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// JobOut is a job as its tenant sees it.
type JobOut struct {
	ID           string           `json:"id" example:"job_06f0m2vw2rt4x8d3p9k1q5s7ha"`
	ConnectorID  string           `json:"connectorId" example:"jira"`
	ConnectionID string           `json:"connectionId"`
	Type         domain.JobType   `json:"type" enum:"import,sync,probe"`
	Status       domain.JobStatus `json:"status" enum:"queued,running,succeeded,failed,canceled" doc:"The last three are final"`
	Progress     int              `json:"progress" doc:"Percent" minimum:"0" maximum:"100"`
	Counts       domain.JobCounts `json:"counts" doc:"Records met, by what became of them"`
	Containers   *domain.Done     `json:"containers,omitempty" doc:"How many of the containers are read; the total rises while they are listed"`
	Rate         float64          `json:"rate,omitempty" doc:"Items and comments read a second, lately"`
	ETASeconds   int64            `json:"etaSeconds,omitempty" doc:"An estimate of the time left"`
	Incomplete   []connectors.Gap `json:"incomplete" doc:"What could not be read, and why"`
	Dropped      int              `json:"dropped,omitempty" doc:"How many more there are than incomplete has room for"`
	Error        *domain.JobError `json:"error,omitempty" doc:"Why the job failed, or why its last attempt did"`
	Attempts     int              `json:"attempts" doc:"Attempts that failed; a worker that died is none"`
	Every        string           `json:"every,omitempty" doc:"The time from one start of a repeated job to the next" example:"15m"`
	// CancelRequested tells those who watch why the job is about to stop.
	CancelRequested bool       `json:"cancelRequested,omitempty" doc:"Whether a job that runs was asked to stop"`
	NotBefore       *time.Time `json:"notBefore,omitempty" doc:"When a queued job is due"`
	CreatedAt       time.Time  `json:"createdAt"`
	StartedAt       *time.Time `json:"startedAt,omitempty"`
	FinishedAt      *time.Time `json:"finishedAt,omitempty"`
}

// ShowJob returns a job as its tenant sees it.
func ShowJob(j domain.Job) JobOut {
	out := JobOut{
		ID: j.ID, ConnectorID: j.ConnectorID, ConnectionID: j.ConnectionID, Type: j.Type, Status: j.Status, Progress: j.Progress,
		Counts: j.Counts, Rate: j.Rate, ETASeconds: j.ETASeconds, Incomplete: j.Incomplete, Dropped: j.Dropped, Error: j.Error,
		Attempts: j.Attempts, CancelRequested: j.CancelRequested && !j.Status.Final(), CreatedAt: j.CreatedAt.UTC(),
		StartedAt: connectors.Time(j.StartedAt), FinishedAt: connectors.Time(j.FinishedAt),
	}
	if out.Incomplete == nil {
		out.Incomplete = []connectors.Gap{}
	}
	if j.Containers != (domain.Done{}) {
		out.Containers = &j.Containers
	}
	if j.Params.Every > 0 {
		out.Every = shortDuration(time.Duration(j.Params.Every) * time.Second)
	}
	if j.Status == domain.JobQueued {
		out.NotBefore = connectors.Time(j.NotBefore)
	}
	return out
}

// JobsIn asks for a page of jobs.
type JobsIn struct {
	WorkspaceID  string           `query:"workspaceId"`
	ConnectionID string           `query:"connectionId" doc:"Only of this connection"`
	Status       domain.JobStatus `query:"status" enum:"queued,running,succeeded,failed,canceled" doc:"Only in this state"`
	Cursor       string           `query:"cursor"`
	Limit        int              `query:"limit" default:"50" minimum:"1" maximum:"200"`
}

// Workspace returns the tenant named beside the header.
func (in JobsIn) Workspace() string { return in.WorkspaceID }

// Jobs returns a page of the tenant's jobs, newest first.
func (s *Service) Jobs(ctx context.Context, t domain.Tenant, in JobsIn) (connectors.Page[JobOut], error) {
	switch in.Status {
	case "", domain.JobQueued, domain.JobRunning, domain.JobSucceeded, domain.JobFailed, domain.JobCanceled:
	default:
		return connectors.Page[JobOut]{}, connectors.InvalidFields(connectors.Fault{Field: "status", Message: oneOf("queued", "running", "succeeded", "failed", "canceled")})
	}
	if err := checkLimit(in.Limit); err != nil {
		return connectors.Page[JobOut]{}, err
	}
	filter := store.JobFilter{ConnectionID: in.ConnectionID, Status: in.Status}
	if in.ConnectionID != "" && !domain.IsID(domain.ConnectionPrefix, in.ConnectionID) {
		_, c, err := s.load(ctx, t, in.ConnectionID)
		if err != nil {
			return connectors.Page[JobOut]{}, err
		}
		filter.ConnectionID = c.ID
	}
	return page(ctx, s, listed[domain.Job, JobOut]{
		tenant: t, op: "jobs|" + filter.ConnectionID + "|" + string(filter.Status), cursor: in.Cursor, limit: in.Limit,
		list: func(st store.Store, l store.List) ([]domain.Job, error) { return st.ListJobs(ctx, t, filter, l) },
		id:   func(j domain.Job) string { return j.ID },
		out:  func(_ store.Store, j domain.Job) JobOut { return ShowJob(j) },
	})
}

// JobIn names a job.
type JobIn struct {
	ID string `path:"id" doc:"Job" example:"job_06f0m2vw2rt4x8d3p9k1q5s7ha"`
}

// Job returns one job.
func (s *Service) Job(ctx context.Context, t domain.Tenant, in JobIn) (JobOut, error) {
	st, err := s.Store(ctx)
	if err != nil {
		return JobOut{}, err
	}
	j, err := st.Job(ctx, t, in.ID)
	if err != nil {
		return JobOut{}, jobError(in.ID, err)
	}
	return ShowJob(j), nil
}

func jobError(id string, err error) error {
	if connectors.CodeOf(err) != connectors.NotFound {
		return err
	}
	return connectors.Wrap(connectors.NotFound, err, "there is no job %q; `ucf jobs list` shows them", clip(id))
}

// CancelJobIn names the job to cancel.
type CancelJobIn struct{ JobIn }

// CancelJob cancels a job that waits at once, and asks one that runs to stop: it does so within seconds, and keeps what it
// read. A repeated job ends with it. A job that is over is conflict.
func (s *Service) CancelJob(ctx context.Context, t domain.Tenant, in CancelJobIn) (JobOut, error) {
	st, err := s.Store(ctx)
	if err != nil {
		return JobOut{}, err
	}
	if _, err := st.Job(ctx, t, in.ID); err != nil {
		return JobOut{}, jobError(in.ID, err)
	}
	var j domain.Job
	err = s.audited(ctx, t, "job.cancel", target{"job", in.ID}, nil, func() error {
		j, err = st.CancelJob(ctx, t, in.ID, s.Now().UTC())
		return err
	})
	if err != nil {
		return JobOut{}, err
	}
	return ShowJob(j), nil
}

// cancelJobs cancels what waits or runs of a connection that goes away.
func (s *Service) cancelJobs(ctx context.Context, st store.Store, c domain.Connection) error {
	for _, status := range []domain.JobStatus{domain.JobQueued, domain.JobRunning} {
		jobs, err := collect(func(after string) ([]domain.Job, error) {
			return st.ListJobs(ctx, c.Tenant, store.JobFilter{ConnectionID: c.ID, Status: status}, store.List{After: after, Limit: 200})
		}, func(j domain.Job) string { return j.ID })
		if err != nil {
			return err
		}
		for _, j := range jobs {
			_, err := st.CancelJob(ctx, c.Tenant, j.ID, s.Now().UTC())
			if code := connectors.CodeOf(err); err != nil && code != connectors.Conflict && code != connectors.NotFound {
				return err
			}
		}
	}
	return nil
}
