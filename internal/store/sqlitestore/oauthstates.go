package sqlitestore

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

const oauthStateColumns = metaColumns + "id, key_id, sealed, expires_at"

func scanOAuthState(r row) (o domain.OAuthState, err error) {
	return o, r.Scan(metaInto(&o.Meta, &o.ID, &o.KeyID, &o.Sealed, timeInto{&o.ExpiresAt})...)
}

// CreateOAuthState implements [store.OAuthStates].
func (s *Store) CreateOAuthState(ctx context.Context, o domain.OAuthState) error {
	_, err := s.change(ctx, "INSERT INTO oauth_states ("+oauthStateColumns+") VALUES (?, 1, ?, ?, ?, ?, ?, ?)",
		o.Tenant, instant(o.CreatedAt), instant(o.UpdatedAt), o.ID, o.KeyID, o.Sealed, instant(o.ExpiresAt))
	if isDuplicate(resultCode(err)) {
		return connectors.Wrap(connectors.Conflict, err, "there is an OAuth state of that id already")
	}
	return err
}

// OAuthState implements [store.OAuthStates].
func (s *Store) OAuthState(ctx context.Context, id string) (domain.OAuthState, error) {
	return one(ctx, s, scanOAuthState, missing("OAuth state", id), "SELECT "+oauthStateColumns+" FROM oauth_states WHERE id = ?", id)
}

// TakeOAuthState implements [store.OAuthStates].
func (s *Store) TakeOAuthState(ctx context.Context, id string, revision int64) error {
	rec := record{"OAuth state", id, "SELECT 1 FROM oauth_states WHERE id = ?", []any{id}}
	_, err := s.update(ctx, rec, revision, "DELETE FROM oauth_states WHERE id = ? AND revision = ?", id, revision)
	return err
}

// SweepOAuthStates implements [store.OAuthStates].
func (s *Store) SweepOAuthStates(ctx context.Context, before time.Time) (int, error) {
	n, err := s.change(ctx, "DELETE FROM oauth_states WHERE expires_at < ?", instant(before))
	return int(n), err
}
