package connectortest

import (
	"context"
	"errors"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// checkCancel cancels an operation that waits for an answer: on its first page, in mid-listing, and before it begins.
func checkCancel(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	hang := variant{name: "cancel", kind: kindHang, answer: exchange.hang}
	for _, p := range l.positions(op) {
		if p.nth == 0 {
			l.checkCancelAt(op, p, hang)
		}
	}
}

func (l *lab) checkCancelAt(op operation, p position, hang variant) {
	l.tb.Helper()
	c := l.open()
	defer l.release(c)
	r := op.first(l.s)
	if p.page == 2 {
		r.cursor = l.mustAsk(op, c, r).next
	}
	l.drainArrivals()
	l.arm(hang, 0)
	ctx, cancel := context.WithCancel(context.Background())
	out := start(ctx, op, c, r)
	select {
	case <-l.sys.arrivals():
	case o := <-out:
		l.tb.Errorf("%s on %s: returned %v before anything was answered", op.name, p, o.err)
	case <-time.After(healthyTime):
		l.tb.Fatalf("%s on %s: the system was not asked", op.name, p)
	}
	cancel()
	l.checkCancelled(op, p, l.await(out, op.name+" on "+p.String()))
	l.disarm()
	l.checkCancelled(op, p, l.await(start(ctx, op, c, r), op.name+" with a cancelled context"))
}

func (l *lab) drainArrivals() {
	for {
		select {
		case <-l.sys.arrivals():
		default:
			return
		}
	}
}

// checkCancelled checks the error of an operation whose context was cancelled.
func (l *lab) checkCancelled(op operation, p position, o outcome) {
	l.tb.Helper()
	switch {
	case o.err == nil:
		l.tb.Errorf("%s on %s: cancelled, and yet a success", op.name, p)
	case !errors.Is(o.err, context.Canceled):
		l.tb.Errorf("%s on %s: got %v, want context.Canceled in the chain", op.name, p, o.err)
	case connectors.CodeOf(o.err) == connectors.Internal:
		l.tb.Errorf("%s on %s: a cancelled context is coded as our own fault", op.name, p)
	}
}
