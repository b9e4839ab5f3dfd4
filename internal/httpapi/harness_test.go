package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/httpapi"
	"github.com/unified-connector/ucf/internal/secret"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toy is a connector whose driver does what its key says: "fail:CODE" fails so, "panic" panics, "slow" waits for the
// gate, "sick" returns an object that is no JSON, everything else lists 5 items.
func toy(gate *gate) *connectors.Definition {
	return &connectors.Definition{
		ID: "toy", Name: "Toy", Group: connectors.GroupSaaS, Summary: "A toy.", Container: "box", Item: "brick",
		Fields: []connectors.Field{
			{Name: "base_url", Label: "Address", Help: "Where it is.", Kind: connectors.KindURL, Required: true, Destination: true, Example: "https://toy.example"},
			{Name: "user", Label: "User", Help: "Who.", Kind: connectors.KindString, Required: true, Example: "u"},
			{Name: "port", Label: "Port", Help: "Which.", Kind: connectors.KindInt, Min: 1, Max: 65535},
			{Name: "key", Label: "Key", Help: "The key.", Kind: connectors.KindSecret, Required: true},
		},
		Auth:   []connectors.AuthMethod{{ID: "api_key", Name: "Key", Scheme: connectors.SchemeBasic, User: "user", Secret: "key"}},
		Driver: (*toyDriver)(nil),
		New: func(e connectors.Env) (connectors.Driver, error) {
			return &toyDriver{key: e.Config.Secret("key"), gate: gate}, nil
		},
	}
}

// gate holds calls of the driver until it is opened.
type gate struct {
	entered chan struct{}
	open    chan struct{}
}

func newGate() *gate { return &gate{make(chan struct{}, 64), make(chan struct{})} }

type toyDriver struct {
	key  connectors.Secret
	gate *gate
}

