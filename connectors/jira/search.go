package jira

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
)

// place is a position in a listing that Jira pages by token.
type place struct {
	token   string
	empties int // how many pages were empty in a row
	// seen are the versions of issues on the page before, in a listing of changes: while the index that Jira asks catches
	// up, a page may begin with what the last one ended with.
	seen []uint64
}

// maxEmptySearches is how many empty pages in a row are taken for a search that still goes on.
const maxEmptySearches = 100

// parsePlace reads a cursor that [place.cursor] wrote.
func parsePlace(c connectors.Cursor) (place, error) {
	if c == "" {
		return place{}, nil
	}
	parts := strings.SplitN(string(c), ".", 3)
	if len(parts) == 3 && parts[2] != "" {
		n, err := strconv.ParseUint(parts[0], 10, 16)
		seen, err2 := base64.RawURLEncoding.DecodeString(parts[1])
		if err == nil && err2 == nil && len(seen)%8 == 0 {
			p := place{token: parts[2], empties: int(n)}
			for ; len(seen) > 0; seen = seen[8:] {
				p.seen = append(p.seen, binary.BigEndian.Uint64(seen))
			}
			return p, nil
		}
	}
	return place{}, connectors.Errorf(connectors.InvalidRequest, "the cursor is not one of this listing: start without one")
}

func (p place) cursor() connectors.Cursor {
	var seen []byte
	for _, h := range p.seen {
		seen = binary.BigEndian.AppendUint64(seen, h)
	}
	return connectors.Cursor(strconv.Itoa(p.empties) + "." + base64.RawURLEncoding.EncodeToString(seen) + "." + p.token)
}

// version returns what tells one version of an issue from another, as good as certainly.
func version(id, updated string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, id+" "+updated)
	return h.Sum64()
}

// behind returns the cursor of the page behind one.
func (d *Driver) behind(at place, p *searchPage) (connectors.Cursor, error) {
	if p.NextPageToken == "" || p.IsLast != nil && *p.IsLast {
		return "", nil
	}
	next := place{token: p.NextPageToken}
	if next.token == at.token {
		return "", d.api.Nonsense("the same page token twice, so the listing would never end")
	}
	if len(p.Issues) == 0 {
		if next.empties, next.seen = at.empties+1, at.seen; next.empties > maxEmptySearches {
			return "", d.api.Nonsense(strconv.Itoa(next.empties) + " empty pages in a row, so the listing may never end")
		}
	}
	return next.cursor(), nil
}

// changes returns what is new of a page of a listing of changes, and its cursor with what to know again.
func (d *Driver) changes(at place, p *searchPage, next connectors.Cursor) ([]json.RawMessage, connectors.Cursor, error) {
	var fresh []json.RawMessage
	var versions []uint64
	for _, raw := range p.Issues {
		var is issue
		if err := json.Unmarshal(raw, &is); err != nil {
			return nil, "", d.api.Nonsense("an issue of another shape than its API promises")
		}
		v := version(is.ID, is.Fields.Updated)
		versions = append(versions, v)
		if !slices.Contains(at.seen, v) {
			fresh = append(fresh, raw)
		}
	}
	if next == "" || len(versions) == 0 {
		return fresh, next, nil
	}
	to, err := parsePlace(next)
	to.seen = versions
	return fresh, to.cursor(), err
}

// search asks for one page of issues.
func (d *Driver) search(ctx context.Context, q connectors.ItemQuery, at place) (*searchPage, error) {
	jql, err := jqlFor(q)
	if err != nil {
		return nil, err
	}
	p, err := d.ask(ctx, searchRequest{
		JQL: jql, NextPageToken: at.token, MaxResults: min(q.Limit, maxPage), Fields: fieldsFor(q), Expand: expandFor(q),
	})
	if connectors.CodeOf(err) == connectors.InvalidRequest {
		err = d.explain(ctx, q, err)
	}
	return p, err
}

// ask sends one search.
func (d *Driver) ask(ctx context.Context, r searchRequest) (*searchPage, error) {
	var p searchPage
	if d.server {
		if err := d.askServer(ctx, serverSearch{JQL: r.JQL, MaxResults: r.MaxResults, Fields: r.Fields}, &p); err != nil {
			return nil, err
		}
		return &p, nil
	}
	if _, err := d.api.Query(ctx, d.path("search", "jql"), r, &p); err != nil {
		return nil, err
	}
	if fault := p.fault(r.MaxResults); fault != "" {
		return nil, d.api.Nonsense(fault)
	}
	return &p, nil
}

// firstOf returns the first issue of a page, one without an id where the page is empty.
func (d *Driver) firstOf(p *searchPage) (issue, error) {
	var is issue
	if len(p.Issues) == 0 {
		return is, nil
	}
	if err := json.Unmarshal(p.Issues[0], &is); err != nil || !isName(is.ID) {
		return is, d.api.Nonsense("an issue without an id")
	}
	return is, nil
}

// explain finds out why Jira refused a search. Its messages are in the account's language, so they tell people and
// not programs.
func (d *Driver) explain(ctx context.Context, q connectors.ItemQuery, refused error) error {
	if q.Cursor != "" && !d.server {
		return connectors.Wrap(connectors.InvalidRequest, refused,
			"Jira no longer accepts the cursor: it keeps a position for 7 days; start again without one")
	}
	if q.ContainerID == "" {
		return refused
	}
	_, err := d.api.Get(ctx, d.path("project", q.ContainerID), nil, &project{})
	if connectors.CodeOf(err) != connectors.NotFound {
		return refused
	}
	return noProject(refused, q.ContainerID)
}

func noProject(cause error, key string) error {
	return connectors.Wrap(connectors.NotFound, cause, "Jira has no project %s, or the account may not see it", atlassian.Quote(key))
}
