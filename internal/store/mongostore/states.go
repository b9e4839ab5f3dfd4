package mongostore

import (
	"cmp"
	"context"
	"crypto/rand"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

const (
	oauthStates = "oauth_states"
	syncStates  = "sync_states"
	settings    = "connector_settings"
)

type oauthStateDoc struct {
	Head      `bson:",inline"`
	ID        string `bson:"_id"`
	KeyID     string `bson:"keyId"`
	Sealed    string `bson:"sealed"`
	ExpiresAt string `bson:"expiresAt"`
}

// CreateOAuthState implements [store.OAuthStates].
func (s *Store) CreateOAuthState(ctx context.Context, st domain.OAuthState) error {
	if err := keepable(st.CreatedAt, st.UpdatedAt, st.ExpiresAt); err != nil {
		return err
	}
	d := append(created(st.Meta), bson.D{
		{Key: "keyId", Value: st.KeyID},
		{Key: "sealed", Value: st.Sealed},
		{Key: "expiresAt", Value: textOf(st.ExpiresAt)},
		{Key: "removeAt", Value: bson.NewDateTimeFromTime(later(st.ExpiresAt, time.Now()))},
	}...)
	taken := connectors.Errorf(connectors.Conflict, "there is an OAuth state of that id already")
	err := s.insert(ctx, oauthStates, bson.D{{Key: "_id", Value: st.ID}}, d, taken)
	if connectors.CodeOf(err) != connectors.Conflict {
		return err
	}
	// One that was taken and not removed is none.
	gone, rerr := s.remove(ctx, oauthStates, bson.D{{Key: "_id", Value: st.ID}, {Key: "takenBy", Value: bson.D{{Key: "$exists", Value: true}}}})
	if rerr != nil || !gone {
		return cmp.Or(rerr, err)
	}
	return s.insert(ctx, oauthStates, bson.D{{Key: "_id", Value: st.ID}}, d, taken)
}

// later returns the later of two times. An expiry that has passed, or a clock that is wrong, removes nothing early: the
// date is for cleaning only.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// untaken is the condition that a state is there and nobody has taken it.
func untaken(id string) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "takenBy", Value: bson.D{{Key: "$exists", Value: false}}}}
}

// OAuthState implements [store.OAuthStates].
func (s *Store) OAuthState(ctx context.Context, id string) (domain.OAuthState, error) {
	d, err := one[oauthStateDoc](ctx, s, oauthStates, untaken(id), missing("state", id))
	if err != nil {
		return domain.OAuthState{}, err
	}
	return domain.OAuthState{Meta: d.domain(), ID: d.ID, KeyID: d.KeyID, Sealed: d.Sealed, ExpiresAt: timeOf(d.ExpiresAt)}, nil
}

// TakeOAuthState implements [store.OAuthStates]. The state is marked as taken before it is removed: a removal whose
// answer was lost would not tell whose it was.
func (s *Store) TakeOAuthState(ctx context.Context, id string, revision int64) error {
	attempt := rand.Text()
	err := s.write(ctx, func(ctx context.Context, _ bool) error {
		res, err := s.db.Collection(oauthStates).UpdateOne(ctx, append(untaken(id), bson.E{Key: "revision", Value: revision}),
			bson.D{{Key: "$set", Value: bson.D{{Key: "takenBy", Value: attempt}}}})
		if err != nil || res.MatchedCount > 0 {
			return err
		}
		return s.untakeable(ctx, id, attempt)
	})
	if err != nil {
		return err
	}
	if _, err := s.remove(ctx, oauthStates, bson.D{{Key: "_id", Value: id}, {Key: "takenBy", Value: attempt}}); err != nil {
		s.log.WarnContext(ctx, "a state that was taken was not removed; it goes by itself", "error", err)
	}
	return nil
}

// untakeable tells why a state could not be taken; nil says that the attempt has taken it before.
func (s *Store) untakeable(ctx context.Context, id, attempt string) error {
	var d struct {
		TakenBy string `bson:"takenBy"`
	}
	err := s.db.Collection(oauthStates).FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d)
	switch {
	case err == nil && d.TakenBy == attempt:
		return nil
	case isNone(err) || err == nil && d.TakenBy != "":
		return missing("state", id)
	case err != nil:
		return err
	}
	return stale("state", id)
}

// SweepOAuthStates implements [store.OAuthStates].
func (s *Store) SweepOAuthStates(ctx context.Context, before time.Time) (int, error) {
	return s.removeMany(ctx, oauthStates, bson.D{{Key: "expiresAt", Value: bson.D{{Key: "$lt", Value: textOf(before)}}}})
}

