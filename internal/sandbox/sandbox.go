// Package sandbox is a deterministic local stand-in for the providers that ucf connects to, for trying ucf without
// an account and for testing it. Everything it answers is computed from a seed when it is asked for, so a site of
// millions of issues costs no memory, and the same options always give the same bytes. Faults can be ordered.
//
// It imitates the vendors' documented behaviour and stands alone: it shares no code with the connectors it tests.
package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"
	_ "time/tzdata" // the account's zone must load on a machine without a zone database
)

// Bounds of Options. They keep every generated id within 53 bits.
const (
	MaxProjects = 10_000
	MaxIssues   = 1_000_000_000
	MaxComments = 1_000
)

// Defaults of Options.
const (
	DefaultProjects = 5
	DefaultIssues   = 1_000
	DefaultComments = 3
	DefaultSeed     = 1
	DefaultEmail    = "you@example.com"
	DefaultToken    = "sandbox"
	DefaultTimeZone = "Europe/Berlin"
)

// None asks for no issues or no comments at all, where 0 asks for the default.
const None = -1

// Options says what the sandbox holds. A zero field means its default.
type Options struct {
	// Projects is the number of projects, 1 to MaxProjects.
	Projects int
	// Issues is the number of issues in all projects together, up to MaxIssues or None, dealt out evenly.
	Issues int
	// Comments is the average number of comments of an issue, up to MaxComments or None. Issues have 0 to twice as
	// many; the third issue of each project has 250, more than two pages.
	Comments int
	// Seed decides all content, and which requests meet a fault that has a rate.
	Seed uint64
	// Faults are applied in the order given; see ParseFault.
	Faults []Fault
	// Now is the site's clock: serverTime, relative dates in JQL, and the age of page tokens. By default it stands
	// still at a moment that follows from the seed.
	Now func() time.Time
	// Email and Token are the accepted Basic credentials.
	Email, Token string
	// AccountTimeZone is the IANA zone of the account's profile. Jira writes times and reads JQL dates in it.
	AccountTimeZone string
}

// Server answers for all providers, each below its own path prefix: /acme is an Atlassian site. It is safe for
// concurrent use and holds nothing that has to be closed.
type Server struct {
	handler http.Handler
	options Options
}

// New checks the options and returns a server for them. An error names every option at fault.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	zone, err := o.check()
	if err != nil {
		return nil, err
	}
	layer := newFaultLayer(o.Seed, o.Faults)
	site := &jira{
		world:  newWorld(o, zone),
		faults: layer,
		now:    o.Now,
		prefix: sitePrefix,
		email:  o.Email,
		token:  o.Token,
		pages:  newPageTokens(o.Seed),
	}
	router := newRouter()
	site.mount(router)
	return &Server{handler: layer.wrap(router), options: o}, nil
}

// sitePrefix is the path of the Atlassian site.
const sitePrefix = "/acme"

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.handler.ServeHTTP(w, r)
}

// Env returns the NAME=value lines that point ucf at a sandbox reachable at baseURL, such as
// http://127.0.0.1:8090; a trailing slash is dropped. The values need no quoting for a shell unless the options do.
func (s *Server) Env(baseURL string) []string {
	return []string{
		"UCF_JIRA_BASE_URL=" + strings.TrimRight(baseURL, "/") + sitePrefix,
		"UCF_JIRA_API_EMAIL=" + s.options.Email,
		"UCF_JIRA_API_TOKEN=" + s.options.Token,
	}
}

func (o Options) withDefaults() Options {
	o.Projects = cmp.Or(o.Projects, DefaultProjects)
	o.Issues = cmp.Or(o.Issues, DefaultIssues)
	o.Comments = cmp.Or(o.Comments, DefaultComments)
	o.Seed = cmp.Or(o.Seed, DefaultSeed)
	o.Email = cmp.Or(o.Email, DefaultEmail)
	o.Token = cmp.Or(o.Token, DefaultToken)
	o.AccountTimeZone = cmp.Or(o.AccountTimeZone, DefaultTimeZone)
	if o.Now == nil {
		still := epoch(o.Seed)
		o.Now = func() time.Time { return still }
	}
	return o
}

func (o Options) check() (*time.Location, error) {
	var faults []string
	bound := func(name string, got, low, high int) {
		if got < low || got > high {
			faults = append(faults, fmt.Sprintf("%s must be %d to %d, not %d", name, low, high, got))
		}
	}
	bound("projects", o.Projects, 1, MaxProjects)
	bound("issues", o.Issues, None, MaxIssues)
	bound("comments", o.Comments, None, MaxComments)
	if strings.Contains(o.Email, ":") {
		faults = append(faults, "email must not contain a colon, which ends the user name in Basic authentication")
	}
	for _, f := range o.Faults {
		if f.kind == "" {
			faults = append(faults, "a fault is empty: make it with ParseFault")
		}
	}
	zone, err := time.LoadLocation(o.AccountTimeZone)
	if err != nil {
		faults = append(faults, fmt.Sprintf("account time zone %q is unknown: use an IANA name such as %s", o.AccountTimeZone, DefaultTimeZone))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("sandbox options: %s", strings.Join(faults, "; "))
	}
	return zone, nil
}
