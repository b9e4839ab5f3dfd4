package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// How far back one can ask for what was changed and what was deleted, and how many ids are told at once.
const (
	updatedWindow = 30 * day
	deletedWindow = 15 * day
	maxUpdatedIDs = 600_000
)

func textOf(n int) string { return strconv.Itoa(n) }

// replication reads the object and the window of a request, or answers.
func (g *org) replication(w http.ResponseWriter, r *http.Request, longest int64) (o *sobject, s span, ok bool) {
	o, ok = g.entity(w, r, 0)
	if !ok {
		return nil, span{}, false
	}
	if !o.is(replicateable) || o.table == nil {
		writeDataError(w, http.StatusBadRequest, "INVALID_TYPE_FOR_OPERATION", "sObject type "+o.name+" is not replicable")
		return nil, span{}, false
	}
	s, err := g.window(r.URL.Query(), longest)
	if err != nil {
		writeRefusal(w, err)
		return nil, span{}, false
	}
	return o, s, true
}

// window reads start and end. Their seconds do not count.
func (g *org) window(query url.Values, longest int64) (span, *dataError) {
	const minute = 60_000
	var at [2]int64
	for i, name := range []string{"start", "end"} {
		text := query.Get(name)
		if text == "" {
			return span{}, badRequest("MISSING_ARGUMENT", name+" is missing")
		}
		ms, ok := parseMoment(text)
		if !ok {
			return span{}, badRequest("MALFORMED_SEARCH", name+" is no date and time in ISO 8601, as 2026-05-01T00:00:00Z: "+clipText(text, 60))
		}
		at[i] = ms / minute * minute
	}
	switch now := g.clock().UnixMilli(); {
	case at[1]-at[0] < minute:
		return span{}, badRequest("INVALID_REPLICATION_DATE", "startDate must be at least one minute greater than endDate")
	case at[0] < now-longest-minute:
		return span{}, badRequest("INVALID_REPLICATION_DATE", "startDate before org replication enabled date")
	case at[0] > now:
		return span{}, badRequest("INVALID_REPLICATION_DATE", "startDate is in the future")
	}
	return span{at[0], at[1]}, nil
}

// covered is the time up to which an answer tells everything: the next request starts there.
func (g *org) covered(s span) string {
	return time.UnixMilli(min(s.until, g.clock().UnixMilli()/60_000*60_000)).UTC().Format(salesforceTime)
}

// changedIn shows the records that changed in a window, from the oldest change to the newest as far as generated.
func (g *org) changedIn(r *http.Request, o *sobject, s span, show func(v *view)) {
	snap := g.changes.snapshot()
	v := g.look(snap, o, 0)
	by, order := byID, o.table.created
	if o.field("SystemModstamp") != nil {
		by, order = byStamp, o.table.stampAt
	}
	from, until := firstAtLeast(o.table.rows, s.from, order), firstAtLeast(o.table.rows, s.until, order)
	for at := from; at < until && r.Context().Err() == nil; at++ {
		v.row, v.changed = at, nil
		if by == byStamp {
			v.row = o.table.rowAt(at)
		}
		if snap.change(o.table, v.row) == nil {
			show(&v)
		}
	}
	for _, row := range snap.rows(o.table) {
		v = g.look(snap, o, row)
		if at := v.changedAt(); at >= s.from && at < s.until {
			show(&v)
		}
	}
}

// changedAt is when the record changed last, in milliseconds since 1970.
func (v *view) changedAt() int64 {
	for _, name := range []string{"SystemModstamp", "CreatedDate"} {
		if f := v.object.field(name); f != nil {
			return v.value(f).at
		}
	}
	return 0
}

// updated answers GET …/sobjects/{object}/updated?start=&end=: the ids of the records that were made or changed.
func (g *org) updated(w http.ResponseWriter, r *http.Request, _ session) {
	o, s, ok := g.replication(w, r, updatedWindow)
	if !ok {
		return
	}
	found := []string{}
	g.changedIn(r, o, s, func(v *view) {
		if !v.deleted() && len(found) <= maxUpdatedIDs {
			found = append(found, v.id())
		}
	})
	if len(found) > maxUpdatedIDs {
		writeRefusal(w, badRequest("EXCEEDED_ID_LIMIT", "exceeded maximum number of ids: "+textOf(maxUpdatedIDs)))
		return
	}
	writeValue(w, http.StatusOK, struct {
		IDs               []string `json:"ids"`
		LatestDateCovered string   `json:"latestDateCovered"`
	}{found, g.covered(s)})
}

// deletedRecord is an entry of the list of deleted records.
type deletedRecord struct {
	DeletedDate string `json:"deletedDate"`
	ID          string `json:"id"`
}

// deletedSince answers GET …/sobjects/{object}/deleted?start=&end=.
func (g *org) deletedSince(w http.ResponseWriter, r *http.Request, _ session) {
	o, s, ok := g.replication(w, r, deletedWindow)
	if !ok {
		return
	}
	found := []deletedRecord{}
	g.changedIn(r, o, s, func(v *view) {
		if v.deleted() {
			found = append(found, deletedRecord{time.UnixMilli(v.changedAt()).UTC().Format(salesforceTime), v.id()})
		}
	})
	writeValue(w, http.StatusOK, struct {
		DeletedRecords        []deletedRecord `json:"deletedRecords"`
		EarliestDateAvailable string          `json:"earliestDateAvailable"`
		LatestDateCovered     string          `json:"latestDateCovered"`
	}{found, time.UnixMilli((g.clock().UnixMilli() - deletedWindow) / 60_000 * 60_000).UTC().Format(salesforceTime), g.covered(s)})
}
