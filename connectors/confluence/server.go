package confluence

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// server reads a Confluence Server or Data Center.
type server struct {
	api  *rest.Client
	site string
}

// maxServerPage is the largest page that is asked for; the site may hand out fewer.
const maxServerPage = 200

// oldSpace is a space of version 1.
type oldSpace struct {
	ID          json.Number `json:"id"`
	Key         string      `json:"key"`
	Name        string      `json:"name"`
	Type        string      `json:"type"`
	Status      string      `json:"status"`
	Description struct {
		Plain struct {
			Value string `json:"value"`
		} `json:"plain"`
	} `json:"description"`
}

// oldContent is a page, blog post or comment of version 1.
type oldContent struct {
	ID        string       `json:"id"`
	Type      string       `json:"type"`
	Status    string       `json:"status"`
	Title     string       `json:"title"`
	Space     *oldSpace    `json:"space"`
	Version   version      `json:"version"`
	Body      body         `json:"body"`
	Ancestors []oldContent `json:"ancestors"`
	History   struct {
		CreatedDate string `json:"createdDate"`
		CreatedBy   *user  `json:"createdBy"`
	} `json:"history"`
	Extensions struct {
		Location   string `json:"location"`
		Resolution struct {
			Status string `json:"status"`
		} `json:"resolution"`
		Inline struct {
			Selection string `json:"originalSelection"`
		} `json:"inlineProperties"`
	} `json:"extensions"`
	Links struct {
		WebUI string `json:"webui"`
	} `json:"_links"`
}

// Probe asks the site who is connected, for one space, and for one page of each kind that listings need.
func (s *server) Probe(ctx context.Context) (connectors.ProbeResult, error) {
	var me user
	header, err := s.api.Get(ctx, "/rest/api/user/current", nil, &me)
	switch {
	case rest.StatusOf(err) == http.StatusNotFound:
		return connectors.ProbeResult{}, s.explain(ctx, err)
	case err != nil:
		return connectors.ProbeResult{}, err
	case me.Type == anonymous:
		return connectors.ProbeResult{}, connectors.Errorf(connectors.Reauthorize, "Confluence does not know the token and answers as to a stranger: connect again")
	case cmp.Or(me.UserKey, me.Username) == "":
		return connectors.ProbeResult{}, s.api.Nonsense("an account without a key and name")
	}
	spaces, err := s.get(ctx, "/rest/api/space", url.Values{}, 1, 0)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	noticed, err := s.api.Check(ctx,
		rest.Canary{What: "pages", Ask: func(ctx context.Context) error {
			_, err := s.get(ctx, "/rest/api/content", url.Values{"type": {"page"}}, 1, 0)
			return err
		}},
		rest.Canary{What: "the results of queries", Ask: func(ctx context.Context) error {
			_, err := s.get(ctx, "/rest/api/content/search", url.Values{"cql": {"type = page"}}, 1, 0)
			return err
		}})
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	warnings := append(s.api.Warnings(s.site, header), noticed...)
	if len(spaces.Results) == 0 {
		warnings = append(warnings, connectors.Warning{Code: "no_spaces", Message: "the account sees no space: give it the permission to view one"})
	}
	base := cmp.Or(spaces.Links.Base, s.site)
	return connectors.ProbeResult{
		Instance: connectors.Instance{Name: hostOf(base), URL: base, Type: "Server"},
		Account:  connectors.Account{ID: cmp.Or(me.UserKey, me.Username), Name: me.name()},
		Warnings: warnings,
	}, nil
}

// explain finds out what an address is that has no version 1 at its root: a site of the cloud has it below /wiki.
func (s *server) explain(ctx context.Context, missing error) error {
	var me user
	if _, err := s.api.Get(ctx, v1+"/user/current", nil, &me); err == nil || connectors.CodeOf(err) == connectors.Reauthorize {
		return connectors.InvalidFields(connectors.Fault{Field: "auth_method", Message: "this is Confluence Cloud, which knows no personal access tokens: use " +
			atlassian.MethodAPIKey + " with an API token, or connect by OAuth"})
	}
	return connectors.Wrap(connectors.NotFound, missing, "this is not a Confluence Data Center: base_url must be its address alone, "+
		"without the path of a page such as /display/…")
}

