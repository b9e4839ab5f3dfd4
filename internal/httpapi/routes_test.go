package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/httpapi"
)

func TestRoutes(t *testing.T) {
	l := newLab(t)
	id := l.put("acme", "main", "good")
	spare := l.put("acme", "spare", "good")
	for _, tc := range []struct {
		route  string
		body   any
		status int
		code   connectors.Code
		data   string // a part of the data
	}{
		{"GET /", nil, 200, "", `"database":"sqlite: ok"`},
		{"GET /healthz", nil, 200, "", `{"alive":true}`},
		{"GET /readyz", nil, 200, "", `{"ready":true}`},
		{"GET /api/connectors", nil, 200, "", `"status":"connected"`},
		{"GET /api/connectors?workspaceId=acme", nil, 200, "", `"id":"toy"`},
		{"GET /api/connectors/toy", nil, 200, "", `"configSchema":{`},
		{"GET /api/connectors/none", nil, 404, connectors.NotFound, ""},
		{"PATCH /api/connectors/toy", object{"extraDetails": true}, 200, "", `"extraDetails":true`},
		{"POST /api/connectors/toy/probe", object{"connectionId": id}, 200, "", `"account":{"id":"1"`},
		{"POST /api/connectors/toy/probe", config("good"), 200, "", `"latencyMs"`},
		{"POST /api/connectors/toy/probe", object{}, 409, connectors.Conflict, ""},
		{"POST /api/connectors/toy/validate", object{"config": config("good")}, 200, "", `{"valid":true}`},
		{"POST /api/connectors/toy/validate", object{"config": object{"port": 0}}, 422, connectors.InvalidRequest, ""},
		{"POST /api/connectors/toy/connect", object{"method": "api_key"}, 200, "", `"status":"pending_key"`},
		{"POST /api/connectors/toy/connect", object{"method": "oauth2", "redirectUri": "http://localhost/", "scopes": []string{"a"}, "csrfToken": "x", "codeChallenge": "y", "site": "z"}, 501, connectors.Unsupported, ""},
		{"POST /api/connectors/toy/connect/callback", object{"state": "s", "code": "c", "codeVerifier": "v"}, 501, connectors.Unsupported, ""},
		{"POST /api/connectors/toy/connect/callback", object{"apiKey": "good", "config": object{"base_url": "https://toy.example", "user": "u"}, "label": "third"}, 200, "", `"status":"connected"`},
		{"POST /api/connectors/toy/connect/callback", object{"config": config("good"), "label": "third"}, 409, connectors.Conflict, ""},
		{"GET /api/connectors/toy/containers?raw=true&connectionId=" + id, nil, 200, "", `"meta":{"size":12345678901234567890.5},"raw":{"b":"<&>","a":1.50}`},
		{"GET /api/connectors/toy/items?limit=2&connectionId=" + id, nil, 200, "", `"next":"`},
		{"GET /api/connectors/toy/items?connectionId=" + id, nil, 200, "", `"next":null`},
		{"GET /api/connectors/toy/items?cursor=damaged&connectionId=" + id, nil, 400, connectors.InvalidRequest, ""},
		{"GET /api/connectors/toy/items?query=x&connectionId=" + id, nil, 501, connectors.Unsupported, ""},
		{"GET /api/connectors/toy/comments?itemId=1&connectionId=" + id, nil, 501, connectors.Unsupported, ""},
		{"GET /api/connectors/toy/comments", nil, 422, connectors.InvalidRequest, ""},
		{"GET /api/connections", nil, 200, "", `"name":"main"`},
		{"GET /api/connections?limit=1&connectorId=toy", nil, 200, "", `"next":"`},
		{"GET /api/connections/" + id, nil, 200, "", `"config":{"auth_method":"api_key","base_url":"https://toy.example","user":"u"}`},
		{"GET /api/connections/con_00000000000000000000000000", nil, 404, connectors.NotFound, ""},
		{"PATCH /api/connections/" + id, object{"name": "renamed"}, 200, "", `"name":"renamed"`},
		{"POST /api/connections/token", object{"connectionId": id, "token": "good"}, 200, "", `"tokenId":"tok_`},
		{"POST /api/connections/validate", object{"connectionId": id}, 200, "", `{"valid":true}`},
		{"GET /api/connections/" + id + "/token", nil, 200, "", `{"token":"good","expiresAt":null,"type":"basic"}`},
		{"POST /api/connections/" + id + "/refresh", nil, 501, connectors.Unsupported, ""},
		{"GET /api/connections/" + id + "/sync-state", nil, 200, "", `{"cursor":null,"stream":"items","updatedAt":null}`},
		{"POST /api/connections/" + id + "/sync-state", object{"cursor": " verbatim\t<&> "}, 200, "", `{"cursor":" verbatim\t<&> ","stream":"items"`},
		{"GET /api/connections/" + id + "/sync-state?stream=items", nil, 200, "", `"cursor":" verbatim\t<&> "`},
		{"POST /api/connections/revoke", object{"connectionId": id, "reason": "test"}, 200, "", `{"revoked":true}`},
		{"GET /api/connections/" + id + "/token", nil, 424, connectors.Reauthorize, ""},
		{"POST /api/connections/validate", object{"connectionId": id}, 424, connectors.Reauthorize, ""},
		{"POST /api/connectors/toy/revoke", object{"connectionId": spare}, 200, "", `{"revoked":true}`},
		{"DELETE /api/connections/" + spare, nil, 200, "", `{"deleted":true}`},
		{"DELETE /api/connections/" + spare, nil, 404, connectors.NotFound, ""},
		{"GET /api/audit?limit=200", nil, 200, "", `"actor":"api","action":"connection.delete"`},

		{"POST /api/connectors/toy/webhooks", object{"callbackUrl": "https://x.example"}, 501, connectors.Unsupported, ""},
		{"DELETE /api/connectors/toy/webhooks", object{"webhookId": "x"}, 501, connectors.Unsupported, ""},
		{"GET /api/webhooks", nil, 501, connectors.Unsupported, ""},
		{"GET /api/webhooks/x/events", nil, 501, connectors.Unsupported, ""},
		{"POST /api/webhooks/x/replay", nil, 501, connectors.Unsupported, ""},
		{"POST /api/webhooks/x/test", nil, 501, connectors.Unsupported, ""},
		{"GET /api/keys", nil, 501, connectors.Unsupported, ""},
		{"POST /api/keys", nil, 501, connectors.Unsupported, ""},
		{"DELETE /api/keys", nil, 501, connectors.Unsupported, ""},
		{"GET /api/tenants/acme", nil, 501, connectors.Unsupported, ""},
		{"DELETE /api/tenants/acme", nil, 501, connectors.Unsupported, ""},
		{"GET /oauth/callback?code=x&state=y", nil, 400, connectors.InvalidRequest, ""},
		{"GET /oauth/callback?code=x&code=y&state=z", nil, 400, connectors.InvalidRequest, ""},
		{"GET /oauth/callback", nil, 400, connectors.InvalidRequest, ""},
		{"POST /hooks/s3cret", nil, 501, connectors.Unsupported, ""},
	} {
		t.Run(tc.route, func(t *testing.T) {
			method, path, _ := strings.Cut(tc.route, " ")
			out := l.do(call{method: method, path: path, body: tc.body})
			out.want(t, tc.status, tc.code)
			if !strings.Contains(string(out.Data), tc.data) {
				t.Errorf("the data is %s, want %s in it", out.Data, tc.data)
			}
		})
	}
}

