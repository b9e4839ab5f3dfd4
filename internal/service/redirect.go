package service

import (
	"net"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// maxRedirect bounds the address of a page that a browser returns to, in bytes.
const maxRedirect = 2000

// redirects returns where the vendor sends the browser, and where the browser ends. A page that is not on the
// allow-list is invalid_request. Without a page the browser ends at ucf's own, which asks for nothing but to carry its
// address back.
func (s *Service) redirects(page string) (vendor string, err error) {
	if page == "" {
		return s.OAuth.CallbackURL, nil
	}
	if fault := s.badRedirect(page); fault != "" {
		return "", connectors.InvalidFields(connectors.Fault{Field: "redirectUri", Message: fault})
	}
	if s.OAuth.PublicURL != "" && !s.Operator {
		return s.OAuth.CallbackURL, nil
	}
	return page, nil
}

// badRedirect says what is wrong with a page that a browser is to return to. The comparison is made on the parsed
// address, part by part: prefixes of texts lie.
func (s *Service) badRedirect(page string) string {
	u, fault := parsePage(page)
	switch {
	case fault != "":
		return fault
	case isLoopback(u.Hostname()):
		return ""
	case u.Scheme != "https":
		return "must begin with https://, but for loopback addresses"
	case slices.ContainsFunc(append([]string{s.OAuth.PublicURL}, s.OAuth.Redirects...), func(entry string) bool { return covers(entry, u) }):
		return ""
	}
	return "is not on the allow-list: the operator adds it to OAUTH_REDIRECT_ALLOWLIST"
}

func parsePage(page string) (*url.URL, string) {
	if len(page) > maxRedirect || strings.ContainsFunc(page, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return nil, "must be an address of at most 2000 visible ASCII characters"
	}
	u, err := url.Parse(page)
	if err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, "must be an address that begins with https://"
	}
	return u, badPage(u, page)
}

// badPage says what parts an address has that a page to return to has not.
func badPage(u *url.URL, page string) string {
	plain := u.Path == "" || u.Path == "/" || path.Clean(u.Path) == strings.TrimSuffix(u.Path, "/")
	q := u.Query()
	switch {
	case u.User != nil || strings.Contains(page, "#"):
		return "must hold neither a user name nor a fragment"
	case !plain || strings.Contains(u.EscapedPath(), "%"):
		return "must have a plain path"
	case q.Has("code") || q.Has("state") || q.Has("error"):
		return "must not hold a code, state or error"
	}
	return ""
}

// covers reports whether an entry of the allow-list is the page or a folder above it.
func covers(entry string, page *url.URL) bool {
	e, err := url.Parse(entry)
	if entry == "" || err != nil || e.Scheme != page.Scheme || !strings.EqualFold(e.Host, page.Host) {
		return false
	}
	folder := strings.TrimSuffix(e.Path, "/")
	return page.Path == folder || strings.HasPrefix(page.Path, folder+"/")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// setting is the name of the operator's setting for a provider.
func setting(p *connectors.OAuthProvider, name string) string {
	return strings.ToUpper(p.ID) + "_" + name
}
