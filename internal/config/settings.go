package config

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// Setting is one row of the table of settings. Loading, docs/config.md and .env.example all derive from it.
type Setting struct {
	Name    string
	Default string // as documented; computed defaults are described in words and marked Computed
	Help    string
	Group   string
	Secret  bool
	// Computed says that Default describes a default that Load works out.
	Computed bool
	// Later is what cannot be done yet with the setting; a value is refused as unsupported.
	Later string

	set func(*Config, string) string // keeps a value and returns what is wrong with it
}

// Groups of settings, in the order of the documentation.
const (
	groupApp      = "Application"
	groupStore    = "Store and keys"
	groupAccess   = "Who may call"
	groupOutbound = "Outbound requests"
	groupLogs     = "Logs"
	groupKeep     = "Retention"
	groupOAuth    = "OAuth"
)

// Settings returns the table, in the order of the documentation.
func Settings() []Setting {
	const worker = "webhooks are not part of this version"
	return []Setting{
		{Name: "APP_NAME", Default: "Unified Connector Framework", Group: groupApp, Help: "Name shown by OpenAPI and `GET /`.", set: text(func(c *Config) *string { return &c.AppName })},
		{Name: "APP_DESCRIPTION", Default: "One API for the systems your customers' work lives in", Group: groupApp, Help: "Description shown by OpenAPI.", set: text(func(c *Config) *string { return &c.AppDescription })},
		{Name: "API_PREFIX", Default: "/api", Group: groupApp, Help: "Path below which the REST API lives.", set: setPrefix},
		{Name: "UCF_LISTEN", Default: "127.0.0.1:8000", Group: groupApp, Help: "Address that `ucf serve` listens on.", set: setListen},
		{Name: "PUBLIC_URL", Group: groupApp, Help: "Address at which browsers and providers reach `ucf serve`.", set: httpURL(func(c *Config) *string { return &c.PublicURL })},
		{Name: "UCF_TENANT", Default: "default", Group: groupApp, Help: "Tenant of the command line.", set: text(func(c *Config) *string { return &c.Tenant })},
		{Name: "UCF_DATA_DIR", Default: "the XDG data folder, `ucf`", Computed: true, Group: groupStore, Help: "Folder of the embedded store. A network file system is refused.", set: text(func(c *Config) *string { return &c.DataDir })},
		{Name: "ENCRYPTION_KEY", Default: "made once, in the config folder", Computed: true, Secret: true, Group: groupStore, Help: "Fernet keys, separated by commas: the first seals, all open. `ucf keygen` makes one. Required with MONGODB_URL, the same for every process.", set: func(c *Config, v string) string { c.EncryptionKey = connectors.NewSecret(v); return "" }},
		{Name: "MONGODB_URL", Group: groupStore, Secret: true, Help: "MongoDB that carries the state. Empty: the embedded store.", set: setMongoURL},
		{Name: "MONGODB_DB", Default: "unified_connector", Group: groupStore, Help: "Database within MongoDB.", set: text(func(c *Config) *string { return &c.MongoDB })},
		{Name: "AUTH_MODE", Default: "none", Group: groupAccess, Help: "Who may call the API. `none` is accepted on loopback addresses only; `keys` and `oidc` are not part of this version.", set: setAuthMode},
		{Name: "OIDC_ISSUER", Group: groupAccess, Later: "OIDC is not part of this version", Help: "Issuer of accepted JWTs."},
		{Name: "OIDC_AUDIENCE", Group: groupAccess, Later: "OIDC is not part of this version", Help: "Audience of accepted JWTs."},
		{Name: "OIDC_TENANT_CLAIM", Group: groupAccess, Later: "OIDC is not part of this version", Help: "Claim that names the tenant."},
		{Name: "CORS_ALLOW_ORIGINS", Group: groupAccess, Later: "CORS is not part of this version: no other origin may call", Help: "Origins that browsers may call from."},
		{Name: "UCF_ALLOW_HOSTS", Group: groupOutbound, Help: "Private or loopback hosts that `ucf serve` may call, `[tenant@]host[:port]`, separated by commas.", set: setAllowHosts},
		{Name: "UCF_PROXY_URL", Group: groupOutbound, Secret: true, Help: "Outbound HTTP proxy; the target is checked before it is asked. `HTTP_PROXY` is ignored.", set: setProxy},
		{Name: "LOG_LEVEL", Default: "info", Group: groupLogs, Help: "`debug`, `info`, `warn` or `error`.", set: setLevel},
		{Name: "LOG_JSON", Default: "false", Group: groupLogs, Help: "Whether log lines are JSON.", set: setLogJSON},
		{Name: "OAUTH_REDIRECT_ALLOWLIST", Default: "loopback addresses and PUBLIC_URL", Computed: true, Group: groupOAuth, Help: "Pages a browser may return to after a consent: addresses separated by commas, each an origin or the beginning of a path.", set: setRedirects},
		{Name: "ATLASSIAN_CLIENT_ID", Group: groupOAuth, Help: "The operator's Atlassian OAuth app.", set: app("atlassian", func(a *OAuthApp, v string) { a.ClientID = v })},
		{Name: "ATLASSIAN_CLIENT_SECRET", Secret: true, Group: groupOAuth, Help: "Its secret.", set: app("atlassian", func(a *OAuthApp, v string) { a.ClientSecret = connectors.NewSecret(v) })},
		{Name: "SALESFORCE_CLIENT_ID", Group: groupOAuth, Help: "The operator's Salesforce OAuth app.", set: app("salesforce", func(a *OAuthApp, v string) { a.ClientID = v })},
		{Name: "SALESFORCE_CLIENT_SECRET", Secret: true, Group: groupOAuth, Help: "Its secret.", set: app("salesforce", func(a *OAuthApp, v string) { a.ClientSecret = connectors.NewSecret(v) })},
		{Name: "ATLASSIAN_AUTH_URL", Default: "https://auth.atlassian.com", Group: groupOAuth, Help: "Where Atlassian's `/authorize` and `/oauth/token` are.", set: appURL("atlassian", func(a *OAuthApp) *string { return &a.AuthURL })},
		{Name: "ATLASSIAN_API_URL", Default: "https://api.atlassian.com", Group: groupOAuth, Help: "Where Atlassian's `/me` and `/ex/…` are.", set: appURL("atlassian", func(a *OAuthApp) *string { return &a.APIURL })},
		{Name: "SALESFORCE_LOGIN_URL", Default: "https://login.salesforce.com", Group: groupOAuth, Help: "Salesforce's login host.", set: appURL("salesforce", func(a *OAuthApp) *string { return &a.AuthURL })},
		{Name: "UCF_OAUTH_PORT", Default: "8976", Group: groupOAuth, Help: "Loopback port of `ucf connect`: the redirect address registered at the provider is `http://127.0.0.1:PORT/callback`.", set: setOAuthPort},
		{Name: "UCF_KEEP_AUDIT", Default: "400d", Group: groupKeep, Later: "retention is not part of this version: audit entries are kept", Help: "How long audit entries are kept."},
		{Name: "UCF_KEEP_EVENTS", Default: "7d", Group: groupKeep, Later: worker, Help: "How long webhook events are kept."},
		{Name: "UCF_KEEP_JOBS", Default: "30d", Group: groupKeep, Help: "How long finished jobs are kept.", set: duration(func(c *Config) *time.Duration { return &c.KeepJobs })},
		{Name: "UCF_KEEP_TOMBSTONES", Default: "90d", Group: groupKeep, Help: "How long deletions stay in the records.", set: duration(func(c *Config) *time.Duration { return &c.KeepTombstones })},
	}
}

