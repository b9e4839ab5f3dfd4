package cli

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

// kind is how a page ends: it decides the colour and the sign.
type kind string

// The kinds of pages.
const (
	kindOK   kind = "ok"
	kindInfo kind = "info"
	kindWarn kind = "warn"
	kindBad  kind = "bad"
)

// fact is one line of a page's table.
type fact struct{ Name, Value string }

// page is what a browser is shown that comes back from a vendor.
type page struct {
	Status int
	Kind   kind
	Title  string
	Text   string
	Facts  []fact
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
var signs = map[kind]string{
	kindOK: "M15 25l6 6 13-14", kindInfo: "M24 22v11M24 15v.1", kindWarn: "M24 14v12M24 33v.1", kindBad: "M17 17l14 14M31 17l-14 14",
}

// write sends the page whole, so that the connection may be closed behind it.
func (p page) write(w http.ResponseWriter, app string) {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		page
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
