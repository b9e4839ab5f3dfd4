package storetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// pagesOfChanges holds how a reading of a feed is bounded.
func pagesOfChanges(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	f := take(t, s, "w", long)
	var rs []domain.Record
	for i := range 24 {
		r := item(sortable(24-i), "a") // their numbers are no order of ids
		r.Kind = []domain.Kind{domain.ItemRecord, domain.CommentRecord}[i%2]
		r.ContainerID = []string{"PAY", "pay", "$PAY"}[i%3]
		rs = append(rs, r)
	}
	putRecords(t, s, f, rs...)
	all := feedSince(t, s, 0)
	if same(t, "the order of numbers", idsOf(all), idsOf(rs)); len(all) != len(rs) {
		return
	}
	number := func(i int) int64 { return all[i].Change }
	for _, c := range []struct {
		q    store.RecordQuery
		want []domain.Record
	}{
		{store.RecordQuery{UpTo: math.MaxInt64, Limit: 100}, all},
		{store.RecordQuery{UpTo: math.MaxInt64, Limit: 5}, all[:5]},
		{store.RecordQuery{After: number(3), UpTo: number(9), Limit: 100}, all[4:10]},
		{store.RecordQuery{After: number(3), UpTo: number(9), Limit: 6}, all[4:10]},
		{store.RecordQuery{After: number(3), UpTo: number(9), Limit: 2}, all[4:6]},
		{store.RecordQuery{After: number(3), UpTo: number(4) - 1, Limit: 2}, nil},
		{store.RecordQuery{After: number(9), UpTo: number(3), Limit: 2}, nil},
		{store.RecordQuery{After: number(23), UpTo: math.MaxInt64, Limit: 2}, nil},
		{store.RecordQuery{UpTo: number(23), Kind: domain.CommentRecord, Limit: 4}, every(all, 2, 1)[:4]},
		{store.RecordQuery{UpTo: number(23), ContainerID: "pay", Limit: 100}, every(all, 3, 1)},
		{store.RecordQuery{After: number(1), UpTo: number(23), ContainerID: "PAY", Kind: domain.ItemRecord, Limit: 100}, every(all, 6, 0)[1:]},
		{store.RecordQuery{UpTo: number(23), Kind: domain.ContainerRecord, Limit: 100}, nil},
		{store.RecordQuery{UpTo: number(23), ContainerID: "P%", Limit: 100}, nil},
	} {
		got, err := s.ListRecords(ctx, acme, feedID, c.q)
		must(t, err)
		same(t, fmt.Sprintf("records by %+v", c.q), idsOf(got), idsOf(c.want))
	}
	_, err := s.ListRecords(ctx, acme, feedID, store.RecordQuery{UpTo: number(23)})
	wantCode(t, "a reading of none", err, connectors.Internal)
}

// every returns each n-th record, from one on.
func every(rs []domain.Record, n, from int) []domain.Record {
	var out []domain.Record
	for i := from; i < len(rs); i += n {
		out = append(out, rs[i])
	}
	return out
}

// feedsApart holds that a feed is that of one connection of one tenant, however their names look.
func feedsApart(t TB, open func() store.Store) {
	s, ctx := open(), t.Context()
	type of struct {
		tenant     domain.Tenant
		connection string
	}
	feeds := []of{{acme, "a"}, {acme, "a/item"}, {acme, "A"}, {acme, "$a"}, {acme, "a.b"}, {acme, odd}, {other, "a"}, {"acme/a", "item"}}
	idsIn := []string{"x", "item/x", "item", "/x", "%", "$x", "x ", "X", odd}
	held := map[of]domain.Feed{}
	for n, feed := range feeds {
		f, err := s.TakeFeed(ctx, feed.tenant, feed.connection, "w", long)
		must(t, err)
		held[feed] = f
		for _, id := range idsIn {
			same(t, "a record of another feed", putRecords(t, s, f, item(id, fmt.Sprint(n))), []domain.Outcome{domain.Created})
		}
	}
	for n, feed := range feeds {
		list, err := s.ListRecords(ctx, feed.tenant, feed.connection, store.RecordQuery{UpTo: math.MaxInt64, Limit: 100})
		must(t, err)
		same(t, "records of a feed", idsOf(list), idsOf(recordsNamed(idsIn...)))
		for _, r := range list {
			same(t, "value of a record", string(r.Value), string(item("", fmt.Sprint(n)).Value))
		}
		f, err := s.Feed(ctx, feed.tenant, feed.connection)
		must(t, err)
		same(t, "tenant and connection of a feed", of{f.Tenant, f.ConnectionID}, feed)
	}
	// A lease is one of its own feed, whatever fence and epoch it shows.
	for _, feed := range feeds[1:] {
		stolen := held[feeds[0]]
		stolen.Tenant, stolen.ConnectionID = feed.tenant, feed.connection
		_, err := s.PutRecords(ctx, stolen, []domain.Record{item("x", "stolen")})
		wantCode(t, "a put under another feed's lease", err, connectors.Conflict)
		_, err = s.MarkRecords(ctx, stolen, domain.ItemRecord, []string{"x"}, 9)
		wantCode(t, "a mark under another feed's lease", err, connectors.Conflict)
	}
	putRecords(t, s, held[feeds[0]], gone("x"))
	for n, feed := range feeds {
		found, err := s.FindRecords(ctx, feed.tenant, feed.connection, store.RecordFind{Kind: domain.ItemRecord}, store.List{Limit: 100})
		must(t, err)
		same(t, "whether x is stored", slices.ContainsFunc(found, func(r domain.Record) bool { return r.ID == "x" }), n > 0)
	}
}

func recordsNamed(ids ...string) []domain.Record {
	var out []domain.Record
	for _, id := range ids {
		out = append(out, domain.Record{ID: id})
	}
	return out
}
