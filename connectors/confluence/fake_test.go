package confluence

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fake is a small healthy Confluence, in the cloud and as a data center: it pages, understands as much CQL as the driver
// writes, and refuses cursors that it did not hand out. It is safe for concurrent use and not changed meanwhile.
type fake struct {
	*http.ServeMux
	spaces   []fakeSpace
	items    []fakeItem
	comments []fakeComment

	// emptyPage has an empty page stand before the second one of a listing whose path ends like that, and repeatToken
	// hands out the first cursor of it again.
	emptyPage, repeatToken string
	swingPage              string // of whose listing the second and the third page follow each other for ever

	most    int            // entries of a page, where a site gives fewer than asked; zero for as many as asked
	fewPath string         // how the paths end of which that is so
	remark  string         // the only comment that a search for comments finds, where it is set
	zone    *time.Location // in which the account's dates are read, nil for UTC
}

type fakeSpace struct{ id, key string }

type fakeItem struct{ id, kind, space, status string }

type fakeComment struct{ id, item, kind, parent string }

const changedAt = "2026-04-28T13:33:15.492Z"

func newFake() *fake {
	f := &fake{ServeMux: http.NewServeMux(), spaces: []fakeSpace{{"1", "ENG"}, {"2", "HR"}, {"3", "OPS"}}}
	for i := range 12 {
		kind, status := "page", "current"
		if i%4 == 3 {
			kind = "blogpost"
		}
		f.items = append(f.items, fakeItem{strconv.Itoa(101 + i), kind, f.spaces[i%2].id, status})
	}
	f.items = append(f.items, fakeItem{"201", "page", "1", "trashed"}, fakeItem{"202", "page", "1", "archived"}, fakeItem{"203", "blogpost", "1", "trashed"})
	f.comments = []fakeComment{
		{"501", "101", "footer", ""},
		{"502", "101", "footer", ""},
		{"503", "101", "footer", "501"},
		{"504", "101", "footer", "503"},
		{"505", "101", "inline", ""},
		{"506", "101", "inline", "505"},
		{"507", "104", "footer", ""},
	}
	f.serveCloud()
	f.serveServer()
	return f
}

// handle answers whoever has a credential.
func (f *fake) handle(pattern string, h http.HandlerFunc) {
	f.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			reply{401, `{"message":"no credential"}`, nil}.send(w)
			return
		}
		h(w, r)
	})
}

func (r reply) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	for name, value := range r.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(r.status)
	_, _ = fmt.Fprint(w, r.body)
}

func (f *fake) serveCloud() {
	f.handle(userPath, func(w http.ResponseWriter, _ *http.Request) { reply{200, me, nil}.send(w) })
	f.handle("/wiki/rest/api/user/bulk", func(w http.ResponseWriter, _ *http.Request) {
		reply{200, `{"results":[{"type":"known","accountId":"5b10","displayName":"Ann Lee"}]}`, nil}.send(w)
	})
	f.handle(spacesPath, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		f.page(w, r, choose(f.spaces, func(s fakeSpace) bool {
			return (q["keys"] == nil || slices.Contains(q["keys"], s.key)) && (q["ids"] == nil || slices.Contains(q["ids"], s.id))
		}, func(s fakeSpace) string { return s.json() }))
	})
	for _, kind := range []string{"page", "blogpost"} {
		f.handle("/wiki/api/v2/"+kind+"s", func(w http.ResponseWriter, r *http.Request) { f.listContent(w, r, kind, "") })
		f.handle("/wiki/api/v2/spaces/{id}/"+kind+"s", func(w http.ResponseWriter, r *http.Request) { f.listContent(w, r, kind, r.PathValue("id")) })
		f.handle("/wiki/api/v2/"+kind+"s/{id}", func(w http.ResponseWriter, r *http.Request) {
			i := slices.IndexFunc(f.items, func(it fakeItem) bool { return it.id == r.PathValue("id") && it.kind == kind })
			if i < 0 {
				missing(w)
				return
			}
			reply{200, f.items[i].json(), nil}.send(w)
		})
		for _, of := range []string{"footer", "inline"} {
			f.handle("/wiki/api/v2/"+kind+"s/{id}/"+of+"-comments", func(w http.ResponseWriter, r *http.Request) {
				f.listComments(w, r, of, func(c fakeComment) bool { return c.item == r.PathValue("id") && c.parent == "" })
			})
		}
	}
	for _, of := range []string{"footer", "inline"} {
		f.handle("/wiki/api/v2/"+of+"-comments", func(w http.ResponseWriter, r *http.Request) {
			f.listComments(w, r, of, func(fakeComment) bool { return true })
		})
		f.handle("/wiki/api/v2/"+of+"-comments/{id}/children", func(w http.ResponseWriter, r *http.Request) {
			f.listComments(w, r, of, func(c fakeComment) bool { return c.parent == r.PathValue("id") })
		})
	}
	f.handle("/wiki/rest/api/search", f.search)
}

