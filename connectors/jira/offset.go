package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// offset is a position in a listing that Jira pages by number.
type offset struct {
	start   int64
	empties int64 // how many pages were empty in a row although there should be more
	// anchors are the ids of the last entries, none on the first page. A page begins with the last of them, which shows
	// that nothing moved: an entry that went and one that came leave the total as it was.
	anchors []string
}

const (
	// maxEmpties is how many empty pages in a row are taken for a passing fault.
	maxEmpties = 3
	// maxShrinks is how many pages a listing goes back where its last entries are not in their place.
	maxShrinks = 5
	// maxAnchored is how many of the last entries a cursor keeps: any of them may be gone by the next page.
	maxAnchored = 4
)

// parseOffset reads a cursor that [offset.cursor] wrote.
func parseOffset(c connectors.Cursor) (offset, error) {
	var o offset
	if c == "" {
		return o, nil
	}
	place, anchors, _ := strings.Cut(string(c), "/")
	if anchors != "" {
		o.anchors = strings.Split(anchors, ",")
	}
	_, err := fmt.Sscanf(place, "%d.%d", &o.start, &o.empties)
	if odd := func(id string) bool { return !isName(id) }; err != nil || o.start < 0 || o.empties < 0 || o.cursor() != c || slices.ContainsFunc(o.anchors, odd) {
		return o, connectors.Wrap(connectors.InvalidRequest, err, "the cursor is not one of this listing: start without one")
	}
	return o, nil
}

func (o offset) cursor() connectors.Cursor {
	return connectors.Cursor(fmt.Sprintf("%d.%d/%s", o.start, o.empties, strings.Join(o.anchors, ",")))
}

// offsetPage is one page of such a listing.
type offsetPage struct {
	StartAt  *int64            `json:"startAt"`
	Total    *int64            `json:"total"`
	IsLast   *bool             `json:"isLast"`
	Values   []json.RawMessage `json:"values"`
	Comments []json.RawMessage `json:"comments"`
}

func (p *offsetPage) entries() []json.RawMessage {
	if p.Values != nil {
		return p.Values
	}
	return p.Comments
}

// listing is a listing that Jira pages by number.
type listing struct {
	path  string
	query url.Values
	limit int
}

// page returns the entries at the cursor and the cursor of those that follow. When entries that were already read have
// disappeared, those not read yet have moved ahead: it then goes back to where the last ones are, so that one may come
// twice and none is missed.
func (d *Driver) page(ctx context.Context, l listing, cur connectors.Cursor) ([]json.RawMessage, connectors.Cursor, error) {
	at, err := parseOffset(cur)
	if err != nil {
		return nil, "", err
	}
	for back := 1; ; back++ {
		from, size := at.start, min(l.limit, maxPage)
		if len(at.anchors) > 0 && from > 0 {
			from, size = from-1, min(size+1, maxPage)
		}
		p, ids, err := d.offsetPage(ctx, l, from, size)
		if err != nil {
			return nil, "", err
		}
		if len(ids) == 0 && p.goesOn(from) {
			return nil, at.again(), at.tooEmpty(d)
		}
		listed, found := at.behind(ids)
		if !found && from > 0 {
			if at.start = max(from-int64(size), 0); back == maxShrinks {
				at.start = 0 // too much is gone to be looked for: what comes twice is better than what never comes
			}
			continue
		}
		until := min(len(ids), listed+l.limit)
		return p.entries()[listed:until], at.after(from, listed, &p, ids[:until]), nil
	}
}

// offsetPage asks for one page and returns the ids of its entries too.
func (d *Driver) offsetPage(ctx context.Context, l listing, from int64, size int) (p offsetPage, ids []string, err error) {
	l.query.Set("startAt", strconv.FormatInt(from, 10))
	l.query.Set("maxResults", strconv.Itoa(size))
	if _, err := d.api.Get(ctx, l.path, l.query, &p); err != nil {
		return p, nil, err
	}
	if fault := p.fault(from, size); fault != "" {
		return p, nil, d.api.Nonsense(fault)
	}
	for _, raw := range p.entries() {
		var e struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return p, nil, d.api.Nonsense("an entry of another shape than its API promises")
		}
		ids = append(ids, e.ID)
	}
	return p, ids, nil
}

// behind returns how many entries of a page were listed already, and whether one of the last is there at all. What stands in
// front of it may be new.
func (o offset) behind(ids []string) (listed int, found bool) {
	if len(o.anchors) == 0 {
		return 0, true
	}
	i := slices.IndexFunc(ids, func(id string) bool { return slices.Contains(o.anchors, id) })
	if i > 0 {
		return 0, true
	}
	return i + 1, i == 0
}

// fault says what makes a page one that was not asked for.
func (p *offsetPage) fault(from int64, size int) string {
	switch {
	case p.entries() == nil:
		return "a page without entries"
	case len(p.entries()) > size:
		return "more entries than it was asked for"
	case p.StartAt != nil && *p.StartAt != from:
		return "another page than the one it was asked for"
	case p.Total == nil && p.IsLast == nil:
		return "a page that does not say whether it is the last"
	}
	return ""
}

// after returns the cursor behind a page that began at a place with so many entries that were listed already. The listing
// ends where neither the total nor isLast says that there is more.
func (o offset) after(from int64, listed int, p *offsetPage, ids []string) connectors.Cursor {
	next := offset{start: from + int64(len(ids)), anchors: o.anchors}
	n := len(ids) - listed
	if n > 0 {
		next.anchors = slices.DeleteFunc(slices.Clone(ids[max(0, len(ids)-maxAnchored):]), func(id string) bool { return !isName(id) })
	}
	more := p.IsLast != nil && !*p.IsLast
	if p.Total != nil {
		// Behind the total there is nothing, whatever isLast says.
		more = next.start < *p.Total || more && n > 0
	}
	if !more {
		return ""
	}
	return next.cursor()
}

// goesOn reports whether there is more behind a place, as far as the page tells.
func (p *offsetPage) goesOn(from int64) bool {
	if p.Total != nil {
		return from < *p.Total
	}
	return p.IsLast != nil && !*p.IsLast
}

// again returns the cursor for another try at the same place.
func (o offset) again() connectors.Cursor {
	o.empties++
	return o.cursor()
}

func (o offset) tooEmpty(d *Driver) error {
	if o.empties < maxEmpties {
		return nil
	}
	return d.api.Nonsense(fmt.Sprintf("%d empty pages in a row where there should be more", o.empties+1))
}
