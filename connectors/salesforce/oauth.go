package salesforce

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// provider is Salesforce's authorization server, as
// https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm describes it. A refresh
// token rotates only where the app is set up so; no time is documented in which a used one is taken again.
var provider = connectors.OAuthProvider{
	ID: "salesforce", Name: "Salesforce", Setting: "SALESFORCE_LOGIN_URL",
	AuthorizePath: "/services/oauth2/authorize", TokenPath: "/services/oauth2/token",
	RevokePath: "/services/oauth2/revoke", IntrospectPath: "/services/oauth2/introspect",
	PKCE: true, RefreshScope: "refresh_token",
	Dead:      []string{"invalid_grant"},
	IdleLimit: 30 * 24 * time.Hour,
	APIField:  "instance_url",
}

// discover finds out whose grant it is. A grant reaches one org, the one whose address the token answer named.
func discover(ctx context.Context, g connectors.Grant) (connectors.Discovery, error) {
	c := client(g.HTTP, g.API)
	me, err := userInfo(ctx, c)
	if err != nil {
		return connectors.Discovery{}, err
	}
	// The name is worth a request and no failure.
	org, _, err := organization(ctx, c, wanted)
	if ctx.Err() != nil {
		return connectors.Discovery{}, err
	}
	if me.OrganizationID == "" {
		me.OrganizationID = org.ID
	}
	if me.OrganizationID == "" {
		return connectors.Discovery{}, c.Nonsense("a user without an organization")
	}
	site := connectors.Site{ID: me.OrganizationID, URL: g.API, Name: org.name(g.API)}
	return connectors.Discovery{Account: me.account(), Sites: []connectors.Site{site}}, nil
}
