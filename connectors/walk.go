package connectors

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// walk lists the items of all containers, one container after the other, for drivers that list those of one at a time.
// A container that cannot be read becomes a [Gap] and does not end the listing.
type walk struct {
	containers ContainerLister
	items      ItemLister
	now        func() time.Time

	// The last page of containers serves the pages of items that follow within a minute.
	mu   sync.Mutex
	from Cursor
	page Page[Container]
	at   time.Time
}

// stand is where a walk is: its cursor.
type stand struct {
	Containers []byte `json:"c,omitempty"` // the cursor of the page of containers, which need not be UTF-8
	Container  string `json:"k,omitempty"` // the container whose items come next, the page's first if empty
	Before     string `json:"p,omitempty"` // the one before it in the page, should it have vanished
	Items      []byte `json:"t,omitempty"` // the cursor of its page of items
	Failed     int    `json:"f,omitempty"` // how many containers in a row the system failed to give
}

const (
	// keepContainers is how long a page of containers is not asked for again.
	keepContainers = time.Minute
	// maxQuiet is how many containers without items one page goes past.
	maxQuiet = 20
	// maxFailed is how many containers in a row may fail before the system itself is taken to be down.
	maxFailed = 3
)

// list returns one page of items at the cursor.
func (w *walk) list(ctx context.Context, q ItemQuery) (Page[Item], error) {
	var at stand
	var out Page[Item]
	if q.Cursor != "" {
		if err := json.Unmarshal([]byte(q.Cursor), &at); err != nil {
			return out, Wrap(InvalidRequest, err, "the cursor is not one of this listing: start without one")
		}
	}
	for range maxQuiet {
		more, err := w.step(ctx, q, &at, &out)
		if err != nil {
			return Page[Item]{}, err
		}
		if !more {
			return out, nil
		}
		if len(out.Items) > 0 {
			break
		}
	}
	next, err := json.Marshal(at)
	out.Next = Cursor(next)
	return out, err
}

// step adds one page of one container to out, moves on, and reports whether anything may follow.
func (w *walk) step(ctx context.Context, q ItemQuery, at *stand, out *Page[Item]) (more bool, err error) {
	list, err := w.containersAt(ctx, Cursor(at.Containers))
	if err != nil {
		return false, err
	}
	if at.Container == "" {
		out.Incomplete = append(out.Incomplete, list.Incomplete...)
	}
	i := at.find(list.Items, out)
	if i >= len(list.Items) {
		return at.turn(list), nil
	}
	q.ContainerID, q.Cursor = list.Items[i].ID, Cursor(at.Items)
	page, err := w.items.ListItems(ctx, q)
	switch {
	case err == nil:
		at.Failed = 0
		out.Items = page.Items
		for _, gap := range page.Incomplete {
			if gap.ContainerID == "" {
				gap.ContainerID = q.ContainerID
			}
			out.Incomplete = append(out.Incomplete, gap)
		}
	case !w.passes(ctx, err, at):
		return false, err
	default:
		out.Incomplete = append(out.Incomplete, gapOf(q.ContainerID, err))
	}
	if page.Next != "" {
		at.Items = []byte(page.Next)
		at.at(list.Items, i)
		return true, nil
	}
	return at.advance(list, i+1), nil
}

// find returns the place of the container that comes next. Where that one vanished it is the one behind its predecessor, and
// the page's first where that vanished too: a container that is read twice is better than one that is never read.
func (s *stand) find(list []Container, out *Page[Item]) int {
	place := func(id string) int {
		return slices.IndexFunc(list, func(c Container) bool { return c.ID == id })
	}
	if s.Container == "" {
		return 0
	}
	if i := place(s.Container); i >= 0 {
		return i
	}
	if len(s.Items) > 0 {
		out.Incomplete = append(out.Incomplete, Gap{s.Container, NotFound, "it vanished while it was read"})
	}
	s.Items = nil
	if s.Before == "" {
		return 0
	}
	return place(s.Before) + 1
}

// at moves to the container at a place of the page.
func (s *stand) at(list []Container, i int) {
	s.Container, s.Before = list[i].ID, ""
	if i > 0 {
		s.Before = list[i-1].ID
	}
}

// advance moves to the container at a place of the page and reports whether anything may follow.
func (s *stand) advance(list Page[Container], i int) bool {
	s.Items = nil
	if i >= len(list.Items) {
		return s.turn(list)
	}
	s.at(list.Items, i)
	return true
}

// turn moves to the next page of containers, if there is one.
func (s *stand) turn(list Page[Container]) bool {
	*s = stand{Containers: []byte(list.Next), Failed: s.Failed}
	return list.Next != ""
}

func (w *walk) containersAt(ctx context.Context, cur Cursor) (Page[Container], error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if age := w.now().Sub(w.at); !w.at.IsZero() && w.from == cur && age >= 0 && age < keepContainers {
		return w.page, nil
	}
	page, err := w.containers.ListContainers(ctx, ContainerQuery{Cursor: cur, Limit: MaxLimit})
	if err != nil {
		return page, err
	}
	if len(page.Items) == 0 && page.Next == cur && cur != "" {
		return page, Errorf(ProviderError, "the containers cannot be listed to their end: the same page came twice")
	}
	w.from, w.page, w.at = cur, page, w.now()
	return page, nil
}

// passes reports whether a listing of all containers goes on past one that failed like that: one that may not or
// cannot be read, but not a credential that is refused, a limit that is used up, or a system that is down.
func (w *walk) passes(ctx context.Context, err error, at *stand) bool {
	if ctx.Err() != nil {
		return false
	}
	if MayBeDown(err) {
		at.Failed++
		return at.Failed < maxFailed
	}
	if !Passable(err) {
		return false
	}
	at.Failed = 0 // the system answers
	return true
}

func gapOf(containerID string, err error) Gap {
	e := AsError(err)
	return Gap{ContainerID: containerID, Code: e.Code, Reason: e.Message}
}

// estimate returns the cost of a walk over all containers.
func (w *walk) estimate(ctx context.Context, e Estimator, q ItemQuery) (Estimate, error) {
	total := Estimate{Exact: true}
	for cur := Cursor(""); ; {
		list, err := w.containersAt(ctx, cur)
		if err != nil {
			return total, err
		}
		total.Requests = total.plus(Estimate{Requests: 1}).Requests
		for _, k := range list.Items {
			q.ContainerID = k.ID
			one, err := e.EstimateItems(ctx, q)
			switch {
			case err == nil:
				total = total.plus(one)
			case !w.passes(ctx, err, &stand{}):
				return total, err
			default:
				total.Exact = false
			}
		}
		if cur = list.Next; cur == "" {
			return total, nil
		}
	}
}
