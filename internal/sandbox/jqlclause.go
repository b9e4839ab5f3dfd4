package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
)

// textClause looks for every word in the summary: "text" searches nothing else here.
func (c *jqlCompiler) textClause(clause *clauseNode) (predicate, error) {
	if clause.operator != "~" && clause.operator != "!~" {
		return nil, unsupportedOperator(clause)
	}
	words := strings.Fields(strings.ToLower(strings.Map(withoutWildcards, clause.values[0].text)))
	excluded := clause.operator == "!~"
	return func(p *pen, ref issueRef) bool {
		var summary string
		if err := json.Unmarshal(p.fieldText(ref, "summary"), &summary); err != nil {
			return false
		}
		summary = strings.ToLower(summary)
		missing := slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(summary, word) })
		return missing == excluded
	}, nil
}

func withoutWildcards(r rune) rune {
	if strings.ContainsRune("*?\"", r) {
		return ' '
	}
	return r
}

func (c *jqlCompiler) choiceClause(clause *clauseNode, choices []choice) (predicate, error) {
	negated, err := membership(clause)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, value := range clause.values {
		i := slices.IndexFunc(choices, func(of choice) bool {
			return of.id == value.text || strings.EqualFold(of.name, value.text)
		})
		switch {
		case i >= 0:
			named[choices[i].id] = true
		case !value.empty:
			return nil, noSuchValue(clause, value)
		}
	}
	field := canonicalField(clause.field)
	return func(p *pen, ref issueRef) bool { return named[p.choiceOf(ref, field, choices).id] != negated }, nil
}

func (c *jqlCompiler) userClause(clause *clauseNode) (predicate, error) {
	negated, err := membership(clause)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{} // account ids; the empty one is nobody
	for _, value := range clause.values {
		i := slices.IndexFunc(c.world.accounts, func(a account) bool {
			return a.id == value.text || strings.EqualFold(a.name, value.text)
		})
		switch {
		case value.empty:
			named[""] = true
		case value.function && strings.EqualFold(value.text, "currentUser"):
			named[c.world.accounts[c.world.caller].id] = true
		case i < 0 || value.function:
			return nil, noSuchValue(clause, value)
		default:
			named[c.world.accounts[i].id] = true
		}
	}
	return func(p *pen, ref issueRef) bool { return named[p.userOf(ref, clause.field).id] != negated }, nil
}

func (c *jqlCompiler) labelClause(clause *clauseNode) (predicate, error) {
	negated, err := membership(clause)
	return func(p *pen, ref issueRef) bool {
		var has []string
		if err := json.Unmarshal(p.fieldText(ref, "labels"), &has); err != nil {
			return false
		}
		return negated != slices.ContainsFunc(clause.values, func(value jqlValue) bool {
			return (value.empty && len(has) == 0) || (!value.empty && slices.Contains(has, value.text))
		})
	}, err
}

// resolutionClause knows only that nothing in the sandbox is resolved.
func (c *jqlCompiler) resolutionClause(clause *clauseNode) (predicate, error) {
	negated, err := membership(clause)
	if err != nil {
		return nil, err
	}
	unresolved := false
	for _, value := range clause.values {
		switch {
		case value.empty, strings.EqualFold(value.text, "Unresolved"):
			unresolved = true
		default:
			return nil, noSuchValue(clause, value)
		}
	}
	return func(*pen, issueRef) bool { return unresolved != negated }, nil
}

// choiceOf returns what the issue's field of few values holds.
func (p *pen) choiceOf(ref issueRef, field string, choices []choice) choice {
	p.startField(ref, p.fields.byID[field])
	return pickOf(p, choices)
}

// userOf returns who the issue's field names, the zero account for nobody.
func (p *pen) userOf(ref issueRef, field string) account {
	p.startField(ref, p.fields.byID[field])
	if field == "assignee" && p.unassigned() {
		return account{}
	}
	return p.anybody()
}
