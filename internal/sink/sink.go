// Package sink writes what a run of the engine reads as lines: NDJSON, or the messages of a Singer tap.
//
// A sink remembers nothing. Where the next run begins is kept by the caller, as one JSON object of positions: Singer's
// STATE, or a file beside NDJSON. A state is handed out only after the lines that it covers were written.
package sink

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/engine"
)

// Format is how lines look.
type Format string

// The formats.
const (
	NDJSON Format = "ndjson" // a record a line
	Singer Format = "singer" // SCHEMA, RECORD and STATE messages
)

// State is where every stream of every container was read to, by "stream/container".
type State map[string]string

// Writer is an [engine.Sink] and [engine.Positions] that writes lines. It is safe for concurrent use.
type Writer struct {
	mu     sync.Mutex
	out    *bufio.Writer
	format Format
	state  State
	told   map[domain.Kind]bool // whose schema was written
	saved  time.Time
	keep   func(State) error
	// touched says that something was read: a record, or how far.
	touched bool
}

var (
	_ engine.Sink      = (*Writer)(nil)
	_ engine.Positions = (*Writer)(nil)
)

// New returns a writer that begins at a state, which may be nil. keep is told of every new state, after everything that it
// covers was handed to out; it may be nil.
func New(out io.Writer, format Format, from State, keep func(State) error) *Writer {
	if keep == nil {
		keep = func(State) error { return nil }
	}
	w := &Writer{out: bufio.NewWriterSize(out, 64<<10), format: format, state: State{}, told: map[domain.Kind]bool{}, keep: keep}
	maps.Copy(w.state, from)
	return w
}

// line is a record as NDJSON has it.
type line struct {
	Kind          domain.Kind     `json:"kind"`
	ID            string          `json:"id"`
	ContainerID   string          `json:"containerId"`
	Deleted       bool            `json:"deleted"`
	DeletedReason string          `json:"deletedReason,omitempty"`
	SyncedAt      time.Time       `json:"syncedAt"`
	Value         json.RawMessage `json:"value"`
}

// Put implements [engine.Sink]. Every record is taken for a new one, and every tombstone for news.
func (w *Writer) Put(_ context.Context, rs []domain.Record) ([]domain.Outcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.touched = true
	out := make([]domain.Outcome, len(rs))
	for i, r := range rs {
		out[i] = domain.Created
		if r.Deleted {
			out[i] = domain.Tombstone
		}
		if err := w.write(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (w *Writer) write(r domain.Record) error {
	if w.format == Singer {
		return w.message(r)
	}
	return w.lineOf(line{r.Kind, r.ID, r.ContainerID, r.Deleted, r.Reason, r.SyncedAt, valueOf(r)})
}

// valueOf returns a record's value with its raw form inside, as listings have it.
func valueOf(r domain.Record) json.RawMessage {
	n := len(r.Value)
	if len(r.Raw) == 0 || n < 2 {
		if n == 0 {
			return json.RawMessage("null")
		}
		return r.Value
	}
	b := make([]byte, 0, n+len(r.Raw)+8)
	b = append(b, r.Value[:n-1]...)
	b = append(b, `,"raw":`...)
	b = append(b, r.Raw...)
	return append(b, '}')
}

func (w *Writer) lineOf(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return connectors.Wrap(connectors.Internal, err, "a line does not encode")
	}
	if _, err = w.out.Write(append(text, '\n')); err != nil {
		return unwritable(err)
	}
	return nil
}

func unwritable(err error) error {
	return connectors.Wrap(connectors.Unavailable, err, "the output could not be written: %s", err)
}

// Open implements [engine.Positions].
func (w *Writer) Open(_ context.Context, stream, container string) (engine.Position, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := stream + "/" + container
	return &position{w, name, w.state[name]}, nil
}

type position struct {
	w          *Writer
	name, text string
}

// Text implements [engine.Position].
func (p *position) Text() string { return p.text }

// Save implements [engine.Position].
func (p *position) Save(_ context.Context, text string) error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.text, p.w.state[p.name], p.w.touched = text, text, true
	if time.Since(p.w.saved) < stateEvery {
		return nil
	}
	return p.w.save()
}

// stateEvery is the least time between two states: each names every container.
const stateEvery = 2 * time.Second

// save hands out the state, behind everything that it covers.
func (w *Writer) save() error {
	w.saved = time.Now()
	if w.format == Singer {
		if err := w.lineOf(stateMessage{"STATE", w.state}); err != nil {
			return err
		}
	}
	if err := w.out.Flush(); err != nil {
		return unwritable(err)
	}
	return w.keep(w.state)
}

// Touched reports whether anything was read.
func (w *Writer) Touched() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.touched
}

// Close writes the last state and what is left.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.save()
}
