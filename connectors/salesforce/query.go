package salesforce

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// The resources that take SOQL.
const (
	live    = "query"    // records that are there
	deleted = "queryAll" // and those in the recycle bin, and archived ones
)

// batch is one answer to a query.
type batch struct {
	TotalSize *int64            `json:"totalSize"`
	Done      *bool             `json:"done"`
	Next      string            `json:"nextRecordsUrl"`
	Records   []json.RawMessage `json:"records"`

	locator string // of the next batch, "" for the last one
}

// locatorForm finds the locator in the address of the next batch. Whatever host or resource the address names, the next
// batch is asked for where the first one was.
var locatorForm = regexp.MustCompile(`^/services/data/v[0-9.]{1,6}/(?:query|queryAll)/([A-Za-z0-9_-]{1,200})$`)

var locatorOnly = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// fault says what makes a batch none of a query's result, and finds the locator.
func (b *batch) fault() string {
	switch {
	case b.Records == nil || b.Done == nil || b.TotalSize == nil || *b.TotalSize < 0:
		return "no result of a query"
	case *b.Done && b.Next != "":
		return "a result that is complete and goes on"
	case *b.Done:
		return ""
	}
	m := locatorForm.FindStringSubmatch(b.Next)
	if m == nil {
		return "a result that goes on at no address of its API"
	}
	b.locator = m[1]
	return ""
}

// ask runs a query and returns the first batch of its result.
func (d *Driver) ask(ctx context.Context, c *rest.Client, resource, soql string) (*batch, error) {
	v, err := d.version(ctx)
	if err != nil {
		return nil, err
	}
	b, err := getBatch(ctx, c, v.path(resource), url.Values{"q": {soql}})
	if err == nil && b.locator == "" && int64(len(b.Records)) != *b.TotalSize {
		err = cutOff(c, int64(len(b.Records)), *b.TotalSize)
	}
	return b, err
}

// more returns the next batch of a result. Its resource is that of live records for a result with deleted ones too.
func (d *Driver) more(ctx context.Context, c *rest.Client, locator string) (*batch, error) {
	v, err := d.version(ctx)
	if err != nil {
		return nil, err
	}
	b, err := getBatch(ctx, c, v.path(live, locator), nil)
	if err == nil && b.locator == locator {
		err = c.Nonsense("the same batch of a result twice, so it would never end")
	}
	return b, err
}

func getBatch(ctx context.Context, c *rest.Client, path string, query url.Values) (*batch, error) {
	var b batch
	if _, err := c.Get(ctx, path, query, &b); err != nil {
		return nil, err
	}
	if fault := b.fault(); fault != "" {
		return nil, c.Nonsense(fault)
	}
	return &b, nil
}

func cutOff(c *rest.Client, got, want int64) error {
	return c.Nonsense("a result that was cut off, with " + strconv.FormatInt(got, 10) + " of " + strconv.FormatInt(want, 10) + " records")
}

// maxBatches bounds how many batches one page is made of: Salesforce may cut a result into smaller ones than asked, but
// not into so many.
const maxBatches = 50

// rows runs a query with a LIMIT and returns its whole result, over as many batches as Salesforce cuts it into.
func (d *Driver) rows(ctx context.Context, resource, soql string, limit int) ([]json.RawMessage, error) {
	b, err := d.ask(ctx, d.api, resource, soql)
	if err != nil {
		return nil, err
	}
	total, rows, seen := *b.TotalSize, b.Records, map[string]bool{}
	for b.locator != "" {
		if seen[b.locator] || len(seen) == maxBatches {
			return nil, d.api.Nonsense("a result in batches that do not end")
		}
		seen[b.locator] = true
		if b, err = d.more(ctx, d.api, b.locator); err != nil {
			return nil, err
		}
		rows = append(rows, b.Records...)
	}
	switch {
	case len(rows) > limit:
		return nil, d.api.Nonsense("more records than it was asked for")
	case int64(len(rows)) != total:
		return nil, cutOff(d.api, int64(len(rows)), total)
	}
	return rows, nil
}

// count returns how many records a query with COUNT() finds.
func (d *Driver) count(ctx context.Context, soql string) (int64, error) {
	v, err := d.version(ctx)
	if err != nil {
		return 0, err
	}
	var found struct {
		TotalSize *int64 `json:"totalSize"`
	}
	if _, err := d.api.Get(ctx, v.path(live), url.Values{"q": {soql}}, &found); err != nil {
		return 0, err
	}
	if found.TotalSize == nil || *found.TotalSize < 0 {
		return 0, d.api.Nonsense("a count without a number")
	}
	return *found.TotalSize, nil
}

// row is one record of a result.
type row struct {
	raw    json.RawMessage
	id     string
	kind   string // the object
	values connectors.Meta
}

// rowOf reads a record of a result.
func (d *Driver) rowOf(raw json.RawMessage) (row, error) {
	r := row{raw: raw}
	var attributes struct {
		Attributes struct {
			Type string `json:"type"`
		} `json:"attributes"`
	}
	if json.Unmarshal(raw, &r.values) != nil || json.Unmarshal(raw, &attributes) != nil {
		return r, d.api.Nonsense("a record of another shape than its API promises")
	}
	r.kind, r.id = attributes.Attributes.Type, r.text("Id")
	if !rowIDForm.MatchString(r.id) || !nameForm.MatchString(r.kind) {
		return r, d.api.Nonsense("a record without an id and object")
	}
	for _, v := range r.values {
		if nested, _ := v.Value.(map[string]any); nested["done"] == false {
			return r, connectors.Errorf(connectors.Unsupported,
				"Salesforce gave only the first of %s of the record %s: ask for them by a query of their own", v.Name, r.id)
		}
	}
	return r, nil
}

// rowsOf reads the records of a page, none of which may come twice.
func (d *Driver) rowsOf(list []json.RawMessage) ([]row, error) {
	rows, seen := make([]row, len(list)), map[string]bool{}
	for i, raw := range list {
		var err error
		if rows[i], err = d.rowOf(raw); err != nil {
			return nil, err
		}
		if seen[rows[i].id] {
			return nil, d.api.Nonsense("the record " + rows[i].id + " twice in a page")
		}
		seen[rows[i].id] = true
	}
	return rows, nil
}

// text returns a value that is a text, "" for any other.
func (r row) text(name string) string {
	s, _ := r.values.Get(name).(string)
	return s
}

// related returns a text of a related record, as in CreatedBy.Name.
func (r row) related(relation, name string) string {
	of, _ := r.values.Get(relation).(map[string]any)
	s, _ := of[name].(string)
	return s
}
