package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/internal/httpapi"
)

func read(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (l *lab) get(path string) (*http.Response, string) {
	l.t.Helper()
	res, err := l.client.Do(l.request(call{method: http.MethodGet, path: path}))
	if err != nil {
		l.t.Fatal(err)
	}
	return res, read(l.t, res)
}

func TestMetrics(t *testing.T) {
	m := httpapi.NewMetrics()
	l := newLab(t, func(o *httpapi.Options) http.Handler {
		o.Metrics = m
		return httpapi.New(*o)
	})
	l.do(call{method: "GET", path: "/api/connectors/toy", header: map[string]string{"X-Api-Tag": "nightly"}})
	l.do(call{method: "BREW", path: "/api/connections/x"})
	for i := range 30 {
		l.do(call{method: "GET", path: fmt.Sprintf("/nothing-%d", i), header: map[string]string{"X-Api-Tag": fmt.Sprintf("tag-%d", i)}})
	}
	m.ObserveAttempt("toy", "GET", "", 200, 10*time.Millisecond)
	m.ObserveAttempt("toy", "BREW", "timeout", 0, time.Second)
	m.ObserveAttempt("toy", "GET", "a made-up code", 99999, time.Second)
	for i := range 100 {
		m.ObserveAttempt(fmt.Sprintf("c%d", i), "GET", "", 200, time.Millisecond)
	}
	res, text := l.get("/metrics")
	if ct := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(ct, "text/plain") {
		t.Errorf("%d %s", res.StatusCode, ct)
	}
	for _, want := range []string{
		`ucf_http_requests_total{api_tag="nightly",method="GET",route="/api/connectors/{id}",status="200"} 1`,
		`ucf_http_requests_total{api_tag="",method="other",route="/api/connections/{id}",status="405"} 1`,
		`ucf_http_requests_total{api_tag="tag-1",method="GET",route="unmatched",status="404"} 1`,
		`ucf_http_requests_total{api_tag="other",method="GET",route="unmatched",status="404"} 11`,
		`ucf_http_request_duration_seconds_count{method="GET",route="unmatched"} 30`,
		`ucf_http_requests_in_flight 1`,
		`ucf_provider_attempts_total{code="",connector="toy",method="GET",status="200"} 1`,
		`ucf_provider_attempts_total{code="timeout",connector="toy",method="other",status="0"} 1`,
		`ucf_provider_attempts_total{code="other",connector="toy",method="GET",status="0"} 1`,
		`ucf_provider_attempts_total{code="",connector="other",method="GET",status="200"} 37`,
		`ucf_provider_attempt_duration_seconds_count{connector="toy"} 3`,
		"go_goroutines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "nothing-") || strings.Contains(text, "tag-29") || strings.Contains(text, "c99") {
		t.Error("labels are not bounded")
	}
}
