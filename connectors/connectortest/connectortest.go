// Package connectortest is the suite that every connector passes, in one call of [Run].
//
// A connector for an HTTP system hands over an [http.Handler] that behaves as the healthy system does, with a few
// containers, items and comments and with its paging honoured. The suite serves it over real sockets and puts the
// faults in front of it by itself. A connector for any other system hands over a [Harness]; the suite reaches that
// system through a proxy of its own, which can stall and break connections.
//
// Every check is a named row, a subtest. A row that cannot apply to a connector is named in [Suite.Skip] with the
// reason, so that it shows in the diff.
package connectortest

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// TB is what the suite needs of a test; *[testing.T] is one.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Cleanup(f func())
	TempDir() string
	Context() context.Context
}

// Suite describes one connector, and what is in the system that it is tested against. At least one listing of each
// operation that the connector has must have three entries or more: with fewer, paging proves nothing. Only Commented may
// have fewer, whose pages are of the driver's own size. A listing that the connector does not have is expected to be
// unsupported.
type Suite struct {
	Definition *connectors.Definition

	// Config returns a complete, valid configuration for an auth method, as users write it. The address is a URL
	// such as http://127.0.0.1:4711, which may have a path, for a Handler, and host:port for a Harness. Secrets are
	// at least 12 bytes long and no part of another value, so that they can be found where they must not be.
	//
	// By OAuth the address is that of the provider's API and reaches the driver as [connectors.Env.API]; whatever
	// address the configuration holds names the site only, and had best be another one: asking it fails the suite.
	// An access token is as long and mixed as real ones are.
	Config func(method, address string) map[string]any

	// Method is the auth method of the rows that take only one; empty for the definition's first.
	Method string

	// Handler is the healthy system. It is called by many goroutines at once and refuses page tokens that it did not
	// hand out. Nil with a Harness.
	Handler http.Handler
	// Harness is a healthy system that is not reached over HTTP. Nil with a Handler.
	Harness *Harness

	// Containers are the ids of all containers, Items those of the items by container id, and Comments those of the
	// comments by item id, each in the order of the listing.
	Containers []string
	Items      map[string][]string
	Comments   map[string][]string
	// Commented are the ids of the items with comments by container id, for a [connectors.CommentedLister]. The longest
	// of the listings has more than one page in the healthy system.
	Commented map[string][]string
	// MissingContainer and MissingItem are well-formed ids of nothing.
	MissingContainer string
	MissingItem      string
	// HostileIDs are further ids of nothing that try to break out of the connector's own queries.
	HostileIDs []string

	// EmptyPage are systems with the same entries whose listing has an empty page before its end, and RepeatToken
	// systems whose listing never ends since a page token comes again; by operation ("containers", "items",
	// "comments", "commented"). Gaps are systems of which the account may not read a part, so that an answer has
	// [connectors.Page.Incomplete], for "commented".
	EmptyPage   map[string]http.Handler
	RepeatToken map[string]http.Handler
	Gaps        map[string]http.Handler

	// Clock returns the healthy system by another clock than this machine's, for a [connectors.Timekeeper] that reads the
	// time in bodies. Nil where it reads it in the header Date, which the suite sets by itself.
	Clock func(now func() time.Time) http.Handler

	// Query is a query in the system's own language that finds QueryItems, for connectors with
	// [connectors.CapQuery].
	Query      string
	QueryItems []string

	// Sites are the ids of the sites that a grant reaches in the healthy system, for connectors with OAuth.
	Sites []string

	// Raw is the provider's own object by item id, for at least one item where there is no Handler to compare with.
	Raw map[string]string

	// AnyOrder names the operations whose order depends on the page's size: every entry is still expected once.
	AnyOrder []string

	// Skip names the rows that cannot apply.
	Skip []Skip

	// patience is how long an operation may take to return after its context has ended.
	patience time.Duration
	hangTime time.Duration // the deadline of an operation that meets a fault that hangs
	sealer   connectors.Sealer
}

// Skip is rows that cannot apply to a connector. A Skip that fits no row fails the suite.
type Skip struct {
	Rows   string // a regular expression that fits the whole name of a row, such as `items/(429|html_.*)`
	Reason string
}

// Harness is a system that is not reached over HTTP.
type Harness struct {
	// Start starts the healthy system, or finds one that runs, and returns its host:port.
	Start func(tb TB) string
	// Faults turn a valid configuration into one that the system answers with a fault, by the name of the fault: a
	// wrong password for "401".
	Faults map[string]func(config map[string]any)
}