func missing(w http.ResponseWriter) {
	reply{404, `{"errors":[{"status":404,"code":"NOT_FOUND","title":"Not Found","detail":null}]}`, nil}.send(w)
}

func choose[T any](list []T, fits func(T) bool, encode func(T) string) []string {
	out := []string{}
	for _, v := range list {
		if fits(v) {
			out = append(out, encode(v))
		}
	}
	return out
}

func (s fakeSpace) json() string {
	return fmt.Sprintf(`{"id":%q,"key":%q,"name":"Space %s","type":"global","status":"current","homepageId":"9"}`, s.id, s.key, s.key)
}

func (it fakeItem) json() string {
	return fmt.Sprintf(`{"id":%q,"status":%q,"title":"Item %s","spaceId":%q,"parentId":null,"authorId":"5b10","createdAt":"2026-04-01T08:00:00.000Z",`+
		`"version":{"createdAt":%q,"number":2,"authorId":"5b10"},"body":{"storage":{"representation":"storage","value":"<p>Hello</p>"}},"_links":{"webui":"/spaces/X/pages/%s/Item"}}`,
		it.id, it.status, it.id, it.space, changedAt, it.id)
}

func (c fakeComment) json() string {
	parent := ""
	if c.parent != "" {
		parent = fmt.Sprintf(`"parentCommentId":%q,`, c.parent)
	}
	return fmt.Sprintf(`{"id":%q,"status":"current","title":"Re:",%s"version":{"createdAt":%q,"number":1,"authorId":"5b10"},"body":{"storage":{"representation":"storage","value":"<p>Yes</p>"}}}`, c.id, parent, changedAt)
}

func (f *fake) listContent(w http.ResponseWriter, r *http.Request, kind, space string) {
	q := r.URL.Query()
	statuses := q["status"]
	if statuses == nil {
		statuses = []string{"current", "archived"}
	}
	if space != "" && !slices.ContainsFunc(f.spaces, func(s fakeSpace) bool { return s.id == space }) {
		missing(w)
		return
	}
	f.page(w, r, choose(f.items, func(it fakeItem) bool {
		return it.kind == kind && (space == "" || it.space == space) && slices.Contains(statuses, it.status) && (q["id"] == nil || slices.Contains(q["id"], it.id))
	}, fakeItem.json))
}

func (f *fake) listComments(w http.ResponseWriter, r *http.Request, kind string, fits func(fakeComment) bool) {
	f.page(w, r, choose(f.comments, func(c fakeComment) bool { return c.kind == kind && fits(c) }, fakeComment.json))
}

var fakeCursor = regexp.MustCompile(`^at([0-9]+)(e?)$`)

// page sends one page of entries with a cursor to the next one.
func (f *fake) page(w http.ResponseWriter, r *http.Request, entries []string) {
	q := r.URL.Query()
	limit, err := strconv.Atoi(q.Get("limit"))
	from, empty := 0, ""
	if cursor := q.Get("cursor"); cursor != "" && err == nil {
		m := fakeCursor.FindStringSubmatch(cursor)
		if m == nil {
			reply{400, `{"errors":[{"status":400,"code":"INVALID_REQUEST_PARAMETER","title":"Invalid cursor","detail":null}]}`, nil}.send(w)
			return
		}
		from, _ = strconv.Atoi(m[1])
		empty = m[2]
	}
	if err != nil || limit < 1 {
		reply{400, `{"message":"bad page"}`, nil}.send(w)
		return
	}
	from = min(from, len(entries))
	until := min(from+min(limit, 250), len(entries))
	if f.most > 0 && strings.HasSuffix(r.URL.Path, f.fewPath) {
		until = min(until, from+f.most)
	}
	next := ""
	switch {
	case f.swingPage != "" && strings.HasSuffix(r.URL.Path, f.swingPage):
		next = fmt.Sprintf("at%d", 1+from%2)
	case f.repeatToken != "" && strings.HasSuffix(r.URL.Path, f.repeatToken):
		next = "at1"
	case f.emptyPage != "" && strings.HasSuffix(r.URL.Path, f.emptyPage) && from > 0 && empty == "":
		until, next = from, fmt.Sprintf("at%de", from)
	case until < len(entries):
		next = fmt.Sprintf("at%d", until)
	}
	links := `"base":"https://acme.atlassian.net/wiki"`
	header := map[string]string{}
	if next != "" {
		u := url.URL{Path: r.URL.Path, RawQuery: url.Values{"cursor": {next}, "limit": {q.Get("limit")}}.Encode()}
		links += fmt.Sprintf(`,"next":%q`, u.String())
		header["Link"] = fmt.Sprintf(`<%s>; rel="next", <https://acme.atlassian.net/wiki>; rel="base"`, u.String())
	}
	reply{200, fmt.Sprintf(`{"results":[%s],"_links":{%s}}`, strings.Join(entries[from:until], ","), links), header}.send(w)
}

