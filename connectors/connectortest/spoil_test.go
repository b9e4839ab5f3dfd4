package connectortest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"runtime"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// otherDriver has what the toy driver has, under another name.
type otherDriver struct{ *toyDriver }

// quietDriver is a toy driver that lists no comments.
type quietDriver struct {
	connectors.Driver
	connectors.ContainerLister
	connectors.ItemLister
}

// spoil puts the bugs of a definition in.
func (b bugs) spoil(d *connectors.Definition) {
	if b.has("spec/identity") {
		d.Summary += " "
	}
	if b.has("spec/fields") {
		d.Fields[1].Label = ""
	}
	if b.has("oauth/fields") {
		d.Fields = d.Fields[:len(d.Fields)-1]
	}
	if b.has("spec/auth") {
		d.Auth[0].Help = ""
	}
	if b.has("spec/capabilities") {
		d.Filters = append(d.Filters, connectors.CapUpdatedAfter)
	}
	if b.has("spec/driver_type") {
		d.New = func(env connectors.Env) (connectors.Driver, error) { return &otherDriver{newToy(env, b)}, nil }
	}
	if b.has("all/unsupported") {
		d.Driver = (*quietDriver)(nil)
	}
	for name, expand := range spoilers {
		if b.has(name) {
			d.Expand = expand
		}
	}
}

// spoilers are bugs in the reading of a configuration, by the row that finds them.
var spoilers = map[string]func(map[string]any) (map[string]any, []connectors.Fault){
	"config/complete": func(raw map[string]any) (map[string]any, []connectors.Fault) {
		if raw["api_token"] == "…" {
			return raw, []connectors.Fault{{Field: "api_token", Message: "is too short"}}
		}
		return raw, nil
	},
	"config/required": func(raw map[string]any) (map[string]any, []connectors.Fault) {
		if v := raw["api_email"]; raw["auth_method"] == "api_key" && (v == nil || v == "") {
			raw["api_email"] = toyUser
		}
		return raw, nil
	},
	"config/unknown_field": func(raw map[string]any) (map[string]any, []connectors.Fault) {
		delete(raw, "no_such_field")
		return raw, nil
	},
	"config/hostile_values": func(raw map[string]any) (map[string]any, []connectors.Fault) {
		if v, ok := raw["api_email"]; ok && v != nil {
			_ = v.(string)
		}
		return raw, nil
	},
	"config/url": func(raw map[string]any) (map[string]any, []connectors.Fault) {
		if s, ok := raw["base_url"].(string); ok {
			raw["base_url"], _, _ = strings.Cut(s, "?")
		}
		return raw, nil
	},
}

// spoil puts the bugs of a new driver in.
func (d *toyDriver) spoil(env connectors.Env) {
	d.own = &http.Client{Transport: ownWay{env}}
	if u, err := url.Parse(d.base); err == nil && d.bugs.has("config/context_path") {
		d.base = u.Scheme + "://" + u.Host
	}
	if d.bugs.has("new/no_request") {
		env.Now()
	}
	if d.bugs.has("new/no_request by HTTP") {
		if resp, err := env.HTTP.Get(d.base + "/info"); err == nil {
			resp.Body.Close()
		}
	}
	if d.bugs.has("new/no_goroutine") {
		go func() { <-d.stop }()
	}
	if d.bugs.has("secrets/printed") {
		d.token = env.Config.Secret("api_token").Reveal()
	}
	if d.bugs.has("secrets/logs") {
		env.Log.Debug("connecting", "token", env.Config.Secret("api_token").Reveal())
	}
}

// ownWay signs like the suite's client, but leaves it out.
type ownWay struct{ env connectors.Env }

func (o ownWay) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.Header.Set("Authorization", authorization(o.env.Config))
	return (&http.Transport{DialContext: o.env.Dial, DisableKeepAlives: true}).RoundTrip(out)
}

