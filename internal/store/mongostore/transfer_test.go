package mongostore

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/storetest"
)

func TestMoves(t *testing.T) {
	s := on(t, t.TempDir()).(*Store) //nolint:forcetypeassert // what on opens
	defer s.Close()
	storetest.Moves(t, s)
}

// Every field of a document is moved, but for those that are named here.
func TestEveryFieldMoves(t *testing.T) {
	s := on(t, t.TempDir()).(*Store) //nolint:forcetypeassert // what on opens
	defer s.Close()
	storetest.Fill(t, s)
	stay := []string{"_id", "writes", "attempt", "cancelAttempt", "leaseUntil", "takenBy", "removeAt", "buriedAt", "reserved", "unsettled"}
	for _, c := range store.Collections {
		docs, err := many[bson.M](t.Context(), s, c.Name, bson.D{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			for name := range d {
				known := slices.ContainsFunc(c.Fields, func(f store.Field) bool { return f.Name == name })
				if !known && !slices.Contains(stay, name) && (c.Name != records || name != "fence") {
					t.Errorf("%s of %s is left behind", name, c.Name)
				}
			}
		}
	}
}

// A database that is being copied, or was, is refused to whoever opens it, and to whoever has it open.
func TestMarks(t *testing.T) {
	dir := t.TempDir()
	fast := tuned()
	fast.recheck, fast.patience = 100*time.Millisecond, time.Second
	user, err := open(t.Context(), server(t), databaseOf(dir), nil, fast)
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	t.Cleanup(func() { drop(t, databaseOf(dir)) })
	copier, err := openFor(t.Context(), server(t), databaseOf(dir), nil, fast, true)
	if err != nil {
		t.Fatal(err)
	}
	defer copier.Close()
	used := func() error {
		return user.TouchConnection(t.Context(), "acme", "con_none", time.Now())
	}
	for _, step := range []struct {
		name string
		do   func() error
		code connectors.Code // of the step
		used connectors.Code // of a use afterwards
	}{
		{"receive", func() error { return copier.Receive(t.Context()) }, "", connectors.Unavailable},
		{"receive again", func() error { return copier.Receive(t.Context()) }, "", connectors.Unavailable},
		{"lend what is not whole", func() error { return copier.Lend(t.Context(), false) }, connectors.Conflict, connectors.Unavailable},
		{"undo what is not whole", func() error { return copier.Undo(t.Context()) }, connectors.Conflict, connectors.Unavailable},
		{"whole", func() error {
			return errors.Join(copier.CreateToken(t.Context(), token("a", 0)), copier.Release(t.Context()))
		}, "", ""},
		{"receive into what is filled", func() error { return copier.Receive(t.Context()) }, connectors.Conflict, ""},
		{"lend", func() error { return copier.Lend(t.Context(), false) }, "", connectors.Unavailable},
		{"undo", func() error { return copier.Undo(t.Context()) }, "", ""},
		{"lend again", func() error { return copier.Lend(t.Context(), false) }, "", connectors.Unavailable},
		{"moved", func() error { return copier.Retire(t.Context()) }, "", connectors.Unavailable},
		{"lend what was moved", func() error { return copier.Lend(t.Context(), false) }, connectors.Conflict, connectors.Unavailable},
		{"take back", func() error { return copier.Undo(t.Context()) }, "", ""},
	} {
		if err := step.do(); connectors.CodeOf(err) != step.code {
			t.Fatalf("%s: %v, want %q", step.name, err, step.code)
		}
		time.Sleep(fast.recheck + 50*time.Millisecond)
		if err := used(); connectors.CodeOf(err) != step.used {
			t.Fatalf("a write after %s: %v, want %q", step.name, err, step.used)
		}
		other, err := open(t.Context(), server(t), databaseOf(dir), nil, fast)
		if connectors.CodeOf(err) != step.used || err != nil && !errors.Is(err, errMarked) {
			t.Fatalf("opening after %s: %v, want %q", step.name, err, step.used)
		}
		if err == nil {
			_ = other.Close()
		}
	}
}
