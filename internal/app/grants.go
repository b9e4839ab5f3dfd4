package app

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/all"
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/oauth"
	"github.com/unified-connector/ucf/internal/service"
)

// oauthOf returns what connect flows by OAuth work with.
func (a *App) oauthOf(cfg *config.Config, keeper lazyKeeper, log *slog.Logger) service.OAuth {
	own := strings.TrimRight(cfg.PublicURL, "/")
	if own == "" {
		own = "http://" + cfg.Listen
	}
	return service.OAuth{
		Apps: appsOf(cfg), PublicURL: cfg.PublicURL, CallbackURL: own + "/oauth/callback", Redirects: cfg.Redirects,
		Grants: oauth.New(oauth.Options{
			Tokens: func(ctx context.Context) (oauth.Tokens, error) { return a.store.open(ctx) },
			Sealer: keeper, KeyIDs: keeper.KeyIDs, Owner: owner(), Log: log,
			Client: func(t domain.Tenant, g domain.Grant, own connectors.Secret) (*oauth.Client, error) {
				return a.Service.GrantClient(t, g, own)
			},
			Refused: func(ctx context.Context, tok domain.Token) { a.Service.GrantRefused(ctx, tok) },
		}),
	}
}

// appsOf returns the operator's OAuth apps by the id of their provider.
func appsOf(cfg *config.Config) map[string]oauth.App {
	apps := map[string]oauth.App{}
	for _, def := range all.Definitions() {
		for _, m := range def.Auth {
			if m.OAuth == nil {
				continue
			}
			p := m.OAuth.Provider
			c := cfg.OAuthApps[p.ID]
			apps[p.ID] = oauth.App{Provider: p, ClientID: c.ClientID, ClientSecret: c.ClientSecret, AuthURL: c.AuthURL, APIURL: c.APIURL}
		}
	}
	return apps
}

// owner names this process for those who find its claims.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "/" + strconv.Itoa(os.Getpid())
}

// The times between two rounds of what a server does beside answering.
const (
	keepAliveEvery = time.Minute // looking for grants that have to be refreshed
	sweepEvery     = time.Hour   // removing what was kept long enough
)

// Run does what a server does beside answering, until ctx ends: it keeps the grants alive that nobody uses, works off
// jobs, and removes what was kept long enough.
func (a *App) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { a.Jobs.Run(ctx) })
	wg.Go(func() {
		a.regularly(ctx, keepAliveEvery, "grants could not be kept alive", func() error {
			_, err := a.Service.KeepAlive(ctx)
			return err
		})
	})
	wg.Go(func() {
		a.regularly(ctx, sweepEvery, "old jobs and tombstones were not removed", func() error {
			return a.Jobs.Sweep(ctx, a.Config.KeepJobs, a.Config.KeepTombstones)
		})
	})
	wg.Wait()
}

// regularly works at once and then every so often, until ctx ends.
func (a *App) regularly(ctx context.Context, every time.Duration, complaint string, work func() error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := work(); err != nil && ctx.Err() == nil {
			a.options.Log.WarnContext(ctx, complaint, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
