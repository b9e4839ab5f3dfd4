package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// space is one space, as version 2 shows it.
type space struct {
	ID          string            `json:"id"`
	Key         string            `json:"key"`
	Name        string            `json:"name"`
	Type        string            `json:"type"`
	Status      string            `json:"status"`
	AuthorID    string            `json:"authorId"`
	OwnerID     string            `json:"spaceOwnerId"`
	Alias       string            `json:"currentActiveAlias,omitempty"`
	CreatedAt   string            `json:"createdAt"`
	HomepageID  string            `json:"homepageId,omitempty"`
	Description map[string]any    `json:"description,omitempty"`
	Icon        map[string]string `json:"icon,omitempty"`
	Links       map[string]string `json:"_links"`
}

// newSpaces are the spaces of a site: the first five of all types and states, the others named after their number.
func newSpaces(o Options, w *world, people []account) []space {
	named := [][4]string{
		{"ENG", "Engineering", "global", "current"},
		{"HR", "Menschen & Kultur", "global", "current"},
		{"KB", "ナレッジベース", "knowledge_base", "current"},
		{"~" + strings.ReplaceAll(people[0].id, ":", ""), people[0].name, "personal", "current"},
		{"OLD", "Old <archive> \"2019\"", "global", "archived"},
	}
	var spaces []space
	for i := range o.Spaces {
		k := [4]string{"S" + strconv.Itoa(i+1), "Space " + strconv.Itoa(i+1), "collaboration", "current"}
		if i < len(named) {
			k = named[i]
		}
		chance := newRNG(w.seed, domainSpace, int64(i))
		created := w.createdFrom + int64(chance.below(int(createdSpan.Milliseconds())))
		id := 65_536 + int64(i)*32 + int64(chance.below(32))
		home := ""
		if i < o.Pages {
			home = strconv.FormatInt(firstContentID+pageAt(int64(i))*contentStride, 10)
		}
		spaces = append(spaces, space{
			ID: strconv.FormatInt(id, 10), Key: k[0], Name: k[1], Type: k[2], Status: k[3], Alias: k[0],
			AuthorID: people[chance.below(len(people))].id, OwnerID: people[0].id, CreatedAt: isoTime(created),
			HomepageID: home,
			Links:      map[string]string{"webui": "/spaces/" + k[0]},
		})
	}
	return spaces
}

func (w *wiki) spaceByID(id string) (int, bool) {
	i := slices.IndexFunc(w.spaces, func(s space) bool { return s.ID == id })
	return i, i >= 0
}

func (w *wiki) spaceByKey(key string) (int, bool) {
	i := slices.IndexFunc(w.spaces, func(s space) bool { return strings.EqualFold(s.Key, key) })
	return i, i >= 0
}

// dressed adds what a client may ask for.
func dressed(s space, query url.Values) space {
	if format := query.Get("description-format"); format != "" {
		s.Description = map[string]any{format: map[string]string{"representation": format, "value": s.Name + ": what is to be known."}}
	}
	if query.Get("include-icon") == "true" {
		s.Icon = map[string]string{"path": "/wiki/aa-avatar/" + s.ID}
		if s.Type == "global" {
			s.Icon["apiDownloadLink"] = "/wiki/rest/api/space/" + s.Key + "/icon"
		}
	}
	return s
}

func checkDescription(query url.Values) error {
	switch query.Get("description-format") {
	case "", "plain", "view":
		return nil
	}
	return refusal("description-format must be plain or view")
}

func (c *confluence) showSpace(w http.ResponseWriter, r *wikiRequest) {
	query := r.URL.Query()
	if err := checkDescription(query); err != nil {
		refuseParameter(w, err)
		return
	}
	i, ok := c.spaceOfPath(w, r)
	if !ok {
		return
	}
	s := dressed(c.wiki.spaces[i], query)
	s.Alias = "" // only a listing tells it
	s.Links = map[string]string{"webui": s.Links["webui"], "base": c.site(r)}
	writeValue(w, http.StatusOK, s)
}

// spaceOfPath answers the request itself when there is no such space.
func (c *confluence) spaceOfPath(w http.ResponseWriter, r *wikiRequest) (int, bool) {
	id := r.PathValue("id")
	if _, err := strconv.ParseUint(id, 10, 63); err != nil {
		writeV2Error(w, http.StatusBadRequest, badParameter, "Provided value {"+id+"} for 'id' is not the correct type. Expected type is long")
		return 0, false
	}
	i, ok := c.wiki.spaceByID(id)
	if !ok || isAnonymous(r.Request) {
		writeMissing(w, "space", id)
		return 0, false
	}
	return i, true
}

func (c *confluence) listSpaces(w http.ResponseWriter, r *wikiRequest) {
	query := r.URL.Query()
	turn, err := c.turn(r)
	if err == nil {
		err = checkDescription(query)
	}
	var found []space
	if err == nil {
		found, err = c.selectSpaces(r, query)
	}
	if err != nil {
		refuseParameter(w, err)
		return
	}
	from := min(int(turn.at.Pos), len(found))
	until := min(from+turn.size, len(found))
	if turn.empty {
		until = from
	}
	results := make([]space, 0, until-from)
	for _, s := range found[from:until] {
		results = append(results, dressed(s, query))
	}
	c.writePage(w, r, turn, results, cursorPlace{Pos: int64(until)}, until < len(found))
}

// selectSpaces returns the spaces that the query asks for, in its order.
func (c *confluence) selectSpaces(r *wikiRequest, query url.Values) ([]space, error) {
	field, descending := strings.CutPrefix(cmp.Or(query.Get("sort"), "id"), "-")
	by := map[string]func(s space) string{
		"id":   func(s space) string { return fmt.Sprintf("%20s", s.ID) },
		"key":  func(s space) string { return s.Key },
		"name": func(s space) string { return s.Name },
	}[field]
	if by == nil {
		return nil, refusal("sort must be id, key or name, or one of them with a hyphen in front")
	}
	if isAnonymous(r.Request) {
		return []space{}, nil
	}
	wanted := func(name, value string) bool {
		set := commaSet(query[name])
		return len(set) == 0 || set[value]
	}
	found := slices.DeleteFunc(slices.Clone(c.wiki.spaces), func(s space) bool {
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