func text(field func(*Config) *string) func(*Config, string) string {
	return func(c *Config, v string) string {
		*field(c) = v
		return ""
	}
}

// duration sets a time such as 90d, 36h or 30m, of at least a minute.
func duration(field func(*Config) *time.Duration) func(*Config, string) string {
	return func(c *Config, v string) string {
		d, err := time.ParseDuration(v)
		if days, found := strings.CutSuffix(v, "d"); found {
			var n int
			n, err = strconv.Atoi(days)
			d = time.Duration(n) * 24 * time.Hour
			if n > maxDays {
				return "must be at most 36500d"
			}
		}
		if err != nil || d < time.Minute {
			return "must be a time such as 90d or 36h, of at least a minute"
		}
		*field(c) = d
		return ""
	}
}

// maxDays bounds times that are given in days.
const maxDays = 36500

func setMongoURL(c *Config, v string) string {
	if v == "" {
		return ""
	}
	if !strings.HasPrefix(v, "mongodb://") && !strings.HasPrefix(v, "mongodb+srv://") {
		return "must begin with mongodb:// or mongodb+srv://"
	}
	c.MongoURL = connectors.NewSecret(v)
	return ""
}

func httpURL(field func(*Config) *string) func(*Config, string) string {
	return func(c *Config, v string) string {
		if v == "" {
			return ""
		}
		u, err := url.Parse(v)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			return "must be an address such as https://ucf.example.com"
		}
		*field(c) = strings.TrimRight(v, "/")
		return ""
	}
}

