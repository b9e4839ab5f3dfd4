package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// connectOptions are the flags of `ucf connect`.
type connectOptions struct {
	given
	name, site                    string
	scopes                        []string
	apiKey, tokenStdin, noBrowser bool
}

// byKey reports whether the flags ask for an API key or password, byConsent whether they ask for OAuth.
func (o connectOptions) byKey() bool     { return o.apiKey || o.tokenStdin }
func (o connectOptions) byConsent() bool { return o.noBrowser || o.site != "" || len(o.scopes) > 0 }

func (c *commandLine) connectCmd() *cobra.Command {
	var o connectOptions
	cmd := &cobra.Command{
		Use: "connect CONNECTOR", Short: "Connect a system, in the browser or by API key, and store the credential sealed", Args: args("CONNECTOR"),
		Long: "Connect a system and store the credential sealed.\n\n" +
			"Where the system has OAuth, the browser opens and asks for your consent, and comes back to this command on\n" +
			"http://127.0.0.1:8976/callback (UCF_OAUTH_PORT), which has to be registered at the provider. The OAuth app is\n" +
			"the operator's (ATLASSIAN_CLIENT_ID and ATLASSIAN_CLIENT_SECRET), or your own (UCF_JIRA_CLIENT_ID and\n" +
			"UCF_JIRA_CLIENT_SECRET). --no-browser prints the address and takes the one that your browser ended at: paste it.\n" +
			"A consent may reach several sites: --site names the one to connect; a terminal is asked.\n\n" +
			"With --api-key, or where a key is given or there is no OAuth, the system is probed with your API key or password.\n" +
			"What is not given by --set, --config-file or the environment is asked for on a terminal; a secret is not shown\n" +
			"while it is typed. Nothing is stored unless the system accepts the credential. --set auth_method=oauth2 asks for\n" +
			"OAuth even where the environment holds a key.\n\n" +
			"With --connection an existing connection is renewed in the way it was made; it keeps its id and its cursors.",
		Example: "  ucf connect jira\n" +
			"  ucf connect jira --site https://acme.atlassian.net --name acme\n" +
			"  ucf connect salesforce --no-browser\n" +
			"  ucf connect jira --connection default\n" +
			"  pass show jira | ucf connect jira --set base_url=https://acme.atlassian.net --set api_email=you@example.com --token-stdin\n" +
			"  ucf connect postgres --config-file db.yaml --name warehouse",
		ValidArgsFunction: c.completeConnectors,
		RunE:              func(cmd *cobra.Command, args []string) error { return c.connect(cmd.Context(), o, args[0]) },
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "name of the connection (default \"default\")")
	f.BoolVar(&o.apiKey, "api-key", false, "connect by API key or password")
	f.BoolVar(&o.tokenStdin, "token-stdin", false, "read the API key or password from standard input")
	f.BoolVar(&o.noBrowser, "no-browser", false, "open no browser: print the address, and take the one that yours ended at")
	f.StringVar(&o.site, "site", "", "`SITE` to connect, by address, id or name, where a consent reaches several")
	f.StringSliceVar(&o.scopes, "scopes", nil, "`SCOPES` to ask for, separated by commas (default what the connector needs)")
	for _, flag := range []string{"name", "site", "scopes"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions)
	}
	return cmd
}

func (c *commandLine) connect(ctx context.Context, o connectOptions, connectorID string) error {
	s, t, err := c.open()
	if err != nil {
		return err
	}
	def, err := c.definition(s, connectorID)
	if err != nil {
		return err
	}
	if err := c.checkConnect(o); err != nil {
		return err
	}
	cfg, err := c.everything(o.given, def)
	if err != nil {
		return err
	}
	m, err := c.connectMethod(ctx, s, t, def, o, cfg)
	if err != nil {
		return err
	}
	var out service.ConnectedOut
	if m.OAuth != nil && cfg[m.Secret] == nil {
		out, err = c.connectByConsent(ctx, s, t, def, m, o, cfg)
	} else {
		out, err = c.connectByKey(ctx, s, t, def, m, o, cfg)
	}
	if err != nil {
		return err
	}
	return c.showConnected(def, out)
}

// checkConnect refuses flags that exclude each other.
func (c *commandLine) checkConnect(o connectOptions) error {
	switch {
	case o.byKey() && o.byConsent():
		return usage("--no-browser, --site and --scopes are for OAuth, --api-key and --token-stdin are for a key: give one of both")
	case o.tokenStdin && o.configFile == "-":
		return usage("--token-stdin and --config-file - cannot both read standard input")
	case o.noBrowser && o.configFile == "-":
		return usage("--no-browser and --config-file - cannot both read standard input")
	case c.flags.connection != "" && o.name != "":
		return usage("--name is for a new connection; `ucf connections rename` renames one")
	}
	return nil
}

