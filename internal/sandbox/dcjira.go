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
