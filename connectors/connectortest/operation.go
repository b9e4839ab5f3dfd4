package connectortest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// request is one call of an operation.
type request struct {
	target       string // the container of items, the item of comments
	updatedAfter time.Time
	query        string
	cursor       connectors.Cursor
	limit        int
	raw          bool
	wide         bool
}

// entry is what the suite looks at in a container, item or comment.
type entry struct {
	id     string
	parent string // the container of an item, the item of a comment
	kind   string
	texts  []string
	times  []*time.Time
	meta   connectors.Meta
	raw    json.RawMessage
	value  any
}

// answer is what an operation returned.
type answer struct {
	entries  []entry
	next     connectors.Cursor
	isNil    bool
	declared int // gaps and warnings: what the answer itself says is missing
	gaps     []connectors.Gap
	body     []byte // JSON of the entries, or of the probe's result without its duration
	probe    connectors.ProbeResult
	at       time.Time
}

func (a answer) ids() []string {
	ids := make([]string, len(a.entries))
	for i, e := range a.entries {
		ids[i] = e.id
	}
	return ids
}

// operation is one thing that a connector can be asked.
type operation struct {
	name string
	ask  func(ctx context.Context, c *connectors.Conn, r request) (answer, error)
	// direct asks the driver itself, with a page token of the suite's making.
	direct func(ctx context.Context, d connectors.Driver, r request) (int, error)
	// want returns the expected ids by target; nil for what is no listing.
	want func(s *Suite) map[string][]string
	// ids says that it lists ids alone, in any order and perhaps twice, in pages of the driver's own size.
	ids bool
}

// target returns the target with the longest listing.
func (o operation) target(s *Suite) string {
	if o.want == nil {
		return ""
	}
	best, want := "", o.want(s)
	for _, t := range slices.Sorted(maps.Keys(want)) {
		if len(want[t]) > len(want[best]) {
			best = t
		}
	}
	return best
}

// first returns the request for the first page of the longest listing, one entry long.
func (o operation) first(s *Suite) request { return request{target: o.target(s), limit: 1} }

// operations returns what the connector can be asked.
func (s *Suite) operations() []operation {
	all := append([]operation{{name: "probe", ask: askProbe}}, s.listings()...)
	if can[connectors.Timekeeper](s) {
		all = append(all, s.timeOperation())
	}
	return all
}

// can reports whether the driver has one of the optional interfaces.
func can[I any](s *Suite) bool {
	_, ok := s.Definition.Driver.(I)
	return ok
}

// listings returns the listings that the connector has.
func (s *Suite) listings() []operation {
	var out []operation
	for _, op := range allListings {
		if s.lists(op) {
			out = append(out, op)
		}
	}
	return out
}

// lists reports whether the connector has a listing.
func (s *Suite) lists(op operation) bool {
	if op.name == opCommented {
		return can[connectors.CommentedLister](s)
	}
	return slices.Contains(s.Definition.Capabilities(), op.name)
}

// named returns the listing of that name.
func named(name string) operation {
	return allListings[slices.IndexFunc(allListings, func(op operation) bool { return op.name == name })]
}

var allListings = []operation{
	{name: connectors.CapContainers, ask: askContainers, direct: directContainers, want: func(s *Suite) map[string][]string {
		return map[string][]string{"": s.Containers}
	}},
	{name: connectors.CapItems, ask: askItems, direct: directItems, want: func(s *Suite) map[string][]string { return s.Items }},
	{name: connectors.CapComments, ask: askComments, direct: directComments, want: func(s *Suite) map[string][]string { return s.Comments }},
	{name: opCommented, ask: askCommented, direct: directCommented, want: func(s *Suite) map[string][]string { return s.Commented }, ids: true},
}

func askProbe(ctx context.Context, c *connectors.Conn, _ request) (answer, error) {
	p, err := c.Probe(ctx)
	if err != nil {
		return answer{}, err
	}
	a := answer{probe: p, declared: len(p.Warnings)}
	p.LatencyMS = 0
	a.body, err = json.Marshal(p)
	return a, err
}

func askContainers(ctx context.Context, c *connectors.Conn, r request) (answer, error) {
	p, err := c.Containers(ctx, containerQuery(r))
	return answerOf(p, err, func(v *connectors.Container) entry {
		return entry{id: v.ID, kind: v.Type, texts: []string{v.Label}, meta: v.Meta, raw: v.Raw}
	})
}

func askItems(ctx context.Context, c *connectors.Conn, r request) (answer, error) {
	p, err := c.Items(ctx, itemQuery(r))
	return answerOf(p, err, func(v *connectors.Item) entry {
		return entry{
			id: v.ID, parent: v.ContainerID, kind: v.Type, texts: []string{v.Name, v.URL},
			times: []*time.Time{v.CreatedAt, v.UpdatedAt}, meta: v.Meta, raw: v.Raw,
		}
	})
}

func askComments(ctx context.Context, c *connectors.Conn, r request) (answer, error) {
	p, err := c.Comments(ctx, commentQuery(r))
	return answerOf(p, err, func(v *connectors.Comment) entry {
		return entry{
			id: v.ID, parent: v.ItemID, kind: "comment", texts: []string{v.Author, v.Text},
			times: []*time.Time{v.CreatedAt, v.UpdatedAt}, meta: v.Meta, raw: v.Raw,
		}
	})
}

func answerOf[T any](p connectors.Page[T], err error, view func(*T) entry) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	a := answer{next: p.Next, isNil: p.Items == nil, declared: len(p.Incomplete), gaps: p.Incomplete}
	for i := range p.Items {
		e := view(&p.Items[i])
		e.value = &p.Items[i]
		a.entries = append(a.entries, e)
	}
	a.body, err = json.Marshal(p.Items)
	return a, err
}

func containerQuery(r request) connectors.ContainerQuery {
	return connectors.ContainerQuery{Cursor: r.cursor, Limit: r.limit, Raw: r.raw, Wide: r.wide}
}

func itemQuery(r request) connectors.ItemQuery {
	return connectors.ItemQuery{
		ContainerID: r.target, UpdatedAfter: r.updatedAfter, Query: r.query,
		Cursor: r.cursor, Limit: r.limit, Raw: r.raw, Wide: r.wide,
	}
}

func commentQuery(r request) connectors.CommentQuery {
	return connectors.CommentQuery{ItemID: r.target, Cursor: r.cursor, Limit: r.limit, Raw: r.raw}
}

func directContainers(ctx context.Context, d connectors.Driver, r request) (int, error) {
	p, err := d.(connectors.ContainerLister).ListContainers(ctx, containerQuery(r))
	return len(p.Items), err
}

func directItems(ctx context.Context, d connectors.Driver, r request) (int, error) {
	p, err := d.(connectors.ItemLister).ListItems(ctx, itemQuery(r))
	return len(p.Items), err
}

func directComments(ctx context.Context, d connectors.Driver, r request) (int, error) {
	p, err := d.(connectors.CommentLister).ListComments(ctx, commentQuery(r))
	return len(p.Items), err
}
