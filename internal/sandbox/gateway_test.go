package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

func (b *oauthBox) resources(token string) []resource {
	b.t.Helper()
	got := b.get("/api/oauth/token/accessible-resources", token)
	var list []resource
	if err := json.Unmarshal(got.body, &list); err != nil || got.status != http.StatusOK || list == nil {
		b.t.Fatalf("%d %v %s", got.status, err, got.body)
	}
	return list
}

func TestAccessibleResources(t *testing.T) {
	cases := []struct {
		name  string
		sites int
		pairs []string
		want  string // SITE:FIRST SCOPE of each entry
	}{
		{"both products", 1, nil, "Acme:read:jira-work Acme:read:space:confluence"},
		{"one product", 1, []string{"scope", "read:me search:confluence"}, "Acme:search:confluence"},
		{"no product", 1, []string{"scope", "read:me"}, ""},
		{"two sites", 2, []string{"scope", "read:jira-work"}, "Acme:read:jira-work Globex:read:jira-work"},
		{"one of two, by name", 2, []string{"scope", "read:jira-work", "site", "Globex"}, "Globex:read:jira-work"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := serveOAuth(t, Options{Sites: c.sites})
			var got []string
			ids := map[string]string{}
			for _, r := range b.resources(b.connect(atlassianFlow, c.pairs...).text(t, "access_token")) {
				got = append(got, r.Name+":"+r.Scopes[0])
				if id, ok := ids[r.Name]; ok && id != r.ID || r.URL != b.url+"/"+strings.ToLower(r.Name) || r.AvatarURL == "" {
					t.Errorf("got %+v", r)
				}
				ids[r.Name] = r.ID
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("got %q, want %q", text, c.want)
			}
			if c.sites == 2 && ids["Acme"] == ids["Globex"] {
				t.Error("two sites have one id")
			}
		})
	}
}

