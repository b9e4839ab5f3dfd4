package storetest

import (
	"slices"
	"strings"
	"time"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// Movable is a store that can be one end of a copy.
type Movable interface {
	store.Store
	store.Target
}

// Fill puts something of each collection into a store, with names that no separator keeps apart by chance.
func Fill(t TB, s store.Store) {
	t.Helper()
	ctx := t.Context()
	for _, tenant := range []domain.Tenant{acme, "acme-2"} {
		for _, key := range []string{"1", odd} {
			c, tok := connection(tenant, key, "value", 0), token(tenant, key, "sealed", 0)
			c.LastUsedAt, c.Scopes = changedAt, []string{"a", "b"}
			tok.Grant.Claim = &domain.Claim{Owner: "w", Beat: 3}
			must(t, s.CreateConnection(ctx, c))
			must(t, s.CreateToken(ctx, tok))
			must(t, s.CreateOAuthState(ctx, oauthState(tenant, string(tenant)+key, time.Now().Add(time.Hour))))
			must(t, s.AppendAudit(ctx, audit(tenant, "aud_"+key, "a", "t")))
			must(t, discard(s.PutSyncState(ctx, syncState(tenant, key, "cursor", 0))))
			must(t, discard(s.PutConnectorSetting(ctx, setting(tenant, key, "on", 0))))
			must(t, s.CreateJob(ctx, job(tenant, key)))
		}
		plain := token(tenant, "plain", "sealed", 0)
		plain.Grant, plain.ExpiresAt, plain.DueAt = nil, time.Time{}, time.Time{}
		must(t, s.CreateToken(ctx, plain))
	}
	must(t, discard(s.UpdateConnection(ctx, connection(acme, "1", "changed", 1))))
	must(t, discard(s.PutBudget(ctx, budget("budget of "+odd, 0))))
	must(t, s.TakeOAuthState(ctx, oauthState(acme, string(acme)+"1", changedAt).ID, 1))
	fillJobs(t, s)
	fillRecords(t, s)
}

func discard[T any](_ T, err error) error { return err }

// fillJobs has one job running, one ended and the others queued.
func fillJobs(t TB, s store.Store) {
	t.Helper()
	j := claim(t, s, store.Claim{Owner: "w", Term: time.Hour, Tenant: acme, ID: "job_1"})
	state := oddState(1)
	must(t, discard(s.BeatJob(t.Context(), store.Hold{Tenant: acme, ID: j.ID, Fence: j.Fence}, time.Hour, &state)))
	j = claim(t, s, store.Claim{Owner: "w", Term: time.Hour, Tenant: acme, ID: "job_" + odd})
	j.Status, j.FinishedAt, j.Error = domain.JobFailed, changedAt, &domain.JobError{Code: "timeout", Message: odd}
	must(t, s.EndJob(t.Context(), store.Hold{Tenant: acme, ID: j.ID, Fence: j.Fence}, j))
}

func fillRecords(t TB, s store.Store) {
	t.Helper()
	f := take(t, s, "w", time.Hour)
	stamped := item(odd, "stamped")
	stamped.Seen = 7
	talk := item("c1", "talk")
	talk.Kind, talk.ItemID = domain.CommentRecord, "1"
	putRecords(t, s, f, item("1", "a"), item("2", "b"), stamped, talk)
	putRecords(t, s, f, gone("2"), item("1", "c"))
	other, err := s.TakeFeed(t.Context(), "acme-2", feedID, "w", time.Hour)
	must(t, err)
	putRecords(t, s, other, item("1", "other"))
	must(t, s.ReleaseFeed(t.Context(), other))
}

// Rows returns all rows of a store by collection, in the order of their keys, as [store.Copy] meets them.
func Rows(t TB, s store.Origin) map[string][]store.Row {
	t.Helper()
	all := map[string][]store.Row{}
	for _, c := range store.Collections {
		var rows []store.Row
		for place := ""; ; {
			page, next, err := s.Dump(t.Context(), c, place, 2)
			must(t, err)
			if len(page) > 2 {
				t.Fatalf("a page of 2 %s has %d", c.Name, len(page))
			}
			if rows = append(rows, page...); next == "" {
				break
			}
			place = next
		}
		slices.SortFunc(rows, func(a, b store.Row) int { return strings.Compare(keyText(c, a), keyText(c, b)) })
		n, err := s.Total(t.Context(), c)
		must(t, err)
		same(t, "the total of "+c.Name, n, len(rows))
		all[c.Name] = rows
	}
	return all
}

func keyText(c store.Collection, r store.Row) string {
	var b strings.Builder
	for _, v := range c.KeyOf(r) {
		b.WriteString(v.(string) + "\x00") //nolint:forcetypeassert // keys are texts
	}
	return b.String()
}

// Moves checks that rows are dumped whole, found by their keys, and loaded as they were.
func Moves(t TB, s Movable) {
	t.Helper()
	Fill(t, s)
	all := Rows(t, s)
	before := seen(t, s)
	for _, c := range slices.Backward(store.Collections) {
		rows := all[c.Name]
		if len(rows) == 0 {
			t.Fatalf("there are no %s to move", c.Name)
		}
		found, err := s.Fetch(t.Context(), c, append([]store.Row{absent(c)}, rows[:1]...))
		must(t, err)
		same(t, "the first of the "+c.Name, found, rows[:1])
		must(t, s.Remove(t.Context(), c, append([]store.Row{absent(c)}, rows...)))
		n, err := s.Total(t.Context(), c)
		must(t, err)
		same(t, c.Name+" that stay", n, 0)
	}
	for _, c := range store.Collections {
		must(t, s.Load(t.Context(), c, all[c.Name]))
	}
	same(t, "the rows", Rows(t, s), all)
	same(t, "what the store tells", seen(t, s), before)
}

// absent is a key of no row.
func absent(c store.Collection) store.Row {
	r := store.Row{}
	for _, k := range c.Key {
		r[k] = "none"
	}
	return r
}

// seen returns what a user of the store sees of what [Fill] put there.
func seen(t TB, s store.Store) []any {
	t.Helper()
	var all []any
	l := store.List{Limit: 100}
	for _, tenant := range []domain.Tenant{acme, "acme-2"} {
		connections, err := s.ListConnections(t.Context(), tenant, "", l)
		must(t, err)
		tokens, err := s.ListTokens(t.Context(), tenant, l)
		must(t, err)
		jobs, err := s.ListJobs(t.Context(), tenant, store.JobFilter{}, l)
		must(t, err)
		states, err := s.ListSyncStates(t.Context(), tenant, connectionID)
		must(t, err)
		entries, err := s.ListAudit(t.Context(), tenant, store.AuditFilter{}, l)
		must(t, err)
		feed, err := s.Feed(t.Context(), tenant, feedID)
		must(t, err)
		records, err := s.ListRecords(t.Context(), tenant, feedID, store.RecordQuery{UpTo: feed.Published, Raw: true, Limit: 100})
		must(t, err)
		stamped, err := s.FindRecords(t.Context(), tenant, feedID, store.RecordFind{Kind: domain.ItemRecord, SeenBelow: 8}, l)
		must(t, err)
		all = append(all, connections, tokens, jobs, states, entries, feed, records, stamped)
	}
	budgets, err := s.ListBudgets(t.Context(), l)
	must(t, err)
	return append(all, budgets)
}
