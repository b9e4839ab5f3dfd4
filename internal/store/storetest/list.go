package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// sortable is a number whose text sorts as it does.
func sortable(n int) string { return fmt.Sprintf("%06d", n) }

// lister treats the listings that are paged alike, by the numbers of their records.
type lister struct {
	name   string
	id     func(n int) string
	create func(ctx context.Context, s store.Store, t domain.Tenant, n int) error
	remove func(ctx context.Context, s store.Store, t domain.Tenant, n int) error // nil where there is none
	list   func(ctx context.Context, s store.Store, t domain.Tenant, l store.List) ([]string, error)
	// descends says that the highest number comes first.
	descends bool
}

func ids[T any](list []T, err error, id func(T) string) ([]string, error) {
	var out []string
	for _, v := range list {
		out = append(out, id(v))
	}
	return out, err
}

func listers() []lister {
	return []lister{
		{
			name: "connections",
			id:   func(n int) string { return "con_" + sortable(n) },
			create: func(ctx ctxt, s store.Store, t tenant, n int) error {
				return connectionKind.create(ctx, s, t, sortable(n), "")
			},
			remove: func(ctx ctxt, s store.Store, t tenant, n int) error {
				return connectionKind.remove(ctx, s, t, sortable(n), 1)
			},
			list: func(ctx ctxt, s store.Store, t tenant, l store.List) ([]string, error) {
				list, err := s.ListConnections(ctx, t, "", l)
				return ids(list, err, func(c domain.Connection) string { return c.ID })
			},
		},
		{
			name: "tokens",
			id:   func(n int) string { return "tok_" + sortable(n) },
			create: func(ctx ctxt, s store.Store, t tenant, n int) error {
				return tokenKind.create(ctx, s, t, sortable(n), "")
			},
			remove: func(ctx ctxt, s store.Store, t tenant, n int) error {
				return tokenKind.remove(ctx, s, t, sortable(n), 1)
			},
			list: func(ctx ctxt, s store.Store, t tenant, l store.List) ([]string, error) {
				list, err := s.ListTokens(ctx, t, l)
				return ids(list, err, func(tok domain.Token) string { return tok.ID })
			},
		},
		auditLister(store.AuditFilter{}),
		jobLister(store.JobFilter{}),
		recordLister(store.RecordFind{Kind: domain.ItemRecord}),
	}
}

func auditLister(f store.AuditFilter) lister {
	return lister{
		name: "audit entries", descends: true, id: auditID,
		create: func(ctx ctxt, s store.Store, t tenant, n int) error {
			return s.AppendAudit(ctx, audit(t, auditID(n), fmt.Sprint("action.", n%2), fmt.Sprint("target.", n%3)))
		},
		list: func(ctx ctxt, s store.Store, t tenant, l store.List) ([]string, error) {
			list, err := s.ListAudit(ctx, t, f, l)
			return ids(list, err, func(e domain.AuditEntry) string { return e.ID })
		},
	}
}

// walk reads a listing in pages to its end, calling between after each page.
func walk(t TB, s store.Store, l lister, limit int, between func(page []string)) []string {
	t.Helper()
	var all []string
	bounds := store.List{Limit: limit}
	for range 200 {
		page, err := l.list(t.Context(), s, acme, bounds)
		must(t, err)
		if len(page) > limit {
			t.Fatalf("%s: %d records in a page of %d", l.name, len(page), limit)
		}
		all = append(all, page...)
		if len(page) < limit { // a page that is not full is the last one
			return all
		}
		bounds.After = page[len(page)-1]
		between(page)
	}
	t.Fatalf("%s: the listing does not end", l.name)
	return nil
}

// numbered returns the IDs of the numbers in the order of the listing.
func (l lister) numbered(numbers ...int) []string {
	slices.Sort(numbers)
	if l.descends {
		slices.Reverse(numbers)
	}
	var out []string
	for _, n := range numbers {
		out = append(out, l.id(n))
	}
	return out
}

func orderOfLists(t TB, open func() store.Store) {
	s := open()
	numbers := rand.New(rand.NewPCG(3, 4)).Perm(23)
	for _, l := range listers() {
		for _, n := range numbers {
			must(t, l.create(t.Context(), s, acme, n))
			must(t, l.create(t.Context(), s, other, n+100))
		}
		want := l.numbered(slices.Clone(numbers)...)
		for _, limit := range []int{1, 7, 22, 23, 24, 1000} {
			same(t, fmt.Sprintf("%s in pages of %d", l.name, limit), walk(t, s, l, limit, func([]string) {}), want)
		}
		page, err := l.list(t.Context(), s, acme, store.List{After: want[len(want)-1], Limit: 5})
		must(t, err)
		same(t, l.name+" after the last one", len(page), 0)
		page, err = l.list(t.Context(), s, empty, store.List{Limit: 5})
		must(t, err)
		same(t, l.name+" of a tenant without any", len(page), 0)
	}
}

