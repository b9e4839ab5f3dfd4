package engine

import (
	"context"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// fetched is a page, or why there is none.
type fetched struct {
	page connectors.Page[connectors.Item]
	err  error
}

// fetch asks for the page at a cursor while the one before is stored.
func (c *container) fetch(ctx context.Context, cur connectors.Cursor) <-chan fetched {
	out := make(chan fetched, 1)
	go func() {
		page, err := c.Conn.Items(ctx, connectors.ItemQuery{
			ContainerID: c.id, UpdatedAfter: c.since(), Cursor: cur, Limit: connectors.MaxLimit, Raw: !c.Plain, Wide: c.Wide,
		})
		out <- fetched{page, err}
	}()
	return out
}

// pages reads the listing from its place to its end.
func (c *container) pages(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	next := c.fetch(ctx, connectors.Cursor(c.at.Page))
	defer func() {
		cancel()
		if next != nil {
			<-next
		}
	}()
	c.estimate(ctx)
	for {
		got := <-next
		next = nil
		if got.err != nil {
			return got.err
		}
		if got.page.Next != "" {
			next = c.fetch(ctx, got.page.Next)
		}
		if err := c.takePage(ctx, got.page); err != nil {
			return err
		}
		if got.page.Next == "" {
			return nil
		}
		c.at.Page = string(got.page.Next)
		if c.Now().Sub(c.saved) >= saveEvery && !c.gapped {
			if err := c.save(ctx); err != nil {
				return err
			}
		}
	}
}

// estimate asks how many entries the listing has, for the progress. A system that does not tell is none the worse.
func (c *container) estimate(ctx context.Context) {
	if c.Report == nil || c.listed > 0 {
		return
	}
	e, err := c.Conn.EstimateItems(ctx, connectors.ItemQuery{ContainerID: c.id, UpdatedAfter: c.since(), Limit: connectors.MaxLimit, Raw: true})
	if err == nil {
		c.expected = e.Entries
	}
}

// takePage stores the items of a page and their comments.
func (c *container) takePage(ctx context.Context, page connectors.Page[connectors.Item]) error {
	for _, g := range page.Incomplete {
		c.lost(g.Code, g.Reason)
	}
	recs := make([]domain.Record, 0, len(page.Items))
	for _, it := range page.Items {
		rec, err := itemRecord(it, c.id, c.at.Stamp, c.Now().UTC())
		if err != nil {
			return err
		}
		rec.ID = c.key(it.ID)
		recs = append(recs, rec)
	}
	created := map[string]bool{}
	if c.run.items {
		recs = unique(recs)
		outcomes, err := c.put(ctx, recs)
		if err != nil {
			return err
		}
		for i, o := range outcomes {
			created[recs[i].ID] = o == domain.Created
		}
	}
	if c.comments {
		if err := c.talks(ctx, page.Items, created); err != nil {
			return err
		}
	}
	c.listed += int64(len(page.Items))
	if c.expected > 0 {
		c.part(c.id, float64(c.listed)/float64(c.expected))
	}
	return nil
}
