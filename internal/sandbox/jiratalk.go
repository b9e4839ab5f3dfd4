package sandbox

import (
	"maps"
	"slices"
)

// The comments of an issue have places: first those of the start, then those that were made since. A comment that is
// deleted leaves its place empty.

// places returns the places of an issue's comments, in the order of their creation.
func (w *world) places(ref issueRef) []int {
	s, _ := w.state(ref)
	all := make([]int, 0, w.baseComments(ref)+len(s.comments))
	for k := range cap(all) {
		if !slices.Contains(s.dropped, k) {
			all = append(all, k)
		}
	}
	return all
}

// commentCount is how many comments an issue has.
func (w *world) commentCount(ref issueRef) int {
	s, _ := w.state(ref)
	return w.baseComments(ref) + len(s.comments) - len(s.dropped)
}

// findComment returns the issue and the place of a comment that is there.
func (w *world) findComment(id int64) (ref issueRef, k int, ok bool) {
	if id >= firstPostedID {
		for _, s := range w.changes.states() {
			i := slices.IndexFunc(s.comments, func(c postedComment) bool { return c.id == id })
			if i >= 0 {
				k = w.baseComments(s.ref) + i
				return s.ref, k, !slices.Contains(s.dropped, k)
			}
		}
		return issueRef{}, 0, false
	}
	index := (id - firstCommentID) / commentStride
	if id < firstCommentID || index >= w.issues {
		return issueRef{}, 0, false
	}
	ref, k = w.at(index), int((id-firstCommentID)%commentStride)
	return ref, k, slices.Contains(w.places(ref), k)
}

// postComment adds a comment, which counts as an update of the issue.
func (w *world) postComment(ref issueRef, author int, body string) (made postedComment) {
	w.changes.mu.Lock()
	w.changes.posted++
	id := int64(firstPostedID) + w.changes.posted
	w.changes.mu.Unlock()
	w.change(ref, func(s *issueState, at int64) {
		made = postedComment{id: id, author: author, body: body, at: at}
		s.updated, s.comments = at, append(s.comments, made)
	})
	return made
}

// editComment gives the comment at a place another body, which counts as an update of the issue.
func (w *world) editComment(ref issueRef, k int, body string) {
	w.change(ref, func(s *issueState, at int64) {
		s.updated = at
		if i := k - w.baseComments(ref); i >= 0 {
			s.comments = slices.Clone(s.comments)
			s.comments[i].body, s.comments[i].edited = body, at
			return
		}
		s.edited = maps.Clone(s.edited)
		if s.edited == nil {
			s.edited = map[int64]rewritten{}
		}
		s.edited[w.commentID(ref, k)] = rewritten{body, at}
	})
}

// deleteComment deletes the comment at a place, which counts as an update of the issue.
func (w *world) deleteComment(ref issueRef, k int) {
	w.change(ref, func(s *issueState, at int64) {
		if !slices.Contains(s.dropped, k) {
			s.updated, s.dropped = at, append(slices.Clip(s.dropped), k)
		}
	})
}
