package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

func (c *commandLine) syncCmd() *cobra.Command {
	var f jobFlags
	var out exportFlags
	var full bool
	cmd := &cobra.Command{
		Use: "sync CONNECTOR", Short: "Read what changed into the records, here and now", Args: args("CONNECTOR"),
		Long: "Read what changed since the last sync into the records of a connection, here and now, and report what became of them.\n" +
			"With --full everything is read. The records are there for `GET /connections/{id}/records` of `ucf serve`.\n\n" +
			"Ctrl-C stops cleanly; what was read is kept, and the next sync goes on from there. A `ucf serve` over this store may\n" +
			"take the work over, and while another job of the connection runs, this one waits.\n\n" +
			"With --out nothing is stored: what is read is written as lines, a record each (ndjson) or the messages of a Singer\n" +
			"tap (singer). --state FILE says where the last run ended; with ndjson it is kept there for the next one, and the\n" +
			"lines are added to the file. Without it everything is read. It needs no stored connection.\n\n" + jobExits,
		Example: "  ucf sync jira\n  ucf sync jira --container PAY --stream items\n  ucf sync salesforce --connection main --full -o json\n" +
			"  ucf sync jira --out issues.ndjson --state issues.state\n  ucf sync jira --out - --format singer | target-csv",
		ValidArgsFunction: c.completeConnectors,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := domain.SyncJob
			if full {
				kind = domain.ImportJob
			}
			if out.path != "" {
				return c.export(cmd.Context(), args[0], f, out, full)
			}
			if out.set(cmd) {
				return usage("--format, --state, --raw and --force belong to --out")
			}
			return c.startJob(cmd.Context(), f.in(cmd, c, args[0], kind), true)
		},
	}
	f.flags(c, cmd)
	out.flags(cmd)
	cmd.Flags().BoolVar(&full, "full", false, "read everything, not only what changed")
	return cmd
}

// runJob works at a job here, shows how far it is, and reports how it ended.
func (c *commandLine) runJob(ctx context.Context, t domain.Tenant, j service.JobOut) error {
	f := c.follow()
	done, err := c.app.Jobs.RunJob(ctx, t, j.ID, func(j domain.Job) { _ = f.see(service.ShowJob(j)) })
	f.end()
	if err != nil {
		return err
	}
	j = service.ShowJob(done)
	if err := c.showEnded(j); err != nil {
		return err
	}
	if ctx.Err() == nil || j.Status == domain.JobSucceeded || j.Status == domain.JobFailed {
		return outcome(j)
	}
	switch {
	case !j.Status.Final():
		c.notef("another process works at the job, and was asked to stop; `ucf jobs watch %s` tells when it has", j.ID)
	case j.Type != domain.ProbeJob:
		c.notef("stopped; what was read is kept, and `%s` goes on from there", againCmd(c, j))
	}
	return ctx.Err()
}

// againCmd is the command that goes on where a job was stopped.
func againCmd(c *commandLine, j service.JobOut) string {
	cmd := "ucf sync " + j.ConnectorID
	if c.flags.connection != "" {
		cmd += " --connection " + j.ConnectionID
	}
	return cmd
}
