package connectortest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// callers is how many goroutines use one connection at once.
const callers = 20

// checkConcurrent lets many callers list everything at once; with -race it finds what they share.
func checkConcurrent(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	probe := s.operations()[0]
	want := l.mustAsk(probe, c, request{})
	begin := make(chan struct{})
	l.sys.gather(callers)
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			<-begin
			if got, err := l.ask(probe, c, request{}); err != nil || !bytes.Equal(got.body, want.body) {
				tb.Errorf("caller %d: probe: got %s and error %v, want %s", n, got.body, err, want.body)
			}
			for _, op := range s.listings() {
				l.checkCaller(c, op, n)
			}
			if can[connectors.Timekeeper](s) {
				if _, err := l.ask(s.timeOperation(), c, request{}); err != nil {
					tb.Errorf("caller %d: time: %v", n, err)
				}
			}
		})
	}
	close(begin)
	all.Wait()
}

func (l *lab) checkCaller(c *connectors.Conn, op operation, n int) {
	l.tb.Helper()
	want := op.want(l.s)
	for _, target := range slices.Sorted(maps.Keys(want)) {
		got, err := l.walk(c, op, request{target: target, limit: 2 + n%3})
		if err != nil || !l.s.agree(op, got, want[target]) {
			l.tb.Errorf("caller %d: %s of %q: got %v and error %v, want %v", n, op.name, target, got, err, want[target])
		}
	}
}

func checkUnknownContainer(tb TB, s *Suite) {
	tb.Helper()
	checkUnknownOf(tb, s, connectors.CapItems, s.MissingContainer)
}

func checkUnknownItem(tb TB, s *Suite) {
	tb.Helper()
	checkUnknownOf(tb, s, connectors.CapComments, s.MissingItem)
}

func checkUnknownOf(tb TB, s *Suite, name, id string) {
	tb.Helper()
	if id == "" {
		tb.Fatalf("the suite names nothing that is missing for %s", name)
	}
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	a, err := l.ask(named(name), c, request{target: id, limit: 1})
	if connectors.CodeOf(err) != connectors.NotFound {
		tb.Errorf("%s of %q: got %d entries and error %v, want %s", name, id, len(a.entries), err, connectors.NotFound)
	}
}

// hostileIDs try to leave the place that an id is put in.
var hostileIDs = []string{
	"a\x00b", "\xff\xfe", "a\u001bb", "\u0085", "..", ".", "../..", "../../secret", "a/b", "a\\b", "a?b=c", "a#b", "%2e%2e%2f", "%00", "a b",
	`" OR ""="`, `' OR ''='`, `a") OR (project = "b`, "'; DROP TABLE x; --", "a,b", "a;b", "*", "%", "_", "{}", "$1", "${x}", "{{x}}",
	"🦆", "\u202e", "e\u0301", strings.Repeat("a", 12<<10),
}

// checkHostileIDs gives ids of nothing that are more than they seem: they are refused or not found, and nothing else
// is asked or shown instead.
func checkHostileIDs(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	for _, op := range s.listings() {
		if op.name == connectors.CapContainers {
			continue
		}
		for _, id := range append(slices.Clone(hostileIDs), s.HostileIDs...) {
			l.checkHostileID(c, op, id)
		}
	}
	web, ok := l.sys.(*httpSystem)
	if !ok {
		return
	}
	for _, r := range web.requested() {
		if segments := strings.Split(r.path, "/"); slices.Contains(segments, "..") || slices.Contains(segments, ".") {
			tb.Errorf("an id became a step in the path %s", r.path)
		}
	}
}

func (l *lab) checkHostileID(c *connectors.Conn, op operation, id string) {
	l.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), healthyTime)
	defer cancel()
	o := l.await(start(ctx, op, c, request{target: id, limit: 2}), op.name)
	switch code := connectors.CodeOf(o.err); code {
	case connectors.InvalidRequest, connectors.NotFound, connectors.Unsupported:
	default:
		l.tb.Errorf("%s of %.60q: got %d entries and error %v, want %s or %s",
			op.name, id, len(o.answer.entries), o.err, connectors.NotFound, connectors.InvalidRequest)
	}
}

// checkUnsupported asks for everything that the connector cannot do.
func checkUnsupported(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	before := l.sys.requests()
	for _, op := range allListings {
		if !s.lists(op) {
			l.checkUnsupported(c, op, request{target: "x", limit: 1})
		}
	}
	filters := map[string]request{
		connectors.CapUpdatedAfter: {limit: 1, updatedAfter: time.Now()},
		connectors.CapQuery:        {limit: 1, query: "x"},
	}
	for name, r := range filters {
		if !slices.Contains(s.Definition.Filters, name) {
			l.checkUnsupported(c, named(connectors.CapItems), r)
		}
	}
	if l.sys.requests() != before {
		tb.Errorf("the system was asked for what the connector cannot do")
	}
}

func (l *lab) checkUnsupported(c *connectors.Conn, op operation, r request) {
	l.tb.Helper()
	var e *connectors.Error
	if _, err := l.ask(op, c, r); !errors.As(err, &e) || e.Code != connectors.Unsupported {
		l.tb.Errorf("%s, which the connector does not have: got %v, want %s", op.name, err, connectors.Unsupported)
	}
}
