package confluence

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/atlassian/atlassiantest"
)

// recorded returns a recorded body of version 1, and skips the test where there is none.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(atlassiantest.SharedDir(), "fixtures", "confluence", "rest", name))
	if os.IsNotExist(err) {
		t.Skip("no recorded bodies: set UCF_SHARED to the folder that holds fixtures and specs")
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// entriesOf returns the entries of a recorded list, as they stand there.
func entriesOf(t *testing.T, body []byte) []json.RawMessage {
	t.Helper()
	var list struct{ Results []json.RawMessage }
	if err := json.Unmarshal(body, &list); err != nil || len(list.Results) == 0 {
		t.Fatal(len(list.Results), err)
	}
	return list.Results
}

// answering returns a connection to a data center that answers every request for a path with a list, as the only page.
func answering(t *testing.T, path string, entries []json.RawMessage) *connectors.Conn {
	t.Helper()
	body, err := json.Marshal(map[string]any{"results": entries, "start": 0, "limit": 50, "size": len(entries), "_links": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path || r.URL.Query().Get("type") == "blogpost" {
			reply{200, `{"results":[],"start":0,"limit":50,"size":0,"type":"known","userKey":"x","_links":{}}`, nil}.send(w)
			return
		}
		reply{200, string(body), nil}.send(w)
	}))
	t.Cleanup(srv.Close)
	config, err := Definition.ParseConfig(atlassiantest.Config(atlassian.MethodPAT, srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	c, err := connectors.Open(connectors.Options{Env: connectors.Env{Config: config, HTTP: srv.Client()}, Sealer: plainSealer{}, Binding: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sameJSON compares two documents but for the white space between their values.
func sameJSON(t *testing.T, got, want json.RawMessage) {
	t.Helper()
	var a, b bytes.Buffer
	if json.Compact(&a, got) != nil || json.Compact(&b, want) != nil || a.String() != b.String() {
		t.Errorf("raw is\n%.300s\nwant\n%.300s", a.String(), b.String())
	}
}

// TestRecordedBodies maps what was recorded of real sites, and compares the raw form: nothing is lost.
func TestRecordedBodies(t *testing.T) {
	t.Run("spaces", func(t *testing.T) {
		want := entriesOf(t, recorded(t, "goatl-v1-get-spaces.json"))
		got, err := answering(t, "/rest/api/space", want).Containers(t.Context(), connectors.ContainerQuery{Limit: 50, Raw: true, Wide: true})
		if err != nil || len(got.Items) != len(want) || got.Items[0].ID != "DS" || got.Items[0].Label != "Destination Sapce" {
			t.Fatalf("got %+v, %v", got, err)
		}
		for i, k := range got.Items {
			sameJSON(t, k.Raw, want[i])
		}
	})
	t.Run("pages", func(t *testing.T) {
		want := append(entriesOf(t, recorded(t, "goatl-v1-get-contents.json")), recorded(t, "goatl-v1-get-content.json"))
		got, err := answering(t, "/rest/api/content", want).Items(t.Context(), connectors.ItemQuery{Limit: 50, Raw: true, Wide: true})
		if err != nil || len(got.Items) != len(want) || got.Items[0].ID != "196695" || got.Items[len(want)-1].Name != "Confluence Page Title" {
			t.Fatalf("got %+v, %v", got, err)
		}
		for i, it := range got.Items {
			sameJSON(t, it.Raw, want[i])
		}
	})
	t.Run("comments", func(t *testing.T) {
		want := entriesOf(t, recorded(t, "goatl-v1-get-content-comments.json"))
		got, err := answering(t, "/rest/api/content/7/child/comment", want).Comments(t.Context(), connectors.CommentQuery{ItemID: "7", Limit: 50, Raw: true})
		if err != nil || len(got.Items) != len(want) || got.Items[0].ID != "80412678" {
			t.Fatalf("got %+v, %v", got, err)
		}
		for i, k := range got.Items {
			sameJSON(t, k.Raw, want[i])
		}
	})
	t.Run("templates without ids are refused", func(t *testing.T) {
		want := entriesOf(t, recorded(t, "goatl-v1-get-content-attachments.json"))
		_, err := answering(t, "/rest/api/content", want).Items(t.Context(), connectors.ItemQuery{Limit: 50})
		wantError(t, err, connectors.ProviderError, "without an id")
	})
	t.Run("a refusal", func(t *testing.T) {
		body := recorded(t, "goatl-v1-bad-request-response.json.json")
		if got := atlassian.Faults(body); len(got) != 1 {
			t.Errorf("got %v", got)
		}
	})
}
