package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// TestCommented has a site where a comment leaves no trace on its item.
func TestCommented(t *testing.T) {
	b := newBench(t, "a", "b")
	b.said = map[string]time.Time{}
	b.comments["a1"] = []string{"hello", "you"}
	b.comments["b2"] = []string{"well"}
	b.succeeds()
	b.want("after the first run")

	b.now = b.now.Add(time.Hour)
	for item, list := range map[string][]string{"a1": {"you"}, "a5": {"new"}, "b2": {"well", "now"}} {
		b.comments[item], b.said[item] = list, b.now
	}
	b.asked = nil
	s := b.succeeds()
	b.want("after changed comments")
	if c := s.Counts; c.Comments.Created != 2 || c.Comments.Deleted != 1 || c.Items.Updated > 0 {
		t.Errorf("%+v", c)
	}
	if got := strings.Join(b.asked, ", "); got != "a , a said , a said a1, b , b said " {
		t.Errorf("asked for %s", got)
	}
	b.asked = nil
	if s = b.succeeds(); s.Counts.Comments.Seen > 0 {
		t.Errorf("comments were read again: %+v, %v", s.Counts, b.asked)
	}
}

// TestCommentedAnew has page tokens refused: the listing begins again, a few times.
func TestCommentedAnew(t *testing.T) {
	for _, stale := range []int{1, maxRestarts, maxRestarts + 1} {
		b := newBench(t, "a")
		b.said = map[string]time.Time{}
		b.succeeds()
		b.now = b.now.Add(time.Hour)
		for _, item := range []string{"a1", "a2"} {
			b.comments[item], b.said[item] = []string{"new"}, b.now
		}
		b.stale = stale
		s, err := b.run()
		if stale > maxRestarts {
			if err == nil && len(s.Incomplete) == 0 {
				t.Errorf("a token that is refused %d times: got %+v", stale, s)
			}
			continue
		}
		if err != nil || len(s.Incomplete) > 0 {
			t.Errorf("a token that is refused %d times: got %+v, %v", stale, s.Incomplete, err)
		}
		b.want("after all")
	}
}

// TestCommentedGap keeps the position of a container whose changed comments cannot all be found, and names the reason.
func TestCommentedGap(t *testing.T) {
	b := newBench(t, "a")
	b.said = map[string]time.Time{}
	b.succeeds()
	b.deaf = []connectors.Gap{{ContainerID: "a", Code: connectors.Reauthorize, Reason: "no right to search"}}
	before := b.shelf.text["items/a"]
	s, err := b.run()
	if err != nil || len(s.Incomplete) != 1 || s.Incomplete[0] != b.deaf[0] {
		t.Fatalf("%+v, %v", s.Incomplete, err)
	}
	since := func(text string) time.Time { p, _ := parsePlace(text); return p.Since }
	if after := b.shelf.text["items/a"]; !since(after).Equal(since(before)) {
		t.Errorf("the position moved from %s to %s", before, after)
	}
	b.comments["a3"], b.said["a3"] = []string{"meanwhile"}, b.now
	b.deaf = nil
	b.succeeds()
	b.want("after the right was given")
}
