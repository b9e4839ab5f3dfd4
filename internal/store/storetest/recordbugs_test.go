package storetest_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// onPut returns a fault that changes records before they are put.
func onPut(change func(*domain.Record)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
			rs = slices.Clone(rs)
			for i := range rs {
				change(&rs[i])
			}
			return under.PutRecords(ctx, f, rs)
		}
	})
}

// onRecord returns a fault that changes records as they are listed.
func onRecord(change func(*domain.Record)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.list = func(ctx ctxt, t tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
			list, err := under.ListRecords(ctx, t, connection, q)
			for i := range list {
				change(&list[i])
			}
			return list, err
		}
	})
}

func onQuery(change func(*store.RecordQuery)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.list = func(ctx ctxt, t tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
			change(&q)
			return under.ListRecords(ctx, t, connection, q)
		}
	})
}

func onOutcome(change func(domain.Record, domain.Outcome) domain.Outcome) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
			out, err := under.PutRecords(ctx, f, rs)
			for i := range out {
				out[i] = change(rs[i], out[i])
			}
			return out, err
		}
	})
}

func onFind(change func(*store.RecordFind, *store.List)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.find = func(ctx ctxt, t tenant, connection string, q store.RecordFind, l store.List) ([]domain.Record, error) {
			change(&q, &l)
			return under.FindRecords(ctx, t, connection, q, l)
		}
		b.countFound = func(ctx ctxt, t tenant, connection string, q store.RecordFind) (int, error) {
			change(&q, &store.List{})
			return under.CountRecords(ctx, t, connection, q)
		}
	})
}

func onMark(change func(kind *domain.Kind, ids *[]string, seen *int64)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.mark = func(ctx ctxt, f domain.Feed, kind domain.Kind, ids []string, seen int64) ([]string, error) {
			change(&kind, &ids, &seen)
			return under.MarkRecords(ctx, f, kind, ids, seen)
		}
	})
}

// decoded is JSON as it comes out of a decoder and an encoder.
func decoded(raw json.RawMessage) json.RawMessage {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return raw
	}
	out, _ := json.Marshal(v)
	return out
}

func recordBugs() []bug {
	return slices.Concat(recordValueBugs(), putBugs(), tombstoneBugs(), readBugs(), censusBugs())
}

func recordValueBugs() []bug {
	const trip = "round trip of records"
	return []bug{
		{"raw is decoded", trip, onRecord(func(r *domain.Record) { r.Raw = decoded(r.Raw) })},
		{"values are compacted", trip, onRecord(func(r *domain.Record) {
			var b bytes.Buffer
			if json.Compact(&b, r.Value) == nil {
				r.Value = b.Bytes()
			}
		})},
		{"raw is cut", trip, onRecord(func(r *domain.Record) { r.Raw = r.Raw[:min(len(r.Raw), 1<<18)] })},
		{"raw is valid UTF-8", trip, onRecord(func(r *domain.Record) { r.Raw = bytes.ToValidUTF8(r.Raw, []byte("?")) })},
		{"no value is null", trip, onRecord(func(r *domain.Record) {
			if r.Value == nil {
				r.Value = json.RawMessage("null")
			}
		})},
		{"null is no value", trip, onRecord(func(r *domain.Record) {
			if string(r.Value) == "null" {
				r.Value = nil
			}
		})},
		{"raw unasked for", trip, onQuery(func(q *store.RecordQuery) { q.Raw = true })},
		{"raw never", trip, onQuery(func(q *store.RecordQuery) { q.Raw = false })},
		{"synced in milliseconds", trip, onRecord(func(r *domain.Record) { r.SyncedAt = r.SyncedAt.Truncate(time.Millisecond) })},
		{"synced in local time", trip, onRecord(func(r *domain.Record) { r.SyncedAt = r.SyncedAt.In(time.FixedZone("", 3600)) })},
		{"keeps the given number", trip, onRecord(func(r *domain.Record) { r.Change = 1 << 50 })},
		{"a change keeps its container", trip, onPut(func(r *domain.Record) {
			if r.ContainerID == "" {
				r.ContainerID = "kept"
			}
		})},
	}
}

// touches puts what is unchanged again, so that it takes a number.
func touches() func(store.Store) store.Store {
	var mu sync.Mutex
	n := 0
	return onPut(func(r *domain.Record) {
		mu.Lock()
		defer mu.Unlock()
		n++
		if !r.Deleted {
			r.Hash += strings.Repeat(" ", n)
		}
	})
}

func putBugs() []bug {
	const puts = "puts and numbers"
	return []bug{
		{"what is unchanged takes a number", puts, touches()},
		{"the hash is not looked at", puts, onPut(func(r *domain.Record) { r.Hash = "" })},
		{"the value decides, not the hash", puts, onPut(func(r *domain.Record) { r.Hash = string(r.Value) })},
		{"created and updated are one", puts, onOutcome(func(_ domain.Record, o domain.Outcome) domain.Outcome {
			if o == domain.Created {
				return domain.Updated
			}
			return o
		})},
		{"one id for all kinds", puts, onPut(func(r *domain.Record) { r.Kind = domain.ItemRecord })},
		{"outcomes in another order", puts, breakingWork(func(under store.Store, b *brokenWork) {
			b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
				out, err := under.PutRecords(ctx, f, rs)
				slices.Sort(out)
				return out, err
			}
		})},
		{"outcomes of changes alone", puts, breakingWork(func(under store.Store, b *brokenWork) {
			b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
				out, err := under.PutRecords(ctx, f, rs)
				return slices.DeleteFunc(out, func(o domain.Outcome) bool { return o == domain.Unchanged }), err
			}
		})},
		{"the same numbers for every hundred", puts, onRecord(func(r *domain.Record) {
			if r.Change > 400 {
				r.Change -= 300
			}
		})},
		{"puts the first hundred", puts, breakingWork(func(under store.Store, b *brokenWork) {
			b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
				return under.PutRecords(ctx, f, rs[:min(len(rs), 100)])
			}
		})},
	}
}