func (d *toyDriver) client(op string, req *http.Request) *http.Client {
	if d.bugs.has("env/only_way_out") && op == "probe" && strings.HasSuffix(req.URL.Path, "/me") {
		own := *d.own
		own.CheckRedirect = d.http.CheckRedirect
		return &own
	}
	return d.http
}

// leaked ends the goroutines that a bug leaves behind, after it was found.
var leaked = make(chan struct{})

// context is where a driver forgets its caller's context.
func (d *toyDriver) context(ctx context.Context, op string) context.Context {
	if d.bugs.has("close/no_goroutine") {
		go func() { <-leaked }()
	}
	if d.bugs.has(op + "/ignores its context") {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// enter is where a driver minds how many callers it has, and what they ask for.
func (d *toyDriver) enter(op string, limit int) (leave func(), err error) {
	if d.bugs.has(op+"/limits") && limit == 101 {
		return nil, connectors.Errorf(connectors.ProviderError, "the toy takes no more than 100")
	}
	if !d.bugs.has("all/concurrent") {
		return func() {}, nil
	}
	if d.busy.Swap(true) {
		return nil, connectors.Errorf(connectors.ProviderError, "another caller is there")
	}
	return func() { d.busy.Store(false) }, nil
}

// missed reports whether a bug takes what is not there for empty.
func (d *toyDriver) missed(op string, err error) bool {
	var e *connectors.Error
	return d.bugs.has(op+"/unknown") && errors.As(err, &e) && e.Message == "there is no such thing"
}

func (d *toyDriver) spoilRefusal(op string, resp *http.Response, body []byte, e *connectors.Error) error {
	own := strings.Contains(string(body), "no such") // the toy's own words
	status := map[int]string{401: "401", 403: "403", 404: "404", 500: "500", 502: "html_502", 302: "redirect"}[resp.StatusCode]
	if own {
		e.Message = "there is no such thing"
	} else if status != "" && d.bugs.has(op+"/"+status) {
		return errSwallowed
	}
	if d.bugs.has(op + "/429") {
		e.RetryAfter = 0
	}
	var said struct{ Message string }
	_ = json.Unmarshal(body, &said)
	if op == "discover" && d.bugs.has("discover/secrets") || op != "discover" && d.bugs.has("secrets/errors by message") {
		e.Message += ": " + said.Message
	}
	if op != "discover" && d.bugs.has("secrets/errors") {
		e.Details = map[string]any{"said": said.Message}
	}
	return e
}

func spoilPage[T any](d *toyDriver, op string, cur connectors.Cursor, limit int, page *connectors.Page[T]) {
	last := page.Next == ""
	switch {
	case d.bugs.has(op+"/every_entry_once") && limit == 3 && last && cur != "":
		page.Items = nil
	case d.bugs.has(op+"/empty_page") && len(page.Items) == 0:
		page.Next = ""
	case d.bugs.has(op+"/repeated_token") && page.Next == cur:
		page.Next = ""
	}
	if d.bugs.has("all/concurrent") {
		runtime.Gosched()
	}
}

// carelessSealer forgets what a cursor is for.
type carelessSealer struct{ gcmSealer }

func (s carelessSealer) Seal(_ string, plain []byte) (string, error) {
	return s.gcmSealer.Seal("", plain)
}

func (s carelessSealer) Open(_, sealed string) ([]byte, error) {
	return s.gcmSealer.Open("", sealed)
}

// openSealer only encodes.
type openSealer struct{}

func (openSealer) Seal(purpose string, plain []byte) (string, error) {
	return base64.URLEncoding.EncodeToString(plain) + "." + base64.URLEncoding.EncodeToString([]byte(purpose)), nil
}

func (openSealer) Open(purpose, sealed string) ([]byte, error) {
	data, owner, _ := strings.Cut(sealed, ".")
	if owner != base64.URLEncoding.EncodeToString([]byte(purpose)) {
		return nil, errors.New("another purpose")
	}
	return base64.URLEncoding.DecodeString(data)
}
