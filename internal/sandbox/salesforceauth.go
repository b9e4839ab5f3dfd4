package sandbox

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Paths of the Salesforce org.
const (
	salesforcePrefix    = "/salesforce"
	salesforceOAuth     = salesforcePrefix + "/services/oauth2"
	salesforceTokenPath = salesforceOAuth + "/token"
)

// salesforceIdle is how long a refresh token lives unused.
const salesforceIdle = 30 * 24 * time.Hour

// salesforceGrants is how many grants an app and a user have at once.
const salesforceGrants = 5

// refreshMark is what refresh tokens begin with.
const refreshMark = "5Aep861"

// salesforceAuth is Salesforce's authorization server for the web server flow, after
// https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm.
type salesforceAuth struct {
	authority *authority
	app       apps
	org       *org
}

func (a *salesforceAuth) mount(r *router, desk *consentDesk) {
	post := func(path string, h func(http.ResponseWriter, tokenRequest, *http.Request)) {
		r.handle(salesforceOAuth+path, map[string]http.HandlerFunc{http.MethodPost: func(w http.ResponseWriter, r *http.Request) {
			h(w, readSalesforceForm(r), r)
		}})
	}
	r.handle(salesforceOAuth+"/authorize", map[string]http.HandlerFunc{http.MethodGet: desk.ServeHTTP, http.MethodPost: desk.ServeHTTP})
	post("/token", a.token)
	post("/introspect", a.introspect)
	post("/revoke", a.revoke)
}

// readSalesforceForm reads a form; what is none has no parameters, which is how Salesforce takes JSON. The app's
// credentials may be in the header instead.
func readSalesforceForm(r *http.Request) tokenRequest {
	var in tokenRequest
	if mediaType(r.Header) == mediaForm {
		in, _ = readTokenRequest(r.Header, readBody(r))
	}
	if id, secret, ok := r.BasicAuth(); ok {
		in.ClientID, in.ClientSecret = cmp.Or(in.ClientID, id), cmp.Or(in.ClientSecret, secret)
	}
	return in
}

// admits answers for an app that is not known.
func (a *salesforceAuth) admits(w http.ResponseWriter, in tokenRequest) bool {
	switch {
	case !same(in.ClientID, a.app.id):
		writeAuthError(w, http.StatusBadRequest, "invalid_client_id", "client identifier invalid")
	case !a.app.knows(in.ClientID, in.ClientSecret):
		writeAuthError(w, http.StatusBadRequest, "invalid_client", "invalid client credentials")
	default:
		return true
	}
	return false
}

func (a *salesforceAuth) token(w http.ResponseWriter, in tokenRequest, r *http.Request) {
	if in.GrantType != "authorization_code" && in.GrantType != "refresh_token" {
		writeAuthError(w, http.StatusBadRequest, "unsupported_grant_type", "grant type not supported")
		return
	}
	if !a.admits(w, in) {
		return
	}
	var out tokens
	var err error
	if in.GrantType == "refresh_token" {
		out, err = a.authority.spend(in.ClientID, in.RefreshToken)
	} else {
		out, err = a.authority.exchange(in.ClientID, in.Code, in.RedirectURI, in.CodeVerifier)
	}
	if err != nil {
		refuseSalesforce(w, err)
		return
	}
	id, issued := a.org.identity(r, out.account), strconv.FormatInt(out.made.UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(a.app.secret))
	mac.Write([]byte(id + issued))
	w.Header().Set("Cache-Control", "no-store")
	writeValue(w, http.StatusOK, struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token,omitempty"`
		Signature    string `json:"signature"`
		Scope        string `json:"scope"`
		InstanceURL  string `json:"instance_url"`
		ID           string `json:"id"`
		TokenType    string `json:"token_type"`
		IssuedAt     string `json:"issued_at"`
	}{
		out.access, out.refresh, base64.StdEncoding.EncodeToString(mac.Sum(nil)), strings.Join(out.scopes, " "),
		hostOf(r) + salesforcePrefix, id, "Bearer", issued,
	})
}

func refuseSalesforce(w http.ResponseWriter, err error) {
	var fault authFault
	errors.As(err, &fault)
	said := map[authFault]authRefusal{
		badCode:         {"invalid_grant", "invalid authorization code"},
		expiredCode:     {"invalid_grant", "expired authorization code"},
		otherRedirect:   {"redirect_uri_mismatch", "redirect_uri must match configuration"},
		noVerifier:      {"invalid_grant", "code verifier is required"},
		wrongVerifier:   {"invalid_request", "code verifier does not match the challenge"},
		badRefreshToken: {"invalid_grant", "expired access/refresh token"},
	}[fault]
	writeAuthError(w, http.StatusBadRequest, said.code, said.description)
}

// introspect tells about a token, after RFC 7662.
func (a *salesforceAuth) introspect(w http.ResponseWriter, in tokenRequest, r *http.Request) {
	if !a.admits(w, in) {
		return
	}
	if in.Token == "" {
		writeAuthError(w, http.StatusBadRequest, "invalid_request", "token is missing")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	kind := "access_token"
	s, ok := a.org.bearer(in.Token)
	if !ok {
		kind = "refresh_token"
		s, ok = a.authority.refresher(in.Token)
	}
	if !ok {
		writeValue(w, http.StatusOK, map[string]bool{"active": false})
		return
	}
	out := map[string]any{
		"active": true, "scope": strings.Join(s.scopes, " "), "client_id": s.client, "username": a.org.username(s.account),
		"sub": a.org.identity(r, s.account), "token_type": kind, "iat": s.made.Unix(), "nbf": s.made.Unix(),
	}
	if !s.expires.IsZero() {
		out["exp"] = s.expires.Unix()
	}
	writeValue(w, http.StatusOK, out)
}

// revoke ends a token, and with a refresh token all that came of it. It asks for no credentials beside the token.
func (a *salesforceAuth) revoke(w http.ResponseWriter, in tokenRequest, _ *http.Request) {
	hints := []string{"", "access_token", "refresh_token"}
	ours := strings.HasPrefix(in.Token, refreshMark) || strings.HasPrefix(in.Token, a.org.id+"!")
	switch {
	case !ours || !slices.Contains(hints, in.TokenHint):
		writeAuthError(w, http.StatusBadRequest, "unsupported_token_type", "this token type is not supported")
	case !a.authority.revokeToken(in.Token):
		writeAuthError(w, http.StatusBadRequest, "invalid_token", "invalid token")
	default:
		w.WriteHeader(http.StatusOK)
	}
}
