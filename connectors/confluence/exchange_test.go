package confluence

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/sandbox"
)

// judged holds every exchange with a site against Atlassian's documents.
type judged struct {
	t      *testing.T
	next   http.Handler
	prefix string // of the site's paths
	count  atomic.Int64
	faults sync.Map
}

func (j *judged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	all, err := documents()
	if err != nil {
		j.t.Error(err)
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	asked := r.Clone(r.Context())
	asked.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	j.next.ServeHTTP(rec, r)
	path := strings.TrimPrefix(r.URL.Path, j.prefix)
	for prefix, d := range all {
		if strings.HasPrefix(path, prefix) {
			j.count.Add(1)
			if err := d.Check(asked, path, rec.Code, rec.Header(), rec.Body.Bytes()); err != nil {
				if _, known := j.faults.LoadOrStore(err.Error()[:min(len(err.Error()), 200)], true); !known {
					j.t.Errorf("%s %s: %v", r.Method, r.URL, err)
				}
			}
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

// TestExchanges reads a whole site of the sandbox, and holds every request and every answer against Atlassian's documents.
func TestExchanges(t *testing.T) {
	box, err := sandbox.New(sandbox.Options{Pages: 300})
	if err != nil {
		t.Fatal(err)
	}
	j := &judged{t: t, next: box, prefix: "/acme"}
	srv := httptest.NewServer(j)
	defer srv.Close()
	c := open(t, &http.Client{Transport: basic{srv.Client().Transport}}, srv.URL+"/acme")
	if _, err := c.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	ids, spaces := readAll(t, c)
	for i, id := range ids {
		if i%10 == 0 {
			for page, err := range c.AllComments(t.Context(), connectors.CommentQuery{ItemID: id, Limit: 100, Raw: true}) {
				if err != nil {
					t.Fatal(id, err)
				}
				for _, k := range page.Items {
					if len(k.Raw) == 0 || k.Author == "" {
						t.Errorf("a comment without its author or raw form: %+v", k)
					}
				}
			}
		}
	}
	for _, key := range spaces {
		readSpace(t, c, key)
	}
	if got, err := c.Items(t.Context(), connectors.ItemQuery{Limit: 20, Query: `title ~ "a" ORDER BY lastmodified DESC`, UpdatedAfter: time.UnixMilli(1)}); err != nil || len(got.Items) == 0 {
		t.Error(got, err)
	}
	if all, _ := documents(); all["/wiki/rest/"] == nil {
		t.Skip("no API documents: set UCF_SHARED to the folder that holds fixtures and specs")
	}
	t.Logf("%d exchanges with the sandbox against Confluence's documents", j.count.Load())
}

func open(t *testing.T, client *http.Client, address string) *connectors.Conn {
	t.Helper()
	config, err := Definition.ParseConfig(keyConfig(address))
	if err != nil {
		t.Fatal(err)
	}
	env := connectors.Env{Config: config, HTTP: client, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	c, err := connectors.Open(connectors.Options{Env: env, Sealer: plainSealer{}, Binding: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// plainSealer is a sealer that seals nothing.
type plainSealer struct{}

func (plainSealer) Seal(_ string, plain []byte) (string, error)  { return string(plain), nil }
func (plainSealer) Open(_ string, sealed string) ([]byte, error) { return []byte(sealed), nil }

// readAll lists everything with its raw form and returns the ids of items and the keys of spaces.
func readAll(t *testing.T, c *connectors.Conn) (ids, spaces []string) {
	t.Helper()
	for page, err := range c.AllContainers(t.Context(), connectors.ContainerQuery{Limit: 2, Wide: true, Raw: true}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page.Items {
			spaces = append(spaces, k.ID)
		}
	}
	for page, err := range c.AllItems(t.Context(), connectors.ItemQuery{Limit: 40, Wide: true, Raw: true}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range page.Items {
			if it.ContainerID == "" || it.URL == "" || it.UpdatedAt == nil || len(it.Raw) == 0 || strings.Contains(it.Meta.Get("body").(string), "<p>") {
				t.Errorf("an item that lacks something: %+v", it)
			}
			ids = append(ids, it.ID)
		}
	}
	return ids, spaces
}

// readSpace does with one space what a sync does: ids, changes, deletions, what became of its pages, and what it costs.
func readSpace(t *testing.T, c *connectors.Conn, key string) {
	t.Helper()
	var ids []string
	for cur := connectors.Cursor(""); ; {
		page, err := c.IDs(t.Context(), connectors.IDQuery{ContainerID: key, Cursor: cur})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, page.Items...)
		if cur = page.Next; cur == "" {
			break
		}
	}
	for chunk := 0; chunk < len(ids); chunk += connectors.MaxAbsences {
		got, err := c.ResolveAbsences(t.Context(), key, ids[chunk:min(chunk+connectors.MaxAbsences, len(ids))])
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range got {
			if a.Reason != connectors.Present && a.Reason != connectors.Archived {
				t.Errorf("%s, which is listed, is %s", a.ID, a.Reason)
			}
		}
	}
	deleted, err := c.Deletions(t.Context(), connectors.DeletionQuery{ContainerID: key, Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	if len(deleted.Items) > 0 {
		got, err := c.ResolveAbsences(t.Context(), key, []string{deleted.Items[0].ID, "99999999999"})
		if err != nil || got[0].Reason != connectors.Deleted || got[1].Reason != connectors.Gone {
			t.Errorf("what is in the trash, and what never was: %v, %v", got, err)
		}
	}
	if _, err := c.EstimateItems(t.Context(), connectors.ItemQuery{ContainerID: key, Limit: 50}); err != nil {
		t.Error(err)
	}
	if _, err := c.Items(t.Context(), connectors.ItemQuery{ContainerID: key, Limit: 50, UpdatedAfter: time.Now().Add(-time.Hour)}); err != nil {
		t.Error(err)
	}
}