// get asks for one page of a listing that is paged by number.
func (s *server) get(ctx context.Context, path string, query url.Values, limit int, start int64) (listed, error) {
	var page listed
	size := min(limit, maxServerPage)
	query.Set("limit", strconv.Itoa(size))
	query.Set("start", strconv.FormatInt(start, 10))
	_, err := s.api.Get(ctx, path, query, &page)
	switch {
	case err != nil:
		return page, err
	case page.Results == nil:
		return page, s.api.Nonsense("a list without entries")
	case len(page.Results) > size:
		return page, s.api.Nonsense("more entries than it was asked for")
	case page.Start != nil && *page.Start != start:
		return page, s.api.Nonsense("another page than the one it was asked for")
	case len(page.Results) == 0 && page.Links.Next != "":
		return page, s.api.Nonsense("an empty page where there should be more")
	}
	return page, nil
}

// foothold is a position in a listing that is paged by number. Each page begins with the last entry of the one before:
// where it is not there, entries have gone or come, and the listing goes back so that none is missed.
type foothold struct {
	kind    string // of items: "page" or "blogpost"
	start   int64
	anchors []string // the ids of the last entries, none on the first page: any of them may be gone by the next
}

// maxAnchors is how many of the last entries a foothold keeps.
const maxAnchors = 8

// maxBack is how many pages a listing goes back where its last entry is not in its place.
const maxBack = 5

func parseFoothold(c connectors.Cursor) (foothold, error) {
	if c == "" {
		return foothold{kind: "page"}, nil
	}
	parts := strings.SplitN(string(c), ":", 3)
	if len(parts) == 3 {
		start, err := strconv.ParseInt(parts[1], 10, 64)
		known := parts[0] == "page" || parts[0] == "blogpost"
		f := foothold{kind: parts[0], start: start}
		if parts[2] != "" {
			f.anchors = strings.Split(parts[2], ",")
		}
		odd := func(id string) bool { return !isKey(id) }
		if err == nil && start >= 0 && known && len(f.anchors) <= maxAnchors && !slices.ContainsFunc(f.anchors, odd) {
			return f, nil
		}
	}
	return foothold{}, badCursor()
}

func (f foothold) cursor() connectors.Cursor {
	return connectors.Cursor(f.kind + ":" + strconv.FormatInt(f.start, 10) + ":" + strings.Join(f.anchors, ","))
}

// turned is one page of a listing that is paged by number.
type turned struct {
	entries []json.RawMessage
	next    foothold
	more    bool // whether there is a next page
}

// page returns the entries behind a foothold. name returns what identifies an entry.
func (s *server) page(ctx context.Context, path string, query url.Values, limit int, f foothold, name func(json.RawMessage) (string, error)) (turned, error) {
	for back := 1; ; back++ {
		start, size := f.start, min(limit, maxServerPage-1)
		if len(f.anchors) > 0 {
			start, size = max(start-1, 0), size+1
		}
		page, err := s.get(ctx, path, query, size, start)
		if err != nil {
			return turned{}, err
		}
		ids, err := names(page.Results, name)
		if err != nil {
			return turned{}, err
		}
		from, found := f.behind(ids)
		if !found && start > 0 {
			if f.start = max(start-int64(max(len(ids)-1, 1)), 0); back == maxBack {
				f.start = 0 // too much is gone to be looked for: what comes twice is better than what never comes
			}
			continue
		}
		until := min(len(ids), from+limit)
		out := turned{entries: page.Results[from:until], more: page.Links.Next != "" || until < len(ids)}
		if until > from {
			out.next = foothold{f.kind, start + int64(until), ids[max(0, until-maxAnchors):until]}
			return out, nil
		}
		return out, s.stuck(out.more)
	}
}

