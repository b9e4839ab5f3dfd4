package storetest

import (
	"fmt"
	"slices"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// position tells a sync state.
type position struct {
	tenant                        domain.Tenant
	connection, stream, container string
}

// positions returns states that differ in each part of their key.
func positions() []position {
	var all []position
	for _, tenant := range []domain.Tenant{acme, other} {
		for _, connection := range []string{"con_a", "con_b"} {
			for _, stream := range []string{"comments", "items"} {
				for _, container := range []string{"", "PAY", "WEB"} {
					all = append(all, position{tenant, connection, stream, container})
				}
			}
		}
	}
	return all
}

func (p position) state(revision int64) domain.SyncState {
	return domain.SyncState{
		Meta: meta(p.tenant, revision), ConnectionID: p.connection, Stream: p.stream, ContainerID: p.container, Cursor: fmt.Sprint(p),
	}
}

// putAll creates the states, in an order that is not theirs.
func putAll(t TB, s store.Store) {
	t.Helper()
	all := positions()
	slices.Reverse(all)
	for _, p := range all {
		_, err := s.PutSyncState(t.Context(), p.state(0))
		must(t, err)
	}
}

func syncStatesByKey(t TB, open func() store.Store) {
	s := open()
	putAll(t, s)
	listed := map[string][]domain.SyncState{}
	for _, p := range positions() {
		_, err := s.PutSyncState(t.Context(), p.state(0))
		wantCode(t, "creating an existing state", err, connectors.Conflict)
		got, err := s.SyncState(t.Context(), p.tenant, p.connection, p.stream, p.container)
		must(t, err)
		same(t, "sync state", got, p.state(1))
		of := fmt.Sprint(p.tenant, p.connection)
		listed[of] = append(listed[of], got)
	}
	for _, tenant := range []domain.Tenant{acme, other} {
		for _, connection := range []string{"con_a", "con_b", "con_c"} {
			got, err := s.ListSyncStates(t.Context(), tenant, connection)
			must(t, err)
			same(t, "states of a connection", got, listed[fmt.Sprint(tenant, connection)])
		}
	}
}

func deleteScopes(t TB, open func() store.Store) {
	s := open()
	putAll(t, s)
	left := positions()
	for _, c := range []struct {
		connection, stream, container string
		want                          int
	}{
		{"con_none", "", "", 0},
		{"con_a", "containers", "", 0},
		{"con_a", "items", "NONE", 0},
		{"con_a", "items", "PAY", 1},
		{"con_a", "items", "", 2},
		{"con_b", "", "WEB", 2},
		{"con_b", "", "", 4},
		{"con_b", "", "", 0},
	} {
		n, err := s.DeleteSyncStates(t.Context(), acme, c.connection, c.stream, c.container)
		must(t, err)
		same(t, fmt.Sprintf("states deleted by %+v", c), n, c.want)
		left = slices.DeleteFunc(left, func(p position) bool {
			return p.tenant == acme && p.connection == c.connection &&
				(c.stream == "" || p.stream == c.stream) && (c.container == "" || p.container == c.container)
		})
		same(t, fmt.Sprintf("states left by %+v", c), present(t, s), left)
	}
}

// present returns the positions that have a state.
func present(t TB, s store.Store) []position {
	t.Helper()
	var out []position
	for _, p := range positions() {
		_, err := s.SyncState(t.Context(), p.tenant, p.connection, p.stream, p.container)
		if connectors.CodeOf(err) == connectors.NotFound {
			continue
		}
		must(t, err)
		out = append(out, p)
	}
	return out
}
