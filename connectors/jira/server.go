package jira

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// behindKey begins the cursor of a listing of projects in front of the last key.
const behindKey = "behind:"

// serverProjects returns one page of the projects, which Jira Server and Data Center give all at once: those behind the
// last key.
func (d *Driver) serverProjects(ctx context.Context, query url.Values, q connectors.ContainerQuery) ([]json.RawMessage, connectors.Cursor, error) {
	last, ok := strings.CutPrefix(string(q.Cursor), behindKey)
	if q.Cursor != "" && (!ok || !isName(last)) {
		return nil, "", connectors.Errorf(connectors.InvalidRequest, "the cursor is not one of this listing: start without one")
	}
	byKey, err := d.allProjects(ctx, query)
	if err != nil {
		return nil, "", err
	}
	keys := slices.Sorted(maps.Keys(byKey))
	from, _ := slices.BinarySearch(keys, last+"\x00")
	keys = keys[from:]
	next := connectors.Cursor("")
	if len(keys) > q.Limit {
		keys = keys[:q.Limit]
		next = connectors.Cursor(behindKey + keys[q.Limit-1])
	}
	page := make([]json.RawMessage, len(keys))
	for i, key := range keys {
		page[i] = byKey[key]
	}
	return page, next, nil
}

// allProjects returns the projects by their keys.
func (d *Driver) allProjects(ctx context.Context, query url.Values) (map[string]json.RawMessage, error) {
	var all []json.RawMessage
	if _, err := d.api.Get(ctx, d.path("project"), query, &all); err != nil {
		return nil, err
	}
	if all == nil {
		return nil, d.api.Nonsense("no list of projects")
	}
	byKey := map[string]json.RawMessage{}
	for _, raw := range all {
		var p keyed
		if err := json.Unmarshal(raw, &p); err != nil || p.Key == "" {
			return nil, d.api.Nonsense("a project without a key")
		}
		byKey[p.Key] = raw
	}
	return byKey, nil
}

// serverSearch asks Jira Server or Data Center for one page of issues.
type serverSearch struct {
	JQL        string   `json:"jql"`
	StartAt    int64    `json:"startAt"`
	MaxResults int      `json:"maxResults"`
	Fields     []string `json:"fields"`
	Expand     []string `json:"expand,omitempty"`
}

// serverPage is its answer.
type serverPage struct {
	StartAt *int64            `json:"startAt"`
	Total   *int64            `json:"total"`
	Issues  []json.RawMessage `json:"issues"`
}

// askServer sends a search whose position does not matter.
func (d *Driver) askServer(ctx context.Context, r serverSearch, out *searchPage) error {
	p, err := d.searchServer(ctx, r)
	if err == nil {
		out.Issues = p.Issues
	}
	return err
}

func (d *Driver) searchServer(ctx context.Context, r serverSearch) (*serverPage, error) {
	var p serverPage
	if _, err := d.api.Query(ctx, d.path("search"), r, &p); err != nil {
		return nil, err
	}
	switch {
	case p.Issues == nil || p.Total == nil:
		return nil, d.api.Nonsense("a search result without issues or their number")
	case len(p.Issues) > r.MaxResults:
		return nil, d.api.Nonsense("more issues than it was asked for")
	case p.StartAt != nil && *p.StartAt != r.StartAt:
		return nil, d.api.Nonsense("another page than the one it was asked for")
	}
	return &p, nil
}

// foothold is a position in a search of Jira Server or Data Center, which pages by number only: an issue that is deleted
// or that changes moves all that follow it ahead. A listing in the order of a time therefore goes on from the time of
// the last issue, and finds its place behind that issue wherever it is now.
type foothold struct {
	since int64 // the time of the last issue in milliseconds since 1970; 0 on the first page and in any other order
	start int64 // where the last issue was, in the search from since on
	// anchors are the ids of the last issues of that time, none on the first page: should one go, there is another.
	anchors []string
	back    int  // how many pages the search for it has gone back
	lost    bool // whether it is nowhere to be found
}

const (
	// maxSteps is how many pages are looked through for the last issue.
	maxSteps = 50
	// maxBack is how many pages a listing in an order of its own goes back where the last issue has moved.
	maxBack = 5
	// maxAnchors is how many issues a listing finds its place by.
	maxAnchors = 8
)

func parseFoothold(c connectors.Cursor) (foothold, error) {
	var f foothold
	if c == "" {
		return f, nil
	}
	var ids string
	_, err := fmt.Sscanf(string(c), "%d.%d.%s", &f.since, &f.start, &ids)
	f.anchors = strings.Split(ids, ",")
	odd := func(id string) bool { return !isName(id) }
	if err != nil || f.since < 0 || f.start < 0 || slices.ContainsFunc(f.anchors, odd) || f.cursor() != c {
		return f, connectors.Wrap(connectors.InvalidRequest, err, "the cursor is not one of this listing: start without one")
	}
	return f, nil
}

func (f foothold) cursor() connectors.Cursor {
	return connectors.Cursor(fmt.Sprintf("%d.%d.%s", f.since, f.start, strings.Join(f.anchors, ",")))
}

// serverListing is a search of Jira Server or Data Center, page after page.
type serverListing struct {
	where, order   string
	fields, expand []string
	size           int
}

// dated names the field that a listing is in the order of, "" for an order of the user's.
func (l serverListing) dated() string {
	switch l.order {
	case byCreation:
		return "created"
	case byChange:
		return "updated"
	}
	return ""
}

