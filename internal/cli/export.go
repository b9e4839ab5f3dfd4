package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// exportFlags say where lines go.
type exportFlags struct {
	path, format, state string
	raw, force          bool
}

func (e *exportFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.path, "out", "", "write lines to a `FILE`, or to standard output (-), instead of the records")
	f.StringVar(&e.format, "format", "ndjson", "how lines look: ndjson or singer")
	f.StringVar(&e.state, "state", "", "a `FILE` with where the last run ended")
	f.BoolVar(&e.raw, "raw", false, "add the provider's own objects")
	f.BoolVar(&e.force, "force", false, "write over a file that is there")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"ndjson", "singer"}, nothing))
	_ = cmd.MarkFlagFilename("out")
	_ = cmd.MarkFlagFilename("state")
}

// set reports whether any of them was given.
func (e *exportFlags) set(cmd *cobra.Command) bool {
	for _, name := range []string{"format", "state", "raw", "force"} {
		if cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}

// export reads a system to lines.
func (c *commandLine) export(ctx context.Context, connectorID string, f jobFlags, e exportFlags, full bool) (err error) {
	if f.census != "" || f.maxDeletions != 0 {
		return usage("--census and --max-deletions compare with the records, of which --out keeps none")
	}
	s, t, err := c.open()
	if err != nil {
		return err
	}
	use, err := c.use(s, connectorID)
	if err != nil {
		return err
	}
	out, durable, closed, err := c.out(e)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closed()) }()
	bar := c.follow()
	state, err := c.app.Export(ctx, t, app.Export{
		Use: use, Params: domain.JobParams{Containers: f.containers, Streams: f.streams}, Full: full, Format: e.format, Raw: e.raw,
		Out: out, Sync: durable, StateFile: e.state, Report: func(s domain.JobState) { bar.draws(s) },
	})
	bar.end()
	switch {
	case err == nil:
		err = durable() // a file without a line is one too
	case e.goesOn(state.Counts):
		c.notef("what was read is written; the same command goes on from %s", e.state)
	}
	if err != nil {
		return err
	}
	return c.exported(state)
}

// goesOn reports whether what broke off is kept in a state.
func (e *exportFlags) goesOn(n domain.JobCounts) bool {
	return e.state != "" && e.format == "ndjson" && n.Containers.Seen+n.Items.Seen+n.Comments.Seen > 0
}

// exported reports how an export ended.
func (c *commandLine) exported(state domain.JobState) error {
	counts := state.Counts
	c.notef("%d containers, %d items and %d comments were read, %d were deleted", counts.Containers.Seen, counts.Items.Seen, counts.Comments.Seen,
		counts.Containers.Deleted+counts.Items.Deleted+counts.Comments.Deleted)
	if len(state.Incomplete) > 0 {
		return incomplete(state.Incomplete)
	}
	return nil
}

// use returns what a command without flags for a configuration works on.
func (c *commandLine) use(s *service.Service, connectorID string) (service.Use, error) {
	use := service.Use{ConnectorID: connectorID, Connection: c.flags.connection}
	def, err := c.definition(s, connectorID)
	if err == nil && use.Connection == "" {
		use.Config, err = c.config(given{}, def)
	}
	return use, err
}

// out returns what lines are written to: standard output; a new file; or, where a state tells what is in it, the end of
// one that is there.
func (c *commandLine) out(e exportFlags) (out io.Writer, durable, closed func() error, err error) {
	nothing := func() error { return nil }
	if e.path == "-" {
		return c.io.Out, nothing, nothing, nil
	}
	f, err := app.NewLineFile(e.path, e.force, e.state != "")
	if err != nil {
		return nil, nil, nil, err
	}
	return f, f.Sync, f.Close, nil
}

// draws shows how far an export is: standard output is for its lines alone.
func (f *follower) draws(s domain.JobState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	j := service.ShowJob(domain.Job{Status: domain.JobRunning, JobState: s})
	switch {
	case f.ended || f.c.flags.quiet:
	case f.c.io.ErrTTY && f.c.io.environ("TERM") != "dumb":
		f.draw(j)
	default:
		f.tell(j)
	}
}
