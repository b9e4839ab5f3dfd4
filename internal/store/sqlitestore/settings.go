package sqlitestore

import (
	"context"

	"github.com/unified-connector/ucf/internal/domain"
)

const settingColumns = metaColumns + "connector_id, extra_details"

func scanSetting(r row) (set domain.ConnectorSetting, err error) {
	return set, r.Scan(metaInto(&set.Meta, &set.ConnectorID, &set.ExtraDetails)...)
}

const oneSetting = " FROM connector_settings WHERE tenant = ? AND connector_id = ?"

// ConnectorSetting implements [store.Settings].
func (s *Store) ConnectorSetting(ctx context.Context, t domain.Tenant, connectorID string) (domain.ConnectorSetting, error) {
	return one(ctx, s, scanSetting, missing("setting of", connectorID), "SELECT "+settingColumns+oneSetting, t, connectorID)
}

// PutConnectorSetting implements [store.Settings]. An update leaves CreatedAt as it is.
func (s *Store) PutConnectorSetting(ctx context.Context, set domain.ConnectorSetting) (int64, error) {
	if set.Revision == 0 {
		return s.createSetting(ctx, set)
	}
	const update = `UPDATE connector_settings SET revision = revision + 1, updated_at = ?, extra_details = ?
		WHERE tenant = ? AND connector_id = ? AND revision = ?`
	rec := record{"setting of", set.ConnectorID, "SELECT 1" + oneSetting, []any{set.Tenant, set.ConnectorID}}
	return s.update(ctx, rec, set.Revision, update, instant(set.UpdatedAt), set.ExtraDetails, set.Tenant, set.ConnectorID, set.Revision)
}

func (s *Store) createSetting(ctx context.Context, set domain.ConnectorSetting) (int64, error) {
	_, err := s.change(ctx, "INSERT INTO connector_settings ("+settingColumns+") VALUES (?, 1, ?, ?, ?, ?)",
		set.Tenant, instant(set.CreatedAt), instant(set.UpdatedAt), set.ConnectorID, set.ExtraDetails)
	switch {
	case isDuplicate(resultCode(err)):
		e := stale("setting of", set.ConnectorID)
		e.Err = err
		return 0, e
	case err != nil:
		return 0, err
	}
	return 1, nil
}
