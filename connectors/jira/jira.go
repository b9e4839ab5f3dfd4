// Package jira connects Jira Cloud over its REST API v3: projects are containers, issues are items.
//
// It follows https://developer.atlassian.com/cloud/jira/platform/rest/v3/ and what real sites answer where that is
// silent. Credentials, retries and rate budgets are not its business; see [connectors.Env].
package jira

import (
	"context"
	_ "embed"
	"net/http"
	"strings"
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
	Summary: "Projects, issues and comments of a Jira Cloud site.",
	Help:    help,

	Fields: append([]connectors.Field{
		{
			Name: "base_url", Label: "Site address", Kind: connectors.KindURL, Required: true, Destination: true,
			Help:    "The address of the Jira site, without the path of a board or project.",
			Example: "https://your-domain.atlassian.net",
		},
		{
			Name: "api_email", Label: "E-mail", Kind: connectors.KindString, Required: true,
			Help:    "The e-mail address of the Atlassian account that the API token belongs to.",
			Example: "you@example.com", Methods: []string{atlassian.MethodAPIKey},
		},
		{
			Name: "api_token", Label: "API token", Kind: connectors.KindSecret, Required: true,
			Help:    "An API token without scopes, from https://id.atlassian.com/manage-profile/security/api-tokens.",
			Methods: []string{atlassian.MethodAPIKey},
		},
	}, atlassian.OAuthFields()...),
	Auth: []connectors.AuthMethod{
		{
			ID: atlassian.MethodAPIKey, Name: "API token", Scheme: connectors.SchemeBasic, User: "api_email", Secret: "api_token",
			Help: "Create an API token without scopes at https://id.atlassian.com/manage-profile/security/api-tokens.",
		},
		{
			ID: connectors.MethodOAuth, Name: "OAuth 2.0", Scheme: connectors.SchemeBearer, Secret: "access_token",
			Help:  "Log in at Atlassian in the browser, consent, and choose a site; `ucf connect jira` leads there.",
			OAuth: atlassian.Jira.OAuth("read:jira-work", "read:jira-user", "read:me"),
		},
	},

	Container: "project",
	Item:      "issue",
	ItemKey:   "key",
	Filters:   []string{connectors.CapUpdatedAfter, connectors.CapQuery},
	Driver:    (*Driver)(nil),
	New:       newDriver,
}

var (
	_ connectors.ContainerLister = (*Driver)(nil)
	_ connectors.ItemLister      = (*Driver)(nil)
	_ connectors.CommentLister   = (*Driver)(nil)
)

// maxPage is the largest page that Jira hands out with several fields.
const maxPage = 100

// Driver reads one Jira site.
type Driver struct {
	api  *rest.Client
	base string // the site's address for browsers
	sent string // the address that the credential is sent to
	now  func() time.Time
	// gateway is the way to the site by OAuth, nil with an API token.
	gateway *atlassian.Gateway
	// vouched is when Jira last confirmed the account, in nanoseconds since 1970.
	vouched atomic.Int64
}

// newDriver builds the driver from its configuration; it makes no request.
func newDriver(env connectors.Env) (connectors.Driver, error) {
	d := &Driver{base: env.Config.String("base_url"), now: env.Now}
	if d.now == nil {
		d.now = time.Now
	}
	method := env.Config.AuthMethod().ID
	d.sent = d.base
	d.api = &rest.Client{
		HTTP: env.HTTP, Base: d.base, System: "Jira", AddressField: "base_url", Now: d.now,
		Judge: atlassian.Judge("Jira", method), Faults: atlassian.Faults, Secrets: atlassian.SecretsOf(env.Config),
		Forbidden: "Give the account the permission to browse the project, or connect with another one",
	}
	if method == connectors.MethodOAuth {
		d.gateway = atlassian.Jira.Gateway(env)
		d.api.Find, d.api.AddressField, d.sent = d.gateway.Find, atlassian.APISetting, env.API
	}
	return d, nil
}

// Probe asks the site what it is and who is connected. It warns of a clock that is off, an account that is not
// active, and an address without TLS. Jira Server and Data Center are [connectors.Unsupported].
func (d *Driver) Probe(ctx context.Context) (connectors.ProbeResult, error) {
	info, header, err := d.serverInfo(ctx)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	me, err := d.myself(ctx)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	return connectors.ProbeResult{
		Instance: connectors.Instance{
			Name: info.ServerTitle, URL: info.BaseURL, Version: info.Version, Type: info.DeploymentType,
		},
		Account:  connectors.Account{ID: me.AccountID, Name: me.DisplayName},
		Warnings: d.warnings(info, me, header),
	}, nil
}

// serverInfo asks what the site is, and explains an address that is not one.
func (d *Driver) serverInfo(ctx context.Context) (serverInfo, http.Header, error) {
	var info serverInfo
	header, err := d.api.Get(ctx, "/rest/api/3/serverInfo", nil, &info)
	if d.gateway != nil {
		err = d.gateway.Explain(err)
	} else if connectors.CodeOf(err) == connectors.NotFound {
		// Jira Server and Data Center have no version 3 of the API.
		if _, older := d.api.Get(ctx, "/rest/api/2/serverInfo", nil, &info); older != nil || info.Version == "" {
			return info, nil, connectors.Wrap(connectors.NotFound, err,
				"this is not a Jira site: base_url must be the site's address alone, as in https://your-domain.atlassian.net, "+
					"without the path of a page such as /jira/software/…")
		}
		err = nil
	}
	switch {
	case err != nil:
		return info, nil, err
	case info.Version == "" && info.BaseURL == "":
		return info, nil, d.api.Nonsense("no server information, so this is not a Jira site")
	case !strings.EqualFold(info.DeploymentType, "Cloud"):
		return info, nil, connectors.Errorf(connectors.Unsupported,
			"this is Jira Server or Data Center %s, which ucf does not support yet: give the address of a Jira Cloud site", info.Version)
	}
	return info, header, nil
}

// myself asks who is connected.
func (d *Driver) myself(ctx context.Context) (user, error) {
	var me user
	if _, err := d.api.Get(ctx, "/rest/api/3/myself", nil, &me); err != nil {
		return me, err
	}
	if me.AccountID == "" {
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

// vouchFor is how long a confirmed account is not asked about again.
const vouchFor = time.Minute

// vouch asks Jira whether it knows the account. To an account that it does not know, a token that has expired among
// them, Jira shows what anyone may see, which is mostly an empty page and no error. An answer of the last minute serves,
// unless the account was good for an earlier page of the same listing and may have ended since.
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
