package sandbox

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// firstView writes contents as version 1 of Confluence's API does, on the Cloud and in a Data Center.
type firstView struct {
	wiki    *wiki
	pen     *pen
	api     string // the address of the API, without /rest/api
	context string // of the product below the host: /wiki on the Cloud
	user    func(i int) map[string]any
	time    func(ms int64) string
	links   func(c content) map[string]string
}

func (c *confluence) firstView(r *wikiRequest) *firstView {
	return &firstView{
		wiki: c.wiki, pen: c.pen(r), api: r.base + "/wiki", context: "/wiki", time: isoTime, links: c.contentLinks,
		user: func(i int) map[string]any { return c.firstUser(r, c.world.accounts[i]) },
	}
}

// content is a page, a blog post or a comment.
func (v *firstView) content(f found, expand map[string]bool) map[string]any {
	id := strconv.FormatInt(v.wiki.foundID(f), 10)
	key := v.wiki.spaces[f.content.space].Key
	links := map[string]string{"self": v.api + "/rest/api/content/" + id}
	for name, to := range v.links(f.content) {
		links[name] = to
	}
	status := f.content.status
	extensions := map[string]any{"position": "none"}
	if f.content.kind == kindPage {
		extensions["position"] = f.content.position
	}
	if f.note != nil {
		links = map[string]string{"self": links["self"], "webui": links["webui"] + "?focusedCommentId=" + id + "#comment-" + id}
		status = statusCurrent
		extensions = map[string]any{"location": "footer", "_expandable": map[string]string{"resolution": ""}}
		if f.note.inline {
			extensions["location"] = "inline"
		}
	}
	out := map[string]any{
		"id": id, "type": f.kind(), "status": status, "title": f.title(), "macroRenderedOutput": map[string]any{}, "extensions": extensions,
		"_links": links,
	}
	expandable := map[string]string{
		"container": "/rest/api/space/" + key, "metadata": "", "operations": "", "schedulePublishDate": "",
		"children": "/rest/api/content/" + id + "/child", "restrictions": "/rest/api/content/" + id + "/restriction/byOperation",
		"history": "/rest/api/content/" + id + "/history", "ancestors": "", "body": "", "version": "",
		"descendants": "/rest/api/content/" + id + "/descendant", "space": "/rest/api/space/" + key, "childTypes": "",
	}
	for name, value := range v.expanded(f, expand) {
		out[name] = value
		delete(expandable, name)
	}
	out["_expandable"] = expandable
	return out
}

// expanded are the members that were asked for, with or without "content." in front of their names.
func (v *firstView) expanded(f found, expand map[string]bool) map[string]any {
	out := map[string]any{}
	body := map[string]any{}
	for name := range expand {
		name = strings.TrimPrefix(name, "content.")
		format, isBody := strings.CutPrefix(name, "body.")
		switch {
		case isBody:
			body[format] = map[string]any{"value": v.body(f, format), "representation": format, "_expandable": map[string]string{"content": ""}}
			out["body"] = body
		case name == "version", strings.HasPrefix(name, "version."):
			out["version"] = v.version(f)
		case name == "history", strings.HasPrefix(name, "history."):
			out["history"] = v.history(f)
		case name == "space":
			out["space"] = v.space(f.content.space)
		case name == "container":
			out["container"] = v.container(f)
		case name == "ancestors":
			out["ancestors"] = v.ancestors(f)
		}
	}
	return out
}

func (v *firstView) body(f found, format string) string {
	if f.note != nil {
		return v.wiki.commentBody(v.pen, *f.note, format)
	}
	return v.wiki.bodyOf(v.pen, f.content, format)
}

func (v *firstView) version(f found) map[string]any {
	number, id := f.content.version, strconv.FormatInt(v.wiki.foundID(f), 10)
	if f.note != nil {
		number = f.note.version
	}
	return map[string]any{
		"by": v.user(f.editor()), "when": v.time(f.modified()), "friendlyWhen": friendly(f.modified()), "message": "", "number": number,
		"minorEdit": false, "_expandable": map[string]string{"collaborators": "", "content": "/rest/api/content/" + id},
		"_links": map[string]string{"self": v.api + "/rest/api/content/" + id + "/version/" + strconv.Itoa(number)},
	}
}