var (
	fakeSpaceTerm = regexp.MustCompile(`space = "([^"]*)"`)
	fakeIDTerm    = regexp.MustCompile(`id in \(([^)]*)\)`)
	fakeSince     = regexp.MustCompile(`lastmodified >= "([^"]*)"`)
)

// selects returns the items that CQL finds.
func (f *fake) selects(cql string) []fakeItem {
	return slices.DeleteFunc(slices.Clone(f.items), func(it fakeItem) bool {
		gone := it.status == "trashed"
		if m := fakeSpaceTerm.FindStringSubmatch(cql); m != nil {
			gone = gone || !slices.Contains(f.spaces, fakeSpace{it.space, m[1]})
		}
		if m := fakeIDTerm.FindStringSubmatch(cql); m != nil {
			gone = gone || !strings.Contains(m[1], it.id)
		}
		if m := fakeSince.FindStringSubmatch(cql); m != nil {
			gone = gone || m[1] > "2026-04-28 13:33"
		}
		return gone
	})
}

func (f *fake) search(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Query().Get("cql"), "nonsense") {
		reply{400, `{"statusCode":400,"message":"Could not parse cql : nonsense"}`, nil}.send(w)
		return
	}
	if strings.HasPrefix(r.URL.Query().Get("cql"), "type = comment AND space") {
		f.fewer(2).page(w, r, f.remarks(r, "content.", func(c string) string {
			return `{"content":` + c + `,"title":"Re:","excerpt":"","url":"/x","entityType":"content"}`
		}))
		return
	}
	f.page(w, r, choose(f.selects(r.URL.Query().Get("cql")), func(fakeItem) bool { return true }, func(it fakeItem) string {
		return fmt.Sprintf(`{"content":{"id":%q,"type":%q,"status":"current","title":"Item"},"title":"Item","excerpt":"","url":"/x","entityType":"content"}`, it.id, it.kind)
	}))
}

// fewer returns a fake that gives fewer entries at a time.
func (f *fake) fewer(most int) *fake {
	one := *f
	one.most = most
	return &one
}

// remarks returns the comments that CQL finds, with what they are on where that is to be expanded.
func (f *fake) remarks(r *http.Request, prefix string, encode func(string) string) []string {
	cql := r.URL.Query().Get("cql")
	in := fakeSpaceTerm.FindStringSubmatch(cql)
	since := fakeSince.FindStringSubmatch(cql)
	if f.remark != "" {
		return []string{encode(f.remark)}
	}
	expand := strings.Split(r.URL.Query().Get("expand"), ",")
	return choose(f.comments, func(c fakeComment) bool {
		i := slices.IndexFunc(f.items, func(it fakeItem) bool { return it.id == c.item })
		if in == nil || i < 0 || !slices.Contains(f.spaces, fakeSpace{f.items[i].space, in[1]}) {
			return false
		}
		if since == nil {
			return true
		}
		zone := f.zone
		if zone == nil {
			zone = time.UTC
		}
		from, err := time.ParseInLocation("2006-01-02 15:04", since[1], zone)
		return err == nil && !parseTime(changedAt).Before(from)
	}, func(c fakeComment) string {
		out := fmt.Sprintf(`{"id":%q,"type":"comment","status":"current","title":"Re:"`, c.id)
		if slices.Contains(expand, prefix+"container") {
			out += fmt.Sprintf(`,"container":{"id":%q,"type":%q,"status":"current","title":"Item"}`, c.item, f.kindOf(c.item))
		}
		if slices.Contains(expand, prefix+"version") {
			out += fmt.Sprintf(`,"version":{"number":1,"when":%q,"minorEdit":false}`, changedAt)
		}
		return encode(out + "}")
	})
}

func (f *fake) kindOf(id string) string {
	return f.items[slices.IndexFunc(f.items, func(it fakeItem) bool { return it.id == id })].kind
}

