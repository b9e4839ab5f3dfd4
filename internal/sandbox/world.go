package sandbox

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	firstIssueID   = 10_000
	firstProjectID = 10_000
	firstCommentID = 100_000

	// commentStride is the room for comments between the ids of two neighbouring issues.
	commentStride = 4096

	// crowdedNumber is the issue of each project whose comments never fit on one page.
	crowdedNumber   = 3
	crowdedComments = 250

	createdSpan = 700 * 24 * time.Hour
	updatedSpan = 180 * 24 * time.Hour

	// In each cycle of ranks one run shares a single update time, as a bulk edit leaves it,
	// and it is longer than a full page. The last two of every seven ranks are twins as well.
	cycleLength = 490
	bulkFrom    = 28
	bulkUntil   = 154
	twinCycle   = 7
	twinFrom    = 5
)

// issueRef names one issue: the project's index and the row in it. Row 0 has number 1.
type issueRef struct {
	project int
	row     int64
}

// world is the content of one site, computed from the seed alone: nothing is stored per issue.
//
// Issues are dealt to the projects in turn, so that id, created and number all grow with the row. The order of
// updates is another one, the rank: the rows turned by shift. Both maps are arithmetic, so a page at any depth of
// either order costs only the page.
type world struct {
	seed     uint64
	issues   int64
	comments int
	zone     *time.Location
	accounts []account
	caller   int // the account that asks
	changes  *jiraChanges
	catalog  *catalog
	fields   *fieldTable

	keys     []string       // project keys by project index
	byKey    map[string]int // project index by key
	keyOrder []int          // project indexes in the order of their keys

	allProjects []int // ascending; shared by all requests and never changed

	rows  int64 // every project has that many issues; the first issues%projects have one more
	shift int64

	createdFrom, createdStep int64 // milliseconds
	updatedFrom, updatedStep int64
}

func newWorld(o Options, zone *time.Location) *world {
	issues := max(0, o.Issues)
	w := &world{
		seed:     o.Seed,
		issues:   int64(issues),
		comments: max(0, o.Comments),
		zone:     zone,
		accounts: newAccounts(o),
		catalog:  newCatalog(),
		fields:   newFieldTable(),
		keys:     projectKeys(o.Projects),
		byKey:    make(map[string]int, o.Projects),
		keyOrder: make([]int, o.Projects),
		rows:     int64(issues / o.Projects),
		changes:  newJiraChanges(clockOf(o)),
	}
	for i, key := range w.keys {
		w.byKey[key] = i
		w.keyOrder[i] = i
	}
	w.allProjects = slices.Clone(w.keyOrder)
	slices.SortFunc(w.keyOrder, func(a, b int) int { return strings.Compare(w.keys[a], w.keys[b]) })
	w.shift = shiftFor(w.rows)
	end := epoch(o.Seed).UnixMilli()
	w.updatedStep = stepFor(updatedSpan, w.issues)
	w.updatedFrom = end - updatedSpan.Milliseconds()
	w.createdStep = stepFor(createdSpan, w.issues)
	w.createdFrom = w.updatedFrom - createdSpan.Milliseconds()
	return w
}

// epoch is the moment at which a sandbox of that seed stands still.
func epoch(seed uint64) time.Time {
	return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(mix(seed)%1440) * time.Minute)
}

func stepFor(span time.Duration, issues int64) int64 {
	return max(1, span.Milliseconds()/max(1, issues))
}

// shiftFor turns the order of updates by about a third against the order of ids. The cut never falls inside a run
// that shares one update time, so that ids still grow within every run.
func shiftFor(rows int64) int64 {
	shift := rows / 3 / twinCycle * twinCycle
	if o := shift % cycleLength; o > bulkFrom && o < bulkUntil {
		shift += bulkFrom - o
	}
	return shift
}

// projectKeys returns n distinct keys. None of the named ones starts with Z, where the numbered ones begin.
func projectKeys(n int) []string {
	named := []string{"PAY", "OPS", "WEB", "DATA", "MOBILE", "HR", "SEC_OPS", "X9", "AB", "LEGAL2026", "QA", "INFRA"}
	keys := named[:min(n, len(named))]
	for i := len(keys); i < n; i++ {
		keys = append(keys, "Z"+strings.ToUpper(strconv.FormatInt(int64(i), 36)))
	}
	return keys
}

func (w *world) projects() int { return len(w.keys) }

// count returns the number of issues of one project.
func (w *world) count(project int) int64 {
	if int64(project) < w.issues%int64(w.projects()) {
		return w.rows + 1
	}
	return w.rows
}

func (w *world) index(ref issueRef) int64 { return ref.row*int64(w.projects()) + int64(ref.project) }

func (w *world) at(index int64) issueRef {
	p := int64(w.projects())
	return issueRef{project: int(index % p), row: index / p}
}

func (w *world) id(ref issueRef) int64 { return firstIssueID + w.index(ref) }

func (w *world) appendKey(b []byte, ref issueRef) []byte {
	b = append(b, w.keys[w.projectOf(ref)]...)
	b = append(b, '-')
	return strconv.AppendInt(b, w.rowOf(ref)+1, 10)
}

func (w *world) byID(id int64) (issueRef, bool) {
	if id < firstIssueID || id >= firstIssueID+w.issues {
		return issueRef{}, false
	}
	return w.at(id - firstIssueID), true
}

