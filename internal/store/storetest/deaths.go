package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// deathsInTheMiddle has holders die at any moment of a put: what is stored of it then a reader learns from the next holder,
// who writes the same again, or buries it, or writes something else.
func deathsInTheMiddle(t TB, open func() store.Store) {
	a, b := open(), open()
	reader := newFollower(open())
	random := rand.New(rand.NewPCG(7, 8))
	for round := range 90 {
		var rs, graves []domain.Record
		for i := range 5 {
			r := item(sortable(i), fmt.Sprint(round))
			rs, graves = append(rs, r), append(graves, gone(r.ID))
		}
		old := take(t, a, "the job", long)
		life, die := context.WithTimeout(t.Context(), time.Duration(random.IntN(12_000))*time.Microsecond)
		_, err := a.PutRecords(life, old, rs)
		if die(); err != nil {
			wantCode(t, "a put whose time was over", err, connectors.Timeout, connectors.Unavailable)
		}
		next := [][]domain.Record{rs, graves, {item("another", fmt.Sprint(round))}}[round%3]
		putRecords(t, b, take(t, b, "the job", long), next...)
		must(t, reader.read(t.Context()))
		is := stored(t, b)
		same(t, "what a reader has", reader.seen, is)
		for _, r := range next {
			same(t, "what the next holder wrote", is[r.ID], string(r.Value))
		}
	}
}
