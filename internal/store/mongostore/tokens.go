package mongostore

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const tokens = "tokens"

type tokenDoc struct {
	Head      `bson:",inline"`
	ID        string `bson:"id"`
	Kind      string `bson:"kind"`
	KeyID     string `bson:"keyId"`
	Sealed    string `bson:"sealed"`
	ExpiresAt string `bson:"expiresAt"`
	DueAt     string `bson:"dueAt"`
	Grant     string `bson:"grant"`
}

func (d tokenDoc) domain() (domain.Token, error) {
	t := domain.Token{
		Meta: d.Head.domain(), ID: d.ID, Kind: d.Kind, KeyID: d.KeyID, Sealed: d.Sealed, ExpiresAt: timeOf(d.ExpiresAt), DueAt: timeOf(d.DueAt),
	}
	return t, ofJSON(d.Grant, &t.Grant)
}

func tokenFields(t domain.Token) (bson.D, error) {
	if err := keepable(t.CreatedAt, t.UpdatedAt, t.ExpiresAt, t.DueAt); err != nil {
		return nil, err
	}
	grantKey := ""
	if t.Grant != nil {
		grantKey = t.Grant.Key
	}
	return withJSON(bson.D{
		{Key: "updatedAt", Value: textOf(t.UpdatedAt)},
		{Key: "kind", Value: t.Kind},
		{Key: "keyId", Value: t.KeyID},
		{Key: "sealed", Value: t.Sealed},
		{Key: "expiresAt", Value: textOf(t.ExpiresAt)},
		{Key: "dueAt", Value: textOf(t.DueAt)},
		{Key: "grantKey", Value: grantKey},
	}, bson.E{Key: "grant", Value: t.Grant})
}

func tokenTaken(t domain.Token) *connectors.Error {
	return connectors.Errorf(connectors.Conflict, "there is a token %.100q, or one of the same OAuth grant, already", t.ID)
}

// CreateToken implements [store.Tokens].
func (s *Store) CreateToken(ctx context.Context, t domain.Token) error {
	d, err := tokenFields(t)
	if err != nil {
		return err
	}
	d = append(without(d, "updatedAt"), append(created(t.Meta), bson.E{Key: "id", Value: t.ID})...)
	return s.insert(ctx, tokens, byID(t.Tenant, t.ID), d, tokenTaken(t))
}

func tokenOf(d tokenDoc, err error) (domain.Token, error) {
	if err != nil {
		return domain.Token{}, err
	}
	return d.domain()
}

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, t domain.Tenant, id string) (domain.Token, error) {
	return tokenOf(one[tokenDoc](ctx, s, tokens, byID(t, id), missing("token", id)))
}

// TokenOfGrant implements [store.Tokens].
func (s *Store) TokenOfGrant(ctx context.Context, t domain.Tenant, grant string) (domain.Token, error) {
	none := missing("token of the grant", grant)
	if grant == "" {
		return domain.Token{}, none
	}
	return tokenOf(one[tokenDoc](ctx, s, tokens, bson.D{{Key: "tenant", Value: string(t)}, {Key: "grantKey", Value: grant}}, none))
}

// UpdateToken implements [store.Tokens].
func (s *Store) UpdateToken(ctx context.Context, t domain.Token) (int64, error) {
	d, err := tokenFields(t)
	if err != nil {
		return 0, err
	}
	return s.update(ctx, tokens, "token", t.ID, byID(t.Tenant, t.ID), t.Revision, d, tokenTaken(t))
}

// DeleteToken implements [store.Tokens].
func (s *Store) DeleteToken(ctx context.Context, t domain.Tenant, id string) error {
	removed, err := s.remove(ctx, tokens, byID(t, id))
	if err == nil && !removed {
		return missing("token", id)
	}
	return err
}

// ListTokens implements [store.Tokens].
func (s *Store) ListTokens(ctx context.Context, t domain.Tenant, l store.List) ([]domain.Token, error) {
	return s.listTokens(ctx, bson.D{{Key: "tenant", Value: string(t)}, {Key: "id", Value: bson.D{{Key: "$gt", Value: l.After}}}}, "id", l.Limit)
}

// listTokens returns tokens in the order of fields that end with the id.
func (s *Store) listTokens(ctx context.Context, filter bson.D, by string, limit int) ([]domain.Token, error) {
	if err := page(limit); err != nil {
		return nil, err
	}
	order := sorted("id")
	if by != "id" {
		order = sorted(by, "id")
	}
	return mapped(many[tokenDoc](ctx, s, tokens, filter, options.Find().SetSort(order).SetLimit(int64(limit))))
}

// TokenKeyIDs implements [store.Tokens].
func (s *Store) TokenKeyIDs(ctx context.Context) ([]string, error) {
	var ids []string
	err := s.read(ctx, func(ctx context.Context) error {
		return s.db.Collection(tokens).Distinct(ctx, "keyId", bson.D{}).Decode(&ids)
	})
	slices.Sort(ids)
	if len(ids) == 0 {
		return nil, err
	}
	return ids, err
}

// TokensNotSealedBy implements [store.Tokens].
func (s *Store) TokensNotSealedBy(ctx context.Context, keyID string, l store.List) ([]domain.Token, error) {
	return s.listTokens(ctx, bson.D{{Key: "id", Value: bson.D{{Key: "$gt", Value: l.After}}}, {Key: "keyId", Value: bson.D{{Key: "$ne", Value: keyID}}}}, "id", l.Limit)
}

// DueTokens implements [store.Tokens].
func (s *Store) DueTokens(ctx context.Context, at time.Time, limit int) ([]domain.Token, error) {
	return s.listTokens(ctx, bson.D{{Key: "dueAt", Value: bson.D{{Key: "$gt", Value: ""}, {Key: "$lte", Value: textOf(at)}}}}, "dueAt", limit)
}
