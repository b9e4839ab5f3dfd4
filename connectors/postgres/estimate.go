package postgres

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

const countContainersSQL = `
SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE ` + readable

// EstimateContainers counts the tables and views that the role may read.
func (d *Driver) EstimateContainers(ctx context.Context, q connectors.ContainerQuery) (connectors.Estimate, error) {
	n := int64(connectors.Unknown)
	err := d.read(ctx, []statement{{sql: countContainersSQL, width: 1}}, func() {}, number(&n))
	return connectors.EstimateOf(n, true, max(q.Limit, 1), 0, 0), err
}

// EstimateItems returns the planner's estimate of a listing, and counts where that is cheap. A page is one request.
func (d *Driver) EstimateItems(ctx context.Context, q connectors.ItemQuery) (connectors.Estimate, error) {
	q.Cursor = ""
	if q.Query != "" {
		return d.estimateQuery(ctx, q)
	}
	name, err := containerName(q.ContainerID)
	if err != nil {
		return connectors.Estimate{}, err
	}
	var e connectors.Estimate
	err = d.withTable(ctx, name, func(rel *relation) error {
		l, err := d.listing(rel, q)
		if err != nil {
			return mayMend{err}
		}
		var b query
		b.WriteString("SELECT" + rel.from())
		if l.filtered() {
			l.where(&b)
		}
		e, err = d.estimate(ctx, statement{sql: b.String(), params: b.params}, q.Limit, d.read)
		return err
	})
	return e, err
}

// EstimateComments is [connectors.Unsupported]: PostgreSQL has none on rows.
func (d *Driver) EstimateComments(context.Context, connectors.CommentQuery) (connectors.Estimate, error) {
	return connectors.Estimate{}, connectors.Errorf(connectors.Unsupported, "PostgreSQL has no comments on rows")
}

func (d *Driver) estimateQuery(ctx context.Context, q connectors.ItemQuery) (connectors.Estimate, error) {
	if err := queryAlone(q); err != nil {
		return connectors.Estimate{}, err
	}
	var e connectors.Estimate
	err := d.withResult(ctx, q.Query, func(r *result) (err error) {
		run := func(ctx context.Context, stmts []statement, restart func(), rows take) error {
			return d.runListing(ctx, r, stmts, restart, rows)
		}
		e, err = d.estimate(ctx, statement{sql: "SELECT FROM " + r.as()}, q.Limit, run)
		return err
	})
	return e, err
}

const (
	// cheapCost is up to which cost, in the planner's units, a statement is run for its rows to be counted.
	cheapCost = 50_000
	// countedRows is up to how many rows are counted.
	countedRows = keylessRows
)

// plan is what EXPLAIN tells of a statement.
type plan struct {
	Rows float64 `json:"Plan Rows"`
	Cost float64 `json:"Total Cost"`
}

// runner runs statements as [Driver.read] does.
type runner func(ctx context.Context, stmts []statement, restart func(), rows take) error

// estimate explains a statement, without running it, and counts its rows if they are few.
func (d *Driver) estimate(ctx context.Context, s statement, limit int, run runner) (connectors.Estimate, error) {
	var p plan
	explain := statement{sql: "EXPLAIN (FORMAT JSON) " + s.sql, params: s.params, width: 1}
	err := run(ctx, []statement{explain}, func() { p = plan{} }, func(_ int, _ []pgconn.FieldDescription, row [][]byte) error {
		var plans []struct{ Plan plan }
		if err := json.Unmarshal(row[0], &plans); err != nil || len(plans) != 1 {
			return errShape
		}
		p = plans[0].Plan
		return nil
	})
	if err != nil {
		return connectors.Estimate{}, err
	}
	rows, exact := int64(p.Rows), false
	if rows <= countedRows && p.Cost <= cheapCost {
		if rows, exact, err = d.count(ctx, s, rows, run); err != nil {
			return connectors.Estimate{}, err
		}
	}
	return connectors.EstimateOf(rows, exact, max(limit, 1), 0, 0), nil
}

// count counts the rows of a statement up to countedRows; exact reports whether there are no more.
func (d *Driver) count(ctx context.Context, s statement, guess int64, run runner) (rows int64, exact bool, err error) {
	counted := statement{sql: "SELECT count(*) FROM (" + s.sql + " LIMIT " + strconv.Itoa(countedRows+1) + ") AS n", params: s.params, width: 1}
	err = run(ctx, []statement{counted}, func() {}, number(&rows))
	switch {
	case connectors.CodeOf(err) == connectors.Timeout && ctx.Err() == nil:
		return guess, false, nil // the planner took it for cheap
	case err != nil:
		return 0, false, err
	case rows > countedRows:
		return max(rows, guess), false, nil
	}
	return rows, true, nil
}

// number takes a number from the first column.
func number(into *int64) take {
	return func(_ int, _ []pgconn.FieldDescription, row [][]byte) (err error) {
		if *into, err = strconv.ParseInt(string(row[0]), 10, 64); err != nil {
			return errShape
		}
		return nil
	}
}
