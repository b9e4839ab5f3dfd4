package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/internal/httpapi"
	"github.com/unified-connector/ucf/internal/sandbox"
)

// sandboxOptions are the flags of `ucf sandbox`.
type sandboxOptions struct {
	listen                     string
	projects, issues, comments int
	spaces, pages              int
	records, dailyRequests     int
	seed                       uint64
	faults                     []string

	sites                         int
	tokenTTL, reuseInterval, idle time.Duration
	autoApprove, noRotation       bool
	fresh                         bool
}

const sandboxListen = "127.0.0.1:8090"

func (c *commandLine) sandboxCmd() *cobra.Command {
	var o sandboxOptions
	cmd := &cobra.Command{
		Use: "sandbox", Short: "Run a local stand-in for the providers, for trying and for tests", Args: args(),
		Long: "Run a local stand-in for Jira, Confluence and Salesforce, with the authorization servers of Atlassian and\n" +
			"Salesforce, and a Data Center of Atlassian's with the personal access token sandbox-pat. It is generated\n" +
			"on the fly from a seed: the same seed gives the same sites, and a million issues take no memory. It knows\n" +
			"the user you@example.com with the token sandbox, and one OAuth app; consents and tokens are forgotten when it ends.\n\n" +
			"The Salesforce org keeps what is written to it, up to 10,000 records, until it ends. It takes the access token sandbox.\n\n" +
			"A fault is KIND[=VALUE][,OPTION=VALUE]…. Kinds are latency=200ms, hang, reset, lost, cut, truncate, html,\n" +
			"anonymous, repeat-token, expire-token, empty-page, pad=100MB, and every status from 400 to 599; the value of most is their\n" +
			"share, 0 to 1. Options are path, method, after, every, count, rate, retry-after and reason.\n\n" +
			"What a sandbox holds is counted at /control/acme/counts and changed, as people do meanwhile, by a POST such as\n" +
			"/control/acme/issue/PAY-1/edit, …/move?to=OPS, …/archive or …/delete, and /control/acme/page/ID/edit, …/move?to=HR,\n" +
			"…/archive, …/trash, …/restore, …/purge or …/comment?to=TEXT. The comment itself is /control/acme/issue-comment/ID/edit?to=TEXT or …/delete\n" +
			"in Jira and /control/acme/comment/ID/edit or …/delete in Confluence. A record, comment or post of Salesforce is\n" +
			"/control/salesforce/record/ID/edit?to=TEXT, …/delete, …/comment?to=TEXT or …/post?to=TEXT.",
		Example: "  ucf sandbox\n  eval \"$(ucf sandbox env)\" && ucf items jira\n" +
			"  ucf sandbox --sites 3 --token-ttl 5s\n" +
			"  ucf sandbox --issues 1000000 --fault 429=0.1,retry-after=2 --fault latency=50ms",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.sandbox(cmd.Context(), o) },
	}
	f := cmd.Flags()
	cmd.PersistentFlags().StringVar(&o.listen, "listen", sandboxListen, "loopback address to listen on")
	f.IntVar(&o.projects, "projects", 5, "how many projects")
	f.IntVar(&o.issues, "issues", 1000, "how many issues in all")
	f.IntVar(&o.spaces, "spaces", 5, "how many Confluence spaces")
	f.IntVar(&o.pages, "pages", 200, "how many Confluence pages in all; a tenth as many blog posts")
	f.IntVar(&o.comments, "comments", 3, "how many comments on an issue, page or case, on average")
	f.IntVar(&o.records, "records", sandbox.DefaultRecords, "how many records of each larger Salesforce object")
	f.IntVar(&o.dailyRequests, "daily-requests", sandbox.DefaultDailyRequests, "how many requests the Salesforce org has in 24 hours")
	f.Uint64Var(&o.seed, "seed", 1, "what everything is generated from")
	f.StringArrayVar(&o.faults, "fault", nil, "fault to inject; repeatable")
	f.BoolVar(&o.fresh, "fresh", false, "let the newest Salesforce records be of now, not of a time that follows from the seed")
	o.oauthFlags(cmd)
	cmd.AddCommand(c.sandboxEnvCmd(&o))
	return cmd
}

