package service

import (
	"context"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// Reading is a stored connection that was opened for a job.
type Reading struct {
	*connectors.Conn
	// Connection is the record as it was when it was opened.
	Connection domain.Connection
	// Wide says that the tenant wants the wider attributes of this connector.
	Wide bool

	service *Service
}

// OpenReading opens a stored connection for work that nobody waits for, unless the caller says that somebody does. A
// revoked one is reauthorize. The caller ends it with End.
func (s *Service) OpenReading(ctx context.Context, t domain.Tenant, connectionID string, background bool) (*Reading, error) {
	st, err := s.Store(ctx)
	if err != nil {
		return nil, err
	}
	c, err := st.Connection(ctx, t, connectionID)
	if err != nil {
		return nil, err
	}
	if c.Status == domain.Revoked {
		return nil, revokedError(c)
	}
	set, err := s.setting(ctx, t, c.ConnectorID)
	if err != nil {
		return nil, err
	}
	conn, err := s.openStored(ctx, st, c, background)
	if err != nil {
		return nil, err
	}
	return &Reading{Conn: conn, Connection: c, Wide: set.ExtraDetails, service: s}, nil
}

// OpenUse opens what u names, as listings do: a stored connection, or a configuration that was given. The caller ends it with
// End.
func (s *Service) OpenUse(ctx context.Context, t domain.Tenant, u Use) (*Reading, error) {
	o, err := s.open(ctx, t, u)
	if err != nil {
		return nil, err
	}
	r := &Reading{Conn: o.Conn, Wide: s.wide(ctx, o, t), service: s}
	if o.stored != nil {
		r.Connection = *o.stored
	}
	return r, nil
}

// End closes the connection and writes down what err says of it, if it is a stored one.
func (r *Reading) End(ctx context.Context, err error) {
	o := &opened{r.Conn, nil}
	if r.Connection.ID != "" {
		o.stored = &r.Connection
	}
	o.done()
	r.service.used(ctx, o, err)
}

// StillThere is nil for a connection that may be read: a revoked one is reauthorize, and a deleted one, which is revoked
// first, not_found.
func (s *Service) StillThere(ctx context.Context, t domain.Tenant, connectionID string) error {
	st, err := s.Store(ctx)
	if err != nil {
		return err
	}
	c, err := st.Connection(ctx, t, connectionID)
	if err == nil && c.Status == domain.Revoked {
		err = revokedError(c)
	}
	return err
}

func revokedError(c domain.Connection) error {
	return connectors.Errorf(connectors.Reauthorize, "the connection %s was revoked: connect again with `ucf connect %s --connection %s`", c.ID, c.ConnectorID, c.ID)
}
