package sandbox

// jqlNode is a part of a query: a clause, or NOT, AND, OR over others.
type jqlNode interface{ isJQL() }

type (
	andNode struct{ parts []jqlNode }
	orNode  struct{ parts []jqlNode }
	notNode struct{ part jqlNode }
	// clauseNode compares a field, as in updated >= -7d.
	clauseNode struct {
		field    string // in lower case
		written  string // as the user wrote it
		operator string // = != < > <= >= ~ !~ in, not in, is, is not
		values   []jqlValue
		pos      int
	}
)

func (andNode) isJQL()     {}
func (orNode) isJQL()      {}
func (notNode) isJQL()     {}
func (*clauseNode) isJQL() {}

// jqlValue is an operand.
type jqlValue struct {
	text     string
	quoted   bool
	function bool   // text is the name of a function
	argument string // of the function, in CQL
	empty    bool   // EMPTY or NULL
}

// jqlSort is one field of ORDER BY.
type jqlSort struct {
	field      string // in lower case
	written    string
	descending bool
}

// jqlQuery is a whole query. Where is nil when nothing restricts it.
type jqlQuery struct {
	where jqlNode
	order []jqlSort
}
