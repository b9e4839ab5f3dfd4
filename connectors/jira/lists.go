package jira

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// ListContainers returns live projects that the account may see, by key.
func (d *Driver) ListContainers(ctx context.Context, q connectors.ContainerQuery) (connectors.Page[connectors.Container], error) {
	var page connectors.Page[connectors.Container]
	entries, next, err := d.projects(ctx, q)
	if err == nil && next == "" {
		err = d.vouchEnd(ctx, len(entries), q.Cursor != "")
	}
	if err != nil {
		return page, err
	}
	page.Next = next
	for _, raw := range entries {
		c, err := d.container(raw, q)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, c)
	}
	return page, nil
}

// projects asks for one page of projects.
func (d *Driver) projects(ctx context.Context, q connectors.ContainerQuery) ([]json.RawMessage, connectors.Cursor, error) {
	query := url.Values{"expand": {"lead"}}
	if q.Wide || q.Raw {
		query.Set("expand", "description,lead,url")
	}
	if d.server {
		return d.serverProjects(ctx, query, q)
	}
	query.Set("orderBy", "key")
	return d.page(ctx, listing{d.path("project", "search"), query, q.Limit}, q.Cursor)
}

func (d *Driver) container(raw json.RawMessage, q connectors.ContainerQuery) (connectors.Container, error) {
	var p project
	if err := json.Unmarshal(raw, &p); err != nil || p.Key == "" {
		return connectors.Container{}, d.api.Nonsense("a project without a key")
	}
	c := connectors.Container{ID: p.Key, Label: p.Name, Type: "project", Meta: connectors.Meta{
		{Name: "projectTypeKey", Value: p.ProjectTypeKey},
		{Name: "lead", Value: p.Lead.name()},
	}}
	if q.Wide {
		c.Meta = append(c.Meta, connectors.Meta{
			{Name: "id", Value: p.ID},
			{Name: "style", Value: p.Style},
			{Name: "isPrivate", Value: p.IsPrivate},
			{Name: "category", Value: p.ProjectCategory.value()},
			{Name: "leadId", Value: p.Lead.id()},
			{Name: "description", Value: p.Description},
			{Name: "url", Value: p.URL},
		}...)
	}
	if q.Raw {
		c.Raw = raw
	}
	return c, nil
}

// ListItems returns issues that the account may see: in the order of the query, else of their creation, or of their
// change when only changed ones are asked for. A page may be empty and not the last. Jira Cloud forgets the position of a
// listing after 7 days.
func (d *Driver) ListItems(ctx context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	var page connectors.Page[connectors.Item]
	if q.ContainerID != "" && !isName(q.ContainerID) {
		return page, noProject(nil, q.ContainerID)
	}
	issues, next, warning, err := d.issues(ctx, q)
	if err != nil {
		return page, err
	}
	if warning != "" {
		page.Incomplete = append(page.Incomplete, connectors.Gap{
			ContainerID: q.ContainerID, Code: connectors.ProviderError, Reason: "Jira warns of the search: " + warning,
		})
	}
	if page.Items, err = d.items(issues, q); err != nil {
		return page, err
	}
	page.Next = next
	if next == "" {
		return page, d.vouchEnd(ctx, len(issues), q.Cursor != "")
	}
	return page, nil
}

// issues asks for one page of issues, and returns what Jira warns of too.
func (d *Driver) issues(ctx context.Context, q connectors.ItemQuery) (list []json.RawMessage, next connectors.Cursor, warning string, err error) {
	if d.server {
		list, next, err = d.serverIssues(ctx, q)
		return list, next, "", err
	}
	at, err := parsePlace(q.Cursor)
	if err != nil {
		return nil, "", "", err
	}
	found, err := d.search(ctx, q, at)
	if err != nil {
		return nil, "", "", err
	}
	list, warning = found.Issues, found.warning()
	if next, err = d.behind(at, found); err == nil && !q.UpdatedAfter.IsZero() {
		list, next, err = d.changes(at, found, next)
	}
	return list, next, warning, err
}

// items returns what was found, without what the search brought up beyond what was asked.
func (d *Driver) items(issues []json.RawMessage, q connectors.ItemQuery) ([]connectors.Item, error) {
	list := make([]connectors.Item, 0, len(issues))
	for _, raw := range issues {
		it, err := d.item(raw, q)
		if err != nil {
			return nil, err
		}
		if !isOlder(it, q.UpdatedAfter) {
			list = append(list, it)
		}
	}
	return list, nil
}

// isOlder reports whether an item changed before the time from which on changes are wanted, as far as Jira's
// milliseconds tell.
func isOlder(it connectors.Item, after time.Time) bool {
	return !after.IsZero() && it.UpdatedAt != nil && it.UpdatedAt.Before(after.Truncate(time.Millisecond))
}