// row is one check of the suite.
type row struct {
	name  string
	check func(tb TB, s *Suite)
}

const defaultPatience = 10 * time.Second

// Run checks the connector, each row in a subtest. It may not run in parallel with other tests of the package: some
// rows count goroutines and capture the default logger.
func Run(t *testing.T, s Suite) {
	t.Helper()
	if faults := s.faults(); len(faults) > 0 {
		t.Fatalf("the suite is not complete: %s", strings.Join(faults, "; "))
	}
	for _, r := range s.rows() {
		t.Run(r.name, func(t *testing.T) {
			if reason, skipped := s.skipped(r.name); skipped {
				t.Logf("does not apply: %s", reason)
				return
			}
			r.check(t, &s)
		})
	}
}

// rows returns every row that the suite has for the connector.
func (s *Suite) rows() []row {
	all := []row{
		{"spec/identity", checkIdentity},
		{"spec/fields", checkFields},
		{"spec/auth", checkAuth},
		{"spec/capabilities", checkCapabilities},
		{"spec/driver_type", checkDriverType},
		{"config/complete", checkCompleteConfig},
		{"config/required", checkRequired},
		{"config/unknown_field", checkUnknownField},
		{"config/hostile_values", checkHostileValues},
		{"config/url", checkURL},
		{"config/context_path", checkContextPath},
		{"new/no_request", checkNoRequest},
		{"new/no_goroutine", checkNoGoroutine},
		{"env/only_way_out", checkOnlyWayOut},
		{"probe/healthy", checkProbe},
	}
	for _, op := range s.operations() {
		for _, f := range faults() {
			all = append(all, row{op.name + "/" + f.name, func(tb TB, s *Suite) { f.check(tb, s, op) }})
		}
		all = append(all, row{op.name + "/cancel", func(tb TB, s *Suite) { checkCancel(tb, s, op) }})
	}
	if s.oauth() != nil {
		all = append(all, oauthRows()...)
	}
	for _, op := range s.listings() {
		rows := listingRows
		if op.ids {
			rows = commentedRows
		}
		for _, r := range rows {
			all = append(all, row{op.name + "/" + r.name, func(tb TB, s *Suite) { r.check(tb, s, op) }})
		}
		all = append(all, ownRows[op.name]...)
	}
	if can[connectors.Timekeeper](s) {
		all = append(all, timeRows...)
	}
	if can[connectors.CommentCounter](s) {
		all = append(all, countRows...)
	}
	return append(all, []row{
		{"all/concurrent", checkConcurrent},
		{"all/hostile_ids", checkHostileIDs},
		{"all/unsupported", checkUnsupported},
		{"secrets/printed", checkPrinted},
		{"secrets/errors", checkSecretErrors},
		{"secrets/logs", checkSecretLogs},
		{"close/twice", checkCloseTwice},
		{"close/no_goroutine", checkLeaks},
	}...)
}

// listingRow is one check of a listing.
type listingRow struct {
	name  string
	check func(tb TB, s *Suite, op operation)
}

// listingRows are the rows that every listing of whole entries has.
var listingRows = []listingRow{
	{"every_entry_once", checkEveryEntryOnce},
	{"empty_page", checkEmptyPage},
	{"repeated_token", checkRepeatedToken},
	{"foreign_cursor", checkForeignCursor},
	{"damaged_cursor", checkDamagedCursor},
	{"unknown_token", checkUnknownToken},
	{"limits", checkLimits},
	{"raw", checkRaw},
	{"shape", checkShape},
}

// ownRows are the rows that only one listing has.
var ownRows = map[string][]row{
	connectors.CapItems: {
		{"items/unknown_container", checkUnknownContainer},
		{"items/filters", checkFilters},
	},
	connectors.CapComments: {{"comments/unknown_item", checkUnknownItem}},
}

// agree reports whether a listing is the one expected.
func (s *Suite) agree(op operation, got, want []string) bool {
	if op.ids {
		return slices.Equal(distinct(got), distinct(want))
	}
	if slices.Contains(s.AnyOrder, op.name) {
		got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	}
	return slices.Equal(got, want)
}

// method returns the auth method of the rows that take only one.
func (s *Suite) method() string { return cmp.Or(s.Method, s.Definition.Auth[0].ID) }
