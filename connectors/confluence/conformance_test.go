package confluence

import (
	"io"
	"net/http"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/connectortest"
	"github.com/unified-connector/ucf/connectors/internal/atlassian/atlassiantest"
)

// newFake returns a small healthy Confluence, and the gateway in front of it.
func newFake() http.Handler {
	site := http.NewServeMux()
	for path, body := range map[string]string{userPath: me, spacesPath: oneSpace} {
		site.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Header.Get("Authorization") == "" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(w, body)
		})
	}
	mux := http.NewServeMux()
	mux.Handle("/", &atlassiantest.Gateway{Product: "confluence", Site: site})
	mux.Handle("/wiki/", site)
	return mux
}

func suite() connectortest.Suite {
	return connectortest.Suite{
		Definition: &Definition,
		Config:     atlassiantest.Config,
		Handler:    newFake(),
		Sites:      []string{atlassiantest.CloudID, atlassiantest.OtherCloudID},
		Skip: []connectortest.Skip{
			{Rows: "discover/wrong_array", Reason: "an empty list is the answer for a grant that reaches no site"},
		},
	}
}

func TestConformance(t *testing.T) { connectortest.Run(t, suite()) }

// TestConformanceByOAuth asks through the gateway, and has the driver find out the site's id.
func TestConformanceByOAuth(t *testing.T) {
	s := suite()
	s.Method = connectors.MethodOAuth
	s.Skip = append(s.Skip, connectortest.Skip{
		Rows: "probe/wrong_array", Reason: "the first request may answer an empty list: the grant reaches no site",
	})
	connectortest.Run(t, s)
}
