package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/unified-connector/ucf/internal/httpapi"
)

var plain = httpapi.Options{Name: "Test", Description: "A test", Version: "1.2.3", Prefix: "/base/api"}

func TestOpenAPIIsSound(t *testing.T) {
	text, err := httpapi.OpenAPI30(plain)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			n++
			success := "200"
			if op.OperationID == "startJob" {
				success = "202"
			}
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 || op.Responses.Value(success) == nil || op.Responses.Value("500") == nil {
				t.Errorf("%s %s is described by halves", method, path)
			}
			if strings.HasPrefix(path, "/base/api/") != (op.Parameters.GetByInAndName("header", "X-Tenant-Id") != nil) {
				t.Errorf("%s %s: the tenant is wrongly described", method, path)
			}
			if op.RequestBody != nil && op.RequestBody.Value.Content["application/json"].Example == nil {
				t.Errorf("%s %s: its body has no example", method, path)
			}
			for status, r := range op.Responses.Map() {
				if r.Value.Content["text/event-stream"] != nil && op.OperationID == "watchJob" && status == success {
					continue
				}
				schema := r.Value.Content["application/json"].Schema
				if failed := status > "299"; failed != (schema.Ref == "#/components/schemas/Failure") {
					t.Errorf("%s %s: %s has the schema %s", method, path, status, schema.Ref)
				}
			}
		}
	}
	if n != 33 {
		t.Errorf("%d operations are described, want 33", n)
	}
}

func TestOpenAPIText(t *testing.T) {
	first, err := httpapi.OpenAPI(plain)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := httpapi.OpenAPI(plain)
		if err != nil || !bytes.Equal(first, again) {
			t.Fatal("the document differs from time to time")
		}
	}
	var doc struct {
		OpenAPI string
		Info    struct {
			Title, Description, Version string
			Theme                       map[string]string `json:"x-theme"`
		}
		Components struct {
			Schemas map[string]struct {
				Properties           map[string]map[string]any
				AdditionalProperties any
			}
		}
	}
	if err := json.Unmarshal(first, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info.Title != "Test" || doc.Info.Description != "A test" || doc.Info.Version != "1.2.3" {
		t.Errorf("%s %+v", doc.OpenAPI, doc.Info)
	}
	for k, want := range map[string]string{
		"name": "Ocean Professional", "primary": "#2563EB", "secondary": "#F59E0B", "success": "#10B981", "error": "#EF4444",
		"gradient": "from-blue-500/10 to-gray-50", "background": "#F9FAFB", "surface": "#FFFFFF", "text": "#111827",
	} {
		if got := doc.Info.Theme[k]; got != want {
			t.Errorf("x-theme.%s is %q, want %q", k, got, want)
		}
	}
	schemas := doc.Components.Schemas
	if got := schemas["Item"].Properties["meta"]["type"]; got != "object" {
		t.Errorf("meta is %v, want an object", got)
	}
	if got, _ := json.Marshal(schemas["PageItem"].Properties["next"]["type"]); string(got) != `["string","null"]` {
		t.Errorf("next is %s", got)
	}
	for _, name := range []string{"PutConnectionRequest", "RevokeBody", "StartJobBody", "JobParams"} {
		if schemas[name].AdditionalProperties != false {
			t.Errorf("%s is described as open to unknown fields", name)
		}
	}
	if schemas["Item"].AdditionalProperties != nil {
		t.Error("answers are described as closed")
	}
}

func TestDocuments(t *testing.T) {
	l := newLab(t)
	for path, version := range map[string]string{"/openapi.json": "3.1", "/openapi-3.0.json": "3.0"} {
		res, text := l.get(path)
		var doc struct{ OpenAPI string }
		if err := json.Unmarshal([]byte(text), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, version) || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %.80s", path, res.StatusCode, text)
		}
	}
	for _, path := range []string{"/docs", "/docs/"} {
		res, text := l.get(path)
		if res.StatusCode != http.StatusOK || !strings.Contains(text, "/openapi.json") || !strings.Contains(text, "#2563EB") {
			t.Errorf("%s: %d %.200s", path, res.StatusCode, text)
		}
		policy := res.Header.Get("Content-Security-Policy")
		if strings.Contains(policy, "script-src 'self' 'unsafe-inline'") || strings.Count(policy, "'sha256-") != strings.Count(text, "<script>") {
			t.Errorf("the policy is %s", policy)
		}
		for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "/docs/") {
				t.Errorf("the page needs %s", m[1])
				continue
			}
			if res, asset := l.get(m[1]); res.StatusCode != http.StatusOK || asset == "" {
				t.Errorf("%s: %d", m[1], res.StatusCode)
			}
		}
	}
	res, _ := l.get("/docs/none.js")
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown file is %d", res.StatusCode)
	}
}

// Without a service the documents can be asked for all the same, as the generator does.
func TestHandlerWithoutService(t *testing.T) {
	r, err := http.NewRequest(http.MethodGet, "/healthz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "localhost"
	w := &response{header: http.Header{}}
	httpapi.New(plain).ServeHTTP(w, r)
	if w.status != 200 || !strings.Contains(w.body.String(), `"alive":true`) {
		t.Errorf("%d %s", w.status, w.body.String())
	}
}

type response struct {
	header http.Header
	status int
	body   strings.Builder
}

func (w *response) Header() http.Header         { return w.header }
func (w *response) WriteHeader(s int)           { w.status = s }
func (w *response) Write(p []byte) (int, error) { return w.body.Write(p) }
