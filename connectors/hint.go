package connectors

import "context"

// Hint says that something may have changed. It is never a change by itself: whoever gets one looks.
type Hint struct {
	ContainerID string // empty for anywhere
}

// ChangeHinter is a [Driver] of a system that can tell at once that something changed.
type ChangeHinter interface {
	// WatchHints calls notify for every hint, one at a time, until the context ends or the system can no longer be
	// listened to; it then returns why. It calls notify once with an empty hint as soon as it listens: what changed
	// before was not heard. A configuration that names nothing to listen to is [Unsupported].
	WatchHints(ctx context.Context, notify func(Hint)) error
}

// WatchHints listens for hints of changes until the context ends.
func (c *Conn) WatchHints(ctx context.Context, notify func(Hint)) error {
	op := c.def.ID + ".hints"
	h, ok := c.driver.(ChangeHinter)
	if !ok {
		return stamp(op, Errorf(Unsupported, "%s does not tell of changes by itself", c.def.Name))
	}
	return stamp(op, h.WatchHints(ctx, notify))
}
