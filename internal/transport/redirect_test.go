package transport

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

func TestClientRedirects(t *testing.T) {
	var foreign []http.Header
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		foreign = append(foreign, r.Header.Clone())
		_, _ = io.WriteString(w, "foreign")
	}))
	defer other.Close()
	var home *httptest.Server
	home = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		targets := map[string]string{
			"/same": "/end", "/away": other.URL + "/x", "/loop": "/loop", "/file": "file:///etc/passwd", "/bad": "http://[bad",
			"/private": "https://10.0.0.1/", "/metadata": "https://169.254.169.254/latest", "/user": "http://u:p@" + hostOf(home.URL) + "/end",
		}
		if target, ok := targets[r.URL.Path]; ok {
			w.Header().Set("Location", target)
			w.WriteHeader(http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, r.Method+" "+r.Header.Get("Authorization"))
	}))
	defer home.Close()
	tests := []struct {
		name, method, path string
		unsigned           bool
		want               any
		body               string
		foreign            int
	}{
		{name: "same host", path: "/same", want: 200, body: "GET Bearer tok-secret"},
		{name: "other host", path: "/away", want: connectors.ProviderError},
		{name: "other host without a credential", path: "/away", unsigned: true, want: 200, body: "foreign", foreign: 1},
		{name: "loop", path: "/loop", want: connectors.ProviderError},
		{name: "file", path: "/file", want: connectors.ProviderError},
		{name: "file without a credential", path: "/file", unsigned: true, want: connectors.ProviderError},
		{name: "unreadable", path: "/bad", want: connectors.ProviderError},
		{name: "POST that would become GET", method: "POST", path: "/same", want: connectors.ProviderError},
		{name: "private", path: "/private", unsigned: true, want: connectors.InvalidRequest},
		{name: "metadata", path: "/metadata", unsigned: true, want: connectors.InvalidRequest},
		{name: "user info", path: "/user", want: connectors.InvalidRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			foreign = nil
			l := newLab(t, home.URL, func(o *Options) {
				g, err := o.Guard.With(hostOf(other.URL))
				if err != nil {
					t.Fatal(err)
				}
				o.Guard = g
				if tt.unsigned {
					o.Source = nil
				}
			})
			got, body, err := l.do(request(t, tt.method, home.URL+tt.path+"?jql=query-secret", "x"))
			if got != tt.want || body != tt.body {
				t.Errorf("got %v %q, want %v %q (%v)", got, body, tt.want, tt.body, err)
			}
			if len(foreign) != tt.foreign {
				t.Fatalf("the other host was asked %d times, want %d", len(foreign), tt.foreign)
			}
			for _, h := range foreign {
				if h.Get("Authorization") != "" || h.Get("Referer") != "" {
					t.Errorf("the other host was told %v", h)
				}
			}
			l.checkLog()
		})
	}
}

// TestClientNeverSignsElsewhere takes the refusal of redirects away and asks the layer below to hold.
func TestClientNeverSignsElsewhere(t *testing.T) {
	var told string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told = r.Header.Get("Authorization") }))
	defer other.Close()
	home := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer home.Close()
	l := newLab(t, home.URL, func(o *Options) {
		o.Guard, _ = o.Guard.With(hostOf(other.URL))
	})
	l.client.CheckRedirect = nil
	if got, _, err := l.get(home.URL); got != 200 || told != "" {
		t.Errorf("got %v (%v), the other host was told %q", got, err, told)
	}
}
