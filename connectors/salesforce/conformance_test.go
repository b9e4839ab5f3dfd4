package salesforce

import (
	"io"
	"net/http"
	"testing"

	"github.com/unified-connector/ucf/connectors/connectortest"
)

func TestConformance(t *testing.T) {
	mux := http.NewServeMux()
	for path, body := range map[string]string{versionsPath + "{$}": versions, userPath: person, queryPath: acme} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Header.Get("Authorization") != "Bearer "+token && path != versionsPath+"{$}" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(w, body)
		})
	}
	connectortest.Run(t, connectortest.Suite{
		Definition: &Definition,
		Config: func(_, _ string) map[string]any {
			return map[string]any{
				"instance_url": "https://my-instance.my.salesforce.com", "access_token": token,
				"refresh_token": "5Aep861TSESvWeug_xvFHRBTTbf_YrTWgEyjBJrfZPMQ", "client_secret": "client-secret-of-the-app",
			}
		},
		Handler: mux,
		Sites:   []string{"00Dx0000000BV7zEAH"},
	})
}
