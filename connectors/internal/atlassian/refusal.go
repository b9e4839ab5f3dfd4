package atlassian

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// loginReason is the header in which Jira and Confluence say what became of the credential, whatever the status.
const loginReason = "X-Seraph-LoginReason"

// refusals complete what is said of a refused credential, by auth method.
var refusals = map[string]string{
	MethodAPIKey: " refused the credential: check that api_email owns the token, and that api_token has not expired and has no scopes " +
		"(with scopes it takes auth_method " + MethodScoped + "), then connect again",
	MethodScoped:           " refused the credential: check that api_email owns the token, and that api_token has not expired and has scopes, then connect again",
	MethodPAT:              " refused the personal access token: check that it has not expired or been revoked, then connect again",
	connectors.MethodOAuth: " refused the access token: connect again",
}

// Judge returns what finds refused credentials in the answers of a system, for an auth method. A site can answer 200 to
// those, as to anyone without a credential; and the gateway answers 401 where only the consent is too narrow.
func Judge(system, method string) func(rest.Answer) *connectors.Error {
	refused := refusals[method]
	return func(a rest.Answer) *connectors.Error {
		reason := strings.ToUpper(strings.Join(a.Header.Values(loginReason), " "))
		switch {
		case a.Status == http.StatusUnauthorized && (method == connectors.MethodOAuth || method == MethodScoped) && isNarrow(a.Body):
			return connectors.Denied(nil, "the scopes of the consent or token do not cover what %s was asked for: connect again with more scopes", system)
		case strings.Contains(reason, "AUTHENTICATION_DENIED"):
			return connectors.Errorf(connectors.Reauthorize,
				"%s wants the account to log in with a browser first, after failed attempts: log in there, then connect again", system)
		case a.Status == http.StatusUnauthorized, strings.Contains(reason, "AUTHENTICATED_FAILED"), strings.Contains(reason, "AUTHORISATION_FAILED"):
			return connectors.Errorf(connectors.Reauthorize, "%s", system+refused)
		}
		return nil
	}
}

// isNarrow reports whether the gateway refused a good token since the consent lacks a scope. Its words are its only
// sign.
func isNarrow(body []byte) bool {
	return len(body) < 4<<10 && strings.Contains(strings.ToLower(string(body)), "scope does not match")
}

// Faults returns the messages of an error body of the gateway or of a product; those about fields behind the field's
// name.
func Faults(body []byte) []string {
	var e struct {
		ErrorMessages []string        `json:"errorMessages"`
		Errors        json.RawMessage `json:"errors"`
		Message       string          `json:"message"`
	}
	if json.Unmarshal(body, &e) != nil {
		return nil
	}
	out := append(e.ErrorMessages, faultList(e.Errors)...)
	if e.Message != "" {
		out = append(out, e.Message)
	}
	return out
}

// faultList reads "errors": an object of messages by field, as Jira has it, or a list, as version 2 of Confluence.
func faultList(errors json.RawMessage) []string {
	var out []string
	var byField map[string]string
	if json.Unmarshal(errors, &byField) == nil {
		for field, message := range byField {
			out = append(out, field+": "+message)
		}
		slices.Sort(out)
		return out
	}
	var list []struct{ Title, Detail string }
	if json.Unmarshal(errors, &list) == nil {
		for _, one := range list {
			out = append(out, cmp.Or(one.Detail, one.Title))
		}
	}
	return out
}
