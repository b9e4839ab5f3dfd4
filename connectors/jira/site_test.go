package jira

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	serverInfoPath = "/rest/api/3/serverInfo"
	myselfPath     = "/rest/api/3/myself"
	projectsPath   = "/rest/api/3/project/search"
	searchPath     = "/rest/api/3/search/jql"
	loginReason    = "X-Seraph-LoginReason"
	token          = "ATATT3xFfGF0aVeryLongTokenThatNobodyMaySee42"
)

// asked is a request as a site saw it.
type asked struct {
	method, path string
	query        url.Values
	body         searchRequest
}

// site is a Jira site on a real socket. It answers a path with its replies in turn, the last one again and again, and
// fails the test on a path without any, on a request that the API document does not allow, and on a reply not used.
type site struct {
	t       *testing.T
	url     string
	client  *http.Client
	prefix  string // the context path, which the API document does not know; what is not below it is not Jira's
	mu      sync.Mutex
	replies map[string][]reply
	used    map[string]int
	seen    []asked
}

type reply struct {
	status int
	header http.Header
	body   string
}

func ok(body string) reply { return reply{status: http.StatusOK, body: body} }

func status(code int, body string) reply { return reply{status: code, body: body} }

func (r reply) with(name, value string) reply {
	r.header = r.header.Clone()
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set(name, value)
	return r
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, replies: map[string][]reply{}, used: map[string]int{}}
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	s.url, s.client = server.URL, server.Client()
	t.Cleanup(func() {
		server.Close()
		for path, list := range s.replies {
			if s.used[path] < len(list) && !t.Skipped() {
				t.Errorf("%s: %d of %d replies used", path, s.used[path], len(list))
			}
		}
	})
	return s
}

// on adds replies for a path.
func (s *site) on(path string, replies ...reply) *site {
	s.replies[path] = append(s.replies[path], replies...)
	return s
}

const noComments = `{"comments":[],"startAt":0,"maxResults":50,"total":0}`

// canaries has a site answer what a probe asks of the endpoints of listings: it has one project and no issue.
func (s *site) canaries(prefix string) *site {
	return s.on(prefix+projectsPath, ok(`{"values":[`+projectJSON("PAY")+`],"startAt":0,"isLast":true,"total":1}`)).
		on(prefix+searchPath, ok(`{"issues":[],"isLast":true}`))
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.check(r)
	a := asked{method: r.Method, path: r.URL.EscapedPath(), query: r.URL.Query()}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &a.body); err != nil {
			s.t.Errorf("%s: body %q: %v", a.path, body, err)
		}
		if _, marked := r.Header["Idempotency-Key"]; marked {
			s.t.Error("the mark of a request that can be repeated travelled")
		}
	}
	s.mu.Lock()
	s.seen = append(s.seen, a)
	list := s.replies[a.path]
	n := s.used[a.path]
	s.used[a.path]++
	s.mu.Unlock()
	if len(list) == 0 && a.path == myselfPath { // who asks at the end of a listing is known
		list = []reply{ok(me)}
	}
	if len(list) == 0 {
		s.t.Errorf("unexpected %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	out := list[min(n, len(list)-1)]
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	for name, values := range out.header {
		w.Header()[name] = values
	}
	w.WriteHeader(out.status)
	_, _ = io.WriteString(w, out.body)
}

// requests returns the requests for a path.
func (s *site) requests(path string) []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []asked
	for _, a := range s.seen {
		if a.path == path {
			list = append(list, a)
		}
	}
	return list
}