type syncStateDoc struct {
	Head         `bson:",inline"`
	ConnectionID string `bson:"connectionId"`
	Stream       string `bson:"stream"`
	ContainerID  string `bson:"containerId"`
	Cursor       string `bson:"cursor"`
	Generation   int64  `bson:"generation"`
}

func (d syncStateDoc) domain() (domain.SyncState, error) {
	return domain.SyncState{
		Meta: d.Head.domain(), ConnectionID: d.ConnectionID, Stream: d.Stream, ContainerID: d.ContainerID, Cursor: d.Cursor, Generation: d.Generation,
	}, nil
}

func syncStateAt(t domain.Tenant, connectionID, stream, containerID string) bson.D {
	return byID(t, connectionID, stream, containerID)
}

// SyncState implements [store.SyncStates].
func (s *Store) SyncState(ctx context.Context, t domain.Tenant, connectionID, stream, containerID string) (domain.SyncState, error) {
	d, err := one[syncStateDoc](ctx, s, syncStates, syncStateAt(t, connectionID, stream, containerID), missing("sync state of", connectionID))
	if err != nil {
		return domain.SyncState{}, err
	}
	return d.domain()
}

// PutSyncState implements [store.SyncStates].
func (s *Store) PutSyncState(ctx context.Context, st domain.SyncState) (int64, error) {
	if err := keepable(st.CreatedAt, st.UpdatedAt); err != nil {
		return 0, err
	}
	set := bson.D{{Key: "cursor", Value: st.Cursor}, {Key: "generation", Value: st.Generation}}
	id := syncStateAt(st.Tenant, st.ConnectionID, st.Stream, st.ContainerID)
	if st.Revision > 0 {
		return s.update(ctx, syncStates, "sync state of", st.ConnectionID, id, st.Revision, append(set, bson.E{Key: "updatedAt", Value: textOf(st.UpdatedAt)}), nil)
	}
	d := append(set, append(created(st.Meta), bson.D{
		{Key: "connectionId", Value: st.ConnectionID}, {Key: "stream", Value: st.Stream}, {Key: "containerId", Value: st.ContainerID},
	}...)...)
	return s.first(ctx, syncStates, id, d, stale("sync state of", st.ConnectionID))
}

// DeleteSyncStates implements [store.SyncStates].
func (s *Store) DeleteSyncStates(ctx context.Context, t domain.Tenant, connectionID, stream, containerID string) (int, error) {
	filter := bson.D{{Key: "tenant", Value: string(t)}, {Key: "connectionId", Value: connectionID}}
	if stream != "" {
		filter = append(filter, bson.E{Key: "stream", Value: stream})
	}
	if containerID != "" {
		filter = append(filter, bson.E{Key: "containerId", Value: containerID})
	}
	return s.removeMany(ctx, syncStates, filter)
}

// ListSyncStates implements [store.SyncStates].
func (s *Store) ListSyncStates(ctx context.Context, t domain.Tenant, connectionID string) ([]domain.SyncState, error) {
	return mapped(many[syncStateDoc](ctx, s, syncStates, bson.D{{Key: "tenant", Value: string(t)}, {Key: "connectionId", Value: connectionID}},
		options.Find().SetSort(sorted("stream", "containerId"))))
}

type settingDoc struct {
	Head         `bson:",inline"`
	ConnectorID  string `bson:"connectorId"`
	ExtraDetails bool   `bson:"extraDetails"`
}

// ConnectorSetting implements [store.Settings].
func (s *Store) ConnectorSetting(ctx context.Context, t domain.Tenant, connectorID string) (domain.ConnectorSetting, error) {
	d, err := one[settingDoc](ctx, s, settings, byID(t, connectorID), missing("setting of", connectorID))
	if err != nil {
		return domain.ConnectorSetting{}, err
	}
	return domain.ConnectorSetting{Meta: d.domain(), ConnectorID: d.ConnectorID, ExtraDetails: d.ExtraDetails}, nil
}

// PutConnectorSetting implements [store.Settings].
func (s *Store) PutConnectorSetting(ctx context.Context, c domain.ConnectorSetting) (int64, error) {
	if err := keepable(c.CreatedAt, c.UpdatedAt); err != nil {
		return 0, err
	}
	set := bson.D{{Key: "extraDetails", Value: c.ExtraDetails}}
	if c.Revision > 0 {
		return s.update(ctx, settings, "setting of", c.ConnectorID, byID(c.Tenant, c.ConnectorID), c.Revision, append(set, bson.E{Key: "updatedAt", Value: textOf(c.UpdatedAt)}), nil)
	}
	d := append(set, append(created(c.Meta), bson.E{Key: "connectorId", Value: c.ConnectorID})...)
	return s.first(ctx, settings, byID(c.Tenant, c.ConnectorID), d, stale("setting of", c.ConnectorID))
}
