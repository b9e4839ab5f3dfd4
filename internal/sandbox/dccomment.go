package sandbox

import (
	"encoding/json"
	"net/http"
	"time"
)

// childComments lists the comments that answer none of a content, those that answer a comment, or with depth=all all
// below.
func (d *dataCenter) childComments(w http.ResponseWriter, r *http.Request) {
	page, ok := d.offsetPage(w, r)
	if !ok {
		return
	}
	above, ok := d.anything(r)
	if !ok {
		writeFirstError(w, http.StatusNotFound, "No content found with id : ContentId{id="+r.PathValue("id")+"}")
		return
	}
	query := r.URL.Query()
	places, deep := commaSet(query["location"]), query.Get("depth") == "all"
	view, expand := d.firstView(r), commaSet(query["expand"])
	all := []any{}
	for _, note := range d.wiki().commentsOf(above.content.n) {
		place := map[bool]string{true: "inline", false: "footer"}[note.inline]
		if (len(places) > 0 && !places[place]) || !d.isBelow(note, above, deep) {
			continue
		}
		all = append(all, d.content(view, found{content: above.content, note: &note}, expand))
	}
	results, more := page.cut(all)
	d.write(w, r, page, results, more, nil)
}

func (d *dataCenter) isBelow(note comment, above found, deep bool) bool {
	root := int64(0)
	if above.note != nil {
		root = above.note.id
	}
	for parent := note.parent; ; {
		if parent == root {
			return true
		}
		if !deep || parent == 0 {
			return false
		}
		up, ok := d.wiki().comment(parent)
		if !ok {
			return false
		}
		parent = up.parent
	}
}

// searchContents answers the two searches by CQL.
func (d *dataCenter) searchContents(whole bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		page, ok := d.offsetPage(w, r)
		if !ok {
			return
		}
		search, err := d.cql(r)
		if err != nil {
			writeFirstError(w, http.StatusBadRequest, err.Error())
			return
		}
		at := search.skip(r.Context(), page.start)
		total := int(at.Total)
		list, at := search.page(r.Context(), at, page.limit)
		view, expand := d.firstView(r), commaSet(r.URL.Query()["expand"])
		results := []any{}
		for _, f := range list {
			if whole {
				results = append(results, view.searchResult(f, expand))
				continue
			}
			results = append(results, d.content(view, f, expand))
		}
		members := map[string]any{"totalSize": total, "cqlQuery": r.URL.Query().Get("cql"), "searchDuration": 12}
		d.write(w, r, page, results, at.Start < total, members)
	}
}

func (d *dataCenter) cql(r *http.Request) (*wikiSearch, error) {
	who := d.site.jira.world.accounts[0]
	zone, err := time.LoadLocation(who.zone)
	if err != nil {
		return nil, err
	}
	compiler := &cqlCompiler{wiki: d.wiki(), pen: d.firstView(r).pen, zone: zone, now: d.site.confluence.now(), caller: who.id}
	q, err := compiler.compileCQL(r.URL.Query().Get("cql"))
	return &wikiSearch{wiki: d.wiki(), query: q, archived: true, shelved: true, nothing: isAnonymous(r)}, err
}

// addContent makes a comment, the one kind that the sandbox takes.
func (d *dataCenter) addContent(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Type      string                 `json:"type"`
		Container struct{ ID string }    `json:"container"`
		Ancestors []struct{ ID string }  `json:"ancestors"`
		Body      map[string]writtenBody `json:"body"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(&asked); err != nil {
		writeFirstError(w, http.StatusBadRequest, "the body is not a content")
		return
	}
	text, format, err := asked.Body["storage"].text()
	if asked.Type != "comment" || err != nil {
		writeFirstError(w, http.StatusBadRequest, "only comments in the storage format are taken here")
		return
	}
	of := newComment{PageID: asked.Container.ID}
	if len(asked.Ancestors) > 0 {
		of.ParentCommentID = asked.Ancestors[len(asked.Ancestors)-1].ID
	}
	one, err := d.site.confluence.place(of, isAnonymous(r))
	if err != nil {
		writeFirstError(w, http.StatusNotFound, err.Error())
		return
	}
	one.body, one.format = text, format
	one = d.wiki().post(one)
	on, _ := d.wiki().content(one.content)
	writeValue(w, http.StatusOK, d.content(d.firstView(r), found{content: on, note: &one}, map[string]bool{"version": true, "body.storage": true}))
}
