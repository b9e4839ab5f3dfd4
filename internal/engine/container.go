package engine

import (
	"context"
	"errors"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// container is the reading of one container.
type container struct {
	*run
	id       string
	items    Position // of the listing
	talk     Position // of the comments; nil where they are not wanted
	at       place    // of the listing
	gapped   bool     // something in it could not be read
	due      bool     // a census is wanted
	lacking  []string // ids that the system has and the sink has not
	expected int64    // entries of the listing, Unknown where nobody says
	listed   int64
	saved    time.Time
}

const (
	// overlap is how far before the end of the last reading the next one begins: clocks are coarse, and what changes
	// while a page is made may appear in none.
	overlap = 6 * time.Minute
	// censusEvery is how often ids are compared where nothing else is asked for.
	censusEvery = 24 * time.Hour
	// maxRestarts is how often a listing whose page token is no longer good begins anew.
	maxRestarts = 3
	// saveEvery is how often the place within a listing is kept.
	saveEvery = time.Second
)

// read reads the container: what was deleted, what changed or everything, what is missing, whose comments changed.
func (c *container) read(ctx context.Context) error {
	if err := c.open(ctx); err != nil {
		return err
	}
	if c.finished() {
		c.recall(c.at.Counts, 1)
		return nil
	}
	now, err := c.Conn.SystemTime(ctx)
	if err != nil {
		return err
	}
	c.plan(now)
	for _, step := range []func(context.Context) error{c.deletions, c.ids, c.list, c.rest, c.absences, c.commented} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return c.end(ctx, now)
}

// open loads the positions. A container without a position of its own begins where the whole stream's says.
func (c *container) open(ctx context.Context) (err error) {
	stream := Items
	if !c.run.items {
		stream = Comments
	}
	if c.items, err = c.load(ctx, stream, &c.at); err != nil {
		return err
	}
	if !c.comments || stream == Comments {
		return nil
	}
	var talk place
	if c.talk, err = c.load(ctx, Comments, &talk); err != nil {
		return err
	}
	if !c.at.Comments {
		c.at = c.at.rest()
	}
	if talk.Since.Before(c.at.Since) {
		c.at.Since = talk.Since // runs without comments were here: what they read is wanted again
	}
	return nil
}

func (c *container) load(ctx context.Context, stream string, at *place) (Position, error) {
	pos, err := c.Positions.Open(ctx, stream, c.id)
	if err != nil {
		return nil, ofSink(err)
	}
	text := pos.Text()
	if text == "" {
		whole, err := c.Positions.Open(ctx, stream, "")
		if err != nil {
			return nil, ofSink(err)
		}
		text = whole.Text()
	}
	*at, err = parsePlace(text)
	return pos, err
}

// finished reports whether this very run has read the container before it was interrupted.
func (c *container) finished() bool { return c.Run != "" && c.at.Run == c.Run && c.at.atRest() }

// plan decides what the listing covers. One that an earlier run left in the middle goes on, unless everything is to be
// read anew.
func (c *container) plan(now time.Time) {
	full := c.Full || c.at.Since.IsZero()
	resumed := !c.at.atRest() && (!c.Full || c.at.Full && c.at.Run == c.Run)
	c.recount(resumed)
	if !resumed {
		c.begin(now, full)
	}
	if !c.at.Full {
		c.at.Stamp = 0 // of a census that did not come to its end
	}
	c.at.Run, c.at.Comments = c.Run, c.comments
	c.expected = connectors.Unknown
	c.due = c.censusDue(now) && c.memory != nil && c.run.items && !c.at.Full
}

// recount counts what this very run met in the container before it was interrupted; what another one met is none of it.
func (c *container) recount(resumed bool) {
	if !resumed || c.Run == "" || c.at.Run != c.Run {
		c.at.Counts = domain.JobCounts{}
	}
	c.recall(c.at.Counts, 1)
}

// censusDue reports whether ids are to be compared now.
func (c *container) censusDue(now time.Time) bool {
	switch c.Census {
	case "never":
		return false
	case "always":
		return true
	}
	return now.Sub(c.at.Census) >= censusEvery
}

// begin begins a new listing.
func (c *container) begin(now time.Time, full bool) {
	c.at.Begun, c.at.Page, c.at.Full, c.at.Stamp = now, "", full, 0
	if full && c.run.items {
		c.at.Stamp = c.stamp()
	}
}

// since returns the time from which on changes are asked for, zero for everything.
func (c *container) since() time.Time {
	if c.at.Full || c.at.Since.IsZero() {
		return time.Time{}
	}
	return c.at.Since.Add(-overlap)
}

// list reads the listing to its end. A page token that is no longer good begins it anew.
func (c *container) list(ctx context.Context) error {
	for restarts := 0; ; restarts++ {
		err := c.pages(ctx)
		if err == nil || isSink(err) || ctx.Err() != nil {
			return err
		}
		switch code := connectors.CodeOf(err); {
		case code == connectors.Unsupported && !c.since().IsZero():
			// The system cannot tell what changed: everything is read, and compared.
			c.at.Since = time.Time{}
			c.begin(c.at.Begun, true)
			c.due = false
		case code == connectors.InvalidRequest && c.at.Page != "" && restarts < maxRestarts:
			if err := c.anew(ctx); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// anew begins the listing under way from its first page.
func (c *container) anew(ctx context.Context) error {
	now, err := c.Conn.SystemTime(ctx)
	if err != nil {
		return err
	}
	c.recall(c.at.Counts, -1)
	c.at.Counts = domain.JobCounts{}
	stamp := c.at.Stamp
	c.begin(now, c.at.Full)
	c.at.Stamp = max(stamp, c.at.Stamp)
	return c.save(ctx)
}

// rest reads everything where the census found what no listing of changes brought.
func (c *container) rest(ctx context.Context) error {
	if len(c.lacking) == 0 {
		return nil
	}
	missing, err := c.memory.Mark(ctx, domain.ItemRecord, c.lacking, c.at.Stamp)
	if err != nil {
		return ofSink(err)
	}
	c.lacking = nil
	if len(missing) == 0 {
		return nil
	}
	stamp := c.at.Stamp
	c.begin(c.at.Begun, true)
	c.at.Stamp = stamp
	return c.list(ctx)
}

// end keeps the new position. A container with a gap keeps its old one, and is read from there again.
func (c *container) end(ctx context.Context, now time.Time) error {
	begun, full := c.at.Begun, c.at.Full
	c.at = c.at.rest()
	if c.gapped {
		c.at.Run = ""
		return c.save(ctx)
	}
	c.at.Since = begun
	if full || c.due {
		c.at.Census = now
	}
	if c.talk != nil {
		if err := c.talk.Save(ctx, place{Since: begun}.String()); err != nil {
			return ofSink(err)
		}
	}
	return c.save(ctx)
}

func (c *container) save(ctx context.Context) error {
	c.saved = c.Now()
	at := c.at
	if c.Run == "" {
		at.Counts = domain.JobCounts{} // nobody takes such a run over
	}
	return ofSink(c.items.Save(ctx, at.String()))
}

// lost notes something in the container that could not be read.
func (c *container) lost(code connectors.Code, reason string) {
	c.gapped = true
	c.gap(connectors.Gap{ContainerID: c.id, Code: code, Reason: reason})
}

// tolerable reports whether err says that a system does not offer something, which something else makes up for.
func tolerable(err error) bool {
	var e *connectors.Error
	return errors.As(err, &e) && e.Code == connectors.Unsupported
}
