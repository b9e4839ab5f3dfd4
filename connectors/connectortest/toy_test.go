package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// bugs are what is wrong with a toy connector; a bug that only one row finds has the name of the row.
type bugs []string

func (b bugs) has(name string) bool { return slices.Contains(b, name) }

// toyDefinition describes the toy connector.
func toyDefinition(b bugs) *connectors.Definition {
	d := &connectors.Definition{
		ID: "toy", Name: "Toy", Group: connectors.GroupSaaS, Summary: "Boxes of things.", Help: "Things are in boxes.",
		Fields: []connectors.Field{
			{Name: "base_url", Label: "Address", Help: "Where the toy is.", Kind: connectors.KindURL, Required: true, Destination: true, Example: "https://toy.example.com"},
			{Name: "api_email", Label: "E-mail", Help: "Who you are.", Kind: connectors.KindString, Required: true, Methods: []string{"api_key"}, Example: "you@example.com"},
			{Name: "api_token", Label: "Token", Help: "Made in the settings.", Kind: connectors.KindSecret, Required: true, Methods: []string{"api_key", "bearer"}},
		},
		Auth: []connectors.AuthMethod{
			{ID: "api_key", Name: "API token", Help: "Make one.", Scheme: connectors.SchemeBasic, User: "api_email", Secret: "api_token"},
			{ID: "bearer", Name: "Bearer token", Help: "Make one.", Scheme: connectors.SchemeBearer, Secret: "api_token"},
			{ID: "oauth2", Name: "OAuth", Help: "Consent.", Scheme: connectors.SchemeBearer, Secret: "access_token", OAuth: toyOAuth(b)},
		},
		Container: "box", Item: "thing", ItemKey: "key", Filters: []string{connectors.CapUpdatedAfter, connectors.CapQuery},
		Driver: (*toyDriver)(nil),
	}
	d.Fields = append(d.Fields, connectors.OAuthFields(d.Auth[2].OAuth.Provider)...)
	d.New = func(env connectors.Env) (connectors.Driver, error) { return newToy(env, b), nil }
	b.spoil(d)
	return d
}

type toyDriver struct {
	http  *http.Client
	own   *http.Client
	log   *slog.Logger
	base  string
	bugs  bugs
	token string // only where the bug is that it shows
	busy  atomic.Bool
	stop  chan struct{}
	ended atomic.Bool
	clock toyClock
}

var (
	_ connectors.ContainerLister = (*toyDriver)(nil)
	_ connectors.ItemLister      = (*toyDriver)(nil)
	_ connectors.CommentLister   = (*toyDriver)(nil)
	_ connectors.Timekeeper      = (*toyDriver)(nil)
	_ connectors.CommentCounter  = (*toyDriver)(nil)
	_ connectors.CommentedLister = (*toyDriver)(nil)
)

func newToy(env connectors.Env, b bugs) *toyDriver {
	base := env.Config.String("base_url")
	if env.API != "" && !b.has("asks the site") {
		base = env.API
	}
	d := &toyDriver{http: env.HTTP, log: env.Log, base: base, bugs: b, stop: make(chan struct{})}
	d.spoil(env)
	return d
}

func (d *toyDriver) Close() error {
	if d.ended.Swap(true) {
		if d.bugs.has("close/twice") {
			panic("closed twice")
		}
		return nil
	}
	close(d.stop)
	return nil
}

func (d *toyDriver) Probe(ctx context.Context) (connectors.ProbeResult, error) {
	var me, info struct{ ID, Name, Title, Version string }
	for _, call := range []struct {
		path string
		out  any
	}{{"/info", &info}, {"/me", &me}} {
		err := d.get(ctx, "probe", call.path, nil, call.out)
		if errors.Is(err, errSwallowed) {
			return connectors.ProbeResult{}, nil
		}
		if err != nil {
			return connectors.ProbeResult{}, err
		}
	}
	if (info.Title == "" || me.ID == "") && !d.lenient("probe") {
		return connectors.ProbeResult{}, connectors.Errorf(connectors.ProviderError, "the toy does not tell who it is")
	}
	r := connectors.ProbeResult{
		Instance: connectors.Instance{Name: info.Title, Version: info.Version, URL: d.base},
		Account:  connectors.Account{ID: me.ID, Name: me.Name},
	}
	if d.bugs.has("probe/healthy") {
		r.Account.Name = ""
	}
	return r, nil
}

// toyObject is any object of the toy system.
type toyObject struct {
	ID, Title, Box, By, Text string
	At                       time.Time
}

