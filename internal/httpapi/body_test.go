package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/httpapi"
)

func TestBodies(t *testing.T) {
	l := newLab(t)
	l.put("acme", "main", "good")
	many := strings.Builder{}
	many.WriteString(`{"connectorId":"toy","config":{}`)
	for i := range 1000 {
		fmt.Fprintf(&many, `,"%d%s":1`, i, strings.Repeat("k", 200))
	}
	many.WriteString("}")
	deep := func(n int) string {
		return `{"connectorId":"toy","config":{"user":` + strings.Repeat("[", n-2) + strings.Repeat("]", n-2) + `}}`
	}
	for name, tc := range map[string]struct {
		body   string
		status int
		code   connectors.Code
		fields string
	}{
		"empty":              {"", 400, connectors.InvalidRequest, ""},
		"blank":              {"  \n", 400, connectors.InvalidRequest, ""},
		"no JSON":            {"connectorId=toy", 400, connectors.InvalidRequest, ""},
		"cut off":            {`{"connectorId":"toy","config":{`, 400, connectors.InvalidRequest, ""},
		"two values":         {`{} {}`, 400, connectors.InvalidRequest, ""},
		"invalid UTF-8":      {"{\"connectorId\":\"\xff\",\"config\":{}}", 400, connectors.InvalidRequest, ""},
		"byte order mark":    {"\ufeff{}", 400, connectors.InvalidRequest, ""},
		"half a pair":        {`{"connectorId":"\ud800","config":{}}`, 400, connectors.InvalidRequest, ""},
		"pair the other way": {`{"connectorId":"\udc00\ud800","config":{}}`, 400, connectors.InvalidRequest, ""},
		"half before a text": {`{"connectorId":"\ud800\n","config":{}}`, 400, connectors.InvalidRequest, ""},
		"a pair":             {`{"connectorId":"\ud83d\ude00","config":{}}`, 404, connectors.NotFound, ""},
		"escaped backslash":  {`{"connectorId":"\\ud800","config":{}}`, 404, connectors.NotFound, ""},
		"huge number":        {`{"connectorId":"toy","config":{"port":1e999}}`, 400, connectors.InvalidRequest, ""},
		"too deep":           {deep(httpapi.MaxDepth + 1), 400, connectors.InvalidRequest, ""},
		"deepest":            {deep(httpapi.MaxDepth), 422, connectors.InvalidRequest, "base_url user key"},
		"very deep":          {strings.Repeat("[", 100000), 400, connectors.InvalidRequest, ""},
		"key twice":          {`{"connectorId":"toy","connectorId":"jira","config":{}}`, 422, connectors.InvalidRequest, "connectorId"},
		"key twice escaped":  {`{"connectorId":"toy","connector\u0049d":"jira","config":{}}`, 422, connectors.InvalidRequest, "connectorId"},
		"key twice inside":   {`{"connectorId":"toy","config":{"user":[{"a":1,"b":{},"a":2}]}}`, 422, connectors.InvalidRequest, "a"},
		"key in two objects": {`{"connectorId":"none","config":{"a":{"b":1},"c":{"b":1},"b":[1,1]}}`, 404, connectors.NotFound, ""},
		"unknown field":      {`{"connectorId":"toy","config":{},"conifg":{}}`, 422, connectors.InvalidRequest, "conifg"},
		"unknown fields":     {`{"connectorId":"toy","config":{},"d":1,"b":1,"a":1,"e":1,"c":1}`, 422, connectors.InvalidRequest, "a b c d e"},
		"other case":         {`{"connectorId":"toy","config":{},"Name":"x"}`, 422, connectors.InvalidRequest, "Name"},
		"missing fields":     {`{}`, 422, connectors.InvalidRequest, "config connectorId"},
		"null field":         {`{"connectorId":null,"config":{}}`, 422, connectors.InvalidRequest, "connectorId"},
		"wrong types":        {`{"connectorId":7,"config":[],"name":true}`, 422, connectors.InvalidRequest, "config connectorId name"},
		"no object":          {`[]`, 422, connectors.InvalidRequest, "body"},
		"null":               {`null`, 422, connectors.InvalidRequest, "body"},
		"empty text":         {`{"connectorId":"","config":{}}`, 422, connectors.InvalidRequest, "connectorId"},
		"long name":          {`{"connectorId":"toy","config":{},"name":"` + strings.Repeat("ä", 101) + `"}`, 422, connectors.InvalidRequest, "name"},
		"faults of a config": {`{"connectorId":"toy","config":{"port":70000,"what":1}}`, 422, connectors.InvalidRequest, "what base_url user port key"},
		"whole port":         {`{"connectorId":"toy","name":"p","config":{"port":5432,"base_url":"https://toy.example","user":"u","key":"k"}}`, 200, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out := l.do(call{method: "POST", path: "/api/connections", body: tc.body})
			out.want(t, tc.status, tc.code)
			if got := out.faults(); got != tc.fields {
				t.Errorf("the faulty fields are %q, want %q: %s", got, tc.fields, out.text)
			}
		})
	}
	out := l.do(call{method: "POST", path: "/api/connections", body: many.String()})
	out.want(t, 422, connectors.InvalidRequest)
	if n := len(out.Error.Details.Fields); n != 101 || len(out.text) > 50_000 {
		t.Errorf("%d faults in %d bytes are listed of 1000", n, len(out.text))
	}
}