// A consent with other scopes overrides, and a second site adds.
func TestConsentAgain(t *testing.T) {
	b := serveOAuth(t, Options{Sites: 2})
	first := b.connect(atlassianFlow, "scope", "read:jira-work offline_access", "site", "Globex")
	second := b.connect(atlassianFlow, "scope", "search:confluence offline_access", "site", "Acme")
	var got []string
	for _, r := range b.resources(second.text(t, "access_token")) {
		got = append(got, r.Name+":"+strings.Join(r.Scopes, ","))
	}
	if want := []string{"Acme:search:confluence", "Globex:search:confluence"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	atlassianFlow.mustBeDead(t, b.refresh(atlassianFlow, first.text(t, "refresh_token")))
	if got := b.get("/api/me", first.text(t, "access_token")); got.status != http.StatusUnauthorized {
		t.Errorf("the access token of the first lives: %d", got.status)
	}
}

func TestGatewayRefuses(t *testing.T) {
	clock := newFakeClock()
	b := serveOAuth(t, Options{Sites: 2, OAuthNow: clock.Now, TokenTTL: time.Minute})
	full := b.connect(atlassianFlow, "site", "Acme").text(t, "access_token")
	narrow := b.connect(atlassianFlow, "scope", "read:jira-user", "account", "2").text(t, "access_token")
	cloud := b.resources(full)[0].ID
	globex := b.resources(narrow)[1].ID
	const unauthorized, mismatch = `{"code":401,"message":"Unauthorized"}`, `{"code":401,"message":"Unauthorized; scope does not match"}`
	cases := []struct {
		name, token, path string
		status            int
		body              string
	}{
		{"good", full, "/api/ex/jira/" + cloud + "/rest/api/3/myself", 200, ""},
		{"good for Confluence", full, "/api/ex/confluence/" + cloud + "/wiki/rest/api/user/current", 200, ""},
		{"no token", "", "/api/ex/jira/" + cloud + "/rest/api/3/myself", 401, unauthorized},
		{"unknown token", "x", "/api/ex/jira/" + cloud + "/rest/api/3/myself", 401, unauthorized},
		{"unknown token, list", "x", "/api/oauth/token/accessible-resources", 401, unauthorized},
		{"unknown token, nowhere", "x", "/api/ex/jira/none/rest/api/3/myself", 401, unauthorized},
		{"server info needs a token here", "", "/api/ex/jira/" + cloud + "/rest/api/3/serverInfo", 401, unauthorized},
		{"server info needs no scope", narrow, "/api/ex/jira/" + cloud + "/rest/api/3/serverInfo", 200, ""},
		{"narrow, myself", narrow, "/api/ex/jira/" + cloud + "/rest/api/3/myself", 200, ""},
		{"narrow, projects", narrow, "/api/ex/jira/" + cloud + "/rest/api/3/project/search", 401, mismatch},
		{"narrow, profile", narrow, "/api/me", 401, mismatch},
		{"narrow, spaces", narrow, "/api/ex/confluence/" + cloud + "/wiki/api/v2/spaces", 401, mismatch},
		{"unknown site", full, "/api/ex/jira/11111111-2222-4333-8444-555555555555/rest/api/3/myself", 404, "No message available"},
		{"unknown product", full, "/api/ex/trello/" + cloud + "/x", 404, "No message available"},
		{"a site that is not granted", full, "/api/ex/jira/" + globex + "/rest/api/3/myself", 404, "No message available"},
		{"the other product's path", full, "/api/ex/confluence/" + cloud + "/rest/api/3/myself", 404, ""},
		{"the site itself", full, "/acme/rest/api/3/myself", 401, messageUnauthenticated},
		{"the site's Confluence", full, "/acme/wiki/api/v2/spaces", 401, messageUnauthenticated},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := b.get(c.path, c.token)
			exact := strings.HasPrefix(c.body, "{")
			if got.status != c.status || !bytes.Contains(got.body, []byte(c.body)) || exact && string(got.body) != c.body {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, c.status, c.body)
			}
		})
	}
	basic := b.send(http.MethodGet, "/api/ex/jira/"+cloud+"/rest/api/3/myself", map[string]string{"Authorization": "Basic " + full}, "")
	if basic.status != http.StatusUnauthorized {
		t.Errorf("another scheme: %d", basic.status)
	}
	clock.add(time.Minute - time.Nanosecond)
	if got := b.get("/api/me", full); got.status != http.StatusOK {
		t.Errorf("a moment before its end: %d", got.status)
	}
	clock.add(time.Nanosecond)
	if got := b.get("/api/me", full); got.status != http.StatusUnauthorized || string(got.body) != unauthorized {
		t.Errorf("expired: %d %s", got.status, got.body)
	}
}

// Through the gateway Jira is the same site: only the address of the API differs in what it links to.
func TestGatewayIsTheSite(t *testing.T) {
	b := serveOAuth(t, Options{Sites: 2})
	token := b.connect(atlassianFlow).text(t, "access_token")
	ids := map[string]string{}
	for _, r := range b.resources(token) {
		ids["/"+strings.ToLower(r.Name)] = r.ID
	}
	bodies := map[string]string{}
	for _, path := range []string{
		"/serverInfo", "/myself", "/project/search?maxResults=2&expand=lead,insight", "/project/PAY", "/issue/PAY-3", "/issue/PAY-3/comment?maxResults=5",
		"/search/jql?jql=project%3DPAY&fields=*all&maxResults=60", "/search/jql?jql=assignee%3DcurrentUser()", "/issue/NO-1", "/search?jql=x",
	} {
		for prefix, id := range ids {
			site, gate := b.url+prefix, b.url+"/api/ex/jira/"+id
			response, direct := get(t, site+"/rest/api/3"+path)
			through := b.get("/api/ex/jira/"+id+"/rest/api/3"+path, token)
			if through.status != response.StatusCode {
				t.Errorf("%s: got %d, want %d: %s", path, through.status, response.StatusCode, through.body)
			}
			want := direct
			if path != "/serverInfo" { // which tells the site's own address, everywhere
				want = bytes.ReplaceAll(want, []byte(site), []byte(gate))
				want = bytes.ReplaceAll(want, []byte(gate+"/browse/"), []byte(site+"/browse/"))
			}
			if !bytes.Equal(through.body, want) {
				t.Errorf("%s differs:\n%.400s\n%.400s", path, through.body, want)
			}
			if bytes.Contains(direct, []byte("/api/ex/")) {
				t.Errorf("%s: the site links to the gateway", path)
			}
			bodies[prefix] += string(direct)
		}
	}
	if strings.ReplaceAll(bodies["/globex"], "/globex", "/acme") == bodies["/acme"] {
		t.Error("two sites hold the same")
	}
}