func TestNoRoute(t *testing.T) {
	l := newLab(t)
	for _, tc := range []struct {
		route  string
		status int
		code   connectors.Code
		allow  string
	}{
		{"GET /nothing", 404, connectors.NotFound, ""},
		{"GET /api", 404, connectors.NotFound, ""},
		{"GET /api/", 404, connectors.NotFound, ""},
		{"GET /api/connectors/", 404, connectors.NotFound, ""},
		{"GET //api/connectors", 404, connectors.NotFound, ""},
		{"GET /api/../api/connectors", 404, connectors.NotFound, ""},
		{"GET /api/connectors/toy/none", 404, connectors.NotFound, ""},
		{"GET //evil.example/%2e%2e", 404, connectors.NotFound, ""},
		{"POST /", 405, connectors.MethodNotAllowed, "GET, HEAD"},
		{"PUT /api/connections", 405, connectors.MethodNotAllowed, "GET, HEAD, POST"},
		{"OPTIONS /api/connections", 405, connectors.MethodNotAllowed, "GET, HEAD, POST"},
		{"TRACE /api/connections/x", 405, connectors.MethodNotAllowed, "GET, HEAD, PATCH, DELETE"},
		{"BREW /healthz", 405, connectors.MethodNotAllowed, "GET, HEAD"},
		{"GET /api/connectors/toy/probe", 405, connectors.MethodNotAllowed, "POST"},
		{"GET /hooks/s3cret", 405, connectors.MethodNotAllowed, "POST"},
		{"GET /api/connections/%ff", 400, connectors.InvalidRequest, ""},
	} {
		t.Run(tc.route, func(t *testing.T) {
			method, path, _ := strings.Cut(tc.route, " ")
			out := l.do(call{method: method, path: path})
			out.want(t, tc.status, tc.code)
			if got := out.header.Get("Allow"); got != tc.allow {
				t.Errorf("Allow is %q, want %q", got, tc.allow)
			}
		})
	}
}

