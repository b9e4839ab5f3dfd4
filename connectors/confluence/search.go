package confluence

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// dayOverlap is how much further back a search for changes goes than asked: CQL compares whole minutes in a time zone
// that depends on the account. What is too old is dropped on our side.
const dayOverlap = 25 * time.Hour

// cqlFor returns the CQL of a listing.
func cqlFor(q connectors.ItemQuery) (string, error) {
	where, order, fault := atlassian.SplitOrder(q.Query)
	if fault != "" {
		return "", connectors.InvalidFields(connectors.Fault{Field: "query", Message: fault})
	}
	terms := []string{"type in (page, blogpost)"}
	if where != "" {
		terms = append(terms, "("+where+")")
	}
	if q.ContainerID != "" {
		terms = append(terms, "space = "+atlassian.Quote(q.ContainerID))
	}
	if !q.UpdatedAfter.IsZero() {
		terms = append(terms, "lastmodified >= "+atlassian.Quote(q.UpdatedAfter.Add(-dayOverlap).UTC().Format("2006-01-02 15:04")))
	}
	if order == "" {
		order = "created"
	}
	return strings.Join(terms, " AND ") + " ORDER BY " + order, nil
}

// search asks for one page of what CQL finds.
func (c *cloud) search(ctx context.Context, cql string, limit int, cursor string) (listed, error) {
	return c.searchAs(ctx, url.Values{"cql": {cql}}, limit, cursor)
}

// searchAs asks for one page of a search with more parameters than CQL.
func (c *cloud) searchAs(ctx context.Context, query url.Values, limit int, cursor string) (listed, error) {
	var page listed
	query.Set("limit", strconv.Itoa(limit))
	query.Set("includeArchivedSpaces", "true") // their pages are listed, so that they are found too
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	header, err := c.api.Get(ctx, v1+"/search", query, &page)
	switch {
	case err != nil && cursor != "" && rest.StatusOf(err) == http.StatusBadRequest:
		return page, connectors.Wrap(connectors.InvalidRequest, err, "Confluence no longer accepts the cursor: start again without one")
	case err != nil:
		return page, err
	case page.Results == nil:
		return page, c.api.Nonsense("a search result without entries")
	case len(page.Results) > limit:
		return page, c.api.Nonsense("more entries than it was asked for")
	}
	page.cursor, err = c.next(header, page.Links.Next, cursor)
	return page, err
}

// hit is an entry of a search.
type hit struct {
	Content *struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"content"`
}

// found returns one page of what a query finds. The search tells ids; the pages themselves are asked for in two requests
// and come in its order.
func (c *cloud) found(ctx context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	var out connectors.Page[connectors.Item]
	if q.ContainerID != "" && !isKey(q.ContainerID) {
		return out, noSpace(q.ContainerID)
	}
	cql, err := cqlFor(q)
	if err != nil {
		return out, err
	}
	page, err := c.search(ctx, cql, q.Limit, string(q.Cursor))
	if err == nil && page.cursor == "" {
		err = c.vouchEnd(ctx, len(page.Results), q.Cursor != "")
	}
	if err != nil {
		return out, err
	}
	out.Next = connectors.Cursor(page.cursor)
	out.Items, err = c.itemsOf(ctx, page.Results, q)
	return out, err
}

// itemsOf returns what was found as items, in its order. What the index has and the site has not was deleted meanwhile.
func (c *cloud) itemsOf(ctx context.Context, results []json.RawMessage, q connectors.ItemQuery) ([]connectors.Item, error) {
	ids, byKind, err := c.hits(results)
	if err != nil {
		return nil, err
	}
	items := map[string]connectors.Item{}
	for kind, wanted := range byKind {
		if err := c.fetch(ctx, kind, wanted, q, items); err != nil {
			return nil, err
		}
	}
	if len(items) == 0 && len(ids) > 0 {
		if err := c.vouch(ctx, true); err != nil {
			return nil, err
		}
	}
	var out []connectors.Item
	for _, id := range ids {
		if it, there := items[id]; there && !before(it.UpdatedAt, q.UpdatedAfter) {
			out = append(out, it)
		}
	}
	return out, nil
}

// hits returns the ids of what was found, in order and by kind.
func (c *cloud) hits(results []json.RawMessage) (ids []string, byKind map[string][]string, err error) {
	byKind = map[string][]string{}
	for _, raw := range results {
		var h hit
		if err := c.read(raw, &h); err != nil {
			return nil, nil, err
		}
		if h.Content == nil || !isID(h.Content.ID) || h.Content.Type != "page" && h.Content.Type != "blogpost" {
			return nil, nil, c.api.Nonsense("something else than pages and blog posts")
		}
		ids = append(ids, h.Content.ID)
		byKind[h.Content.Type+"s"] = append(byKind[h.Content.Type+"s"], h.Content.ID)
	}
	return ids, byKind, nil
}

// fetch adds the pages or blog posts with those ids to items.
func (c *cloud) fetch(ctx context.Context, kind string, ids []string, q connectors.ItemQuery, items map[string]connectors.Item) error {
	query := url.Values{"id": ids}
	if q.Raw || q.Wide {
		query.Set("body-format", "storage")
	}
	results, err := c.every(ctx, v2+"/"+kind, query)
	if err != nil {
		return err
	}
	entries, err := c.contents(ctx, results)
	if err != nil {
		return err
	}
	for i, p := range entries {
		items[p.ID] = c.item(p, kind, results[i], q)
	}
	return nil
}
