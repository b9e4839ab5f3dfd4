package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// place is a position in the result of a user's query: behind so many records of a batch.
type place struct {
	locator string // of the batch, "" for the first one
	used    int
	read    int    // records of the batches before
	hash    string // of those records' ids
	until   string // where a listing of changes ends
}

// parsePlace reads a cursor that [place.cursor] wrote.
func parsePlace(c connectors.Cursor) (place, error) {
	if c == "" {
		return place{}, nil
	}
	parts := strings.Split(string(c), "/")
	if len(parts) != 6 || parts[0] != "result" {
		return place{}, foreignCursor(nil)
	}
	p := place{locator: parts[1], hash: parts[3], until: parts[4]}
	n, err := strconv.ParseUint(parts[2], 10, 16)
	before, berr := strconv.ParseUint(parts[5], 10, 40)
	p.used, p.read, err = int(n), int(before), errors.Join(err, berr)
	if m := (mark{ID: "0", Until: p.until}); err != nil || p.cursor() != c || !m.isSound() ||
		p.locator == "" && p.used == 0 || p.locator != "" && !locatorOnly.MatchString(p.locator) {
		return place{}, foreignCursor(err)
	}
	return p, nil
}

func (p place) cursor() connectors.Cursor {
	return connectors.Cursor(strings.Join([]string{"result", p.locator, strconv.Itoa(p.used), p.hash, p.until, strconv.Itoa(p.read)}, "/"))
}

// hashOf returns a hash of the ids of records, "" of none.
func hashOf(list []json.RawMessage) string {
	if len(list) == 0 {
		return ""
	}
	h := fnv.New64a()
	for _, raw := range list {
		var r struct{ ID string }
		_ = json.Unmarshal(raw, &r)
		_, _ = h.Write([]byte(r.ID + "\n"))
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// listQuery returns one page of the records that a query finds.
func (d *Driver) listQuery(ctx context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	var page connectors.Page[connectors.Item]
	s, err := parseQuery(q.Query)
	if err != nil {
		return page, err
	}
	at, err := parsePlace(q.Cursor)
	if err != nil {
		return page, err
	}
	o, soql, err := d.prepare(ctx, s, q, &at)
	if err != nil {
		return page, err
	}
	list, err := d.take(ctx, soql, &at, q.Limit)
	if err != nil {
		return page, err
	}
	rows, err := d.rowsOf(list)
	if err != nil {
		return page, err
	}
	for _, r := range rows {
		page.Items = append(page.Items, d.item(r, o.nameField(), true, q.Raw))
	}
	if at.used > 0 || at.locator != "" {
		page.Next = at.cursor()
	}
	return page, nil
}

// prepare returns the object that a query is about, and the query with the further conditions of a listing.
func (d *Driver) prepare(ctx context.Context, s statement, q connectors.ItemQuery, at *place) (object, string, error) {
	o, conditions, err := d.target(ctx, s, q, at)
	return o, s.with(conditions...), err
}

// target returns the object that a query is about, which must be the container's, and the further conditions.
func (d *Driver) target(ctx context.Context, s statement, q connectors.ItemQuery, at *place) (object, []string, error) {
	if q.ContainerID != "" && !strings.EqualFold(q.ContainerID, s.from) {
		// The container is looked at first: an unknown one is not found, whatever the query says.
		if _, err := d.describe(ctx, q.ContainerID); err != nil {
			return object{}, nil, err
		}
		return object{}, nil, connectors.InvalidFields(connectors.Fault{
			Field: "query", Message: "is about " + s.from + ", and not about the object " + q.ContainerID,
		})
	}
	o, err := d.describe(ctx, s.from)
	if err != nil {
		return o, nil, err
	}
	m := mark{Until: at.until}
	conditions, err := d.changed(ctx, o, q.UpdatedAfter, &m)
	at.until = m.Until
	return o, conditions, err
}

// take returns the next records of a result, up to limit, and moves the place behind them; at its zero value, but for
// the end of a listing of changes, nothing follows. Salesforce cuts a result into batches as it likes, of 200 records
// where it keeps to what it is asked: a batch that a page ends in is asked for again.
func (d *Driver) take(ctx context.Context, soql string, at *place, limit int) ([]json.RawMessage, error) {
	b, err := d.batchAt(ctx, soql, *at)
	if err != nil {
		return nil, err
	}
	if at.used > len(b.Records) || hashOf(b.Records[:at.used]) != at.hash {
		return nil, connectors.Errorf(connectors.InvalidRequest,
			"the result of the query changed while it was read: start again without a cursor, and ask for %d records at a time", connectors.MaxLimit)
	}
	var out []json.RawMessage
	for range maxBatches {
		n := min(limit-len(out), len(b.Records)-at.used)
		out = append(out, b.Records[at.used:at.used+n]...)
		if at.used += n; at.used < len(b.Records) {
			at.hash = hashOf(b.Records[:at.used])
			return out, nil
		}
		if err := at.pass(d, b); err != nil {
			return nil, err
		}
		if b.locator == "" || len(out) == limit {
			return out, nil
		}
		if b, err = d.more(ctx, d.small, b.locator); err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, d.api.Nonsense("a result in batches that do not end")
	}
	return out, nil
}

// pass moves the place behind a batch. The last one tells whether all came.
func (p *place) pass(d *Driver, b *batch) error {
	p.read += len(b.Records)
	if b.locator == "" && int64(p.read) != *b.TotalSize {
		return cutOff(d.api, int64(p.read), *b.TotalSize)
	}
	p.locator, p.used, p.hash = b.locator, 0, ""
	return nil
}

// batchAt returns the batch that a place is in.
func (d *Driver) batchAt(ctx context.Context, soql string, at place) (*batch, error) {
	if at.locator != "" {
		return d.more(ctx, d.small, at.locator)
	}
	return d.ask(ctx, d.small, live, soql)
}
