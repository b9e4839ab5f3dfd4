package oauth

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	end   chan struct{}
	once  sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.end:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.end) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipes) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.end:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// memory is a store in memory.
type memory struct {
	mu   sync.Mutex
	toks map[string]domain.Token
}

func (s *memory) get(id string) (domain.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tok, ok := s.toks[id]
	if !ok {
		return tok, connectors.Errorf(connectors.NotFound, "there is no token %s", id)
	}
	return clone(tok), nil
}

func (s *memory) put(tok domain.Token) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cur, ok := s.toks[tok.ID]
	switch {
	case !ok:
		return 0, connectors.Errorf(connectors.NotFound, "there is no token %s", tok.ID)
	case cur.Revision != tok.Revision:
		return 0, connectors.Errorf(connectors.Conflict, "revision %d is stale", tok.Revision)
	}
	tok.Revision++
	s.toks[tok.ID] = clone(tok)
	return tok.Revision, nil
}

// handle is one process's way to the store.
type handle struct {
	store   *memory
	mu      sync.Mutex
	fail    error         // of every call
	stalled chan struct{} // calls wait until it is closed
	latency time.Duration
	after   func(tok domain.Token) error // called when a write got through; its error is returned in place of success
	before  func(tok domain.Token)       // called before a write
}

func (h *handle) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

func (h *handle) enter(ctx context.Context) error {
	h.mu.Lock()
	stalled, latency := h.stalled, h.latency
	h.mu.Unlock()
	if stalled != nil {
		select {
		case <-stalled:
		case <-ctx.Done():
			return connectors.AsError(ctx.Err())
		}
	}
	if err := sleep(ctx, latency); err != nil {
		return connectors.AsError(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fail
}

func (h *handle) Token(ctx context.Context, t domain.Tenant, id string) (domain.Token, error) {
	if err := h.enter(ctx); err != nil {
		return domain.Token{}, err
	}
	tok, err := h.store.get(id)
	if err == nil && tok.Tenant != t {
		return domain.Token{}, connectors.Errorf(connectors.NotFound, "there is no token %s", id)
	}
	return tok, err
}

func (h *handle) UpdateToken(ctx context.Context, tok domain.Token) (int64, error) {
	if err := h.enter(ctx); err != nil {
		return 0, err
	}
	h.mu.Lock()
	before, after := h.before, h.after
	h.mu.Unlock()
	if before != nil {
		before(tok)
	}
	revision, err := h.store.put(tok)
	if err == nil && after != nil {
		err = after(tok)
	}
	return revision, err
}
