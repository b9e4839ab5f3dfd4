// Package oauth gets OAuth grants and keeps them alive. A refresh token that rotates can be spent once; this package
// sees to it that of any number of callers, processes and machines one spends it, that what the provider answers is
// kept before anything else happens, and that only a refusal by the provider ends a grant.
//
// A [Client] speaks to one authorization server; a [Manager] gives sources of access tokens for stored grants.
//
// Before a refresh token is spent, a claim is written on its record, and it beats while its holder lives. Whoever meets
// a claim waits; one that has not changed for a term, by the watcher's own clock, is taken over. An answer that was lost
// is asked for again with the same token, which a provider with a reuse window answers. So a live grant is lost in one
// case only: the provider spent the token, its answer was lost (a crash, a broken network), and nobody could ask again
// before the window closed.
package oauth

import (
	"github.com/unified-connector/ucf/connectors"
)

// App is an OAuth app registered at a provider, and where that provider is.
type App struct {
	Provider     *connectors.OAuthProvider
	ClientID     string
	ClientSecret connectors.Secret
	AuthURL      string // without a slash at its end
	APIURL       string // empty where the token answer names it
}

// Names of the secrets of a grant, as they are sealed and as configurations call them.
const (
	FieldAccess  = "access_token"
	FieldRefresh = "refresh_token"
	FieldSecret  = "client_secret" // only where the app is not the operator's
)
