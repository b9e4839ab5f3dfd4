package sandbox

import (
	"context"
	"slices"
)

// feed is a listing in order: a base whose order is arithmetic, so that a page at any depth costs only the page, and
// extra things, those that were added or changed since the start, which are few and sorted when they are asked for.
type feed[T any] struct {
	total      int64                     // positions of the base
	at         func(pos int64) (T, bool) // what is at a position in ascending order; false leaves it out
	descending bool
	extra      []T              // in the order of the listing
	compare    func(a, b T) int // the order of the listing
}

// start is the position of the first page.
func (f *feed[T]) start() int64 {
	if f.descending {
		return f.total - 1
	}
	return 0
}

// after leaves out what comes before the last thing of the page before, and that itself.
func (f *feed[T]) after(last T) {
	f.extra = slices.DeleteFunc(f.extra, func(one T) bool { return f.compare(one, last) <= 0 })
}

// step is the way to the next position.
func (f *feed[T]) step() int64 {
	if f.descending {
		return -1
	}
	return 1
}

// seek moves a position to the next thing of the base, and reports whether there is one. It ends early with ctx.
func (f *feed[T]) seek(ctx context.Context, pos *int64) (one T, ok bool) {
	for looked := 1; *pos >= 0 && *pos < f.total; looked++ {
		if one, ok = f.at(*pos); ok {
			return one, true
		}
		if *pos += f.step(); looked%4096 == 0 && ctx.Err() != nil {
			break
		}
	}
	return one, false
}

// page returns up to size things from a position of the base on, the position after them, and whether there is more.
func (f *feed[T]) page(ctx context.Context, pos int64, size int) (found []T, next int64, more bool) {
	found = []T{}
	extra := f.extra
	for {
		one, ok := f.seek(ctx, &pos)
		if !ok && (len(extra) == 0 || ctx.Err() != nil) {
			return found, pos, false
		}
		if len(found) == size {
			return found, pos, true
		}
		if ok && (len(extra) == 0 || f.compare(one, extra[0]) <= 0) {
			pos += f.step()
		} else {
			one, extra = extra[0], extra[1:]
		}
		found = append(found, one)
	}
}
