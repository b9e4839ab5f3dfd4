package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// gateway is Atlassian's API for apps with OAuth: what a grant reaches, whose it is, and the products of the sites.
type gateway struct {
	authority *authority
	email     string
	scoped    string // the API token with scopes, which the gateway alone takes
	people    []account
	sites     []*site
}

func (g *gateway) mount(r *router) {
	get := func(path string, h http.HandlerFunc) {
		r.handle(apiPrefix+path, map[string]http.HandlerFunc{http.MethodGet: h})
	}
	get("/oauth/token/accessible-resources", g.resources)
	get("/me", g.me)
	r.mux.HandleFunc(apiPrefix+"/ex/", g.nowhere)
	for i, s := range g.sites {
		door := &gatewayDoor{gateway: g, site: i}
		s.jira.mount(r, door, door.path("jira"))
		s.confluence.mount(r, door, door.path("confluence"))
	}
}

// enter lets a request pass with an access token that covers one of the sets of scopes.
func (g *gateway) enter(w http.ResponseWriter, r *http.Request, sets ...[]string) (session, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s, ok := g.authority.bearer(token)
	switch {
	case !ok || !strings.EqualFold(scheme, "Bearer"):
		writeGatewayError(w, http.StatusUnauthorized, "Unauthorized")
		return session{}, false
	case !s.allows(sets):
		writeGatewayError(w, http.StatusUnauthorized, "Unauthorized; scope does not match")
		return session{}, false
	}
	return s, true
}

func writeGatewayError(w http.ResponseWriter, status int, message string) {
	writeValue(w, status, struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{status, message})
}

// resource is a product of a site, in the list of what a grant reaches.
type resource struct {
	ID        string   `json:"id"`
	URL       string   `json:"url"`
	Name      string   `json:"name"`
	Scopes    []string `json:"scopes"`
	AvatarURL string   `json:"avatarUrl"`
}

// resources lists the granted sites: each once for every product that the scopes are about, with the same id.
func (g *gateway) resources(w http.ResponseWriter, r *http.Request) {
	s, ok := g.enter(w, r)
	if !ok {
		return
	}
	list := []resource{}
	for _, i := range s.sites {
		home := hostOf(r) + g.sites[i].prefix
		for _, product := range []string{"jira", "confluence"} {
			scopes := scopesOf(product, s.scopes)
			if len(scopes) > 0 {
				list = append(list, resource{
					ID: g.sites[i].cloudID, URL: home, Name: g.sites[i].name, Scopes: scopes, AvatarURL: home + "/avatar.png",
				})
			}
		}
	}
	writeValue(w, http.StatusOK, list)
}

func scopesOf(product string, scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !strings.Contains(s, product) })
}

// me is the profile of the account.
func (g *gateway) me(w http.ResponseWriter, r *http.Request) {
	s, ok := g.enter(w, r, []string{"read:me"})
	if !ok {
		return
	}
	who := g.people[s.account]
	writeValue(w, http.StatusOK, map[string]any{
		"account_type": who.kind, "account_id": who.id, "email": mailOf(s.account, who), "name": who.name,
		"nickname": who.name, "picture": hostOf(r) + "/avatar.png", "account_status": "active", "zoneinfo": who.zone,
		"locale": "en-US", "extended_profile": map[string]any{},
	})
}

// mailOf returns an address for the accounts that hide theirs too.
func mailOf(i int, who account) string {
	return cmp.Or(who.email, fmt.Sprintf("person%d@example.com", i+1))
}

// nowhere answers for sites that do not exist.
func (g *gateway) nowhere(w http.ResponseWriter, r *http.Request) {
	if _, ok := g.enter(w, r); ok {
		writeNoSite(w, r)
	}
}

func writeNoSite(w http.ResponseWriter, r *http.Request) {
	writeValue(w, http.StatusNotFound, struct {
		Timestamp string `json:"timestamp"`
		Status    int    `json:"status"`
		Error     string `json:"error"`
		Message   string `json:"message"`
		Path      string `json:"path"`
	}{time.Now().UTC().Format(time.RFC3339), http.StatusNotFound, "Not Found", "No message available", strings.TrimPrefix(r.URL.Path, apiPrefix)})
}

// gatewayDoor leads to the products of one site.
type gatewayDoor struct {
	gateway *gateway
	site    int
}

func (d *gatewayDoor) path(product string) string {
	return apiPrefix + "/ex/" + product + "/" + d.gateway.sites[d.site].cloudID
}

func (d *gatewayDoor) enter(w http.ResponseWriter, r *http.Request, need permission) (caller int, ok bool) {
	if isAnonymous(r) {
		return 0, true
	}
	if email, token, basic := r.BasicAuth(); basic && same(email, d.gateway.email) && same(token, d.gateway.scoped) {
		return 0, true
	}
	s, ok := d.gateway.enter(w, r, need.scopes...)
	if ok && !slices.Contains(s.sites, d.site) {
		writeNoSite(w, r)
		return 0, false
	}
	return s.account, ok
}

func (d *gatewayDoor) refuse(w http.ResponseWriter, _ *http.Request) {
	writeGatewayError(w, http.StatusUnauthorized, "Unauthorized")
}
