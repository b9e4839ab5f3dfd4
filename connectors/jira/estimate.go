package jira

import (
	"context"
	"net/url"
	"strconv"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
)

// A request costs one point of the app's hourly budget, and one more for each issue, project or comment that it reads:
// https://developer.atlassian.com/cloud/jira/platform/rate-limiting/.
const (
	requestPoints = 1
	entryPoints   = 1
)

// EstimateContainers estimates a listing of projects from how many there are.
func (d *Driver) EstimateContainers(ctx context.Context, q connectors.ContainerQuery) (connectors.Estimate, error) {
	if d.server {
		all, err := d.allProjects(ctx, url.Values{})
		return connectors.EstimateOf(int64(len(all)), true, q.Limit, 0, 0), err
	}
	return d.total(ctx, listing{d.path("project", "search"), url.Values{}, q.Limit})
}

// EstimateItems estimates a listing of issues from Jira's own count, which may lag behind a little.
func (d *Driver) EstimateItems(ctx context.Context, q connectors.ItemQuery) (connectors.Estimate, error) {
	if q.ContainerID != "" && !isName(q.ContainerID) {
		return connectors.Estimate{}, noProject(nil, q.ContainerID)
	}
	where, order, err := clauses(q)
	if err != nil {
		return connectors.Estimate{}, err
	}
	n, err := d.count(ctx, where, order)
	if connectors.CodeOf(err) == connectors.InvalidRequest {
		err = d.explain(ctx, connectors.ItemQuery{ContainerID: q.ContainerID}, err)
	}
	if err != nil {
		return connectors.Estimate{}, err
	}
	return d.cost(n, d.server, min(q.Limit, maxPage)), nil
}

func (d *Driver) count(ctx context.Context, where, order string) (int64, error) {
	if d.server {
		p, err := d.searchServer(ctx, serverSearch{JQL: where + " ORDER BY " + order, MaxResults: 1, Fields: []string{"created"}})
		if err != nil {
			return 0, err
		}
		return *p.Total, nil
	}
	var answer struct {
		Count *int64 `json:"count"`
	}
	if _, err := d.api.Query(ctx, d.path("search", "approximate-count"), map[string]string{"jql": where}, &answer); err != nil {
		return 0, err
	}
	if answer.Count == nil || *answer.Count < 0 {
		return 0, d.api.Nonsense("a count without a number")
	}
	return *answer.Count, nil
}

// EstimateComments estimates a listing of the comments on an issue from how many there are.
func (d *Driver) EstimateComments(ctx context.Context, q connectors.CommentQuery) (connectors.Estimate, error) {
	if !isName(q.ItemID) {
		return connectors.Estimate{}, connectors.Errorf(connectors.NotFound, "Jira has no issue %s: give a key such as PAY-7, or an id", atlassian.Quote(q.ItemID))
	}
	return d.total(ctx, listing{d.path("issue", q.ItemID, "comment"), url.Values{}, q.Limit})
}

// total estimates a listing that Jira pages by number.
func (d *Driver) total(ctx context.Context, l listing) (connectors.Estimate, error) {
	size := min(l.limit, maxPage)
	l.query.Set("maxResults", "1")
	l.query.Set("startAt", strconv.Itoa(0))
	var p offsetPage
	if _, err := d.api.Get(ctx, l.path, l.query, &p); err != nil {
		return connectors.Estimate{}, err
	}
	if p.Total == nil {
		return connectors.EstimateOf(connectors.Unknown, false, 1, 0, 0), nil
	}
	return d.cost(*p.Total, true, size), nil
}

func (d *Driver) cost(entries int64, exact bool, pageSize int) connectors.Estimate {
	if !d.metered {
		return connectors.EstimateOf(entries, exact, pageSize, 0, 0)
	}
	return connectors.EstimateOf(entries, exact, pageSize, requestPoints, entryPoints)
}
