package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// faultKind says what goes wrong.
type faultKind string

const (
	faultLatency     faultKind = "latency"
	faultStatus      faultKind = "status" // written as the number itself
	faultHang        faultKind = "hang"
	faultReset       faultKind = "reset"
	faultLost        faultKind = "lost"
	faultCut         faultKind = "cut"
	faultTruncate    faultKind = "truncate"
	faultHTML        faultKind = "html"
	faultPad         faultKind = "pad"
	faultAnonymous   faultKind = "anonymous"
	faultRepeatToken faultKind = "repeat-token"
	faultExpireToken faultKind = "expire-token"
	faultEmptyPage   faultKind = "empty-page"
)

// Bounds of a fault's values.
const (
	maxLatency    = time.Hour
	maxPad        = 4 << 30
	maxRetryAfter = 24 * 60 * 60
	maxFaultCount = 1_000_000_000
	maxSelector   = 256
)

const defaultReason = "jira-burst-based"

// Fault is one way in which the sandbox misbehaves, and for which requests. The zero Fault is not valid; ParseFault
// makes one. Faults are comparable.
type Fault struct {
	kind       faultKind
	status     int
	delay      time.Duration
	size       int64
	rate       float64
	path       string
	method     string
	after      int
	every      int
	count      int
	retryAfter int // seconds, negative when the header is left out
	reason     string
}

// ParseFault reads the grammar of `ucf sandbox --fault`:
//
//	KIND[=VALUE][,OPTION=VALUE]…
//
// Kinds that need their value:
//
//	latency=200ms   waits before answering; a duration up to 1h
//	pad=100MB       answers as usual and then sends that many more spaces (B, KB, MB, GB)
//
// Kinds whose value is the share of requests that they hit, 0 to 1, by default 1:
//
//	400 … 599       answers with that status and the provider's body for it, as in 429=0.1, 503 or 410
//	hang            never answers; ends when the client goes away
//	reset           resets the TCP connection instead of answering
//	lost            carries the request out and then resets the connection: the answer is lost, and with it the new
//	                refresh token, when the old one is used up
//	cut             closes the connection in the middle of the body, whose length was announced in full
//	truncate        sends half of the body as a complete answer, so that the JSON breaks off
//	html            answers 200 with an HTML login page
//	anonymous       ignores the credentials: 200 with nothing visible in it, as Jira does for a dead token
//	repeat-token    a page names its own page token, cursor or query locator as the next one
//	expire-token    a page token or cursor is refused as expired
//	empty-page      a page has nothing but a next page token or cursor
//
// Options:
//
//	rate=0.1           the share, for the kinds whose value is something else
//	path=/search/jql   only requests whose path contains that
//	method=GET         only requests with that method
//	after=3            not the first 3 matching requests
//	every=10           of the rest, only each tenth
//	count=5            at most 5 times
//	retry-after=2      with a status: the Retry-After header in seconds; 429 has 1 unless "none" is given
//	reason=TEXT        with 429: the RateLimit-Reason header, by default jira-burst-based, and of Confluence
//	                   confluence-quota-tenant-based
//
// The page faults (repeat-token, expire-token, empty-page) see only answers of Jira's search, of Confluence's listings
// and of Salesforce's queries; expire-token sees only requests that carry a token. The Salesforce org answers a request
// without credentials with 401. A share is decided by the seed and the number of the matching request, never by time.
// When several faults are given, they are asked in that order; the first that answers hides the request from the
// ones after it, while latency and the page faults work together with others.
func ParseFault(spec string) (Fault, error) {
	head, options, hasOptions := strings.Cut(spec, ",")
	f := Fault{rate: 1, retryAfter: -1}
	if err := f.setKind(head); err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", spec, err)
	}
	if f.status == http.StatusTooManyRequests {
		f.retryAfter, f.reason = 1, defaultReason
	}
	seen := map[string]bool{}
	for hasOptions {
		var option string
		option, options, hasOptions = strings.Cut(options, ",")
		name, value, _ := strings.Cut(option, "=")
		if seen[name] {
			return Fault{}, fmt.Errorf("fault %q: option %q is given twice", spec, name)
		}
		seen[name] = true
		if err := f.setOption(name, value); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %w", spec, err)
		}
	}
	return f, nil
}

func (f *Fault) setKind(head string) error {
	name, value, valued := strings.Cut(head, "=")
	var err error
	switch kind := faultKind(name); kind {
	case "":
		return errors.New("the kind is missing: write for example 429=0.1 or latency=200ms")
	case faultLatency:
		f.kind = kind
		f.delay, err = parseDelay(value)
		return err
	case faultPad:
		f.kind = kind
		f.size, err = parseSize(value)
		return err
	case faultHang, faultReset, faultLost, faultCut, faultTruncate, faultHTML, faultAnonymous,
		faultRepeatToken, faultExpireToken, faultEmptyPage:
		f.kind = kind
	default:
		if f.status, err = parseStatus(name); err != nil {
			return err
		}
		f.kind = faultStatus
	}
	if valued {
		f.rate, err = parseRate(value)
	}
	return err
}

func (f *Fault) setOption(name, value string) (err error) {
	switch name {
	case "rate":
		f.rate, err = parseRate(value)
	case "path":
		f.path, err = parseSelector(name, value)
	case "method":
		f.method, err = parseSelector(name, strings.ToUpper(value))
	case "after":
		f.after, err = parseCount(name, value, 0, maxFaultCount)
	case "every":
		f.every, err = parseCount(name, value, 1, maxFaultCount)
	case "count":
		f.count, err = parseCount(name, value, 1, maxFaultCount)
	case "retry-after", "reason":
		err = f.setStatusOption(name, value)
	default:
		err = fmt.Errorf("option %q is unknown: use rate, path, method, after, every, count, retry-after or reason", name)
	}
	return err
}

func (f *Fault) setStatusOption(name, value string) (err error) {
	if f.kind != faultStatus {
		return fmt.Errorf("option %q goes only with a status such as 429", name)
	}
	if name == "reason" {
		if f.status != http.StatusTooManyRequests {
			return errors.New("option \"reason\" goes only with 429")
		}
		f.reason, err = parseSelector(name, value)
		return err
	}
	if value == "none" {
		f.retryAfter = -1
		return nil
	}
	f.retryAfter, err = parseCount(name, value, 0, maxRetryAfter)
	return err
}

// String returns the canonical spec; ParseFault reads it back to an equal Fault.
func (f Fault) String() string {
	var b strings.Builder
	switch f.kind {
	case faultLatency:
		b.WriteString("latency=" + f.delay.String())
	case faultPad:
		b.WriteString("pad=" + strconv.FormatInt(f.size, 10) + "B")
	case faultStatus:
		b.WriteString(strconv.Itoa(f.status))
	default:
		b.WriteString(string(f.kind))
	}
	option := func(name, value string, given bool) {
		if given {
			b.WriteString("," + name + "=" + value)
		}
	}
	option("rate", strconv.FormatFloat(f.rate, 'g', -1, 64), f.rate != 1)
	option("path", f.path, f.path != "")
	option("method", f.method, f.method != "")
	option("after", strconv.Itoa(f.after), f.after > 0)
	option("every", strconv.Itoa(f.every), f.every > 0)
	option("count", strconv.Itoa(f.count), f.count > 0)
	option("retry-after", strconv.Itoa(f.retryAfter), f.retryAfter >= 0)
	option("retry-after", "none", f.retryAfter < 0 && f.status == http.StatusTooManyRequests)
	option("reason", f.reason, f.reason != "" && f.reason != defaultReason)
	return b.String()
}
