package app_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
	"github.com/unified-connector/ucf/internal/store/storetest"
)

// embedded opens the embedded store of a home, calls use, and closes it.
func embedded(t *testing.T, cfg *config.Config, use func(s *sqlitestore.Store)) {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), cfg.Database(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	use(s)
}

// TestCopy moves a store to MongoDB and back, with a copy that is cut off and a store that changes before it goes on.
func TestCopy(t *testing.T) {
	address := os.Getenv("UCF_TEST_MONGODB_URL")
	if address == "" {
		t.Skip("UCF_TEST_MONGODB_URL names no server")
	}
	env := []string{"MONGODB_URL=" + address, fmt.Sprintf("MONGODB_DB=ucf_copy_%d", os.Getpid()), "ENCRYPTION_KEY=" + chaosKey}
	t.Cleanup(func() { dropDatabase(t, env) })
	home := t.TempDir()
	cfg := build(t, home, true, env...).Config
	embedded(t, cfg, func(s *sqlitestore.Store) { storetest.Fill(t, s) })

	ctx, cancel := context.WithCancel(t.Context())
	_, err := build(t, home, true, env...).CopyToMongo(ctx, func(c app.Copied, _ int) {
		if c.Collection == "jobs" {
			cancel()
		}
	})
	if connectors.CodeOf(err) != connectors.Unavailable {
		t.Fatalf("a copy that is cut off: %v", err)
	}
	if _, err := build(t, home, true, env...).Service.Store(t.Context()); connectors.CodeOf(err) != connectors.Unavailable {
		t.Errorf("a database that is not whole: %v", err)
	}
	var want map[string][]store.Row
	embedded(t, cfg, func(s *sqlitestore.Store) {
		meddle(t, s)
		want = storetest.Rows(t, s)
	})
	out, err := build(t, home, true, env...).CopyToMongo(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, out, want)
	if written := out.Collections[0].Written; written != 2 {
		t.Errorf("%d connections were written anew, want the one that changed and the one that came", written)
	}
	checkRested(t, build(t, home, true, env...))
	want["records"] = append(want["records"], nil) // which that has put there
	if _, err := build(t, home, true, env...).CopyToMongo(t.Context(), nil); connectors.CodeOf(err) != connectors.NotFound {
		t.Errorf("a store that was moved is copied again: %v", err)
	}
	out, err = build(t, home, true, env...).CopyToSQLite(t.Context(), false, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, out, want)
	if _, err := build(t, home, true, env...).Service.Store(t.Context()); connectors.CodeOf(err) != connectors.Unavailable {
		t.Errorf("a database that was moved: %v", err)
	}
	checkRested(t, build(t, home, true))
	if err := build(t, home, true, env...).UndoCopy(t.Context()); err != nil {
		t.Error(err)
	}
	checkRested(t, build(t, home, true, env...))
}

// meddle changes what a copy that was cut off had copied: a connection has another name, which another had, one is gone and
// one came.
func meddle(t *testing.T, s *sqlitestore.Store) {
	t.Helper()
	list, err := s.ListConnections(t.Context(), "acme", "", store.List{Limit: 10})
	if err != nil || len(list) < 2 {
		t.Fatalf("%d connections, %v", len(list), err)
	}
	first, second := list[0], list[1]
	if err := s.DeleteConnection(t.Context(), "acme", first.ID, first.Revision); err != nil {
		t.Fatal(err)
	}
	name := second.Name
	second.Name = first.Name
	if _, err := s.UpdateConnection(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	first.ID, first.Name = "con_new", name
	if err := s.CreateConnection(t.Context(), first); err != nil {
		t.Fatal(err)
	}
}

func checkCounts(t *testing.T, out app.Moved, want map[string][]store.Row) {
	t.Helper()
	if len(out.Collections) != len(want) {
		t.Errorf("%d collections were copied, want %d", len(out.Collections), len(want))
	}
	for _, c := range out.Collections {
		if n := len(want[c.Collection]); c.Found != n || c.Stored != n {
			t.Errorf("of %s %d were found and %d are stored, want %d", c.Collection, c.Found, c.Stored, n)
		}
	}
}

// checkRested checks that a store that was copied is at rest: its jobs can be claimed, its records written and read.
func checkRested(t *testing.T, a *app.App) {
	t.Helper()
	st, err := a.Service.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j, err := st.Job(t.Context(), "acme", "job_1")
	if err != nil || j.Status != domain.JobQueued || j.Owner != "" || j.Progress == 0 {
		t.Errorf("the job that ran: %+v, %v", j, err)
	}
	tok, err := st.Token(t.Context(), "acme", "tok_1")
	if err != nil || tok.Grant == nil || tok.Grant.Claim != nil || tok.Grant.Key == "" {
		t.Errorf("the grant that was claimed: %+v, %v", tok.Grant, err)
	}
	feed, err := st.TakeFeed(t.Context(), "acme", "con_feed", "w2", time.Minute)
	if err != nil {
		t.Fatalf("the records cannot be written: %v", err)
	}
	published := feed.Published
	if _, err := st.PutRecords(t.Context(), feed, []domain.Record{{Kind: domain.ItemRecord, ID: time.Now().String(), ContainerID: "PAY", Hash: "h"}}); err != nil {
		t.Error(err)
	}
	if feed, err = st.Feed(t.Context(), "acme", "con_feed"); err != nil || feed.Published != published+1 {
		t.Errorf("the feed is published to %d, want %d; %v", feed.Published, published+1, err)
	}
	if err := st.ReleaseFeed(t.Context(), feed); err != nil {
		t.Error(err)
	}
}
