package jira

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fake is a small healthy Jira: it pages, understands as much JQL as the driver writes, and refuses page tokens that
// it did not hand out. It is safe for concurrent use.
type fake struct {
	*http.ServeMux
	issues   []fakeIssue         // in the order of their creation
	comments map[string][]string // ids by issue id
	now      func() time.Time    // told as the server's time; nil where it tells none

	// emptyPage has an empty page stand before the second one, and repeatToken hands out the first token again.
	emptyPage, repeatToken bool
}

type fakeIssue struct{ id, project, key string }

var fakeProjects = []string{"OPS", "PAY", "WEB"}

func newFake() *fake {
	f := &fake{ServeMux: http.NewServeMux(), comments: map[string][]string{}}
	for i := range 12 {
		project := fakeProjects[i%2]
		f.issues = append(f.issues, fakeIssue{strconv.Itoa(10000 + i), project, project + "-" + strconv.Itoa(i/2+1)})
	}
	f.comments["10003"] = []string{"501", "502", "503", "504"}
	f.comments["10004"] = []string{"505"}
	f.serveVersion2()
	f.HandleFunc("GET "+serverInfoPath, func(w http.ResponseWriter, _ *http.Request) { send(w, 200, f.info(cloudInfo)) })
	f.handle("GET "+myselfPath, func(w http.ResponseWriter, _ *http.Request) { send(w, 200, me) })
	f.handle("GET "+projectsPath, f.searchProjects)
	f.handle("GET /rest/api/3/project/{key}", f.project)
	f.handle("POST "+searchPath, f.search)
	f.handle("GET /rest/api/3/issue/{issue}/comment", f.listComments)
	return f
}

// handle answers whoever has a credential.
func (f *fake) handle(pattern string, h http.HandlerFunc) {
	f.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		user, token, ok := r.BasicAuth()
		bearer := strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") // the gateway's
		if (!ok || user == "" || token == "") && !bearer {
			refuse(w, 401, "no credential")
			return
		}
		h(w, r)
	})
}

func send(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, body)
}

func refuse(w http.ResponseWriter, status int, message string) {
	body, _ := json.Marshal(map[string]any{"errorMessages": []string{message}, "errors": map[string]string{}})
	send(w, status, string(body))
}

func (f *fake) project(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	if !slices.Contains(fakeProjects, key) {
		refuse(w, 404, "No project could be found with key '"+key+"'.")
		return
	}
	send(w, 200, projectJSON(key))
}

func (f *fake) searchProjects(w http.ResponseWriter, r *http.Request) {
	var entries []string
	for _, key := range fakeProjects {
		entries = append(entries, projectJSON(key))
	}
	f.sendOffset(w, r, "values", entries)
}

func (f *fake) listComments(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(f.issues, func(is fakeIssue) bool { return is.id == r.PathValue("issue") || is.key == r.PathValue("issue") })
	if i < 0 {
		refuse(w, 404, "Issue does not exist or you do not have permission to see it.")
		return
	}
	entries := []string{}
	for _, id := range f.comments[f.issues[i].id] {
		entries = append(entries, `{"self":"https://x/rest/api/3/issue/`+f.issues[i].id+`/comment/`+id+`", "id":"`+id+
			`","author":{"accountId":"5b","displayName":"Ann"},"body":{"type":"doc","version":1,"content":[]},"created":"`+april+`","updated":"`+april+`"}`)
	}
	f.sendOffset(w, r, "comments", entries)
}

func (f *fake) sendOffset(w http.ResponseWriter, r *http.Request, name string, entries []string) {
	start, err := strconv.Atoi(r.URL.Query().Get("startAt"))
	size, err2 := strconv.Atoi(r.URL.Query().Get("maxResults"))
	if err != nil || err2 != nil || start < 0 || size < 1 {
		refuse(w, 400, "bad page")
		return
	}
	from := min(start, len(entries))
	until := min(from+min(size, 100), len(entries))
	send(w, 200, fmt.Sprintf(`{"startAt":%d,"maxResults":%d,"total":%d,"isLast":%t,"%s":[%s]}`,
		start, size, len(entries), until == len(entries), name, strings.Join(entries[from:until], ",")))
}

