package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
)

const (
	changelogPageCap = 100
	worklogPageCap   = 5000
	historyStride    = 16
)

// pageOf reads startAt and maxResults.
func pageOf(query url.Values, most int) (startAt, size int, err error) {
	if startAt, err = intParam(query, "startAt", 0); err != nil {
		return 0, 0, err
	}
	size, err = intParam(query, "maxResults", most)
	return startAt, min(size, most), err
}

// issueOfPath answers the request itself when there is no such issue, or none that the caller sees.
func (j *jira) issueOfPath(w http.ResponseWriter, r *http.Request) (issueRef, bool) {
	ref, ok := j.world.lookup(r.PathValue("idOrKey"))
	if !ok || isAnonymous(r) {
		writeError(w, http.StatusNotFound, messageNoIssue)
		return issueRef{}, false
	}
	return ref, true
}

// historyCount is how many changes an issue's changelog has.
func (w *world) historyCount(ref issueRef) (made, later int) {
	chance := newRNG(w.seed, domainHistory, w.index(ref))
	s, _ := w.state(ref)
	return chance.below(7), len(s.history)
}

// history writes the k-th change of an issue that had so many at the start.
func (p *pen) history(b []byte, ref issueRef, k, made int) []byte {
	if k >= made {
		s, _ := p.state(ref)
		return p.laterHistory(b, s.history[k-made])
	}
	id := firstIssueID + p.index(ref)*historyStride + int64(k)
	p.rng = newRNG(p.seed, domainHistory, id)
	b = append(b, `{"id":`...)
	b = appendID(b, id)
	b = append(b, `,"author":`...)
	created := p.created(ref)
	b = p.fill(b, p.anybody().user)
	b = append(b, `,"created":`...)
	b = p.appendTime(b, created+(p.baseUpdated(ref)-created)/int64(made+1)*int64(k+1))
	from, to := pickOf(p, p.catalog.statuses), pickOf(p, p.catalog.statuses)
	b = append(b, `,"items":[{"field":"status","fieldtype":"jira","fieldId":"status","from":"`+from.id+`","fromString":`...)
	b = appendString(b, from.name)
	b = append(b, `,"to":"`+to.id+`","toString":`...)
	b = appendString(b, to.name)
	return append(b, `}]}`...)
}

// laterHistory writes a change that was made since the start. No two are made at one time.
func (p *pen) laterHistory(b []byte, e historyEntry) []byte {
	b = append(b, `{"id":`...)
	b = appendID(b, firstPostedID+e.at)
	b = append(b, `,"author":`...)
	b = p.fill(b, p.accounts[e.author].user)
	b = append(b, `,"created":`...)
	b = p.appendTime(b, e.at)
	b = append(b, `,"items":[{"field":"`+e.field+`","fieldtype":"jira","fieldId":"`+e.field+`","from":null,"fromString":`...)
	b = appendString(b, e.text)
	b = append(b, `,"to":null,"toString":`...)
	b = appendString(b, e.toText)
	return append(b, `}]}`...)
}

func (p *pen) histories(b []byte, ref issueRef, from, until int) []byte {
	made, _ := p.historyCount(ref)
	b = append(b, '[')
	for k := from; k < until; k++ {
		if k > from {
			b = append(b, ',')
		}
		b = p.history(b, ref, k, made)
	}
	return append(b, ']')
}

// listChangelog answers /issue/{key}/changelog, the oldest change first.
func (j *jira) listChangelog(w http.ResponseWriter, r *http.Request) {
	ref, ok := j.issueOfPath(w, r)
	if !ok {
		return
	}
	startAt, size, err := pageOf(r.URL.Query(), changelogPageCap)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	made, later := j.world.historyCount(ref)
	total := made + later
	until := min(startAt+size, total)
	link := func(at int) string {
		return j.base(r) + "/rest/api/3/issue/" + strconv.FormatInt(j.world.id(ref), 10) + "/changelog?maxResults=" + strconv.Itoa(size) +
			"&startAt=" + strconv.Itoa(at)
	}
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte {
		b = appendString(append(b, `{"self":`...), link(startAt))
		if until < total {
			b = appendString(append(b, `,"nextPage":`...), link(until))
		}
		b = appendInt(b, `,"maxResults":`, int64(size))
		b = appendInt(b, `,"startAt":`, int64(startAt))
		b = appendInt(b, `,"total":`, int64(total))
		b = appendBool(b, `,"isLast":`, until >= total)
		b = append(b, `,"values":`...)
		return append(p.histories(b, ref, startAt, until), '}')
	})
}

// expandChangelog writes the changelog as a member of its issue: all of it, the newest change first.
func (p *pen) expandChangelog(b []byte, ref issueRef) []byte {
	made, later := p.historyCount(ref)
	total := made + later
	b = append(b, `,"changelog":{"startAt":0`...)
	b = appendInt(b, `,"maxResults":`, int64(total))
	b = appendInt(b, `,"total":`, int64(total))
	b = append(b, `,"histories":[`...)
	for k := total - 1; k >= 0; k-- {
		b = p.history(b, ref, k, made)
		if k > 0 {
			b = append(b, ',')
		}
	}
	return append(b, `]}`...)
}

func (w *world) worklogCount(ref issueRef) int {
	chance := newRNG(w.seed, domainWorklog, w.index(ref))
	return chance.below(4)
}

// worklogs writes a page of the work that was logged.
func (p *pen) worklogs(b []byte, ref issueRef, startAt, size int) []byte {
	total := p.worklogCount(ref)
	b = appendInt(b, `{"startAt":`, int64(startAt))
	b = appendInt(b, `,"maxResults":`, int64(size))
	b = appendInt(b, `,"total":`, int64(total))
	b = append(b, `,"worklogs":[`...)
	for k := startAt; k < min(startAt+size, total); k++ {
		if k > startAt {
			b = append(b, ',')
		}
		b = p.worklog(b, ref, k, total)
	}
	return append(b, `]}`...)
}

func (p *pen) worklog(b []byte, ref issueRef, k, of int) []byte {
	id := firstIssueID + p.index(ref)*historyStride + int64(k)
	p.rng = newRNG(p.seed, domainWorklog, id)
	author := p.anybody()
	at := p.commentTime(ref, k, of)
	hours := int64(1 + p.rng.below(8))
	b = p.appendSelf(append(b, '{'), ref)
	b = appendInt(b, `/worklog/`, id)
	b = append(b, `","author":`...)
	b = p.fill(b, author.user)
	b = append(b, `,"updateAuthor":`...)
	b = p.fill(b, author.user)
	b = append(b, `,"comment":`...)
	b = p.document(b, 1)
	for _, name := range []string{"created", "updated", "started"} {
		b = append(b, `,"`+name+`":`...)
		b = p.appendTime(b, at)
	}
	b = appendInt(b, `,"timeSpent":"`, hours)
	b = appendInt(b, `h","timeSpentSeconds":`, hours*3600)
	b = append(b, `,"id":`...)
	b = appendID(b, id)
	b = append(b, `,"issueId":`...)
	return append(appendID(b, p.id(ref)), '}')
}

func (j *jira) listWorklogs(w http.ResponseWriter, r *http.Request) {
	ref, ok := j.issueOfPath(w, r)
	if !ok {
		return
	}
	startAt, size, err := pageOf(r.URL.Query(), worklogPageCap)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte { return p.worklogs(b, ref, startAt, size) })
}
