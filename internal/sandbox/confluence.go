package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// confluence is what a probe needs of the Confluence Cloud REST API of one site, after
// https://developer.atlassian.com/cloud/confluence/rest/v2/ and, for who is connected, version 1. It is mounted at the
// site and at the gateway.
type confluence struct {
	home   string // the site's path
	people []account
	spaces []space
	pages  *pageTokens
	now    func() time.Time
}

// space is one space, as version 2 shows it.
type space struct {
	ID         string            `json:"id"`
	Key        string            `json:"key"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Status     string            `json:"status"`
	AuthorID   string            `json:"authorId"`
	OwnerID    string            `json:"spaceOwnerId"`
	Alias      string            `json:"currentActiveAlias"`
	CreatedAt  string            `json:"createdAt"`
	HomepageID string            `json:"homepageId"`
	Links      map[string]string `json:"_links"`
}

func newConfluence(w *world, home string, people []account, now func() time.Time) *confluence {
	c := &confluence{home: home, people: people, pages: newPageTokens(w.seed), now: now}
	kinds := []struct{ key, name, kind, status string }{
		{"ENG", "Engineering", "global", "current"},
		{"HR", "Menschen & Kultur", "global", "current"},
		{"KB", "ナレッジベース", "knowledge_base", "current"},
		{"~" + strings.ReplaceAll(people[0].id, ":", ""), people[0].name, "personal", "current"},
		{"OLD", "Old <archive> \"2019\"", "global", "archived"},
	}
	for i, k := range kinds {
		chance := newRNG(w.seed, domainSpace, int64(i))
		created := w.createdFrom + int64(chance.below(int(createdSpan.Milliseconds())))
		id := 65_536 + int64(i)*32_768 + int64(chance.below(1_000))
		c.spaces = append(c.spaces, space{
			ID: strconv.FormatInt(id, 10), Key: k.key, Name: k.name, Type: k.kind, Status: k.status, Alias: k.key,
			AuthorID: people[chance.below(len(people))].id, OwnerID: people[0].id,
			CreatedAt:  time.UnixMilli(created).UTC().Format("2006-01-02T15:04:05.000Z"),
			HomepageID: strconv.FormatInt(id+163, 10), Links: map[string]string{"webui": "/spaces/" + k.key},
		})
	}
	return c
}

// Scopes of Confluence's operations, as those of Jira's.
var (
	currentUserScopes = [][]string{{"read:confluence-user"}, {"read:content-details:confluence"}}
	spaceScopes       = [][]string{{"read:space:confluence"}}
)

// mount registers the API below a path, behind a door.
func (c *confluence) mount(r *router, door door, prefix string) {
	get := func(path string, scopes [][]string, h func(w http.ResponseWriter, r *http.Request, base string, caller int)) {
		r.handle(prefix+"/wiki"+path, map[string]http.HandlerFunc{http.MethodGet: func(w http.ResponseWriter, r *http.Request) {
			if caller, ok := door.enter(w, r, permission{scopes: scopes}); ok {
				h(w, r, hostOf(r)+prefix, caller)
			}
		}})
	}
	get("/rest/api/user/current", currentUserScopes, c.currentUser)
	get("/api/v2/spaces", spaceScopes, c.listSpaces)
}

func (c *confluence) currentUser(w http.ResponseWriter, r *http.Request, base string, caller int) {
	picture := map[string]any{"path": "/wiki/aa-avatar/0", "width": 48, "height": 48, "isDefault": true}
	links := map[string]string{"base": hostOf(r) + c.home + "/wiki", "context": "/wiki", "self": base + "/wiki/rest/api/user"}
	if isAnonymous(r) {
		writeValue(w, http.StatusOK, map[string]any{
			"type": "anonymous", "displayName": "Anonymous", "publicName": "Anonymous", "profilePicture": picture, "_links": links,
		})
		return
	}
	who := c.people[caller]
	links["self"] += "?accountId=" + url.QueryEscape(who.id)
	writeValue(w, http.StatusOK, map[string]any{
		"type": "known", "accountId": who.id, "accountType": who.kind, "email": who.email, "publicName": who.name,
		"displayName": who.name, "timeZone": who.zone, "profilePicture": picture, "isExternalCollaborator": false, "isGuest": false,
		"_expandable": map[string]string{"operations": "", "personalSpace": ""}, "_links": links,
	})
}

// Sizes of a page of spaces.
const (
	spacesPerPage = 25
	spacesPageCap = 250
)

func (c *confluence) listSpaces(w http.ResponseWriter, r *http.Request, _ string, _ int) {
	query := r.URL.Query()
	size, err := intParam(query, "limit", spacesPerPage)
	if err != nil || size < 1 || size > spacesPageCap {
		writeV2Error(w, http.StatusBadRequest, "INVALID_REQUEST_PARAMETER", "limit must be 1 to 250")
		return
	}
	found, err := c.selectSpaces(r, query)
	if err != nil {
		writeV2Error(w, http.StatusBadRequest, "INVALID_REQUEST_PARAMETER", err.Error())
		return
	}
	query.Del("limit")
	cursor := query.Get("cursor")
	query.Del("cursor")
	asked, from := query.Encode(), 0
	if cursor != "" {
		at, ok := c.pages.open(cursor, asked, c.now())
		if !ok {
			writeV2Error(w, http.StatusBadRequest, "INVALID_REQUEST_PARAMETER", "cursor is not valid")
			return
		}
		from = min(int(at.position), len(found))
	}
	until := min(from+size, len(found))
	base := hostOf(r) + c.home + "/wiki"
	links := map[string]string{"base": base}
	header := "<" + base + `>; rel="base"`
	if until < len(found) {
		query.Set("limit", strconv.Itoa(size))
		query.Set("cursor", c.pages.seal(place{position: int64(until), issued: c.now()}, asked))
		links["next"] = "/wiki/api/v2/spaces?" + query.Encode()
		header = "<" + links["next"] + `>; rel="next", ` + header
	}
	w.Header().Set("Link", header)
	writeValue(w, http.StatusOK, map[string]any{"results": found[from:until], "_links": links})
}

// selectSpaces returns the spaces that the query asks for, in its order.
func (c *confluence) selectSpaces(r *http.Request, query url.Values) ([]space, error) {
	if isAnonymous(r) {
		return []space{}, nil
	}
	field, descending := strings.CutPrefix(cmp.Or(query.Get("sort"), "id"), "-")
	by := map[string]func(s space) string{
		"id":   func(s space) string { return fmt.Sprintf("%20s", s.ID) },
		"key":  func(s space) string { return s.Key },
		"name": func(s space) string { return s.Name },
	}[field]
	if by == nil {
		return nil, refusal("sort must be id, key or name, or one of them with a hyphen in front")
	}
	wanted := func(name, value string) bool {
		set := commaSet(query[name])
		return len(set) == 0 || set[value]
	}
	found := slices.DeleteFunc(slices.Clone(c.spaces), func(s space) bool {
		return !wanted("ids", s.ID) || !wanted("keys", s.Key) || !wanted("type", s.Type) || !wanted("status", s.Status)
	})
	slices.SortFunc(found, func(a, b space) int {
		if descending {
			a, b = b, a
		}
		return strings.Compare(by(a), by(b))
	})
	return found, nil
}

// writeV2Error answers as version 2 of the API does.
func writeV2Error(w http.ResponseWriter, status int, code, title string) {
	writeValue(w, status, map[string]any{
		"errors": []map[string]any{{"status": status, "code": code, "title": title, "detail": nil}},
	})
}
