package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

func TestRequestID(t *testing.T) {
	l := newLab(t)
	for name, tc := range map[string]struct {
		header map[string]string
		want   string // empty: a new one is made
	}{
		"none":              {nil, ""},
		"given":             {map[string]string{"X-Request-Id": "abc-1"}, "abc-1"},
		"correlation":       {map[string]string{"X-Correlation-Id": "abc-2"}, "abc-2"},
		"both":              {map[string]string{"X-Request-Id": "abc-1", "X-Correlation-Id": "abc-2"}, "abc-1"},
		"insane, then sane": {map[string]string{"X-Request-Id": "a b", "X-Correlation-Id": "abc-2"}, "abc-2"},
		"longest":           {map[string]string{"X-Request-Id": strings.Repeat("x", 128)}, strings.Repeat("x", 128)},
		"too long":          {map[string]string{"X-Request-Id": strings.Repeat("x", 129)}, ""},
		"not ASCII":         {map[string]string{"X-Request-Id": "ä"}, ""},
		"a space":           {map[string]string{"X-Request-Id": "a b"}, ""},
		"a tab":             {map[string]string{"X-Request-Id": "a\tb"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out := l.do(call{method: "GET", path: "/api/connections/none", header: tc.header})
			out.want(t, 404, connectors.NotFound)
			got := out.header.Get("X-Request-Id")
			if tc.want == "" && !domain.IsID(domain.RequestPrefix, got) || tc.want != "" && got != tc.want {
				t.Errorf("the id is %q, want %q", got, tc.want)
			}
		})
	}
	l.do(call{method: "POST", path: "/api/connections", body: object{"connectorId": "toy", "config": config("good")}, header: map[string]string{"X-Request-Id": "audited-1"}})
	if out := l.do(call{method: "GET", path: "/api/audit"}); !strings.Contains(out.text, `"requestId":"audited-1"`) {
		t.Errorf("the audit log is %s", out.text)
	}
}

func TestLogLine(t *testing.T) {
	l := newLab(t)
	id := l.put("acme", "main", "good")
	for _, tc := range []struct {
		call call
		want string
	}{
		{
			call{method: "GET", path: "/api/connectors/toy/items?limit=2&connectionId=" + id, header: map[string]string{"X-Api-Tag": "nightly"}},
			`{"api_tag":"nightly","method":"GET","msg":"request","path":"/api/connectors/{id}/items","request_id":"r-0","status_code":200,"tenant_id":"acme"}`,
		},
		{
			call{method: "POST", path: "/hooks/s3cret?query=s3cret", header: map[string]string{"X-Api-Tag": "a b"}},
			`{"api_tag":"","method":"POST","msg":"request","path":"/hooks/{secret}","request_id":"r-1","status_code":501,"tenant_id":""}`,
		},
		{
			call{method: "GET", path: "/hooks/s3cret/more"},
			`{"api_tag":"","method":"GET","msg":"request","path":"unmatched","request_id":"r-2","status_code":404,"tenant_id":""}`,
		},
		{
			call{method: "BREW", path: "/api/connections/s3cret"},
			`{"api_tag":"","method":"other","msg":"request","path":"/api/connections/{id}","request_id":"r-3","status_code":405,"tenant_id":""}`,
		},
		{
			call{method: "GET", path: "/", tenant: "a b"},
			`{"api_tag":"","method":"GET","msg":"request","path":"/","request_id":"r-4","status_code":200,"tenant_id":""}`,
		},
		{
			call{method: "GET", path: "/api/connections", tenant: "s3cret\"b"},
			`{"api_tag":"","method":"GET","msg":"request","path":"/api/connections","request_id":"r-5","status_code":422,"tenant_id":""}`,
		},
		{
			call{method: "POST", path: "/api/connectors/toy/probe", body: config("panic")},
			`{"api_tag":"","method":"POST","msg":"request","path":"/api/connectors/{id}/probe","request_id":"r-6","status_code":500,"tenant_id":"acme"}`,
		},
	} {
		before := len(l.lines())
		if tc.call.header == nil {
			tc.call.header = map[string]string{}
		}
		tc.call.header["X-Request-Id"] = fmt.Sprintf("r-%d", before-1)
		l.do(tc.call)
		lines := l.linesAfter(before)
		line := lines[len(lines)-1]
		if len(lines) != before+1 || len(line) != 10 {
			t.Errorf("%d lines of %d before, the last with the keys %v", len(lines), before, slices.Sorted(maps.Keys(line)))
		}
		if ms, ok := line["duration_ms"].(float64); !ok || ms <= 0 || ms > 20_000 {
			t.Errorf("duration_ms is %v", line["duration_ms"])
		}
		for _, k := range []string{"duration_ms", "time", "level"} {
			delete(line, k)
		}
		if got, _ := json.Marshal(line); string(got) != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
	if strings.Contains(l.log.String(), "s3cret") {
		t.Errorf("the log tells a secret: %s", l.log.String())
	}
}

// linesAfter waits for a completion line beyond the first n: it is written after the answer.
func (l *lab) linesAfter(n int) []map[string]any {
	l.t.Helper()
	for {
		if lines := l.lines(); len(lines) > n {
			return lines
		}
		select {
		case <-l.t.Context().Done():
			l.t.Fatal("no line was logged")
		default:
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	l := newLab(t)
	const canary = "s3cret-canary"
	answers := ""
	for _, c := range []call{
		{method: "POST", path: "/api/connections", body: object{"connectorId": "toy", "name": "main", "config": config(canary)}},
		{method: "POST", path: "/api/connections", body: object{"connectorId": "toy", "config": object{"key": []string{canary}, "user": object{"a": canary}, "port": canary}}},
		{method: "POST", path: "/api/connections", body: object{"connectorId": "toy", "config": canary, "name": []string{canary}}},
		{method: "POST", path: "/api/connections", body: `{"connectorId":"toy","config":{"key":"` + canary},
		{method: "POST", path: "/api/connections", body: `{"connectorId":"toy","config":{"key":"` + canary + `"},"key":["` + canary + `"]}`},
		{method: "POST", path: "/api/connections/token", body: object{"connectionId": "none", "token": canary}},
		{method: "POST", path: "/api/connections/token", body: object{"connectionId": 7, "token": canary}},
		{method: "POST", path: "/api/connectors/toy/validate", body: object{"config": config(canary)}},
		{method: "POST", path: "/api/connectors/toy/probe", body: config(canary)},
		{method: "POST", path: "/api/connectors/toy/connect/callback", body: object{"apiKey": canary, "apiSecret": canary, "config": object{}}},
		{method: "GET", path: "/api/connections"},
		{method: "GET", path: "/api/connectors/toy/items?cursor=" + canary},
		{method: "GET", path: "/api/audit"},
		{method: "GET", path: "/api/connections", header: map[string]string{"Authorization": "Bearer " + canary, "Cookie": canary}},
	} {
		answers += l.do(c).text
	}
	if strings.Contains(answers, canary) {
		t.Errorf("an answer tells the secret: %s", answers)
	}
	if strings.Contains(l.log.String(), canary) {
		t.Errorf("the log tells the secret: %s", l.log.String())
	}
	res, err := l.client.Do(l.request(call{method: http.MethodGet, path: "/metrics"}))
	if err != nil {
		t.Fatal(err)
	}
	if text := read(t, res); strings.Contains(text, canary) {
		t.Errorf("the metrics tell the secret: %s", text)
	}
}
