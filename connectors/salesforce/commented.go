package salesforce

import (
	"context"
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

var (
	_ connectors.Timekeeper      = (*Driver)(nil)
	_ connectors.CommentCounter  = (*Driver)(nil)
	_ connectors.CommentedLister = (*Driver)(nil)
)

// SystemTime implements [connectors.Timekeeper].
func (d *Driver) SystemTime(ctx context.Context) (time.Time, error) {
	return d.api.SystemTime(ctx, func(ctx context.Context) error {
		_, _, err := askVersions(ctx, d.api)
		return err
	})
}

// CountComments implements [connectors.CommentCounter]: the records of an object without a feed have no comments, but for
// cases.
func (d *Driver) CountComments(it connectors.Item) (n int, known bool) {
	list, ok := d.known.objects.get(d.now())
	id, sound := longID(it.ID)
	if !ok || !sound {
		return 0, false
	}
	o, ok := list.of(id)
	return 0, ok && len(stagesOf(o)) == 0
}

// stagesOf returns the kinds of comments that the records of an object may have.
func stagesOf(o sobject) []stage {
	var stages []stage
	if o.Name == "Case" {
		stages = append(stages, caseStage)
	}
	if o.FeedEnabled {
		stages = append(stages, postStage, answerStage)
	}
	if o.Name == feedPosts {
		answers := answerStage
		answers.parent = "FeedItemId"
		stages = append(stages, answers)
	}
	return stages
}

// ListCommented returns the ids of an object's records with comments that are new or changed, by the time of their
// change. A comment does not change its record. Those of kinds that the account may not read are left out, as a listing
// of the comments of a record names them.
func (d *Driver) ListCommented(ctx context.Context, q connectors.ChangedIDQuery) (connectors.Page[string], error) {
	var page connectors.Page[string]
	at, err := parseMark(q.Cursor)
	if err != nil || (at.Stage == "") != (q.Cursor == "") {
		return page, foreignCursor(err)
	}
	list, err := d.allObjects(ctx)
	if err != nil {
		return page, err
	}
	i := slices.IndexFunc(list, func(o sobject) bool { return o.Name == q.ContainerID })
	if i < 0 {
		return page, connectors.Errorf(connectors.NotFound, "Salesforce has no object %.80q", q.ContainerID)
	}
	stages := stagesOf(list[i])
	from := max(slices.IndexFunc(stages, func(s stage) bool { return s.object == at.Stage }), 0)
	for _, s := range stages[min(from, len(stages)):] {
		at.Stage = s.object
		more, err := d.commentedStage(ctx, list, q, s, &at, &page)
		if err != nil {
			return connectors.Page[string]{}, err
		}
		if more {
			page.Next = at.cursor()
			return page, nil
		}
		at = mark{}
	}
	return page, nil
}

// commentedStage adds the records with changed comments of one kind, a page of comments at a time.
func (d *Driver) commentedStage(
	ctx context.Context, list objects, q connectors.ChangedIDQuery, s stage, at *mark, page *connectors.Page[string],
) (more bool, err error) {
	var rows []row
	err = d.withObject(ctx, s.object, func(o object) error {
		by := o.orderField(changeFields...)
		if by == "" {
			return connectors.Errorf(connectors.Unsupported, "Salesforce does not tell when a %s changed", s.object)
		}
		k := keyset{object: o.Name, columns: "Id, " + s.parent + ", " + by, by: by, limit: connectors.MaxLimit}
		if !q.After.IsZero() {
			k.where = []string{by + " >= " + literal(q.After.UTC())}
		}
		next := *at
		var err error
		if rows, next, more, err = d.page(ctx, k, next); err == nil {
			*at = next
		}
		return err
	})
	if err != nil && at.ID == "" && isForbidden(err) {
		return false, nil
	}
	for _, r := range rows {
		if id, ok := longID(r.text(s.parent)); ok && list.isOf(id, q.ContainerID) && !slices.Contains(page.Items, id) {
			page.Items = append(page.Items, id)
		}
	}
	return more, err
}

// isOf reports whether an id is one of an object's.
func (list objects) isOf(id, object string) bool {
	o, known := list.of(id)
	return known && o.Name == object
}
