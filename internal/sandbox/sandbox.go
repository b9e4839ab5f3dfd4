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
	MaxSites    = 5
	MaxSpaces   = 1_000
	MaxPages    = 10_000_000
)

// Defaults of Options.
const (
	DefaultProjects = 5
	DefaultIssues   = 1_000
	DefaultComments = 3
	DefaultSpaces   = 5
	DefaultPages    = 200
	DefaultSeed     = 1
	DefaultEmail    = "you@example.com"
	DefaultToken    = "sandbox"
	DefaultTimeZone = "Europe/Berlin"

	DefaultScopedToken   = "sandbox-scoped"
	DefaultPersonalToken = "sandbox-pat"

	DefaultClientID     = "sandbox-client"
	DefaultClientSecret = "sandbox-secret"
	DefaultTokenTTL     = time.Hour
)

// None asks for no issues, no pages or no comments at all, where 0 asks for the default.
const None = -1

// Options says what the sandbox holds. A zero field means its default.
type Options struct {
	// Projects is the number of projects, 1 to MaxProjects.
	Projects int
	// Issues is the number of issues in all projects together, up to MaxIssues or None, dealt out evenly.
	Issues int
	// Comments is the average number of comments of an issue, a page and a blog post, up to MaxComments or None. They
	// have 0 to twice as many; the third issue of each project and the third page of the first five spaces have 250.
	Comments int
	// Spaces is the number of Confluence spaces, 1 to MaxSpaces.
	Spaces int
	// Pages is the number of pages in all spaces together, up to MaxPages or None, dealt out evenly. For every ten
	// there is a blog post. Some pages are archived, some are in the trash.
	Pages int
	// Records is the number of records of each of the Salesforce org's larger objects, up to MaxRecords or None. Cases
	// have Comments comments on average.
	Records int
	// DailyRequests is how many requests the Salesforce org has in 24 hours.
	DailyRequests int
	// Seed decides all content, and which requests meet a fault that has a rate.
	Seed uint64
	// Faults are applied in the order given; see ParseFault.
	Faults []Fault
	// Now is the site's clock: serverTime, relative dates in JQL, and the age of page tokens. By default it stands
	// still at a moment that follows from the seed. The Salesforce org's default clock is that of tokens.
	Now func() time.Time
	// Until is when the newest of the Salesforce org's records changed: by default a moment that follows from the seed,
	// or what Now says at the start.
	Until time.Time
	// Email and Token are the accepted Basic credentials. The Salesforce org takes Token as an access token.
	Email, Token string
	// ScopedToken is the API token that the gateway accepts with Email; it has every scope. A site refuses it.
	ScopedToken string
	// PersonalToken is the personal access token that the Data Center accepts.
	PersonalToken string
	// AccountTimeZone is the IANA zone of the account's profile. Jira writes times and reads JQL dates in it.
	AccountTimeZone string
	// Sites is the number of Atlassian sites, 1 to MaxSites: Acme at /acme, Globex at /globex, and so on.
	Sites int

	// ClientID and ClientSecret are those of the one OAuth app that both providers know.
	ClientID, ClientSecret string
	// RedirectURIs are the app's redirect addresses. Without any, every loopback address is good.
	RedirectURIs []string
	// AutoApprove gives consent without showing the page.
	AutoApprove bool
	// TokenTTL is the life of an access token, at least a second.
	TokenTTL time.Duration
	// ReuseInterval is how long after its first use a refresh token that rotates may be used again; a negative one is
	// none. A later use ends all refresh tokens of the grant.
	ReuseInterval time.Duration
	// RefreshIdle is how long a refresh token lives unused: by default 90 days at Atlassian and 30 at Salesforce.
	RefreshIdle time.Duration
	// NoRotation keeps Salesforce's refresh tokens as they are. Atlassian's always rotate.
	NoRotation bool
	// OAuthNow is the clock of codes and tokens, by default the real one.
	OAuthNow func() time.Time
}

