package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// TestTablesShareKeys reads tables whose rows have the same keys: each row is a record of its own, and what becomes of one is
// nothing to the others.
func TestTablesShareKeys(t *testing.T) {
	dsn := os.Getenv("UCF_TEST_POSTGRES_URL")
	if dsn == "" {
		t.Skip("UCF_TEST_POSTGRES_URL names no server")
	}
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	schema := fmt.Sprintf("ucf_keys_%d", os.Getpid())
	exec := func(sql string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), strings.ReplaceAll(sql, "S.", schema+".")); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE SCHEMA " + schema)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, err := db.Exec(ctx, "DROP SCHEMA "+schema+" CASCADE")
		_ = db.Close(ctx)
		if err != nil {
			t.Error(err)
		}
	})
	for table, n := range map[string]int{"a": 50, "b": 80, `"a/b"`: 30} {
		exec(fmt.Sprintf("CREATE TABLE S.%s (id text PRIMARY KEY, v text)", table))
		exec(fmt.Sprintf("INSERT INTO S.%s SELECT i::text, 'v' FROM generate_series(1, %d) AS i", table, n))
	}
	a := build(t, t.TempDir(), true)
	in := service.PutConnectionIn{}
	in.Body.ConnectorID, in.Body.Name, in.Body.Config = "postgres", "keys", map[string]any{"dsn": dsn}
	c, err := a.Service.PutConnection(t.Context(), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	s := &synced{box: &box{app: a}, name: "postgres", connection: c.ID}
	params := domain.JobParams{Containers: []string{schema + ".a", schema + ".b", schema + `."a/b"`}, Streams: []string{"items"}, Census: "always", MaxDeletions: 100}
	if n := s.succeeds(t, domain.SyncJob, params).Counts.Items; n.Created != 160 {
		t.Fatalf("the first sync: %+v, want 160 created", n)
	}
	if n := s.succeeds(t, domain.SyncJob, params).Counts.Items; n.Updated+n.Created+n.Deleted > 0 {
		t.Errorf("a sync without a change: %+v", n)
	}
	exec("DELETE FROM S.a WHERE id = '7'")
	exec("UPDATE S.b SET v = 'w' WHERE id = '8'")
	if n := s.succeeds(t, domain.SyncJob, params).Counts.Items; n.Updated != 1 || n.Created > 0 || n.Deleted != 1 {
		t.Errorf("a sync after an update and a deletion: %+v", n)
	}
	alive, deleted := s.stored(t)
	if len(alive) != 159 || len(deleted) != 1 {
		t.Errorf("%d rows are stored and %v deleted, want 159 and one", len(alive), deleted)
	}
	linesHaveKeys(t, a, params)
}

// linesHaveKeys checks that no two lines of an export are of one key.
func linesHaveKeys(t *testing.T, a *app.App, params domain.JobParams) {
	t.Helper()
	params.Census, params.MaxDeletions = "", 0
	for _, format := range []string{"ndjson", "singer"} {
		var out bytes.Buffer
		_, err := a.Export(t.Context(), "acme", app.Export{Use: service.Use{ConnectorID: "postgres"}, Params: params, Format: format, Out: &out})
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for line := range strings.Lines(out.String()) {
			var l struct {
				ID     string
				Record struct{ ID string }
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			if id := l.ID + l.Record.ID; id != "" {
				ids[id] = true
			}
		}
		if len(ids) != 159 {
			t.Errorf("%s: %d keys of 159 rows", format, len(ids))
		}
	}
}
