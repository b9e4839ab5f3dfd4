package sandbox

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// Paths of Atlassian's authorization server and API.
const (
	authPrefix         = "/auth"
	apiPrefix          = "/api"
	atlassianTokenPath = authPrefix + "/oauth/token"
)

// Lives of Atlassian's refresh tokens.
const (
	atlassianReuse = 10 * time.Minute
	atlassianIdle  = 90 * 24 * time.Hour
)

// atlassianAuth is Atlassian's authorization server for OAuth 2.0 (3LO), after
// https://developer.atlassian.com/cloud/oauth/getting-started/ and what it answers in the wild.
type atlassianAuth struct {
	authority *authority
	app       apps
}

func (a *atlassianAuth) mount(r *router, desk *consentDesk) {
	r.handle(authPrefix+"/authorize", map[string]http.HandlerFunc{http.MethodGet: desk.ServeHTTP, http.MethodPost: desk.ServeHTTP})
	r.handle(atlassianTokenPath, map[string]http.HandlerFunc{http.MethodPost: a.token})
}

func (a *atlassianAuth) token(w http.ResponseWriter, r *http.Request) {
	in, ok := readTokenRequest(r.Header, readBody(r))
	switch {
	case mediaType(r.Header) != mediaJSON:
		writeAuthError(w, http.StatusBadRequest, "invalid_request", "The body must be application/json.")
		return
	case !ok:
		writeAuthError(w, http.StatusBadRequest, "invalid_request", "The body is not a JSON object of strings.")
		return
	case !a.app.knows(in.ClientID, in.ClientSecret):
		writeAuthError(w, http.StatusUnauthorized, "invalid_client", "The client_id or client_secret is wrong.")
		return
	}
	var out tokens
	var err error
	switch in.GrantType {
	case "authorization_code":
		out, err = a.authority.exchange(in.ClientID, in.Code, in.RedirectURI, in.CodeVerifier)
	case "refresh_token":
		out, err = a.authority.spend(in.ClientID, in.RefreshToken)
	default:
		writeAuthError(w, http.StatusBadRequest, "unsupported_grant_type", "The grant_type must be authorization_code or refresh_token.")
		return
	}
	if err != nil {
		refuseAtlassian(w, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeValue(w, http.StatusOK, struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token,omitempty"`
		ExpiresIn    int    `json:"expires_in"`
		Scope        string `json:"scope"`
		TokenType    string `json:"token_type"`
	}{out.access, out.refresh, int(a.authority.life / time.Second), strings.Join(out.scopes, " "), "Bearer"})
}

func refuseAtlassian(w http.ResponseWriter, err error) {
	var fault authFault
	errors.As(err, &fault)
	description := map[authFault]string{
		badCode:         "Invalid authorization code.",
		expiredCode:     "Authorization code has expired.",
		otherRedirect:   "The redirect_uri is not the one of the authorization request.",
		noVerifier:      "The code_verifier is missing.",
		wrongVerifier:   "Failed to verify code verifier.",
		badRefreshToken: "Unknown or invalid refresh token.",
	}[fault]
	writeAuthError(w, http.StatusForbidden, "invalid_grant", description)
}
