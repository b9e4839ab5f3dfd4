package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

// home returns the environment of a user with an empty home.
func home(t *testing.T, more ...string) []string {
	t.Helper()
	dir := t.TempDir()
	return append([]string{
		"HOME=" + dir, "XDG_CONFIG_HOME=" + dir + "/c", "XDG_DATA_HOME=" + dir + "/d", "APPDATA=" + dir, "LOCALAPPDATA=" + dir,
	}, more...)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaults(t *testing.T) {
	c, err := Load(Source{Environ: home(t)})
	if err != nil {
		t.Fatal(err)
	}
	if c.AppName != "Unified Connector Framework" || c.APIPrefix != "/api" || c.Listen != "127.0.0.1:8000" || c.Tenant != "default" ||
		c.AuthMode != "none" || c.LogLevel != slog.LevelInfo || c.LogJSON || !c.EncryptionKey.IsZero() || c.PublicURL != "" {
		t.Errorf("defaults are %+v", c)
	}
	if !strings.HasSuffix(c.Database(), filepath.Join("d", "ucf", "ucf.db")) || !strings.HasSuffix(c.KeyFile(), filepath.Join("c", "ucf", "encryption.key")) {
		t.Errorf("paths are %s and %s", c.Database(), c.KeyFile())
	}
}

func TestPrecedence(t *testing.T) {
	file := write(t, "config.yaml", "log_level: error\nucf_listen: 127.0.0.1:1\napp_name: file\nAPI_PREFIX: /file\n")
	env := write(t, ".env", "LOG_LEVEL=warn\nUCF_LISTEN=127.0.0.1:2\nAPP_NAME='dot env'\nUCF_JIRA_API_EMAIL=a@example.com\n")
	c, err := Load(Source{
		Flags: map[string]string{"LOG_LEVEL": "debug"}, Environ: home(t, "LOG_LEVEL=info", "UCF_LISTEN=127.0.0.1:3", "APP_NAME="),
		EnvFile: env, ConfigFile: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"LOG_LEVEL": "flag", "UCF_LISTEN": "environment", "APP_NAME": ".env", "API_PREFIX": "config file", "UCF_TENANT": "default",
	} {
		if got := c.Sources[setting]; got != want {
			t.Errorf("%s comes from the %s, want %s", setting, got, want)
		}
	}
	if c.LogLevel != slog.LevelDebug || c.Listen != "127.0.0.1:3" || c.AppName != "dot env" || c.APIPrefix != "/file" {
		t.Errorf("loaded %+v", c)
	}
	if got := c.Getenv("UCF_JIRA_API_EMAIL"); got != "a@example.com" {
		t.Errorf("a connector's field in .env is %q", got)
	}
}

func TestDotEnvIsReadOnlyWhereAsked(t *testing.T) {
	env := write(t, ".env", "LOG_LEVEL=debug\n")
	for name, tc := range map[string]struct {
		s    Source
		want slog.Level
	}{
		"not asked":   {Source{}, slog.LevelInfo},
		"asked":       {Source{DotEnv: env}, slog.LevelDebug},
		"asked, none": {Source{DotEnv: env + ".missing"}, slog.LevelInfo},
	} {
		tc.s.Environ = home(t)
		c, err := Load(tc.s)
		if err != nil || c.LogLevel != tc.want {
			t.Errorf("%s: level %v, %v, want %v", name, c.LogLevel, err, tc.want)
		}
	}
}

// fieldsOf returns the faulty fields that an error lists.
func fieldsOf(err error) []string {
	var e *connectors.Error
	if !errors.As(err, &e) {
		return nil
	}
	var names []string
	faults, _ := e.Details["fields"].([]connectors.Fault)
	for _, f := range faults {
		names = append(names, f.Field)
	}
	return names
}

func TestFaultsAreReportedTogether(t *testing.T) {
	_, err := Load(Source{Environ: home(t, "UCF_LISTEN=nonsense", "LOG_LEVEL=loud", "AUTH_MODE=oidc", "API_PREFIX=/healthz", "MONGODB_URL=http://u:pw@h/")})
	want := []string{"API_PREFIX", "AUTH_MODE", "LOG_LEVEL", "MONGODB_URL", "UCF_LISTEN"}
	if got := fieldsOf(err); !slices.Equal(got, want) {
		t.Errorf("faulty are %v, want %v", got, want)
	}
	if strings.Contains(fmt.Sprint(err), "pw@") {
		t.Error("an error shows a secret")
	}
}

func TestFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		s    Source
		want string
	}{
		"listen without port":       {Source{Environ: []string{"UCF_LISTEN=localhost"}}, "UCF_LISTEN"},
		"listen with a port name":   {Source{Environ: []string{"UCF_LISTEN=localhost:http"}}, "UCF_LISTEN"},
		"prefix without slash":      {Source{Environ: []string{"API_PREFIX=api"}}, "API_PREFIX"},
		"prefix of the root":        {Source{Environ: []string{"API_PREFIX=/"}}, "API_PREFIX"},
		"public URL with a query":   {Source{Environ: []string{"PUBLIC_URL=https://a.example/?x=1"}}, "PUBLIC_URL"},
		"public URL of a file":      {Source{Environ: []string{"PUBLIC_URL=file:///etc"}}, "PUBLIC_URL"},
		"allowed host with a path":  {Source{Environ: []string{"UCF_ALLOW_HOSTS=a.example/x"}}, "UCF_ALLOW_HOSTS"},
		"allowed host, no tenant":   {Source{Environ: []string{"UCF_ALLOW_HOSTS=@a.example"}}, "UCF_ALLOW_HOSTS"},
		"proxy that is no URL":      {Source{Environ: []string{"UCF_PROXY_URL=proxy:3128"}}, "UCF_PROXY_URL"},
		"log flag":                  {Source{Environ: []string{"LOG_JSON=maybe"}}, "LOG_JSON"},
		"missing env file":          {Source{EnvFile: "/nowhere/.env"}, "env-file"},
		"missing config file":       {Source{ConfigFile: "/nowhere/config.yaml"}, "config"},
		"config file that is prose": {Source{ConfigFile: "!prose"}, "config"},
		"env file that is prose":    {Source{EnvFile: "!prose"}, "env-file"},
		"unknown in config file":    {Source{ConfigFile: "!unknown"}, "ucf_lisen"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"!prose": write(t, "prose.yaml", "this is: not\n  - a: [file\n"), "!unknown": write(t, "unknown.yaml", "ucf_lisen: x\n")}
			if f, ok := files[tc.s.EnvFile]; ok {
				tc.s.EnvFile = f
			}
			if f, ok := files[tc.s.ConfigFile]; ok {
				tc.s.ConfigFile = f
			}
			tc.s.Environ = home(t, tc.s.Environ...)
			_, err := Load(tc.s)
			if got := fieldsOf(err); !slices.Equal(got, []string{tc.want}) || connectors.CodeOf(err) != connectors.InvalidRequest {
				t.Errorf("faulty are %v (%v), want %s", got, err, tc.want)
			}
		})
	}
}

