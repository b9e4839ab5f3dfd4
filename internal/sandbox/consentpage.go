package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
)

const pageStyle = `
*{box-sizing:border-box}
body{margin:0;min-height:100vh;padding:32px 16px;background:linear-gradient(#eff6ff,#F9FAFB 320px) no-repeat #F9FAFB;accent-color:#2563EB;color:#111827;font:16px/1.5 system-ui,sans-serif}
main{max-width:480px;margin:0 auto;padding:28px;background:#FFFFFF;border:1px solid #e5e7eb;border-radius:14px;overflow-wrap:anywhere}
h1{margin:0 0 12px;font-size:22px}
p{margin:0 0 16px}
fieldset{margin:0 0 16px;padding:8px 14px;border:1px solid #e5e7eb;border-radius:10px}
legend{padding:0 6px;color:#6B7280;font-size:14px}
label{display:block;padding:3px 0}
ul{margin:0;padding-left:20px}
.brand{color:#2563EB;font-weight:600;font-size:14px}
.row{display:flex;gap:12px}
button{flex:1;padding:10px;border:1px solid #2563EB;border-radius:10px;background:#FFFFFF;color:#2563EB;font:inherit;font-weight:600;cursor:pointer}
button.yes{background:#2563EB;color:#FFFFFF}
button:focus-visible,input:focus-visible{outline:3px solid #F59E0B;outline-offset:2px}
`

const pageHead = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>` + pageStyle + `</style>
</head>
<body>
<main>
<p class="brand">ucf sandbox</p>
<h1>{{.Title}}</h1>
`

// The form has no action: it goes to the address of the page, which carries the request.
var consentTemplate = template.Must(template.New("consent").Parse(pageHead + `<p>{{.Client}} asks for access to {{.Provider}}.
The answer goes to {{.Redirect}}.</p>
<form method="post">
<fieldset><legend>Account</legend>
{{- range .People}}
<label><input type="radio" name="account" value="{{.ID}}"{{if .Chosen}} checked{{end}}> {{.Name}}</label>
{{- end}}
</fieldset>
{{- if .Sites}}
<fieldset><legend>Sites</legend>
{{- range .Sites}}
<label><input type="checkbox" name="site" value="{{.ID}}"{{if .Chosen}} checked{{end}}> {{.Name}}</label>
{{- end}}
</fieldset>
{{- end}}
<fieldset><legend>What it may do</legend>
<ul>
{{- range .Scopes}}
<li>{{.}}</li>
{{- end}}
</ul>
</fieldset>
<div class="row">
<button name="decision" value="deny">Deny</button>
<button class="yes" name="decision" value="approve">Approve</button>
</div>
</form>
</main>
</body>
</html>
`))

var deskErrorTemplate = template.Must(template.New("error").Parse(pageHead + `<p>{{.Text}}</p>
<p>Nothing was granted, and nobody was told. Close this page and begin again.</p>
</main>
</body>
</html>
`))

// option is one of several things to tick.
type option struct {
	ID, Name string
	Chosen   bool
}

// show writes the page of the request.
func (d *consentDesk) show(w http.ResponseWriter, query url.Values, request *consentRequest) {
	chosen, ok := d.person(query.Get("account"))
	if !ok {
		writeDeskError(w, "There is no such account.")
		return
	}
	sites, ok := d.chosen(query["site"], true)
	if !ok {
		writeDeskError(w, "There is no such site.")
		return
	}
	page := struct {
		Title, Client, Provider, Redirect string
		People, Sites                     []option
		Scopes                            []string
	}{
		Title: "Give access to " + d.provider + "?", Client: d.client, Provider: d.provider,
		Redirect: request.redirect.Scheme + "://" + request.redirect.Host, Scopes: request.scopes,
	}
	for i, a := range d.people {
		page.People = append(page.People, option{a.id, a.name, i == chosen})
	}
	for i, s := range d.sites {
		page.Sites = append(page.Sites, option{s.cloudID, s.name, slices.Contains(sites, i)})
	}
	// Browsers hold the redirect that follows the form against form-action too, and an address such as [::1] has no
	// place in it.
	writePage(w, http.StatusOK, "'self' "+request.redirect.Scheme+":", consentTemplate, page)
}

// writeDeskError tells the user, and not the app, what is wrong.
func writeDeskError(w http.ResponseWriter, text string) {
	writePage(w, http.StatusBadRequest, "'none'", deskErrorTemplate, struct{ Title, Text string }{"This request cannot be answered", text})
}

func writePage(w http.ResponseWriter, status int, formAction string, t *template.Template, data any) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	protectPage(w, formAction)
	writeHTML(w, status, b.String())
}

var styleHash = func() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// protectPage keeps scripts and foreign frames away from a page that holds codes or gives consent, and its address from
// whatever it leads to.
func protectPage(w http.ResponseWriter, formAction string) {
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; style-src "+styleHash+"; base-uri 'none'; frame-ancestors 'none'; form-action "+formAction)
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
}
