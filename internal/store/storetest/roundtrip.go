package storetest

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// odd is a text that is easily spoilt: CJK, emoji with joiners, right-to-left, combining and invisible signs, line
// ends, quotes, patterns, and what looks like SQL, JSON or HTML.
const odd = "漢字 🧑‍🚀 שלום \u202eعربي e\u0301é \u200b\ufeff\u2028\uFFFD\U0010FFFF \t\r\n\x01\x7f '\"`;-- \\u0041 %_* $set {\"a\":1} <b>&amp; "

// oddTimes are times that are easily spoilt.
var oddTimes = []time.Time{
	{},
	time.Date(2026, 12, 31, 23, 59, 59, 999999999, time.UTC),
	time.Date(2026, 3, 29, 2, 30, 0, 1, time.FixedZone("", 5*3600+45*60)),
	time.Date(1969, 12, 31, 23, 59, 59, 1, time.UTC),
	time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
	time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	time.Unix(0, 0),
}

// oddMaps are configurations with what comes back of each.
var oddMaps = []struct{ given, want map[string]any }{
	{nil, nil},
	{map[string]any{}, map[string]any{}},
	{
		map[string]any{
			odd: odd, "int": 5432, "big": int64(math.MaxInt64), "huge": uint64(math.MaxUint64), "float": 0.1,
			"digits": json.Number("12345678901234567890.10"), "yes": true, "none": nil, "list": []string{"a", odd}, "numbers": []int{1, 2},
			"nested":  map[string]any{"deep": map[string]any{"port": 1, "empty": []any{}, "void": map[string]any{}}},
			"$dollar": "a", "a.dotted.key": "b", "": "empty key",
		},
		map[string]any{
			odd: odd, "int": json.Number("5432"), "big": json.Number("9223372036854775807"), "huge": json.Number("18446744073709551615"),
			"float": json.Number("0.1"), "digits": json.Number("12345678901234567890.10"), "yes": true, "none": nil,
			"list": []any{"a", odd}, "numbers": []any{json.Number("1"), json.Number("2")},
			"nested":  map[string]any{"deep": map[string]any{"port": json.Number("1"), "empty": []any{}, "void": map[string]any{}}},
			"$dollar": "a", "a.dotted.key": "b", "": "empty key",
		},
	},
}

// wantUTC checks that times come back in UTC.
func wantUTC(t TB, times ...time.Time) {
	t.Helper()
	for _, tm := range times {
		if tm.Location() != time.UTC {
			t.Errorf("time %v is not in UTC", tm)
		}
	}
}

// utc is what a time comes back as. A zero one stays zero.
func utc(t time.Time) time.Time { return t.UTC() }

func oddConnections() (given, want []domain.Connection) {
	bare := domain.Connection{Meta: domain.Meta{Tenant: acme}, ID: "con_bare", ConnectorID: "jira", Name: "bare"}
	given = append(given, bare)
	bare.Revision = 1
	want = append(want, bare)
	for i, at := range oddTimes {
		maps := oddMaps[i%len(oddMaps)]
		c := domain.Connection{
			Meta: domain.Meta{Tenant: acme, CreatedAt: at, UpdatedAt: oddTimes[len(oddTimes)-1-i]},
			ID:   "con_" + sortable(i), ConnectorID: "c" + odd, Name: odd + sortable(i), Status: domain.Reauthorize, Reason: odd, AuthMethod: "a" + odd,
			Account: connectors.Account{ID: odd, Name: "n" + odd}, Config: maps.given, TokenID: "tok_" + odd, LastUsedAt: at,
			OperatorHost: i%2 == 0, Scopes: [][]string{nil, {}, {"b", "a", odd, ""}}[i%3], Site: []*connectors.Site{nil, {}, {ID: odd, URL: odd, Name: odd}}[i%3],
		}
		given = append(given, c)
		c.Revision, c.Config = 1, maps.want
		c.CreatedAt, c.UpdatedAt, c.LastUsedAt = utc(c.CreatedAt), utc(c.UpdatedAt), utc(c.LastUsedAt)
		want = append(want, c)
	}
	return given, want
}

func roundTripConnections(t TB, open func() store.Store) {
	s := open()
	given, want := oddConnections()
	for i := range given {
		must(t, s.CreateConnection(t.Context(), given[i]))
		got, err := s.Connection(t.Context(), acme, given[i].ID)
		must(t, err)
		wantUTC(t, got.CreatedAt, got.UpdatedAt, got.LastUsedAt)
		same(t, "connection by id", got, want[i])
		got, err = s.ConnectionNamed(t.Context(), acme, given[i].ConnectorID, given[i].Name)
		must(t, err)
		same(t, "connection by name", got, want[i])
	}
	updateConnections(t, s, given, want)
}

// updateConnections writes over each connection everything that another one is.
func updateConnections(t TB, s store.Store, given, want []domain.Connection) {
	t.Helper()
	bare, full := given[0], given[len(given)-1]
	full.ID, full.Name, full.Revision, full.CreatedAt = bare.ID, "another name", 1, bare.CreatedAt
	revision, err := s.UpdateConnection(t.Context(), full)
	must(t, err)
	same(t, "revision", revision, int64(2))
	got, err := s.Connection(t.Context(), acme, bare.ID)
	must(t, err)
	expect := want[len(want)-1]
	expect.ID, expect.Name, expect.Revision, expect.CreatedAt = bare.ID, "another name", 2, bare.CreatedAt
	same(t, "updated connection", got, expect)
	listed, err := s.ListConnections(t.Context(), acme, "", store.List{Limit: 1, After: "con_bara"})
	must(t, err)
	same(t, "listed connection", listed, []domain.Connection{expect})
}

