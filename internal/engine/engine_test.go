package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// bench is a site, what was read from it, and how far.
type bench struct {
	*site
	*testing.T
	ledger *ledger
	shelf  *shelf
	runs   int
}

func newBench(t *testing.T, boxes ...string) *bench {
	t.Helper()
	b := &bench{newSite(boxes...), t, newLedger(), &shelf{text: map[string]string{}}, 0}
	for _, box := range boxes {
		for i := range 7 {
			b.put(box, fmt.Sprintf("%s%d", box, i), "first")
		}
	}
	return b
}

// run runs the engine an hour after the last time.
func (b *bench) run(change ...func(*Options)) (domain.JobState, error) {
	b.Helper()
	b.now = b.now.Add(time.Hour)
	b.runs++
	b.ledger.stamp++
	o := Options{Conn: b.open(b.T), Sink: b.ledger, Positions: b.shelf, Run: fmt.Sprint("run ", b.runs), Census: "always", Parallel: 1}
	for _, c := range change {
		c(&o)
	}
	return Run(b.Context(), o)
}

func (b *bench) succeeds(change ...func(*Options)) domain.JobState {
	b.Helper()
	s, err := b.run(change...)
	if err != nil || len(s.Incomplete) > 0 || s.Progress != 100 {
		b.Fatalf("%+v, %v", s, err)
	}
	return s
}

// want holds the items and comments that are remembered against those of the site.
func (b *bench) want(when string) {
	b.Helper()
	site := newLedger()
	for _, it := range b.items {
		rec, _ := itemRecord(it, it.ContainerID, 0, b.now)
		site.recs["item "+it.ID] = rec
		for _, text := range b.comments[it.ID] {
			site.recs["comment "+it.ID+"/"+text] = domain.Record{}
		}
	}
	if got, want := b.ledger.alive(), site.alive(); got != want {
		b.Errorf("%s: remembered %s\nthe site has %s", when, got, want)
	}
	for key, r := range site.recs {
		if r.Hash != "" && b.ledger.recs[key].Hash != r.Hash {
			b.Errorf("%s: %s is remembered as %s, it is %s", when, key, b.ledger.recs[key].Value, r.Value)
		}
	}
}

func (b *bench) reason(id string) string { return b.ledger.recs["item "+id].Reason }

func TestChangesAndDeletions(t *testing.T) {
	b := newBench(t, "a", "b")
	b.comments["a1"] = []string{"hello", "you"}
	s := b.succeeds()
	if s.Counts.Items.Created != 14 || s.Counts.Comments.Created != 2 || s.Counts.Containers.Created != 2 || s.Containers != (domain.Done{Done: 2, Total: 2}) {
		t.Errorf("%+v", s)
	}
	b.want("after the first run")
	b.now = b.now.Add(time.Hour)
	b.put("a", "a1", "second")
	b.put("a", "a9", "new")
	b.comments["a1"] = []string{"you"}
	b.remove("a2", connectors.Deleted)
	b.remove("b3", connectors.Archived)
	b.put("b", "a4", "moved")
	s = b.succeeds()
	b.want("after changes")
	// The one that moved leaves its box and comes to the other.
	if c := s.Counts; c.Items.Deleted != 3 || c.Items.Created != 2 || c.Items.Updated != 1 || c.Comments.Deleted != 1 {
		t.Errorf("%+v", c)
	}
	if b.reason("a2") != "deleted" || b.reason("b3") != "archived" || b.ledger.recs["item a4"].ContainerID != "b" {
		t.Errorf("a2 %q, b3 %q, a4 in %q", b.reason("a2"), b.reason("b3"), b.ledger.recs["item a4"].ContainerID)
	}
	b.asked = nil
	b.succeeds()
	if len(b.asked) != 2 {
		t.Errorf("a run without changes asked for %q", b.asked)
	}
}

// TestInterrupted cuts a run after each page in turn. The next run of that name reads at most one page again, and the
// containers that were finished not at all.
func TestInterrupted(t *testing.T) {
	for cut := range 8 {
		for _, full := range []bool{false, true} {
			b := newBench(t, "a", "b")
			same := func(o *Options) { o.Run, o.Full, o.Now = "one", full, b.fast() }
			b.cut = cut
			if _, err := b.run(same); connectors.CodeOf(err) != connectors.RateLimited {
				t.Fatalf("cut after %d: %v", cut, err)
			}
			b.cut, b.asked = -1, nil
			s := b.succeeds(same)
			b.want(fmt.Sprintf("full %v, cut after %d", full, cut))
			if n := s.Counts; n.Items.Seen != 14 || n.Containers.Seen != 2 {
				t.Errorf("full %v, cut after %d: it counts %+v", full, cut, n)
			}
			if most := 8 - cut + 1; len(b.asked) > most {
				t.Errorf("full %v, cut after %d: %d pages were asked for again, want at most %d: %q", full, cut, len(b.asked), most, b.asked)
			}
		}
	}
}

