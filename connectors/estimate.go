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
