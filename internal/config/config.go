// Package config reads the settings of ucf: one table says what there is, and [Load] takes each setting from the
// first of flag, environment, .env file, config file and default that has it.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/viper"
	"github.com/subosito/gotenv"

	"github.com/unified-connector/ucf/connectors"
)

// Config is what [Load] found. It prints without secrets.
type Config struct {
	AppName, AppDescription string
	APIPrefix               string
	Listen                  string
	PublicURL               string
	Tenant                  string
	DataDir                 string
	ConfigDir               string
	EncryptionKey           connectors.Secret
	// MongoURL is empty where the embedded store carries the state.
	MongoURL   connectors.Secret
	MongoDB    string
	AuthMode   string
	AllowHosts []AllowedHost
	ProxyURL   connectors.Secret
	// OAuthApps are the operator's OAuth apps, by the id of the provider.
	OAuthApps map[string]OAuthApp
	OAuthPort int
	// Redirects are the pages that browsers may return to beside loopback addresses and PublicURL.
	Redirects []string
	// KeepJobs and KeepTombstones are how long finished jobs and deletions are kept.
	KeepJobs, KeepTombstones time.Duration

	LogLevel slog.Level
	LogJSON  bool

	// Sources tells where each setting came from: "flag", "environment", ".env", "config file" or "default".
	Sources map[string]string

	getenv func(string) string // a function, so that printing a Config does not print the environment
}

// OAuthApp is the operator's app at an OAuth provider, and where that provider is.
type OAuthApp struct {
	ClientID     string
	ClientSecret connectors.Secret
	// AuthURL is where consent and tokens are asked for, APIURL where the API is; APIURL is empty where the token answer
	// names it.
	AuthURL, APIURL string
}

// AllowedHost is a private or loopback host that may be called: by one tenant, or by all when Tenant is empty.
type AllowedHost struct{ Tenant, Host string }

// Source says where settings may come from.
type Source struct {
	Flags      map[string]string // values given on the command line, by setting name
	Environ    []string          // as os.Environ gives it
	EnvFile    string            // a .env file to read; a missing one is a fault
	DotEnv     string            // a .env file to read where it exists
	ConfigFile string            // a config file to read; empty for the default one, where it exists
}

// Load reads the settings. All faults are reported together, as invalid_request with Details "fields".
func Load(s Source) (*Config, error) {
	c := &Config{Sources: map[string]string{}}
	var faults []connectors.Fault
	fault := func(field string, err error) {
		if err != nil {
			faults = append(faults, connectors.Fault{Field: field, Message: err.Error()})
		}
	}
	c.ConfigDir, c.DataDir = configDir(s.Environ), dataDir(s.Environ)
	dotenv, err := readEnvFiles(s)
	fault("env-file", err)
	file, err := c.readFile(s)
	fault("config", err)
	environ := environMap(s.Environ)
	c.getenv = func(name string) string { return cmp.Or(environ[name], dotenv[name]) }
	layers := []layer{{"flag", s.Flags}, {"environment", environ}, {".env", dotenv}, {"config file", file}}
	faults = append(faults, c.apply(layers)...)
	for name := range file {
		if !slices.ContainsFunc(Settings(), func(st Setting) bool { return st.Name == name }) {
			faults = append(faults, connectors.Fault{Field: strings.ToLower(name), Message: "unknown setting in the config file"})
		}
	}
	slices.SortStableFunc(faults, func(a, b connectors.Fault) int { return strings.Compare(a.Field, b.Field) })
	return c, connectors.InvalidFields(faults...)
}

// layer is one place that settings come from.
type layer struct {
	name   string
	values map[string]string
}

// apply sets every setting from the first layer that has it.
func (c *Config) apply(layers []layer) []connectors.Fault {
	var faults []connectors.Fault
	for _, st := range Settings() {
		value, source := "", "default"
		if !st.Computed {
			value = st.Default
		}
		for _, l := range layers {
			if v, ok := l.values[st.Name]; ok && v != "" {
				value, source = v, l.name
				break
			}
		}
		c.Sources[st.Name] = source
		msg := ""
		switch {
		case source == "default" && (st.Later != "" || st.Computed):
		case st.Later != "":
			msg = st.Later
		default:
			msg = st.set(c, value)
		}
		if msg != "" {
			faults = append(faults, connectors.Fault{Field: st.Name, Message: msg + " (from the " + source + ")"})
		}
	}
	return faults
}

// Getenv returns a variable of the environment or, where it has none, of the .env file that was read.
func (c *Config) Getenv(name string) string { return c.getenv(name) }

// KeyFile returns the path of the key that is made where ENCRYPTION_KEY is empty.
func (c *Config) KeyFile() string { return filepath.Join(c.ConfigDir, "encryption.key") }

// Database returns the path of the embedded store.
func (c *Config) Database() string { return filepath.Join(c.DataDir, "ucf.db") }

func readEnvFiles(s Source) (map[string]string, error) {
	path := s.EnvFile
	if path == "" {
		path = s.DotEnv
	}
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && s.EnvFile == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %s", path, reason(err))
	}
	defer f.Close()
	env, err := gotenv.StrictParse(f)
	if err != nil {
		return nil, fmt.Errorf("%s is not a .env file: every line must be NAME=value", path)
	}
	return env, nil
}

// readFile returns the settings of the config file by upper-case name.
func (c *Config) readFile(s Source) (map[string]string, error) {
	path := s.ConfigFile
	if path == "" {
		path = filepath.Join(c.ConfigDir, "config.yaml")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || c.ConfigDir == "" {
			return nil, nil
		}
	}
	v := viper.New()
	v.SetConfigFile(path)
	if filepath.Ext(path) == "" {
		v.SetConfigType("yaml")
	}
	if err := v.ReadInConfig(); err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return nil, fmt.Errorf("%s cannot be read: %s", path, reason(err))
		}
		return nil, fmt.Errorf("%s is not a YAML, JSON or TOML file of settings", path)
	}
	out := map[string]string{}
	for _, k := range v.AllKeys() {
		value := v.GetString(k)
		if list := v.GetStringSlice(k); value == "" && len(list) > 0 {
			value = strings.Join(list, ",")
		}
		out[strings.ToUpper(k)] = value
	}
	return out, nil
}

func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return "input/output error"
}

func environMap(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			m[k] = v
		}
	}
	return m
}

// configDir returns the folder of the config file and the key: the XDG config folder, or what the system has
// instead. It is empty where there is no home.
func configDir(environ []string) string {
	return userDir(environ, "XDG_CONFIG_HOME", ".config", "Library/Application Support", "APPDATA")
}

// dataDir returns the folder of the embedded store: the XDG data folder, or what the system has instead.
func dataDir(environ []string) string {
	return userDir(environ, "XDG_DATA_HOME", ".local/share", "Library/Application Support", "LOCALAPPDATA")
}

func userDir(environ []string, xdg, unix, darwin, windows string) string {
	env := environMap(environ)
	if dir := env[xdg]; filepath.IsAbs(dir) {
		return filepath.Join(dir, "ucf")
	}
	home := env["HOME"]
	switch runtime.GOOS {
	case "windows":
		home, unix = env[windows], ""
	case "darwin":
		unix = darwin
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, filepath.FromSlash(unix), "ucf")
}
