// Package app puts the parts of ucf together. It is the only package that knows every implementation, and it opens
// nothing before it is used: a command that needs no store opens none, and one that seals nothing makes no key.
package app

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/all"
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/httpapi"
	"github.com/unified-connector/ucf/internal/jobs"
	"github.com/unified-connector/ucf/internal/secret"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/mongostore"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
)

// Options say how the parts are put together.
type Options struct {
	// Operator says that the caller is the operator of the command line, whose own hosts may be private ones.
	Operator bool
	Version  string
	// Timeout bounds one request to a provider; zero for the transport's own bound.
	Timeout time.Duration
	// Log gets what happens; nil for nobody.
	Log *slog.Logger
	// Warn is told, once, what an operator should know; nil for nobody.
	Warn func(message string)
}

// App is ucf, put together.
type App struct {
	Service *service.Service
	Jobs    *jobs.Runner
	Config  *config.Config

	options Options
	metrics *httpapi.Metrics
	keeper  func() (*secret.Keeper, error)
	// sealedWith returns the ids of the keys that stored credentials are sealed with.
	sealedWith func() ([]string, error)
	store      *lazyStore
	outbound   *outbound
}

// Build puts ucf together. It opens nothing.
func Build(cfg *config.Config, o Options) *App {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	a := &App{Config: cfg, options: o, store: &lazyStore{cfg: cfg, log: o.Log, life: context.Background()}}
	a.sealedWith = a.store.keyIDs
	a.keeper = sync.OnceValues(func() (*secret.Keeper, error) { return a.openKeeper(o.Warn) })
	a.outbound = newOutbound(cfg, o, a.observe)
	keeper := lazyKeeper{a.keeper}
	a.Service = service.New(service.Deps{
		Definitions: all.Definitions(), Store: a.store.open, Keeper: keeper, Outbound: a.outbound, OAuth: a.oauthOf(cfg, keeper, o.Log),
		Log: o.Log, Version: o.Version, Operator: o.Operator,
	})
	a.Jobs = jobs.New(jobs.Options{Service: a.Service, Owner: owner(), Log: o.Log})
	a.outbound.budget.Share(ledger{a.Service}, o.Log)
	return a
}

// Handler returns the HTTP backend. Requests to providers are counted in its metrics from then on.
func (a *App) Handler() http.Handler {
	a.metrics = httpapi.NewMetrics()
	return httpapi.New(a.apiOptions(a.metrics))
}

func (a *App) apiOptions(m *httpapi.Metrics) httpapi.Options {
	return httpapi.Options{
		Service: a.Service, Name: a.Config.AppName, Description: a.Config.AppDescription, Version: a.options.Version,
		Prefix: a.Config.APIPrefix, PublicURL: a.Config.PublicURL, Listen: a.Config.Listen, Log: a.options.Log, Metrics: m,
	}
}

// closeTimeout bounds how long a refresh that is under way may still take.
const closeTimeout = 10 * time.Second

// Close closes what was opened. Refreshes that are under way end first: what a provider has answered is stored.
func (a *App) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := a.Service.OAuth.Grants.Close(ctx)
	a.outbound.close()
	return errors.Join(err, a.outbound.budget.Settle(ctx), a.store.close())
}

// openKeeper returns the keeper of ENCRYPTION_KEY, or of the key file, which is made where there is none.
func (a *App) openKeeper(warn func(string)) (*secret.Keeper, error) {
	cfg := a.Config
	keys := cfg.EncryptionKey
	if keys.IsZero() {
		if !cfg.MongoURL.IsZero() {
			return nil, keyNeeded()
		}
		if cfg.ConfigDir == "" {
			return nil, connectors.Errorf(connectors.InvalidRequest, "there is no home folder to keep an encryption key in: set ENCRYPTION_KEY, or XDG_CONFIG_HOME")
		}
		if err := a.keyIsNotMissing(); err != nil {
			return nil, err
		}
		loaded, made, err := secret.LoadFile(cfg.KeyFile())
		if err != nil {
			return nil, err
		}
		if made {
			warn("an encryption key was made in " + cfg.KeyFile() + ": back it up, apart from the data; without it stored credentials are lost")
		}
		keys = loaded
	}
	return secret.Parse(keys)
}

