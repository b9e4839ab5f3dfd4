package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// globals are the flags that every command has.
type globals struct {
	tenant, connection, output, config, envFile string
	quiet, verbose, noColor                     bool
	timeout, deadline                           time.Duration
}

// commandLine is one run of ucf.
type commandLine struct {
	io        IO
	flags     globals
	requestID string
	app       *app.App
	cancel    context.CancelFunc
}

func newCommandLine(s IO) *commandLine {
	return &commandLine{io: s, requestID: domain.NewID(domain.RequestPrefix, time.Now()), cancel: func() {}}
}

// Root returns the command tree, for the generator of pages and completions.
func Root() *cobra.Command { return newCommandLine(IO{}).root() }

func (c *commandLine) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "ucf",
		Short: "Connect the systems your customers' work lives in",
		Long: "ucf connects tenants to the systems their work lives in, keeps their credentials sealed,\n" +
			"and gives one shape to what those systems hold: containers, items and comments.",
		Example: "  ucf connect jira\n  ucf items jira --container PAY\n  ucf connectors probe jira -o json\n  ucf serve",
		Args:    cobra.ArbitraryArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q; %s`ucf --help` lists them", clip(args[0]), meant(cmd, args[0]))
			}
			return cmd.Help()
		},
	}
	root.SetIn(c.io.In)
	root.SetOut(c.io.Out)
	root.SetErr(c.io.Err)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%s; see `%s --help`", err.Error(), cmd.CommandPath())
	})
	c.globalFlags(root)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return c.begin(cmd) }
	root.AddCommand(
		c.connectorsCmd(), c.connectCmd(), c.connectionsCmd(), c.containersCmd(), c.itemsCmd(), c.commentsCmd(),
		c.tokensCmd(), c.syncCmd(), c.jobsCmd(), c.syncStateCmd(), c.auditCmd(), c.storeCmd(), c.serveCmd(), c.sandboxCmd(), c.openAPICmd(), c.doctorCmd(),
		c.completionCmd(root), c.keygenCmd(), c.versionCmd(),
	)
	root.AddCommand(laterCmds()...)
	root.SetUsageTemplate(root.UsageTemplate() + "\n" + exitHelp + "\n")
	codeErrors(root)
	return root
}

// codeErrors codes what the commands return, so that an error without a code can only be cobra's own, about commands
// and flags.
func codeErrors(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return connectors.AsError(err)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		codeErrors(sub)
	}
}

// meant suggests the command that a misspelt one may have meant.
func meant(cmd *cobra.Command, typed string) string {
	cmd.SuggestionsMinimumDistance = 2
	if found := cmd.SuggestionsFor(typed); len(found) > 0 {
		return "did you mean `" + cmd.CommandPath() + " " + found[0] + "`? "
	}
	return ""
}

func (c *commandLine) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVarP(&c.flags.tenant, "tenant", "t", "", "`TENANT` to work for (UCF_TENANT; default \"default\")")
	f.StringVar(&c.flags.connection, "connection", "", "`CONNECTION` to use, by name or id")
	f.StringVarP(&c.flags.output, "output", "o", "", "output `FORMAT`: table, json, yaml or ndjson")
	f.StringVar(&c.flags.config, "config", "", "config `FILE` (default ucf/config.yaml in the config folder)")
	f.StringVar(&c.flags.envFile, "env-file", "", "`FILE` with NAME=value lines to read settings from")
	f.BoolVarP(&c.flags.quiet, "quiet", "q", false, "print data and errors only")
	f.BoolVarP(&c.flags.verbose, "verbose", "v", false, "tell every request to a provider")
	f.BoolVar(&c.flags.noColor, "no-color", false, "no colours (also NO_COLOR)")
	f.DurationVar(&c.flags.timeout, "timeout", 30*time.Second, "bound of one request to a provider")
	f.DurationVar(&c.flags.deadline, "deadline", 0, "bound of the whole command (default none)")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("connection", c.completeConnectionFlag)
}

