package oauth

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// Failure says what a failed request to a token endpoint means for the token or code that was sent.
type Failure string

// What a failure means.
const (
	// Refused: the provider will not take it again. Only a new consent helps.
	Refused Failure = "refused"
	// Outage: it was not used, and the same request may go better later.
	Outage Failure = "outage"
	// Ambiguous: nobody can tell whether it was used, because the answer was lost or makes no sense.
	Ambiguous Failure = "ambiguous"
	// Misconfigured: it was not used, because the provider does not accept how ucf is set up.
	Misconfigured Failure = "misconfigured"
)

// FailureOf returns what an error of [Client.Exchange] or [Client.Refresh] means, and "" for nil and for other errors.
func FailureOf(err error) Failure {
	var f *failed
	if errors.As(err, &f) {
		return f.kind
	}
	return ""
}

// failed marks the cause of an error with what it means. Its text may be logged.
type failed struct {
	kind  Failure
	cause error // nil where an answer came
}

func (f *failed) Error() string {
	if f.cause == nil {
		return string(f.kind)
	}
	return string(f.kind) + ": " + f.cause.Error()
}

func (f *failed) Unwrap() error { return f.cause }

// fail returns an error of that meaning; only a refusal asks for a new consent.
func fail(kind Failure, cause error, message string) *connectors.Error {
	code := connectors.ProviderError
	switch {
	case kind == Refused:
		code = connectors.Reauthorize
	case connectors.CodeOf(cause) == connectors.Timeout:
		code = connectors.Timeout
	case connectors.CodeOf(cause) == connectors.Unavailable:
		code = connectors.Unavailable // the caller went away
	}
	return &connectors.Error{Code: code, Message: message, Err: &failed{kind, cause}}
}

// faults are the error codes that blame the app or the request, never the token: RFC 6749 section 5.2, and
// Salesforce's own.
var faults = []string{
	"invalid_client", "invalid_client_id", "unauthorized_client", "access_denied", "invalid_scope", "invalid_request",
	"unsupported_grant_type", "redirect_uri_mismatch",
}

// spares are descriptions with which Salesforce says invalid_grant although the token is good: it refuses the address
// that calls, or so many calls.
var spares = map[string]Failure{"ip restricted": Misconfigured, "login rate exceeded": Outage}

// judge says what an answer that is not a success means. dead are the errors that refuse for good; code and description
// are those of RFC 6749 section 5.2, empty where the answer has none.
func judge(status int, code, description string, dead connectors.OAuthErrors) Failure {
	spared := spares[strings.ToLower(description)]
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable, code == "temporarily_unavailable":
		return Outage
	case status >= http.StatusInternalServerError:
		return Ambiguous
	case dead.Match(code, description) && spared != "":
		return spared
	case dead.Match(code, description):
		return Refused
	case slices.Contains(faults, code), status == http.StatusUnauthorized, wrongAddress(status):
		return Misconfigured
	}
	return Ambiguous
}

// wrongAddress reports whether a status says that there is no token endpoint.
func wrongAddress(status int) bool {
	return status/100 == 3 || status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusGone
}

// answered returns the error for an answer that is not a success. what names what was sent, as in "the refresh token".
func (c *Client) answered(r reply, what string, dead connectors.OAuthErrors, sent []connectors.Secret) *connectors.Error {
	p := c.App.Provider
	code, description := r.oauthError()
	kind := judge(r.status, code, description, dead)
	said := said(r, code, description, sent)
	var message string
	switch kind {
	case Refused:
		message = p.Name + " refused " + what + said
	case Misconfigured:
		message = p.Name + " " + c.advice(r.status, code) + said
	case Outage:
		message = p.Name + " takes no requests for now" + said + ": try again later"
	default:
		message = p.Name + " gave no sound answer" + said + ": try again"
	}
	e := fail(kind, nil, message)
	if r.status == http.StatusTooManyRequests || kind == Outage && r.status/100 == 4 {
		e.Code = connectors.RateLimited
	}
	if kind == Outage {
		e.RetryAfter = retryAfter(r.header.Get("Retry-After"), c.now())
	}
	return e
}

// advice says what to set where the provider does not accept how ucf is set up.
func (c *Client) advice(status int, code string) string {
	setting := func(name string) string { return strings.ToUpper(c.App.Provider.ID) + "_" + name }
	own := " (or client_secret, where the connection has an app of its own)"
	switch {
	case code == "invalid_client_id":
		return "does not know the client id of the OAuth app: check " + setting("CLIENT_ID")
	case code == "unauthorized_client":
		return "does not let the OAuth app do this: check its settings there, " + setting("CLIENT_ID") + " and " + setting("CLIENT_SECRET")
	case code == "invalid_client", status == http.StatusUnauthorized:
		return "does not accept the client secret of the OAuth app: check " + setting("CLIENT_SECRET") + own + " and that it belongs to " + setting("CLIENT_ID")
	case wrongAddress(status):
		return "has no token endpoint at its address: check " + c.App.Provider.Setting
	}
	return "does not accept the request: check the settings of the OAuth app there, its redirect addresses and scopes"
}

// said returns what the provider answered, in brackets and fit to be shown. A description that holds what was sent, or
// what looks like a token, is left out.
func said(r reply, code, description string, sent []connectors.Secret) string {
	out := "HTTP " + strconv.Itoa(r.status)
	if code != "" && len(code) <= 40 && !strings.ContainsFunc(code, notIdentifier) && !holds(code, sent) {
		out += " " + code
	}
	if description = strings.TrimSpace(description); description != "" && showable(description) && !holds(description, sent) {
		out += ": " + description
	}
	return " (" + out + ")"
}

func notIdentifier(r rune) bool {
	return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}

// showable reports whether a text is short, visible and has no word as long as a token.
func showable(s string) bool {
	const longest, word = 200, 24
	if len(s) > longest || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return false
	}
	return !slices.ContainsFunc(strings.Fields(s), func(w string) bool { return len(w) > word })
}

func holds(s string, secrets []connectors.Secret) bool {
	return slices.ContainsFunc(secrets, func(x connectors.Secret) bool { return !x.IsZero() && strings.Contains(s, x.Reveal()) })
}

// retryAfter reads a Retry-After header: seconds or a date; zero where it says nothing.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
