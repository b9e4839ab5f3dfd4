package sandbox

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sizes of a page of a search.
const (
	searchPerPage    = 25
	searchPageCap    = 250
	searchBodyCap    = 50
	searchSkipAtOnce = 1000
)

// searchPlace is how far a search came: in the contents, in the comments, and in all.
type searchPlace struct {
	Contents cursorPlace `json:"c"`
	Notes    cursorPlace `json:"n"`
	Start    int         `json:"s"`
	Total    int64       `json:"t"`
	Hop      int         `json:"h,omitempty"`
}

// search is a query over one wiki. Contents and comments are two feeds in one order.
type wikiSearch struct {
	wiki     *wiki
	query    *cqlQuery
	archived bool // whether spaces in the archive are searched
	shelved  bool // whether pages in the archive are
	nothing  bool // whoever asks sees nothing
}

func (s *wikiSearch) sees(f found) bool {
	return (s.archived || s.wiki.spaces[f.content.space].Status == statusCurrent) && s.query.accepts(f)
}

// feeds are those of the contents and of the comments. The trash and the archive are not searched.
func (s *wikiSearch) feeds() (*feed[content], *feed[comment]) {
	states := map[string]bool{statusCurrent: true, statusArchived: s.shelved}
	contents := s.wiki.list(&contentFilter{
		status: states, where: s.query.where, more: func(c content) bool { return s.sees(found{content: c}) },
	}, s.query.order)
	changed := s.wiki.changes.contents()
	notes := s.wiki.everyComment(s.query.order, func(one comment) bool {
		about := s.wiki.shapeOf(one.content)
		if isChanged(changed, one.content) {
			about = changed[one.content].shape
		}
		if !s.query.where["comment"][about.space] || !states[about.status] {
			return false
		}
		of, ok := s.wiki.content(one.content)
		return ok && s.sees(found{content: of, note: &one})
	})
	if !s.query.where.may("comment") {
		notes.total, notes.extra = 0, nil
	}
	if !s.query.where.may(kindPage) && !s.query.where.may(kindBlog) {
		contents.total, contents.extra = 0, nil
	}
	if s.nothing {
		contents.total, contents.extra, notes.total, notes.extra = 0, nil, 0, nil
	}
	return contents, notes
}

func (s *wikiSearch) start(ctx context.Context) searchPlace {
	contents, notes := s.feeds()
	return searchPlace{
		Contents: cursorPlace{Pos: contents.start()}, Notes: cursorPlace{Pos: notes.start()},
		Total: contents.size(ctx) + notes.size(ctx),
	}
}

// page returns up to size things from a place on, and the place after them.
func (s *wikiSearch) page(ctx context.Context, at searchPlace, size int) ([]found, searchPlace) {
	contents, notes := s.feeds()
	if at.Contents.Last {
		contents.after(content{shape: shape{n: at.Contents.ID}, modified: at.Contents.Time})
	}
	if at.Notes.Last {
		notes.after(comment{id: at.Notes.ID, created: at.Notes.Time, modified: at.Notes.Time})
	}
	pages, _, _ := contents.page(ctx, at.Contents.Pos, size)
	comments, _, _ := notes.page(ctx, at.Notes.Pos, size)
	var merged []found
	for _, c := range pages {
		merged = append(merged, found{content: c})
	}
	for i := range comments {
		of, _ := s.wiki.content(comments[i].content)
		merged = append(merged, found{content: of, note: &comments[i]})
	}
	slices.SortStableFunc(merged, s.compare)
	merged = merged[:min(size, len(merged))]
	taken := 0
	for _, f := range merged {
		if f.note == nil {
			taken++
			at.Contents.Last, at.Contents.ID, at.Contents.Time = true, f.content.n, f.content.modified
			continue
		}
		at.Notes.Last, at.Notes.ID, at.Notes.Time = true, f.note.id, f.note.modified
		if s.query.order.by == "created-date" {
			at.Notes.Time = f.note.created
		}
	}
	_, at.Contents.Pos, _ = contents.page(ctx, at.Contents.Pos, taken)
	_, at.Notes.Pos, _ = notes.page(ctx, at.Notes.Pos, len(merged)-taken)
	at.Start += len(merged)
	return merged, at
}

func (s *wikiSearch) compare(a, b found) int {
	if s.query.order.descending {
		a, b = b, a
	}
	if s.query.order.by == "modified-date" {
		return cmp.Compare(a.modified(), b.modified())
	}
	return cmp.Compare(a.created(), b.created())
}

// size walks through the whole feed.
func (f *feed[T]) size(ctx context.Context) int64 {
	n := int64(len(f.extra))
	for pos := range f.total {
		if pos%4096 == 4095 && ctx.Err() != nil {
			break
		}
		if _, ok := f.at(pos); ok {
			n++
		}
	}
	return n
}

