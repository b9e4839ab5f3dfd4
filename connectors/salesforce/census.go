package salesforce

import (
	"context"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// idBatch is how many ids one query asks for: as many as Salesforce gives in one answer.
const idBatch = 2000

// ListIDs returns the ids of all records of an object in their order, some thousand in a page.
func (d *Driver) ListIDs(ctx context.Context, q connectors.IDQuery) (connectors.Page[string], error) {
	var page connectors.Page[string]
	at, err := parseMark(q.Cursor)
	if err != nil || at.Stage != "" || at.By != "" || at.Time != "" {
		return page, foreignCursor(err)
	}
	o, err := d.describe(ctx, q.ContainerID)
	if err != nil {
		return page, err
	}
	k := keyset{object: o.Name, columns: "Id", limit: idBatch}
	for more := true; more; {
		if len(page.Items)+idBatch > connectors.MaxIDs {
			page.Next = at.cursor()
			break
		}
		var rows []row
		if rows, at, more, err = d.page(ctx, k, at); err != nil {
			return connectors.Page[string]{}, err
		}
		for _, r := range rows {
			page.Items = append(page.Items, r.id)
		}
	}
	return page, nil
}

// archives are the objects whose old records are put away and no longer listed.
var archives = []string{"Task", "Event"}

// ResolveAbsences tells what became of records: deleted as long as the recycle bin has them, archived for old tasks and
// events, and gone for what Salesforce has no trace of or hides.
func (d *Driver) ResolveAbsences(ctx context.Context, containerID string, ids []string) ([]connectors.Absence, error) {
	long := make([]string, len(ids))
	for i, id := range ids {
		var ok bool
		if long[i], ok = longID(id); !ok {
			return nil, connectors.InvalidFields(connectors.Fault{Field: "ids", Message: "not the id of a record: " + quote(id)})
		}
	}
	found := map[string]connectors.AbsenceReason{}
	err := d.withObject(ctx, containerID, func(o object) error { return d.trace(ctx, o, long, found) })
	if err != nil {
		return nil, err
	}
	out := make([]connectors.Absence, len(ids))
	for i, id := range ids {
		reason, ok := found[long[i]]
		if !ok {
			reason = connectors.Gone
		}
		out[i] = connectors.Absence{ID: id, Reason: reason}
	}
	return out, nil
}

// trace finds out what became of those records that Salesforce still knows.
func (d *Driver) trace(ctx context.Context, o object, ids []string, found map[string]connectors.AbsenceReason) error {
	columns, quoted := []string{"Id"}, make([]string, len(ids))
	for _, name := range []string{"IsDeleted", "IsArchived"} {
		if o.has(name) && (name == "IsDeleted" || slices.Contains(archives, o.Name)) {
			columns = append(columns, name)
		}
	}
	for i, id := range ids {
		quoted[i] = quote(id)
	}
	soql := "SELECT " + strings.Join(columns, ", ") + " FROM " + o.Name + " WHERE Id IN (" + strings.Join(quoted, ",") + ")"
	list, err := d.rows(ctx, deleted, soql, len(ids))
	if err != nil {
		return d.ours(o.Name, err)
	}
	rows, err := d.rowsOf(list)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.kind != o.Name || !slices.Contains(ids, r.id) {
			return d.api.Nonsense("a record that it was not asked for")
		}
		found[r.id] = r.absence()
	}
	return nil
}

func (r row) absence() connectors.AbsenceReason {
	switch {
	case r.values.Get("IsDeleted") == true:
		return connectors.Deleted
	case r.values.Get("IsArchived") == true:
		return connectors.Archived
	}
	return connectors.Present
}
