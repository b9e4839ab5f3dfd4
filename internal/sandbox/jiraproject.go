package sandbox

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	projectsPerPage  = 50
	projectsPageCap  = 100
	maxKeysPerSearch = 50
)

// projectTypes are dealt to the projects in turn.
var projectTypes = []string{"software", "service_desk", "business"}

// projectNames are what the first projects are called; the others are named after their key.
var projectNames = []string{
	"Payments", "Operations & Störungen", "Web 🌐", "データ基盤", "Mobile \"iOS/Android\"", "Human Resources",
	"Security | Ops", "Проект X", "אב", "Legal <2026>", "Quality", "Infrastructure",
}

func (w *world) projectName(project int) string {
	if project < len(projectNames) {
		return projectNames[project]
	}
	return "Project " + w.keys[project]
}

// projectShort writes what stands in an issue's project field.
func (p *pen) projectShort(b []byte, project int) []byte {
	id := strconv.Itoa(firstProjectID + project)
	b = append(b, `{"self":"`...)
	b = append(b, p.base...)
	b = append(b, `/rest/api/3/project/`+id+`","id":"`+id+`","key":"`+p.keys[project]+`","name":`...)
	b = appendString(b, p.projectName(project))
	b = append(b, `,"projectTypeKey":"`+projectTypes[project%len(projectTypes)]+`","simplified":`...)
	b = strconv.AppendBool(b, project%4 == 3)
	b = append(b, `,"avatarUrls":{`...)
	for i, size := range []string{"48x48", "24x24", "16x16", "32x32"} {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `"`+size+`":"`...)
		b = append(b, p.base...)
		b = append(b, `/rest/api/3/universal_avatar/view/type/project/avatar/10400"`...)
	}
	return append(b, `}}`...)
}

// projectFull adds what the project resources say, and what expand asks for.
func (p *pen) projectFull(b []byte, project int, expand map[string]bool) []byte {
	b = p.projectShort(b, project)
	b = append(b[:len(b)-1], `,"style":"`...)
	b = append(b, [2]string{"classic", "next-gen"}[project%4/3]+`","isPrivate":false,"properties":{}`...)
	b = append(b, `,"expand":"description,lead,issueTypes,url,projectKeys,permissions,insight"`...)
	p.rng = newRNG(p.seed, domainProject, int64(project))
	b = append(b, `,"uuid":"`...)
	b = p.uuid(b)
	b = append(b, '"')
	// The leader is drawn first, so that it does not depend on what else is asked for.
	leader := p.anybody().user
	if expand["description"] {
		b = append(b, `,"description":"`...)
		if project%5 != 4 {
			b = p.sentence(b)
		}
		b = append(b, '"')
	}
	if expand["lead"] {
		b = append(b, `,"lead":`...)
		b = p.fill(b, leader)
	}
	if expand["url"] && project%2 == 0 {
		b = append(b, `,"url":"https://example.com/`+p.keys[project]+`"`...)
	}
	if expand["insight"] {
		b = p.insight(b, project)
	}
	return append(b, '}')
}

func (p *pen) insight(b []byte, project int) []byte {
	b = appendInt(b, `,"insight":{"totalIssueCount":`, p.visible(project))
	if last, ok := p.lastUpdate(project); ok {
		b = append(b, `,"lastIssueUpdateTime":`...)
		b = p.appendTime(b, last)
	}
	return append(b, '}')
}

func (j *jira) showProject(w http.ResponseWriter, r *http.Request) {
	idOrKey := r.PathValue("idOrKey")
	project, ok := j.world.project(idOrKey)
	if !ok || isAnonymous(r) {
		writeError(w, http.StatusNotFound, "No project could be found with key '"+idOrKey+"'.")
		return
	}
	expand := commaSet(r.URL.Query()["expand"])
	// The single resource always tells these two.
	expand["description"], expand["lead"] = true, true
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte { return p.projectFull(b, project, expand) })
}

// listProjects answers /project, which has no pages.
func (j *jira) listProjects(w http.ResponseWriter, r *http.Request) {
	all := j.world.keyOrder
	if isAnonymous(r) {
		all = nil
	}
	expand := commaSet(r.URL.Query()["expand"])
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte {
		b = append(b, '[')
		for i, project := range all {
			if i > 0 {
				b = append(b, ',')
			}
			b = p.projectFull(b, project, expand)
		}
		return append(b, ']')
	})
}

