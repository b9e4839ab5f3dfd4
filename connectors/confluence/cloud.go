package confluence

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// cloud reads a site of Confluence Cloud.
type cloud struct {
	api     *rest.Client
	site    string // the site's address for browsers, without /wiki
	sent    string // the address that the credential is sent to
	gateway *atlassian.Gateway
	// metered says that requests cost points of the app's hourly budget: those by OAuth do.
	metered bool
	spaces  *spaceNames
	people  displayNames // display names by account id
	now     func() time.Time
	vouched atomic.Int64 // when the account was last confirmed, in nanoseconds since 1970
}

const (
	v2 = "/wiki/api/v2"
	v1 = "/wiki/rest/api"
	// maxPage is the largest page that version 2 hands out.
	maxPage = 250
)

// Probe asks the site who is connected and for one space, with which it tells what it is, and makes one small request to
// every endpoint that listings need. It warns of endpoints that were or will be removed or that the account may not use,
// of an account that sees no space, of a clock that is off, and of an address without TLS.
func (c *cloud) Probe(ctx context.Context) (connectors.ProbeResult, error) {
	me, header, err := c.currentUser(ctx)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	page, err := c.get(ctx, v2+"/spaces", url.Values{}, 1, "")
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	noticed, err := c.api.Check(ctx, c.canaries()...)
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	warnings := c.api.Warnings(c.sent, header)
	if len(page.Results) == 0 {
		warnings = append(warnings, connectors.Warning{Code: "no_spaces", Message: "the account sees no space: give it the permission to view one"})
	}
	base := cmp.Or(page.Links.Base, c.site+"/wiki")
	if c.gateway != nil && !atlassian.SameSite(atlassian.Confluence.SiteOf(base), c.site) {
		warnings = append(warnings, connectors.Warning{
			Code: "other_site", Message: "cloud_id leads to " + base + ", not to base_url: connect again, or correct one of them",
		})
	}
	return connectors.ProbeResult{
		Instance: connectors.Instance{Name: hostOf(base), URL: base, Type: "Cloud"},
		Account:  connectors.Account{ID: me.AccountID, Name: me.name()},
		Warnings: append(warnings, noticed...),
	}, nil
}

// canaries ask every endpoint that listings need for one entry.
func (c *cloud) canaries() []rest.Canary {
	first := ""
	one := func(path string) func(context.Context) error {
		return func(ctx context.Context) error {
			page, err := c.get(ctx, v2+path, url.Values{}, 1, "")
			if err == nil && path == "/pages" && len(page.Results) > 0 {
				var p content
				err = c.read(page.Results[0], &p)
				first = p.ID
			}
			return err
		}
	}
	commentsOn := func(kind string) func(context.Context) error {
		return func(ctx context.Context) error {
			if first == "" {
				return one("/" + kind)(ctx)
			}
			_, err := c.get(ctx, v2+rest.Path("pages", first, kind), url.Values{}, 1, "")
			if rest.StatusOf(err) == http.StatusNotFound {
				return nil // the page went in between
			}
			return err
		}
	}
	return []rest.Canary{
		{What: "pages", Ask: one("/pages")},
		{What: "blog posts", Ask: one("/blogposts")},
		{What: "footer comments", Ask: commentsOn("footer-comments")},
		{What: "inline comments", Ask: commentsOn("inline-comments")},
		{What: "the results of queries", Ask: func(ctx context.Context) error {
			_, err := c.search(ctx, "type = page", 1, "")
			return err
		}},
	}
}

// currentUser asks who is connected, and explains an address that is not a site's.
func (c *cloud) currentUser(ctx context.Context) (user, http.Header, error) {
	var me user
	header, err := c.api.Get(ctx, v1+"/user/current", nil, &me)
	switch {
	case c.gateway != nil:
		err = c.gateway.Explain(err)
	case connectors.CodeOf(err) == connectors.NotFound:
		err = c.explain(ctx, err)
	}
	switch {
	case err != nil:
		return me, nil, err
	case me.Type == anonymous:
		return me, nil, connectors.Errorf(connectors.Reauthorize,
			"Confluence does not know the credential and answers as to a stranger: connect again")
	case me.AccountID == "":
		return me, nil, c.api.Nonsense("an account without an id")
	}
	return me, header, nil
}

