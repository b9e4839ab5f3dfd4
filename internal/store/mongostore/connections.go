package mongostore

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const connections = "connections"

type connectionDoc struct {
	Head         `bson:",inline"`
	ID           string `bson:"id"`
	ConnectorID  string `bson:"connectorId"`
	Name         string `bson:"name"`
	Status       string `bson:"status"`
	Reason       string `bson:"reason"`
	AuthMethod   string `bson:"authMethod"`
	Account      string `bson:"account"`
	Site         string `bson:"site"`
	Config       string `bson:"config"`
	Scopes       string `bson:"scopes"`
	TokenID      string `bson:"tokenId"`
	LastUsedAt   string `bson:"lastUsedAt"`
	OperatorHost bool   `bson:"operatorHost"`
}

func (d connectionDoc) domain() (domain.Connection, error) {
	c := domain.Connection{
		Meta: d.Head.domain(), ID: d.ID, ConnectorID: d.ConnectorID, Name: d.Name, Status: domain.Status(d.Status), Reason: d.Reason,
		AuthMethod: d.AuthMethod, TokenID: d.TokenID, LastUsedAt: timeOf(d.LastUsedAt), OperatorHost: d.OperatorHost,
	}
	return c, ofJSONs(field{d.Account, &c.Account}, field{d.Site, &c.Site}, field{d.Config, &c.Config}, field{d.Scopes, &c.Scopes})
}

// connectionFields are those that a change of a connection may set.
func connectionFields(c domain.Connection) (bson.D, error) {
	if err := keepable(c.CreatedAt, c.UpdatedAt, c.LastUsedAt); err != nil {
		return nil, err
	}
	d := bson.D{
		{Key: "updatedAt", Value: textOf(c.UpdatedAt)},
		{Key: "connectorId", Value: c.ConnectorID},
		{Key: "name", Value: c.Name},
		{Key: "status", Value: string(c.Status)},
		{Key: "reason", Value: c.Reason},
		{Key: "authMethod", Value: c.AuthMethod},
		{Key: "tokenId", Value: c.TokenID},
		{Key: "operatorHost", Value: c.OperatorHost},
	}
	return withJSON(d, bson.E{Key: "account", Value: c.Account}, bson.E{Key: "site", Value: c.Site}, bson.E{Key: "config", Value: c.Config}, bson.E{Key: "scopes", Value: c.Scopes})
}

func nameTaken(c domain.Connection) *connectors.Error {
	return connectors.Errorf(connectors.Conflict, "there is a %s connection named %.100q already: choose another name", c.ConnectorID, c.Name)
}

// CreateConnection implements [store.Connections].
func (s *Store) CreateConnection(ctx context.Context, c domain.Connection) error {
	d, err := connectionFields(c)
	if err != nil {
		return err
	}
	d = append(without(d, "updatedAt"), append(created(c.Meta), bson.E{Key: "id", Value: c.ID}, bson.E{Key: "lastUsedAt", Value: textOf(c.LastUsedAt)})...)
	return s.insert(ctx, connections, byID(c.Tenant, c.ID), d, nameTaken(c))
}

// without returns the fields but for one.
func without(d bson.D, name string) bson.D {
	out := bson.D{}
	for _, e := range d {
		if e.Key != name {
			out = append(out, e)
		}
	}
	return out
}

func connectionOf(d connectionDoc, err error) (domain.Connection, error) {
	if err != nil {
		return domain.Connection{}, err
	}
	return d.domain()
}

// Connection implements [store.Connections].
func (s *Store) Connection(ctx context.Context, t domain.Tenant, id string) (domain.Connection, error) {
	return connectionOf(one[connectionDoc](ctx, s, connections, byID(t, id), missing("connection", id)))
}

// ConnectionNamed implements [store.Connections].
func (s *Store) ConnectionNamed(ctx context.Context, t domain.Tenant, connectorID, name string) (domain.Connection, error) {
	return connectionOf(one[connectionDoc](ctx, s, connections,
		bson.D{{Key: "tenant", Value: string(t)}, {Key: "connectorId", Value: connectorID}, {Key: "name", Value: name}}, missing(connectorID+" connection named", name)))
}

// UpdateConnection implements [store.Connections]. A later LastUsedAt that a touch has set stays.
func (s *Store) UpdateConnection(ctx context.Context, c domain.Connection) (int64, error) {
	d, err := connectionFields(c)
	if err != nil {
		return 0, err
	}
	return s.update(ctx, connections, "connection", c.ID, byID(c.Tenant, c.ID), c.Revision, d, nameTaken(c), lastUsed(c.LastUsedAt))
}

// lastUsed is the operator that sets the last use, unless there is a later one.
func lastUsed(at time.Time) bson.E {
	return bson.E{Key: "$max", Value: bson.D{{Key: "lastUsedAt", Value: textOf(at)}}}
}

// TouchConnection implements [store.Connections].
func (s *Store) TouchConnection(ctx context.Context, t domain.Tenant, id string, at time.Time) error {
	if err := keepable(at); err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Collection(connections).UpdateOne(ctx, byID(t, id), bson.D{lastUsed(at)})
		return err
	})
}

// DeleteConnection implements [store.Connections].
func (s *Store) DeleteConnection(ctx context.Context, t domain.Tenant, id string, revision int64) error {
	return s.removeAt(ctx, connections, "connection", id, byID(t, id), revision)
}

// ListConnections implements [store.Connections].
func (s *Store) ListConnections(ctx context.Context, t domain.Tenant, connectorID string, l store.List) ([]domain.Connection, error) {
	if err := page(l.Limit); err != nil {
		return nil, err
	}
	filter := bson.D{{Key: "tenant", Value: string(t)}, {Key: "id", Value: bson.D{{Key: "$gt", Value: l.After}}}}
	if connectorID != "" {
		filter = append(filter, bson.E{Key: "connectorId", Value: connectorID})
	}
	return mapped(many[connectionDoc](ctx, s, connections, filter, options.Find().SetSort(sorted("id")).SetLimit(int64(l.Limit))))
}

// mapped returns documents as records.
func mapped[D interface{ domain() (R, error) }, R any](list []D, err error) ([]R, error) {
	if err != nil || len(list) == 0 {
		return nil, err
	}
	out := make([]R, len(list))
	for i, d := range list {
		if out[i], err = d.domain(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
