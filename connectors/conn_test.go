package connectors

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// stub is a driver whose answers a test sets.
type stub struct {
	probe func(context.Context) (ProbeResult, error)
	items func(context.Context, ItemQuery) (Page[Item], error)
	ended int
}

func (s *stub) Probe(ctx context.Context) (ProbeResult, error) { return s.probe(ctx) }

func (s *stub) ListItems(ctx context.Context, q ItemQuery) (Page[Item], error) {
	return s.items(ctx, q)
}

func (s *stub) Close() error {
	s.ended++
	return errBroken
}

func openStub(t *testing.T, s *stub, binding string, seal Sealer, filters ...string) *Conn {
	t.Helper()
	d := sampleDefinition()
	d.Driver, d.Filters = (*stub)(nil), filters
	d.New = func(Env) (Driver, error) { return s, nil }
	config, err := d.ParseConfig(sampleConfig(nil))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(Options{Env: Env{Config: config}, Sealer: seal, Binding: binding})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOpen(t *testing.T) {
	if _, err := Open(Options{}); CodeOf(err) != Internal {
		t.Errorf("without a configuration: got %v", err)
	}
	d := sampleDefinition()
	d.New = func(Env) (Driver, error) { return nil, InvalidFields(Fault{"token", "is odd"}) }
	config, _ := d.ParseConfig(sampleConfig(nil))
	if _, err := Open(Options{Env: Env{Config: config}}); CodeOf(err) != InvalidRequest || !strings.HasPrefix(err.Error(), "sample.open: ") {
		t.Errorf("a driver that cannot be built: got %v", err)
	}
	s := &stub{}
	if err := openStub(t, s, "b", nil).Close(); !errors.Is(err, errBroken) || s.ended != 1 {
		t.Errorf("Close: got %v, called %d times", err, s.ended)
	}
}

func TestConnProbe(t *testing.T) {
	s := &stub{probe: func(context.Context) (ProbeResult, error) { return ProbeResult{LatencyMS: -5}, nil }}
	got, err := openStub(t, s, "b", nil, CapQuery).Probe(t.Context())
	if err != nil || got.LatencyMS < 0 || got.Scopes == nil || got.Warnings == nil || fmt.Sprint(got.Capabilities) != "[items query]" {
		t.Errorf("got %+v and error %v", got, err)
	}
	s.probe = func(context.Context) (ProbeResult, error) { return ProbeResult{}, errors.New("password=hunter2") }
	_, err = openStub(t, s, "b", nil).Probe(t.Context())
	if CodeOf(err) != Internal || err.Error() != "sample.probe: internal error" {
		t.Errorf("got %v", err)
	}
}

func TestConnChecksBeforeItAsks(t *testing.T) {
	s := &stub{items: func(context.Context, ItemQuery) (Page[Item], error) {
		t.Error("the driver was asked")
		return Page[Item]{}, nil
	}}
	c := openStub(t, s, "b", newTestSealer(t))
	ask := func(q ItemQuery) error { _, err := c.Items(t.Context(), q); return err }
	for name, tt := range map[string]struct {
		err  error
		want Code
	}{
		"limit 0":            {ask(ItemQuery{}), InvalidRequest},
		"limit -1":           {ask(ItemQuery{Limit: -1}), InvalidRequest},
		"limit 201":          {ask(ItemQuery{Limit: MaxLimit + 1}), InvalidRequest},
		"limit huge":         {ask(ItemQuery{Limit: math.MaxInt}), InvalidRequest},
		"invalid UTF-8":      {ask(ItemQuery{Limit: 1, ContainerID: "\xff"}), InvalidRequest},
		"NUL":                {ask(ItemQuery{Limit: 1, Query: "a\x00"}), InvalidRequest},
		"escape":             {ask(ItemQuery{Limit: 1, ContainerID: "a\x1b"}), InvalidRequest},
		"too long":           {ask(ItemQuery{Limit: 1, Query: strings.Repeat("a", maxValueLen+1)}), InvalidRequest},
		"a query":            {ask(ItemQuery{Limit: 1, Query: "x"}), Unsupported},
		"changes":            {ask(ItemQuery{Limit: 1, UpdatedAfter: time.Now()}), Unsupported},
		"a damaged cursor":   {ask(ItemQuery{Limit: 1, Cursor: "x"}), InvalidRequest},
		"containers":         {second(c.Containers(t.Context(), ContainerQuery{Limit: 1})), Unsupported},
		"containers limit 0": {second(c.Containers(t.Context(), ContainerQuery{})), InvalidRequest},
		"comments":           {second(c.Comments(t.Context(), CommentQuery{ItemID: "1", Limit: 1})), Unsupported},
	} {
		var e *Error
		if !errors.As(tt.err, &e) || e.Code != tt.want || !strings.HasPrefix(e.Op, "sample.") {
			t.Errorf("%s: got %v, want %s", name, tt.err, tt.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestConnPages(t *testing.T) {
	var given Cursor
	s := &stub{items: func(_ context.Context, q ItemQuery) (Page[Item], error) {
		given = q.Cursor
		if q.Cursor == "" {
			return Page[Item]{Next: "\xfftoken"}, nil
		}
		return Page[Item]{Items: []Item{{ID: "1"}}, Next: q.Cursor}, nil
	}}
	seal := newTestSealer(t)
	c := openStub(t, s, "tenant|one", seal, CapUpdatedAfter)
	first, err := c.Items(t.Context(), ItemQuery{ContainerID: "PAY", Limit: 5})
	if err != nil || first.Items == nil || strings.Contains(string(first.Next), "token") {
		t.Fatalf("got %+v and error %v", first, err)
	}
	if _, err := c.Items(t.Context(), ItemQuery{ContainerID: "PAY", Limit: 9, Raw: true, Cursor: first.Next}); CodeOf(err) != ProviderError || given != "\xfftoken" {
		t.Errorf("a repeated token: the driver got %q; got %v, want %s", given, err, ProviderError)
	}
	for name, tt := range map[string]struct {
		conn *Conn
		q    ItemQuery
	}{
		"another container":  {c, ItemQuery{ContainerID: "OPS"}},
		"no container":       {c, ItemQuery{}},
		"another time":       {c, ItemQuery{ContainerID: "PAY", UpdatedAfter: time.Unix(1, 0)}},
		"another connection": {openStub(t, s, "tenant|two", seal), ItemQuery{ContainerID: "PAY"}},
		"another key":        {openStub(t, s, "tenant|one", newTestSealer(t)), ItemQuery{ContainerID: "PAY"}},
	} {
		tt.q.Limit, tt.q.Cursor = 5, first.Next
		if _, err := tt.conn.Items(t.Context(), tt.q); CodeOf(err) != InvalidRequest {
			t.Errorf("%s: got %v, want %s", name, err, InvalidRequest)
		}
	}
}

func TestConnRefusesTooMuch(t *testing.T) {
	s := &stub{items: func(context.Context, ItemQuery) (Page[Item], error) { return Page[Item]{Items: make([]Item, 3)}, nil }}
	if _, err := openStub(t, s, "b", nil).Items(t.Context(), ItemQuery{Limit: 2}); CodeOf(err) != Internal {
		t.Errorf("got %v, want %s", err, Internal)
	}
}

func TestConnKeepsCauses(t *testing.T) {
	s := &stub{items: func(ctx context.Context, _ ItemQuery) (Page[Item], error) { return Page[Item]{}, ctx.Err() }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := openStub(t, s, "b", nil).Items(ctx, ItemQuery{Limit: 2})
	if !errors.Is(err, context.Canceled) || CodeOf(err) != Unavailable {
		t.Errorf("got %v", err)
	}
	for _, err := range openStub(t, s, "b", nil).AllItems(ctx, ItemQuery{Limit: 2}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("AllItems: got %v", err)
		}
	}
}
