// Package webpage is the one page of ucf's own look that a browser is shown when it comes back from a consent: plain
// HTML in the colours of Ocean Professional, without a script, under a policy that allows nothing else.
package webpage

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// Kind is how a page ends: it decides the colour and the sign.
type Kind string

// The kinds of pages.
const (
	OK   Kind = "ok"
	Info Kind = "info"
	Warn Kind = "warn"
	Bad  Kind = "bad"
)

// Fact is one line of a page's table.
type Fact struct{ Name, Value string }

// Page is what a browser is shown that comes back from a vendor. Its texts are escaped.
type Page struct {
	Status int
	Kind   Kind
	Title  string
	Text   string
	Facts  []Fact
	Next   string
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var (
	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
	pageStyle    = template.CSS(strings.TrimSpace(pageCSS))
	// pagePolicy allows the one style sheet, by its hash, and nothing else.
	pagePolicy = "default-src 'none'; style-src 'sha256-" + styleHash() + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

func styleHash() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// signs are drawn into the circle of a page.
var signs = map[Kind]string{
	OK: "M15 25l6 6 13-14", Info: "M24 22v11M24 15v.1", Warn: "M24 14v12M24 33v.1", Bad: "M17 17l14 14M31 17l-14 14",
}

// Write answers with the page, whole, so that the connection may be closed behind it. app is the name above it.
func (p Page) Write(w http.ResponseWriter, app string) {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		Page
		App, Sign string
		Style     template.CSS
	}{p, app, signs[p.Kind], pageStyle})
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close")
	w.WriteHeader(p.Status)
	_, _ = w.Write(b.Bytes())
	_ = http.NewResponseController(w).Flush()
}
