package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/engine"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/sink"
)

// Export says what is written where.
type Export struct {
	service.Use
	Params domain.JobParams
	Full   bool
	Format string // "ndjson" or "singer"
	Raw    bool   // whether values carry the systems' own objects
	// Out gets the lines. Sync, if not nil, makes them durable before a state is kept.
	Out  io.Writer
	Sync func() error
	// StateFile is where the positions are read from and, with NDJSON, kept; empty for none.
	StateFile string
	Report    func(domain.JobState)
}

// Export reads a connected system to lines, outside the records: everything, or what changed since the state.
func (a *App) Export(ctx context.Context, t domain.Tenant, e Export) (domain.JobState, error) {
	format := sink.Format(e.Format)
	if format != sink.NDJSON && format != sink.Singer {
		return domain.JobState{}, connectors.InvalidFields(connectors.Fault{Field: "format", Message: "must be ndjson or singer"})
	}
	from, err := readState(e.StateFile)
	if err != nil {
		return domain.JobState{}, err
	}
	reading, err := a.Service.OpenUse(ctx, t, e.Use)
	if err != nil {
		return domain.JobState{}, err
	}
	state, err := a.export(ctx, reading, e, from)
	reading.End(ctx, err)
	return state, err
}

// export reads from a state on.
func (a *App) export(ctx context.Context, reading *service.Reading, e Export, from sink.State) (domain.JobState, error) {
	from, err := ofPlace(from, reading.Place(), e.StateFile)
	if err != nil {
		return domain.JobState{}, err
	}
	keep := func(sink.State) error { return nil }
	if e.Format == string(sink.NDJSON) && e.StateFile != "" {
		keep = func(s sink.State) error { return keepState(e.StateFile, s, e.Sync) }
	}
	w := sink.New(e.Out, sink.Format(e.Format), from, keep)
	state, err := engine.Run(ctx, engine.Options{
		Conn: reading.Conn, Sink: w, Positions: w, Full: e.Full, Named: e.Params.Containers, Streams: e.Params.Streams,
		Wide: reading.Wide, Plain: !e.Raw, Log: a.options.Log, Report: e.Report,
	})
	if err != nil && !w.Touched() {
		return state, err // what is there stays as it is
	}
	return state, errors.Join(err, w.Close())
}

// readState reads the positions of an earlier run, or a message or value of Singer's STATE.
func readState(path string) (sink.State, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, connectors.Wrap(connectors.InvalidRequest, err, "the state %s cannot be read", path)
	}
	var message struct {
		Type  string     `json:"type"`
		Value sink.State `json:"value"`
	}
	var st sink.State
	if json.Unmarshal(text, &message) == nil && message.Type == "STATE" {
		st = message.Value
	} else {
		err = json.Unmarshal(text, &st)
	}
	if err == nil {
		err = checkState(st)
	}
	if err != nil {
		return nil, connectors.Wrap(connectors.InvalidRequest, err, "the state %s is not one that a sync wrote: name another file, or remove it to begin anew", path)
	}
	return st, nil
}

// of is the name in a state of what it is of.
const of = "of"

// ofPlace returns the state of a place, which may have been kept without its name; another's is refused.
func ofPlace(s sink.State, place, path string) (sink.State, error) {
	if is := s[of]; is != "" && is != place {
		return nil, connectors.Errorf(connectors.InvalidRequest, "the state %s is of %s, not of %s: name another file", path, is, place)
	}
	out := sink.State{of: place}
	maps.Copy(out, s)
	return out, nil
}

// checkState refuses what no sync wrote: the file is replaced, and may be anything.
func checkState(s sink.State) error {
	if s == nil {
		return errors.New("no positions")
	}
	for name, text := range s {
		if name == of {
			continue
		}
		stream, _, ok := strings.Cut(name, "/")
		if !ok {
			return fmt.Errorf("%.50q is no position", name)
		}
		if err := engine.CheckPosition(stream, text); err != nil {
			return err
		}
	}
	return nil
}

// keepState replaces the file of positions, after what they cover is durable.
func keepState(path string, s sink.State, durable func() error) error {
	if durable != nil {
		if err := durable(); err != nil {
			return err
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".ucf-state-*")
	if err != nil {
		return connectors.Wrap(connectors.InvalidRequest, err, "the state %s cannot be written", path)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is gone after the rename
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return connectors.Wrap(connectors.Unavailable, err, "the state %s cannot be written", path)
	}
	return nil
}
