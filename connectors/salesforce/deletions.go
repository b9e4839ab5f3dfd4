package salesforce

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// memory is how long Salesforce remembers what was deleted.
const memory = 15 * 24 * time.Hour

// ListDeletions returns the records of an object that were deleted in the last 15 days, by the time of their deletion:
// from Salesforce's log, or from the recycle bin for an object that has no log. The log ends a few minutes ago; what is
// deleted later comes with the next listing.
func (d *Driver) ListDeletions(ctx context.Context, q connectors.DeletionQuery) (connectors.Page[connectors.Deletion], error) {
	var page connectors.Page[connectors.Deletion]
	now := d.now()
	switch {
	case q.ContainerID == "":
		return page, connectors.InvalidFields(connectors.Fault{Field: "containerId", Message: "name an object, such as Account"})
	case !q.After.IsZero() && q.Cursor == "" && q.After.Before(now.Add(-memory)):
		return page, forgotten(nil)
	}
	o, err := d.describe(ctx, q.ContainerID)
	if err != nil {
		return page, err
	}
	switch {
	case o.Replicateable:
		return d.deletionLog(ctx, o, q)
	case o.has("IsDeleted") && o.orderField(changeFields...) != "":
		return d.recycleBin(ctx, o, q)
	}
	return page, connectors.Errorf(connectors.Unsupported, "Salesforce does not tell what was deleted from %s: compare its ids", o.Name)
}

func forgotten(cause error) error {
	return connectors.Wrap(connectors.Unsupported, cause, "Salesforce tells what was deleted for 15 days at most, less where its log is long: compare the ids")
}

// span is a position in the log of deletions: behind a deletion, in a part of the log that ends before the listing does.
type span struct {
	from  time.Time // the time of the last deletion, or where the part begins
	id    string    // the last deletion, "" for none
	until time.Time // the end of the part
	end   time.Time // the end of the listing
}

const spanMark = "log"

func (s span) cursor() connectors.Cursor {
	ms := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	return connectors.Cursor(strings.Join([]string{spanMark, ms(s.from), s.id, ms(s.until), ms(s.end)}, "/"))
}

// parseSpan reads a cursor that [span.cursor] wrote.
func parseSpan(c connectors.Cursor) (span, error) {
	parts := strings.Split(string(c), "/")
	if len(parts) != 5 || parts[0] != spanMark || parts[2] != "" && !rowIDForm.MatchString(parts[2]) {
		return span{}, foreignCursor(nil)
	}
	var times [3]time.Time
	for i, text := range []string{parts[1], parts[3], parts[4]} {
		ms, err := strconv.ParseUint(text, 10, 42)
		if err != nil {
			return span{}, foreignCursor(err)
		}
		times[i] = time.UnixMilli(int64(ms)).UTC()
	}
	s := span{times[0], parts[2], times[1], times[2]}
	if s.cursor() != c || s.until.Before(s.from) || s.end.Before(s.until) {
		return span{}, foreignCursor(nil)
	}
	return s, nil
}

// firstSpan is the whole of a listing. The log counts in minutes.
func (d *Driver) firstSpan(after time.Time) span {
	now := d.now().UTC()
	from := now.Add(-memory + time.Hour) // the clocks may differ a little
	if !after.IsZero() {
		from = after.UTC()
	}
	return span{from: from, until: now, end: now}
}

// deletedAnswer is a part of the log.
type deletedAnswer struct {
	Records []struct {
		ID   string `json:"id"`
		Date string `json:"deletedDate"`
	} `json:"deletedRecords"`
	Earliest string `json:"earliestDateAvailable"`
	Latest   string `json:"latestDateCovered"`
}

// deletionLog returns one page from the log of deletions. Salesforce gives a part of it whole; where that holds many
// deletions, the pages that follow ask for a smaller part.
func (d *Driver) deletionLog(ctx context.Context, o object, q connectors.DeletionQuery) (connectors.Page[connectors.Deletion], error) {
	var page connectors.Page[connectors.Deletion]
	s := d.firstSpan(q.After)
	if q.Cursor != "" {
		var err error
		if s, err = parseSpan(q.Cursor); err != nil {
			return page, err
		}
	}
	// The log takes no part of less than a minute, and a time to come has none.
	if s.until.Sub(s.from) < time.Minute && q.Cursor == "" {
		return page, nil
	}
	list, covered, err := d.logPart(ctx, o, &s, q)
	if err != nil {
		return page, err
	}
	if len(list) > q.Limit {
		page.Items = list[:q.Limit]
		last := list[q.Limit-1]
		s.from, s.id = *last.DeletedAt, last.ID
		s.narrow(list[q.Limit:])
		page.Next = s.cursor()
		return page, nil
	}
	page.Items = list
	page.Next = s.rest(covered)
	return page, nil
}

// logLag is how far behind the log may be without being asked again: what it has not covered yet comes with the next
// listing.
const logLag = time.Hour