func TestHead(t *testing.T) {
	l := newLab(t)
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/api/connectors", "/api/connections"} {
		if out := l.do(call{method: http.MethodHead, path: path}); out.status != 200 || out.text != "" {
			t.Errorf("HEAD %s: %d %q", path, out.status, out.text)
		}
	}
}

func TestIfMatch(t *testing.T) {
	l := newLab(t)
	id := l.put("acme", "main", "good")
	rename := func(match string) reply {
		return l.do(call{method: "PATCH", path: "/api/connections/" + id, body: object{"name": "n" + strings.Trim(match, `"`)}, header: map[string]string{"If-Match": match}})
	}
	rename("7").want(t, 409, connectors.Conflict)
	rename(`"1"`).want(t, 200, "")
	rename("1").want(t, 409, connectors.Conflict)
	rename("x").want(t, 400, connectors.InvalidRequest)
	l.do(call{method: "DELETE", path: "/api/connections/" + id, header: map[string]string{"If-Match": "1"}}).want(t, 409, connectors.Conflict)
}

func TestStatusOfEveryCode(t *testing.T) {
	want := map[connectors.Code]int{
		connectors.InvalidRequest: 400, connectors.TenantRequired: 400, connectors.Unauthenticated: 401, connectors.Forbidden: 403,
		connectors.NotFound: 404, connectors.MethodNotAllowed: 405, connectors.Conflict: 409, connectors.PayloadTooLarge: 413,
		connectors.Reauthorize: 424, connectors.RateLimited: 429, connectors.Incomplete: 502, connectors.Unsupported: 501,
		connectors.ProviderError: 502, connectors.Unavailable: 503, connectors.Timeout: 504, connectors.Internal: 500,
	}
	if len(want) != len(connectors.Codes()) {
		t.Errorf("%d codes are expected, there are %d", len(want), len(connectors.Codes()))
	}
	for _, c := range connectors.Codes() {
		if got := httpapi.Status(&connectors.Error{Code: c}); got != want[c] {
			t.Errorf("%s is %d, want %d", c, got, want[c])
		}
	}
	fields := connectors.AsError(connectors.InvalidFields(connectors.Fault{Field: "a", Message: "b"}))
	if got := httpapi.Status(fields); got != 422 {
		t.Errorf("faults in fields are %d, want 422", got)
	}
	if got := httpapi.Status(&connectors.Error{Code: "unheard_of"}); got != 500 {
		t.Errorf("an unknown code is %d, want 500", got)
	}
}

