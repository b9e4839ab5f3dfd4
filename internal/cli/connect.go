package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// connectOptions are the flags of `ucf connect`.
type connectOptions struct {
	given
	name               string
	apiKey, tokenStdin bool
}

func (c *commandLine) connectCmd() *cobra.Command {
	var o connectOptions
	cmd := &cobra.Command{
		Use: "connect CONNECTOR", Short: "Connect a system: probe it with your credential, and store that sealed", Args: args("CONNECTOR"),
		Long: "Connect a system: probe it with your credential, and store that sealed.\n\n" +
			"What is not given by --set, --config-file or the environment is asked for on a terminal; a secret is not\n" +
			"shown while it is typed. Nothing is stored unless the system accepts the credential.\n" +
			"With --connection an existing connection is renewed; it keeps its id and its cursors.\n\n" +
			"Connecting by OAuth in the browser is not part of this version.",
		Example: "  ucf connect jira\n" +
			"  pass show jira | ucf connect jira --set base_url=https://acme.atlassian.net --set api_email=you@example.com --token-stdin\n" +
			"  ucf connect postgres --config-file db.yaml --name warehouse\n" +
			"  ucf connect jira --connection default",
		ValidArgsFunction: c.completeConnectors,
		RunE:              func(cmd *cobra.Command, args []string) error { return c.connect(cmd.Context(), o, args[0]) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.name, "name", "", "name of the connection (default \"default\")")
	cmd.Flags().BoolVar(&o.apiKey, "api-key", false, "connect by API key or password (the only way in this version)")
	cmd.Flags().BoolVar(&o.tokenStdin, "token-stdin", false, "read the API key or password from standard input")
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
	in, err := c.connectIn(ctx, s, t, def, o)
	if err != nil {
		return err
	}
	out, err := s.Connected(ctx, t, in)
	if err != nil {
		return err
	}
	err = c.show(out, fields("connected", out.ConnectionID, "to", out.Probe.Instance.Name, "address", out.Probe.Instance.URL, "as", out.Probe.Account.Name))
	for _, w := range out.Probe.Warnings {
		c.notef("warning: %s", w.Message)
	}
	if c.asks() {
		c.notef("next: ucf containers %s", def.ID)
	}
	return err
}

// connectIn gathers what a connection is made with, and asks for what is missing.
func (c *commandLine) connectIn(ctx context.Context, s *service.Service, t domain.Tenant, def *connectors.Definition, o connectOptions) (service.ConnectedIn, error) {
	in := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: def.ID}}
	if err := c.checkConnect(o); err != nil {
		return in, err
	}
	cfg, err := c.config(o.given, def)
	if err != nil {
		return in, err
	}
	if cfg["auth_method"] == "oauth2" {
		return in, connectors.Errorf(connectors.Unsupported, "connecting %s by OAuth is not part of this version: use an API key", def.Name)
	}
	in.Body.Config, in.Body.Label, in.Body.ConnectionID = cfg, o.name, c.flags.connection
	if c.asks() {
		if err := c.checkName(ctx, s, t, def, &in.Body); err != nil {
			return in, err
		}
	}
	return in, c.askRest(ctx, def, o, &in.Body)
}

// checkConnect refuses flags that exclude each other.
func (c *commandLine) checkConnect(o connectOptions) error {
	if o.tokenStdin && o.configFile == "-" {
		return usage("--token-stdin and --config-file - cannot both read standard input")
	}
	if c.flags.connection != "" && o.name != "" {
		return usage("--name is for a new connection; `ucf connections rename` renames one")
	}
	return nil
}

// checkName finds out, before anybody is asked for a credential, whether the connection to renew exists, or the name
// of the new one is free.
func (c *commandLine) checkName(ctx context.Context, s *service.Service, t domain.Tenant, def *connectors.Definition, b *service.ConnectedBody) error {
	if b.ConnectionID != "" {
		_, err := s.Connection(ctx, t, service.ConnectionIn{ID: b.ConnectionID})
		return err
	}
	name := cmp.Or(b.Label, service.DefaultName)
	in := service.ConnectionsIn{ConnectorID: def.ID, Limit: connectors.MaxLimit}
	for {
		page, err := s.Connections(ctx, t, in)
		if err != nil {
			return err
		}
		for _, k := range page.Items {
			if k.Name == name {
				e := connectors.Errorf(connectors.Conflict, "%s is connected as %q already (%s): renew it with --connection %s, or name another with --name", def.Name, name, k.ID, k.ID)
				e.Details = map[string]any{"connectionId": k.ID}
				return e
			}
		}
		if page.Next == "" {
			return nil
		}
		in.Cursor = string(page.Next)
	}
}

// askRest fills in what is still missing: the secret from standard input, the rest from the operator. A renewal only
// needs the secret; everything else is kept.
func (c *commandLine) askRest(ctx context.Context, def *connectors.Definition, o connectOptions, b *service.ConnectedBody) error {
	secret, _ := def.Field(def.Auth[0].Secret)
	if o.tokenStdin {
		token, err := c.readToken(ctx, secret)
		if err != nil {
			return err
		}
		b.Config[secret.Name] = token
	}
	if b.ConnectionID == "" {
		return c.ask(ctx, def, b.Config)
	}
	if _, have := b.Config[secret.Name]; have || !c.asks() || coveredByShorthand(def, b.Config) {
		return nil
	}
	return c.askField(ctx, def, secret, b.Config)
}
