package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const (
	// parallelTalks is how many items' comments are read at a time in one container.
	parallelTalks = 4
	// batch is how many comments are stored at once.
	batch = 500
	// findPage is how many stored comments are looked at at once.
	findPage = 1000
)

// pile collects comments of several items, to store them together.
type pile struct {
	c    *container
	mu   sync.Mutex
	recs []domain.Record
}

func (p *pile) add(ctx context.Context, recs []domain.Record) error {
	p.mu.Lock()
	p.recs = append(p.recs, recs...)
	var full []domain.Record
	if len(p.recs) >= batch {
		full, p.recs = p.recs, nil
	}
	p.mu.Unlock()
	_, err := p.c.put(ctx, unique(full))
	return err
}

func (p *pile) flush(ctx context.Context) error {
	_, err := p.c.put(ctx, unique(p.recs))
	return err
}

// talks reads the comments of items. Those of an item that was just created have nothing stored to be compared with.
func (c *container) talks(ctx context.Context, items []connectors.Item, created map[string]bool) error {
	p := &pile{c: c}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(parallelTalks)
	for _, it := range items {
		n, known := c.Conn.CountComments(it)
		fresh := created[c.key(it.ID)] || c.memory == nil
		if known && n == 0 && fresh {
			continue
		}
		group.Go(func() error { return c.talkOf(inner, p, it.ID, known && n == 0, fresh) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return p.flush(ctx)
}

// talkOf reads the comments of one item, and marks those that are stored and no longer there.
func (c *container) talkOf(ctx context.Context, p *pile, item string, none, fresh bool) error {
	met := map[string]bool{}
	if !none {
		whole, err := c.talk1(ctx, p, item, met)
		if err != nil || !whole {
			return err
		}
	}
	if fresh {
		return nil
	}
	return c.goneComments(ctx, p, store.RecordFind{ItemID: c.key(item)}, met)
}

// talk1 reads the comments of one item to their end, and reports whether it could.
func (c *container) talk1(ctx context.Context, p *pile, item string, met map[string]bool) (whole bool, err error) {
	whole = true
	for cur := connectors.Cursor(""); ; {
		page, err := c.Conn.Comments(ctx, connectors.CommentQuery{ItemID: item, Cursor: cur, Limit: connectors.MaxLimit, Raw: !c.Plain})
		if err != nil {
			return false, c.silent(ctx, item, err)
		}
		for _, g := range page.Incomplete {
			whole = false
			c.lostTalk(item, g.Code, g.Reason)
		}
		recs := make([]domain.Record, 0, len(page.Items))
		for _, m := range page.Items {
			rec, err := commentRecord(m, c.key(item), c.id, c.Now().UTC())
			if err != nil {
				return false, err
			}
			met[m.ID] = true
			recs = append(recs, rec)
		}
		if err := p.add(ctx, recs); err != nil {
			return false, err
		}
		if cur = page.Next; cur == "" {
			return whole, nil
		}
	}
}

// silent decides what an error of reading an item's comments means. An item that went away meanwhile is left to the next
// census; one that is there is named.
func (c *container) silent(ctx context.Context, item string, err error) error {
	code := connectors.CodeOf(err)
	if ctx.Err() != nil || isSink(err) || connectors.MayBeDown(err) || !connectors.Passable(err) {
		return err
	}
	if code == connectors.Unsupported {
		return nil
	}
	if code == connectors.NotFound {
		if fate, ferr := c.Conn.ResolveAbsences(ctx, c.id, []string{item}); ferr == nil && fate[0].Reason != connectors.Present {
			return nil
		}
	}
	c.lostTalk(item, code, connectors.AsError(err).Message)
	return nil
}

func (c *container) lostTalk(item string, code connectors.Code, reason string) {
	c.mu.Lock()
	c.gapped = true
	c.mu.Unlock()
	c.gap(connectors.Gap{ContainerID: c.id, Code: code, Reason: fmt.Sprintf("comments of %s: %s", item, reason)})
}

// goneComments marks the stored comments of what was found that were not met.
func (c *container) goneComments(ctx context.Context, p *pile, of store.RecordFind, met map[string]bool) error {
	if c.memory == nil {
		return nil
	}
	of.Kind = domain.CommentRecord
	for after := ""; ; {
		list, err := c.memory.Find(ctx, of, store.List{After: after, Limit: findPage})
		if err != nil {
			return ofSink(err)
		}
		var gone []domain.Record
		for _, rec := range list {
			after = rec.ID
			if !met[rec.ID] {
				gone = append(gone, tombstone(rec, connectors.Deleted, c.Now().UTC()))
			}
		}
		if err := p.add(ctx, gone); err != nil {
			return err
		}
		if len(list) < findPage {
			return nil
		}
	}
}

// commented reads the comments of items that did not change themselves, where comments leave no trace on their item. A page
// token that is no longer good begins the listing anew.
func (c *container) commented(ctx context.Context) error {
	since := c.since()
	if !c.comments || c.at.Full || since.IsZero() {
		return nil
	}
	for cur, restarts := connectors.Cursor(""), 0; ; {
		page, err := c.Conn.Commented(ctx, connectors.ChangedIDQuery{ContainerID: c.id, After: since, Cursor: cur})
		switch {
		case err == nil:
			err = c.talksOfPage(ctx, page)
			if cur = page.Next; err != nil || cur == "" {
				return err
			}
		case tolerable(err):
			return nil
		case lapsed(err, cur) && restarts < maxRestarts:
			cur = ""
			restarts++
		default:
			return err
		}
	}
}

// lapsed reports whether err says that a page token is not accepted any more.
func lapsed(err error, cur connectors.Cursor) bool {
	return cur != "" && connectors.CodeOf(err) == connectors.InvalidRequest
}

// talksOfPage reads the comments of the items of a page of ids. One that was read before is read again: it may have changed.
func (c *container) talksOfPage(ctx context.Context, page connectors.Page[string]) error {
	for _, g := range page.Incomplete {
		c.lost(g.Code, g.Reason)
	}
	slices.Sort(page.Items)
	return c.talksOfIDs(ctx, slices.Compact(page.Items))
}

func (c *container) talksOfIDs(ctx context.Context, ids []string) error {
	p := &pile{c: c}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(parallelTalks)
	for _, id := range ids {
		group.Go(func() error { return c.talkOf(inner, p, id, false, c.memory == nil) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return p.flush(ctx)
}
