package confluence

import (
	"net/http"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/connectortest"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/atlassian/atlassiantest"
)

// both serves a site and the gateway in front of it, and holds what is asked against Atlassian's documents.
func both(site http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", &atlassiantest.Gateway{Product: "confluence", Site: site})
	mux.Handle("/wiki/", site)
	mux.Handle("/rest/", site)
	return mux
}

func suite() connectortest.Suite {
	emptySpaces, emptyItems, emptyComments, repeats := newFake(), newFake(), newFake(), newFake()
	emptySpaces.emptyPage, emptyItems.emptyPage, emptyComments.emptyPage = "/spaces", "/pages", "/footer-comments"
	repeats.repeatToken = "/spaces"
	repeatPages, repeatComments, emptyFinds, repeatFinds := newFake(), newFake(), newFake(), newFake()
	repeatPages.repeatToken, repeatComments.repeatToken = "/pages", "/footer-comments"
	emptyFinds.emptyPage, repeatFinds.repeatToken = "/search", "/search"
	return connectortest.Suite{
		Definition: &Definition,
		Config:     atlassiantest.Config,
		Handler:    both(newFake()),
		Sites:      []string{atlassiantest.CloudID, atlassiantest.OtherCloudID},
		Containers: []string{"ENG", "HR", "OPS"},
		Items: map[string][]string{
			"ENG": {"101", "103", "105", "107", "109", "111", "202"},
			"HR":  {"102", "106", "110", "104", "108", "112"},
			"OPS": {},
		},
		Comments:         map[string][]string{"101": {"501", "503", "504", "502", "505", "506"}, "104": {"507"}, "102": {}},
		Commented:        map[string][]string{"ENG": {"101"}, "HR": {"104"}, "OPS": {}},
		MissingContainer: "NOPE",
		MissingItem:      "999",
		HostileIDs:       []string{`ENG" OR space = "HR`, "101/children", "101?expand=x", "../101"},
		EmptyPage: map[string]http.Handler{
			"containers": both(emptySpaces), "items": both(emptyItems), "comments": both(emptyComments), "commented": both(emptyFinds),
		},
		RepeatToken: map[string]http.Handler{
			"containers": both(repeats), "items": both(repeatPages), "comments": both(repeatComments), "commented": both(repeatFinds),
		},
		Query:      "id in (101, 104) ORDER BY created",
		QueryItems: []string{"101", "104"},
		AnyOrder:   []string{connectors.CapComments}, // the replies to a page of comments follow it
		Skip: []connectortest.Skip{
			{Rows: "commented/gaps", Reason: "one search finds all comments of a space that the account may see"},
			{Rows: "discover/wrong_array", Reason: "an empty list is the answer for a grant that reaches no site"},
			{Rows: "comments/403", Reason: "an account that may not see the names of others still lists comments, without their authors' names"},
		},
	}
}

func TestConformance(t *testing.T) { connectortest.Run(t, suite()) }

// TestConformanceByOAuth asks through the gateway, and has the driver find out the site's id.
func TestConformanceByOAuth(t *testing.T) {
	s := suite()
	s.Method = connectors.MethodOAuth
	s.Skip = append(s.Skip, connectortest.Skip{
		Rows: "(probe|containers|items|comments|commented|time)/wrong_array", Reason: "the first request may answer an empty list: the grant reaches no site",
	})
	connectortest.Run(t, s)
}

// TestConformanceByScopedToken reads through the gateway with Basic authentication.
func TestConformanceByScopedToken(t *testing.T) {
	s := suite()
	s.Method = atlassian.MethodScoped
	s.Skip = append(s.Skip, connectortest.Skip{Rows: "discover/.*", Reason: "TestConformance has it"})
	connectortest.Run(t, s)
}

// TestConformanceOfDataCenter reads version 1 of the API with a personal access token.
func TestConformanceOfDataCenter(t *testing.T) {
	s := suite()
	s.Method = atlassian.MethodPAT
	s.Comments = map[string][]string{"101": {"501", "502", "503", "504", "505", "506"}, "104": {"507"}, "102": {}}
	s.RepeatToken, s.EmptyPage = nil, nil
	s.Skip = []connectortest.Skip{
		{Rows: "(containers|items|comments|commented)/(repeated_token|empty_page)", Reason: "Data Center pages by number: no token can come again, and an empty page is the end"},
		{Rows: "commented/gaps", Reason: "one search finds all comments of a space that the account may see"},
		{Rows: "discover/.*", Reason: "TestConformance has it"},
		{Rows: "probe/404", Reason: "what answers here is a site of the cloud as well, and a probe says so"},
	}
	connectortest.Run(t, s)
}
