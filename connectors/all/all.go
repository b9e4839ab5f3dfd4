// Package all is the one list of connectors: adding one takes its package and one line here.
package all

import (
	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/jira"
	"github.com/unified-connector/ucf/connectors/postgres"
)

// Definitions returns every connector, in the order of the documentation.
func Definitions() []*connectors.Definition {
	return []*connectors.Definition{&jira.Definition, &postgres.Definition}
}
