package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
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
	if o.tokenStdin && o.configFile == "-" {
		return usage("--token-stdin and --config-file - cannot both read standard input")
	}
	in := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: def.ID}}
	if in.Body.Config, err = c.config(o.given, def); err != nil {
		return err
	}
	in.Body.Label, in.Body.ConnectionID = o.name, c.flags.connection
	if err := c.askRest(ctx, def, o, &in.Body); err != nil {
		return err
	}
	if in.Body.ConnectionID != "" && o.name != "" {
		return usage("--name is for a new connection; `ucf connections rename` renames one")
	}
	out, err := s.Connected(ctx, t, in)
	if err != nil {
		return err
	}
	return c.show(out, fields("connected", out.ConnectionID, "to", out.Probe.Instance.Name, "address", out.Probe.Instance.URL, "as", out.Probe.Account.Name))
}

// askRest fills in what is still missing: the secret from standard input, the rest from the operator. A renewal only
// needs the secret; everything else is kept.
func (c *commandLine) askRest(ctx context.Context, def *connectors.Definition, o connectOptions, b *service.ConnectedBody) error {
	secret, _ := def.Field(def.Auth[0].Secret)
	if o.tokenStdin {
		var err error
		if b.APIKey, err = c.readToken(); err != nil {
			return err
		}
		b.Config[secret.Name] = b.APIKey
	}
	if b.ConnectionID == "" {
		return c.ask(ctx, def, b.Config)
	}
	if _, have := b.Config[secret.Name]; have || !c.io.InTTY || !c.io.ErrTTY || c.coveredByShorthand(def, b.Config) {
		return nil
	}
	var err error
	b.APIKey, err = c.prompt(ctx, secret)
	return err
}
