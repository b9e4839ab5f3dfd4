package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// jobExits tells what a command that waits for a job exits with.
const jobExits = "The exit code is that of how the job ended: 0 succeeded, 3 something could not be read, 6 canceled,\n" +
	"and for every other failure that of its error."

func (c *commandLine) jobsCmd() *cobra.Command {
	cmd := group("jobs", "Start, list, show, cancel and watch long operations", "list")
	cmd.Long = "Start, list, show, cancel and watch long operations: imports, syncs and probes.\n\n" +
		"A job is kept in the store, and whatever `ucf serve` runs over this store works at it. `ucf sync` runs one here."
	cmd.AddCommand(c.jobsStartCmd(), c.jobsListCmd(), c.jobsShowCmd(), c.jobsCancelCmd(), c.jobsWatchCmd())
	return cmd
}

// jobFlags are the flags of a command that starts a job.
type jobFlags struct {
	containers, streams []string
	census              string
	maxDeletions        int
}

func (f *jobFlags) flags(c *commandLine, cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.containers, "container", nil, "only this `CONTAINER`; repeatable")
	cmd.Flags().StringSliceVar(&f.streams, "stream", nil, "only this `STREAM`: "+strings.Join(service.Streams(), ", ")+"; repeatable")
	cmd.Flags().StringVar(&f.census, "census", "", "compare ids to find what was deleted, `WHEN`: auto (once a day), always, never; alone it is always")
	cmd.Flags().Lookup("census").NoOptDefVal = "always"
	cmd.Flags().IntVar(&f.maxDeletions, "max-deletions", 0, "how much of a container, in `PERCENT`, may be found deleted before you are asked (default 10)")
	_ = cmd.RegisterFlagCompletionFunc("container", c.completeContainers)
	_ = cmd.RegisterFlagCompletionFunc("stream", cobra.FixedCompletions(service.Streams(), nothing))
	_ = cmd.RegisterFlagCompletionFunc("census", cobra.FixedCompletions([]string{"auto", "always", "never"}, nothing))
}

// in returns what the service is asked to start.
func (f *jobFlags) in(cmd *cobra.Command, c *commandLine, connectorID string, kind domain.JobType) service.StartJobIn {
	in := service.StartJobIn{ConnectorID: connectorID, Body: service.StartJobBody{Type: kind, Params: service.JobParams{
		ConnectionID: c.flags.connection, Containers: f.containers, Streams: f.streams, Census: f.census,
	}}}
	if cmd.Flags().Changed("max-deletions") {
		in.Body.Params.MaxDeletions = &f.maxDeletions
	}
	return in
}

func (c *commandLine) jobsStartCmd() *cobra.Command {
	var f jobFlags
	var kind, every, key string
	var wait bool
	cmd := &cobra.Command{
		Use: "start CONNECTOR --type TYPE", Short: "Start a job", Args: args("CONNECTOR"),
		Long: "Start a job: `import` reads everything, `sync` what changed since the last one, `probe` calls the system once.\n\n" +
			"The job is accepted and worked at by a `ucf serve` over this store, now or once one runs; with --wait it is worked\n" +
			"at here, unless a `ucf serve` took it first. With --every it is repeated until it is canceled.\n\n" + jobExits,
		Example: "  ucf jobs start jira --type sync --every 15m\n  ucf jobs start jira --type import --container PAY --wait\n" +
			"  ucf jobs start postgres --type sync --idempotency-key nightly-2026-01-31",
		ValidArgsFunction: c.completeConnectors,
		RunE: func(cmd *cobra.Command, args []string) error {
			in := f.in(cmd, c, args[0], domain.JobType(kind))
			in.Body.Params.Every, in.Body.IdempotencyKey = every, key
			return c.startJob(cmd.Context(), in, wait)
		},
	}
	cmd.Flags().StringVar(&kind, "type", "", "what to do: import, sync or probe")
	f.flags(c, cmd)
	cmd.Flags().StringVar(&every, "every", "", "repeat it: the `TIME` from one start to the next, such as 15m or 24h")
	cmd.Flags().StringVar(&key, "idempotency-key", "", "a `KEY` under which the same start is accepted once")
	cmd.Flags().BoolVar(&wait, "wait", false, "work at the job here, and wait for its end")
	cmd.MarkFlagsMutuallyExclusive("wait", "every")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"import", "sync", "probe"}, nothing))
	return cmd
}

func (c *commandLine) startJob(ctx context.Context, in service.StartJobIn, wait bool) error {
	s, t, err := c.open()
	if err != nil {
		return err
	}
	j, err := s.StartJob(ctx, t, in)
	if err != nil {
		return err
	}
	if wait {
		return c.runJob(ctx, t, j)
	}
	if !j.Status.Final() {
		c.notef("accepted; a `ucf serve` over this store works at it, `ucf jobs watch %s` follows it", j.ID)
	}
	return c.show(j, c.jobView(j))
}

