package cli

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/webpage"
)

// callbackPath is where a vendor sends the browser back to.
const callbackPath = "/callback"

// callbackAddress is the address that the operator registers at a provider.
func callbackAddress(port int) string {
	return "http://" + loopback(port) + callbackPath
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// returned is what a browser brings back from a vendor: a code, or why there is none.
type returned struct {
	code         string
	refused, why string // the vendor's error code and text
}

// readReturn reads what comes back from a vendor for the flow of a state. It returns what is wrong with it, if
// anything is.
func readReturn(q url.Values, state string) (r returned, fault string) {
	for _, name := range []string{"state", "code", "error"} {
		if len(q[name]) > 1 {
			return r, "it names its " + name + " twice"
		}
	}
	r = returned{code: q.Get("code"), refused: q.Get("error"), why: q.Get("error_description")}
	switch {
	case q.Get("state") == "":
		return returned{}, "it has no state"
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1:
		return returned{}, "its state is another one's"
	case (r.code == "") == (r.refused == ""):
		return returned{}, "it brings no code"
	}
	return r, ""
}

// callback is the server on the loopback address that a browser comes back to. It waits for one flow.
type callback struct {
	app   string
	host  string // the only Host that is answered
	state string
	came  chan returned // the first return that is this flow's

	answer   sync.Once
	answered chan struct{}
	page     webpage.Page // what the browser is shown, once answered is closed

	server  *http.Server
	serving sync.WaitGroup
	busy    sync.RWMutex // read-locked by requests that wait for the answer
}

// listenForReturn listens on the port that a vendor sends the browser back to.
func listenForReturn(ctx context.Context, port int) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", loopback(port))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, connectors.Wrap(connectors.Unavailable, err,
			"port %d is in use, and the browser has to come back to it: end what listens there (another `ucf connect`?), "+
				"set UCF_OAUTH_PORT to a free one and register http://127.0.0.1:PORT/callback at the provider, or use --no-browser", port)
	case err != nil:
		return nil, listenError(loopback(port), err)
	}
	return ln, nil
}

// serveCallback waits on a listener for the browser that brings back a state. It is to be closed.
func serveCallback(ln net.Listener, app, state string) *callback {
	b := &callback{app: app, host: ln.Addr().String(), state: state, came: make(chan returned, 1), answered: make(chan struct{})}
	b.server = &http.Server{
		Handler: b, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10, ErrorLog: log.New(io.Discard, "", 0),
	}
	b.serving.Go(func() { _ = b.server.Serve(ln) })
	return b
}

// ServeHTTP answers a browser. What is not the flow's own return is refused, and the flow goes on waiting.
func (b *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Host != b.host:
		// A name that was made to resolve to the loopback address must not read what is answered here.
		b.refuse(w, http.StatusMisdirectedRequest, "This address is not answered here.")
	case r.URL.Path != callbackPath:
		b.refuse(w, http.StatusNotFound, "There is nothing at this address.")
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		b.refuse(w, http.StatusMethodNotAllowed, "This address is only read.")
	default:
		b.back(w, r)
	}
}

func (b *callback) refuse(w http.ResponseWriter, status int, text string) {
	webpage.Page{Status: status, Kind: webpage.Warn, Title: "Nothing to see", Text: text}.Write(w, b.app)
}

// back takes a return. All that bring the right state are shown how the flow ended; the first one counts.
func (b *callback) back(w http.ResponseWriter, r *http.Request) {
	got, fault := readReturn(r.URL.Query(), b.state)
	if fault != "" {
		webpage.Page{
			Status: http.StatusBadRequest, Kind: webpage.Warn, Title: "Not the consent that is waited for",
			Text: "This page was opened by something else than the connection that is being made: " + fault + ".",
			Next: "Go back to the terminal: it still waits, and shows the address to open.",
		}.Write(w, b.app)
		return
	}
	b.busy.RLock()
	defer b.busy.RUnlock()
	select {
	case b.came <- got:
	default:
	}
	select {
	case <-b.answered:
		b.page.Write(w, b.app)
	case <-r.Context().Done():
	}
}

// show decides what the browser is shown; the first call counts.
func (b *callback) show(p webpage.Page) {
	if b == nil {
		return
	}
	b.answer.Do(func() {
		b.page = p
		close(b.answered)
	})
}

// close ends the server when every browser that waits has its page.
func (b *callback) close() {
	if b == nil {
		return
	}
	b.show(webpage.Page{
		Status: http.StatusServiceUnavailable, Kind: webpage.Warn, Title: "Not connected", Text: "The command in the terminal has ended.",
		Next: "Start it again, and close this window.",
	})
	written := make(chan struct{})
	go func() {
		b.busy.Lock()
		defer b.busy.Unlock()
		close(written)
	}()
	select {
	case <-written:
	case <-time.After(2 * time.Second):
	}
	_ = b.server.Close()
	b.serving.Wait()
}

// returns is where the first return comes; nil, which never comes, without a server.
func (b *callback) returns() <-chan returned {
	if b == nil {
		return nil
	}
	return b.came
}
