package salesforce

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// changeMemory is how long Salesforce remembers which records changed.
const changeMemory = 30 * 24 * time.Hour

// ListChangedIDs returns the ids of the records of an object that changed in the last 30 days, from Salesforce's log of
// changes (getUpdated), which counts in minutes and ends a little before now: what it has not covered yet comes with the
// next listing.
func (d *Driver) ListChangedIDs(ctx context.Context, q connectors.ChangedIDQuery) (connectors.Page[string], error) {
	var page connectors.Page[string]
	now := d.now().UTC()
	s, err := changedSpan(q, now)
	switch {
	case err != nil:
		return page, err
	case q.ContainerID == "":
		return page, connectors.InvalidFields(connectors.Fault{Field: "containerId", Message: "name an object, such as Account"})
	case s.from.Before(now.Add(-changeMemory)):
		return page, changesForgotten(nil)
	}
	o, err := d.describe(ctx, q.ContainerID)
	if err != nil {
		return page, err
	}
	if !o.Replicateable {
		return page, connectors.Errorf(connectors.Unsupported, "Salesforce keeps no log of the changes of %s: list its changed records", o.Name)
	}
	if s.until.Sub(s.from) < time.Minute && q.Cursor == "" {
		return page, nil // the log takes no part of less than a minute, and a time to come has none
	}
	ids, covered, err := d.changePart(ctx, o, &s)
	page.Items = ids
	if next := s.rest(covered); next != "" && err == nil {
		page.Next = connectors.Cursor(strings.Replace(string(next), spanMark, changesMark, 1))
	}
	return page, err
}

// changesMark begins the cursors of a listing of changes.
const changesMark = "changes"

// changedSpan returns the part of the log that a query goes on with.
func changedSpan(q connectors.ChangedIDQuery, now time.Time) (span, error) {
	if q.Cursor == "" {
		return span{from: q.After.UTC(), until: now, end: now}, nil
	}
	rest, ok := strings.CutPrefix(string(q.Cursor), changesMark+"/")
	if !ok {
		return span{}, foreignCursor(nil)
	}
	return parseSpan(connectors.Cursor(spanMark + "/" + rest))
}

func changesForgotten(cause error) error {
	return connectors.Wrap(connectors.Unsupported, cause, "Salesforce tells which records changed for %s days: list the changed records",
		strconv.Itoa(int(changeMemory.Hours()/24)))
}

// changePart returns the ids of a part of the log, a smaller one where it holds too many, and until when it is complete.
func (d *Driver) changePart(ctx context.Context, o object, s *span) ([]string, time.Time, error) {
	v, err := d.version(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	for {
		var a struct {
			IDs    []string `json:"ids"`
			Latest string   `json:"latestDateCovered"`
		}
		start, end := s.from.Truncate(time.Minute), s.until.Add(time.Minute-time.Nanosecond).Truncate(time.Minute)
		query := url.Values{"start": {start.Format(time.RFC3339)}, "end": {end.Format(time.RFC3339)}}
		_, err := d.api.Get(ctx, v.path("sobjects", o.Name, "updated"), query, &a)
		tooMany := codeOf(err) == tooManyIDs || err == nil && len(a.IDs) > connectors.MaxIDs
		switch half := s.until.Sub(s.from) / 2; {
		case tooMany && half > time.Minute:
			s.until = s.from.Add(half).Truncate(time.Minute)
			continue
		case tooMany:
			return nil, time.Time{}, connectors.Wrap(connectors.Unsupported, err, "too many records of %s changed within minutes: list the changed records", o.Name)
		case codeOf(err) == outsideOfMemory:
			return nil, time.Time{}, changesForgotten(err)
		case err != nil:
			return nil, time.Time{}, d.ours(o.Name, err)
		}
		return d.changesOf(a.IDs, a.Latest)
	}
}

func (d *Driver) changesOf(ids []string, latest string) ([]string, time.Time, error) {
	covered, ok := parseTime(latest)
	if ids == nil || !ok {
		return nil, covered, d.api.Nonsense("no log of changes")
	}
	for _, id := range ids {
		if !rowIDForm.MatchString(id) {
			return nil, covered, d.api.Nonsense("a change without an id")
		}
	}
	return ids, covered, nil
}
