package sandbox

import (
	"cmp"
	"slices"
	"time"
)

// comment is a comment as it stands.
type comment struct {
	id       int64
	content  int64 // the number of the page or blog post
	k        int   // its number there, -1 for one that a client made
	inline   bool
	parent   int64 // the id of the comment that it answers, 0 for none
	created  int64
	modified int64
	version  int
	author   int
	gone     bool
	body     string // when it was written by a client or a test
	format   string // of body
}

// Every fourth comment of a content is inline. Comments come in groups of eight of each sort, and groupParents tells
// which of its group each answers: threads are up to five deep, and beside each other.
const inlineCycle = 4

var groupParents = [8]int{-1, 0, 1, 2, 3, 0, 5, -1}

// In a crowded content the first comment has more answers than a page of them holds.
const (
	crowdedRow         = 2
	crowdedSpaces      = 5
	crowdedAnswersFrom = 100
	crowdedAnswersTo   = 170
)

// place returns a comment's number among those of its sort in its content, and placed the way back.
func commentPlace(k int) (j int, inline bool) {
	if k%inlineCycle == inlineCycle-1 {
		return k / inlineCycle, true
	}
	return k/inlineCycle*(inlineCycle-1) + k%inlineCycle, false
}

func commentAt(j int, inline bool) int {
	if inline {
		return j*inlineCycle + inlineCycle - 1
	}
	return j/(inlineCycle-1)*inlineCycle + j%(inlineCycle-1)
}

// parentOf returns the number of the comment that the k-th answers, -1 for none.
func parentOf(k int, crowded bool) int {
	j, inline := commentPlace(k)
	if crowded && !inline && j >= crowdedAnswersFrom && j < crowdedAnswersTo {
		return 0
	}
	above := groupParents[j%len(groupParents)]
	if above < 0 {
		return -1
	}
	return commentAt(j-j%len(groupParents)+above, inline)
}

// isEdited reports whether the k-th comments of contents were edited after they were made.
func isEdited(k int) bool { return k%8 == 2 || k%8 == 3 }

// commentBands is how comments lie in time. The k-th comments of all contents are made in the k-th band of time, so a
// later comment of a content is younger; the edits come in bands after all those. So both orders are arithmetic.
type commentBands struct {
	modified []int       // numbers of comments in the order of their modification
	slot     map[int]int // the band in which a comment was modified last
	slots    int
}

func newCommentBands(average int) commentBands {
	b := commentBands{slot: map[int]int{}}
	most := 2 * average
	var edited []int
	for k := range most {
		if isEdited(k) {
			edited = append(edited, k)
			continue
		}
		b.modified, b.slot[k] = append(b.modified, k), k
	}
	for i, k := range edited {
		b.modified, b.slot[k] = append(b.modified, k), most+i
	}
	b.slots = most + len(edited)
	return b
}

// bandTime is when the comments of a content in a band happen. Three contents beside each other share a time.
func (w *wiki) bandTime(slot int, n int64) int64 {
	return w.editedFrom + mulDiv(int64(slot)*w.contents+n-n%3, w.editedUntil-w.editedFrom, int64(w.bands.slots)*w.contents+1)
}

func (w *wiki) isCrowded(n int64) bool {
	i, kind := ordinal(n)
	spaces := int64(len(w.spaces))
	return n < w.contents && kind == kindPage && i/spaces == crowdedRow && i%spaces < crowdedSpaces
}

// commentCount is how many comments a content of the start had then.
func (w *wiki) commentCount(n int64) int {
	switch {
	case n >= w.contents || w.comments == 0:
		return 0
	case w.isCrowded(n):
		return crowdedComments
	}
	chance := newRNG(w.seed, domainNote, n)
	return chance.below(2*w.comments + 1)
}

// baseComment is the k-th comment of a content as it was at the start.
func (w *wiki) baseComment(n int64, k int) comment {
	_, inline := commentPlace(k)
	crowded := w.isCrowded(n)
	chance := newRNG(w.seed, domainNote, w.id(n)+int64(k)+1)
	c := comment{
		id: w.id(n) + 1 + int64(k), content: n, k: k, inline: inline, version: 1, author: chance.below(len(w.world.accounts)),
	}
	if above := parentOf(k, crowded); above >= 0 {
		c.parent = w.id(n) + 1 + int64(above)
	}
	if crowded {
		step := (w.editedUntil - w.editedFrom) / (crowdedComments + 1)
		c.created = w.editedFrom + int64(k)*step
		c.modified = c.created
		if isEdited(k) {
			c.modified, c.version = c.created+step/2, 2
		}
		return c
	}
	c.created = w.bandTime(k, n)
	c.modified = w.bandTime(w.bands.slot[k], n)
	if isEdited(k) {
		c.version = 2
	}
	return c
}

