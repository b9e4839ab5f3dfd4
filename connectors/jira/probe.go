package jira

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// Probe asks the site what it is and who is connected, and makes one small request to every endpoint that listings need.
// It warns of endpoints that were or will be removed or that the account may not use, of a clock that is off, an account
// that is not active, and an address without TLS. A token for another kind of site than this one is
// [connectors.InvalidRequest].
func (d *Driver) Probe(ctx context.Context) (connectors.ProbeResult, error) {
	info, header, err := d.serverInfo(ctx)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	me, err := d.myself(ctx)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	noticed, err := d.api.Check(ctx, d.canaries()...)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	return connectors.ProbeResult{
		Instance: connectors.Instance{
			Name: info.ServerTitle, URL: info.BaseURL, Version: info.Version, Type: info.DeploymentType,
		},
		Account:  connectors.Account{ID: me.ident(), Name: me.DisplayName},
		Warnings: append(d.warnings(info, me, header), noticed...),
	}, nil
}

// canaries ask for one project, one issue, and one comment on it.
func (d *Driver) canaries() []rest.Canary {
	var found searchPage
	return []rest.Canary{
		{What: "projects", Ask: func(ctx context.Context) error {
			_, _, err := d.projects(ctx, connectors.ContainerQuery{Limit: 1})
			return err
		}},
		{What: "issues", Ask: func(ctx context.Context) error {
			p, err := d.ask(ctx, searchRequest{JQL: everyIssue + " ORDER BY " + byCreation, MaxResults: 1, Fields: []string{"summary"}})
			if err == nil {
				found = *p
			}
			return err
		}},
		{What: "comments", Ask: func(ctx context.Context) error {
			is, err := d.firstOf(&found)
			if err != nil || is.ID == "" {
				return err
			}
			_, _, err = d.page(ctx, listing{d.path("issue", is.ID, "comment"), url.Values{"orderBy": {"created"}}, 1}, "")
			if connectors.CodeOf(err) == connectors.NotFound {
				return nil // the issue went in between
			}
			return err
		}},
	}
}

// serverInfo asks what the site is, and explains an address that is not one.
func (d *Driver) serverInfo(ctx context.Context) (serverInfo, http.Header, error) {
	var info serverInfo
	header, err := d.api.Get(ctx, d.path("serverInfo"), nil, &info)
	switch {
	case d.gateway != nil:
		err = d.gateway.Explain(err)
	case connectors.CodeOf(err) == connectors.NotFound && !d.server:
		err = d.explainAddress(ctx, err)
	case connectors.CodeOf(err) == connectors.NotFound:
		if _, newer := d.api.Get(ctx, "/rest/api/3/serverInfo", nil, &info); newer != nil || info.Version == "" {
			return info, nil, noSite(err)
		}
		err = nil
	}
	switch {
	case err != nil:
		return info, nil, err
	case info.Version == "" && info.BaseURL == "":
		return info, nil, d.api.Nonsense("no server information, so this is not a Jira site")
	case strings.EqualFold(info.DeploymentType, "Cloud") == d.server:
		return info, nil, d.otherKind(info)
	}
	return info, header, nil
}

// explainAddress finds out what an address is that has no version 3 of the API: Jira Server and Data Center have none.
func (d *Driver) explainAddress(ctx context.Context, missing error) error {
	var info serverInfo
	if _, err := d.api.Get(ctx, "/rest/api/2/serverInfo", nil, &info); err != nil || info.Version == "" {
		return noSite(missing)
	}
	return d.otherKind(info)
}

func noSite(cause error) error {
	return connectors.Wrap(connectors.NotFound, cause,
		"this is not a Jira site: base_url must be the site's address alone, as in https://your-domain.atlassian.net, "+
			"without the path of a page such as /jira/software/…")
}

// otherKind returns the error for a site that the credential is not made for.
func (d *Driver) otherKind(info serverInfo) error {
	if d.server {
		return connectors.InvalidFields(connectors.Fault{Field: "auth_method", Message: "this is Jira Cloud, which knows no personal access tokens: " +
			"use " + atlassian.MethodAPIKey + " with an API token, or connect by OAuth"})
	}
	return connectors.InvalidFields(connectors.Fault{Field: "auth_method", Message: "this is Jira Server or Data Center " + info.Version +
		": use " + atlassian.MethodPAT + " with a personal access token from your profile there"})
}

// myself asks who is connected.
func (d *Driver) myself(ctx context.Context) (user, error) {
	var me user
	if _, err := d.api.Get(ctx, d.path("myself"), nil, &me); err != nil {
		return me, err
	}
	if me.ident() == "" {
		return me, d.api.Nonsense("an account without an id")
	}
	return me, nil
}

func (d *Driver) warnings(info serverInfo, me user, header http.Header) []connectors.Warning {
	var list []connectors.Warning
	warn := func(code, message string) { list = append(list, connectors.Warning{Code: code, Message: message}) }
	if me.Active != nil && !*me.Active {
		warn("account_inactive", "the account is not active; its access can end at any time")
	}
	if d.gateway != nil && info.BaseURL != "" && !atlassian.SameSite(info.BaseURL, d.base) {
		warn("other_site", "cloud_id leads to "+info.BaseURL+", not to base_url: connect again, or correct one of them")
	}
	return append(list, d.api.Warnings(d.sent, header)...)
}
