package connectortest

import (
	"context"
	"net"
	"sync"
	"time"
)

// proxy stands in front of a system that is not reached over HTTP. It can stall and break connections. Its methods
// may be called by many goroutines at once.
type proxy struct {
	listener net.Listener
	target   string
	hanging  chan struct{}
	workers  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	mode    kind
	closed  bool
	count   int
	crowd   *crowd
	conns   map[net.Conn]struct{}
}

func startProxy(target string) (*proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, target: target, hanging: make(chan struct{}, 1024), conns: map[net.Conn]struct{}{}}
	p.changed = sync.NewCond(&p.mu)
	p.workers.Go(p.serve)
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) arm(v variant, _ int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = v.kind
	if v.kind == kindReset || v.kind == kindRefused {
		for c := range p.conns {
			breakOff(c)
		}
	}
}

func (p *proxy) disarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = kindAnswer
	p.changed.Broadcast()
}

func (p *proxy) gather(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crowd = newCrowd(n)
}

func (p *proxy) arrivals() <-chan struct{} { return p.hanging }

func (p *proxy) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		breakOff(c)
	}
	p.changed.Broadcast()
	p.mu.Unlock()
	p.workers.Wait()
}

func (p *proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.workers.Go(func() { p.handle(c) })
	}
}

func (p *proxy) handle(client net.Conn) {
	defer client.Close()
	if !p.admit(client) {
		return
	}
	defer p.forget(client)
	p.gathering().join()
	server, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() { p.pump(server, client, true) })
	both.Go(func() { p.pump(client, server, false) })
	both.Wait()
}

// admit counts and keeps a connection; it breaks it off when connections are to be broken.
func (p *proxy) admit(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	if p.closed || p.mode == kindReset {
		breakOff(c)
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *proxy) gathering() *crowd {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crowd
}

func (p *proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// pump copies until either side ends, and holds everything back while the proxy hangs.
func (p *proxy) pump(to, from net.Conn, request bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && p.pass(request) {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits while the proxy hangs.
func (p *proxy) pass(request bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == kindHang && request {
		select {
		case p.hanging <- struct{}{}:
		default:
		}
	}
	for p.mode == kindHang && !p.closed {
		p.changed.Wait()
	}
	return !p.closed
}

// breakOff ends a connection with a reset.
func breakOff(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}
