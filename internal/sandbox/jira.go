package sandbox

import (
	"net/http"
	"slices"
	"time"
)

// jira is the Jira Cloud REST API v3 of one site, after
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/ and what real sites answer. It is mounted at the site
// and at the gateway.
type jira struct {
	world  *world
	faults *faultLayer
	pages  *pageTokens
	now    func() time.Time
	name   string // of the site
	home   string // the site's path
	prefix string // of the API: the site's path, or the gateway's
	door   door
	people []*jira // as each account that can consent sees the site
}

// know prepares for requests by the accounts that can consent.
func (j *jira) know(people []account) error {
	for _, who := range people {
		zone, err := time.LoadLocation(who.zone)
		if err != nil {
			return err
		}
		w, one := *j.world, *j
		w.zone = zone
		w.caller = slices.IndexFunc(w.accounts, func(a account) bool { return a.id == who.id })
		one.world = &w
		j.people = append(j.people, &one)
	}
	return nil
}

// Scopes of operations: the classic one, and the granular ones, which are needed all together.
var (
	noScope    = permission{open: true}
	userScopes = [][]string{
		{"read:jira-user"},
		{"read:application-role:jira", "read:group:jira", "read:user:jira", "read:avatar:jira"},
	}
	projectScopes = [][]string{
		{"read:jira-work"},
		{
			"read:issue-type:jira", "read:project:jira", "read:project.property:jira", "read:user:jira", "read:application-role:jira",
			"read:avatar:jira", "read:group:jira", "read:issue-type-hierarchy:jira", "read:project-category:jira",
			"read:project-version:jira", "read:project.component:jira",
		},
	}
	searchScopes = [][]string{
		{"read:jira-work"},
		{
			"read:issue-details:jira", "read:audit-log:jira", "read:avatar:jira", "read:field-configuration:jira",
			"read:issue-meta:jira",
		},
	}
	issueScopes = [][]string{
		{"read:jira-work"},
		{
			"read:issue-meta:jira", "read:issue-security-level:jira", "read:issue.vote:jira", "read:issue.changelog:jira",
			"read:avatar:jira", "read:issue:jira", "read:status:jira", "read:user:jira", "read:field-configuration:jira",
		},
	}
	countScopes = [][]string{
		{"read:jira-work"},
		{"read:issue-details:jira", "read:field.default-value:jira", "read:field.option:jira", "read:field:jira", "read:group:jira"},
	}
	parseScopes = [][]string{{"read:jira-work"}, {"read:field:jira", "validate:jql:jira", "read:jql:jira"}}
	fieldScopes = [][]string{
		{"read:jira-work"},
		{"read:field:jira", "read:avatar:jira", "read:project-category:jira", "read:project:jira", "read:field-configuration:jira"},
	}
	changelogScopes = [][]string{{"read:jira-work"}, {"read:issue-meta:jira", "read:avatar:jira", "read:issue.changelog:jira"}}
	worklogScopes   = [][]string{
		{"read:jira-work"},
		{
			"read:group:jira", "read:issue-worklog:jira", "read:issue-worklog.property:jira", "read:project-role:jira", "read:user:jira",
			"read:avatar:jira",
		},
	}
	writeCommentScopes = [][]string{
		{"write:jira-work"},
		{
			"read:comment:jira", "read:comment.property:jira", "read:group:jira", "read:project:jira", "read:project-role:jira",
			"read:user:jira", "write:comment:jira", "read:avatar:jira",
		},
	}
	commentScopes = [][]string{
		{"read:jira-work"},
		{
			"read:comment:jira", "read:comment.property:jira", "read:group:jira", "read:project:jira", "read:project-role:jira",
			"read:user:jira", "read:avatar:jira",
		},
	}
)

// jiraOperation answers a request as the account that makes it sees the site.
type jiraOperation func(j *jira, w http.ResponseWriter, r *http.Request)