func TestBodyTypes(t *testing.T) {
	l := newLab(t)
	for kind, status := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "Application/JSON;charset=UTF-8": 200,
		"": 400, "text/plain": 400, "application/x-www-form-urlencoded": 400, "application/json; charset=latin1": 400,
		"application/problem+json": 400, "multipart/form-data; boundary=x": 400, ";": 400, "application/cbor": 400,
	} {
		out := l.do(call{method: "POST", path: "/api/connectors/toy/connect", body: `{"method":"api_key"}`, header: map[string]string{"Content-Type": kind}})
		if out.status != status {
			t.Errorf("%q: %d, want %d", kind, out.status, status)
		}
	}
	out := l.do(call{method: "POST", path: "/api/connectors/toy/connect", body: `{}`, header: map[string]string{"Content-Encoding": "gzip"}})
	out.want(t, 400, connectors.InvalidRequest)
}

func TestQueries(t *testing.T) {
	l := newLab(t)
	l.put("acme", "main", "good")
	for query, tc := range map[string]struct {
		status int
		fields string
	}{
		"": {200, ""}, "limit=200": {200, ""}, "limit=1": {200, ""}, "limit=": {200, ""}, "limit&raw": {200, ""},
		"limit=0": {422, "limit"}, "limit=201": {422, "limit"}, "limit=-1": {422, "limit"}, "limit=x": {422, "limit"},
		"limit=1e1": {422, "limit"}, "limit=99999999999999999999": {422, "limit"}, "limit=1&limit=2": {422, "limit"},
		"raw&limit=0": {422, "limit"}, "raw=maybe": {422, "raw"}, "updatedAfter=yesterday": {422, "updatedAfter"},
		"updatedAfter=2026-01-01T00:00:00Z": {501, ""},
		"conainerId=PAY":                    {422, "conainerId"}, "containerId=%ff": {422, "containerId"}, "limit=0&raw=x": {422, "limit raw"},
		"cursor=%ff": {422, "cursor"}, "containerId=%zz": {400, ""}, "a;b": {400, ""},
	} {
		out := l.do(call{method: "GET", path: "/api/connectors/toy/items?" + query})
		if out.status != tc.status || out.faults() != tc.fields {
			t.Errorf("%q: %d %q, want %d %q", query, out.status, out.faults(), tc.status, tc.fields)
		}
	}
	l.do(call{method: "GET", path: "/api/connectors/none/items?limit=0"}).want(t, 422, connectors.InvalidRequest)
	l.do(call{method: "GET", path: "/readyz?probe=1"}).want(t, 200, "")
}

// endless is a body that counts what is read of it.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func TestBodyTooLarge(t *testing.T) {
	l := newLab(t)
	const path = "/api/connectors/toy/connect"
	fit := `{"method":"api_key"}` + strings.Repeat(" ", httpapi.MaxBody-len(`{"method":"api_key"}`))
	l.do(call{method: "POST", path: path, body: fit}).want(t, 200, "")
	l.do(call{method: "POST", path: path, body: fit + " "}).want(t, 413, connectors.PayloadTooLarge)
	l.do(call{method: "POST", path: path, body: io.LimitReader(strings.NewReader(fit+" "), 1<<30)}).want(t, 413, connectors.PayloadTooLarge)
	for name, announced := range map[string]bool{"announced": true, "chunked": false} {
		t.Run(name, func(t *testing.T) {
			head := "POST " + path + " HTTP/1.1\r\nHost: " + l.addr + "\r\nX-Tenant-Id: acme\r\nContent-Type: application/json\r\n"
			if announced {
				head += "Content-Length: 104857600\r\n\r\n"
			} else {
				head += "Transfer-Encoding: chunked\r\n\r\n6400000\r\n"
			}
			conn := l.dial(head)
			body := &endless{}
			if !announced {
				go func() { _, _ = io.Copy(conn, io.LimitReader(body, 100<<20)) }()
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			if res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(text), `"payload_too_large"`) || !res.Close {
				t.Errorf("%d %s, close %v", res.StatusCode, text, res.Close)
			}
			conn.Close()
			if n := body.read.Load(); n > 32<<20 {
				t.Errorf("%d bytes of the body were taken", n)
			}
		})
	}
}

// dial opens a connection to the API and writes a text.
func (l *lab) dial(text string) net.Conn {
	l.t.Helper()
	conn, err := net.Dial("tcp", l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		l.t.Fatal(err)
	}
	return conn
}

func TestSlowBody(t *testing.T) {
	l := newLab(t, func(o *httpapi.Options) http.Handler { return httpapi.NewWithBodyTimeout(*o, 50*time.Millisecond) })
	conn := l.dial("POST /api/connections HTTP/1.1\r\nHost: " + l.addr + "\r\nX-Tenant-Id: acme\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "did not arrive within 50ms") || !res.Close {
		t.Errorf("%d %s, close %v", res.StatusCode, text, res.Close)
	}
}

// The bound on the body's time must not end what the service does with it.
func TestBodyTimeoutSparesTheWork(t *testing.T) {
	l := newLab(t, func(o *httpapi.Options) http.Handler { return httpapi.NewWithBodyTimeout(*o, 20*time.Millisecond) })
	answered := make(chan reply)
	go func() {
		answered <- l.do(call{method: "POST", path: "/api/connectors/toy/probe", body: config("slow")})
	}()
	<-l.gate.entered
	select {
	case out := <-answered:
		t.Fatalf("the work ended early: %d %s", out.status, out.text)
	case <-time.After(200 * time.Millisecond):
	}
	close(l.gate.open)
	(<-answered).want(t, 200, "")
}
