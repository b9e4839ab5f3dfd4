package confluence

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// ListComments returns the comments on a page or blog post to any depth.
func (s *server) ListComments(ctx context.Context, q connectors.CommentQuery) (connectors.Page[connectors.Comment], error) {
	var out connectors.Page[connectors.Comment]
	if !isID(q.ItemID) {
		return out, noItem(q.ItemID, nil)
	}
	f, err := parseFoothold(q.Cursor)
	if err != nil {
		return out, err
	}
	query := url.Values{
		"depth": {"all"}, "location": {"footer", "inline", "resolved"},
		"expand": {"body.storage,version,history,ancestors,extensions.inlineProperties,extensions.resolution"},
	}
	page, err := s.page(ctx, rest.Path("rest", "api", "content", q.ItemID, "child", "comment"), query, q.Limit, f, s.idOf)
	if rest.StatusOf(err) == http.StatusNotFound {
		return out, noItem(q.ItemID, err)
	}
	if err != nil {
		return out, err
	}
	for _, raw := range page.entries {
		out.Items = append(out.Items, s.comment(raw, q))
	}
	out.Next = f.after(page, false)
	return out, nil
}

func (s *server) comment(raw json.RawMessage, q connectors.CommentQuery) connectors.Comment {
	var p oldContent
	_ = json.Unmarshal(raw, &p) // its id was read
	var parentID any
	if n := len(p.Ancestors); n > 0 {
		parentID = p.Ancestors[n-1].ID
	}
	by := p.History.CreatedBy
	if by == nil {
		by = cmp.Or(p.Version.By, &user{})
	}
	kind := "footer"
	if p.Extensions.Location != "" && p.Extensions.Location != "footer" {
		kind = "inline"
	}
	out := connectors.Comment{
		ID: p.ID, ItemID: q.ItemID, Author: by.name(), Text: p.Body.text(),
		CreatedAt: parseTime(p.History.CreatedDate), UpdatedAt: parseTime(cmp.Or(p.Version.When, p.History.CreatedDate)),
		Meta: connectors.Meta{
			{Name: "kind", Value: kind},
			{Name: "parentCommentId", Value: parentID},
			{Name: "authorId", Value: orNull(cmp.Or(by.UserKey, by.Username))},
			{Name: "version", Value: number(p.Version.Number)},
			{Name: "status", Value: orNull(p.Status)},
			{Name: "resolutionStatus", Value: orNull(p.Extensions.Resolution.Status)},
			{Name: "selection", Value: orNull(p.Extensions.Inline.Selection)},
		},
	}
	if q.Raw {
		out.Raw = raw
	}
	return out
}

// ListIDs returns the ids of a space's pages and then of its blog posts.
func (s *server) ListIDs(ctx context.Context, q connectors.IDQuery) (connectors.Page[string], error) {
	var out connectors.Page[string]
	page, err := s.ListItems(ctx, connectors.ItemQuery{ContainerID: q.ContainerID, Cursor: q.Cursor, Limit: maxServerPage - 1})
	out.Next = page.Next
	for _, it := range page.Items {
		out.Items = append(out.Items, it.ID)
	}
	return out, err
}

// ListDeletions returns the pages and blog posts in a space's trash. When they were deleted is not told, so that q.After
// leaves none out.
func (s *server) ListDeletions(ctx context.Context, q connectors.DeletionQuery) (connectors.Page[connectors.Deletion], error) {
	var out connectors.Page[connectors.Deletion]
	f, err := parseFoothold(q.Cursor)
	if err != nil {
		return out, err
	}
	if !isKey(q.ContainerID) {
		return out, noSpace(q.ContainerID)
	}
	query := url.Values{"spaceKey": {q.ContainerID}, "type": {f.kind}, "status": {"trashed"}}
	page, err := s.page(ctx, "/rest/api/content", query, q.Limit, f, s.idOf)
	if err == nil && len(page.entries) == 0 && !page.more {
		err = s.vouch(ctx)
	}
	if err != nil {
		return out, s.explainSpace(ctx, connectors.ItemQuery{ContainerID: q.ContainerID}, err)
	}
	for _, raw := range page.entries {
		var p oldContent
		if err := json.Unmarshal(raw, &p); err != nil || p.Status != "" && p.Status != "trashed" {
			return out, s.api.Nonsense("something else than what is in the trash")
		}
		out.Items = append(out.Items, connectors.Deletion{ID: p.ID, ContainerID: q.ContainerID})
	}
	out.Next = f.after(page, true)
	return out, nil
}

// ResolveAbsences asks for one page after the other: what is in the trash is told by its status.
func (s *server) ResolveAbsences(ctx context.Context, containerID string, ids []string) ([]connectors.Absence, error) {
	out := make([]connectors.Absence, len(ids))
	missing := false
	for i, id := range ids {
		if !isID(id) {
			return nil, connectors.InvalidFields(connectors.Fault{Field: "ids", Message: "must be ids of pages"})
		}
		var p oldContent
		_, err := s.api.Get(ctx, rest.Path("rest", "api", "content", id), url.Values{"status": {"any"}, "expand": {"space"}}, &p)
		switch {
		case rest.StatusOf(err) == http.StatusNotFound:
			missing = true
		case err != nil:
			return nil, err
		case p.ID != id || p.Space == nil:
			return nil, s.api.Nonsense("another page than the one it was asked for")
		}
		key := ""
		if p.Space != nil {
			key = p.Space.Key
		}
		out[i] = fate(id, containerID, key, p.Status, err == nil)
	}
	if missing {
		return out, s.vouch(ctx)
	}
	return out, nil
}

// EstimateContainers cannot tell: spaces are not counted.
func (s *server) EstimateContainers(context.Context, connectors.ContainerQuery) (connectors.Estimate, error) {
	return connectors.EstimateOf(connectors.Unknown, false, 1, 0, 0), nil
}

// EstimateItems estimates a listing of items from what the search counts.
func (s *server) EstimateItems(ctx context.Context, q connectors.ItemQuery) (connectors.Estimate, error) {
	if q.ContainerID != "" && !isKey(q.ContainerID) {
		return connectors.Estimate{}, noSpace(q.ContainerID)
	}
	cql, err := cqlFor(q)
	if err != nil {
		return connectors.Estimate{}, err
	}
	page, err := s.get(ctx, "/rest/api/search", url.Values{"cql": {cql}}, 1, 0)
	if err != nil {
		return connectors.Estimate{}, s.explainSpace(ctx, q, err)
	}
	if page.Total == nil {
		return connectors.EstimateOf(connectors.Unknown, false, 1, 0, 0), nil
	}
	return connectors.EstimateOf(*page.Total, false, min(q.Limit, maxServerPage), 0, 0), nil
}

// EstimateComments cannot tell: the comments on a page are not counted.
func (s *server) EstimateComments(ctx context.Context, q connectors.CommentQuery) (connectors.Estimate, error) {
	if !isID(q.ItemID) {
		return connectors.Estimate{}, noItem(q.ItemID, nil)
	}
	var p oldContent
	_, err := s.api.Get(ctx, rest.Path("rest", "api", "content", q.ItemID), nil, &p)
	if rest.StatusOf(err) == http.StatusNotFound {
		err = noItem(q.ItemID, err)
	}
	return connectors.EstimateOf(connectors.Unknown, false, 1, 0, 0), err
}
