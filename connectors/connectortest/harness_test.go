package connectortest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

// dialedDriver is a toy driver that makes its own connections, as a database's driver does.
type dialedDriver struct{ *toyDriver }

func (d *dialedDriver) Close() error {
	d.http.CloseIdleConnections()
	return d.toyDriver.Close()
}

// signed presents the credential itself.
type signed struct {
	next *http.Transport
	env  connectors.Env
}

func (s signed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth(s.env.Config.String("user"), s.env.Config.Secret("password").Reveal())
	return s.next.RoundTrip(r)
}

func (s signed) CloseIdleConnections() { s.next.CloseIdleConnections() }

// dialedSuite describes the toy system as one that is not reached over HTTP as far as the suite knows.
func dialedSuite(b bugs) Suite {
	s := toySuite(nil)
	d := toyDefinition(nil)
	d.ID, d.Group = "toydb", connectors.GroupDB
	d.Fields = []connectors.Field{
		{Name: "host", Label: "Host", Help: "Where it is.", Kind: connectors.KindHost, Required: true, Destination: true, Example: "db.example.com"},
		{Name: "port", Label: "Port", Help: "Its port.", Kind: connectors.KindInt, Default: "99", Min: 1, Max: 65535, Destination: true},
		{Name: "user", Label: "User", Help: "Who you are.", Kind: connectors.KindString, Required: true, Example: "ada"},
		{Name: "password", Label: "Password", Help: "It proves it.", Kind: connectors.KindSecret, Required: true},
	}
	d.Auth = []connectors.AuthMethod{{ID: "password", Name: "Password", Help: "Ask.", Scheme: connectors.SchemeDriver, User: "user", Secret: "password"}}
	d.Driver = (*dialedDriver)(nil)
	d.New = func(env connectors.Env) (connectors.Driver, error) {
		_, address := env.Config.Destination()
		env.HTTP = &http.Client{Transport: signed{&http.Transport{DialContext: env.Dial}, env}}
		if b.has("env/only_way_out") {
			env.HTTP.Transport = signed{&http.Transport{}, env}
		}
		toy := &toyDriver{http: env.HTTP, own: env.HTTP, log: env.Log, base: "http://" + address, bugs: b, stop: make(chan struct{})}
		return &dialedDriver{toy}, nil
	}
	s.Definition, s.Handler, s.EmptyPage, s.RepeatToken, s.Gaps = d, nil, nil, nil, nil
	s.Config = func(_, address string) map[string]any {
		host, port, _ := net.SplitHostPort(address)
		return map[string]any{"host": host, "port": port, "user": toyUser, "password": toySecret}
	}
	s.Harness = &Harness{
		Start: func(tb TB) string {
			server := httptest.NewServer(toySystem{}.handler())
			tb.Cleanup(server.Close)
			return server.Listener.Addr().String()
		},
		Faults: map[string]func(map[string]any){
			"401": func(c map[string]any) { c["password"] = "wrong-wrong-wrong" },
		},
	}
	s.Skip = []Skip{
		{`(probe|containers|items|comments|commented|time)/(403|404|429|500|cut_off|html_.*|redirect|empty_body|wrong_.*|endless_body)`, "there is no HTTP answer"},
		{`.*/(empty_page|repeated_token)`, "pages are keys, not tokens of the system"},
		{`config/context_path`, "there is no path"},
		{`time/(undated|set_back)`, "the system runs by our clock and sends no dates"},
		{`commented/gaps`, "nothing is hidden"},
	}
	return s
}

func TestCorrectHarness(t *testing.T) { Run(t, dialedSuite(nil)) }

func TestHarnessBugs(t *testing.T) {
	for _, toy := range []spoiled{
		{bugs: bugs{"probe/401", "items/hang", "comments/reset"}},
		{bugs: bugs{"items/401", "containers/refused", "comments/cancel"}},
		{bugs: bugs{"probe/hang", "containers/reset", "items/refused"}},
		{bugs: bugs{"env/only_way_out"}, rows: []string{"env/only_way_out", "probe/refused", "containers/refused", "items/refused", "comments/refused", "commented/refused", "time/refused"}},
		{bugs: bugs{"items/ignores its context"}, rows: []string{"close/no_goroutine", "items/cancel", "items/hang"}},
	} {
		t.Run(strings.Join(toy.bugs, "+"), func(t *testing.T) {
			want := slices.Sorted(slices.Values(append(toy.rows, toy.bugs[:len(toy.bugs)*(1-min(len(toy.rows), 1))]...)))
			s := dialedSuite(toy.bugs)
			got := failing(t, s, want)
			for row := range got {
				if _, skipped := s.skipped(row); skipped {
					delete(got, row)
				}
			}
			checkRows(t, got, want)
		})
	}
}

func TestIncompleteSuites(t *testing.T) {
	for name, spoil := range map[string]func(*Suite){
		"no definition":         func(s *Suite) { s.Definition = nil },
		"no config":             func(s *Suite) { s.Config = nil },
		"no system":             func(s *Suite) { s.Handler = nil },
		"two systems":           func(s *Suite) { s.Harness = &Harness{} },
		"too few to page":       func(s *Suite) { s.Containers = s.Containers[:2] },
		"no commented items":    func(s *Suite) { s.Commented = map[string][]string{"red": {}} },
		"commented elsewhere":   func(s *Suite) { s.Commented = map[string][]string{"red": {"r1"}, "black": {"r1"}} },
		"a skip without reason": func(s *Suite) { s.Skip = []Skip{{"items/429", ""}} },
		"a stale skip":          func(s *Suite) { s.Skip = []Skip{{"items/428", "gone"}} },
		"a partial skip":        func(s *Suite) { s.Skip = []Skip{{"items", "too short"}} },
		"a broken skip":         func(s *Suite) { s.Skip = []Skip{{"(", "what"}} },
	} {
		t.Run(name, func(t *testing.T) {
			s := toySuite(nil)
			spoil(&s)
			if faults := s.faults(); len(faults) == 0 {
				t.Error("got no fault")
			}
		})
	}
	s := toySuite(nil)
	s.Skip = []Skip{{`items/(429|html_.*)`, "for a reason"}}
	if faults := s.faults(); len(faults) > 0 {
		t.Errorf("a whole suite: got %v", faults)
	}
	for row, want := range map[string]bool{"items/429": true, "items/html_502": true, "items/4290": false, "comments/429": false} {
		if _, got := s.skipped(row); got != want {
			t.Errorf("%s is skipped: got %v, want %v", row, got, want)
		}
	}
}

// TestMissingVariants expects rows that lack their system to fail, not to pass.
func TestMissingVariants(t *testing.T) {
	s := toySuite(nil)
	s.EmptyPage, s.RepeatToken, s.Gaps, s.MissingItem, s.MissingContainer, s.Query = nil, nil, nil, "", "", ""
	want := []string{
		"commented/empty_page", "commented/gaps", "commented/repeated_token", "commented/unknown_container",
		"comments/empty_page", "comments/repeated_token", "comments/unknown_item", "containers/empty_page",
		"containers/repeated_token", "items/empty_page", "items/filters", "items/repeated_token", "items/unknown_container",
	}
	checkRows(t, failing(t, s, want), want)
}

func TestPanicsAreErrors(t *testing.T) {
	panics := operation{name: "probe", ask: func(context.Context, *connectors.Conn, request) (answer, error) { panic("oh") }}
	if o := <-start(t.Context(), panics, nil, request{}); o.err == nil || !strings.Contains(o.err.Error(), "oh") {
		t.Errorf("got %v, want the panic", o.err)
	}
}
