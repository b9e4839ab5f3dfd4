package service

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// DefaultStream is the stream of a sync state that names none.
const DefaultStream = "items"

// Streams returns the streams that a sync state may be of.
func Streams() []string { return []string{"containers", DefaultStream, "comments"} }

// maxCursorLen bounds a client's cursor, in bytes.
const maxCursorLen = 64 << 10

// SyncStateIn names a sync state.
type SyncStateIn struct {
	ConnectionIn
	Stream      string `query:"stream" default:"items" enum:"containers,items,comments"`
	ContainerID string `query:"containerId" doc:"Only of this container"`
}

// SyncStateOut is a sync state; Cursor and UpdatedAt are null where nothing was set.
type SyncStateOut struct {
	Cursor      *string    `json:"cursor" doc:"As it was set, verbatim"`
	Stream      string     `json:"stream"`
	ContainerID string     `json:"containerId,omitempty"`
	UpdatedAt   *time.Time `json:"updatedAt"`
}

func syncStateOut(st domain.SyncState) SyncStateOut {
	return SyncStateOut{&st.Cursor, st.Stream, st.ContainerID, connectors.Time(st.UpdatedAt)}
}

// SyncState returns a connection's cursor.
func (s *Service) SyncState(ctx context.Context, t domain.Tenant, in SyncStateIn) (SyncStateOut, error) {
	st, c, err := s.loadStream(ctx, t, in.ID, &in.Stream)
	if err != nil {
		return SyncStateOut{}, err
	}
	state, err := st.SyncState(ctx, t, c.ID, in.Stream, in.ContainerID)
	if connectors.CodeOf(err) == connectors.NotFound {
		return SyncStateOut{Stream: in.Stream, ContainerID: in.ContainerID}, nil
	}
	return syncStateOut(state), err
}

func (s *Service) loadStream(ctx context.Context, t domain.Tenant, ref string, stream *string) (store.Store, domain.Connection, error) {
	switch *stream {
	case "":
		*stream = DefaultStream
	case "containers", DefaultStream, "comments":
	default:
		return nil, domain.Connection{}, connectors.InvalidFields(connectors.Fault{Field: "stream", Message: "must be containers, items or comments"})
	}
	return s.load(ctx, t, ref)
}

// SetSyncStateIn sets a cursor.
type SetSyncStateIn struct {
	ConnectionIn
	Body struct {
		Workspace
		Cursor      string `json:"cursor" minLength:"1" doc:"Kept verbatim"`
		Stream      string `json:"stream,omitempty" enum:"containers,items,comments" doc:"Without it: items"`
		ContainerID string `json:"containerId,omitempty"`
	}
}

// Workspace returns the tenant named beside the header.
func (in SetSyncStateIn) Workspace() string { return in.Body.WorkspaceID }

// SetSyncState keeps a cursor verbatim and begins a new generation: a sync that runs meanwhile does not overwrite it. That of
// a whole stream is where all of its containers begin: what they have of their own goes.
func (s *Service) SetSyncState(ctx context.Context, t domain.Tenant, in SetSyncStateIn) (SyncStateOut, error) {
	if fault := badCursor(in.Body.Cursor); fault != "" {
		return SyncStateOut{}, connectors.InvalidFields(connectors.Fault{Field: "cursor", Message: fault})
	}
	stream := in.Body.Stream
	st, c, err := s.loadStream(ctx, t, in.ID, &stream)
	if err != nil {
		return SyncStateOut{}, err
	}
	var state domain.SyncState
	err = s.audited(ctx, t, "sync_state.set", target{"connection", c.ID}, map[string]any{"stream": stream, "containerId": in.Body.ContainerID}, func() error {
		state, err = st.SyncState(ctx, t, c.ID, stream, in.Body.ContainerID)
		if connectors.CodeOf(err) == connectors.NotFound {
			state = domain.SyncState{Meta: s.newMeta(t), ConnectionID: c.ID, Stream: stream, ContainerID: in.Body.ContainerID}
			state.Revision, err = 0, nil
		}
		if err != nil {
			return err
		}
		state.Cursor, state.UpdatedAt = in.Body.Cursor, s.Now().UTC()
		state.Generation++
		state.Revision, err = st.PutSyncState(ctx, state)
		if err == nil && state.ContainerID == "" {
			err = dropContainerStates(ctx, st, state)
		}
		return err
	})
	return syncStateOut(state), err
}

// dropContainerStates removes the states of a stream's containers.
func dropContainerStates(ctx context.Context, st store.Store, whole domain.SyncState) error {
	all, err := st.ListSyncStates(ctx, whole.Tenant, whole.ConnectionID)
	for _, s := range all {
		if err == nil && s.Stream == whole.Stream && s.ContainerID != "" {
			_, err = st.DeleteSyncStates(ctx, s.Tenant, s.ConnectionID, s.Stream, s.ContainerID)
		}
	}
	return err
}

func badCursor(c string) string {
	switch {
	case c == "":
		return "is required; `ucf sync-state clear` removes one"
	case len(c) > maxCursorLen:
		return "is longer than 64 KiB"
	case !utf8.ValidString(c):
		return "is not valid UTF-8"
	}
	return ""
}

// ClearSyncStateIn names the sync states to remove: all of a connection, of one stream, or of one container.
type ClearSyncStateIn struct {
	ConnectionID string
	Stream       string
	ContainerID  string
}

// ClearedOut says how many sync states were removed.
type ClearedOut struct {
	Cleared int `json:"cleared"`
}

// ClearSyncState removes cursors, so that the next sync begins anew.
func (s *Service) ClearSyncState(ctx context.Context, t domain.Tenant, in ClearSyncStateIn) (ClearedOut, error) {
	stream := in.Stream
	st, c, err := s.loadStream(ctx, t, in.ConnectionID, &stream)
	if err != nil {
		return ClearedOut{}, err
	}
	out := ClearedOut{}
	err = s.audited(ctx, t, "sync_state.clear", target{"connection", c.ID}, map[string]any{"stream": in.Stream, "containerId": in.ContainerID}, func() error {
		out.Cleared, err = st.DeleteSyncStates(ctx, t, c.ID, in.Stream, in.ContainerID)
		return err
	})
	return out, err
}
