// Package jira connects Jira: projects are containers, issues are items. Jira Cloud is read over version 3 of its REST API,
// Jira Server and Data Center over version 2.
//
// It follows https://developer.atlassian.com/cloud/jira/platform/rest/v3/,
// https://developer.atlassian.com/server/jira/platform/rest/ and what real sites answer where that is
// silent. Credentials, retries and rate budgets are not its business; see [connectors.Env].
package jira

import (
	"context"
	_ "embed"
	"sync/atomic"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

//go:embed help.md
var help string

// Definition describes the Jira connector.
var Definition = connectors.Definition{
	ID:      "jira",
	Name:    "Jira",
	Group:   connectors.GroupSaaS,
	Summary: "Projects, issues and comments of a Jira site, in the cloud or in a data center.",
	Help:    help,

	Fields: atlassian.Jira.Fields(),
	Auth:   atlassian.Jira.Auth("read:jira-work", "read:jira-user", "read:me"),

	Container: "project",
	Item:      "issue",
	ItemKey:   "key",
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
	_ connectors.Estimator       = (*Driver)(nil)
)

// maxPage is the largest page that Jira hands out with several fields.
const maxPage = 100

// Driver reads one Jira site.
type Driver struct {
	api  *rest.Client
	base string // the site's address for browsers
	sent string // the address that the credential is sent to
	now  func() time.Time
	// gateway is the way to the site by OAuth or with a scoped token, nil at its own address.
	gateway *atlassian.Gateway
	// server says that the site is Jira Server or Data Center, as its kind of token tells.
	server bool
	// metered says that requests cost points of the app's hourly budget: those by OAuth do.
	metered bool
	vouched atomic.Int64 // when the account was last confirmed, in nanoseconds since 1970
}

// newDriver builds the driver from its configuration; it makes no request.
func newDriver(env connectors.Env) (connectors.Driver, error) {
	d := &Driver{base: env.Config.String("base_url"), now: env.Now}
	if d.now == nil {
		d.now = time.Now
	}
	method := env.Config.AuthMethod().ID
	d.sent, d.server, d.metered = d.base, method == atlassian.MethodPAT, method == connectors.MethodOAuth
	d.api = &rest.Client{
		HTTP: env.HTTP, Base: d.base, System: "Jira", AddressField: "base_url", Now: d.now,
		Judge: atlassian.Judge("Jira", method), Faults: atlassian.Faults, Secrets: atlassian.SecretsOf(env.Config),
		Forbidden: "Give the account the permission to browse the project, or connect with another one",
	}
	if d.gateway = atlassian.Jira.Gateway(env); d.gateway != nil {
		d.api.Find, d.api.AddressField, d.sent = d.gateway.Find, atlassian.APISetting, env.API
	}
	return d, nil
}

// path returns a path of the version of the API that the site has.
func (d *Driver) path(segments ...string) string {
	version := "3"
	if d.server {
		version = "2"
	}
	return "/rest/api/" + version + rest.Path(segments...)
}

// vouchEnd is vouch at the end of a listing whose last page has n entries. The gateway answers no strangers: what came
// through it was for the account.
func (d *Driver) vouchEnd(ctx context.Context, n int, again bool) error {
	if n > 0 && d.gateway != nil {
		return nil
	}
	return d.vouch(ctx, again)
}

// vouchFor is how long a confirmed account is not asked about again.
const vouchFor = time.Minute

// vouch asks Jira whether it knows the account. To an account that it does not know, a token that has expired among
// them, Jira shows what anyone may see, which is mostly an empty page and no error: so it is asked at the end of a listing. An
// answer of the last minute serves, unless the account was good for an earlier page of the same listing and may have
// ended since.
func (d *Driver) vouch(ctx context.Context, again bool) error {
	now := d.now().UnixNano()
	if last := d.vouched.Load(); !again && last != 0 && now-last < int64(vouchFor) && now >= last {
		return nil
	}
	if _, err := d.myself(ctx); err != nil {
		return err
	}
	d.vouched.Store(now)
	return nil
}
