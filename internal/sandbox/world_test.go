package sandbox

import (
	"slices"
	"testing"
	"time"
)

func testWorld(o Options) *world {
	o = o.withDefaults()
	zone, err := o.check()
	if err != nil {
		panic(err)
	}
	return newWorld(o, zone)
}

// everything lists a small world's issues.
func everything(w *world) []issueRef {
	all := make([]issueRef, w.issues)
	for i := range all {
		all[i] = w.at(int64(i))
	}
	return all
}

var worldSizes = []Options{
	{Issues: None},
	{Issues: 1},
	{Issues: 4, Projects: 7},
	{Issues: 29, Projects: 3},
	{Issues: 1003, Projects: 4},
	{Issues: 2999, Projects: 2, Seed: 9},
	{Issues: 1980, Projects: 1, Seed: 1 << 63},
}

func TestRankIsAPermutation(t *testing.T) {
	for _, o := range worldSizes {
		w := testWorld(o)
		for project := range w.projects() {
			seen := map[int64]bool{}
			for row := range w.count(project) {
				rank := w.rank(row)
				if rank < 0 || rank >= w.count(project) || seen[rank] || w.rowAt(rank) != row {
					t.Fatalf("%+v: row %d has rank %d, which has row %d", o, row, rank, w.rowAt(rank))
				}
				seen[rank] = true
			}
		}
	}
}

func TestTimes(t *testing.T) {
	for _, o := range worldSizes {
		w := testWorld(o)
		all := everything(w)
		end := epoch(w.seed).UnixMilli()
		for i, ref := range all {
			created, updated := w.created(ref), w.updated(ref)
			if created >= updated || updated > end {
				t.Fatalf("%+v: %v created %d, updated %d, site at %d", o, ref, created, updated, end)
			}
			if i > 0 && created <= w.created(all[i-1]) {
				t.Fatalf("%+v: created does not grow at %v", o, ref)
			}
		}
	}
}

// More issues than fit on a page must share one update time, in each project, or a lost tie-break goes unseen.
func TestManyIssuesShareAnUpdate(t *testing.T) {
	w := testWorld(Options{})
	for project := range w.projects() {
		count := map[int64]int{}
		most := 0
		for row := range w.count(project) {
			at := w.updated(issueRef{project, row})
			count[at]++
			most = max(most, count[at])
		}
		if most <= issuesPageCap {
			t.Errorf("project %d: at most %d issues share an update time, want more than a page", project, most)
		}
	}
	byUpdate, byID := everything(w), everything(w)
	slices.SortFunc(byUpdate, func(a, b issueRef) int { return ordering{by: sortByUpdated}.compare(w, a, b) })
	if slices.Equal(byUpdate, byID) {
		t.Error("the order of updates is the order of ids, so a client that mixes them up goes unseen")
	}
}

// The arithmetic order must be the order that sorting gives.
func TestPlanMatchesSorting(t *testing.T) {
	orders := []string{
		"", "ORDER BY id", "ORDER BY id DESC", "ORDER BY created", "ORDER BY key", "ORDER BY key DESC",
		"ORDER BY updated", "ORDER BY updated, id", "ORDER BY updated, id DESC", "ORDER BY updated DESC, id",
		"ORDER BY updated DESC, id DESC", "ORDER BY updated, key", "ORDER BY updated, key DESC",
		"ORDER BY updated DESC, key", "ORDER BY updatedDate DESC, issuekey DESC, created",
	}
	wheres := []string{"updated >= 0", "project = PAY", "project in (WEB, PAY)", "project != PAY"}
	for _, o := range worldSizes {
		w := testWorld(o)
		for _, where := range wheres {
			if w.projects() < 3 && where == wheres[2] {
				continue
			}
			for _, order := range orders {
				pl := planOf(t, w, where+" "+order)
				var want []issueRef
				for _, ref := range everything(w) {
					if slices.Contains(pl.projects, ref.project) {
						want = append(want, ref)
					}
				}
				slices.SortFunc(want, func(a, b issueRef) int { return pl.order.compare(w, a, b) })
				if got := runPlan(t, pl); !slices.Equal(got, want) {
					t.Errorf("%+v: %s %s: %d issues in another order than sorting gives", o, where, order, len(got))
				}
			}
		}
	}
}

func planOf(t testing.TB, w *world, jql string) *plan {
	t.Helper()
	query, err := parseJQL(jql)
	if err != nil {
		t.Fatalf("%s: %v", jql, err)
	}
	pl, err := (&jqlCompiler{world: w, now: epoch(w.seed)}).planQuery(query)
	if err != nil {
		t.Fatalf("%s: %v", jql, err)
	}
	return pl
}

func runPlan(t testing.TB, pl *plan) []issueRef {
	t.Helper()
	var got []issueRef
	n, more := pl.start(), true
	for more {
		var found []issueRef
		found, n, more = pl.page(t.Context(), &pen{world: pl.world}, n, 37)
		got = append(got, found...)
	}
	return got
}

func TestLookup(t *testing.T) {
	w := testWorld(Options{Issues: 12, Projects: 5})
	cases := []struct {
		text string
		ok   bool
		want issueRef
	}{
		{"PAY-1", true, issueRef{0, 0}},
		{"pay-3", true, issueRef{0, 2}},
		{"10001", true, issueRef{1, 0}},
		{"10011", true, issueRef{1, 2}},
		{"10012", false, issueRef{}},
		{"9999", false, issueRef{}},
		{"PAY-4", false, issueRef{}},
		{"WEB-3", false, issueRef{}},
		{"PAY-0", false, issueRef{}},
		{"PAY--1", false, issueRef{}},
		{"PAY-18446744073709551616", false, issueRef{}},
		{"PAY", false, issueRef{}},
		{"", false, issueRef{}},
		{"-", false, issueRef{}},
	}
	for _, c := range cases {
		got, ok := w.lookup(c.text)
		if ok != c.ok || got != c.want {
			t.Errorf("lookup(%q) = %v, %v, want %v, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

func TestProjectKeysAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, key := range projectKeys(MaxProjects) {
		if seen[key] || len(key) < 2 || len(key) > 10 {
			t.Errorf("key %q is repeated or malformed", key)
		}
		seen[key] = true
	}
}

func TestJiraTimeIsInTheAccountsZone(t *testing.T) {
	w := testWorld(Options{AccountTimeZone: "Asia/Kolkata"})
	at := time.Date(2026, 4, 28, 13, 33, 15, 492e6, time.UTC).UnixMilli()
	if got, want := string(w.appendTime(nil, at)), `"2026-04-28T19:03:15.492+0530"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
