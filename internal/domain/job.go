package domain

import (
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// JobType is what a job does.
type JobType string

// The types of jobs.
const (
	ImportJob JobType = "import" // reads everything
	SyncJob   JobType = "sync"   // reads what changed since the cursors
	ProbeJob  JobType = "probe"  // calls the system once
)

// JobStatus is where a job is in its life.
type JobStatus string

// The states of a job. The last three are final.
const (
	JobQueued    JobStatus = "queued"
	JobRunning   JobStatus = "running"
	JobSucceeded JobStatus = "succeeded"
	JobFailed    JobStatus = "failed"
	JobCanceled  JobStatus = "canceled"
)

// Final reports whether nothing comes after the state.
func (s JobStatus) Final() bool { return s == JobSucceeded || s == JobFailed || s == JobCanceled }

// Job is a long operation: accepted in one write, then claimed by one worker at a time.
type Job struct {
	Meta
	ID           string // job_…
	ConnectorID  string
	ConnectionID string
	Type         JobType
	Params       JobParams
	// IdempotencyKey is unique within the tenant where it is not empty.
	IdempotencyKey string
	Status         JobStatus
	// NotBefore is when the job may be claimed; zero for at once.
	NotBefore time.Time
	// Attempts counts the attempts that failed; Takeovers the workers that died at it.
	Attempts  int
	Takeovers int
	// Fence counts the claims. A write by the holder of a lower one is refused.
	Fence int64
	Owner string // who holds the claim; empty for nobody
	// CancelRequested asks the holder to stop.
	CancelRequested bool
	JobState
	Error      *JobError
	StartedAt  time.Time // of the first claim
	FinishedAt time.Time
}

// JobParams are what a job was asked to do.
type JobParams struct {
	Containers []string `json:"containers,omitempty"` // empty for all
	Streams    []string `json:"streams,omitempty"`    // empty for all that the connector has
	// Every is the time from one start of a repeated job to the next, in seconds; zero for a job that runs once.
	Every int64 `json:"every,omitempty"`
	// At is when a repeated job was due, whenever it was tried again after; zero for the first one.
	At time.Time `json:"at,omitzero"`
	// Series is the first job of a repeated one.
	Series string `json:"series,omitempty"`
	// Census says when a sync compares ids: "auto" or empty for once a day, "always" or "never".
	Census string `json:"census,omitempty"`
	// MaxDeletions is the part of a container, in percent, that a census may mark as deleted without being told; zero
	// for the default.
	MaxDeletions int `json:"maxDeletions,omitempty"`
}

// Due returns when the job was to begin.
func (j Job) Due() time.Time {
	if j.Params.At.IsZero() {
		return j.CreatedAt
	}
	return j.Params.At
}

// JobState is how far a job is; its holder writes it with every beat.
type JobState struct {
	Progress   int              `json:"progress"` // percent
	Counts     JobCounts        `json:"counts"`
	Containers Done             `json:"containers"`
	Incomplete []connectors.Gap `json:"incomplete,omitempty"`
	// Dropped is how many gaps did not fit into Incomplete.
	Dropped int `json:"dropped,omitempty"`
	// Rate is how many items a second were read lately; ETASeconds an estimate of the time left, 0 where unknown.
	Rate       float64 `json:"rate,omitempty"`
	ETASeconds int64   `json:"etaSeconds,omitempty"`
}

// Done is how much of a number is done.
type Done struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// MaxGaps is how many gaps a job keeps by name.
const MaxGaps = 1000

// AddGap adds what could not be read.
func (s *JobState) AddGap(g connectors.Gap) {
	switch {
	case slices.Contains(s.Incomplete, g):
	case len(s.Incomplete) < MaxGaps:
		s.Incomplete = append(s.Incomplete, g)
	default:
		s.Dropped++
	}
}

// JobCounts are how many records of each kind a job met, by what became of them.
type JobCounts struct {
	Containers Count `json:"containers"`
	Items      Count `json:"items"`
	Comments   Count `json:"comments"`
}

// Count is how many records were met, by what became of them.
type Count struct {
	Seen      int `json:"seen"`
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Deleted   int `json:"deleted"`
	Unchanged int `json:"unchanged"`
}

// JobError is why a job failed.
type JobError struct {
	Code    connectors.Code `json:"code"`
	Message string          `json:"message"`
}

// JobPrefix begins the identifiers of jobs.
const JobPrefix = "job"
