package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// org is one Salesforce org: its records and its REST API, after
// https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/, and who is connected.
type org struct {
	authority *authority
	id        string
	people    []account
	users     []string // ids, by account
	now       func() time.Time
	usage     *usage
	wellKnown string // an access token
	client    string // the app's id
	born      time.Time

	seed    uint64
	faults  *faultLayer
	clock   func() time.Time // of the records
	pod     string           // three characters of every id
	objects []*sobject
	byName  map[string]*sobject // in lower case
	changes *overlay
	cursors cursors
}

// orgName is what the org is called.
const orgName = "Acme (sandbox)"

func newOrg(o Options, people []account, faults *faultLayer) *org {
	g := &org{people: people, now: o.OAuthNow, seed: o.Seed, faults: faults, clock: orgClock(o), changes: newOverlay(), usage: newUsage(o)}
	g.wellKnown, g.client, g.born = o.Token, o.ClientID, o.OAuthNow()
	g.fillOrg(o, lastChange(o, g.clock()))
	g.id = g.object1("Organization").table.id(0)
	for i := range people {
		g.users = append(g.users, g.object1("User").table.id(int64(i)))
	}
	return g
}

// orgClock is the clock of the org's records. Unlike a site's it goes on, since records can be changed.
func orgClock(o Options) func() time.Time {
	if o.Now != nil {
		return o.Now
	}
	return o.OAuthNow
}

// lastChange is when the newest of the generated records changed: never in the future.
func lastChange(o Options, now time.Time) time.Time {
	switch {
	case !o.Until.IsZero():
		return o.Until
	case o.Now != nil, now.Before(epoch(o.Seed)):
		return now
	}
	return epoch(o.Seed)
}

// identity is the address that stands for a user.
func (g *org) identity(r *http.Request, account int) string {
	return hostOf(r) + salesforcePrefix + "/id/" + g.id + "/" + g.users[account]
}

func (g *org) username(account int) string { return mailOf(account, g.people[account]) + ".sandbox" }

// versions are those of the API, oldest first.
var versions = []string{"62.0", "63.0", "64.0", "65.0", "66.0", "67.0"}

// dataCall answers a request to a version of the API.
type dataCall func(w http.ResponseWriter, r *http.Request, s session)

func (g *org) mount(r *router) {
	data := salesforcePrefix + "/services/data"
	get := func(path string, h http.HandlerFunc) {
		r.handle(path, map[string]http.HandlerFunc{http.MethodGet: h})
	}
	get(data, g.listVersions)
	for path, call := range map[string]dataCall{
		"": g.listResources, "/limits": g.limits, "/query": g.query, "/queryAll": g.queryAll, "/query/{locator}": g.queryMore,
		"/queryAll/{locator}": g.queryMore, "/sobjects": g.describeGlobal, "/search": g.search, "/sobjects/{object}/describe": g.describe,
		"/sobjects/{object}/updated": g.updated, "/sobjects/{object}/deleted": g.deletedSince,
	} {
		get(data+"/{version}"+path, g.private(call))
	}
	r.mux.HandleFunc(data+"/{version}/{rest...}", g.private(func(w http.ResponseWriter, _ *http.Request, _ session) {
		writeRefusal(w, errNoResource)
	}))
	r.handle(data+"/{version}/sobjects/{object}", map[string]http.HandlerFunc{
		http.MethodGet: g.private(g.showObject), http.MethodPost: g.private(g.createRecord),
	})
	r.handle(data+"/{version}/sobjects/{object}/{id}", map[string]http.HandlerFunc{
		http.MethodGet: g.private(g.showRecord), http.MethodPatch: g.private(g.updateRecord), http.MethodDelete: g.private(g.deleteRecord),
	})
	r.handle(data+"/{version}/sobjects/{object}/{field}/{value}", map[string]http.HandlerFunc{http.MethodPatch: g.private(g.upsertRecord)})
	r.handle(data+"/{version}/composite/sobjects/{object}", map[string]http.HandlerFunc{http.MethodPost: g.private(g.showRecords)})
	r.handle(data+"/{version}/composite/sobjects", map[string]http.HandlerFunc{
		http.MethodPost: g.private(g.createRecords), http.MethodPatch: g.private(g.updateRecords), http.MethodDelete: g.private(g.deleteRecords),
	})
	get(salesforcePrefix+"/id/{org}/{user}", g.showIdentity)
	r.handle(salesforceOAuth+"/userinfo", map[string]http.HandlerFunc{http.MethodGet: g.userInfo, http.MethodPost: g.userInfo})
}

// session returns what the token of a request allows.
func (g *org) session(r *http.Request) (s session, given, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if (!strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "OAuth")) || isAnonymous(r) {
		return session{}, false, false
	}
	s, ok = g.bearer(token)
	return s, true, ok
}

// bearer returns what an access token allows. One is known to all, belongs to the first account and lives for ever.
func (g *org) bearer(token string) (session, bool) {
	if same(token, g.wellKnown) {
		return session{client: g.client, scopes: []string{"api", "id", "refresh_token"}, made: g.born}, true
	}
	return g.authority.bearer(token)
}

