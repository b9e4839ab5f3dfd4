package engine

import (
	"context"
	"fmt"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// maxLacking is how many ids that the sink lacks are kept; beyond, everything is read.
const maxLacking = 10_000

// deletions marks what the system remembers as deleted. One that remembers nothing, or not for so long, leaves it to
// the census.
func (c *container) deletions(ctx context.Context) error {
	since := c.since()
	if !c.run.items || since.IsZero() {
		return nil
	}
	for cur := connectors.Cursor(""); ; {
		page, err := c.Conn.Deletions(ctx, connectors.DeletionQuery{ContainerID: c.id, After: since, Cursor: cur, Limit: connectors.MaxLimit})
		if tolerable(err) {
			return nil
		}
		if err != nil {
			return err
		}
		var gone []domain.Record
		for _, d := range page.Items {
			gone = append(gone, domain.Record{Kind: domain.ItemRecord, ID: c.key(d.ID), ContainerID: c.id})
		}
		if err := c.bury(ctx, gone, func(int) connectors.AbsenceReason { return connectors.Deleted }); err != nil {
			return err
		}
		if cur = page.Next; cur == "" {
			return nil
		}
	}
}

// ids stamps all items that the system still has, and collects those that the sink lacks.
func (c *container) ids(ctx context.Context) error {
	if !c.due {
		return nil
	}
	c.at.Stamp = c.stamp()
	for cur := connectors.Cursor(""); ; {
		page, err := c.Conn.IDs(ctx, connectors.IDQuery{ContainerID: c.id, Cursor: cur})
		if tolerable(err) {
			c.due, c.at.Stamp = false, 0
			return nil
		}
		if err != nil {
			return err
		}
		for i, id := range page.Items {
			page.Items[i] = c.key(id)
		}
		missing, err := c.memory.Mark(ctx, domain.ItemRecord, page.Items, c.at.Stamp)
		if err != nil {
			return ofSink(err)
		}
		c.lacking = append(c.lacking, missing...)
		if len(c.lacking) > maxLacking {
			c.readAll()
			return nil
		}
		if cur = page.Next; cur == "" {
			return nil
		}
	}
}

// readAll gives up the census for a reading of everything, which is one too.
func (c *container) readAll() {
	stamp := c.at.Stamp
	c.begin(c.at.Begun, true)
	c.at.Stamp, c.lacking, c.due = stamp, nil, false
}

// absences marks what a complete listing, of items or of ids, did not have.
func (c *container) absences(ctx context.Context) error {
	if c.memory == nil || c.gapped || !c.at.Full && !c.due {
		return nil
	}
	all := store.RecordFind{Kind: domain.ItemRecord, ContainerID: c.id}
	unseen := all
	unseen.SeenBelow = c.at.Stamp
	missing, err := c.memory.Count(ctx, unseen)
	if err != nil || missing == 0 {
		return ofSink(err)
	}
	total, err := c.memory.Count(ctx, all)
	if err != nil {
		return ofSink(err)
	}
	if c.tooMany(missing, total) {
		c.lost(connectors.Conflict, fmt.Sprintf(
			"%d of its %d stored items are no longer listed, which is more than %d %%: if they were deleted, run with --max-deletions 100 to mark them",
			missing, total, c.MaxDeletions))
		return nil
	}
	return c.resolve(ctx, unseen)
}

// resolve asks about what was not met and marks what is not there.
func (c *container) resolve(ctx context.Context, unseen store.RecordFind) error {
	for after := ""; ; {
		list, err := c.memory.Find(ctx, unseen, store.List{After: after, Limit: connectors.MaxAbsences})
		if err != nil {
			return ofSink(err)
		}
		if len(list) == 0 {
			return nil
		}
		after = list[len(list)-1].ID
		ids := make([]string, len(list))
		for i, rec := range list {
			ids[i] = c.bare(rec.ID)
		}
		fates, err := c.Conn.ResolveAbsences(ctx, c.id, ids)
		if tolerable(err) {
			return nil // nobody confirms it: what is stored stays
		}
		if err != nil {
			return err
		}
		if err := c.bury(ctx, list, func(i int) connectors.AbsenceReason { return fates[i].Reason }); err != nil {
			return err
		}
	}
}

// bury marks items and their comments, unless they are present.
func (c *container) bury(ctx context.Context, list []domain.Record, why func(i int) connectors.AbsenceReason) error {
	var gone []domain.Record
	for i, rec := range list {
		if reason := why(i); reason != connectors.Present {
			gone = append(gone, tombstone(rec, reason, c.Now().UTC()))
		}
	}
	outcomes, err := c.put(ctx, unique(gone))
	if err != nil {
		return err
	}
	p := &pile{c: c}
	for i, o := range outcomes {
		if o != domain.Tombstone {
			continue
		}
		// Another container's reading may have met the item there meanwhile: its comments are with it.
		if err := c.goneComments(ctx, p, store.RecordFind{ItemID: gone[i].ID, ContainerID: c.id}, nil); err != nil {
			return err
		}
	}
	return p.flush(ctx)
}

// buryAll marks everything in a container that is gone.
func (c *container) buryAll(ctx context.Context, reason connectors.AbsenceReason) error {
	for after := ""; ; {
		list, err := c.memory.Find(ctx, store.RecordFind{Kind: domain.ItemRecord, ContainerID: c.id}, store.List{After: after, Limit: findPage})
		if err != nil {
			return ofSink(err)
		}
		if len(list) == 0 {
			return nil
		}
		after = list[len(list)-1].ID
		if err := c.bury(ctx, list, func(int) connectors.AbsenceReason { return reason }); err != nil {
			return err
		}
	}
}