// searchTurn is a request for a page of a search.
type searchTurn struct {
	search *wikiSearch
	cql    string
	at     searchPlace
	size   int
	cursor string
	empty  bool
	repeat bool
}

func (c *confluence) searchTurn(r *wikiRequest) (*searchTurn, error) {
	query := r.URL.Query()
	t := &searchTurn{cql: query.Get("cql"), cursor: query.Get("cursor")}
	size, err := intParam(query, "limit", searchPerPage)
	start, startErr := intParam(query, "start", 0)
	if err = cmp.Or(err, startErr); err != nil {
		return nil, err
	}
	most := searchPageCap
	if strings.Contains(query.Get("expand"), "body.") {
		most = searchBodyCap
	}
	t.size = min(size, most)
	if t.search, err = c.searchOf(r, t.cql); err != nil {
		return nil, err
	}
	if t.cursor == "" {
		t.at = t.search.skip(r.Context(), start)
	} else {
		b, ok := c.pages.openBytes(t.cursor, t.cql, c.now())
		if !ok || json.Unmarshal(b, &t.at) != nil || c.faults.hits(faultExpireToken, r.Request) {
			return nil, refusal("The cursor is not valid for this search.")
		}
	}
	t.empty = c.faults.hits(faultEmptyPage, r.Request)
	t.repeat = !t.empty && c.faults.hits(faultRepeatToken, r.Request)
	return t, nil
}

func (c *confluence) searchOf(r *wikiRequest, cql string) (*wikiSearch, error) {
	who := c.people[r.caller]
	zone, err := time.LoadLocation(who.zone)
	if err != nil {
		return nil, err
	}
	compiler := &cqlCompiler{wiki: c.wiki, pen: c.pen(r), zone: zone, now: c.now(), caller: who.id}
	q, err := compiler.compileCQL(cql)
	archived := r.URL.Query().Get("includeArchivedSpaces") == "true"
	return &wikiSearch{wiki: c.wiki, query: q, archived: archived, nothing: isAnonymous(r.Request)}, err
}

// skip is the place after the first things.
func (s *wikiSearch) skip(ctx context.Context, first int) searchPlace {
	at := s.start(ctx)
	for at.Start < first && int64(at.Start) < at.Total && ctx.Err() == nil {
		_, at = s.page(ctx, at, min(searchSkipAtOnce, first-at.Start))
	}
	at.Start = first
	return at
}

// next returns the cursor after a page, empty for the last.
func (c *confluence) searchNext(t *searchTurn, at searchPlace) string {
	switch {
	case t.empty:
		at = t.at
		at.Hop++
	case t.repeat && t.cursor != "":
		return t.cursor
	case t.repeat:
		at = t.at
	case int64(at.Start) >= at.Total || t.size == 0:
		return ""
	}
	b, _ := json.Marshal(at)
	return c.pages.sealBytes(b, t.cql, c.now())
}

// searchAll answers /rest/api/search, and searchContent the older /rest/api/content/search.
func (c *confluence) searchAll(w http.ResponseWriter, r *wikiRequest) {
	c.runSearch(w, r, "/rest/api/search", func(v *firstView, f found, expand map[string]bool) any {
		return v.searchResult(f, expand)
	})
}

func (c *confluence) searchContent(w http.ResponseWriter, r *wikiRequest) {
	c.runSearch(w, r, "/rest/api/content/search", func(v *firstView, f found, expand map[string]bool) any {
		return v.content(f, expand)
	})
}

func (c *confluence) runSearch(w http.ResponseWriter, r *wikiRequest, path string, show func(v *firstView, f found, expand map[string]bool) any) {
	t, err := c.searchTurn(r)
	if err != nil {
		writeFirstError(w, http.StatusBadRequest, err.Error())
		return
	}
	list, next := t.search.page(r.Context(), t.at, t.size)
	if t.empty {
		list = nil
	}
	expand := commaSet(r.URL.Query()["expand"])
	view := c.firstView(r)
	results := []any{}
	for _, f := range list {
		results = append(results, show(view, f, expand))
	}
	links := map[string]string{"base": c.site(r), "context": "/wiki", "self": r.base + "/wiki" + path + "?cql=" + url.QueryEscape(t.cql)}
	if cursor := c.searchNext(t, next); cursor != "" {
		links["next"] = path + "?" + url.Values{
			"next": {"true"}, "cursor": {cursor}, "limit": {strconv.Itoa(t.size)}, "start": {strconv.Itoa(next.Start)}, "cql": {t.cql},
		}.Encode()
	}
	body := map[string]any{"results": results, "start": t.at.Start, "limit": t.size, "size": len(results), "_links": links}
	if path == "/rest/api/search" {
		body["totalSize"], body["cqlQuery"], body["searchDuration"] = t.at.Total, t.cql, 12
	}
	writeValue(w, http.StatusOK, body)
}
