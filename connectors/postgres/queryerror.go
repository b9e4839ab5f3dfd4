package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// queryFaults are the classes of SQLSTATE by which the server says that a query itself is at fault (PostgreSQL
// documentation, appendix A): unsupported features, cardinality, data, transaction states such as read-only, schemas,
// syntax and names, limits, and what functions raise.
var queryFaults = []string{"0A", "20", "21", "22", "25", "2F", "38", "39", "3F", "42", "44", "54", "P0"}

// ofQuery codes a failure of a statement that holds a user's query: what the server says against the query is
// [connectors.InvalidRequest] with the server's words, and with the place where the query stands after the prefix.
func (d *Driver) ofQuery(ctx context.Context, err error, text, prefix string) error {
	var pg *pgconn.PgError
	var ours *connectors.Error
	if errors.As(err, &ours) || ctx.Err() != nil || !errors.As(err, &pg) || pg.Severity == "FATAL" {
		return d.coded(ctx, err)
	}
	switch {
	case pg.Code == stateNoPrivilege:
		return connectors.Denied(cause(err), "PostgreSQL does not let the role %s run the query: %s; GRANT it, or connect with another role", d.user, saying(pg.Message))
	case pg.Code == stateProtocol:
		return connectors.Wrap(connectors.InvalidRequest, cause(err), "the query has a parameter such as $1, and there are no values for any; write the value itself")
	case len(pg.Code) == 5 && pg.Code != stateIdleInTx && slices.Contains(queryFaults, pg.Code[:2]):
		return refusal(pg, text, prefix)
	}
	return d.coded(ctx, err)
}

// refusal is the error of a query that the server finds at fault.
func refusal(pg *pgconn.PgError, text, prefix string) error {
	e := connectors.Wrap(connectors.InvalidRequest, cause(pg), "PostgreSQL refuses the query: %s", saying(pg.Message))
	e.Details = map[string]any{"sqlstate": pg.Code}
	if at := int(pg.Position) - utf8.RuneCountInString(prefix); pg.Position > 0 && prefix != "" && at > 0 {
		line, column := place(text, at)
		e.Message += fmt.Sprintf(" (line %d, column %d)", line, column)
		e.Details["position"], e.Details["line"], e.Details["column"] = at, line, column
	}
	if pg.Hint != "" {
		e.Message += "; " + saying(pg.Hint)
	}
	switch {
	case strings.HasPrefix(pg.Code, "25"):
		e.Message += "; ucf only reads"
	case pg.Code == stateSyntax:
		e.Message += "; a query is one SELECT, WITH … SELECT, VALUES or TABLE"
	}
	return e
}

// saying returns what the server says as one line of bounded length.
func saying(s string) string {
	const most = 500
	s = strings.Join(strings.Fields(cleanText([]byte(s))), " ")
	for i := range s {
		if i >= most {
			return s[:i] + "…"
		}
	}
	return s
}

// place returns the line and column of a character of the query, all counted from 1.
func place(text string, at int) (line, column int) {
	line, column = 1, 1
	for _, r := range text {
		if at--; at == 0 {
			break
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}