func setPrefix(c *Config, v string) string {
	v = strings.TrimRight(v, "/")
	if v == "" || !strings.HasPrefix(v, "/") || strings.ContainsAny(v, "{}?#% ") || strings.Contains(v, "//") {
		return "must be a path such as /api"
	}
	for _, taken := range []string{"/healthz", "/readyz", "/metrics", "/docs", "/openapi", "/oauth", "/hooks"} {
		if strings.HasPrefix(v, taken) {
			return "must not be below " + taken + ", which has a meaning of its own"
		}
	}
	c.APIPrefix = v
	return ""
}

func setListen(c *Config, v string) string {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return "must be host:port, as in 127.0.0.1:8000"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "must end in a port between 0 and 65535"
	}
	c.Listen = v
	return ""
}

func setAuthMode(c *Config, v string) string {
	if v != "none" {
		return fmt.Sprintf("%q is not part of this version: only none, on a loopback address", v)
	}
	c.AuthMode = v
	return ""
}

func setLevel(c *Config, v string) string {
	if err := c.LogLevel.UnmarshalText([]byte(v)); err != nil {
		return "must be debug, info, warn or error"
	}
	return ""
}

func setLogJSON(c *Config, v string) string {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return "must be true or false"
	}
	c.LogJSON = b
	return ""
}

func setProxy(c *Config, v string) string {
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "must be an address such as http://proxy.example.com:3128"
	}
	c.ProxyURL = connectors.NewSecret(v)
	return ""
}

func setAllowHosts(c *Config, v string) string {
	for entry := range strings.SplitSeq(v, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		tenant, host, found := strings.Cut(entry, "@")
		if !found {
			tenant, host = "", entry
		}
		if host == "" || strings.ContainsAny(host, "/?#* ") || found && tenant == "" {
			return fmt.Sprintf("%q is not [tenant@]host[:port]", entry)
		}
		c.AllowHosts = append(c.AllowHosts, AllowedHost{Tenant: tenant, Host: strings.ToLower(host)})
	}
	return ""
}

// app returns a setter of one value of the operator's OAuth app at a provider.
func app(provider string, keep func(*OAuthApp, string)) func(*Config, string) string {
	return func(c *Config, v string) string {
		c.edit(provider, func(a *OAuthApp) { keep(a, v) })
		return ""
	}
}

func appURL(provider string, field func(*OAuthApp) *string) func(*Config, string) string {
	return func(c *Config, v string) (fault string) {
		c.edit(provider, func(a *OAuthApp) { fault = httpURL(func(*Config) *string { return field(a) })(c, v) })
		return fault
	}
}

func (c *Config) edit(provider string, change func(*OAuthApp)) {
	if c.OAuthApps == nil {
		c.OAuthApps = map[string]OAuthApp{}
	}
	a := c.OAuthApps[provider]
	change(&a)
	c.OAuthApps[provider] = a
}

func setOAuthPort(c *Config, v string) string {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 65535 {
		return "must be a port between 1 and 65535"
	}
	c.OAuthPort = n
	return ""
}

func setRedirects(c *Config, v string) string {
	for entry := range strings.SplitSeq(v, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		u, err := url.Parse(entry)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Contains(entry, "#") || strings.Contains(entry, "*") {
			return fmt.Sprintf("%q is not an address such as https://app.example.com/connected", entry)
		}
		c.Redirects = append(c.Redirects, entry)
	}
	return ""
}
