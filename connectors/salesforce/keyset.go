package salesforce

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// keyset is a listing of the records of one object by a time and the id. Its position is a record's, not a place in a
// result that Salesforce keeps: it is good for ever, and a record that changes meanwhile moves no other one.
type keyset struct {
	object   string
	resource string
	columns  string
	where    []string
	by       string // the field of the time, "" for the id alone
	limit    int
}

// mark is the position behind a record, and what the listing keeps to.
type mark struct {
	Stage string `json:"k,omitempty"` // which of several listings it is in
	By    string `json:"b,omitempty"` // the field of the time
	Time  string `json:"s,omitempty"` // "" where the record has none
	ID    string `json:"i,omitempty"` // "" at the beginning
	Until string `json:"u,omitempty"` // where the listing ends
}

// parseMark reads a cursor that [mark.cursor] wrote; the empty one is the zero mark.
func parseMark(c connectors.Cursor) (mark, error) {
	var m mark
	if c == "" {
		return m, nil
	}
	dec := json.NewDecoder(strings.NewReader(string(c)))
	dec.DisallowUnknownFields()
	err := dec.Decode(&m)
	if _, more := dec.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("more than one value")
	}
	if err != nil || !m.isSound() || m.cursor() != c {
		return mark{}, foreignCursor(err)
	}
	return m, nil
}

// isSound reports whether everything in a mark is of the form that it has in queries. A mark is behind a record, or at
// the beginning of a stage.
func (m mark) isSound() bool {
	for _, t := range []string{m.Time, m.Until} {
		if t != "" && !isLiteral(t) {
			return false
		}
	}
	for _, name := range []string{m.By, m.Stage} {
		if name != "" && !nameForm.MatchString(name) {
			return false
		}
	}
	if m.ID == "" {
		return m.Time == "" && m.Stage != ""
	}
	return rowIDForm.MatchString(m.ID)
}

func isLiteral(s string) bool {
	t, ok := parseTime(s)
	return ok && literal(t) == s
}

func (m mark) cursor() connectors.Cursor {
	data, _ := json.Marshal(m)
	return connectors.Cursor(data)
}

// after is the condition that only records behind the mark meet. A null comes first in the order.
func (m mark) after(by string) string {
	switch id := "Id > " + quote(m.ID); {
	case by == "":
		return id
	case m.Time == "":
		return "(" + by + " != null OR (" + by + " = null AND " + id + "))"
	default:
		return "(" + by + " > " + m.Time + " OR (" + by + " = " + m.Time + " AND " + id + "))"
	}
}

// soql returns the query for the records behind a mark.
func (k keyset) soql(at mark) string {
	terms, order := k.where, "Id ASC"
	if at.ID != "" {
		terms = append(terms[:len(terms):len(terms)], at.after(k.by))
	}
	if k.by != "" {
		order = k.by + " ASC, Id ASC"
	}
	where := ""
	if len(terms) > 0 {
		where = " WHERE " + strings.Join(terms, " AND ")
	}
	return "SELECT " + k.columns + " FROM " + k.object + where + " ORDER BY " + order + " LIMIT " + strconv.Itoa(k.limit)
}

// page returns the records behind a mark and the mark behind those, with more false where nothing follows.
func (d *Driver) page(ctx context.Context, k keyset, at mark) (rows []row, next mark, more bool, err error) {
	list, err := d.rows(ctx, cmp.Or(k.resource, live), k.soql(at), k.limit)
	if err != nil {
		return nil, at, false, d.ours(k.object, err)
	}
	if rows, err = d.rowsOf(list); err != nil {
		return nil, at, false, err
	}
	next = at
	for _, r := range rows {
		if next, err = d.step(k, next, r); err != nil {
			return nil, at, false, err
		}
	}
	return rows, next, len(rows) == k.limit, nil
}

// noID is the id of records that have none of their own.
const noID = "000000000000000AAA"

// step moves a mark behind the next record, which must lie behind it.
func (d *Driver) step(k keyset, at mark, r row) (mark, error) {
	switch {
	case r.kind != k.object:
		return at, d.api.Nonsense("a record of " + r.kind + " among those of " + k.object)
	case r.id == noID:
		return at, connectors.Errorf(connectors.Unsupported, "the records of %s have no ids of their own, so they cannot be listed: ask with a query", k.object)
	}
	next := at
	next.By, next.ID, next.Time = k.by, r.id, ""
	if text := r.text(k.by); k.by != "" && text != "" {
		t, ok := parseTime(text)
		if !ok {
			return at, d.api.Nonsense("a record whose " + k.by + " is no time")
		}
		next.Time = literal(t)
	}
	// The literals are of equal length, so that they compare as the times do.
	if at.ID != "" && (next.Time < at.Time || next.Time == at.Time && next.ID == at.ID) {
		return at, d.api.Nonsense("records that are not in the order that was asked for, so the listing may never end")
	}
	return next, nil
}

// since is the condition for records that changed at or after a time, in whole seconds as Salesforce keeps them.
func since(by string, t time.Time) string { return by + " >= " + literal(t.Truncate(time.Second)) }

// holdBack is how long a change is kept back from a listing of changes. Salesforce stamps a record when its transaction
// begins and shows it when it has ended, a little later also to other servers: whoever goes on from the last stamp that
// he has seen would miss those that came late.
const holdBack = 5 * time.Minute

// until returns where a listing of changes that begins now ends, by the clock that Salesforce stamps with.
func (d *Driver) until(ctx context.Context) (string, error) {
	now, err := d.SystemTime(ctx)
	return literal(now.Add(-holdBack).Truncate(time.Second)), err
}
