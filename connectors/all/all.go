// Package all is the one list of connectors: adding one takes its package and one line here.
package all

import (
	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/confluence"
	"github.com/unified-connector/ucf/connectors/jira"
	"github.com/unified-connector/ucf/connectors/postgres"
	"github.com/unified-connector/ucf/connectors/salesforce"
)

// Definitions returns every connector, in the order of the documentation.
func Definitions() []*connectors.Definition {
	return []*connectors.Definition{&jira.Definition, &confluence.Definition, &salesforce.Definition, &postgres.Definition}
}
