package jira

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/connectortest"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/atlassian/atlassiantest"
)

func TestConformance(t *testing.T) { connectortest.Run(t, suite()) }

// TestConformanceByOAuth reads through the gateway, and has the driver find out the site's id.
func TestConformanceByOAuth(t *testing.T) {
	s := suite()
	s.Method = connectors.MethodOAuth
	s.Skip = append(s.Skip, connectortest.Skip{
		Rows: "(probe|containers|items|comments|time)/wrong_array", Reason: "the first request may answer an empty list: the grant reaches no site",
	})
	connectortest.Run(t, s)
}

// TestConformanceOfDataCenter reads version 2 of the API with a personal access token.
func TestConformanceOfDataCenter(t *testing.T) {
	s := suite()
	s.Method = atlassian.MethodPAT
	s.RepeatToken = nil
	s.EmptyPage = map[string]http.Handler{
		"comments": both(&emptyOffset{next: newFake(), path: "/rest/api/2/issue/10003/comment", name: "comments", total: 4}),
	}
	s.Skip = []connectortest.Skip{
		{Rows: "(containers|items|comments)/repeated_token", Reason: "Data Center pages by number, so no token can come again"},
		{Rows: "(containers|items)/empty_page", Reason: "projects come all at once, and a search has no empty pages but behind its end"},
		{Rows: "discover/.*", Reason: "TestConformance has it"},
		{Rows: "probe/404", Reason: "what answers here is a site of the cloud as well, and a probe says so"},
	}
	connectortest.Run(t, s)
}

// TestConformanceByScopedToken reads through the gateway with Basic authentication.
func TestConformanceByScopedToken(t *testing.T) {
	s := suite()
	s.Method = atlassian.MethodScoped
	s.Skip = append(s.Skip, connectortest.Skip{Rows: "discover/.*", Reason: "TestConformance has it"})
	connectortest.Run(t, s)
}

// both serves a site and the gateway in front of it.
func both(site http.Handler) http.Handler {
	mux := http.NewServeMux()
	gateway := &atlassiantest.Gateway{Product: "jira", Site: site}
	mux.Handle("/", gateway)
	mux.Handle("/rest/", site)
	return mux
}

func suite() connectortest.Suite {
	healthy, empty, repeats := newFake(), newFake(), newFake()
	empty.emptyPage, repeats.repeatToken = true, true
	return connectortest.Suite{
		Definition: &Definition,
		Config:     atlassiantest.Config,
		Handler:    both(healthy),
		Sites:      []string{atlassiantest.CloudID, atlassiantest.OtherCloudID},
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
			"containers": both(&emptyOffset{next: newFake(), path: projectsPath, name: "values", total: 3}),
			"items":      both(empty),
			"comments":   both(&emptyOffset{next: newFake(), path: "/rest/api/3/issue/10003/comment", name: "comments", total: 4}),
		},
		RepeatToken: map[string]http.Handler{"items": both(repeats)},
		Clock: func(now func() time.Time) http.Handler {
			site := newFake()
			site.now = now
			return both(site)
		},
		Query:      "key in (PAY-1, PAY-2, OPS-1) ORDER BY key DESC",
		QueryItems: []string{"10000", "10001", "10003"},
		Skip: []connectortest.Skip{
			{Rows: "(containers|comments)/repeated_token", Reason: "Jira pages these by number, so no token can come again"},
			{Rows: "discover/wrong_array", Reason: "an empty list is the answer for a grant that reaches no site"},
		},
	}
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
