package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/internal/app"
)

func (c *commandLine) storeCmd() *cobra.Command {
	cmd := group("store", "Back up, restore and copy what ucf keeps", "backup ucf-2026-01-31.db")
	cmd.AddCommand(c.storeBackupCmd(), c.storeRestoreCmd(), c.storeCopyCmd())
	return cmd
}

func (c *commandLine) storeBackupCmd() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Copy the embedded store into a new file, while it is in use", Args: args("FILE"),
		Long: "Copy the embedded store, as it is at one moment, into a new file that only you may read. A `ucf serve` over it goes\n" +
			"on meanwhile. Credentials are in it as they are stored, sealed; the encryption key is not: keep it apart, for without\n" +
			"it they cannot be opened. The file has its name when it is whole and was checked.",
		Example: "  ucf store backup /backups/ucf-$(date +%F).db\n  ucf store backup --force /backups/ucf-latest.db",
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := c.build(true, "")
			if err != nil {
				return err
			}
			counts, err := a.Backup(cmd.Context(), args[0], force)
			if err != nil {
				return err
			}
			c.note("the encryption key is not in the backup: keep it apart")
			return c.show(map[string]any{"file": args[0], "counts": counts}, countsView(counts))
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace a file that is there")
	return cmd
}

func (c *commandLine) storeRestoreCmd() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of the embedded store", Args: args("FILE"),
		Long: "Put a backup in the place of the embedded store. Stop every `ucf serve` over it first. With --force a store that is\n" +
			"there is kept beside, under another name. Jobs that ran when the backup was made are queued again, and readers of\n" +
			"records are told to begin anew, because what they read since is gone.",
		Example: "  ucf store restore /backups/ucf-2026-01-31.db",
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := c.build(true, "")
			if err != nil {
				return err
			}
			out, err := a.Restore(cmd.Context(), args[0], force)
			if err != nil {
				return err
			}
			if out.Kept != "" {
				c.notef("the store that was there is %s now", out.Kept)
			}
			if err := c.show(map[string]any{"counts": out.Counts, "kept": out.Kept}, countsView(out.Counts)); err != nil {
				return err
			}
			return c.checkRestored(cmd, a)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "keep a store that is there beside, and put the backup in its place")
	return cmd
}

// checkRestored says at once when the keys at hand do not open what was restored.
func (c *commandLine) checkRestored(cmd *cobra.Command, a *app.App) error {
	if err := a.Service.CheckKeys(cmd.Context()); err != nil {
		c.note("the backup is in place, but its credentials cannot be opened yet")
		return err
	}
	return nil
}

func countsView(counts map[string]int) view {
	v := view{head: []string{"COLLECTION", "RECORDS"}}
	for _, name := range app.Collections() {
		v.rows = append(v.rows, []string{name, fmt.Sprint(counts[name])})
	}
	return v
}
