package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Sizes of a page of version 2.
const (
	wikiPerPage = 25
	wikiPageCap = 250
)

// cursorPlace is what a cursor carries: the position in the base of a feed, and the last thing of the page before.
type cursorPlace struct {
	Pos   int64  `json:"p"`
	Last  bool   `json:"l,omitempty"` // whether there is one
	ID    int64  `json:"i,omitempty"` // its number or id
	Time  int64  `json:"t,omitempty"` // when it was made or modified, whichever the order is by
	Title string `json:"s,omitempty"`
	Hop   int    `json:"h,omitempty"` // makes the cursors of one place differ, as after an empty page
}

// turn is a request for a page.
type turn struct {
	size   int
	asked  string // the query without limit and cursor, to which a cursor belongs
	cursor string
	first  bool
	at     cursorPlace
	empty  bool // a fault: the page has nothing
	repeat bool // a fault: the page names its own cursor as the next
}

// turn reads limit and cursor. An error is a refusal.
func (c *confluence) turn(r *wikiRequest) (turn, error) {
	query := r.URL.Query()
	size, err := intParam(query, "limit", wikiPerPage)
	if err != nil || size < 1 || size > wikiPageCap {
		return turn{}, refusal("limit must be 1 to 250")
	}
	t := turn{size: size, cursor: query.Get("cursor")}
	t.first = t.cursor == ""
	query.Del("limit")
	query.Del("cursor")
	t.asked = r.URL.Path[strings.Index(r.URL.Path, "/wiki/"):] + "?" + query.Encode()
	if !t.first {
		b, ok := c.pages.openBytes(t.cursor, t.asked, c.now())
		if !ok || json.Unmarshal(b, &t.at) != nil || c.faults.hits(faultExpireToken, r.Request) {
			return turn{}, refusal("cursor is not valid")
		}
	}
	t.empty = c.faults.hits(faultEmptyPage, r.Request)
	t.repeat = !t.empty && c.faults.hits(faultRepeatToken, r.Request)
	return t, nil
}

func (c *confluence) seal(t turn, at cursorPlace) string {
	b, _ := json.Marshal(at) // of numbers and a string: it does not fail
	return c.pages.sealBytes(b, t.asked, c.now())
}

// writePage answers with one page. The address of the next is in the body and in the Link header, relative to the
// site's host, also behind the gateway.
func (c *confluence) writePage(w http.ResponseWriter, r *wikiRequest, t turn, results any, next cursorPlace, more bool) {
	base := c.site(r)
	links := map[string]string{"base": base}
	header := "<" + base + `>; rel="base"`
	cursor := ""
	switch {
	case t.empty:
		again := t.at
		again.Hop++
		cursor = c.seal(t, again)
	case t.repeat && !t.first:
		cursor = t.cursor
	case t.repeat:
		cursor = c.seal(t, t.at)
	case more:
		cursor = c.seal(t, next)
	}
	if cursor != "" {
		links["next"] = nextLink(r.URL, t.size, cursor)
		header = "<" + links["next"] + `>; rel="next", ` + header
	}
	w.Header().Add("Link", header)
	writeValue(w, http.StatusOK, map[string]any{"results": results, "_links": links})
}

func nextLink(u *url.URL, size int, cursor string) string {
	query := u.Query()
	query.Set("limit", strconv.Itoa(size))
	query.Set("cursor", cursor)
	return u.Path[strings.Index(u.Path, "/wiki/"):] + "?" + query.Encode()
}

// oneOf checks a parameter that takes few values; the empty one is always good.
func oneOf(query url.Values, name string, values ...string) (string, error) {
	value := query.Get(name)
	if value != "" && !slices.Contains(values, value) {
		return "", refusef("%s must be one of %s, not %q", name, strings.Join(values, ", "), value)
	}
	return value, nil
}

// idSet reads ids that may be repeated or comma-separated; nil without any.
func idSet(query url.Values, name string, most int) (map[int64]bool, error) {
	var set map[int64]bool
	for _, text := range commaList(query[name]) {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, refusef("Provided value {%s} for '%s' is not the correct type. Expected type is long", text, name)
		}
		if set == nil {
			set = map[int64]bool{}
		}
		set[id] = true
	}
	if len(set) > most {
		return nil, refusef("%s takes at most %d values", name, most)
	}
	return set, nil
}