// Server answers for all providers, each below its own path prefix: /acme is an Atlassian site, /auth and /api are
// Atlassian's authorization server and API, /datacenter/jira and /datacenter/confluence are a Data Center with the
// content of the first site, /salesforce is a Salesforce org. /control changes and counts what they hold. It is safe for concurrent use, holds
// nothing that has to be closed, and forgets grants and tokens with itself.
type Server struct {
	handler   http.Handler
	options   Options
	providers []*provider
	sites     []*site
	org       *org
}

// provider is an authorization server, as tests look at it.
type provider struct {
	authority *authority
	tokenPath string
	people    []account
	ids       []string // of the people, at this provider
}

func (p *provider) accountID(i int) string { return p.ids[i] }

// New checks the options and returns a server for them. An error names every option at fault.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	zone, err := o.check()
	if err != nil {
		return nil, err
	}
	layer, router := newFaultLayer(o.Seed, o.Faults), newRouter()
	people := whoConsents(newAccounts(o))
	sites, err := newSites(o, zone, layer, people)
	if err != nil {
		return nil, err
	}
	for _, s := range sites {
		front := &siteDoor{prefix: s.prefix, email: o.Email, token: o.Token}
		s.jira.mount(router, front, s.prefix)
		s.confluence.mount(router, front, s.prefix)
		router.handle(s.prefix+"/_edge/tenant_info", map[string]http.HandlerFunc{http.MethodGet: s.jira.tenantInfo(s.cloudID)})
	}
	server := &Server{options: o, sites: sites}
	server.addAtlassian(router, people, sites)
	center := newDataCenter(o, sites[0])
	center.mountJira(router)
	center.mountConfluence(router)
	server.addSalesforce(router, people, layer)
	server.handler = server.besideControl(server.countSpends(layer.wrap(router)))
	if o.Now != nil {
		server.handler = dated(server.handler, o.Now)
	}
	return server, nil
}

func (s *Server) addAtlassian(r *router, people []account, sites []*site) {
	o := s.options
	p := &provider{tokenPath: atlassianTokenPath, people: people, authority: newAuthority(rules{
		provider: "atlassian", life: o.TokenTTL, reuse: o.ReuseInterval, idle: cmp.Or(o.RefreshIdle, atlassianIdle), rotate: true,
		most: 1, offline: []string{"offline_access"}, newAccess: newSecret, newRefresh: newSecret,
	}, o.OAuthNow)}
	for _, who := range people {
		p.ids = append(p.ids, who.id)
	}
	s.providers = append(s.providers, p)
	auth := &atlassianAuth{authority: p.authority, app: apps{o.ClientID, o.ClientSecret}}
	auth.mount(r, &consentDesk{
		provider: "Atlassian", authority: p.authority, client: o.ClientID, redirects: o.RedirectURIs, auto: o.AutoApprove,
		people: people, sites: sites,
		demanded: map[string]string{"audience": "api.atlassian.com", "prompt": "consent", "state": "", "scope": ""},
	})
	(&gateway{authority: p.authority, email: o.Email, scoped: o.ScopedToken, people: people, sites: sites}).mount(r)
}

