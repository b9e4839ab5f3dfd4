package salesforce

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	versionsPath = "/services/data/"
	userPath     = "/services/oauth2/userinfo"
	queryPath    = "/services/data/v67.0/query"
	objectsPath  = "/services/data/v67.0/sobjects"
	token        = "00Dx0000000BV7z!AR8AQAxo9UfVkh8AlV0Gomt9Czx9LjHnSSpwBMmb"

	versions = `[{"label":"Winter '11","url":"/services/data/v20.0","version":"20.0"},` +
		`{"label":"Winter '27","url":"/services/data/v68.0","version":"68.0"},{"label":"Summer '26","url":"/services/data/v67.0","version":"67.0"}]`
	older  = `[{"label":"Spring '26","url":"/services/data/v66.0","version":"66.0"},{"label":"Spring '86","url":"/services/data/v9","version":"9"}]`
	person = `{"sub":"https://login.salesforce.com/id/00Dx0000000BV7zEAH/005x00000012Q9PAAU","user_id":"005x00000012Q9PAAU",` +
		`"organization_id":"00Dx0000000BV7zEAH","preferred_username":"ann@example.com","nickname":"ann","name":"Ann Lee","user_type":"STANDARD"}`
	acme = `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Organization","url":"/services/data/v67.0/sobjects/Organization/00Dx0000000BV7zEAH"},` +
		`"Id":"00Dx0000000BV7zEAH","Name":"Acme","OrganizationType":"Enterprise Edition","IsSandbox":false}]}`
	accounts = `{"encoding":"UTF-8","maxBatchSize":200,"sobjects":[{"name":"Account","label":"Account","queryable":true}]}`
)

type reply struct {
	status int
	body   string
	usage  string // the header Sforce-Limit-Info
}

// orgServer answers each path with its reply, and fails the test on any other path and on a reply not used.
type orgServer struct {
	t       *testing.T
	replies map[string]reply
	mu      sync.Mutex
	seen    []*http.Request
}

func (s *orgServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r)
	s.mu.Unlock()
	out, ok := s.replies[r.URL.Path]
	if !ok {
		s.t.Errorf("unexpected %s %s", r.Method, r.URL)
		out.status = http.StatusTeapot
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	if out.usage == "deprecated" {
		w.Header().Set("Link", `<https://developer.salesforce.com/eol>; rel="deprecation"`)
	} else if out.usage != "" {
		w.Header().Set("Sforce-Limit-Info", out.usage)
	}
	w.WriteHeader(out.status)
	_, _ = io.WriteString(w, out.body)
}

func (s *orgServer) request(path string) *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.seen {
		if r.URL.Path == path {
			return r
		}
	}
	return nil
}

func (s *orgServer) start(t *testing.T) (string, *http.Client) {
	t.Helper()
	s.t = t
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(func() {
		server.Close()
		for path := range s.replies {
			if s.request(path) == nil && !t.Skipped() {
				t.Errorf("%s was not asked for", path)
			}
		}
	})
	return server.URL, server.Client()
}

func healthy() *orgServer {
	return &orgServer{replies: map[string]reply{
		versionsPath: {200, versions, ""}, userPath: {200, person, ""}, queryPath: {200, acme, "api-usage=17/15000"},
		objectsPath: {200, accounts, ""},
	}}
}

// probe starts the org and probes it.
func (s *orgServer) probe(t *testing.T) (connectors.ProbeResult, string, error) {
	t.Helper()
	url, client := s.start(t)
	config, err := Definition.ParseConfig(map[string]any{"instance_url": "https://elsewhere.example.com", "access_token": token})
	if err != nil {
		t.Fatal(err)
	}
	d, err := Definition.New(connectors.Env{Config: config, HTTP: client, API: url, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Probe(t.Context())
	return r, url, err
}

// fixture returns a recorded body, and skips the test where there is none.
func fixture(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sharedDir(), "fixtures", "salesforce", "restforce", name+"_response.json"))
	if os.IsNotExist(err) {
		t.Skip("no recorded bodies: set UCF_SHARED to the folder that holds fixtures and specs")
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
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

// wantError checks the code of an error and what its message says.
func wantError(t *testing.T, err error, code connectors.Code, words string) {
	t.Helper()
	if connectors.CodeOf(err) != code {
		t.Fatalf("got %q (%v), want %q", connectors.CodeOf(err), err, code)
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("message %q lacks %q", err, words)
	}
	if s := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(s, token) {
		t.Errorf("the token shows in %s", s)
	}
}

func codes(list []connectors.Warning) string {
	var out []string
	for _, w := range list {
		out = append(out, w.Code)
	}
	return strings.Join(out, " ")
}
