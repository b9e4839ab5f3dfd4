package connectortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// position is where in an operation a fault strikes.
type position struct {
	page    int // 1, or 2 for a listing that goes on
	nth     int // the request of that page, 0 for all
	healthy answer
}

func (p position) String() string {
	if p.nth == 0 {
		return fmt.Sprintf("page %d", p.page)
	}
	return fmt.Sprintf("page %d, request %d", p.page, p.nth)
}

// defaultHang is the deadline of an operation that meets a fault that hangs.
const defaultHang = 40 * time.Millisecond

// check puts the operation to every variant of the fault, at every position.
func (f fault) check(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	if s.Harness != nil {
		f.checkHarness(l, op)
		return
	}
	for _, v := range f.variants {
		for _, p := range l.positions(op) {
			l.judge(f, v, p, op, l.strike(v, p, op))
		}
	}
	if web, ok := l.sys.(*httpSystem); ok && web.overread.Load() {
		tb.Errorf("%s: an endless answer was read without a bound", op.name)
	}
}

// checkHarness puts the operation to the variants that a proxy can bring about, and else to the harness's own.
func (f fault) checkHarness(l *lab, op operation) {
	l.tb.Helper()
	struck := false
	for _, v := range f.variants {
		if v.kind == kindAnswer {
			continue
		}
		struck = true
		for _, p := range l.positions(op) {
			l.judge(f, v, p, op, l.strike(v, p, op))
		}
	}
	if struck {
		return
	}
	change, ok := l.s.Harness.Faults[f.name]
	if !ok {
		l.tb.Fatalf("the harness has no fault %q: give it one, or skip the row with a reason", f.name)
	}
	c := l.openWith(l.config(l.s.method(), change), "tenant|connection")
	defer l.release(c)
	a, err := l.ask(op, c, op.first(l.s))
	l.judge(f, variant{name: "harness"}, position{page: 1}, op, outcome{a, err})
}

// positions finds out how many requests the operation makes, and returns where it can be struck.
func (l *lab) positions(op operation) []position {
	l.tb.Helper()
	c := l.open()
	defer l.release(c)
	before := l.sys.requests()
	r := op.first(l.s)
	first := l.mustAsk(op, c, r)
	made := l.sys.requests() - before
	out := l.positionsOf(1, made, first)
	if first.next == "" {
		return out
	}
	r.cursor = first.next
	second := l.mustAsk(op, c, r)
	return append(out, l.positionsOf(2, l.sys.requests()-before-made, second)...)
}

func (l *lab) positionsOf(page, requests int, healthy answer) []position {
	out := []position{{page: page, healthy: healthy}}
	if l.s.Harness != nil || requests < 2 {
		return out
	}
	for n := range requests {
		out = append(out, position{page: page, nth: n + 1, healthy: healthy})
	}
	return out
}

// strike calls the operation on a new connection while the fault is on.
func (l *lab) strike(v variant, p position, op operation) outcome {
	l.tb.Helper()
	c := l.open()
	defer l.release(c)
	r := op.first(l.s)
	if p.page == 2 {
		r.cursor = l.mustAsk(op, c, r).next
	}
	return l.struck(v, p.nth, op, c, r)
}

// struck calls the operation while the fault is on.
func (l *lab) struck(v variant, nth int, op operation, c *connectors.Conn, r request) outcome {
	l.tb.Helper()
	deadline := healthyTime
	if v.hangs {
		deadline = l.s.hangTime
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	l.arm(v, nth)
	defer l.disarm()
	out := start(ctx, op, c, r)
	if v.hangs {
		<-ctx.Done()
	}
	return l.await(out, op.name+" ("+v.name+")")
}

func (l *lab) arm(v variant, nth int) {
	if v.kind == kindRefused {
		l.refuse.Store(true)
		l.transport.CloseIdleConnections()
	}
	l.sys.arm(v, nth)
}

func (l *lab) disarm() {
	l.refuse.Store(false)
	l.sys.disarm()
}

// judge checks what came of a fault.
func (l *lab) judge(f fault, v variant, p position, op operation, o outcome) {
	l.tb.Helper()
	where := fmt.Sprintf("%s, %s (%s), %s", op.name, f.name, v.name, p)
	if o.err == nil {
		if !p.excuses(o.answer) {
			l.tb.Errorf("%s: got a success with %d entries, want %s", where, len(o.answer.entries), f.code)
		}
		return
	}
	var e *connectors.Error
	if !errors.As(o.err, &e) {
		l.tb.Errorf("%s: got %v, want an *Error with code %s", where, o.err, f.code)
		return
	}
	if fault := f.wrong(e, p); fault != "" {
		l.tb.Errorf("%s: %s (%v)", where, fault, e)
	}
	if v.check != nil && e.Code == f.code {
		if fault := v.check(e); fault != "" {
			l.tb.Errorf("%s: %s", where, fault)
		}
	}
}

// excuses reports whether a success is right although one request failed: nothing is missing, or what is missing is
// declared.
func (p position) excuses(a answer) bool {
	if p.nth == 0 {
		return false
	}
	same := bytes.Equal(a.body, p.healthy.body) && (a.next == "") == (p.healthy.next == "")
	return same || a.declared > p.healthy.declared
}

// wrong returns what is wrong with the error for a fault. A single request that finds nothing may also be nonsense in
// its place.
func (f fault) wrong(e *connectors.Error, p position) string {
	switch {
	case f.code == connectors.NotFound && p.nth > 0 && e.Code == connectors.ProviderError:
	case e.Code != f.code:
		return fmt.Sprintf("got code %s, want %s", e.Code, f.code)
	}
	if e.Op == "" || e.Message == "" {
		return "the error has no operation or no message"
	}
	return ""
}
