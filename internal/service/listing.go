package service

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// ListIn is what every listing of a connected system is asked with.
type ListIn struct {
	ConnectorID  string `path:"id" doc:"Connector" example:"jira"`
	WorkspaceID  string `query:"workspaceId" doc:"The tenant again; another one is refused"`
	ConnectionID string `query:"connectionId" doc:"Connection to use; without it the tenant's only one"`
	Cursor       string `query:"cursor" doc:"The next of an earlier page"`
	Limit        int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"Entries of a page"`
	Raw          bool   `query:"raw" doc:"Whether to add the provider's own objects"`
	// Config is a configuration given instead of a stored connection; the command line alone fills it.
	Config map[string]any
}

// Workspace returns the tenant named beside the header.
func (in ListIn) Workspace() string { return in.WorkspaceID }

func (in ListIn) use() Use {
	return Use{ConnectorID: in.ConnectorID, Connection: in.ConnectionID, Config: in.Config}
}

// ContainersIn asks for containers.
type ContainersIn struct{ ListIn }

// ItemsIn asks for items.
type ItemsIn struct {
	ListIn
	ContainerID  string    `query:"containerId" doc:"Only items of this container" example:"PAY"`
	UpdatedAfter time.Time `query:"updatedAfter" doc:"Only items changed at or after it (RFC 3339)"`
	Query        string    `query:"query" doc:"A query in the system's own language: JQL, CQL, SOQL, SQL"`
}

// CommentsIn asks for the comments on one item.
type CommentsIn struct {
	ListIn
	ItemID string `query:"itemId" required:"true" doc:"Item, by id or by the key people use"`
}

// Containers returns one page of containers.
func (s *Service) Containers(ctx context.Context, t domain.Tenant, in ContainersIn) (connectors.Page[connectors.Container], error) {
	var page connectors.Page[connectors.Container]
	err := s.EachContainerPage(ctx, t, in, false, func(p connectors.Page[connectors.Container]) error { page = p; return nil })
	return page, err
}

// Items returns one page of items.
func (s *Service) Items(ctx context.Context, t domain.Tenant, in ItemsIn) (connectors.Page[connectors.Item], error) {
	var page connectors.Page[connectors.Item]
	err := s.EachItemPage(ctx, t, in, false, func(p connectors.Page[connectors.Item]) error { page = p; return nil })
	return page, err
}

// Comments returns one page of comments.
func (s *Service) Comments(ctx context.Context, t domain.Tenant, in CommentsIn) (connectors.Page[connectors.Comment], error) {
	var page connectors.Page[connectors.Comment]
	err := s.EachCommentPage(ctx, t, in, false, func(p connectors.Page[connectors.Comment]) error { page = p; return nil })
	return page, err
}

// EstimateContainers tells what a listing of containers costs, without running it.
func (s *Service) EstimateContainers(ctx context.Context, t domain.Tenant, in ContainersIn) (connectors.Estimate, error) {
	return s.estimate(ctx, t, in.ListIn, func(c *connectors.Conn) (connectors.Estimate, error) {
		return c.EstimateContainers(ctx, in.query())
	})
}

// EstimateItems tells what a listing of items costs, without running it.
func (s *Service) EstimateItems(ctx context.Context, t domain.Tenant, in ItemsIn) (connectors.Estimate, error) {
	return s.estimate(ctx, t, in.ListIn, func(c *connectors.Conn) (connectors.Estimate, error) {
		return c.EstimateItems(ctx, in.query())
	})
}

// EstimateComments tells what a listing of comments costs, without running it.
func (s *Service) EstimateComments(ctx context.Context, t domain.Tenant, in CommentsIn) (connectors.Estimate, error) {
	return s.estimate(ctx, t, in.ListIn, func(c *connectors.Conn) (connectors.Estimate, error) {
		return c.EstimateComments(ctx, in.query())
	})
}

func (s *Service) estimate(ctx context.Context, t domain.Tenant, in ListIn, ask func(*connectors.Conn) (connectors.Estimate, error)) (e connectors.Estimate, err error) {
	err = s.list(ctx, t, in, func(c *connectors.Conn, _ bool) error {
		e, err = ask(c)
		return err
	})
	return e, err
}

func (in ContainersIn) query() connectors.ContainerQuery {
	return connectors.ContainerQuery{Cursor: connectors.Cursor(in.Cursor), Limit: in.Limit, Raw: in.Raw}
}

func (in ItemsIn) query() connectors.ItemQuery {
	return connectors.ItemQuery{
		ContainerID: in.ContainerID, UpdatedAfter: in.UpdatedAfter, Query: in.Query,
		Cursor: connectors.Cursor(in.Cursor), Limit: in.Limit, Raw: in.Raw,
	}
}

func (in CommentsIn) query() connectors.CommentQuery {
	return connectors.CommentQuery{ItemID: in.ItemID, Cursor: connectors.Cursor(in.Cursor), Limit: in.Limit, Raw: in.Raw}
}

// EachContainerPage hands over the page that in asks for, and with all every one after it.
func (s *Service) EachContainerPage(ctx context.Context, t domain.Tenant, in ContainersIn, all bool, yield func(connectors.Page[connectors.Container]) error) error {
	q := in.query()
	return s.list(ctx, t, in.ListIn, func(c *connectors.Conn, wide bool) error {
		q.Wide = wide
		if all {
			return drain(c.AllContainers(ctx, q), yield)
		}
		return one(ctx, q, c.Containers, yield)
	})
}

// EachItemPage hands over the page that in asks for, and with all every one after it.
func (s *Service) EachItemPage(ctx context.Context, t domain.Tenant, in ItemsIn, all bool, yield func(connectors.Page[connectors.Item]) error) error {
	q := in.query()
	return s.list(ctx, t, in.ListIn, func(c *connectors.Conn, wide bool) error {
		q.Wide = wide
		if all {
			return drain(c.AllItems(ctx, q), yield)
		}
		return one(ctx, q, c.Items, yield)
	})
}

// EachCommentPage hands over the page that in asks for, and with all every one after it.
func (s *Service) EachCommentPage(ctx context.Context, t domain.Tenant, in CommentsIn, all bool, yield func(connectors.Page[connectors.Comment]) error) error {
	q := in.query()
	return s.list(ctx, t, in.ListIn, func(c *connectors.Conn, _ bool) error {
		if all {
			return drain(c.AllComments(ctx, q), yield)
		}
		return one(ctx, q, c.Comments, yield)
	})
}

// list opens what in names, runs the listing and writes down how it ended.
func (s *Service) list(ctx context.Context, t domain.Tenant, in ListIn, run func(c *connectors.Conn, wide bool) error) error {
	if err := checkLimit(in.Limit); err != nil {
		return err
	}
	o, err := s.open(ctx, t, in.use())
	if err != nil {
		return err
	}
	defer o.done()
	err = run(o.Conn, s.wide(ctx, o, t))
	s.used(ctx, o, err)
	return err
}

// checkLimit refuses a page size before anything is looked up.
func checkLimit(n int) error {
	if n < 1 || n > connectors.MaxLimit {
		return connectors.InvalidFields(connectors.Fault{Field: "limit", Message: "must be between 1 and 200"})
	}
	return nil
}

func one[Q, T any](ctx context.Context, q Q, list func(context.Context, Q) (connectors.Page[T], error), yield func(connectors.Page[T]) error) error {
	page, err := list(ctx, q)
	if err != nil {
		return err
	}
	return yield(page)
}

func drain[T any](pages func(func(connectors.Page[T], error) bool), yield func(connectors.Page[T]) error) error {
	for page, err := range pages {
		if err != nil {
			return err
		}
		if err := yield(page); err != nil {
			return err
		}
	}
	return nil
}

// wide reports whether the tenant asked for extra details of the connector. A configuration given on the spot
// belongs to no stored setting, so that a listing in CI opens no store.
func (s *Service) wide(ctx context.Context, o *opened, t domain.Tenant) bool {
	if o.stored == nil {
		return false
	}
	set, err := s.setting(ctx, t, o.stored.ConnectorID)
	s.logged(ctx, "connector settings were not read", err)
	return err == nil && set.ExtraDetails
}
