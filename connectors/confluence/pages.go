package confluence

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// The kinds of items, as version 2 calls them in paths.
const (
	pages     = "pages"
	blogPosts = "blogposts"
)

// overlap is how much further back a listing of changes goes than asked; what is too old is dropped on our side.
const overlap = 2 * time.Minute

// stage is a position in a listing of pages first and blog posts then.
type stage struct {
	kind   string
	cursor string
}

// parseStage reads a cursor that [stage.String] wrote.
func parseStage(c connectors.Cursor) (stage, error) {
	if c == "" {
		return stage{kind: pages}, nil
	}
	kind, cursor, ok := strings.Cut(string(c), ":")
	if !ok || kind != pages && kind != blogPosts {
		return stage{}, badCursor()
	}
	return stage{kind, cursor}, nil
}

func badCursor() error {
	return connectors.Errorf(connectors.InvalidRequest, "the cursor is not one of this listing: start without one")
}

// after returns the cursor behind a page whose own next cursor is given.
func (s stage) after(next string) connectors.Cursor {
	switch {
	case next != "":
		return connectors.Cursor(s.kind + ":" + next)
	case s.kind == pages:
		return connectors.Cursor(blogPosts + ":")
	}
	return ""
}

// ListItems returns pages and then blog posts that the account may view, archived ones among them, by id. With
// UpdatedAfter those changed last come first, and what changes meanwhile is left to the next listing. With a query it
// returns what the search finds, whose index lags behind a little.
func (c *cloud) ListItems(ctx context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	var out connectors.Page[connectors.Item]
	if q.Query != "" {
		return c.found(ctx, q)
	}
	at, err := parseStage(q.Cursor)
	if err != nil {
		return out, err
	}
	page, err := c.pagesAt(ctx, q, at)
	if err != nil {
		return out, err
	}
	entries, err := c.contents(ctx, page.Results)
	if err != nil {
		return out, err
	}
	for i, p := range entries {
		if !isOlder(p, q.UpdatedAfter) {
			out.Items = append(out.Items, c.item(p, at.kind, page.Results[i], q))
		}
	}
	out.Next = at.after(behindChanges(entries, page.cursor, q.UpdatedAfter))
	if out.Next == "" {
		return out, c.vouchEnd(ctx, len(page.Results), q.Cursor != "")
	}
	return out, nil
}

// behindChanges returns the cursor behind a page, none where everything that follows changed before the time asked for.
func behindChanges(entries []content, cursor string, after time.Time) string {
	if n := len(entries); n > 0 && !after.IsZero() && isOlder(entries[n-1], after.Add(-overlap)) {
		return ""
	}
	return cursor
}

// isOlder reports whether a page changed before a time; one that does not tell did not, and nothing did before the zero
// time.
func isOlder(p content, t time.Time) bool {
	return before(parseTime(p.Version.CreatedAt), t)
}

// before reports whether something that changed at a time is too old for a listing of changes since another.
func before(changed *time.Time, after time.Time) bool {
	return !after.IsZero() && changed != nil && changed.Before(after.Truncate(time.Millisecond))
}

// pagesAt asks for one page of pages or blog posts.
func (c *cloud) pagesAt(ctx context.Context, q connectors.ItemQuery, at stage) (listed, error) {
	query := url.Values{"sort": {"id"}}
	if !q.UpdatedAfter.IsZero() {
		query.Set("sort", "-modified-date")
	}
	if q.Raw || q.Wide {
		query.Set("body-format", "storage")
	}
	path := v2 + "/" + at.kind
	if q.ContainerID != "" {
		id, err := c.spaceID(ctx, q.ContainerID)
		if err != nil {
			return listed{}, err
		}
		path = v2 + rest.Path("spaces", id, at.kind)
	}
	return c.get(ctx, path, query, q.Limit, at.cursor)
}

// contents decodes pages or blog posts and learns the keys of their spaces.
func (c *cloud) contents(ctx context.Context, results []json.RawMessage) ([]content, error) {
	entries := make([]content, len(results))
	for i, raw := range results {
		if err := c.read(raw, &entries[i]); err != nil {
			return nil, err
		}
		if !isID(entries[i].ID) {
			return nil, c.api.Nonsense("a page without an id")
		}
	}
	return entries, c.learnKeys(ctx, entries)
}

// item returns a page or blog post as an item.
func (c *cloud) item(p content, kind string, raw json.RawMessage, q connectors.ItemQuery) connectors.Item {
	created := parseTime(p.CreatedAt)
	it := connectors.Item{
		ID: p.ID, Name: p.Title, ContainerID: c.keyOf(p), Type: strings.TrimSuffix(kind, "s"),
		CreatedAt: created, UpdatedAt: parseTime(p.Version.CreatedAt),
		Meta: connectors.Meta{
			{Name: "status", Value: p.Status},
			{Name: "parentId", Value: orNull(p.ParentID)},
			{Name: "version", Value: number(p.Version.Number)},
			{Name: "createdAt", Value: timeValue(created)},
		},
	}
	if strings.HasPrefix(p.Links.WebUI, "/") {
		it.URL = c.site + "/wiki" + p.Links.WebUI
	}
	if q.Wide {
		it.Meta = append(it.Meta, connectors.Meta{
			{Name: "body", Value: p.Body.text()},
			{Name: "authorId", Value: orNull(p.AuthorID)},
			{Name: "ownerId", Value: orNull(p.OwnerID)},
			{Name: "spaceId", Value: orNull(p.SpaceID)},
		}...)
	}
	if q.Raw {
		it.Raw = raw
	}
	return it
}
