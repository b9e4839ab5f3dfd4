package sandbox

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Formats of a body: in listings, and of a single content.
var (
	bulkFormats   = []string{"storage", "atlas_doc_format"}
	singleFormats = []string{"storage", "atlas_doc_format", "view", "export_view", "anonymous_export_view", "styled_view", "editor"}
)

func contentSorts(kind string) []string {
	sorts := []string{"id", "-id", "created-date", "-created-date", "modified-date", "-modified-date"}
	if kind == kindPage {
		sorts = append(sorts, "title", "-title")
	}
	return sorts
}

// contents lists pages or blog posts of all spaces.
func (c *confluence) contents(kind string) wikiOperation {
	return func(w http.ResponseWriter, r *wikiRequest) {
		query := r.URL.Query()
		ids, err := idSet(query, "id", 250)
		spaces, spaceErr := idSet(query, "space-id", 100)
		if err = cmp.Or(err, spaceErr); err != nil {
			refuseParameter(w, err)
			return
		}
		f := &contentFilter{kind: kind, ids: ids}
		if spaces != nil {
			f.spaces = map[int]bool{}
			for id := range spaces {
				if i, ok := c.wiki.spaceByID(strconv.FormatInt(id, 10)); ok {
					f.spaces[i] = true
				}
			}
		}
		c.listContents(w, r, f)
	}
}

func (c *confluence) contentsOfSpace(kind string) wikiOperation {
	return func(w http.ResponseWriter, r *wikiRequest) {
		space, ok := c.spaceOfPath(w, r)
		if !ok {
			return
		}
		depth, err := oneOf(r.URL.Query(), "depth", "all", "root")
		if err != nil {
			refuseParameter(w, err)
			return
		}
		c.listContents(w, r, &contentFilter{kind: kind, spaces: map[int]bool{space: true}, root: depth == "root"})
	}
}

// listContents adds the parts of the query that all listings know.
func (c *confluence) listContents(w http.ResponseWriter, r *wikiRequest, f *contentFilter) {
	query := r.URL.Query()
	turn, err := c.turn(r)
	sort, sortErr := oneOf(query, "sort", contentSorts(f.kind)...)
	format, formatErr := oneOf(query, "body-format", bulkFormats...)
	var statusErr error
	f.status, statusErr = statusSet(query, f.kind)
	if err = cmp.Or(err, sortErr, formatErr, statusErr); err != nil {
		refuseParameter(w, err)
		return
	}
	f.title = query.Get("title")
	if isAnonymous(r.Request) {
		f.status = nil
	}
	order := orderOf(sort)
	feed := c.wiki.list(f, order)
	at := feed.start()
	if !turn.first {
		at = turn.at.Pos
	}
	if turn.at.Last {
		feed.after(content{shape: shape{n: turn.at.ID}, modified: turn.at.Time, title: turn.at.Title})
	}
	found, pos, more := feed.page(r.Context(), at, turn.size)
	if turn.empty {
		found = nil
		turn.at.Pos = at
	}
	if turn.repeat && turn.first {
		turn.at.Pos = at
	}
	next := cursorPlace{Pos: pos}
	results := []map[string]any{}
	p := c.pen(r)
	for _, one := range found {
		next.Last, next.ID, next.Time, next.Title = true, one.n, one.modified, ""
		if order.by == "title" {
			next.Title = one.title
		}
		results = append(results, c.contentView(p, one, format))
	}
	c.writePage(w, r, turn, results, next, more)
}

func statusSet(query url.Values, kind string) (map[string]bool, error) {
	set := commaSet(query["status"])
	if len(set) == 0 {
		return map[string]bool{statusCurrent: true, statusArchived: true}, nil
	}
	for status := range maps.Keys(set) {
		known := []string{statusCurrent, statusDeleted, statusTrashed}
		if kind == kindPage {
			known = append(known, statusArchived)
		}
		if !slices.Contains(known, status) {
			return nil, refusef("status must be some of %s, not %q", strings.Join(known, ", "), status)
		}
	}
	set[statusDeleted] = false // what is purged is listed nowhere
	return set, nil
}