// mount registers the API below a path, behind a door.
func (j *jira) mount(r *router, door door, prefix string) {
	people := make([]*jira, len(j.people))
	for i, one := range j.people {
		at := *one
		at.prefix, at.door = prefix, door
		people[i] = &at
	}
	enter := func(need permission, op jiraOperation) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if caller, ok := door.enter(w, r, need); ok {
				op(people[caller], w, r)
			}
		}
	}
	handle := func(path string, need permission, op jiraOperation, methods ...string) {
		handlers := map[string]http.HandlerFunc{}
		for _, method := range methods {
			handlers[method] = enter(need, op)
		}
		r.handle(prefix+"/rest/api/3"+path, handlers)
	}
	handle("/serverInfo", noScope, (*jira).serverInfo, http.MethodGet)
	handle("/myself", permission{scopes: userScopes}, (*jira).myself, http.MethodGet)
	handle("/project", permission{scopes: projectScopes}, (*jira).listProjects, http.MethodGet)
	handle("/project/search", permission{scopes: projectScopes}, (*jira).searchProjects, http.MethodGet)
	handle("/project/{idOrKey}", permission{scopes: projectScopes}, (*jira).showProject, http.MethodGet)
	handle("/search/jql", permission{scopes: searchScopes}, (*jira).search, http.MethodGet, http.MethodPost)
	handle("/search", permission{scopes: searchScopes}, (*jira).removed, http.MethodGet, http.MethodPost)
	handle("/issue/{idOrKey}", permission{scopes: issueScopes}, (*jira).showIssue, http.MethodGet)
	r.handle(prefix+"/rest/api/3/issue/{idOrKey}/comment", map[string]http.HandlerFunc{
		http.MethodGet:  enter(permission{scopes: commentScopes}, (*jira).listComments),
		http.MethodPost: enter(permission{scopes: writeCommentScopes}, (*jira).addComment),
	})
	// Version 2 takes texts; the sandbox has no more of it on the Cloud.
	r.handle(prefix+"/rest/api/2/issue/{idOrKey}/comment", map[string]http.HandlerFunc{
		http.MethodPost: enter(permission{scopes: writeCommentScopes}, (*jira).addText),
	})
	handle("/issue/{idOrKey}/comment/{id}", permission{scopes: commentScopes}, (*jira).showComment, http.MethodGet)
	handle("/issue/{idOrKey}/changelog", permission{scopes: changelogScopes}, (*jira).listChangelog, http.MethodGet)
	handle("/issue/{idOrKey}/worklog", permission{scopes: worklogScopes}, (*jira).listWorklogs, http.MethodGet)
	handle("/issue/bulkfetch", permission{scopes: issueScopes}, (*jira).bulkFetch, http.MethodPost)
	handle("/search/approximate-count", permission{scopes: countScopes}, (*jira).countIssues, http.MethodPost)
	handle("/jql/parse", permission{scopes: parseScopes}, (*jira).parseQueries, http.MethodPost)
	handle("/field", permission{scopes: fieldScopes}, (*jira).listFields, http.MethodGet)
}

// base is the address of the API as this client wrote it, without /rest/api/3.
func (j *jira) base(r *http.Request) string { return hostOf(r) + j.prefix }

// pen starts writing for one request.
func (j *jira) pen(r *http.Request) *pen {
	return &pen{
		world: j.world,
		base:  string(appendEscaped(nil, j.base(r))),
		home:  string(appendEscaped(nil, hostOf(r)+j.home)),
	}
}

func (j *jira) serverInfo(w http.ResponseWriter, r *http.Request) {
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte {
		b = append(b, `{"baseUrl":"`+p.home+`","displayUrl":"`+p.home+`","version":"1001.0.0-SNAPSHOT",`...)
		b = append(b, `"versionNumbers":[1001,0,0],"deploymentType":"Cloud","buildNumber":100286,"buildDate":`...)
		b = p.appendTime(b, p.createdFrom)
		b = append(b, `,"serverTime":`...)
		b = p.appendTime(b, j.now().UnixMilli())
		b = append(b, `,"scmInfo":"1f51473f5c7b75c1a69a0090f4832cdc5053702a","serverTitle":`...)
		b = appendString(b, j.name+" (sandbox)")
		b = append(b, `,"serverTimeZone":`...)
		b = appendString(b, p.zone.String())
		return append(b, '}')
	})
}

func (j *jira) myself(w http.ResponseWriter, r *http.Request) {
	if isAnonymous(r) {
		j.door.refuse(w, r)
		return
	}
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte {
		b = p.fill(b, p.accounts[p.caller].user)
		return append(b[:len(b)-1], `,"locale":"en_US","groups":{"size":1,"items":[]},`+
			`"applicationRoles":{"size":1,"items":[]},"expand":"groups,applicationRoles"}`...)
	})
}

// removed is the search that Atlassian took away in 2025.
func (*jira) removed(w http.ResponseWriter, _ *http.Request) {
	writeError(w, http.StatusGone, messageRemoved)
}
