package httpapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/service"
)

const schemaPrefix = "#/components/schemas/"

// OpenAPI returns the OpenAPI 3.1 document of the API, the same bytes for the same options.
func OpenAPI(o Options) ([]byte, error) { return newAPI(o).openAPI() }

// OpenAPI30 returns the document as OpenAPI 3.0, for tools that know no newer one.
func OpenAPI30(o Options) ([]byte, error) { return newAPI(o).openAPI30() }

func (a *api) openAPI() ([]byte, error) { return indented(a.huma.OpenAPI().MarshalJSON()) }

func (a *api) openAPI30() ([]byte, error) { return indented(a.huma.OpenAPI().Downgrade()) }

// indented returns a JSON text in the form in which it is kept under version control: keys sorted, one a line.
func indented(text []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, connectors.Wrap(connectors.Internal, err, "the OpenAPI document does not encode")
	}
	var whole any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&whole); err != nil {
		return nil, connectors.Wrap(connectors.Internal, err, "the OpenAPI document does not encode")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(whole)
	return b.Bytes(), err
}

// newHuma returns huma without what it adds of its own: schema links, pages that need a network, other formats.
func newHuma(o Options, rt *router) huma.API {
	schemas := huma.NewMapRegistry(schemaPrefix, schemaName)
	schemas.RegisterTypeAlias(reflect.TypeFor[connectors.Meta](), reflect.TypeFor[map[string]any]())
	schemas.RegisterTypeAlias(reflect.TypeFor[connectors.Cursor](), reflect.TypeFor[*string]())
	schemas.RegisterTypeAlias(reflect.TypeFor[service.RecordValue](), reflect.TypeFor[recordValue]())
	c := huma.DefaultConfig(o.Name, o.Version)
	c.CreateHooks = nil
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.Formats = map[string]huma.Format{jsonType: huma.DefaultJSONFormat}
	c.Components = &huma.Components{Schemas: schemas, Parameters: headerParams()}
	c.Info.Description = o.Description
	c.Info.Extensions = map[string]any{"x-theme": theme()}
	c.Tags = []*huma.Tag{
		{Name: tagConnectors, Description: "The systems that ucf connects to, and what they hold"},
		{Name: tagConnections, Description: "A tenant's configured, named uses of connectors"},
		{Name: tagJobs, Description: "Long operations: imports, syncs and probes"},
		{Name: tagAudit, Description: "Who did what"},
		{Name: tagSystem, Description: "The state of ucf itself; these need no tenant"},
	}
	return humago.New(rt, c)
}

// schemaName names schemas as users know the things: without the In and Out of the Go types.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if of, ok := strings.CutPrefix(name, "Answer"); ok {
		return strings.TrimSuffix(of, "Out") + "Answer"
	}
	if of, ok := strings.CutSuffix(name, "InBody"); ok {
		return upperFirst(of) + "Request"
	}
	return upperFirst(strings.TrimSuffix(name, "Out"))
}

// theme is "Ocean Professional".
func theme() map[string]string {
	return map[string]string{
		"name": "Ocean Professional", "primary": "#2563EB", "secondary": "#F59E0B", "success": "#10B981", "error": "#EF4444",
		"gradient": "from-blue-500/10 to-gray-50", "background": "#F9FAFB", "surface": "#FFFFFF", "text": "#111827",
	}
}

// headerParams are the headers of every route of a tenant.
func headerParams() map[string]*huma.Param {
	text := func(most int) *huma.Schema { return &huma.Schema{Type: huma.TypeString, MaxLength: &most} }
	tenant := text(64)
	tenant.Pattern = "^[A-Za-z0-9._-]{1,64}$"
	return map[string]*huma.Param{
		"Tenant":    {Name: "X-Tenant-Id", In: "header", Required: true, Schema: tenant, Example: "acme", Description: "The tenant that everything belongs to"},
		"RequestId": {Name: "X-Request-Id", In: "header", Schema: text(128), Description: "Names the request in answers, logs and the audit log; made where it is missing"},
		"ApiTag":    {Name: "X-Api-Tag", In: "header", Schema: text(64), Description: "Labels logs and metrics"},
	}
}

func headerRefs() []*huma.Param {
	refs := []*huma.Param{}
	for _, name := range slices.Sorted(maps.Keys(headerParams())) {
		refs = append(refs, &huma.Param{Ref: "#/components/parameters/" + name})
	}
	return refs
}

// finishOpenAPI adds what no Go type tells.
func (a *api) finishOpenAPI() {
	doc := a.huma.OpenAPI()
	requests := map[string]bool{}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op != nil {
				finish(op)
				noteRequest(doc.Components.Schemas, op, requests)
			}
		}
	}
	// An answer may grow: only what is sent to us must not have unknown fields.
	for name, s := range doc.Components.Schemas.Map() {
		if !requests[name] && s.AdditionalProperties == false {
			s.AdditionalProperties = nil
		}
	}
}

// noteRequest notes the schemas of what is sent to us, those within others included.
func noteRequest(schemas huma.Registry, op *huma.Operation, requests map[string]bool) {
	if op.RequestBody != nil {
		noteSchema(schemas, op.RequestBody.Content[jsonType].Schema, requests)
	}
}

func noteSchema(schemas huma.Registry, s *huma.Schema, requests map[string]bool) {
	name := strings.TrimPrefix(s.Ref, schemaPrefix)
	if s.Ref == "" || requests[name] {
		return
	}
	requests[name] = true
	for _, p := range schemas.SchemaFromRef(s.Ref).Properties {
		noteSchema(schemas, p, requests)
	}
}

// finish describes the headers of answers and what each failure means.
func finish(op *huma.Operation) {
	text := &huma.Schema{Type: huma.TypeString}
	for status, r := range op.Responses {
		if r.Headers == nil {
			r.Headers = map[string]*huma.Param{}
		}
		r.Headers["X-Request-Id"] = &huma.Param{Schema: text, Description: "Names the request in the logs"}
		if status == strconv.Itoa(http.StatusTooManyRequests) {
			r.Headers["Retry-After"] = &huma.Param{Schema: &huma.Schema{Type: huma.TypeInteger}, Description: "Seconds to wait"}
		}
		if code := meaning(status); code != "" {
			r.Description = "`" + string(code) + "`: " + code.Meaning()
		}
	}
}

// meaning returns the code that a status tells of; of two codes the one that comes first in the documentation.
func meaning(status string) connectors.Code {
	if status == strconv.Itoa(http.StatusUnprocessableEntity) {
		return connectors.InvalidRequest
	}
	for _, c := range connectors.Codes() {
		if strconv.Itoa(statuses[c]) == status && c != connectors.Incomplete {
			return c
		}
	}
	return ""
}
