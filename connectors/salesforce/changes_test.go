package salesforce

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/sandbox"
)

// bearer signs with an access token.
type bearer struct {
	next  http.RoundTripper
	token string
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// TestChangedIDs edits records of the sandbox's org, and expects the log of changes to have these.
func TestChangedIDs(t *testing.T) {
	box, err := sandbox.New(sandbox.Options{Records: 50})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(box)
	defer srv.Close()
	config, err := Definition.ParseConfig(map[string]any{"auth_method": "oauth2", "instance_url": srv.URL + "/salesforce", "access_token": "sandbox"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	d, err := Definition.New(connectors.Env{
		Config: config, API: srv.URL + "/salesforce", HTTP: &http.Client{Transport: bearer{srv.Client().Transport, sandbox.DefaultToken}},
		Now: func() time.Time { return now.Add(10 * time.Minute) },
	})
	if err != nil {
		t.Fatal(err)
	}
	driver := d.(*Driver)
	all, err := driver.ListIDs(t.Context(), connectors.IDQuery{ContainerID: "Contact"})
	if err != nil || len(all.Items) < 10 {
		t.Fatal(len(all.Items), err)
	}
	want := slices.Clone(all.Items[:3])
	for _, id := range want {
		if err := box.EditRecord(id, map[string]any{"Title": "changed"}); err != nil {
			t.Fatal(err)
		}
	}
	q := connectors.ChangedIDQuery{ContainerID: "Contact", After: now.Add(-time.Hour)}
	var got []string
	for range 20 {
		page, err := driver.ListChangedIDs(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(slices.Compact(got), want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for name, tt := range map[string]struct {
		q    connectors.ChangedIDQuery
		code connectors.Code
	}{
		"beyond the memory":         {connectors.ChangedIDQuery{ContainerID: "Contact", After: now.Add(-31 * 24 * time.Hour)}, connectors.Unsupported},
		"from the beginning":        {connectors.ChangedIDQuery{ContainerID: "Contact"}, connectors.Unsupported},
		"no object":                 {connectors.ChangedIDQuery{After: now}, connectors.InvalidRequest},
		"an unknown object":         {connectors.ChangedIDQuery{ContainerID: "Nope", After: now}, connectors.NotFound},
		"a cursor of the deletions": {connectors.ChangedIDQuery{ContainerID: "Contact", Cursor: "log/1/2/3/4"}, connectors.InvalidRequest},
		"a damaged cursor":          {connectors.ChangedIDQuery{ContainerID: "Contact", Cursor: "changes/x"}, connectors.InvalidRequest},
	} {
		if _, err := driver.ListChangedIDs(t.Context(), tt.q); connectors.CodeOf(err) != tt.code {
			t.Errorf("%s: got %v, want %s", name, err, tt.code)
		}
	}
}

// TestChangesInParts has an org whose log gives few ids at a time.
func TestChangesInParts(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var asked []string
	f := newFake()
	mux := http.NewServeMux()
	mux.Handle("/", f)
	mux.HandleFunc("GET /services/data/v67.0/sobjects/{object}/updated", func(w http.ResponseWriter, r *http.Request) {
		start, _ := time.Parse(time.RFC3339, r.URL.Query().Get("start"))
		end, _ := time.Parse(time.RFC3339, r.URL.Query().Get("end"))
		asked = append(asked, end.Sub(start).String())
		w.Header().Set("Content-Type", "application/json")
		if end.Sub(start) > 20*time.Minute {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`[{"message":"too many","errorCode":"EXCEEDED_ID_LIMIT"}]`))
			return
		}
		_, _ = w.Write([]byte(`{"ids":["001000000000` + start.Format("150") + `AAA"],"latestDateCovered":"` + end.Format("2006-01-02T15:04:05.000-0700") + `"}`))
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	config, err := Definition.ParseConfig(map[string]any{"auth_method": "oauth2", "instance_url": srv.URL, "access_token": "sandbox"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := Definition.New(connectors.Env{Config: config, API: srv.URL, HTTP: &http.Client{Transport: bearer{srv.Client().Transport, token}}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	q, n := connectors.ChangedIDQuery{ContainerID: "Account", After: now.Add(-time.Hour)}, 0
	for range 20 {
		page, err := d.(*Driver).ListChangedIDs(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.Items)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if n < 3 || n > 8 || q.Cursor != "" {
		t.Errorf("%d ids in parts of %s", n, strings.Join(asked, ", "))
	}
}