// begin checks the global flags and starts the clock.
func (c *commandLine) begin(cmd *cobra.Command) error {
	if err := checkFormat(c.flags.output); err != nil {
		c.flags.output = ""
		return err
	}
	if c.flags.timeout <= 0 || c.flags.deadline < 0 {
		return usage("--timeout and --deadline must be above zero")
	}
	if f := cmd.Flags().Lookup("tenant"); f != nil && f.Changed && c.flags.tenant == "" {
		return connectors.Errorf(connectors.TenantRequired, "--tenant is empty: name one, or leave the flag away")
	}
	ctx := service.WithCaller(cmd.Context(), service.Caller{Actor: actor(), RequestID: c.requestID})
	if c.flags.deadline > 0 {
		ctx, c.cancel = context.WithTimeout(ctx, c.flags.deadline)
	}
	cmd.SetContext(ctx)
	return nil
}

// actor names the operator for the audit log.
func actor() string {
	if u, err := user.Current(); err == nil {
		return "cli:" + u.Username
	}
	return "cli"
}

// build puts ucf together on first use.
func (c *commandLine) build(operator bool, dotenv string) (*app.App, error) {
	if c.app != nil {
		return c.app, nil
	}
	cfg, err := config.Load(config.Source{
		Flags: map[string]string{"UCF_TENANT": c.flags.tenant}, Environ: c.io.Environ,
		EnvFile: c.flags.envFile, DotEnv: dotenv, ConfigFile: c.flags.config,
	})
	if err != nil {
		return nil, err
	}
	c.app = app.Build(cfg, app.Options{
		Operator: operator, Version: Version(), Timeout: c.flags.timeout, Log: c.logFor(cfg, operator), Warn: c.note,
	})
	return c.app, nil
}

// open returns what a command works with: the service and the tenant.
func (c *commandLine) open() (*service.Service, domain.Tenant, error) {
	a, err := c.build(true, "")
	if err != nil {
		return nil, "", err
	}
	t, err := domain.ParseTenant(a.Config.Tenant)
	return a.Service, t, err
}

func (c *commandLine) close() error {
	c.cancel()
	if c.app == nil {
		return nil
	}
	return c.app.Close()
}

// note tells the operator something that is neither data nor an error.
func (c *commandLine) note(msg string) {
	if !c.flags.quiet {
		c.say("", msg)
	}
}

// say writes a message for people, broken between words on a terminal.
func (c *commandLine) say(label, msg string) {
	indent := strings.Repeat(" ", len(label))
	lines := []string{oneLine(msg)}
	if c.io.ErrTTY && c.io.Width > 0 {
		lines = wrapped(lines[0], max(minWrap, c.io.Width-len(label)))
	}
	if label != "" {
		label = c.errPainter().colour(badColour, label)
	}
	fmt.Fprintln(c.io.Err, label+strings.Join(lines, "\n"+indent))
}

func (c *commandLine) notef(format string, args ...any) { c.note(fmt.Sprintf(format, args...)) }

// log returns the log of a command: everything with --verbose, errors otherwise. What an operator should know is in what
// the command answers.
func (c *commandLine) log() *slog.Logger {
	level := slog.LevelError
	if c.flags.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(c.io.Err, &slog.HandlerOptions{Level: level}))
}

// logFor returns the log: the command's own for an operator, the configured one for a server.
func (c *commandLine) logFor(cfg *config.Config, operator bool) *slog.Logger {
	if operator {
		return c.log()
	}
	o := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogJSON {
		return slog.New(slog.NewJSONHandler(c.io.Err, o))
	}
	return slog.New(slog.NewTextHandler(c.io.Err, o))
}

// args returns a check of a command's arguments, by their names.
func args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, got []string) error {
		if len(got) == len(names) {
			return nil
		}
		if len(names) == 0 {
			return usage("`%s` takes no arguments, but got %q", cmd.CommandPath(), clip(got[0]))
		}
		return usage("`%s` needs %s; see `%s --help`", cmd.CommandPath(), strings.Join(names, " and "), cmd.CommandPath())
	}
}

// clip shortens what an operator typed before it is shown back.
func clip(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}

// definition returns the connector with that id.
func (c *commandLine) definition(s *service.Service, id string) (*connectors.Definition, error) {
	for _, d := range s.Definitions {
		if d.ID == id {
			return d, nil
		}
	}
	return nil, connectors.Errorf(connectors.NotFound, "there is no connector %q; known are %s", clip(id), strings.Join(s.ConnectorIDs(), ", "))
}
