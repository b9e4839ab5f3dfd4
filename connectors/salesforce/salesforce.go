// Package salesforce connects a Salesforce org over its REST API: sObjects are containers, records are items.
//
// It follows https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/ and, for who is connected,
// OpenID Connect as Salesforce has it. Credentials, retries and rate budgets are not its business; see
// [connectors.Env].
package salesforce

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
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

	Fields: append([]connectors.Field{{
		Name: "instance_url", Label: "Instance address", Kind: connectors.KindURL, Required: true, Destination: true,
		Help:    "The address of the org, as the answer with the tokens names it.",
		Example: "https://my-instance.my.salesforce.com",
	}}, connectors.OAuthFields(&provider)...),
	Auth: []connectors.AuthMethod{{
		ID: connectors.MethodOAuth, Name: "OAuth 2.0", Scheme: connectors.SchemeBearer, Secret: "access_token",
		Help: "Log in at Salesforce in the browser and consent; `ucf connect salesforce` leads there.",
		OAuth: &connectors.OAuth{
			Provider: &provider, Scopes: []string{"api"}, Discover: discover,
			Bind: func(api string, _ connectors.Site) map[string]any { return map[string]any{"instance_url": api} },
		},
	}},

	Container: "object",
	Item:      "record",
	Driver:    (*Driver)(nil),
	New:       newDriver,
}

// Driver reads one org.
type Driver struct {
	api *rest.Client
}

// newDriver builds the driver from its configuration; it makes no request.
func newDriver(env connectors.Env) (connectors.Driver, error) {
	c := client(env.HTTP, env.API)
	if env.Now != nil {
		c.Now = env.Now
	}
	for _, s := range env.Config.Secrets() {
		c.Secrets = append(c.Secrets, s)
	}
	return &Driver{api: c}, nil
}

// client returns a client for the API of an org.
func client(h *http.Client, api string) *rest.Client {
	return &rest.Client{
		HTTP: h, Base: api, System: "Salesforce", AddressField: "instance_url", Now: time.Now, Judge: judge, Faults: faults,
		Forbidden: "Give the user the permission \"API Enabled\" and access to the object, or connect with another one",
	}
}

// Probe asks the org which versions of the API it has, who is connected, and what it is called. It warns of an org that
// is older than this connector, of one that has used most of its requests of the day, of a user that may not use the
// API, of a clock that is off, and of an address without TLS.
func (d *Driver) Probe(ctx context.Context) (connectors.ProbeResult, error) {
	newest, header, err := newestVersion(ctx, d.api)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	me, err := userInfo(ctx, d.api)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	org, counted, err := organization(ctx, d.api, newest.usable())
	warnings := d.api.Warnings(d.api.Base, header)
	switch code := connectors.CodeOf(err); {
	case connectors.IsDenied(err), code == connectors.NotFound:
		warnings = append(warnings, connectors.Warning{Code: "api_denied", Message: connectors.AsError(err).Message})
	case err != nil:
		return connectors.ProbeResult{}, err
	}
	if newest.number() < wanted.number() {
		warnings = append(warnings, connectors.Warning{
			Code: "api_version", Message: fmt.Sprintf("the org has the API up to version %s, ucf is made for %s", newest.Version, apiVersion),
		})
	}
	warnings = append(warnings, usageWarnings(counted)...)
	return connectors.ProbeResult{
		Instance: connectors.Instance{Name: org.name(d.api.Base), URL: d.api.Base, Version: newest.Version, Type: org.kind()},
		Account:  me.account(),
		Warnings: warnings,
	}, nil
}

// usageWarnings warns when most of the requests that an org has for 24 hours are used.
func usageWarnings(h http.Header) []connectors.Warning {
	used, limit, ok := usage(h)
	if !ok || used*100 <= limit*usedPercent {
		return nil
	}
	return []connectors.Warning{{
		Code: "api_usage", Message: "the org has used " + strconv.Itoa(used) + " of its " + strconv.Itoa(limit) +
			" API requests of the last 24 hours; at the limit it refuses all of them",
	}}
}

// usedPercent is the share of an org's requests from which on a probe warns.
const usedPercent = 80
