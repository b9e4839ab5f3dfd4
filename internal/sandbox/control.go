package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// controlPrefix is where a sandbox that runs is changed and counted. No fault hits there, and no credentials are
// needed: a sandbox listens on loopback addresses alone.
const controlPrefix = "/control"

// errNoSuch is told for things that do not exist.
var errNoSuch = errors.New("there is no such thing")

// changeAction changes a thing of a site and returns what it is called from then on.
type changeAction func(s *site, id, to string) (string, error)

// changeActions are the changes that Change knows.
func changeActions() map[string]changeAction {
	return map[string]changeAction{
		"issue edit":    onIssue(func(w *world, ref issueRef, to string) { w.editIssue(ref, to) }),
		"issue move":    moveTo,
		"issue comment": onIssue(func(w *world, ref issueRef, to string) { w.postComment(ref, w.caller, paragraph(to)) }),
		"issue archive": onIssue(func(w *world, ref issueRef, _ string) {
			w.change(ref, func(s *issueState, at int64) { s.archived = at })
		}),
		"issue unarchive": onIssue(func(w *world, ref issueRef, _ string) {
			w.change(ref, func(s *issueState, _ int64) { s.archived = 0 })
		}),
		"issue delete": onIssue(func(w *world, ref issueRef, _ string) {
			w.change(ref, func(s *issueState, _ int64) { s.deleted = true })
		}),
		"issue-comment edit":   onIssueComment(func(w *world, ref issueRef, k int, to string) { w.editComment(ref, k, paragraph(cmp.Or(to, "edited"))) }),
		"issue-comment delete": onIssueComment(func(w *world, ref issueRef, k int, _ string) { w.deleteComment(ref, k) }),
		"page add":             addPage,
		"page comment":         noteOnPage,
		"page move":            movePage,
		"page edit": onContent(func(c *content, to string) {
			if c.body = fmt.Sprintf("<p>edit of version %d</p>", c.version); to != "" {
				c.title = to
			}
		}),
		"page archive":   onContent(func(c *content, _ string) { c.status = statusArchived }),
		"page trash":     onContent(func(c *content, _ string) { c.status = statusTrashed }),
		"page restore":   onContent(func(c *content, _ string) { c.status = statusCurrent }),
		"page purge":     onContent(func(c *content, _ string) { c.status = statusDeleted }),
		"comment edit":   onComment(func(w *wiki, c comment) { w.editComment(c) }),
		"comment delete": onComment(func(w *wiki, c comment) { w.deleteComment(c) }),
	}
}

// Change changes a thing of a site, the first of which is 0, as people do while a client works, and returns its id or
// key afterwards. Each change happens at a later time than the one before. The changes, with what `to` is:
//
//	issue edit       of the issue with that id or key; to is the new summary, or empty
//	issue move       to is the key of another project
//	issue comment    to is the text
//	issue archive, issue unarchive, issue delete
//	issue-comment edit    of the Jira comment with that id; to is the new text, or empty
//	issue-comment delete
//	page add         id is the key of a space, to is the title
//	page edit        of the page or blog post with that id; to is the new title, or empty
//	page move        to is the key of another space
//	page comment     to is the text; returns the id of the comment
//	page archive, page trash, page restore, page purge
//	comment edit     of the Confluence comment with that id
//	comment delete   and of the answers to it
func (s *Server) Change(site int, change, id, to string) (string, error) {
	action, ok := changeActions()[change]
	if !ok {
		return "", fmt.Errorf("sandbox: the change %q is not known", change)
	}
	got, err := action(s.sites[site], id, to)
	if err != nil {
		return "", fmt.Errorf("sandbox: %s %q %q: %w", change, id, to, err)
	}
	return got, nil
}

func onIssue(change func(w *world, ref issueRef, to string)) changeAction {
	return func(s *site, id, to string) (string, error) {
		w := s.jira.world
		ref, ok := w.lookup(id)
		if !ok {
			return "", errNoSuch
		}
		change(w, ref, to)
		return w.key(ref), nil
	}
}

func onIssueComment(change func(w *world, ref issueRef, k int, to string)) changeAction {
	return func(s *site, id, to string) (string, error) {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return "", errNoSuch
		}
		ref, k, ok := s.jira.world.findComment(n)
		if !ok {
			return "", errNoSuch
		}
		change(s.jira.world, ref, k, to)
		return id, nil
	}
}

