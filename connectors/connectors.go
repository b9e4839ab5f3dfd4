// Package connectors is the public contract between ucf and the systems it connects to.
//
// A connector is a [Definition]: data that describes its configuration and its ways to authenticate, and a
// constructor for its [Driver]. Callers never hold a driver; they hold the [Conn] that [Open] returns, which checks
// configuration and limits, answers [Unsupported] for what a driver cannot do, seals cursors and stamps errors.
//
// Anyone may write a connector against this package; connectortest holds the suite that every connector passes.
package connectors

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// MaxLimit is the largest number of entries that one page may be asked for; the smallest is 1.
const MaxLimit = 200

// DefaultLimit is the page size used where a caller names none.
const DefaultLimit = 50

// Container is what a connected system groups its items in: a Jira project, a Confluence space, an sObject, a table.
type Container struct {
	ID    string          `json:"id" doc:"Stable identifier in the connected system" example:"PAY"`
	Label string          `json:"label" doc:"Name shown to people" example:"Payments"`
	Type  string          `json:"type" doc:"Kind of container" example:"project"`
	Meta  Meta            `json:"meta" doc:"Further attributes; extraDetails widens them"`
	Raw   json.RawMessage `json:"raw,omitempty" doc:"The provider's own object, on request"`
}

// Item is one issue, page, record or row. CreatedAt and UpdatedAt are nil where the system does not tell.
type Item struct {
	ID          string          `json:"id" doc:"Stable identifier in the connected system" example:"10042"`
	Name        string          `json:"name" doc:"Title shown to people"`
	ContainerID string          `json:"containerId" doc:"The container that holds the item" example:"PAY"`
	Type        string          `json:"type" doc:"Kind of item" example:"issue"`
	URL         string          `json:"url" doc:"Address for a browser; empty where there is none"`
	CreatedAt   *time.Time      `json:"createdAt" doc:"RFC 3339 UTC; null where unknown"`
	UpdatedAt   *time.Time      `json:"updatedAt" doc:"RFC 3339 UTC; null where unknown"`
	Meta        Meta            `json:"meta" doc:"Further attributes of the item"`
	Raw         json.RawMessage `json:"raw,omitempty" doc:"The provider's own object, on request"`
}

// Comment is one remark on an item. Text is plain text or Markdown.
type Comment struct {
	ID        string          `json:"id"`
	ItemID    string          `json:"itemId"`
	Author    string          `json:"author" doc:"Display name; empty where the author is unknown"`
	Text      string          `json:"text" doc:"Plain text or Markdown"`
	CreatedAt *time.Time      `json:"createdAt" doc:"RFC 3339 UTC; null where unknown"`
	UpdatedAt *time.Time      `json:"updatedAt" doc:"RFC 3339 UTC; null where unknown"`
	Meta      Meta            `json:"meta"`
	Raw       json.RawMessage `json:"raw,omitempty" doc:"The provider's own object, on request"`
}

// Page is one part of a listing. Next is the cursor of the following page and empty on the last one; a page may be
// empty and still have a next one. Incomplete names what could not be read.
type Page[T any] struct {
	Items      []T    `json:"items"`
	Next       Cursor `json:"next" doc:"Opaque cursor of the next page; null on the last one"`
	Incomplete []Gap  `json:"incomplete,omitempty" doc:"What could not be read, if anything"`
}

// Gap names a part of a listing that could not be read, and why.
type Gap struct {
	ContainerID string `json:"containerId,omitempty"`
	Code        Code   `json:"code"`
	Reason      string `json:"reason"`
}

// Cursor is a position in a listing. In a driver's page it is the driver's own; in a page of a [Conn] it is sealed.
// An empty cursor is JSON null.
type Cursor string

// MarshalJSON writes null for the empty cursor.
func (c Cursor) MarshalJSON() ([]byte, error) {
	if c == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(c))
}

// Time returns t in UTC: the form in which [Item] and [Comment] carry times. It returns nil for the zero time and for
// years that RFC 3339 cannot write, which databases can hold.
func Time(t time.Time) *time.Time {
	t = t.UTC()
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return nil
	}
	return &t
}

