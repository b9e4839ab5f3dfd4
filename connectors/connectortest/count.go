package connectortest

import (
	"encoding/json"

	"github.com/unified-connector/ucf/connectors"
)

// countRows are the rows of a [connectors.CommentCounter].
var countRows = []row{
	{"count/right", checkCounts},
	{"count/known", checkCountKnown},
	{"count/no_request", checkCountAsksNobody},
	{"count/odd_raw", checkCountOddRaw},
}

// rawItems lists the containers and the items of each with their raw forms, as a reading of comments does.
func (l *lab) rawItems(c *connectors.Conn) (items []connectors.Item) {
	l.tb.Helper()
	for _, box := range l.mustAsk(named(connectors.CapContainers), c, request{limit: connectors.MaxLimit}).entries {
		r := request{target: box.id, limit: connectors.MaxLimit, raw: true}
		for _, e := range l.mustAsk(named(connectors.CapItems), c, r).entries {
			items = append(items, *e.value.(*connectors.Item))
		}
	}
	return items
}

// checkCounts compares what is known of every item with its comments.
func checkCounts(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	for _, it := range l.rawItems(c) {
		if n, known := c.CountComments(it); known {
			l.checkCount(c, it.ID, n)
		}
	}
}

func (l *lab) checkCount(c *connectors.Conn, item string, n int) {
	l.tb.Helper()
	got, err := l.walk(c, named(connectors.CapComments), request{target: item, limit: connectors.MaxLimit})
	if err != nil || n != len(got) {
		l.tb.Errorf("item %q counts %d comments, it has %d: %v, error %v", item, n, len(got), got, err)
	}
}

func checkCountKnown(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	for _, it := range l.rawItems(c) {
		if _, known := c.CountComments(it); known {
			return
		}
	}
	tb.Errorf("the comments of no item are counted")
}

func checkCountAsksNobody(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	items := l.rawItems(c)
	before := l.sys.requests()
	for _, it := range items {
		c.CountComments(it)
	}
	if made := l.sys.requests() - before; made > 0 {
		tb.Errorf("counting the comments of %d items made %d requests", len(items), made)
	}
}

// checkCountOddRaw has items whose raw form is missing or of another shape: what is told of them is right, or unknown.
func checkCountOddRaw(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	defer func() {
		if p := recover(); p != nil {
			tb.Errorf("counting the comments of an item with an odd raw form panics: %v", p)
		}
	}()
	for _, it := range l.rawItems(c) {
		for _, raw := range []string{"", "null", "{}", "[]", `"x"`, "7", `{"fields":null}`, string(it.Raw[:len(it.Raw)/2])} {
			it := it
			it.Raw = json.RawMessage(raw)
			if n, known := c.CountComments(it); known {
				l.checkCount(c, it.ID, n)
			}
		}
	}
}