// explain finds out what an address is that has no Confluence Cloud.
func (c *cloud) explain(ctx context.Context, missing error) error {
	var page listed
	// Confluence Server and Data Center have version 1 of the API without /wiki; the site of a Cloud has Jira there.
	if _, err := c.api.Get(ctx, "/rest/api/space", url.Values{"limit": {"1"}}, &page); err == nil && page.Results != nil {
		return connectors.InvalidFields(connectors.Fault{Field: "auth_method", Message: "this is Confluence Server or Data Center: use " +
			atlassian.MethodPAT + " with a personal access token from your profile there"})
	}
	return connectors.Wrap(connectors.NotFound, missing, "this is not a Confluence Cloud site: base_url must be the site's address alone, "+
		"as in https://your-domain.atlassian.net, without the path of a page such as /wiki/spaces/…")
}

// vouch asks whether Confluence knows the account: to a stranger it answers with what anyone may see, which is mostly an
// empty page and no error. It is asked at the end of a listing. An answer of the last minute serves, unless the account was
// good for an earlier page of the same listing and may have ended since.
func (c *cloud) vouch(ctx context.Context, again bool) error {
	now := c.now().UnixNano()
	if last := c.vouched.Load(); !again && last != 0 && now-last < int64(vouchFor) && now >= last {
		return nil
	}
	if _, _, err := c.currentUser(ctx); err != nil {
		return err
	}
	c.vouched.Store(now)
	return nil
}

// vouchEnd is vouch at the end of a listing whose last page has n entries. The gateway answers no strangers: what came
// through it was for the account.
func (c *cloud) vouchEnd(ctx context.Context, n int, again bool) error {
	if n > 0 && c.gateway != nil {
		return nil
	}
	return c.vouch(ctx, again)
}

// vouchFor is how long a confirmed account is not asked about again.
const vouchFor = time.Minute

// get asks for one page of a listing. The cursor is the one that [cloud.next] found.
func (c *cloud) get(ctx context.Context, path string, query url.Values, limit int, cursor string) (listed, error) {
	for range maxEmpties {
		page, err := c.getOne(ctx, path, query, limit, cursor)
		if err != nil || len(page.Results) > 0 || page.cursor == "" || page.cursor == cursor {
			return page, err
		}
		cursor = page.cursor
	}
	return listed{}, c.api.Nonsense("empty pages that do not end")
}

// maxEmpties is how many empty pages in a row are taken for a listing that still goes on.
const maxEmpties = 100

func (c *cloud) getOne(ctx context.Context, path string, query url.Values, limit int, cursor string) (listed, error) {
	var page listed
	size := min(limit, maxPage)
	query.Set("limit", strconv.Itoa(size))
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	header, err := c.api.Get(ctx, path, query, &page)
	switch {
	case err != nil && cursor != "" && rest.StatusOf(err) == http.StatusBadRequest:
		return page, connectors.Wrap(connectors.InvalidRequest, err, "Confluence no longer accepts the cursor: start again without one")
	case err != nil:
		return page, err
	case page.Results == nil:
		return page, c.api.Nonsense("a list without entries")
	case len(page.Results) > size:
		return page, c.api.Nonsense("more entries than it was asked for")
	}
	page.cursor, err = c.next(header, page.Links.Next, cursor)
	return page, err
}

// every asks for all pages of a listing that is narrowed to given ids: one as a rule, but that is for the site to decide.
func (c *cloud) every(ctx context.Context, path string, query url.Values) ([]json.RawMessage, error) {
	var all []json.RawMessage
	for cursor, turned := "", map[string]bool{}; ; {
		page, err := c.get(ctx, path, query, maxPage, cursor)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Results...)
		if cursor = page.cursor; cursor == "" {
			return all, nil
		}
		if turned[cursor] {
			return nil, c.api.Nonsense("the same page twice")
		}
		turned[cursor] = true
	}
}

// SystemTime implements [connectors.Timekeeper].
func (c *cloud) SystemTime(ctx context.Context) (time.Time, error) {
	return c.api.SystemTime(ctx, func(ctx context.Context) error {
		_, _, err := c.currentUser(ctx)
		return err
	})
}

// next returns the cursor of the next page, "" on the last one: what the Link of relation "next" and _links.next have as
// their parameter cursor. Their paths are the site's own and lead nowhere by OAuth.
func (c *cloud) next(header http.Header, inBody, last string) (string, error) {
	link := cmp.Or(rest.Links(header)["next"], inBody)
	if link == "" {
		return "", nil
	}
	u, err := url.Parse(link)
	if err != nil || u.Query().Get("cursor") == "" {
		return "", c.api.Nonsense("a next page without a cursor")
	}
	if u.Query().Get("cursor") == last {
		return "", c.api.Nonsense("the same cursor twice, so the listing would never end")
	}
	return u.Query().Get("cursor"), nil
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://")
}

// isID reports whether s can be the id of a page, blog post or comment.
func isID(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}
