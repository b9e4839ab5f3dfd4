package sandbox

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Numbers of the wiki's ids. The ids of pages, blog posts and comments are of one kind, as in Confluence: the
// comments of a page have the ids that follow its own.
const (
	firstContentID = 1_000_000
	contentStride  = 8192
	// firstPostedID is where the ids of comments that clients made begin.
	firstPostedID = 1 << 50

	// Of every eleven contents one is a blog post.
	contentCycle = 11

	// treeWidth is how many pages a page has below it.
	treeWidth = 4
)

// Kinds and states of contents.
const (
	kindPage = "page"
	kindBlog = "blogpost"

	statusCurrent  = "current"
	statusArchived = "archived"
	statusTrashed  = "trashed"
	statusDeleted  = "deleted" // purged: nobody sees it any more
)

// wiki is the content of one Confluence site, computed from the seed alone as that of Jira is, and what was changed
// since the start. A content is named by its number, from 0; ids and times of creation grow with it. The order of
// modifications is another one, as in Jira.
type wiki struct {
	world    *world // of the accounts and the texts
	seed     uint64
	spaces   []space
	contents int64 // pages and blog posts
	comments int   // average of a content
	shift    int64
	digits   int // of the number in a title

	createdFrom, editedFrom, editedUntil int64 // milliseconds
	editedStep                           int64

	bands   commentBands
	crowds  []comment
	changes *wikiChanges
}

// shape is what a listing chooses by.
type shape struct {
	n      int64
	kind   string
	space  int
	status string
}

// content is a page or a blog post as it stands.
type content struct {
	shape
	title    string
	created  int64
	modified int64
	version  int
	author   int // of the accounts
	editor   int
	parent   int64 // the number of the page above, -1 for none
	position int
	body     string // storage format, when it was written by a client or a test
}

func newWiki(o Options, on *world, spaces []space, now func() time.Time) *wiki {
	pages := int64(max(0, o.Pages))
	end := epoch(on.seed).UnixMilli()
	w := &wiki{
		world: on, seed: on.seed, spaces: spaces, contents: pages + pages/(contentCycle-1), comments: max(0, o.Comments),
		createdFrom: on.createdFrom, editedFrom: on.updatedFrom, editedUntil: end,
	}
	w.shift = shiftFor(w.contents)
	w.editedStep = stepFor(updatedSpan, w.contents)
	w.digits = len(strconv.FormatInt(w.contents/int64(len(titleWords))+1, 10))
	w.bands = newCommentBands(w.comments)
	w.changes = newWikiChanges(now)
	w.crowds = w.crowdedComments()
	return w
}

// mulDiv is a*b/c without overflow; c must be more than a.
func mulDiv(a, b, c int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	quotient, _ := bits.Div64(high, low, uint64(c))
	return int64(quotient)
}

func (w *wiki) id(n int64) int64 { return firstContentID + n*contentStride }

// ordinal is the number of a content among those of its kind.
func ordinal(n int64) (i int64, kind string) {
	cycle, rest := n/contentCycle, n%contentCycle
	if rest == contentCycle-1 {
		return cycle, kindBlog
	}
	return cycle*(contentCycle-1) + rest, kindPage
}

// pageAt is the number of the i-th page.
func pageAt(i int64) int64 { return i/(contentCycle-1)*contentCycle + i%(contentCycle-1) }

// row is a content's place among those of its kind in its space.
func (w *wiki) row(n int64) int64 {
	i, _ := ordinal(n)
	return i / int64(len(w.spaces))
}

// shapeOf is how a content of the start was then.
func (w *wiki) shapeOf(n int64) shape {
	i, kind := ordinal(n)
	s := shape{n: n, kind: kind, space: int(i % int64(len(w.spaces))), status: statusCurrent}
	row := i / int64(len(w.spaces))
	switch {
	case kind == kindBlog && row%13 == 4, kind == kindPage && row%23 == 7:
		s.status = statusTrashed
	case kind == kindPage && row%17 == 5:
		s.status = statusArchived
	}
	return s
}

// base is a content of the start as it was then.
func (w *wiki) base(n int64) content {
	chance := newRNG(w.seed, domainContent, n)
	c := content{
		shape: w.shapeOf(n), title: w.titleOf(n), created: w.createdAt(n), modified: w.modifiedAt(n),
		version: 2 + chance.below(20), author: chance.below(len(w.world.accounts)), editor: chance.below(len(w.world.accounts)), parent: -1,
	}
	row := w.row(n)
	if c.kind == kindPage && row > 0 {
		c.parent = pageAt((row-1)/treeWidth*int64(len(w.spaces)) + int64(c.space))
		c.position = int((row - 1) % treeWidth)
	}
	return c
}

func (w *wiki) createdAt(n int64) int64 {
	return w.createdFrom + mulDiv(n, w.editedFrom-w.createdFrom, w.contents+1)
}

// rank is a content's place in the order of modifications, and ranked the way back.
func (w *wiki) rank(n int64) int64   { return (n + w.shift) % w.contents }
func (w *wiki) ranked(r int64) int64 { return (r - w.shift + w.contents) % w.contents }
func (w *wiki) modifiedAt(n int64) int64 {
	from, _ := tie(w.rank(n))
	jitter := newRNG(w.seed, domainModified, from)
	return w.editedFrom + from*w.editedStep + int64(jitter.next()%uint64(w.editedStep))
}

// content returns a content as it stands, false for one that never was or was purged.
func (w *wiki) content(n int64) (content, bool) {
	if c, ok := w.changes.content(n); ok {
		return c, c.status != statusDeleted
	}
	if n < 0 || n >= w.contents {
		return content{}, false
	}
	return w.base(n), true
}

// byID finds a content by its id.
func (w *wiki) byID(id int64) (content, bool) {
	if id < firstContentID || (id-firstContentID)%contentStride != 0 {
		return content{}, false
	}
	return w.content((id - firstContentID) / contentStride)
}

// lookup finds a content by its id as it is written.
func (w *wiki) lookup(id, kind string) (content, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return content{}, false
	}
	c, ok := w.byID(n)
	return c, ok && c.kind == kind
}

// titleWords are how titles begin, in the order of their bytes.
var titleWords = []string{
	"\"Quoted\" guide", "<Draft>", "=Sum", "ADR", "Café menu", "Meeting notes", "Runbook", "Über uns", "План", "دليل", "支払い", "🚀 Launch",
}

// titleOf is unique on the site. The number has a fixed width, so that the order of titles is arithmetic as well.
func (w *wiki) titleOf(n int64) string {
	words := int64(len(titleWords))
	number := strconv.FormatInt(n/words, 10)
	title := titleWords[n%words] + " " + strings.Repeat("0", max(0, w.digits-len(number))) + number
	if n%5 == 3 {
		phrases := plainPhrases()
		title += " · " + phrases[n/5%int64(len(phrases))]
	}
	return title
}

// titled is the number of the content at a place in the order of titles.
func (w *wiki) titled(pos int64) int64 {
	words := int64(len(titleWords))
	for word := range words {
		size := (w.contents - word + words - 1) / words
		if pos < size {
			return pos*words + word
		}
		pos -= size
	}
	panic("sandbox: position outside the wiki")
}