// private lets a request pass with an access token for the API, to a version that exists, and counts it.
func (g *org) private(next dataCall) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, _, ok := g.session(r)
		if !ok {
			writeDataError(w, http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
			return
		}
		used, left := g.usage.count(1, g.now())
		w.Header().Set("Sforce-Limit-Info", g.usage.info(used))
		if !left {
			writeDataError(w, http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
			return
		}
		if !s.allows([][]string{{"api"}, {"full"}}) {
			writeDataError(w, http.StatusUnauthorized, "INVALID_SESSION_ID", "This session is not valid for use with the REST API")
			return
		}
		if v, ok := strings.CutPrefix(r.PathValue("version"), "v"); !ok || !slices.Contains(versions, v) {
			writeDataError(w, http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
			return
		}
		next(w, r, s)
	}
}

// writeDataError answers as the REST API does: with a list.
func writeDataError(w http.ResponseWriter, status int, code, message string) {
	writeValue(w, status, []struct {
		Message   string `json:"message"`
		ErrorCode string `json:"errorCode"`
	}{{message, code}})
}

// listVersions needs no token, and is not counted.
func (*org) listVersions(w http.ResponseWriter, _ *http.Request) {
	type version struct {
		Label   string `json:"label"`
		URL     string `json:"url"`
		Version string `json:"version"`
	}
	seasons := []string{"Winter", "Spring", "Summer"}
	list := make([]version, len(versions))
	for i, v := range versions {
		// Version 62.0 is Winter '25; three come a year.
		list[i] = version{fmt.Sprintf("%s '%d", seasons[i%3], 25+i/3), "/services/data/v" + v, v}
	}
	writeValue(w, http.StatusOK, list)
}

func (g *org) listResources(w http.ResponseWriter, r *http.Request, s session) {
	base := "/services/data/" + r.PathValue("version")
	writeValue(w, http.StatusOK, map[string]string{
		"identity": g.identity(r, s.account), "limits": base + "/limits", "query": base + "/query",
		"queryAll": base + "/queryAll", "search": base + "/search", "composite": base + "/composite", "sobjects": base + "/sobjects",
	})
}

func (g *org) limits(w http.ResponseWriter, _ *http.Request, _ session) {
	type limit struct{ Max, Remaining int64 }
	used, _ := g.usage.count(0, g.now())
	writeValue(w, http.StatusOK, map[string]limit{
		"DailyApiRequests":     {g.usage.most, g.usage.most - used},
		"DailyBulkV2QueryJobs": {10_000, 10_000},
		"DataStorageMB":        {5_120, 5_000},
		"SingleEmail":          {5_000, 5_000},
	})
}

// identityScopes are those of which one lets an app learn who is connected.
var identityScopes = [][]string{{"api"}, {"full"}, {"id"}, {"openid"}, {"profile"}, {"email"}, {"web"}}

// identified lets a request pass with a token whose user may be known. The identity services refuse in plain words.
func (g *org) identified(w http.ResponseWriter, r *http.Request) (session, bool) {
	s, given, ok := g.session(r)
	switch {
	case !given:
		writeText(w, http.StatusForbidden, "Missing_OAuth_Token")
	case !ok || !s.allows(identityScopes):
		writeText(w, http.StatusForbidden, "Bad_OAuth_Token")
	default:
		return s, true
	}
	return session{}, false
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (g *org) showIdentity(w http.ResponseWriter, r *http.Request) {
	s, ok := g.identified(w, r)
	if !ok {
		return
	}
	if r.PathValue("org") != g.id {
		writeText(w, http.StatusForbidden, "Wrong_Org")
		return
	}
	asked := slices.Index(g.users, r.PathValue("user"))
	if asked < 0 {
		writeText(w, http.StatusNotFound, "Not Found")
		return
	}
	out := g.profile(r, asked)
	out["id"], out["asserted_user"] = g.identity(r, asked), asked == s.account
	out["username"], out["display_name"] = out["preferred_username"], out["name"]
	writeValue(w, http.StatusOK, out)
}

// userInfo is the OpenID Connect endpoint.
func (g *org) userInfo(w http.ResponseWriter, r *http.Request) {
	s, ok := g.identified(w, r)
	if !ok {
		return
	}
	out := g.profile(r, s.account)
	out["sub"] = g.identity(r, s.account)
	writeValue(w, http.StatusOK, out)
}

func (g *org) profile(r *http.Request, i int) map[string]any {
	who, base := g.people[i], hostOf(r)+salesforcePrefix
	return map[string]any{
		"user_id": g.users[i], "organization_id": g.id, "preferred_username": g.username(i), "nickname": "user" + fmt.Sprint(i+1),
		"name": who.name, "email": mailOf(i, who), "email_verified": true, "zoneinfo": who.zone, "locale": "en_US", "language": "en_US",
		"user_type": "STANDARD", "active": true, "updated_at": g.now().UTC().Format(time.RFC3339),
		"urls": map[string]string{"rest": base + "/services/data/v{version}/", "query": base + "/services/data/v{version}/query/"},
	}
}
