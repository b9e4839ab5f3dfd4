package app_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
)

func newSandbox(t *testing.T, o sandbox.Options, faults ...string) string {
	t.Helper()
	for _, f := range faults {
		fault, err := sandbox.ParseFault(f)
		if err != nil {
			t.Fatal(err)
		}
		o.Faults = append(o.Faults, fault)
	}
	s, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return srv.URL
}

// build puts ucf together in a home of its own.
func build(t *testing.T, home string, operator bool, environ ...string) *app.App {
	t.Helper()
	cfg, err := config.Load(config.Source{Environ: append(environ,
		"HOME="+home, "XDG_CONFIG_HOME="+home+"/c", "XDG_DATA_HOME="+home+"/d", "APPDATA="+home+"/c", "LOCALAPPDATA="+home+"/d")})
	if err != nil {
		t.Fatal(err)
	}
	a := app.Build(cfg, app.Options{Operator: operator, Version: "test", Timeout: 5 * time.Second})
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func jira(url, token string) map[string]any {
	return map[string]any{"base_url": url + "/acme", "api_email": "you@example.com", "api_token": token}
}

func listIn(cfg map[string]any) service.ItemsIn {
	return service.ItemsIn{ListIn: service.ListIn{ConnectorID: "jira", Limit: 200, Config: cfg}}
}

func TestMainJob(t *testing.T) {
	url := newSandbox(t, sandbox.Options{Issues: 1234})
	a := build(t, t.TempDir(), true)
	ctx := t.Context()
	in := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: "jira"}}
	in.Body.APIKey, in.Body.Config = "sandbox", map[string]any{"base_url": url + "/acme/", "api_email": "you@example.com"}
	conn, err := a.Service.Connected(ctx, "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	if conn.Probe.Account.Name == "" || conn.Probe.Instance.Type != "Cloud" {
		t.Errorf("the probe found %+v", conn.Probe)
	}
	projects, err := a.Service.Containers(ctx, "acme", service.ContainersIn{ListIn: service.ListIn{ConnectorID: "jira", Limit: 50}})
	if err != nil || len(projects.Items) != 5 {
		t.Fatalf("%d projects, %v", len(projects.Items), err)
	}
	seen, withComments := map[string]bool{}, ""
	err = a.Service.EachItemPage(ctx, "acme", listIn(nil), true, func(p connectors.Page[connectors.Item]) error {
		for _, it := range p.Items {
			if seen[it.ID] {
				t.Errorf("issue %s came twice", it.ID)
			}
			seen[it.ID] = true
			if key := it.Meta.Get("key"); key == projects.Items[0].ID+"-3" {
				withComments = key.(string)
			}
		}
		return nil
	})
	if err != nil || len(seen) != 1234 {
		t.Errorf("%d issues, %v, want 1234", len(seen), err)
	}
	n := 0
	comments := service.CommentsIn{ListIn: service.ListIn{ConnectorID: "jira", Limit: 200}, ItemID: withComments}
	err = a.Service.EachCommentPage(ctx, "acme", comments, true, func(p connectors.Page[connectors.Comment]) error {
		n += len(p.Items)
		return nil
	})
	if err != nil || n != 250 {
		t.Errorf("%d comments on %s, %v, want 250", n, withComments, err)
	}
}

func TestFaultsOnTheWay(t *testing.T) {
	for _, tc := range []struct {
		fault string
		want  connectors.Code
	}{
		{"503,count=2", ""},
		{"reset,count=2", ""},
		{"cut,count=2", ""},
		{"429,retry-after=1,count=1", ""},
		{"empty-page,count=2", ""},
		{"500", connectors.ProviderError},
		{"html", connectors.ProviderError},
		{"truncate", connectors.ProviderError},
		{"401", connectors.Reauthorize},
		{"403", connectors.Reauthorize},
		{"429,retry-after=3000", connectors.RateLimited},
		{"repeat-token", connectors.ProviderError},
		{"anonymous", connectors.Reauthorize},
		{"410,path=/search/jql", connectors.ProviderError},
		{"pad=100MB,path=/search/jql", connectors.ProviderError},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			t.Parallel()
			url := newSandbox(t, sandbox.Options{Issues: 300}, tc.fault)
			a := build(t, t.TempDir(), true)
			n := 0
			err := a.Service.EachItemPage(t.Context(), "acme", listIn(jira(url, "sandbox")), true, func(p connectors.Page[connectors.Item]) error {
				n += len(p.Items)
				return nil
			})
			if got := connectors.CodeOf(err); got != tc.want {
				t.Errorf("code %q (%v), want %q", got, err, tc.want)
			}
			if tc.want == "" && n != 300 {
				t.Errorf("%d issues, want 300: never success with fewer rows", n)
			}
			if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), "c2FuZGJveA") {
				t.Errorf("the error shows the credential: %v", err)
			}
		})
	}
}