func (j *jira) searchProjects(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	startAt, err := intParam(query, "startAt", 0)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	size, err := intParam(query, "maxResults", projectsPerPage)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	if size > projectsPageCap {
		size = projectsPageCap
	}
	found, err := j.selectProjects(r, query)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	from := min(startAt, len(found))
	until := min(from+size, len(found))
	j.writeProjects(w, r, projectPage{startAt: startAt, size: size, total: len(found), projects: found[from:until]})
}

// projectPage is one answer of the project search.
type projectPage struct {
	startAt, size, total int
	projects             []int
}

func (j *jira) writeProjects(w http.ResponseWriter, r *http.Request, page projectPage) {
	next := page.startAt + len(page.projects)
	last := next >= page.total
	expand := commaSet(r.URL.Query()["expand"])
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte {
		b = append(b, `{"self":`...)
		b = appendString(b, pageLink(j.base(r), r.URL, page.startAt, page.size))
		if !last {
			b = append(b, `,"nextPage":`...)
			b = appendString(b, pageLink(j.base(r), r.URL, next, page.size))
		}
		b = appendInt(b, `,"maxResults":`, int64(page.size))
		b = appendInt(b, `,"startAt":`, int64(page.startAt))
		b = appendInt(b, `,"total":`, int64(page.total))
		b = appendBool(b, `,"isLast":`, last)
		b = append(b, `,"values":[`...)
		for i, project := range page.projects {
			if i > 0 {
				b = append(b, ',')
			}
			b = p.projectFull(b, project, expand)
		}
		return append(b, `]}`...)
	})
}

func pageLink(base string, u *url.URL, startAt, size int) string {
	query := u.Query()
	query.Set("startAt", strconv.Itoa(startAt))
	query.Set("maxResults", strconv.Itoa(size))
	return base + "/rest/api/3/project/search?" + query.Encode()
}

// projectFilter is what a project search asks for; an empty part asks for nothing.
type projectFilter struct {
	keys, ids, status, types map[string]bool
	text                     string // in lower case
}

func (f *projectFilter) accepts(w *world, project int) bool {
	wanted := func(set map[string]bool, value string) bool { return len(set) == 0 || set[value] }
	key := w.keys[project]
	return wanted(f.keys, key) &&
		wanted(f.ids, strconv.Itoa(firstProjectID+project)) &&
		wanted(f.status, "live") &&
		wanted(f.types, projectTypes[project%len(projectTypes)]) &&
		strings.Contains(strings.ToLower(key+"\n"+w.projectName(project)), f.text)
}

// selectProjects returns the projects that the query asks for, in its order.
func (j *jira) selectProjects(r *http.Request, query url.Values) ([]int, error) {
	if isAnonymous(r) {
		return nil, nil
	}
	filter := &projectFilter{
		keys:   commaSet(query["keys"]),
		ids:    commaSet(query["id"]),
		status: commaSet(query["status"]),
		types:  commaSet(query["typeKey"]),
		text:   strings.ToLower(query.Get("query")),
	}
	if len(filter.keys) > maxKeysPerSearch || len(filter.ids) > maxKeysPerSearch {
		return nil, refusal("At most 50 project keys or ids can be given.")
	}
	found := slices.DeleteFunc(slices.Clone(j.world.keyOrder), func(project int) bool {
		return !filter.accepts(j.world, project)
	})
	return found, j.sortProjects(found, query.Get("orderBy"))
}

// sortProjects orders projects that come in the order of their keys.
func (j *jira) sortProjects(found []int, orderBy string) error {
	field, descending := strings.CutPrefix(orderBy, "-")
	field = strings.TrimPrefix(strings.TrimLeft(field, " "), "+") // a plus sign in a query means a space
	var compare func(a, b int) int
	switch field {
	case "", "key", "category", "owner", "archivedDate", "deletedDate":
		compare = func(a, b int) int { return strings.Compare(j.world.keys[a], j.world.keys[b]) }
	case "name":
		compare = func(a, b int) int { return strings.Compare(j.world.projectName(a), j.world.projectName(b)) }
	case "issueCount":
		compare = func(a, b int) int { return cmp.Compare(j.world.visible(a), j.world.visible(b)) }
	case "lastIssueUpdatedDate":
		compare = func(a, b int) int {
			x, _ := j.world.lastUpdate(a)
			y, _ := j.world.lastUpdate(b)
			return cmp.Compare(x, y)
		}
	default:
		return refusal("The orderBy value '" + orderBy + "' is not supported.")
	}
	slices.SortStableFunc(found, func(a, b int) int {
		if descending {
			return compare(b, a)
		}
		return compare(a, b)
	})
	return nil
}