func (l serverListing) request(f foothold) serverSearch {
	where := l.where
	if f.since > 0 {
		where = "(" + where + ") AND " + l.dated() + " >= " + strconv.FormatInt(f.since, 10)
	}
	return serverSearch{JQL: where + " ORDER BY " + l.order, StartAt: f.start, MaxResults: l.size + 1, Fields: l.fields, Expand: l.expand}
}

// serverIssues returns one page of the issues that q asks for.
func (d *Driver) serverIssues(ctx context.Context, q connectors.ItemQuery) ([]json.RawMessage, connectors.Cursor, error) {
	where, order, err := clauses(q)
	if err != nil {
		return nil, "", err
	}
	l := serverListing{where: where, order: order, fields: fieldsFor(q), size: min(q.Limit, maxPage)}
	if q.Wide {
		l.expand = []string{expandFor(q)}
	}
	issues, next, err := d.serverPage(ctx, l, q.Cursor)
	if connectors.CodeOf(err) == connectors.InvalidRequest {
		err = d.explain(ctx, q, err)
	}
	return issues, next, err
}

// mark is what a listing finds its place by.
type mark struct {
	id string
	at int64 // the time that the listing is in the order of, in milliseconds since 1970
}

// serverPage returns the issues behind the cursor and the cursor behind them. An issue may come twice while the site
// changes; none is missed.
func (d *Driver) serverPage(ctx context.Context, l serverListing, cur connectors.Cursor) ([]json.RawMessage, connectors.Cursor, error) {
	f, err := parseFoothold(cur)
	if err != nil {
		return nil, "", err
	}
	for range maxSteps {
		p, err := d.searchServer(ctx, l.request(f))
		if err != nil {
			return nil, "", err
		}
		marks, err := d.marks(p.Issues, l.dated())
		if err != nil {
			return nil, "", err
		}
		from, found := f.behind(marks, l.dated() != "")
		last := f.start+int64(len(marks)) >= *p.Total || len(marks) == 0
		if !found && f.moves(l, marks, last) {
			continue
		}
		if from == len(marks) && from > 1 && !last {
			f.start += int64(from) - 1 // the page ends with the last issue
			continue
		}
		return d.cut(l, f, p, marks, from, last)
	}
	return nil, "", connectors.Errorf(connectors.ProviderError, "Jira's listing changes faster than it can be read: try again later")
}

// behind returns where the issues that were not listed yet begin. An issue that moved since it was listed is no sign: in
// the order of a time its time tells, in another order its place does.
func (f foothold) behind(marks []mark, dated bool) (from int, found bool) {
	if len(f.anchors) == 0 {
		return 0, true
	}
	if f.lost {
		// All of their time is listed again.
		if i := slices.IndexFunc(marks, func(m mark) bool { return m.at >= f.since }); i >= 0 {
			return i, true
		}
		return len(marks), false
	}
	i := len(marks) - 1
	for i >= 0 && (!slices.Contains(f.anchors, marks[i].id) || dated && marks[i].at != f.since) {
		i--
	}
	if !dated && i > 0 {
		return 0, true // what stands in front of it may be new here
	}
	return i + 1, i >= 0
}

// moves looks for the last issue elsewhere, and reports whether there is anywhere left to look.
func (f *foothold) moves(l serverListing, marks []mark, last bool) bool {
	switch {
	case l.dated() == "":
		if f.start == 0 {
			return false
		}
		if f.back++; f.back > maxBack {
			f.start = 0 // too much of it is gone to be looked for: what comes twice is better than what never comes
		} else {
			f.start = max(f.start-int64(l.size), 0)
		}
	case !slices.ContainsFunc(marks, func(m mark) bool { return m.at >= f.since }):
		if last && f.lost {
			return false
		}
		// A site that compares times by the minute begins with what is older.
		if f.start += int64(len(marks)); last {
			f.start, f.lost = 0, true
		}
	case f.start > 0 && f.back == 0:
		f.start, f.back = max(f.start-int64(l.size), 0), 1
	default:
		f.start, f.lost = 0, true
	}
	return true
}

// cut returns the page's issues from a place on, at most as many as were asked for, and the cursor behind them.
func (d *Driver) cut(l serverListing, f foothold, p *serverPage, marks []mark, from int, last bool) ([]json.RawMessage, connectors.Cursor, error) {
	until := min(len(marks), from+l.size)
	if last && until == len(marks) {
		return p.Issues[from:], "", nil
	}
	if until == from {
		return nil, "", d.api.Nonsense("an empty page where there should be more")
	}
	end := marks[until-1]
	next := foothold{since: f.since, start: f.start + int64(until) - 1}
	if l.dated() != "" && end.at > f.since {
		next.since, next.start = end.at, 0
	}
	for i := until - 1; i >= 0 && marks[i].at == end.at && len(next.anchors) < maxAnchors; i-- {
		next.anchors = append(next.anchors, marks[i].id)
	}
	return p.Issues[from:until], next.cursor(), nil
}

func (d *Driver) marks(issues []json.RawMessage, field string) ([]mark, error) {
	marks := make([]mark, len(issues))
	for i, raw := range issues {
		var is issue
		if err := json.Unmarshal(raw, &is); err != nil || !isName(is.ID) {
			return nil, d.api.Nonsense("an issue without an id")
		}
		var at *time.Time
		switch field {
		case "created":
			at = parseTime(is.Fields.Created)
		case "updated":
			at = parseTime(cmp.Or(is.Fields.Updated, is.Fields.Created))
		}
		if field != "" && at == nil {
			return nil, d.api.Nonsense("an issue without the time that it is listed by")
		}
		marks[i].id = is.ID
		if at != nil {
			marks[i].at = at.UnixMilli()
		}
	}
	return marks, nil
}
