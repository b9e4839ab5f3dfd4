package transport

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

func TestClientTLS(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	quiet := func(s *httptest.Server) { s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) }
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	quiet(secure)
	secure.StartTLS()
	defer secure.Close()
	old := httptest.NewUnstartedServer(handler)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	quiet(old)
	old.StartTLS()
	defer old.Close()
	redirecting := httptest.NewUnstartedServer(http.RedirectHandler(plain.URL, http.StatusMovedPermanently))
	redirecting.StartTLS()
	defer redirecting.Close()

	tests := []struct {
		name  string
		url   string
		trust *httptest.Server
		want  any
		says  string
	}{
		{"trusted", secure.URL, secure, 200, ""},
		{"not trusted", secure.URL, nil, connectors.ProviderError, "not trusted"},
		{"https where http is spoken", "https://" + hostOf(plain.URL), nil, connectors.ProviderError, "plain http"},
		{"http where https is spoken", "http://" + hostOf(secure.URL), nil, 400, ""},
		{"too old", old.URL, old, connectors.ProviderError, "check base_url"},
		{"redirect to plain http", redirecting.URL, redirecting, connectors.ProviderError, "plain http"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, tt.url, func(o *Options) {
				if tt.trust != nil {
					pool := x509.NewCertPool()
					pool.AddCert(tt.trust.Certificate())
					o.Guard.transport.TLSClientConfig.RootCAs = pool
				}
			})
			got, body, err := l.get(tt.url)
			if got != tt.want || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v (%v), want %v with %q", got, err, tt.want, tt.says)
			}
			if got == 200 && body != "HTTP/2.0" {
				t.Errorf("spoke %s, want HTTP/2.0", body)
			}
			if got == connectors.ProviderError && len(l.seen) != 1 {
				t.Errorf("tried %d times, want once", len(l.seen))
			}
		})
	}
}
