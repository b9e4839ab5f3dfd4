package confluence

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
)

// remark is a comment as a search finds it.
type remark struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Container *struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"container"`
	Version struct {
		When string `json:"when"`
	} `json:"version"`
}

// cqlOfRemarks returns the CQL for the comments of a space that are new or changed. A comment does not change its page.
func cqlOfRemarks(q connectors.ChangedIDQuery) string {
	cql := "type = comment AND space = " + atlassian.Quote(q.ContainerID)
	if !q.After.IsZero() {
		cql += " AND lastmodified >= " + atlassian.Quote(q.After.Add(-dayOverlap).UTC().Format("2006-01-02 15:04"))
	}
	return cql + " ORDER BY lastmodified"
}

// about returns the id of the page or blog post that a comment is on, empty for one that is older than asked.
func (r remark) about(after time.Time) (id string, sound bool) {
	switch {
	case r.Type != "comment" || !isID(r.ID) || r.Container == nil:
		return "", false
	case r.Container.Type != "page" && r.Container.Type != "blogpost":
		return "", true // on an attachment, or something that an app made: no item of ours
	case !isID(r.Container.ID):
		return "", false
	}
	if before(parseTime(r.Version.When), after) {
		return "", true
	}
	return r.Container.ID, true
}

// ListCommented returns the ids of pages and blog posts with comments that are new or changed. Of deleted comments
// Confluence tells nothing.
func (c *cloud) ListCommented(ctx context.Context, q connectors.ChangedIDQuery) (connectors.Page[string], error) {
	var out connectors.Page[string]
	if _, err := c.spaceID(ctx, q.ContainerID); err != nil {
		return out, err
	}
	page, err := c.searchAs(ctx, url.Values{
		"cql": {cqlOfRemarks(q)}, "expand": {"content.container,content.version"},
	}, maxPage, string(q.Cursor))
	if err != nil {
		return out, err
	}
	if page.cursor == "" {
		if err := c.vouchEnd(ctx, len(page.Results), q.Cursor != ""); err != nil {
			return out, err
		}
	}
	for _, raw := range page.Results {
		var hit struct {
			Content *remark `json:"content"`
		}
		if err := c.read(raw, &hit); err != nil {
			return out, err
		}
		if hit.Content == nil {
			return out, c.api.Nonsense("something else than comments")
		}
		if !hit.Content.into(&out, q.After) {
			return out, c.api.Nonsense("a comment that is on no page")
		}
	}
	out.Next = connectors.Cursor(page.cursor)
	return out, nil
}

// ListCommented returns the ids of pages and blog posts with comments that are new or changed.
func (s *server) ListCommented(ctx context.Context, q connectors.ChangedIDQuery) (connectors.Page[string], error) {
	var out connectors.Page[string]
	f, err := parseFoothold(q.Cursor)
	if err != nil {
		return out, err
	}
	if !isKey(q.ContainerID) {
		return out, noSpace(q.ContainerID)
	}
	query := url.Values{"cql": {cqlOfRemarks(q)}, "expand": {"container,version"}}
	page, err := s.page(ctx, "/rest/api/content/search", query, maxServerPage-1, f, s.idOf)
	if err == nil && len(page.entries) == 0 {
		err = s.vouch(ctx)
	}
	if err != nil || len(page.entries) == 0 {
		return out, s.explainSpace(ctx, connectors.ItemQuery{ContainerID: q.ContainerID}, err)
	}
	for _, raw := range page.entries {
		var r remark
		if err := json.Unmarshal(raw, &r); err != nil {
			return out, s.api.Nonsense("a comment of another shape than its API promises")
		}
		if !r.into(&out, q.After) {
			return out, s.api.Nonsense("a comment that is on no page")
		}
	}
	out.Next = f.after(page, false)
	return out, nil
}

// into adds what a comment is on to a page of ids, and reports whether it is on anything.
func (r remark) into(out *connectors.Page[string], after time.Time) (sound bool) {
	id, sound := r.about(after)
	if id != "" && !slices.Contains(out.Items, id) {
		out.Items = append(out.Items, id)
	}
	return sound
}

// SystemTime implements [connectors.Timekeeper].
func (s *server) SystemTime(ctx context.Context) (time.Time, error) {
	return s.api.SystemTime(ctx, func(ctx context.Context) error {
		_, err := s.get(ctx, "/rest/api/space", url.Values{}, 1, 0)
		return err
	})
}
