package sandbox

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sizes of a page of Confluence in a Data Center; with a body there are fewer.
const (
	dcWikiPerPage = 25
	dcWikiPageCap = 200
)

// mountConfluence registers version 1 of the API, after https://developer.atlassian.com/server/confluence/rest/.
func (d *dataCenter) mountConfluence(r *router) {
	get := func(path string, h http.HandlerFunc) {
		r.handle(dcConfluencePrefix+"/rest/api"+path, map[string]http.HandlerFunc{http.MethodGet: d.enter(h, false)})
	}
	get("/user/current", d.currentUser)
	get("/user", d.showWikiUser)
	get("/space", d.listSpaces)
	get("/space/{key}", d.showSpace)
	r.handle(dcConfluencePrefix+"/rest/api/content", map[string]http.HandlerFunc{
		http.MethodGet: d.enter(d.listContents, false), http.MethodPost: d.enter(d.addContent, false),
	})
	get("/content/search", d.searchContents(false))
	get("/search", d.searchContents(true))
	get("/content/{id}", d.showContent)
	get("/content/{id}/child/comment", d.childComments)
}

func (d *dataCenter) wiki() *wiki { return d.site.confluence.wiki }

func (d *dataCenter) wikiBase(r *http.Request) string { return hostOf(r) + dcConfluencePrefix }

func (d *dataCenter) firstView(r *http.Request) *firstView {
	home := string(appendEscaped(nil, d.wikiBase(r)))
	zone, _ := time.LoadLocation(d.site.jira.world.accounts[0].zone)
	return &firstView{
		wiki: d.wiki(), pen: &pen{world: d.site.confluence.world, base: home, home: home}, api: d.wikiBase(r), context: dcConfluencePrefix,
		user:  func(i int) map[string]any { return d.wikiUser(r, i) },
		time:  func(ms int64) string { return time.UnixMilli(ms).In(zone).Format("2006-01-02T15:04:05.000-07:00") },
		links: d.site.confluence.contentLinks,
	}
}

func (d *dataCenter) wikiUser(r *http.Request, i int) map[string]any {
	return map[string]any{
		"type": "known", "username": d.names[i], "userKey": strings.ToLower(userKey(i)), "displayName": d.site.jira.world.accounts[i].name,
		"profilePicture": map[string]any{"path": dcConfluencePrefix + "/images/icons/profilepics/default.svg", "width": 48, "height": 48, "isDefault": true},
		"_expandable":    map[string]string{"status": ""},
		"_links":         map[string]string{"self": d.wikiBase(r) + "/rest/api/user?key=" + strings.ToLower(userKey(i))},
	}
}

func (d *dataCenter) currentUser(w http.ResponseWriter, r *http.Request) {
	if isAnonymous(r) {
		writeValue(w, http.StatusOK, map[string]any{
			"type": "anonymous", "displayName": "Anonymous", "_links": map[string]string{"base": d.wikiBase(r), "context": dcConfluencePrefix},
		})
		return
	}
	writeValue(w, http.StatusOK, d.wikiUser(r, 0))
}

func (d *dataCenter) showWikiUser(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	i := slices.Index(d.names, query.Get("username"))
	for n := range d.names {
		if query.Get("key") == strings.ToLower(userKey(n)) {
			i = n
		}
	}
	if i < 0 || isAnonymous(r) {
		writeFirstError(w, http.StatusNotFound, "No user found with that name or key")
		return
	}
	writeValue(w, http.StatusOK, d.wikiUser(r, i))
}

// offsetPage is a page by start and limit.
type offsetPage struct {
	path         string // of the listing, below the product's
	start, limit int
}

func (d *dataCenter) offsetPage(w http.ResponseWriter, r *http.Request) (offsetPage, bool) {
	query := r.URL.Query()
	start, err := intParam(query, "start", 0)
	limit, limitErr := intParam(query, "limit", dcWikiPerPage)
	if err = cmp.Or(err, limitErr); err != nil {
		writeFirstError(w, http.StatusBadRequest, err.Error())
		return offsetPage{}, false
	}
	return offsetPage{strings.TrimPrefix(r.URL.Path, dcConfluencePrefix), start, min(limit, dcWikiPageCap)}, true
}

// write answers with one page. Only a page that is not the last names the next.
func (d *dataCenter) write(w http.ResponseWriter, r *http.Request, page offsetPage, results []any, more bool, members map[string]any) {
	query := r.URL.Query()
	link := func(start int) string {
		query.Set("start", strconv.Itoa(start))
		query.Set("limit", strconv.Itoa(page.limit))
		return page.path + "?" + query.Encode()
	}
	links := map[string]string{"base": d.wikiBase(r), "context": dcConfluencePrefix, "self": d.wikiBase(r) + page.path}
	if more {
		links["next"] = link(page.start + len(results))
	}
	if page.start > 0 {
		links["prev"] = link(max(0, page.start-page.limit))
	}
	body := map[string]any{"results": results, "start": page.start, "limit": page.limit, "size": len(results), "_links": links}
	for name, value := range members {
		body[name] = value
	}
	writeValue(w, http.StatusOK, body)
}

