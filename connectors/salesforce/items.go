package salesforce

import (
	"cmp"
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// ListItems returns the records of an object by the time of their last change and their id, or those that a query
// finds, in its order. With q.UpdatedAfter it ends five minutes ago: what changed later comes with the next listing.
// The cursor of an object's records is good for ever, that of a query's for about two days.
func (d *Driver) ListItems(ctx context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	if q.Query != "" {
		return d.listQuery(ctx, q)
	}
	var page connectors.Page[connectors.Item]
	if q.ContainerID == "" {
		return page, connectors.InvalidFields(connectors.Fault{Field: "containerId", Message: "name an object, such as Account"})
	}
	at, err := parseMark(q.Cursor)
	if err != nil || at.Stage != "" {
		return page, foreignCursor(err)
	}
	var rows []row
	var o object
	err = d.withObject(ctx, q.ContainerID, func(found object) error {
		o = found
		var err error
		rows, page.Next, err = d.listObject(ctx, o, q, at)
		return err
	})
	if err != nil {
		return connectors.Page[connectors.Item]{}, err
	}
	for _, r := range rows {
		page.Items = append(page.Items, d.item(r, o.nameField(), q.Wide, q.Raw))
	}
	return page, nil
}

// withObject calls f with an object, and once more with what Salesforce tells of it by now where f fails since a field
// is gone that the object was known to have.
func (d *Driver) withObject(ctx context.Context, name string, f func(object) error) error {
	_, remembered := d.known.object(objectKey(name)).get(d.now())
	o, err := d.describe(ctx, name)
	if err != nil {
		return err
	}
	if err = f(o); err == nil || !remembered || codeOf(err) != invalidField && codeOf(err) != invalidType {
		return err
	}
	d.known.object(objectKey(name)).forget()
	if o, err = d.describe(ctx, name); err != nil {
		return err
	}
	return f(o)
}

// listObject returns one page of the records of an object, and the cursor of those that follow.
func (d *Driver) listObject(ctx context.Context, o object, q connectors.ItemQuery, at mark) ([]row, connectors.Cursor, error) {
	by := o.orderField(changeFields...)
	if at.ID != "" && at.By != by {
		return nil, "", connectors.Errorf(connectors.InvalidRequest,
			"the cursor is of a time when the object %s had other fields: start without one", o.Name)
	}
	where, err := d.changed(ctx, o, q.UpdatedAfter, &at)
	if err != nil {
		return nil, "", err
	}
	k := keyset{object: o.Name, columns: o.columns(q.Raw || q.Wide), where: where, by: by, limit: q.Limit}
	rows, next, more, err := d.page(ctx, k, at)
	if !more {
		return rows, "", err
	}
	return rows, next.cursor(), err
}

// changed returns the conditions for records that changed after a time, none for the zero time, and has the listing end
// where it ended for its first page.
func (d *Driver) changed(ctx context.Context, o object, after time.Time, at *mark) ([]string, error) {
	if after.IsZero() {
		return nil, nil
	}
	by := o.orderField(changeFields...)
	if by == "" {
		return nil, connectors.Errorf(connectors.Unsupported,
			"the object %s does not tell when its records changed, so they cannot be filtered by it", o.Name)
	}
	if at.Until == "" {
		var err error
		if at.Until, err = d.until(ctx); err != nil {
			return nil, err
		}
	}
	// SOQL takes no years before 1700, and no record is older than Salesforce.
	oldest := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	if after.Before(oldest) {
		after = oldest
	}
	return []string{since(by, after), by + " < " + at.Until}, nil
}

// item returns a record as an item. With everything its meta has all values of the record.
func (d *Driver) item(r row, nameField string, everything, raw bool) connectors.Item {
	created, updated := r.time("CreatedDate"), (*time.Time)(nil)
	for _, name := range changeFields {
		if updated == nil {
			updated = r.time(name)
		}
	}
	it := connectors.Item{
		ID: r.id, Name: cmp.Or(r.text(nameField), r.text("Name"), r.id), ContainerID: r.kind, Type: "record",
		URL:       d.base + rest.Path("lightning", "r", r.kind, r.id, "view"),
		CreatedAt: created, UpdatedAt: updated,
		Meta: connectors.Meta{
			{Name: "CreatedDate", Value: timeValue(created)},
			{Name: "LastModifiedDate", Value: timeValue(r.time("LastModifiedDate"))},
			{Name: "SystemModstamp", Value: timeValue(r.time("SystemModstamp"))},
			{Name: "OwnerId", Value: r.values.Get("OwnerId")},
		},
	}
	if everything {
		it.Meta = r.withAll(it.Meta)
	}
	if raw {
		it.Raw = r.raw
	}
	return it
}

// withAll adds every value of a record that is not among those of meta yet, in the record's own order.
func (r row) withAll(meta connectors.Meta) connectors.Meta {
	known := map[string]bool{"attributes": true, "Id": true}
	for _, a := range meta {
		known[a.Name] = true
	}
	for _, a := range r.values {
		if !known[a.Name] && a.Name != "" {
			known[a.Name] = true
			meta = append(meta, a)
		}
	}
	return meta
}

// time returns a value that is a time, nil for any other.
func (r row) time(name string) *time.Time {
	t, ok := parseTime(r.text(name))
	if !ok {
		return nil
	}
	return connectors.Time(t)
}

func timeValue(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.Format(time.RFC3339Nano)
}