// fast returns a clock that moves a second with each look, so that every place is kept.
func (b *bench) fast() func() time.Time {
	at := b.now
	return func() time.Time { at = at.Add(2 * time.Second); return at }
}

// TestExpiredToken resumes where the page token is not accepted any more, and where it expires in the middle.
func TestExpiredToken(t *testing.T) {
	b := newBench(t, "a")
	b.cut = 2
	if _, err := b.run(func(o *Options) { o.Now = b.fast() }); err == nil {
		t.Fatal("it was not cut")
	}
	if !strings.Contains(b.shelf.text["items/a"], `"page"`) {
		t.Fatalf("no place was kept: %s", b.shelf.text["items/a"])
	}
	b.cut, b.era = -1, 1
	b.remove("a0", connectors.Deleted)
	b.succeeds()
	b.want("after the token expired")
}

// TestGaps has containers that cannot be read: they are named, keep their position, and the others are read.
func TestGaps(t *testing.T) {
	b := newBench(t, "a", "b", "c")
	b.fails["b"] = connectors.Errorf(connectors.NotFound, "hidden")
	s, err := b.run()
	if err != nil || len(s.Incomplete) != 1 || s.Incomplete[0].ContainerID != "b" || s.Incomplete[0].Code != connectors.NotFound {
		t.Fatalf("%+v, %v", s.Incomplete, err)
	}
	if b.shelf.text["items/b"] != "" && !strings.Contains(b.shelf.text["items/b"], "begun") || s.Counts.Items.Created != 14 {
		t.Errorf("b is at %q, %d items", b.shelf.text["items/b"], s.Counts.Items.Created)
	}
	delete(b.fails, "b")
	b.succeeds()
	b.want("after the gap closed")

	b.silent["a3"] = connectors.Errorf(connectors.InvalidRequest, "no")
	b.now = b.now.Add(time.Hour)
	b.put("a", "a3", "changed")
	before := b.shelf.text["items/a"]
	s, err = b.run()
	if err != nil || len(s.Incomplete) != 1 || !strings.Contains(s.Incomplete[0].Reason, "a3") {
		t.Fatalf("%+v, %v", s.Incomplete, err)
	}
	if since := func(text string) time.Time { p, _ := parsePlace(text); return p.Since }; !since(b.shelf.text["items/a"]).Equal(since(before)) {
		t.Errorf("an incomplete container moved from %s to %s", before, b.shelf.text["items/a"])
	}
	delete(b.silent, "a3")
	b.comments["a3"] = []string{"late"}
	b.succeeds()
	b.want("after the comments could be read")
}

// TestEnds has what ends a run at once: no container is taken for empty, and nothing is marked.
func TestEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		code connectors.Code
	}{
		"a refused credential": {connectors.Errorf(connectors.Reauthorize, "no"), connectors.Reauthorize},
		"a limit":              {connectors.Errorf(connectors.RateLimited, "no"), connectors.RateLimited},
		"a system that fails":  {connectors.Errorf(connectors.ProviderError, "no"), connectors.ProviderError},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "a", "b", "c", "d")
			b.succeeds()
			for _, box := range b.boxes {
				b.fails[box] = tt.err
			}
			if _, err := b.run(); connectors.CodeOf(err) != tt.code {
				t.Errorf("ended with %v", err)
			}
			b.want("afterwards")
		})
	}
	b := newBench(t, "a")
	b.ledger.fail = connectors.Errorf(connectors.NotFound, "the store has nothing")
	if s, err := b.run(); connectors.CodeOf(err) != connectors.NotFound || len(s.Incomplete) > 0 {
		t.Errorf("a sink that fails ended with %v, %+v", err, s.Incomplete)
	}
}