func TestServeRefusesPrivateHosts(t *testing.T) {
	url := newSandbox(t, sandbox.Options{})
	host := strings.TrimPrefix(url, "http://")
	probe := func(a *app.App, tenant string) connectors.Code {
		in := service.ProbeIn{ConnectorIn: service.ConnectorIn{ID: "jira"}, Body: jira(url, "sandbox")}
		_, err := a.Service.Probe(t.Context(), "acme", in)
		if tenant != "" {
			_, err = a.Service.Probe(t.Context(), "beta", in)
		}
		return connectors.CodeOf(err)
	}
	if got := probe(build(t, t.TempDir(), false), ""); got != connectors.InvalidRequest {
		t.Errorf("a loopback host: %q", got)
	}
	if got := probe(build(t, t.TempDir(), false, "UCF_ALLOW_HOSTS="+host), ""); got != "" {
		t.Errorf("an allowed host: %q", got)
	}
	a := build(t, t.TempDir(), false, "UCF_ALLOW_HOSTS=acme@"+host)
	if got := probe(a, ""); got != "" {
		t.Errorf("a host allowed to the tenant: %q", got)
	}
	if got := probe(a, "beta"); got != connectors.InvalidRequest {
		t.Errorf("a host allowed to another tenant: %q", got)
	}
}

func TestOperatorHostIsTheOperators(t *testing.T) {
	url, home := newSandbox(t, sandbox.Options{}), t.TempDir()
	cli, serve := build(t, home, true), build(t, home, false)
	in := service.PutConnectionIn{}
	in.Body.ConnectorID, in.Body.Config = "jira", jira(url, "sandbox")
	if _, err := cli.Service.PutConnection(t.Context(), "acme", in); err != nil {
		t.Fatal(err)
	}
	if _, err := cli.Service.Items(t.Context(), "acme", listIn(nil)); err != nil {
		t.Errorf("the command line: %v", err)
	}
	if _, err := serve.Service.Items(t.Context(), "acme", listIn(nil)); connectors.CodeOf(err) != connectors.InvalidRequest {
		t.Errorf("serve calls a private host that it was not allowed: %v", err)
	}
}

func TestMetadataAddressIsNeverAllowed(t *testing.T) {
	for _, host := range []string{"169.254.169.254", "metadata.google.internal", "[fd00:ec2::254]"} {
		a := build(t, t.TempDir(), true)
		_, err := a.Service.Probe(t.Context(), "acme", service.ProbeIn{ConnectorIn: service.ConnectorIn{ID: "jira"}, Body: jira("http://"+host, "x")})
		if connectors.CodeOf(err) != connectors.InvalidRequest || strings.Contains(fmt.Sprint(err), "UCF_ALLOW_HOSTS") {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestGivenConfigurationLeavesNoTrace(t *testing.T) {
	url, home := newSandbox(t, sandbox.Options{}), t.TempDir()
	a := build(t, home, true)
	in := service.ProbeIn{ConnectorIn: service.ConnectorIn{ID: "jira"}, Body: jira(url, "sandbox")}
	if _, err := a.Service.Probe(t.Context(), "acme", in); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(home)
	if err != nil || len(left) != 0 {
		t.Errorf("a probe left %v, %v", left, err)
	}
}

func TestDataFolderFailures(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("not a folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	corrupt := t.TempDir()
	text := []byte(strings.Repeat("this is not a database ", 500))
	if err := os.WriteFile(filepath.Join(corrupt, "ucf.db"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"a file": file, "a corrupt database": corrupt} {
		a := build(t, t.TempDir(), true, "UCF_DATA_DIR="+dir)
		_, err := a.Service.Connectors(t.Context(), "acme", service.ConnectorsIn{})
		if connectors.CodeOf(err) != connectors.Unavailable || !strings.Contains(fmt.Sprint(err), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(corrupt, "ucf.db")); err != nil || string(b) != string(text) {
		t.Error("the corrupt file was changed")
	}
}

func TestKeyIsMadeOnceAndTold(t *testing.T) {
	home := t.TempDir()
	var told []string
	cfg, err := config.Load(config.Source{Environ: []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home + "/c", "XDG_DATA_HOME=" + home + "/d", "APPDATA=" + home}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a := app.Build(cfg, app.Options{Operator: true, Warn: func(m string) { told = append(told, m) }})
		in := service.PutConnectionIn{}
		in.Body.ConnectorID, in.Body.Config = "jira", jira("https://acme.example.com", "x")
		if _, err := a.Service.PutConnection(context.Background(), "acme", in); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], cfg.KeyFile()) {
		t.Errorf("told %q, want the path of the key once", told)
	}
}
