package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// putFor hands records to the sink, and counts what became of them for the run and, unless it is nil, for own.
func (r *run) putFor(ctx context.Context, rs []domain.Record, own *domain.JobCounts) ([]domain.Outcome, error) {
	if len(rs) == 0 {
		return nil, nil
	}
	out, err := r.Sink.Put(ctx, rs)
	if err != nil {
		return nil, ofSink(err)
	}
	r.count(rs, out, own)
	return out, nil
}

// put is putFor for what is in no container.
func (r *run) put(ctx context.Context, rs []domain.Record) error {
	_, err := r.putFor(ctx, rs, nil)
	return err
}

// put is putFor for what is in the container.
func (c *container) put(ctx context.Context, rs []domain.Record) ([]domain.Outcome, error) {
	return c.putFor(ctx, rs, &c.at.Counts)
}

// eachContainer calls visit for every container that is wanted, while their listing goes on.
func (r *run) eachContainer(ctx context.Context, visit func(id string) error) error {
	if len(r.Named) > 0 && !r.containers {
		return r.named(visit)
	}
	stamp, met, whole := r.stamp(), map[string]bool{}, true
	for cur := connectors.Cursor(""); ; {
		page, err := r.Conn.Containers(ctx, connectors.ContainerQuery{Cursor: cur, Limit: connectors.MaxLimit, Raw: !r.Plain, Wide: r.Wide})
		if err != nil {
			return err
		}
		for _, g := range page.Incomplete {
			whole = false
			r.gap(g)
		}
		if err := r.take(ctx, page.Items, stamp, met, visit); err != nil {
			return err
		}
		if cur = page.Next; cur == "" {
			break
		}
	}
	return r.listedAll(ctx, stamp, met, whole, visit)
}

// named visits the containers that were asked for by name.
func (r *run) named(visit func(id string) error) error {
	r.allListed()
	for _, id := range r.Named {
		if err := visit(id); err != nil {
			return err
		}
	}
	return nil
}

// wanted reports whether a container is one that was asked for.
func (r *run) wanted(id string) bool {
	return len(r.Named) == 0 || slices.Contains(r.Named, id)
}

// stamp returns the stamp of a new census, 0 where the sink remembers nothing.
func (r *run) stamp() int64 {
	if r.memory == nil {
		return 0
	}
	return r.memory.Stamp()
}

// take stores one page of containers and visits those that are wanted.
func (r *run) take(ctx context.Context, list []connectors.Container, stamp int64, met map[string]bool, visit func(id string) error) error {
	var recs []domain.Record
	for _, k := range list {
		rec, err := containerRecord(k, stamp, r.Now().UTC())
		if err != nil {
			return err
		}
		recs = append(recs, rec)
	}
	recs = slices.DeleteFunc(unique(recs), func(rec domain.Record) bool { return !r.wanted(rec.ID) })
	if r.containers {
		if err := r.put(ctx, recs); err != nil {
			return err
		}
	}
	for _, rec := range recs {
		if len(r.Named) > 0 {
			met[rec.ID] = true
		}
		if err := visit(rec.ID); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) allListed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed = true
}

// listedAll visits what was asked for and is not listed, so that its own error names it; and, where all were asked for,
// looks for containers that are gone.
func (r *run) listedAll(ctx context.Context, stamp int64, met map[string]bool, whole bool, visit func(id string) error) error {
	r.allListed()
	for _, id := range r.Named {
		if met[id] {
			continue
		}
		if err := visit(id); err != nil {
			return err
		}
	}
	if stamp == 0 || !whole || !r.containers || len(r.Named) > 0 {
		return nil
	}
	return r.goneContainers(ctx, stamp)
}

// goneContainers marks containers that a complete listing does not have.
func (r *run) goneContainers(ctx context.Context, stamp int64) error {
	q := store.RecordFind{Kind: domain.ContainerRecord, SeenBelow: stamp}
	for after := ""; ; {
		list, err := r.memory.Find(ctx, q, store.List{After: after, Limit: connectors.MaxAbsences})
		if err != nil {
			return ofSink(err)
		}
		for _, rec := range list {
			after = rec.ID
			if err := r.goneContainer(ctx, rec); err != nil {
				return err
			}
		}
		if len(list) < connectors.MaxAbsences {
			return nil
		}
	}
}

// goneContainer makes sure that a container is gone, and marks it and all that was in it. One whose items can still be
// listed is there; one with more than a few items waits for an operator, for a right that was taken away looks the same.
func (r *run) goneContainer(ctx context.Context, rec domain.Record) error {
	_, err := r.Conn.Items(ctx, connectors.ItemQuery{ContainerID: rec.ID, Limit: 1})
	switch {
	case err == nil:
		return nil
	case connectors.CodeOf(err) == connectors.NotFound || connectors.IsDenied(err) || connectors.CodeOf(err) == connectors.InvalidRequest:
	case connectors.Passable(err):
		r.gap(connectors.Gap{ContainerID: rec.ID, Code: connectors.CodeOf(err), Reason: connectors.AsError(err).Message})
		return nil
	default:
		return err
	}
	c := &container{run: r, id: rec.ID}
	items, err := r.memory.Count(ctx, store.RecordFind{Kind: domain.ItemRecord, ContainerID: rec.ID})
	if err != nil {
		return ofSink(err)
	}
	if r.tooMany(items, items) {
		r.gap(connectors.Gap{ContainerID: rec.ID, Code: connectors.Conflict, Reason: fmt.Sprintf(
			"it is no longer listed, and has %d items: if it was deleted, run with --max-deletions 100 to mark them all", items)})
		return nil
	}
	if err := c.buryAll(ctx, connectors.Gone); err != nil {
		return err
	}
	err = r.put(ctx, []domain.Record{tombstone(rec, connectors.Gone, r.Now().UTC())})
	return err
}

// few is how many missing records no operator is asked about, however small their container.
const few = 10

// tooMany reports whether an operator has to be asked before so many of all records of a container are marked.
func (r *run) tooMany(missing, all int) bool {
	return missing > few && missing*100 > all*r.MaxDeletions
}
