package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// progress is how far a run is.
type progress struct {
	mu        sync.Mutex
	job       domain.JobState
	listed    bool               // all containers are known
	fractions map[string]float64 // of the containers that are being read, where known
	lastSeen  int                // items and comments at the last report
	lastAt    time.Time
}

// reportEvery is the time between two reports.
const reportEvery = time.Second

// reporting tells Report how far the run is until the context ends; the channel closes after the last report.
func (r *run) reporting(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if r.Report == nil {
			return
		}
		tick := time.NewTicker(reportEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				r.Report(r.state())
			}
		}
	}()
	return ended
}

// found counts a container that is to be read.
func (r *run) found() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.job.Containers.Total++
}

// done counts a container that was read.
func (r *run) done(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.job.Containers.Done++
	delete(r.fractions, id)
}

// part says how much of a container was read, between 0 and 1.
func (r *run) part(id string, fraction float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fractions[id] = min(fraction, 0.99)
}

func (r *run) gap(g connectors.Gap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.job.AddGap(g)
}

// count counts records by what became of them, and for their container where that counts for itself.
func (r *run) count(rs []domain.Record, outcomes []domain.Outcome, own *domain.JobCounts) {
	n := tally(rs, outcomes)
	r.mu.Lock()
	defer r.mu.Unlock()
	add(&r.job.Counts, n, 1)
	if own != nil {
		add(own, n, 1)
	}
}

// recall counts what an earlier part of this run met in a container, or, with a negative sign, does not any more.
func (r *run) recall(n domain.JobCounts, sign int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add(&r.job.Counts, n, sign)
}

func add(to *domain.JobCounts, n domain.JobCounts, sign int) {
	for _, c := range []struct {
		to *domain.Count
		n  domain.Count
	}{{&to.Containers, n.Containers}, {&to.Items, n.Items}, {&to.Comments, n.Comments}} {
		c.to.Seen += sign * c.n.Seen
		c.to.Created += sign * c.n.Created
		c.to.Updated += sign * c.n.Updated
		c.to.Deleted += sign * c.n.Deleted
		c.to.Unchanged += sign * c.n.Unchanged
	}
}

// tally returns how many records of each kind there are, by what became of them.
func tally(rs []domain.Record, outcomes []domain.Outcome) (n domain.JobCounts) {
	for i, rec := range rs {
		c := map[domain.Kind]*domain.Count{
			domain.ContainerRecord: &n.Containers, domain.ItemRecord: &n.Items, domain.CommentRecord: &n.Comments,
		}[rec.Kind]
		if !rec.Deleted {
			c.Seen++
		}
		switch outcomes[i] {
		case domain.Created:
			c.Created++
		case domain.Updated:
			c.Updated++
		case domain.Tombstone:
			c.Deleted++
		case domain.Unchanged:
			if !rec.Deleted {
				c.Unchanged++
			}
		}
	}
	return n
}

// state returns how far the run is now.
func (r *run) state() domain.JobState {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Now()
	done := float64(r.job.Containers.Done)
	for _, f := range slices.Collect(maps.Values(r.fractions)) {
		done += f
	}
	r.job.ETASeconds = 0
	if part := done / float64(max(r.job.Containers.Total, 1)); r.listed {
		r.job.Progress = min(int(100*part), 99)
		if elapsed := now.Sub(r.started).Seconds(); part > 0.01 {
			r.job.ETASeconds = int64(elapsed * (1 - part) / part)
		}
	}
	seen := r.job.Counts.Items.Seen + r.job.Counts.Comments.Seen
	if elapsed := now.Sub(r.lastAt).Seconds(); !r.lastAt.IsZero() && elapsed > 0 {
		r.job.Rate = float64(seen-r.lastSeen) / elapsed
	}
	r.lastSeen, r.lastAt = seen, now
	out := r.job
	out.Incomplete = slices.Clone(r.job.Incomplete)
	return out
}

// finish returns how far the run came in the end.
func (r *run) finish(err error) domain.JobState {
	s := r.state()
	s.Rate, s.ETASeconds = 0, 0
	if err == nil {
		s.Progress = 100
	}
	return s
}