// oauthFlags are the flags of the authorization servers.
func (o *sandboxOptions) oauthFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&o.sites, "sites", 1, "how many Atlassian sites an account reaches")
	f.DurationVar(&o.tokenTTL, "token-ttl", sandbox.DefaultTokenTTL, "how long an access token lives")
	f.DurationVar(&o.reuseInterval, "reuse-interval", 10*time.Minute, "how long a spent refresh token may be sent again")
	f.DurationVar(&o.idle, "refresh-idle", 0, "how long an unused refresh token lives (default 90 days, Salesforce 30)")
	f.BoolVar(&o.autoApprove, "auto-approve", false, "give every consent without asking")
	f.BoolVar(&o.noRotation, "no-rotation", false, "keep Salesforce's refresh tokens; Atlassian's always rotate")
}

// options returns what the sandbox is to be.
func (o *sandboxOptions) options() (sandbox.Options, error) {
	opts := sandbox.Options{
		Projects: o.projects, Issues: orNone(o.issues), Comments: orNone(o.comments), Seed: o.seed,
		Spaces: o.spaces, Pages: orNone(o.pages),
		Records: orNone(o.records), DailyRequests: o.dailyRequests,
		Sites: o.sites, TokenTTL: o.tokenTTL, ReuseInterval: o.reuseInterval, RefreshIdle: o.idle, AutoApprove: o.autoApprove, NoRotation: o.noRotation,
	}
	opts.Now = time.Now
	if o.fresh {
		opts.Until = time.Now()
	}
	switch {
	case o.dailyRequests < 0:
		return opts, usage("--daily-requests must not be below zero")
	case o.tokenTTL < time.Second:
		return opts, usage("--token-ttl must be at least 1s")
	case o.reuseInterval < 0 || o.idle < 0:
		return opts, usage("--reuse-interval and --refresh-idle must not be below zero")
	case o.reuseInterval == 0:
		opts.ReuseInterval = -1 // none, where zero is the default
	}
	for _, spec := range o.faults {
		f, err := sandbox.ParseFault(spec)
		if err != nil {
			return opts, usage("--fault %s: %s", clip(spec), err.Error())
		}
		opts.Faults = append(opts.Faults, f)
	}
	return opts, nil
}

func (c *commandLine) sandboxEnvCmd(o *sandboxOptions) *cobra.Command {
	var center bool
	cmd := &cobra.Command{
		Use: "env", Short: "Print the variables that point ucf at the sandbox", Args: args(),
		Example: "  eval \"$(ucf sandbox env)\"\n  eval \"$(ucf sandbox env --data-center)\"",
		RunE: func(*cobra.Command, []string) error {
			if err := checkSandboxAddress(o.listen); err != nil {
				return err
			}
			s, err := sandbox.New(sandbox.Options{})
			if err != nil {
				return err
			}
			lines := s.Env
			if center {
				lines = s.DataCenterEnv
			}
			var b strings.Builder
			for _, kv := range lines("http://" + o.listen) {
				name, value, _ := strings.Cut(kv, "=")
				fmt.Fprintf(&b, "export %s='%s'\n", name, value)
			}
			return c.write([]byte(b.String()))
		},
	}
	cmd.Flags().BoolVar(&center, "data-center", false, "those of the sandbox's Jira and Confluence Data Center")
	return cmd
}

func (c *commandLine) sandbox(ctx context.Context, o sandboxOptions) error {
	opts, err := o.options()
	if err != nil {
		return err
	}
	s, err := sandbox.New(opts) //nolint:contextcheck // the handlers have the contexts of their requests
	if err != nil {
		return usage("%s", err.Error())
	}
	if err := checkSandboxAddress(o.listen); err != nil {
		return err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", o.listen)
	if err != nil {
		return listenError(o.listen, err)
	}
	c.notef("sandbox listening on http://%s (user you@example.com, token sandbox); Ctrl-C stops it", ln.Addr())
	at := ""
	if addr := ln.Addr().String(); addr != sandboxListen {
		at = " --listen " + addr
	}
	c.notef("in another terminal: eval \"$(ucf sandbox env%s)\" && ucf items jira", at)
	c.note("by OAuth there: ucf connect jira --set auth_method=oauth2")
	return serveSandbox(ctx, ln, s)
}

// checkSandboxAddress refuses addresses that others can reach, and what is no address.
func checkSandboxAddress(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return usage("--listen must be host:port, as in %s", sandboxListen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return usage("--listen must end in a port between 0 and 65535")
	}
	if err := httpapi.CheckAccess(addr, ""); err != nil {
		return usage("--listen must be a loopback address: the sandbox has a well-known password")
	}
	return nil
}

// orNone turns a count of zero into what the sandbox calls none.
func orNone(n int) int {
	if n == 0 {
		return sandbox.None
	}
	return n
}

// serveSandbox serves until ctx ends. Requests that hang on purpose are cut off.
func serveSandbox(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
