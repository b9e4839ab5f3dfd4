package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// home returns an environment with an empty home and nothing given.
func home(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	return []string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir + "/c", "XDG_DATA_HOME=" + dir + "/d", "APPDATA=" + dir, "LOCALAPPDATA=" + dir, "TERM=dumb"}
}

// freeTCP returns a port that was free a moment ago.
func freeTCP(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// surfer is a browser: a real client that follows redirects, and keeps the page it ends at.
type surfer struct {
	mu    sync.Mutex
	page  string
	ended chan struct{}
}

func newSurfer() *surfer { return &surfer{ended: make(chan struct{})} }

// open goes to an address as IO.Browse does.
func (s *surfer) open(ctx context.Context, address string) error {
	defer close(s.ended)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil // the command ended, as that of a closed browser does
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page = string(b)
	return err
}

// shown returns the page that the browser ended at.
func (s *surfer) shown(t *testing.T) string {
	t.Helper()
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the browser gets no page")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page
}

// connectWith runs a command with a browser and no terminal.
func connectWith(env []string, in io.Reader, browse func(context.Context, string) error, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Main(append([]string{"--deadline", "20s"}, args...), IO{In: in, Out: &out, Err: &errs, Environ: env, Browse: browse})
	return code, out.String(), errs.String()
}

func TestConnectInTheBrowser(t *testing.T) {
	v := (&vendor{sites: []string{"acme"}}).start(t)
	env, b := v.environ(t), newSurfer()
	code, out, errs := connectWith(env, strings.NewReader(""), b.open, "connect", "jira", "--verbose", "-o", "json")
	if code != 0 || !strings.Contains(out, `"name": "Priya Raman"`) || !strings.Contains(out, `"url": "https://acme.atlassian.example"`) {
		t.Errorf("code %d, %s%s", code, out, errs)
	}
	if p := b.shown(t); !strings.Contains(p, "Jira is connected") || !strings.Contains(p, "Priya Raman") || !strings.Contains(p, "https://acme.atlassian.example") {
		t.Errorf("the page is %s", p)
	}
	if strings.Contains(out+errs+b.page, "canary") {
		t.Errorf("a secret is shown: %s%s", out, errs)
	}
	if !strings.Contains(errs, v.url+"/auth/authorize?") {
		t.Errorf("the address is not printed: %s", errs)
	}
	code, _, errs = connectWith(env, strings.NewReader(""), nil, "connect", "jira")
	if code != 6 || !strings.Contains(errs, "--connection con_") {
		t.Errorf("a name in use: code %d, %s", code, errs)
	}
	b = newSurfer()
	if code, out, errs = connectWith(env, strings.NewReader(""), b.open, "connect", "jira", "--connection", "default"); code != 0 || !strings.Contains(out, "con_") {
		t.Errorf("a renewal: code %d, %s%s", code, out, errs)
	}
}

func TestConnectFailures(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	acme := []string{"acme"}
	for name, tc := range map[string]struct {
		v    vendor
		code int
		want []string
		page string
	}{
		"denied":          {vendor{sites: acme, back: "error=access_denied&error_description=no"}, 4, []string{"denied", "ucf connect jira"}, "Consent denied"},
		"bad scope":       {vendor{sites: acme, back: "error=invalid_scope&error_description=%1B%5B2Jbad"}, 2, []string{"invalid_scope", "scopes"}, "not connected"},
		"vendor is down":  {vendor{sites: acme, back: "error=temporarily_unavailable"}, 9, []string{"try again later"}, "not connected"},
		"wrong secret":    {vendor{sites: acme, token: answer(401, `{"error":"access_denied","error_description":"Unauthorized"}`)}, 9, []string{"ATLASSIAN_CLIENT_SECRET"}, "ATLASSIAN_CLIENT_SECRET"},
		"used code":       {vendor{sites: acme, token: answer(403, `{"error":"invalid_grant"}`)}, 2, []string{"code"}, "not connected"},
		"HTML error page": {vendor{sites: acme, token: answer(502, `<html>down</html>`)}, 9, []string{"Atlassian"}, "not connected"},
		"no site":         {vendor{}, 5, []string{"no Jira site"}, "no Jira site"},
		"several sites":   {vendor{sites: []string{"acme", "beta"}}, 6, []string{"https://acme.atlassian.example", "https://beta.atlassian.example", "--site"}, "not connected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, b := (&tc.v).start(t), newSurfer()
			env := v.environ(t)
			code, out, errs := connectWith(env, strings.NewReader(""), b.open, "connect", "jira")
			if code != tc.code || out != "" {
				t.Errorf("code %d, want %d; %s%s", code, tc.code, out, errs)
			}
			for _, want := range tc.want {
				if !strings.Contains(errs, want) {
					t.Errorf("it does not say %q: %s", want, errs)
				}
			}
			if p := b.shown(t); !strings.Contains(p, tc.page) {
				t.Errorf("the page does not say %q: %s", tc.page, p)
			}
			if strings.Contains(errs, "canary") || strings.ContainsRune(errs, '\x1b') {
				t.Errorf("a secret or a control character is shown: %q", errs)
			}
			if _, list, _ := connectWith(env, strings.NewReader(""), nil, "connections", "list"); list != "" {
				t.Errorf("a connection was made: %s", list)
			}
		})
	}
}