// cut is the page of a list that is known as a whole.
func (p offsetPage) cut(all []any) (results []any, more bool) {
	from := min(p.start, len(all))
	until := min(from+p.limit, len(all))
	return all[from:until], until < len(all)
}

func (d *dataCenter) listSpaces(w http.ResponseWriter, r *http.Request) {
	page, ok := d.offsetPage(w, r)
	if !ok {
		return
	}
	query := r.URL.Query()
	keys, view := commaSet(query["spaceKey"]), d.firstView(r)
	all := []any{}
	for i, s := range d.wiki().spaces {
		kind := map[bool]string{true: "personal", false: "global"}[s.Type == "personal"]
		if isAnonymous(r) || (len(keys) > 0 && !keys[s.Key]) || (query.Get("type") != "" && query.Get("type") != kind) ||
			(query.Get("status") != "" && query.Get("status") != s.Status) {
			continue
		}
		all = append(all, d.space(view, i))
	}
	results, more := page.cut(all)
	d.write(w, r, page, results, more, nil)
}

// space knows two types alone.
func (d *dataCenter) space(view *firstView, i int) map[string]any {
	s := view.space(i)
	if s["type"] != "personal" {
		s["type"] = "global"
	}
	return s
}

func (d *dataCenter) showSpace(w http.ResponseWriter, r *http.Request) {
	i, ok := d.wiki().spaceByKey(r.PathValue("key"))
	if !ok || isAnonymous(r) {
		writeFirstError(w, http.StatusNotFound, "No space with key : "+r.PathValue("key"))
		return
	}
	writeValue(w, http.StatusOK, d.space(d.firstView(r), i))
}

// dcStates are the states of the Cloud behind each of a Data Center, which has no archive.
func dcStates(status string) (map[string]bool, error) {
	current := map[string]bool{statusCurrent: true, statusArchived: true}
	switch status {
	case "", statusCurrent:
		return current, nil
	case statusTrashed:
		return map[string]bool{statusTrashed: true}, nil
	case "any":
		current[statusTrashed] = true
		return current, nil
	}
	return nil, refusef("Invalid status: %s", status)
}

func (d *dataCenter) listContents(w http.ResponseWriter, r *http.Request) {
	page, ok := d.offsetPage(w, r)
	if !ok {
		return
	}
	query := r.URL.Query()
	states, err := dcStates(query.Get("status"))
	kind, kindErr := oneOf(query, "type", kindPage, kindBlog)
	if err = cmp.Or(err, kindErr); err != nil {
		writeFirstError(w, http.StatusBadRequest, err.Error())
		return
	}
	f := &contentFilter{kind: cmp.Or(kind, kindPage), status: states, title: query.Get("title")}
	if key := query.Get("spaceKey"); key != "" {
		i, ok := d.wiki().spaceByKey(key)
		if !ok {
			writeFirstError(w, http.StatusNotFound, "No space with key : "+key)
			return
		}
		f.spaces = map[int]bool{i: true}
	}
	if isAnonymous(r) {
		f.status = nil
	}
	view, expand := d.firstView(r), commaSet(query["expand"])
	list, more := d.wiki().list(f, contentOrder{by: "id"}).slice(r.Context(), page.start, page.limit)
	results := []any{}
	for _, c := range list {
		results = append(results, d.content(view, found{content: c}, expand))
	}
	d.write(w, r, page, results, more, nil)
}

// slice returns up to size things after the first ones, and whether there are more.
func (f *feed[T]) slice(ctx context.Context, skip, size int) ([]T, bool) {
	list, _, more := f.page(ctx, f.start(), skip+size)
	return list[min(skip, len(list)):], more
}

func (d *dataCenter) content(view *firstView, f found, expand map[string]bool) map[string]any {
	out := view.content(f, expand)
	if out["status"] == statusArchived {
		out["status"] = statusCurrent
	}
	return out
}

// anything finds a page, a blog post or a comment by its id.
func (d *dataCenter) anything(r *http.Request) (found, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || isAnonymous(r) {
		return found{}, false
	}
	if c, ok := d.wiki().byID(id); ok {
		return found{content: c}, true
	}
	note, ok := d.wiki().comment(id)
	if !ok {
		return found{}, false
	}
	of, _ := d.wiki().content(note.content)
	return found{content: of, note: &note}, true
}

func (d *dataCenter) showContent(w http.ResponseWriter, r *http.Request) {
	f, ok := d.anything(r)
	states, err := dcStates(r.URL.Query().Get("status"))
	if err != nil || !ok || !states[f.content.status] {
		writeFirstError(w, http.StatusNotFound, "No content found with id : ContentId{id="+r.PathValue("id")+"}")
		return
	}
	expand := commaSet(r.URL.Query()["expand"])
	for _, name := range []string{"space", "history", "version"} { // a single content always tells these
		expand[name] = true
	}
	writeValue(w, http.StatusOK, d.content(d.firstView(r), f, expand))
}
