package jira

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/connectortest"
	"github.com/unified-connector/ucf/connectors/internal/atlassian/atlassiantest"
)

func TestConformance(t *testing.T) { connectortest.Run(t, suite()) }

// TestConformanceByOAuth reads through the gateway, and has the driver find out the site's id.
func TestConformanceByOAuth(t *testing.T) {
	s := suite()
	s.Method = connectors.MethodOAuth
	s.Skip = append(s.Skip, connectortest.Skip{
		Rows: "(probe|containers|items|comments)/wrong_array", Reason: "the first request may answer an empty list: the grant reaches no site",
	})
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

func config(method, address string) map[string]any {
	if method == connectors.MethodOAuth {
		return map[string]any{
			"auth_method": method, "base_url": atlassiantest.SiteURL, "access_token": atlassiantest.Token,
			"refresh_token": "refresh-" + atlassiantest.Token, "client_secret": "client-secret-of-the-app",
		}
	}
	return map[string]any{"base_url": address, "api_email": "you@example.com", "api_token": token}
}

func suite() connectortest.Suite {
	healthy, empty, repeats := newFake(), newFake(), newFake()
	empty.emptyPage, repeats.repeatToken = true, true
	return connectortest.Suite{
		Definition: &Definition,
		Config:     config,
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
		Query:       "key in (PAY-1, PAY-2, OPS-1) ORDER BY key DESC",
		QueryItems:  []string{"10000", "10001", "10003"},
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
