package connectors

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// OAuthProvider describes an authorization server as data: one more provider is one more value of it, and at most
// the hook [OAuth.Discover]. Its addresses, client id and client secret are the operator's settings, named after ID:
// ATLASSIAN_CLIENT_ID. Connectors that share a provider share the grants of one account.
type OAuthProvider struct {
	ID   string // lower case, "atlassian"
	Name string // as people write it, "Atlassian"
	// Setting is the operator's setting with the address of the authorization server.
	Setting string

	// Paths below the authorization address. RevokePath (RFC 7009) and IntrospectPath (RFC 7662) are empty where the
	// provider has no such endpoint.
	AuthorizePath, TokenPath, RevokePath, IntrospectPath string
	// Params are added to the request for consent, as in audience=….
	Params map[string]string
	// JSON says that the token endpoint takes JSON; otherwise it takes a form.
	JSON bool
	// PKCE says that the provider takes a code challenge (RFC 7636, S256). Without it the challenge is not sent.
	PKCE bool
	// RefreshScope is the scope without which there is no refresh token.
	RefreshScope string
	// Dead are the errors with which the token endpoint refuses a refresh token for good. Every other error may pass,
	// and leaves the refresh token as it is.
	Dead OAuthErrors
	// ReuseWindow is how long after its first use a refresh token that rotates may be sent once more, because the
	// answer was lost. Zero where refresh tokens do not rotate or the provider names no time.
	ReuseWindow time.Duration
	// IdleLimit is how long a refresh token lives without being used, zero for no limit.
	IdleLimit time.Duration
	// APIField names the field of the token answer that holds the address of the API. Empty where all accounts share
	// the operator's API address.
	APIField string
	// ManageURL is where an account's owner sees and removes what it consented to.
	ManageURL string
}

// OAuthErrors are errors of a token endpoint (RFC 6749, section 5.2): CODE stands for every error with that code,
// CODE:WORDS only for those whose description holds the words.
type OAuthErrors []string

// Match reports whether one of them is the error with that code and description, in whatever case.
func (e OAuthErrors) Match(code, description string) bool {
	return slices.ContainsFunc(e, func(entry string) bool {
		c, words, _ := strings.Cut(entry, ":")
		return strings.EqualFold(c, code) && strings.Contains(strings.ToLower(description), strings.ToLower(words))
	})
}

// OAuth is how a connector uses a provider.
type OAuth struct {
	Provider *OAuthProvider
	// Scopes are asked for where a caller names none, without the provider's RefreshScope, which is always added.
	Scopes []string
	// Discover finds out whose grant it is, and which sites of this connector's system it reaches. No site at all is no
	// error. It is asked once after each consent.
	Discover func(ctx context.Context, g Grant) (Discovery, error)
	// Bind returns the fields of the configuration that bind a connection to a site; api is the address of the API that
	// the grant belongs to.
	Bind func(api string, s Site) map[string]any
}

// Grant is a fresh consent, as [OAuth.Discover] sees it.
type Grant struct {
	// HTTP signs with the grant's access token what goes to API, and keeps to the same rules as [Env.HTTP].
	HTTP *http.Client
	// API is the address of the provider's API, without a slash at its end.
	API string
	// Scopes are those that were granted, where the provider tells.
	Scopes []string
}

// Discovery is what a grant reaches.
type Discovery struct {
	Account Account
	Sites   []Site
}

// Site is one of the places that an account's grant reaches.
type Site struct {
	ID   string `json:"id"`
	URL  string `json:"url"`
	Name string `json:"name"`
}

// MethodOAuth is the id of the auth method by OAuth of every connector that has one.
const MethodOAuth = "oauth2"

// OAuthFields returns the fields that every configuration with the auth method [MethodOAuth] has. A connect flow fills
// them; by hand they are given where a token comes from elsewhere.
func OAuthFields(p *OAuthProvider) []Field {
	only := []string{MethodOAuth}
	return []Field{
		{
			Name: "access_token", Label: "Access token", Kind: KindSecret, Required: true, Methods: only,
			Help: "OAuth access token of " + p.Name + "; `ucf connect` gets one.",
		},
		{
			Name: "refresh_token", Label: "Refresh token", Kind: KindSecret, Methods: only,
			Help: "OAuth refresh token that belongs to the access token; without it the connection ends when that expires.",
		},
		{
			Name: "client_id", Label: "Client id", Kind: KindString, Methods: only,
			Help:    "OAuth app that the tokens belong to; without it the operator's.",
			Example: "client-id-of-your-app",
		},
		{
			Name: "client_secret", Label: "Client secret", Kind: KindSecret, Methods: only,
			Help: "Secret of that OAuth app.",
		},
		{
			Name: "scopes", Label: "Scopes", Kind: KindList, Methods: only,
			Help: "What the consent covers.",
		},
	}
}
