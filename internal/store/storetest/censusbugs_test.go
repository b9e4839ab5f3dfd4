package storetest_test

import (
	"slices"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

func censusBugs() []bug {
	const finds, stamps = "finding records", "stamps of records"
	return []bug{
		{"finds any container's", finds, onFind(func(q *store.RecordFind, _ *store.List) { q.ContainerID = "" })},
		{"finds any item's", finds, onFind(func(q *store.RecordFind, _ *store.List) { q.ItemID = "" })},
		{"finds what was seen just then", finds, onFind(func(q *store.RecordFind, _ *store.List) {
			if q.SeenBelow > 0 {
				q.SeenBelow++
			}
		})},
		{"finds items whatever is asked", finds, onFind(func(q *store.RecordFind, _ *store.List) { q.Kind = domain.ItemRecord })},
		{"a finding of none is empty", finds, onFind(func(_ *store.RecordFind, l *store.List) { l.Limit = max(l.Limit, 1) })},
		{"records page by the first one", "order of lists", onFind(func(_ *store.RecordFind, l *store.List) { l.After = "" })},
		{"finds without the hash", finds, breakingWork(func(under store.Store, b *brokenWork) {
			b.find = func(ctx ctxt, t tenant, connection string, q store.RecordFind, l store.List) ([]domain.Record, error) {
				list, err := under.FindRecords(ctx, t, connection, q, l)
				for i := range list {
					list[i].Hash = ""
				}
				return list, err
			}
		})},
		{"counts a page", finds, breakingWork(func(under store.Store, b *brokenWork) {
			b.countFound = func(ctx ctxt, t tenant, connection string, q store.RecordFind) (int, error) {
				n, err := under.CountRecords(ctx, t, connection, q)
				return min(n, 5), err
			}
		})},
		{"puts stamp nothing", stamps, onPut(func(r *domain.Record) { r.Seen = 0 })},
		{"marks of any kind", stamps, onMark(func(kind *domain.Kind, _ *[]string, _ *int64) {
			*kind = domain.CommentRecord
		})},
		{"marks the first thousand", stamps, onMark(func(_ *domain.Kind, ids *[]string, _ *int64) { *ids = (*ids)[:min(len(*ids), 1000)] })},
		{"marks lower a stamp", stamps, onMark(func(_ *domain.Kind, _ *[]string, seen *int64) {
			if *seen == 7 {
				*seen = 6
			}
		})},
		{"nothing is missing", stamps, breakingWork(func(under store.Store, b *brokenWork) {
			b.mark = func(ctx ctxt, f domain.Feed, kind domain.Kind, ids []string, seen int64) ([]string, error) {
				_, err := under.MarkRecords(ctx, f, kind, ids, seen)
				return nil, err
			}
		})},
		{"the dead are not missing", stamps, breakingWork(func(under store.Store, b *brokenWork) {
			b.mark = func(ctx ctxt, f domain.Feed, kind domain.Kind, ids []string, seen int64) ([]string, error) {
				missing, err := under.MarkRecords(ctx, f, kind, ids, seen)
				return slices.DeleteFunc(missing, func(id string) bool { return id == "5" }), err
			}
		})},
		{"a stamp is a change", stamps, breakingWork(func(under store.Store, b *brokenWork) {
			b.mark = func(ctx ctxt, f domain.Feed, kind domain.Kind, ids []string, seen int64) ([]string, error) {
				if slices.Contains(ids, "1") {
					again := domain.Record{Kind: kind, ID: "1", ContainerID: "PAY", Hash: "marked"}
					if _, err := under.PutRecords(ctx, f, []domain.Record{again}); err != nil {
						return nil, err
					}
				}
				return under.MarkRecords(ctx, f, kind, ids, seen)
			}
		})},
	}
}
