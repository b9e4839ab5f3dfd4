package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// Server returns a server for the handler with bounds on what a slow or hostile client may hold. There is no bound
// on the time of a whole request: bodies, answers and the work between have bounds of their own.
func Server(addr string, h http.Handler, log *slog.Logger) *http.Server {
	s := &http.Server{
		Addr: addr, Handler: h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	if log != nil {
		s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	}
	return s
}

// Shutdown says how a server goes down; the zero value of a field is its default.
type Shutdown struct {
	// Notice is how long /readyz answers unavailable while new requests are still taken, so that nobody is sent here
	// any more. Default [DefaultNotice].
	Notice time.Duration
	// Grace bounds how long running requests may take to finish. Default [DefaultGrace].
	Grace time.Duration
}

// The defaults of [Shutdown].
const (
	DefaultNotice = 500 * time.Millisecond
	DefaultGrace  = 20 * time.Second
)

// Serve serves on the listener until ctx ends, and then goes down in order: /readyz answers unavailable, no new
// connection is taken, running requests finish, Serve returns nil. Requests that outlast the grace are cut off, and
// the error is timeout. A listener that fails is unavailable. Serve closes the listener.
func Serve(ctx context.Context, ln net.Listener, s *http.Server, down Shutdown) error {
	if down.Notice <= 0 {
		down.Notice = DefaultNotice
	}
	if down.Grace <= 0 {
		down.Grace = DefaultGrace
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(ln) }()
	select {
	case err := <-failed:
		return connectors.Wrap(connectors.Unavailable, err, "the server stopped to listen on %s", ln.Addr())
	case <-ctx.Done():
	}
	if d, ok := s.Handler.(interface{ Drain() }); ok {
		d.Drain()
	}
	time.Sleep(down.Notice)
	return stop(context.WithoutCancel(ctx), s, failed, down.Grace)
}

// stop lets running requests finish within the grace and cuts off the others.
func stop(ctx context.Context, s *http.Server, failed <-chan error, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err := s.Shutdown(ctx)
	if err != nil {
		_ = s.Close()
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		return connectors.Wrap(connectors.Unavailable, served, "the server stopped to listen before it was told to")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return connectors.Errorf(connectors.Timeout, "requests that ran for more than %s after the stop were cut off", grace)
	}
	if err != nil {
		return connectors.Wrap(connectors.Internal, err, "the server did not stop in order")
	}
	return nil
}
