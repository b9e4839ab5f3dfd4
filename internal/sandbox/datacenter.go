package sandbox

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Paths of the products of a Data Center. They hold what the first site of the Cloud holds.
const (
	dcJiraPrefix       = "/datacenter/jira"
	dcConfluencePrefix = "/datacenter/confluence"
)

// dataCenter is Jira and Confluence as they run in a customer's own Data Center: a personal access token as a bearer
// token, users by name and key, offsets for pages, wiki markup in Jira.
type dataCenter struct {
	token string
	site  *site
	names []string // of the users, as the accounts are numbered
}

func newDataCenter(o Options, s *site) *dataCenter {
	d := &dataCenter{token: o.PersonalToken, site: s}
	for i, who := range s.jira.world.accounts {
		name, _, _ := strings.Cut(strings.ToLower(who.name), " ")
		if strings.ContainsFunc(name, func(r rune) bool { return r < 'a' || r > 'z' }) {
			name = "user" + strconv.Itoa(i)
		}
		d.names = append(d.names, name)
	}
	return d
}

// enter lets a request with the token pass, and one without any as anonymous. Basic authentication is switched off, as
// it is by default in the newer versions.
func (d *dataCenter) enter(next http.HandlerFunc, open bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		scheme, token, _ := strings.Cut(header, " ")
		if header == "" && !open {
			r = r.WithContext(context.WithValue(r.Context(), anonymousKey{}, true))
		}
		if header != "" && (!strings.EqualFold(scheme, "Bearer") || !same(token, d.token)) {
			w.Header().Set("X-Seraph-LoginReason", "AUTHENTICATED_FAILED")
			w.Header().Set("WWW-Authenticate", `OAuth realm="`+hostOf(r)+`"`)
			d.refuse(w, r)
			return
		}
		next(w, r)
	}
}

func (d *dataCenter) refuse(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, dcConfluencePrefix) {
		writeFirstError(w, http.StatusUnauthorized, "The token is not valid or has expired.")
		return
	}
	writeError(w, http.StatusUnauthorized, "You are not authenticated. Authentication required to perform this operation.")
}

func userKey(i int) string { return "JIRAUSER" + strconv.Itoa(10_000+i) }

// user finds who is asked for by name or key.
func (d *dataCenter) user(r *http.Request) (int, bool) {
	query := r.URL.Query()
	i := slices.Index(d.names, query.Get("username"))
	if key := query.Get("key"); key != "" {
		i = slices.IndexFunc(d.names, func(string) bool { return false })
		for n := range d.names {
			if userKey(n) == key {
				i = n
			}
		}
	}
	return i, i >= 0 && !isAnonymous(r)
}
