package salesforce

import (
	"context"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// requestPoints is what a request takes of those that an org has for 24 hours.
const requestPoints = 1

// cost is the estimate of a listing with requests beside those of its pages.
func cost(entries int64, exact bool, limit int, further int64) connectors.Estimate {
	e := connectors.EstimateOf(entries, exact, limit, requestPoints, 0)
	e.Requests += further
	e.Points += further * requestPoints
	return e
}

// EstimateContainers estimates a listing of objects from how many there are.
func (d *Driver) EstimateContainers(ctx context.Context, q connectors.ContainerQuery) (connectors.Estimate, error) {
	list, err := d.askObjects(ctx)
	if err != nil {
		return connectors.Estimate{}, err
	}
	n := int64(0)
	for _, s := range list {
		if s.isListed() {
			n++
		}
	}
	return cost(n, true, q.Limit, 0), nil
}

// EstimateItems estimates a listing of records from Salesforce's own count, and the request for the object's
// description.
func (d *Driver) EstimateItems(ctx context.Context, q connectors.ItemQuery) (connectors.Estimate, error) {
	if q.Query != "" {
		return d.estimateQuery(ctx, q)
	}
	o, err := d.describe(ctx, q.ContainerID)
	if err != nil {
		return connectors.Estimate{}, err
	}
	where, err := d.changed(ctx, o, q.UpdatedAfter, &mark{})
	if err != nil {
		return connectors.Estimate{}, err
	}
	n, err := d.count(ctx, join([]string{"SELECT COUNT() FROM " + o.Name, statement{}.conditions(where)}))
	if err != nil {
		return connectors.Estimate{}, d.ours(o.Name, err)
	}
	return cost(n, true, q.Limit, 1), nil
}

func (d *Driver) estimateQuery(ctx context.Context, q connectors.ItemQuery) (connectors.Estimate, error) {
	s, err := parseQuery(q.Query)
	if err != nil {
		return connectors.Estimate{}, err
	}
	_, conditions, err := d.target(ctx, s, q, &place{})
	if err != nil {
		return connectors.Estimate{}, err
	}
	soql, exact := s.counting(conditions...)
	n, err := d.count(ctx, soql)
	if err != nil {
		return connectors.Estimate{}, err
	}
	return cost(n, exact, q.Limit, 1), nil
}

// EstimateComments estimates a listing of comments from Salesforce's own counts, and the requests that find out which
// kinds of comments there are.
func (d *Driver) EstimateComments(ctx context.Context, q connectors.CommentQuery) (connectors.Estimate, error) {
	subject, err := d.subject(ctx, q.ItemID)
	if err != nil {
		return connectors.Estimate{}, err
	}
	if err := d.exists(ctx, subject); err != nil {
		return connectors.Estimate{}, err
	}
	total, exact := int64(0), true
	for _, s := range subject.stages {
		n, err := d.count(ctx, "SELECT COUNT() FROM "+s.object+" WHERE "+strings.Join(s.where(subject.id), " AND "))
		switch err = d.ours(s.object, err); {
		case err == nil:
			total += n
			exact = exact && s.object == caseComments // of posts and answers, those without a text are left out
		case isForbidden(err):
			exact = false
		default:
			return connectors.Estimate{}, err
		}
	}
	return cost(total, exact, q.Limit, int64(len(subject.stages))+2), nil
}