func (d *toyDriver) act(ctx context.Context) error {
	code, fails := strings.CutPrefix(d.key.Reveal(), "fail:")
	switch {
	case d.key.Reveal() == "hurried":
		return connectors.Errorf(connectors.RateLimited, "the toy does not tell how long")
	case fails && code == "uncoded":
		return errors.New("the cause is secret-cause")
	case fails:
		e := connectors.Wrap(connectors.Code(code), errors.New("the cause is secret-cause"), "the toy failed with %s", code)
		e.RetryAfter = 1200 * time.Millisecond
		return e
	case d.key.Reveal() == "panic":
		panic("the toy panics with secret-cause")
	case d.key.Reveal() == "slow":
		d.gate.entered <- struct{}{}
		select {
		case <-d.gate.open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (d *toyDriver) Probe(ctx context.Context) (connectors.ProbeResult, error) {
	return connectors.ProbeResult{Instance: connectors.Instance{Name: "toy"}, Account: connectors.Account{ID: "1", Name: "u"}}, d.act(ctx)
}

func (d *toyDriver) ListContainers(ctx context.Context, q connectors.ContainerQuery) (connectors.Page[connectors.Container], error) {
	c := connectors.Container{ID: "box", Label: "Box", Type: "box", Meta: connectors.Meta{{Name: "size", Value: json.Number("12345678901234567890.5")}}}
	if q.Raw {
		c.Raw = json.RawMessage(`{"b":"<&>","a":1.50}`)
	}
	if d.key.Reveal() == "sick" {
		c.Raw = json.RawMessage(`{`)
	}
	return connectors.Page[connectors.Container]{Items: []connectors.Container{c}}, d.act(ctx)
}

func (d *toyDriver) ListItems(ctx context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	var page connectors.Page[connectors.Item]
	start := 0
	_, _ = fmt.Sscan(string(q.Cursor), &start)
	for i := start; i < min(start+q.Limit, 5); i++ {
		page.Items = append(page.Items, connectors.Item{ID: fmt.Sprint(i), Name: "Brick", Meta: connectors.Meta{}})
	}
	if start+q.Limit < 5 {
		page.Next = connectors.Cursor(fmt.Sprint(start + q.Limit))
	}
	return page, d.act(ctx)
}

// nowhere is an Outbound for drivers that call nothing.
type nowhere struct{}

func (nowhere) Signed(domain.Tenant, *connectors.OAuthProvider, string, service.TokenSource) (*http.Client, error) {
	return nil, connectors.Errorf(connectors.Unavailable, "nowhere")
}

func (nowhere) Unsigned(domain.Tenant, *connectors.OAuthProvider) (*http.Client, error) {
	return nil, connectors.Errorf(connectors.Unavailable, "nowhere")
}

func (nowhere) Env(service.Target) (connectors.Env, error) { return connectors.Env{}, nil }

type keeper struct{ *secret.Keeper }

func (k keeper) KeyIDs() ([]string, error) { return k.Keeper.KeyIDs(), nil }

func newKeeper(t testing.TB) keeper {
	t.Helper()
	key, err := secret.Generate()
	if err != nil {
		t.Fatal(err)
	}
	k, err := secret.Parse(key)
	if err != nil {
		t.Fatal(err)
	}
	return keeper{k}
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// lab is the API, served on a socket, over a real store.
type lab struct {
	t       *testing.T
	handler http.Handler
	addr    string
	log     *buffer
	gate    *gate
	client  *http.Client
	stop    func() error // ends Serve and returns what it returned
	store   store.Store
	doc     routers.Router
}

// newLab starts the API; change may alter its options and make another handler of them.
func newLab(t *testing.T, change ...func(*httpapi.Options) http.Handler) *lab {
	t.Helper()
	l := &lab{t: t, log: &buffer{}, gate: newGate()}
	log := slog.New(slog.NewJSONHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	st, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "ucf.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	svc := service.New(service.Deps{
		Definitions: []*connectors.Definition{toy(l.gate)}, Store: func(context.Context) (store.Store, error) { return st, nil },
		Keeper: newKeeper(t), Outbound: nowhere{}, Log: log, Version: "test",
	})
	l.store = st
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.addr = ln.Addr().String()
	o := httpapi.Options{Service: svc, Name: "Test", Version: "test", Prefix: "/api", Listen: l.addr, Log: log}
	change = append([]func(*httpapi.Options) http.Handler{func(o *httpapi.Options) http.Handler { return httpapi.New(*o) }}, change...)
	l.handler = change[len(change)-1](&o)
	l.doc = document(t)
	l.serve(ln, log)
	t.Cleanup(func() {
		if err := l.stop(); err != nil {
			t.Errorf("Serve returned %v", err)
		}
		_ = st.Close()
	})
	return l
}

func (l *lab) serve(ln net.Listener, log *slog.Logger) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	server := httpapi.Server(l.addr, l.handler, log)
	go func() {
		done <- httpapi.Serve(ctx, ln, server, httpapi.Shutdown{Notice: time.Millisecond, Grace: 10 * time.Second})
	}()
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	l.client = &http.Client{Transport: transport, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	l.stop = sync.OnceValue(func() error {
		cancel()
		transport.CloseIdleConnections()
		return <-done
	})
}

var judge = sync.OnceValues(func() (routers.Router, error) {
	text, err := httpapi.OpenAPI30(httpapi.Options{Name: "Test", Version: "test", Prefix: "/api"})
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// document returns the OpenAPI 3.0 document of the API, ready to judge answers.
func document(t *testing.T) routers.Router {
	t.Helper()
	router, err := judge()
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// call is a request of a test.
type call struct {
	method, path string
	body         any // a string is sent as it is
	tenant       string
	header       map[string]string // an empty value removes the header; Host is the request's
}

// reply is an answer, decoded.
type reply struct {
	status int
	header http.Header
	text   string
	OK     *bool           `json:"ok"`
	Data   json.RawMessage `json:"data"`
	Error  *struct {
		Code      connectors.Code
		Message   string
		RequestID string
		Details   struct {
			Fields []connectors.Fault
		}
	} `json:"error"`
}

func (l *lab) request(c call) *http.Request {
	l.t.Helper()
	var body io.Reader = http.NoBody
	switch b := c.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	case io.Reader:
		body = b
	default:
		text, err := json.Marshal(b)
		if err != nil {
			l.t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(l.t.Context(), c.method, "http://"+l.addr+c.path, body)
	if err != nil {
		l.t.Fatal(err)
	}
	if c.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Tenant-Id", "acme")
	if c.tenant != "" {
		r.Header.Set("X-Tenant-Id", c.tenant)
	}
	for k, v := range c.header {
		r.Header.Set(k, v)
		if v == "" {
			r.Header.Del(k)
		}
		if k == "Host" {
			r.Host = v
		}
	}
	return r
}

// do sends a request and checks what every JSON answer has, the OpenAPI document included.
func (l *lab) do(c call) reply {
	l.t.Helper()
	r := l.request(c)
	res, err := l.client.Do(r)
	if err != nil {
		l.t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	out := reply{status: res.StatusCode, header: res.Header, text: string(text)}
	if c.method != http.MethodHead {
		out.check(l.t, c)
	}
	l.judge(c, out)
	return out
}

func (out *reply) check(t *testing.T, c call) {
	t.Helper()
	var keys map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal([]byte(out.text), out), json.Unmarshal([]byte(out.text), &keys)); err != nil {
		t.Errorf("%s %s: %d %q is no envelope: %v", c.method, c.path, out.status, out.text, err)
		return
	}
	if len(keys) != 3 || keys["ok"] == nil || keys["data"] == nil || keys["error"] == nil {
		t.Errorf("%s %s: the envelope is %s", c.method, c.path, out.text)
	}
	if ok := out.status < 300; *out.OK != ok || (out.Error == nil) != ok || ok == (string(keys["data"]) == "null") {
		t.Errorf("%s %s: status %d with %s", c.method, c.path, out.status, out.text)
	}
	if out.Error != nil && out.Error.RequestID != out.header.Get("X-Request-Id") {
		t.Errorf("%s %s: requestId %q, header %q", c.method, c.path, out.Error.RequestID, out.header.Get("X-Request-Id"))
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if got := out.header.Get(name); got != want {
			t.Errorf("%s %s: %s is %q, want %q", c.method, c.path, name, got, want)
		}
	}
	if out.header.Get("X-Request-Id") == "" {
		t.Errorf("%s %s: no X-Request-Id", c.method, c.path)
	}
}

// judge holds an answer against the OpenAPI document, where that has the route.
func (l *lab) judge(c call, out reply) {
	l.t.Helper()
	r := l.request(call{method: c.method, path: c.path})
	r.URL.Host, r.URL.Scheme = "", ""
	route, params, err := l.doc.FindRoute(r)
	if err != nil || c.method == http.MethodHead {
		return
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 out.status, Header: out.header, Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	in.SetBodyBytes([]byte(out.text))
	if err := openapi3filter.ValidateResponse(l.t.Context(), in); err != nil {
		l.t.Errorf("%s %s: %d is not as documented: %v", c.method, c.path, out.status, err)
	}
}

// want checks status and code of an answer; an empty code is a success.
func (out reply) want(t *testing.T, status int, code connectors.Code) {
	t.Helper()
	got := connectors.Code("")
	if out.Error != nil {
		got = out.Error.Code
	}
	if out.status != status || got != code {
		t.Errorf("got %d %q, want %d %q: %s", out.status, got, status, code, out.text)
	}
}

// faults returns the names of the faulty fields.
func (out reply) faults() string {
	if out.Error == nil {
		return ""
	}
	names := make([]string, len(out.Error.Details.Fields))
	for i, f := range out.Error.Details.Fields {
		names[i] = f.Field
	}
	return strings.Join(names, " ")
}

type object = map[string]any

func config(key string) object {
	return object{"base_url": "https://toy.example", "user": "u", "key": key}
}

// put stores a connection and returns its id.
func (l *lab) put(tenant, name, key string) string {
	l.t.Helper()
	out := l.do(call{method: "POST", path: "/api/connections", tenant: tenant, body: object{"connectorId": "toy", "name": name, "config": config(key)}})
	var data struct{ ID string }
	if err := json.Unmarshal(out.Data, &data); err != nil || data.ID == "" {
		l.t.Fatalf("no connection: %s", out.text)
	}
	return data.ID
}

// lines returns the completion lines of the log.
func (l *lab) lines() []map[string]any {
	l.t.Helper()
	var lines []map[string]any
	for text := range strings.Lines(l.log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			l.t.Fatalf("%q: %v", text, err)
		}
		if line["msg"] == "request" {
			lines = append(lines, line)
		}
	}
	return lines
}

// closeStore takes the store away.
func (l *lab) closeStore() {
	l.t.Helper()
	if err := l.store.Close(); err != nil {
		l.t.Fatal(err)
	}
}
