package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"regexp"
	"sync"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"github.com/unified-connector/ucf/connectors"
)

// docsPath is where the page is that shows the OpenAPI document. It is served from the binary alone.
const docsPath = "/docs"

// docsStyle gives the page the colours of the theme.
const docsStyle template.HTML = `<style>
body { background: linear-gradient(180deg, rgba(59,130,246,.1), #F9FAFB 24rem) no-repeat #F9FAFB; color: #111827; }
.swagger-ui .info .title, .swagger-ui .opblock-tag { color: #111827; }
.swagger-ui .info a, .swagger-ui a.nostyle:hover { color: #2563EB; }
.swagger-ui .opblock { background: #FFFFFF; border-radius: 8px; box-shadow: 0 1px 2px rgba(17,24,39,.08); }
.swagger-ui .opblock.opblock-get .opblock-summary-method { background: #2563EB; }
.swagger-ui .opblock.opblock-post .opblock-summary-method { background: #10B981; }
.swagger-ui .opblock.opblock-patch .opblock-summary-method { background: #F59E0B; }
.swagger-ui .opblock.opblock-delete .opblock-summary-method { background: #EF4444; }
.swagger-ui .btn.execute { background: #2563EB; border-color: #2563EB; }
</style>`

// addDocuments adds the OpenAPI documents and the page that shows them.
func (a *api) addDocuments() {
	a.addDocument("/openapi.json", a.openAPI)
	a.addDocument("/openapi-3.0.json", a.openAPI30)
	ui := v5emb.NewHandlerWithConfig(swgui.Config{
		Title: a.Name, SwaggerJSON: "/openapi.json", BasePath: docsPath, AppendHead: docsStyle,
		SettingsUI: map[string]string{"tryItOutEnabled": "true", "displayRequestDuration": "true"},
	})
	page := render(ui)
	policy := docsPolicy(page)
	index := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(page)
	}
	a.router.handleOutside(http.MethodGet+" "+docsPath, index)
	a.router.handleOutside(http.MethodGet+" "+docsPath+"/{$}", index)
	a.router.handleOutside(http.MethodGet+" "+docsPath+"/{file}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		ui.ServeHTTP(w, r)
	})
}

// addDocument adds a document that is made once, when it is first asked for: what the API offers does not change
// while it runs.
func (a *api) addDocument(path string, text func() ([]byte, error)) {
	text = sync.OnceValues(text)
	a.router.handleOutside(http.MethodGet+" "+path, func(w http.ResponseWriter, r *http.Request) {
		body, err := text()
		if err != nil {
			a.fail(w, r, connectors.AsError(err))
			return
		}
		w.Header().Set("Content-Type", jsonType)
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(body)
	})
}

// kept is a response that is kept in memory.
type kept struct {
	header http.Header
	body   bytes.Buffer
}

func (k *kept) Header() http.Header         { return k.header }
func (k *kept) Write(p []byte) (int, error) { return k.body.Write(p) }
func (k *kept) WriteHeader(int)             {}

// render returns the page of the user interface, which is the same for everybody.
func render(ui http.Handler) []byte {
	r, err := http.NewRequest(http.MethodGet, docsPath+"/", http.NoBody) //nolint:noctx // nothing is sent
	if err != nil {
		return nil
	}
	k := &kept{header: http.Header{}}
	ui.ServeHTTP(k, r)
	return k.body.Bytes()
}

var inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// docsPolicy lets the page run its own scripts and no other.
func docsPolicy(page []byte) string {
	scripts := "'self'"
	for _, m := range inlineScript.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(m[1])
		scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src " + scripts + "; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