func TestProviderFailures(t *testing.T) {
	l := newLab(t)
	for code, status := range map[connectors.Code]int{
		connectors.Reauthorize: 424, connectors.RateLimited: 429, connectors.ProviderError: 502, connectors.Unavailable: 503,
		connectors.Timeout: 504, connectors.Unsupported: 501, connectors.NotFound: 404,
	} {
		t.Run(string(code), func(t *testing.T) {
			out := l.do(call{method: "POST", path: "/api/connectors/toy/probe", body: config("fail:" + string(code))})
			out.want(t, status, code)
			if out.Error.Message != "the toy failed with "+string(code) {
				t.Errorf("the message is %q", out.Error.Message)
			}
			if got := out.header.Get("Retry-After"); got != "2" {
				t.Errorf("Retry-After is %q, want 1.2 s rounded up", got)
			}
		})
	}
}

// Where nobody knows how long to wait, Retry-After is there all the same.
func TestRateLimitWithoutWait(t *testing.T) {
	l := newLab(t)
	out := l.do(call{method: "POST", path: "/api/connectors/toy/probe", body: config("hurried")})
	out.want(t, 429, connectors.RateLimited)
	if got := out.header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After is %q, want 1", got)
	}
}

func TestInternalTellsNothing(t *testing.T) {
	l := newLab(t)
	for _, key := range []string{"fail:internal", "fail:uncoded", "fail:unheard_of", "panic", "sick"} {
		t.Run(key, func(t *testing.T) {
			before := len(l.log.String())
			out := l.do(call{method: "GET", path: "/api/connectors/toy/containers?connectionId=" + l.put("acme", strings.Map(letters, key), key)})
			out.want(t, 500, connectors.Internal)
			want := "internal error: report it with the request id " + out.header.Get("X-Request-Id")
			if out.Error.Message != want || strings.Contains(out.text, "secret-cause") {
				t.Errorf("the answer is %s", out.text)
			}
			log := l.log.String()[before:]
			causes := 0
			for line := range strings.Lines(log) {
				if strings.Contains(line, `"level":"ERROR"`) && strings.Contains(line, out.header.Get("X-Request-Id")) {
					causes++
				}
			}
			if causes != 1 {
				t.Errorf("the cause is logged %d times, want once: %s", causes, log)
			}
		})
	}
	if !strings.Contains(l.log.String(), "routes_test.go") && !strings.Contains(l.log.String(), "harness_test.go") {
		t.Error("the log has no stack of the panic")
	}
	l.do(call{method: "GET", path: "/healthz"}).want(t, 200, "")
}

func letters(r rune) rune {
	if r == ':' || r == '_' {
		return '-'
	}
	return r
}

