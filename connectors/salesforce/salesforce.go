// Package salesforce connects a Salesforce org over its REST API: sObjects are containers, records are items.
//
// It follows https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/ and, for who is connected,
// OpenID Connect as Salesforce has it. Credentials, retries and rate budgets are not its business; see
// [connectors.Env].
package salesforce

import (
	"context"
	_ "embed"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

//go:embed help.md
var help string

// Definition describes the Salesforce connector.
var Definition = connectors.Definition{
	ID:      "salesforce",
	Name:    "Salesforce",
	Group:   connectors.GroupSaaS,
	Summary: "Objects, records and comments of a Salesforce org.",
	Help:    help,

	Fields: append([]connectors.Field{
		{
			Name: "instance_url", Label: "Instance address", Kind: connectors.KindURL, Required: true, Destination: true,
			Help:    "The address of the org, as the answer with the tokens names it.",
			Example: "https://my-instance.my.salesforce.com",
		},
		{
			Name: "api_version", Label: "API version", Kind: connectors.KindString, Pattern: `[1-9][0-9]\.0`,
			Help:    "The version of the API to use, or the newest older one that the org has; " + apiVersion + " if empty.",
			Example: apiVersion,
		},
	}, connectors.OAuthFields(&provider)...),
	Auth: []connectors.AuthMethod{{
		ID: connectors.MethodOAuth, Name: "OAuth 2.0", Scheme: connectors.SchemeBearer, Secret: "access_token",
		Help: "Log in at Salesforce in the browser and consent; `ucf connect salesforce` leads there.",
		OAuth: &connectors.OAuth{
			Provider: &provider, Scopes: []string{"api"}, Discover: discover,
			Bind: func(api string, _ connectors.Site) map[string]any { return map[string]any{"instance_url": api} },
		},
	}},

	Container:    "object",
	Item:         "record",
	Filters:      []string{connectors.CapUpdatedAfter, connectors.CapQuery},
	PerContainer: true,
	Usage:        usage,
	Driver:       (*Driver)(nil),
	New:          newDriver,
}

var (
	_ connectors.ContainerLister = (*Driver)(nil)
	_ connectors.ItemLister      = (*Driver)(nil)
	_ connectors.CommentLister   = (*Driver)(nil)
	_ connectors.IDLister        = (*Driver)(nil)
	_ connectors.ChangedIDLister = (*Driver)(nil)
	_ connectors.DeletionLister  = (*Driver)(nil)
	_ connectors.AbsenceResolver = (*Driver)(nil)
	_ connectors.Estimator       = (*Driver)(nil)
)

// Driver reads one org.
type Driver struct {
	api    *rest.Client
	small  *rest.Client // asks for batches no larger than a page
	base   string       // the org's address for browsers
	wanted version
	now    func() time.Time
	known  *catalog
}

// newDriver builds the driver from its configuration; it makes no request.
func newDriver(env connectors.Env) (connectors.Driver, error) {
	d := &Driver{
		api: client(env.HTTP, env.API), small: client(env.HTTP, env.API), base: env.Config.String("instance_url"),
		wanted: wanted, now: env.Now, known: newCatalog(),
	}
	if d.now == nil {
		d.now = time.Now
	}
	if v := env.Config.String("api_version"); v != "" {
		d.wanted = version{Version: v}
	}
	// No batch can be smaller: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_queryoptions.htm
	d.small.Header = http.Header{"Sforce-Query-Options": {"batchSize=" + strconv.Itoa(connectors.MaxLimit)}}
	for _, c := range []*rest.Client{d.api, d.small} {
		c.Now = d.now
		for _, s := range env.Config.Secrets() {
			c.Secrets = append(c.Secrets, s)
		}
	}
	return d, nil
}

// client returns a client for the API of an org.
func client(h *http.Client, api string) *rest.Client {
	c := &rest.Client{
		HTTP: h, Base: api, System: "Salesforce", AddressField: "instance_url", Now: time.Now, Faults: faults,
		Forbidden: "Give the user the permission \"API Enabled\" and access to the object, or connect with another one",
	}
	c.Judge = judge(c)
	return c
}

// Probe asks the org which versions of the API it has, who is connected, what the org is called, and for its objects. It
// warns of an org without the version of the API that this connector is made for, of an announced end of that version,
// of an org that has used most of its requests of the day, of a user that may not use the API, of a clock that is off,
// and of an address without TLS.
func (d *Driver) Probe(ctx context.Context) (connectors.ProbeResult, error) {
	list, header, err := askVersions(ctx, d.api)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	v, err := usable(list, d.wanted)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	me, err := userInfo(ctx, d.api)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	d.known.version.put(v, d.now())
	warnings := append(d.api.Warnings(d.api.Base, header), versionWarnings(list, d.wanted)...)
	org, more, err := d.probeOrg(ctx, v)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	checked, err := d.api.Check(ctx, rest.Canary{What: "objects", Ask: func(ctx context.Context) error {
		_, err := d.askObjects(ctx)
		if connectors.CodeOf(err) == connectors.NotFound {
			// To a user without rights Salesforce says that there is nothing.
			return connectors.Denied(err, "%s", connectors.AsError(err).Message)
		}
		return err
	}})
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	return connectors.ProbeResult{
		Instance: connectors.Instance{
			Name: org.name(d.api.Base), URL: d.api.Base, Version: list[len(list)-1].Version, Type: org.kind(),
		},
		Account:  me.account(),
		Warnings: slices.Concat(warnings, more, checked),
	}, nil
}

// probeOrg asks what the org is called, by a query as listings make them, and returns what its answer warns of. A user
// who may not read that, or a version without queries, are warnings too.
func (d *Driver) probeOrg(ctx context.Context, v version) (org, []connectors.Warning, error) {
	found, counted, err := organization(ctx, d.api, v)
	err = d.ours("Organization", err)
	warning := func(code string) []connectors.Warning {
		return []connectors.Warning{{Code: code, Message: connectors.AsError(err).Message}}
	}
	switch {
	case err == nil:
		return found, usageWarnings(counted), nil
	case rest.IsGone(err):
		return found, warning("removed_endpoint"), nil
	case connectors.IsDenied(err), connectors.CodeOf(err) == connectors.NotFound:
		return found, warning("api_denied"), nil
	}
	return found, nil, err
}