func TestAllowHosts(t *testing.T) {
	c, err := Load(Source{Environ: home(t, "UCF_ALLOW_HOSTS= Jira.Internal:8443 , acme@10.0.0.7,")})
	want := []AllowedHost{{"", "jira.internal:8443"}, {"acme", "10.0.0.7"}}
	if err != nil || !slices.Equal(c.AllowHosts, want) {
		t.Errorf("allowed are %v, %v, want %v", c.AllowHosts, err, want)
	}
}

func TestNoHome(t *testing.T) {
	c, err := Load(Source{})
	if err != nil || c.ConfigDir != "" || c.DataDir != "" {
		t.Errorf("without a home: %+v, %v", c, err)
	}
}

func TestConfigPrintsNoSecret(t *testing.T) {
	c, err := Load(Source{Environ: home(t, "ENCRYPTION_KEY=very-secret", "UCF_PROXY_URL=http://u:very-secret@proxy.example:1")})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if strings.Contains(fmt.Sprintf(verb, *c), "very-secret") {
			t.Errorf("%s shows a secret", verb)
		}
	}
}

func TestTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Settings() {
		if s.Name == "" || s.Help == "" || s.Group == "" || seen[s.Name] || s.Name != strings.ToUpper(s.Name) {
			t.Errorf("setting %q is incomplete, or there twice", s.Name)
		}
		seen[s.Name] = true
		if (s.set == nil) != (s.Later != "") {
			t.Errorf("%s must either do something or say why it cannot", s.Name)
		}
		if s.set != nil && !s.Computed {
			if msg := s.set(&Config{}, s.Default); msg != "" {
				t.Errorf("the default of %s is faulty: %s", s.Name, msg)
			}
		}
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("UCF_ALLOW_HOSTS", "a@b:1,c")
	f.Add("API_PREFIX", "/api/v1")
	f.Add("PUBLIC_URL", "https://x")
	f.Fuzz(func(t *testing.T, name, value string) {
		for _, s := range Settings() {
			if s.Name == name && s.set != nil {
				s.set(&Config{}, value)
			}
		}
	})
}
