package connectortest

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/unified-connector/ucf/connectors"
)

// errEndless is what walk returns for a listing that goes on for ever.
var errEndless = errors.New("the listing does not end")

// walk follows every page and returns the ids in their order.
func (l *lab) walk(c *connectors.Conn, op operation, r request) ([]string, error) {
	l.tb.Helper()
	ids, _, err := l.follow(c, op, r)
	return ids, err
}

// follow follows every page and returns the ids in their order, and the gaps.
func (l *lab) follow(c *connectors.Conn, op operation, r request) (ids []string, gaps []connectors.Gap, err error) {
	l.tb.Helper()
	bound := 10*len(op.want(l.s)[r.target]) + 100
	for range bound {
		a, err := l.ask(op, c, r)
		if err != nil {
			return ids, gaps, err
		}
		ids, gaps = append(ids, a.ids()...), append(gaps, a.gaps...)
		if r.cursor = a.next; r.cursor == "" {
			return ids, gaps, nil
		}
	}
	return ids, gaps, errEndless
}

// pageSizes are the limits that listings are walked with.
var pageSizes = []int{1, 2, 3, connectors.MaxLimit}

func checkEveryEntryOnce(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	l.checkWalks(c, op)
}

// checkWalks walks every target with every page size.
func (l *lab) checkWalks(c *connectors.Conn, op operation) {
	l.tb.Helper()
	want := op.want(l.s)
	for _, target := range slices.Sorted(maps.Keys(want)) {
		for _, limit := range pageSizes {
			got, err := l.walk(c, op, request{target: target, limit: limit})
			if err != nil {
				l.tb.Errorf("%s of %q by %d: %v after %v", op.name, target, limit, err, got)
				continue
			}
			if !l.s.agree(op, got, want[target]) {
				l.tb.Errorf("%s of %q by %d: got %v, want %v", op.name, target, limit, got, want[target])
			}
		}
	}
}

func checkEmptyPage(tb TB, s *Suite, op operation) {
	tb.Helper()
	h, ok := s.EmptyPage[op.name]
	if !ok {
		tb.Fatalf("EmptyPage has no system for %s: give it one, or skip the row with a reason", op.name)
	}
	l := newLabOf(tb, s, h, "")
	c := l.open()
	defer l.release(c)
	l.checkWalks(c, op)
}

func checkRepeatedToken(tb TB, s *Suite, op operation) {
	tb.Helper()
	h, ok := s.RepeatToken[op.name]
	if !ok {
		tb.Fatalf("RepeatToken has no system for %s: give it one, or skip the row with a reason", op.name)
	}
	l := newLabOf(tb, s, h, "")
	c := l.open()
	defer l.release(c)
	got, err := l.walk(c, op, op.first(s))
	switch {
	case err == nil:
		tb.Errorf("%s: a repeated page token was taken for the end, after %v", op.name, got)
	case connectors.CodeOf(err) != connectors.ProviderError:
		tb.Errorf("%s: got %v after %d entries, want %s", op.name, err, len(got), connectors.ProviderError)
	}
}

func checkLimits(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	r := op.first(s)
	for _, limit := range []int{0, -1, connectors.MaxLimit + 1, math.MinInt, math.MaxInt} {
		before := l.sys.requests()
		r.limit = limit
		_, err := l.ask(op, c, r)
		if connectors.CodeOf(err) != connectors.InvalidRequest {
			tb.Errorf("%s with limit %d: got %v, want %s", op.name, limit, err, connectors.InvalidRequest)
		}
		if l.sys.requests() != before {
			tb.Errorf("%s with limit %d: the system was asked", op.name, limit)
		}
	}
	for _, limit := range []int{1, 50, 99, 100, 101, connectors.MaxLimit - 1, connectors.MaxLimit} {
		r.limit = limit
		a, err := l.ask(op, c, r)
		if err != nil || len(a.entries) == 0 || len(a.entries) > limit {
			tb.Errorf("%s with limit %d: got %d entries and error %v", op.name, limit, len(a.entries), err)
		}
	}
}