// serveServer has the fake answer as a data center too, to whoever has a token for one.
func (f *fake) serveServer() {
	handle := func(pattern string, h http.HandlerFunc) {
		f.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
				reply{404, `{"message":"null for uri"}`, nil}.send(w) // as a site of the cloud
				return
			}
			h(w, r)
		})
	}
	handle("/rest/api/user/current", func(w http.ResponseWriter, _ *http.Request) {
		reply{200, `{"type":"known","username":"ann","userKey":"ff80","displayName":"Ann Lee"}`, nil}.send(w)
	})
	handle("/rest/api/space", func(w http.ResponseWriter, r *http.Request) {
		f.offset(w, r, choose(f.spaces, func(fakeSpace) bool { return true }, fakeSpace.json))
	})
	handle("/rest/api/space/{key}", func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(f.spaces, func(s fakeSpace) bool { return s.key == r.PathValue("key") })
		if i < 0 {
			reply{404, `{"statusCode":404,"message":"No space found"}`, nil}.send(w)
			return
		}
		reply{200, f.spaces[i].json(), nil}.send(w)
	})
	handle("/rest/api/content", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		status := "current"
		if s := q.Get("status"); s != "" {
			status = s
		}
		f.offset(w, r, choose(f.items, func(it fakeItem) bool {
			return it.kind == q.Get("type") && (it.status == status || status == "current" && it.status == "archived") && (q.Get("spaceKey") == "" || slices.Contains(f.spaces, fakeSpace{it.space, q.Get("spaceKey")}))
		}, f.oldJSON))
	})
	handle("/rest/api/content/search", func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Query().Get("cql"), "nonsense") {
			reply{400, `{"statusCode":400,"message":"Could not parse cql : nonsense"}`, nil}.send(w)
			return
		}
		if strings.HasPrefix(r.URL.Query().Get("cql"), "type = comment AND space") {
			f.fewer(3).offset(w, r, f.remarks(r, "", func(c string) string { return c }))
			return
		}
		f.offset(w, r, choose(f.selects(r.URL.Query().Get("cql")), func(fakeItem) bool { return true }, f.oldJSON))
	})
	handle("/rest/api/content/{id}/child/comment", func(w http.ResponseWriter, r *http.Request) {
		if !slices.ContainsFunc(f.items, func(it fakeItem) bool { return it.id == r.PathValue("id") }) {
			reply{404, `{"statusCode":404,"message":"No content found"}`, nil}.send(w)
			return
		}
		f.offset(w, r, choose(f.comments, func(c fakeComment) bool { return c.item == r.PathValue("id") }, func(c fakeComment) string {
			return fmt.Sprintf(`{"id":%q,"type":"comment","status":"current","version":{"number":1,"when":%q,"by":{"displayName":"Ann Lee","userKey":"ff80"}},"body":{"storage":{"value":"<p>Yes</p>"}},"extensions":{"location":%q}}`, c.id, changedAt, c.kind)
		}))
	})
	handle("/rest/api/content/{id}", func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(f.items, func(it fakeItem) bool { return it.id == r.PathValue("id") })
		if i < 0 {
			reply{404, `{"statusCode":404,"message":"No content found"}`, nil}.send(w)
			return
		}
		reply{200, f.oldJSON(f.items[i]), nil}.send(w)
	})
}

func (f *fake) oldJSON(it fakeItem) string {
	key := f.spaces[slices.IndexFunc(f.spaces, func(s fakeSpace) bool { return s.id == it.space })].key
	return fmt.Sprintf(`{"id":%q,"type":%q,"status":%q,"title":"Item %s","space":{"id":%s,"key":%q},"version":{"number":2,"when":%q},"history":{"createdDate":"2026-04-01T08:00:00.000Z"},"ancestors":[{"id":"9"}],"_links":{"webui":"/display/X/Item"}}`,
		it.id, it.kind, it.status, it.id, it.space, key, changedAt)
}

// offset sends one page of entries that are paged by number.
func (f *fake) offset(w http.ResponseWriter, r *http.Request, entries []string) {
	start, err := strconv.Atoi(r.URL.Query().Get("start"))
	limit, err2 := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || err2 != nil || start < 0 || limit < 1 {
		reply{400, `{"message":"bad page"}`, nil}.send(w)
		return
	}
	from := min(start, len(entries))
	until := min(from+limit, len(entries))
	if f.most > 0 && strings.HasSuffix(r.URL.Path, f.fewPath) {
		until = min(until, from+f.most)
	}
	next := ""
	if until < len(entries) {
		next = fmt.Sprintf(`,"next":"%s?start=%d"`, r.URL.Path, until)
	}
	results, _ := json.Marshal([]string{})
	if until > from {
		results = []byte("[" + strings.Join(entries[from:until], ",") + "]")
	}
	reply{200, fmt.Sprintf(`{"results":%s,"start":%d,"limit":%d,"size":%d,"_links":{"base":"https://wiki.example.com"%s}}`, results, start, limit, until-from, next), nil}.send(w)
}