func (d *toyDriver) ListContainers(ctx context.Context, q connectors.ContainerQuery) (connectors.Page[connectors.Container], error) {
	return listToys(ctx, d, "containers", "/boxes", nil, q.Cursor, q.Limit, func(o toyObject, raw json.RawMessage) connectors.Container {
		c := connectors.Container{ID: o.ID, Label: o.Title, Type: "box"}
		if q.Raw {
			c.Raw = d.raw("containers", raw)
		}
		if d.bugs.has("containers/shape") {
			c.Type = ""
		}
		return c
	})
}

func (d *toyDriver) ListItems(ctx context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	params := url.Values{}
	if !q.UpdatedAfter.IsZero() && !d.bugs.has("items/filters") {
		params.Set("since", q.UpdatedAfter.UTC().Format(time.RFC3339))
	}
	box := q.ContainerID
	if q.Query != "" {
		params.Set("q", q.Query)
		box = "*"
	} else if box == "*" {
		return connectors.Page[connectors.Item]{}, connectors.Errorf(connectors.NotFound, "there is no such box")
	}
	return listToys(ctx, d, "items", "/boxes/"+d.segment(box)+"/things", params, q.Cursor, q.Limit, func(o toyObject, raw json.RawMessage) connectors.Item {
		it := connectors.Item{
			ID: o.ID, Name: o.Title, ContainerID: o.Box, Type: "thing", UpdatedAt: d.time("items", o.At),
			Meta: connectors.Meta{{Name: "key", Value: "K-" + o.ID}},
		}
		if q.Raw {
			it.Raw = d.raw("items", raw)
		}
		return it
	})
}

func (d *toyDriver) ListComments(ctx context.Context, q connectors.CommentQuery) (connectors.Page[connectors.Comment], error) {
	return listToys(ctx, d, "comments", "/things/"+d.segment(q.ItemID)+"/notes", nil, q.Cursor, q.Limit, func(o toyObject, raw json.RawMessage) connectors.Comment {
		c := connectors.Comment{ID: o.ID, ItemID: q.ItemID, Author: o.By, Text: o.Text, CreatedAt: d.time("comments", o.At)}
		if q.Raw {
			c.Raw = d.raw("comments", raw)
		}
		return c
	})
}

var toyID = regexp.MustCompile(`^[a-z*][a-z0-9]*$`)

// segment returns an id as a step of a path; what is no id becomes one of nothing.
func (d *toyDriver) segment(id string) string {
	if !toyID.MatchString(id) && !d.bugs.has("all/hostile_ids") {
		return "none"
	}
	return id
}

// errSwallowed is what a bug turns a fault into that it takes for an empty answer.
var errSwallowed = errors.New("swallowed")

func listToys[T any](ctx context.Context, d *toyDriver, op, path string, params url.Values, cur connectors.Cursor, limit int, read func(toyObject, json.RawMessage) T) (connectors.Page[T], error) {
	var page connectors.Page[T]
	leave, err := d.enter(op, limit)
	if err != nil {
		return page, err
	}
	defer leave()
	params, err = d.params(op, params, cur, limit)
	if err != nil {
		return page, err
	}
	var list struct {
		Entries *[]json.RawMessage
		Next    string
		Hidden  string
	}
	err = d.get(ctx, op, path, params, &list)
	if errors.Is(err, errSwallowed) || d.missed(op, err) {
		return page, nil
	}
	if err != nil {
		return page, err
	}
	if list.Entries == nil && !d.lenient(op) {
		return page, connectors.Errorf(connectors.ProviderError, "the toy sent no entries")
	}
	if list.Entries == nil {
		return page, nil
	}
	for _, raw := range *list.Entries {
		var o toyObject
		if err := json.Unmarshal(raw, &o); err != nil {
			return page, connectors.Wrap(connectors.ProviderError, err, "the toy sent an entry that cannot be read")
		}
		page.Items = append(page.Items, read(o, raw))
	}
	page.Next = connectors.Cursor(list.Next)
	if list.Hidden != "" && !d.bugs.has(op+"/gaps") {
		page.Incomplete = []connectors.Gap{{Code: connectors.Reauthorize, Reason: "hidden: " + list.Hidden}}
	}
	spoilPage(d, op, cur, limit, &page)
	return page, nil
}

var toyToken = regexp.MustCompile(`^[te][1-9][0-9]{0,8}$`)

func (d *toyDriver) params(op string, params url.Values, cur connectors.Cursor, limit int) (url.Values, error) {
	if params == nil {
		params = url.Values{}
	}
	params.Set("limit", strconv.Itoa(limit))
	if cur != "" {
		params.Set("page", string(cur))
	}
	if cur != "" && !toyToken.MatchString(string(cur)) {
		if !d.bugs.has(op + "/unknown_token") {
			return nil, connectors.Errorf(connectors.InvalidRequest, "the page token is none of the toy's")
		}
		params.Del("page")
	}
	return params, nil
}

