package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// The bounds of jobs.
const (
	// maxQueued is how many jobs of a tenant may wait, so that no tenant fills the store.
	maxQueued = 1000
	// queueRetry is when a tenant whose queue is full may try again.
	queueRetry = 30 * time.Second
	minEvery   = time.Minute
	maxEvery   = 366 * 24 * time.Hour
	maxNamed   = 1000 // containers that a job names
	maxIDLen   = 500  // of a container, in bytes
	maxKeyLen  = 200  // of an idempotency key
)

// StartJobIn asks for a long operation.
type StartJobIn struct {
	ConnectorID string `json:"-" path:"id" doc:"Connector" example:"jira"`
	Body        StartJobBody
}

// StartJobBody is the body of a start.
type StartJobBody struct {
	Workspace
	Type           domain.JobType `json:"type" enum:"import,sync,probe" doc:"import reads everything, sync what changed since the last one, probe calls the system once"`
	Params         JobParams      `json:"params,omitempty"`
	IdempotencyKey string         `json:"idempotencyKey,omitempty" maxLength:"200" doc:"The same request with the same key is accepted once, and answered with the same job; visible ASCII"`
}

// JobParams are what a job is asked to do.
type JobParams struct {
	ConnectionID string   `json:"connectionId,omitempty" doc:"Without it the tenant's only one"`
	Containers   []string `json:"containers,omitempty" doc:"Only these; without it all"`
	Streams      []string `json:"streams,omitempty" enum:"containers,items,comments" doc:"Only these; without it all that the connector has"`
	Every        string   `json:"every,omitempty" example:"15m" doc:"Repeat it: the time from one start to the next, at least 1m"`
	Census       string   `json:"census,omitempty" enum:"auto,always,never" doc:"When a sync compares ids to find what was deleted: auto is once a day"`
	MaxDeletions *int     `json:"maxDeletions,omitempty" minimum:"1" maximum:"100" doc:"The part of a container, in percent, that may be found deleted before an operator is asked; without it 10"`
}

// Workspace returns the tenant named beside the header.
func (in StartJobIn) Workspace() string { return in.Body.WorkspaceID }

// Faults returns all that is wrong with the fields.
func (in StartJobIn) Faults() []connectors.Fault {
	var f faults
	b := in.Body
	f.check("type", "is required", b.Type != "")
	f.check("type", oneOf("import", "sync", "probe"), slices.Contains([]domain.JobType{"", domain.ImportJob, domain.SyncJob, domain.ProbeJob}, b.Type))
	f.check("idempotencyKey", "must have at most 200 characters", utf8.RuneCountInString(b.IdempotencyKey) <= maxKeyLen)
	f.check("idempotencyKey", "must be visible ASCII, without spaces", !strings.ContainsFunc(b.IdempotencyKey, func(r rune) bool { return r <= ' ' || r > '~' }))
	p := b.Params
	_, everyFault := parseEvery(p.Every)
	f.check("params.every", everyFault, everyFault == "")
	f.check("params.census", oneOf("auto", "always", "never"), slices.Contains([]string{"", "auto", "always", "never"}, p.Census))
	if p.MaxDeletions != nil {
		f.check("params.maxDeletions", "must be at least 1", *p.MaxDeletions >= 1)
		f.check("params.maxDeletions", "must be at most 100", *p.MaxDeletions <= 100)
	}
	f.list("params.streams", p.Streams, func(v string) string {
		if !slices.Contains(Streams(), v) {
			return oneOf(Streams()...)
		}
		return ""
	})
	f.check("params.containers", "must be at most 1000", len(p.Containers) <= maxNamed)
	f.list("params.containers", p.Containers[:min(len(p.Containers), maxNamed)], badContainer)
	if b.Type == domain.ProbeJob {
		f.check("params.containers", "a probe reads none", len(p.Containers) == 0)
		f.check("params.streams", "a probe reads none", len(p.Streams) == 0)
		f.check("params.census", "a probe takes none", p.Census == "")
		f.check("params.maxDeletions", "a probe deletes nothing", p.MaxDeletions == nil)
	}
	return f
}

// faults collects what is wrong.
type faults []connectors.Fault

func (f *faults) check(field, message string, ok bool) {
	if !ok {
		*f = append(*f, connectors.Fault{Field: field, Message: message})
	}
}

// list checks the entries of a list, none of which may be there twice.
func (f *faults) list(field string, list []string, bad func(string) string) {
	seen := map[string]bool{}
	for i, v := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		msg := bad(v)
		f.check(at, msg, msg == "")
		f.check(at, "is there twice", !seen[v])
		seen[v] = true
	}
}

func oneOf(values ...string) string { return "must be one of " + strings.Join(values, ", ") }

func badContainer(id string) string {
	switch {
	case id == "":
		return "is empty"
	case len(id) > maxIDLen:
		return "is too long for a container"
	case !utf8.ValidString(id):
		return "is not valid UTF-8"
	}
	return ""
}

// parseEvery reads the time between two starts, and says what is wrong with it.
func parseEvery(text string) (time.Duration, string) {
	if text == "" {
		return 0, ""
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, "must be a duration such as 15m or 24h"
	case d < minEvery:
		return 0, "must be at least 1m"
	case d > maxEvery:
		return 0, "must be at most 8784h, a year"
	case d%time.Second != 0:
		return 0, "must be in whole seconds"
	}
	return d, ""
}

