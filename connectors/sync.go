package connectors

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Timekeeper is a [Driver] that tells the time by its system's own clock, by which that system stamps its changes.
type Timekeeper interface {
	// SystemTime returns the system's time, no later than it is there. A driver may tell it from the answers it got
	// lately, and asks the system only where it got none.
	SystemTime(ctx context.Context) (time.Time, error)
}

// clockMargin is how far the system's clock may be behind ours where nobody tells its time.
const clockMargin = 5 * time.Minute

// SystemTime returns the time by the system's own clock, or one that is five minutes old where the driver cannot tell it.
// What changes at the system from now on is stamped later.
func (c *Conn) SystemTime(ctx context.Context) (time.Time, error) {
	if k, ok := c.driver.(Timekeeper); ok {
		at, err := k.SystemTime(ctx)
		if err != nil {
			return time.Time{}, stamp(c.def.ID+".time", err)
		}
		return at, nil
	}
	return c.now().Add(-clockMargin), nil
}

// CommentCounter is a [Driver] that can tell of an item it listed how many comments it has, without a request.
type CommentCounter interface {
	// CountComments returns the number of comments of an item of a raw listing, and whether it is known. It makes no
	// request. The item of a kind that can have none has 0.
	CountComments(it Item) (n int, known bool)
}

// CountComments returns how many comments an item of a raw listing has, and whether that is known.
func (c *Conn) CountComments(it Item) (n int, known bool) {
	if c.comments == nil {
		return 0, true
	}
	if k, ok := c.driver.(CommentCounter); ok {
		return k.CountComments(it)
	}
	return 0, false
}

// CommentedLister is a [Driver] of a system where a comment does not change the time of its item: it tells which items have comments
// that are new or changed.
type CommentedLister interface {
	// ListCommented returns one page of up to [MaxIDs] ids of items, in no order; one may come twice. A system that does
	// not tell of deleted comments leaves those to a listing of the item's comments.
	ListCommented(ctx context.Context, q ChangedIDQuery) (Page[string], error)
}

// Commented returns one page of the ids of items whose comments changed. Where a comment changes the time of its item it
// is [Unsupported]: the changed items are those.
func (c *Conn) Commented(ctx context.Context, q ChangedIDQuery) (Page[string], error) {
	op := listing[string]{
		name: "commented", cursor: q.Cursor, limit: MaxIDs, most: MaxIDs,
		query: []any{q.ContainerID, q.After.UTC().Format(time.RFC3339Nano)},
	}
	op.text = []Fault{{"containerId", q.ContainerID}}
	if l, ok := c.driver.(CommentedLister); ok {
		op.list = func(cur Cursor) (Page[string], error) {
			q.Cursor = cur
			return l.ListCommented(ctx, q)
		}
	}
	return run(c, op)
}

// Passable reports whether a reading of several containers goes on past one that failed like that: one that may not or cannot be read,
// but not a credential that is refused or a limit that is used up. See [MayBeDown] for the system as a whole.
func Passable(err error) bool {
	switch CodeOf(err) {
	case NotFound, Unsupported, InvalidRequest, ProviderError, Timeout:
		return true
	}
	return IsDenied(err)
}

// MayBeDown reports whether a failure can be one of the system as a whole, or of what was asked for alone: one container
// that fails or takes too long is passed over, several in a row are a system that is down. A system that says what is wrong
// with the very request is there.
func MayBeDown(err error) bool {
	if code := CodeOf(err); code != ProviderError && code != Timeout {
		return false
	}
	if status, ok := AsError(err).Details["status"].(int); ok && status >= 400 && status < 500 {
		return false
	}
	var sql interface{ SQLState() string }
	if !errors.As(err, &sql) {
		return true
	}
	// The classes of errors of the system as a whole: PostgreSQL documentation, appendix A.
	state := sql.SQLState()
	return slices.ContainsFunc([]string{"08", "53", "57P", "58", "XX"}, func(class string) bool { return strings.HasPrefix(state, class) })
}
