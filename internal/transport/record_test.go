package transport

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

func TestRecord(t *testing.T) {
	slow := func(s step) step {
		return func(r *http.Request) (*http.Response, error) {
			time.Sleep(250 * time.Millisecond)
			return s(r)
		}
	}
	tests := []struct {
		name    string
		method  string
		answer  step
		want    Attempt
		wantLog []string
	}{
		{
			"answer", "GET", slow(status(200, "Set-Cookie", "hush")),
			Attempt{Status: 200, Bytes: 4, Duration: 250 * time.Millisecond},
			[]string{"status_code=200", "bytes=4", "duration_ms=250", "path=/rest/a%20b", "request_id=req-1", "try=3"},
		},
		{"HEAD has no body", "HEAD", status(200), Attempt{Status: 200}, []string{"status_code=200", "bytes=0"}},
		{
			"failure", "GET", broken(connectors.ProviderError),
			Attempt{Code: connectors.ProviderError},
			[]string{"status_code=0", "error.code=provider_error", "connection reset"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []Attempt
				var out bytes.Buffer
				r := &record{
					next: newScript(t, tt.answer), connector: "jira", observe: func(a Attempt) { got = append(got, a) },
					log:       slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
					requestID: func(context.Context) string { return "req-1" },
				}
				req := request(t, tt.method, "https://h.example:8443/rest/a%20b?jql=hush", "hush")
				req.Header.Set("Authorization", "hush")
				resp, err := r.RoundTrip(req.WithContext(context.WithValue(req.Context(), tryKey{}, 3)))
				if err == nil {
					resp.Body.Close()
				}
				want := tt.want
				want.Connector, want.Method, want.Host, want.Try = "jira", tt.method, "h.example:8443", 3
				if len(got) != 1 || got[0] != want {
					t.Errorf("observed %+v, want one %+v", got, want)
				}
				line := out.String()
				if strings.Count(line, "\n") != 1 || strings.Contains(line, "hush") {
					t.Errorf("want one line without secrets, got %s", line)
				}
				for _, s := range tt.wantLog {
					if !strings.Contains(line, s) {
						t.Errorf("the line lacks %s: %s", s, line)
					}
				}
			})
		})
	}
}

func TestRecordBoundsThePath(t *testing.T) {
	var out bytes.Buffer
	r := &record{
		next: newScript(t, status(200)), observe: func(Attempt) {}, requestID: func(context.Context) string { return "" },
		log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if _, err := get(t, r, "https://h.example/"+strings.Repeat("x", 5000)); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 600 {
		t.Errorf("the line has %d bytes", out.Len())
	}
}
