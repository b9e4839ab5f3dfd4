package sqlitestore

import (
	"context"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const connectionColumns = metaColumns + "id, connector_id, name, status, reason, auth_method, account, site, config, scopes, token_id, last_used_at, operator_host"

func scanConnection(r row) (c domain.Connection, err error) {
	return c, r.Scan(metaInto(&c.Meta, &c.ID, &c.ConnectorID, &c.Name, &c.Status, &c.Reason, &c.AuthMethod,
		jsonInto{&c.Account}, jsonInto{&c.Site}, jsonInto{&c.Config}, jsonInto{&c.Scopes}, &c.TokenID,
		timeInto{&c.LastUsedAt}, &c.OperatorHost)...)
}

func connectionRecord(t domain.Tenant, id string) record {
	return record{"connection", id, "SELECT 1 FROM connections WHERE tenant = ? AND id = ?", []any{t, id}}
}

// CreateConnection implements [store.Connections].
func (s *Store) CreateConnection(ctx context.Context, c domain.Connection) error {
	_, err := s.change(ctx, "INSERT INTO connections ("+connectionColumns+") VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		c.Tenant, instant(c.CreatedAt), instant(c.UpdatedAt), c.ID, c.ConnectorID, c.Name, c.Status, c.Reason, c.AuthMethod,
		document{c.Account}, document{c.Site}, document{c.Config}, document{c.Scopes}, c.TokenID, instant(c.LastUsedAt), c.OperatorHost)
	return nameTaken(err, c)
}

// nameTaken says which of its two keys a connection shares with another.
func nameTaken(err error, c domain.Connection) error {
	switch resultCode(err) {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return connectors.Wrap(connectors.Conflict, err, "there is a %s connection named %.100q already: choose another name", c.ConnectorID, c.Name)
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return connectors.Wrap(connectors.Conflict, err, "there is a connection %.100q already", c.ID)
	}
	return err
}

// Connection implements [store.Connections].
func (s *Store) Connection(ctx context.Context, t domain.Tenant, id string) (domain.Connection, error) {
	return one(ctx, s, scanConnection, missing("connection", id),
		"SELECT "+connectionColumns+" FROM connections WHERE tenant = ? AND id = ?", t, id)
}

// ConnectionNamed implements [store.Connections].
func (s *Store) ConnectionNamed(ctx context.Context, t domain.Tenant, connectorID, name string) (domain.Connection, error) {
	return one(ctx, s, scanConnection, missing(connectorID+" connection named", name),
		"SELECT "+connectionColumns+" FROM connections WHERE tenant = ? AND connector_id = ? AND name = ?", t, connectorID, name)
}

// UpdateConnection implements [store.Connections]. It leaves CreatedAt as it is, and does not take back a later
// LastUsedAt, which is set without a new revision.
func (s *Store) UpdateConnection(ctx context.Context, c domain.Connection) (int64, error) {
	const update = `UPDATE connections SET revision = revision + 1, updated_at = ?, connector_id = ?, name = ?, status = ?, reason = ?,
		auth_method = ?, account = ?, site = ?, config = ?, scopes = ?, token_id = ?,
		last_used_at = nullif(max(ifnull(last_used_at, ''), ifnull(?, '')), ''), operator_host = ?
		WHERE tenant = ? AND id = ? AND revision = ?`
	revision, err := s.update(ctx, connectionRecord(c.Tenant, c.ID), c.Revision, update,
		instant(c.UpdatedAt), c.ConnectorID, c.Name, c.Status, c.Reason, c.AuthMethod, document{c.Account}, document{c.Site},
		document{c.Config}, document{c.Scopes}, c.TokenID, instant(c.LastUsedAt), c.OperatorHost, c.Tenant, c.ID, c.Revision)
	return revision, nameTaken(err, c)
}

// TouchConnection implements [store.Connections].
func (s *Store) TouchConnection(ctx context.Context, t domain.Tenant, id string, at time.Time) error {
	_, err := s.change(ctx, "UPDATE connections SET last_used_at = ? WHERE tenant = ? AND id = ?", instant(at), t, id)
	return err
}

// DeleteConnection implements [store.Connections].
func (s *Store) DeleteConnection(ctx context.Context, t domain.Tenant, id string, revision int64) error {
	_, err := s.update(ctx, connectionRecord(t, id), revision,
		"DELETE FROM connections WHERE tenant = ? AND id = ? AND revision = ?", t, id, revision)
	return err
}

// ListConnections implements [store.Connections].
func (s *Store) ListConnections(ctx context.Context, t domain.Tenant, connectorID string, l store.List) ([]domain.Connection, error) {
	if err := page(l); err != nil {
		return nil, err
	}
	return many(ctx, s, scanConnection, "SELECT "+connectionColumns+
		" FROM connections WHERE tenant = ? AND id > ? AND (? = '' OR connector_id = ?) ORDER BY id LIMIT ?",
		t, l.After, connectorID, connectorID, l.Limit)
}
