// Package store says what ucf asks of the place where it keeps its records. The suite that every implementation
// passes is in storetest.
//
// What holds for every method:
//   - The tenant is an explicit argument. Another tenant's record is not_found, as a missing one is.
//   - Create sets Revision to 1 and keeps the times it is given. Update writes the record whose revision is the one given, adds one, and
//     returns the new revision; a stale revision is conflict.
//   - A write is durable when the method returns nil. One call writes one record; nothing spans two, but for
//     [Records.PutRecords], which says what it leaves behind when it is cut off.
//   - Errors are *connectors.Error: not_found, conflict, unavailable when the store is away, locked for too long, full
//     or closed, timeout or unavailable when the context ends, internal when what is stored makes no sense.
//   - All methods may be called by many goroutines, and by several processes on one store, at once.
//   - Secrets arrive sealed; a store never sees one in the clear.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/unified-connector/ucf/internal/domain"
)

// ErrAway is in the chain of an error of a store that does not answer, and will again without anybody's doing.
var ErrAway = errors.New("the store is away")

// Store keeps every kind of record.
type Store interface {
	Connections
	Tokens
	OAuthStates
	SyncStates
	Settings
	Budgets
	Audit
	Jobs
	Records

	// Ping reports whether the store answers.
	Ping(ctx context.Context) error
	// Name returns what the store is, for people: "sqlite" or "mongodb".
	Name() string
	// Close ends all use; later calls are unavailable.
	Close() error
}

// List bounds a listing. After is the ID of the last entry seen, empty from the beginning; Limit is at least 1.
type List struct {
	After string
	Limit int
}

// Connections keeps connections, unique by (tenant, connector, name).
type Connections interface {
	// CreateConnection adds a connection; a name in use for the connector, or a known ID, is conflict.
	CreateConnection(ctx context.Context, c domain.Connection) error
	// Connection returns one connection.
	Connection(ctx context.Context, t domain.Tenant, id string) (domain.Connection, error)
	// ConnectionNamed returns the connection of that connector and name.
	ConnectionNamed(ctx context.Context, t domain.Tenant, connectorID, name string) (domain.Connection, error)
	// UpdateConnection writes c where its Revision is current and returns the new revision. A name in use is conflict.
	UpdateConnection(ctx context.Context, c domain.Connection) (int64, error)
	// TouchConnection sets LastUsedAt without a new revision; a missing connection is no error, and a later LastUsedAt
	// stays.
	TouchConnection(ctx context.Context, t domain.Tenant, id string, at time.Time) error
	// DeleteConnection removes the connection where the revision is current.
	DeleteConnection(ctx context.Context, t domain.Tenant, id string, revision int64) error
	// ListConnections returns the tenant's connections by ascending ID; connectorID empty means all connectors.
	ListConnections(ctx context.Context, t domain.Tenant, connectorID string, l List) ([]domain.Connection, error)
}

// Tokens keeps sealed credentials. OAuth grants are unique by (tenant, Grant.Key) where that key is not empty.
type Tokens interface {
	// CreateToken adds a token; a known ID, or a grant's key in use, is conflict.
	CreateToken(ctx context.Context, t domain.Token) error
	Token(ctx context.Context, t domain.Tenant, id string) (domain.Token, error)
	// TokenOfGrant returns the token whose grant has the key.
	TokenOfGrant(ctx context.Context, t domain.Tenant, key string) (domain.Token, error)
	// UpdateToken writes t where its Revision is current and returns the new revision. A grant's key in use is conflict.
	UpdateToken(ctx context.Context, t domain.Token) (int64, error)
	// DeleteToken removes the token, whatever its revision; a missing one is not_found.
	DeleteToken(ctx context.Context, t domain.Tenant, id string) error
	// ListTokens returns the tenant's tokens by ascending ID.
	ListTokens(ctx context.Context, t domain.Tenant, l List) ([]domain.Token, error)
	// TokenKeyIDs returns the distinct key ids that stored tokens of all tenants are sealed with.
	TokenKeyIDs(ctx context.Context) ([]string, error)
	// TokensNotSealedBy returns tokens of all tenants that are sealed with another key than that, by ascending ID.
	TokensNotSealedBy(ctx context.Context, keyID string, l List) ([]domain.Token, error)
	// DueTokens returns at most limit tokens of all tenants whose DueAt is set and not after at, the longest due first.
	DueTokens(ctx context.Context, at time.Time, limit int) ([]domain.Token, error)
}

// OAuthStates keeps connect flows. They are found by their ID alone: whose they are is in the record.
type OAuthStates interface {
	// CreateOAuthState adds a state; a known ID is conflict.
	CreateOAuthState(ctx context.Context, s domain.OAuthState) error
	// OAuthState returns the state, whoever's it is and whether or not it has expired.
	OAuthState(ctx context.Context, id string) (domain.OAuthState, error)
	// TakeOAuthState removes the state where the revision is current: of several callers exactly one succeeds, the
	// others get not_found, or conflict where the state is there with another revision.
	TakeOAuthState(ctx context.Context, id string, revision int64) error
	// SweepOAuthStates removes the states that expired before that time and returns how many there were.
	SweepOAuthStates(ctx context.Context, before time.Time) (int, error)
}

// SyncStates keeps cursors, unique by (tenant, connection, stream, container).
type SyncStates interface {
	SyncState(ctx context.Context, t domain.Tenant, connectionID, stream, containerID string) (domain.SyncState, error)
	// PutSyncState creates the state when its Revision is 0 (an existing one is conflict), and updates the current revision otherwise.
	// It returns the new revision.
	PutSyncState(ctx context.Context, s domain.SyncState) (int64, error)
	// DeleteSyncStates removes all states of a connection, or those of one stream when stream is not empty, or one container's.
	// It returns how many there were.
	DeleteSyncStates(ctx context.Context, t domain.Tenant, connectionID, stream, containerID string) (int, error)
	// ListSyncStates returns all states of a connection by stream and container.
	ListSyncStates(ctx context.Context, t domain.Tenant, connectionID string) ([]domain.SyncState, error)
}

// Settings keeps what tenants chose for connectors, unique by (tenant, connector).
type Settings interface {
	ConnectorSetting(ctx context.Context, t domain.Tenant, connectorID string) (domain.ConnectorSetting, error)
	// PutConnectorSetting creates the setting when its Revision is 0 (an existing one is conflict), and updates otherwise.
	PutConnectorSetting(ctx context.Context, s domain.ConnectorSetting) (int64, error)
}

// Budgets keeps what is known of providers' rate limits, by key, over all tenants.
type Budgets interface {
	Budget(ctx context.Context, key string) (domain.Budget, error)
	// PutBudget creates the budget when its Revision is 0 (an existing one is conflict), and updates otherwise. It returns
	// the new revision.
	PutBudget(ctx context.Context, b domain.Budget) (int64, error)
	// ListBudgets returns budgets by ascending key.
	ListBudgets(ctx context.Context, l List) ([]domain.Budget, error)
}

// Audit keeps the audit log; entries are added and listed, never changed.
type Audit interface {
	AppendAudit(ctx context.Context, e domain.AuditEntry) error
	// ListAudit returns the tenant's entries, newest first; l.After is the ID of the last entry seen.
	ListAudit(ctx context.Context, t domain.Tenant, f AuditFilter, l List) ([]domain.AuditEntry, error)
}

// AuditFilter narrows a listing of the audit log; empty fields do not.
type AuditFilter struct {
	Action   string
	TargetID string
}
