package connectortest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// opCommented is the operation of a [connectors.CommentedLister].
const opCommented = "commented"

func commentedQuery(r request) connectors.ChangedIDQuery {
	return connectors.ChangedIDQuery{ContainerID: r.target, After: r.updatedAfter, Cursor: r.cursor}
}

func askCommented(ctx context.Context, c *connectors.Conn, r request) (answer, error) {
	p, err := c.Commented(ctx, commentedQuery(r))
	return answerOf(p, err, func(v *string) entry { return entry{id: *v, parent: r.target, kind: "id"} })
}

func directCommented(ctx context.Context, d connectors.Driver, r request) (int, error) {
	p, err := d.(connectors.CommentedLister).ListCommented(ctx, commentedQuery(r))
	return len(p.Items), err
}

// commentedRows are the rows of a listing of ids, which come in any order and perhaps twice, in pages of the driver's size.
var commentedRows = []listingRow{
	{"every_item", checkEveryItem},
	{"own_items", checkOwnItems},
	{"updated_after", checkCommentedAfter},
	{"gaps", checkGaps},
	{"empty_page", checkEmptyPage},
	{"repeated_token", checkRepeatedToken},
	{"foreign_cursor", checkForeignCursor},
	{"damaged_cursor", checkDamagedCursor},
	{"unknown_token", checkUnknownToken},
	{"unknown_container", func(tb TB, s *Suite, op operation) { checkUnknownOf(tb, s, op.name, s.MissingContainer) }},
}

// walkIDs follows every page and returns the ids, each once, and the gaps.
func (l *lab) walkIDs(c *connectors.Conn, op operation, r request) (ids []string, gaps []connectors.Gap) {
	l.tb.Helper()
	all, gaps, err := l.follow(c, op, r)
	if err != nil {
		l.tb.Errorf("%s of %q: %v after %v", op.name, r.target, err, all)
	}
	return distinct(all), gaps
}

func distinct(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }

// lacking returns the wanted ids that are not there.
func lacking(got, want []string) []string {
	return slices.DeleteFunc(slices.Clone(want), func(id string) bool { return slices.Contains(got, id) })
}

func checkEveryItem(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	want := op.want(s)
	for _, target := range slices.Sorted(maps.Keys(want)) {
		got, gaps := l.walkIDs(c, op, request{target: target})
		if missing := lacking(got, want[target]); len(missing) > 0 || len(gaps) > 0 {
			tb.Errorf("%s of %q: got %v, without %v and with the gaps %v", op.name, target, got, missing, gaps)
		}
	}
}

// checkOwnItems expects the ids of the container's items and no others.
func checkOwnItems(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	for target := range op.want(s) {
		got, _ := l.walkIDs(c, op, request{target: target})
		if foreign := lacking(s.Items[target], got); len(foreign) > 0 {
			tb.Errorf("%s of %q: %v are no items of it", op.name, target, foreign)
		}
	}
}

// checkCommentedAfter asks for what changed since long ago, in another zone, and since a time to come.
func checkCommentedAfter(tb TB, s *Suite, op operation) {
	tb.Helper()
	l := newLab(tb, s)
	c := l.open()
	defer l.release(c)
	for target, want := range op.want(s) {
		past := time.Date(1990, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3*3600))
		if got, _ := l.walkIDs(c, op, request{target: target, updatedAfter: past}); len(lacking(got, want)) > 0 {
			tb.Errorf("%s of %q since long ago: got %v, want %v", op.name, target, got, want)
		}
		future := time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)
		if got, _ := l.walkIDs(c, op, request{target: target, updatedAfter: future}); len(got) > 0 {
			tb.Errorf("%s of %q since a time to come: got %v", op.name, target, got)
		}
	}
}

// checkGaps has a system where a part of the comments may not be read: the rest is listed, and what is missing is named.
func checkGaps(tb TB, s *Suite, op operation) {
	tb.Helper()
	h, ok := s.Gaps[op.name]
	if !ok {
		tb.Fatalf("Gaps has no system for %s: give it one, or skip the row with a reason", op.name)
	}
	l := newLabOf(tb, s, h, "")
	c := l.open()
	defer l.release(c)
	named := 0
	for target, want := range op.want(s) {
		got, gaps := l.walkIDs(c, op, request{target: target})
		if missing := lacking(got, want); len(missing) > 0 && len(gaps) == 0 {
			tb.Errorf("%s of %q: got %v, without %v, and no gap is named", op.name, target, got, missing)
		}
		for _, gap := range gaps {
			if gap.ContainerID != target || gap.Code == "" || gap.Reason == "" {
				tb.Errorf("%s of %q: the gap %+v does not say where and why", op.name, target, gap)
			}
		}
		named += len(gaps)
	}
	if named == 0 {
		tb.Errorf("%s: no gap is named", op.name)
	}
}
