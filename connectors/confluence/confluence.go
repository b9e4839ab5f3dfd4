// Package confluence connects Confluence: spaces are containers, pages and blog posts are items. Confluence Cloud is read
// over version 2 of its REST API and, for what that lacks, version 1; Server and Data Center over version 1.
//
// It follows https://developer.atlassian.com/cloud/confluence/rest/v2/ and
// https://developer.atlassian.com/server/confluence/confluence-server-rest-api/. Credentials, retries and rate budgets
// are not its business; see [connectors.Env].
package confluence

import (
	_ "embed"
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
	Summary: "Spaces, pages and comments of a Confluence site, in the cloud or in a data center.",
	Help:    help,

	Fields: atlassian.Confluence.Fields(),
	Auth:   atlassian.Confluence.Auth("read:space:confluence", "read:page:confluence", "read:comment:confluence", "search:confluence", "read:confluence-user", "read:me"),

	Container: "space",
	Item:      "page",
	Filters:   []string{connectors.CapUpdatedAfter, connectors.CapQuery},
	Limits:    atlassian.Limits(),
	Driver:    (*Driver)(nil),
	New:       newDriver,
}

var (
	_ connectors.ContainerLister = (*Driver)(nil)
	_ connectors.ItemLister      = (*Driver)(nil)
	_ connectors.CommentLister   = (*Driver)(nil)
	_ connectors.IDLister        = (*Driver)(nil)
	_ connectors.AbsenceResolver = (*Driver)(nil)
	_ connectors.DeletionLister  = (*Driver)(nil)
	_ connectors.Estimator       = (*Driver)(nil)
)

// Driver reads one Confluence site.
type Driver struct{ edition }

// edition is what the cloud and a data center have in common: everything that a driver does, each in its own API.
type edition interface {
	connectors.Driver
	connectors.ContainerLister
	connectors.ItemLister
	connectors.CommentLister
	connectors.IDLister
	connectors.AbsenceResolver
	connectors.DeletionLister
	connectors.Estimator
	connectors.Timekeeper
	connectors.CommentedLister
}

// newDriver builds the driver from its configuration; it makes no request.
func newDriver(env connectors.Env) (connectors.Driver, error) {
	if env.Now == nil {
		env.Now = time.Now
	}
	method := env.Config.AuthMethod().ID
	api := &rest.Client{
		HTTP: env.HTTP, System: "Confluence", AddressField: "base_url", Now: env.Now,
		Judge: atlassian.Judge("Confluence", method), Faults: atlassian.Faults, Secrets: atlassian.SecretsOf(env.Config),
		Forbidden: "Give the account access to Confluence and permission to view the space, or connect with another one",
	}
	if method == atlassian.MethodPAT {
		api.Base = env.Config.String("base_url")
		return &Driver{&server{api: api, site: api.Base}}, nil
	}
	site := atlassian.Confluence.SiteOf(env.Config.String("base_url"))
	c := &cloud{api: api, site: site, sent: site, metered: method == connectors.MethodOAuth, spaces: newSpaceNames(), now: env.Now}
	api.Base = site
	if c.gateway = atlassian.Confluence.Gateway(env); c.gateway != nil {
		api.Find, api.AddressField, c.sent = c.gateway.Find, atlassian.APISetting, env.API
	}
	return &Driver{c}, nil
}
