package sandbox

import (
	"maps"
	"sync"
	"time"
)

// wikiChanges is what was changed since the start: contents and comments by number and id, as they stand now. Each
// change happens at a later time than the one before.
type wikiChanges struct {
	now func() time.Time

	mu      sync.Mutex
	byN     map[int64]content // replaced as a whole when it changes, so that a listing reads it without the lock
	byID    map[int64]comment
	added   int64 // contents
	posted  int64 // comments
	changed int64 // when the last change was
}

func newWikiChanges(now func() time.Time) *wikiChanges {
	return &wikiChanges{now: now, byN: map[int64]content{}, byID: map[int64]comment{}}
}

// contents is never changed after it was returned.
func (c *wikiChanges) contents() map[int64]content {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byN
}

func (c *wikiChanges) comments() map[int64]comment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byID
}

func (c *wikiChanges) content(n int64) (content, bool) {
	one, ok := c.contents()[n]
	return one, ok
}

func (c *wikiChanges) comment(id int64) (comment, bool) {
	one, ok := c.comments()[id]
	return one, ok
}

// tick returns the time of a change in milliseconds; the caller holds the lock.
func (c *wikiChanges) tick() int64 {
	c.changed = max(c.now().UnixMilli(), c.changed+1)
	return c.changed
}

// setContent changes a content; change gets the time of the change.
func (c *wikiChanges) setContent(one content, change func(one *content, at int64)) content {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, ok := c.byN[one.n]; ok {
		one = now
	}
	change(&one, c.tick())
	c.byN = maps.Clone(c.byN)
	c.byN[one.n] = one
	return one
}

func (c *wikiChanges) setComment(one comment, change func(one *comment, at int64)) comment {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, ok := c.byID[one.id]; ok {
		one = now
	}
	change(&one, c.tick())
	c.byID = maps.Clone(c.byID)
	c.byID[one.id] = one
	return one
}

// next returns the number of a new content and the id of a new comment.
func (c *wikiChanges) nextContent(after int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.added++
	return after + c.added - 1
}

func (c *wikiChanges) nextComment() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posted++
	return firstPostedID + c.posted
}

// edit changes a content: it gets its next version, unless it is only moved to another state.
func (w *wiki) edit(one content, change func(*content)) content {
	return w.changes.setContent(one, func(one *content, at int64) {
		before := one.status
		change(one)
		if one.status == before {
			one.version, one.modified = one.version+1, at
		}
	})
}

// add makes a content.
func (w *wiki) add(one content) content {
	one.n = w.changes.nextContent(w.contents)
	one.version = 1
	return w.changes.setContent(one, func(one *content, at int64) { one.created, one.modified = at, at })
}

func (w *wiki) editComment(one comment) {
	w.changes.setComment(one, func(one *comment, at int64) { one.version, one.modified = one.version+1, at })
}

// deleteComment deletes a comment and the answers to it.
func (w *wiki) deleteComment(one comment) {
	for _, below := range w.commentsOf(one.content) {
		if below.parent == one.id {
			w.deleteComment(below)
		}
	}
	w.changes.setComment(one, func(one *comment, _ int64) { one.gone = true })
}
