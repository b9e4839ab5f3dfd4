package jira

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/unified-connector/ucf/connectors/connectortest"
)

func TestConformance(t *testing.T) {
	healthy, empty, repeats := newFake(), newFake(), newFake()
	empty.emptyPage, repeats.repeatToken = true, true
	connectortest.Run(t, connectortest.Suite{
		Definition: &Definition,
		Config: func(_, address string) map[string]any {
			return map[string]any{"base_url": address, "api_email": "you@example.com", "api_token": token}
		},
		Handler:    healthy,
		Containers: fakeProjects,
		Items: map[string][]string{
			"OPS": {"10000", "10002", "10004", "10006", "10008", "10010"},
			"PAY": {"10001", "10003", "10005", "10007", "10009", "10011"},
			"WEB": {},
		},
		Comments:         map[string][]string{"10003": healthy.comments["10003"], "10004": healthy.comments["10004"], "10000": {}},
		MissingContainer: "NOPE",
		MissingItem:      "NOPE-1",
		HostileIDs:       []string{`PAY" OR project = "OPS`, "PAY-1/comment", "PAY-1?expand=x"},
		EmptyPage: map[string]http.Handler{
			"containers": &emptyOffset{next: newFake(), path: projectsPath, name: "values", total: 3},
			"items":      empty,
			"comments":   &emptyOffset{next: newFake(), path: "/rest/api/3/issue/10003/comment", name: "comments", total: 4},
		},
		RepeatToken: map[string]http.Handler{"items": repeats},
		Query:       "key in (PAY-1, PAY-2, OPS-1) ORDER BY key DESC",
		QueryItems:  []string{"10000", "10001", "10003"},
		Skip: []connectortest.Skip{
			{Rows: "(containers|comments)/repeated_token", Reason: "Jira pages these by number, so no token can come again"},
		},
	})
}

// emptyOffset has a page of a listing by number be empty every other time that it is asked for.
type emptyOffset struct {
	next  http.Handler
	path  string
	name  string
	total int
	asks  atomic.Int64
}

func (e *emptyOffset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := r.URL.Query().Get("startAt")
	if r.URL.Path == e.path && start != "0" && e.asks.Add(1)%2 == 1 {
		send(w, 200, fmt.Sprintf(`{"startAt":%s,"maxResults":1,"total":%d,"isLast":false,"%s":[]}`, start, e.total, e.name))
		return
	}
	e.next.ServeHTTP(w, r)
}
