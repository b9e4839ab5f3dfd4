package atlassiantest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// Document is one of Atlassian's own documents of its APIs, with which requests are compared.
type Document struct {
	router routers.Router
	prefix string // of the paths, in front of what the document writes
}

// OpenDocument reads a document of the folder specs beside the module, with the paths that are named. A nil Document,
// where the folder is not at hand, finds no fault with anything.
func OpenDocument(name, prefix string, paths ...string) (*Document, error) {
	file := filepath.Join(SharedDir(), "specs", name)
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil
	allowNulls(doc)
	// Some of the other paths conflict with each other.
	for path := range doc.Paths.Map() {
		if !slices.Contains(paths, path) {
			doc.Paths.Delete(path)
		}
	}
	if doc.Paths.Len() != len(paths) {
		return nil, fmt.Errorf("%s has not all of %v", name, paths)
	}
	router, err := legacy.NewRouter(doc, openapi3.DisableExamplesValidation(), openapi3.DisableSchemaDefaultsValidation())
	return &Document{router, prefix}, err
}

// allowNulls has what a description says may be null be so, where the schema itself forgets it, and what may be anything,
// such as the fields of an issue.
func allowNulls(doc *openapi3.T) {
	for _, schema := range doc.Components.Schemas {
		for _, p := range schema.Value.Properties {
			if p.Value == nil {
				continue
			}
			if strings.Contains(p.Value.Description, "or null if") {
				p.Value.Nullable = true
			}
			if free := p.Value.AdditionalProperties.Schema; free != nil && free.Value != nil && free.Value.Type == nil {
				free.Value.Nullable = true
			}
		}
	}
}

// Check returns what is wrong with a request for path, and with the answer to it.
func (d *Document) Check(r *http.Request, path string, status int, header http.Header, body []byte) error {
	if d == nil {
		return nil
	}
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath = path[len(d.prefix):], ""
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		return fmt.Errorf("%s %s is not in the API document: %w", r.Method, path, err)
	}
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
		return fmt.Errorf("%s %s does not validate: %w", r.Method, r.URL, err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: status, Header: header, Options: in.Options}
	if err := openapi3filter.ValidateResponse(r.Context(), out.SetBodyBytes(body)); status == http.StatusOK && err != nil {
		return fmt.Errorf("the answer to %s does not validate: %w", path, err)
	}
	return nil
}

// SharedDir returns the folder with documents and recorded bodies: UCF_SHARED, or the one beside the module.
func SharedDir() string {
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
