package postgres

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/unified-connector/ucf/connectors"
)

// position is the row after which a page begins, by the columns that the listing is ordered by. Order names them with
// their types, so that a key that changed between two pages is noticed.
type position struct {
	Order []string `json:"o"`
	After [][]byte `json:"a"` // in the server's own text form, which need not be UTF-8
	// Set is a digest of all rows, of a table without a key: a position in its order means nothing in another one.
	Set string `json:"s,omitempty"`
}

func (p position) cursor() (connectors.Cursor, error) {
	b, err := json.Marshal(p)
	return connectors.Cursor(b), err
}

// parsePosition reads a cursor of the given order, which has n values; an empty one is nil.
func parsePosition(c connectors.Cursor, order []string, n int) (*position, error) {
	if c == "" {
		return nil, nil
	}
	var p position
	if err := json.Unmarshal([]byte(c), &p); err != nil {
		return nil, connectors.Wrap(connectors.InvalidRequest, err, "the cursor is damaged; start without one")
	}
	if !slices.Equal(p.Order, order) {
		return nil, connectors.Errorf(connectors.InvalidRequest,
			"the table or the key that its rows are ordered by changed since the cursor was made; start without one")
	}
	if len(p.After) != n || slices.ContainsFunc(p.After, func(b []byte) bool { return b == nil }) {
		return nil, connectors.Errorf(connectors.InvalidRequest, "the cursor is damaged; start without one")
	}
	return &p, nil
}

// orderOf describes the columns that a listing is ordered by.
func orderOf(columns []column) []string {
	order := make([]string, len(columns))
	for i, c := range columns {
		order[i] = fmt.Sprintf("%d:%s", c.oid, c.name)
	}
	return order
}
