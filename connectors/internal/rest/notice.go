package rest

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/unified-connector/ucf/connectors"
)

// notices are the endpoints that the system announced the end of.
type notices struct {
	mu   sync.Mutex
	seen map[string]string // from the endpoint to where the announcement is, "" if it is nowhere
}

// maxNotices bounds how many endpoints are remembered.
const maxNotices = 50

// note remembers an endpoint whose answer announces its end: by a Link of relation "deprecation" or "sunset"
// (RFC 8288), or by the header Deprecation (RFC 9745) or Sunset (RFC 8594).
func (c *Client) note(req *http.Request, h http.Header) {
	about, announced := "", h.Get("Deprecation") != "" || h.Get("Sunset") != ""
	for _, rel := range []string{"sunset", "deprecation"} {
		if target, ok := Links(h)[rel]; ok {
			about, announced = target, true
		}
	}
	if !announced {
		return
	}
	c.notices.mu.Lock()
	defer c.notices.mu.Unlock()
	if c.notices.seen == nil {
		c.notices.seen = map[string]string{}
	}
	if len(c.notices.seen) < maxNotices {
		c.notices.seen[req.Method+" "+endpoint(req.URL)] = about
	}
}

// idLike is a segment of a path that names one thing rather than a kind of things.
var idLike = regexp.MustCompile(`^[A-Z0-9_-]*[0-9][A-Za-z0-9_-]*$`)

// endpoint returns a path with what looks like an id replaced, as in /wiki/api/v2/pages/*/inline-comments.
func endpoint(u *url.URL) string {
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		if idLike.MatchString(s) && len(s) > 1 {
			segments[i] = "*"
		}
	}
	return clean(strings.Join(segments, "/"), 160)
}

// Deprecations returns a warning for every endpoint that the system has announced the end of so far.
func (c *Client) Deprecations() []connectors.Warning {
	c.notices.mu.Lock()
	defer c.notices.mu.Unlock()
	var list []connectors.Warning
	for _, e := range slices.Sorted(maps.Keys(c.notices.seen)) {
		msg := c.System + " will remove " + e + ", which ucf uses: look for a newer version of ucf"
		if about := c.notices.seen[e]; about != "" {
			msg += "; " + clean(about, 200)
		}
		list = append(list, connectors.Warning{Code: "deprecated_endpoint", Message: msg})
	}
	return list
}

var (
	// linkForm is one link of a Link header: its target and its parameters.
	linkForm = regexp.MustCompile(`<([^>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)`)
	// paramForm is one parameter of a link.
	paramForm = regexp.MustCompile(`;\s*([^\s=;,"]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*))?`)
)

// Links returns the targets of the Link headers by relation (RFC 8288), in lower case; the first of a relation counts.
func Links(h http.Header) map[string]string {
	out := map[string]string{}
	for _, line := range h.Values("Link") {
		for _, link := range linkForm.FindAllStringSubmatch(line, -1) {
			for _, rel := range relations(link[2]) {
				if _, known := out[rel]; !known {
					out[rel] = link[1]
				}
			}
		}
	}
	return out
}

// relations returns the relations that the parameters of a link name.
func relations(params string) []string {
	for _, p := range paramForm.FindAllStringSubmatch(params, -1) {
		if strings.EqualFold(p[1], "rel") {
			return strings.Fields(strings.ToLower(strings.Trim(p[2], `"`)))
		}
	}
	return nil
}

// Canary is one small request that tells whether an endpoint that listings need is there and may be used.
type Canary struct {
	What string // what cannot be read without it, "issues"
	Ask  func(context.Context) error
}

// Check asks every canary. An endpoint that was removed, and one that the account may not use, are warnings; every
// other failure is the error it is.
func (c *Client) Check(ctx context.Context, canaries ...Canary) ([]connectors.Warning, error) {
	var list []connectors.Warning
	for _, k := range canaries {
		err := k.Ask(ctx)
		switch {
		case err == nil:
		case IsGone(err):
			list = append(list, connectors.Warning{
				Code: "removed_endpoint", Message: k.What + " cannot be read: " + connectors.AsError(err).Message,
			})
		case connectors.IsDenied(err):
			list = append(list, connectors.Warning{
				Code: "not_permitted", Message: k.What + " cannot be read: " + connectors.AsError(err).Message,
			})
		default:
			return nil, err
		}
	}
	return append(list, c.Deprecations()...), nil
}

// IsGone reports whether err is the answer of an endpoint that was removed.
func IsGone(err error) bool { return StatusOf(err) == http.StatusGone }

// StatusOf returns the HTTP status of the answer that err stands for, 0 where it stands for none.
func StatusOf(err error) int {
	var e *connectors.Error
	if !errors.As(err, &e) {
		return 0
	}
	status, _ := e.Details["status"].(int)
	return status
}
