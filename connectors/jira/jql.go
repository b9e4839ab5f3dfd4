package jira

import (
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
)

const (
	// everyIssue is a restriction that every issue meets; Jira refuses a search without any.
	everyIssue = "project is not EMPTY"
	// byCreation is an order that no change of an issue disturbs; issues that are created meanwhile come last.
	byCreation = "created ASC, key ASC"
	// byChange is the order of a listing of changes: an issue that changes meanwhile comes again rather than not at all.
	byChange = "updated ASC, key ASC"
	// overlap is how much earlier a listing of changes begins than asked: JQL may compare whole minutes only, and the
	// index that it asks lags behind. What is too old is dropped on our side.
	overlap = 2 * time.Minute
)

// jqlFor returns the JQL of a listing.
func jqlFor(q connectors.ItemQuery) (string, error) {
	where, order, err := clauses(q)
	return where + " ORDER BY " + order, err
}

// clauses returns the restriction and the order of a listing.
func clauses(q connectors.ItemQuery) (where, order string, err error) {
	own, order, fault := atlassian.SplitOrder(q.Query)
	if fault != "" {
		return "", "", connectors.InvalidFields(connectors.Fault{Field: "query", Message: fault})
	}
	var terms []string
	if own != "" {
		terms = append(terms, "("+own+")")
	}
	if q.ContainerID != "" {
		terms = append(terms, "project = "+atlassian.Quote(q.ContainerID))
	}
	if order == "" {
		order = byCreation
		if !q.UpdatedAfter.IsZero() {
			order = byChange
		}
	}
	// Milliseconds since 1970 mean the same in every account's time zone; dates would not.
	if ms := q.UpdatedAfter.Add(-overlap).UnixMilli(); !q.UpdatedAfter.IsZero() && ms > 0 {
		terms = append(terms, "updated >= "+strconv.FormatInt(ms, 10))
	}
	if len(terms) == 0 {
		terms = append(terms, everyIssue)
	}
	return strings.Join(terms, " AND "), order, nil
}