// crowdedComments are the comments that lie outside the bands; they are few.
func (w *wiki) crowdedComments() []comment {
	var all []comment
	for space := range min(crowdedSpaces, len(w.spaces)) {
		n := pageAt(int64(crowdedRow*len(w.spaces) + space))
		if n >= w.contents || w.comments == 0 {
			continue
		}
		for k := range crowdedComments {
			all = append(all, w.baseComment(n, k))
		}
	}
	return all
}

// comment finds a comment by its id, false for one that never was or is deleted, and for those of a purged content.
func (w *wiki) comment(id int64) (comment, bool) {
	c, ok := w.changes.comment(id)
	if !ok {
		n := (id - firstContentID) / contentStride
		k := int((id-firstContentID)%contentStride) - 1
		if id < firstContentID || n >= w.contents || k < 0 || k >= w.commentCount(n) {
			return comment{}, false
		}
		c = w.baseComment(n, k)
	}
	_, alive := w.content(c.content)
	return c, alive && !c.gone
}

// commentsOf are all comments of a content in the order of their ids.
func (w *wiki) commentsOf(n int64) []comment {
	changed := w.changes.comments()
	var all []comment
	for k := range w.commentCount(n) {
		c := w.baseComment(n, k)
		if _, is := changed[c.id]; !is {
			all = append(all, c)
		}
	}
	for _, c := range changed {
		if c.content == n && !c.gone {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b comment) int { return cmp.Compare(a.id, b.id) })
	return all
}

// compareComments is the order of created-date or modified-date; without one, of ids.
func compareComments(o contentOrder, a, b comment) int {
	if o.descending {
		a, b = b, a
	}
	switch o.by {
	case "modified-date":
		return cmp.Or(cmp.Compare(a.modified, b.modified), cmp.Compare(a.id, b.id))
	case "created-date":
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.id, b.id))
	}
	return cmp.Compare(a.id, b.id)
}

// few is the feed of a list that is known as a whole.
func few(all []comment, o contentOrder, accepts func(comment) bool) *feed[comment] {
	compare := func(a, b comment) int { return compareComments(o, a, b) }
	all = slices.DeleteFunc(all, func(c comment) bool { return !accepts(c) })
	slices.SortFunc(all, compare)
	return &feed[comment]{descending: o.descending, extra: all, compare: compare}
}

// everyComment is the feed of the comments of one sort on all pages and blog posts that are not in the trash.
func (w *wiki) everyComment(o contentOrder, accepts func(comment) bool) *feed[comment] {
	changed, contents := w.changes.comments(), w.changes.contents()
	listed := func(c comment) bool {
		s := w.shapeOf(c.content)
		if of, is := contents[c.content]; is {
			s = of.shape
		}
		return (s.status == statusCurrent || s.status == statusArchived) && accepts(c)
	}
	f := few(w.unplaced(changed), o, listed)
	f.total = int64(len(w.bands.modified)) * w.contents
	f.at = func(pos int64) (comment, bool) {
		n, k := w.bands.at(o, pos, w.contents)
		if k >= w.commentCount(n) || w.isCrowded(n) {
			return comment{}, false
		}
		c := w.baseComment(n, k)
		_, is := changed[c.id]
		return c, !is && listed(c)
	}
	return f
}

// at is the content and the number of the comment at a place in an order.
func (b commentBands) at(o contentOrder, pos, contents int64) (n int64, k int) {
	switch o.by {
	case "modified-date":
		return pos % contents, b.modified[pos/contents]
	case "created-date":
		return pos % contents, int(pos / contents)
	}
	each := int64(len(b.modified)) // all comments of a content, then those of the next
	return pos / each, int(pos % each)
}

// unplaced are the comments that lie outside the bands: those of crowded contents, and those that were changed.
func (w *wiki) unplaced(changed map[int64]comment) []comment {
	var list []comment
	for _, c := range w.crowds {
		if _, is := changed[c.id]; !is {
			list = append(list, c)
		}
	}
	for _, c := range changed {
		if !c.gone {
			list = append(list, c)
		}
	}
	return list
}

// isoTime writes a time as version 2 of the API does.
func isoTime(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
