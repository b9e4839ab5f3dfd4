package sandbox

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

const (
	contentJSON = "application/json;charset=UTF-8"
	contentHTML = "text/html;charset=UTF-8"
)

const (
	messageUnauthenticated = "Client must be authenticated to access this resource."
	messageRemoved         = "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. " +
		"A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)

const loginPage = `<!DOCTYPE html>
<html lang="en"><head><title>Log in with Atlassian account</title></head>
<body><form action="/login" method="post"><input name="username"><button>Continue</button></form></body></html>
`

const gatewayPage = `<html><head><title>Service temporarily unavailable</title></head>
<body><h1>The upstream server did not answer.</h1></body></html>
`

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", contentJSON)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// answerJSON writes the body that fill makes, from a pooled buffer.
func answerJSON(w http.ResponseWriter, fill func([]byte) []byte) {
	withBuffer(fill, func(body []byte) { writeJSON(w, http.StatusOK, body) })
}

func writeHTML(w http.ResponseWriter, status int, page string) {
	w.Header().Set("Content-Type", contentHTML)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(page))
}

// writeError answers with Jira's error collection.
func writeError(w http.ResponseWriter, status int, messages ...string) {
	body := []byte(`{"errorMessages":[`)
	for i, message := range messages {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendString(body, strings.ToValidUTF8(message, "\uFFFD"))
	}
	writeJSON(w, status, append(body, `],"errors":{}}`...))
}

// writeFailure answers in the way of the provider and API that the path belongs to.
func writeFailure(w http.ResponseWriter, r *http.Request, status int, message string) {
	message = strings.ToValidUTF8(message, "\uFFFD")
	under := func(prefix string) bool { return strings.HasPrefix(r.URL.Path, prefix+"/") }
	within := func(part string) bool { return strings.Contains(r.URL.Path, part) }
	product := under(apiPrefix + "/ex")
	switch {
	case under(authPrefix), under(salesforceOAuth):
		writeAuthError(w, status, authCode(status), message)
	case under(salesforcePrefix):
		writeDataError(w, status, dataCode(status), message)
	case under(apiPrefix) && (!product || status == http.StatusUnauthorized):
		writeGatewayError(w, status, message)
	case within("/wiki/api/v2/"):
		writeV2Error(w, status, dataCode(status), message)
	case within("/wiki/"), under(dcConfluencePrefix):
		writeValue(w, status, map[string]any{"statusCode": status, "message": message})
	default:
		writeError(w, status, message)
	}
}

// authCode is what an authorization server calls a failure.
func authCode(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "access_denied"
	case http.StatusTooManyRequests:
		return "too_many_requests"
	case http.StatusServiceUnavailable:
		return "temporarily_unavailable"
	}
	if status >= http.StatusInternalServerError {
		return "server_error"
	}
	return "invalid_request"
}

// dataCode is what the APIs of Salesforce and Confluence call a failure.
func dataCode(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "INVALID_SESSION_ID"
	case http.StatusForbidden, http.StatusTooManyRequests:
		return "REQUEST_LIMIT_EXCEEDED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusMethodNotAllowed:
		return "METHOD_NOT_ALLOWED"
	case http.StatusServiceUnavailable:
		return "SERVER_UNAVAILABLE"
	}
	return "UNKNOWN_EXCEPTION"
}

// refusal is an error whose text is what the provider tells the client.
type refusal string

func (e refusal) Error() string { return string(e) }

func refusef(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// router answers 404 and 405 in the providers' JSON, which http.ServeMux does not.
type router struct {
	mux *http.ServeMux
}

func newRouter() *router {
	r := &router{mux: http.NewServeMux()}
	r.mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		writeFailure(w, req, http.StatusNotFound, "null for uri: "+req.URL.Path)
	})
	return r
}

// ServeHTTP knows no path that is not clean: the mux would redirect it, the providers do not. Only Salesforce takes a
// slash at the end.
func (r *router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	clean := path.Clean(req.URL.Path)
	if strings.HasPrefix(clean, salesforcePrefix+"/") && req.URL.Path == clean+"/" {
		req = req.Clone(req.Context())
		req.URL.Path, req.URL.RawPath = clean, ""
	}
	if clean != req.URL.Path {
		writeFailure(w, req, http.StatusNotFound, "null for uri: "+req.URL.Path)
		return
	}
	r.mux.ServeHTTP(w, req)
}

// handle registers one path and its methods; GET answers HEAD too.
func (r *router) handle(pattern string, methods map[string]http.HandlerFunc) {
	if get, ok := methods[http.MethodGet]; ok {
		methods[http.MethodHead] = get
	}
	allowed := make([]string, 0, len(methods))
	for method := range methods {
		allowed = append(allowed, method)
	}
	slices.Sort(allowed)
	r.mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		handler, ok := methods[req.Method]
		if !ok {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			writeFailure(w, req, http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed")
			return
		}
		handler(w, req)
	})
}
