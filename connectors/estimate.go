package connectors

import "context"

// Unknown is an [Estimate]'s number of entries where the system does not tell.
const Unknown = -1

// Estimate is what a whole listing is expected to cost.
type Estimate struct {
	Entries  int64 `json:"entries" doc:"Entries of the listing; -1 where the system does not tell"`
	Exact    bool  `json:"exact" doc:"Whether the system counted, rather than guessed"`
	Requests int64 `json:"requests" doc:"Requests to the system; -1 where unknown"`
	Points   int64 `json:"points,omitempty" doc:"Points of the provider's own rate limit, where it has one"`
}

// plus adds another listing's cost; what is unknown in one is unknown in the sum.
func (e Estimate) plus(o Estimate) Estimate {
	sum := func(a, b int64) int64 {
		if a == Unknown || b == Unknown {
			return Unknown
		}
		return a + b
	}
	return Estimate{
		Entries: sum(e.Entries, o.Entries), Exact: e.Exact && o.Exact,
		Requests: sum(e.Requests, o.Requests), Points: e.Points + o.Points,
	}
}

// EstimateOf returns the estimate of a listing of so many entries in pages of a size, where each page costs points of
// its own and each entry more.
func EstimateOf(entries int64, exact bool, pageSize int, pagePoints, entryPoints int64) Estimate {
	if entries < 0 {
		return Estimate{Entries: Unknown, Requests: Unknown}
	}
	pages := max((entries+int64(pageSize)-1)/int64(pageSize), 1)
	return Estimate{Entries: entries, Exact: exact, Requests: pages, Points: pages*pagePoints + entries*entryPoints}
}

// First returns what the first n entries cost, when the cost is spread evenly.
func (e Estimate) First(n int64) Estimate {
	if e.Entries == Unknown || e.Entries <= n {
		return e
	}
	share := func(all int64) int64 { return (all*n + e.Entries - 1) / e.Entries }
	if e.Requests != Unknown {
		e.Requests = share(e.Requests)
	}
	e.Entries, e.Points = n, share(e.Points)
	return e
}

// Estimator is a [Driver] that tells what a listing costs without running it, in a few cheap requests.
type Estimator interface {
	// EstimateContainers estimates all pages of a listing of containers. It ignores the cursor.
	EstimateContainers(ctx context.Context, q ContainerQuery) (Estimate, error)
	// EstimateItems estimates all pages of a listing of items. It ignores the cursor.
	EstimateItems(ctx context.Context, q ItemQuery) (Estimate, error)
	// EstimateComments estimates all pages of a listing of comments; an unknown item is [NotFound]. A driver without
	// comments answers [Unsupported].
	EstimateComments(ctx context.Context, q CommentQuery) (Estimate, error)
}

// EstimateContainers estimates a listing of containers.
func (c *Conn) EstimateContainers(ctx context.Context, q ContainerQuery) (Estimate, error) {
	return c.estimate("containers", func(e Estimator) (Estimate, error) { return e.EstimateContainers(ctx, q) })
}

// EstimateItems estimates a listing of items, of all containers where none is named.
func (c *Conn) EstimateItems(ctx context.Context, q ItemQuery) (Estimate, error) {
	if why := c.unsupportedFilter(q); why != "" {
		return Estimate{}, stamp(c.def.ID+".items", Errorf(Unsupported, "%s %s", c.def.Name, why))
	}
	return c.estimate("items", func(e Estimator) (Estimate, error) {
		if c.walks(q) {
			return c.walk.estimate(ctx, e, q)
		}
		return e.EstimateItems(ctx, q)
	})
}

// EstimateComments estimates a listing of the comments on one item.
func (c *Conn) EstimateComments(ctx context.Context, q CommentQuery) (Estimate, error) {
	if q.ItemID == "" {
		return Estimate{}, stamp(c.def.ID+".comments", InvalidFields(Fault{"itemId", "is required"}))
	}
	return c.estimate("comments", func(e Estimator) (Estimate, error) { return e.EstimateComments(ctx, q) })
}

func (c *Conn) estimate(op string, ask func(Estimator) (Estimate, error)) (Estimate, error) {
	op = c.def.ID + "." + op
	e, ok := c.driver.(Estimator)
	if !ok {
		return Estimate{}, stamp(op, Errorf(Unsupported, "%s does not tell what a listing costs", c.def.Name))
	}
	out, err := ask(e)
	if err != nil {
		return Estimate{}, stamp(op, err)
	}
	return out, nil
}