const toyMaxBody = 8 << 20

// get asks for one object. The bugs that swallow a fault leave out as it is.
func (d *toyDriver) get(ctx context.Context, op, path string, params url.Values, out any) error {
	ctx = d.context(ctx, op)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+path+"?"+params.Encode(), nil)
	if err != nil {
		return connectors.Errorf(connectors.InvalidRequest, "no such address")
	}
	resp, err := d.client(op, req).Do(req)
	if err != nil {
		return d.network(op, err)
	}
	defer resp.Body.Close()
	d.clock.note(resp.Header, d.bugs)
	body, err := d.read(op, resp)
	if err != nil {
		return d.network(op, err)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		return d.refusal(op, resp, body)
	}
	return d.decode(op, resp, body, out)
}

func (d *toyDriver) read(op string, resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, toyMaxBody+1))
	if err == nil && len(body) > toyMaxBody {
		if d.bugs.has(op + "/endless_body") {
			_, _ = io.Copy(io.Discard, resp.Body)
		}
		return nil, connectors.Errorf(connectors.ProviderError, "the toy sent too much")
	}
	return body, err
}

func (d *toyDriver) network(op string, err error) error {
	var coded *connectors.Error
	if errors.As(err, &coded) {
		return coded
	}
	if at := (*url.Error)(nil); errors.As(err, &at) {
		err = at.Err
	}
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		if d.bugs.has(op + "/cancel") {
			return connectors.Errorf(connectors.ProviderError, "the toy went away")
		}
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		if d.bugs.has(op + "/hang") {
			return connectors.Errorf(connectors.ProviderError, "the toy went away")
		}
		return connectors.Wrap(connectors.Timeout, err, "the toy did not answer in time")
	case errors.Is(err, io.ErrUnexpectedEOF) && d.bugs.has(op+"/cut_off"),
		errors.Is(err, syscall.ECONNREFUSED) && d.bugs.has(op+"/refused"),
		(errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)) && d.bugs.has(op+"/reset"):
		return errSwallowed
	}
	return connectors.Wrap(connectors.ProviderError, err, "the toy could not be asked")
}

func (d *toyDriver) refusal(op string, resp *http.Response, body []byte) error {
	code := connectors.ProviderError
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		code = connectors.InvalidRequest
	case http.StatusUnauthorized, http.StatusForbidden:
		code = connectors.Reauthorize
	case http.StatusNotFound:
		code = connectors.NotFound
	case http.StatusTooManyRequests:
		code = connectors.RateLimited
	}
	e := connectors.Errorf(code, "the toy answered %d", resp.StatusCode)
	e.RetryAfter = wait(resp.Header.Get("Retry-After"))
	return d.spoilRefusal(op, resp, body, e)
}

func wait(header string) time.Duration {
	if n, err := strconv.Atoi(header); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(header); err == nil {
		return time.Until(t).Round(time.Second)
	}
	return 0
}

func (d *toyDriver) decode(op string, resp *http.Response, body []byte, out any) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	trimmed := string(bytes.TrimSpace(body))
	switch {
	case kind == "text/html" && d.bugs.has(op+"/html_200"),
		trimmed == "" && d.bugs.has(op+"/empty_body"),
		trimmed == "[]" && d.bugs.has(op+"/wrong_array"),
		trimmed == `"x"` && d.bugs.has(op+"/wrong_text"),
		trimmed == "null" && d.bugs.has(op+"/wrong_null"):
		return errSwallowed
	case trimmed == "null":
		return connectors.Errorf(connectors.ProviderError, "the toy sent null")
	}
	if err := json.Unmarshal(body, out); err != nil {
		if d.bugs.has(op+"/cut_off") && kind == "application/json" && len(trimmed) > 3 && trimmed[0] == '{' {
			return errSwallowed
		}
		return connectors.Wrap(connectors.ProviderError, err, "the toy sent what is not JSON")
	}
	return nil
}

// lenient reports whether a bug lets an object without what it must have pass.
func (d *toyDriver) lenient(op string) bool { return d.bugs.has(op + "/wrong_object") }

func (d *toyDriver) raw(op string, raw json.RawMessage) json.RawMessage {
	if !d.bugs.has(op + "/raw") {
		return raw
	}
	var v map[string]any
	_ = json.Unmarshal(raw, &v)
	raw, _ = json.Marshal(v)
	return raw
}

func (d *toyDriver) time(op string, t time.Time) *time.Time {
	if d.bugs.has(op + "/shape") {
		return &t
	}
	return connectors.Time(t)
}
