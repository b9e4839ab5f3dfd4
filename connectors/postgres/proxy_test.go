package postgres

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
)

// ending is what becomes of a connection after a message.
type ending int

const (
	goOn ending = iota
	reset
	finish // close it in order
	stall  // keep it open and silent
)

// message is one message of the server. Row counts the rows of data since the fault was set or
// the last request was answered, from 1.
type message struct {
	kind byte
	row  int
	all  []byte
}

// fault is what a faultProxy does; the zero fault is none.
type fault struct {
	hang bool // nothing passes any more
	// connect sees the n-th connection since the fault was set, from 1; it returns what to say instead of the server.
	connect func(n int) (say []byte, then ending)
	// message sees every message of the server and returns what to send in its place.
	message func(m message) (say []byte, then ending)
	drip    bool // byte by byte
}

// faultProxy stands between the driver and the server, in plaintext.
type faultProxy struct {
	t      *testing.T
	l      net.Listener
	target string

	mu    sync.Mutex
	fault fault
	since int // how often the fault was set
	dials int
	freed chan struct{} // closed at the end, for what stalls
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

func startProxy(t *testing.T) *faultProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &faultProxy{t: t, l: l, target: backend(), freed: make(chan struct{}), conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *faultProxy) port() int { return p.l.Addr().(*net.TCPAddr).Port }

func (p *faultProxy) close() {
	p.l.Close()
	close(p.freed)
	p.cut()
	p.wg.Wait()
}

// cut resets every connection.
func (p *faultProxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}

// set makes a fault begin, for connections that are open too.
func (p *faultProxy) set(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.dials = f, 0
	p.since++
}

func (p *faultProxy) current() (fault, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault, p.since
}

func (p *faultProxy) track(c net.Conn) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
		c.Close()
	}
}

func (p *faultProxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

func (p *faultProxy) serve(client net.Conn) {
	defer p.track(client)()
	f, _ := p.current()
	if f.connect != nil {
		p.mu.Lock()
		p.dials++
		n := p.dials
		p.mu.Unlock()
		if say, then := f.connect(n); then != goOn {
			if say != nil { // the server speaks after the client has
				_, _ = io.ReadFull(client, make([]byte, 8))
				_, _ = client.Write(say)
			}
			p.end(client, then)
			return
		}
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.track(server)()
	p.wg.Go(func() {
		_, _ = io.Copy(gate{p, server}, client)
		_ = server.(*net.TCPConn).CloseWrite()
	})
	p.pump(client, server)
}

// gate lets nothing pass while the proxy hangs.
type gate struct {
	p *faultProxy
	io.Writer
}

// Write implements [io.Writer].
func (g gate) Write(b []byte) (int, error) {
	if f, _ := g.p.current(); f.hang {
		<-g.p.freed
		return 0, io.ErrClosedPipe
	}
	return g.Writer.Write(b)
}

// pump hands over the messages of the server.
func (p *faultProxy) pump(client, server net.Conn) {
	rows, since := 0, 0
	for {
		m, err := readMessage(server)
		if err != nil {
			return
		}
		f, now := p.current()
		if now != since {
			rows, since = 0, now
		}
		if f.hang {
			<-p.freed
			return
		}
		if m.kind == 'D' {
			rows++
		}
		m.row = rows
		if m.kind == 'Z' {
			rows = 0
		}
		say, then := m.all, goOn
		if f.message != nil {
			say, then = f.message(m)
		}
		if !write(client, say, f.drip) || then != goOn {
			p.end(client, then)
			return
		}
	}
}

func write(w io.Writer, b []byte, drip bool) bool {
	step := max(len(b), 1)
	if drip {
		step = 1
	}
	for len(b) > 0 {
		n := min(step, len(b))
		if _, err := w.Write(b[:n]); err != nil {
			return false
		}
		b = b[n:]
	}
	return true
}

func (p *faultProxy) end(c net.Conn, how ending) {
	switch how {
	case reset:
		_ = c.(*net.TCPConn).SetLinger(0)
	case stall:
		<-p.freed
	}
}

// readMessage reads a message of the server. The answer to a request for TLS is one byte, N or S, without a length.
func readMessage(r io.Reader) (message, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head[:1]); err != nil {
		return message{}, err
	}
	if head[0] == 'N' {
		// A notice is never the first message, and the tests cause none.
		return message{kind: 'N', all: head[:1]}, nil
	}
	if _, err := io.ReadFull(r, head[1:]); err != nil {
		return message{}, err
	}
	all := make([]byte, 1+binary.BigEndian.Uint32(head[1:]))
	copy(all, head)
	_, err := io.ReadFull(r, all[5:])
	return message{kind: head[0], all: all}, err
}

// errorMessage is a message by which the server says that it failed.
func errorMessage(severity, state, text string) []byte {
	body := "S" + severity + "\x00V" + severity + "\x00C" + state + "\x00M" + text + "\x00\x00"
	return append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(4+len(body))), body...)
}