// rest returns the cursor of what follows a part that is complete until a time: the next part, or what the log left out
// of this one, as long as it gets on.
func (s span) rest(covered time.Time) connectors.Cursor {
	next := earlier(s.until, covered)
	if next.Equal(s.until) && next.Before(s.end) || s.end.Sub(next) >= logLag && next.Sub(s.from) >= time.Minute {
		return span{from: next, until: s.end, end: s.end}.cursor()
	}
	return ""
}

// largePart is how many deletions of a part are left before the next page asks for a smaller one.
const largePart = 2000

// narrow has the part end behind the first of many deletions that are left.
func (s *span) narrow(left []connectors.Deletion) {
	if len(left) > largePart {
		s.until = earlier(s.until, left[largePart].DeletedAt.Add(time.Minute).Truncate(time.Minute))
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// logPart returns the deletions of a part of the log behind a position, in their order, and until when it is complete.
func (d *Driver) logPart(ctx context.Context, o object, s *span, q connectors.DeletionQuery) ([]connectors.Deletion, time.Time, error) {
	v, err := d.version(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	var a deletedAnswer
	for {
		start, end := s.from.Truncate(time.Minute), s.until.Add(time.Minute-time.Nanosecond).Truncate(time.Minute)
		query := url.Values{"start": {start.Format(time.RFC3339)}, "end": {end.Format(time.RFC3339)}}
		_, err = d.api.Get(ctx, v.path("sobjects", o.Name, "deleted"), query, &a)
		if half := s.until.Sub(s.from) / 2; codeOf(err) == tooManyIDs && half > time.Minute {
			s.until = s.from.Add(half).Truncate(time.Minute)
			continue
		}
		break
	}
	if codeOf(err) == outsideOfMemory {
		return nil, time.Time{}, forgotten(err)
	}
	if err != nil {
		return nil, time.Time{}, d.ours(o.Name, err)
	}
	return d.deletionsOf(a, o.Name, *s, q.After)
}

// deletionsOf returns the deletions of an answer behind a position.
func (d *Driver) deletionsOf(a deletedAnswer, object string, s span, after time.Time) ([]connectors.Deletion, time.Time, error) {
	covered, ok := parseTime(a.Latest)
	earliest, ok2 := parseTime(a.Earliest)
	if a.Records == nil || !ok || !ok2 {
		return nil, covered, d.api.Nonsense("no log of deletions")
	}
	if !after.IsZero() && earliest.After(after) && earliest.After(s.from) {
		return nil, covered, forgotten(nil)
	}
	var list []connectors.Deletion
	for _, r := range a.Records {
		at, ok := parseTime(r.Date)
		if !ok || !rowIDForm.MatchString(r.ID) {
			return nil, covered, d.api.Nonsense("a deletion without an id and a time")
		}
		list = append(list, connectors.Deletion{ID: r.ID, ContainerID: object, DeletedAt: &at})
	}
	list = slices.DeleteFunc(list, func(one connectors.Deletion) bool {
		return one.DeletedAt.Before(after.Truncate(time.Second)) || !s.isBehind(one)
	})
	slices.SortFunc(list, compareDeletions)
	return list, covered, nil
}

func compareDeletions(a, b connectors.Deletion) int {
	return cmp.Or(a.DeletedAt.Compare(*b.DeletedAt), strings.Compare(a.ID, b.ID))
}

// isBehind reports whether a deletion comes after the position and in the part.
func (s span) isBehind(d connectors.Deletion) bool {
	if s.until.Before(s.end) && !d.DeletedAt.Before(s.until) {
		return false // of the next part
	}
	if s.id == "" {
		return !d.DeletedAt.Before(s.from.Truncate(time.Second))
	}
	return compareDeletions(d, connectors.Deletion{ID: s.id, DeletedAt: &s.from}) > 0
}

// recycleBin returns one page of the deleted records of an object that has no log, by their last change.
func (d *Driver) recycleBin(ctx context.Context, o object, q connectors.DeletionQuery) (connectors.Page[connectors.Deletion], error) {
	var page connectors.Page[connectors.Deletion]
	at, err := parseMark(q.Cursor)
	by := o.orderField(changeFields...)
	if err != nil || at.Stage != "" || q.Cursor != "" && at.By != by {
		return page, foreignCursor(err)
	}
	after := q.After
	if after.IsZero() {
		after = d.now().Add(-memory)
	}
	rows, next, more, err := d.page(ctx, keyset{
		object: o.Name, resource: deleted, columns: "Id, " + by, by: by, limit: q.Limit,
		where: []string{"IsDeleted = true", since(by, after)},
	}, at)
	if err != nil {
		return page, err
	}
	for _, r := range rows {
		page.Items = append(page.Items, connectors.Deletion{ID: r.id, ContainerID: o.Name, DeletedAt: r.time(by)})
	}
	if more {
		page.Next = next.cursor()
	}
	return page, nil
}
