package sandbox

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// contentOrder is how contents are sorted: id, created-date, modified-date or title.
type contentOrder struct {
	by         string
	descending bool
}

func orderOf(sort string) contentOrder {
	by, descending := strings.CutPrefix(cmp.Or(sort, "id"), "-")
	return contentOrder{by, descending}
}

func (w *wiki) compare(o contentOrder, a, b content) int {
	if o.descending {
		a, b = b, a
	}
	switch o.by {
	case "modified-date":
		return cmp.Or(cmp.Compare(a.modified, b.modified), cmp.Compare(a.n, b.n))
	case "title":
		return cmp.Or(strings.Compare(a.title, b.title), cmp.Compare(a.n, b.n))
	default: // what is created later has the higher number
		return cmp.Compare(a.n, b.n)
	}
}

// contentFilter chooses what a listing has.
type contentFilter struct {
	kind   string
	status map[string]bool
	spaces map[int]bool // nil for all
	ids    map[int64]bool
	title  string
	root   bool
	where  prospects            // nil for everywhere
	more   func(c content) bool // nil accepts all
}

func (f *contentFilter) acceptsShape(s shape) bool {
	return (f.kind == "" || s.kind == f.kind) && f.status[s.status] && (f.spaces == nil || f.spaces[s.space]) &&
		(f.where == nil || f.where[s.kind][s.space])
}

func (f *contentFilter) accepts(w *wiki, c content) bool {
	return f.acceptsShape(c.shape) && (f.ids == nil || f.ids[w.id(c.n)]) && (f.title == "" || f.title == c.title) &&
		(!f.root || c.parent < 0) && (f.more == nil || f.more(c))
}

// list is the feed of the contents that a filter accepts.
func (w *wiki) list(f *contentFilter, o contentOrder) *feed[content] {
	changed := w.changes.contents()
	one := &feed[content]{total: w.contents, descending: o.descending, compare: func(a, b content) int { return w.compare(o, a, b) }}
	one.at = func(pos int64) (content, bool) {
		n := w.placed(o, pos)
		if isChanged(changed, n) || !f.acceptsShape(w.shapeOf(n)) {
			return content{}, false
		}
		c := w.base(n)
		return c, f.accepts(w, c)
	}
	for _, c := range changed {
		if f.accepts(w, c) {
			one.extra = append(one.extra, c)
		}
	}
	if f.ids != nil { // a few that are named need no walk through all
		one.total = 0
		for id := range f.ids {
			if c, ok := w.byID(id); ok && f.accepts(w, c) && !isChanged(changed, c.n) {
				one.extra = append(one.extra, c)
			}
		}
	}
	slices.SortFunc(one.extra, one.compare)
	return one
}

// placed is the number of the content at a place in an order.
func (w *wiki) placed(o contentOrder, pos int64) int64 {
	switch o.by {
	case "modified-date":
		return w.ranked(pos)
	case "title":
		return w.titled(pos)
	}
	return pos
}

func isChanged(changed map[int64]content, n int64) bool {
	_, is := changed[n]
	return is
}

// children are the pages right below one, in their order there.
func (w *wiki) children(parent content) []content {
	changed := w.changes.contents()
	var below []content
	row := w.row(parent.n)
	if parent.n < w.contents && parent.kind == kindPage {
		for i := range int64(treeWidth) {
			n := pageAt((row*treeWidth+1+i)*int64(len(w.spaces)) + int64(w.shapeOf(parent.n).space))
			if n < w.contents && !isChanged(changed, n) {
				below = append(below, w.base(n))
			}
		}
	}
	for _, c := range changed {
		if c.parent == parent.n {
			below = append(below, c)
		}
	}
	below = slices.DeleteFunc(below, func(c content) bool { return c.status != statusCurrent && c.status != statusArchived })
	slices.SortFunc(below, func(a, b content) int { return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.n, b.n)) })
	return below
}

// count walks through all that a filter accepts.
func (w *wiki) count(ctx context.Context, f *contentFilter) int64 {
	return w.list(f, contentOrder{by: "id"}).size(ctx)
}
