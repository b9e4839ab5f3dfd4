package sandbox

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// wikiChanges is what was changed since the start: contents and comments by number and id, as they stand now. Each
// change happens at a later time than the one before.
type wikiChanges struct {
	now func() time.Time

	byN  atomic.Pointer[map[int64]content] // both are replaced as a whole when they change
	byID atomic.Pointer[map[int64]comment]

	mu      sync.Mutex
	added   int64 // contents
	posted  int64 // comments
	changed int64 // when the last change was
}

func newWikiChanges(now func() time.Time) *wikiChanges {
	c := &wikiChanges{now: now}
	c.byN.Store(&map[int64]content{})
	c.byID.Store(&map[int64]comment{})
	return c
}

// contents and comments are never changed after they were returned.
func (c *wikiChanges) contents() map[int64]content { return *c.byN.Load() }
func (c *wikiChanges) comments() map[int64]comment { return *c.byID.Load() }

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
	all := maps.Clone(c.contents())
	if now, ok := all[one.n]; ok {
		one = now
	}
	change(&one, c.tick())
	all[one.n] = one
	c.byN.Store(&all)
	return one
}

func (c *wikiChanges) setComment(one comment, change func(one *comment, at int64)) comment {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := maps.Clone(c.comments())
	if now, ok := all[one.id]; ok {
		one = now
	}
	change(&one, c.tick())
	all[one.id] = one
	c.byID.Store(&all)
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
