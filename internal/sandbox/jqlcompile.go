package sandbox

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// predicate reports whether a query accepts an issue. It moves the pen's stream.
type predicate func(p *pen, ref issueRef) bool

// jqlCompiler turns a parsed query into predicates, checking fields and values as Jira does. An anonymous caller
// sees no project, so no project or issue exists for it.
type jqlCompiler struct {
	world     *world
	now       time.Time
	anonymous bool
}

func (c *jqlCompiler) compile(node jqlNode) (predicate, error) {
	switch n := node.(type) {
	case notNode:
		inner, err := c.compile(n.part)
		return func(p *pen, ref issueRef) bool { return !inner(p, ref) }, err
	case andNode:
		parts, err := c.compileAll(n.parts)
		return func(p *pen, ref issueRef) bool {
			return !slices.ContainsFunc(parts, func(part predicate) bool { return !part(p, ref) })
		}, err
	case orNode:
		parts, err := c.compileAll(n.parts)
		return func(p *pen, ref issueRef) bool {
			return slices.ContainsFunc(parts, func(part predicate) bool { return part(p, ref) })
		}, err
	default:
		return c.compileClause(node.(*clauseNode))
	}
}

func (c *jqlCompiler) compileAll(nodes []jqlNode) ([]predicate, error) {
	parts := make([]predicate, len(nodes))
	for i, node := range nodes {
		var err error
		if parts[i], err = c.compile(node); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// Names of the fields that JQL knows by several.
var fieldAliases = map[string]string{
	"updateddate": "updated", "createddate": "created", "issuekey": "key", "issue": "key", "type": "issuetype",
}

func canonicalField(name string) string {
	if alias, ok := fieldAliases[name]; ok {
		return alias
	}
	return name
}

func (c *jqlCompiler) compileClause(clause *clauseNode) (predicate, error) {
	switch canonicalField(clause.field) {
	case "project":
		return c.projectClause(clause)
	case "key", "id":
		return c.issueClause(clause)
	case "updated", "created":
		return c.timeClause(clause)
	case "summary", "text":
		return c.textClause(clause)
	case "status":
		return c.choiceClause(clause, c.world.catalog.statuses)
	case "issuetype":
		return c.choiceClause(clause, c.world.catalog.types)
	case "priority":
		return c.choiceClause(clause, c.world.catalog.priorities)
	case "assignee", "reporter", "creator":
		return c.userClause(clause)
	case "labels":
		return c.labelClause(clause)
	case "resolution":
		return c.resolutionClause(clause)
	}
	return nil, refusef("Field '%s' does not exist or you do not have permission to view it.", clause.written)
}

func unsupportedOperator(clause *clauseNode) error {
	return refusef("The operator '%s' is not supported by the '%s' field.", clause.operator, clause.written)
}

// membership reads the operators that choose among values. negated is true for the ones that exclude.
func membership(clause *clauseNode) (negated bool, err error) {
	switch clause.operator {
	case "=", "in":
		return false, nil
	case "!=", "not in":
		return true, nil
	case "is", "is not":
		if clause.values[0].empty {
			return clause.operator == "is not", nil
		}
		return false, refusef("The operator '%s' takes only EMPTY or NULL.", clause.operator)
	}
	return false, unsupportedOperator(clause)
}

func noSuchValue(clause *clauseNode, value jqlValue) error {
	return refusef("The value '%s' does not exist for the field '%s'.", value.text, clause.written)
}

// projectsOf returns the projects that a project clause names.
func (c *jqlCompiler) projectsOf(clause *clauseNode) (map[int]bool, error) {
	named := map[int]bool{}
	for _, value := range clause.values {
		if value.empty {
			continue
		}
		project, ok := c.findProject(value.text)
		if !ok || value.function {
			return nil, noSuchValue(clause, value)
		}
		named[project] = true
	}
	return named, nil
}

func (c *jqlCompiler) findProject(text string) (int, bool) {
	if c.anonymous {
		return 0, false
	}
	if project, ok := c.world.project(text); ok {
		return project, true
	}
	for project := range min(len(projectNames), c.world.projects()) {
		if strings.EqualFold(projectNames[project], text) {
			return project, true
		}
	}
	return 0, false
}

func (c *jqlCompiler) projectClause(clause *clauseNode) (predicate, error) {
	negated, err := membership(clause)
	if err != nil {
		return nil, err
	}
	named, err := c.projectsOf(clause)
	return func(_ *pen, ref issueRef) bool { return named[c.world.projectOf(ref)] != negated }, err
}

// issuesOf returns the issues that a key or id clause names. Jira refuses the whole query when one does not exist.
func (c *jqlCompiler) issuesOf(clause *clauseNode) ([]issueRef, error) {
	var named []issueRef
	for _, value := range clause.values {
		ref, ok := c.world.lookup(value.text)
		if !ok || value.function || c.anonymous {
			if _, err := strconv.ParseUint(value.text, 10, 64); err == nil {
				return nil, refusef("A value with ID '%s' does not exist for the field '%s'.", value.text, clause.written)
			}
			return nil, refusef("An issue with key '%s' does not exist for field '%s'.", value.text, clause.written)
		}
		named = append(named, ref)
	}
	return named, nil
}

func (c *jqlCompiler) issueClause(clause *clauseNode) (predicate, error) {
	named, err := c.issuesOf(clause)
	if err != nil {
		return nil, err
	}
	switch clause.operator {
	case "<", "<=", ">", ">=":
		bound := named[0]
		accepted := intervalOf(clause.operator, c.world.rowOf(bound))
		return func(_ *pen, ref issueRef) bool {
			return c.world.projectOf(ref) == c.world.projectOf(bound) && accepted.contains(c.world.rowOf(ref))
		}, nil
	}
	negated, err := membership(clause)
	set := map[issueRef]bool{}
	for _, ref := range named {
		set[ref] = true
	}
	return func(_ *pen, ref issueRef) bool { return set[ref] != negated }, err
}

// timeInterval returns the accepted range of a comparison with a time.
func (c *jqlCompiler) timeInterval(clause *clauseNode) (interval, error) {
	switch clause.operator {
	case "=", "!=", "<", "<=", ">", ">=":
		at, err := c.parseJQLDate(clause, clause.values[0])
		return intervalOf(clause.operator, at), err
	}
	return interval{}, unsupportedOperator(clause)
}

func (c *jqlCompiler) timeClause(clause *clauseNode) (predicate, error) {
	if clause.values[0].empty {
		negated, err := membership(clause)
		return func(*pen, issueRef) bool { return negated }, err
	}
	accepted, err := c.timeInterval(clause)
	excluded := clause.operator == "!="
	value := c.world.updated
	if canonicalField(clause.field) == "created" {
		value = c.world.created
	}
	return func(_ *pen, ref issueRef) bool { return accepted.contains(value(ref)) != excluded }, err
}