// contentView is a content as version 2 shows it, with its body in a format, or without when that is empty.
func (c *confluence) contentView(p *pen, one content, format string) map[string]any {
	id := strconv.FormatInt(c.wiki.id(one.n), 10)
	author := c.world.accounts[one.author].id
	view := map[string]any{
		"id": id, "status": one.status, "title": one.title, "spaceId": c.wiki.spaces[one.space].ID, "authorId": author,
		"createdAt": isoTime(one.created), "version": c.versionView(one.version, one.modified, one.editor), "body": map[string]any{},
		"_links": c.contentLinks(one),
	}
	if format != "" {
		view["body"] = map[string]any{format: map[string]string{"representation": format, "value": c.wiki.bodyOf(p, one, format)}}
	}
	if one.kind != kindPage {
		return view
	}
	view["parentId"], view["parentType"], view["position"] = nil, nil, one.position
	if one.parent >= 0 {
		view["parentId"], view["parentType"] = strconv.FormatInt(c.wiki.id(one.parent), 10), kindPage
	}
	view["ownerId"], view["lastOwnerId"], view["subtype"] = author, nil, "page"
	return view
}

func (c *confluence) versionView(number int, at int64, by int) map[string]any {
	return map[string]any{
		"number": number, "message": "", "minorEdit": number%7 == 3, "authorId": c.world.accounts[by].id, "createdAt": isoTime(at),
	}
}

func (c *confluence) contentLinks(one content) map[string]string {
	id := strconv.FormatInt(c.wiki.id(one.n), 10)
	below := "/spaces/" + c.wiki.spaces[one.space].Key
	links := map[string]string{
		"editui": "/pages/resumedraft.action?draftId=" + id, "tinyui": "/x/" + strconv.FormatInt(c.wiki.id(one.n), 36),
	}
	switch {
	case one.kind == kindBlog:
		links["webui"] = below + "/blog/" + time.UnixMilli(one.created).UTC().Format("2006/01/02") + "/" + id + "/" + url.QueryEscape(one.title)
	case one.parent < 0:
		links["webui"] = below + "/overview"
	default:
		links["webui"] = below + "/pages/" + id + "/" + url.QueryEscape(one.title)
	}
	return links
}

// contentOfPath answers the request itself when there is no such content.
func (c *confluence) contentOfPath(w http.ResponseWriter, r *wikiRequest, kind string) (content, bool) {
	id := r.PathValue("id")
	if _, err := strconv.ParseUint(id, 10, 63); err != nil {
		writeV2Error(w, http.StatusBadRequest, badParameter, "Provided value {"+id+"} for 'id' is not the correct type. Expected type is long")
		return content{}, false
	}
	one, ok := c.wiki.lookup(id, kind)
	if !ok || isAnonymous(r.Request) {
		writeMissing(w, kind, id)
		return content{}, false
	}
	return one, true
}

func (c *confluence) showContent(kind string) wikiOperation {
	return func(w http.ResponseWriter, r *wikiRequest) {
		query := r.URL.Query()
		format, err := oneOf(query, "body-format", singleFormats...)
		if err != nil {
			refuseParameter(w, err)
			return
		}
		one, ok := c.contentOfPath(w, r, kind)
		if !ok {
			return
		}
		if asked := commaSet(query["status"]); len(asked) > 0 && !asked[one.status] {
			writeMissing(w, kind, r.PathValue("id"))
			return
		}
		view := c.contentView(c.pen(r), one, format)
		links := c.contentLinks(one)
		links["base"] = c.site(r)
		view["_links"] = links
		if query.Get("include-version") == "false" {
			delete(view, "version")
		}
		delete(view, "subtype")
		writeValue(w, http.StatusOK, view)
	}
}

// childPages lists the pages right below one.
func (c *confluence) childPages(w http.ResponseWriter, r *wikiRequest) {
	turn, err := c.turn(r)
	if err != nil {
		refuseParameter(w, err)
		return
	}
	one, ok := c.contentOfPath(w, r, kindPage)
	if !ok {
		return
	}
	all := c.wiki.children(one)
	from := min(int(turn.at.Pos), len(all))
	until := min(from+turn.size, len(all))
	if turn.empty {
		until = from
	}
	results := []map[string]any{}
	for _, child := range all[from:until] {
		results = append(results, map[string]any{
			"id": strconv.FormatInt(c.wiki.id(child.n), 10), "status": child.status, "title": child.title,
			"spaceId": c.wiki.spaces[child.space].ID, "childPosition": child.position,
		})
	}
	c.writePage(w, r, turn, results, cursorPlace{Pos: int64(until)}, until < len(all))
}
