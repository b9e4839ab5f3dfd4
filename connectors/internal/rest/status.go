package rest

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// maxWait bounds what a provider's wait is believed to be.
const maxWait = 24 * time.Hour

// judge returns the error that an answer amounts to, or nil for a success.
func (c *Client) judge(a Answer) error {
	if c.Judge != nil {
		if err := c.Judge(a); err != nil {
			return err
		}
	}
	if a.Status >= http.StatusOK && a.Status < http.StatusMultipleChoices {
		return nil
	}
	e := c.refusal(a)
	if e.Details == nil {
		e.Details = map[string]any{}
	}
	e.Details["status"] = a.Status
	return e
}

func (c *Client) refusal(a Answer) *connectors.Error {
	switch a.Status {
	case http.StatusUnauthorized:
		return connectors.Errorf(connectors.Reauthorize, "%s refused the credential: connect again%s", c.System, c.said(a))
	case http.StatusForbidden:
		return connectors.Denied(nil, "%s forbids this to the account%s. %s", c.System, c.said(a),
			cmp.Or(c.Forbidden, "Give the account the permission, or connect with another one"))
	case http.StatusNotFound:
		return c.notFound(a)
	case http.StatusRequestTimeout:
		return connectors.Errorf(connectors.Timeout, "%s gave up waiting for the request: try again", c.System)
	case http.StatusGone:
		return connectors.Errorf(connectors.ProviderError,
			"%s has removed the endpoint that this version of ucf uses; install a newer one%s", c.System, c.said(a))
	case http.StatusTooManyRequests:
		return c.rateLimited(a)
	}
	return c.otherRefusal(a)
}

func (c *Client) otherRefusal(a Answer) *connectors.Error {
	switch s := a.Status; {
	case s >= http.StatusInternalServerError:
		return connectors.Errorf(connectors.ProviderError, "%s failed with status %d: try again later", c.System, s)
	case s < http.StatusBadRequest:
		return c.redirected(a)
	case isWebPage(a.Header, a.Body):
		return c.webPage()
	}
	return connectors.Errorf(connectors.InvalidRequest, "%s refused the request with status %d%s", c.System, a.Status, c.said(a))
}

func (c *Client) notFound(a Answer) *connectors.Error {
	if isWebPage(a.Header, a.Body) {
		return connectors.Errorf(connectors.NotFound, "%s's API is not at this address: check %s", c.System, c.AddressField)
	}
	return connectors.Errorf(connectors.NotFound, "%s has nothing there, or the account may not see it%s", c.System, c.said(a))
}

func (c *Client) rateLimited(a Answer) *connectors.Error {
	wait := c.wait(a.Header)
	msg := "wait a little and try again"
	if wait > 0 {
		msg = "try again in " + wait.String()
	}
	e := connectors.Errorf(connectors.RateLimited, "%s takes no more requests for now; %s", c.System, msg)
	e.RetryAfter = wait
	return e
}

// redirected names the host that a redirect leads to: http for https and a renamed site show in it.
func (c *Client) redirected(a Answer) *connectors.Error {
	to := "elsewhere"
	if u, err := url.Parse(a.Header.Get("Location")); err == nil && u.Host != "" {
		to = "to " + clean(u.Scheme+"://"+u.Host, 120)
	}
	return connectors.Errorf(connectors.ProviderError, "the address redirects %s instead of answering as %s's API: check %s",
		to, c.System, c.AddressField)
}

// said returns the system's own messages in brackets, fit to be shown, or nothing.
func (c *Client) said(a Answer) string {
	messages := c.Messages(a)
	if len(messages) == 0 {
		return ""
	}
	return " (" + strings.Join(messages, "; ") + ")"
}

// wait returns how long a refusal asks to wait, in whole seconds, zero where it does not say: Retry-After in seconds
// or as a date, else X-RateLimit-Reset as a date or in seconds since 1970.
func (c *Client) wait(h http.Header) time.Duration {
	now := c.now()
	for _, name := range []string{"Retry-After", "X-RateLimit-Reset"} {
		if d, ok := waitOf(strings.TrimSpace(h.Get(name)), now); ok {
			return min(max(d.Round(time.Second), time.Second), maxWait)
		}
	}
	return 0
}

// sinceEpoch is where a number stops being a wait in seconds and is a point in time.
const sinceEpoch = 1_000_000_000

func waitOf(s string, now time.Time) (time.Duration, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		if n < sinceEpoch {
			return time.Duration(n) * time.Second, true
		}
		return time.Unix(n, 0).Sub(now), true
	}
	for _, layout := range []string{http.TimeFormat, time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.000-0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Sub(now), true
		}
	}
	return 0, false
}
