package sandbox

import (
	"context"
	"net/http"
	"slices"
)

// Bounds of the work for one query.
const (
	maxWalked = 50_000_000 // records looked at
	maxSorted = 100_000    // records brought into an order that is not known by arithmetic
)

// walkPlace is how far a walk through the results has come.
type walkPlace struct {
	base  int64 // positions behind it
	extra int   // changed records behind it
}

var (
	errTooLong = &dataError{
		status: http.StatusBadRequest, code: "QUERY_TIMEOUT", message: "Your query request was running for too long.",
	}
	errTooLarge = &dataError{
		status: http.StatusBadRequest, code: "OPERATION_TOO_LARGE", message: "more than 100000 records to sort: order by SystemModstamp, CreatedDate or Id, or set a LIMIT",
	}
)

// accepts reports whether a record is among the results.
func (p *soqlPlan) accepts(v *view) bool {
	return (p.all || !v.deleted()) && (p.object.shows == nil || p.object.shows(v)) && (p.match == nil || p.match(v))
}

// prepare finds the changed records among the results, or the whole of a list.
func (p *soqlPlan) prepare(ctx context.Context) *dataError {
	if p.by == unordered {
		return p.makeList(ctx)
	}
	var entries []entry
	for _, row := range p.snap.rows(p.object.table) {
		v := p.org.look(p.snap, p.object, row)
		if p.accepts(&v) {
			entries = append(entries, p.entry(&v))
		}
	}
	slices.SortFunc(entries, p.compare)
	for _, e := range entries {
		p.extra = append(p.extra, e.row)
	}
	return nil
}

// makeList finds and orders all results. With a limit only the first are kept.
func (p *soqlPlan) makeList(ctx context.Context) *dataError {
	f := &foremost{plan: p, most: maxSorted}
	if p.limit >= 0 {
		f.most = min(f.most, int(p.offset+p.limit))
	}
	err := p.candidates(ctx, func(v *view) *dataError {
		if !p.accepts(v) {
			return nil
		}
		if f.add(p.entry(v)); f.dropped && p.limit < 0 {
			return errTooLarge
		}
		return nil
	})
	f.cut()
	if err == nil && f.dropped && p.limit < 0 {
		err = errTooLarge
	}
	if err != nil {
		return err
	}
	for _, e := range f.entries[min(int(p.offset), len(f.entries)):] {
		p.list = append(p.list, e.row)
	}
	return nil
}

// foremost keeps the first entries of an order, at most that many, and a few more between cuts.
type foremost struct {
	plan    *soqlPlan
	most    int
	entries []entry
	worst   *entry // as many as are kept are not behind it
	dropped bool   // there were more
}

func (f *foremost) add(e entry) {
	if f.worst != nil && f.plan.compare(e, *f.worst) > 0 {
		f.dropped = true
		return
	}
	f.entries = append(f.entries, e)
	if len(f.entries) > 2*f.most+1_000 {
		f.cut()
	}
}

func (f *foremost) cut() {
	slices.SortFunc(f.entries, f.plan.compare)
	if len(f.entries) > f.most {
		f.entries, f.dropped = f.entries[:f.most], true
	}
	if n := len(f.entries); n > 0 && n == f.most {
		last := f.entries[n-1]
		f.worst = &last
	}
}

// candidates shows all records of which results may be.
func (p *soqlPlan) candidates(ctx context.Context, show func(v *view) *dataError) *dataError {
	t := p.object.table
	rows, each := p.picks, int64(len(p.picks))
	if !p.picked {
		rows, each = p.snap.rows(t), t.rows
	}
	v := p.org.look(p.snap, p.object, 0)
	at := func(row int64) *dataError {
		v.row, v.changed = row, p.snap.change(t, row)
		return show(&v)
	}
	for n := range each {
		row := n
		if p.picked {
			row = rows[n]
		}
		if n%1024 == 1023 && ctx.Err() != nil {
			return errTooLong
		}
		if err := at(row); err != nil {
			return err
		}
	}
	if p.picked {
		return nil
	}
	for _, row := range rows {
		if row >= t.rows {
			if err := at(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// rowAt returns the row behind that many positions.
func (p *soqlPlan) rowAt(n int64) int64 {
	position := p.from + n
	if p.descending {
		position = p.until - 1 - n
	}
	if p.by == byStamp {
		return p.object.table.rowAt(position)
	}
	return position
}

// walk shows the results from a place on until show returns false; the place is that behind the record.
func (p *soqlPlan) walk(ctx context.Context, at walkPlace, show func(row int64, behind walkPlace) bool) *dataError {
	v := p.org.look(p.snap, p.object, 0)
	looked := 0
	for ; at.base < p.until-p.from; at.base++ {
		if looked++; looked > maxWalked || (looked%1024 == 0 && ctx.Err() != nil) {
			return errTooLong
		}
		v.row, v.changed = p.rowAt(at.base), nil
		if p.snap.change(p.object.table, v.row) != nil || !p.acceptsAsMade(&v) {
			continue
		}
		if !p.showExtras(&at, &v, show) {
			return nil
		}
		if !show(v.row, walkPlace{at.base + 1, at.extra}) {
			return nil
		}
	}
	p.showExtras(&at, nil, show)
	return nil
}

// showExtras shows the changed records that come before a generated one, all for nil, until show returns false.
func (p *soqlPlan) showExtras(at *walkPlace, v *view, show func(row int64, behind walkPlace) bool) bool {
	for at.extra < len(p.extra) && (v == nil || p.extraBefore(at.extra, v)) {
		at.extra++
		if !show(p.extra[at.extra-1], *at) {
			return false
		}
	}
	return true
}

// extraBefore reports whether the next changed record comes before a generated one.
func (p *soqlPlan) extraBefore(next int, v *view) bool {
	other := p.org.look(p.snap, p.object, p.extra[next])
	return p.compare(p.entry(&other), p.entry(v)) < 0
}

// acceptsAsMade reports whether a generated record is among the results. The positions answer that for exact plans.
func (p *soqlPlan) acceptsAsMade(v *view) bool {
	if p.exact {
		return p.all || !v.deleted()
	}
	return p.accepts(v)
}

// count returns how many results an exact plan has, before offset and limit.
func (p *soqlPlan) count() int64 {
	t := p.object.table
	n := p.until - p.from
	if !p.all {
		if p.by == byStamp {
			n -= t.binned(p.from, p.until)
		} else {
			n -= t.binnedRows(p.from, p.until)
		}
	}
	for _, row := range p.snap.rows(t) {
		if row >= t.rows {
			continue
		}
		position := row
		if p.by == byStamp {
			position = t.rank(row)
		}
		if position >= p.from && position < p.until && (p.all || !t.inBin(row)) {
			n--
		}
	}
	return n + int64(len(p.extra))
}

// bounded applies offset and limit to a number of results.
func (p *soqlPlan) bounded(n int64) int64 {
	n = max(0, n-p.offset)
	if p.limit >= 0 {
		n = min(n, p.limit)
	}
	return n
}
