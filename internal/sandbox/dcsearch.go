package sandbox

import (
	"encoding/json"
	"net/http"
)

// dcSearch is a search by offset. The GET has the same in its query.
type dcSearch struct {
	JQL        string   `json:"jql"`
	StartAt    int      `json:"startAt"`
	MaxResults *int     `json:"maxResults"`
	Fields     []string `json:"fields"`
	Expand     []string `json:"expand"`
}

func readDCSearch(w http.ResponseWriter, r *http.Request) (*dcSearch, error) {
	s := &dcSearch{}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(s); err != nil {
			return nil, refusal(messageBadPayload)
		}
	} else {
		query := r.URL.Query()
		size, err := intParam(query, "maxResults", dcSearchPerPage)
		if err != nil {
			return nil, err
		}
		if s.StartAt, err = intParam(query, "startAt", 0); err != nil {
			return nil, err
		}
		s.JQL, s.Fields, s.Expand, s.MaxResults = query.Get("jql"), commaList(query["fields"]), commaList(query["expand"]), &size
	}
	size := dcSearchPerPage
	if s.MaxResults == nil {
		s.MaxResults = &size
	}
	if s.StartAt < 0 || *s.MaxResults < 0 {
		return nil, refusal("startAt and maxResults must not be negative.")
	}
	*s.MaxResults = min(*s.MaxResults, dcSearchPageCap)
	return s, nil
}

// search takes queries without a restriction, and tells how many issues there are in all.
func (d *dataCenter) search(w http.ResponseWriter, r *http.Request) {
	asked, err := readDCSearch(w, r)
	j := d.jira()
	var pl *plan
	if err == nil {
		pl, err = j.unboundedPlan(asked.JQL, isAnonymous(r))
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	size := *asked.MaxResults
	total := pl.count(r.Context())
	p := j.pen(r)
	fields := j.world.fields.choose(trimAll(asked.Fields), "*navigable")
	fields.idOnly, fields.keyOnly = false, false
	issues := []any{}
	for _, ref := range pl.slice(r, asked.StartAt, size) {
		body := p.issue(nil, ref, fields)
		if commaSet(asked.Expand)["changelog"] {
			body = append(p.expandChangelog(trimBrace(body), ref), '}')
		}
		issues = append(issues, d.translate(r, body))
	}
	writeValue(w, http.StatusOK, map[string]any{
		"expand": "schema,names", "startAt": asked.StartAt, "maxResults": size, "total": total, "issues": issues,
	})
}

func (j *jira) unboundedPlan(jql string, anonymous bool) (*plan, error) {
	query, err := parseJQL(jql)
	if err != nil {
		return nil, err
	}
	if query.where == nil { // every issue has a key
		query.where = &clauseNode{field: "created", written: "created", operator: ">=", values: []jqlValue{{text: "0"}}}
	}
	return (&jqlCompiler{world: j.world, now: j.now(), anonymous: anonymous}).planQuery(query)
}

// slice returns up to size issues after the first ones.
func (pl *plan) slice(r *http.Request, skip, size int) []issueRef {
	p := &pen{world: pl.world}
	at := pl.start()
	if pl.filter == nil && pl.picks == nil && len(pl.world.changes.states()) == 0 {
		if skip > int(pl.until-pl.from) {
			return nil
		}
		if at.position += int64(skip); pl.order.descending {
			at.position -= 2 * int64(skip)
		}
		skip = 0
	}
	var found []issueRef
	for more := true; more && len(found) < skip+size && r.Context().Err() == nil; {
		var some []issueRef
		some, at, more = pl.page(r.Context(), p, at, skip+size-len(found))
		found = append(found, some...)
	}
	return found[min(skip, len(found)):]
}

func (d *dataCenter) showIssue(w http.ResponseWriter, r *http.Request) {
	j := d.jira()
	ref, ok := j.issueOfPath(w, r)
	if !ok {
		return
	}
	fields := j.world.fields.choose(commaList(r.URL.Query()["fields"]), "*all")
	fields.idOnly, fields.keyOnly = false, false
	p := j.pen(r)
	body := p.issue(nil, ref, fields)
	if commaSet(r.URL.Query()["expand"])["changelog"] {
		body = append(p.expandChangelog(trimBrace(body), ref), '}')
	}
	writeValue(w, http.StatusOK, d.translate(r, body))
}

// listComments gives all comments unless fewer are asked for.
func (d *dataCenter) listComments(w http.ResponseWriter, r *http.Request) {
	j := d.jira()
	ref, ok := j.issueOfPath(w, r)
	if !ok {
		return
	}
	startAt, size, err := pageOf(r.URL.Query(), allComments)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	page := commentPage{ref: ref, startAt: startAt, size: size, descending: r.URL.Query().Get("orderBy") == "-created"}
	writeValue(w, http.StatusOK, d.translate(r, j.pen(r).comments(nil, page)))
}

// addComment takes wiki markup.
func (d *dataCenter) addComment(w http.ResponseWriter, r *http.Request) {
	j := d.jira()
	ref, ok := j.issueOfPath(w, r)
	if !ok {
		return
	}
	var asked struct {
		Body string `json:"body"`
	}
	if !j.decode(w, r, &asked) {
		return
	}
	if asked.Body == "" {
		writeValue(w, http.StatusBadRequest, map[string]any{"errorMessages": []string{}, "errors": map[string]string{"comment": "Comment body can not be empty!"}})
		return
	}
	posted := j.pen(r).posted(nil, ref, j.world.postComment(ref, 0, paragraph(asked.Body)))
	writeValue(w, http.StatusCreated, d.translate(r, posted))
}
