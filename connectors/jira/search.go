package jira

import (
	"context"
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// place is a position in a listing that Jira pages by token.
type place struct {
	token   string
	empties int // how many pages were empty in a row
}

// maxEmptySearches is how many empty pages in a row are taken for a search that still goes on.
const maxEmptySearches = 100

// parsePlace reads a cursor that [Driver.behind] wrote.
func parsePlace(c connectors.Cursor) (place, error) {
	if c == "" {
		return place{}, nil
	}
	empties, token, ok := strings.Cut(string(c), ".")
	n, err := strconv.ParseUint(empties, 10, 16)
	if err != nil || !ok || token == "" {
		return place{}, connectors.Wrap(connectors.InvalidRequest, err, "the cursor is not one of this listing: start without one")
	}
	return place{token, int(n)}, nil
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
		if next.empties = at.empties + 1; next.empties > maxEmptySearches {
			return "", d.api.Nonsense(strconv.Itoa(next.empties) + " empty pages in a row, so the listing may never end")
		}
	}
	return connectors.Cursor(strconv.Itoa(next.empties) + "." + next.token), nil
}

// search asks for one page of issues.
func (d *Driver) search(ctx context.Context, q connectors.ItemQuery, at place) (*searchPage, error) {
	jql, err := jqlFor(q)
	if err != nil {
		return nil, err
	}
	size := min(q.Limit, maxPage)
	var p searchPage
	_, err = d.api.Query(ctx, "/rest/api/3/search/jql", searchRequest{
		JQL: jql, NextPageToken: at.token, MaxResults: size, Fields: fieldsFor(q),
	}, &p)
	if connectors.CodeOf(err) == connectors.InvalidRequest {
		return nil, d.explain(ctx, q, err)
	}
	if err != nil {
		return nil, err
	}
	if fault := p.fault(size); fault != "" {
		return nil, d.api.Nonsense(fault)
	}
	return &p, nil
}

// explain finds out why Jira refused a search. Its messages are in the account's language, so they tell people and
// not programs.
func (d *Driver) explain(ctx context.Context, q connectors.ItemQuery, refused error) error {
	if q.Cursor != "" {
		return connectors.Wrap(connectors.InvalidRequest, refused,
			"Jira no longer accepts the cursor: it keeps a position for 7 days; start again without one")
	}
	if q.ContainerID == "" {
		return refused
	}
	_, err := d.api.Get(ctx, rest.Path("rest", "api", "3", "project", q.ContainerID), nil, &project{})
	if connectors.CodeOf(err) != connectors.NotFound {
		return refused
	}
	return noProject(refused, q.ContainerID)
}

func noProject(cause error, key string) error {
	return connectors.Wrap(connectors.NotFound, cause, "Jira has no project %s, or the account may not see it", quote(key))
}
