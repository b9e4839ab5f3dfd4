package sandbox

import "strings"

// likely is what is known of a thing before it is looked at.
type likely int8

const (
	surelyNot likely = iota - 1
	perhaps
	surely
)

// prospects says of every kind and space whether a query may accept something of it, from its clauses about type and
// space alone, so that a search does not look at what it cannot find.
type prospects map[string][]bool

func (c *cqlCompiler) prospectsOf(where jqlNode) prospects {
	table := prospects{}
	for _, kind := range []string{kindPage, kindBlog, "comment"} {
		for _, s := range c.wiki.spaces {
			table[kind] = append(table[kind], judge(where, kind, s.Key) != surelyNot)
		}
	}
	return table
}

// may reports whether anything of the kind may be found.
func (p prospects) may(kind string) bool {
	for _, yes := range p[kind] {
		if yes {
			return true
		}
	}
	return false
}

// judge decides a query as far as a kind and a space do.
func judge(node jqlNode, kind, space string) likely {
	switch n := node.(type) {
	case notNode:
		return -judge(n.part, kind, space)
	case andNode:
		verdict := surely
		for _, part := range n.parts {
			verdict = min(verdict, judge(part, kind, space))
		}
		return verdict
	case orNode:
		verdict := surelyNot
		for _, part := range n.parts {
			verdict = max(verdict, judge(part, kind, space))
		}
		return verdict
	default:
		return judgeClause(node.(*clauseNode), map[string]string{"type": kind, "space": space, "space.key": space})
	}
}

func judgeClause(clause *clauseNode, known map[string]string) likely {
	is, ok := known[clause.field]
	negated, err := membership(clause)
	if !ok || err != nil {
		return perhaps
	}
	verdict := surelyNot
	for _, v := range clause.values {
		if strings.EqualFold(v.text, is) {
			verdict = surely
		}
	}
	if negated {
		return -verdict
	}
	return verdict
}