func (v *firstView) history(f found) map[string]any {
	id := strconv.FormatInt(v.wiki.foundID(f), 10)
	return map[string]any{
		"latest": true, "createdBy": v.user(f.author()), "createdDate": v.time(f.created()), "lastUpdated": v.version(f),
		"_expandable": map[string]string{"previousVersion": "", "contributors": "", "nextVersion": ""},
		"_links":      map[string]string{"self": v.api + "/rest/api/content/" + id + "/history"},
	}
}

func (v *firstView) space(i int) map[string]any {
	s := v.wiki.spaces[i]
	id, _ := strconv.ParseInt(s.ID, 10, 64)
	return map[string]any{
		"id": id, "key": s.Key, "name": s.Name, "type": s.Type, "status": s.Status,
		"_expandable": map[string]string{
			"settings": "/rest/api/space/" + s.Key + "/settings", "metadata": "", "operations": "", "icon": "", "description": "",
			"permissions": "", "theme": "/rest/api/space/" + s.Key + "/theme", "history": "", "homepage": "/rest/api/content/" + s.HomepageID,
			"lookAndFeel": "/rest/api/settings/lookandfeel?spaceKey=" + url.QueryEscape(s.Key),
		},
		"_links": map[string]string{"webui": "/spaces/" + s.Key, "self": v.api + "/rest/api/space/" + s.Key},
	}
}

// container is what a comment is about, and the space of anything else.
func (v *firstView) container(f found) map[string]any {
	if f.note == nil {
		return v.space(f.content.space)
	}
	return v.content(found{content: f.content}, nil)
}

// ancestors are the pages above a page from the top down; of a comment, the comments that it answers.
func (v *firstView) ancestors(f found) []any {
	above := []any{}
	if f.note != nil {
		for id := f.note.parent; id != 0; {
			up, ok := v.wiki.comment(id)
			if !ok {
				break
			}
			above = append([]any{v.content(found{content: f.content, note: &up}, nil)}, above...)
			id = up.parent
		}
		return above
	}
	for n := f.content.parent; n >= 0; {
		up, ok := v.wiki.content(n)
		if !ok {
			break
		}
		above = append([]any{v.content(found{content: up}, nil)}, above...)
		n = up.parent
	}
	return above
}

// searchResult is a thing that was found, with what a page of results shows of it.
func (v *firstView) searchResult(f found, expand map[string]bool) map[string]any {
	s := v.wiki.spaces[f.content.space]
	out := map[string]any{
		"content": v.content(f, expand), "title": f.title(), "excerpt": excerpt(v.body(f, "storage")), "url": v.links(f.content)["webui"],
		"resultGlobalContainer": map[string]string{"title": s.Name, "displayUrl": "/spaces/" + s.Key},
		"breadcrumbs":           []any{}, "entityType": "content", "iconCssClass": "aui-icon content-type-" + f.kind(),
		"lastModified": v.time(f.modified()), "friendlyLastModified": friendly(f.modified()), "score": 0.0,
	}
	if f.note != nil {
		out["resultParentContainer"] = map[string]string{"title": f.content.title, "displayUrl": v.links(f.content)["webui"]}
	}
	return out
}

func friendly(ms int64) string { return time.UnixMilli(ms).UTC().Format("Jan 02, 2006") }

// excerptLength is about how long the start of a text is that a search shows.
const excerptLength = 300

// excerpt is the start of a text without its marks.
func excerpt(storage string) string {
	return clipRunes(withoutTags(storage), excerptLength)
}

// withoutTags leaves the text between the tags.
func withoutTags(storage string) string {
	var b strings.Builder
	inside := false
	for _, r := range storage {
		switch {
		case r == '<':
			inside = true
		case r == '>' && inside:
			inside = false
			b.WriteByte(' ')
		case !inside:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
