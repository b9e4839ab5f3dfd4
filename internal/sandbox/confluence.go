package sandbox

import (
	"net/http"
	"time"
)

// confluence is the Confluence Cloud REST API of one site, after
// https://developer.atlassian.com/cloud/confluence/rest/v2/, and of version 1 what still exists. It is mounted at the
// site and at the gateway.
type confluence struct {
	home   string // the site's path
	people []account
	world  *world
	wiki   *wiki
	pages  *pageTokens
	faults *faultLayer
	now    func() time.Time
}

func newConfluence(o Options, w *world, home string, people []account, faults *faultLayer, now func() time.Time) *confluence {
	return &confluence{
		home: home, people: people, world: w, wiki: newWiki(o, w, newSpaces(o, w, people), now), pages: newPageTokens(w.seed),
		faults: faults, now: now,
	}
}

// Scopes of Confluence's operations, as those of Jira's.
var (
	currentUserScopes  = [][]string{{"read:confluence-user"}, {"read:content-details:confluence"}}
	spaceScopes        = [][]string{{"read:space:confluence"}}
	pageScopes         = [][]string{{"read:page:confluence"}}
	noteScopes         = [][]string{{"read:comment:confluence"}}
	writeNoteScopes    = [][]string{{"write:comment:confluence"}}
	userBulkScopes     = [][]string{{"read:user:confluence"}}
	searchWikiScopes   = [][]string{{"search:confluence"}, {"read:content-details:confluence"}}
	removedWikiScopes  = [][]string{{"read:confluence-content.all"}, {"read:content-details:confluence"}, {"read:page:confluence"}}
	goneSpaceScopes    = [][]string{{"read:confluence-space.summary"}, {"read:space-details:confluence"}, {"read:space:confluence"}}
	confluenceUserPath = "/rest/api/user"
)

// wikiRequest is a request that was let in.
type wikiRequest struct {
	*http.Request
	base   string // the address of the API as this client wrote it, without /wiki
	caller int    // of the people who consent
}

// site is the address of the site, which is another one than that of the gateway.
func (c *confluence) site(r *wikiRequest) string { return hostOf(r.Request) + c.home + "/wiki" }

// pen starts writing for one request.
func (c *confluence) pen(r *wikiRequest) *pen {
	home := string(appendEscaped(nil, hostOf(r.Request)+c.home))
	return &pen{world: c.world, base: home, home: home}
}

type wikiOperation func(w http.ResponseWriter, r *wikiRequest)

// mount registers the API below a path, behind a door.
func (c *confluence) mount(r *router, door door, prefix string) {
	enter := func(scopes [][]string, op wikiOperation) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if caller, ok := door.enter(w, r, permission{scopes: scopes}); ok {
				op(w, &wikiRequest{Request: r, base: hostOf(r) + prefix, caller: caller})
			}
		}
	}
	on := func(method, path string, scopes [][]string, op wikiOperation) {
		r.handle(prefix+"/wiki"+path, map[string]http.HandlerFunc{method: enter(scopes, op)})
	}
	get := func(path string, scopes [][]string, op wikiOperation) { on(http.MethodGet, path, scopes, op) }
	get("/api/v2/spaces", spaceScopes, c.listSpaces)
	get("/api/v2/spaces/{id}", spaceScopes, c.showSpace)
	for _, kind := range []string{kindPage, kindBlog} {
		path := "/api/v2/" + kind + "s"
		get(path, pageScopes, c.contents(kind))
		get("/api/v2/spaces/{id}/"+kind+"s", pageScopes, c.contentsOfSpace(kind))
		get(path+"/{id}", pageScopes, c.showContent(kind))
		get(path+"/{id}/footer-comments", noteScopes, c.commentsOfContent(kind, false))
		get(path+"/{id}/inline-comments", noteScopes, c.commentsOfContent(kind, true))
	}
	get("/api/v2/pages/{id}/children", pageScopes, c.childPages)
	r.handle(prefix+"/wiki/api/v2/footer-comments", map[string]http.HandlerFunc{
		http.MethodGet: enter(noteScopes, c.comments(false)), http.MethodPost: enter(writeNoteScopes, c.addComment),
	})
	get("/api/v2/inline-comments", noteScopes, c.comments(true))
	for path, inline := range map[string]bool{"/api/v2/footer-comments": false, "/api/v2/inline-comments": true} {
		get(path+"/{id}", noteScopes, c.showComment(inline))
		get(path+"/{id}/children", noteScopes, c.childComments(inline))
	}
	on(http.MethodPost, "/api/v2/users-bulk", userBulkScopes, c.usersBulk)
	c.mountFirst(get)
}

// mountFirst registers what is left of version 1.
func (c *confluence) mountFirst(get func(path string, scopes [][]string, op wikiOperation)) {
	get(confluenceUserPath+"/current", currentUserScopes, c.currentUser)
	get(confluenceUserPath, currentUserScopes, c.showUser)
	get(confluenceUserPath+"/bulk", currentUserScopes, c.firstUsersBulk)
	get("/rest/api/search", searchWikiScopes, c.searchAll)
	get("/rest/api/content/search", searchWikiScopes, c.searchContent)
	get("/rest/api/content", removedWikiScopes, goneFirst)
	get("/rest/api/content/{id}", removedWikiScopes, goneFirst)
	get("/rest/api/content/{id}/child/comment", removedWikiScopes, goneFirst)
	get("/rest/api/space", goneSpaceScopes, goneFirst)
	get("/rest/api/space/{key}", goneSpaceScopes, goneFirst)
}

// goneFirst is what Atlassian took away from version 1.
func goneFirst(w http.ResponseWriter, _ *wikiRequest) {
	writeFirstError(w, http.StatusGone, "This deprecated endpoint has been removed.")
}

// writeFirstError answers as version 1 of the API does.
func writeFirstError(w http.ResponseWriter, status int, message string) {
	writeValue(w, status, map[string]any{"statusCode": status, "message": message})
}

const badParameter = "INVALID_REQUEST_PARAMETER"

// writeV2Error answers as version 2 of the API does.
func writeV2Error(w http.ResponseWriter, status int, code, title string) {
	writeValue(w, status, map[string]any{
		"errors": []map[string]any{{"status": status, "code": code, "title": title, "detail": nil}},
	})
}

func refuseParameter(w http.ResponseWriter, err error) {
	writeV2Error(w, http.StatusBadRequest, badParameter, err.Error())
}

func writeMissing(w http.ResponseWriter, what, id string) {
	writeV2Error(w, http.StatusNotFound, "NOT_FOUND", "Could not find "+what+" with id "+id+", or you do not have permission to view it.")
}
