package sandbox

// domainRecord and the numbers after it are the streams of chance of the objects' records.
const domainRecord uint64 = 1 << 10

// A run of ranks shares one SystemModstamp, as a data load leaves it: longer than the largest batch where there are
// enough records, a fifth of them where there are not. The last two of every seven ranks are twins as well.
const (
	longestLoad = 2_506
	loadShare   = 5
	loadPlace   = 10 // it begins behind a tenth of the ranks
)

// Deleted records are among those changed last, one in binCycle: the recycle bin keeps them for 15 days.
const (
	binDays  = 14
	binCycle = 29
	binPlace = 11
)

const day = 24 * 60 * 60 * 1000

// table is the generated records of one kind, computed from the seed: nothing is stored. Rows are in the order of ids
// and of creation. Ranks are in the order of SystemModstamp and then id: the rows turned by shift, a third
// of all at least, so that the cut falls inside no run that shares one time.
type table struct {
	object   *sobject // whose ids the rows have
	prefix   string   // of the ids
	rows     int64
	shift    int64
	load     span  // the ranks of the long run
	bin      int64 // the first rank that may be deleted; rows when none is
	born     int64 // milliseconds since 1970 at which the first row was created
	stamped  int64 // and at which the first rank was changed
	lifetime int64 // milliseconds from the first to the last of each
	span     int64
}

// newTable returns n records, the last of which changed at until, in milliseconds since 1970.
func newTable(object *sobject, prefix string, n, until int64) *table {
	t := &table{object: object, prefix: prefix, rows: n, bin: n}
	sevens := func(n int64) int64 { return n / twinCycle * twinCycle }
	from := sevens(n / loadPlace)
	t.load = span{from, from + sevens(min(longestLoad, n/loadShare))}
	t.shift = max(sevens(n/3), t.load.until)
	t.span = updatedSpan.Milliseconds()
	t.stamped = until - t.span
	t.lifetime = createdSpan.Milliseconds()
	t.born = t.stamped - t.lifetime
	if object.flags&deletable != 0 {
		t.bin = firstAtLeast(n, until-binDays*day, t.stampAt)
	}
	return t
}

func (t *table) rank(row int64) int64   { return (row + t.shift) % t.rows }
func (t *table) rowAt(rank int64) int64 { return (rank - t.shift + t.rows) % t.rows }

// runStart returns the first rank that shares the time of this one.
func (t *table) runStart(rank int64) int64 {
	if rank >= t.load.from && rank < t.load.until {
		return t.load.from
	}
	start := rank - rank%twinCycle
	if rank-start >= twinFrom {
		return start + twinFrom
	}
	return rank
}

// stampAt returns the SystemModstamp of a rank in milliseconds since 1970, always whole seconds. It never falls as the
// rank grows, and where ids fall it rises.
func (t *table) stampAt(rank int64) int64 {
	ms := t.stamped/1000 + t.runStart(rank)*(t.span/1000)/t.rows
	if rank >= t.shift {
		ms++
	}
	return ms * 1000
}

func (t *table) stamp(row int64) int64 { return t.stampAt(t.rank(row)) }

// created never falls as the row grows.
func (t *table) created(row int64) int64 {
	return (t.born/1000 + row*(t.lifetime/1000)/t.rows) * 1000
}

func (t *table) inBin(row int64) bool {
	rank := t.rank(row)
	return rank >= t.bin && rank%binCycle == binPlace
}

// binned counts the deleted records among the ranks [from, until).
func (t *table) binned(from, until int64) int64 {
	below := func(rank int64) int64 { return (max(rank, 0) + binCycle - 1 - binPlace) / binCycle }
	from = max(from, t.bin)
	if from >= until {
		return 0
	}
	return below(until) - below(from)
}

// binnedRows counts the deleted records among the rows [from, until).
func (t *table) binnedRows(from, until int64) int64 {
	if from >= until {
		return 0
	}
	a, b := from+t.shift, until+t.shift
	if b <= t.rows {
		return t.binned(a, b)
	}
	if a >= t.rows {
		return t.binned(a-t.rows, b-t.rows)
	}
	return t.binned(a, t.rows) + t.binned(0, b-t.rows)
}

func (t *table) id(row int64) string { return recordID(t.prefix, row+1) }

// row returns the row of an id, which may be beyond the generated ones.
func (t *table) row(id string) (int64, bool) {
	n, ok := numberOf(t.prefix, id)
	return n - 1, ok && n > 0
}