// behind returns where the entries that were not listed yet begin, and whether the last entry is there at all. Where it
// is not in its place, what stands in front of it may be new.
func (f foothold) behind(ids []string) (from int, found bool) {
	i := slices.IndexFunc(ids, func(id string) bool { return slices.Contains(f.anchors, id) })
	if len(f.anchors) == 0 || i > 0 {
		return 0, true
	}
	return i + 1, i == 0
}

func (s *server) stuck(more bool) error {
	if more {
		return s.api.Nonsense("a page that brings the listing no further")
	}
	return nil
}

func names(results []json.RawMessage, name func(json.RawMessage) (string, error)) ([]string, error) {
	ids := make([]string, len(results))
	for i, raw := range results {
		var err error
		if ids[i], err = name(raw); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func (s *server) spaceOf(raw json.RawMessage) (string, error) {
	var k oldSpace
	if err := json.Unmarshal(raw, &k); err != nil || !isKey(k.Key) {
		return "", s.api.Nonsense("a space without a key")
	}
	return k.Key, nil
}

func (s *server) idOf(raw json.RawMessage) (string, error) {
	var p oldContent
	if err := json.Unmarshal(raw, &p); err != nil || !isID(p.ID) {
		return "", s.api.Nonsense("an entry without an id")
	}
	return p.ID, nil
}

// ListContainers returns the spaces that the account may view.
func (s *server) ListContainers(ctx context.Context, q connectors.ContainerQuery) (connectors.Page[connectors.Container], error) {
	var out connectors.Page[connectors.Container]
	f, err := parseFoothold(q.Cursor)
	if err != nil {
		return out, err
	}
	query := url.Values{}
	if q.Wide {
		query.Set("expand", "description.plain")
	}
	page, err := s.page(ctx, "/rest/api/space", query, q.Limit, f, s.spaceOf)
	if err != nil {
		return out, err
	}
	if len(page.entries) == 0 && !page.more {
		return out, s.vouch(ctx)
	}
	for _, raw := range page.entries {
		var k oldSpace
		_ = json.Unmarshal(raw, &k) // its key was read
		c := connectors.Container{ID: k.Key, Label: k.Name, Type: "space", Meta: connectors.Meta{
			{Name: "type", Value: k.Type}, {Name: "status", Value: cmp.Or(k.Status, "current")},
		}}
		if q.Wide {
			c.Meta = append(c.Meta, connectors.Meta{{Name: "id", Value: number(k.ID)}, {Name: "description", Value: k.Description.Plain.Value}}...)
		}
		if q.Raw {
			c.Raw = raw
		}
		out.Items = append(out.Items, c)
	}
	if page.more {
		out.Next = page.next.cursor()
	}
	return out, nil
}

// vouch asks whether Confluence knows the token: to a stranger it answers with what anyone may see.
func (s *server) vouch(ctx context.Context) error {
	var me user
	_, err := s.api.Get(ctx, "/rest/api/user/current", nil, &me)
	if err == nil && me.Type == anonymous {
		return connectors.Errorf(connectors.Reauthorize, "Confluence does not know the token and answers as to a stranger: connect again")
	}
	return err
}

// expandOf names what a page is to be told with.
func expandOf(q connectors.ItemQuery) string {
	expand := "version,history,space,ancestors"
	if q.Wide || q.Raw {
		expand += ",body.storage"
	}
	return expand
}

// ListItems returns pages and then blog posts, or what a query finds; with UpdatedAfter in the order of change.
func (s *server) ListItems(ctx context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	var out connectors.Page[connectors.Item]
	f, err := parseFoothold(q.Cursor)
	if err != nil {
		return out, err
	}
	if q.ContainerID != "" && !isKey(q.ContainerID) {
		return out, noSpace(q.ContainerID)
	}
	searched := q.Query != "" || !q.UpdatedAfter.IsZero()
	page, err := s.itemPage(ctx, q, f, searched)
	if err != nil {
		return out, err
	}
	for _, raw := range page.entries {
		if it := s.item(raw, q); !before(it.UpdatedAt, q.UpdatedAfter) {
			out.Items = append(out.Items, it)
		}
	}
	out.Next = f.after(page, !searched)
	return out, nil
}

// after returns the cursor behind a page: of a listing in stages the blog posts follow the pages.
func (f foothold) after(page turned, staged bool) connectors.Cursor {
	switch {
	case page.more:
		return page.next.cursor()
	case staged && f.kind == "page":
		return foothold{kind: "blogpost"}.cursor()
	}
	return ""
}

func (s *server) itemPage(ctx context.Context, q connectors.ItemQuery, f foothold, searched bool) (turned, error) {
	path, query, err := s.asked(q, f.kind, searched)
	if err != nil {
		return turned{}, err
	}
	query.Set("expand", expandOf(q))
	page, err := s.page(ctx, path, query, q.Limit, f, s.idOf)
	if err == nil && len(page.entries) == 0 && !page.more {
		err = s.vouch(ctx)
	}
	if err != nil || len(page.entries) == 0 {
		err = s.explainSpace(ctx, q, err)
	}
	return page, err
}

// asked returns the address of a listing of items.
func (s *server) asked(q connectors.ItemQuery, kind string, searched bool) (string, url.Values, error) {
	if !searched {
		query := url.Values{"type": {kind}}
		if q.ContainerID != "" {
			query.Set("spaceKey", q.ContainerID)
		}
		return "/rest/api/content", query, nil
	}
	if _, order, fault := atlassian.SplitOrder(q.Query); !q.UpdatedAfter.IsZero() && order == "" && fault == "" {
		q.Query = strings.TrimSpace(q.Query + " ORDER BY lastmodified")
	}
	cql, err := cqlFor(q)
	return "/rest/api/content/search", url.Values{"cql": {cql}}, err
}

// explainSpace finds out whether a listing failed, or is empty, because there is no such space.
func (s *server) explainSpace(ctx context.Context, q connectors.ItemQuery, err error) error {
	code := connectors.CodeOf(err)
	if q.ContainerID == "" || code != "" && code != connectors.InvalidRequest && code != connectors.NotFound {
		return err
	}
	var k oldSpace
	_, missing := s.api.Get(ctx, rest.Path("rest", "api", "space", q.ContainerID), nil, &k)
	if rest.StatusOf(missing) == http.StatusNotFound {
		return noSpace(q.ContainerID)
	}
	return err
}

func (s *server) item(raw json.RawMessage, q connectors.ItemQuery) connectors.Item {
	var p oldContent
	_ = json.Unmarshal(raw, &p) // its id was read
	created, changed := parseTime(p.History.CreatedDate), parseTime(cmp.Or(p.Version.When, p.History.CreatedDate))
	it := connectors.Item{ID: p.ID, Name: p.Title, Type: p.Type, CreatedAt: created, UpdatedAt: changed, ContainerID: q.ContainerID}
	if p.Space != nil {
		it.ContainerID = p.Space.Key
	}
	var parentID any
	if n := len(p.Ancestors); n > 0 {
		parentID = p.Ancestors[n-1].ID
	}
	it.Meta = connectors.Meta{
		{Name: "status", Value: p.Status},
		{Name: "parentId", Value: parentID},
		{Name: "version", Value: number(p.Version.Number)},
		{Name: "createdAt", Value: timeValue(created)},
	}
	if strings.HasPrefix(p.Links.WebUI, "/") {
		it.URL = s.site + p.Links.WebUI
	}
	if q.Wide {
		it.Meta = append(it.Meta, connectors.Attr{Name: "body", Value: p.Body.text()})
	}
	if q.Raw {
		it.Raw = raw
	}
	return it
}
