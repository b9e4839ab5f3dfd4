package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/internal/service"
)

func (c *commandLine) syncStateCmd() *cobra.Command {
	cmd := group("sync-state", "Read, set and clear the cursors of a connection", "get default")
	cmd.AddCommand(c.syncStateGetCmd(), c.syncStateSetCmd(), c.syncStateClearCmd())
	return cmd
}

func streamFlags(cmd *cobra.Command, stream, container *string, dflt string) {
	cmd.Flags().StringVar(stream, "stream", dflt, "stream: "+strings.Join(service.Streams(), ", "))
	cmd.Flags().StringVar(container, "container", "", "only of this container")
	_ = cmd.RegisterFlagCompletionFunc("stream", cobra.FixedCompletions(service.Streams(), cobra.ShellCompDirectiveNoFileComp))
}

func (c *commandLine) syncStateGetCmd() *cobra.Command {
	in := service.SyncStateIn{}
	cmd := &cobra.Command{
		Use: "get CONNECTION", Short: "Print a cursor, as it was set", Args: args("CONNECTION"),
		Example: "  ucf sync-state get default\n  ucf sync-state get default --stream comments --container PAY", ValidArgsFunction: c.completeConnection,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			in.ID = args[0]
			out, err := s.SyncState(cmd.Context(), t, in)
			if err != nil {
				return err
			}
			if out.Cursor == nil {
				return c.show(out, view{empty: "no cursor is set"})
			}
			return c.show(out, fields("cursor", *out.Cursor, "stream", out.Stream, "container", out.ContainerID, "updated", c.when(out.UpdatedAt)))
		},
	}
	streamFlags(cmd, &in.Stream, &in.ContainerID, service.DefaultStream)
	return cmd
}

func (c *commandLine) syncStateSetCmd() *cobra.Command {
	in := service.SetSyncStateIn{}
	cmd := &cobra.Command{
		Use: "set CONNECTION CURSOR", Short: "Set a cursor; it is kept verbatim", Args: args("CONNECTION", "CURSOR"),
		Long:    "Set a cursor; it is kept verbatim. CURSOR - reads it from standard input.",
		Example: "  ucf sync-state set default 2026-01-31T08:00:00Z", ValidArgsFunction: c.completeConnection,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			in.ID, in.Body.Cursor = args[0], args[1]
			if args[1] == "-" {
				b, err := io.ReadAll(io.LimitReader(c.io.In, maxConfigFile))
				if err != nil {
					return usage("standard input cannot be read")
				}
				in.Body.Cursor = string(b)
			}
			out, err := s.SetSyncState(cmd.Context(), t, in)
			if err != nil {
				return err
			}
			return c.show(out, fields("cursor", *out.Cursor, "stream", out.Stream, "container", out.ContainerID))
		},
	}
	streamFlags(cmd, &in.Body.Stream, &in.Body.ContainerID, service.DefaultStream)
	return cmd
}

func (c *commandLine) syncStateClearCmd() *cobra.Command {
	in := service.ClearSyncStateIn{}
	cmd := &cobra.Command{
		Use: "clear CONNECTION", Short: "Remove cursors, so that the next sync begins anew", Args: args("CONNECTION"),
		Long:    "Remove cursors, so that the next sync begins anew: all of the connection, or those of a stream or a container.",
		Example: "  ucf sync-state clear default\n  ucf sync-state clear default --stream items --container PAY", ValidArgsFunction: c.completeConnection,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			in.ConnectionID = args[0]
			out, err := s.ClearSyncState(cmd.Context(), t, in)
			if err != nil {
				return err
			}
			return c.show(out, fields("cleared", fmt.Sprint(out.Cleared)))
		},
	}
	streamFlags(cmd, &in.Stream, &in.ContainerID, "")
	return cmd
}

func (c *commandLine) auditCmd() *cobra.Command {
	in := service.AuditIn{}
	list := &cobra.Command{
		Use: "list", Short: "List who did what, newest first", Args: args(),
		Example: "  ucf audit list\n  ucf audit list --action token.read -o ndjson",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			page, err := s.Audit(cmd.Context(), t, in)
			if err != nil {
				return err
			}
			v := view{head: []string{"TIME", "ACTION", "OUTCOME", "ACTOR", "TARGET", "REQUEST"}, paint: paintStatus(2), flex: 3, keep: 3, empty: "nothing has been changed yet"}
			for _, e := range page.Items {
				v.rows = append(v.rows, []string{c.when(&e.CreatedAt), e.Action, e.Outcome, e.Actor, e.TargetID, e.RequestID})
			}
			return showList(c, page, v)
		},
	}
	list.Flags().StringVar(&in.Action, "action", "", "only this action, such as connection.create")
	list.Flags().StringVar(&in.TargetID, "target", "", "only about this record")
	pageFlags(list, &in.Cursor, &in.Limit)
	cmd := group("audit", "Read the audit log", "list")
	cmd.AddCommand(list, later("verify", "proof of the audit log"))
	return cmd
}