func (d *Driver) item(raw json.RawMessage, q connectors.ItemQuery) (connectors.Item, error) {
	var is issue
	if err := json.Unmarshal(raw, &is); err != nil {
		return connectors.Item{}, connectors.Wrap(connectors.ProviderError, err, "Jira sent an issue of another shape than its API promises")
	}
	if is.ID == "" || is.Key == "" {
		return connectors.Item{}, d.api.Nonsense("an issue without an id and key")
	}
	f := &is.Fields
	created, updated := parseTime(f.Created), parseTime(f.Updated)
	it := connectors.Item{
		ID: is.ID, Name: f.Summary, ContainerID: is.projectKey(), Type: "issue", URL: d.base + rest.Path("browse", is.Key),
		CreatedAt: created, UpdatedAt: updated,
		Meta: connectors.Meta{
			{Name: "key", Value: is.Key},
			{Name: "status", Value: f.Status.value()},
			{Name: "issueType", Value: f.IssueType.value()},
			{Name: "priority", Value: f.Priority.value()},
			{Name: "assignee", Value: f.Assignee.name()},
			{Name: "reporter", Value: f.Reporter.name()},
			{Name: "created", Value: timeValue(created)},
			{Name: "updated", Value: timeValue(updated)},
		},
	}
	if q.Wide {
		it.Meta = append(it.Meta, f.wideMeta()...)
		it.Meta = append(it.Meta, connectors.Attr{Name: "changelogCount", Value: is.Changelog.value()})
	}
	if q.Raw {
		it.Raw = raw
	}
	return it, nil
}

// projectKey returns the key of the issue's project; the issue's own key begins with it.
func (is *issue) projectKey() string {
	if p := is.Fields.Project; p != nil && p.Key != "" {
		return p.Key
	}
	return is.Key[:max(strings.LastIndexByte(is.Key, '-'), 0)]
}

func (f *issueFields) wideMeta() connectors.Meta {
	var due any
	if f.DueDate != nil {
		due = *f.DueDate
	}
	labels := f.Labels
	if labels == nil {
		labels = []string{}
	}
	return connectors.Meta{
		{Name: "description", Value: atlassian.Text(f.Description)},
		{Name: "labels", Value: labels},
		{Name: "components", Value: names(f.Components)},
		{Name: "fixVersions", Value: names(f.FixVersions)},
		{Name: "resolution", Value: f.Resolution.value()},
		{Name: "dueDate", Value: due},
		{Name: "creator", Value: f.Creator.name()},
		{Name: "parent", Value: f.Parent.value()},
		{Name: "worklogCount", Value: f.Worklog.value()},
	}
}

// ListComments returns the comments on an issue, the oldest first. q.ItemID is the issue's id or key.
func (d *Driver) ListComments(ctx context.Context, q connectors.CommentQuery) (connectors.Page[connectors.Comment], error) {
	var page connectors.Page[connectors.Comment]
	if !isName(q.ItemID) {
		return page, connectors.Errorf(connectors.NotFound, "Jira has no issue %s: give a key such as PAY-7, or an id", atlassian.Quote(q.ItemID))
	}
	entries, next, err := d.page(ctx, listing{d.path("issue", q.ItemID, "comment"), url.Values{"orderBy": {"created"}}, q.Limit}, q.Cursor)
	if rest.StatusOf(err) == http.StatusNotFound {
		return page, connectors.Wrap(connectors.NotFound, err, "Jira has no issue %s, or the account may not see it", atlassian.Quote(q.ItemID))
	}
	if err == nil && next == "" && len(entries) == 0 && q.Cursor != "" {
		err = d.vouch(ctx, true)
	}
	if err != nil {
		return page, err
	}
	page.Next = next
	for _, raw := range entries {
		c, err := d.comment(raw, q)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, c)
	}
	return page, nil
}

// isName reports whether s can be the key or id of a project or issue, so that it is one segment of a path and no step
// to another.
func isName(s string) bool {
	odd := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' }
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, odd)
}

// commentSelf finds the id of the issue in the address of a comment.
var commentSelf = regexp.MustCompile(`/issue/([0-9]+)/comment/`)

func (d *Driver) comment(raw json.RawMessage, q connectors.CommentQuery) (connectors.Comment, error) {
	var c comment
	if err := json.Unmarshal(raw, &c); err != nil || c.ID == "" {
		return connectors.Comment{}, d.api.Nonsense("a comment without an id")
	}
	itemID := q.ItemID
	if m := commentSelf.FindStringSubmatch(c.Self); m != nil {
		itemID = m[1]
	}
	out := connectors.Comment{
		ID: c.ID, ItemID: itemID, Text: atlassian.Text(c.Body),
		CreatedAt: parseTime(c.Created), UpdatedAt: parseTime(cmp.Or(c.Updated, c.Created)),
		Meta: connectors.Meta{
			{Name: "authorId", Value: c.Author.id()},
			{Name: "updateAuthor", Value: c.UpdateAuthor.name()},
			{Name: "updateAuthorId", Value: c.UpdateAuthor.id()},
			{Name: "visibility", Value: c.Visibility.meta()},
			{Name: "jsdPublic", Value: c.public()},
		},
	}
	if c.Author != nil {
		out.Author = c.Author.DisplayName
	}
	if q.Raw {
		out.Raw = raw
	}
	return out, nil
}

// parseTime returns a time of Jira's, nil for one that cannot be read.
func parseTime(s string) *time.Time {
	t, _ := atlassian.ParseTime(s)
	return connectors.Time(t)
}

func timeValue(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.Format(time.RFC3339Nano)
}
