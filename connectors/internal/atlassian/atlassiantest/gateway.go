// Package atlassiantest has stand-ins for what Atlassian's products share, for the tests of their connectors.
package atlassiantest

import (
	"io"
	"net/http"
	"strings"
)

// Token is a token that looks like real ones do.
const Token = "eyJhbGciOiJSUzI1NiJ9aVeryLongTokenThatNobodyMaySee42"

// Sites of a [Gateway].
const (
	CloudID = "1324a887-45db-1bf4-1e99-ef0ff456d421"
	SiteURL = "https://acme.atlassian.net"

	OtherCloudID = "5c6de2a1-0b1f-4f0e-8f9a-2f1d3a9a7c10"
	OtherURL     = "https://globex.atlassian.net"
)

// Me is the profile of the account, and AccountID its id.
const (
	Me        = `{"account_type":"atlassian","account_id":"` + AccountID + `","email":"ann@example.com","name":"Ann Lee","account_status":"active"}`
	AccountID = "5b10"
)

// Resources are what a grant of both products reaches: two sites, one of them listed once for each product.
const Resources = `[
	{"id":"` + CloudID + `","url":"` + SiteURL + `","name":"acme","scopes":["read:jira-work","read:jira-user"],"avatarUrl":"https://x/a.png"},
	{"id":"` + CloudID + `","url":"` + SiteURL + `","name":"acme","scopes":["read:page:confluence","search:confluence"],"avatarUrl":"https://x/a.png"},
	{"id":"` + OtherCloudID + `","url":"` + OtherURL + `","name":"globex","scopes":["read:issue:jira","read:space:confluence"],"avatarUrl":"https://x/b.png"}]`

// Gateway stands in for Atlassian's API: what a grant reaches, whose it is, and one site of one product behind it. It
// may be called by many goroutines at once and is not changed meanwhile.
type Gateway struct {
	Product   string // "jira"
	Site      http.Handler
	Resources string // empty for [Resources]
	Me        string // empty for [Me]
	// NoProfile says that the consent does not cover the profile.
	NoProfile bool
}

// ServeHTTP implements [http.Handler].
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_edge/tenant_info" { // the site's own
		send(w, http.StatusOK, `{"cloudId":"`+CloudID+`"}`)
		return
	}
	if _, _, basic := r.BasicAuth(); !basic && !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		send(w, http.StatusUnauthorized, `{"code":401,"message":"Unauthorized"}`)
		return
	}
	prefix := "/ex/" + g.Product + "/" + CloudID
	switch {
	case r.URL.Path == "/oauth/token/accessible-resources":
		send(w, http.StatusOK, or(g.Resources, Resources))
	case r.URL.Path == "/me" && g.NoProfile:
		send(w, http.StatusUnauthorized, ScopeMismatch)
	case r.URL.Path == "/me":
		send(w, http.StatusOK, or(g.Me, Me))
	case strings.HasPrefix(r.URL.Path, prefix+"/"):
		http.StripPrefix(prefix, g.Site).ServeHTTP(w, r)
	default:
		send(w, http.StatusNotFound, `{"timestamp":"2026-11-22T08:00:00Z","status":404,"error":"Not Found","message":"No message available"}`)
	}
}

// ScopeMismatch is what the gateway says with status 401 where the consent is too narrow.
const ScopeMismatch = `{"code":401,"message":"Unauthorized; scope does not match"}`

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func send(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
