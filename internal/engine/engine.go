// Package engine reads a connected system and hands on what it read: everything, or what changed since it read last.
//
// A position is kept for each stream and container. It advances over a page only after everything that the page covers was
// taken by the sink, so a run that dies goes on where it was, and reads at most a page again. What is read twice is
// harmless: records are told apart by their id and compared by their content.
//
// A container that may not or cannot be read does not end a run; it is named, and keeps its position. What ends a run
// is a refused credential, a limit that is used up, a system that is down, or a sink that fails.
package engine

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// Sink takes what was read, in any order between containers and in the order of reading within one.
type Sink interface {
	// Put takes records, none twice in one call, and returns what became of each.
	Put(ctx context.Context, rs []domain.Record) ([]domain.Outcome, error)
}

// Memory is a [Sink] that remembers what it took, so that what is missing at the system can be found.
type Memory interface {
	Sink
	// Stamp returns a number above that of every census before.
	Stamp() int64
	// Mark stamps those of the ids that are remembered as seen, and returns the others.
	Mark(ctx context.Context, kind domain.Kind, ids []string, seen int64) (missing []string, err error)
	// Find returns remembered records by ascending id, without their values.
	Find(ctx context.Context, q store.RecordFind, l store.List) ([]domain.Record, error)
	// Count returns how many of them there are.
	Count(ctx context.Context, q store.RecordFind) (int, error)
}

// Positions keeps how far each stream of each container was read.
type Positions interface {
	// Open returns a position to be advanced by this run alone.
	Open(ctx context.Context, stream, container string) (Position, error)
}

// Position is how far one stream of one container was read.
type Position interface {
	// Text is what was kept last, empty for nothing.
	Text() string
	// Save keeps a text. Where somebody else set the position since it was opened, theirs stays and Save does nothing.
	Save(ctx context.Context, text string) error
}

// The streams.
const (
	Containers = "containers"
	Items      = "items"
	Comments   = "comments"
)

// Options say what to read and where to put it.
type Options struct {
	Conn      *connectors.Conn
	Sink      Sink
	Positions Positions
	// Run names the run. One of the same name goes on where the last one ended, and leaves out the containers it finished.
	Run string
	// Full reads everything; otherwise what changed since the positions, and everything of a container without one.
	Full    bool
	Named   []string // the containers to read; empty for all
	Streams []string // empty for all that the connector has
	Wide    bool     // whether to ask for the wider attributes (extraDetails)
	Plain   bool     // whether to leave out the systems' own objects
	Census  string   // "always", "never", or else once a day
	// MaxDeletions is the part of a container, in percent, that may be found missing without an operator being asked: 10
	// where it is zero.
	MaxDeletions int
	Parallel     int // containers read at a time; 4 where it is zero
	State        domain.JobState
	Now          func() time.Time
	Log          *slog.Logger
	// Report is told how far the run is, about once a second; it may be nil.
	Report func(domain.JobState)
}

// The defaults of [Options].
const (
	defaultParallel     = 4
	defaultMaxDeletions = 10
)

// Run reads. It returns how far it came, with what could not be read, and the error that ended it early.
func Run(ctx context.Context, o Options) (domain.JobState, error) {
	r, err := newRun(o)
	if err != nil {
		return o.State, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := r.reporting(ctx)
	err = r.all(ctx)
	cancel()
	<-ended
	return r.finish(err), err
}

func newRun(o Options) (*run, error) {
	if o.Parallel == 0 {
		o.Parallel = defaultParallel
	}
	if o.MaxDeletions == 0 {
		o.MaxDeletions = defaultMaxDeletions
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &run{Options: o, started: o.Now(), progress: progress{job: o.State, fractions: map[string]float64{}}}
	// They are counted and named anew; what was met of containers is kept with their places.
	r.job.Containers, r.job.Counts, r.job.Incomplete, r.job.Dropped = domain.Done{}, domain.JobCounts{}, nil, 0
	r.memory, _ = o.Sink.(Memory)
	caps := o.Conn.Definition().Capabilities()
	for _, stream := range o.Streams {
		if !slices.Contains([]string{Containers, Items, Comments}, stream) || !slices.Contains(caps, stream) {
			return nil, connectors.Errorf(connectors.Unsupported, "%s has no stream %s", o.Conn.Definition().Name, stream)
		}
	}
	wants := func(stream string) bool {
		return slices.Contains(caps, stream) && (len(o.Streams) == 0 || slices.Contains(o.Streams, stream))
	}
	r.containers, r.items, r.comments = wants(Containers), wants(Items), wants(Comments)
	return r, nil
}

// run is one reading of a system.
type run struct {
	Options
	memory                      Memory // nil where the sink remembers nothing
	containers, items, comments bool   // the streams that are wanted
	started                     time.Time

	progress
	failedMu sync.Mutex
	failed   int // how many containers in a row the system failed to give
}

// all reads every container that is wanted.
func (r *run) all(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	work := make(chan string)
	group.Go(func() error {
		defer close(work)
		return r.eachContainer(ctx, func(id string) error {
			r.found()
			select {
			case work <- id:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	for range r.Parallel {
		group.Go(func() error {
			for id := range work {
				if err := r.container(ctx, id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// maxFailed is how many containers in a row may fail before the system itself is taken to be down.
const maxFailed = 3

// container reads one container. It returns an error only where the whole run has to end.
func (r *run) container(ctx context.Context, id string) error {
	if r.items || r.comments {
		c := &container{run: r, id: id}
		if err := c.read(ctx); err != nil {
			if !r.passes(ctx, err) {
				return err
			}
			r.gap(connectors.Gap{ContainerID: id, Code: connectors.CodeOf(err), Reason: connectors.AsError(err).Message})
		} else {
			r.answered()
		}
	}
	r.done(id)
	return nil
}

// passes reports whether the run goes on past a container that failed like that.
func (r *run) passes(ctx context.Context, err error) bool {
	if ctx.Err() != nil || isSink(err) || !connectors.Passable(err) {
		return false
	}
	if !connectors.MayBeDown(err) {
		r.answered()
		return true
	}
	r.failedMu.Lock()
	defer r.failedMu.Unlock()
	r.failed++
	return r.failed < maxFailed
}

func (r *run) answered() {
	r.failedMu.Lock()
	defer r.failedMu.Unlock()
	r.failed = 0
}