// ContainerQuery asks for one page of containers.
type ContainerQuery struct {
	Cursor Cursor // where to go on; empty for the first page
	Limit  int    // 1 to [MaxLimit]; a driver may return fewer
	Raw    bool   // fill Container.Raw
	Wide   bool   // fill Container.Meta with everything the system tells cheaply (extraDetails)
}

// ItemQuery asks for one page of items.
type ItemQuery struct {
	ContainerID  string    // empty for all containers, where the connector can
	UpdatedAfter time.Time // only items changed at or after it; zero for all
	Query        string    // in the system's own language (JQL, CQL, SOQL, SQL); empty for none
	Cursor       Cursor
	Limit        int
	Raw          bool
	Wide         bool
}

// CommentQuery asks for one page of the comments on one item.
type CommentQuery struct {
	ItemID string
	Cursor Cursor
	Limit  int
	Raw    bool
}

// ProbeResult is what a live check of a connection found.
type ProbeResult struct {
	Instance     Instance  `json:"instance"`
	Account      Account   `json:"account"`
	Scopes       []string  `json:"scopes" doc:"What the credential may do, where the system tells"`
	Capabilities []string  `json:"capabilities"`
	LatencyMS    int64     `json:"latencyMs" doc:"Duration of the whole probe in milliseconds"`
	Warnings     []Warning `json:"warnings"`
}

// Instance is the connected system itself.
type Instance struct {
	Name    string `json:"name"`
	URL     string `json:"url,omitempty"`
	Version string `json:"version,omitempty"`
	Type    string `json:"type,omitempty" doc:"Deployment or edition, as in Cloud"`
}

// Account is who the credential belongs to in the connected system.
type Account struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Warning is something that works today and needs attention.
type Warning struct {
	Code    string `json:"code" example:"deprecated_endpoint"`
	Message string `json:"message"`
}

// Driver talks to one connected system with one configuration. Every method may be called by many goroutines at
// once, honours its context, and returns *[Error] values: [Reauthorize] when the credential is refused, [NotFound],
// [RateLimited] with the wait, [ProviderError] for failures and nonsense, [Timeout]. A driver may implement
// [ContainerLister], [ItemLister], [CommentLister] and io.Closer too; [Open] finds out once.
type Driver interface {
	// Probe calls the system and tells what answered and who is connected.
	Probe(ctx context.Context) (ProbeResult, error)
}

// ContainerLister is a [Driver] that lists containers.
type ContainerLister interface {
	// ListContainers returns one page; q.Cursor is the Next of an earlier page of the same query, or empty.
	ListContainers(ctx context.Context, q ContainerQuery) (Page[Container], error)
}

// ItemLister is a [Driver] that lists items.
type ItemLister interface {
	// ListItems returns one page; q.Cursor is the Next of an earlier page of the same query, or empty.
	ListItems(ctx context.Context, q ItemQuery) (Page[Item], error)
}

// CommentLister is a [Driver] that lists the comments of an item.
type CommentLister interface {
	// ListComments returns one page; an unknown item is [NotFound].
	ListComments(ctx context.Context, q CommentQuery) (Page[Comment], error)
}

// Env is what a driver is built from. Nothing in it is called while the driver is built.
type Env struct {
	Config Config
	// HTTP adds the credential, retries, keeps to the rate budget and refuses forbidden addresses.
	HTTP *http.Client
	// API is the address of the provider's API where the configuration's auth method has one ([AuthMethod.APIProvider]),
	// without a slash at its end: the operator's, or the one that the token answer named. It is empty for other methods.
	API string
	// Timeout bounds one request, zero for the driver's own bound. [Env.HTTP] keeps to it by itself.
	Timeout time.Duration
	// Charge is told how many points an answer cost beyond the one of its request; nil where nobody counts. A [Conn]
	// charges a point for every entry.
	Charge func(points int64)
	// Dial opens guarded connections for systems that are not reached over HTTP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger
	Now  func() time.Time
}
