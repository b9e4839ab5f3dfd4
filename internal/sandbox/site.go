package sandbox

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"time"
)

// siteNames are what the sites are called.
var siteNames = []string{"Acme", "Globex", "Initech", "Umbrella", "Hooli"}

// site is one Atlassian site with its products.
type site struct {
	name       string
	prefix     string // of its paths
	cloudID    string
	jira       *jira
	confluence *confluence
}

// permission is what a request to a product needs.
type permission struct {
	open   bool       // nothing, at the site itself
	scopes [][]string // at the gateway, one of these sets; empty for a token with any scope
}

// door lets requests to the products of a site pass.
type door interface {
	// enter returns the number of the account that makes the request. It answers the request itself when that is
	// refused. Requests that are to be treated as anonymous pass.
	enter(w http.ResponseWriter, r *http.Request, need permission) (caller int, ok bool)
	// refuse answers as to credentials that are not accepted.
	refuse(w http.ResponseWriter, r *http.Request)
}

// siteDoor asks for the site's Basic credentials.
type siteDoor struct {
	prefix       string
	email, token string
}

func (d *siteDoor) enter(w http.ResponseWriter, r *http.Request, need permission) (caller int, ok bool) {
	if need.open {
		return 0, true
	}
	if isAnonymous(r) {
		w.Header().Set("X-Seraph-LoginReason", "AUTHENTICATED_FAILED")
		return 0, true
	}
	email, token, ok := r.BasicAuth()
	if !ok || !same(email, d.email) || !same(token, d.token) {
		d.refuse(w, r)
		return 0, false
	}
	return 0, true
}

// same compares without telling by its time where two secrets differ.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// refuse answers as a site does to credentials that it does not accept: plain words, not JSON.
func (d *siteDoor) refuse(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("WWW-Authenticate", `OAuth realm="`+url.QueryEscape(hostOf(r)+d.prefix)+`"`)
	header.Set("X-Seraph-LoginReason", "AUTHENTICATED_FAILED")
	writeHTML(w, http.StatusUnauthorized, messageUnauthenticated)
}

// hostOf is the address of the sandbox as this client wrote it.
func hostOf(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// newSites makes the sites. All know the same accounts; what else the second and later ones hold follows from seeds of
// their own.
func newSites(o Options, zone *time.Location, faults *faultLayer, people []account) ([]*site, error) {
	var sites []*site
	var everyone []account
	for i, name := range siteNames[:o.Sites] {
		own := o
		own.Seed = o.Seed + uint64(i)
		w := newWorld(own, zone)
		if i == 0 {
			everyone = w.accounts
		}
		w.accounts = everyone
		s := &site{name: name, prefix: sitePrefixes[i], cloudID: cloudID(own.Seed)}
		now := clockOf(own)
		j := &jira{world: w, faults: faults, now: now, home: s.prefix, name: name, pages: newPageTokens(own.Seed)}
		if err := j.know(people); err != nil {
			return nil, err
		}
		s.jira = j
		s.confluence = newConfluence(own, w, s.prefix, people, faults, now)
		sites = append(sites, s)
	}
	return sites, nil
}

// clockOf is the clock of a site's content.
func clockOf(o Options) func() time.Time {
	still := epoch(o.Seed)
	if o.Now == nil {
		return func() time.Time { return still }
	}
	return o.Now
}

// sitePrefixes are the paths of the sites.
var sitePrefixes = []string{sitePrefix, "/globex", "/initech", "/umbrella", "/hooli"}

func cloudID(seed uint64) string {
	return string((&pen{rng: newRNG(seed, domainSite, 0)}).uuid(nil))
}
