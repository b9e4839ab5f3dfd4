package cli

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/httpapi"
)

func (c *commandLine) serveCmd() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Serve the REST API, and work at jobs", Args: args(),
		Long: "Serve the REST API, with its reference at /docs, and work at the jobs that wait in the store.\n\n" +
			"Settings come from the environment, a .env file in the working directory, and the config file.\n" +
			"This version authenticates nobody, so it serves on loopback addresses only. It never takes a connector's\n" +
			"credentials from the environment, and calls private hosts only where UCF_ALLOW_HOSTS names them.",
		Example: "  ucf serve\n  UCF_LISTEN=127.0.0.1:9000 LOG_JSON=true ucf serve",
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.serve(cmd.Context()) },
	}
}

func (c *commandLine) serve(ctx context.Context) error {
	a, err := c.build(false, ".env")
	if err != nil {
		return err
	}
	cfg := a.Config
	if err := httpapi.CheckAccess(cfg.Listen, cfg.PublicURL); err != nil {
		return err
	}
	// What would fail every request is said at once: a store that does not open, a key that is not the right one.
	if err := a.Service.CheckKeys(ctx); err != nil {
		return err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return listenError(cfg.Listen, err)
	}
	log := c.logFor(cfg, false)
	log.InfoContext(ctx, "serving", "address", "http://"+ln.Addr().String(), "docs", "http://"+ln.Addr().String()+"/docs", "version", Version())
	defer inBackground(ctx, a.Run)()
	err = httpapi.Serve(ctx, ln, httpapi.Server(cfg.Listen, a.Handler(), log), httpapi.Shutdown{})
	log.InfoContext(ctx, "stopped")
	return err
}

// inBackground runs work beside the server, and returns what ends it and waits for its end.
func inBackground(ctx context.Context, work func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { work(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

func listenError(addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return connectors.Wrap(connectors.Unavailable, err, "%s is in use: stop what listens there, or choose another address", addr)
	case errors.Is(err, syscall.EACCES):
		return connectors.Wrap(connectors.Unavailable, err, "%s may not be listened on: choose a port above 1023", addr)
	}
	return connectors.Wrap(connectors.InvalidRequest, err, "%s cannot be listened on: is it an address of this machine?", addr)
}

func (c *commandLine) openAPICmd() *cobra.Command {
	var old bool
	cmd := &cobra.Command{
		Use: "openapi", Short: "Print the OpenAPI document of the REST API", Args: args(),
		Example: "  ucf openapi >openapi.json",
		RunE: func(*cobra.Command, []string) error {
			a, err := c.build(false, "")
			if err != nil {
				return err
			}
			doc, err := openAPIOf(a, old)
			if err != nil {
				return err
			}
			return c.write(append(doc, '\n'))
		},
	}
	cmd.Flags().BoolVar(&old, "3.0", false, "print it as OpenAPI 3.0")
	return cmd
}

func openAPIOf(a *app.App, old bool) ([]byte, error) {
	o := httpapi.Options{Name: a.Config.AppName, Description: a.Config.AppDescription, Version: Version(), Prefix: a.Config.APIPrefix, Listen: a.Config.Listen}
	if old {
		return httpapi.OpenAPI30(o)
	}
	return httpapi.OpenAPI(o)
}
