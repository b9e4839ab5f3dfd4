package httpapi

import (
	"net/http"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// later lists the routes that are promised and not part of this version, by what they are about. They answer
// unsupported, so that a client can tell them from routes that never will be.
var later = map[string][]string{
	"webhooks": {
		"POST /connectors/{id}/webhooks", "DELETE /connectors/{id}/webhooks", "GET /webhooks",
		"GET /webhooks/{id}/events", "POST /webhooks/{id}/replay", "POST /webhooks/{id}/test",
	},
	"API keys":                          {"GET /keys", "POST /keys", "DELETE /keys"},
	"the export and removal of tenants": {"GET /tenants/{id}", "DELETE /tenants/{id}"},
}

// laterOutside lists those that are outside the prefix.
var laterOutside = map[string]string{
	"POST /hooks/{secret}": "webhooks of providers",
}

func (a *api) addLater() {
	for what, patterns := range later {
		for _, p := range patterns {
			method, path, _ := strings.Cut(p, " ")
			a.router.HandleFunc(method+" "+a.Prefix+path, a.unsupported(what))
		}
	}
	for pattern, what := range laterOutside {
		a.router.handleOutside(pattern, a.unsupported(what))
	}
}

func (a *api) unsupported(what string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, connectors.Errorf(connectors.Unsupported, "%s are not part of this version of ucf", upperFirst(what)))
	}
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
