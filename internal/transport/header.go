package transport

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAfter bounds what a provider's header can make us wait for, so that a hostile number neither overflows nor
// names a time that nobody will see.
const maxAfter = 24 * time.Hour

// scope says what a limit covers.
type scope int

const (
	scopeNone     scope = iota // this request alone
	scopeEndpoint              // one method and endpoint
	scopeKey                   // everything of the budget key
	scopeAll                   // everything of the quota, whoever's it is
)

// askedWait returns how long an answer asks us to wait before the same request: what Retry-After says and, for a
// refusal for too many requests, the reset of the quota, whichever is longer. Zero means that it does not say.
func askedWait(resp *http.Response, now time.Time) time.Duration {
	wait := parseRetryAfter(resp.Header, now)
	if resp.StatusCode == http.StatusTooManyRequests {
		wait = max(wait, quotaReset(resp.Header, true, now))
	}
	return wait
}

// parseRetryAfter reads Retry-After: seconds or an HTTP date (RFC 9110 section 10.2.3). A date is read by the
// answer's own clock where it tells it, so that a skewed one does no harm.
func parseRetryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if d, ok := parseSeconds(v); ok {
		return d
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return bounded(at.Sub(now))
}

// quotaReset returns the time until a used-up quota is full again, zero where none is. A refused request proves that
// one is, unless the header counts what is left. Known are the X-RateLimit headers (Reset as ISO 8601, as Atlassian
// writes it, as epoch seconds or milliseconds, or as seconds from now) and the RateLimit header of the IETF draft,
// with or without Atlassian's "Beta-" prefix.
func quotaReset(h http.Header, refused bool, now time.Time) time.Duration {
	var wait time.Duration
	left := h.Get("X-RateLimit-Remaining")
	if left == "0" || left == "" && refused {
		wait = parseReset(h.Get("X-RateLimit-Reset"), now)
	}
	for _, name := range []string{"RateLimit", "Beta-RateLimit"} {
		for _, v := range h.Values(name) {
			wait = max(wait, parsePolicy(v))
		}
	}
	return wait
}

// parseReset reads a time in any of the forms that X-RateLimit-Reset is seen in and returns how far away it is.
func parseReset(v string, now time.Time) time.Duration {
	v = strings.TrimSpace(v)
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		switch {
		case n >= 1e11:
			return bounded(time.UnixMilli(n).Sub(now))
		case n >= 1e9:
			return bounded(time.Unix(n, 0).Sub(now))
		}
	}
	if d, ok := parseSeconds(v); ok {
		return d
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05-0700", http.TimeFormat} {
		if t, err := time.Parse(layout, v); err == nil {
			return bounded(t.Sub(now))
		}
	}
	return 0
}

// parsePolicy returns the longest reset of the quotas that a RateLimit header says are used up, as in
// `"global-app-quota";r=0;t=120, "burst";r=3;t=1`.
func parsePolicy(v string) time.Duration {
	var longest time.Duration
	for item := range strings.SplitSeq(v, ",") {
		params := map[string]string{}
		for param := range strings.SplitSeq(item, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
			params[name] = value
		}
		if d, ok := parseSeconds(params["t"]); ok && params["r"] == "0" {
			longest = max(longest, d)
		}
	}
	return longest
}

// parseSeconds reads a number of seconds, which some systems write with a fraction.
func parseSeconds(s string) (time.Duration, bool) {
	if s == "" || strings.Trim(s, "0123456789.") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(min(n, maxAfter.Seconds()) * float64(time.Second)), true
}

func bounded(d time.Duration) time.Duration { return min(max(d, 0), maxAfter) }

// limitScope tells what a refused request's limit covers, from RateLimit-Reason: Atlassian's global quota stops the app
// over all tenants, a tenant's quota everything there, a burst one endpoint, a limit on writes one issue. Reasons differ between its documents and its answers, so
// they are matched loosely; without one everything stops.
func limitScope(reason string) scope {
	reason = strings.ToLower(reason)
	switch {
	case strings.Contains(reason, "per-issue"):
		return scopeNone
	case strings.Contains(reason, "burst"):
		return scopeEndpoint
	case strings.Contains(reason, "global"):
		return scopeAll
	}
	return scopeKey
}