func (s *Server) addSalesforce(r *router, people []account, faults *faultLayer) {
	o, org := s.options, newOrg(s.options, people, faults)
	s.org = org
	p := &provider{tokenPath: salesforceTokenPath, people: people, ids: org.users, authority: newAuthority(rules{
		provider: "salesforce", life: o.TokenTTL, reuse: o.ReuseInterval, idle: cmp.Or(o.RefreshIdle, salesforceIdle),
		rotate: !o.NoRotation, most: salesforceGrants, offline: []string{"refresh_token", "offline_access"},
		newAccess:  func() string { return org.id + "!" + newSecret() },
		newRefresh: func() string { return refreshMark + newSecret() },
	}, o.OAuthNow)}
	s.providers = append(s.providers, p)
	org.authority = p.authority
	auth := &salesforceAuth{authority: p.authority, app: apps{o.ClientID, o.ClientSecret}, org: org}
	auth.mount(r, &consentDesk{
		provider: "Salesforce", authority: p.authority, client: o.ClientID, redirects: o.RedirectURIs, auto: o.AutoApprove,
		people: people, scopes: []string{"api", "id", "refresh_token"},
	})
	org.mount(r)
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
	base, o := strings.TrimRight(baseURL, "/"), s.options
	return []string{
		"UCF_JIRA_BASE_URL=" + base + sitePrefix,
		"UCF_JIRA_API_EMAIL=" + o.Email,
		"UCF_JIRA_API_TOKEN=" + o.Token,
		"UCF_CONFLUENCE_BASE_URL=" + base + sitePrefix,
		"UCF_CONFLUENCE_API_EMAIL=" + o.Email,
		"UCF_CONFLUENCE_API_TOKEN=" + o.Token,
		"UCF_SALESFORCE_INSTANCE_URL=" + base + salesforcePrefix,
		"UCF_SALESFORCE_ACCESS_TOKEN=" + o.Token,
		"ATLASSIAN_AUTH_URL=" + base + authPrefix,
		"ATLASSIAN_API_URL=" + base + apiPrefix,
		"ATLASSIAN_CLIENT_ID=" + o.ClientID,
		"ATLASSIAN_CLIENT_SECRET=" + o.ClientSecret,
		"SALESFORCE_LOGIN_URL=" + base + salesforcePrefix,
		"SALESFORCE_CLIENT_ID=" + o.ClientID,
		"SALESFORCE_CLIENT_SECRET=" + o.ClientSecret,
	}
}

// DataCenterEnv returns the lines that point ucf at the Jira and the Confluence of the sandbox's Data Center instead.
func (s *Server) DataCenterEnv(baseURL string) []string {
	base, o := strings.TrimRight(baseURL, "/"), s.options
	return []string{
		"UCF_JIRA_BASE_URL=" + base + dcJiraPrefix,
		"UCF_JIRA_PERSONAL_TOKEN=" + o.PersonalToken,
		"UCF_CONFLUENCE_BASE_URL=" + base + dcConfluencePrefix,
		"UCF_CONFLUENCE_PERSONAL_TOKEN=" + o.PersonalToken,
	}
}

func (o Options) withDefaults() Options {
	o.Projects = cmp.Or(o.Projects, DefaultProjects)
	o.Issues = cmp.Or(o.Issues, DefaultIssues)
	o.Comments = cmp.Or(o.Comments, DefaultComments)
	o.Spaces = cmp.Or(o.Spaces, DefaultSpaces)
	o.Pages = cmp.Or(o.Pages, DefaultPages)
	o.Records = cmp.Or(o.Records, DefaultRecords)
	o.Seed = cmp.Or(o.Seed, DefaultSeed)
	o.Email = cmp.Or(o.Email, DefaultEmail)
	o.Token = cmp.Or(o.Token, DefaultToken)
	o.ScopedToken = cmp.Or(o.ScopedToken, DefaultScopedToken)
	o.PersonalToken = cmp.Or(o.PersonalToken, DefaultPersonalToken)
	o.AccountTimeZone = cmp.Or(o.AccountTimeZone, DefaultTimeZone)
	o.Sites = cmp.Or(o.Sites, 1)
	o.ClientID = cmp.Or(o.ClientID, DefaultClientID)
	o.ClientSecret = cmp.Or(o.ClientSecret, DefaultClientSecret)
	o.TokenTTL = cmp.Or(o.TokenTTL, DefaultTokenTTL)
	o.ReuseInterval = cmp.Or(o.ReuseInterval, atlassianReuse)
	if o.OAuthNow == nil {
		o.OAuthNow = time.Now
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
	bound("spaces", o.Spaces, 1, MaxSpaces)
	bound("pages", o.Pages, None, MaxPages)
	bound("records", o.Records, None, MaxRecords)
	bound("sites", o.Sites, 1, MaxSites)
	if o.TokenTTL < time.Second {
		faults = append(faults, fmt.Sprintf("token ttl must be at least 1s, not %s", o.TokenTTL))
	}
	if o.DailyRequests < 0 {
		faults = append(faults, fmt.Sprintf("daily requests must not be negative, not %d", o.DailyRequests))
	}
	if o.RefreshIdle < 0 {
		faults = append(faults, fmt.Sprintf("refresh idle must not be negative, not %s", o.RefreshIdle))
	}
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
