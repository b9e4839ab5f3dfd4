package oauth

import (
	"net/url"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// GrantKey returns what a grant is unique by within its tenant: the account's consent to one client of a provider. It
// is empty where nobody could tell the account.
func GrantKey(provider, clientID, account string) string {
	if account == "" {
		return ""
	}
	return url.QueryEscape(provider) + "/" + url.QueryEscape(clientID) + "/" + url.QueryEscape(account)
}

// DueAt returns when a grant must be refreshed although nobody uses it: a third of the provider's idle limit after it
// last gave a token, so that two more tries are left; at once when an answer of the provider is missing; zero for
// never.
func DueAt(p *connectors.OAuthProvider, g domain.Grant) time.Time {
	switch {
	case g.Refused != "":
		return time.Time{}
	case !g.SpentAt.IsZero():
		return g.SpentAt
	case p.IdleLimit <= 0:
		return time.Time{}
	}
	return g.RefreshedAt.Add(p.IdleLimit / 3)
}

// DiesAt returns when the provider drops a grant that is not used until then, zero for never.
func DiesAt(p *connectors.OAuthProvider, g domain.Grant) time.Time {
	if p.IdleLimit <= 0 {
		return time.Time{}
	}
	return g.RefreshedAt.Add(p.IdleLimit)
}

// earliest bounds how long before its expiry an access token is renewed.
const earliest = time.Minute

// margin returns how long before its expiry an access token is renewed: at most a minute, and a quarter of its life.
func margin(tok domain.Token) time.Duration {
	return min(earliest, max(0, tok.ExpiresAt.Sub(tok.Grant.RefreshedAt)/4))
}
