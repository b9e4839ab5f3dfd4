package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

var commentSorts = []string{"created-date", "-created-date", "modified-date", "-modified-date"}

// deprecation stands in the recorded answer of a page's inline comments; what it announces is not known.
const deprecation = `<https://developer.atlassian.com/cloud/confluence/changelog/#CHANGE-1411>; rel="deprecation"`

// commentShow says which members a listing of comments has.
type commentShow struct {
	holder bool // the page or blog post
	parent bool // the comment that is answered
}

// comments lists the comments of one sort on the whole site.
func (c *confluence) comments(inline bool) wikiOperation {
	return func(w http.ResponseWriter, r *wikiRequest) {
		accepts := func(one comment) bool { return one.inline == inline }
		c.listComments(w, r, commentShow{holder: true, parent: true}, func(o contentOrder) *feed[comment] {
			return c.wiki.everyComment(o, accepts)
		})
	}
}

// commentsOfContent lists the comments of a page or blog post that answer none.
func (c *confluence) commentsOfContent(kind string, inline bool) wikiOperation {
	return func(w http.ResponseWriter, r *wikiRequest) {
		if inline && kind == kindPage {
			w.Header().Add("Link", deprecation)
		}
		of, ok := c.contentOfPath(w, r, kind)
		if !ok {
			return
		}
		states := commaSet(r.URL.Query()["resolution-status"])
		accepts := func(one comment) bool {
			return one.inline == inline && one.parent == 0 && (len(states) == 0 || !inline || states[resolution(one)])
		}
		c.listComments(w, r, commentShow{holder: true}, func(o contentOrder) *feed[comment] {
			return few(c.wiki.commentsOf(of.n), o, accepts)
		})
	}
}

// childComments lists the comments that answer one.
func (c *confluence) childComments(inline bool) wikiOperation {
	return func(w http.ResponseWriter, r *wikiRequest) {
		above, ok := c.commentOfPath(w, r, inline)
		if !ok {
			return
		}
		c.listComments(w, r, commentShow{parent: true}, func(o contentOrder) *feed[comment] {
			return few(c.wiki.commentsOf(above.content), o, func(one comment) bool { return one.parent == above.id })
		})
	}
}

func (c *confluence) listComments(w http.ResponseWriter, r *wikiRequest, show commentShow, list func(contentOrder) *feed[comment]) {
	query := r.URL.Query()
	turn, err := c.turn(r)
	sort, sortErr := oneOf(query, "sort", commentSorts...)
	format, formatErr := oneOf(query, "body-format", bulkFormats...)
	if err = cmp.Or(err, sortErr, formatErr); err != nil {
		refuseParameter(w, err)
		return
	}
	order := orderOf(sort)
	feed := list(order)
	if isAnonymous(r.Request) {
		feed.total, feed.extra = 0, nil
	}
	at := feed.start()
	if !turn.first {
		at = turn.at.Pos
	}
	if turn.at.Last {
		feed.after(comment{id: turn.at.ID, created: turn.at.Time, modified: turn.at.Time})
	}
	found, pos, more := feed.page(r.Context(), at, turn.size)
	if turn.empty {
		found = nil
	}
	if turn.empty || (turn.repeat && turn.first) {
		turn.at.Pos = at
	}
	next := cursorPlace{Pos: pos}
	results := []map[string]any{}
	p := c.pen(r)
	for _, one := range found {
		next.Last, next.ID, next.Time = true, one.id, one.modified
		if order.by == "created-date" {
			next.Time = one.created
		}
		results = append(results, c.commentView(p, one, format, show))
	}
	c.writePage(w, r, turn, results, next, more)
}

// resolution is the state of an inline comment's thread.
func resolution(one comment) string {
	if one.k < 0 {
		return "open"
	}
	return []string{"open", "resolved", "open", "reopened", "dangling"}[one.k/inlineCycle%5]
}

// commentView is a comment as version 2 shows it.
func (c *confluence) commentView(p *pen, one comment, format string, show commentShow) map[string]any {
	of, _ := c.wiki.content(one.content)
	id := strconv.FormatInt(one.id, 10)
	view := map[string]any{
		"id": id, "status": statusCurrent, "title": "Re: " + of.title, "body": map[string]any{},
		"version": c.versionView(one.version, one.modified, one.author),
		"_links":  map[string]string{"webui": c.contentLinks(of)["webui"] + "?focusedCommentId=" + id},
	}
	if format != "" {
		view["body"] = map[string]any{format: map[string]string{"representation": format, "value": c.wiki.commentBody(p, one, format)}}
	}
	if show.holder {
		view[map[string]string{kindPage: "pageId", kindBlog: "blogPostId"}[of.kind]] = strconv.FormatInt(c.wiki.id(of.n), 10)
	}
	if show.parent && one.parent != 0 {
		view["parentCommentId"] = strconv.FormatInt(one.parent, 10)
	}
	if one.inline {
		view["resolutionStatus"] = resolution(one)
		p.rng = newRNG(c.wiki.seed, domainNote, one.id)
		view["properties"] = map[string]string{
			"inlineMarkerRef": string(p.uuid(nil)), "inlineOriginalSelection": plainPhrases()[one.id%int64(len(plainPhrases()))],
		}
	}
	return view
}