// keyIsNotMissing refuses to make a key file where stored credentials say that there was one: a new key opens none of
// them, and would stand where the old one belongs.
func (a *App) keyIsNotMissing() error {
	if _, err := os.Stat(a.Config.KeyFile()); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(a.Config.Database()); a.Config.DataDir == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	ids, err := a.sealedWith()
	if err != nil || len(ids) == 0 {
		return err
	}
	return connectors.Errorf(connectors.Unavailable,
		"the encryption key is missing: credentials are stored, and %s is gone; put it back, or set ENCRYPTION_KEY; nothing was changed", a.Config.KeyFile())
}

// lazyKeeper seals with a keeper that is opened on first use.
type lazyKeeper struct {
	keeper func() (*secret.Keeper, error)
}

// Seal implements [connectors.Sealer].
func (k lazyKeeper) Seal(purpose string, plain []byte) (string, error) {
	keeper, err := k.keeper()
	if err != nil {
		return "", err
	}
	return keeper.Seal(purpose, plain)
}

// Open implements [connectors.Sealer].
func (k lazyKeeper) Open(purpose, sealed string) ([]byte, error) {
	keeper, err := k.keeper()
	if err != nil {
		return nil, err
	}
	return keeper.Open(purpose, sealed)
}

// KeyIDs implements [service.Keeper].
func (k lazyKeeper) KeyIDs() ([]string, error) {
	keeper, err := k.keeper()
	if err != nil {
		return nil, err
	}
	return keeper.KeyIDs(), nil
}

// lazyStore is the store of the settings, opened on first use. A failure is not kept: the next caller tries again, so that
// a server whose disk was full, or whose MongoDB was away, for a while recovers by itself.
type lazyStore struct {
	cfg  *config.Config
	log  *slog.Logger
	life context.Context // of the app

	mu     sync.Mutex
	opened store.Store
	closed bool
	// What the last attempt came to answers those who waited for it.
	failure  error
	failedAt time.Time
}

// sameFailure is how long an attempt to open the store that failed speaks for others.
const sameFailure = time.Second

func (l *lazyStore) open(ctx context.Context) (store.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.opened != nil:
		return l.opened, nil
	case l.closed:
		return nil, connectors.Errorf(connectors.Unavailable, "ucf is shutting down")
	}
	if l.failure != nil && time.Since(l.failedAt) < sameFailure {
		return nil, l.failure
	}
	st, err := openStore(ctx, l.cfg, l.log)
	if err != nil {
		if connectors.CodeOf(err) == connectors.Unavailable && ctx.Err() == nil {
			l.failure, l.failedAt = err, time.Now()
		}
		return nil, err
	}
	l.opened, l.failure = st, nil
	return st, nil
}

// keyNeeded says that replicas cannot each make a key of their own.
func keyNeeded() error {
	return connectors.Errorf(connectors.InvalidRequest,
		"with MONGODB_URL an ENCRYPTION_KEY is needed, the same for every process on that database: make one with `ucf keygen`")
}

// openStore opens MongoDB where MONGODB_URL is set, and the embedded store otherwise.
func openStore(ctx context.Context, cfg *config.Config, log *slog.Logger) (store.Store, error) {
	switch {
	case !cfg.MongoURL.IsZero() && cfg.EncryptionKey.IsZero():
		return nil, keyNeeded()
	case !cfg.MongoURL.IsZero():
		return mongostore.Open(ctx, cfg.MongoURL, cfg.MongoDB, log)
	case cfg.DataDir == "":
		return nil, connectors.Errorf(connectors.InvalidRequest, "there is no home folder to keep data in: set UCF_DATA_DIR")
	}
	return sqlitestore.Open(ctx, cfg.Database(), log)
}

// keyIDs asks the store for the ids of keys. That happens once, for whoever first needs a key, and takes nobody's context.
func (l *lazyStore) keyIDs() ([]string, error) {
	st, err := l.open(l.life)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(l.life, closeTimeout)
	defer cancel()
	return st.TokenKeyIDs(ctx)
}

func (l *lazyStore) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.opened == nil {
		return nil
	}
	return l.opened.Close()
}