// lookup finds an issue by id or, letter case aside, by any key that it ever had. A deleted issue is not found.
func (w *world) lookup(idOrKey string) (issueRef, bool) {
	ref, ok := w.find(idOrKey)
	if s, changed := w.state(ref); ok && changed && s.deleted {
		return issueRef{}, false
	}
	return ref, ok
}

func (w *world) find(idOrKey string) (issueRef, bool) {
	if id, err := strconv.ParseInt(idOrKey, 10, 64); err == nil {
		return w.byID(id)
	}
	cut := strings.LastIndexByte(idOrKey, '-')
	if cut < 0 {
		return issueRef{}, false
	}
	project, ok := w.byKey[strings.ToUpper(idOrKey[:cut])]
	number, err := strconv.ParseUint(idOrKey[cut+1:], 10, 62)
	if !ok || err != nil || number < 1 {
		return issueRef{}, false
	}
	if int64(number) > w.count(project) {
		return w.moved(project, int64(number))
	}
	return issueRef{project: project, row: int64(number) - 1}, true
}

// project finds a project by id or, letter case aside, by key.
func (w *world) project(idOrKey string) (int, bool) {
	if p, ok := w.byKey[strings.ToUpper(idOrKey)]; ok {
		return p, true
	}
	id, err := strconv.Atoi(idOrKey)
	if err != nil || id < firstProjectID || id >= firstProjectID+w.projects() {
		return 0, false
	}
	return id - firstProjectID, true
}

// rank returns the place of a row in the order of updates of its project, and rowAt the way back.
func (w *world) rank(row int64) int64 {
	if row >= w.rows {
		return row
	}
	return (row + w.shift) % w.rows
}

func (w *world) rowAt(rank int64) int64 {
	if rank >= w.rows {
		return rank
	}
	return (rank - w.shift + w.rows) % w.rows
}

// tie returns the run of ranks that share rank's update time in all projects; a run of one is shared with nobody.
func tie(rank int64) (from, until int64) {
	start := rank - rank%cycleLength
	if o := rank - start; o >= bulkFrom && o < bulkUntil {
		return start + bulkFrom, start + bulkUntil
	}
	start = rank - rank%twinCycle
	if rank-start >= twinFrom {
		return start + twinFrom, start + twinCycle
	}
	return rank, rank + 1
}

// updated returns the time of the last update in milliseconds since 1970.
func (w *world) updated(ref issueRef) int64 {
	if s, ok := w.state(ref); ok {
		return s.updated
	}
	return w.baseUpdated(ref)
}

// baseUpdated returns the update time of the start. It never falls as the rank grows.
func (w *world) baseUpdated(ref issueRef) int64 {
	rank := w.rank(ref.row)
	from, until := tie(rank)
	place := from * int64(w.projects())
	if until-from == 1 {
		place += int64(ref.project)
	}
	jitter := newRNG(w.seed, domainUpdated, place)
	return w.updatedFrom + place*w.updatedStep + int64(jitter.next()%uint64(w.updatedStep))
}

// created returns the creation time in milliseconds since 1970. It grows with the id and lies before any update.
func (w *world) created(ref issueRef) int64 {
	index := w.index(ref)
	jitter := newRNG(w.seed, domainCreated, index)
	return w.createdFrom + index*w.createdStep + int64(jitter.next()%uint64(w.createdStep))
}

// baseComments returns 0 to twice the asked average, and more than two pages for one issue of each project.
func (w *world) baseComments(ref issueRef) int {
	if w.comments == 0 {
		return 0
	}
	if ref.row+1 == crowdedNumber {
		return crowdedComments
	}
	r := newRNG(w.seed, domainComment, w.index(ref))
	return r.below(2*w.comments + 1)
}

func (w *world) commentID(ref issueRef, k int) int64 {
	return firstCommentID + w.index(ref)*commentStride + int64(k)
}

// commentTime spreads the comments evenly between the issue's creation and its update.
func (w *world) commentTime(ref issueRef, k, of int) int64 {
	created := w.created(ref)
	return created + (w.baseUpdated(ref)-created)/int64(of+1)*int64(k+1)
}

// lastUpdate returns the newest update in a project, false when it is empty.
func (w *world) lastUpdate(project int) (last int64, ok bool) {
	changed := w.changes.states()
	for rank := w.count(project) - 1; rank >= 0 && !ok; rank-- {
		ref := issueRef{project: project, row: w.rowAt(rank)}
		if _, is := changed[w.index(ref)]; !is {
			last, ok = w.baseUpdated(ref), true
		}
	}
	for _, s := range changed {
		if s.project == project && !s.hidden() {
			last, ok = max(last, s.updated), true
		}
	}
	return last, ok
}

// appendTime writes a time as Jira does: the account's zone, an offset without colon.
func (w *world) appendTime(b []byte, ms int64) []byte {
	b = append(b, '"')
	b = time.UnixMilli(ms).In(w.zone).AppendFormat(b, "2006-01-02T15:04:05.000-0700")
	return append(b, '"')
}

// firstAtLeast returns the first n in [0, total) with at(n) >= bound, or total; at must never fall.
func firstAtLeast(total, bound int64, at func(int64) int64) int64 {
	return int64(sort.Search(int(total), func(n int) bool { return at(int64(n)) >= bound }))
}
