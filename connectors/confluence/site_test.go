package confluence

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian/atlassiantest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	userPath   = "/wiki/rest/api/user/current"
	spacesPath = "/wiki/api/v2/spaces"
	olderPath  = "/rest/api/space"
	token      = "ATATT3xFfGF0aVeryLongTokenThatNobodyMaySee42"

	me = `{"type":"known","accountId":"5b10","accountType":"atlassian","email":"ann@example.com","publicName":"ann",` +
		`"displayName":"Ann Lee","timeZone":"Europe/Berlin","isExternalCollaborator":false,"externalCollaborator":false,"isGuest":false,` +
		`"profilePicture":{"path":"/a.png","width":48,"height":48,"isDefault":false},"operations":null,"personalSpace":null,` +
		`"_expandable":{"operations":"","personalSpace":""},"_links":{"self":"https://acme.atlassian.net/wiki/rest/api/user"}}`
	oneSpace = `{"results":[{"id":"65537","key":"ENG","name":"Engineering","type":"global","status":"current","homepageId":"65600"}],` +
		`"_links":{"next":"/wiki/api/v2/spaces?limit=1&cursor=abc","base":"https://acme.atlassian.net/wiki"}}`
	stranger = `{"type":"anonymous","profilePicture":{"path":"/a.png","width":48,"height":48,"isDefault":true},"displayName":"Anonymous"}`
	webPage  = `<!DOCTYPE html><html><body>Log in</body></html>`
)

// documents are Atlassian's own documents of the API's two versions, by what their paths begin with.
var documents = sync.OnceValues(func() (map[string]*atlassiantest.Document, error) {
	v1, err := atlassiantest.OpenDocument("confluence-v1.json", "", userPath, "/wiki/rest/api/user/bulk", "/wiki/rest/api/search")
	if err != nil {
		return nil, err
	}
	v2, err := atlassiantest.OpenDocument("confluence-v2.json", "/wiki/api/v2", "/spaces", "/pages", "/blogposts", "/pages/{id}", "/blogposts/{id}",
		"/spaces/{id}/pages", "/spaces/{id}/blogposts", "/footer-comments", "/inline-comments", "/pages/{id}/footer-comments",
		"/pages/{id}/inline-comments", "/blogposts/{id}/footer-comments", "/blogposts/{id}/inline-comments",
		"/footer-comments/{id}/children", "/inline-comments/{id}/children")
	return map[string]*atlassiantest.Document{"/wiki/rest/": v1, "/wiki/api/v2/": v2}, err
})

// nothing is a page of a listing without entries.
const nothing = `{"results":[],"_links":{}}`

// noHits is a page of a search that finds nothing.
const noHits = `{"results":[],"start":0,"limit":1,"size":0,"totalSize":0,"cqlQuery":"type = page","searchDuration":3,"_links":{}}`

// canaryPaths are what a probe asks beside who is connected and for one space.
var canaryPaths = []string{"/wiki/api/v2/pages", "/wiki/api/v2/blogposts", "/wiki/api/v2/footer-comments", "/wiki/api/v2/inline-comments", "/wiki/rest/api/search"}

// canaries has the site answer what a probe asks of the endpoints of listings: there is nothing.
func (s *site) canaries() *site {
	for _, path := range canaryPaths {
		if _, set := s.replies[path]; !set {
			s.replies[path] = reply{200, nothing, nil}
			if strings.HasSuffix(path, "/search") {
				s.replies[path] = reply{200, noHits, nil}
			}
		}
	}
	return s
}

// reply is what a site answers.
type reply struct {
	status int
	body   string
	header map[string]string
}

// site answers each path with its reply, and fails the test on any other path, on a request that the API documents do
// not allow, and on a reply not used.
type site struct {
	t       *testing.T
	replies map[string]reply
	mu      sync.Mutex
	seen    []string
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r.URL.RequestURI())
	s.mu.Unlock()
	out, ok := s.replies[r.URL.Path]
	if !ok && r.URL.Path == userPath { // who asks at the end of a listing is known
		out, ok = reply{200, me, nil}, true
	}
	if !ok {
		s.t.Errorf("unexpected %s %s", r.Method, r.URL)
		out.status = http.StatusTeapot
	}
	w.Header().Set("Content-Type", "application/json")
	for name, value := range out.header {
		w.Header().Set(name, value)
	}
	s.check(r, out, w.Header())
	w.WriteHeader(out.status)
	_, _ = io.WriteString(w, out.body)
}

func (s *site) check(r *http.Request, out reply, header http.Header) {
	all, err := documents()
	if err != nil {
		s.t.Errorf("the API documents: %v", err)
	}
	for prefix, d := range all {
		if !strings.HasPrefix(r.URL.Path, prefix) {
			continue
		}
		// What is not JSON is no answer of the API, and tested as such.
		if strings.HasPrefix(out.body, "{\"type\"") || strings.HasPrefix(out.body, "{\"results\"") {
			err = d.Check(r, r.URL.Path, out.status, header, []byte(out.body))
		} else {
			err = d.Check(r, r.URL.Path, http.StatusTeapot, header, nil)
		}
		if err != nil {
			s.t.Error(err)
		}
	}
}

func (s *site) asked(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, uri := range s.seen {
		if p, _, _ := strings.Cut(uri, "?"); p == path {
			return true
		}
	}
	return false
}

// start serves the site over TLS below a path and returns its address and a client for it.
func (s *site) start(t *testing.T, wrap func(http.Handler) http.Handler) (string, *http.Client) {
	t.Helper()
	s.t = t
	server := httptest.NewUnstartedServer(wrap(s))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(func() {
		server.Close()
		for path := range s.replies {
			if !s.asked(path) {
				t.Errorf("%s was not asked for", path)
			}
		}
	})
	return server.URL, server.Client()
}

func bare(h http.Handler) http.Handler { return h }

// signed adds a bearer token, as the layers below a connector do.
type signed struct{ next http.RoundTripper }

func (s signed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+atlassiantest.Token)
	return s.next.RoundTrip(r)
}

// driver returns the driver for a configuration.
func driver(t *testing.T, client *http.Client, api string, raw map[string]any) *Driver {
	t.Helper()
	config, err := Definition.ParseConfig(raw)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Definition.New(connectors.Env{Config: config, HTTP: client, API: api, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Driver)
}

func keyConfig(base string) map[string]any {
	return map[string]any{"base_url": base, "api_email": "you@example.com", "api_token": token}
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
	if s := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(s, token) || strings.Contains(s, atlassiantest.Token) {
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
