package storetest

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// connectionID is that of all sync states.
const connectionID = "con_of_states"

// kind treats the records that have revisions alike. A record is told by its key and carries a value.
type kind struct {
	name   string
	create func(ctx context.Context, s store.Store, t domain.Tenant, key, value string) error
	read   func(ctx context.Context, s store.Store, t domain.Tenant, key string) (int64, string, error)
	update func(ctx context.Context, s store.Store, t domain.Tenant, key, value string, revision int64) (int64, error)
	remove func(ctx context.Context, s store.Store, t domain.Tenant, key string, revision int64) error // nil where there is none
	// flag says that the only values are "" and "on".
	flag bool
}

func kinds() []kind { return []kind{connectionKind, tokenKind, syncStateKind, settingKind} }

// changedAt is a time of every record.
var changedAt = time.Date(2026, 2, 3, 4, 5, 6, 789000000, time.UTC)

func meta(t domain.Tenant, revision int64) domain.Meta {
	return domain.Meta{Tenant: t, Revision: revision, CreatedAt: changedAt, UpdatedAt: changedAt}
}

func connection(t domain.Tenant, key, value string, revision int64) domain.Connection {
	return domain.Connection{
		Meta: meta(t, revision), ID: "con_" + key, ConnectorID: "jira", Name: "name of " + key,
		Status: domain.Connected, Reason: value, Config: map[string]any{"base_url": "https://jira.example"},
	}
}

var connectionKind = kind{
	name: "connection",
	create: func(ctx context.Context, s store.Store, t domain.Tenant, key, value string) error {
		return s.CreateConnection(ctx, connection(t, key, value, 0))
	},
	read: func(ctx context.Context, s store.Store, t domain.Tenant, key string) (int64, string, error) {
		c, err := s.Connection(ctx, t, "con_"+key)
		return c.Revision, c.Reason, err
	},
	update: func(ctx context.Context, s store.Store, t domain.Tenant, key, value string, revision int64) (int64, error) {
		return s.UpdateConnection(ctx, connection(t, key, value, revision))
	},
	remove: func(ctx context.Context, s store.Store, t domain.Tenant, key string, revision int64) error {
		return s.DeleteConnection(ctx, t, "con_"+key, revision)
	},
}

func token(t domain.Tenant, key, value string, revision int64) domain.Token {
	return domain.Token{Meta: meta(t, revision), ID: "tok_" + key, Kind: "api_key", KeyID: "k1", Sealed: value, ExpiresAt: changedAt, DueAt: changedAt, Grant: &domain.Grant{Key: "grant of " + key}}
}

var tokenKind = kind{
	name: "token",
	create: func(ctx context.Context, s store.Store, t domain.Tenant, key, value string) error {
		return s.CreateToken(ctx, token(t, key, value, 0))
	},
	read: func(ctx context.Context, s store.Store, t domain.Tenant, key string) (int64, string, error) {
		tok, err := s.Token(ctx, t, "tok_"+key)
		return tok.Revision, tok.Sealed, err
	},
	update: func(ctx context.Context, s store.Store, t domain.Tenant, key, value string, revision int64) (int64, error) {
		return s.UpdateToken(ctx, token(t, key, value, revision))
	},
	remove: func(ctx context.Context, s store.Store, t domain.Tenant, key string, _ int64) error {
		return s.DeleteToken(ctx, t, "tok_"+key)
	},
}

func syncState(t domain.Tenant, container, value string, revision int64) domain.SyncState {
	return domain.SyncState{
		Meta: meta(t, revision), ConnectionID: connectionID, Stream: "items", ContainerID: container, Cursor: value, Generation: 3,
	}
}

var syncStateKind = kind{
	name: "sync state",
	create: func(ctx context.Context, s store.Store, t domain.Tenant, key, value string) error {
		_, err := s.PutSyncState(ctx, syncState(t, key, value, 0))
		return err
	},
	read: func(ctx context.Context, s store.Store, t domain.Tenant, key string) (int64, string, error) {
		st, err := s.SyncState(ctx, t, connectionID, "items", key)
		return st.Revision, st.Cursor, err
	},
	update: func(ctx context.Context, s store.Store, t domain.Tenant, key, value string, revision int64) (int64, error) {
		return s.PutSyncState(ctx, syncState(t, key, value, revision))
	},
	remove: func(ctx context.Context, s store.Store, t domain.Tenant, key string, _ int64) error {
		_, err := s.DeleteSyncStates(ctx, t, connectionID, "items", key)
		return err
	},
}

func setting(t domain.Tenant, key, value string, revision int64) domain.ConnectorSetting {
	return domain.ConnectorSetting{Meta: meta(t, revision), ConnectorID: key, ExtraDetails: value == "on"}
}

var settingKind = kind{
	name: "setting", flag: true,
	create: func(ctx context.Context, s store.Store, t domain.Tenant, key, value string) error {
		_, err := s.PutConnectorSetting(ctx, setting(t, key, value, 0))
		return err
	},
	read: func(ctx context.Context, s store.Store, t domain.Tenant, key string) (int64, string, error) {
		set, err := s.ConnectorSetting(ctx, t, key)
		value := ""
		if set.ExtraDetails {
			value = "on"
		}
		return set.Revision, value, err
	},
	update: func(ctx context.Context, s store.Store, t domain.Tenant, key, value string, revision int64) (int64, error) {
		return s.PutConnectorSetting(ctx, setting(t, key, value, revision))
	},
}

// auditID returns an identifier that sorts by n.
func auditID(n int) string { return domain.AuditPrefix + "_" + sortable(n) }

func audit(t domain.Tenant, id, action, target string) domain.AuditEntry {
	return domain.AuditEntry{
		ID: id, Tenant: t, Actor: "cli", Action: action, TargetType: "connection", TargetID: target, Outcome: "ok",
		RequestID: "req_1", CreatedAt: changedAt,
	}
}
