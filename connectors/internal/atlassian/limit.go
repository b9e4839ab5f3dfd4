package atlassian

import (
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// Limits returns the rate limits of Atlassian's cloud, as
// https://developer.atlassian.com/cloud/jira/platform/rate-limiting/ describes them: 65,000 points an hour for all that an
// OAuth app does (traffic with API tokens is exempt), and 100 requests a second for each endpoint of a site.
func Limits() []connectors.Limit {
	own := []string{"api.atlassian.com", ".atlassian.net"}
	return []connectors.Limit{
		{
			Name: "points per app and hour", Hosts: own, Methods: []string{connectors.MethodOAuth},
			Per: connectors.PerApp, Points: 65_000, Window: time.Hour,
		},
		{Name: "requests per endpoint and second", Hosts: own, Per: connectors.PerEndpoint, Points: 100, Window: time.Second},
	}
}