// shortDuration writes a duration without the parts that are zero: 15m, 24h, 1h30m.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// params returns what the job keeps of a request without faults.
func (in StartJobIn) params() domain.JobParams {
	every, _ := parseEvery(in.Body.Params.Every)
	p := domain.JobParams{
		Containers: in.Body.Params.Containers, Streams: in.Body.Params.Streams, Every: int64(every / time.Second), Census: in.Body.Params.Census,
	}
	if in.Body.Params.MaxDeletions != nil {
		p.MaxDeletions = *in.Body.Params.MaxDeletions
	}
	return p
}

// StartJob accepts a long operation; any ucf that serves over this store may work at it. A request that is repeated with
// its idempotency key gets the job that it made the first time.
func (s *Service) StartJob(ctx context.Context, t domain.Tenant, in StartJobIn) (JobOut, error) {
	if err := connectors.InvalidFields(in.Faults()...); err != nil {
		return JobOut{}, err
	}
	def, err := s.definition(in.ConnectorID)
	if err != nil {
		return JobOut{}, err
	}
	if err := hasStreams(def, in.Body); err != nil {
		return JobOut{}, err
	}
	st, err := s.Store(ctx)
	if err != nil {
		return JobOut{}, err
	}
	if key := in.Body.IdempotencyKey; key != "" {
		j, err := st.JobOfKey(ctx, t, key)
		if connectors.CodeOf(err) != connectors.NotFound {
			return s.sameJob(ctx, st, in, j, err)
		}
	}
	j, err := s.newJob(ctx, st, t, in)
	if err != nil {
		return JobOut{}, err
	}
	meta := map[string]any{"type": j.Type, "connectorId": j.ConnectorID, "connectionId": j.ConnectionID}
	err = s.audited(ctx, t, "job.start", target{"job", j.ID}, meta, func() error { return st.CreateJob(ctx, j) })
	if key := in.Body.IdempotencyKey; key != "" && connectors.CodeOf(err) == connectors.Conflict {
		j, err := st.JobOfKey(ctx, t, key)
		return s.sameJob(ctx, st, in, j, err)
	}
	return ShowJob(j), err
}

// hasStreams refuses what the connector cannot read.
func hasStreams(def *connectors.Definition, b StartJobBody) error {
	caps := def.Capabilities()
	for _, stream := range b.Params.Streams {
		if !slices.Contains(caps, stream) {
			return connectors.Errorf(connectors.Unsupported, "%s has no stream %s", def.Name, stream)
		}
	}
	if b.Type != domain.ProbeJob && !slices.ContainsFunc(Streams(), func(stream string) bool { return slices.Contains(caps, stream) }) {
		return connectors.Errorf(connectors.Unsupported, "%s has nothing to read", def.Name)
	}
	return nil
}

// newJob returns the job that a request asks for, where the tenant may have one more.
func (s *Service) newJob(ctx context.Context, st store.Store, t domain.Tenant, in StartJobIn) (domain.Job, error) {
	c, err := s.find(ctx, st, t, in.ConnectorID, in.Body.Params.ConnectionID)
	if err != nil {
		return domain.Job{}, err
	}
	if c.Status == domain.Revoked {
		return domain.Job{}, revokedError(c)
	}
	queued, _, err := st.CountJobs(ctx, t)
	if err != nil {
		return domain.Job{}, err
	}
	if queued >= maxQueued {
		e := connectors.Errorf(connectors.Unavailable, "%d jobs of this tenant wait already: cancel some, or try again when they are done", queued)
		e.RetryAfter = queueRetry
		return domain.Job{}, e
	}
	m := s.newMeta(t)
	return domain.Job{
		Meta: m, ID: domain.NewID(domain.JobPrefix, m.CreatedAt), ConnectorID: c.ConnectorID, ConnectionID: c.ID, Type: in.Body.Type,
		Params: in.params(), IdempotencyKey: in.Body.IdempotencyKey, Status: domain.JobQueued,
	}, nil
}

// sameJob answers a request whose idempotency key is known: with the job of the key, or with conflict where that was made by
// another request.
func (s *Service) sameJob(ctx context.Context, st store.Store, in StartJobIn, j domain.Job, err error) (JobOut, error) {
	if err != nil {
		return JobOut{}, err
	}
	there, err := s.sameConnection(ctx, st, in, j)
	if err != nil {
		return JobOut{}, err
	}
	if !there || j.ConnectorID != in.ConnectorID || j.Type != in.Body.Type || !sameParams(j.Params, in.params()) {
		e := connectors.Errorf(connectors.Conflict, "the idempotency key is that of another request, which made %s: use a new key for a new request", j.ID)
		e.Details = map[string]any{"jobId": j.ID}
		return JobOut{}, e
	}
	return ShowJob(j), nil
}

// sameConnection reports whether a request is about the connection of the job. One that names none is, wherever the first
// one went: there may be more connections by now.
func (s *Service) sameConnection(ctx context.Context, st store.Store, in StartJobIn, j domain.Job) (bool, error) {
	ref := in.Body.Params.ConnectionID
	if ref == "" || domain.IsID(domain.ConnectionPrefix, ref) {
		return ref == "" || ref == j.ConnectionID, nil
	}
	c, err := s.find(ctx, st, j.Tenant, in.ConnectorID, ref)
	return c.ID == j.ConnectionID, err
}

// sameParams compares what requests ask for.
func sameParams(a, b domain.JobParams) bool {
	return slices.Equal(a.Containers, b.Containers) && slices.Equal(a.Streams, b.Streams) && a.Every == b.Every &&
		a.Census == b.Census && a.MaxDeletions == b.MaxDeletions
}
