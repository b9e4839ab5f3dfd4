package sandbox

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// writeRefusal answers with an error of the data API.
func writeRefusal(w http.ResponseWriter, e *dataError) {
	if e.fields == nil {
		writeDataError(w, e.status, e.code, e.message)
		return
	}
	writeValue(w, e.status, []struct {
		Message   string   `json:"message"`
		ErrorCode string   `json:"errorCode"`
		Fields    []string `json:"fields"`
	}{{e.message, e.code, e.fields}})
}

// query answers GET …/query?q=, without deleted records.
func (g *org) query(w http.ResponseWriter, r *http.Request, _ session) { g.answerQuery(w, r, false) }

// queryAll answers GET …/queryAll?q=, with them.
func (g *org) queryAll(w http.ResponseWriter, r *http.Request, _ session) {
	g.answerQuery(w, r, true)
}

func (g *org) answerQuery(w http.ResponseWriter, r *http.Request, all bool) {
	text := r.URL.Query().Get("q")
	if text == "" {
		writeDataError(w, http.StatusBadRequest, "MALFORMED_QUERY", "A query string has to be specified")
		return
	}
	query, err := parseSOQL(text, g.clock())
	if err != nil {
		writeRefusal(w, err)
		return
	}
	compiler := &soqlCompiler{org: g, snap: g.changes.snapshot(), query: query, all: all}
	plan, err := compiler.plan()
	if err != nil {
		writeRefusal(w, err)
		return
	}
	c, err := newCursor(r.Context(), plan, batchSize(r))
	if err != nil {
		g.refuseQuery(w, r, err)
		return
	}
	switch {
	case query.count:
		g.writePage(w, r, &queryPage{total: c.total})
	case query.counted != nil:
		g.writeCount(w, query.alias, c.total)
	default:
		if c.total > c.size || g.faults.faulty(faultEmptyPage, faultRepeatToken) {
			g.cursors.keep(c, g.pod, g.now())
		}
		g.answerBatch(w, r, c, 0)
	}
}

// refuseQuery answers unless the client went away.
func (g *org) refuseQuery(w http.ResponseWriter, r *http.Request, err *dataError) {
	if r.Context().Err() == nil {
		writeRefusal(w, err)
	}
}

// batchOption is the size in Sforce-Query-Options.
var batchOption = regexp.MustCompile(`(?i)(?:^|[,;\s])batchSize\s*=\s*([0-9]{1,9})`)

func batchSize(r *http.Request) int64 {
	m := batchOption.FindStringSubmatch(strings.Join(r.Header.Values("Sforce-Query-Options"), ","))
	if m == nil {
		return largestBatch
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // digits, and few
	return min(max(n, smallestBatch), largestBatch)
}

// queryMore answers GET …/query/{locator}.
func (g *org) queryMore(w http.ResponseWriter, r *http.Request, _ session) {
	c, n, ok := g.cursors.open(r.PathValue("locator"), g.now())
	if !ok || g.faults.hits(faultExpireToken, r) {
		writeRefusal(w, errLocator)
		return
	}
	g.answerBatch(w, r, c, n)
}

// queryPage is one batch of results.
type queryPage struct {
	plan  *soqlPlan
	rows  []int64
	total int64
	next  string // locator, empty on the last
}

// answerBatch answers with the n-th batch, and works the faults that concern pages.
func (g *org) answerBatch(w http.ResponseWriter, r *http.Request, c *cursor, n int64) {
	page := &queryPage{plan: c.plan, total: c.total}
	switch {
	case g.faults.hits(faultEmptyPage, r):
		page.next = c.locator(n)
		g.writePage(w, r, page)
		return
	case g.faults.hits(faultRepeatToken, r):
		page.next = c.locator(n)
	case (n+1)*c.size < c.total:
		page.next = c.locator(n + 1)
	}
	rows, err := c.batch(r.Context(), n)
	if err != nil {
		g.refuseQuery(w, r, err)
		return
	}
	page.rows = rows
	g.writePage(w, r, page)
}

func (g *org) writePage(w http.ResponseWriter, r *http.Request, page *queryPage) {
	version := r.PathValue("version")
	answerJSON(w, func(b []byte) []byte {
		b = appendInt(b, `{"totalSize":`, page.total)
		b = appendBool(b, `,"done":`, page.next == "")
		if page.next != "" {
			b = append(b, `,"nextRecordsUrl":"/services/data/`+version+`/query/`+page.next+`"`...)
		}
		b = append(b, `,"records":[`...)
		for i, row := range page.rows {
			if i > 0 {
				b = append(b, ',')
			}
			v := g.look(page.plan.snap, page.plan.object, row)
			b = v.appendRecord(b, version, page.plan.outputs)
		}
		return append(b, `]}`...)
	})
}

// writeCount answers COUNT(field).
func (g *org) writeCount(w http.ResponseWriter, alias string, n int64) {
	writeValue(w, http.StatusOK, map[string]any{"totalSize": 1, "done": true, "records": []any{
		map[string]any{"attributes": map[string]string{"type": "AggregateResult"}, alias: n},
	}})
}