// checkForeignCursor uses cursors for what they were not made for.
func checkForeignCursor(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	r := op.first(s)
	r.cursor = l.mustAsk(op, c, r).next
	if r.cursor == "" {
		tb.Fatalf("%s: the first of several pages has no next", op.name)
	}
	for _, other := range s.listings() {
		if other.name == op.name {
			continue
		}
		misused := other.first(s)
		misused.cursor = r.cursor
		l.refused(other, c, misused, "a cursor of "+op.name)
	}
	for _, target := range otherTargets(s, op, r.target) {
		misused := r
		misused.target = target
		l.refused(op, c, misused, fmt.Sprintf("a cursor of %q", r.target))
	}
	foreign := l.openWith(l.config(s.method(), nil), "tenant|another")
	defer l.release(foreign)
	l.refused(op, foreign, r, "another connection's cursor")
}

// otherTargets returns what else could be listed; there is always something, if only what does not exist.
func otherTargets(s *Suite, op operation, target string) []string {
	var out []string
	for t := range op.want(s) {
		if t != target {
			out = append(out, t)
		}
	}
	switch {
	case (op.name == connectors.CapItems || op.ids) && s.MissingContainer != "":
		out = append(out, s.MissingContainer)
	case op.name == connectors.CapComments && s.MissingItem != "":
		out = append(out, s.MissingItem)
	}
	return out
}

func checkDamagedCursor(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	r := op.first(s)
	whole := string(l.mustAsk(op, c, r).next)
	for _, damaged := range damage(whole) {
		r.cursor = connectors.Cursor(damaged)
		l.refused(op, c, r, fmt.Sprintf("the damaged cursor %q", damaged))
	}
}

// damage returns texts that are not the cursor.
func damage(cursor string) []string {
	out := []string{
		"x", "AAAA", "null", "{}", "-1", "0", "\x00", "\xff\xfe", "🦆", "../../etc/passwd", cursor + "A", cursor + "=",
		" " + cursor, cursor + cursor, string(slices.Repeat([]byte("A"), 64<<10)),
	}
	step := max(len(cursor)/16, 1)
	for i := 0; i < len(cursor); i += step {
		b := []byte(cursor)
		if b[i]++; b[i] > 'z' {
			b[i] = 'A'
		}
		out = append(out, string(b))
		if i > 0 {
			out = append(out, cursor[:i], cursor[i:])
		}
	}
	return out
}

// refused checks that a cursor is refused before the system is asked.
func (l *lab) refused(op operation, c *connectors.Conn, r request, what string) {
	l.tb.Helper()
	before := l.sys.requests()
	a, err := l.ask(op, c, r)
	if connectors.CodeOf(err) != connectors.InvalidRequest {
		l.tb.Errorf("%s with %.80s: got %v (%d entries), want %s", op.name, what, err, len(a.entries), connectors.InvalidRequest)
	}
	if l.sys.requests() != before {
		l.tb.Errorf("%s with %.80s: the system was asked", op.name, what)
	}
}

// checkUnknownToken gives the driver itself page tokens that it never made, as one that was stored by another version
// of it would be.
func checkUnknownToken(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	d := l.driver(s.method())
	for _, token := range []string{"x", "{}", "[]", "null", "-1", "999999999999999999999", "AAAA", "\x00", "\xff\xfe", "a b&c=d#e/../f"} {
		r := op.first(s)
		r.cursor = connectors.Cursor(token)
		n, err := directly(op, d, r)
		switch code := connectors.CodeOf(err); code {
		case connectors.InvalidRequest, connectors.ProviderError, connectors.NotFound:
		case "":
			tb.Errorf("%s with the unknown page token %q: got %d entries, want an error", op.name, token, n)
		default:
			tb.Errorf("%s with the unknown page token %q: got code %s (%v), want %s", op.name, token, code, err, connectors.InvalidRequest)
		}
	}
}
