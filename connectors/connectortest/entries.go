package connectortest

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/unified-connector/ucf/connectors"
)

// contractKeys are the keys of each kind of entry in JSON, without raw.
var contractKeys = map[string][]string{
	connectors.CapContainers: {"id", "label", "meta", "type"},
	connectors.CapItems:      {"containerId", "createdAt", "id", "meta", "name", "type", "updatedAt", "url"},
	connectors.CapComments:   {"author", "createdAt", "id", "itemId", "meta", "text", "updatedAt"},
}

func checkShape(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	for target := range op.want(s) {
		for _, wide := range []bool{false, true} {
			a := l.mustAsk(op, c, request{target: target, limit: connectors.MaxLimit, wide: wide})
			if a.isNil {
				tb.Errorf("%s of %q: the entries are nil", op.name, target)
			}
			for _, e := range a.entries {
				checkEntry(tb, s, op, target, e)
			}
		}
	}
}

func checkEntry(tb TB, s *Suite, op operation, target string, e entry) {
	tb.Helper()
	if e.id == "" || e.kind == "" || e.parent != target {
		tb.Errorf("%s: entry %q of type %q is in %q, want %q", op.name, e.id, e.kind, e.parent, target)
	}
	for _, text := range append(e.texts, e.id) {
		if !utf8.ValidString(text) {
			tb.Errorf("%s %q: %q is not valid UTF-8", op.name, e.id, text)
		}
	}
	checkTimes(tb, op, e)
	if op.name == connectors.CapItems && s.Definition.ItemKey != "" && e.meta.Get(s.Definition.ItemKey) == nil {
		tb.Errorf("%s %q: its meta has no %s", op.name, e.id, s.Definition.ItemKey)
	}
	checkJSON(tb, op, e)
}

func checkTimes(tb TB, op operation, e entry) {
	tb.Helper()
	for _, t := range e.times {
		if t != nil && (t.IsZero() || t.Location() != time.UTC) {
			tb.Errorf("%s %q: the time %v is zero or not in UTC", op.name, e.id, t)
		}
	}
}

func checkJSON(tb TB, op operation, e entry) {
	tb.Helper()
	data, err := json.Marshal(e.value)
	if err != nil {
		tb.Errorf("%s %q is not JSON: %v", op.name, e.id, err)
		return
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		tb.Errorf("%s %q is no object: %v", op.name, e.id, err)
	}
	if keys := slices.Sorted(maps.Keys(object)); !slices.Equal(keys, contractKeys[op.name]) {
		tb.Errorf("%s %q has the keys %v, want %v", op.name, e.id, keys, contractKeys[op.name])
	}
	names := map[string]bool{}
	for _, m := range e.meta {
		if names[m.Name] || m.Name == "" {
			tb.Errorf("%s %q: the meta attribute %q is there twice, or has no name", op.name, e.id, m.Name)
		}
		names[m.Name] = true
	}
}

func checkRaw(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	r := request{target: op.target(s), limit: connectors.MaxLimit}
	for _, e := range l.mustAsk(op, c, r).entries {
		if e.raw != nil {
			tb.Errorf("%s %q: raw was not asked for and is there", op.name, e.id)
		}
	}
	r.raw = true
	a := l.mustAsk(op, c, r)
	var served [][]byte
	if web, ok := l.sys.(*httpSystem); ok {
		for _, body := range web.served() {
			served = append(served, compact(body))
		}
	}
	l.checkRawEntries(op, a, served)
}

// checkRawEntries compares each raw object with what was served, byte for byte but for blanks between values.
func (l *lab) checkRawEntries(op operation, a answer, served [][]byte) {
	l.tb.Helper()
	for _, e := range a.entries {
		raw := compact(e.raw)
		if len(raw) == 0 || raw[0] != '{' || !json.Valid(raw) {
			l.tb.Errorf("%s %q: raw is no object: %.200s", op.name, e.id, e.raw)
			continue
		}
		if want, ok := l.s.Raw[e.id]; ok && !bytes.Equal(raw, compact([]byte(want))) {
			l.tb.Errorf("%s %q: got raw %s, want %s", op.name, e.id, e.raw, want)
		}
		own := func(body []byte) bool { return bytes.Contains(body, raw) }
		if served != nil && !slices.ContainsFunc(served, own) {
			l.tb.Errorf("%s %q: raw is not what the system sent: %.200s", op.name, e.id, e.raw)
		}
	}
}

func compact(b []byte) []byte {
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		return b
	}
	return out.Bytes()
}

// checkFilters asks for what changed since long ago and since a time to come, and with the suite's query.
func checkFilters(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	op := named(connectors.CapItems)
	target := op.target(s)
	if slices.Contains(s.Definition.Filters, connectors.CapUpdatedAfter) {
		past := request{target: target, limit: 2, updatedAfter: time.Date(1990, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3*3600))}
		l.checkFiltered(c, op, past, s.Items[target])
		future := request{target: target, limit: 2, updatedAfter: time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)}
		l.checkFiltered(c, op, future, nil)
	}
	if slices.Contains(s.Definition.Filters, connectors.CapQuery) {
		if s.Query == "" {
			tb.Fatalf("the connector takes queries and the suite has none")
		}
		l.checkFiltered(c, op, request{query: s.Query, limit: 2}, s.QueryItems)
	}
}

// checkFiltered compares in any order: a filter may change it.
func (l *lab) checkFiltered(c *connectors.Conn, op operation, r request, want []string) {
	l.tb.Helper()
	got, err := l.walk(c, op, r)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		l.tb.Errorf("items changed after %v, query %q: got %v and error %v, want %v", r.updatedAfter, r.query, got, err, want)
	}
}
