package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// Sizes of a page of a Data Center's search.
const (
	dcSearchPerPage = 50
	dcSearchPageCap = 1000
)

// allComments is what Jira in a Data Center tells as the size of a page that has no bound.
const allComments = 1_048_576

// mountJira registers version 2 of the API, after https://developer.atlassian.com/server/jira/platform/rest/.
func (d *dataCenter) mountJira(r *router) {
	handle := func(path string, open bool, methods map[string]http.HandlerFunc) {
		for method, h := range methods {
			methods[method] = d.enter(h, open)
		}
		r.handle(dcJiraPrefix+"/rest/api/2"+path, methods)
	}
	get := func(path string, h http.HandlerFunc) {
		handle(path, false, map[string]http.HandlerFunc{http.MethodGet: h})
	}
	handle("/serverInfo", true, map[string]http.HandlerFunc{http.MethodGet: d.serverInfo})
	get("/myself", d.myself)
	get("/user", d.showUser)
	get("/project", d.listProjects)
	get("/project/{idOrKey}", d.showProject)
	get("/field", func(w http.ResponseWriter, r *http.Request) { d.jira().listFields(w, r) })
	handle("/search", false, map[string]http.HandlerFunc{http.MethodGet: d.search, http.MethodPost: d.search})
	get("/issue/{idOrKey}", d.showIssue)
	handle("/issue/{idOrKey}/comment", false, map[string]http.HandlerFunc{http.MethodGet: d.listComments, http.MethodPost: d.addComment})
}

// jira is the first site's, as its addresses are in the Data Center.
func (d *dataCenter) jira() *jira {
	at := *d.site.jira
	at.prefix, at.home = dcJiraPrefix, dcJiraPrefix
	return &at
}

func (d *dataCenter) serverInfo(w http.ResponseWriter, r *http.Request) {
	j := d.jira()
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte {
		b = append(b, `{"baseUrl":"`+p.home+`","version":"9.12.1","versionNumbers":[9,12,1],"deploymentType":"Server",`...)
		b = append(b, `"buildNumber":9120001,"databaseBuildNumber":9120001,"buildDate":`...)
		b = p.appendTime(b, p.createdFrom)
		b = append(b, `,"serverTime":`...)
		b = p.appendTime(b, j.now().UnixMilli())
		b = append(b, `,"scmInfo":"1f51473f5c7b75c1a69a0090f4832cdc5053702a","serverTitle":`...)
		return append(appendString(b, j.name+" (sandbox, Data Center)"), '}')
	})
}

// userView is a user as Jira in a Data Center shows one.
func (d *dataCenter) userView(r *http.Request, i int) map[string]any {
	who, base := d.site.jira.world.accounts[i], hostOf(r)+dcJiraPrefix
	avatars := map[string]string{}
	for _, size := range []string{"16", "24", "32", "48"} {
		avatars[size+"x"+size] = base + "/secure/useravatar?size=" + size
	}
	return map[string]any{
		"self": base + "/rest/api/2/user?username=" + d.names[i], "key": userKey(i), "name": d.names[i], "avatarUrls": avatars,
		"displayName": who.name, "active": who.active, "timeZone": who.zone, "emailAddress": mailOf(i, who),
	}
}

func (d *dataCenter) myself(w http.ResponseWriter, r *http.Request) {
	if isAnonymous(r) {
		d.refuse(w, r)
		return
	}
	user := d.userView(r, 0)
	user["locale"], user["deleted"], user["expand"] = "en_US", false, "groups,applicationRoles"
	writeValue(w, http.StatusOK, user)
}

func (d *dataCenter) showUser(w http.ResponseWriter, r *http.Request) {
	i, ok := d.user(r)
	if !ok {
		writeError(w, http.StatusNotFound, "The user named '"+r.URL.Query().Get("username")+"' does not exist")
		return
	}
	writeValue(w, http.StatusOK, d.userView(r, i))
}

// translate turns JSON of the Cloud into that of a Data Center: users, texts, and addresses of version 2.
func (d *dataCenter) translate(r *http.Request, cloud []byte) any {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(cloud))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		panic("sandbox: the JSON of an issue does not parse: " + err.Error())
	}
	t := &dcTranslator{users: map[string]map[string]any{}, markup: wikiMarkup{map[string]string{}}}
	for i, who := range d.site.jira.world.accounts {
		t.users[who.id], t.markup.names[who.id] = d.userView(r, i), d.names[i]
	}
	return t.value(value)
}

type dcTranslator struct {
	users  map[string]map[string]any
	markup wikiMarkup
}

func (t *dcTranslator) value(v any) any {
	switch v := v.(type) {
	case string:
		return strings.Replace(v, "/rest/api/3/", "/rest/api/2/", 1)
	case []any:
		for i := range v {
			v[i] = t.value(v[i])
		}
	case map[string]any:
		if v["type"] == "doc" && v["version"] != nil {
			return t.markup.text(v)
		}
		if id, ok := v["accountId"].(string); ok && t.users[id] != nil {
			return t.users[id]
		}
		for name := range v {
			v[name] = t.value(v[name])
		}
		delete(v, "jsdPublic")
	}
	return v
}

func (d *dataCenter) listProjects(w http.ResponseWriter, r *http.Request) {
	j := d.jira()
	p := j.pen(r)
	list := []any{}
	if !isAnonymous(r) {
		for _, project := range j.world.keyOrder {
			list = append(list, d.project(r, p, project, commaSet(r.URL.Query()["expand"])))
		}
	}
	writeValue(w, http.StatusOK, list)
}

// project has nothing of what only the Cloud knows.
func (d *dataCenter) project(r *http.Request, p *pen, project int, expand map[string]bool) map[string]any {
	view, _ := d.translate(r, p.projectFull(nil, project, expand)).(map[string]any)
	for _, name := range []string{"simplified", "style", "isPrivate", "properties", "uuid", "insight"} {
		delete(view, name)
	}
	view["archived"] = false
	return view
}

func (d *dataCenter) showProject(w http.ResponseWriter, r *http.Request) {
	j := d.jira()
	project, ok := j.world.project(r.PathValue("idOrKey"))
	if !ok || isAnonymous(r) {
		writeError(w, http.StatusNotFound, "No project could be found with key '"+r.PathValue("idOrKey")+"'.")
		return
	}
	writeValue(w, http.StatusOK, d.project(r, j.pen(r), project, map[string]bool{"description": true, "lead": true, "url": true}))
}

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
