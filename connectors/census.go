package connectors

import (
	"context"
	"fmt"
	"time"
)

// MaxIDs is the largest number of ids in one page of an [IDLister].
const MaxIDs = 10_000

// MaxAbsences is how many ids an [AbsenceResolver] is asked about at a time.
const MaxAbsences = 100

// IDQuery asks for one page of the ids of a container's items. The driver chooses the page's size, up to [MaxIDs].
type IDQuery struct {
	ContainerID string
	Cursor      Cursor
}

// IDLister is a [Driver] that lists the ids of a container's items at a fraction of the cost of the items: what a
// census compares with what is stored.
type IDLister interface {
	// ListIDs returns one page of ids, the same ones that [ItemLister] gives for the container. An id may come twice
	// where the container changes meanwhile; none that was there all the time is missing.
	ListIDs(ctx context.Context, q IDQuery) (Page[string], error)
}

// AbsenceReason says why an item is not where it was, or that it is.
type AbsenceReason string

// The reasons.
const (
	Present  AbsenceReason = "present"  // it is still there
	Deleted  AbsenceReason = "deleted"  // the system says that it was deleted
	Archived AbsenceReason = "archived" // it exists, put away
	Moved    AbsenceReason = "moved"    // it is in another container
	Gone     AbsenceReason = "gone"     // deleted, or hidden from the account: the system does not tell which
)

// Absence is what became of an item that a listing no longer has.
type Absence struct {
	ID          string        `json:"id"`
	Reason      AbsenceReason `json:"reason"`
	ContainerID string        `json:"containerId,omitempty"` // where it is now, for [Moved]
}

// AbsenceResolver is a [Driver] that tells what became of items, as far as its system lets one tell.
type AbsenceResolver interface {
	// ResolveAbsences answers for 1 to [MaxAbsences] ids of one container, in their order. One that it cannot ask
	// about is an error, never [Gone].
	ResolveAbsences(ctx context.Context, containerID string, ids []string) ([]Absence, error)
}

// DeletionQuery asks for one page of what was deleted from a container.
type DeletionQuery struct {
	ContainerID string
	After       time.Time // only what was deleted at or after it; zero for as far back as the system tells
	Cursor      Cursor
	Limit       int
}

// Deletion is one item that the system remembers as deleted.
type Deletion struct {
	ID          string     `json:"id"`
	ContainerID string     `json:"containerId"`
	DeletedAt   *time.Time `json:"deletedAt"` // nil where the system does not tell
}

// DeletionLister is a [Driver] of a system that remembers what was deleted.
type DeletionLister interface {
	// ListDeletions returns one page. A time before the system's memory is [Unsupported]: a census has to tell.
	ListDeletions(ctx context.Context, q DeletionQuery) (Page[Deletion], error)
}

// ChangedIDQuery asks for one page of the ids of a container's items that changed.
type ChangedIDQuery struct {
	ContainerID string
	After       time.Time // only what changed at or after it
	Cursor      Cursor
}

// ChangedIDLister is a [Driver] of a system that tells by their ids which items changed, at a fraction of the cost of the
// items.
type ChangedIDLister interface {
	// ListChangedIDs returns one page of up to [MaxIDs] ids, in no order; one may come twice. A time before the system's
	// memory is [Unsupported]: a listing of the changed items has to tell.
	ListChangedIDs(ctx context.Context, q ChangedIDQuery) (Page[string], error)
}

// ChangedIDs returns one page of the ids of a container's items that changed.
func (c *Conn) ChangedIDs(ctx context.Context, q ChangedIDQuery) (Page[string], error) {
	op := listing[string]{
		name: "changes", cursor: q.Cursor, limit: MaxIDs, most: MaxIDs,
		query: []any{q.ContainerID, q.After.UTC().Format(time.RFC3339Nano)},
	}
	op.text = []Fault{{"containerId", q.ContainerID}}
	if l, ok := c.driver.(ChangedIDLister); ok {
		op.list = func(cur Cursor) (Page[string], error) {
			q.Cursor = cur
			return l.ListChangedIDs(ctx, q)
		}
	}
	return run(c, op)
}

// IDs returns one page of the ids of a container's items.
func (c *Conn) IDs(ctx context.Context, q IDQuery) (Page[string], error) {
	op := listing[string]{name: "ids", cursor: q.Cursor, limit: MaxIDs, most: MaxIDs, query: []any{q.ContainerID}}
	op.text = []Fault{{"containerId", q.ContainerID}}
	if l, ok := c.driver.(IDLister); ok {
		op.list = func(cur Cursor) (Page[string], error) {
			q.Cursor = cur
			return l.ListIDs(ctx, q)
		}
	}
	return run(c, op)
}

// Deletions returns one page of what was deleted from a container.
func (c *Conn) Deletions(ctx context.Context, q DeletionQuery) (Page[Deletion], error) {
	op := listing[Deletion]{
		name: "deletions", cursor: q.Cursor, limit: q.Limit,
		query: []any{q.ContainerID, q.After.UTC().Format(time.RFC3339Nano)},
	}
	op.text = []Fault{{"containerId", q.ContainerID}}
	if l, ok := c.driver.(DeletionLister); ok {
		op.list = func(cur Cursor) (Page[Deletion], error) {
			q.Cursor = cur
			return l.ListDeletions(ctx, q)
		}
	}
	return run(c, op)
}

// ResolveAbsences tells what became of items of a container, in the order of their ids.
func (c *Conn) ResolveAbsences(ctx context.Context, containerID string, ids []string) ([]Absence, error) {
	op := c.def.ID + ".absences"
	r, ok := c.driver.(AbsenceResolver)
	switch {
	case !ok:
		return nil, stamp(op, Errorf(Unsupported, "%s does not tell what became of an item", c.def.Name))
	case len(ids) == 0:
		return []Absence{}, nil
	case len(ids) > MaxAbsences:
		return nil, stamp(op, InvalidFields(Fault{"ids", fmt.Sprintf("must be at most %d", MaxAbsences)}))
	}
	out, err := r.ResolveAbsences(ctx, containerID, ids)
	if err != nil {
		return nil, stamp(op, err)
	}
	if err := answersAll(ids, out); err != nil {
		return nil, stamp(op, err)
	}
	c.charge(int64(len(ids)))
	return out, nil
}

// answersAll returns an error unless there is one answer to each id, in their order.
func answersAll(ids []string, out []Absence) error {
	if len(ids) != len(out) {
		return Errorf(Internal, "the driver resolved %d of %d absences", len(out), len(ids))
	}
	for i, a := range out {
		if a.ID != ids[i] {
			return Errorf(Internal, "the driver resolved absences in another order")
		}
	}
	return nil
}