// pagingUnderChange pages by fours through 0, 10, … 190 while records come before and after where it stands, and the one
// it stands at goes, on every other page so that the number of those before changes.
func pagingUnderChange(t TB, open func() store.Store) {
	s := open()
	for _, l := range listers() {
		var want []int
		for n := 0; n < 200; n += 10 {
			must(t, l.create(t.Context(), s, acme, n))
			want = append(want, n)
		}
		pages := 0
		got := walk(t, s, l, 4, func(page []string) {
			pages++
			if pages > 5 {
				return
			}
			var last int
			_, err := fmt.Sscanf(page[len(page)-1][len("xxx_"):], "%d", &last)
			must(t, err)
			for _, n := range []int{last - 5, last + 5} {
				must(t, l.create(t.Context(), s, acme, n))
				if ahead := n > last; ahead != l.descends {
					want = append(want, n)
				}
			}
			if l.remove != nil && pages%2 == 1 {
				must(t, l.remove(t.Context(), s, acme, last))
			}
		})
		same(t, l.name+" seen while records came and went", got, l.numbered(want...))
	}
}

func connectionsOfConnector(t TB, open func() store.Store) {
	s := open()
	want := map[string][]string{}
	for n := range 24 {
		c := connection(acme, sortable(n), "", 0)
		c.ConnectorID = []string{"jira", "confluence", "jir"}[n%3]
		must(t, s.CreateConnection(t.Context(), c))
		want[c.ConnectorID] = append(want[c.ConnectorID], c.ID)
		want[""] = append(want[""], c.ID)
		c.Tenant = other
		must(t, s.CreateConnection(t.Context(), c))
	}
	want["jira "], want["JIRA"] = nil, nil
	for connectorID, wantIDs := range want {
		l := lister{name: "connections of " + connectorID, list: func(ctx ctxt, s store.Store, t tenant, l store.List) ([]string, error) {
			list, err := s.ListConnections(ctx, t, connectorID, l)
			return ids(list, err, func(c domain.Connection) string { return c.ID })
		}}
		same(t, l.name, walk(t, s, l, 3, func([]string) {}), wantIDs)
	}
}

func auditOrder(t TB, open func() store.Store) {
	s := open()
	for _, n := range []int{5, 3, 9, 1} {
		e := audit(acme, auditID(n), "a", "t")
		e.CreatedAt = changedAt.AddDate(0, 0, n)
		must(t, s.AppendAudit(t.Context(), e))
	}
	l := auditLister(store.AuditFilter{})
	same(t, "audit entries", walk(t, s, l, 3, func([]string) {}), l.numbered(9, 5, 3, 1))
}

func auditFilters(t TB, open func() store.Store) {
	s := open()
	all := auditLister(store.AuditFilter{})
	for n := range 24 {
		must(t, all.create(t.Context(), s, acme, n))
		must(t, all.create(t.Context(), s, other, n))
	}
	for _, c := range []struct {
		filter store.AuditFilter
		want   []int
	}{
		{store.AuditFilter{Action: "action.1"}, []int{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23}},
		{store.AuditFilter{TargetID: "target.2"}, []int{2, 5, 8, 11, 14, 17, 20, 23}},
		{store.AuditFilter{Action: "action.1", TargetID: "target.2"}, []int{5, 11, 17, 23}},
		{store.AuditFilter{Action: "action"}, nil},
		{store.AuditFilter{Action: "action.%"}, nil},
		{store.AuditFilter{TargetID: "TARGET.2"}, nil},
	} {
		l := auditLister(c.filter)
		same(t, fmt.Sprintf("audit entries by %+v", c.filter), walk(t, s, l, 3, func([]string) {}), l.numbered(c.want...))
	}
}

func keyIDs(t TB, open func() store.Store) {
	s := open()
	wantKeys := func(want ...string) {
		t.Helper()
		got, err := s.TokenKeyIDs(t.Context())
		must(t, err)
		slices.Sort(got)
		same(t, "key ids", got, want)
	}
	got, err := s.TokenKeyIDs(t.Context())
	must(t, err)
	same(t, "key ids without tokens", len(got), 0)
	for i, key := range []string{"k2", "k1", "k1", "k3", "k2"} {
		tok := token([]domain.Tenant{acme, other}[i%2], sortable(i), "", 0)
		tok.KeyID = key
		must(t, s.CreateToken(t.Context(), tok))
	}
	wantKeys("k1", "k2", "k3")
	must(t, s.DeleteToken(t.Context(), other, "tok_"+sortable(3)))
	wantKeys("k1", "k2")
	tok := token(acme, sortable(0), "", 1)
	tok.KeyID = "k9"
	_, err = s.UpdateToken(t.Context(), tok)
	must(t, err)
	wantKeys("k1", "k2", "k9")
}

func otherTenants(t TB, open func() store.Store) {
	s := open()
	seed(t, s, acme)
	seed(t, s, other)
	before := kept(t, s, acme, other)
	for _, c := range calls() {
		if c.global || c.creates {
			continue
		}
		n, err := c.run(t.Context(), s, empty)
		switch {
		case c.foreign != "":
			wantCode(t, c.name+" on another tenant's record", err, c.foreign)
		case err != nil || n != 0:
			t.Errorf("%s on another tenant's records: %d, error %v; want none", c.name, n, err)
		}
	}
	same(t, "records after another tenant's calls", kept(t, s, acme, other), before)
	for _, c := range calls() {
		if c.all {
			continue
		}
		if _, err := c.run(t.Context(), s, acme); err != nil {
			t.Errorf("%s on an own record: %v (%s)", c.name, err, connectors.CodeOf(err))
		}
	}
	same(t, "records after a tenant's own calls", kept(t, s, other)[other], before[other])
}