// TestManyDeletions stops before so many deletions until an operator says that they are meant.
func TestManyDeletions(t *testing.T) {
	b := newBench(t, "a")
	for i := 10; i < 40; i++ {
		b.put("a", fmt.Sprint("a", i), "more")
	}
	b.succeeds()
	for i := 10; i < 22; i++ {
		b.remove(fmt.Sprint("a", i), connectors.Deleted)
	}
	s, err := b.run()
	if err != nil || len(s.Incomplete) != 1 || s.Incomplete[0].Code != connectors.Conflict || s.Counts.Items.Deleted > 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	s = b.succeeds(func(o *Options) { o.MaxDeletions = 100 })
	if s.Counts.Items.Deleted != 12 {
		t.Errorf("%+v", s.Counts.Items)
	}
	b.want("after they were let through")
}

// TestGoneContainer has a container vanish: with few items it is marked, with many an operator is asked.
func TestGoneContainer(t *testing.T) {
	b := newBench(t, "a", "b")
	b.comments["b2"] = []string{"bye"}
	b.succeeds()
	b.boxes = []string{"a"}
	for i := range 7 {
		delete(b.items, fmt.Sprint("b", i))
	}
	delete(b.comments, "b2")
	b.succeeds()
	b.want("after a box vanished")
	if !b.ledger.recs["container b"].Deleted || b.reason("b0") != "gone" {
		t.Errorf("%+v, %q", b.ledger.recs["container b"], b.reason("b0"))
	}
}

// TestUnknownItems has a census find items that no listing of changes brings: everything is read then.
func TestUnknownItems(t *testing.T) {
	b := newBench(t, "a")
	b.succeeds()
	old := b.now
	b.now = old.Add(-100 * time.Hour) // restored with its old time
	b.put("a", "a99", "from the trash")
	b.now = old
	b.succeeds()
	b.want("after an item came back with an old time")
}

// TestWithoutChanges has a system that cannot tell what changed: every run reads everything.
func TestWithoutChanges(t *testing.T) {
	b := newBench(t, "a")
	b.noSince = true
	b.succeeds()
	b.put("a", "a1", "other")
	b.remove("a2", connectors.Deleted)
	b.succeeds()
	b.want("after changes")
}

// TestCommentsLater reads items first, and their comments in a later run: those of unchanged items too.
func TestCommentsLater(t *testing.T) {
	b := newBench(t, "a")
	b.comments["a1"] = []string{"old"}
	b.succeeds(func(o *Options) { o.Streams = []string{Items} })
	if got := b.ledger.alive(); strings.Contains(got, "old") {
		t.Fatalf("remembered %s", got)
	}
	b.succeeds()
	b.want("after the comments were wanted")
}

// TestCensusIsNeverPartial hides an item from the listing of ids: it is asked about, and stays.
func TestCensusIsNeverPartial(t *testing.T) {
	b := newBench(t, "a")
	b.succeeds()
	b.hides = []string{"a3"}
	b.succeeds()
	b.want("after a listing left an item out")
}

func TestForeignPositions(t *testing.T) {
	for _, text := range []string{"nonsense", "{", `{"other":1}`, "2026-13-01T00:00:00Z"} {
		b := newBench(t, "a")
		b.shelf.text["items/a"] = text
		s, err := b.run()
		if err != nil || len(s.Incomplete) != 1 || s.Incomplete[0].Code != connectors.InvalidRequest {
			t.Errorf("%q: %+v, %v", text, s.Incomplete, err)
		}
	}
	b := newBench(t, "a")
	b.shelf.text["items/"] = b.now.Add(-time.Minute).Format(time.RFC3339) // for the whole stream
	b.shelf.text["comments/"] = b.shelf.text["items/"]
	b.succeeds(func(o *Options) { o.Census = "never" })
	b.want("after a client set a time")
}

// TestMovesMeet has the container that an item went to read it between the two steps in which the one that it left marks it
// and its comments as gone.
func TestMovesMeet(t *testing.T) {
	b := newBench(t, "a", "b")
	b.comments["a1"] = []string{"one", "two"}
	b.succeeds()
	b.remove("a1", connectors.Moved)
	b.put("b", "a1", "moved")
	met := false
	b.ledger.put = func(rs []domain.Record, outcomes []domain.Outcome) {
		for i, r := range rs {
			if r.ID == "a1" && outcomes[i] == domain.Tombstone && !met {
				met = true
				if _, err := b.run(func(o *Options) { o.Named = []string{"b"} }); err != nil {
					t.Error(err)
				}
			}
		}
	}
	b.succeeds(func(o *Options) { o.Parallel, o.Census = 1, "always" })
	if !met {
		t.Fatal("the two readings did not meet")
	}
	b.want("after both")
}
