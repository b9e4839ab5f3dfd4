package sqlitestore

import (
	"context"

	"github.com/unified-connector/ucf/internal/domain"
)

const syncStateColumns = metaColumns + "connection_id, stream, container_id, cursor, generation"

func scanSyncState(r row) (st domain.SyncState, err error) {
	return st, r.Scan(metaInto(&st.Meta, &st.ConnectionID, &st.Stream, &st.ContainerID, &st.Cursor, &st.Generation)...)
}

const oneSyncState = " FROM sync_states WHERE tenant = ? AND connection_id = ? AND stream = ? AND container_id = ?"

// SyncState implements [store.SyncStates].
func (s *Store) SyncState(ctx context.Context, t domain.Tenant, connectionID, stream, containerID string) (domain.SyncState, error) {
	return one(ctx, s, scanSyncState, missing("sync state of", connectionID),
		"SELECT "+syncStateColumns+oneSyncState, t, connectionID, stream, containerID)
}

// PutSyncState implements [store.SyncStates]. An update leaves CreatedAt as it is.
func (s *Store) PutSyncState(ctx context.Context, st domain.SyncState) (int64, error) {
	if st.Revision == 0 {
		return s.createSyncState(ctx, st)
	}
	key := []any{st.Tenant, st.ConnectionID, st.Stream, st.ContainerID}
	const update = `UPDATE sync_states SET revision = revision + 1, updated_at = ?, cursor = ?, generation = ?
		WHERE tenant = ? AND connection_id = ? AND stream = ? AND container_id = ? AND revision = ?`
	return s.update(ctx, record{"sync state of", st.ConnectionID, "SELECT 1" + oneSyncState, key}, st.Revision, update,
		instant(st.UpdatedAt), st.Cursor, st.Generation, st.Tenant, st.ConnectionID, st.Stream, st.ContainerID, st.Revision)
}

func (s *Store) createSyncState(ctx context.Context, st domain.SyncState) (int64, error) {
	_, err := s.change(ctx, "INSERT INTO sync_states ("+syncStateColumns+") VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)",
		st.Tenant, instant(st.CreatedAt), instant(st.UpdatedAt), st.ConnectionID, st.Stream, st.ContainerID, st.Cursor, st.Generation)
	switch {
	case isDuplicate(resultCode(err)):
		e := stale("sync state of", st.ConnectionID)
		e.Err = err
		return 0, e
	case err != nil:
		return 0, err
	}
	return 1, nil
}

// DeleteSyncStates implements [store.SyncStates].
func (s *Store) DeleteSyncStates(ctx context.Context, t domain.Tenant, connectionID, stream, containerID string) (int, error) {
	n, err := s.change(ctx, `DELETE FROM sync_states WHERE tenant = ? AND connection_id = ?
		AND (? = '' OR stream = ?) AND (? = '' OR container_id = ?)`,
		t, connectionID, stream, stream, containerID, containerID)
	return int(n), err
}

// ListSyncStates implements [store.SyncStates].
func (s *Store) ListSyncStates(ctx context.Context, t domain.Tenant, connectionID string) ([]domain.SyncState, error) {
	return many(ctx, s, scanSyncState, "SELECT "+syncStateColumns+
		" FROM sync_states WHERE tenant = ? AND connection_id = ? ORDER BY stream, container_id", t, connectionID)
}