// Each account is itself, and reads times and dates in its own zone.
func TestGatewayKnowsTheAccount(t *testing.T) {
	b := serveOAuth(t, Options{})
	mine, hers := b.connect(atlassianFlow).text(t, "access_token"), b.connect(atlassianFlow, "account", "2").text(t, "access_token")
	gate := "/api/ex/jira/" + b.resources(hers)[0].ID + "/rest/api/3"
	wiki := "/api/ex/confluence/" + b.resources(hers)[0].ID + "/wiki/rest/api/user/current"
	self := b.get(gate+"/myself", hers)
	if self.text(t, "displayName") != "Mia Krystof" || self.text(t, "timeZone") != "Australia/Sydney" {
		t.Errorf("got %s", self.body)
	}
	for path, field := range map[string]string{"/api/me": "account_id", wiki: "accountId"} {
		if got := b.get(path, hers).text(t, field); got != self.text(t, "accountId") {
			t.Errorf("%s says %q, Jira %q", path, got, self.text(t, "accountId"))
		}
	}
	count := func(token, jql string) int {
		got := b.get(gate+"/search/jql?maxResults=5000&jql="+jql, token)
		return bytes.Count(got.body, []byte(`"id"`))
	}
	who := "assignee%3DcurrentUser()"
	if m, h := count(mine, who), count(hers, who); m == 0 || h == 0 || m == h {
		t.Errorf("currentUser finds %d and %d", m, h)
	}
	if m, h := string(b.get(gate+"/issue/PAY-1?fields=updated", mine).body), string(b.get(gate+"/issue/PAY-1?fields=updated", hers).body); m == h {
		t.Errorf("both read %s", m)
	}
}

