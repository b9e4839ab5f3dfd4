package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/unified-connector/ucf/connectors"
)

// offset is a position in a listing that Jira pages by number.
type offset struct {
	start   int64
	total   int64 // how many entries Jira said there are, -1 before the first page
	empties int64 // how many pages were empty in a row although there should be more
}

const (
	// maxEmpties is how many empty pages in a row are taken for a passing fault.
	maxEmpties = 3
	// maxShrinks is how often a listing that loses entries is taken up again further ahead for one page.
	maxShrinks = 5
)

// parseOffset reads a cursor that [offset.cursor] wrote.
func parseOffset(c connectors.Cursor) (offset, error) {
	o := offset{total: -1}
	if c == "" {
		return o, nil
	}
	_, err := fmt.Sscanf(string(c), "%d.%d.%d", &o.start, &o.total, &o.empties)
	if err != nil || o.start < 0 || o.total < -1 || o.empties < 0 || o.cursor() != c {
		return o, connectors.Wrap(connectors.InvalidRequest, err, "the cursor is not one of this listing: start without one")
	}
	return o, nil
}

func (o offset) cursor() connectors.Cursor {
	return connectors.Cursor(fmt.Sprintf("%d.%d.%d", o.start, o.total, o.empties))
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
// disappeared, those not read yet have moved ahead: it then begins as many entries earlier, so that one may come twice
// and none is missed.
func (d *Driver) page(ctx context.Context, l listing, cur connectors.Cursor) ([]json.RawMessage, connectors.Cursor, error) {
	at, err := parseOffset(cur)
	if err != nil {
		return nil, "", err
	}
	size := min(l.limit, maxPage)
	l.query.Set("maxResults", strconv.Itoa(size))
	for range maxShrinks {
		var p offsetPage
		l.query.Set("startAt", strconv.FormatInt(at.start, 10))
		if _, err := d.api.Get(ctx, l.path, l.query, &p); err != nil {
			return nil, "", err
		}
		if fault := at.fault(&p, size); fault != "" {
			return nil, "", d.api.Nonsense(fault)
		}
		if lost := at.lost(&p); lost > 0 {
			at.start, at.total = max(at.start-lost, 0), *p.Total
			continue
		}
		next, err := d.after(at, &p)
		return p.entries(), next, err
	}
	return nil, "", connectors.Errorf(connectors.ProviderError, "Jira's listing changes faster than it can be read: try again later")
}

// fault says what makes a page one that was not asked for.
func (o offset) fault(p *offsetPage, size int) string {
	switch {
	case p.entries() == nil:
		return "a page without entries"
	case len(p.entries()) > size:
		return "more entries than it was asked for"
	case p.StartAt != nil && *p.StartAt != o.start:
		return "another page than the one it was asked for"
	case p.Total == nil && p.IsLast == nil:
		return "a page that does not say whether it is the last"
	}
	return ""
}

// lost returns how many entries have disappeared since the page before.
func (o offset) lost(p *offsetPage) int64 {
	if p.Total == nil || o.total < 0 || o.start == 0 {
		return 0
	}
	return max(o.total-*p.Total, 0)
}

// after returns the cursor behind a page. The listing ends where neither the total nor isLast says that there is more.
func (d *Driver) after(o offset, p *offsetPage) (connectors.Cursor, error) {
	n := int64(len(p.entries()))
	next := offset{start: o.start + n, total: -1}
	more := p.IsLast != nil && !*p.IsLast
	if p.Total != nil {
		next.total = *p.Total
		// Behind the total there is nothing, whatever isLast says.
		more = next.start < *p.Total || more && n > 0
	}
	if !more {
		return "", nil
	}
	if n == 0 {
		if next.empties = o.empties + 1; next.empties > maxEmpties {
			return "", d.api.Nonsense(fmt.Sprintf("%d empty pages in a row where there should be more", next.empties))
		}
	}
	return next.cursor(), nil
}
