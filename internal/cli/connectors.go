package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/service"
)

func (c *commandLine) connectorsCmd() *cobra.Command {
	cmd := group("connectors", "List, show, probe and validate connectors", "list")
	cmd.AddCommand(c.connectorsListCmd(), c.connectorsShowCmd(), c.connectorsUpdateCmd(), c.connectorsProbeCmd(), c.connectorsValidateCmd())
	return cmd
}

// group returns a command that only holds others.
func group(name, short, example string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Example: "  ucf " + name + " " + example, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("`%s` has no command %q; %s`%s --help` lists them", cmd.CommandPath(), clip(args[0]), meant(cmd, args[0]), cmd.CommandPath())
			}
			return cmd.Help()
		},
	}
}

func (c *commandLine) connectorsListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the connectors and the tenant's status with each", Args: args(),
		Example: "  ucf connectors list\n  ucf connectors list -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			list, err := s.Connectors(cmd.Context(), t, service.ConnectorsIn{})
			if err != nil {
				return err
			}
			v := view{head: []string{"ID", "NAME", "GROUP", "STATUS", "SUMMARY"}, paint: paintStatus(3), flex: 4, keep: 5}
			for _, k := range list {
				v.rows = append(v.rows, []string{k.ID, k.Name, k.Group, k.Status, k.Summary})
			}
			return showAll(c, list, v)
		},
	}
}

func (c *commandLine) connectorsShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show CONNECTOR", Short: "Show a connector and the fields of its configuration", Args: args("CONNECTOR"),
		Example: "  ucf connectors show jira", ValidArgsFunction: c.completeConnectors,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			k, err := s.Connector(cmd.Context(), t, service.ConnectorIn{ID: args[0]})
			if err != nil {
				return err
			}
			def, err := c.definition(s, args[0])
			if err != nil {
				return err
			}
			v := connectorView(k)
			for _, f := range def.Fields {
				v.rows = append(v.rows, []string{f.Name, fieldLine(f)})
			}
			return c.show(k, v)
		},
	}
}

func connectorView(k service.ConnectorOut) view {
	return fields("id", k.ID, "name", k.Name, "group", k.Group, "status", k.Status, "summary", k.Summary,
		"capabilities", join(k.Capabilities), "auth methods", join(k.AuthMethods), "extra details", fmt.Sprint(k.ExtraDetails))
}

func fieldLine(f connectors.Field) string {
	var notes []string
	if f.Required {
		notes = append(notes, "required")
	}
	if f.Kind == connectors.KindSecret {
		notes = append(notes, "secret")
	}
	if f.Default != "" {
		notes = append(notes, "default "+f.Default)
	}
	if len(notes) == 0 {
		return f.Help
	}
	return f.Help + " (" + strings.Join(notes, ", ") + ")"
}

func (c *commandLine) connectorsUpdateCmd() *cobra.Command {
	var extra bool
	cmd := &cobra.Command{
		Use: "update CONNECTOR", Short: "Choose whether listings of a connector carry the wider meta", Args: args("CONNECTOR"),
		Example: "  ucf connectors update postgres --extra-details", ValidArgsFunction: c.completeConnectors,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("extra-details") {
				return usage("nothing to change: give --extra-details or --extra-details=false")
			}
			s, t, err := c.open()
			if err != nil {
				return err
			}
			in := service.PatchConnectorIn{ConnectorIn: service.ConnectorIn{ID: args[0]}}
			in.Body.ExtraDetails = extra
			k, err := s.PatchConnector(cmd.Context(), t, in)
			if err != nil {
				return err
			}
			return c.show(k, connectorView(k))
		},
	}
	cmd.Flags().BoolVar(&extra, "extra-details", false, "carry the wider meta (columns, descriptions)")
	return cmd
}

func (c *commandLine) connectorsProbeCmd() *cobra.Command {
	var g given
	cmd := &cobra.Command{
		Use: "probe CONNECTOR", Short: "Call the connected system and tell what answered and who is connected", Args: args("CONNECTOR"),
		Long: "Call the connected system and tell what answered and who is connected.\n\n" +
			"Without a stored connection the configuration comes from --set, --config-file and the environment,\n" +
			"so that a script needs no prompt and leaves nothing behind.",
		Example:           "  ucf connectors probe jira\n  UCF_JIRA_BASE_URL=… UCF_JIRA_API_EMAIL=… UCF_JIRA_API_TOKEN=… ucf connectors probe jira -o json",
		ValidArgsFunction: c.completeConnectors,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			body, err := c.target(s, g, args[0])
			if err != nil {
				return err
			}
			r, err := s.Probe(cmd.Context(), t, service.ProbeIn{ConnectorIn: service.ConnectorIn{ID: args[0]}, Body: body})
			if err != nil {
				return err
			}
			return c.show(r, probeView(r))
		},
	}
	g.flags(cmd)
	return cmd
}

// target returns what a probe works on: the connection that --connection names, else what is given.
func (c *commandLine) target(s *service.Service, g given, connectorID string) (map[string]any, error) {
	def, err := c.definition(s, connectorID)
	if err != nil {
		return nil, err
	}
	if c.flags.connection != "" {
		return map[string]any{"connectionId": c.flags.connection}, nil
	}
	return c.config(g, def)
}

func probeView(r connectors.ProbeResult) view {
	who := r.Account.Name
	if r.Account.ID != "" && r.Account.ID != who {
		who += " (" + r.Account.ID + ")"
	}
	v := fields("instance", r.Instance.Name, "address", r.Instance.URL, "version", r.Instance.Version, "type", r.Instance.Type,
		"account", who, "scopes", join(r.Scopes), "can do", join(r.Capabilities), "took", fmt.Sprintf("%d ms", r.LatencyMS))
	for _, w := range r.Warnings {
		v.rows = append(v.rows, []string{"warning", w.Message})
	}
	return v
}

func (c *commandLine) connectorsValidateCmd() *cobra.Command {
	var g given
	cmd := &cobra.Command{
		Use: "validate CONNECTOR", Short: "Check a configuration without a request: fields, formats, host", Args: args("CONNECTOR"),
		Example:           "  ucf connectors validate jira --config-file jira.yaml\n  ucf connectors validate jira --connection default",
		ValidArgsFunction: c.completeConnectors,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			def, err := c.definition(s, args[0])
			if err != nil {
				return err
			}
			var out service.ValidOut
			if c.flags.connection != "" {
				in := service.ValidateConnectionIn{}
				in.Body.ConnectionID = c.flags.connection
				out, err = s.ValidateConnection(cmd.Context(), t, in)
			} else {
				in := service.ValidateIn{ConnectorIn: service.ConnectorIn{ID: def.ID}}
				if in.Body.Config, err = c.config(g, def); err == nil {
					out, err = s.Validate(cmd.Context(), t, in)
				}
			}
			if err != nil {
				return err
			}
			return c.show(out, fields("valid", fmt.Sprint(out.Valid)))
		},
	}
	g.flags(cmd)
	return cmd
}