// The scopes that open an operation are those of Atlassian's documents: each set suffices, none less does.
func TestScopesAreTheDocuments(t *testing.T) {
	jira, first, second := jiraSpec(t), confluenceSpec(t, 1), confluenceSpec(t, 2)
	cases := []struct {
		spec    *openapi3.T
		product string
		path    string
		sets    [][]string
	}{
		{jira, "jira", "/rest/api/3/serverInfo", noScope.scopes},
		{jira, "jira", "/rest/api/3/myself", userScopes},
		{jira, "jira", "/rest/api/3/project/search", projectScopes},
		{jira, "jira", "/rest/api/3/search/jql", searchScopes},
		{jira, "jira", "/rest/api/3/issue/{issueIdOrKey}", issueScopes},
		{jira, "jira", "/rest/api/3/issue/{issueIdOrKey}/comment", commentScopes},
		{jira, "jira", "/rest/api/3/issue/{issueIdOrKey}/changelog", changelogScopes},
		{jira, "jira", "/rest/api/3/issue/{issueIdOrKey}/worklog", worklogScopes},
		{jira, "jira", "/rest/api/3/field", fieldScopes},
		{jira, "jira", "/rest/api/3/project", projectScopes},
		{jira, "jira", "POST /rest/api/3/issue/{issueIdOrKey}/comment", writeCommentScopes},
		{jira, "jira", "POST /rest/api/3/search/approximate-count", countScopes},
		{jira, "jira", "POST /rest/api/3/jql/parse", parseScopes},
		{jira, "jira", "POST /rest/api/3/issue/bulkfetch", issueScopes},
		{first, "confluence", "/wiki/rest/api/user/current", currentUserScopes},
		{first, "confluence", "/wiki/rest/api/user", currentUserScopes},
		{first, "confluence", "/wiki/rest/api/user/bulk", currentUserScopes},
		{first, "confluence", "/wiki/rest/api/search", searchWikiScopes},
		{first, "confluence", "/wiki/rest/api/content/search", searchWikiScopes},
		{second, "confluence", "/spaces", spaceScopes},
		{second, "confluence", "/pages", pageScopes},
		{second, "confluence", "/blogposts", pageScopes},
		{second, "confluence", "/pages/{id}/children", pageScopes},
		{second, "confluence", "/footer-comments", noteScopes},
		{second, "confluence", "/inline-comments", noteScopes},
		{second, "confluence", "POST /footer-comments", writeNoteScopes},
		{second, "confluence", "POST /users-bulk", userBulkScopes},
	}
	for _, c := range cases {
		t.Run(c.path, func(t *testing.T) {
			var want [][]string
			method, template := http.MethodGet, c.path
			if post, is := strings.CutPrefix(c.path, "POST "); is {
				method, template = http.MethodPost, post
			}
			list, _ := c.spec.Paths.Value(template).GetOperation(method).Extensions["x-atlassian-oauth2-scopes"].([]any)
			for _, one := range list {
				var set []string
				scopes, _ := one.(map[string]any)["scopes"].([]any)
				for _, scope := range scopes {
					set = append(set, scope.(string))
				}
				if len(set) > 0 {
					want = append(want, set)
				}
			}
			if !slices.EqualFunc(c.sets, want, slices.Equal) {
				t.Errorf("got %q, want %q", c.sets, want)
			}
			b := serveOAuth(t, Options{})
			path := template
			if c.spec == second {
				path = "/wiki/api/v2" + template
			}
			path = strings.NewReplacer("{issueIdOrKey}", "PAY-1", "{id}", strconv.Itoa(firstContentID)).Replace(path)
			path += map[string]string{
				"/rest/api/3/search/jql": "?jql=project%3DPAY", "/wiki/rest/api/search": "?cql=type%3Dpage", "/wiki/rest/api/content/search": "?cql=type%3Dpage",
				"/wiki/rest/api/user": "?accountId=" + url.QueryEscape(accountID(DefaultSeed, 1)), "/wiki/rest/api/user/bulk": "?accountId=x",
			}[template]
			check := func(scopes []string, refused bool) {
				token := b.connect(atlassianFlow, "scope", strings.Join(scopes, " ")).text(t, "access_token")
				got := b.send(method, "/api/ex/"+c.product+"/"+cloudID(DefaultSeed)+path, map[string]string{"Authorization": "Bearer " + token}, "{}")
				// What is posted is nothing, so that 400 or 404 is the answer to a token that suffices.
				if (got.status == http.StatusUnauthorized) != refused || (method == http.MethodGet && !refused && got.status != http.StatusOK) {
					t.Errorf("%q: got %d, want it refused: %v: %s", scopes, got.status, refused, got.body)
				}
			}
			for _, set := range c.sets {
				check(set, false)
				check(append(slices.Clone(set[1:]), "read:me"), true)
			}
		})
	}
}

// An API token with scopes is good at the gateway alone, and one without at the site alone.
func TestScopedTokens(t *testing.T) {
	b := serveOAuth(t, Options{})
	id := b.send(http.MethodGet, "/acme/_edge/tenant_info", nil, "").text(t, "cloudId")
	for path, good := range map[string]string{
		"/api/ex/jira/" + id + "/rest/api/3/myself": DefaultScopedToken, "/api/ex/confluence/" + id + "/wiki/api/v2/spaces": DefaultScopedToken,
		"/acme/rest/api/3/myself": DefaultToken, "/acme/wiki/api/v2/spaces": DefaultToken,
	} {
		for _, token := range []string{DefaultScopedToken, DefaultToken, "wrong"} {
			want := http.StatusUnauthorized
			if token == good {
				want = http.StatusOK
			}
			basic := base64.StdEncoding.EncodeToString([]byte(DefaultEmail + ":" + token))
			if got := b.send(http.MethodGet, path, map[string]string{"Authorization": "Basic " + basic}, ""); got.status != want {
				t.Errorf("%s with %s: %d %s", path, token, got.status, got.body)
			}
		}
	}
}
