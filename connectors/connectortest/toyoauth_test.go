package connectortest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// toyOAuth is how the toy connector uses the toy provider.
func toyOAuth(b bugs) *connectors.OAuth {
	o := &connectors.OAuth{
		Provider: &connectors.OAuthProvider{
			ID: "toys", Name: "Toys", AuthorizePath: "/authorize", TokenPath: "/token", RevokePath: "/revoke",
			RefreshScope: "stay", Dead: []string{"invalid_grant", "toy_error:token"}, ReuseWindow: time.Minute, IdleLimit: time.Hour,
			APIField: "api", ManageURL: "https://toys.example.com/apps",
		},
		Scopes: []string{"read"},
		Discover: func(ctx context.Context, g connectors.Grant) (connectors.Discovery, error) {
			return discoverToys(ctx, g, b)
		},
		Bind: func(_ string, s connectors.Site) map[string]any { return map[string]any{"base_url": s.URL} },
	}
	if b.has("oauth/bind") {
		o.Bind = func(_ string, s connectors.Site) map[string]any {
			return map[string]any{"base_url": s.URL, "no_such_field": s.ID}
		}
	}
	if spoil, ok := providerSpoilers[b.first()]; ok {
		spoil(o)
	}
	return o
}

func (b bugs) first() string {
	if len(b) == 0 {
		return ""
	}
	return b[0]
}

// providerSpoilers are bugs in the data of a provider, all of which the row oauth/provider finds.
var providerSpoilers = map[string]func(*connectors.OAuth){
	"oauth/provider":        func(o *connectors.OAuth) { o.Provider.TokenPath = "token" },
	"provider without name": func(o *connectors.OAuth) { o.Provider.Name = "" },
	"provider in capitals":  func(o *connectors.OAuth) { o.Provider.ID = "Toys" },
	"path with a host":      func(o *connectors.OAuth) { o.Provider.AuthorizePath = "//evil.example.com/authorize" },
	"no way to consent":     func(o *connectors.OAuth) { o.Provider.AuthorizePath = "" },
	"negative time":         func(o *connectors.OAuth) { o.Provider.IdleLimit = -1 },
	"API field":             func(o *connectors.OAuth) { o.Provider.APIField = "the api" },
	"plain manage address":  func(o *connectors.OAuth) { o.Provider.ManageURL = "toys.example.com" },
	"nothing is final":      func(o *connectors.OAuth) { o.Provider.Dead = nil },
	"everything is final":   func(o *connectors.OAuth) { o.Provider.Dead = []string{"invalid_grant: "} },
	"no scope":              func(o *connectors.OAuth) { o.Scopes = nil },
	"two scopes in one":     func(o *connectors.OAuth) { o.Scopes = []string{"read write"} },
	"refresh scope":         func(o *connectors.OAuth) { o.Scopes = []string{"read", "stay"} },
}

func discoverToys(ctx context.Context, g connectors.Grant, b bugs) (connectors.Discovery, error) {
	d := &toyDriver{http: g.HTTP, own: g.HTTP, base: g.API, bugs: b}
	var me struct{ ID, Name string }
	var list struct{ Entries []connectors.Site }
	for _, call := range []struct {
		path string
		out  any
	}{{"/sites", &list}, {"/me", &me}} {
		err := d.get(ctx, "discover", call.path, nil, call.out)
		if errors.Is(err, errSwallowed) {
			return connectors.Discovery{}, nil
		}
		if err != nil {
			return connectors.Discovery{}, err
		}
	}
	if (me.ID == "" || list.Entries == nil) && !d.lenient("discover") {
		return connectors.Discovery{}, connectors.Errorf(connectors.ProviderError, "the toy does not tell who it is")
	}
	if b.has("discover/healthy") {
		list.Entries = list.Entries[:1]
	}
	return connectors.Discovery{Account: connectors.Account{ID: me.ID, Name: me.Name}, Sites: list.Entries}, nil
}

// toySites are what a grant of the toy provider reaches.
var toySites = []connectors.Site{
	{ID: "s1", URL: "https://one.toy.example.com", Name: "One"}, {ID: "s2", URL: "https://two.toy.example.com", Name: "Two"},
}

func sayToySites(w http.ResponseWriter, _ *http.Request) {
	data, _ := json.Marshal(map[string]any{"entries": toySites})
	say(w, 200, string(data))
}

func TestCorrectToyByOAuth(t *testing.T) {
	s := toySuite(nil)
	s.Method = connectors.MethodOAuth
	Run(t, s)
}

// bareToy is a toy driver that lists nothing.
type bareToy struct{ connectors.Driver }

func bareSuite(b bugs) Suite {
	s := toySuite(b)
	d := toyDefinition(b)
	d.Driver, d.Filters = (*bareToy)(nil), nil
	d.New = func(env connectors.Env) (connectors.Driver, error) { return &bareToy{newToy(env, b)}, nil }
	s.Definition, s.Containers, s.Items, s.Comments, s.Commented = d, nil, nil, nil, nil
	return s
}

func TestCorrectBareToy(t *testing.T) { Run(t, bareSuite(nil)) }

// TestBareBugs expects that a connector without listings is found out like any other.
func TestBareBugs(t *testing.T) {
	for name, rows := range map[string][]string{
		"probe/healthy":    nil,
		"probe/401":        nil,
		"close/twice":      {}, // a driver that is no io.Closer is not closed
		"secrets/errors":   nil,
		"discover/healthy": nil,
	} {
		t.Run(name, func(t *testing.T) {
			want := rows
			if rows == nil {
				want = []string{name}
			}
			checkRows(t, failing(t, bareSuite(bugs{name}), want), want)
		})
	}
	s := bareSuite(nil)
	s.Containers = toyBoxes
	if got := failing(t, s, []string{"spec/capabilities"}); len(got["spec/capabilities"]) == 0 {
		t.Error("entries of what cannot be listed are not noticed")
	}
	s = bareSuite(nil)
	s.Items, s.Commented = toyThings, toyTalk
	if got := failing(t, s, []string{"spec/capabilities"}); len(got["spec/capabilities"]) == 0 {
		t.Error("items with comments of what cannot list them are not noticed")
	}
}

// TestDialLeadsToTheSystemOnly expects a connection to anything else to be noticed and not made.
func TestDialLeadsToTheSystemOnly(t *testing.T) {
	s := toySuite(nil)
	for address, want := range map[string]int{"192.0.2.1:443": 1, "": 0} {
		faults := record(t, &s, func(tb TB, s *Suite) {
			l := newLab(tb, s)
			c, err := l.dial(tb.Context(), "tcp", cmp.Or(address, l.host()))
			if (err != nil) != (want > 0) {
				t.Errorf("dial %q: got %v", address, err)
			}
			if c != nil {
				c.Close()
			}
		})
		if len(faults) != want {
			t.Errorf("dial %q: got %v", address, faults)
		}
	}
}
