package sandbox

import (
	"maps"
	"slices"
	"sync"
)

// maxChanges is how many records can be made, edited and deleted in all. It bounds the memory.
const maxChanges = 10_000

// change is what has happened to one record since it was generated. It is never altered.
type change struct {
	row     int64
	values  map[string]datum // the fields that were written, and what the system wrote beside them
	made    bool             // by a client: nothing was generated
	deleted bool
}

// snapshot is the changes at one moment. It is never altered, so that who pages through results sees the same until
// the end.
type snapshot struct {
	tables map[*table]map[int64]*change
	count  int
}

func (s *snapshot) change(t *table, row int64) *change { return s.tables[t][row] }

// rows returns the changed rows of a table in ascending order.
func (s *snapshot) rows(t *table) []int64 { return slices.Sorted(maps.Keys(s.tables[t])) }

// overlay holds the changes.
type overlay struct {
	mu      sync.Mutex
	current *snapshot
	next    map[*table]int64 // the row of the next record that is made, where one was
}

func newOverlay() *overlay {
	return &overlay{current: &snapshot{tables: map[*table]map[int64]*change{}}, next: map[*table]int64{}}
}

func (o *overlay) snapshot() *snapshot {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.current
}

// errStorage says that no more changes are kept.
const errStorage = refusal("storage limit exceeded")

// write puts what decide returns in place of a row's change. Nothing else is written in between.
func (o *overlay) write(t *table, row int64, decide func(s *snapshot, now *change) (*change, error)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.put(t, row, decide)
}

// add writes a record that did not exist and returns its row.
func (o *overlay) add(t *table, c *change) (int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	row := max(o.next[t], t.rows)
	c.row, c.made = row, true
	err := o.put(t, row, func(*snapshot, *change) (*change, error) { return c, nil })
	if err == nil {
		o.next[t] = row + 1
	}
	return row, err
}

func (o *overlay) put(t *table, row int64, decide func(s *snapshot, now *change) (*change, error)) error {
	old := o.current.change(t, row)
	if old == nil && o.current.count >= maxChanges {
		return errStorage
	}
	next, err := decide(o.current, old)
	if err != nil {
		return err
	}
	fresh := &snapshot{tables: maps.Clone(o.current.tables), count: o.current.count}
	rows := maps.Clone(fresh.tables[t])
	if rows == nil {
		rows = map[int64]*change{}
	}
	if old == nil {
		fresh.count++
	}
	rows[row] = next
	fresh.tables[t] = rows
	o.current = fresh
	return nil
}
