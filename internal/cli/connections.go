package cli

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/service"
)

func (c *commandLine) connectionsCmd() *cobra.Command {
	cmd := group("connections", "List, show, rename, revoke and delete connections", "list")
	cmd.AddCommand(c.connectionsListCmd(), c.connectionsShowCmd(), c.connectionsRenameCmd(), c.connectionsRevokeCmd(), c.connectionsDeleteCmd())
	return cmd
}

func (c *commandLine) connectionsListCmd() *cobra.Command {
	in := service.ConnectionsIn{}
	cmd := &cobra.Command{
		Use: "list", Short: "List the tenant's connections", Args: args(),
		Example: "  ucf connections list\n  ucf connections list --connector jira -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			page, err := s.Connections(cmd.Context(), t, in)
			if err != nil {
				return err
			}
			return showList(c, page, c.connectionsView(page.Items))
		},
	}
	cmd.Flags().StringVar(&in.ConnectorID, "connector", "", "only those of this connector")
	pageFlags(cmd, &in.Cursor, &in.Limit)
	return cmd
}

// connectionsView lists connections. Where one of them dies when it is not used, a column tells when.
func (c *commandLine) connectionsView(conns []service.ConnectionOut) view {
	v := view{
		head: []string{"ID", "CONNECTOR", "NAME", "STATUS", "ACCOUNT", "LAST USED", "DIES IN"}, paint: paintStatus(3), flex: 2, keep: 4,
		empty: "no connections yet; make one with `ucf connect`",
	}
	for _, k := range conns {
		v.rows = append(v.rows, []string{k.ID, k.ConnectorID, k.Name, string(k.Status), k.Account.Name, c.when(k.LastUsedAt), days(k.DiesInDays)})
	}
	if last := len(v.head) - 1; c.format() == formatTable && !slices.ContainsFunc(v.rows, func(row []string) bool { return row[last] != "" }) {
		v.head = v.head[:last]
		for i := range v.rows {
			v.rows[i] = v.rows[i][:last]
		}
	}
	return v
}

// pageFlags are the flags of a listing of the store.
func pageFlags(cmd *cobra.Command, cursor *string, limit *int) {
	cmd.Flags().StringVar(cursor, "cursor", "", "where to go on: the next of an earlier page")
	cmd.Flags().IntVar(limit, "limit", 50, "entries to list, 1 to 200")
}

func (c *commandLine) connectionsShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show CONNECTION", Short: "Show a connection, without its secrets", Args: args("CONNECTION"),
		Example: "  ucf connections show default", ValidArgsFunction: c.completeConnection,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			k, err := s.Connection(cmd.Context(), t, service.ConnectionIn{ID: args[0]})
			if err != nil {
				return err
			}
			return c.show(k, c.connectionView(k))
		},
	}
}

func (c *commandLine) connectionView(k service.ConnectionOut) view {
	site := ""
	if k.Site != nil {
		site = k.Site.Name + " (" + k.Site.URL + ")"
	}
	return fields("id", k.ID, "connector", k.ConnectorID, "name", k.Name, "status", string(k.Status), "reason", k.Reason,
		"auth method", k.AuthMethod, "account", k.Account.Name, "site", site, "scopes", join(k.Scopes), "config", inline(k.Config),
		"dies in", diesIn(k), "revision", fmt.Sprint(k.Revision), "created", c.when(&k.CreatedAt), "updated", c.when(&k.UpdatedAt), "last used", c.when(k.LastUsedAt))
}

// diesIn tells when the provider drops a consent.
func diesIn(k service.ConnectionOut) string {
	if k.DiesInDays == nil {
		return ""
	}
	return days(k.DiesInDays) + ", if it is not used"
}

func (c *commandLine) connectionsRenameCmd() *cobra.Command {
	return &cobra.Command{
		Use: "rename CONNECTION NAME", Short: "Give a connection another name", Args: args("CONNECTION", "NAME"),
		Example: "  ucf connections rename default \"Acme Jira\"", ValidArgsFunction: c.completeConnection,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			in := service.PatchConnectionIn{ConnectionIn: service.ConnectionIn{ID: args[0]}}
			in.Body.Name = args[1]
			k, err := s.PatchConnection(cmd.Context(), t, in)
			if err != nil {
				return err
			}
			return c.show(k, c.connectionView(k))
		},
	}
}

func (c *commandLine) connectionsRevokeCmd() *cobra.Command {
	in := service.RevokeIn{}
	cmd := &cobra.Command{
		Use: "revoke CONNECTION", Short: "Drop a connection's credential", Args: args("CONNECTION"),
		Long: "Drop a connection's credential. The connection stays, with its cursors, and can be renewed.\n\n" +
			"A consent by OAuth is withdrawn at the provider too, where that can be done and no other connection uses it.\n" +
			"An API token or a password stays valid at the provider until you remove it there.",
		Example: "  ucf connections revoke default --reason \"key leaked\"", ValidArgsFunction: c.completeConnection,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			in.Body.ConnectionID = args[0]
			out, err := s.Revoke(cmd.Context(), t, in)
			if err != nil {
				return err
			}
			c.note(revokedNote(out))
			err = c.show(out, fields("revoked", fmt.Sprint(out.Revoked), "at the provider", out.AtProvider, "kept by", refsOf(out.Kept)))
			return cmp.Or(err, notWithdrawn(out.AtProvider))
		},
	}
	cmd.Flags().StringVar(&in.Body.Reason, "reason", "", "why, for the audit log")
	return cmd
}

// revokedNote tells what became of a credential at its provider.
func revokedNote(out service.RevokedOut) string {
	switch out.AtProvider {
	case "":
		return "the credential is gone from here; remove it at the provider too"
	case service.AtProviderRevoked:
		return "the consent is gone from here and withdrawn at the provider"
	case service.AtProviderKept:
		return "the connection is revoked; its consent stays at the provider for " + refsOf(out.Kept)
	}
	return "the consent is gone from here, but not at the provider: " + out.Warning
}

// notWithdrawn returns the error that tells a program what the note tells people: done here, and not at the provider.
func notWithdrawn(how string) error {
	if how != service.AtProviderFailed {
		return nil
	}
	return connectors.Errorf(connectors.Incomplete, "the provider was not told: remove the consent there by hand")
}

func (c *commandLine) connectionsDeleteCmd() *cobra.Command {
	return &cobra.Command{
		Use: "delete CONNECTION", Short: "Remove a connection with its credential and its cursors", Args: args("CONNECTION"),
		Example: "  ucf connections delete default", ValidArgsFunction: c.completeConnection,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			out, err := s.DeleteConnection(cmd.Context(), t, service.DeleteConnectionIn{ConnectionIn: service.ConnectionIn{ID: args[0]}})
			if err != nil {
				return err
			}
			c.note(revokedNote(service.RevokedOut{AtProvider: out.AtProvider, Kept: out.Kept, Warning: out.Warning}))
			err = c.show(out, fields("deleted", fmt.Sprint(out.Deleted), "at the provider", out.AtProvider, "kept by", refsOf(out.Kept)))
			return cmp.Or(err, notWithdrawn(out.AtProvider))
		},
	}
}
