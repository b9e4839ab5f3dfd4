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
// change, as long as deleted ones are in the recycle bin. A comment does not change its record. A kind of comments that the
// account may not read, or not over all records, is named in Page.Incomplete. A page may be empty and not the last.
func (d *Driver) ListCommented(ctx context.Context, q connectors.ChangedIDQuery) (connectors.Page[string], error) {
	var page connectors.Page[string]
	at, err := parseMark(q.Cursor)
	if err != nil {
		return page, err
	}
	list, err := d.allObjects(ctx)
	if err != nil {
		return page, err
	}
	i := slices.IndexFunc(list, func(o sobject) bool { return o.Name == q.ContainerID && o.isListed() })
	if i < 0 {
		return page, noObject(nil, q.ContainerID)
	}
	stages := stagesOf(list[i])
	from := slices.IndexFunc(stages, func(s stage) bool { return s.object == at.Stage })
	if q.Cursor == "" {
		from = 0
	} else if from < 0 {
		return page, foreignCursor(nil)
	}
	for _, s := range stages[from:] {
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

// commentedStage adds the records with changed comments of one kind, a page of comments at a time. A kind that cannot be
// read from its beginning on is a gap; one that can no longer be read is an error.
func (d *Driver) commentedStage(
	ctx context.Context, list objects, q connectors.ChangedIDQuery, s stage, at *mark, page *connectors.Page[string],
) (more bool, err error) {
	began := at.ID != ""
	rows, more, err := d.changedComments(ctx, q.After, s, at)
	switch {
	case err != nil && !began && isForbidden(err):
		page.Incomplete = append(page.Incomplete, connectors.Gap{
			ContainerID: q.ContainerID, Code: connectors.CodeOf(err),
			Reason: "new " + s.object + " of records that did not change cannot be found: " + connectors.AsError(err).Message,
		})
		return false, nil
	case err != nil:
		return false, err
	}
	for _, r := range rows {
		if id, ok := longID(r.text(s.parent)); ok && list.isOf(id, q.ContainerID) && !slices.Contains(page.Items, id) {
			page.Items = append(page.Items, id)
		}
	}
	return more, nil
}

// changedComments returns the comments of one kind that changed, deleted ones too, and moves the mark behind them.
func (d *Driver) changedComments(ctx context.Context, after time.Time, s stage, at *mark) (rows []row, more bool, err error) {
	err = d.withObject(ctx, s.object, func(o object) error {
		by := o.orderField(changeFields...)
		switch {
		case by == "":
			return connectors.Errorf(connectors.Unsupported, "Salesforce does not tell when a %s changed", s.object)
		case at.ID != "" && at.By != by:
			return foreignCursor(nil)
		}
		// A deleted comment changed by that, and is in the recycle bin.
		k := keyset{object: o.Name, resource: deleted, columns: "Id, " + s.parent + ", " + by, by: by, limit: connectors.MaxLimit}
		if !after.IsZero() {
			k.where = []string{since(by, after)}
		}
		next := *at
		var err error
		if rows, next, more, err = d.page(ctx, k, next); err == nil {
			*at = next
		}
		return err
	})
	return rows, more, err
}

// isOf reports whether an id is one of an object's.
func (list objects) isOf(id, object string) bool {
	o, known := list.of(id)
	return known && o.Name == object
}
