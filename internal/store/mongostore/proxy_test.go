package mongostore

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/unified-connector/ucf/connectors"
)

// loss is what becomes of a command on its way.
type loss int

const (
	answerLost  loss = iota // the server applies it, and its answer is not delivered
	requestLost             // it never reaches the server
	answerLate              // its answer, and no other, is held back until the proxy is healed
)

// proxy stands between the driver and the server, and fails as networks do.
type proxy struct {
	t      testing.TB
	ln     net.Listener
	target string

	mu     sync.Mutex
	cut    bool
	conns  map[net.Conn]bool
	healed chan struct{} // closed while nothing is held back
	late   chan struct{} // the same for single answers
	faults []fault       // the next ones, first first
	met    int
	wg     sync.WaitGroup
}

// fault meets the next command of that name, once.
type fault struct {
	command string
	loss    loss
	then    func() // runs when the server has applied it and before the caller knows
}

// through returns a proxy to the server of the tests, and the address that leads through it.
func through(t testing.TB) (*proxy, connectors.Secret) {
	t.Helper()
	u, err := url.Parse(server(t).Reveal())
	if err != nil {
		t.Fatal("the server's address does not parse")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, ln: ln, target: u.Host, conns: map[net.Conn]bool{}, healed: closedChannel(), late: make(chan struct{})}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		ln.Close()
		p.heal()
		p.breakAll()
		p.wg.Wait()
	})
	u.Host = ln.Addr().String()
	return p, connectors.NewSecret(u.String())
}

func closedChannel() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (p *proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		cut := p.cut
		p.mu.Unlock()
		upstream, err := net.Dial("tcp", p.target)
		if err != nil || cut {
			client.Close()
			if err == nil {
				upstream.Close()
			}
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[upstream] = true, true
		p.mu.Unlock()
		p.wg.Go(func() { p.serve(client, upstream) })
	}
}

// serve passes requests and answers on, one after the other as the driver sends them on a connection.
func (p *proxy) serve(client, upstream net.Conn) {
	defer client.Close()
	defer upstream.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	met := make(chan fault, 1)
	wg.Go(func() {
		defer client.Close()
		for {
			answer, err := message(upstream)
			if err != nil {
				return
			}
			select {
			case f := <-met:
				if f.then != nil {
					f.then()
				}
				switch f.loss {
				case answerLost:
					return
				case answerLate:
					<-p.lateUntil()
				}
			default:
			}
			p.mu.Lock()
			healed := p.healed
			p.mu.Unlock()
			<-healed
			if _, err := client.Write(answer); err != nil {
				return
			}
		}
	})
	defer upstream.Close()
	for {
		request, err := message(client)
		if err != nil {
			return
		}
		if f, ok := p.fault(request); ok {
			if f.loss == requestLost {
				if f.then != nil {
					f.then()
				}
				return
			}
			met <- f
		}
		if _, err := upstream.Write(request); err != nil {
			return
		}
	}
}

// message reads one message of MongoDB's wire protocol: its length is in its first four bytes.
func message(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	m := make([]byte, binary.LittleEndian.Uint32(head))
	copy(m, head)
	_, err := io.ReadFull(r, m[4:])
	return m, err
}

// command returns the name of a request's command: the first element of its body.
func command(request []byte) string {
	const opMsg, bodyAt = 2013, 16 + 4 + 1
	if len(request) < bodyAt || binary.LittleEndian.Uint32(request[12:]) != opMsg {
		return ""
	}
	first, err := bson.Raw(request[bodyAt:]).IndexErr(0)
	if err != nil {
		return ""
	}
	return first.Key()
}

// fault returns what meets a request.
func (p *proxy) fault(request []byte) (fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := command(request)
	i := slices.IndexFunc(p.faults, func(f fault) bool { return strings.EqualFold(f.command, name) })
	if i < 0 {
		return fault{}, false
	}
	f := p.faults[i]
	p.faults = slices.Delete(p.faults, i, i+1)
	p.met++
	return f, true
}

// next sets what meets the next commands.
func (p *proxy) next(faults ...fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults, p.met = faults, 0
}

// wantMet checks how many commands were met by a fault.
func (p *proxy) wantMet(t testing.TB, want int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.met != want {
		t.Errorf("%d commands met a fault, want %d: the test tests nothing", p.met, want)
	}
}

// sever closes every connection and refuses new ones until it is healed.
func (p *proxy) sever() {
	p.mu.Lock()
	p.cut = true
	p.mu.Unlock()
	p.breakAll()
}

func (p *proxy) breakAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// stall holds every answer back until it is healed.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.healed:
		p.healed = make(chan struct{})
	default:
	}
}

func (p *proxy) lateUntil() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.late
}

func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	close(p.late)
	p.late = make(chan struct{})
	select {
	case <-p.healed:
	default:
		close(p.healed)
	}
}