func (c *commandLine) jobsListCmd() *cobra.Command {
	in := service.JobsIn{}
	var status string
	cmd := &cobra.Command{
		Use: "list", Short: "List the tenant's jobs, newest first", Args: args(),
		Example: "  ucf jobs list\n  ucf jobs list --connection default --status failed -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			in.ConnectionID, in.Status = c.flags.connection, domain.JobStatus(status)
			page, err := s.Jobs(cmd.Context(), t, in)
			if err != nil {
				return err
			}
			return showList(c, page, c.jobsView(page.Items))
		},
	}
	cmd.Flags().StringVar(&status, "status", "", "only those in this `STATE`: queued, running, succeeded, failed, canceled")
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions([]string{"queued", "running", "succeeded", "failed", "canceled"}, nothing))
	pageFlags(cmd, &in.Cursor, &in.Limit)
	return cmd
}

func (c *commandLine) jobsShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show JOB", Short: "Show a job, with what it could not read", Args: args("JOB"),
		Example:           "  ucf jobs show job_06f0m2vw2rt4x8d3p9k1q5s7ha",
		ValidArgsFunction: c.completeJob(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			j, err := s.Job(cmd.Context(), t, service.JobIn{ID: args[0]})
			if err != nil {
				return err
			}
			if err := c.show(j, c.jobView(j)); err != nil {
				return err
			}
			c.sayGaps(j)
			return nil
		},
	}
}

func (c *commandLine) jobsCancelCmd() *cobra.Command {
	return &cobra.Command{
		Use: "cancel JOB", Short: "Cancel a job", Args: args("JOB"),
		Long: "Cancel a job. One that waits is canceled at once; one that runs is asked to stop, does so within seconds, and keeps\n" +
			"what it read. A repeated job ends with it.",
		Example:           "  ucf jobs cancel job_06f0m2vw2rt4x8d3p9k1q5s7ha",
		ValidArgsFunction: c.completeJob(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := c.open()
			if err != nil {
				return err
			}
			j, err := s.CancelJob(cmd.Context(), t, service.CancelJobIn{JobIn: service.JobIn{ID: args[0]}})
			if err != nil {
				return err
			}
			if !j.Status.Final() {
				c.notef("the job was asked to stop; `ucf jobs watch %s` tells when it has", j.ID)
			}
			return c.show(j, c.jobView(j))
		},
	}
}

func (c *commandLine) jobsWatchCmd() *cobra.Command {
	return &cobra.Command{
		Use: "watch JOB", Short: "Watch a job until it is over", Args: args("JOB"),
		Long: "Watch a job until it is over, whichever process works at it. Ctrl-C ends the watching and not the job.\n" +
			"-o json prints the job once it is over, ndjson prints it whenever it changed.\n\n" + jobExits,
		Example:           "  ucf jobs watch job_06f0m2vw2rt4x8d3p9k1q5s7ha\n  ucf jobs watch job_06f0m2vw2rt4x8d3p9k1q5s7ha -o ndjson",
		ValidArgsFunction: c.completeJob(true),
		RunE:              func(cmd *cobra.Command, args []string) error { return c.watchJob(cmd.Context(), args[0]) },
	}
}

func (c *commandLine) watchJob(ctx context.Context, id string) error {
	s, t, err := c.open()
	if err != nil {
		return err
	}
	f := c.follow()
	last := service.JobOut{}
	for e, err := range s.WatchJob(ctx, t, service.JobIn{ID: id}) {
		if err != nil {
			f.end()
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				c.notef("the job goes on; `ucf jobs watch %s` follows it again, `ucf jobs cancel %s` ends it", id, id)
			}
			return err
		}
		if e == nil {
			continue
		}
		last = e.JobOut
		if err := f.see(last); err != nil {
			return err
		}
	}
	f.end()
	if err := c.showEnded(last); err != nil {
		return err
	}
	return outcome(last)
}

// completeJob completes the argument that names a job, with open only those that are not over.
func (c *commandLine) completeJob(open bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		s, t, err := c.open()
		if err != nil || len(args) > 0 || !c.stored() {
			return nil, nothing
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionTime)
		defer cancel()
		page, err := s.Jobs(ctx, t, service.JobsIn{Limit: connectors.MaxLimit})
		if err != nil {
			return nil, nothing
		}
		var out []string
		for _, j := range page.Items {
			if strings.HasPrefix(j.ID, prefix) && (!open || !j.Status.Final()) {
				out = append(out, candidate(j.ID, string(j.Type)+" of "+j.ConnectorID+", "+string(j.Status)))
			}
		}
		return out, nothing | cobra.ShellCompDirectiveKeepOrder
	}
}
