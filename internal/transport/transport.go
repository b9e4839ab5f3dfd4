// Package transport makes the HTTP clients for everything that leaves ucf. A client is a stack of layers, each an
// http.RoundTripper with one job, always in this order:
//
//	http.Client → retry → sign → budget → record → exchange → guard → http.Transport
//
// Retry is outermost, so that each try has a fresh credential and its own place in the rate budget. Exchange bounds
// one try in time and size, reads the whole answer and gives failures their code; it is below record, so that what
// is recorded is what happened, and below budget, so that waiting for a place does not count as the provider's time.
// Guard is last: it decides which addresses may be called, on the address that is really dialled.
//
// Every error that a client returns holds an *[connectors.Error] whose text names no query, credential or header.
package transport

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/time/rate"

	"github.com/unified-connector/ucf/connectors"
)

// DefaultTimeout bounds one try of a request where Options name no other time.
const DefaultTimeout = 30 * time.Second

// defaultField is the configuration field that a forbidden or unusable address is blamed on.
const defaultField = "base_url"

// Options say how a client behaves. Guard is required; the zero value of everything else is usable.
type Options struct {
	// Scheme and User say how the credential of Source is presented. Without a Source, or with
	// [connectors.SchemeDriver], requests carry none.
	Scheme connectors.Scheme
	User   string
	Source TokenSource
	// Host is the origin (scheme://host[:port]; a path is ignored) that the credential belongs to. Nothing that goes
	// elsewhere is signed. It is required with a Source.
	Host string

	// Budget is shared between clients, nil for one of this client's own. Clients with one BudgetKey wait for each
	// other; a key must not span callers that should not feel each other's limits.
	Budget    *Budget
	BudgetKey string
	// Shared says that pauses of the key are told to other processes, through the budget's ledger.
	Shared bool
	// Quota is what the requests are taken from, nil for as many as the provider's answers allow; Usage reads from an
	// answer how much of a limit of the account's own is used, nil where answers do not say.
	Quota *Quota
	Usage Usage
	// Rate is how many requests a second the key may make to one endpoint, and Burst how many at once; zero for as many
	// as the provider's answers allow.
	Rate  rate.Limit
	Burst int

	// Guard decides which addresses may be called; its connections are shared by all clients that have it.
	Guard *Guard
	// Field is the configuration field that names the host, for messages. Default "base_url".
	Field string
	// Timeout bounds one try, from the first packet to the last byte of the answer. Default [DefaultTimeout].
	Timeout time.Duration
	Retry   RetryPolicy

	// Connector labels what Observe and Log are told.
	Connector string
	// Observe is told of every try; nil for nobody. It is called by many goroutines at once.
	Observe func(Attempt)
	// Log gets one debug line for every try; nil for none.
	Log *slog.Logger
	// UserAgent is sent with every request.
	UserAgent string
	// RequestID returns the id under which a request is made, "" for none; it is sent as X-Request-Id.
	RequestID func(context.Context) string
}

// NewClient returns a client whose requests pass all layers. It makes no request and starts nothing. Options that
// make no sense are [connectors.Internal].
//
// The client follows at most 5 redirects, never from https to http, never by turning another method into GET, and,
// where it has a credential, never away from Host: an answer given to nobody in particular is not an answer to the
// question.
func NewClient(o Options) (*http.Client, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	var origin string
	if o.Source != nil {
		if origin, err = parseOrigin(o.Host); err != nil {
			return nil, err
		}
	}
	return &http.Client{
		Transport:     stack{o.layers(origin), o.Guard},
		CheckRedirect: redirects{origin: origin, field: o.Field}.check,
	}, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Guard == nil {
		return o, connectors.Errorf(connectors.Internal, "transport: a client needs a guard")
	}
	switch o.Scheme {
	case connectors.SchemeBasic, connectors.SchemeBearer:
	case connectors.SchemeDriver:
		o.Source = nil
	default:
		if o.Source != nil {
			return o, connectors.Errorf(connectors.Internal, "transport: unknown scheme %q", o.Scheme)
		}
	}
	if o.Budget == nil {
		o.Budget = NewBudget()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(Attempt) {}
	}
	if o.RequestID == nil {
		o.RequestID = func(context.Context) string { return "" }
	}
	o.Field = cmp.Or(o.Field, defaultField)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.Retry = o.Retry.withDefaults()
	return o, nil
}

// layers builds the stack from the inside out.
func (o Options) layers(origin string) http.RoundTripper {
	inner := &exchange{next: o.Guard, timeout: o.Timeout, limit: maxBody, field: o.Field}
	seen := &record{next: inner, connector: o.Connector, observe: o.Observe, log: o.Log, requestID: o.RequestID}
	paced := &pace{
		next: seen, budget: o.Budget, key: o.BudgetKey, shared: o.Shared, quota: o.Quota, usage: o.Usage,
		rate: o.Rate, burst: o.Burst, maxWait: o.Retry.MaxWait,
	}
	signed := &sign{
		next: paced, source: o.Source, scheme: o.Scheme, user: o.User, origin: origin, field: o.Field,
		clear: o.Guard.Allows, agent: o.UserAgent, requestID: o.RequestID,
	}
	return &retry{next: signed, policy: o.Retry}
}

// stack is the outermost layer with the means to let go of idle connections.
type stack struct {
	http.RoundTripper
	guard *Guard
}

// CloseIdleConnections closes the guard's idle connections; [http.Client.CloseIdleConnections] calls it.
func (s stack) CloseIdleConnections() { s.guard.CloseIdleConnections() }

// parseOrigin returns the origin of a URL in the form that [originOf] gives.
func parseOrigin(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", connectors.Errorf(connectors.Internal, "transport: a credential needs the origin that it belongs to")
	}
	return originOf(u), nil
}

// originOf returns scheme://host:port in lower case, the port always named.
func originOf(u *url.URL) string {
	return fmt.Sprintf("%s://%s:%s", u.Scheme, canonicalHost(u.Hostname()), portOf(u))
}

// portOf returns the port of a URL, the scheme's own where it names none.
func portOf(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// closeBody closes the body of a request that is not sent on, as an http.RoundTripper must.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