// connectMethod returns the way to connect: the one that the flags or the configuration ask for, that of the
// connection to renew, a key where one is given, else OAuth where there is one.
func (c *commandLine) connectMethod(ctx context.Context, s *service.Service, t domain.Tenant, def *connectors.Definition, o connectOptions, cfg map[string]any) (connectors.AuthMethod, error) {
	if m, chosen, err := methodOfFlags(def, o, cfg); chosen || err != nil {
		return m, err
	}
	if id, given := cfg["auth_method"].(string); given && id != "" {
		return namedMethod(def, id)
	}
	if ref := c.flags.connection; ref != "" {
		k, err := renewable(ctx, s, t, def, ref)
		if err != nil {
			return connectors.AuthMethod{}, err
		}
		return namedMethod(def, k.AuthMethod)
	}
	consent, hasConsent := methodOf(def, true)
	if key, given := keyOf(def, cfg); given || !hasConsent {
		return key, nil
	}
	return consent, nil
}

// methodOfFlags returns the way to connect that the flags ask for, if they do.
func methodOfFlags(def *connectors.Definition, o connectOptions, cfg map[string]any) (m connectors.AuthMethod, chosen bool, err error) {
	if !o.byKey() && !o.byConsent() {
		return m, false, nil
	}
	m, found := methodOf(def, o.byConsent())
	if o.byKey() {
		m, _ = keyOf(def, cfg)
	}
	switch {
	case !found && o.byConsent():
		return m, false, connectors.Errorf(connectors.Unsupported, "%s does not connect by OAuth: --no-browser, --site and --scopes are not for it", def.Name)
	case !found:
		return m, false, connectors.Errorf(connectors.Unsupported, "%s has no API keys: `ucf connect %s` connects by OAuth", def.Name, def.ID)
	}
	if id, _ := cfg["auth_method"].(string); o.byKey() && id != "" {
		// There may be several kinds of keys.
		if given, err := namedMethod(def, id); err != nil || given.OAuth == nil {
			return given, true, err
		}
	}
	return m, true, nil
}

// namedMethod returns the auth method with that id.
func namedMethod(def *connectors.Definition, id string) (connectors.AuthMethod, error) {
	m, known := def.Method(id)
	if !known {
		return m, connectors.InvalidFields(connectors.Fault{Field: "auth_method", Message: "must be one of " + join(def.AuthMethods())})
	}
	return m, nil
}

// methodOf returns the connector's way to connect by OAuth, or the one by a key or password.
func methodOf(def *connectors.Definition, oauth bool) (connectors.AuthMethod, bool) {
	i := slices.IndexFunc(def.Auth, func(m connectors.AuthMethod) bool { return (m.OAuth != nil) == oauth })
	if i < 0 {
		return connectors.AuthMethod{}, false
	}
	return def.Auth[i], true
}

// keyOf returns the kind of key that a configuration holds fields of, the first kind where it holds none, and whether it
// does.
func keyOf(def *connectors.Definition, cfg map[string]any) (m connectors.AuthMethod, given bool) {
	uses := func(m connectors.AuthMethod, field string) bool {
		return slices.ContainsFunc(def.FieldsOf(m.ID), func(f connectors.Field) bool { return f.Name == field })
	}
	consent, _ := methodOf(def, true)
	var own []string
	for _, f := range def.Fields {
		if cfg[f.Name] != nil && !f.Shorthand && len(f.Methods) > 0 && !uses(consent, f.Name) {
			own = append(own, f.Name)
		}
	}
	for _, m := range def.Auth {
		foreign := func(field string) bool { return !uses(m, field) }
		if m.OAuth == nil && !slices.ContainsFunc(own, foreign) {
			return m, len(own) > 0
		}
	}
	m, _ = methodOf(def, false)
	return m, len(own) > 0
}

// showConnected tells who is connected to what.
func (c *commandLine) showConnected(def *connectors.Definition, out service.ConnectedOut) error {
	to, address := out.Probe.Instance.Name, out.Probe.Instance.URL
	if out.Site != nil {
		to, address = out.Site.Name, out.Site.URL
	}
	err := c.show(out, fields("connected", out.ConnectionID, "to", to, "address", address, "as", out.Probe.Account.Name))
	if out.Warning != "" {
		c.notef("warning: %s", out.Warning)
	}
	for _, w := range out.Probe.Warnings {
		c.notef("warning: %s", w.Message)
	}
	if c.asks() {
		next := "connectors probe"
		if slices.Contains(def.Capabilities(), connectors.CapContainers) {
			next = "containers"
		}
		c.notef("next: ucf %s %s", next, def.ID)
	}
	return err
}