func roundTripTokens(t TB, open func() store.Store) {
	s := open()
	for i, at := range oddTimes {
		given := domain.Token{
			Meta: domain.Meta{Tenant: acme, CreatedAt: at, UpdatedAt: at}, ID: "tok_" + sortable(i),
			Kind: odd, KeyID: "k" + odd, Sealed: odd + strings.Repeat("=", i), ExpiresAt: at,
		}
		must(t, s.CreateToken(t.Context(), given))
		want := given
		want.Revision, want.CreatedAt, want.UpdatedAt, want.ExpiresAt = 1, utc(at), utc(at), utc(at)
		got, err := s.Token(t.Context(), acme, given.ID)
		must(t, err)
		wantUTC(t, got.CreatedAt, got.UpdatedAt, got.ExpiresAt)
		same(t, "token", got, want)

		want.Kind, want.KeyID, want.Sealed = "kind", "", "sealed again"
		want.UpdatedAt, want.ExpiresAt = changedAt, utc(oddTimes[len(oddTimes)-1-i])
		_, err = s.UpdateToken(t.Context(), want)
		must(t, err)
		want.Revision = 2
		listed, err := s.ListTokens(t.Context(), acme, store.List{Limit: 1, After: "tok_" + sortable(i-1)})
		must(t, err)
		same(t, "updated token", listed, []domain.Token{want})
	}
}

func roundTripSyncStates(t TB, open func() store.Store) {
	s := open()
	for i, at := range oddTimes {
		given := domain.SyncState{
			Meta: domain.Meta{Tenant: acme, CreatedAt: at, UpdatedAt: at}, ConnectionID: odd, Stream: "s" + odd,
			ContainerID: odd + sortable(i), Cursor: "c" + odd, Generation: math.MaxInt64 - int64(i),
		}
		revision, err := s.PutSyncState(t.Context(), given)
		must(t, err)
		want := given
		want.Revision, want.CreatedAt, want.UpdatedAt = 1, utc(at), utc(at)
		same(t, "revision", revision, want.Revision)
		got, err := s.SyncState(t.Context(), acme, given.ConnectionID, given.Stream, given.ContainerID)
		must(t, err)
		wantUTC(t, got.CreatedAt, got.UpdatedAt)
		same(t, "sync state", got, want)

		want.Cursor, want.Generation, want.UpdatedAt = "", int64(i), changedAt
		_, err = s.PutSyncState(t.Context(), want)
		must(t, err)
		want.Revision = 2
		got, err = s.SyncState(t.Context(), acme, given.ConnectionID, given.Stream, given.ContainerID)
		must(t, err)
		same(t, "updated sync state", got, want)
	}
}

func roundTripSettings(t TB, open func() store.Store) {
	s := open()
	for i, at := range oddTimes {
		given := domain.ConnectorSetting{
			Meta: domain.Meta{Tenant: acme, CreatedAt: at, UpdatedAt: at}, ConnectorID: odd + sortable(i), ExtraDetails: i%2 == 0,
		}
		_, err := s.PutConnectorSetting(t.Context(), given)
		must(t, err)
		want := given
		want.Revision, want.CreatedAt, want.UpdatedAt = 1, utc(at), utc(at)
		got, err := s.ConnectorSetting(t.Context(), acme, given.ConnectorID)
		must(t, err)
		wantUTC(t, got.CreatedAt, got.UpdatedAt)
		same(t, "setting", got, want)

		want.ExtraDetails, want.UpdatedAt = !want.ExtraDetails, changedAt
		_, err = s.PutConnectorSetting(t.Context(), want)
		must(t, err)
		want.Revision = 2
		got, err = s.ConnectorSetting(t.Context(), acme, given.ConnectorID)
		must(t, err)
		same(t, "updated setting", got, want)
	}
}

func roundTripAudit(t TB, open func() store.Store) {
	s := open()
	for i, at := range oddTimes {
		maps := oddMaps[i%len(oddMaps)]
		given := domain.AuditEntry{
			ID: auditID(i), Tenant: acme, Actor: odd, Action: "a" + odd, TargetType: "t" + odd, TargetID: "i" + odd, Outcome: "o" + odd,
			Meta: maps.given, RequestID: "r" + odd, CreatedAt: at,
		}
		must(t, s.AppendAudit(t.Context(), given))
		want := given
		want.Meta, want.CreatedAt = maps.want, utc(at)
		got, err := s.ListAudit(t.Context(), acme, store.AuditFilter{}, store.List{Limit: 1})
		must(t, err)
		same(t, "audit entry", got, []domain.AuditEntry{want})
	}
}

func bigCursors(t TB, open func() store.Store) {
	s := open()
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < 1<<20 {
		b.WriteRune(rune(1 + random.IntN(0xD7FF)))
	}
	big := b.String()
	for revision, cursor := range []string{big, odd, big[:len(big)/2] + odd, ""} {
		cursor = strings.ToValidUTF8(cursor, "?")
		_, err := s.PutSyncState(t.Context(), syncState(acme, "", cursor, int64(revision)))
		must(t, err)
		got, err := s.SyncState(t.Context(), acme, connectionID, "items", "")
		must(t, err)
		if got.Cursor != cursor {
			t.Errorf("a cursor of %d bytes came back changed, with %d bytes", len(cursor), len(got.Cursor))
		}
	}
}
