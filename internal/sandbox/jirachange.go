package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// issueState is an issue that was changed since the start, as it stands.
type issueState struct {
	ref      issueRef // what it was at the start: its id, and all that was not changed, follow from that
	project  int      // where it is now
	row      int64
	updated  int64
	summary  string // when it was edited
	edits    int
	deleted  bool
	archived int64 // when, 0 for not at all
	comments []postedComment
	edited   map[int64]rewritten // comments of the start, by their ids; replaced as a whole when it changes
	dropped  []int               // places of comments that were deleted
	history  []historyEntry
}

// postedComment is a comment that a client made.
type postedComment struct {
	id     int64
	author int    // of the accounts
	body   string // the document as it came
	at     int64
	edited int64 // when, 0 for not at all
}

// rewritten is what became of a comment of the start.
type rewritten struct {
	body string
	at   int64
}

// historyEntry is one change in an issue's changelog.
type historyEntry struct {
	author              int
	at                  int64
	field, text, toText string
}

// jiraChanges is what was changed since the start. Each change happens at a later time than the one before.
type jiraChanges struct {
	now func() time.Time

	byIndex atomic.Pointer[map[int64]issueState] // replaced as a whole when it changes

	mu      sync.Mutex
	byKey   map[string]issueRef // of issues that moved, by their later keys
	numbers map[int]int64       // how many issues moved to a project
	posted  int64               // comments
	changed int64               // when the last change was
}

func newJiraChanges(now func() time.Time) *jiraChanges {
	c := &jiraChanges{now: now, byKey: map[string]issueRef{}, numbers: map[int]int64{}}
	c.byIndex.Store(&map[int64]issueState{})
	return c
}

// states is never changed after it was returned.
func (c *jiraChanges) states() map[int64]issueState { return *c.byIndex.Load() }

// state returns how a changed issue stands.
func (w *world) state(ref issueRef) (issueState, bool) {
	s, ok := w.changes.states()[w.index(ref)]
	return s, ok
}

// moved finds an issue by a key that it got later.
func (w *world) moved(project int, number int64) (issueRef, bool) {
	w.changes.mu.Lock()
	defer w.changes.mu.Unlock()
	ref, ok := w.changes.byKey[w.keys[project]+"-"+strconv.FormatInt(number, 10)]
	return ref, ok
}

// change changes an issue at a later time than any before.
func (w *world) change(ref issueRef, change func(s *issueState, at int64)) {
	c := w.changes
	c.mu.Lock()
	defer c.mu.Unlock()
	states := c.states()
	s, ok := states[w.index(ref)]
	if !ok {
		s = issueState{ref: ref, project: ref.project, row: ref.row, updated: w.baseUpdated(ref)}
	}
	s.comments, s.history = slices.Clip(s.comments), slices.Clip(s.history)
	c.changed = max(c.now().UnixMilli(), c.changed+1)
	change(&s, c.changed)
	states = maps.Clone(states)
	states[w.index(ref)] = s
	c.byIndex.Store(&states)
}

// hidden reports whether no search finds the issue any more.
func (s issueState) hidden() bool { return s.deleted || s.archived != 0 }

func (w *world) isHidden(ref issueRef) bool {
	s, ok := w.state(ref)
	return ok && s.hidden()
}

// projectOf and rowOf are where an issue is now; its key follows from them.
func (w *world) projectOf(ref issueRef) int {
	if s, ok := w.state(ref); ok {
		return s.project
	}
	return ref.project
}

func (w *world) rowOf(ref issueRef) int64 {
	if s, ok := w.state(ref); ok {
		return s.row
	}
	return ref.row
}

// key is what the issue is called now.
func (w *world) key(ref issueRef) string { return string(w.appendKey(nil, ref)) }

// visible is the number of issues that a search of the project finds.
func (w *world) visible(project int) int64 {
	n := w.count(project)
	for _, s := range w.changes.states() {
		if s.ref.project == project {
			n--
		}
		if s.project == project && !s.hidden() {
			n++
		}
	}
	return n
}

// editIssue gives an issue another summary.
func (w *world) editIssue(ref issueRef, summary string) {
	before := unquote(trimQuotes((&pen{world: w}).fieldText(ref, "summary")))
	w.change(ref, func(s *issueState, at int64) {
		s.edits++
		if summary == "" {
			first, _, _ := strings.Cut(before, " · edit ")
			summary = clipRunes(first, longestSummary-20) + fmt.Sprintf(" · edit %d", s.edits)
		}
		s.summary, s.updated = summary, at
		s.history = append(s.history, historyEntry{author: w.caller, at: at, field: "summary", text: before, toText: summary})
	})
}

func clipRunes(s string, most int) string {
	runes := []rune(s)
	return string(runes[:min(most, len(runes))])
}

func trimQuotes(b []byte) []byte { return b[1 : len(b)-1] }

// moveIssue moves an issue to another project, where it gets the next number.
func (w *world) moveIssue(ref issueRef, project int) {
	before := w.key(ref)
	w.changes.mu.Lock()
	row := w.count(project) + w.changes.numbers[project]
	w.changes.numbers[project]++
	key := w.keys[project] + "-" + strconv.FormatInt(row+1, 10)
	w.changes.byKey[key] = ref
	w.changes.mu.Unlock()
	w.change(ref, func(s *issueState, at int64) {
		s.project, s.row, s.updated = project, row, at
		s.history = append(s.history, historyEntry{author: w.caller, at: at, field: "Key", text: before, toText: key})
	})
}
