package jira

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian/atlassiantest"
	"github.com/unified-connector/ucf/internal/sandbox"
)

// judged holds every exchange with a site against Atlassian's document.
type judged struct {
	t     *testing.T
	next  http.Handler
	doc   *atlassiantest.Document
	count atomic.Int64
}

func (j *judged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	asked := r.Clone(r.Context())
	asked.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	j.next.ServeHTTP(rec, r)
	if path := strings.TrimPrefix(r.URL.Path, "/acme"); strings.HasPrefix(path, "/rest/api/3/") {
		j.count.Add(1)
		if err := j.doc.Check(asked, path, rec.Code, rec.Header(), rec.Body.Bytes()); err != nil {
			j.t.Errorf("%s %s: %.400v", r.Method, r.URL, err)
		}
	}
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// basic signs as an API token does.
type basic struct{ next http.RoundTripper }

func (b basic) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth(sandbox.DefaultEmail, sandbox.DefaultToken)
	return b.next.RoundTrip(r)
}

// TestExchanges reads a whole site of the sandbox, and holds every request and every answer against Atlassian's document.
func TestExchanges(t *testing.T) {
	openapi3.DefineStringFormatValidator("date-time", openapi3.NewRegexpFormatValidator(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$`))
	doc, err := atlassiantest.OpenDocument("jira-v3.json", "", serverInfoPath, myselfPath, projectsPath, searchPath,
		"/rest/api/3/project/{projectIdOrKey}", "/rest/api/3/issue/{issueIdOrKey}/comment", "/rest/api/3/issue/bulkfetch", "/rest/api/3/search/approximate-count")
	if err != nil {
		t.Fatal(err)
	}
	if doc == nil {
		t.Skip("no API document: set UCF_SHARED to the folder that holds fixtures and specs")
	}
	box, err := sandbox.New(sandbox.Options{Issues: 500})
	if err != nil {
		t.Fatal(err)
	}
	j := &judged{t: t, next: box, doc: doc}
	srv := httptest.NewServer(j)
	defer srv.Close()
	s := &site{t: t, url: srv.URL, client: &http.Client{Transport: basic{srv.Client().Transport}}}
	config, err := Definition.ParseConfig(atlassiantest.Config("api_key", srv.URL+"/acme"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := connectors.Open(connectors.Options{Env: connectors.Env{Config: config, HTTP: s.client, Now: time.Now}, Sealer: plainSealer{}, Binding: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	readSite(t, c)
	t.Logf("%d exchanges with the sandbox against Jira's document", j.count.Load())
}

func readSite(t *testing.T, c *connectors.Conn) {
	t.Helper()
	containers, err := c.Containers(t.Context(), connectors.ContainerQuery{Limit: 100, Wide: true, Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range containers.Items {
		ids, err := c.IDs(t.Context(), connectors.IDQuery{ContainerID: k.ID})
		if err != nil || len(ids.Items) != 100 {
			t.Fatalf("%d ids of %s, %v", len(ids.Items), k.ID, err)
		}
		got, err := c.ResolveAbsences(t.Context(), k.ID, append(ids.Items[:99:99], "99999999"))
		if err != nil || got[0].Reason != connectors.Present || got[99].Reason != connectors.Gone {
			t.Errorf("%s: %v, %v", k.ID, got, err)
		}
		if e, err := c.EstimateItems(t.Context(), connectors.ItemQuery{ContainerID: k.ID, Limit: 50}); err != nil || e.Entries != 100 {
			t.Errorf("%s: %+v, %v", k.ID, e, err)
		}
	}
	for page, err := range c.AllItems(t.Context(), connectors.ItemQuery{Limit: 40, Wide: true}) {
		if err != nil {
			t.Fatal(err)
		}
		for i, it := range page.Items {
			if i%4 > 0 {
				continue
			}
			for _, err := range c.AllComments(t.Context(), connectors.CommentQuery{ItemID: it.ID, Limit: 50, Raw: true}) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if _, err := c.Items(t.Context(), connectors.ItemQuery{Limit: 40, UpdatedAfter: time.UnixMilli(1), Query: "status is not EMPTY ORDER BY key", Raw: true}); err != nil {
		t.Error(err)
	}
}
