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
	return o.compareAt(w, timed{a, w.updated(a)}, timed{b, w.updated(b)})
}

// timed is an issue and when it was updated.
type timed struct {
	ref     issueRef
	updated int64
}

func (o ordering) compareAt(w *world, a, b timed) int {
	if o.by == sortByUpdated && a.updated == b.updated {
		tie := ordering{by: sortByID, descending: o.tiesDescending}
		if o.tieByKey {
			tie.by = sortByKey
		}
		return tie.compareAt(w, a, b)
	}
	if o.descending {
		a, b = b, a
	}
	switch o.by {
	case sortByUpdated:
		return cmp.Compare(a.updated, b.updated)
	case sortByKey:
		return cmp.Or(
			strings.Compare(w.keys[w.projectOf(a.ref)], w.keys[w.projectOf(b.ref)]), cmp.Compare(w.rowOf(a.ref), w.rowOf(b.ref)))
	default:
		return cmp.Compare(w.index(a.ref), w.index(b.ref))
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
	whole       predicate // the query, for issues that were changed; nil refuses them all
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

// planPlace is how far a plan came: a position, and the issue that was given last.
type planPlace struct {
	position int64
	given    bool
	last     timed
}

// start is the place of the first result.
func (pl *plan) start() planPlace {
	if pl.step() < 0 {
		return planPlace{position: pl.until - 1}
	}
	return planPlace{position: pl.from}
}

// changed are the issues that were changed since the start and come after a place, in order. The positions leave them
// out.
func (pl *plan) changed(p *pen, at planPlace, states map[int64]issueState) []timed {
	if pl.picks != nil || pl.whole == nil {
		return nil
	}
	var list []timed
	for _, s := range states {
		one := timed{s.ref, s.updated}
		if s.hidden() || !pl.whole(p, s.ref) || (at.given && pl.order.compareAt(pl.world, one, at.last) <= 0) {
			continue
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b timed) int { return pl.order.compareAt(pl.world, a, b) })
	return list
}

// next moves the place to the next issue that the positions have, and reports whether there is one. It looks at no
// more than the budget allows.
func (pl *plan) next(ctx context.Context, p *pen, at *planPlace, states map[int64]issueState, budget *int) (issueRef, bool) {
	for ; pl.inside(at.position) && *budget > 0; at.position += pl.step() {
		*budget--
		if *budget%1024 == 0 && ctx.Err() != nil {
			*budget = 0
			break
		}
		ref := pl.at(at.position)
		if _, is := states[pl.world.index(ref)]; is && pl.picks == nil {
			continue
		}
		if pl.filter == nil || pl.filter(p, ref) {
			return ref, true
		}
	}
	return issueRef{}, false
}

// step is the way to the next position.
func (pl *plan) step() int64 {
	if pl.order.descending && pl.picks == nil {
		return -1
	}
	return 1
}

func (pl *plan) inside(position int64) bool { return position >= pl.from && position < pl.until }

// page returns up to size issues from a place on, the place after them, and whether there may be more.
func (pl *plan) page(ctx context.Context, p *pen, at planPlace, size int) (found []issueRef, next planPlace, more bool) {
	states, budget := pl.world.changes.states(), scanBudget
	changed := pl.changed(p, at, states)
	for len(found) < size {
		ref, ok := pl.next(ctx, p, &at, states, &budget)
		if !ok && (pl.inside(at.position) || len(changed) == 0) {
			break // the budget is spent, or all is given
		}
		one := timed{ref, pl.world.updated(ref)}
		if len(changed) > 0 && (!ok || pl.order.compareAt(pl.world, changed[0], one) < 0) {
			one, changed = changed[0], changed[1:]
		} else {
			at.position += pl.step()
		}
		found = append(found, one.ref)
		at.given, at.last = true, one
	}
	return found, at, pl.inside(at.position) || len(changed) > 0
}
