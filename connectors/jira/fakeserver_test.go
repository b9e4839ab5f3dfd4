package jira

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const serverMe = `{"key":"JIRAUSER10100","name":"ann","displayName":"Ann Lee","active":true}`

// serveVersion2 has the fake answer as a Data Center too, to whoever has a token for one.
func (f *fake) serveVersion2() {
	f.HandleFunc("GET /rest/api/2/serverInfo", func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			refuse(w, 404, "null for uri") // as a site that is no Data Center
			return
		}
		send(w, 200, f.info(oldInfo))
	})
	f.handle("GET /rest/api/2/myself", func(w http.ResponseWriter, _ *http.Request) { send(w, 200, serverMe) })
	f.handle("GET /rest/api/2/project", func(w http.ResponseWriter, _ *http.Request) {
		var entries []string
		for _, key := range slices.Backward(fakeProjects) {
			entries = append(entries, projectJSON(key))
		}
		send(w, 200, "["+strings.Join(entries, ",")+"]")
	})
	f.handle("GET /rest/api/2/project/{key}", f.project)
	f.handle("POST /rest/api/2/search", f.searchServer)
	f.handle("GET /rest/api/2/issue/{issue}/comment", f.listComments)
}

func (f *fake) searchServer(w http.ResponseWriter, r *http.Request) {
	var q serverSearch
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.MaxResults < 1 || q.StartAt < 0 {
		refuse(w, 400, "bad request")
		return
	}
	found, message := f.selects(q.JQL)
	if message != "" {
		refuse(w, 400, message)
		return
	}
	if _, order, _ := strings.Cut(q.JQL, " ORDER BY "); strings.Contains(order, "key DESC") {
		slices.Reverse(found)
	}
	from := min(int(q.StartAt), len(found))
	until := min(from+q.MaxResults, len(found))
	entries := []string{}
	for _, is := range found[from:until] {
		entries = append(entries, f.found(is, q.Fields))
	}
	send(w, 200, fmt.Sprintf(`{"startAt":%d,"maxResults":%d,"total":%d,"issues":[%s]}`, q.StartAt, q.MaxResults, len(found), strings.Join(entries, ",")))
}

// json returns the issue as a search gives it, changed at a time.
func (is fakeIssue) json(updated string) string {
	return strings.NewReplacer(`"7"`, `"`+is.id+`"`, "PAY-7", is.key, `"PAY"`, `"`+is.project+`"`).Replace(issueJSON(7, updated))
}
