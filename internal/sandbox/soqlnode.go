package sandbox

// soqlNode is a part of a WHERE: a comparison, or NOT, AND, OR over others.
type soqlNode interface{ isSOQL() }

type (
	soqlAnd  struct{ parts []soqlNode }
	soqlOr   struct{ parts []soqlNode }
	soqlNot  struct{ part soqlNode }
	soqlTest struct {
		path     soqlPath
		operator string // = != < <= > >= like, in, not in
		at       int    // of the operator
		values   []soqlValue

		// What the compiler found out.
		column *column
		span   span // of moments, days or the rows of ids, for tests that have one
		ranged bool
		ids    []string // for tests of equality with ids
	}
)

func (*soqlAnd) isSOQL()  {}
func (*soqlOr) isSOQL()   {}
func (*soqlNot) isSOQL()  {}
func (*soqlTest) isSOQL() {}

// span is a half-open range of numbers.
type span struct{ from, until int64 }

// soqlPath is a field as it is written, as Owner.Name.
type soqlPath struct {
	parts []string
	at    int
}

// soqlValueKind is how a value is written.
type soqlValueKind byte

const (
	soqlNull soqlValueKind = iota
	soqlText
	soqlNumber
	soqlBool
	soqlMoment
	soqlDate
	soqlRange // of dates, as LAST_N_DAYS:3
)

// soqlValue is an operand.
type soqlValue struct {
	kind   soqlValueKind
	text   string // unescaped
	like   string // with escapes of LIKE left in place
	number float64
	yes    bool
	span   span // the moment or day and the one after it, or the range, in milliseconds
	at     int
}

// soqlSort is one field of ORDER BY.
type soqlSort struct {
	path       soqlPath
	descending bool
	nullsLast  bool
	nullsGiven bool
}

// soqlQuery is a whole query.
type soqlQuery struct {
	text    string
	fields  []soqlPath
	groups  []soqlGroup // FIELDS(ALL) and the like
	count   bool        // COUNT()
	counted *soqlPath   // the field of COUNT(field)
	alias   string      // of COUNT(field)
	from    string
	fromAt  int
	where   soqlNode
	order   []soqlSort
	limit   int // negative without one
	offset  int
}

// soqlGroup is FIELDS(…) at its place among the fields.
type soqlGroup struct {
	name  string // all, standard or custom
	place int    // how many fields stand before it
	at    int
}
