package sandbox

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of query cursors.
const (
	maxCursors      = 50
	cursorLife      = 48 * time.Hour
	smallestBatch   = 200
	largestBatch    = 2_000
	cursorKeyPrefix = "01g"
)

// cursor is a query under way.
type cursor struct {
	mu     sync.Mutex
	id     string
	plan   *soqlPlan
	size   int64
	total  int64
	made   time.Time
	places []walkPlace // before each batch so far known
}

var errLocator = &dataError{status: http.StatusBadRequest, code: "INVALID_QUERY_LOCATOR", message: "invalid query locator"}

// newCursor runs a query as far as it takes to know the number of results and the first batch.
func newCursor(ctx context.Context, p *soqlPlan, size int64) (*cursor, *dataError) {
	if err := p.prepare(ctx); err != nil {
		return nil, err
	}
	c := &cursor{plan: p, size: size}
	if p.by == unordered {
		c.total = int64(len(p.list))
		return c, nil
	}
	wanted := int64(-1) // results that have to be seen; negative for all
	switch {
	case p.exact:
		c.total, wanted = p.bounded(p.count()), p.offset
	case p.limit >= 0:
		wanted = p.offset + p.limit
	}
	seen := int64(0)
	if p.offset == 0 {
		c.places = append(c.places, walkPlace{})
	}
	if wanted == 0 {
		return c, nil
	}
	err := p.walk(ctx, walkPlace{}, func(_ int64, behind walkPlace) bool {
		seen++
		if seen >= p.offset && (seen-p.offset)%size == 0 {
			c.places = append(c.places, behind)
		}
		return wanted < 0 || seen < wanted
	})
	if !p.exact {
		c.total = p.bounded(seen)
	}
	return c, err
}

// batch returns the rows of the n-th batch. Only the batches up to the one after the last asked for are known.
func (c *cursor) batch(ctx context.Context, n int64) ([]int64, *dataError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from, until := n*c.size, min((n+1)*c.size, c.total)
	if from >= until {
		return nil, nil
	}
	if c.plan.by == unordered {
		return c.plan.list[from:until], nil
	}
	if n >= int64(len(c.places)) {
		return nil, errLocator
	}
	rows := make([]int64, 0, until-from)
	err := c.plan.walk(ctx, c.places[n], func(row int64, behind walkPlace) bool {
		rows = append(rows, row)
		if int64(len(rows)) == c.size && n+1 == int64(len(c.places)) {
			c.places = append(c.places, behind)
		}
		return int64(len(rows)) < until-from
	})
	return rows, err
}

// locator names the n-th batch.
func (c *cursor) locator(n int64) string { return c.id + "-" + strconv.FormatInt(n*c.size, 10) }

// cursors are the queries under way; the oldest is given up for a new one when there are too many.
type cursors struct {
	mu    sync.Mutex
	made  int64
	order []string
	known map[string]*cursor
}

// keep makes a cursor known by an id.
func (cs *cursors) keep(c *cursor, pod string, now time.Time) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.made++
	c.id, c.made = recordID(cursorKeyPrefix+pod, cs.made), now
	if cs.known == nil {
		cs.known = map[string]*cursor{}
	}
	cs.known[c.id] = c
	cs.order = append(cs.order, c.id)
	if len(cs.order) > maxCursors {
		delete(cs.known, cs.order[0])
		cs.order = cs.order[1:]
	}
}

// open returns the cursor and the number of the batch that a locator names.
func (cs *cursors) open(locator string, now time.Time) (*cursor, int64, bool) {
	id, offset, _ := strings.Cut(locator, "-")
	n, err := strconv.ParseInt(offset, 10, 64)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c, ok := cs.known[id]
	if !ok || err != nil || n < 0 || n%c.size != 0 || n >= c.total || now.Sub(c.made) > cursorLife {
		return nil, 0, false
	}
	return c, n / c.size, true
}

// forget ends all cursors, as if their time were over.
func (cs *cursors) forget() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.order, cs.known = nil, nil
}
