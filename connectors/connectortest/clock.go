package connectortest

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// opTime is the operation of a [connectors.Timekeeper].
const opTime = "time"

func askTime(ctx context.Context, c *connectors.Conn, _ request) (answer, error) {
	at, err := c.SystemTime(ctx)
	return answer{at: at}, err
}

// timeRows are the rows of a [connectors.Timekeeper] beside those of every operation.
var timeRows = []row{
	{"time/own_clock", checkOwnClock},
	{"time/undated", checkUndated},
	{"time/set_back", checkSetBack},
	{"time/backwards", checkBackwards},
}

// clock is the time of an HTTP system; that of a [Harness] is this machine's.
type clock struct {
	ahead   atomic.Int64 // of this machine's, in nanoseconds
	undated bool         // its answers carry no date
}

func (k *clock) now() time.Time { return time.Now().Add(time.Duration(k.ahead.Load())) }

func (k *clock) set(ahead time.Duration) { k.ahead.Store(int64(ahead)) }

// stamp puts the date of an answer into its header (RFC 9110, section 6.6.1).
func (k *clock) stamp(h http.Header) {
	if h["Date"] = nil; !k.undated {
		h.Set("Date", k.now().UTC().Format(http.TimeFormat))
	}
}

// newLabAt starts a system by a clock of its own.
func newLabAt(tb TB, s *Suite, k *clock) *lab {
	tb.Helper()
	h := s.Handler
	if s.Clock != nil {
		h = s.Clock(k.now)
	}
	l := newLabOf(tb, s, h, "")
	if web, ok := l.sys.(*httpSystem); ok {
		web.goBy(k)
	}
	return l
}

const (
	// slack is how much earlier than by the system's clock it may be told to be: by as much as a transaction that is not
	// seen may be old, and more than any clock is unsure.
	slack = 2 * time.Hour
	// tick is how much earlier than before it may be told to be: dates come in whole seconds, their fraction cut off.
	tick = time.Second
)

// checkOwnClock has systems whose clocks differ from ours by more than their time may be unsure.
func checkOwnClock(tb TB, s *Suite) {
	tb.Helper()
	differences := []time.Duration{0, -12 * slack, 12 * slack}
	if s.Harness != nil {
		differences = differences[:1]
	}
	for _, ahead := range differences {
		k := &clock{}
		k.set(ahead)
		l := newLabAt(tb, s, k)
		c := l.open()
		l.checkTime(c, k)
		l.release(c)
	}
}

// checkTime asks for the time. A change that is made now is stamped by the system's clock, and belongs behind what was told.
func (l *lab) checkTime(c *connectors.Conn, k *clock) time.Time {
	l.tb.Helper()
	before := k.now()
	at := l.mustAsk(l.s.timeOperation(), c, request{}).at
	if now := k.now(); at.After(now) {
		l.tb.Errorf("time: got %v, later than %v by the system's clock: what changes now would be missed", at, now)
	}
	if at.Before(before.Add(-slack)) {
		l.tb.Errorf("time: got %v, long before %v by the system's clock", at, before)
	}
	return at
}

// checkUndated has a system that is behind and whose answers lost their date on the way.
func checkUndated(tb TB, s *Suite) {
	tb.Helper()
	if s.Harness != nil {
		tb.Fatalf("a harness has no dates: skip the row")
	}
	k := &clock{undated: true}
	k.set(-4 * time.Minute)
	l := newLabAt(tb, s, k)
	c := l.open()
	defer l.release(c)
	l.checkTime(c, k)
}

// checkSetBack sets the system's clock back while a connection is in use: what changes then is stamped earlier than what
// was told before.
func checkSetBack(tb TB, s *Suite) {
	tb.Helper()
	if s.Harness != nil {
		tb.Fatalf("the clock of a harness cannot be set: skip the row")
	}
	k := &clock{}
	l := newLabAt(tb, s, k)
	c := l.open()
	defer l.release(c)
	l.checkTime(c, k)
	k.set(-slack / 2)
	for _, op := range s.operations() {
		if op.name != opTime {
			l.mustAsk(op, c, op.first(s))
		}
	}
	l.checkTime(c, k)
}

// checkBackwards uses a connection in every way and expects its time to go on.
func checkBackwards(tb TB, s *Suite) {
	tb.Helper()
	k := &clock{}
	l := newLabAt(tb, s, k)
	c := l.open()
	defer l.release(c)
	var last time.Time
	for range 3 {
		for _, op := range s.operations() {
			l.mustAsk(op, c, op.first(s))
			at := l.checkTime(c, k)
			if at.Before(last.Add(-tick)) {
				tb.Errorf("time: got %v after %s, and %v before", at, op.name, last)
			}
			if at.After(last) {
				last = at
			}
		}
	}
}

func (s *Suite) timeOperation() operation { return operation{name: opTime, ask: askTime} }
