// Package confluence connects Confluence Cloud over its REST API: spaces are containers, pages are items.
//
// It follows https://developer.atlassian.com/cloud/confluence/rest/v2/ and, for what version 2 lacks, version 1.
// Credentials, retries and rate budgets are not its business; see [connectors.Env].
package confluence

import (
	"cmp"
	"context"
	_ "embed"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

//go:embed help.md
var help string

// Definition describes the Confluence connector.
var Definition = connectors.Definition{
	ID:      "confluence",
	Name:    "Confluence",
	Group:   connectors.GroupSaaS,
	Summary: "Spaces, pages and comments of a Confluence Cloud site.",
	Help:    help,

	Fields: atlassian.Confluence.Fields(),
	Auth:   atlassian.Confluence.Auth("read:space:confluence", "read:page:confluence", "read:comment:confluence", "search:confluence", "read:confluence-user", "read:me"),

	Container: "space",
	Item:      "page",
	Limits:    atlassian.Limits(),
	Driver:    (*Driver)(nil),
	New:       newDriver,
}

// Driver reads one Confluence site.
type Driver struct {
	api     *rest.Client
	site    string // the site's address for browsers, without /wiki
	sent    string // the address that the credential is sent to
	gateway *atlassian.Gateway
}

// newDriver builds the driver from its configuration; it makes no request.
func newDriver(env connectors.Env) (connectors.Driver, error) {
	d := &Driver{site: atlassian.Confluence.SiteOf(env.Config.String("base_url"))}
	if env.Now == nil {
		env.Now = time.Now
	}
	method := env.Config.AuthMethod().ID
	d.sent = d.site
	d.api = &rest.Client{
		HTTP: env.HTTP, Base: d.site, System: "Confluence", AddressField: "base_url", Now: env.Now,
		Judge: atlassian.Judge("Confluence", method), Faults: atlassian.Faults, Secrets: atlassian.SecretsOf(env.Config),
		Forbidden: "Give the account access to Confluence and permission to view the space, or connect with another one",
	}
	if d.gateway = atlassian.Confluence.Gateway(env); d.gateway != nil {
		d.api.Find, d.api.AddressField, d.sent = d.gateway.Find, atlassian.APISetting, env.API
	}
	return d, nil
}

// Probe asks the site who is connected and for one space, with which it tells what it is. It warns of an account that
// sees no space, of a clock that is off, and of an address without TLS. Confluence Server and Data Center are
// [connectors.Unsupported].
func (d *Driver) Probe(ctx context.Context) (connectors.ProbeResult, error) {
	me, header, err := d.currentUser(ctx)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	page, err := d.oneSpace(ctx)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	warnings := d.api.Warnings(d.sent, header)
	if len(page.Results) == 0 {
		warnings = append(warnings, connectors.Warning{Code: "no_spaces", Message: "the account sees no space: give it the permission to view one"})
	}
	base := cmp.Or(page.Links.Base, d.site+"/wiki")
	if d.gateway != nil && !atlassian.SameSite(atlassian.Confluence.SiteOf(base), d.site) {
		warnings = append(warnings, connectors.Warning{
			Code: "other_site", Message: "cloud_id leads to " + base + ", not to base_url: connect again, or correct one of them",
		})
	}
	return connectors.ProbeResult{
		Instance: connectors.Instance{Name: hostOf(base), URL: base, Type: "Cloud"},
		Account:  connectors.Account{ID: me.AccountID, Name: me.name()},
		Warnings: warnings,
	}, nil
}

// currentUser asks who is connected, and explains an address that is not a site's.
func (d *Driver) currentUser(ctx context.Context) (user, http.Header, error) {
	var me user
	header, err := d.api.Get(ctx, "/wiki/rest/api/user/current", nil, &me)
	switch {
	case d.gateway != nil:
		err = d.gateway.Explain(err)
	case connectors.CodeOf(err) == connectors.NotFound:
		err = d.explain(ctx, err)
	}
	switch {
	case err != nil:
		return me, nil, err
	case me.Type == anonymous:
		return me, nil, connectors.Errorf(connectors.Reauthorize,
			"Confluence does not know the credential and answers as to a stranger: connect again")
	case me.AccountID == "":
		return me, nil, d.api.Nonsense("an account without an id")
	}
	return me, header, nil
}

// explain finds out what an address is that has no Confluence Cloud.
func (d *Driver) explain(ctx context.Context, missing error) error {
	var page spaces
	// Confluence Server and Data Center have version 1 of the API without /wiki; the site of a Cloud has Jira there.
	if _, err := d.api.Get(ctx, "/rest/api/space", url.Values{"limit": {"1"}}, &page); err == nil && page.Results != nil {
		return connectors.Errorf(connectors.Unsupported,
			"this is Confluence Server or Data Center, which ucf does not support yet: give the address of a Confluence Cloud site")
	}
	return connectors.Wrap(connectors.NotFound, missing, "this is not a Confluence Cloud site: base_url must be the site's address alone, "+
		"as in https://your-domain.atlassian.net, without the path of a page such as /wiki/spaces/…")
}

// oneSpace asks for the first space that the account may view.
func (d *Driver) oneSpace(ctx context.Context) (spaces, error) {
	var page spaces
	if _, err := d.api.Get(ctx, "/wiki/api/v2/spaces", url.Values{"limit": {"1"}}, &page); err != nil {
		return page, err
	}
	if page.Results == nil {
		return page, d.api.Nonsense("a list without spaces")
	}
	return page, nil
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://")
}
