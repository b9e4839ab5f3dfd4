package sandbox

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// mostBulk is how many issues can be fetched at once.
const mostBulk = 100

func (j *jira) decode(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(into)
	if err != nil {
		writeError(w, http.StatusBadRequest, messageBadPayload)
	}
	return err == nil
}

// bulkFetch answers with the issues in ascending order of their ids. Those that do not exist are left out without a
// word; issueErrors is for others.
func (j *jira) bulkFetch(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Issues []string `json:"issueIdsOrKeys"`
		Fields []string `json:"fields"`
		Expand []string `json:"expand"`
	}
	if !j.decode(w, r, &asked) {
		return
	}
	if len(asked.Issues) == 0 || len(asked.Issues) > mostBulk {
		writeError(w, http.StatusBadRequest, "Between 1 and 100 issues can be fetched at once.")
		return
	}
	var found []issueRef
	for _, name := range asked.Issues {
		if ref, ok := j.world.lookup(name); ok && !isAnonymous(r) {
			found = append(found, ref)
		}
	}
	slices.SortFunc(found, func(a, b issueRef) int { return cmp.Compare(j.world.index(a), j.world.index(b)) })
	found = slices.Compact(found)
	set := j.world.fields.choose(trimAll(asked.Fields), "*navigable")
	set.idOnly = false
	changelog := slices.Contains(asked.Expand, "changelog")
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte {
		b = append(b, `{"issueErrors":[],"issues":[`...)
		for i, ref := range found {
			if i > 0 {
				b = append(b, ',')
			}
			b = p.issue(b, ref, set)
			if changelog {
				b = append(p.expandChangelog(b[:len(b)-1], ref), '}')
			}
		}
		return append(b, `]}`...)
	})
}

// countIssues answers /search/approximate-count; here the number is exact.
func (j *jira) countIssues(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		JQL string `json:"jql"`
	}
	if !j.decode(w, r, &asked) {
		return
	}
	query, err := parseJQL(asked.JQL)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	pl, err := (&jqlCompiler{world: j.world, now: j.now(), anonymous: isAnonymous(r)}).planQuery(query)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	n := pl.count(r.Context())
	answerJSON(w, func(b []byte) []byte { return append(appendInt(b, `{"count":`, n), '}') })
}

// count is the number of issues in the plan. Without a filter it is known without a look at them.
func (pl *plan) count(ctx context.Context) int64 {
	p := &pen{world: pl.world}
	if pl.filter == nil && len(pl.world.changes.states()) == 0 {
		return max(0, pl.until-pl.from)
	}
	n := int64(0)
	for at, more := pl.start(), true; more && ctx.Err() == nil; {
		var found []issueRef
		found, at, more = pl.page(ctx, p, at, idsPageCap)
		n += int64(len(found))
	}
	return n
}

// listFields answers /field.
func (j *jira) listFields(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, func(b []byte) []byte {
		b = append(b, '[')
		for i, f := range j.world.fields.all {
			if i > 0 {
				b = append(b, ',')
			}
			custom := strings.HasPrefix(f.id, "customfield_")
			b = append(b, `{"id":"`+f.id+`","key":"`+f.id+`","name":`...)
			b = appendString(b, f.name)
			b = appendBool(b, `,"custom":`, custom)
			b = appendBool(b, `,"orderable":`, true)
			b = appendBool(b, `,"navigable":`, !f.hidden)
			b = appendBool(b, `,"searchable":`, true)
			b = append(b, `,"clauseNames":["`...)
			if custom {
				b = append(b, `cf[`+strings.TrimPrefix(f.id, "customfield_")+`]`...)
			} else {
				b = append(b, f.id...)
			}
			b = append(b, `"],"schema":`+f.schema+`}`...)
		}
		return append(b, ']')
	})
}

// parseQueries answers /jql/parse: the structure of each query, or what is wrong with it.
func (j *jira) parseQueries(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Queries []string `json:"queries"`
	}
	if !j.decode(w, r, &asked) {
		return
	}
	if len(asked.Queries) == 0 {
		writeError(w, http.StatusBadRequest, "At least one query must be given.")
		return
	}
	parsed := []map[string]any{}
	for _, text := range asked.Queries {
		one := map[string]any{"query": text}
		query, err := parseJQL(text)
		if err == nil && r.URL.Query().Get("validation") != "none" && query.where != nil {
			_, err = (&jqlCompiler{world: j.world, now: j.now(), anonymous: isAnonymous(r)}).compile(query.where)
		}
		if err != nil {
			one["errors"] = []string{err.Error()}
		} else {
			one["structure"] = structureOf(query)
		}
		parsed = append(parsed, one)
	}
	writeValue(w, http.StatusOK, map[string]any{"queries": parsed})
}

func structureOf(query *jqlQuery) map[string]any {
	out := map[string]any{}
	if query.where != nil {
		out["where"] = clauseOf(query.where)
	}
	if len(query.order) > 0 {
		fields := []any{}
		for _, by := range query.order {
			direction := "asc"
			if by.descending {
				direction = "desc"
			}
			fields = append(fields, map[string]any{"field": fieldOf(by.written), "direction": direction})
		}
		out["orderBy"] = map[string]any{"fields": fields}
	}
	return out
}

func fieldOf(name string) map[string]any { return map[string]any{"name": name, "encodedName": name} }

func clauseOf(node jqlNode) map[string]any {
	compound := func(operator string, parts []jqlNode) map[string]any {
		clauses := []any{}
		for _, part := range parts {
			clauses = append(clauses, clauseOf(part))
		}
		return map[string]any{"operator": operator, "clauses": clauses}
	}
	switch n := node.(type) {
	case andNode:
		return compound("and", n.parts)
	case orNode:
		return compound("or", n.parts)
	case notNode:
		return compound("not", []jqlNode{n.part})
	}
	clause := node.(*clauseNode)
	values := []any{}
	for _, v := range clause.values {
		values = append(values, operandOf(v))
	}
	operand := values[0]
	if clause.operator == "in" || clause.operator == "not in" {
		operand = map[string]any{"values": values}
	}
	return map[string]any{"field": fieldOf(clause.written), "operator": clause.operator, "operand": operand}
}

func operandOf(v jqlValue) map[string]any {
	switch {
	case v.empty:
		return map[string]any{"keyword": "empty", "encodedOperand": "empty"}
	case v.function:
		return map[string]any{"function": v.text, "arguments": []string{}, "encodedOperand": v.text + "()"}
	}
	return map[string]any{"value": v.text, "encodedValue": v.text}
}

// tenantInfo tells the cloud id of a site without credentials.
func (j *jira) tenantInfo(cloudID string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeValue(w, http.StatusOK, map[string]string{"cloudId": cloudID})
	}
}