func TestConnectNamesTheSite(t *testing.T) {
	v := (&vendor{sites: []string{"acme", "beta"}}).start(t)
	for name, site := range map[string]string{"address": "https://beta.atlassian.example/", "id": "cloud-2", "name": "Beta"} {
		code, out, errs := connectWith(v.environ(t), strings.NewReader(""), newSurfer().open, "connect", "jira", "--site", site)
		if code != 0 || !strings.Contains(out, "address\thttps://beta.atlassian.example") {
			t.Errorf("%s: code %d, %s%s", name, code, out, errs)
		}
	}
	code, _, errs := connectWith(v.environ(t), strings.NewReader(""), newSurfer().open, "connect", "jira", "--site", "gamma", "-o", "json")
	if code != 6 || !strings.Contains(errs, `"sites":[{`) {
		t.Errorf("an unknown site: code %d, %s", code, errs)
	}
	code, out, errs := connectWith(v.environ(t), strings.NewReader(""), newSurfer().open, "connect", "jira", "--set", "base_url=https://acme.atlassian.example")
	if code != 0 || !strings.Contains(out, "address\thttps://acme.atlassian.example") {
		t.Errorf("an address that is set: code %d, %s%s", code, out, errs)
	}
}

func TestConnectGivesUp(t *testing.T) {
	v := (&vendor{sites: []string{"acme"}}).start(t)
	closed := func(context.Context, string) error { return nil }
	code, _, errs := connectWith(v.environ(t), strings.NewReader(""), closed, "connect", "jira", "--deadline", "300ms")
	if code != 10 || !strings.Contains(errs, "--deadline") || !strings.Contains(errs, "--no-browser") {
		t.Errorf("a closed browser: code %d, %s", code, errs)
	}
	broken := func(context.Context, string) error { return errors.New("no display") }
	code, _, errs = connectWith(v.environ(t), strings.NewReader(""), broken, "connect", "jira", "--deadline", "300ms")
	if code != 10 || !strings.Contains(errs, "was not opened: no display") {
		t.Errorf("no browser: code %d, %s", code, errs)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	code, _, errs = connectWith(append(v.environ(t), "UCF_OAUTH_PORT="+port), strings.NewReader(""), closed, "connect", "jira")
	if code != 9 || !strings.Contains(errs, "UCF_OAUTH_PORT") || !strings.Contains(errs, "--no-browser") || strings.Contains(errs, "authorize?") {
		t.Errorf("a busy port: code %d, %s", code, errs)
	}
}

// overSSH plays a person whose browser is on another machine: it opens the address that appears in what the command
// writes, and types at the command what edit makes of the address that the browser ends at.
func overSSH(t *testing.T, env []string, edit func(back, opened string) string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	in, keyboard := io.Pipe()
	errs := &watched{seen: make(chan string, 100)}
	var out bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- Main(append([]string{"connect", "jira", "--no-browser", "--deadline", "20s"}, args...), IO{In: in, Out: &out, Err: errs, Environ: env})
	}()
	var opened string
	for opened == "" {
		select {
		case line := <-errs.seen:
			if strings.Contains(line, "/authorize?") {
				opened = strings.TrimSpace(line)
			}
		case code := <-ended:
			return code, out.String(), errs.String()
		}
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(opened)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	fmt.Fprintln(keyboard, edit(resp.Header.Get("Location"), opened))
	keyboard.Close()
	return <-ended, out.String(), errs.String()
}

// watched is a writer that tells each line.
type watched struct {
	mu   sync.Mutex
	all  strings.Builder
	rest string
	seen chan string
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(b)
	w.rest += string(b)
	for {
		line, rest, ok := strings.Cut(w.rest, "\n")
		if !ok {
			return len(b), nil
		}
		w.rest = rest
		w.seen <- line
	}
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}

func TestConnectWithoutABrowser(t *testing.T) {
	v := (&vendor{sites: []string{"acme", "beta"}}).start(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, busy, _ := net.SplitHostPort(ln.Addr().String())
	for name, tc := range map[string]struct {
		edit func(back, opened string) string
		env  string
		code int
		want string
	}{
		"the whole address":  {func(back, _ string) string { return back }, "", 0, ""},
		"the code":           {func(string, string) string { return "the-code" }, "", 0, ""},
		"the port is busy":   {func(back, _ string) string { return back }, "UCF_OAUTH_PORT=" + busy, 0, ""},
		"the wrong address":  {func(_, opened string) string { return opened }, "", 2, "is the one to open"},
		"another flow's":     {func(back, _ string) string { return back + "x" }, "", 2, "its state is another one's"},
		"nothing, port busy": {func(string, string) string { return "" }, "UCF_OAUTH_PORT=" + busy, 2, "is empty"},
		"denied": {func(back, _ string) string {
			return strings.Replace(back, "code=the-code", "error=access_denied", 1)
		}, "", 4, "denied"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := overSSH(t, append(v.environ(t), tc.env), tc.edit, "--site", "acme")
			if code != tc.code || !strings.Contains(errs, tc.want) || code == 0 && !strings.Contains(out, "as\tPriya Raman") {
				t.Errorf("code %d, want %d and %q: %s%s", code, tc.code, tc.want, out, errs)
			}
		})
	}
	t.Run("the browser comes by itself", func(t *testing.T) {
		errs, b := &watched{seen: make(chan string, 100)}, newSurfer()
		in, keyboard := io.Pipe() // open, and silent
		defer keyboard.Close()
		var out bytes.Buffer
		ended := make(chan int, 1)
		go func() {
			ended <- Main([]string{"connect", "jira", "--no-browser", "--site", "acme"}, IO{In: in, Out: &out, Err: errs, Environ: v.environ(t)})
		}()
		for line := range errs.seen {
			if strings.Contains(line, "/authorize?") {
				if err := b.open(t.Context(), strings.TrimSpace(line)); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		if code := <-ended; code != 0 || !strings.Contains(b.shown(t), "Jira is connected") {
			t.Errorf("code %d: %s", code, errs)
		}
	})
}

func TestConnectChoosesTheWay(t *testing.T) {
	v := (&vendor{sites: []string{"acme"}}).start(t)
	key := []string{"UCF_JIRA_BASE_URL=http://127.0.0.1:1", "UCF_JIRA_API_EMAIL=a@example.com", "UCF_JIRA_API_TOKEN=canary-key"}
	byConsent, byKey := "authorize?", "127.0.0.1:1"
	for name, tc := range map[string]struct {
		env  []string
		args []string
		code int
		want string
	}{
		"nothing given":          {nil, nil, 10, byConsent},
		"a key in the env":       {key, nil, 9, byKey},
		"a key and an app":       {append([]string{"UCF_JIRA_CLIENT_ID=own-app", "UCF_JIRA_CLIENT_SECRET=canary"}, key...), nil, 9, byKey},
		"a key, OAuth asked for": {key, []string{"--set", "auth_method=oauth2"}, 10, byConsent},
		"a key, a site":          {key, []string{"--site", "acme"}, 10, byConsent},
		"an e-mail only":         {nil, []string{"--set", "api_email=a@example.com"}, 2, "api_token"},
		"--api-key":              {nil, []string{"--api-key"}, 2, "api_token: is required"},
		"both":                   {nil, []string{"--api-key", "--no-browser"}, 2, "one of both"},
		"an unknown way":         {nil, []string{"--set", "auth_method=magic"}, 2, "api_key, oauth2"},
		"an app that is not set": {[]string{"ATLASSIAN_CLIENT_ID="}, nil, 7, "--api-key"},
		"an app of its own":      {[]string{"ATLASSIAN_CLIENT_ID=", "UCF_JIRA_CLIENT_ID=own-app", "UCF_JIRA_CLIENT_SECRET=canary"}, nil, 10, "client_id=own-app"},
		"half an app":            {[]string{"UCF_JIRA_CLIENT_ID=own-app"}, nil, 2, "client_secret"},
		"scopes":                 {nil, []string{"--scopes", "read:jira-work,read:me"}, 10, "read%3Ajira-work+read%3Ame+offline_access"},
		"scopes of the file":     {nil, []string{"--config-file", "testdata/oauth.json"}, 10, "client_id=own-app"},
		"their scopes":           {nil, []string{"--config-file", "testdata/oauth.json"}, 10, "read%3Ajira-work+manage%3Ajira-webhook+offline_access"},
		"scopes of the env":      {[]string{"UCF_JIRA_SCOPES=read:jira-work, read:me"}, nil, 10, "read%3Ajira-work+read%3Ame+offline_access"},
		"no scope":               {nil, []string{"--scopes", "read jira"}, 2, "is not a scope"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := append(v.environ(t), tc.env...)
			code, _, errs := connectWith(env, strings.NewReader(""), func(context.Context, string) error { return nil }, append([]string{"connect", "jira", "--deadline", "1s"}, tc.args...)...)
			if code != tc.code || !strings.Contains(errs, tc.want) || strings.Contains(errs, "canary") {
				t.Errorf("code %d, want %d and %q: %s", code, tc.code, tc.want, errs)
			}
		})
	}
	for _, args := range [][]string{{"postgres", "--no-browser"}, {"salesforce", "--api-key"}} {
		if code, _, errs := connectWith(home(t), strings.NewReader(""), nil, append([]string{"connect"}, args...)...); code != 7 {
			t.Errorf("%v: code %d, %s", args, code, errs)
		}
	}
}

// An OAuth app in the environment is there for `ucf connect`: it must not pass for a configuration that beats the
// stored connection.
func TestAppInTheEnvironmentIsNoConfiguration(t *testing.T) {
	v := (&vendor{sites: []string{"acme"}}).start(t)
	env := append(v.environ(t), "UCF_JIRA_CLIENT_ID=own-app", "UCF_JIRA_CLIENT_SECRET=canary")
	if code, _, errs := connectWith(env, strings.NewReader(""), newSurfer().open, "connect", "jira"); code != 0 {
		t.Fatalf("code %d, %s", code, errs)
	}
	code, out, errs := connectWith(env, strings.NewReader(""), nil, "connectors", "probe", "jira")
	if code != 0 || !strings.Contains(out, "Priya Raman") {
		t.Errorf("code %d, %s%s", code, out, errs)
	}
}
