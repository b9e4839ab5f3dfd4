package connectors

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// counter is a driver that takes censuses; what it answers a test sets.
type counter struct {
	stub
	ids     func(IDQuery) (Page[string], error)
	absence func(ids []string) ([]Absence, error)
}

func (c *counter) ListIDs(_ context.Context, q IDQuery) (Page[string], error) { return c.ids(q) }

func (c *counter) ListChangedIDs(_ context.Context, q ChangedIDQuery) (Page[string], error) {
	return c.ids(IDQuery{ContainerID: q.ContainerID, Cursor: q.Cursor})
}

func (c *counter) ListDeletions(_ context.Context, q DeletionQuery) (Page[Deletion], error) {
	return Page[Deletion]{Items: []Deletion{{ID: "1", ContainerID: q.ContainerID}}, Next: "more"}, nil
}

func (c *counter) ResolveAbsences(_ context.Context, _ string, ids []string) ([]Absence, error) {
	return c.absence(ids)
}

func openCounter(t *testing.T, d *counter) *Conn {
	t.Helper()
	def := sampleDefinition()
	def.Driver, def.New = (*counter)(nil), func(Env) (Driver, error) { return d, nil }
	config, err := def.ParseConfig(sampleConfig(nil))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(Options{Env: Env{Config: config}, Sealer: newTestSealer(t), Binding: "b"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCensus(t *testing.T) {
	d := &counter{ids: func(q IDQuery) (Page[string], error) {
		if q.Cursor == "" {
			return Page[string]{Items: []string{"1", "2"}, Next: "\xffnext"}, nil
		}
		return Page[string]{Items: []string{q.ContainerID + string(q.Cursor)}}, nil
	}}
	c := openCounter(t, d)
	first, err := c.IDs(t.Context(), IDQuery{ContainerID: "A"})
	if err != nil || len(first.Items) != 2 || first.Next == "" {
		t.Fatalf("got %+v, %v", first, err)
	}
	next, err := c.IDs(t.Context(), IDQuery{ContainerID: "A", Cursor: first.Next})
	if err != nil || next.Items[0] != "A\xffnext" || next.Next != "" {
		t.Errorf("got %q, %v: the driver gets its own cursor back", next.Items, err)
	}
	for name, err := range map[string]error{
		"another container's cursor":  second(c.IDs(t.Context(), IDQuery{ContainerID: "B", Cursor: first.Next})),
		"another listing's cursor":    second(c.ChangedIDs(t.Context(), ChangedIDQuery{ContainerID: "A", Cursor: first.Next})),
		"a hostile container":         second(c.IDs(t.Context(), IDQuery{ContainerID: "A\x00"})),
		"a page of deletions too big": second(c.Deletions(t.Context(), DeletionQuery{ContainerID: "A", Limit: MaxLimit + 1})),
	} {
		if CodeOf(err) != InvalidRequest {
			t.Errorf("%s: got %v", name, err)
		}
	}
	deleted, err := c.Deletions(t.Context(), DeletionQuery{ContainerID: "A", Limit: 5, After: time.UnixMilli(1)})
	if err != nil || len(deleted.Items) != 1 || deleted.Next == "" || deleted.Next == "more" {
		t.Errorf("got %+v, %v", deleted, err)
	}
	d.ids = func(IDQuery) (Page[string], error) { return Page[string]{Items: make([]string, MaxIDs+1)}, nil }
	if _, err := c.IDs(t.Context(), IDQuery{}); CodeOf(err) != Internal {
		t.Errorf("more ids than a page holds: got %v", err)
	}
}

func TestConnResolveAbsences(t *testing.T) {
	d := &counter{}
	c := openCounter(t, d)
	answer := func(out ...Absence) { d.absence = func([]string) ([]Absence, error) { return out, nil } }
	answer(Absence{ID: "1", Reason: Gone}, Absence{ID: "2", Reason: Moved, ContainerID: "B"})
	if got, err := c.ResolveAbsences(t.Context(), "A", []string{"1", "2"}); err != nil || got[1].ContainerID != "B" {
		t.Errorf("got %v, %v", got, err)
	}
	for name, ids := range map[string][]string{"another order": {"2", "1"}, "one too few": {"1", "2", "3"}, "another one": {"1", "3"}} {
		if _, err := c.ResolveAbsences(t.Context(), "A", ids); CodeOf(err) != Internal {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got, err := c.ResolveAbsences(t.Context(), "A", nil); err != nil || len(got) != 0 {
		t.Errorf("nothing: got %v, %v", got, err)
	}
	many := make([]string, MaxAbsences+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	if _, err := c.ResolveAbsences(t.Context(), "A", many); CodeOf(err) != InvalidRequest {
		t.Errorf("too many: got %v", err)
	}
	d.absence = func([]string) ([]Absence, error) { return nil, Errorf(ProviderError, "down") }
	if _, err := c.ResolveAbsences(t.Context(), "A", []string{"1"}); CodeOf(err) != ProviderError {
		t.Errorf("a failure: got %v", err)
	}
	plain := openStub(t, &stub{}, "b", newTestSealer(t))
	_, err := plain.ResolveAbsences(t.Context(), "A", []string{"1"})
	for name, err := range map[string]error{
		"absences": err, "ids": second(plain.IDs(t.Context(), IDQuery{})), "changes": second(plain.ChangedIDs(t.Context(), ChangedIDQuery{})),
		"deletions": second(plain.Deletions(t.Context(), DeletionQuery{Limit: 1})), "hints": plain.WatchHints(t.Context(), func(Hint) {}),
	} {
		if CodeOf(err) != Unsupported {
			t.Errorf("%s of a driver that has none: got %v", name, err)
		}
	}
}