func moveTo(s *site, id, to string) (string, error) {
	w := s.jira.world
	ref, ok := w.lookup(id)
	project, known := w.project(to)
	if !ok || !known || project == w.projectOf(ref) {
		return "", errNoSuch
	}
	w.moveIssue(ref, project)
	return w.key(ref), nil
}

func (w *wiki) anyContent(id string) (content, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return content{}, false
	}
	return w.byID(n)
}

func onContent(change func(c *content, to string)) changeAction {
	return func(s *site, id, to string) (string, error) {
		w := s.confluence.wiki
		c, ok := w.anyContent(id)
		if !ok {
			return "", errNoSuch
		}
		w.edit(c, func(c *content) { change(c, to) })
		return id, nil
	}
}

func addPage(s *site, id, to string) (string, error) {
	w := s.confluence.wiki
	space, ok := w.spaceByKey(id)
	if !ok || to == "" {
		return "", errNoSuch
	}
	one := content{shape: shape{kind: kindPage, space: space, status: statusCurrent}, title: to, parent: -1, body: "<p>made by hand</p>"}
	if home, err := strconv.ParseInt(w.spaces[space].HomepageID, 10, 64); err == nil {
		one.parent = (home - firstContentID) / contentStride
	}
	return strconv.FormatInt(w.id(w.add(one).n), 10), nil
}

func movePage(s *site, id, to string) (string, error) {
	w := s.confluence.wiki
	c, ok := w.anyContent(id)
	space, known := w.spaceByKey(to)
	if !ok || !known {
		return "", errNoSuch
	}
	w.edit(c, func(c *content) { c.space, c.parent = space, -1 })
	return id, nil
}

func noteOnPage(s *site, id, to string) (string, error) {
	w := s.confluence.wiki
	c, ok := w.anyContent(id)
	if !ok {
		return "", errNoSuch
	}
	one := w.post(comment{content: c.n, body: "<p>" + xmlText.Replace(to) + "</p>", format: "storage"})
	return strconv.FormatInt(one.id, 10), nil
}

func onComment(change func(w *wiki, c comment)) changeAction {
	return func(s *site, id, _ string) (string, error) {
		n, err := strconv.ParseInt(id, 10, 64)
		c, ok := s.confluence.wiki.comment(n)
		if err != nil || !ok {
			return "", errNoSuch
		}
		change(s.confluence.wiki, c)
		return id, nil
	}
}

// control answers POST /control/{site}/{kind}/{id}/{change}?to=… and GET /control/{site}/counts. The site of records is
// salesforce, which is not counted.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	at := func(r *http.Request) int {
		return slices.IndexFunc(s.sites, func(one *site) bool { return one.prefix == "/"+r.PathValue("site") })
	}
	mux.HandleFunc("GET "+controlPrefix+"/{site}/counts", func(w http.ResponseWriter, r *http.Request) {
		if i := at(r); i >= 0 {
			writeValue(w, http.StatusOK, s.sites[i].counts(r.Context()))
			return
		}
		writeError(w, http.StatusNotFound, "There is no such site.")
	})
	mux.HandleFunc("POST "+controlPrefix+"/{site}/{kind}/{id}/{change}", func(w http.ResponseWriter, r *http.Request) {
		change := func(what, id, to string) (string, error) { return s.Change(at(r), what, id, to) }
		switch {
		case "/"+r.PathValue("site") == salesforcePrefix:
			change = s.ChangeRecord
		case at(r) < 0:
			writeError(w, http.StatusNotFound, "There is no such site.")
			return
		}
		got, err := change(r.PathValue("kind")+" "+r.PathValue("change"), r.PathValue("id"), r.URL.Query().Get("to"))
		if err != nil {
			writeError(w, http.StatusBadRequest, err.Error())
			return
		}
		writeValue(w, http.StatusOK, map[string]string{"id": got})
	})
	return mux
}

// besideControl lets the requests for control pass by the faults.
func (s *Server) besideControl(next http.Handler) http.Handler {
	control := s.control()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, controlPrefix+"/") {
			control.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// dated has every answer carry the time of the sites' own clock, by which they stamp changes. A clock that stands says
// nothing: clients take it for a fault of their own.
func dated(next http.Handler, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
		next.ServeHTTP(w, r)
	})
}