// apiDocument is Atlassian's own document of the API, nil where it is not at hand.
var apiDocument = sync.OnceValues(func() (routers.Router, error) {
	path := filepath.Join(sharedDir(), "specs", "jira-v3.json")
	if _, err := os.Stat(path); err != nil {
		return nil, nil
	}
	doc, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil
	// Some of the other paths conflict with each other.
	for path := range doc.Paths.Map() {
		if !usedPaths[path] {
			doc.Paths.Delete(path)
		}
	}
	// The document's date-time includes Jira's offset without a colon.
	openapi3.DefineStringFormatValidator("date-time", openapi3.NewRegexpFormatValidator(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$`))
	return legacy.NewRouter(doc, openapi3.DisableExamplesValidation(), openapi3.DisableSchemaDefaultsValidation())
})

// usedPaths are the paths that a driver may ask for, as the document writes them.
var usedPaths = map[string]bool{
	serverInfoPath: true, myselfPath: true, projectsPath: true, searchPath: true,
	"/rest/api/3/issue/bulkfetch": true, "/rest/api/3/search/approximate-count": true,
	"/rest/api/3/project/{projectIdOrKey}": true, "/rest/api/3/issue/{issueIdOrKey}/comment": true,
}

// check validates a request for version 3 against the document.
func (s *site) check(r *http.Request) {
	router, err := apiDocument()
	if err != nil {
		s.t.Errorf("the API document: %v", err)
	}
	if router == nil || strings.HasPrefix(r.URL.Path, s.prefix+"/rest/api/2/") || !strings.HasPrefix(r.URL.Path, s.prefix) {
		return
	}
	// An escaped slash separates no segments.
	r = r.Clone(r.Context())
	r.URL.Path = strings.TrimPrefix(r.URL.EscapedPath(), s.prefix)
	route, params, err := router.FindRoute(r)
	if err != nil {
		s.t.Errorf("%s %s is not in the API document: %v", r.Method, r.URL.Path, err)
		return
	}
	err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	})
	if err != nil {
		s.t.Errorf("%s %s does not validate: %v", r.Method, r.URL, err)
	}
}

func sharedDir() string {
	if dir := os.Getenv("UCF_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	return filepath.Join(dir, "..", "shared")
}

// fixture returns a recorded body, and skips the test where there is none.
func fixture(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sharedDir(), "fixtures", "jira", "rest", name))
	if os.IsNotExist(err) {
		t.Skip("no recorded bodies: set UCF_SHARED to the folder that holds fixtures and specs")
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestAPIDocument keeps the validation of requests from falling asleep.
func TestAPIDocument(t *testing.T) {
	router, err := apiDocument()
	if err != nil {
		t.Fatal(err)
	}
	if router == nil {
		t.Skip("no API document: set UCF_SHARED to the folder that holds fixtures and specs")
	}
	for _, bad := range []string{"https://x/rest/api/3/nothing", "https://x" + projectsPath + "?maxResults=101"} {
		fake := &testing.T{}
		(&site{t: fake}).check(httptest.NewRequest(http.MethodGet, bad, nil))
		if !fake.Failed() {
			t.Errorf("%s validates", bad)
		}
	}
}

// driver returns the driver for the site.
func (s *site) driver() *Driver {
	s.t.Helper()
	return s.driverAt(s.url, time.Now)
}

func (s *site) driverAt(base string, now func() time.Time) *Driver {
	s.t.Helper()
	d, err := Definition.New(s.env(base, now))
	if err != nil {
		s.t.Fatal(err)
	}
	return d.(*Driver)
}

func (s *site) env(base string, now func() time.Time) connectors.Env {
	s.t.Helper()
	config, err := Definition.ParseConfig(map[string]any{"base_url": base, "api_email": "you@example.com", "api_token": token})
	if err != nil {
		s.t.Fatal(err)
	}
	return connectors.Env{Config: config, HTTP: s.client, Log: slog.New(slog.DiscardHandler), Now: now}
}

// conn returns the driver as callers hold it, with cursors in the clear.
func (s *site) conn() *connectors.Conn {
	s.t.Helper()
	c, err := connectors.Open(connectors.Options{Env: s.env(s.url, time.Now), Sealer: plainSealer{}, Binding: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// plainSealer is a sealer that seals nothing.
type plainSealer struct{}

func (plainSealer) Seal(_ string, plain []byte) (string, error)  { return string(plain), nil }
func (plainSealer) Open(_ string, sealed string) ([]byte, error) { return []byte(sealed), nil }

// wantError checks the code of an error and what its message says.
func wantError(t *testing.T, err error, code connectors.Code, words string) {
	t.Helper()
	if connectors.CodeOf(err) != code {
		t.Fatalf("got %q (%v), want %q", connectors.CodeOf(err), err, code)
	}
	if err != nil && !strings.Contains(err.Error(), words) {
		t.Errorf("message %q lacks %q", err, words)
	}
	if s := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(s, token) {
		t.Errorf("the token shows in %s", s)
	}
}

func bg() context.Context { return context.Background() }
