package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// vendor is an Atlassian that consents at once, or says what it is told to say. The sandbox, which asks, is for the
// scenarios.
type vendor struct {
	sites []string
	// back is what the browser brings back instead of a code.
	back string
	// token answers the token endpoint instead of a grant.
	token http.HandlerFunc

	url string
}

func (v *vendor) start(t *testing.T) *vendor {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /auth/authorize", v.authorize)
	mux.HandleFunc("POST /auth/oauth/token", v.tokens)
	mux.HandleFunc("GET /api/oauth/token/accessible-resources", func(w http.ResponseWriter, _ *http.Request) {
		list := []map[string]any{}
		for i, site := range v.sites {
			list = append(list, map[string]any{"id": fmt.Sprintf("cloud-%d", i+1), "name": site, "url": v.site(site), "scopes": []string{"read:jira-work"}})
		}
		_ = json.NewEncoder(w).Encode(list)
	})
	mux.HandleFunc("GET /api/me", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"account_id":"account-1","name":"Priya Raman"}`)
	})
	mux.HandleFunc("GET /api/ex/jira/{cloud}/rest/api/3/{what}", func(w http.ResponseWriter, r *http.Request) {
		i := strings.TrimPrefix(r.PathValue("cloud"), "cloud-")
		fmt.Fprintf(w, `{"baseUrl":%q,"serverTitle":"Jira %s","version":"1","deploymentType":"Cloud","accountId":"account-1","displayName":"Priya Raman"}`, v.site(v.sites[int(i[0]-'1')]), i)
	})
	mux.HandleFunc("GET /api/ex/jira/{cloud}/rest/api/3/project/search", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"values":[],"startAt":0,"total":0,"isLast":true}`)
	})
	mux.HandleFunc("POST /api/ex/jira/{cloud}/rest/api/3/search/jql", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"issues":[],"isLast":true}`)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	v.url = srv.URL
	return v
}

func (v *vendor) site(name string) string { return "https://" + name + ".atlassian.example" }

func (v *vendor) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back := v.back
	if back == "" {
		back = "code=the-code"
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back+"&state="+url.QueryEscape(q.Get("state")), http.StatusFound)
}

func (v *vendor) tokens(w http.ResponseWriter, r *http.Request) {
	if v.token != nil {
		v.token(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"access_token":"canary-access","refresh_token":"canary-refresh","expires_in":3600,"scope":"read:jira-work offline_access","token_type":"Bearer"}`)
}

// environ returns an environment with an empty home, pointed at the vendor and at a free port.
func (v *vendor) environ(t *testing.T) []string {
	t.Helper()
	return append(home(t), "ATLASSIAN_CLIENT_ID=the-app", "ATLASSIAN_CLIENT_SECRET=canary-secret", "ATLASSIAN_AUTH_URL="+v.url+"/auth",
		"ATLASSIAN_API_URL="+v.url+"/api", "UCF_OAUTH_PORT="+freeTCP(t))
}