func tombstoneBugs() []bug {
	const graves = "tombstones"
	return []bug{
		{"a tombstone without container is for none", graves, onPut(func(r *domain.Record) {
			if r.Deleted && r.ContainerID == "" {
				r.ContainerID = "none"
			}
		})},
		{"tombstones of any kind", graves, onPut(func(r *domain.Record) {
			if r.Deleted {
				r.Kind = domain.CommentRecord
			}
		})},
		{"tombstones keep the value", graves, onRecord(func(r *domain.Record) {
			if r.Deleted {
				r.Value = json.RawMessage(`{"x":1}`)
			}
		})},
		{"tombstones lose the item", graves, onRecord(func(r *domain.Record) {
			if r.Deleted {
				r.ItemID = ""
			}
		})},
		{"tombstones keep the hash", graves, onRecord(func(r *domain.Record) {
			if r.Deleted {
				r.Hash = "x"
			}
		})},
		{"tombstones lose the reason", graves, onPut(func(r *domain.Record) { r.Reason = "" })},
		{"tombstones lose the time", graves, onPut(func(r *domain.Record) { r.SyncedAt = time.Time{} })},
		{"the second death counts", graves, onOutcome(func(r domain.Record, o domain.Outcome) domain.Outcome {
			if r.Deleted {
				return domain.Tombstone
			}
			return o
		})},
		{"the dead stay dead", graves, breakingWork(func(under store.Store, b *brokenWork) {
			b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
				if len(rs) == 1 && rs[0].Hash == "" && !rs[0].Deleted {
					return []domain.Outcome{domain.Unchanged}, nil
				}
				return under.PutRecords(ctx, f, rs)
			}
		})},
		{"tombstones are not listed", graves, breakingWork(func(under store.Store, b *brokenWork) {
			b.list = func(ctx ctxt, t tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
				list, err := under.ListRecords(ctx, t, connection, q)
				return slices.DeleteFunc(list, func(r domain.Record) bool { return r.Deleted }), err
			}
		})},
		{"tombstones are of no container", graves, breakingWork(func(under store.Store, b *brokenWork) {
			b.list = func(ctx ctxt, t tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
				list, err := under.ListRecords(ctx, t, connection, q)
				return slices.DeleteFunc(list, func(r domain.Record) bool { return r.Deleted && q.ContainerID != "" }), err
			}
		})},
	}
}

func readBugs() []bug {
	const pages, apart = "pages of changes", "feeds are apart"
	return []bug{
		{"reads beyond what was asked", pages, onQuery(func(q *store.RecordQuery) { q.UpTo = 1 << 60 })},
		{"leaves out the last number", pages, onQuery(func(q *store.RecordQuery) { q.UpTo-- })},
		{"begins with the number that was seen", pages, onQuery(func(q *store.RecordQuery) { q.After-- })},
		{"ignores the kind of a record", pages, onQuery(func(q *store.RecordQuery) { q.Kind = "" })},
		{"ignores the container of a record", pages, onQuery(func(q *store.RecordQuery) { q.ContainerID = "" })},
		{"containers in small letters", pages, onQuery(func(q *store.RecordQuery) { q.ContainerID = strings.ToLower(q.ContainerID) })},
		{"a reading of none is empty", pages, onQuery(func(q *store.RecordQuery) { q.Limit = max(q.Limit, 1) })},
		{"filters a page", pages, breakingWork(func(under store.Store, b *brokenWork) {
			b.list = func(ctx ctxt, t tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
				kind := q.Kind
				q.Kind = ""
				list, err := under.ListRecords(ctx, t, connection, q)
				return slices.DeleteFunc(list, func(r domain.Record) bool { return kind != "" && r.Kind != kind }), err
			}
		})},
		{"records by id", pages, breakingWork(func(under store.Store, b *brokenWork) {
			b.list = func(ctx ctxt, t tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
				list, err := under.ListRecords(ctx, t, connection, q)
				slices.SortFunc(list, func(a, b domain.Record) int { return strings.Compare(a.ID, b.ID) })
				return list, err
			}
		})},
		{"one feed for all tenants", apart, breakingWork(func(under store.Store, b *brokenWork) {
			b.list = func(ctx ctxt, _ tenant, connection string, q store.RecordQuery) ([]domain.Record, error) {
				return under.ListRecords(ctx, "acme", connection, q)
			}
		})},
		{"any lease will do", apart, putsAnyway},
		{"connections in small letters, too", apart, breakingWork(func(under store.Store, b *brokenWork) {
			b.takeFeed = func(ctx ctxt, t tenant, connection, owner string, term time.Duration) (domain.Feed, error) {
				return under.TakeFeed(ctx, t, strings.ToLower(connection), owner, term)
			}
		})},
	}
}

// putsAnyway puts under the lease that there is, whatever the caller has.
var putsAnyway = breakingWork(func(under store.Store, b *brokenWork) {
	b.put = func(ctx ctxt, f domain.Feed, rs []domain.Record) ([]domain.Outcome, error) {
		if is, err := under.Feed(ctx, f.Tenant, f.ConnectionID); err == nil {
			f = is
		}
		return under.PutRecords(ctx, f, rs)
	}
})
