package connectortest

import (
	"io"
	"slices"

	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
)

func checkNoRequest(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	before := l.sys.requests()
	for _, m := range s.Definition.AuthMethods() {
		l.driver(m)
		if l.sys.requests() != before || l.dials.Load() != 0 {
			tb.Errorf("New for %s called the system", m)
		}
		if l.clock.Load() != 0 {
			tb.Errorf("New for %s asked for the time", m)
		}
	}
}

func checkNoGoroutine(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	for _, m := range s.Definition.AuthMethods() {
		running := goleak.IgnoreCurrent()
		l.driver(m)
		if err := goleak.Find(running); err != nil {
			tb.Errorf("New for %s started a goroutine: %v", m, err)
		}
	}
}

// checkOnlyWayOut expects every request to come through Env.HTTP, and every connection through Env.Dial.
func checkOnlyWayOut(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	for _, op := range s.operations() {
		l.mustAsk(op, c, op.first(s))
	}
	l.release(c)
	web, ok := l.sys.(*httpSystem)
	if !ok {
		if made, dialled := int64(l.sys.requests()), l.dials.Load(); made != dialled || made == 0 {
			tb.Errorf("the system saw %d connections, Env.Dial made %d", made, dialled)
		}
		return
	}
	for _, r := range web.requested() {
		if r.header.Get(marker) == "" {
			tb.Errorf("%s %s did not come through Env.HTTP", r.method, r.path)
		}
	}
}

func checkProbe(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	for _, m := range s.Definition.AuthMethods() {
		c := l.openWith(l.config(m, nil), "tenant|connection")
		p := l.mustAsk(operation{name: "probe", ask: askProbe}, c, request{}).probe
		if p.Instance.Name == "" || p.Account.ID == "" || p.Account.Name == "" {
			tb.Errorf("%s: the probe does not tell what answered or who is connected: %+v", m, p)
		}
		if p.LatencyMS < 0 || p.LatencyMS > healthyTime.Milliseconds() {
			tb.Errorf("%s: the probe took %d ms", m, p.LatencyMS)
		}
		if !slices.Equal(p.Capabilities, s.Definition.Capabilities()) {
			tb.Errorf("%s: the probe tells capabilities %v, want %v", m, p.Capabilities, s.Definition.Capabilities())
		}
		if slices.ContainsFunc(p.Warnings, func(w connectors.Warning) bool { return w.Code == "" || w.Message == "" }) {
			tb.Errorf("%s: a warning has no code or no message: %v", m, p.Warnings)
		}
		l.release(c)
	}
}

func checkCloseTwice(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	d := l.driver(s.method())
	c, ok := d.(io.Closer)
	if !ok {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			tb.Errorf("closing twice panics: %v", p)
		}
	}()
	for range 2 {
		if err := c.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	}
}

// checkLeaks uses a connection in every way, also by cancelling it, and expects no goroutine after Close.
func checkLeaks(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	running := goleak.IgnoreCurrent()
	c := l.open()
	for _, op := range s.operations() {
		l.mustAsk(op, c, op.first(s))
		for _, f := range faults() {
			if f.name == "hang" || f.name == "reset" {
				l.struck(f.variants[0], 0, op, c, op.first(s))
			}
		}
	}
	if err := c.Close(); err != nil {
		tb.Errorf("Close: %v", err)
	}
	l.close()
	if err := goleak.Find(running); err != nil {
		tb.Errorf("after Close: %v", err)
	}
}
