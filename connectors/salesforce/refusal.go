package salesforce

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// Error codes of Salesforce that say more than the status.
const (
	invalidSession  = "INVALID_SESSION_ID"
	limitExceeded   = "REQUEST_LIMIT_EXCEEDED"
	queryTimeout    = "QUERY_TIMEOUT"
	invalidLocator  = "INVALID_QUERY_LOCATOR"
	invalidField    = "INVALID_FIELD"
	invalidType     = "INVALID_TYPE"
	tooManyIDs      = "EXCEEDED_ID_LIMIT"
	outsideOfMemory = "INVALID_REPLICATION_DATE"
)

// deniedCodes are the refusals with status 400 for what the user may not do.
var deniedCodes = []string{
	"INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
	"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "FUNCTIONALITY_NOT_ENABLED",
}

// badTokens are the bodies with which the identity services refuse a token, with status 403.
var badTokens = []string{"Bad_OAuth_Token", "Missing_OAuth_Token", "Wrong_Org", "Inactive_User", "Inactive_Org"}

// judge returns what finds the refusals that Salesforce answers with a status that says otherwise.
func judge(c *rest.Client) func(rest.Answer) *connectors.Error {
	return func(a rest.Answer) *connectors.Error {
		code := errorCode(a.Body)
		switch {
		case a.Status < http.StatusBadRequest:
			return nil
		case code == limitExceeded:
			return connectors.Errorf(connectors.RateLimited,
				"the org has used up its API requests, or too many run at once: wait, or ask its administrator for more")
		case code == invalidSession, a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden && isBadToken(a.Body):
			return connectors.Errorf(connectors.Reauthorize, "Salesforce refused the access token: connect again")
		case code == queryTimeout:
			return connectors.Wrap(connectors.Timeout, refused{code},
				"Salesforce gave up on the query, which took it too long: ask for less, or filter by indexed fields")
		case a.Status == http.StatusBadRequest && code != "":
			return badRequest(c, a, code)
		}
		return nil
	}
}

// badRequest returns the error for a refusal with status 400, with its code as the cause.
func badRequest(c *rest.Client, a rest.Answer, code string) *connectors.Error {
	said := ""
	if messages := c.Messages(a); len(messages) > 0 {
		said = " (" + strings.Join(messages, "; ") + ")"
	}
	switch {
	case code == invalidLocator:
		return connectors.Wrap(connectors.InvalidRequest, refused{code},
			"Salesforce no longer knows the position in the result of the query: start again without a cursor")
	case slices.Contains(deniedCodes, code):
		return connectors.Denied(refused{code}, "Salesforce forbids this to the account%s. %s", said, c.Forbidden)
	}
	return connectors.Wrap(connectors.InvalidRequest, refused{code}, "Salesforce refused the request with status 400%s", said)
}

// refused is the cause of an error that Salesforce gave a code of its own.
type refused struct{ code string }

// Error implements error.
func (r refused) Error() string { return "Salesforce answered " + r.code }

// codeOf returns Salesforce's own code of an error, "" where it has none.
func codeOf(err error) string {
	var r refused
	errors.As(err, &r)
	return r.code
}

// ours returns the error for a query that ucf made by itself and that was refused: nobody who reads it can mend the
// query.
func (d *Driver) ours(object string, err error) error {
	code := codeOf(err)
	if connectors.CodeOf(err) != connectors.InvalidRequest || code == "" || code == invalidLocator {
		return err
	}
	said := connectors.AsError(err).Message
	switch {
	case code == invalidType:
		return noObject(err, object)
	case strings.Contains(said, "Implementation restriction"), strings.Contains(said, "EXTERNAL_OBJECT"):
		return connectors.Wrap(connectors.Unsupported, err, "Salesforce does not list %s as a whole: ask with a query that it takes. %s", object, said)
	case code == invalidField && strings.Contains(said, "No such column"):
		return connectors.Denied(err, "the account may not read a field of %s that ucf needs: %s. %s", object, said, d.api.Forbidden)
	}
	return connectors.Wrap(connectors.ProviderError, err, "Salesforce does not take the query that ucf makes for %s: %s", object, said)
}

func isBadToken(body []byte) bool {
	said := string(bytes.Trim(body[:min(len(body), 64)], " \r\n\""))
	return slices.Contains(badTokens, said)
}

// fault is one entry of the list that a refusal of the API carries.
type fault struct {
	Message   string   `json:"message"`
	ErrorCode string   `json:"errorCode"`
	Fields    []string `json:"fields"`
}

func faultsIn(body []byte) []fault {
	var list []fault
	if json.Unmarshal(body, &list) != nil {
		return nil
	}
	return list
}

// codeForm is how Salesforce writes its codes; anything else is no code.
var codeForm = regexp.MustCompile(`^[A-Z][A-Z_]{2,59}$`)

// errorCode returns the first code of a refusal.
func errorCode(body []byte) string {
	if list := faultsIn(body); len(list) > 0 && codeForm.MatchString(list[0].ErrorCode) {
		return list[0].ErrorCode
	}
	return ""
}

// faults returns the messages of a refusal: a list of the API's, or the object of an OAuth endpoint.
func faults(body []byte) []string {
	var out []string
	for _, f := range faultsIn(body) {
		text := strings.Trim(f.ErrorCode+": "+f.Message, ": ")
		if len(f.Fields) > 0 {
			text += " [" + strings.Join(f.Fields, ", ") + "]"
		}
		out = append(out, text)
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
