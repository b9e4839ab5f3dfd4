package sandbox

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// sortKey is a field that results can be ordered by. All but updated order strictly.
type sortKey byte

const (
	sortByID sortKey = iota // created is the same order
	sortByKey
	sortByUpdated
)

// ordering is how results are ordered.
type ordering struct {
	by             sortKey
	descending     bool
	tieByKey       bool // among equal update times: by key, not by id
	tiesDescending bool
}

// orderingOf reads ORDER BY. Without one the newest issue comes first.
func orderingOf(order []jqlSort) (ordering, error) {
	if len(order) == 0 {
		return ordering{by: sortByID, descending: true}, nil
	}
	var o ordering
	decided := false
	for i, by := range order {
		key, err := sortKeyOf(by)
		switch {
		case err != nil:
			return o, err
		case i == 0:
			o.by, o.descending = key, by.descending
			decided = key != sortByUpdated
		case !decided && key != sortByUpdated:
			o.tieByKey, o.tiesDescending = key == sortByKey, by.descending
			decided = true
		}
	}
	return o, nil
}

func sortKeyOf(by jqlSort) (sortKey, error) {
	switch field := canonicalField(by.field); field {
	case "id", "created":
		return sortByID, nil
	case "key":
		return sortByKey, nil
	case "updated":
		return sortByUpdated, nil
	}
	return 0, refusef("Not able to sort using field '%s'.", by.written)
}

// compare is the order itself. The arithmetic of plan gives the same without looking at more than a page.
func (o ordering) compare(w *world, a, b issueRef) int {
	if o.by == sortByUpdated && w.updated(a) == w.updated(b) {
		tie := ordering{by: sortByID, descending: o.tiesDescending}
		if o.tieByKey {
			tie.by = sortByKey
		}
		return tie.compare(w, a, b)
	}
	if o.descending {
		a, b = b, a
	}
	switch o.by {
	case sortByUpdated:
		return cmp.Compare(w.updated(a), w.updated(b))
	case sortByKey:
		return cmp.Or(strings.Compare(w.keys[a.project], w.keys[b.project]), cmp.Compare(a.row, b.row))
	default:
		return cmp.Compare(w.index(a), w.index(b))
	}
}

// plan is how one query is answered: the positions [from, until) of an order that is known by arithmetic, minus what
// the filter refuses. Position 0 is the lowest in ascending order; a descending plan walks down.
type plan struct {
	world       *world
	projects    []int // ascending
	byKey       []int // the same in the order of their keys
	order       ordering
	picks       []issueRef // the candidates in order when the query names them; nil when it does not
	from, until int64
	filter      predicate // nil accepts all
}

// total is the number of issues in the plan's projects.
func (pl *plan) total() int64 {
	n := int64(0)
	for _, project := range pl.projects {
		n += pl.world.count(project)
	}
	return n
}

// at returns the issue at a position.
func (pl *plan) at(n int64) issueRef {
	if pl.picks != nil {
		return pl.picks[n]
	}
	m := int64(len(pl.projects))
	switch pl.order.by {
	case sortByKey:
		return pl.keyed(0, pl.world.rows+1, n)
	case sortByUpdated:
		return pl.atUpdate(n, m)
	}
	return issueRef{project: pl.projects[n%m], row: n / m}
}

// atUpdate finds the n-th update. Inside a run that shares one time, the second sort field decides.
func (pl *plan) atUpdate(n, m int64) issueRef {
	from, until := tie(n / m)
	if until-from == 1 {
		return issueRef{project: pl.projects[n%m], row: pl.world.rowAt(n / m)}
	}
	low, high := from*m, min(until*m, pl.world.rows*m+pl.extra())
	if pl.order.tiesDescending != pl.order.descending {
		n = low + high - 1 - n
	}
	ref := issueRef{project: pl.projects[n%m], row: n / m}
	if pl.order.tieByKey {
		ref = pl.keyed(from, until, n-low)
	}
	ref.row = pl.world.rowAt(ref.row)
	return ref
}

// extra is the number of the plan's projects that have one issue more than the others; they come first.
func (pl *plan) extra() int64 {
	longer := int(pl.world.issues % int64(pl.world.projects()))
	n, _ := slices.BinarySearch(pl.projects, longer)
	return int64(n)
}

// keyed returns the n-th of the rows [from, until) of each project, one project after the other.
func (pl *plan) keyed(from, until, n int64) issueRef {
	for _, project := range pl.byKey {
		size := max(0, min(until, pl.world.count(project))-from)
		if n < size {
			return issueRef{project: project, row: from + n}
		}
		n -= size
	}
	panic("sandbox: position outside the plan")
}

// narrow keeps the positions whose value, which never falls as the position grows, lies in the interval.
func (pl *plan) narrow(accepted interval, value func(issueRef) int64) {
	total := pl.total()
	at := func(n int64) int64 { return value(pl.at(n)) }
	pl.from = max(pl.from, firstAtLeast(total, accepted.from, at))
	pl.until = min(pl.until, firstAtLeast(total, accepted.until, at))
}

// scanBudget bounds the issues that one page looks at. A filter that refuses them all gives an empty page and a
// token, which the real search does as well.
const scanBudget = 20_000

// start is the position of the first result.
func (pl *plan) start() int64 {
	if pl.order.descending && pl.picks == nil {
		return pl.until - 1
	}
	return pl.from
}

// page returns up to size issues from position n on, the position after them, and whether that is still inside.
func (pl *plan) page(ctx context.Context, p *pen, n int64, size int) (found []issueRef, next int64, more bool) {
	step := int64(1)
	if pl.order.descending && pl.picks == nil {
		step = -1
	}
	inside := func(n int64) bool { return n >= pl.from && n < pl.until }
	for looked := 0; inside(n) && len(found) < size && looked < scanBudget; looked++ {
		if looked%1024 == 1023 && ctx.Err() != nil {
			break
		}
		ref := pl.at(n)
		n += step
		if pl.filter == nil || pl.filter(p, ref) {
			found = append(found, ref)
		}
	}
	return found, n, inside(n)
}