var (
	fakeProject = regexp.MustCompile(`project = "([^"]*)"`)
	fakeKeys    = regexp.MustCompile(`key in \(([^)]*)\)`)
	fakeSince   = regexp.MustCompile(`updated >= ([0-9]+)`)
	fakeToken   = regexp.MustCompile(`^([0-9]+)(e?)-([0-9]+)$`)
)

// selects returns what the JQL finds, and Jira's message where it does not parse.
func (f *fake) selects(jql string) ([]fakeIssue, string) {
	found := slices.Clone(f.issues)
	if m := fakeProject.FindStringSubmatch(jql); m != nil {
		if !slices.Contains(fakeProjects, m[1]) {
			return nil, "The value '" + m[1] + "' does not exist for the field 'project'."
		}
		found = slices.DeleteFunc(found, func(is fakeIssue) bool { return is.project != m[1] })
	}
	if m := fakeKeys.FindStringSubmatch(jql); m != nil {
		found = slices.DeleteFunc(found, func(is fakeIssue) bool { return !strings.Contains(m[1], is.key) })
	}
	if m := fakeSince.FindStringSubmatch(jql); m != nil {
		since, _ := strconv.ParseInt(m[1], 10, 64)
		if changed := parseTime(april); since > changed.UnixMilli() {
			found = nil
		}
	}
	if !strings.Contains(jql, " ORDER BY ") || strings.HasPrefix(jql, "ORDER") {
		return nil, "Unbounded JQL queries are not allowed here."
	}
	return found, ""
}

// info adds the server's time to what it tells of itself.
func (f *fake) info(body string) string {
	if f.now == nil {
		return body
	}
	return strings.TrimSuffix(body, "}") + `,"serverTime":"` + f.now().Format("2006-01-02T15:04:05.000-0700") + `"}`
}

// found returns an issue as a search gives it: with all fields its comments are counted, and the first embedded.
func (f *fake) found(is fakeIssue, fields []string) string {
	body := is.json(april)
	if !slices.Contains(fields, "*all") {
		return body
	}
	total := len(f.comments[is.id])
	return strings.TrimSuffix(body, " }}") + fmt.Sprintf(`,"comment":{"comments":[],"maxResults":%d,"total":%d,"startAt":0} }}`, total, total)
}

func (f *fake) search(w http.ResponseWriter, r *http.Request) {
	var q searchRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.MaxResults < 1 {
		refuse(w, 400, "bad request")
		return
	}
	found, message := f.selects(q.JQL)
	seal := fnv.New32a()
	_, _ = seal.Write([]byte(q.JQL))
	token := func(at int, kind string) string { return fmt.Sprintf("%d%s-%d", at, kind, seal.Sum32()) }
	from, kind := 0, ""
	if q.NextPageToken != "" && message == "" {
		m := fakeToken.FindStringSubmatch(q.NextPageToken)
		if m == nil || m[3] != strconv.FormatUint(uint64(seal.Sum32()), 10) {
			refuse(w, 400, "The provided next page token is invalid or expired.")
			return
		}
		from, _ = strconv.Atoi(m[1])
		kind = m[2]
	}
	if message != "" {
		refuse(w, 400, message)
		return
	}
	if f.emptyPage && from > 0 && kind == "" {
		send(w, 200, `{"issues":[],"isLast":false,"nextPageToken":"`+token(from, "e")+`"}`)
		return
	}
	until := min(from+min(q.MaxResults, 100), len(found))
	var entries []string
	for _, is := range found[min(from, until):until] {
		entries = append(entries, f.found(is, q.Fields))
	}
	tail := `"isLast":true}`
	switch {
	case f.repeatToken && len(found) > 0:
		tail = `"isLast":false,"nextPageToken":"` + token(1, "e") + `"}`
	case until < len(found):
		tail = `"isLast":false,"nextPageToken":"` + token(until, "") + `"}`
	}
	send(w, 200, `{"issues":[`+strings.Join(entries, ", ")+`],`+tail)
}
