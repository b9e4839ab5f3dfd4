package salesforce

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// apiVersion is the version of the API that this connector is made for, Summer '26.
const apiVersion = "67.0"

// wanted is apiVersion.
var wanted = version{Version: apiVersion}

// version is an entry of the list of versions.
type version struct {
	Version string `json:"version"`
}

// number returns the version as a number, 0 for what is none.
func (v version) number() float64 {
	n, _ := strconv.ParseFloat(v.Version, 64)
	return n
}

// usable returns the version that is asked for in an org that has the API up to v.
func (v version) usable() version {
	if v.number() < wanted.number() {
		return v
	}
	return wanted
}

// newestVersion asks which versions of the API an org has. Anyone may ask that.
func newestVersion(ctx context.Context, c *rest.Client) (version, http.Header, error) {
	var list []version
	header, err := c.Get(ctx, "/services/data/", nil, &list)
	if err != nil {
		return version{}, nil, err
	}
	if len(list) == 0 {
		return version{}, nil, c.Nonsense("no list of versions")
	}
	newest := slices.MaxFunc(list, func(a, b version) int { return cmp.Compare(a.number(), b.number()) })
	if newest.number() == 0 {
		return version{}, nil, c.Nonsense("a list of versions without numbers")
	}
	return newest, header, nil
}

// userAnswer is who is connected.
type userAnswer struct {
	UserID         string `json:"user_id"`
	OrganizationID string `json:"organization_id"`
	Name           string `json:"name"`
	Username       string `json:"preferred_username"`
}

func (u userAnswer) account() connectors.Account {
	return connectors.Account{ID: u.UserID, Name: cmp.Or(u.Name, u.Username, u.UserID)}
}

// userInfo asks who is connected.
func userInfo(ctx context.Context, c *rest.Client) (userAnswer, error) {
	var me userAnswer
	_, err := c.Get(ctx, "/services/oauth2/userinfo", nil, &me)
	if err == nil && me.UserID == "" {
		err = c.Nonsense("a user without an id")
	}
	return me, err
}

// org is what an organization says about itself.
type org struct {
	ID        string `json:"Id"`
	Name      string `json:"Name"`
	Type      string `json:"OrganizationType"`
	IsSandbox bool   `json:"IsSandbox"`
}

// organization asks what the org is called. The header tells how many requests it has used.
func organization(ctx context.Context, c *rest.Client, v version) (org, http.Header, error) {
	var found struct {
		Records []org `json:"records"`
	}
	query := url.Values{"q": {"SELECT Id, Name, OrganizationType, IsSandbox FROM Organization LIMIT 1"}}
	header, err := c.Get(ctx, rest.Path("services", "data", "v"+v.Version, "query"), query, &found)
	if err != nil {
		return org{}, nil, err
	}
	if len(found.Records) != 1 || found.Records[0].ID == "" {
		return org{}, nil, c.Nonsense("no organization")
	}
	return found.Records[0], header, nil
}

// name returns what people call the org, its host name where it does not say.
func (o org) name(api string) string {
	host := api
	if u, err := url.Parse(api); err == nil && u.Host != "" {
		host = u.Host
	}
	return cmp.Or(o.Name, host)
}

// kind returns the edition.
func (o org) kind() string {
	if o.IsSandbox {
		return "Sandbox, " + o.Type
	}
	return o.Type
}

// usageForm finds the requests of 24 hours in the header Sforce-Limit-Info, used and allowed.
var usageForm = regexp.MustCompile(`(?:^|[;,\s])api-usage=([0-9]{1,12})/([0-9]{1,12})`)

// usage returns how many requests an org has used, and how many it has.
func usage(h http.Header) (used, limit int, ok bool) {
	m := usageForm.FindStringSubmatch(strings.Join(h.Values("Sforce-Limit-Info"), "; "))
	if m == nil {
		return 0, 0, false
	}
	used, err := strconv.Atoi(m[1])
	limit, err2 := strconv.Atoi(m[2])
	return used, limit, err == nil && err2 == nil && limit > 0
}

// Error codes of Salesforce that the status does not tell.
const (
	invalidSession = "INVALID_SESSION_ID"
	limitExceeded  = "REQUEST_LIMIT_EXCEEDED"
)

// badTokens are the bodies with which the identity services refuse a token, with status 403.
var badTokens = []string{"Bad_OAuth_Token", "Missing_OAuth_Token", "Wrong_Org", "Inactive_User", "Inactive_Org"}

// judge finds refused tokens and used up requests, which Salesforce answers with a status that says otherwise.
func judge(a rest.Answer) *connectors.Error {
	code := errorCode(a.Body)
	switch {
	case a.Status < http.StatusBadRequest:
		return nil
	case code == limitExceeded:
		return connectors.Errorf(connectors.RateLimited,
			"the org has used up its API requests, or too many run at once: wait, or ask its administrator for more")
	case code == invalidSession, a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden && isBadToken(a.Body):
		return connectors.Errorf(connectors.Reauthorize, "Salesforce refused the access token: connect again")
	}
	return nil
}

func isBadToken(body []byte) bool {
	said := string(bytes.Trim(body[:min(len(body), 64)], " \r\n\""))
	return slices.Contains(badTokens, said)
}

// fault is one entry of the list that a refusal of the API carries.
type fault struct {
	Message   string `json:"message"`
	ErrorCode string `json:"errorCode"`
}

func faultsIn(body []byte) []fault {
	var list []fault
	if json.Unmarshal(body, &list) != nil {
		return nil
	}
	return list
}

// errorCode returns the first code of a refusal.
func errorCode(body []byte) string {
	for _, f := range faultsIn(body) {
		return f.ErrorCode
	}
	return ""
}

// faults returns the messages of a refusal: a list of the API's, or the object of an OAuth endpoint.
func faults(body []byte) []string {
	var out []string
	for _, f := range faultsIn(body) {
		out = append(out, strings.Trim(f.ErrorCode+": "+f.Message, ": "))
	}
	var e struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &e) == nil && e.Error != "" {
		out = append(out, strings.Trim(e.Error+": "+e.Description, ": "))
	}
	return out
}