func TestTenant(t *testing.T) {
	l := newLab(t)
	id := l.put("acme", "main", "good")
	for name, tc := range map[string]struct {
		call   call
		status int
		code   connectors.Code
	}{
		"none":               {call{header: map[string]string{"X-Tenant-Id": ""}}, 400, connectors.TenantRequired},
		"malformed":          {call{tenant: "a/b"}, 422, connectors.InvalidRequest},
		"too long":           {call{tenant: strings.Repeat("a", 65)}, 422, connectors.InvalidRequest},
		"longest":            {call{tenant: strings.Repeat("a", 64)}, 200, ""},
		"other workspace":    {call{path: "/api/connections?workspaceId=other"}, 403, connectors.Forbidden},
		"other of two":       {call{path: "/api/connections?workspaceId=acme&workspaceId=other"}, 403, connectors.Forbidden},
		"other on a later":   {call{path: "/api/webhooks?workspaceId=other"}, 403, connectors.Forbidden},
		"none on a later":    {call{path: "/api/webhooks", header: map[string]string{"X-Tenant-Id": ""}}, 400, connectors.TenantRequired},
		"same workspace":     {call{path: "/api/connections?workspaceId=acme"}, 200, ""},
		"other in a body":    {call{method: "PATCH", path: "/api/connections/" + id, body: object{"workspaceId": "other", "name": "x"}}, 403, connectors.Forbidden},
		"other in a probe":   {call{method: "POST", path: "/api/connectors/toy/probe", body: object{"workspaceId": "other"}}, 403, connectors.Forbidden},
		"other in a revoke":  {call{method: "POST", path: "/api/connections/revoke", body: object{"workspaceId": "other", "connectionId": id}}, 403, connectors.Forbidden},
		"foreign connection": {call{tenant: "other", path: "/api/connections/" + id}, 404, connectors.NotFound},
		"foreign token":      {call{tenant: "other", path: "/api/connections/" + id + "/token"}, 404, connectors.NotFound},
		"foreign delete":     {call{tenant: "other", method: "DELETE", path: "/api/connections/" + id}, 404, connectors.NotFound},
		"foreign state":      {call{tenant: "other", path: "/api/connections/" + id + "/sync-state"}, 404, connectors.NotFound},
		"foreign items":      {call{tenant: "other", path: "/api/connectors/toy/items?connectionId=" + id}, 404, connectors.NotFound},
		"unknown items":      {call{tenant: "other", path: "/api/connectors/toy/items?connectionId=con_00000000000000000000000000"}, 404, connectors.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.call.method == "" {
				tc.call.method = "GET"
			}
			if tc.call.path == "" {
				tc.call.path = "/api/connectors"
			}
			l.do(tc.call).want(t, tc.status, tc.code)
		})
	}
	own := l.do(call{method: "GET", path: "/api/connections/" + id})
	own.want(t, 200, "")
	for _, path := range []string{"/api/connections", "/api/audit"} {
		if out := l.do(call{tenant: "other", method: "GET", path: path}); strings.Contains(out.text, id) {
			t.Errorf("another tenant sees %s", out.text)
		}
	}
	two := l.request(call{method: "GET", path: "/api/connectors"})
	two.Header.Add("X-Tenant-Id", "other")
	res, err := l.client.Do(two)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("two tenants are %d, want 400", res.StatusCode)
	}
}

func TestForeignCursor(t *testing.T) {
	l := newLab(t)
	id, other := l.put("acme", "main", "good"), l.put("other", "main", "good")
	var page struct{ Next string }
	out := l.do(call{method: "GET", path: "/api/connectors/toy/items?limit=2&connectionId=" + id})
	if err := json.Unmarshal(out.Data, &page); err != nil || page.Next == "" {
		t.Fatalf("%s", out.text)
	}
	l.do(call{method: "GET", path: "/api/connectors/toy/items?limit=2&cursor=" + page.Next + "&connectionId=" + id}).want(t, 200, "")
	l.do(call{method: "GET", tenant: "other", path: "/api/connectors/toy/items?limit=2&cursor=" + page.Next + "&connectionId=" + other}).want(t, 400, connectors.InvalidRequest)
}

func TestManyClients(t *testing.T) {
	l := newLab(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			tenant := fmt.Sprintf("tenant-%d", i)
			id := l.put(tenant, "main", "good")
			for range 5 {
				l.do(call{method: "GET", tenant: tenant, path: "/api/connectors/toy/items"}).want(t, 200, "")
				l.do(call{method: "POST", tenant: tenant, path: "/api/connections/" + id + "/sync-state", body: object{"cursor": tenant}}).want(t, 200, "")
				out := l.do(call{method: "GET", tenant: tenant, path: "/api/connections/" + id + "/sync-state"})
				if !strings.Contains(out.text, `"`+tenant+`"`) {
					t.Errorf("%s reads %s", tenant, out.text)
				}
				out = l.do(call{method: "POST", tenant: tenant, path: "/api/connections/" + id + "/sync-state", body: object{"cursor": ""}})
				out.want(t, 422, connectors.InvalidRequest)
			}
		})
	}
	wg.Wait()
}
