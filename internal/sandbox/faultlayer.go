package sandbox

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// faultLayer stands in front of every provider surface. Faults of the connection and of whole answers happen here;
// faults inside a page are asked for by the surface that makes the page, through hits.
type faultLayer struct {
	faults []*armedFault
}

// armedFault is a Fault with its counters.
type armedFault struct {
	Fault
	salt  uint64
	seen  atomic.Int64
	fired atomic.Int64
}

func newFaultLayer(seed uint64, faults []Fault) *faultLayer {
	l := &faultLayer{}
	for i, f := range faults {
		r := newRNG(seed, domainFault, int64(i))
		l.faults = append(l.faults, &armedFault{Fault: f, salt: r.next()})
	}
	return l
}

// strikes counts the request, if the fault is about such requests, and reports whether it is hit.
func (f *armedFault) strikes(r *http.Request) bool {
	if !strings.Contains(r.URL.Path, f.path) || (f.method != "" && f.method != r.Method) {
		return false
	}
	n := f.seen.Add(1) - int64(f.after)
	if n <= 0 || (f.every > 0 && n%int64(f.every) != 0) {
		return false
	}
	draw := newRNG(f.salt, domainFault, n)
	if f.rate < 1 && draw.unit() >= f.rate {
		return false
	}
	return f.count == 0 || f.fired.Add(1) <= int64(f.count)
}

// hits reports whether a fault of that kind strikes this request. It counts, so a surface asks once a request.
func (l *faultLayer) hits(kind faultKind, r *http.Request) bool {
	for _, f := range l.faults {
		if f.kind == kind && f.strikes(r) {
			return true
		}
	}
	return false
}

// faulty reports whether there is a fault of one of those kinds.
func (l *faultLayer) faulty(kinds ...faultKind) bool {
	return slices.ContainsFunc(l.faults, func(f *armedFault) bool { return slices.Contains(kinds, f.kind) })
}

func (l *faultLayer) wrap(next http.Handler) http.Handler {
	if len(l.faults) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, f := range l.faults {
			if f.inPage() || !f.strikes(r) {
				continue
			}
			if f.kind != faultLatency {
				f.strike(w, r, next)
				return
			}
			if !pause(r.Context(), f.delay) {
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (f *Fault) inPage() bool {
	return f.kind == faultRepeatToken || f.kind == faultExpireToken || f.kind == faultEmptyPage
}

// pause waits, and reports false when the client went away before the time was over.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// strike answers in the way of the fault.
func (f *Fault) strike(w http.ResponseWriter, r *http.Request, next http.Handler) {
	switch f.kind {
	case faultStatus:
		f.refuse(w, r)
	case faultHang:
		_, _ = io.Copy(io.Discard, r.Body) // an unread body would hide that the client goes away
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case faultReset:
		reset(w)
	case faultLost:
		next.ServeHTTP(&recording{header: http.Header{}}, r.WithContext(context.WithoutCancel(r.Context())))
		reset(w)
	case faultCut, faultTruncate:
		f.halve(w, r, next)
	case faultHTML:
		writeHTML(w, http.StatusOK, loginPage)
	case faultPad:
		next.ServeHTTP(w, r)
		pad(r.Context(), w, f.size)
	case faultAnonymous:
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), anonymousKey{}, true)))
	}
}

// anonymousKey marks a request whose credentials are to be ignored.
type anonymousKey struct{}

func isAnonymous(r *http.Request) bool {
	v, _ := r.Context().Value(anonymousKey{}).(bool)
	return v
}

// refuse answers with the fault's status. X-RateLimit-Reset is told by the real clock, as the Date header is,
// because clients compare it with theirs.
func (f *Fault) refuse(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	if f.retryAfter >= 0 {
		header.Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	if f.status == http.StatusTooManyRequests {
		reset := time.Now().UTC().Add(time.Duration(max(0, f.retryAfter)) * time.Second)
		header.Set("X-RateLimit-Limit", "100")
		header.Set("X-RateLimit-Remaining", "0")
		header.Set("X-RateLimit-NearLimit", "true")
		header.Set("X-RateLimit-Reset", reset.Format("2006-01-02T15:04Z"))
		header.Set("RateLimit-Reason", f.reasonAt(r.URL.Path))
	}
	if f.status == http.StatusBadGateway || f.status == http.StatusGatewayTimeout {
		writeHTML(w, f.status, gatewayPage)
		return
	}
	writeFailure(w, r, f.status, statusMessage(f.status))
}

// reasonAt is the reason of a 429, which Confluence names after itself.
func (f *Fault) reasonAt(path string) string {
	if f.reason == defaultReason && strings.Contains(path, "/wiki/") {
		return "confluence-quota-tenant-based"
	}
	return f.reason
}

func statusMessage(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return messageUnauthenticated
	case http.StatusGone:
		return messageRemoved
	case http.StatusTooManyRequests:
		return "Rate limit exceeded."
	case http.StatusInternalServerError:
		return "Internal server error"
	}
	if text := http.StatusText(status); text != "" {
		return text
	}
	return "Status " + strconv.Itoa(status)
}

// reset ends the connection with RST, so that the client sees a reset and not an end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

// halve sends the first half of the true answer: cut announces the whole and breaks off, truncate pretends that
// the half is all.
func (f *Fault) halve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	full := recording{header: w.Header(), status: http.StatusOK}
	next.ServeHTTP(&full, r)
	half := full.body.Bytes()[:full.body.Len()/2]
	announced := len(half)
	if f.kind == faultCut {
		announced = full.body.Len()
	}
	w.Header().Set("Content-Length", strconv.Itoa(announced))
	w.WriteHeader(full.status)
	_, _ = w.Write(half)
	if f.kind == faultCut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// recording keeps an answer instead of sending it.
type recording struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (c *recording) Header() http.Header         { return c.header }
func (c *recording) WriteHeader(status int)      { c.status = status }
func (c *recording) Write(p []byte) (int, error) { return c.body.Write(p) }

func pad(ctx context.Context, w io.Writer, size int64) {
	spaces := bytes.Repeat([]byte{' '}, 64<<10)
	for size > 0 && ctx.Err() == nil {
		n := min(size, int64(len(spaces)))
		if _, err := w.Write(spaces[:n]); err != nil {
			return
		}
		size -= n
	}
}
