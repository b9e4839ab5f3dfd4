package connectors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Options are what a [Conn] is opened with.
type Options struct {
	Env
	// Sealer seals the cursors that leave the Conn.
	Sealer Sealer
	// Binding names the tenant and connection; a cursor of one binding is refused by another.
	Binding string
}

// Conn is one connected system, ready to be asked. It is safe for concurrent use. Every error it returns is an
// *[Error] with its Op set.
type Conn struct {
	def        *Definition
	driver     Driver
	seal       Sealer
	binding    string
	place      string
	now        func() time.Time
	containers ContainerLister
	items      ItemLister
	comments   CommentLister
	walk       *walk // over all containers, for a driver that lists the items of one at a time
	charge     func(points int64)
	close      func() error
}

// Open builds the driver that the configuration asks for and finds out what it can do. It makes no request. The
// caller closes the Conn.
func Open(o Options) (*Conn, error) {
	def := o.Config.Definition()
	if def == nil {
		return nil, Errorf(Internal, "open without a configuration")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d, err := def.New(o.Env)
	if err != nil {
		return nil, stamp(def.ID+".open", err)
	}
	c := &Conn{def: def, driver: d, seal: o.Sealer, binding: o.Binding, place: o.Config.Place(), now: o.Now, charge: o.Charge, close: closer(d)}
	if c.charge == nil {
		c.charge = func(int64) {}
	}
	c.containers, _ = d.(ContainerLister)
	c.items, _ = d.(ItemLister)
	c.comments, _ = d.(CommentLister)
	if def.PerContainer && c.containers != nil && c.items != nil {
		c.walk = &walk{containers: c.containers, items: c.items, now: o.Now}
	}
	return c, nil
}

// Definition returns the connector's definition.
func (c *Conn) Definition() *Definition { return c.def }

// Close releases what the driver holds.
func (c *Conn) Close() error { return c.close() }

// Probe calls the system and tells what answered, who is connected, and how long it took.
func (c *Conn) Probe(ctx context.Context) (ProbeResult, error) {
	start := c.now()
	r, err := c.driver.Probe(ctx)
	if err != nil {
		return ProbeResult{}, stamp(c.def.ID+".probe", err)
	}
	r.LatencyMS = c.now().Sub(start).Milliseconds()
	r.Capabilities = c.def.Capabilities()
	r.Scopes = orEmpty(r.Scopes)
	r.Warnings = orEmpty(r.Warnings)
	return r, nil
}

// Containers returns one page of containers.
func (c *Conn) Containers(ctx context.Context, q ContainerQuery) (Page[Container], error) {
	op := listing[Container]{name: "containers", cursor: q.Cursor, limit: q.Limit, query: []any{q.Wide}}
	if c.containers != nil {
		op.list = func(cur Cursor) (Page[Container], error) {
			q.Cursor = cur
			return c.containers.ListContainers(ctx, q)
		}
	}
	return run(c, op)
}

// Items returns one page of items. A filter that the connector does not honour is [Unsupported].
func (c *Conn) Items(ctx context.Context, q ItemQuery) (Page[Item], error) {
	op := listing[Item]{
		name: "items", cursor: q.Cursor, limit: q.Limit,
		query: []any{q.ContainerID, q.UpdatedAfter.UTC().Format(time.RFC3339Nano), q.Query},
	}
	op.unsupported = c.unsupportedFilter(q)
	op.text = []Fault{{"containerId", q.ContainerID}, {"query", q.Query}}
	if c.items != nil {
		op.list = func(cur Cursor) (Page[Item], error) {
			q.Cursor = cur
			if c.walks(q) {
				return c.walk.list(ctx, q)
			}
			return c.items.ListItems(ctx, q)
		}
	}
	return run(c, op)
}

// Comments returns one page of the comments on one item.
func (c *Conn) Comments(ctx context.Context, q CommentQuery) (Page[Comment], error) {
	op := listing[Comment]{name: "comments", cursor: q.Cursor, limit: q.Limit, query: []any{q.ItemID}}
	op.text = []Fault{{"itemId", q.ItemID}}
	if c.comments != nil {
		if q.ItemID == "" {
			return Page[Comment]{}, stamp(c.def.ID+".comments", InvalidFields(Fault{"itemId", "is required"}))
		}
		op.list = func(cur Cursor) (Page[Comment], error) {
			q.Cursor = cur
			return c.comments.ListComments(ctx, q)
		}
	}
	return run(c, op)
}

// walks reports whether a listing of items goes through all containers.
func (c *Conn) walks(q ItemQuery) bool { return c.walk != nil && q.ContainerID == "" && q.Query == "" }

func (c *Conn) unsupportedFilter(q ItemQuery) string {
	switch {
	case !q.UpdatedAfter.IsZero() && !slices.Contains(c.def.Filters, CapUpdatedAfter):
		return "cannot filter items by their time of change"
	case q.Query != "" && !slices.Contains(c.def.Filters, CapQuery):
		return "takes no query"
	}
	return ""
}

// listing is one page to be listed: what all three listings have in common.
type listing[T any] struct {
	name        string
	cursor      Cursor
	limit       int
	most        int     // the largest limit, [MaxLimit] if zero
	query       []any   // what the cursor is bound to
	text        []Fault // parameters (as field and value) that must be sound text
	unsupported string  // why the query cannot be answered, if so
	list        func(Cursor) (Page[T], error)
}

// check returns what is wrong with the listing before anything is asked.
func (l listing[T]) check(def *Definition) error {
	var faults []Fault
	if most := cmp.Or(l.most, MaxLimit); l.limit < 1 || l.limit > most {
		faults = append(faults, Fault{"limit", fmt.Sprintf("must be between 1 and %d, not %d", most, l.limit)})
	}
	for _, t := range l.text {
		if t.Message == "" {
			continue
		}
		if fault := badText(strings.NewReplacer("\n", " ", "\t", " ", "\r", " ").Replace(t.Message), false); fault != "" {
			faults = append(faults, Fault{t.Field, fault})
		}
	}
	if err := InvalidFields(faults...); err != nil {
		return err
	}
	if l.list == nil {
		return Errorf(Unsupported, "%s has no %s that ucf can list", def.Name, l.name)
	}
	if l.unsupported != "" {
		return Errorf(Unsupported, "%s %s", def.Name, l.unsupported)
	}
	return nil
}

func run[T any](c *Conn, l listing[T]) (Page[T], error) {
	op := c.def.ID + "." + l.name
	if err := l.check(c.def); err != nil {
		return Page[T]{}, stamp(op, err)
	}
	purpose := c.purpose(l.name, l.query...)
	from, err := c.openCursor(purpose, l.cursor)
	if err != nil {
		return Page[T]{}, stamp(op, err)
	}
	page, err := l.list(Cursor(from.Token))
	if err != nil {
		return Page[T]{}, stamp(op, err)
	}
	c.charge(int64(len(page.Items)))
	if len(page.Items) > l.limit {
		return Page[T]{}, stamp(op, Errorf(Internal, "the driver returned %d of at most %d", len(page.Items), l.limit))
	}
	page.Items = orEmpty(page.Items)
	if page.Next, err = c.sealCursor(purpose, from, page.Next); err != nil {
		return Page[T]{}, stamp(op, err)
	}
	return page, nil
}

// stamp returns err as an *Error with its operation, added once.
func stamp(op string, err error) error {
	e := *AsError(err)
	if e.Op == "" {
		e.Op = op
	}
	if e.Code == Internal && e.Err == nil {
		e.Err = errors.New(e.Message)
	}
	return &e
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Place names the system that is read, as [Config.Place] does.
func (c *Conn) Place() string { return c.place }

// AllContainers goes through every page of containers, from q.Cursor on.
func (c *Conn) AllContainers(ctx context.Context, q ContainerQuery) iter.Seq2[Page[Container], error] {
	return pages(ctx, c.def.ID+".containers", q.Cursor, func(ctx context.Context, cur Cursor) (Page[Container], error) {
		q.Cursor = cur
		return c.Containers(ctx, q)
	})
}

// AllItems goes through every page of items, from q.Cursor on.
func (c *Conn) AllItems(ctx context.Context, q ItemQuery) iter.Seq2[Page[Item], error] {
	return pages(ctx, c.def.ID+".items", q.Cursor, func(ctx context.Context, cur Cursor) (Page[Item], error) {
		q.Cursor = cur
		return c.Items(ctx, q)
	})
}

// AllComments goes through every page of the comments on one item, from q.Cursor on.
func (c *Conn) AllComments(ctx context.Context, q CommentQuery) iter.Seq2[Page[Comment], error] {
	return pages(ctx, c.def.ID+".comments", q.Cursor, func(ctx context.Context, cur Cursor) (Page[Comment], error) {
		q.Cursor = cur
		return c.Comments(ctx, q)
	})
}

// fetched is one page or the error in its place.
type fetched[T any] struct {
	page Page[T]
	err  error
}

// pages yields page after page and fetches the next one while the caller works on the last: at most two pages are
// held. It ends after the last page or the first error, and leaves no goroutine behind. Each range over it begins at
// cur again.
func pages[T any](ctx context.Context, op string, cur Cursor, get func(context.Context, Cursor) (Page[T], error)) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		ahead := make(chan fetched[T])
		done := make(chan struct{})
		defer func() { cancel(); <-done }()
		go func() {
			defer close(done)
			defer close(ahead)
			fetch(ctx, cur, get, ahead)
		}()
		for f := range ahead {
			if !yield(f.page, f.err) || f.err != nil || f.page.Next == "" {
				return
			}
		}
		// Only a cancelled context makes fetch give up before the last page.
		yield(Page[T]{}, stamp(op, ctx.Err()))
	}
}

// recovered returns a driver's panic as an error: it happens in a goroutine that no caller could catch it in.
func recovered[T any](ctx context.Context, cur Cursor, get func(context.Context, Cursor) (Page[T], error)) (page Page[T], err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Wrap(Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()), "internal error")
		}
	}()
	return get(ctx, cur)
}

// fetch sends page after page until the last one, the first error, or the end of the context.
func fetch[T any](ctx context.Context, cur Cursor, get func(context.Context, Cursor) (Page[T], error), ahead chan<- fetched[T]) {
	for {
		page, err := recovered(ctx, cur, get)
		select {
		case ahead <- fetched[T]{page, err}:
		case <-ctx.Done():
			return
		}
		if cur = page.Next; err != nil || cur == "" {
			return
		}
	}
}