// commentOfPath answers the request itself when there is no such comment.
func (c *confluence) commentOfPath(w http.ResponseWriter, r *wikiRequest, inline bool) (comment, bool) {
	text := r.PathValue("id")
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		writeV2Error(w, http.StatusBadRequest, badParameter, "Provided value {"+text+"} for 'id' is not the correct type. Expected type is long")
		return comment{}, false
	}
	one, ok := c.wiki.comment(id)
	if !ok || one.inline != inline || isAnonymous(r.Request) {
		writeMissing(w, "comment", text)
		return comment{}, false
	}
	return one, true
}

func (c *confluence) showComment(inline bool) wikiOperation {
	return func(w http.ResponseWriter, r *wikiRequest) {
		query := r.URL.Query()
		format, err := oneOf(query, "body-format", singleFormats...)
		if err != nil {
			refuseParameter(w, err)
			return
		}
		one, ok := c.commentOfPath(w, r, inline)
		if !ok {
			return
		}
		view := c.singleComment(r, one, format)
		if query.Get("include-version") == "false" {
			delete(view, "version")
		}
		writeValue(w, http.StatusOK, view)
	}
}

func (c *confluence) singleComment(r *wikiRequest, one comment, format string) map[string]any {
	view := c.commentView(c.pen(r), one, format, commentShow{holder: true, parent: true})
	links, _ := view["_links"].(map[string]string)
	links["base"] = c.site(r)
	return view
}

// commentBody is a body as a client writes it: itself, or below the name of its format.
type writtenBody struct {
	Representation string `json:"representation"`
	Value          string `json:"value"`

	Storage *writtenBody `json:"storage"`
	ADF     *writtenBody `json:"atlas_doc_format"`
	Wiki    *writtenBody `json:"wiki"`
}

// text returns what was written and its format. An error is a refusal.
func (b writtenBody) text() (value, format string, err error) {
	for name, nested := range map[string]*writtenBody{"storage": b.Storage, "atlas_doc_format": b.ADF, "wiki": b.Wiki} {
		if nested != nil {
			b = writtenBody{Representation: cmp.Or(nested.Representation, name), Value: nested.Value}
		}
	}
	if !slices.Contains([]string{"storage", "atlas_doc_format", "wiki"}, b.Representation) || b.Value == "" {
		return "", "", refusal("body must have a representation, storage, atlas_doc_format or wiki, and a value")
	}
	if b.Representation == "atlas_doc_format" && !json.Valid([]byte(b.Value)) {
		return "", "", refusal("body is not a document in the Atlassian Document Format")
	}
	return b.Value, b.Representation, nil
}

// newComment is the body of the request to make a footer comment.
type newComment struct {
	PageID          string      `json:"pageId"`
	BlogPostID      string      `json:"blogPostId"`
	ParentCommentID string      `json:"parentCommentId"`
	Body            writtenBody `json:"body"`
}

// addComment makes a footer comment on a page, a blog post or a comment; it is listed from then on.
func (c *confluence) addComment(w http.ResponseWriter, r *wikiRequest) {
	var asked newComment
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(&asked); err != nil {
		writeV2Error(w, http.StatusBadRequest, badParameter, "the body is not a footer comment")
		return
	}
	one, err := c.place(asked, isAnonymous(r.Request))
	if err != nil {
		writeV2Error(w, http.StatusNotFound, "NOT_FOUND", err.Error())
		return
	}
	if one.body, one.format, err = asked.Body.text(); err != nil {
		refuseParameter(w, err)
		return
	}
	one.author = slices.IndexFunc(c.world.accounts, func(a account) bool { return a.id == c.people[r.caller].id })
	one = c.wiki.post(one)
	at := "/wiki/api/v2/footer-comments/" + strconv.FormatInt(one.id, 10)
	w.Header().Set("Location", r.base+at)
	writeValue(w, http.StatusCreated, c.singleComment(r, one, one.shownFormat()))
}

func (c comment) shownFormat() string {
	if c.format == "atlas_doc_format" {
		return c.format
	}
	return "storage"
}

// place finds where a new comment belongs.
func (c *confluence) place(asked newComment, anonymous bool) (comment, error) {
	missing := refusal(fmt.Sprintf("Could not find what to comment on: page %q, blog post %q, comment %q", asked.PageID, asked.BlogPostID, asked.ParentCommentID))
	if anonymous {
		return comment{}, missing
	}
	if asked.ParentCommentID != "" {
		id, _ := strconv.ParseInt(asked.ParentCommentID, 10, 64)
		above, ok := c.wiki.comment(id)
		if !ok || above.inline {
			return comment{}, missing
		}
		return comment{content: above.content, parent: above.id}, nil
	}
	id, kind := asked.PageID, kindPage
	if id == "" {
		id, kind = asked.BlogPostID, kindBlog
	}
	of, ok := c.wiki.lookup(id, kind)
	if !ok || of.status != statusCurrent {
		return comment{}, missing
	}
	return comment{content: of.n}, nil
}

// post adds a comment.
func (w *wiki) post(one comment) comment {
	one.id, one.k, one.version = w.changes.nextComment(), -1, 1
	return w.changes.setComment(one, func(one *comment, at int64) { one.created, one.modified = at, at })
}
