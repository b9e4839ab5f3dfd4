package connectortest

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
)

// system is the system that a connector is tested against, with a switch for faults.
type system interface {
	// address is what [Suite.Config] is given.
	address() string
	// arm turns a fault on for every request (nth is 0) or only for the nth from now on, and disarm turns it off.
	arm(v variant, nth int)
	disarm()
	// arrivals receives a value whenever something meets a fault that hangs.
	arrivals() <-chan struct{}
	// gather makes the next n requests or connections wait for each other, for a while.
	gather(n int)
	// requests is how many requests, or connections, there were.
	requests() int
	// close ends the system and everything that hangs in it.
	close()
}

// seen is a request as the system got it.
type seen struct {
	method, url, path string
	header            http.Header
}

// httpSystem serves the fake over a real socket. Its methods may be called by many goroutines at once.
type httpSystem struct {
	server  *httptest.Server
	healthy http.Handler
	release chan struct{}
	hanging chan struct{}

	overread atomic.Bool // somebody read an endless answer to its end

	mu     sync.Mutex
	armed  *variant
	nth    int
	since  int // requests since the fault was armed
	log    []seen
	crowd  *crowd
	clock  *clock // nil for this machine's
	bodies [][]byte
}

func startHTTP(healthy http.Handler, path string) *httpSystem {
	if path != "" {
		healthy = http.StripPrefix(path, healthy)
	}
	s := &httpSystem{healthy: healthy, release: make(chan struct{}), hanging: make(chan struct{}, 1024)}
	s.server = httptest.NewServer(s)
	return s
}

func (s *httpSystem) address() string { return s.server.URL }

func (s *httpSystem) arm(v variant, nth int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed, s.nth, s.since = &v, nth, 0
}

func (s *httpSystem) disarm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = nil
}

func (s *httpSystem) gather(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.crowd = newCrowd(n)
}

// goBy has the answers carry the date by a clock.
func (s *httpSystem) goBy(k *clock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = k
}

func (s *httpSystem) arrivals() <-chan struct{} { return s.hanging }

func (s *httpSystem) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.log)
}

// requested returns the requests so far.
func (s *httpSystem) requested() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// served returns the bodies of the healthy answers so far.
func (s *httpSystem) served() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bodies)
}

func (s *httpSystem) close() {
	close(s.release)
	s.server.CloseClientConnections()
	s.server.Close()
}

// ServeHTTP implements [http.Handler].
func (s *httpSystem) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The server notices that a client is gone only after it has read the body.
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	fault, crowd := s.take(r)
	crowd.join()
	x := exchange{w: w, r: r, sys: s}
	if fault != nil && !fault.needsHealthy {
		fault.answer(x)
		return
	}
	rec := httptest.NewRecorder()
	s.healthy.ServeHTTP(rec, r)
	x.healthy = rec.Body.Bytes()
	x.header = rec.Header()
	x.status = rec.Code
	if fault != nil {
		fault.answer(x)
		return
	}
	s.mu.Lock()
	s.bodies = append(s.bodies, x.healthy)
	clock := s.clock
	s.mu.Unlock()
	x.copyHeader()
	if clock != nil {
		clock.stamp(w.Header())
	}
	w.WriteHeader(x.status)
	_, _ = w.Write(x.healthy)
}

// take records the request and returns the fault that it meets and the crowd that it is of, if any.
func (s *httpSystem) take(r *http.Request) (*variant, *crowd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, seen{r.Method, r.URL.String(), r.URL.EscapedPath(), r.Header.Clone()})
	if s.armed == nil {
		return nil, s.crowd
	}
	s.since++
	if s.nth != 0 && s.nth != s.since {
		return nil, s.crowd
	}
	return s.armed, s.crowd
}

// exchange is one request that meets a fault. The healthy answer is there only where the fault needs it.
type exchange struct {
	w       http.ResponseWriter
	r       *http.Request
	sys     *httpSystem
	status  int
	header  http.Header
	healthy []byte
}

func (x exchange) copyHeader() {
	for k, v := range x.header {
		x.w.Header()[k] = v
	}
}

// hang waits until the client or the system is gone.
func (x exchange) hang() {
	select {
	case x.sys.hanging <- struct{}{}:
	default:
	}
	select {
	case <-x.r.Context().Done():
	case <-x.sys.release:
	}
}

// reset breaks the connection without a farewell.
func (x exchange) reset() {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}
