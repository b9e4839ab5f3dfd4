package confluence

import (
	"context"
	"net/url"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// ListIDs returns the ids of a space's pages and then of its blog posts, in ascending order.
func (c *cloud) ListIDs(ctx context.Context, q connectors.IDQuery) (connectors.Page[string], error) {
	var out connectors.Page[string]
	at, err := parseStage(q.Cursor)
	if err != nil {
		return out, err
	}
	page, err := c.pagesAt(ctx, connectors.ItemQuery{ContainerID: q.ContainerID, Limit: maxPage}, at)
	if err != nil {
		return out, err
	}
	for _, raw := range page.Results {
		var p content
		if err := c.read(raw, &p); err != nil {
			return out, err
		}
		if !isID(p.ID) {
			return out, c.api.Nonsense("a page without an id")
		}
		out.Items = append(out.Items, p.ID)
	}
	out.Next = at.after(page.cursor)
	if out.Next == "" {
		return out, c.vouchEnd(ctx, len(page.Results), true)
	}
	return out, nil
}

// ListDeletions returns the pages and blog posts in a space's trash, those changed last first. When they were deleted is
// not told, so that q.After leaves none out.
func (c *cloud) ListDeletions(ctx context.Context, q connectors.DeletionQuery) (connectors.Page[connectors.Deletion], error) {
	var out connectors.Page[connectors.Deletion]
	at, err := parseStage(q.Cursor)
	if err != nil {
		return out, err
	}
	id, err := c.spaceID(ctx, q.ContainerID)
	if err != nil {
		return out, err
	}
	page, err := c.get(ctx, v2+rest.Path("spaces", id, at.kind), url.Values{"status": {"trashed"}, "sort": {"-modified-date"}}, q.Limit, at.cursor)
	if err != nil {
		return out, err
	}
	for _, raw := range page.Results {
		var p content
		if err := c.read(raw, &p); err != nil {
			return out, err
		}
		if !isID(p.ID) || p.Status != "trashed" {
			return out, c.api.Nonsense("something else than what is in the trash")
		}
		out.Items = append(out.Items, connectors.Deletion{ID: p.ID, ContainerID: q.ContainerID})
	}
	out.Next = at.after(page.cursor)
	if out.Next == "" {
		return out, c.vouchEnd(ctx, len(page.Results), true)
	}
	return out, nil
}

// ResolveAbsences tells what became of pages and blog posts of a space: where they are now, or that they are in the trash
// or were deleted for good. What Confluence does not give at all is [connectors.Gone].
func (c *cloud) ResolveAbsences(ctx context.Context, containerID string, ids []string) ([]connectors.Absence, error) {
	found := map[string]content{}
	for kind, statuses := range map[string][]string{
		pages: {"current", "archived", "trashed", "deleted"}, blogPosts: {"current", "trashed", "deleted"},
	} {
		var asked []string
		for _, id := range ids {
			if !isID(id) {
				return nil, connectors.InvalidFields(connectors.Fault{Field: "ids", Message: "must be ids of pages"})
			}
			asked = append(asked, id)
		}
		results, err := c.every(ctx, v2+"/"+kind, url.Values{"id": asked, "status": statuses})
		if err != nil {
			return nil, err
		}
		entries, err := c.contents(ctx, results)
		if err != nil {
			return nil, err
		}
		for _, p := range entries {
			found[p.ID] = p
		}
	}
	if len(found) < len(ids) {
		if err := c.vouch(ctx, true); err != nil {
			return nil, err
		}
	}
	out := make([]connectors.Absence, len(ids))
	for i, id := range ids {
		p, ok := found[id]
		out[i] = fate(id, containerID, c.keyOf(p), p.Status, ok)
	}
	return out, nil
}

// fate tells what became of a page that is now in a space with that key.
func fate(id, containerID, key, status string, found bool) connectors.Absence {
	switch {
	case !found:
		return connectors.Absence{ID: id, Reason: connectors.Gone}
	case status == "trashed" || status == "deleted":
		return connectors.Absence{ID: id, Reason: connectors.Deleted}
	case key != containerID && key != "":
		return connectors.Absence{ID: id, Reason: connectors.Moved, ContainerID: key}
	case status == "archived":
		return connectors.Absence{ID: id, Reason: connectors.Archived}
	}
	return connectors.Absence{ID: id, Reason: connectors.Present}
}

// EstimateContainers estimates a listing of spaces from what the search counts.
func (c *cloud) EstimateContainers(ctx context.Context, q connectors.ContainerQuery) (connectors.Estimate, error) {
	n, err := c.count(ctx, "type = space")
	return c.cost(n, q.Limit), err
}

// EstimateItems estimates a listing of pages and blog posts from what the search counts.
func (c *cloud) EstimateItems(ctx context.Context, q connectors.ItemQuery) (connectors.Estimate, error) {
	if q.ContainerID != "" {
		if _, err := c.spaceID(ctx, q.ContainerID); err != nil {
			return connectors.Estimate{}, err
		}
	}
	cql, err := cqlFor(q)
	if err != nil {
		return connectors.Estimate{}, err
	}
	n, err := c.count(ctx, cql)
	return c.cost(n, q.Limit), err
}

// EstimateComments estimates a listing of comments from what the search counts; each may have replies, which takes a
// request of its own.
func (c *cloud) EstimateComments(ctx context.Context, q connectors.CommentQuery) (connectors.Estimate, error) {
	if !isID(q.ItemID) {
		return connectors.Estimate{}, noItem(q.ItemID, nil)
	}
	if _, err := c.kindOf(ctx, q.ItemID); err != nil {
		return connectors.Estimate{}, err
	}
	n, err := c.count(ctx, "type = comment AND container = "+q.ItemID)
	e := c.cost(n, q.Limit)
	if n > 0 {
		e.Requests += n
	}
	return e, err
}

func (c *cloud) count(ctx context.Context, cql string) (int64, error) {
	page, err := c.search(ctx, cql, 1, "")
	if err != nil || page.Total == nil {
		return connectors.Unknown, err
	}
	return *page.Total, nil
}

func (c *cloud) cost(entries int64, limit int) connectors.Estimate {
	var points int64
	if c.metered {
		points = 1
	}
	return connectors.EstimateOf(entries, false, min(limit, maxPage), points, points)
}
