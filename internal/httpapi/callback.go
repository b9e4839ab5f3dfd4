package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/webpage"
)

// maxReturned bounds each parameter that a browser brings back from a vendor, in bytes.
const maxReturned = 8 << 10

// addCallback adds the page that vendors send browsers back to. It checks the state and sends the browser on to the page
// of the application that began the flow; it completes nothing by itself, so it needs no caller, and no cookie: ucf has
// no page of its own that begins a flow.
func (a *api) addCallback() {
	a.router.handleOutside(http.MethodGet+" /oauth/callback", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			return // a look ahead is no return
		}
		in, err := returned(r)
		var out service.ReturnOut
		if err == nil {
			out, err = a.Service.Return(r.Context(), in)
		}
		switch {
		case err != nil && !wantsPage(r):
			a.fail(w, r, err)
		case err != nil:
			e := connectors.AsError(err)
			f := a.failure(r.Context(), err)
			webpage.Page{
				Status: f.state, Kind: webpage.Bad, Title: "Not connected", Text: sentence(e.Message),
				Next: "Go back to the application and begin again. You can close this window.",
			}.Write(w, a.Name)
		case out.Location != "":
			http.Redirect(w, r, out.Location, http.StatusSeeOther)
		default:
			finalPage(out.Denied).Write(w, a.Name)
		}
	})
}

// returned reads what a browser brings back. A parameter that is there twice is refused: two readers could take
// different ones.
func returned(r *http.Request) (service.ReturnIn, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return service.ReturnIn{}, connectors.Errorf(connectors.InvalidRequest, "the query string is malformed")
	}
	for _, name := range []string{"state", "code", "error"} {
		if len(q[name]) > 1 || len(q.Get(name)) > maxReturned {
			return service.ReturnIn{}, connectors.Errorf(connectors.InvalidRequest, "the parameter %s is there twice or too long", name)
		}
	}
	return service.ReturnIn{State: q.Get("state"), Code: q.Get("code"), Error: q.Get("error")}, nil
}

// wantsPage reports whether a browser asks, and not a program.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// finalPage ends a flow that named no page to return to.
func finalPage(denied bool) webpage.Page {
	if denied {
		return webpage.Page{
			Status: http.StatusOK, Kind: webpage.Warn, Title: "Consent denied", Text: "Nothing was connected.",
			Next: "Go back to the program in which you began. You can close this window.",
		}
	}
	return webpage.Page{
		Status: http.StatusOK, Kind: webpage.Info, Title: "Almost done", Text: "You gave your consent. The program in which you began has to be told.",
		Next: "Copy the whole address of this page into that program, and nowhere else.",
	}
}

// sentence begins a message with a capital letter and ends it with a stop.
func sentence(s string) string { return upperFirst(s) + "." }
