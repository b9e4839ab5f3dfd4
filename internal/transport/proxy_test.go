package transport

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

func TestGuardIgnoresTheEnvironmentsProxy(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:9")
	}
	g := mustGuard(t)
	if u, err := g.transport.Proxy(request(t, "GET", "https://acme.example/", "")); u != nil || err != nil {
		t.Errorf("proxy %v, %v", u, err)
	}
}

func TestGuardChecksTheTargetBeforeTheProxy(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.Host)
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	direct := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") }))
	defer direct.Close()
	g, err := NewGuard([]string{"jira.corp", strings.TrimPrefix(direct.URL, "http://")}, mustURL(t, proxy.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer g.CloseIdleConnections()
	g.names = &names{answers: map[string][][]string{
		"public.example": {{"93.184.216.34"}}, "rebind.example": {{"10.0.0.1"}}, "jira.corp": {{"10.0.0.2"}}, "meta.example": {{"169.254.169.254"}},
	}}
	tests := []struct {
		url  string
		want connectors.Code
		asks string
	}{
		{"https://public.example/", connectors.ProviderError, "CONNECT public.example:443"},
		{"https://jira.corp/", connectors.ProviderError, "CONNECT jira.corp:443"},
		{"http://jira.corp/", "", "GET jira.corp"},
		{"https://rebind.example/", connectors.InvalidRequest, ""},
		{"https://meta.example/", connectors.InvalidRequest, ""},
		{"https://10.0.0.1/", connectors.InvalidRequest, ""},
		{"https://unknown.example/", connectors.ProviderError, ""},
		{proxy.URL, connectors.InvalidRequest, ""},
		{direct.URL, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			asked = nil
			resp, err := get(t, newExchange(g), tt.url)
			if got := connectors.CodeOf(err); got != tt.want {
				t.Errorf("code %q, want %q: %v", got, tt.want, err)
			}
			if err == nil {
				resp.Body.Close()
			}
			if got := strings.Join(asked, ","); got != tt.asks {
				t.Errorf("the proxy was asked for %q, want %q", got, tt.asks)
			}
			if err != nil && tt.asks != "" && !strings.Contains(err.Error(), "UCF_PROXY_URL") {
				t.Errorf("the message does not blame the proxy: %v", err)
			}
		})
	}
}

func TestGuardProxyFaults(t *testing.T) {
	for _, s := range []string{"ftp://p:1", "p:8080", "http://", "//p:80"} {
		u, err := url.Parse(s)
		if err != nil {
			continue
		}
		if _, err := NewGuard(nil, u); connectors.CodeOf(err) != connectors.InvalidRequest {
			t.Errorf("%s: got %v, want invalid_request", s, err)
		}
	}
	for scheme, want := range map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"} {
		if got := proxyPort(mustURL(t, scheme+"://p")); got != want {
			t.Errorf("%s: port %s, want %s", scheme, got, want)
		}
	}
}
