package sandbox

import (
	"cmp"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a request for consent.
const (
	maxConsentQuery = 16 << 10
	maxScopes       = 100
)

// consentDesk is where users give consent to an app: the authorization endpoint of one provider, after RFC 6749,
// section 4.1, and RFC 7636 with S256.
type consentDesk struct {
	provider  string // as people write it
	authority *authority
	client    string
	redirects []string // empty for any loopback address
	auto      bool     // approves without asking
	people    []account
	sites     []*site
	scopes    []string          // for a request that names none; empty where a request must
	demanded  map[string]string // parameters that a request must have, and their values
}

// consentRequest is a request for consent whose app and redirect address are known to be good.
type consentRequest struct {
	redirect  *url.URL
	state     string
	challenge string
	scopes    []string
}

// authRefusal is an error that the app is told, after RFC 6749, section 4.1.2.1.
type authRefusal struct {
	code, description string
}

// ServeHTTP shows the page, and takes what the user decided on it.
func (d *consentDesk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > maxConsentQuery {
		writeDeskError(w, "The request is too long.")
		return
	}
	query := r.URL.Query()
	request, err := d.identify(query)
	if err != nil {
		writeDeskError(w, err.Error())
		return
	}
	if bad := d.read(query, request); bad != nil {
		request.answer(w, r, url.Values{"error": {bad.code}, "error_description": {bad.description}})
		return
	}
	choice := query
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxConsentQuery)
		if err := r.ParseForm(); err != nil {
			writeDeskError(w, "The form cannot be read.")
			return
		}
		choice = r.PostForm
	} else if !d.auto && query.Get("approve") != "auto" {
		d.show(w, query, request)
		return
	}
	d.decide(w, r, request, choice)
}

// decide carries out what the user, or approve=auto, has chosen.
func (d *consentDesk) decide(w http.ResponseWriter, r *http.Request, request *consentRequest, choice url.Values) {
	asked := r.Method == http.MethodPost
	switch decision := choice.Get("decision"); {
	case asked && decision == "deny":
		request.answer(w, r, url.Values{"error": {"access_denied"}, "error_description": {"the user denied the request"}})
		return
	case asked && decision != "approve":
		writeDeskError(w, "The form says neither approve nor deny.")
		return
	}
	person, ok := d.person(choice.Get("account"))
	if !ok {
		writeDeskError(w, "There is no such account.")
		return
	}
	sites, ok := d.chosen(choice["site"], !asked)
	if !ok {
		writeDeskError(w, "There is no such site.")
		return
	}
	code := d.authority.approve(consent{
		client: d.client, redirectURI: r.URL.Query().Get("redirect_uri"), challenge: request.challenge,
		account: person, scopes: request.scopes, sites: sites,
	})
	request.answer(w, r, url.Values{"code": {code}})
}

// identify finds out whether the request comes from a known app and leads back to it. Nobody is redirected before.
func (d *consentDesk) identify(query url.Values) (*consentRequest, error) {
	if !same(query.Get("client_id"), d.client) {
		return nil, refusal("The client_id is unknown.")
	}
	redirect, err := url.Parse(query.Get("redirect_uri"))
	if err != nil || !d.leadsHome(query.Get("redirect_uri"), redirect) {
		return nil, refusal("The redirect_uri is not registered for this app.")
	}
	return &consentRequest{redirect: redirect, state: query.Get("state")}, nil
}

func (d *consentDesk) leadsHome(uri string, u *url.URL) bool {
	if len(d.redirects) > 0 {
		return slices.Contains(d.redirects, uri)
	}
	loopback := u.Hostname() == "localhost"
	if ip := net.ParseIP(u.Hostname()); ip != nil {
		loopback = ip.IsLoopback()
	}
	return loopback && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && !strings.Contains(uri, "#")
}

// read takes the rest of the request and returns what is wrong with it, nil for nothing.
func (d *consentDesk) read(query url.Values, request *consentRequest) *authRefusal {
	if query.Get("response_type") != "code" {
		return &authRefusal{"unsupported_response_type", "response_type must be code"}
	}
	for _, name := range slices.Sorted(maps.Keys(d.demanded)) {
		got, want := query.Get(name), d.demanded[name]
		switch {
		case got == "":
			return &authRefusal{"invalid_request", name + " is missing"}
		case want != "" && got != want:
			return &authRefusal{"invalid_request", name + " must be " + want}
		}
	}
	request.scopes = strings.Fields(query.Get("scope"))
	if len(request.scopes) == 0 {
		request.scopes = d.scopes
	}
	if len(request.scopes) == 0 || len(request.scopes) > maxScopes || !visible(request.scopes) {
		return &authRefusal{"invalid_scope", "scope must name 1 to 100 scopes"}
	}
	request.challenge = query.Get("code_challenge")
	return checkChallenge(request.challenge, d.challengeMethod(query))
}

// challengeMethod returns the method of a challenge. Salesforce has one only, and clients such as jsforce leave it out.
func (d *consentDesk) challengeMethod(query url.Values) string {
	method := query.Get("code_challenge_method")
	if d.provider == "Salesforce" && query.Get("code_challenge") != "" {
		method = cmp.Or(method, "S256")
	}
	return method
}

var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// checkChallenge returns what is wrong with a challenge, nil for a good one and for none.
func checkChallenge(challenge, method string) *authRefusal {
	if challenge == "" && method == "" || method == "S256" && challengeForm.MatchString(challenge) {
		return nil
	}
	return &authRefusal{"invalid_request", "code_challenge must be an S256 challenge, with code_challenge_method=S256"}
}

// visible reports whether the scopes have the characters of RFC 6749, section 3.3.
func visible(scopes []string) bool {
	return !slices.ContainsFunc(scopes, func(s string) bool {
		return strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' })
	})
}

// answer sends the browser back to the app.
func (c *consentRequest) answer(w http.ResponseWriter, r *http.Request, values url.Values) {
	to := *c.redirect
	query := to.Query()
	for name, v := range values {
		query[name] = v
	}
	if c.state != "" {
		query.Set("state", c.state)
	}
	to.RawQuery = query.Encode()
	protectPage(w, "'none'")
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// person finds an account by its number from 1, its id or its e-mail address; the first without any.
func (d *consentDesk) person(who string) (int, bool) {
	if who == "" {
		return 0, true
	}
	i := slices.IndexFunc(d.people, func(a account) bool { return who == a.id || who == a.email })
	if n, err := strconv.Atoi(who); err == nil && i < 0 {
		i = n - 1
	}
	return i, i >= 0 && i < len(d.people)
}

// chosen returns the sites that are named by cloudId or name, false when one does not exist; all of them when none is
// named and all is set.
func (d *consentDesk) chosen(named []string, all bool) ([]int, bool) {
	var sites []int
	all = all && len(named) == 0
	for i, s := range d.sites {
		if all {
			sites = append(sites, i)
		}
		named = slices.DeleteFunc(slices.Clone(named), func(name string) bool {
			here := name == s.cloudID || name == s.name
			if here {
				sites = append(sites, i)
			}
			return here
		})
	}
	return slices.Compact(sites), len(named) == 0
}
