package sandbox

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"time"
)

// jira is the Jira Cloud REST API v3 of one site, after
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/ and what real sites answer.
type jira struct {
	world        *world
	faults       *faultLayer
	pages        *pageTokens
	now          func() time.Time
	prefix       string
	email, token string
}

func (j *jira) mount(r *router) {
	api := j.prefix + "/rest/api/3"
	get := func(path string, h http.HandlerFunc) {
		r.handle(api+path, map[string]http.HandlerFunc{http.MethodGet: j.private(h)})
	}
	getPost := func(path string, h http.HandlerFunc) {
		r.handle(api+path, map[string]http.HandlerFunc{http.MethodGet: j.private(h), http.MethodPost: j.private(h)})
	}
	r.handle(api+"/serverInfo", map[string]http.HandlerFunc{http.MethodGet: j.serverInfo})
	get("/myself", j.myself)
	get("/project/search", j.searchProjects)
	get("/project/{idOrKey}", j.showProject)
	getPost("/search/jql", j.search)
	getPost("/search", j.removed)
	get("/issue/{idOrKey}", j.showIssue)
	get("/issue/{idOrKey}/comment", j.listComments)
}

// private lets a request pass with the site's Basic credentials only.
func (j *jira) private(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !isAnonymous(r) && !j.authentic(r) {
			j.refuse(w, r)
			return
		}
		if isAnonymous(r) {
			w.Header().Set("X-Seraph-LoginReason", "AUTHENTICATED_FAILED")
		}
		next(w, r)
	}
}

func (j *jira) authentic(r *http.Request) bool {
	email, token, ok := r.BasicAuth()
	return ok && same(email, j.email) && same(token, j.token)
}

// same compares without telling by its time where two secrets differ.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// refuse answers as Jira Cloud does to credentials that it does not accept: plain words, not JSON.
func (j *jira) refuse(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("WWW-Authenticate", `OAuth realm="`+url.QueryEscape(j.base(r))+`"`)
	header.Set("X-Seraph-LoginReason", "AUTHENTICATED_FAILED")
	writeHTML(w, http.StatusUnauthorized, messageUnauthenticated)
}

// base is the site's address as this client wrote it.
func (j *jira) base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + j.prefix
}

// pen starts writing for one request.
func (j *jira) pen(r *http.Request) *pen {
	return &pen{world: j.world, base: string(appendEscaped(nil, j.base(r)))}
}

func (j *jira) serverInfo(w http.ResponseWriter, r *http.Request) {
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte {
		b = append(b, `{"baseUrl":"`+p.base+`","displayUrl":"`+p.base+`","version":"1001.0.0-SNAPSHOT",`...)
		b = append(b, `"versionNumbers":[1001,0,0],"deploymentType":"Cloud","buildNumber":100286,"buildDate":`...)
		b = p.appendTime(b, p.createdFrom)
		b = append(b, `,"serverTime":`...)
		b = p.appendTime(b, j.now().UnixMilli())
		b = append(b, `,"scmInfo":"1f51473f5c7b75c1a69a0090f4832cdc5053702a","serverTitle":"Acme (sandbox)","serverTimeZone":`...)
		b = appendString(b, p.zone.String())
		return append(b, '}')
	})
}

func (j *jira) myself(w http.ResponseWriter, r *http.Request) {
	if isAnonymous(r) {
		j.refuse(w, r)
		return
	}
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte {
		b = p.fill(b, p.accounts[0].user)
		return append(b[:len(b)-1], `,"locale":"en_US","groups":{"size":1,"items":[]},`+
			`"applicationRoles":{"size":1,"items":[]},"expand":"groups,applicationRoles"}`...)
	})
}

// removed is the search that Atlassian took away in 2025.
func (*jira) removed(w http.ResponseWriter, _ *http.Request) {
	writeError(w, http.StatusGone, messageRemoved)
}
