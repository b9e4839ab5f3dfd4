package jira

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

const (
	// maxIDPage is the largest page of ids that Jira Cloud hands out.
	maxIDPage = 5000
	// maxServerPage is the largest page that Jira Server and Data Center hand out unless told otherwise.
	maxServerPage = 1000
)

// ListIDs returns the ids of a project's issues in the order of their creation.
func (d *Driver) ListIDs(ctx context.Context, q connectors.IDQuery) (connectors.Page[string], error) {
	var page connectors.Page[string]
	if !isName(q.ContainerID) {
		return page, noProject(nil, q.ContainerID)
	}
	issues, next, err := d.idPage(ctx, q)
	if connectors.CodeOf(err) == connectors.InvalidRequest {
		err = d.explain(ctx, connectors.ItemQuery{ContainerID: q.ContainerID, Cursor: q.Cursor}, err)
	}
	if err == nil && next == "" {
		err = d.vouchEnd(ctx, len(issues), true)
	}
	if err != nil {
		return page, err
	}
	page.Next = next
	for _, raw := range issues {
		var is issue
		if err := json.Unmarshal(raw, &is); err != nil || !isName(is.ID) {
			return page, d.api.Nonsense("an issue without an id")
		}
		page.Items = append(page.Items, is.ID)
	}
	return page, nil
}

func (d *Driver) idPage(ctx context.Context, q connectors.IDQuery) ([]json.RawMessage, connectors.Cursor, error) {
	where := "project = " + atlassian.Quote(q.ContainerID)
	if d.server {
		// The time of creation is what the listing finds its place by.
		return d.serverPage(ctx, serverListing{where: where, order: byCreation, fields: []string{"created"}, size: maxServerPage - 1}, q.Cursor)
	}
	at, err := parsePlace(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	p, err := d.ask(ctx, searchRequest{
		JQL: where + " ORDER BY " + byCreation, NextPageToken: at.token, MaxResults: maxIDPage, Fields: []string{"id"},
	})
	if err != nil {
		return nil, "", err
	}
	if said := p.warning(); said != "" {
		return nil, "", d.api.Nonsense("a list of ids that it warns of (" + said + ")")
	}
	next, err := d.behind(at, p)
	return p.Issues, next, err
}

// ResolveAbsences tells what became of issues of a project: [connectors.Present], [connectors.Moved] to another one, or
// [connectors.Archived]. Of an issue that Jira does not give it cannot be told whether it was deleted or hidden from the
// account; it is [connectors.Gone] unless the whole project was archived or deleted.
func (d *Driver) ResolveAbsences(ctx context.Context, containerID string, ids []string) ([]connectors.Absence, error) {
	for _, id := range ids {
		if !isName(id) {
			return nil, connectors.InvalidFields(connectors.Fault{Field: "ids", Message: "must be ids of issues"})
		}
	}
	found, err := d.fetchAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]connectors.Absence, len(ids))
	missing := false
	for i, id := range ids {
		is, ok := found[id]
		missing = missing || !ok
		out[i] = fate(id, containerID, is, ok)
	}
	if !missing {
		return out, nil
	}
	// Nobody may be seen by a credential that has ended.
	if err := d.vouch(ctx, true); err != nil {
		return nil, err
	}
	reason, err := d.projectFate(ctx, containerID)
	for i := range out {
		if out[i].Reason == connectors.Gone {
			out[i].Reason = reason
		}
	}
	return out, err
}

func fate(id, containerID string, is issue, found bool) connectors.Absence {
	switch {
	case !found:
		return connectors.Absence{ID: id, Reason: connectors.Gone}
	case is.Fields.ArchivedDate != nil && *is.Fields.ArchivedDate != "":
		return connectors.Absence{ID: id, Reason: connectors.Archived}
	case !strings.EqualFold(is.projectKey(), containerID):
		return connectors.Absence{ID: id, Reason: connectors.Moved, ContainerID: is.projectKey()}
	}
	return connectors.Absence{ID: id, Reason: connectors.Present}
}

// fateFields are the fields that tell what became of an issue.
var fateFields = []string{"project", "archiveddate"}

// fetchAll returns the issues that Jira gives of those asked for, by id.
func (d *Driver) fetchAll(ctx context.Context, ids []string) (map[string]issue, error) {
	if d.server {
		return d.fetchEach(ctx, ids)
	}
	var answer struct {
		Issues []issue           `json:"issues"`
		Errors []json.RawMessage `json:"issueErrors"`
	}
	body := map[string]any{"issueIdsOrKeys": ids, "fields": fateFields}
	if _, err := d.api.Query(ctx, d.path("issue", "bulkfetch"), body, &answer); err != nil {
		return nil, err
	}
	switch {
	case answer.Issues == nil:
		return nil, d.api.Nonsense("a list without issues")
	case len(answer.Errors) > 0:
		return nil, d.api.Nonsense("errors in place of some issues")
	}
	found := map[string]issue{}
	for _, is := range answer.Issues {
		if is.Fields.Project == nil || is.Fields.Project.Key == "" {
			return nil, d.api.Nonsense("an issue without its project")
		}
		found[is.ID] = is
	}
	return found, nil
}

// fetchEach asks for one issue after the other: Jira Server and Data Center have no other way to get one that is archived.
func (d *Driver) fetchEach(ctx context.Context, ids []string) (map[string]issue, error) {
	found := map[string]issue{}
	for _, id := range ids {
		var is issue
		_, err := d.api.Get(ctx, d.path("issue", id), url.Values{"fields": {strings.Join(fateFields, ",")}}, &is)
		switch {
		case connectors.CodeOf(err) == connectors.NotFound, rest.StatusOf(err) == http.StatusForbidden && connectors.IsDenied(err):
			// deleted, or hidden from an account that is vouched for
		case err != nil:
			return nil, err
		case is.ID != id || is.Fields.Project == nil:
			return nil, d.api.Nonsense("another issue than the one it was asked for")
		default:
			found[id] = is
		}
	}
	return found, nil
}

// projectFate tells what became of the issues of a project that Jira does not give.
func (d *Driver) projectFate(ctx context.Context, key string) (connectors.AbsenceReason, error) {
	if d.server || !isName(key) {
		return connectors.Gone, nil
	}
	query := url.Values{"keys": {key}, "status": {"archived", "deleted"}}
	entries, _, err := d.page(ctx, listing{d.path("project", "search"), query, 1}, "")
	if err != nil || len(entries) == 0 {
		return connectors.Gone, err
	}
	var p struct {
		Key      string `json:"key"`
		Archived bool   `json:"archived"`
		Deleted  bool   `json:"deleted"`
	}
	if err := json.Unmarshal(entries[0], &p); err != nil || p.Key == "" {
		return connectors.Gone, d.api.Nonsense("a project without a key")
	}
	switch {
	case p.Deleted:
		return connectors.Deleted, nil
	case p.Archived:
		return connectors.Archived, nil
	}
	return connectors.Gone, nil
}
