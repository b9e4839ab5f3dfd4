package sandbox

import (
	"slices"
)

// messageUnbounded is Jira's answer to a query without a restriction.
const messageUnbounded = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."

// planQuery turns a query into a plan. The parts of a conjunction that are about project, issue, or a time in the
// order of the results cost nothing; the others become the filter.
func (c *jqlCompiler) planQuery(query *jqlQuery) (*plan, error) {
	if query.where == nil {
		return nil, refusal(messageUnbounded)
	}
	whole, err := c.compile(query.where)
	if err != nil {
		return nil, err
	}
	order, err := orderingOf(query.order)
	if err != nil {
		return nil, err
	}
	pl := &plan{whole: whole, world: c.world, projects: c.world.allProjects, byKey: c.world.keyOrder, order: order}
	if c.anonymous {
		pl.projects, pl.byKey, pl.whole = nil, nil, nil
		return pl, nil
	}
	conjuncts := flatten(query.where)
	if picked := c.pick(conjuncts, whole, order); picked != nil {
		pl.picks, pl.until = picked, int64(len(picked))
		return pl, nil
	}
	rest := slices.DeleteFunc(conjuncts, func(node jqlNode) bool { return c.restrictProjects(pl, node) })
	pl.until = pl.total()
	rest = slices.DeleteFunc(rest, func(node jqlNode) bool { return c.narrowTime(pl, node) })
	if len(rest) > 0 {
		pl.filter, err = c.compile(andNode{rest})
	}
	return pl, err
}

// flatten returns the parts that must all hold.
func flatten(node jqlNode) []jqlNode {
	and, ok := node.(andNode)
	if !ok {
		return []jqlNode{node}
	}
	var parts []jqlNode
	for _, part := range and.parts {
		parts = append(parts, flatten(part)...)
	}
	return parts
}

// pick returns the accepted issues in order when one part names them, nil when none does.
func (c *jqlCompiler) pick(conjuncts []jqlNode, whole predicate, order ordering) []issueRef {
	for _, node := range conjuncts {
		clause, ok := node.(*clauseNode)
		if !ok || (clause.operator != "=" && clause.operator != "in") {
			continue
		}
		if field := canonicalField(clause.field); field != "key" && field != "id" {
			continue
		}
		named, err := c.issuesOf(clause)
		if err != nil {
			continue
		}
		p := &pen{world: c.world}
		picked := make([]issueRef, 0, len(named))
		for _, ref := range named {
			if !c.world.isHidden(ref) && whole(p, ref) {
				picked = append(picked, ref)
			}
		}
		slices.SortFunc(picked, func(a, b issueRef) int { return order.compare(c.world, a, b) })
		return slices.Compact(picked)
	}
	return nil
}

// restrictProjects reports whether the part is about projects alone; then the plan obeys it.
func (c *jqlCompiler) restrictProjects(pl *plan, node jqlNode) bool {
	clause, ok := node.(*clauseNode)
	if !ok || clause.field != "project" {
		return false
	}
	negated, err := membership(clause)
	if err != nil {
		return false
	}
	named, err := c.projectsOf(clause)
	if err != nil {
		return false
	}
	outside := func(project int) bool { return named[project] == negated }
	pl.projects = slices.DeleteFunc(slices.Clone(pl.projects), outside)
	pl.byKey = slices.DeleteFunc(slices.Clone(pl.byKey), outside)
	return true
}

// narrowTime reports whether the part bounds the time by which the plan is ordered; then the plan obeys it.
func (c *jqlCompiler) narrowTime(pl *plan, node jqlNode) bool {
	clause, ok := node.(*clauseNode)
	if !ok || clause.operator == "!=" {
		return false
	}
	field := canonicalField(clause.field)
	var value func(issueRef) int64
	switch {
	case field == "updated" && pl.order.by == sortByUpdated:
		value = c.world.baseUpdated
	case field == "created" && pl.order.by == sortByID:
		value = c.world.created
	default:
		return false
	}
	if clause.values[0].empty {
		return false
	}
	accepted, err := c.timeInterval(clause)
	if err != nil {
		return false
	}
	pl.narrow(accepted, value)
	return true
}
