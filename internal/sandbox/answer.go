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
		writeError(w, http.StatusNotFound, "null for uri: "+req.URL.Path)
	})
	return r
}

// ServeHTTP knows no path that is not clean: the mux would redirect it, the providers do not.
func (r *router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if path.Clean(req.URL.Path) != req.URL.Path {
		writeError(w, http.StatusNotFound, "null for uri: "+req.URL.Path)
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
			writeError(w, http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed")
			return
		}
		handler(w, req)
	})
}
