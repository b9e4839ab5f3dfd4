package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/secret"
	"github.com/unified-connector/ucf/internal/service"
)

func (c *commandLine) tokensCmd() *cobra.Command {
	cmd := group("tokens", "List, set and read sealed credentials", "list")
	cmd.AddCommand(c.tokensListCmd(), c.tokensSetCmd(), c.tokensGetCmd(), c.tokensRefreshCmd(), c.tokensRotateCmd())
	return cmd
}

func (c *commandLine) tokensListCmd() *cobra.Command {
	in := service.TokensIn{}
	cmd := &cobra.Command{
		Use: "list", Short: "List the tenant's credentials, without what they hold", Args: args(),
		Example: "  ucf tokens list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			page, err := s.Tokens(cmd.Context(), t, in)
			if err != nil {
				return err
			}
			v := view{head: []string{"ID", "KIND", "CONNECTIONS", "EXPIRES", "DIES IN", "KEY"}, flex: 2, keep: 3, empty: "no credentials yet"}
			for _, k := range page.Items {
				v.rows = append(v.rows, []string{k.ID, k.Kind, refsOf(k.Connections), c.when(k.ExpiresAt), tokenLife(k), k.KeyID})
			}
			return showList(c, page, v)
		},
	}
	pageFlags(cmd, &in.Cursor, &in.Limit)
	return cmd
}

// tokenLife tells how long a consent lives that nobody uses.
func tokenLife(k service.TokenOut) string {
	if k.Refused != "" {
		return "refused"
	}
	return days(k.DiesInDays)
}

// days writes a number of days, none as nothing.
func days(n *int) string {
	switch {
	case n == nil:
		return ""
	case *n == 1:
		return "1 day"
	}
	return fmt.Sprintf("%d days", *n)
}

func (c *commandLine) tokensSetCmd() *cobra.Command {
	var stdin bool
	cmd := &cobra.Command{
		Use: "set CONNECTION", Short: "Give a connection a new API key or password", Args: args("CONNECTION"),
		Long:    "Give a connection a new API key or password: typed at a hidden prompt, or read with --token-stdin.",
		Example: "  ucf tokens set default\n  pass show jira | ucf tokens set default --token-stdin", ValidArgsFunction: c.completeConnection,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			in := service.SetTokenIn{}
			in.Body.ConnectionID = args[0]
			if in.Body.Token, err = c.newToken(cmd, s, t, args[0], stdin); err != nil {
				return err
			}
			out, err := s.SetToken(cmd.Context(), t, in)
			if err != nil {
				return err
			}
			c.note("the system was not asked; `ucf connectors probe` tells whether it accepts it")
			return c.show(out, fields("token", out.TokenID))
		},
	}
	cmd.Flags().BoolVar(&stdin, "token-stdin", false, "read the API key or password from standard input")
	return cmd
}

// newToken returns the secret for a connection; the connection is looked up before anybody is asked for it.
func (c *commandLine) newToken(cmd *cobra.Command, s *service.Service, t domain.Tenant, ref string, stdin bool) (string, error) {
	k, err := s.Connection(cmd.Context(), t, service.ConnectionIn{ID: ref})
	if err != nil {
		return "", err
	}
	if !stdin && !c.asks() {
		return "", usage("give the secret with --token-stdin: there is no terminal to ask on")
	}
	def, err := c.definition(s, k.ConnectorID)
	if err != nil {
		return "", err
	}
	m, _ := def.Method(k.AuthMethod)
	f, _ := def.Field(m.Secret)
	return c.readToken(cmd.Context(), f)
}

func (c *commandLine) tokensGetCmd() *cobra.Command {
	return &cobra.Command{
		Use: "get CONNECTION", Short: "Print a connection's credential in the clear; the reading is audited", Args: args("CONNECTION"),
		Example: "  ucf tokens get default -o json", ValidArgsFunction: c.completeConnection,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			out, err := s.GetToken(cmd.Context(), t, service.ConnectionIn{ID: args[0]})
			if err != nil {
				return err
			}
			if out.Warning != "" {
				c.note("warning: " + out.Warning)
			}
			if f := c.format(); f == formatTable || f == formatTSV {
				return c.write([]byte(out.Token + "\n"))
			}
			return c.show(out, view{})
		},
	}
}

func (c *commandLine) tokensRefreshCmd() *cobra.Command {
	return &cobra.Command{
		Use: "refresh CONNECTION", Short: "Refresh the access token of a connection by OAuth", Args: args("CONNECTION"),
		Long: "Refresh the access token of a connection by OAuth now; every use does it by itself when it is due. API keys and\n" +
			"passwords are not refreshed: `ucf tokens set` replaces one.",
		Example: "  ucf tokens refresh default", ValidArgsFunction: c.completeConnection,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			out, err := s.RefreshToken(cmd.Context(), t, service.ConnectionIn{ID: args[0]})
			if err != nil {
				return err
			}
			expires := c.when(out.ExpiresAt)
			if expires == "" {
				expires = "not told by the provider"
			}
			return c.show(out, fields("expires", expires))
		},
	}
}

func (c *commandLine) keygenCmd() *cobra.Command {
	return &cobra.Command{
		Use: "keygen", Short: "Print a new encryption key", Args: args(),
		Long:    "Print a new Fernet key for ENCRYPTION_KEY. Nothing is stored.",
		Example: "  export ENCRYPTION_KEY=$(ucf keygen)\n  ucf keygen -o json",
		RunE: func(*cobra.Command, []string) error {
			key, err := secret.Generate()
			if err != nil {
				return err
			}
			if f := c.format(); f == formatTable || f == formatTSV {
				return c.write([]byte(key.Reveal() + "\n"))
			}
			return c.show(map[string]string{"key": key.Reveal()}, view{})
		},
	}
}

func (c *commandLine) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: args(), Example: "  ucf version",
		RunE: func(*cobra.Command, []string) error {
			if f := c.format(); f == formatTable || f == formatTSV {
				return c.write([]byte("ucf " + Version() + "\n"))
			}
			return c.show(map[string]string{"version": Version()}, view{})
		},
	}
}

// laterCmds are the commands that this version does not have yet: hidden, and answering unsupported.
func laterCmds() []*cobra.Command {
	return []*cobra.Command{
		later("webhooks", "webhooks"), later("tenants", "export and removal of tenants"),
		later("keys", "API keys"), later("store", "copy and backup of the store"),
	}
}

// later returns a command that this version does not have yet.
func later(name, what string) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, DisableFlagParsing: true, Short: "Not part of this version",
		RunE: func(*cobra.Command, []string) error {
			return connectors.Errorf(connectors.Unsupported, "%s: not part of this version of ucf", what)
		},
	}
}
