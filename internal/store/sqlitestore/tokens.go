package sqlitestore

import (
	"context"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const tokenColumns = metaColumns + "id, kind, key_id, sealed, expires_at, due_at, grant_info"

func scanToken(r row) (t domain.Token, err error) {
	return t, r.Scan(metaInto(&t.Meta, &t.ID, &t.Kind, &t.KeyID, &t.Sealed, timeInto{&t.ExpiresAt}, timeInto{&t.DueAt}, jsonInto{&t.Grant})...)
}

// grantKey returns what a token is unique by beside its ID, "" for nothing.
func grantKey(t domain.Token) string {
	if t.Grant == nil {
		return ""
	}
	return t.Grant.Key
}

// grantTaken says which of its two keys a token shares with another.
func grantTaken(err error, t domain.Token) error {
	switch resultCode(err) {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return connectors.Wrap(connectors.Conflict, err, "there is a token of the same OAuth grant already")
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return connectors.Wrap(connectors.Conflict, err, "there is a token %.100q already", t.ID)
	}
	return err
}

func tokenRecord(t domain.Tenant, id string) record {
	return record{"token", id, "SELECT 1 FROM tokens WHERE tenant = ? AND id = ?", []any{t, id}}
}

// CreateToken implements [store.Tokens].
func (s *Store) CreateToken(ctx context.Context, t domain.Token) error {
	_, err := s.change(ctx, "INSERT INTO tokens ("+tokenColumns+", grant_key) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		t.Tenant, instant(t.CreatedAt), instant(t.UpdatedAt), t.ID, t.Kind, t.KeyID, t.Sealed, instant(t.ExpiresAt),
		instant(t.DueAt), document{t.Grant}, grantKey(t))
	return grantTaken(err, t)
}

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, t domain.Tenant, id string) (domain.Token, error) {
	return one(ctx, s, scanToken, missing("token", id), "SELECT "+tokenColumns+" FROM tokens WHERE tenant = ? AND id = ?", t, id)
}

// TokenOfGrant implements [store.Tokens].
func (s *Store) TokenOfGrant(ctx context.Context, t domain.Tenant, key string) (domain.Token, error) {
	return one(ctx, s, scanToken, missing("token of the grant", key),
		"SELECT "+tokenColumns+" FROM tokens WHERE tenant = ? AND grant_key = ? AND grant_key <> ''", t, key)
}

// UpdateToken implements [store.Tokens]. It leaves CreatedAt as it is.
func (s *Store) UpdateToken(ctx context.Context, t domain.Token) (int64, error) {
	const update = `UPDATE tokens SET revision = revision + 1, updated_at = ?, kind = ?, key_id = ?, sealed = ?, expires_at = ?,
		due_at = ?, grant_info = ?, grant_key = ? WHERE tenant = ? AND id = ? AND revision = ?`
	revision, err := s.update(ctx, tokenRecord(t.Tenant, t.ID), t.Revision, update,
		instant(t.UpdatedAt), t.Kind, t.KeyID, t.Sealed, instant(t.ExpiresAt), instant(t.DueAt), document{t.Grant}, grantKey(t),
		t.Tenant, t.ID, t.Revision)
	return revision, grantTaken(err, t)
}

// DeleteToken implements [store.Tokens].
func (s *Store) DeleteToken(ctx context.Context, t domain.Tenant, id string) error {
	n, err := s.change(ctx, "DELETE FROM tokens WHERE tenant = ? AND id = ?", t, id)
	if err == nil && n == 0 {
		return missing("token", id)
	}
	return err
}

// ListTokens implements [store.Tokens].
func (s *Store) ListTokens(ctx context.Context, t domain.Tenant, l store.List) ([]domain.Token, error) {
	if err := page(l); err != nil {
		return nil, err
	}
	return many(ctx, s, scanToken, "SELECT "+tokenColumns+" FROM tokens WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?", t, l.After, l.Limit)
}

// TokenKeyIDs implements [store.Tokens].
func (s *Store) TokenKeyIDs(ctx context.Context) ([]string, error) {
	return many(ctx, s, func(r row) (id string, err error) { return id, r.Scan(&id) }, "SELECT DISTINCT key_id FROM tokens ORDER BY key_id")
}

// TokensNotSealedBy implements [store.Tokens].
func (s *Store) TokensNotSealedBy(ctx context.Context, keyID string, l store.List) ([]domain.Token, error) {
	if err := page(l); err != nil {
		return nil, err
	}
	return many(ctx, s, scanToken, "SELECT "+tokenColumns+" FROM tokens WHERE id > ? AND key_id <> ? ORDER BY id LIMIT ?", l.After, keyID, l.Limit)
}

// DueTokens implements [store.Tokens].
func (s *Store) DueTokens(ctx context.Context, at time.Time, limit int) ([]domain.Token, error) {
	return many(ctx, s, scanToken, "SELECT "+tokenColumns+" FROM tokens WHERE due_at <= ? ORDER BY due_at, id LIMIT ?", instant(at), limit)
}
