package mongostore

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// follower reads a feed by numbers, and never goes back.
type follower struct {
	at   int64
	seen map[string]string // hashes of living records by ID
}

func (r *follower) read(ctx context.Context, s *Store) error {
	f, err := s.Feed(ctx, acme, "con_1")
	if err != nil {
		return err
	}
	rs, err := s.ListRecords(ctx, acme, "con_1", store.RecordQuery{After: r.at, UpTo: f.Published, Limit: 100})
	for _, rec := range rs {
		r.at = rec.Change
		if delete(r.seen, rec.ID); !rec.Deleted {
			r.seen[rec.ID] = rec.Hash
		}
	}
	return err
}

// TestLateRecords has the records of a holder arrive, or be acknowledged, when another one has taken the feed, written and
// published: a reader that passed by then ends with what is stored all the same.
func TestLateRecords(t *testing.T) {
	p, s, witness := pair(t, tuned())
	gone := record("1", "")
	gone.Deleted = true
	for _, c := range []struct {
		name             string
		loss             loss
		meanwhile, after []domain.Record // what the next holder writes before the late write, and then
		want             map[string]string
	}{
		{"arrives, and is then written so", requestLost, []domain.Record{record("2", "b")}, []domain.Record{record("1", "late")}, map[string]string{"1": "late", "2": "b"}},
		{"arrives, and is then written otherwise", requestLost, []domain.Record{record("2", "b")}, []domain.Record{record("1", "b")}, map[string]string{"1": "b", "2": "b"}},
		{"arrives, and is then buried", requestLost, []domain.Record{record("2", "b")}, []domain.Record{gone}, map[string]string{"2": "b"}},
		{"arrives where it was written otherwise", requestLost, []domain.Record{record("1", "b")}, nil, map[string]string{"1": "b"}},
		{"arrives where it was written so", requestLost, []domain.Record{record("1", "late")}, nil, map[string]string{"1": "late"}},
		{"arrives where it stayed", requestLost, []domain.Record{record("1", "first")}, nil, map[string]string{"1": "first"}},
		{"is acknowledged, and then written so", answerLost, []domain.Record{record("2", "b")}, []domain.Record{record("1", "late")}, map[string]string{"1": "late", "2": "b"}},
		{"is acknowledged where it was written otherwise", answerLost, []domain.Record{record("1", "b")}, nil, map[string]string{"1": "b"}},
	} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/known %t", c.name, known), func(t *testing.T) {
				clearAll(t, witness)
				f, err := witness.TakeFeed(t.Context(), acme, "con_1", "me", time.Minute)
				must(t, err)
				if known {
					_, err = witness.PutRecords(t.Context(), f, []domain.Record{record("1", "first")})
					must(t, err)
				}
				reader := &follower{seen: map[string]string{}}
				must(t, reader.read(t.Context(), witness))
				type takeover struct {
					feed domain.Feed
					err  error
				}
				takeovers := make(chan takeover, 1)
				p.next(fault{"update", c.loss, func() {
					next, err := witness.TakeFeed(t.Context(), acme, "con_1", "me", time.Minute)
					if err == nil {
						_, err = witness.PutRecords(t.Context(), next, c.meanwhile)
					}
					if err == nil {
						err = reader.read(t.Context(), witness)
					}
					takeovers <- takeover{next, err}
				}})
				_, late := s.PutRecords(t.Context(), f, []domain.Record{record("1", "late")})
				p.wantMet(t, 1)
				next := <-takeovers
				must(t, next.err)
				wantCode(t, "a put that was overtaken", late, connectors.Conflict)
				_, err = witness.PutRecords(t.Context(), next.feed, c.after)
				must(t, err)
				must(t, reader.read(t.Context(), witness))
				all := &follower{seen: map[string]string{}}
				must(t, all.read(t.Context(), witness))
				if !maps.Equal(all.seen, c.want) || !maps.Equal(reader.seen, c.want) {
					t.Errorf("stored are %v, a reader ends with %v, want %v", all.seen, reader.seen, c.want)
				}
			})
		}
	}
}
