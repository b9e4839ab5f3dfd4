package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/httpapi"
)

func TestHosts(t *testing.T) {
	l := newLab(t, func(o *httpapi.Options) http.Handler {
		o.PublicURL = "http://localhost:8443"
		return httpapi.New(*o)
	})
	for host, ok := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8000": true, "localhost": true, "LOCALHOST:80": true, "[::1]": true, "[::1]:8000": true, "127.9.9.9:1": true,
		"localhost:8443": true, "evil.example": false, "evil.example:8000": false, "127.0.0.1.evil.example": false, "localhost.evil.example": false,
		"localhost.": false, "10.0.0.1": false, "0.0.0.0": false, "[::]": false, "169.254.169.254": false, "127.1": false, "localhost:http": false,
		"[fe80::1]": false, "127.0.0.1@evil.example": false, "evil.localhost:8443": false,
	} {
		for _, path := range []string{"/api/connectors", "/healthz", "/nothing"} {
			out := l.do(call{method: "GET", path: path, header: map[string]string{"Host": host}})
			if refused := out.status == 403; refused == ok {
				t.Errorf("Host %q, %s: %d", host, path, out.status)
			}
		}
	}
	conn := l.dial("GET http://evil.example/healthz HTTP/1.1\r\nHost: " + l.addr + "\r\nConnection: close\r\n\r\n")
	b := make([]byte, 64)
	n, _ := conn.Read(b)
	if !strings.Contains(string(b[:n]), " 403 ") {
		t.Errorf("an absolute target of another host is answered %q", b[:n])
	}
}

func TestForwardingHeaders(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "x-real-ip", "x-forwarded-port", "X-Forwarded-Anything"} {
		out := l.do(call{method: "GET", path: "/api/connectors", header: map[string]string{name: "x"}})
		out.want(t, 403, connectors.Forbidden)
		if !strings.Contains(out.Error.Message, http.CanonicalHeaderKey(name)) {
			t.Errorf("the message does not name %s: %s", name, out.Error.Message)
		}
	}
}

func TestForeignPages(t *testing.T) {
	l := newLab(t, func(o *httpapi.Options) http.Handler {
		o.PublicURL = "http://localhost:8443"
		return httpapi.New(*o)
	})
	for name, tc := range map[string]struct {
		header map[string]string
		status int
	}{
		"no browser":     {nil, 200},
		"same origin":    {map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		"own origin":     {map[string]string{"Origin": "http://" + l.addr}, 200},
		"public origin":  {map[string]string{"Origin": "http://localhost:8443"}, 200},
		"cross site":     {map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"same site":      {map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"foreign origin": {map[string]string{"Origin": "http://evil.example"}, 403},
		"null origin":    {map[string]string{"Origin": "null"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			out := l.do(call{method: "POST", path: "/api/connectors/toy/connect", body: object{"method": "api_key"}, header: tc.header})
			if out.status != tc.status {
				t.Errorf("%d, want %d", out.status, tc.status)
			}
			if out.header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("another origin may read the answer")
			}
		})
	}
}

func TestCheckAccess(t *testing.T) {
	for _, tc := range []struct {
		listen, public string
		ok             bool
	}{
		{"127.0.0.1:8000", "", true},
		{"[::1]:8000", "", true},
		{"localhost:0", "http://localhost:8000", true},
		{"127.0.0.1:8000", "https://127.0.0.1", true},
		{":8000", "", false},
		{"0.0.0.0:8000", "", false},
		{"[::]:8000", "", false},
		{"192.168.1.5:8000", "", false},
		{"example.com:8000", "", false},
		{"127.0.0.1", "", false},
		{"", "", false},
		{"127.0.0.1:8000", "https://ucf.example.com", false},
		{"127.0.0.1:8000", "://", false},
	} {
		err := httpapi.CheckAccess(tc.listen, tc.public)
		if (err == nil) != tc.ok || err != nil && connectors.CodeOf(err) != connectors.InvalidRequest {
			t.Errorf("%q %q: %v, want ok %v", tc.listen, tc.public, err, tc.ok)
		}
	}
}

// Even where nobody called CheckAccess, an API without credentials answers nobody from elsewhere.
func TestOpenListenerIsClosed(t *testing.T) {
	l := newLab(t, func(o *httpapi.Options) http.Handler {
		open := *o
		open.Listen = "0.0.0.0:8000"
		return httpapi.New(open)
	})
	l.do(call{method: "GET", path: "/api/connectors"}).want(t, 403, connectors.Forbidden)
}
